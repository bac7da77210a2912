/*
 * Lines of growth and releases: branches, HEAD and tags. Nothing is copied and no
 * file of a work tree moves, since there is none: a branch is a name of a commit,
 * and HEAD the name of a branch.
 */
#include "sg_repo.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

#define TAG_MAX ((size_t)16 << 20)

/* "refs/heads/<name>", when it is a name that git takes and a command can be given. */
static int full_name(char **out, const char *what, const char *prefix, const char *name)
{
	char *ref = sg_asprintf("%s%s", prefix, name);

	if (!ref)
		return -SG_E_NOMEM;
	if (*name == '-' || !strcmp(name, "HEAD") || !sg_ref_name_ok(ref)) {
		free(ref);
		return sg_fail(SG_E_USAGE, "'%s' is no valid name of a %s", name, what);
	}
	*out = ref;
	return 0;
}

static bool is_one_of(const char *word, const char *const *list)
{
	while (*list && strcmp(word, *list))
		list++;
	return *list != NULL;
}

/* A step of growth: what a trainer or a judge left on its own ref went through no gate. */
int sg_check_step(struct sg_repo *r, const struct sg_oid *commit, const char *rev)
{
	static const char *const aside[] = { "candidate", "report", "reject", "defer", NULL };
	struct sg_commit c = { 0 };
	char *op = NULL;
	int rc = sg_commit_read(&c, r->reg, commit);

	if (rc >= 0 && sg_trailer(&op, c.message, "Sg-Op", 0) >= 0 && is_one_of(op, aside))
		rc = sg_fail(SG_E_REFUSED, "'%s' is a %s, which no gate let in; 'sg accept' makes it a step of growth", rev, op);
	free(op);
	sg_commit_release(&c);
	return rc;
}

static int find_step(struct sg_oid *out, struct sg_repo *r, const char *rev)
{
	SG_TRY(sg_rev_parse(out, r->reg, rev ? rev : "HEAD"));
	return sg_check_step(r, out, rev ? rev : "HEAD");
}

/* --- branches -------------------------------------------------------------------- */

static void branch_release(struct sg_branch_info *b)
{
	free(b->name);
	free(b->subject);
	*b = (struct sg_branch_info){ 0 };
}

static int fill_branch(struct sg_branch_info *out, struct sg_repo *r, const struct sg_ref *ref, const char *head)
{
	struct sg_branch_info b = { .remote = strncmp(ref->name, "refs/heads/", 11) != 0 };
	struct sg_tree_list l = { 0 };
	struct sg_commit c = { 0 };

	SG_TRY(sg_commit_read(&c, r->reg, &ref->oid));
	sg_oid_hex(b.commit, &ref->oid);
	b.current = head && !strcmp(ref->name, head);
	b.time = c.committer.time;
	b.name = sg_strdup(ref->name + (b.remote ? strlen("refs/remotes/") : strlen("refs/heads/")));
	b.subject = sg_commit_subject(c.message);
	sg_commit_release(&c);
	if (sg_tree_list(&l, r->reg, &ref->oid, "grafts") >= 0)
		b.grafts = l.n;
	sg_tree_list_release(&l);
	if (!b.name || !b.subject) {
		branch_release(&b);
		return -SG_E_NOMEM;
	}
	*out = b;
	return 0;
}

static int add_branches(struct sg_branch_list *out, struct sg_repo *r, const char *prefix, const char *head)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		rc = SG_GROW(out->branch, out->n, out->cap);
		if (rc >= 0)
			rc = fill_branch(&out->branch[out->n], r, &l.ref[i], head);
		if (rc >= 0)
			out->n++;
	}
	sg_refs_release(&l);
	return rc;
}

int sg_branch_list(struct sg_branch_list *out, struct sg_repo *r, bool remotes)
{
	struct sg_branch_list l = { 0 };
	char *head = NULL;
	int rc;

	(void)sg_head_get(&head, r->reg);	/* detached: none is current */
	rc = add_branches(&l, r, "refs/heads/", head);
	if (rc >= 0 && remotes)
		rc = add_branches(&l, r, "refs/remotes/", NULL);
	free(head);
	if (rc < 0)
		sg_branch_list_release(&l);
	else
		*out = l;
	return rc;
}

