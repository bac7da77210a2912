/*
 * The evidence that let a graft in: its payload against its manifest, its receipt
 * against the compositions, data sets and policy of that time, and what people read
 * (accept.json, the message) against the receipt.
 */
#include "sg_verify.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/gate.h"
#include <math.h>

#define CHUNK_MAX ((size_t)512 << 10)	/* most bytes of a tensor in one chunk */
#define JSON_MAX ((size_t)64 << 20)

/* --- payload ----------------------------------------------------------------- */

static void count_facts(struct sg_receipt_facts *f, const struct sg_graftfile_tensor *t, const void *data)
{
	const float *v = data;
	size_t n = t->bytes / sizeof(*v);

	for (size_t i = 0; i < n; i++) {
		f->nonzero += v[i] != 0;
		f->nonfinite += !isfinite(v[i]);
	}
	f->elements += n;
	f->size += t->bytes;
}

/* A tensor's bytes have the hash that its manifest states. */
static int check_tensor(struct sg_prover *p, const char *id16, const struct sg_graftfile_tensor *t,
			struct sg_receipt_facts *facts)
{
	struct sg_tree_list l = { 0 };
	char folder[300];
	void *data = NULL;
	int rc;

	snprintf(folder, sizeof(folder), "grafts/%.16s/data/%s", id16, t->name);
	rc = sg_tree_list(&l, p->r->reg, &p->c->id, folder);
	/* as much memory as the chunks can fill, whatever size is stated */
	if (rc >= 0 && t->bytes / CHUNK_MAX > l.n)
		rc = sg_fail(SG_E_CORRUPT, "'%s' has %zu chunks, too few for %zu bytes", folder, l.n, t->bytes);
	if (rc >= 0)
		rc = (data = sg_calloc(SG_MAX(t->bytes, (size_t)1), 1)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_payload_read(data, t->bytes, p->r->reg, &p->c->id, folder, t->sha256);
	if (rc >= 0) {
		p->total->tensors++;
		p->total->bytes += t->bytes;
		if (t->dtype == SG_F32)
			count_facts(facts, t, data);
	}
	free(data);
	sg_tree_list_release(&l);
	return rc;
}

static int check_payload(struct sg_prover *p, const struct sg_graft *g, struct sg_receipt_facts *facts)
{
	struct sg_tree_list l = { 0 };
	char path[64], text[100];
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < g->file.n_tensors; i++) {
		rc = check_tensor(p, g->id, &g->file.tensor[i], facts);
		if (sg_progress(p->progress, "payload", i, g->file.n_tensors, ""))
			rc = sg_fail(SG_E_INTERRUPTED, "interrupted");
	}
	snprintf(path, sizeof(path), "grafts/%.16s/data", g->id);
	if (rc >= 0)
		rc = sg_tree_list(&l, p->r->reg, &p->c->id, path);
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		if (!sg_graftfile_tensor(&g->file, l.entry[i].name))
			rc = sg_fail(SG_E_CORRUPT, "%s holds '%s', which the manifest does not name", path, l.entry[i].name);
	sg_tree_list_release(&l);
	snprintf(text, sizeof(text), "%zu tensors have their hashes", g->file.n_tensors);
	return sg_prove(p, rc, "payload", g->id, text);
}

/* --- the candidate it was ---------------------------------------------------- */

static bool same_at(struct sg_prover *p, const struct sg_oid *other, const char *path)
{
	struct sg_oid a = { { 0 } }, b = { { 0 } };

	return sg_tree_find(&a, NULL, p->r->reg, &p->c->id, path) >= 0 &&
	       sg_tree_find(&b, NULL, p->r->reg, other, path) >= 0 && sg_oid_eq(&a, &b);
}

