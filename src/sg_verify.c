/*
 * What a line of growth says of itself, held against what its content gives. A
 * commit can be made by anybody with stock git, so a message is a claim, and a
 * change that its Sg-Op does not stand for is a difference whatever it is.
 */
#include "sg_verify.h"
#include "base/error.h"
#include "base/mem.h"
#include <stdarg.h>

#define MANIFEST_MAX ((size_t)16 << 20)
#define DOCS_MAX ((size_t)1 << 30)
#define TOKENIZER_MAX ((size_t)256 << 20)
#define NESTED 32		/* merges inside merged lines that are followed */

/* --- findings ---------------------------------------------------------------- */

const char *sg_proof_name(enum sg_proof p)
{
	return p == SG_PROVEN ? "proven" : p == SG_DIFFERS ? "differs" : "open";
}

int sg_prove_say(struct sg_prover *p, enum sg_proof proof, const char *what, const char *subject,
		 const char *fmt, ...)
{
	struct sg_verified *v = &p->v;
	struct sg_check *k;
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	SG_TRY(SG_GROW(v->check, v->n, v->cap));
	k = &v->check[v->n++];
	*k = (struct sg_check){ .what = what, .subject = sg_strdup(subject), .proof = proof, .text = sg_strdup(text) };
	v->proven += proof == SG_PROVEN;
	v->differs += proof == SG_DIFFERS;
	v->open += proof == SG_OPEN;
	return k->subject && k->text ? 0 : -SG_E_NOMEM;
}

int sg_prove(struct sg_prover *p, int rc, const char *what, const char *subject, const char *text)
{
	if (rc == -SG_E_NOMEM || rc == -SG_E_INTERRUPTED || rc == -SG_E_DEVICE)
		return rc;
	return sg_prove_say(p, rc < 0 ? SG_DIFFERS : SG_PROVEN, what, subject, "%s", rc < 0 ? sg_error_message() : text);
}

int sg_prove_same(struct sg_prover *p, const char *what, const char *subject, const char *stated, const char *is)
{
	if (!strcmp(stated, is))
		return sg_prove_say(p, SG_PROVEN, what, subject, "%.16s", is);
	return sg_prove_say(p, SG_DIFFERS, what, subject, "%.80s is stated, %.64s is what it is", stated, is);
}

static void verified_release(struct sg_verified *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->check[i].subject);
		free(v->check[i].text);
	}
	free(v->check);
	free(v->op);
	free(v->subject);
	free(v->signer);
	*v = (struct sg_verified){ 0 };
}

/* --- what a commit may change ------------------------------------------------ */

enum {
	CAN_BASE     = 1 << 0,		/* sg.json, base/ */
	CAN_POLICY   = 1 << 1,
	CAN_DATA     = 1 << 2,
	CAN_GRAFTS   = 1 << 3,		/* take some in */
	CAN_DROP     = 1 << 4,		/* and out */
	CAN_EFFECT   = 1 << 5,		/* reverted/, consolidated/, merged/ */
};
static const struct { const char *op; unsigned can; } ops[] = {
	{ "init", CAN_BASE | CAN_POLICY | CAN_DATA },
	{ "accept", CAN_GRAFTS | CAN_EFFECT },	/* what an earlier revert left goes */
	{ "cherry-pick", CAN_GRAFTS | CAN_EFFECT },
	{ "reapply", CAN_GRAFTS | CAN_EFFECT },
	{ "data", CAN_DATA },
	{ "policy", CAN_POLICY },
	{ "revert", CAN_DROP | CAN_EFFECT },
	{ "consolidate", CAN_BASE | CAN_GRAFTS | CAN_DROP | CAN_EFFECT },
	{ "merge", CAN_POLICY | CAN_DATA | CAN_GRAFTS | CAN_DROP | CAN_EFFECT },
};
static const struct { const char *name; unsigned needs; } entries[] = {
	{ "sg.json", CAN_BASE }, { "base", CAN_BASE }, { "policy", CAN_POLICY }, { "data", CAN_DATA },
	{ "grafts", CAN_GRAFTS | CAN_DROP }, { "reverted", CAN_EFFECT }, { "consolidated", CAN_EFFECT },
	{ "merged", CAN_EFFECT },
};

