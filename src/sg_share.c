/*
 * Remotes and pushing. A push that says nothing else moves refs forward only; a lease
 * lets one go anywhere, but only from the commit that was last seen over there, so
 * that what somebody else put there meanwhile stays.
 */
#include "sg_share.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/remote.h"

const char *const sg_waiting[] = { "cand", "deferred", "rejected", NULL };

/* --- remotes ------------------------------------------------------------------ */

static int shown_url(char **out, struct sg_repo *r, const char *remote)
{
	char *url;
	int rc;

	SG_TRY(sg_remote_url(&url, r->reg, remote));
	rc = sg_url_mask(out, url);
	free(url);
	return rc;
}

int sg_share_remotes(struct sg_remotes *out, struct sg_repo *r)
{
	struct sg_remotes l = { 0 };
	struct sg_names names = { 0 };
	int rc = sg_remote_list(&names, r->reg);

	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		rc = SG_GROW(l.remote, l.n, l.cap);
		if (rc < 0)
			break;
		l.remote[l.n] = (struct sg_remote_line){ .name = sg_strdup(names.name[i]) };
		rc = l.remote[l.n].name ? shown_url(&l.remote[l.n].url, r, names.name[i]) : -SG_E_NOMEM;
		l.n++;
	}
	sg_names_release(&names);
	if (rc < 0)
		sg_remotes_release(&l);
	else
		*out = l;
	return rc;
}

void sg_remotes_release(struct sg_remotes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->remote[i].name);
		free(l->remote[i].url);
	}
	free(l->remote);
	*l = (struct sg_remotes){ 0 };
}

int sg_share_add(struct sg_repo *r, const char *name, const char *url)
{
	return sg_remote_add(r->reg, name, url);
}

int sg_share_remove(struct sg_repo *r, const char *name)
{
	SG_TRY(sg_remote_remove(r->reg, name));
	return sg_seen_forget(r, name);
}

/* --- answers ------------------------------------------------------------------ */

const char *sg_share_what_name(enum sg_share_what w)
{
	static const char *const name[] = { "new", "moved", "forced", "same", "removed", "refused" };

	return name[w];
}

int sg_shared_add(struct sg_shared *s, const char *from, const char *to, const struct sg_oid *old,
		  const struct sg_oid *now, enum sg_share_what what, const char *text)
{
	struct sg_share_ref *e;

	SG_TRY(SG_GROW(s->ref, s->n, s->cap));
	e = &s->ref[s->n++];
	*e = (struct sg_share_ref){ .what = what };
	s->refused += what == SG_SHARE_REFUSED;
	if (!sg_oid_is_zero(old))
		sg_oid_hex(e->old, old);
	if (!sg_oid_is_zero(now))
		sg_oid_hex(e->now, now);
	e->from = from ? sg_strdup(from) : NULL;
	e->to = to ? sg_strdup(to) : NULL;
	e->text = text ? sg_strdup(text) : NULL;
	return (from && !e->from) || (to && !e->to) || (text && !e->text) ? -SG_E_NOMEM : 0;
}

int sg_shared_remote(struct sg_shared *s, struct sg_repo *r, const char *remote)
{
	SG_TRY((s->remote = sg_strdup(remote)) ? 0 : -SG_E_NOMEM);
	return shown_url(&s->url, r, remote);
}

void sg_shared_release(struct sg_shared *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->ref[i].from);
		free(s->ref[i].to);
		free(s->ref[i].text);
	}
	free(s->ref);
	free(s->remote);
	free(s->url);
	*s = (struct sg_shared){ 0 };
}

int sg_in_branch(struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, "refs/heads/"), found = 0;

	for (size_t i = 0; rc >= 0 && !found && i < l.n; i++)
		rc = found = sg_history_is_ancestor(r->reg, commit, &l.ref[i].oid);
	sg_refs_release(&l);
	return rc < 0 ? rc : found;
}

/* --- what to push --------------------------------------------------------------- */

struct item { char *from, *to; struct sg_oid src, old; bool any_old, force; };
struct list { struct item *it; size_t n, cap; struct sg_repo *r; const char *remote; const struct sg_push_opts *o; };

static void list_release(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->it[i].from);
		free(l->it[i].to);
	}
	free(l->it);
}

static bool has(const struct list *l, const char *to)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->it[i].to, to))
			return true;
	return false;
}

