#include "registry/history.h"
#include "registry/impl.h"
#include "registry/ref.h"
#include "registry/tree.h"

static int push(git_revwalk *w, struct sg_registry *r, const struct sg_oid *oid, bool hide)
{
	git_object *o = NULL, *c = NULL;
	char hex[SG_OID_HEX];
	int rc = git_object_lookup(&o, r->repo, sg_git_oid(oid), GIT_OBJECT_ANY);

	if (rc >= 0)
		rc = git_object_peel(&c, o, GIT_OBJECT_COMMIT);
	if (rc >= 0)
		rc = hide ? git_revwalk_hide(w, git_object_id(c)) : git_revwalk_push(w, git_object_id(c));
	git_object_free(c);
	git_object_free(o);
	sg_oid_hex(hex, oid);
	return rc < 0 ? sg_git_fail(rc, "cannot walk from %s", hex) : 0;
}

/* Commits yet to be visited, and those that were. */
struct along { struct sg_registry *r; struct sg_oids next; struct sg_oidmap seen; };

static void along_release(struct along *l)
{
	free(l->next.oid);
	sg_oidmap_release(&l->seen);
}

static int along_add(struct along *l, const struct sg_oid *oid)
{
	int rc = sg_oidmap_add(&l->seen, oid, 0);

	return rc > 0 ? sg_oids_add(&l->next, oid) : rc;
}

