#include "registry/child.h"
#include "base/error.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Git clears the same when it calls another repository's programs. */
static const char *const local_env[] = {
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
	"GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE",
	"GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX",
	"GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_PROTOCOL", "GIT_QUARANTINE_PATH", "SG_DIR",
};

static bool is_local(const char *var, bool git)
{
	for (size_t i = 0; i < SG_LEN(local_env); i++) {
		size_t n = strlen(local_env[i]);

		if (!strncmp(var, local_env[i], n) && var[n] == '=')
			return !git || strncmp(var, "GIT_CONFIG", 10);
	}
	return false;
}

static bool is_set(const char *const *extra, const char *var)
{
	for (; extra && *extra; extra++) {
		size_t n = strcspn(*extra, "=") + 1;

		if (!strncmp(*extra, var, n))
			return true;
	}
	return false;
}

static char **clean_env(const char *const *extra)
{
	size_t n = 0, m = 0, k = 0;
	char **env;

	while (environ[n])
		n++;
	while (extra && extra[m])
		m++;
	env = sg_calloc(n + m + 1, sizeof(*env));
	for (size_t i = 0; env && i < n; i++)
		if (!is_local(environ[i], extra != NULL) && !is_set(extra, environ[i]))
			env[k++] = environ[i];
	for (size_t i = 0; env && i < m; i++)
		env[k++] = (char *)(uintptr_t)extra[i];
	return env;
}

static int temp_fd(void)
{
	const char *dir = getenv("TMPDIR");
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/sg-err-XXXXXX", dir && *dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd >= 0 ? fd : open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int spawn(struct sg_child *c, const char *const *argv, const char *const *extra, int in, int out)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t def;
	char **env = clean_env(extra);
	pid_t pid;
	int err;

	if (!env)
		return -SG_E_NOMEM;
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, c->err, 2);
	sigemptyset(&def);
	sigaddset(&def, SIGPIPE);	/* ignored here, which a child would inherit */
	posix_spawnattr_setsigdefault(&attr, &def);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, argv[0], &fa, &attr, (char *const *)(uintptr_t)argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	free(env);
	if (err) {
		errno = err;
		return sg_fail_errno(err == ENOENT ? SG_E_NOTFOUND : SG_E_IO, "cannot run '%s'", argv[0]);
	}
	c->pid = (int)pid;
	return 0;
}

int sg_child_start(struct sg_child *c, const char *const *argv)
{
	return sg_child_start_git(c, argv, NULL);
}

int sg_child_start_git(struct sg_child *c, const char *const *argv, const char *const *env)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc;

	*c = (struct sg_child){ 0, -1, -1, -1, false };
	c->err = temp_fd();
	if (c->err < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		rc = sg_fail_errno(SG_E_IO, "cannot make a pipe");
	else
		rc = spawn(c, argv, env, in[0], out[1]);
	shut(&in[0]);
	shut(&out[1]);
	c->in = in[1];
	c->out = out[0];
	if (rc >= 0)
		fcntl(c->in, F_SETFL, O_NONBLOCK);
	else
		sg_child_release(c);
	return rc;
}

void sg_child_close_in(struct sg_child *c)
{
	shut(&c->in);
}

int sg_child_wait(struct sg_child *c, int *status, char *err, size_t n)
{
	struct stat info;
	ssize_t got;
	off_t at = 0;
	int st = 0;

	shut(&c->in);
	shut(&c->out);
	while (waitpid(c->pid, &st, 0) < 0) {
		if (errno != EINTR)
			return sg_fail_errno(SG_E_IO, "cannot wait for a program");
	}
	c->pid = 0;
	*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + (WIFSIGNALED(st) ? WTERMSIG(st) : 0);
	if (n && c->last && !fstat(c->err, &info) && info.st_size > (off_t)n - 1)
		at = info.st_size - ((off_t)n - 1);
	got = n ? pread(c->err, err, n - 1, at) : 0;
	if (n)
		err[SG_MAX(got, 0)] = '\0';
	shut(&c->err);
	return 0;
}

/* Its input has ended, so it leaves by itself and tidies up, which git does not do
 * when it is killed. One that hangs is. */
static void see_off(pid_t pid)
{
	for (int tries = 0; tries < 200; tries++) {
		pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got > 0 || (got < 0 && errno != EINTR))
			return;
		usleep(SG_MIN(1000 * (tries + 1), 20000));
	}
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void sg_child_release(struct sg_child *c)
{
	shut(&c->in);
	shut(&c->out);
	shut(&c->err);
	if (c->pid > 0)
		see_off(c->pid);
	*c = (struct sg_child){ 0, -1, -1, -1, false };
}

