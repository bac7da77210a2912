/* Words to grafts: an id, the beginning of one, or a name. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"

#define TRAIN_MAX ((size_t)64 << 20)	/* bytes of train.json */

int sg_training_open(struct sg_json_doc *doc, struct sg_repo *r, const struct sg_oid *commit, const char *id)
{
	struct sg_buf b = { 0 };
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/train.json", id);
	rc = sg_tree_read(&b, r->reg, commit, path, TRAIN_MAX);
	if (rc >= 0)
		rc = sg_json_parse(doc, b.data, b.len, path);
	sg_buf_release(&b);
	return rc;
}

/* *out NULL: it has no name. A train.json that is damaged gives none either. */
static int read_name(char **out, struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_json_doc doc = { 0 };
	const char *name = NULL;
	int rc = sg_training_open(&doc, r, commit, id16);

	*out = NULL;
	if (rc >= 0)
		rc = sg_json_str(sg_json_root(&doc), "name", &name);
	if (rc >= 0 && name)
		rc = (*out = sg_strdup(name)) ? 0 : -SG_E_NOMEM;
	sg_json_release(&doc);
	return rc == -SG_E_NOTFOUND || rc == -SG_E_CORRUPT ? 0 : rc;
}

char *sg_graft_name(struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	char *name;

	return read_name(&name, r, commit, id16) < 0 ? NULL : name;
}

static int full_id(char hex[SG_SHA256_HEX], struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_buf b = { 0 };
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/graft.json", id16);
	rc = sg_tree_read(&b, r->reg, commit, path, SG_GRAFTFILE_MAX);
	if (rc >= 0)
		rc = sg_sha256_hex(hex, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* A search in progress: what has matched so far. */
struct search { struct sg_repo *r; const char *word; bool hex; struct sg_found *out; size_t hits; };

static bool matches(const struct search *s, const char *id16, const char *name)
{
	size_t n = strlen(s->word);

	return (s->hex && !strncmp(s->word, id16, SG_MIN(n, 16))) || (name && !strcmp(s->word, name));
}

/* One graft in one place; the first place where an id is found stays. */
static int offer(struct search *s, enum sg_graft_where where, const struct sg_oid *commit, const char *id16,
		 const char *ref)
{
	char id[SG_SHA256_HEX], *name;
	int rc;

	/* so long a word is no name: names of thousands need not be read */
	if (s->hex && strlen(s->word) >= 16 && strncmp(s->word, id16, 16))
		return 0;
	rc = read_name(&name, s->r, commit, id16);

	if (rc >= 0 && matches(s, id16, name)) {
		rc = full_id(id, s->r, commit, id16);
		if (rc >= 0 && s->hex && strlen(s->word) > 16 && strncmp(id, s->word, strlen(s->word)))
			goto out;
		if (rc >= 0 && !(s->hits && !strcmp(s->out->id, id)) && s->hits++ == 0) {
			s->out->where = where;
			s->out->commit = *commit;
			strcpy(s->out->id, id);
			s->out->ref = ref ? sg_strdup(ref) : NULL;
			s->out->name = name;
			name = NULL;
			rc = ref && !s->out->ref ? -SG_E_NOMEM : 0;
		}
	}
out:
	free(name);
	return rc;
}

static int look_active(struct search *s)
{
	struct sg_tree_list l = { 0 };
	struct sg_oid head;
	int rc = sg_rev_parse(&head, s->r->reg, "HEAD");

	if (rc >= 0)
		rc = sg_tree_list(&l, s->r->reg, &head, "grafts");
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = offer(s, SG_ACTIVE, &head, l.entry[i].name, NULL);
	sg_tree_list_release(&l);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int look_refs(struct search *s, const char *prefix, enum sg_graft_where where)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, s->r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = offer(s, where, &l.ref[i].oid, l.ref[i].name + strlen(prefix), l.ref[i].name);
	sg_refs_release(&l);
	return rc;
}

/* The grafts that a consolidation carried over have no other commit that names them. */
static int look_carried(struct search *s, const struct sg_commit *c)
{
	struct sg_tree_list l = { 0 };
	int rc = sg_tree_list(&l, s->r->reg, &c->id, "grafts");

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = offer(s, SG_PAST, &c->id, l.entry[i].name, NULL);
	sg_tree_list_release(&l);
	return rc;
}

/* Grafts of the past: accept commits name them in a trailer. Newest first, and the
 * newest of a name is meant by it: older ones of that name may be what it was before. */
static int look_commit(void *arg, const struct sg_commit *c)
{
	struct search *s = arg;
	char *id = NULL, *op = NULL;
	int rc = 0;

	if (sg_trailer(&op, c->message, "Sg-Op", 0) >= 0 && (!strcmp(op, "accept") || !strcmp(op, "cherry-pick")) &&
	    sg_trailer(&id, c->message, "Sg-Graft", 0) >= 0 && !strncmp(id, "sha256:", 7)) {
		char id16[17];

		snprintf(id16, sizeof(id16), "%.16s", id + 7);
		rc = offer(s, SG_PAST, &c->id, id16, NULL);
	} else if (op && !strcmp(op, "consolidate")) {
		rc = look_carried(s, c);
	}
	free(id);
	free(op);
	if (rc < 0)
		return rc == -SG_E_NOTFOUND ? 0 : rc;
	return s->hits && s->out->name && !strcmp(s->out->name, s->word);
}

static int look_past(struct search *s)
{
	struct sg_oid head;

	SG_TRY(sg_rev_parse(&head, s->r->reg, "HEAD"));
	return sg_history_walk(s->r->reg, &head, 1, NULL, 0, 0, look_commit, s);
}

/* The one graft that `look` finds under the word; what says where there is none. */
static int find(struct sg_found *out, struct sg_repo *r, const char *word, int (*look)(struct search *s), const char *what)
{
	struct sg_found found = { 0 };
	struct search s = { .r = r, .word = word, .out = &found };
	size_t n = strspn(word, "0123456789abcdef");
	int rc;

	s.hex = !word[n] && n >= 4 && n <= 64;
	rc = look(&s);
	if (rc >= 0 && !s.hits)
		rc = sg_fail(SG_E_NOTFOUND, "%s '%s'", what, word);
	if (rc >= 0 && s.hits > 1)
		rc = sg_fail(SG_E_ERROR, "'%s' means more than one graft; give more of its id", word);
	if (rc < 0)
		sg_found_release(&found);
	else
		*out = found;
	return rc;
}

static int look_here(struct search *s)
{
	SG_TRY(look_active(s));
	SG_TRY(look_refs(s, "refs/sg/cand/", SG_CANDIDATE));
	SG_TRY(look_refs(s, "refs/sg/deferred/", SG_DEFERRED));
	SG_TRY(look_refs(s, "refs/sg/rejected/", SG_REJECTED));
	return s->hits ? 0 : look_past(s);
}

int sg_find_graft(struct sg_found *out, struct sg_repo *r, const char *word)
{
	return find(out, r, word, look_here, "no graft");
}

/* --- on other lines ---------------------------------------------------------- */

struct tips { struct sg_oid *oid; size_t n, cap; };

static int add_tips(struct tips *t, struct sg_repo *r, const char *prefix)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		rc = SG_GROW(t->oid, t->n, t->cap);
		if (rc >= 0 && sg_rev_parse(&t->oid[t->n], r->reg, l.ref[i].name) >= 0)
			t->n++;		/* a tag may name anything */
	}
	sg_refs_release(&l);
	return rc;
}