/* How many of its parents a commit's line goes on in. */
static int line_parents(size_t *n, const struct sg_commit *c)
{
	char *op = NULL;
	int rc = c->n_parents > 1 ? sg_trailer(&op, c->message, "Sg-Op", 0) : 0;

	*n = rc == -SG_E_NOTFOUND || (op && !strcmp(op, "merge")) ? c->n_parents : SG_MIN(c->n_parents, (size_t)1);
	free(op);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int along_parents(struct along *l, const struct sg_oid *oid)
{
	struct sg_commit c;
	size_t n;
	int rc;

	SG_TRY(sg_commit_read(&c, l->r, oid));
	rc = line_parents(&n, &c);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = along_add(l, &c.parent[i]);
	sg_commit_release(&c);
	return SG_MIN(rc, 0);
}

/* Children come before their parents, so it is known of a commit whether it is in the
 * line of one before. 1 when it is. */
static int in_line(struct sg_oidmap *line, const struct sg_commit *c)
{
	size_t n;

	if (!sg_oidmap_get(line, &c->id, NULL))
		return 0;
	SG_TRY(line_parents(&n, c));
	for (size_t i = 0; i < n; i++)
		SG_TRY(sg_oidmap_add(line, &c->parent[i], 0));
	return 1;
}

/*
 * A chain needs no sorting, and so the first commits of a long one are there at once.
 * Down to its end (*at zero then) or to the first merge, from which the others go on.
 * 1: fn stopped it.
 */
static int walk_chain(struct sg_oid *at, struct sg_registry *r, bool all, int (*fn)(void *arg, const struct sg_commit *c),
		      void *arg)
{
	for (;;) {
		struct sg_commit c;
		size_t n;
		int rc = sg_commit_read(&c, r, at);

		SG_TRY(rc);
		rc = line_parents(&n, &c);
		if (rc >= 0 && !all && n > 1) {
			sg_commit_release(&c);
			return 0;
		}
		if (rc >= 0)
			rc = fn(arg, &c);
		*at = c.n_parents ? c.parent[0] : (struct sg_oid){ { 0 } };
		n = c.n_parents;
		sg_commit_release(&c);
		if (rc || !n)
			return rc;
	}
}

static int walk_sorted(struct sg_registry *r, const struct sg_oid *from, size_t n_from,
		       const struct sg_oid *hide, size_t n_hide, unsigned flags,
		       int (*fn)(void *arg, const struct sg_commit *c), void *arg)
{
	git_revwalk *w = NULL;
	struct sg_oidmap line = { 0 };
	struct sg_commit c = { 0 };
	struct sg_oid oid;
	git_oid id;
	int rc = git_revwalk_new(&w, r->repo);

	if (rc < 0)
		return sg_git_fail(rc, "cannot walk the history");
	git_revwalk_sorting(w, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME |
			    (flags & SG_WALK_REVERSE ? GIT_SORT_REVERSE : 0));
	if (flags & SG_WALK_FIRST_PARENT)
		git_revwalk_simplify_first_parent(w);
	for (size_t i = 0; rc >= 0 && i < n_from; i++)
		rc = push(w, r, &from[i], false);
	for (size_t i = 0; rc >= 0 && i < n_hide; i++)
		rc = push(w, r, &hide[i], true);
	for (size_t i = 0; rc >= 0 && i < n_from; i++)
		rc = sg_oidmap_add(&line, &from[i], 0);
	while (rc >= 0) {
		rc = git_revwalk_next(&id, w);
		if (rc < 0) {
			rc = rc == GIT_ITEROVER ? 0 : sg_git_fail(rc, "cannot walk the history");
			break;
		}
		memcpy(oid.id, id.id, sizeof(oid.id));
		rc = sg_commit_read(&c, r, &oid);
		if (rc < 0)
			break;
		rc = flags & SG_WALK_LINE ? in_line(&line, &c) : 1;
		if (rc > 0)
			rc = fn(arg, &c);
		sg_commit_release(&c);
		if (rc > 0)
			break;
	}
	git_revwalk_free(w);
	sg_oidmap_release(&line);
	return SG_MIN(rc, 0);
}

int sg_history_walk(struct sg_registry *r, const struct sg_oid *from, size_t n_from,
		    const struct sg_oid *hide, size_t n_hide, unsigned flags,
		    int (*fn)(void *arg, const struct sg_commit *c), void *arg)
{
	enum sg_object_type type;
	struct sg_oid at;
	int rc;

	if (n_from != 1 || n_hide || flags & SG_WALK_REVERSE || !(flags & (SG_WALK_LINE | SG_WALK_FIRST_PARENT)) ||
	    sg_object_stat(&type, NULL, r, from) < 0 || type != SG_OBJ_COMMIT)
		return walk_sorted(r, from, n_from, hide, n_hide, flags, fn, arg);
	at = *from;
	rc = walk_chain(&at, r, flags & SG_WALK_FIRST_PARENT, fn, arg);
	if (rc || sg_oid_is_zero(&at))
		return SG_MIN(rc, 0);
	return walk_sorted(r, &at, 1, NULL, 0, flags, fn, arg);
}

int sg_history_base(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *a,
		    const struct sg_oid *b)
{
	git_oid base;
	int rc = git_merge_base(&base, r->repo, sg_git_oid(a), sg_git_oid(b));

	if (rc == GIT_ENOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "the two histories have no commit in common");
	if (rc < 0)
		return sg_git_fail(rc, "cannot find a common ancestor");
	memcpy(out->id, base.id, sizeof(out->id));
	return 0;
}

/* All that `from` has in its line goes to l->seen; not beyond what stop has seen,
 * whose commits go to *met (both may be NULL). */
static int along_walk(struct along *l, const struct sg_oid *from, const struct sg_oidmap *stop, struct sg_oids *met)
{
	SG_TRY(along_add(l, from));
	while (l->next.n) {
		struct sg_oid at = l->next.oid[--l->next.n];

		if (stop && sg_oidmap_get(stop, &at, NULL))
			SG_TRY(sg_oids_add(met, &at));
		else
			SG_TRY(along_parents(l, &at));
	}
	return 0;
}

int sg_history_in_line(struct sg_registry *r, const struct sg_oid *a, const struct sg_oid *b)
{
	struct along l = { .r = r };
	int rc = along_add(&l, b);

	while (rc >= 0 && l.next.n) {
		struct sg_oid at = l.next.oid[--l.next.n];

		if (sg_oid_eq(&at, a)) {
			rc = 1;
			break;
		}
		rc = along_parents(&l, &at);
	}
	along_release(&l);
	return rc;
}

/* Is one of the commits where two lines meet in the line of another of them? */
static int is_behind(struct sg_registry *r, const struct sg_oids *met, size_t i)
{
	int behind = 0;

	for (size_t k = 0; !behind && k < met->n; k++) {
		struct along l = { .r = r };

		if (k == i)
			continue;
		behind = along_walk(&l, &met->oid[k], NULL, NULL);
		if (behind >= 0)
			behind = sg_oidmap_get(&l.seen, &met->oid[i], NULL);
		along_release(&l);
	}
	return behind;
}

int sg_history_line_base(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *a,
			 const struct sg_oid *b)
{
	struct along of_a = { .r = r }, of_b = { .r = r };
	struct sg_oids met = { 0 };
	int rc = along_walk(&of_a, a, NULL, NULL);

	if (rc >= 0)
		rc = along_walk(&of_b, b, &of_a.seen, &met);
	if (rc >= 0 && !met.n)
		rc = sg_fail(SG_E_NOTFOUND, "the two lines of growth have no commit in common");
	for (size_t i = 0; rc >= 0 && i < met.n; i++) {
		rc = met.n > 1 ? is_behind(r, &met, i) : 0;
		if (rc == 0) {
			*out = met.oid[i];	/* lines that crossed may have more: the first will do */
			break;
		}
	}
	free(met.oid);
	along_release(&of_a);
	along_release(&of_b);
	return SG_MIN(rc, 0);
}

int sg_history_is_ancestor(struct sg_registry *r, const struct sg_oid *a, const struct sg_oid *b)
{
	int rc;

	if (sg_oid_eq(a, b))
		return 1;
	rc = git_graph_descendant_of(r->repo, sg_git_oid(b), sg_git_oid(a));
	return rc < 0 ? sg_git_fail(rc, "cannot compare histories") : rc;
}

int sg_history_ahead_behind(size_t *ahead, size_t *behind, struct sg_registry *r,
			    const struct sg_oid *a, const struct sg_oid *b)
{
	int rc = git_graph_ahead_behind(ahead, behind, r->repo, sg_git_oid(a), sg_git_oid(b));

	return rc < 0 ? sg_git_fail(rc, "cannot compare histories") : 0;
}

/* ---- revisions ---- */

/* libgit2's own parser of these leaks with every name that it does not know, and
 * cannot say what was wrong; the grammar needed here is small. */

static int unknown(const char *rev)
{
	return sg_fail(SG_E_NOTFOUND, "unknown revision '%s'", rev);
}

/* A name without operators: HEAD, a ref by its full or short name, an id. */
static int base_of(git_object **out, struct sg_registry *r, const char *name, const char *rev)
{
	git_reference *ref = NULL, *direct = NULL;
	size_t n = strlen(name);
	git_oid oid;
	int rc = git_reference_dwim(&ref, r->repo, !strcmp(name, "@") ? "HEAD" : name);

	if (rc == 0) {
		rc = git_reference_resolve(&direct, ref);
		if (rc == 0)
			rc = git_object_lookup(out, r->repo, git_reference_target(direct), GIT_OBJECT_ANY);
		git_reference_free(direct);
		git_reference_free(ref);
	} else if (n >= GIT_OID_MINPREFIXLEN && n <= 40 && name[strspn(name, "0123456789abcdefABCDEF")] == '\0' &&
		   git_oid_fromstrn(&oid, name, n) == 0) {
		rc = git_object_lookup_prefix(out, r->repo, &oid, n, GIT_OBJECT_ANY);
	} else {
		return unknown(rev);
	}
	if (rc == GIT_EAMBIGUOUS)
		return sg_fail(SG_E_ERROR, "revision '%s' is ambiguous: give more digits", rev);
	if (rc == GIT_ENOTFOUND)
		return unknown(rev);
	return rc < 0 ? sg_git_fail(rc, "cannot read revision '%s'", rev) : 0;
}

/* The full name that a short one has; "": the current branch. *out is yours. */
static int full_name(char **out, struct sg_registry *r, const char *name, const char *rev)
{
	git_reference *ref = NULL;

	if (!*name)
		return sg_head_get(out, r);
	if (!strcmp(name, "@") || !strcmp(name, "HEAD"))
		return (*out = sg_strdup("HEAD")) ? 0 : -SG_E_NOMEM;
	if (git_reference_dwim(&ref, r->repo, name) < 0)
		return unknown(rev);
	*out = sg_strdup(git_reference_name(ref));
	git_reference_free(ref);
	return *out ? 0 : -SG_E_NOMEM;
}

static int lookup(git_object **out, struct sg_registry *r, const struct sg_oid *oid, const char *rev)
{
	int rc = git_object_lookup(out, r->repo, sg_git_oid(oid), GIT_OBJECT_ANY);

	return rc == GIT_ENOTFOUND ? sg_fail(SG_E_NOTFOUND, "the object of '%s' is no longer here", rev) :
	       rc < 0 ? sg_git_fail(rc, "cannot read revision '%s'", rev) : 0;
}

/* <name>@{<n>}; the oldest entry still knows what was before it. */
static int before(git_object **out, struct sg_registry *r, const char *name, size_t n, const char *rev)
{
	struct sg_ref_changes l = { 0 };
	const struct sg_oid *oid = NULL;
	char *full = NULL;
	int rc = full_name(&full, r, name, rev);

	if (rc >= 0)
		rc = sg_ref_changes(&l, r, full);
	if (rc >= 0 && n < l.n)
		oid = &l.change[n].new;
	else if (rc >= 0 && l.n && n == l.n)
		oid = &l.change[n - 1].old;
	if (rc >= 0 && (!oid || sg_oid_is_zero(oid)))
		rc = sg_fail(SG_E_NOTFOUND, "'%s': only %zu changes of '%s' are remembered", rev, l.n, full);
	if (rc >= 0)
		rc = lookup(out, r, oid, rev);
	sg_ref_changes_release(&l);
	free(full);
	return rc;
}

/* <name>@{u}: as `sg status` has it, of the remote that has such a branch, origin first. */
static int upstream(git_object **out, struct sg_registry *r, const char *name, const char *rev)
{
	char *full = NULL, *there = NULL;
	struct sg_refs l = { 0 };
	struct sg_oid oid;
	bool found = false;
	int rc = full_name(&full, r, name, rev);

	if (rc >= 0 && !strcmp(full, "HEAD")) {
		free(full);
		full = NULL;
		rc = sg_head_get(&full, r);
	}
	if (rc >= 0 && strncmp(full, "refs/heads/", 11))
		rc = unknown(rev);
	if (rc >= 0)
		rc = (there = sg_asprintf("refs/remotes/origin/%s", full + 11)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && sg_ref_get(&oid, r, there) >= 0)
		found = true;
	else if (rc >= 0)
		rc = sg_ref_list(&l, r, "refs/remotes/");
	for (size_t i = 0; rc >= 0 && !found && i < l.n; i++) {
		const char *slash = strchr(l.ref[i].name + strlen("refs/remotes/"), '/');

		found = slash && !strcmp(slash + 1, full + 11);
		oid = found ? l.ref[i].oid : oid;
	}
	if (rc >= 0)
		rc = found ? lookup(out, r, &oid, rev) :
			     sg_fail(SG_E_NOTFOUND, "'%s': no remote has a branch '%s'", rev, full + 11);
	sg_refs_release(&l);
	free(full);
	free(there);
	return rc;
}

/* What stands between the braces behind a name. */
static int at_of(git_object **out, struct sg_registry *r, const char *name, const char *in, const char *rev)
{
	const char *digits = in + (*in == '-');
	size_t len = strlen(digits);
	char *branch = NULL;
	size_t n;
	int rc;

	if (!strcmp(in, "u") || !strcmp(in, "upstream"))
		return upstream(out, r, name, rev);
	if (!len || len > 9 || digits[strspn(digits, "0123456789")] || (*in == '-' && *name))
		return unknown(rev);
	n = strtoul(digits, NULL, 10);
	if (*in != '-')
		return before(out, r, name, n, rev);
	rc = sg_head_before(&branch, r, n);
	if (rc >= 0)
		rc = base_of(out, r, branch, rev);
	free(branch);
	return rc;
}

/* A name, with or without "@{...}". */
static int name_of(git_object **out, struct sg_registry *r, char *name, const char *rev)
{
	char *at = strstr(name, "@{");
	size_t n = strlen(name);

	if (!at)
		return base_of(out, r, name, rev);
	if (name[n - 1] != '}')
		return unknown(rev);
	*at = name[n - 1] = '\0';
	return at_of(out, r, name, at + 2, rev);
}

static int to_commit(git_object **o, const char *rev)
{
	git_object *c = NULL;
	int rc = git_object_peel(&c, *o, GIT_OBJECT_COMMIT);

	if (rc < 0)
		return sg_fail(SG_E_NOTFOUND, "'%s' is a %s, not a commit", rev,
			       git_object_type2string(git_object_type(*o)));
	git_object_free(*o);
	*o = c;
	return 0;
}

static int parent(git_object **o, unsigned which, const char *rev)
{
	git_commit *p = NULL;
	int rc = git_commit_parent(&p, (git_commit *)*o, which - 1);

	if (rc == GIT_ENOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "'%s' goes back too far: there is no such parent", rev);
	if (rc < 0)
		return sg_git_fail(rc, "cannot read revision '%s'", rev);
	git_object_free(*o);
	*o = (git_object *)p;
	return 0;
}

/* The digits at *p, 1 when there are none; *p is moved behind them. */
static unsigned number(const char **p)
{
	char *end;
	unsigned long n = strtoul(*p, &end, 10);

	if (end == *p || (**p < '0' || **p > '9'))
		return 1;
	*p = end;
	return n > 1000000000 ? 1000000000 : (unsigned)n;
}

/* ^ ^N ~N in any number. */
static int operators(git_object **o, const char *p, const char *rev)
{
	while (*p) {
		char op = *p++;
		unsigned n;

		if (op != '^' && op != '~')
			return unknown(rev);
		n = number(&p);
		SG_TRY(to_commit(o, rev));
		if (op == '^' && n)
			SG_TRY(parent(o, n, rev));
		for (; op == '~' && n; n--)
			SG_TRY(parent(o, 1, rev));
	}
	return 0;
}

static int rev_lookup(git_object **out, struct sg_registry *r, const char *rev)
{
	size_t n = strcspn(rev, "^~");
	char *name = sg_strndup(rev, n);
	git_object *o = NULL;
	int rc;

	if (!name)
		return -SG_E_NOMEM;
	rc = *rev && *rev != '-' ? name_of(&o, r, name, rev) : unknown(rev);
	if (rc >= 0)
		rc = operators(&o, rev + n, rev);
	free(name);
	if (rc < 0)
		git_object_free(o);
	else
		*out = o;
	return rc;
}

int sg_rev_parse(struct sg_oid *out, struct sg_registry *r, const char *rev)
{
	git_object *o = NULL;
	int rc;

	SG_TRY(rev_lookup(&o, r, rev));
	rc = to_commit(&o, rev);
	if (rc >= 0)
		memcpy(out->id, git_object_id(o)->id, sizeof(out->id));
	git_object_free(o);
	return rc;
}

int sg_rev_parse_any(struct sg_oid *out, enum sg_object_type *type, struct sg_registry *r,
		     const char *rev)
{
	const char *colon = strchr(rev, ':');
	char *name = sg_strndup(rev, colon ? (size_t)(colon - rev) : strlen(rev));
	git_object *o = NULL;
	struct sg_oid oid;
	int rc = name ? rev_lookup(&o, r, colon && !*name ? "HEAD" : name) : -SG_E_NOMEM;

	if (rc >= 0) {
		memcpy(oid.id, git_object_id(o)->id, sizeof(oid.id));
		if (colon)
			rc = sg_tree_find(out, type, r, &oid, colon + 1);
		else
			*out = oid;
		if (!colon && type)
			*type = (enum sg_object_type)git_object_type(o);
	}
	git_object_free(o);
	free(name);
	return rc;
}

int sg_oid_abbrev(char out[SG_OID_HEX], struct sg_registry *r, const struct sg_oid *oid)
{
	char hex[SG_OID_HEX];
	git_oid full;

	sg_oid_hex(hex, oid);
	for (size_t n = 7; n < 40; n++) {
		git_oid part;

		if (git_oid_fromstrn(&part, hex, n) == 0 && git_odb_exists_prefix(&full, r->odb, &part, n) == 0) {
			snprintf(out, SG_OID_HEX, "%.*s", (int)n, hex);
			return 0;
		}
	}
	snprintf(out, SG_OID_HEX, "%s", hex);
	return 0;
}