void sg_branch_list_release(struct sg_branch_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		branch_release(&l->branch[i]);
	free(l->branch);
	*l = (struct sg_branch_list){ 0 };
}

int sg_branch_make(struct sg_repo *r, const char *name, const char *rev)
{
	struct sg_oid oid, old;
	char *ref = NULL;
	int rc;

	SG_TRY(full_name(&ref, "branch", "refs/heads/", name));
	rc = find_step(&oid, r, rev);
	if (rc >= 0 && sg_ref_get(&old, r->reg, ref) >= 0)
		rc = sg_fail(SG_E_EXISTS, "there is a branch '%s' already", name);
	if (rc >= 0)
		rc = sg_ref_set(r->reg, ref, &oid, NULL, "branch: made");
	free(ref);
	return rc;
}

/* A protected name is given to a line only that its policy lets have it; going back is free. */
static int check_trust(struct sg_repo *r, const char *name, const struct sg_oid *old, const struct sg_oid *to)
{
	int rc = sg_oid_is_zero(old) ? 0 : sg_history_is_ancestor(r->reg, to, old);

	return rc ? SG_MIN(rc, 0) : sg_trust_line(r, name, sg_oid_is_zero(old) ? NULL : old, to);
}

int sg_branch_move(struct sg_repo *r, const char *name, const char *rev, bool current, char was[SG_COMMIT_HEX])
{
	struct sg_oid oid, old = { { 0 } };
	char *ref = NULL, *head = NULL, *message = NULL;
	int rc;

	SG_TRY(full_name(&ref, "branch", "refs/heads/", name));
	rc = find_step(&oid, r, rev);
	if (rc >= 0 && !current && sg_head_get(&head, r->reg) >= 0 && !strcmp(head, ref))
		rc = sg_fail(SG_E_REFUSED, "'%s' is the current branch; --current moves it all the same", name);
	if (rc >= 0 && sg_ref_get(&old, r->reg, ref) == -SG_E_NOTFOUND)
		old = (struct sg_oid){ { 0 } };
	if (rc >= 0)
		rc = check_trust(r, name, &old, &oid);
	if (rc >= 0)
		rc = (message = sg_asprintf("branch: moved to %s", rev ? rev : "HEAD")) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_ref_set(r->reg, ref, &oid, &old, message);
	*was = '\0';
	if (rc >= 0 && !sg_oid_is_zero(&old))
		sg_oid_hex(was, &old);
	free(ref);
	free(head);
	free(message);
	return rc;
}

/* Is the commit reached by a branch or tag other than this one? */
static int held_elsewhere(struct sg_repo *r, const char *ref, const struct sg_oid *oid)
{
	static const char *const prefix[] = { "refs/heads/", "refs/remotes/", "refs/tags/" };
	int held = 0;

	for (size_t p = 0; !held && p < SG_LEN(prefix); p++) {
		struct sg_refs l = { 0 };
		int rc = sg_ref_list(&l, r->reg, prefix[p]);

		for (size_t i = 0; rc >= 0 && !held && i < l.n; i++) {
			struct sg_oid at;

			if (strcmp(l.ref[i].name, ref) && sg_rev_parse(&at, r->reg, l.ref[i].name) >= 0)
				rc = held = sg_history_is_ancestor(r->reg, oid, &at);
		}
		sg_refs_release(&l);
		SG_TRY(rc);
	}
	return held;
}

static int check_delete(struct sg_repo *r, const char *name, const char *ref, const struct sg_oid *oid, bool force)
{
	char *head = NULL, hex[SG_OID_HEX];
	bool current = sg_head_get(&head, r->reg) >= 0 && !strcmp(head, ref);
	int held;

	free(head);
	if (current)
		return sg_fail(SG_E_REFUSED, "'%s' is the current branch; check out another one first", name);
	if (force)
		return 0;
	held = held_elsewhere(r, ref, oid);
	sg_oid_hex(hex, oid);
	return held ? SG_MIN(held, 0) :
	       sg_fail(SG_E_REFUSED, "branch '%s' (%.10s) holds steps that no other branch or tag has; "
		       "-f deletes it all the same", name, hex);
}