static unsigned can(const char *op)
{
	for (size_t i = 0; i < SG_LEN(ops); i++)
		if (!strcmp(ops[i].op, op))
			return ops[i].can;
	return 0;
}

static const struct sg_oid *parent(const struct sg_prover *p)
{
	return p->c->n_parents ? &p->c->parent[0] : NULL;
}

/* Object at a path of a commit (NULL: none); zero when there is none. */
static int object_at(struct sg_oid *out, struct sg_prover *p, const struct sg_oid *commit, const char *path)
{
	int rc;

	*out = (struct sg_oid){ { 0 } };
	rc = commit ? sg_tree_find(out, NULL, p->r->reg, commit, path) : 0;
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int list_at(struct sg_tree_list *out, struct sg_prover *p, const struct sg_oid *commit, const char *path)
{
	int rc = commit ? sg_tree_list(out, p->r->reg, commit, path) : 0;

	return rc >= 0 || rc == -SG_E_NOTFOUND ? 0 : sg_fail_in(rc, "folder '%s'", path);
}

static const struct sg_tree_entry *entry_of(const struct sg_tree_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->entry[i].name, name))
			return &l->entry[i];
	return NULL;
}

/* fn hears of each entry of a folder that is new, gone or another: a and b, NULL
 * where there is none. */
static int each_change(struct sg_prover *p, const char *folder,
		       int (*fn)(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b))
{
	struct sg_tree_list a = { 0 }, b = { 0 };
	int rc = list_at(&a, p, parent(p), folder);

	if (rc >= 0)
		rc = list_at(&b, p, &p->c->id, folder);
	for (size_t i = 0; rc >= 0 && i < a.n; i++)
		if (!entry_of(&b, a.entry[i].name))
			rc = fn(p, &a.entry[i], NULL);
	for (size_t i = 0; rc >= 0 && i < b.n; i++) {
		const struct sg_tree_entry *old = entry_of(&a, b.entry[i].name);

		if (!old || !sg_oid_eq(&old->oid, &b.entry[i].oid))
			rc = fn(p, old, &b.entry[i]);
	}
	sg_tree_list_release(&a);
	sg_tree_list_release(&b);
	return rc;
}

static int check_graft_change(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b)
{
	const char *name = a ? a->name : b->name;

	if (a && b)
		return sg_prove_say(p, SG_DIFFERS, "graft", name, "its folder was changed after it was accepted");
	if (!(can(p->v.op) & (b ? CAN_GRAFTS : CAN_DROP)))
		return sg_prove_say(p, SG_DIFFERS, "graft", name, "%s by a commit %s%.40s", b ? "put in" : "taken out",
				    *p->v.op ? "whose Sg-Op is " : "that names no Sg-Op", p->v.op);
	return 0;
}

/* Everything that changed must be what the operation is for. */
static int check_changes(struct sg_prover *p)
{
	size_t before = p->v.differs;

	for (size_t i = 0; i < SG_LEN(entries); i++) {
		struct sg_oid a, b;

		SG_TRY(object_at(&a, p, parent(p), entries[i].name));
		SG_TRY(object_at(&b, p, &p->c->id, entries[i].name));
		if (sg_oid_eq(&a, &b))
			continue;
		if (!(can(p->v.op) & entries[i].needs))
			SG_TRY(sg_prove_say(p, SG_DIFFERS, "change", entries[i].name, "changed by a commit %s%.40s",
					    *p->v.op ? "whose Sg-Op is " : "that names no Sg-Op", p->v.op));
	}
	SG_TRY(each_change(p, "grafts", check_graft_change));
	if (!p->c->n_parents != !strcmp(p->v.op, "init"))
		SG_TRY(sg_prove_say(p, SG_DIFFERS, "change", "Sg-Op", "%s", p->c->n_parents ?
				    "a registry begins once, but this commit has a parent" : "the first commit is no init"));
	return p->v.differs > before ? 0 : sg_prove_say(p, SG_PROVEN, "change", p->v.op, "nothing else changed");
}

