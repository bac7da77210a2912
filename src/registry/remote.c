#include "registry/remote.h"
#include "registry/registry.h"
#include "registry/wire.h"
#include <unistd.h>

bool sg_remote_name_ok(const char *name)
{
	int ok = 0;

	return sg_git_start() >= 0 && !strchr(name, '/') && *name != '-' && git_remote_name_is_valid(&ok, name) == 0 && ok;
}

static int check_name(const char *name)
{
	return sg_remote_name_ok(name) ? 0 : sg_fail(SG_E_ERROR, "'%s' is no valid name of a remote", name);
}

/* A relative path means the caller's folder now, not where some later command runs. */
static char *absolute(const char *url)
{
	char *p = !strstr(url, "://") && sg_dir_exists(url) ? realpath(url, NULL) : NULL;

	return p ? p : sg_strdup(url);
}

/* Remotes are plain configuration here: libgit2's calls for them match regular
 * expressions against every entry and leak each time one does not fit. */
static int configured(char **out, struct sg_registry *r, const char *name)
{
	char *key = sg_asprintf("remote.%s.url", name);
	int rc = key ? sg_registry_config_get(out, r, key) : -SG_E_NOMEM;

	free(key);
	return rc;
}

static int set_key(struct sg_registry *r, const char *name, const char *var, const char *value)
{
	char *key = sg_asprintf("remote.%s.%s", name, var);
	int rc = key ? sg_registry_config_set(r, key, value) : -SG_E_NOMEM;

	free(key);
	return rc;
}

int sg_remote_add(struct sg_registry *r, const char *name, const char *url)
{
	char *full, *there = NULL, *spec = NULL;
	int rc;

	SG_TRY(check_name(name));
	if (!*url || *url == '-')
		return sg_fail(SG_E_ERROR, "bad URL '%s'", url);
	rc = configured(&there, r, name);
	free(there);
	if (rc != -SG_E_NOTFOUND)
		return rc < 0 ? rc : sg_fail(SG_E_EXISTS, "there is a remote '%s' already", name);
	full = absolute(url);
	spec = sg_asprintf("+refs/heads/*:refs/remotes/%s/*", name);
	rc = full && spec ? set_key(r, name, "fetch", spec) : -SG_E_NOMEM;
	if (rc >= 0)
		rc = set_key(r, name, "url", full);	/* last: it makes the remote */
	free(full);
	free(spec);
	return rc;
}

static int drop_refs(struct sg_registry *r, const char *folder, const char *name)
{
	char *prefix = sg_asprintf("%s%s/", folder, name);
	struct sg_refs l = { 0 };
	int rc = prefix ? sg_ref_list(&l, r, prefix) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = sg_ref_delete(r, l.ref[i].name, &l.ref[i].oid);
	sg_refs_release(&l);
	free(prefix);
	return rc;
}

static int drop_keys(struct sg_registry *r, const char *name)
{
	char *prefix = sg_asprintf("remote.%s.", name);
	struct sg_names l = { 0 };
	int rc = prefix ? sg_registry_config_list(&l, r, prefix) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *key = l.name[i];

		if (i && !strncmp(key, l.name[i - 1], strcspn(key, "=") + 1))
			continue;	/* more values of the same */
		key[strcspn(key, "=")] = '\0';
		rc = sg_registry_config_set(r, key, NULL);
	}
	sg_names_release(&l);
	free(prefix);
	return rc;
}

int sg_remote_remove(struct sg_registry *r, const char *name)
{
	char *url = NULL;
	int rc;

	SG_TRY(check_name(name));
	rc = configured(&url, r, name);
	free(url);
	if (rc < 0)
		return rc == -SG_E_NOTFOUND ? sg_fail(SG_E_NOTFOUND, "there is no remote '%s'", name) : rc;
	rc = drop_refs(r, "refs/remotes/", name);
	if (rc >= 0)
		rc = drop_refs(r, "refs/sg-remote/", name);
	return rc < 0 ? rc : drop_keys(r, name);
}

