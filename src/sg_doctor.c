/* What this machine offers, and how the registry is. Looks, changes nothing. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/pack.h"
#include "format/zip.h"
#include <stdarg.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct visit {
	void (*fn)(void *arg, const char *what, enum sg_health h, const char *text);
	void *arg;
	int faults;
};

static void tell(struct visit *v, const char *what, enum sg_health h, const char *fmt, ...) SG_PRINTF(4, 5);
static void tell(struct visit *v, const char *what, enum sg_health h, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->faults += h == SG_FAULT;
	v->fn(v->arg, what, h, text);
}

/* --- the machine -------------------------------------------------------------- */

static void processor(struct visit *v)
{
	char list[200] = "";
	const char *name;
	bool usable;

	for (size_t i = 0; (name = sg_isa_name(i, &usable)); i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s%s", i ? ", " : "", name,
			 usable ? "" : " (not on this processor)");
	tell(v, "processor", SG_WELL, "%ld threads; instruction sets, widest first: %s", sysconf(_SC_NPROCESSORS_ONLN), list);
}

static void cuda(struct visit *v)
{
	struct sg_device d;

	if (sg_device_open(&d, "cuda", 0) < 0) {
		tell(v, "cuda", SG_LACKS, "%s", sg_error_message());
		return;
	}
	tell(v, "cuda", SG_WELL, "%s; numerics %s", d.about, d.fingerprint);
	sg_device_close(&d);
}

/* What a command with these options would compute on. */
static void device(struct visit *v, const struct sg_open_opts *o)
{
	const char *name = o->device ? o->device : "auto", *isa = getenv("SG_ISA");
	struct sg_device d;

	if (sg_device_open(&d, name, o->threads) < 0) {
		tell(v, "device", SG_FAULT, "%s cannot be used: %s", name, sg_error_message());
		return;
	}
	tell(v, "device", SG_WELL, "%s gives %s, numerics %s%s%s", name, d.be->name, d.fingerprint,
	     isa && *isa ? ", SG_ISA=" : "", isa ? isa : "");
	sg_device_close(&d);
}

static void memory(struct visit *v)
{
	double page = (double)sysconf(_SC_PAGESIZE) / (1 << 30);

	tell(v, "memory", SG_WELL, "%.1f GiB, %.1f GiB of it free", page * (double)sysconf(_SC_PHYS_PAGES),
	     page * (double)sysconf(_SC_AVPHYS_PAGES));
}

static void libraries(struct visit *v)
{
	char git[32];

	sg_git_library(git);
	tell(v, "libraries", SG_WELL, "libgit2 %s, zstd %s, msgpack %s, %s", git, sg_zip_library(), sg_pack_library(),
	     sg_hash_library());
}

/* Is there a program of this name on the PATH? */
static bool on_path(const char *program)
{
	const char *p = getenv("PATH");
	bool found = false;

	for (size_t n; p && *p && !found; p += n + (p[n] == ':')) {
		char *file;

		n = strcspn(p, ":");
		file = n ? sg_asprintf("%.*s/%s", (int)n, p, program) : NULL;
		found = file && !access(file, X_OK);
		free(file);
	}
	return found;
}

static void programs(struct visit *v)
{
	static const struct { const char *name, *for_what; } list[] = {
		{ "git", "sharing with remotes" }, { "ssh", "remotes over ssh" }, { "ssh-keygen", "making keys to sign with" },
		{ "man", "pages of 'sg help'" },
	};

	for (size_t i = 0; i < SG_LEN(list); i++) {
		bool there = on_path(list[i].name);

		tell(v, list[i].name, there ? SG_WELL : SG_LACKS, "%s, for %s", there ? "found" : "not found", list[i].for_what);
	}
}

/* --- the registry ------------------------------------------------------------- */

static void space(struct visit *v, const struct sg_repo *r)
{
	struct statvfs s;

	if (statvfs(sg_repo_dir(r), &s) == 0)
		tell(v, "space", (double)s.f_bavail * (double)s.f_frsize < (1 << 28) ? SG_LACKS : SG_WELL,
		     "%.1f GiB free where the registry is", (double)s.f_bavail * (double)s.f_frsize / (1 << 30));
	tell(v, "writable", access(sg_repo_dir(r), W_OK) ? SG_LACKS : SG_WELL, "%s",
	     access(sg_repo_dir(r), W_OK) ? "this user may not write to the registry" : "the registry can be written");
}

static void base(struct visit *v, struct sg_view *view)
{
	int rc = sg_view_base(view, NULL);

	if (rc < 0)
		tell(v, "base", rc == -SG_E_NOTFOUND ? SG_LACKS : SG_FAULT, "%s", sg_error_message());
	else
		tell(v, "base", SG_WELL, "%s %.16s, as pinned", sg_checkpoint_desc(view->ckpt)->arch, view->base);
}

static void identity(struct visit *v, struct sg_repo *r)
{
	char *name = NULL, *mail = NULL;
	bool known = (getenv("GIT_AUTHOR_NAME") || sg_registry_config_get(&name, r->reg, "user.name") >= 0) &&
		     (getenv("GIT_AUTHOR_EMAIL") || sg_registry_config_get(&mail, r->reg, "user.email") >= 0);

	tell(v, "identity", known ? SG_WELL : SG_LACKS, "%s", known ? "commits carry a name and an address" :
	     "no user.name and user.email: commits carry those of the login");
	free(name);
	free(mail);
}

static void data(struct visit *v, struct sg_repo *r)
{
	struct sg_data_list l = { 0 };
	size_t here = 0;

	if (sg_data_list(&l, r, NULL) < 0) {
		tell(v, "data", SG_FAULT, "%s", sg_error_message());
		return;
	}
	for (size_t i = 0; i < l.n; i++)
		here += l.set[i].present;
	tell(v, "data", here < l.n ? SG_LACKS : SG_WELL, "%zu sets, %zu with their tokens here%s", l.n, here,
	     here < l.n ? "; add the files of the others again" : "");
	sg_data_list_release(&l);
}

static void policy(struct visit *v, struct sg_repo *r)
{
	struct sg_buf b = { 0 };

	if (sg_policy_values(&b, r, NULL) < 0)
		tell(v, "policy", SG_FAULT, "%s", sg_error_message());
	else
		tell(v, "policy", SG_WELL, "it can be read");
	sg_buf_release(&b);
}

static void registry(struct visit *v, struct sg_repo *r)
{
	struct sg_view view = { 0 };

	space(v, r);
	identity(v, r);
	if (sg_view_open(&view, r, NULL) < 0) {
		tell(v, "stack", SG_FAULT, "%s", sg_error_message());
		return;
	}
	tell(v, "stack", SG_WELL, "%zu grafts, state %.16s", view.ids.n, view.state);
	base(v, &view);
	policy(v, r);
	data(v, r);
	sg_view_release(&view);
}

int sg_doctor(struct sg_repo *r, const struct sg_open_opts *o,
	      void (*fn)(void *arg, const char *what, enum sg_health h, const char *text), void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	processor(&v);
	cuda(&v);
	device(&v, o);
	memory(&v);
	libraries(&v);
	programs(&v);
	if (r)
		registry(&v, r);
	return v.faults;
}