int sg_branch_delete(struct sg_repo *r, const char *name, bool force, char was[SG_COMMIT_HEX])
{
	struct sg_oid oid;
	char *ref = NULL;
	int rc;

	SG_TRY(full_name(&ref, "branch", "refs/heads/", name));
	rc = sg_ref_get(&oid, r->reg, ref);
	if (rc == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, "there is no branch '%s'", name);
	if (rc >= 0)
		rc = check_delete(r, name, ref, &oid, force);
	if (rc >= 0)
		rc = sg_ref_delete(r->reg, ref, &oid);
	if (rc >= 0)
		sg_oid_hex(was, &oid);
	free(ref);
	return rc;
}

/* --- HEAD ------------------------------------------------------------------------ */

static int no_branch(const char *rev)
{
	return sg_fail(SG_E_NOTFOUND, "'%s' is a commit and no branch; 'sg checkout -b NEW %s' makes one of it", rev, rev);
}

/* A branch that one remote alone has becomes one of ours, as git does it. */
static int take_remote(struct sg_repo *r, const char *name, const char *ref)
{
	struct sg_refs l = { 0 };
	const struct sg_ref *found = NULL;
	struct sg_oid at;
	size_t hits = 0;
	int rc = sg_ref_list(&l, r->reg, "refs/remotes/");

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *slash = strchr(l.ref[i].name + strlen("refs/remotes/"), '/');

		if (slash && !strcmp(slash + 1, name)) {
			found = &l.ref[i];
			hits++;
		}
	}
	if (rc >= 0 && !hits && sg_rev_parse(&at, r->reg, name) >= 0)
		rc = no_branch(name);
	else if (rc >= 0 && !hits)
		rc = sg_fail(SG_E_NOTFOUND, "there is no branch '%s'; 'sg checkout -b %s' makes it", name, name);
	else if (rc >= 0 && hits > 1)
		rc = sg_fail(SG_E_NOTFOUND, "there is no branch '%s', and %zu remotes have one; say which with "
			     "'sg checkout -b %s REMOTE/%s'", name, hits, name, name);
	if (rc >= 0)
		rc = sg_ref_set(r->reg, ref, &found->oid, NULL, "branch: made from a remote's");
	sg_refs_release(&l);
	return rc;
}

int sg_checkout(struct sg_repo *r, const char *name)
{
	char *ref = NULL, *head = NULL, *message = NULL, *last = NULL;
	struct sg_oid oid;
	int rc;

	if (!strcmp(name, "-")) {
		SG_TRY(sg_head_before(&last, r->reg, 1));
		name = last;
	}
	rc = full_name(&ref, "branch", "refs/heads/", name);
	if (rc == -SG_E_USAGE && strcmp(name, "HEAD") && sg_rev_parse(&oid, r->reg, name) >= 0)
		rc = no_branch(name);
	else if (rc == -SG_E_USAGE)
		(void)full_name(&ref, "branch", "refs/heads/", name);	/* its message again */
	else if (rc >= 0)
		rc = sg_ref_get(&oid, r->reg, ref);
	if (rc == -SG_E_NOTFOUND && ref)
		rc = take_remote(r, name, ref);
	if (rc >= 0 && sg_head_get(&head, r->reg) >= 0 && !strcmp(head, ref)) {
		rc = 1;
		goto out;
	}
	if (rc >= 0)
		message = sg_asprintf("checkout: moving from %s to %s",
				      head && !strncmp(head, "refs/heads/", 11) ? head + 11 : "HEAD", name);
	if (rc >= 0)
		rc = message ? sg_head_set(r->reg, ref, message) : -SG_E_NOMEM;
out:
	free(ref);
	free(head);
	free(last);
	free(message);
	return rc;
}

int sg_branch_current(char **out, struct sg_repo *r)
{
	char *head = NULL;

	SG_TRY(sg_head_get(&head, r->reg));
	*out = sg_strdup(!strncmp(head, "refs/heads/", 11) ? head + 11 : head);
	free(head);
	return *out ? 0 : -SG_E_NOMEM;
}

/* --- what they were -------------------------------------------------------------- */

