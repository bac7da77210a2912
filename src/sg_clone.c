/*
 * Taking from other registries: fetch, pull, clone. What comes in is judged by what
 * it is: a candidate is taken up when its folder is a graft with the right id, tokens
 * when they have the hash that a manifest names.
 */
#include "sg_share.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/overlap.h"
#include "registry/remote.h"
#include <unistd.h>

/* --- candidates ------------------------------------------------------------------- */

static bool is_id16(const char *s)
{
	return strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16;
}

static int is_graft(struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_graft *g;

	if (!is_id16(id16))
		return sg_fail(SG_E_REFUSED, "'%s' is no id of a graft", id16);
	SG_TRY(sg_stored_graft(&g, r, commit, id16));
	sg_graft_free(g);
	return 0;
}

/* A ref of ours that the graft waits on in another family, or none. */
static int elsewhere(char **ref, struct sg_oid *oid, struct sg_repo *r, const char *family, const char *id16)
{
	*ref = NULL;
	for (size_t i = 0; sg_waiting[i]; i++) {
		int rc;

		if (!strcmp(sg_waiting[i], family))
			continue;
		*ref = sg_asprintf("refs/sg/%s/%s", sg_waiting[i], id16);
		rc = *ref ? sg_ref_get(oid, r->reg, *ref) : -SG_E_NOMEM;
		if (rc >= 0)
			return 1;
		free(*ref);
		*ref = NULL;
		if (rc != -SG_E_NOTFOUND)
			return rc;
	}
	return 0;
}

/* Makes refs/sg/<family>/<id16> what it is over there, unless we know better. */
static int take_up(struct sg_shared *s, struct sg_repo *r, const struct sg_ref *there, const char *family,
		   const char *id16, const char *from, const char *to)
{
	struct sg_oid here = { { 0 } }, other;
	char *ref = NULL;
	int rc = sg_ref_get(&here, r->reg, to);

	if (rc >= 0) {	/* what is ours moves forward only */
		if (sg_oid_eq(&here, &there->oid) || sg_history_is_ancestor(r->reg, &here, &there->oid) != 1)
			return 0;
	} else if (rc != -SG_E_NOTFOUND) {
		return rc;
	} else {
		rc = sg_in_branch(r, &there->oid);
		if (rc)		/* accepted here */
			return SG_MIN(rc, 0);
	}
	if (is_graft(r, &there->oid, id16) < 0)
		return sg_shared_add(s, from, to, &here, &there->oid, SG_SHARE_REFUSED, sg_error_message());
	rc = elsewhere(&ref, &other, r, family, id16);
	/* it moved on over there; or it did here, and they do not know yet */
	if (rc > 0 && sg_history_is_ancestor(r->reg, &other, &there->oid) != 1) {
		free(ref);
		return 0;
	}
	if (rc >= 0)
		rc = sg_ref_set(r->reg, to, &there->oid, &here, "fetch");
	if (rc >= 0 && ref)
		rc = sg_ref_delete(r->reg, ref, &other);
	if (rc >= 0)
		rc = sg_shared_add(s, from, to, &here, &there->oid, sg_oid_is_zero(&here) ? SG_SHARE_NEW : SG_SHARE_MOVED, NULL);
	free(ref);
	return rc;
}

/* A report has one writer, and so has an approval, so its own refs only ever go forward. */
static int take_report(struct sg_shared *s, struct sg_repo *r, const struct sg_ref *there, const char *from, const char *to)
{
	struct sg_oid here = { { 0 } };
	int rc = sg_ref_get(&here, r->reg, to);

	if (rc < 0 && rc != -SG_E_NOTFOUND)
		return rc;
	if (rc >= 0 && (sg_oid_eq(&here, &there->oid) || sg_history_is_ancestor(r->reg, &here, &there->oid) != 1))
		return 0;
	SG_TRY(sg_ref_set(r->reg, to, &there->oid, &here, "fetch"));
	return sg_shared_add(s, from, to, &here, &there->oid, sg_oid_is_zero(&here) ? SG_SHARE_NEW : SG_SHARE_MOVED, NULL);
}