int sg_child_read(struct sg_child *c, struct sg_buf *got)
{
	ssize_t n;

	SG_TRY(sg_buf_room(got, 65536));
	do
		n = read(c->out, got->data + got->len, 65536);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return sg_fail_errno(SG_E_IO, "cannot read from a program");
	got->len += (size_t)n;
	return (int)n;
}

int sg_child_write(struct sg_child *c, struct sg_buf *got, size_t max, const void *data, size_t n)
{
	const char *p = data;
	bool open = true;

	while (n) {
		struct pollfd fd[2] = { { c->in, POLLOUT, 0 }, { open ? c->out : -1, POLLIN, 0 } };
		ssize_t done = write(c->in, p, n);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno != EAGAIN)
			return sg_fail_errno(SG_E_IO, "cannot write to a program");
		if (poll(fd, 2, -1) < 0 && errno != EINTR)
			return sg_fail_errno(SG_E_IO, "cannot wait for a program");
		if (fd[1].revents) {
			int rc = got->len > max ? sg_fail(SG_E_CORRUPT, "a program says too much") :
						  sg_child_read(c, got);

			SG_TRY(rc);
			open = rc > 0;
		}
	}
	return 0;
}

/* The line of a program's last words that says why: git puts what the server
 * said, and hints, around it. */
static const char *reason(char *err)
{
	static const char *const start[] = { "fatal: ", "error: " };
	char *at = NULL;

	for (size_t i = 0; !at && i < SG_LEN(start); i++) {
		at = strstr(err, start[i]);
		while (at && at > err && at[-1] != '\n' && at[-1] != '\r')
			at = strstr(at + 1, start[i]);
		if (at)
			at += strlen(start[i]);
	}
	at = at ? at : err;
	at[strcspn(at, "\r\n")] = '\0';
	return *at ? at : "no reason given";
}

static int tell_newest(const struct sg_child *c, int (*says)(void *arg, const char *line), void *arg)
{
	char text[1024], *end;
	struct stat info;
	off_t size = fstat(c->err, &info) ? 0 : info.st_size;
	ssize_t n = pread(c->err, text, sizeof(text) - 1, SG_MAX(size - ((off_t)sizeof(text) - 1), (off_t)0));

	end = text + SG_MAX(n, (ssize_t)0);
	while (end > text && end[-1] != '\r' && end[-1] != '\n')
		end--;	/* a line that is not whole yet */
	while (end > text && strchr("\r\n ", end[-1]))
		end--;
	*end = '\0';
	while (end > text && end[-1] != '\r' && end[-1] != '\n')
		end--;
	return says(arg, end);
}

/* Until there is something to read. */
static int listen_in(const struct sg_child *c, int (*says)(void *arg, const char *line), void *arg)
{
	struct pollfd fd = { c->out, POLLIN, 0 };
	int n;

	while ((n = poll(&fd, 1, 200)) <= 0) {
		if (n < 0 && errno != EINTR)
			return sg_fail_errno(SG_E_IO, "cannot wait for a program");
		SG_TRY(tell_newest(c, says, arg));
	}
	return 0;
}

int sg_child_run(struct sg_buf *out, const char *const *argv, const char *const *env, const struct sg_buf *in,
		       size_t max, int (*says)(void *arg, const char *line), void *arg)
{
	struct sg_child c;
	char err[4096];
	int rc, status = 0;

	SG_TRY(sg_child_start_git(&c, argv, env));
	c.last = says != NULL;
	sg_buf_clear(out);
	rc = in && in->len ? sg_child_write(&c, out, max, in->data, in->len) : 0;
	sg_child_close_in(&c);
	while (rc >= 0) {
		rc = says ? listen_in(&c, says, arg) : 0;
		if (rc >= 0)
			rc = sg_child_read(&c, out);
		if (rc <= 0)
			break;
		if (out->len > max)
			rc = sg_fail(SG_E_CORRUPT, "'%s' says too much", argv[0]);
	}
	if (rc < 0 && rc != -SG_E_IO) {
		sg_child_release(&c);
		return rc;
	}
	/* After a broken pipe its own words say more than ours. */
	SG_TRY(sg_child_wait(&c, &status, err, sizeof(err)));
	sg_child_release(&c);
	if (out->data)
		out->data[out->len] = '\0';
	if (status)
		return sg_fail(SG_E_ERROR, "'%s' failed: %s", argv[0], reason(err));
	return rc;
}