/* --- trailers ---------------------------------------------------------------- */

/* A trailer "sha256:<64>" against what it must be; need: it must be there. */
static int check_trailer(struct sg_prover *p, const char *key, const char *is, bool need)
{
	char *stated = NULL;
	int rc = sg_trailer(&stated, p->c->message, key, 0);

	if (rc == -SG_E_NOTFOUND)
		return need ? sg_prove_say(p, SG_DIFFERS, "trailer", key, "the message does not have it") : 0;
	if (rc >= 0 && strncmp(stated, "sha256:", 7))
		rc = sg_prove_say(p, SG_DIFFERS, "trailer", key, "'%.80s' is no hash", stated);
	else if (rc >= 0)
		rc = sg_prove_same(p, "trailer", key, stated + 7, is);
	free(stated);
	return rc;
}

static int check_trailers(struct sg_prover *p)
{
	bool moved = p->has_prev && strcmp(p->prev.state, p->now.state);
	bool judged = (can(p->v.op) & (CAN_GRAFTS | CAN_DROP)) != 0;

	SG_TRY(check_trailer(p, "Sg-Base", p->now.base, !p->c->n_parents));
	SG_TRY(check_trailer(p, "Sg-State", p->now.state, !p->c->n_parents || moved || judged));
	return p->has_prev ? check_trailer(p, "Sg-Prev-State", p->prev.state, judged) : 0;
}

/* --- base -------------------------------------------------------------------- */

/* Hash of a file of the commit against a member of the pin. */
static int check_base_file(struct sg_prover *p, const char *path, const char *stated)
{
	struct sg_buf b = { 0 };
	char is[SG_SHA256_HEX];
	int rc = sg_tree_read(&b, p->r->reg, &p->c->id, path, TOKENIZER_MAX);

	if (rc >= 0)
		rc = sg_sha256_hex(is, b.data, b.len);
	sg_buf_release(&b);
	return rc < 0 ? sg_prove(p, rc, "base", path, "") : sg_prove_same(p, "base", path, stated, is);
}

static int check_base_files(struct sg_prover *p)
{
	struct sg_json_doc doc = { 0 };
	struct sg_buf b = { 0 };
	struct sg_oid tokenizer;
	const char *config = "";
	int rc = sg_tree_read(&b, p->r->reg, &p->c->id, "sg.json", TOKENIZER_MAX);

	if (rc >= 0)
		rc = sg_json_parse(&doc, b.data, b.len, "sg.json");
	if (rc >= 0)
		rc = sg_json_str(sg_json_get(sg_json_root(&doc), "base"), "config", &config);
	if (rc >= 0)
		rc = check_base_file(p, "base/config.json", config);
	if (rc >= 0)
		rc = object_at(&tokenizer, p, &p->c->id, "base/tokenizer.json");
	/* without a file the tokenizer is that of bytes, which has a digest all the same */
	if (rc >= 0 && !sg_oid_is_zero(&tokenizer))
		rc = check_base_file(p, "base/tokenizer.json", p->now.tokenizer);
	sg_json_release(&doc);
	sg_buf_release(&b);
	return rc;
}

/* The weights, where they are here. */
static int check_base(struct sg_prover *p)
{
	int rc;

	if (sg_names_has(&p->bases, p->now.base))
		return 0;
	SG_TRY(sg_names_add(&p->bases, p->now.base));
	SG_TRY(check_base_files(p));
	rc = sg_view_base(&p->now, p->progress);
	if (rc == -SG_E_NOTFOUND)
		return sg_prove_say(p, SG_OPEN, "base", p->now.base, "%s", sg_error_message());
	if (rc >= 0)
		rc = sg_view_check_pin(&p->now, p->progress);
	return sg_prove(p, rc, "base", p->now.base, "all weights have the pinned hashes");
}