/* An accept takes the folder of its second parent, as its trainer made it. */
static int check_candidate(struct sg_prover *p, const char *id16)
{
	char manifest[64], data[64], train[64];
	bool same;

	if (p->c->n_parents < 2)
		return 0;
	snprintf(manifest, sizeof(manifest), "grafts/%.16s/graft.json", id16);
	snprintf(train, sizeof(train), "grafts/%.16s/train.json", id16);
	snprintf(data, sizeof(data), "grafts/%.16s/data", id16);
	same = same_at(p, &p->c->parent[1], manifest) && same_at(p, &p->c->parent[1], data);
	if (same && !same_at(p, &p->c->parent[1], train)) {
		struct sg_oid oid;	/* an imported graft has none */

		same = sg_tree_find(&oid, NULL, p->r->reg, &p->c->id, train) == -SG_E_NOTFOUND;
	}
	return sg_prove_say(p, same ? SG_PROVEN : SG_DIFFERS, "candidate", id16, "%s",
			    same ? "as its trainer committed it" : "its folder is not that of the second parent");
}

/* --- receipts ---------------------------------------------------------------- */

/* One set of a receipt against the manifest that the judge had before it. */
static int check_receipt_set(struct sg_prover *p, const struct sg_receipt *r, const struct sg_receipt_set *s)
{
	struct sg_dataset_manifest m = { 0 };
	char id[SG_SHA256_HEX], name[100];
	int rc;

	snprintf(name, sizeof(name), "%.70s.json", s->name);
	rc = sg_prove_manifest(&m, id, p->r, &p->prev.commit, name);
	if (rc >= 0 && (strcmp(id, s->id) || strcmp(m.shard, s->shard) || m.docs != s->docs))
		rc = sg_fail(SG_E_CORRUPT, "the receipt judged another set of that name");
	/* a composition may be asked for less than a graft: not to be worse */
	if (rc >= 0 && sg_gate_growth(r) && strcmp(s->role, sg_role_name(m.role)))
		rc = sg_fail(SG_E_CORRUPT, "it was judged as '%s', but it is '%s'", s->role, sg_role_name(m.role));
	sg_dataset_manifest_release(&m);
	return rc;
}

static bool measured_on(const struct sg_receipt *r, const char *name)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (!strcmp(r->set[i].name, name))
			return true;
	return false;
}

/* A judged set that the receipt leaves out would be a gate that was not asked. */
static int check_left_out(struct sg_prover *p, const struct sg_receipt *r)
{
	struct sg_tree_list l = { 0 };
	int rc = sg_tree_list(&l, p->r->reg, &p->prev.commit, "data");

	if (rc == -SG_E_NOTFOUND)
		return 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_dataset_manifest m = { 0 };
		size_t n = strlen(l.entry[i].name);
		char id[SG_SHA256_HEX];

		if (n < 5 || strcmp(l.entry[i].name + n - 5, ".json"))
			continue;
		rc = sg_prove_manifest(&m, id, p->r, &p->prev.commit, l.entry[i].name);
		if (rc >= 0 && sg_role_judged(m.role) && !measured_on(r, m.name))
			rc = sg_fail(SG_E_CORRUPT, "set '%s' (%s) was not measured", m.name, sg_role_name(m.role));
		sg_dataset_manifest_release(&m);
	}
	sg_tree_list_release(&l);
	return rc;
}

static int check_receipt_sets(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	int rc = 0;

	if (!p->has_prev)
		return 0;
	for (size_t i = 0; i < r->n_sets; i++) {
		rc = check_receipt_set(p, r, &r->set[i]);
		if (rc < 0)
			return sg_prove(p, sg_fail_in(rc, "set '%.70s'", r->set[i].name), "sets", subject, "");
	}
	return sg_prove(p, check_left_out(p, r), "sets", subject, "judged on the sets of that time, all of them");
}

/* The decision follows from the losses, under the policy of the commit it was judged on. */
static int check_decision(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	struct sg_policy policy = { 0 };
	int rc;

	if (!p->has_prev)
		return 0;
	rc = sg_policy_at(&policy, p->r, &p->prev.commit);
	if (rc >= 0)
		rc = sg_gate_replay(r, &policy);
	sg_policy_release(&policy);
	return sg_prove(p, rc, "verdict", subject, sg_verdict_name(r->verdict));
}

