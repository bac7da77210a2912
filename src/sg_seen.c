/*
 * The furthest tip of each protected branch that was seen on a remote, on
 * refs/sg-seen/<remote>/<branch>: whoever serves a branch can serve an older one, with
 * every signature good, and only memory tells.
 */
#include "sg_share.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

#define SEEN "refs/sg-seen/"

/* Is the branch protected at that commit? A policy that cannot be read protects nothing;
 * 'sg verify' names it. */
static bool protected_at(struct sg_repo *r, const struct sg_oid *commit, const char *branch)
{
	struct sg_policy t = { 0 };
	bool yes = sg_trust_policy(&t, r, commit) >= 0 && sg_policy_protects(&t, branch);

	sg_policy_release(&t);
	return yes;
}

/* One branch of a remote: there is where it is now, seen what is remembered. */
struct memory { struct sg_repo *r; const char *branch, *ref; struct sg_oid there, seen; bool has_there, has_seen; };

static int set_seen(const struct memory *m, const struct sg_oid *to)
{
	return sg_ref_set(m->r->reg, m->ref, to, m->has_seen ? &m->seen : NULL, "seen");
}

static int say(struct sg_shared *s, const struct memory *m, const char *text)
{
	char *from = sg_asprintf("refs/heads/%s", m->branch);
	static const struct sg_oid none;
	int rc = from ? sg_shared_add(s, from, m->ref, m->has_seen ? &m->seen : &none, m->has_there ? &m->there : &none,
				      SG_SHARE_REFUSED, text) : -SG_E_NOMEM;

	free(from);
	return rc;
}

static void went_back(char text[300], const struct memory *m)
{
	char was[SG_OID_HEX], is[SG_OID_HEX];

	sg_oid_hex(was, &m->seen);
	sg_oid_hex(is, &m->there);
	if (m->has_there)
		snprintf(text, 300, "protected branch '%.100s' was rolled back: it had reached %.10s and is at %.10s", m->branch,
			 was, is);
	else
		snprintf(text, 300, "protected branch '%.100s' is gone: it had reached %.10s", m->branch, was);
}

static int remember(struct sg_shared *s, const struct memory *m, bool accept)
{
	char text[400];
	int rc;

	if (m->has_seen && m->has_there && sg_oid_eq(&m->seen, &m->there))
		return 0;
	if (m->has_seen && !m->has_there && accept)
		return sg_ref_delete(m->r->reg, m->ref, &m->seen);
	if (m->has_seen && (!m->has_there || sg_history_is_ancestor(m->r->reg, &m->seen, &m->there) != 1)) {
		if (accept && m->has_there)
			return set_seen(m, &m->there);
		went_back(text, m);
		strcat(text, "; if that is as it should be, 'sg fetch --accept-rollback'");
		return say(s, m, text);
	}
	if (!m->has_seen && !protected_at(m->r, &m->there, m->branch))
		return 0;
	rc = sg_trust_line(m->r, m->branch, m->has_seen ? &m->seen : NULL, &m->there);
	if (rc == -SG_E_REFUSED) {
		snprintf(text, sizeof(text), "stored, but not to be trusted: %.340s", sg_error_message());
		return say(s, m, text);
	}
	return rc < 0 ? rc : set_seen(m, &m->there);
}

/* Both refs of one branch. remote: "origin". */
static int look(struct memory *m, struct sg_repo *r, const char *remote, const char *branch, const char *ref)
{
	char *there = sg_asprintf("refs/remotes/%s/%s", remote, branch);
	int rc = there ? sg_ref_get(&m->there, r->reg, there) : -SG_E_NOMEM;

	free(there);
	m->r = r;
	m->branch = branch;
	m->ref = ref;
	m->has_there = rc >= 0;
	if (rc >= 0 || rc == -SG_E_NOTFOUND)
		rc = sg_ref_get(&m->seen, r->reg, ref);
	m->has_seen = rc >= 0;
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int one(struct sg_shared *s, struct sg_repo *r, const char *remote, const char *branch, bool accept)
{
	char *ref = sg_asprintf(SEEN "%s/%s", remote, branch);
	struct memory m = { .r = NULL };
	int rc = ref ? look(&m, r, remote, branch, ref) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = remember(s, &m, accept);
	free(ref);
	return rc;
}

int sg_seen_update(struct sg_shared *s, struct sg_repo *r, const char *remote, bool accept)
{
	char *there = sg_asprintf("refs/remotes/%s/", remote), *seen = sg_asprintf(SEEN "%s/", remote);
	struct sg_refs a = { 0 }, b = { 0 };
	struct sg_names names = { 0 };
	int rc = there && seen ? sg_ref_list(&a, r->reg, there) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = sg_ref_list(&b, r->reg, seen);
	for (size_t i = 0; rc >= 0 && i < a.n; i++)
		if (strcmp(a.ref[i].name + strlen(there), "HEAD"))
			rc = sg_names_add(&names, a.ref[i].name + strlen(there));
	for (size_t i = 0; rc >= 0 && i < b.n; i++)
		if (!sg_names_has(&names, b.ref[i].name + strlen(seen)))
			rc = sg_names_add(&names, b.ref[i].name + strlen(seen));
	for (size_t i = 0; rc >= 0 && i < names.n; i++)
		rc = one(s, r, remote, names.name[i], accept);
	sg_refs_release(&a);
	sg_refs_release(&b);
	sg_names_release(&names);
	free(there);
	free(seen);
	return SG_MIN(rc, 0);
}

int sg_seen_forget(struct sg_repo *r, const char *remote)
{
	char *prefix = sg_asprintf(SEEN "%s/", remote);
	struct sg_refs l = { 0 };
	int rc = prefix ? sg_ref_list(&l, r->reg, prefix) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = sg_ref_delete(r->reg, l.ref[i].name, &l.ref[i].oid);
	sg_refs_release(&l);
	free(prefix);
	return rc;
}

int sg_seen_check(struct sg_repo *r, int (*fn)(void *arg, const char *ref, int rc, const char *text), void *arg)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, SEEN);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *name = l.ref[i].name + strlen(SEEN), *slash = strchr(name, '/');
		char *remote = slash ? sg_strndup(name, (size_t)(slash - name)) : NULL;
		struct memory m = { .r = NULL };
		char text[400];

		if (!slash)
			continue;
		rc = remote ? look(&m, r, remote, slash + 1, l.ref[i].name) : -SG_E_NOMEM;
		snprintf(text, sizeof(text), "%s/%s", remote ? remote : "", slash + 1);
		if (rc >= 0 && m.has_there && sg_oid_eq(&m.there, &m.seen)) {
			rc = fn(arg, text, 0, "nothing that was seen of it is gone");
		} else if (rc >= 0 && (!m.has_there || sg_history_is_ancestor(r->reg, &m.seen, &m.there) != 1)) {
			char back[300];

			went_back(back, &m);
			rc = fn(arg, text, -SG_E_REFUSED, back);
		} else if (rc >= 0) {
			rc = sg_trust_line(r, m.branch, &m.seen, &m.there);
			if (rc >= 0 || rc == -SG_E_REFUSED)
				rc = fn(arg, text, rc, rc < 0 ? sg_error_message() : "nothing that was seen of it is gone");
		}
		free(remote);
	}
	sg_refs_release(&l);
	return SG_MIN(rc, 0);
}