/* from NULL: a removal, from `old`. */
static int add(struct list *l, const char *from, const char *to, const struct sg_oid *src, const struct sg_oid *old)
{
	struct item *it;

	if (has(l, to))
		return 0;
	SG_TRY(SG_GROW(l->it, l->n, l->cap));
	it = &l->it[l->n++];
	*it = (struct item){ .any_old = !old, .force = !from };
	if (src)
		it->src = *src;
	if (old)
		it->old = *old;
	it->from = from ? sg_strdup(from) : NULL;
	it->to = sg_strdup(to);
	return (from && !it->from) || !it->to ? -SG_E_NOMEM : 0;
}

/* What was last seen of a ref over there; NOTFOUND. */
static int last_seen(struct sg_oid *out, const struct list *l, const char *to)
{
	static const struct { const char *there, *here; } kinds[] = {
		{ "refs/heads/", "refs/remotes/" }, { "refs/sg/", "refs/sg-remote/" },
	};
	char *ref = NULL;
	int rc = -SG_E_NOTFOUND;

	for (size_t i = 0; sg_remote_name_ok(l->remote) && i < SG_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].there);

		if (strncmp(to, kinds[i].there, n))
			continue;
		ref = sg_asprintf("%s%s/%s", kinds[i].here, l->remote, to + n);
		rc = ref ? sg_ref_get(out, l->r->reg, ref) : -SG_E_NOMEM;
	}
	free(ref);
	return rc == -SG_E_NOTFOUND ? sg_fail(SG_E_NOTFOUND, "nothing is known of '%s' on '%s'; fetch first", to, l->remote) : rc;
}

/* A branch, tag, full name, or a graft that waits: its ref. */
static int find_ref(char **out, const struct list *l, const char *word)
{
	static const char *const kinds[] = { "", "refs/heads/", "refs/tags/" };
	struct sg_found f = { 0 };
	struct sg_oid oid;
	int rc;

	if (!strcmp(word, "HEAD"))
		return sg_head_get(out, l->r->reg);
	for (size_t i = 0; i < SG_LEN(kinds); i++) {
		char *ref = !*kinds[i] && strncmp(word, "refs/", 5) ? NULL : sg_asprintf("%s%s", kinds[i], word);

		if (ref && sg_ref_name_ok(ref) && sg_ref_get(&oid, l->r->reg, ref) >= 0) {
			*out = ref;
			return 0;
		}
		free(ref);
	}
	rc = sg_find_graft(&f, l->r, word);
	if (rc >= 0 && f.ref)
		rc = (*out = sg_strdup(f.ref)) ? 0 : -SG_E_NOMEM;
	else if (rc >= 0 || rc == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, rc >= 0 ? "graft '%s' is no candidate; push the branch that it is in" :
			     "there is no branch, tag or candidate '%s'", word);
	sg_found_release(&f);
	return rc;
}

static int add_ref(struct list *l, const char *ref, const char *to)
{
	struct sg_oid oid;

	SG_TRY(sg_ref_get(&oid, l->r->reg, ref));
	return add(l, ref, to ? to : ref, &oid, NULL);
}

/* All refs below a prefix, under their own names. */
static int add_all(struct list *l, const char *prefix)
{
	struct sg_refs refs = { 0 };
	int rc = sg_ref_list(&refs, l->r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < refs.n; i++)
		rc = add(l, refs.ref[i].name, refs.ref[i].name, &refs.ref[i].oid, NULL);
	sg_refs_release(&refs);
	return rc;
}

/* Name over there: full, or short and of the kind of `ref`. */
static char *full_name(const char *ref, const char *to)
{
	if (!strncmp(to, "refs/", 5))
		return sg_strdup(to);
	return sg_asprintf("%s%s", ref && !strncmp(ref, "refs/tags/", 10) ? "refs/tags/" : "refs/heads/", to);
}

static int add_removal(struct list *l, const char *to)
{
	char *full = full_name(NULL, to);
	struct sg_oid old;
	int rc = full ? last_seen(&old, l, full) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = add(l, NULL, full, NULL, &old);
	free(full);
	return rc;
}

static int add_word(struct list *l, const char *word)
{
	const char *colon = strchr(word, ':');
	char *name = sg_strndup(word, colon ? (size_t)(colon - word) : strlen(word)), *ref = NULL, *to = NULL, *reports;
	int rc = name ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && *word == '+')
		rc = sg_fail(SG_E_USAGE, "'%s': what is over there may be somebody's; use --force-with-lease", word);
	if (rc >= 0 && colon && !*name) {
		rc = add_removal(l, colon + 1);
		goto out;
	}
	if (rc >= 0)
		rc = find_ref(&ref, l, name);
	if (rc >= 0 && colon)
		rc = (to = full_name(ref, colon + 1)) ? 0 : -SG_E_NOMEM;
	/* a candidate takes along what was said of it */
	if (rc >= 0 && !colon && !strncmp(ref, "refs/sg/", 8) && strncmp(ref, "refs/sg/report/", 15) &&
	    strncmp(ref, "refs/sg/approve/", 16)) {
		static const char *const said[] = { "report", "approve" };

		for (size_t i = 0; rc >= 0 && i < SG_LEN(said); i++) {
			reports = sg_asprintf("refs/sg/%s/%s/", said[i], strrchr(ref, '/') + 1);
			rc = reports ? add_all(l, reports) : -SG_E_NOMEM;
			free(reports);
		}
	}
	if (rc >= 0)
		rc = add_ref(l, ref, to);
