#include "registry/wire.h"
#include "registry/commit.h"
#include "registry/remote.h"
#include <stdarg.h>
#include <unistd.h>

/*
 * http(s) through the user's git: it has the proxies, the credential helpers and
 * the certificates. What is decided (leases, fast-forwards) is decided by the
 * same code as for the other transports and only carried out here.
 */
#define LIST_MAX ((size_t)256 << 20)

struct args { struct sg_names l, env; struct sg_login login; };

static int arg(struct args *a, const char *s)
{
	return sg_names_add(&a->l, s);
}

static void args_release(struct args *a)
{
	sg_names_release(&a->l);
	sg_names_release(&a->env);
	sg_login_release(&a->login);
}

static const char **vector(const struct sg_names *l)
{
	const char **v = sg_calloc(l->n + 1, sizeof(*v));

	for (size_t i = 0; v && i < l->n; i++)
		v[i] = l->name[i];
	return v;
}

static int on_line(void *arg, const char *line)
{
	return sg_progress(arg, "git", 0, 0, line) ? sg_fail(SG_E_INTERRUPTED, "stopped") : 0;
}

static int run(struct sg_buf *out, struct args *a, const struct sg_buf *in, const struct sg_progress *progress)
{
	bool heard = progress && progress->fn;
	const char **argv = vector(&a->l), **env = vector(&a->env);
	char *shown = NULL;
	int rc = !argv || !env ? -SG_E_NOMEM : sg_child_run(out, argv, env, in, LIST_MAX, heard ? on_line : NULL,
								  (void *)(uintptr_t)progress);

	if (rc < 0 && rc != -SG_E_NOMEM && sg_url_mask_text(&shown, sg_error_message()) >= 0)
		rc = sg_fail((enum sg_err)-rc, "%s", shown);
	free(shown);
	free(argv);
	free(env);
	return rc;
}

static int env_add(struct args *a, const char *fmt, ...) SG_PRINTF(2, 3);
static int env_add(struct args *a, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	n = n < 0 ? -SG_E_NOMEM : sg_names_add(&a->env, s);
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
	return n;
}

/* A setting for this run, behind those that the user's environment has. */
static int setting(struct args *a, unsigned at, const char *key, const char *value)
{
	SG_TRY(env_add(a, "GIT_CONFIG_KEY_%u=%s", at, key));
	return env_add(a, "GIT_CONFIG_VALUE_%u=%s", at, value);
}

/* A command line can be read by everybody on the machine, the environment only by
 * its owner; and a helper that is named for one host is not asked for another
 * that the server may send us to. */
static int log_in(struct args *a)
{
	static const char helper[] = "!f() { test \"$1\" = get && "
		"printf 'username=%s\\npassword=%s\\n' \"$SG_HTTP_USER\" \"$SG_HTTP_PASSWORD\" || :; }; f";
	const char *count = getenv("GIT_CONFIG_COUNT");
	unsigned at = count ? (unsigned)SG_MIN(strtoul(count, NULL, 10), 10000) : 0;
	char *key;
	int rc;

	if (!a->login.user)
		return 0;
	key = sg_asprintf("credential.%s.%s", a->login.host, a->login.password ? "helper" : "username");
	rc = key ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && a->login.password) {
		rc = setting(a, at++, "credential.helper", "");	/* what the URL says goes before */
		if (rc >= 0)
			rc = setting(a, at++, key, helper);
		if (rc >= 0)
			rc = env_add(a, "SG_HTTP_USER=%s", a->login.user);
		if (rc >= 0)
			rc = env_add(a, "SG_HTTP_PASSWORD=%s", a->login.password);
	} else if (rc >= 0) {
		rc = setting(a, at++, key, a->login.user);
	}
	if (rc >= 0)
		rc = env_add(a, "GIT_CONFIG_COUNT=%u", at);
	free(key);
	return rc;
}

/* The URL that git is to be given is then in a->login.url. */
static int begin(struct args *a, struct sg_registry *r, const char *verb, const char *url)
{
	char *dir = sg_asprintf("--git-dir=%s", r->git_dir);
	int rc = dir ? arg(a, "git") : -SG_E_NOMEM;

	if (rc >= 0)
		rc = arg(a, dir);
	if (rc >= 0)
		rc = arg(a, verb);
	if (rc >= 0)
		rc = env_add(a, "LC_ALL=C");	/* what it says is read here */
	if (rc >= 0 && (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8)))
		rc = sg_url_login(&a->login, url);
	else if (rc >= 0)
		rc = (a->login.url = sg_strdup(url)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = log_in(a);
	free(dir);
	return rc;
}