/* Trailers with numbers are those of the receipt, in its order. */
static int check_numbers(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	struct sg_buf m = { 0 };
	size_t metrics = 0;
	int rc = sg_message_metrics(&m, r);
	char *line = rc >= 0 ? m.data : NULL, *save = NULL;

	for (line = line ? strtok_r(line, "\n", &save) : NULL; rc >= 0 && line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':'), *stated = NULL;

		*colon = '\0';
		rc = sg_trailer(&stated, p->c->message, line, !strcmp(line, "Sg-Metric") ? metrics++ : 0);
		if (rc >= 0 && strcmp(stated, colon + 2))
			rc = sg_fail(SG_E_CORRUPT, "%s says '%.200s', the receipt gives '%.200s'", line, stated, colon + 2);
		else if (rc == -SG_E_NOTFOUND)
			rc = sg_fail(SG_E_CORRUPT, "the message has no %s '%.200s'", line, colon + 2);
		free(stated);
	}
	sg_buf_release(&m);
	return sg_prove(p, rc, "numbers", subject, "the message says what the receipt says");
}

static int check_states(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	bool base = !strcmp(r->base, p->now.base) || (p->has_prev && !strcmp(r->base, p->prev.base));

	if (!base)
		return sg_prove_say(p, SG_DIFFERS, "receipt", subject, "it is about another base, %.16s", r->base);
	if (p->has_prev && strcmp(r->parent, p->prev.state))
		return sg_prove_say(p, SG_DIFFERS, "receipt", subject, "it compares with state %.16s, the parent has %.16s",
				    r->parent, p->prev.state);
	if (strcmp(r->candidate, p->now.state))
		return sg_prove_say(p, SG_DIFFERS, "receipt", subject, "it judged state %.16s, this commit has %.16s",
				    r->candidate, p->now.state);
	return sg_prove_say(p, SG_PROVEN, "receipt", subject, "it compares the parent's state with this one");
}

static int check_receipt(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	size_t before = p->v.differs;

	p->total->receipts++;
	SG_TRY(check_states(p, r, subject));
	SG_TRY(check_receipt_sets(p, r, subject));
	SG_TRY(check_decision(p, r, subject));
	SG_TRY(check_numbers(p, r, subject));
	/* what is about something else cannot be measured here */
	return p->o->replay && p->has_prev && before == p->v.differs ? sg_prove_replay(p, r, subject) : 0;
}