static int adopt_one(struct sg_shared *s, struct sg_repo *r, const struct sg_ref *there, const char *name)
{
	const char *slash = strchr(name, '/');
	char *from = sg_asprintf("refs/sg/%s", name), family[32];
	int rc = from ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && slash) {
		snprintf(family, sizeof(family), "%.*s", (int)SG_MIN((size_t)(slash - name), sizeof(family) - 1), name);
		if (!strcmp(family, "report") || !strcmp(family, "approve"))
			rc = take_report(s, r, there, from, from);
		for (size_t i = 0; rc >= 0 && sg_waiting[i]; i++)
			if (!strcmp(family, sg_waiting[i]))
				rc = take_up(s, r, there, family, slash + 1, from, from);
	}
	free(from);
	return rc;
}

/* What waits on the remote, as last seen, becomes ours to judge. */
static int adopt(struct sg_shared *s, struct sg_repo *r, const char *remote)
{
	char *prefix = sg_asprintf("refs/sg-remote/%s/", remote);
	struct sg_refs l = { 0 };
	int rc = prefix ? sg_ref_list(&l, r->reg, prefix) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = adopt_one(s, r, &l.ref[i], l.ref[i].name + strlen(prefix));
	sg_refs_release(&l);
	free(prefix);
	return rc;
}

/* --- fetch ------------------------------------------------------------------------ */

static int tell(struct sg_shared *s, struct sg_repo *r, const struct sg_fetch *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct sg_fetched *e = &f->ref[i];
		enum sg_share_what what = SG_SHARE_MOVED;

		/* of candidates it is told when they are taken up */
		if (e->local_ref && !strncmp(e->local_ref, "refs/sg-remote/", 15))
			continue;
		if (e->rc < 0)
			what = SG_SHARE_REFUSED;
		else if (sg_oid_is_zero(&e->oid))
			what = SG_SHARE_REMOVED;
		else if (sg_oid_is_zero(&e->old))
			what = SG_SHARE_NEW;
		else if (sg_history_is_ancestor(r->reg, &e->old, &e->oid) != 1)
			what = SG_SHARE_FORCED;
		SG_TRY(sg_shared_add(s, e->remote_ref, e->local_ref, &e->old, &e->oid, what,
				     e->rc < 0 ? "what is here is another and stays" : NULL));
	}
	return 0;
}

static int fetch(struct sg_shared *s, struct sg_repo *r, const char *remote, bool candidates, bool prune, bool accept,
		 const struct sg_progress *progress)
{
	unsigned flags = (candidates ? SG_FETCH_SG : 0) | (prune ? SG_FETCH_PRUNE : 0);
	struct sg_fetch f = { 0 };
	int rc = sg_shared_remote(s, r, remote);

	if (rc >= 0)
		rc = sg_fetch(&f, r->reg, remote, NULL, 0, flags, progress);
	if (rc >= 0)
		rc = tell(s, r, &f);
	if (rc >= 0 && candidates)
		rc = adopt(s, r, remote);
	if (rc >= 0)
		rc = sg_seen_update(s, r, remote, accept);
	sg_fetch_release(&f);
	return rc;
}

static int finish(struct sg_shared *out, struct sg_shared *s, int rc)
{
	if (rc < 0) {
		sg_shared_release(s);
		return rc;
	}
	*out = *s;
	return s->refused > 0;
}

/* Tracking refs carry the remote's name, so what has none cannot be fetched from. */
static int need_name(struct sg_repo *r, const char *remote)
{
	struct sg_names l = { 0 };
	int rc = sg_remote_list(&l, r->reg);
	bool found = false;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		found |= !strcmp(l.name[i], remote);
	sg_names_release(&l);
	return rc < 0 || found ? rc : sg_fail(SG_E_NOTFOUND, "there is no remote '%s'; 'sg remote add' makes one", remote);
}

int sg_share_fetch(struct sg_shared *out, struct sg_repo *r, const char *remote, bool candidates, bool prune, bool accept,
		   const struct sg_progress *progress)
{
	struct sg_shared s = { 0 };

	remote = remote ? remote : "origin";
	SG_TRY(need_name(r, remote));
	return finish(out, &s, fetch(&s, r, remote, candidates, prune, accept, progress));
}

/* --- pull ------------------------------------------------------------------------- */