out:
	free(name);
	free(ref);
	free(to);
	return rc;
}

/* --- leases --------------------------------------------------------------------- */

static int lease(struct list *l, struct item *it, const char *expect)
{
	if (!it->from)
		return 0;	/* a removal has one */
	SG_TRY(expect ? sg_rev_parse(&it->old, l->r->reg, expect) : last_seen(&it->old, l, it->to));
	it->any_old = false;
	it->force = true;
	return 0;
}

static bool is_called(const struct item *it, const char *name, size_t n)
{
	const char *kinds[] = { "", "refs/heads/", "refs/tags/" };

	for (size_t i = 0; i < SG_LEN(kinds); i++) {
		size_t k = strlen(kinds[i]);

		if (!strncmp(it->to, kinds[i], k) && !strncmp(it->to + k, name, n) && !it->to[k + n])
			return true;
	}
	return false;
}

static int lease_one(struct list *l, const char *word)
{
	const char *colon = strchr(word, ':');
	size_t n = colon ? (size_t)(colon - word) : strlen(word);

	for (size_t i = 0; i < l->n; i++)
		if (is_called(&l->it[i], word, n))
			return lease(l, &l->it[i], colon ? colon + 1 : NULL);
	return sg_fail(SG_E_USAGE, "'%.*s' is not among what is pushed", (int)SG_MIN(n, (size_t)200), word);
}

/* Without a name: what is known over there. What is new there needs none. */
static int take_leases(struct list *l)
{
	for (size_t i = 0; l->o->lease && i < l->n; i++) {
		int rc = lease(l, &l->it[i], NULL);

		if (rc < 0 && rc != -SG_E_NOTFOUND)
			return rc;
	}
	for (size_t i = 0; i < l->o->leases.n; i++)
		SG_TRY(lease_one(l, l->o->leases.name[i]));
	return 0;
}

/* --- candidates ------------------------------------------------------------------- */

/* Has a graft that waits over there moved on here: accepted, or to another family? */
static int moved_on(struct list *l, const struct sg_oid *there, const char *id16)
{
	int rc = sg_object_exists(l->r->reg, there) ? sg_in_branch(l->r, there) : 0;

	for (size_t i = 0; rc == 0 && sg_waiting[i]; i++) {
		char *ref = sg_asprintf("refs/sg/%s/%s", sg_waiting[i], id16);
		struct sg_oid here;

		rc = ref ? sg_ref_get(&here, l->r->reg, ref) : -SG_E_NOMEM;
		if (rc >= 0)
			rc = sg_object_exists(l->r->reg, there) ? sg_history_is_ancestor(l->r->reg, there, &here) : 0;
		else if (rc == -SG_E_NOTFOUND)
			rc = 0;
		free(ref);
	}
	return rc;
}

/* Refs over there whose graft is in a pushed line or elsewhere by now: to be taken away. */
static int add_retired(struct list *l)
{
	struct sg_refs refs = { 0 };
	int rc = sg_remote_refs(&refs, NULL, l->r->reg, l->remote);

	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		const char *name = refs.ref[i].name, *id16 = strrchr(name, '/');
		struct sg_oid here;
		bool waits = false;

		for (size_t k = 0; sg_waiting[k]; k++)
			waits |= !strncmp(name, "refs/sg/", 8) && id16 && (size_t)(id16 - name) == 8 + strlen(sg_waiting[k]) &&
				 !strncmp(name + 8, sg_waiting[k], strlen(sg_waiting[k]));
		if (!waits || sg_ref_get(&here, l->r->reg, name) >= 0)
			continue;
		rc = moved_on(l, &refs.ref[i].oid, id16 + 1);
		if (rc > 0)
			rc = add(l, NULL, name, NULL, &refs.ref[i].oid);
	}
	sg_refs_release(&refs);
	return SG_MIN(rc, 0);
}