int sg_remote_list(struct sg_names *out, struct sg_registry *r)
{
	struct sg_names all = { 0 }, l = { 0 };
	int rc = sg_registry_config_list(&all, r, "remote.");

	for (size_t i = 0; rc >= 0 && i < all.n; i++) {
		char *eq = strchr(all.name[i], '='), *dot;

		*eq = '\0';
		dot = strrchr(all.name[i], '.');
		if (dot < all.name[i] + 7 || strcmp(dot, ".url"))
			continue;
		*dot = '\0';
		rc = sg_names_add(&l, all.name[i] + 7);
	}
	sg_names_release(&all);
	if (rc < 0) {
		sg_names_release(&l);
		return rc;
	}
	sg_names_sort(&l);
	*out = l;
	return 0;
}

/* url.<base>.insteadOf = <prefix>: the longest prefix that fits is replaced. */
static int instead_of(char **url, struct sg_registry *r)
{
	git_config *c = NULL;
	git_config_iterator *it = NULL;
	git_config_entry *e;
	size_t best = 0;
	char *base = NULL, *full;
	int rc = git_repository_config_snapshot(&c, r->repo);

	if (rc >= 0)
		rc = git_config_iterator_new(&it, c);
	if (rc < 0)
		rc = sg_git_fail(rc, "cannot read the configuration");
	while (rc >= 0 && git_config_next(&e, it) == 0) {
		size_t n = strlen(e->name), len = e->value ? strlen(e->value) : 0;

		if (n < 15 || strncmp(e->name, "url.", 4) || strcmp(e->name + n - 10, ".insteadof") ||
		    len <= best || strncmp(*url, e->value, len))
			continue;
		best = len;
		free(base);
		base = sg_strndup(e->name + 4, n - 14);
		rc = base ? 0 : -SG_E_NOMEM;
	}
	if (rc >= 0 && base) {
		full = sg_asprintf("%s%s", base, *url + best);
		rc = full ? 0 : -SG_E_NOMEM;
		if (full) {
			free(*url);
			*url = full;
		}
	}
	free(base);
	git_config_iterator_free(it);
	git_config_free(c);
	return rc;
}

int sg_remote_resolve(char **url, char **name, struct sg_registry *r, const char *remote)
{
	char *u = NULL, *n = NULL;
	int rc = sg_remote_name_ok(remote) ? configured(&u, r, remote) : -SG_E_NOTFOUND;

	if (rc >= 0) {
		n = sg_strdup(remote);
		rc = n ? 0 : -SG_E_NOMEM;
	} else if (rc == -SG_E_NOTFOUND) {
		if (sg_remote_name_ok(remote) && !sg_dir_exists(remote) && !strchr(remote, ':'))
			return sg_fail(SG_E_NOTFOUND, "there is no remote '%s' and no repository at that path", remote);
		u = sg_strdup(remote);
		rc = u ? 0 : -SG_E_NOMEM;
	}
	if (rc >= 0)
		rc = instead_of(&u, r);
	if (rc < 0) {
		free(u);
		free(n);
		return rc;
	}
	*url = u;
	*name = n;
	return 0;
}

int sg_remote_url(char **out, struct sg_registry *r, const char *remote)
{
	char *name = NULL;

	SG_TRY(sg_remote_resolve(out, &name, r, remote));
	free(name);
	return 0;
}

int sg_remote_refs(struct sg_refs *out, char **head, struct sg_registry *r, const char *remote)
{
	struct sg_wire w = { 0 };
	struct sg_advert ad = { 0 };
	struct sg_url u = { 0 };
	char *url = NULL, *name = NULL;
	int rc = sg_remote_resolve(&url, &name, r, remote);

	if (rc >= 0)
		rc = sg_url_parse(&u, url);
	if (rc >= 0 && u.kind == SG_URL_HTTP) {
		rc = sg_exec_refs(&ad, r, url);
	} else if (rc >= 0) {
		rc = sg_wire_open(&w, &ad, r, "git-upload-pack", &u, url);
		if (rc >= 0) {
			sg_wire_flush(&w);	/* "nothing, thank you" */
			sg_wire_finish(&w);
		}
		sg_wire_release(&w);
	}
	if (rc >= 0) {
		*out = ad.refs;
		ad.refs = (struct sg_refs){ 0 };
		if (head) {
			*head = ad.head;
			ad.head = NULL;
		}
	}
	sg_advert_release(&ad);
	sg_url_release(&u);
	free(url);
	free(name);
	return rc;
}