static int is_registry(struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_view v = { 0 };
	struct sg_sets sets = { 0 };
	int rc = sg_view_at(&v, r, commit);

	if (rc >= 0)
		rc = sg_sets_open(&sets, r, commit);
	sg_sets_release(&sets);
	sg_view_release(&v);
	return rc;
}

/* The current branch to what the remote has of it, forward only. */
static int forward(struct sg_shared *s, struct sg_repo *r, const char *head, const char *there)
{
	struct sg_oid old = { { 0 } }, now;
	size_t ahead = 0, behind = 0;
	char text[300];
	int rc = sg_ref_get(&old, r->reg, head);

	if (rc < 0 && rc != -SG_E_NOTFOUND)
		return rc;
	SG_TRY(sg_ref_get(&now, r->reg, there));
	if (!sg_oid_is_zero(&old)) {
		SG_TRY(sg_history_ahead_behind(&ahead, &behind, r->reg, &old, &now));
		if (!behind)
			return sg_shared_add(s, there, head, &old, &old, SG_SHARE_SAME, ahead ? "ahead of the remote" : NULL);
	}
	if (ahead) {
		snprintf(text, sizeof(text), "both sides grew: %zu commits here, %zu there; 'sg merge %.100s' takes "
			 "the other line in", ahead, behind, there + strlen("refs/remotes/"));
		return sg_shared_add(s, there, head, &old, &now, SG_SHARE_REFUSED, text);
	}
	SG_TRY(is_registry(r, &now));
	if (!sg_oid_is_zero(&old)) {
		rc = sg_history_in_line(r->reg, &old, &now);
		if (rc == 0) {
			snprintf(text, sizeof(text), "the line there took in a candidate that was trained here, "
				 "not what grew here; 'sg merge %.100s' takes it in", there + strlen("refs/remotes/"));
			return sg_shared_add(s, there, head, &old, &now, SG_SHARE_REFUSED, text);
		}
		SG_TRY(rc);
	}
	if (!strncmp(head, "refs/heads/", 11)) {
		int rc2 = sg_trust_line(r, head + 11, sg_oid_is_zero(&old) ? NULL : &old, &now);

		if (rc2 == -SG_E_REFUSED)
			return sg_shared_add(s, there, head, &old, &now, SG_SHARE_REFUSED, sg_error_message());
		SG_TRY(rc2);
	}
	SG_TRY(sg_ref_set(r->reg, head, &now, &old, "pull"));
	return sg_shared_add(s, there, head, &old, &now, sg_oid_is_zero(&old) ? SG_SHARE_NEW : SG_SHARE_MOVED, NULL);
}

int sg_share_pull(struct sg_shared *out, struct sg_repo *r, const char *remote, const char *branch,
		  const struct sg_progress *progress)
{
	struct sg_shared s = { 0 };
	char *head = NULL, *there = NULL;
	int rc;

	remote = remote ? remote : "origin";
	rc = need_name(r, remote);
	if (rc >= 0)
		rc = sg_head_get(&head, r->reg);
	if (rc >= 0)
		rc = fetch(&s, r, remote, false, false, false, progress);
	if (rc >= 0) {
		if (!branch && !strncmp(head, "refs/heads/", 11))
			branch = head + 11;
		there = sg_asprintf("refs/remotes/%s/%s", remote, branch ? branch : "");
		rc = there ? forward(&s, r, head, there) : -SG_E_NOMEM;
	}
	free(head);
	free(there);
	return finish(out, &s, rc);
}

/* --- tokens of a registry beside ours ----------------------------------------------- */

/* Folder of tokens of a registry that a URL names by a path here; NULL: none. */
static char *tokens_of(const char *url)
{
	const char *path = !strncmp(url, "file://", 7) ? url + 7 : strstr(url, "://") ? NULL : url;
	char *sg = path ? sg_path_join(path, ".sg/data") : NULL, *beside = path ? sg_path_join(path, "../data") : NULL;
	char *in = path ? sg_path_join(path, "data") : NULL, *git = path ? sg_path_join(path, "registry.git") : NULL;
	size_t n = path ? strlen(path) : 0;
	char *found = NULL;

	while (n && path[n - 1] == '/')
		n--;
	if (sg && sg_dir_exists(sg))
		found = sg_strdup(sg);
	else if (git && in && sg_dir_exists(git) && sg_dir_exists(in))
		found = sg_strdup(in);
	else if (beside && n > 12 && !strncmp(path + n - 12, "registry.git", 12) && sg_dir_exists(beside))
		found = sg_strdup(beside);
	free(sg);
	free(in);
	free(git);
	free(beside);
	return found;
}