static int add_candidates(struct list *l)
{
	for (size_t i = 0; sg_waiting[i]; i++) {
		char prefix[40];

		snprintf(prefix, sizeof(prefix), "refs/sg/%s/", sg_waiting[i]);
		SG_TRY(add_all(l, prefix));
	}
	SG_TRY(add_all(l, "refs/sg/approve/"));
	return add_all(l, "refs/sg/report/");
}

/* Candidates first, the line of growth last: each is harmless without what follows. */
static int fill(struct list *l)
{
	char *head = NULL;
	int rc;

	if (l->o->candidates)
		SG_TRY(add_candidates(l));
	for (size_t i = 0; i < l->o->refs.n; i++)
		SG_TRY(add_word(l, l->o->refs.name[i]));
	if (!l->o->refs.n) {
		rc = sg_head_get(&head, l->r->reg);
		if (rc >= 0)
			rc = add_ref(l, head, NULL);
		free(head);
		SG_TRY(rc);
	}
	if (l->o->tags)
		SG_TRY(add_all(l, "refs/tags/"));
	if (l->o->candidates)
		SG_TRY(add_retired(l));
	return take_leases(l);
}

/* --- pushing ---------------------------------------------------------------------- */

static enum sg_share_what what_of(struct sg_repo *r, const struct sg_push *p, const struct item *it)
{
	if (p->rc < 0)
		return SG_SHARE_REFUSED;
	if (sg_oid_eq(&p->old, &p->src))
		return SG_SHARE_SAME;
	if (sg_oid_is_zero(&p->src))
		return SG_SHARE_REMOVED;
	if (sg_oid_is_zero(&p->old))
		return SG_SHARE_NEW;
	if (it->force && !(sg_object_exists(r->reg, &p->old) && sg_history_is_ancestor(r->reg, &p->old, &p->src) == 1))
		return SG_SHARE_FORCED;
	return SG_SHARE_MOVED;
}

/* What may not stand on a protected branch here is not brought to one over there. */
static int drop_untrusted(struct sg_shared *out, struct list *l)
{
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct item *it = &l->it[i];
		struct sg_oid seen;
		bool known, bad = false;

		if (rc >= 0 && it->from && !strncmp(it->to, "refs/heads/", 11)) {
			known = last_seen(&seen, l, it->to) >= 0 && sg_object_exists(l->r->reg, &seen);
			rc = sg_trust_line(l->r, it->to + 11, known ? &seen : NULL, &it->src);
			bad = rc == -SG_E_REFUSED;
		}
		if (bad)
			rc = sg_shared_add(out, it->from, it->to, &it->old, &it->src, SG_SHARE_REFUSED, sg_error_message());
		if (bad) {
			free(it->from);
			free(it->to);
		} else {
			l->it[n++] = *it;
		}
	}
	l->n = n;
	return rc;
}

static int push(struct sg_shared *out, struct list *l, const struct sg_progress *progress)
{
	struct sg_push *p;
	int rc;

	SG_TRY(drop_untrusted(out, l));

	SG_TRY(SG_NEW(p, SG_MAX(l->n, (size_t)1)));
	for (size_t i = 0; i < l->n; i++)
		p[i] = (struct sg_push){ .dst = l->it[i].to, .src = l->it[i].src, .old = l->it[i].old,
					 .any_old = l->it[i].any_old, .force = l->it[i].force };
	rc = l->n ? sg_push(l->r->reg, l->remote, p, l->n, l->o->link ? SG_PUSH_LINK : 0, progress) : 0;
	/* a ref that was refused is an answer, anything else a failure */
	if (rc == -SG_E_BUSY || rc == -SG_E_REFUSED)
		rc = 0;
	for (size_t i = 0; rc >= 0 && i < l->n; i++)
		rc = sg_shared_add(out, l->it[i].from, l->it[i].to, &p[i].old, &p[i].src, what_of(l->r, &p[i], &l->it[i]),
				   p[i].rc < 0 ? p[i].text : NULL);
	sg_push_release(p, l->n);
	free(p);
	return rc;
}

int sg_share_push(struct sg_shared *out, struct sg_repo *r, const struct sg_push_opts *o,
		  const struct sg_progress *progress)
{
	struct list l = { .r = r, .remote = o->remote ? o->remote : "origin", .o = o };
	struct sg_shared s = { 0 };
	int rc = sg_shared_remote(&s, r, l.remote);

	if (rc >= 0)
		rc = fill(&l);
	if (rc >= 0)
		rc = push(&s, &l, progress);
	list_release(&l);
	if (rc < 0) {
		sg_shared_release(&s);
		return rc;
	}
	*out = s;
	return s.refused > 0;
}