/* --- policy ------------------------------------------------------------------ */

static int check_policy(struct sg_prover *p)
{
	struct sg_policy policy = { 0 };
	struct sg_oid a, now;
	int rc = object_at(&a, p, parent(p), "policy");

	if (rc >= 0)
		rc = object_at(&now, p, &p->c->id, "policy");
	if (rc < 0 || sg_oid_eq(&a, &now))
		return rc;
	rc = sg_policy_at(&policy, p->r, &p->c->id);
	if (rc < 0)
		rc = sg_prove(p, rc, "policy", "", "");
	else
		rc = check_trailer(p, "Sg-Policy", policy.id, !strcmp(p->v.op, "policy"));
	sg_policy_release(&policy);
	return rc;
}

/* --- data sets --------------------------------------------------------------- */

int sg_prove_manifest(struct sg_dataset_manifest *m, char id[SG_SHA256_HEX], struct sg_repo *r,
		      const struct sg_oid *commit, const char *name)
{
	struct sg_buf b = { 0 };
	char path[400], file[100];
	int rc;

	snprintf(path, sizeof(path), "data/%.255s", name);
	rc = sg_tree_read(&b, r->reg, commit, path, MANIFEST_MAX);
	if (rc >= 0)
		rc = sg_dataset_manifest_parse(m, b.data, b.len, path);
	if (rc >= 0)
		rc = sg_sha256_hex(id, b.data, b.len);
	if (rc >= 0) {
		snprintf(file, sizeof(file), "%.70s.json", m->name);
		if (strcmp(file, name))
			rc = sg_fail(SG_E_CORRUPT, "%s: it is the manifest of '%s'", path, m->name);
	}
	sg_buf_release(&b);
	return rc;
}

static int read_docs(struct sg_buf *out, struct sg_prover *p, const struct sg_dataset_manifest *m)
{
	char path[100];
	int64_t common;

	snprintf(path, sizeof(path), "data/%.70s.docs", m->name);
	SG_TRY(sg_tree_read(out, p->r->reg, &p->c->id, path, DOCS_MAX));
	common = sg_dataset_common(out->data, out->len, out->data, out->len, NULL);
	if (common < 0)
		return sg_fail_in((int)common, "%s", path);
	if (out->len != m->docs * SG_DOC_HASH)
		return sg_fail(SG_E_CORRUPT, "%s: it lists %zu documents, the manifest has %llu", path,
			       out->len / SG_DOC_HASH, (unsigned long long)m->docs);
	return 0;
}

/* The list of documents against the tokens, where they are here. */
static int check_tokens(struct sg_prover *p, const struct sg_dataset_manifest *m, const struct sg_buf *docs)
{
	struct sg_shard shard = { 0 };
	struct sg_buf is = { 0 };
	char *dir = sg_repo_path(p->r, "data");
	int rc = dir ? sg_dataset_open(&shard, dir, m) : -SG_E_NOMEM;

	free(dir);
	if (rc == -SG_E_NOTFOUND)
		return sg_prove_say(p, SG_OPEN, "tokens", m->name, "not on this machine");
	if (rc >= 0)
		rc = sg_dataset_docs(&is, &shard.t);
	if (rc >= 0 && (is.len != docs->len || memcmp(is.data, docs->data, is.len)))
		rc = sg_fail(SG_E_CORRUPT, "the list of documents is not that of the tokens");
	sg_shard_release(&shard);
	sg_buf_release(&is);
	return sg_prove(p, rc, "tokens", m->name, m->shard);
}