static int read_receipt(struct sg_receipt *out, char sha[SG_SHA256_HEX], struct sg_prover *p, const char *path)
{
	struct sg_buf b = { 0 };
	int rc = sg_tree_read(&b, p->r->reg, &p->c->id, path, SG_RECEIPT_MAX);

	if (rc >= 0)
		rc = sg_receipt_parse(out, b.data, b.len, path);
	if (rc >= 0)
		rc = sg_sha256_hex(sha, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* A member of a JSON object that must be this text. */
static int check_member(const struct sg_json *o, const char *key, const char *is)
{
	const char *stated = "";

	SG_TRY(sg_json_str(o, key, &stated));
	return !strcmp(stated, is) ? 0 : sg_fail(SG_E_CORRUPT, "'%s' is '%.80s', the receipt gives '%s'", key, stated, is);
}

/* "gates" as stored and as the receipt gives them. */
static int check_gates(const struct sg_json *o, const struct sg_receipt *r)
{
	const struct sg_json *gates = sg_json_get(o, "gates");
	struct sg_buf stored = { 0 }, made = { 0 };
	struct sg_jsonw w;
	int rc = gates ? 0 : sg_fail(SG_E_CORRUPT, "there are no 'gates'");

	if (rc >= 0) {
		sg_jsonw_init(&w, &stored);
		sg_jsonw_object(&w);
		sg_jsonw_key(&w, "gates");
		sg_jsonw_node(&w, gates);
		sg_jsonw_end(&w, '}');
		rc = sg_jsonw_done(&w);
	}
	if (rc >= 0) {
		sg_jsonw_init(&w, &made);
		sg_jsonw_object(&w);
		sg_gates_json(&w, r);
		sg_jsonw_end(&w, '}');
		rc = sg_jsonw_done(&w);
	}
	if (rc >= 0 && (made.len != stored.len || memcmp(made.data, stored.data, made.len)))
		rc = sg_fail(SG_E_CORRUPT, "'gates' are not those of the receipt");
	sg_buf_release(&stored);
	sg_buf_release(&made);
	return rc;
}

/* What people read of a revert or a consolidation, against its receipt. */
static int check_effect_words(struct sg_prover *p, const struct sg_receipt *r, const char *sha, const char *path,
			      const char *subject)
{
	struct sg_json_doc doc = { 0 };
	struct sg_buf b = { 0 };
	const struct sg_json *o = NULL;
	int rc = sg_tree_read(&b, p->r->reg, &p->c->id, path, JSON_MAX);

	if (rc >= 0)
		rc = sg_json_parse(&doc, b.data, b.len, path);
	if (rc >= 0) {
		o = sg_json_root(&doc);
		rc = check_member(o, "receipt", sha);
	}
	if (rc >= 0)
		rc = check_member(o, "state", r->candidate);
	if (rc >= 0)
		rc = check_member(o, "prev_state", r->parent);
	if (rc >= 0)
		rc = check_member(o, "verdict", sg_verdict_name(r->verdict));
	if (rc >= 0)
		rc = check_gates(o, r);
	sg_json_release(&doc);
	sg_buf_release(&b);
	return sg_prove(p, rc, "effect", subject, "it says what the receipt says");
}

static int check_facts(struct sg_prover *p, const struct sg_receipt *r, const struct sg_receipt_facts *is,
		       const char *id16)
{
	const struct sg_receipt_facts *f = &r->facts;
	bool same = f->size == is->size && f->elements == is->elements && f->nonzero == is->nonzero &&
		    f->nonfinite == is->nonfinite;

	return sg_prove_say(p, same ? SG_PROVEN : SG_DIFFERS, "facts", id16, same ? "%llu numbers, %llu not zero" :
			    "the payload has %llu numbers, %llu not zero; the receipt says otherwise",
			    (unsigned long long)is->elements, (unsigned long long)is->nonzero);
}

int sg_prove_effect(struct sg_prover *p, const char *receipt, const char *json, const char *subject)
{
	struct sg_receipt r = { 0 };
	char sha[SG_SHA256_HEX];
	int rc = read_receipt(&r, sha, p, receipt);

	if (rc == -SG_E_NOTFOUND)
		return sg_prove_say(p, SG_OPEN, "effect", subject, "it was not measured");
	if (rc < 0)
		return sg_prove(p, rc, "receipt", subject, "");
	if (*r.graft)
		rc = sg_prove_say(p, SG_DIFFERS, "receipt", subject, "it is about graft %.16s, not about a composition", r.graft);
	/* without facts nothing would have asked the merge to be better */
	if (rc >= 0 && !strcmp(p->v.op, "merge"))
		rc = check_facts(p, &r, &p->came, subject);
	if (rc >= 0)
		rc = check_effect_words(p, &r, sha, json, subject);
	if (rc >= 0)
		rc = check_receipt(p, &r, subject);
	if (rc >= 0)
		rc = sg_prove_receipt_signature(p, receipt, subject);
	sg_receipt_release(&r);
	return rc;
}

/* --- grafts ------------------------------------------------------------------ */

/* accept.json is the receipt in other words: made again, it has the same bytes. */
static int check_words(struct sg_prover *p, const struct sg_receipt *r, const char *sha, const char *id16)
{
	struct sg_buf stored = { 0 }, made = { 0 };
	struct sg_json_doc doc = { 0 };
	const char *name = NULL;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/accept.json", id16);
	rc = sg_tree_read(&stored, p->r->reg, &p->c->id, path, JSON_MAX);
	if (rc >= 0)
		rc = sg_json_parse(&doc, stored.data, stored.len, path);
	if (rc >= 0)
		rc = sg_json_str(sg_json_root(&doc), "name", &name);
	if (rc >= 0)
		rc = sg_accept_json(&made, r, name, sha);
	if (rc >= 0 && (made.len != stored.len || memcmp(made.data, stored.data, made.len)))
		rc = sg_fail(SG_E_CORRUPT, "accept.json says other things than the receipt");
	sg_json_release(&doc);
	sg_buf_release(&stored);
	sg_buf_release(&made);
	return sg_prove(p, rc, "accept.json", id16, "it says what the receipt says");
}

static int check_accept(struct sg_prover *p, const struct sg_graft *g, const struct sg_receipt_facts *facts)
{
	struct sg_receipt r = { 0 };
	char path[64], sha[SG_SHA256_HEX];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", g->id);
	rc = read_receipt(&r, sha, p, path);
	if (rc < 0) {
		rc = sg_prove(p, rc, "receipt", g->id, "");
	} else {
		if (strcmp(r.graft, g->id))
			rc = sg_prove_say(p, SG_DIFFERS, "receipt", g->id, "it is about graft %.16s", r.graft);
		if (rc >= 0 && r.verdict != SG_ACCEPT)
			rc = sg_prove_say(p, SG_DIFFERS, "receipt", g->id, "the gates said %s", sg_verdict_name(r.verdict));
		if (rc >= 0)
			rc = check_facts(p, &r, facts, g->id);
		if (rc >= 0)
			rc = check_words(p, &r, sha, g->id);
		if (rc >= 0)
			rc = check_receipt(p, &r, g->id);
		if (rc >= 0)
			rc = sg_prove_receipt_signature(p, path, g->id);
	}
	sg_receipt_release(&r);
	return rc;
}

/* A graft that a consolidation carried to the new base keeps the verdict of the whole. */
static int check_carried(struct sg_prover *p, const char *id)
{
	struct sg_receipt r = { 0 };
	char path[64], sha[SG_SHA256_HEX];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", id);
	rc = read_receipt(&r, sha, p, path);
	if (rc == -SG_E_NOTFOUND)
		return 0;	/* of the whole it is said that nothing was measured */
	if (rc >= 0 && strcmp(r.candidate, p->now.state))
		rc = sg_fail(SG_E_CORRUPT, "its receipt is about state %.16s", r.candidate);
	if (rc < 0) {
		rc = sg_prove(p, rc, "receipt", id, "");
	} else {
		strcpy(r.graft, id);
		rc = check_words(p, &r, sha, id);
	}
	sg_receipt_release(&r);
	return rc;
}

/* A merge takes folders over from the other line, where they were judged. */
static int check_merged(struct sg_prover *p, const char *id16)
{
	char path[64];
	bool same = false;

	snprintf(path, sizeof(path), "grafts/%.16s", id16);
	for (size_t i = 1; i < p->c->n_parents; i++)
		same |= same_at(p, &p->c->parent[i], path);
	return sg_prove_say(p, same ? SG_PROVEN : SG_DIFFERS, "merged", id16, "%s",
			    same ? "as the other line has it" : "no other parent has it like that");
}

int sg_prove_graft(struct sg_prover *p, const char *id16)
{
	struct sg_receipt_facts facts = { 0 };
	struct sg_graft *g = NULL;
	int rc = sg_stored_graft(&g, p->r, &p->c->id, id16);

	if (rc < 0)
		return sg_prove(p, rc, "graft", id16, "");
	p->total->grafts++;
	rc = sg_prove_say(p, SG_PROVEN, "graft", g->id, "its id is the hash of its manifest");
	if (rc >= 0)
		rc = check_payload(p, g, &facts);
	if (rc >= 0 && !strcmp(p->v.op, "merge")) {
		p->came.size += facts.size;
		p->came.elements += facts.elements;
		p->came.nonzero += facts.nonzero;
		p->came.nonfinite += facts.nonfinite;
		rc = check_merged(p, g->id);
	} else if (rc >= 0 && !strcmp(p->v.op, "consolidate")) {
		rc = check_carried(p, g->id);
	} else if (rc >= 0) {
		rc = check_candidate(p, g->id);
		if (rc >= 0)
			rc = check_accept(p, g, &facts);
	}
	if (rc >= 0)
		rc = sg_prove_approvals(p, g->id);
	sg_graft_free(g);
	return rc;
}