static int take_ref(struct sg_advert *ad, char *line)
{
	struct sg_refs *l = &ad->refs;
	char *tab = strchr(line, '\t');
	size_t n;

	if (!tab)
		return sg_fail(SG_E_CORRUPT, "git ls-remote printed '%s'", line);
	*tab++ = '\0';
	if (!strncmp(line, "ref: refs/heads/", 16) && !strcmp(tab, "HEAD") && !ad->head && sg_advert_name_ok(line + 5)) {
		ad->head = sg_strdup(line + 5);
		return ad->head ? 0 : -SG_E_NOMEM;
	}
	n = strlen(tab);
	if ((n > 3 && !strcmp(tab + n - 3, "^{}")) || !sg_advert_name_ok(tab))
		return 0;
	SG_TRY(SG_GROW(l->ref, l->n, l->cap));
	if (!sg_oid_parse(&l->ref[l->n].oid, line))
		return sg_fail(SG_E_CORRUPT, "git ls-remote printed '%s'", line);
	l->ref[l->n].name = sg_strdup(tab);
	if (!l->ref[l->n].name)
		return -SG_E_NOMEM;
	l->n++;
	return 0;
}

int sg_exec_take_refs(struct sg_advert *ad, char *text)
{
	int rc = 0;

	for (char *p = text, *e; rc >= 0 && p && *p; p = e) {
		e = p + strcspn(p, "\n");
		if (*e)
			*e++ = '\0';
		rc = take_ref(ad, p);
	}
	return rc;
}

int sg_exec_refs(struct sg_advert *ad, struct sg_registry *r, const char *url)
{
	struct args a = { 0 };
	struct sg_buf out = { 0 };
	int rc = begin(&a, r, "ls-remote", url);

	*ad = (struct sg_advert){ 0 };
	if (rc >= 0)
		rc = arg(&a, "--symref");
	if (rc >= 0)
		rc = arg(&a, "--");
	if (rc >= 0)
		rc = arg(&a, a.login.url);
	if (rc >= 0)
		rc = run(&out, &a, NULL, NULL);
	if (rc >= 0)
		rc = sg_exec_take_refs(ad, out.data);
	sg_buf_release(&out);
	args_release(&a);
	if (rc < 0)
		sg_advert_release(ad);
	return rc;
}

int sg_exec_fetch(struct sg_registry *r, const char *url, const struct sg_names *refs, const struct sg_progress *progress)
{
	const char *const opt[] = { progress ? "--progress" : "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin", "--" };
	struct args a = { 0 };
	struct sg_buf in = { 0 }, out = { 0 };
	int rc = begin(&a, r, "fetch", url);

	for (size_t i = 0; rc >= 0 && i < SG_LEN(opt); i++)
		rc = arg(&a, opt[i]);
	if (rc >= 0)
		rc = arg(&a, a.login.url);
	for (size_t i = 0; rc >= 0 && i < refs->n; i++)
		rc = sg_buf_fmt(&in, "%s\n", refs->name[i]);
	if (rc >= 0)
		rc = run(&out, &a, &in, progress);
	if (rc >= 0)
		git_odb_refresh(r->odb);
	sg_buf_release(&in);
	sg_buf_release(&out);
	args_release(&a);
	return rc;
}

/* "!\t<src>:<dst>\t[rejected] (stale info)": flags that mean no are ! only. */
static void take_result(struct sg_push_cmd *cmd, size_t n, char *line)
{
	char *tab = strchr(line, '\t'), *colon = tab ? strchr(tab, ':') : NULL;
	char *why = colon ? strchr(colon, '\t') : NULL;

	if (!why)
		return;
	*why++ = '\0';
	for (size_t i = 0; i < n; i++) {
		if (strcmp(cmd[i].dst, colon + 1))
			continue;
		cmd[i].rc = line[0] != '!' ? 0 :
			    strstr(why, "stale info") || strstr(why, "failed to") ? -SG_E_BUSY : -SG_E_REFUSED;
		free(cmd[i].text);
		cmd[i].text = cmd[i].rc < 0 ? sg_strdup(why) : NULL;
	}
}