/* One name for the same bytes costs nothing; another file system wants a copy. */
static int link_or_copy(const char *from, const char *to)
{
	struct sg_map m = { 0 };
	int rc;

	if (link(from, to) == 0)
		return 0;
	SG_TRY(sg_map_open(&m, from));
	rc = sg_file_write(to, m.data, m.size);
	sg_map_release(&m);
	return rc;
}

/* The 13-grams beside the tokens: no hash names them, and they only ever refuse. */
static void bring_ngrams(const char *from, const char *to)
{
	char *src = sg_asprintf("%s.ngrams", from), *dst = sg_asprintf("%s.ngrams", to);
	struct sg_ngrams g = { 0 };

	if (src && dst && sg_ngrams_open(&g, src) >= 0)
		(void)link_or_copy(src, dst);
	sg_ngrams_release(&g);
	free(src);
	free(dst);
}

/* 1 when the tokens are here now: they have the hash that the manifest names. */
static int bring_set(const char *theirs, const char *ours, const struct sg_dataset_manifest *m)
{
	char *from = sg_dataset_shard_path(theirs, m->shard), *to = sg_dataset_shard_path(ours, m->shard);
	struct sg_shard shard = { 0 };
	int rc = from && to ? sg_dataset_open(&shard, theirs, m) : -SG_E_NOMEM;

	sg_shard_release(&shard);
	if (rc >= 0)
		rc = link_or_copy(from, to);
	if (rc >= 0)
		rc = sg_dataset_open(&shard, ours, m);
	sg_shard_release(&shard);
	if (rc >= 0)
		bring_ngrams(from, to);
	free(from);
	free(to);
	return rc == -SG_E_NOMEM ? rc : rc >= 0;
}

static int bring_tokens(struct sg_shared *s, struct sg_repo *r, const char *url)
{
	char *theirs = tokens_of(url), *ours = sg_repo_path(r, "data");
	struct sg_refs l = { 0 };
	int rc = ours ? 0 : -SG_E_NOMEM;

	if (rc < 0 || !theirs)
		goto out;
	rc = sg_dir_make(ours);
	if (rc >= 0)
		rc = sg_ref_list(&l, r->reg, "refs/heads/");
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_sets sets = { 0 };

		if (sg_sets_open(&sets, r, &l.ref[i].oid) < 0)
			continue;	/* a branch that is no registry */
		for (size_t k = 0; rc >= 0 && k < sets.n; k++)
			if (!sets.set[k].present) {
				rc = bring_set(theirs, ours, &sets.set[k].manifest);
				s->shards += rc > 0;
			}
		sg_sets_release(&sets);
	}
out:
	sg_refs_release(&l);
	free(theirs);
	free(ours);
	return SG_MIN(rc, 0);
}

/* --- clone ------------------------------------------------------------------------ */

/* The last word of a URL that says something: "model" of "host:x/model.git/". */
static char *name_of(const char *url)
{
	static const char *const skip[] = { "/", ".git", "/registry", "/.sg" };
	size_t n = strlen(url), at;
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < SG_LEN(skip); i++) {
			size_t k = strlen(skip[i]);

			if (n > k && !strncmp(url + n - k, skip[i], k)) {
				n -= k;
				again = true;
			}
		}
	}
	for (at = n; at && url[at - 1] != '/' && url[at - 1] != ':'; at--)
		;
	return sg_strndup(url + at, n - at);
}

/* A remote whose HEAD names no branch that it has leaves the choice to us. */
static int choose_head(struct sg_repo *r)
{
	char *head = NULL;
	struct sg_refs l = { 0 };
	struct sg_oid oid;
	int rc = sg_head_get(&head, r->reg);

	if (rc >= 0 && sg_ref_get(&oid, r->reg, head) >= 0)
		goto out;
	if (rc >= 0)
		rc = sg_ref_list(&l, r->reg, "refs/heads/");
	if (rc >= 0 && !l.n)
		rc = sg_fail(SG_E_NOTFOUND, "there is no branch to clone: the repository is empty");
	if (rc >= 0)
		rc = sg_head_set(r->reg, l.ref[0].name, "clone");
out:
	sg_refs_release(&l);
	free(head);
	return rc;
}