/* No document stands in two roles. */
static int check_role(struct sg_prover *p, const struct sg_dataset_manifest *m, const struct sg_buf *docs)
{
	struct sg_tree_list l = { 0 };
	int rc = list_at(&l, p, &p->c->id, "data");

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_dataset_manifest o = { 0 };
		struct sg_buf theirs = { 0 };
		char id[SG_SHA256_HEX];
		size_t n = strlen(l.entry[i].name);
		int64_t common = 0;

		if (n < 5 || strcmp(l.entry[i].name + n - 5, ".json"))
			continue;
		rc = sg_prove_manifest(&o, id, p->r, &p->c->id, l.entry[i].name);
		if (rc >= 0 && o.role != m->role) {
			rc = read_docs(&theirs, p, &o);
			common = rc < 0 ? 0 : sg_dataset_common(docs->data, docs->len, theirs.data, theirs.len, NULL);
		}
		if (common)
			rc = common < 0 ? (int)common : sg_fail(SG_E_REFUSED, "%lld documents stand in '%s' (%s) too",
							       (long long)common, o.name, sg_role_name(o.role));
		sg_buf_release(&theirs);
		sg_dataset_manifest_release(&o);
	}
	sg_tree_list_release(&l);
	return sg_prove(p, rc, "role", m->name, sg_role_name(m->role));
}

static int check_set(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b)
{
	struct sg_dataset_manifest m = { 0 };
	struct sg_buf docs = { 0 };
	char id[SG_SHA256_HEX], set[80] = "";
	size_t n = b ? strlen(b->name) : 0;
	int rc;

	(void)a;
	if (n < 5 || strcmp(b->name + n - 5, ".json"))
		return 0;
	p->total->sets++;
	rc = sg_prove_manifest(&m, id, p->r, &p->c->id, b->name);
	snprintf(set, sizeof(set), "%.70s", rc < 0 ? b->name : m.name);
	if (rc >= 0)
		rc = read_docs(&docs, p, &m);
	if (rc < 0) {
		rc = sg_prove(p, rc, "data", set, "");
	} else {
		rc = sg_prove_say(p, SG_PROVEN, "data", set, "%.16s", id);
		if (rc >= 0 && !strcmp(p->v.op, "data"))
			rc = check_trailer(p, "Sg-Data", id, true);
		if (rc >= 0)
			rc = check_role(p, &m, &docs);
		if (rc >= 0)
			rc = check_tokens(p, &m, &docs);
	}
	sg_buf_release(&docs);
	sg_dataset_manifest_release(&m);
	return rc;
}

/* --- grafts and compositions ------------------------------------------------- */

static int check_graft(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b)
{
	return b && !a ? sg_prove_graft(p, b->name) : 0;
}

/* A merge takes what was recorded on the other line along as it is; there it was checked. */
static bool is_taken_over(const struct sg_prover *p, const char *folder, const struct sg_tree_entry *b)
{
	char path[400];
	struct sg_oid oid;
	bool same = false;

	snprintf(path, sizeof(path), "%s/%.255s", folder, b->name);
	for (size_t i = 1; !strcmp(p->v.op, "merge") && i < p->c->n_parents; i++)
		same |= sg_tree_find(&oid, NULL, p->r->reg, &p->c->parent[i], path) >= 0 && sg_oid_eq(&oid, &b->oid);
	return same;
}

static int check_reverted(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b)
{
	char receipt[300], json[300];

	(void)a;
	if (!b || is_taken_over(p, "reverted", b))
		return 0;
	snprintf(receipt, sizeof(receipt), "reverted/%.200s/receipt.mp", b->name);
	snprintf(json, sizeof(json), "reverted/%.200s/effect.json", b->name);
	return sg_prove_effect(p, receipt, json, b->name);
}