static int ref_of(char **full, struct sg_repo *r, const char *word)
{
	static const char *const lead[] = { "refs/heads/", "refs/remotes/", "refs/tags/", "refs/", "" };
	struct sg_oid oid;

	if (!word || !strcmp(word, "HEAD") || !strcmp(word, "@"))
		return (*full = sg_strdup("HEAD")) ? 0 : -SG_E_NOMEM;
	for (size_t i = 0; i < SG_LEN(lead); i++) {
		char *name = sg_asprintf("%s%s", lead[i], word);

		if (!name)
			return -SG_E_NOMEM;
		if (sg_ref_name_ok(name) && sg_ref_get(&oid, r->reg, name) >= 0) {
			*full = name;
			return 0;
		}
		free(name);
	}
	return sg_fail(SG_E_NOTFOUND, "there is no branch '%s'", word);
}

static const char *short_ref(const char *full)
{
	static const char *const lead[] = { "refs/heads/", "refs/remotes/", "refs/tags/" };

	for (size_t i = 0; i < SG_LEN(lead); i++)
		if (!strncmp(full, lead[i], strlen(lead[i])))
			return full + strlen(lead[i]);
	return full;
}

int sg_reflog(struct sg_reflog *out, struct sg_repo *r, const char *ref)
{
	struct sg_reflog l = { 0 };
	struct sg_ref_changes c = { 0 };
	char *full = NULL;
	int rc = ref_of(&full, r, ref);

	if (rc >= 0)
		rc = sg_ref_changes(&c, r->reg, full);
	if (rc >= 0)
		rc = SG_NEW(l.line, SG_MAX(c.n, (size_t)1));
	if (rc >= 0)
		rc = (l.ref = sg_strdup(short_ref(full))) ? 0 : -SG_E_NOMEM;
	for (; rc >= 0 && l.n < c.n; l.n++) {
		struct sg_ref_change *e = &c.change[l.n];
		struct sg_reflog_line *to = &l.line[l.n];

		*to = (struct sg_reflog_line){ .message = e->message, .who = e->who, .email = e->email, .time = e->time,
					       .here = sg_object_exists(r->reg, &e->new) };
		e->message = e->who = e->email = NULL;
		sg_oid_hex(to->commit, &e->new);
		if (!sg_oid_is_zero(&e->old))
			sg_oid_hex(to->old, &e->old);
	}
	sg_ref_changes_release(&c);
	free(full);
	if (rc < 0)
		sg_reflog_release(&l);
	else
		*out = l;
	return rc;
}

void sg_reflog_release(struct sg_reflog *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->line[i].message);
		free(l->line[i].who);
		free(l->line[i].email);
	}
	free(l->line);
	free(l->ref);
	*l = (struct sg_reflog){ 0 };
}

/* --- tags ------------------------------------------------------------------------ */

static void tag_release(struct sg_tag_info *t)
{
	free(t->name);
	free(t->message);
	free(t->tagger);
	*t = (struct sg_tag_info){ 0 };
}

/* "tagger Name <address> seconds zone" */
static int take_tagger(struct sg_tag_info *t, const char *line, size_t n)
{
	const char *lt = memchr(line, '<', n), *gt = lt ? memchr(lt, '>', n - (size_t)(lt - line)) : NULL;

	if (gt)
		t->time = strtoll(gt + 1, NULL, 10);
	n = lt ? (size_t)(lt - line) : n;
	while (n && line[n - 1] == ' ')
		n--;
	return (t->tagger = sg_strndup(line, n)) ? 0 : -SG_E_NOMEM;
}

/* Headers up to the blank line, then the message up to a signature. */
static int parse_tag(struct sg_tag_info *t, const char *data, size_t n)
{
	const char *p = data, *end = data + n, *e, *sign;

	for (; p < end && *p != '\n'; p = e + 1) {
		e = memchr(p, '\n', (size_t)(end - p));
		if (!e)
			e = end;
		if (!t->tagger && e - p > 7 && !strncmp(p, "tagger ", 7))
			SG_TRY(take_tagger(t, p + 7, (size_t)(e - p) - 7));
	}
	p = SG_MIN(p + 1, end);
	sign = strstr(p, "-----BEGIN ");
	t->has_signature = sign && (sign == p || sign[-1] == '\n');
	if (t->has_signature)
		end = sign;
	while (end > p && end[-1] == '\n')
		end--;
	return (t->message = sg_strndup(p, (size_t)(end - p))) ? 0 : -SG_E_NOMEM;
}