/* Accepted on any branch or in any release, here or as last seen on a remote. */
static int look_lines(struct search *s)
{
	struct tips t = { 0 };
	int rc = add_tips(&t, s->r, "refs/heads/");

	if (rc >= 0)
		rc = add_tips(&t, s->r, "refs/remotes/");
	if (rc >= 0)
		rc = add_tips(&t, s->r, "refs/tags/");
	if (rc >= 0)
		rc = sg_history_walk(s->r->reg, t.oid, t.n, NULL, 0, 0, look_commit, s);
	free(t.oid);
	return rc;
}

int sg_find_accepted(struct sg_found *out, struct sg_repo *r, const char *word)
{
	return find(out, r, word, look_lines, "no line of growth has a graft");
}

bool sg_op_accepts(const char *op)
{
	return !strcmp(op, "accept") || !strcmp(op, "reapply") || !strcmp(op, "cherry-pick");
}

int sg_find_step(struct sg_found *out, struct sg_repo *r, const char *rev)
{
	struct sg_found f = { .where = SG_PAST };
	char *op = NULL, *id = NULL, id16[17];
	struct sg_commit c = { 0 };
	int rc = sg_rev_parse(&f.commit, r->reg, rev);

	if (rc >= 0)
		rc = sg_commit_read(&c, r->reg, &f.commit);
	if (rc >= 0 && (sg_trailer(&op, c.message, "Sg-Op", 0) < 0 || !sg_op_accepts(op) ||
	    sg_trailer(&id, c.message, "Sg-Graft", 0) < 0 || strncmp(id, "sha256:", 7)))
		rc = sg_fail(SG_E_REFUSED, "'%s' is %s, which took no graft in", rev, op ? op : "a commit of stock git");
	if (rc >= 0) {
		snprintf(id16, sizeof(id16), "%.16s", id + 7);
		rc = full_id(f.id, r, &f.commit, id16);
	}
	if (rc >= 0)
		rc = read_name(&f.name, r, &f.commit, id16);
	free(op);
	free(id);
	sg_commit_release(&c);
	if (rc < 0)
		sg_found_release(&f);
	else
		*out = f;
	return rc;
}

void sg_found_release(struct sg_found *f)
{
	free(f->ref);
	free(f->name);
	*f = (struct sg_found){ 0 };
}

int sg_find_extra(struct sg_extra *out, struct sg_repo *r, const char *word)
{
	struct sg_found f = { 0 };

	SG_TRY(sg_find_graft(&f, r, word));
	*out = (struct sg_extra){ .commit = f.commit };
	strcpy(out->id, f.id);
	sg_found_release(&f);
	return 0;
}