int sg_exec_take_results(struct sg_push_cmd *cmd, size_t n, char *text)
{
	int heard = 0;

	for (char *p = text, *e; p && *p; p = e) {
		e = p + strcspn(p, "\n");
		if (*e)
			*e++ = '\0';
		if (*p && strchr(" +-*!=", *p) && p[1] == '\t') {
			heard = 1;
			take_result(cmd, n, p);
		}
	}
	return heard;
}

static int push_args(struct args *a, const char *url, const struct sg_push_cmd *cmd, size_t n, bool atomic, bool shown)
{
	char hex[SG_OID_HEX], *s;
	int rc;

	SG_TRY(arg(a, "--porcelain"));
	SG_TRY(arg(a, "--no-verify"));
	if (shown)
		SG_TRY(arg(a, "--progress"));
	if (atomic)
		SG_TRY(arg(a, "--atomic"));
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			const struct sg_oid *oid = pass ? &cmd[i].new : &cmd[i].old;

			hex[0] = '\0';
			if (!sg_oid_is_zero(oid))
				sg_oid_hex(hex, oid);
			s = pass ? sg_asprintf("%s:%s", hex, cmd[i].dst) :
				   sg_asprintf("--force-with-lease=%s:%s", cmd[i].dst, hex);
			rc = s ? arg(a, s) : -SG_E_NOMEM;
			free(s);
			SG_TRY(rc);
		}
		if (!pass) {
			SG_TRY(arg(a, "--"));
			SG_TRY(arg(a, url));
		}
	}
	return 0;
}

/* What git leaves out of a pack follows from history alone. A list of parents of its
 * own for this run makes the parts that came over parents of what is pushed. */
static int lend_parents(struct args *a, char **file, struct sg_registry *r, const struct sg_push_cmd *cmd, size_t n,
			const struct sg_refs *there)
{
	struct sg_buf b = { 0 };
	char hex[SG_OID_HEX];
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct sg_commit c = { 0 };
		enum sg_object_type type;

		if (sg_oid_is_zero(&cmd[i].new) || sg_object_stat(&type, NULL, r, &cmd[i].new) < 0 || type != SG_OBJ_COMMIT)
			continue;
		rc = sg_commit_read(&c, r, &cmd[i].new);
		sg_oid_hex(hex, &cmd[i].new);
		if (rc >= 0)
			rc = sg_buf_str(&b, hex);
		for (size_t k = 0; rc >= 0 && k < c.n_parents + there->n; k++) {
			sg_oid_hex(hex, k < c.n_parents ? &c.parent[k] : &there->ref[k - c.n_parents].oid);
			rc = sg_buf_fmt(&b, " %s", hex);
		}
		if (rc >= 0)
			rc = sg_buf_str(&b, "\n");
		sg_commit_release(&c);
	}
	*file = sg_asprintf("%s/parents-%ld", r->tmp_dir, (long)getpid());
	if (rc >= 0)
		rc = *file ? sg_file_write(*file, b.data, b.len) : -SG_E_NOMEM;
	if (rc >= 0)
		rc = env_add(a, "GIT_GRAFT_FILE=%s", *file);
	sg_buf_release(&b);
	return rc;
}

int sg_exec_push(struct sg_registry *r, const char *url, struct sg_push_cmd *cmd, size_t n, bool atomic,
		 const struct sg_refs *there, const struct sg_progress *progress)
{
	struct args a = { 0 };
	struct sg_buf out = { 0 };
	char *parents = NULL;
	bool heard = false;
	int rc = begin(&a, r, "push", url);

	if (rc >= 0)
		rc = push_args(&a, a.login.url, cmd, n, atomic, progress != NULL);
	if (rc >= 0 && there && there->n)
		rc = lend_parents(&a, &parents, r, cmd, n, there);
	for (size_t i = 0; i < n; i++)
		cmd[i].rc = -SG_E_ERROR;
	if (rc >= 0)
		rc = run(&out, &a, NULL, progress);
	/* It fails when a ref was refused; then the lines say which. */
	if (parents)
		unlink(parents);
	free(parents);
	heard = sg_exec_take_results(cmd, n, out.data) > 0;
	sg_buf_release(&out);
	args_release(&a);
	return heard ? 0 : rc;
}