static int fill_tag(struct sg_tag_info *out, struct sg_repo *r, const struct sg_ref *ref)
{
	struct sg_tag_info t = { .name = sg_strdup(ref->name + strlen("refs/tags/")) };
	enum sg_object_type type;
	struct sg_commit c = { 0 };
	struct sg_buf b = { 0 };
	struct sg_oid oid;
	int rc = t.name ? sg_object_read(&b, &type, r->reg, &ref->oid, TAG_MAX) : -SG_E_NOMEM;

	if (rc >= 0 && sg_rev_parse(&oid, r->reg, ref->name) >= 0)
		sg_oid_hex(t.commit, &oid);
	if (rc >= 0 && *t.commit) {
		rc = sg_commit_read(&c, r->reg, &oid);
		t.time = c.committer.time;
	}
	if (rc >= 0 && type == SG_OBJ_TAG)
		rc = parse_tag(&t, b.data, b.len);
	sg_buf_release(&b);
	sg_commit_release(&c);
	if (rc < 0)
		tag_release(&t);
	else
		*out = t;
	return rc;
}

int sg_tag_list(struct sg_tag_list *out, struct sg_repo *r)
{
	struct sg_tag_list l = { 0 };
	struct sg_refs refs = { 0 };
	int rc = sg_ref_list(&refs, r->reg, "refs/tags/");

	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		rc = SG_GROW(l.tag, l.n, l.cap);
		if (rc >= 0)
			rc = fill_tag(&l.tag[l.n], r, &refs.ref[i]);
		if (rc >= 0)
			l.n++;
	}
	sg_refs_release(&refs);
	if (rc < 0)
		sg_tag_list_release(&l);
	else
		*out = l;
	return rc;
}

void sg_tag_list_release(struct sg_tag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		tag_release(&l->tag[i]);
	free(l->tag);
	*l = (struct sg_tag_list){ 0 };
}

/* The object names the composition, so that a release can be held against it. */
static int write_tag(struct sg_oid *out, struct sg_repo *r, const char *name, const struct sg_oid *commit, const char *text)
{
	struct sg_view v = { 0 };
	struct sg_buf m = { 0 };
	int rc = sg_view_at(&v, r, commit);

	if (rc >= 0)
		rc = sg_message(&m, text, NULL);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Base", "sha256:%s", v.base);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-State", "sha256:%s", v.state);
	if (rc >= 0)
		rc = sg_tag_make(out, r->reg, name, commit, m.data);
	sg_buf_release(&m);
	sg_view_release(&v);
	return rc;
}

int sg_tag_add(struct sg_repo *r, const char *name, const char *rev, const char *message)
{
	struct sg_oid commit, tag, old;
	char *ref = NULL;
	int rc;

	SG_TRY(full_name(&ref, "tag", "refs/tags/", name));
	rc = find_step(&commit, r, rev);
	if (rc >= 0 && sg_ref_get(&old, r->reg, ref) >= 0)
		rc = sg_fail(SG_E_EXISTS, "there is a tag '%s' already", name);
	tag = commit;
	if (rc >= 0 && message)
		rc = write_tag(&tag, r, name, &commit, message);
	if (rc >= 0)
		rc = sg_ref_set(r->reg, ref, &tag, NULL, "tag: made");
	free(ref);
	return rc;
}

int sg_tag_remove(struct sg_repo *r, const char *name, char was[SG_COMMIT_HEX])
{
	struct sg_oid oid;
	char *ref = NULL;
	int rc;

	SG_TRY(full_name(&ref, "tag", "refs/tags/", name));
	rc = sg_ref_get(&oid, r->reg, ref);
	if (rc == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, "there is no tag '%s'", name);
	if (rc >= 0)
		rc = sg_ref_delete(r->reg, ref, &oid);
	if (rc >= 0)
		sg_oid_hex(was, &oid);
	free(ref);
	return rc;
}