static int check_consolidated(struct sg_prover *p, const struct sg_tree_entry *a, const struct sg_tree_entry *b)
{
	size_t n = b ? strlen(b->name) : 0;
	char state[17], receipt[64], json[64];

	(void)a;
	/* one of the two files speaks for both */
	if (n != 21 || strcmp(b->name + 16, ".json") || is_taken_over(p, "consolidated", b))
		return 0;
	snprintf(state, sizeof(state), "%.16s", b->name);
	snprintf(receipt, sizeof(receipt), "consolidated/%s.mp", state);
	snprintf(json, sizeof(json), "consolidated/%s.json", state);
	return sg_prove_effect(p, receipt, json, state);
}

/* What was merged is a composition that nobody had judged before. */
static int check_merged(struct sg_prover *p)
{
	char receipt[64], json[64], state[17];
	struct sg_oid oid;

	if (strcmp(p->v.op, "merge") || !p->has_prev || !strcmp(p->now.state, p->prev.state))
		return 0;
	snprintf(state, sizeof(state), "%.16s", p->now.state);
	snprintf(receipt, sizeof(receipt), "merged/%s.mp", state);
	snprintf(json, sizeof(json), "merged/%s.json", state);
	SG_TRY(object_at(&oid, p, &p->c->id, json));
	if (sg_oid_is_zero(&oid))
		return sg_prove_say(p, SG_DIFFERS, "merged", state, "nothing is recorded of this composition");
	return sg_prove_effect(p, receipt, json, state);
}

/* Everything that the commit brought. */
static int check_content(struct sg_prover *p)
{
	SG_TRY(check_policy(p));
	SG_TRY(each_change(p, "data", check_set));
	if (!p->has_now)
		return 0;
	SG_TRY(check_trailers(p));
	SG_TRY(check_base(p));
	SG_TRY(each_change(p, "grafts", check_graft));
	SG_TRY(each_change(p, "reverted", check_reverted));
	SG_TRY(each_change(p, "consolidated", check_consolidated));
	return check_merged(p);
}

/* --- the walk ---------------------------------------------------------------- */

/* The composition of `commit`, unless it is the one at hand; errors of its content
 * are left to the commit that made it. */
static int open_prev(struct sg_prover *p)
{
	int rc = 0;

	if (p->has_prev)
		sg_view_release(&p->prev);
	p->has_prev = false;
	if (!p->c->n_parents)
		return 0;
	if (p->has_now && sg_oid_eq(&p->now.commit, parent(p))) {
		p->prev = p->now;
		p->has_prev = true;
		p->now = (struct sg_view){ 0 };
		p->has_now = false;
		return 0;
	}
	rc = sg_view_at(&p->prev, p->r, parent(p));
	p->has_prev = rc >= 0;
	return rc == -SG_E_NOMEM ? rc : 0;
}

static int open_now(struct sg_prover *p)
{
	int rc;

	if (p->has_now)
		sg_view_release(&p->now);
	rc = sg_view_at(&p->now, p->r, &p->c->id);
	p->has_now = rc >= 0;
	if (p->has_now)
		strcpy(p->v.state, p->now.state);
	return sg_prove(p, rc, "composition", "", p->v.state);
}

static int begin(struct sg_prover *p)
{
	char *op = NULL;
	int rc = sg_trailer(&op, p->c->message, "Sg-Op", 0);

	if (rc == -SG_E_NOTFOUND)
		rc = (op = sg_strdup("")) ? 0 : -SG_E_NOMEM;
	p->v.op = op;
	sg_oid_hex(p->v.commit, &p->c->id);
	if (rc >= 0)
		rc = (p->v.subject = sg_commit_subject(p->c->message)) ? 0 : -SG_E_NOMEM;
	return rc;
}

