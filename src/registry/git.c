#include "registry/impl.h"
#include "registry/registry.h"
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>

/* The one place where libgit2 starts and where its errors become ours. */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int started;

static void start(void)
{
	struct sigaction sa;

	/* A peer that closes early must be an error, not our death; a caller's own
	 * handler stays. */
	if (!sigaction(SIGPIPE, NULL, &sa) && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	started = git_libgit2_init();
	if (started < 0)
		return;
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* Tensors carry their own SHA-256; sg_fsck hashes for itself. */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	/* Packs are mapped in windows: this bounds what a big one takes. */
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)2 << 20);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)24 << 20);
}

int sg_git_start(void)
{
	pthread_once(&once, start);
	return started < 0 ? sg_fail(SG_E_ERROR, "cannot start libgit2") : 0;
}

static enum sg_err code_of(int rc)
{
	switch (rc) {
	case GIT_ENOTFOUND: return SG_E_NOTFOUND;
	case GIT_EEXISTS:   return SG_E_EXISTS;
	case GIT_ELOCKED:
	case GIT_EMODIFIED: return SG_E_BUSY;
	case GIT_EMISMATCH: return SG_E_CORRUPT;
	default:            return SG_E_ERROR;
	}
}

int sg_git_fail(int rc, const char *fmt, ...)
{
	const git_error *e = git_error_last();
	char text[1024], why[768];
	va_list ap;

	snprintf(why, sizeof(why), "%s", e && e->message ? e->message : "no reason given");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (e && e->klass == GIT_ERROR_NOMEMORY)
		return sg_fail(SG_E_NOMEM, "%s: out of memory", text);
	return sg_fail(rc == -1 && e && e->klass == GIT_ERROR_OS ? SG_E_IO : code_of(rc), "%s: %s",
		       text, why);
}

void sg_git_library(char out[32])
{
	int major = 0, minor = 0, rev = 0;

	git_libgit2_version(&major, &minor, &rev);
	snprintf(out, 32, "%d.%d.%d", major, minor, rev);
}