static int tell_branches(struct sg_shared *s, struct sg_repo *r)
{
	static const char *const kinds[] = { "refs/heads/", "refs/tags/" };
	static const struct sg_oid none;
	int rc = 0;

	for (size_t k = 0; rc >= 0 && k < SG_LEN(kinds); k++) {
		struct sg_refs l = { 0 };

		rc = sg_ref_list(&l, r->reg, kinds[k]);
		for (size_t i = 0; rc >= 0 && i < l.n; i++)
			rc = sg_shared_add(s, l.ref[i].name, l.ref[i].name, &none, &l.ref[i].oid, SG_SHARE_NEW, NULL);
		sg_refs_release(&l);
	}
	return rc;
}

/* A clone is kept only when it is a registry. */
static int settle(struct sg_shared *s, struct sg_repo *r, const char *url, bool candidates)
{
	struct sg_oid head;

	SG_TRY(choose_head(r));
	SG_TRY(sg_rev_parse(&head, r->reg, "HEAD"));
	SG_TRY(sg_fail_in(is_registry(r, &head), "'%s' cannot be used as a registry", url));
	SG_TRY(sg_shared_remote(s, r, "origin"));
	SG_TRY(tell_branches(s, r));
	SG_TRY(sg_seen_update(s, r, "origin", false));
	SG_TRY(bring_tokens(s, r, s->url));
	return candidates ? adopt(s, r, "origin") : 0;
}

/* Looked at before our folder is made: it may have the very name that is asked for. */
static int check_source(const char *url, const char *dir)
{
	const char *path = !strncmp(url, "file://", 7) ? url + 7 : url, *colon = strchr(path, ':'), *slash = strchr(path, '/');
	char *from, *to;
	int rc = 0;

	if (strstr(path, "://") || (path == url && colon && (!slash || colon < slash) && !sg_file_exists(url)))
		return 0;
	if (!sg_dir_exists(path))
		return sg_fail(SG_E_NOTFOUND, "there is no repository at '%s'", path);
	from = realpath(path, NULL);
	to = realpath(dir, NULL);
	if (from && to && !strcmp(from, to))
		rc = sg_fail(SG_E_EXISTS, "'%s' cannot be cloned into itself; say which folder", path);
	free(from);
	free(to);
	return rc;
}

int sg_share_clone(struct sg_shared *out, char **made, const char *url, const char *dir, bool candidates, bool link,
		   const struct sg_progress *progress)
{
	char *name = dir ? sg_strdup(dir) : name_of(url), *path = name ? sg_path_join(name, ".sg") : NULL;
	struct sg_shared s = { 0 };
	struct sg_repo *r = NULL;
	bool fresh = name && !sg_dir_exists(name), ours = path && !sg_dir_exists(path);
	int rc = path ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && (!*name || !strcmp(name, ".") || !strcmp(name, "..")) && !dir)
		rc = sg_fail(SG_E_USAGE, "'%s' gives no name for a folder; say which", url);
	if (rc >= 0)
		rc = *url == '-' ? 0 : check_source(url, name);	/* an option is refused below */
	if (rc >= 0)
		rc = SG_NEW(r, 1);
	if (rc >= 0)
		rc = (r->device_name = sg_strdup("cpu")) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_clone(&r->reg, url, name, (candidates ? SG_FETCH_SG : 0) | (link ? SG_FETCH_LINK : 0), progress);
	if (rc >= 0)
		rc = settle(&s, r, url, candidates);
	if (r && r->reg) {
		sg_close(r);
	} else if (r) {
		free(r->device_name);
		free(r);
	}
	if (rc < 0) {
		if (ours)
			(void)sg_dir_remove(path);
		if (fresh)
			(void)rmdir(name);
		sg_shared_release(&s);
		free(name);
	} else {
		*out = s;
		*made = name;
		rc = s.refused > 0;
	}
	free(path);
	return rc;
}