/* last: the tip, with which the registry's refs are told of too. */
static int check_commit(struct sg_prover *p, const struct sg_commit *c, bool last)
{
	int rc;

	p->c = c;
	p->came = (struct sg_receipt_facts){ 0 };
	verified_release(&p->v);
	SG_TRY(begin(p));
	SG_TRY(open_prev(p));
	SG_TRY(open_now(p));
	rc = check_changes(p);
	if (rc >= 0)
		rc = sg_prove_trust(p);
	if (rc >= 0)
		rc = check_content(p);
	/* a tree or a file that cannot be read at all */
	if (rc < 0)
		SG_TRY(sg_prove(p, rc, "object", "", ""));
	if (last)
		SG_TRY(sg_prove_refs(p));
	p->total->commits++;
	p->total->proven += p->v.proven;
	p->total->differs += p->v.differs;
	p->total->open += p->v.open;
	return 0;
}

struct stop { struct sg_oid oid; bool nested; };
struct line { struct stop *stop; size_t n, cap; struct sg_registry *reg; unsigned depth; };

static int collect(struct line *l, const struct sg_oid *from, const struct sg_oid *hide);

/* The commits of a line in order; what a merge brought in goes before the merge. */
static int collect_one(void *arg, const struct sg_commit *c)
{
	struct line *l = arg;
	char *op = NULL;
	bool merge;

	merge = c->n_parents > 1 && sg_trailer(&op, c->message, "Sg-Op", 0) >= 0 && !strcmp(op, "merge");
	free(op);
	if (merge) {
		int rc;

		if (l->depth >= NESTED)
			return sg_fail(SG_E_UNSUPPORTED, "more than %d merges inside one another", NESTED);
		l->depth++;
		rc = collect(l, &c->parent[1], &c->parent[0]);
		l->depth--;
		SG_TRY(rc);
	}
	SG_TRY(SG_GROW(l->stop, l->n, l->cap));
	l->stop[l->n++] = (struct stop){ c->id, l->depth > 0 };
	return 0;
}

static int collect(struct line *l, const struct sg_oid *from, const struct sg_oid *hide)
{
	return sg_history_walk(l->reg, from, 1, hide, hide != NULL, SG_WALK_FIRST_PARENT | SG_WALK_REVERSE, collect_one, l);
}

static int walk(struct sg_prover *p, const struct sg_oid *from, int (*fn)(void *arg, const struct sg_verified *v), void *arg)
{
	struct line l = { .reg = p->r->reg };
	int rc = collect(&l, from, NULL), stop = 0;

	for (size_t i = 0; rc >= 0 && !stop && i < l.n; i++) {
		struct sg_commit c = { 0 };

		if (sg_progress(p->progress, "verifying", i, l.n, ""))
			rc = sg_fail(SG_E_INTERRUPTED, "interrupted");
		if (rc >= 0)
			rc = sg_commit_read(&c, p->r->reg, &l.stop[i].oid);
		p->nested = l.stop[i].nested;
		if (rc >= 0)
			rc = check_commit(p, &c, i + 1 == l.n);
		if (rc >= 0)
			rc = stop = fn(arg, &p->v);
		sg_commit_release(&c);
	}
	free(l.stop);
	return SG_MIN(rc, 0);
}

int sg_verify(struct sg_verify_total *out, struct sg_repo *r, const struct sg_verify_opts *o,
	      int (*fn)(void *arg, const struct sg_verified *v), void *arg, const struct sg_progress *progress)
{
	struct sg_verify_total total = { 0 };
	struct sg_prover p = { .r = r, .o = o, .progress = progress, .total = &total };
	struct sg_oid from;
	int rc = sg_rev_parse(&from, r->reg, o->rev ? o->rev : "HEAD");

	r->no_cache = true;
	if (rc >= 0)
		rc = sg_prove_branch(&p.branch, r, o->rev, &from);
	if (rc >= 0)
		rc = walk(&p, &from, fn, arg);
	free(p.branch);
	verified_release(&p.v);
	if (p.has_prev)
		sg_view_release(&p.prev);
	if (p.has_now)
		sg_view_release(&p.now);
	sg_names_release(&p.bases);
	sg_measured_release(&p);
	*out = total;
	return rc < 0 ? rc : total.differs > 0;
}
