/*
 * A receipt as bytes: one msgpack map with its keys in one order. The reader takes
 * what it needs and writes it again: bytes that differ are no receipt, so there is
 * exactly one text for each, and unknown or doubled keys need no code of their own.
 */
#include "gate/receipt.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/pack.h"
#include <math.h>

#define NAME_MAX_ 64		/* names of sets, roles, gates */
#define PROBE_MAX_ 128		/* names of probes */
#define PROBES_MAX_ (16 * SG_RECEIPT_SETS)
#define TEXT_MAX 4096		/* fingerprint, tool, texts of gates */

static const char *const verdicts[SG_VERDICT_COUNT] = { "accept", "reject", "defer" };

const char *sg_verdict_name(enum sg_verdict v)
{
	return v < SG_VERDICT_COUNT ? verdicts[v] : "none";
}

#define N_GATE_KEYS 16
#define FACTS(X) X(size) X(elements) X(nonzero) X(nonfinite)

static void set_release(struct sg_receipt_set *s)
{
	free(s->name);
	free(s->role);
	free(s->parent);
	free(s->cand);
	free(s->tokens);
	free(s->bytes);
	*s = (struct sg_receipt_set){ 0 };
}

static void gate_release(struct sg_receipt_gate *g)
{
	free(g->name);
	free(g->set);
	free(g->text);
	*g = (struct sg_receipt_gate){ 0 };
}

void sg_receipt_clear_gates(struct sg_receipt *r)
{
	for (size_t i = 0; i < r->n_gates; i++)
		gate_release(&r->gate[i]);
	r->n_gates = 0;
}

void sg_receipt_release(struct sg_receipt *r)
{
	sg_receipt_clear_gates(r);
	for (size_t i = 0; i < r->n_sets; i++)
		set_release(&r->set[i]);
	for (size_t i = 0; i < r->n_probes; i++)
		set_release(&r->probe[i]);
	free(r->gate);
	free(r->set);
	free(r->probe);
	free(r->fingerprint);
	free(r->tool);
	*r = (struct sg_receipt){ 0 };
}

static int copy_id(char to[SG_SHA256_HEX], const char *id, const char *what)
{
	if (!sg_is_sha256(id))
		return sg_fail(SG_E_CORRUPT, "receipt: '%s' of %s is no SHA-256", id, what);
	memcpy(to, id, SG_SHA256_HEX);
	return 0;
}

static int set_fill(struct sg_receipt_set *s, const char *name, const char *role, const char *id,
		    const char *shard, uint64_t uses, size_t docs)
{
	size_t n = docs ? docs : 1;

	if (docs > SG_RECEIPT_DOCS)
		return sg_fail(SG_E_CORRUPT, "receipt: set '%s' has more than %zu documents", name, SG_RECEIPT_DOCS);
	SG_TRY(copy_id(s->id, id, "a set"));
	SG_TRY(copy_id(s->shard, shard, "a shard"));
	s->uses = uses;
	s->docs = docs;
	s->name = sg_strdup(name);
	s->role = sg_strdup(role);
	if (!s->name || !s->role)
		return -SG_E_NOMEM;
	SG_TRY(SG_NEW(s->parent, n));
	SG_TRY(SG_NEW(s->cand, n));
	SG_TRY(SG_NEW(s->tokens, n));
	return SG_NEW(s->bytes, n);
}

static int add_to(struct sg_receipt_set **list, size_t *n, size_t *cap, struct sg_receipt_set **out, const char *name,
		  const char *role, const char *id, const char *shard, uint64_t uses, size_t docs)
{
	struct sg_receipt_set s = { 0 };
	int rc;

	SG_TRY(SG_GROW(*list, *n, *cap));
	rc = set_fill(&s, name, role, id, shard, uses, docs);
	if (rc < 0) {
		set_release(&s);
		return rc;
	}
	(*list)[*n] = s;
	*out = &(*list)[(*n)++];
	return 0;
}

int sg_receipt_add_set(struct sg_receipt *r, struct sg_receipt_set **out, const char *name,
		       const char *role, const char *id, const char *shard, uint64_t uses, size_t docs)
{
	return add_to(&r->set, &r->n_sets, &r->cap_sets, out, name, role, id, shard, uses, docs);
}

int sg_receipt_add_probe(struct sg_receipt *r, struct sg_receipt_set **out, const char *name,
			 const char *role, const char *id, const char *shard, uint64_t uses, size_t docs)
{
	return add_to(&r->probe, &r->n_probes, &r->cap_probes, out, name, role, id, shard, uses, docs);
}

const struct sg_receipt_set *sg_receipt_whole(const struct sg_receipt *r, const struct sg_receipt_set *probe)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (!strcmp(r->set[i].id, probe->id) && r->set[i].docs >= probe->docs)
			return &r->set[i];
	return NULL;
}

/* --- rules ------------------------------------------------------------------ */

static bool name_ok(const char *s)
{
	return s && *s && strlen(s) <= NAME_MAX_;
}

static bool text_ok(const char *s)
{
	return s && strlen(s) <= TEXT_MAX;
}

static bool gate_ok(const struct sg_receipt_gate *g)
{
#define X(field) if (!isfinite(g->field)) return false;
	SG_RECEIPT_REALS(X)
#undef X
	return name_ok(g->name) && g->set && strlen(g->set) <= PROBE_MAX_ && text_ok(g->text) &&
	       g->verdict < SG_VERDICT_COUNT;
}

/* "<set>/<what>" */
static bool probe_name_ok(const char *s)
{
	const char *slash = s ? strchr(s, '/') : NULL;

	return slash && slash != s && slash[1] && strlen(s) <= PROBE_MAX_;
}

/* Sets, or probes: `what`. */
static int check_list(const struct sg_receipt_set *list, size_t n, size_t max, const char *what, bool (*ok)(const char *name))
{
	if (n > max)
		return sg_fail(SG_E_CORRUPT, "receipt: more than %zu %ss", max, what);
	for (size_t i = 0; i < n; i++) {
		const struct sg_receipt_set *s = &list[i];

		if (!ok(s->name) || !name_ok(s->role))
			return sg_fail(SG_E_CORRUPT, "receipt: %s %zu has no proper name or role", what, i);
		if (!sg_is_sha256(s->id) || !sg_is_sha256(s->shard))
			return sg_fail(SG_E_CORRUPT, "receipt: %s '%s' has no id or no shard", what, s->name);
		if (!s->uses)
			return sg_fail(SG_E_CORRUPT, "receipt: %s '%s' counts no use", what, s->name);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(list[j].name, s->name))
				return sg_fail(SG_E_CORRUPT, "receipt: %s '%s' is there twice", what, s->name);
	}
	return 0;
}

static int check(const struct sg_receipt *r)
{
	const struct sg_receipt_facts *f = &r->facts;

	if (!sg_is_sha256(r->base) || !sg_is_sha256(r->parent) || !sg_is_sha256(r->candidate) ||
	    !sg_is_sha256(r->policy))
		return sg_fail(SG_E_CORRUPT, "receipt: base, parent, candidate and policy must be SHA-256 ids");
	if (*r->graft && !sg_is_sha256(r->graft))
		return sg_fail(SG_E_CORRUPT, "receipt: '%s' is no graft's id", r->graft);
	if (!text_ok(r->fingerprint) || !text_ok(r->tool))
		return sg_fail(SG_E_CORRUPT, "receipt: fingerprint or tool is missing or too long");
	if (*f->before || *f->after)
		if (!sg_is_sha256(f->before) || !sg_is_sha256(f->after))
			return sg_fail(SG_E_CORRUPT, "receipt: before and after must be two SHA-256 or none");
	if (f->nonzero > f->elements || f->nonfinite > f->elements)
		return sg_fail(SG_E_CORRUPT, "receipt: more elements counted than there are");
	if (r->verdict >= SG_VERDICT_COUNT)
		return sg_fail(SG_E_CORRUPT, "receipt: no verdict");
	SG_TRY(check_list(r->set, r->n_sets, SG_RECEIPT_SETS, "set", name_ok));
	SG_TRY(check_list(r->probe, r->n_probes, PROBES_MAX_, "probe", probe_name_ok));
	if (r->n_gates > SG_RECEIPT_GATES)
		return sg_fail(SG_E_CORRUPT, "receipt: more than %d results", SG_RECEIPT_GATES);
	for (size_t i = 0; i < r->n_gates; i++)
		if (!gate_ok(&r->gate[i]))
			return sg_fail(SG_E_CORRUPT, "receipt: result %zu of a gate is not valid", i);
	return 0;
}

/* --- writing ---------------------------------------------------------------- */

static void put_str(struct sg_packw *w, const char *key, const char *s)
{
	sg_packw_key(w, key);
	sg_packw_str(w, s);
}

static void put_u64(struct sg_packw *w, const char *key, uint64_t v)
{
	sg_packw_key(w, key);
	sg_packw_u64(w, v);
}

static void put_f64(struct sg_packw *w, const char *key, double v)
{
	sg_packw_key(w, key);
	sg_packw_f64(w, v);
}

static void put_facts(struct sg_packw *w, const struct sg_receipt_facts *f)
{
	sg_packw_key(w, "facts");
	sg_packw_map(w, 6);
#define X(field) put_u64(w, #field, f->field);
	FACTS(X)
#undef X
	put_str(w, "before", f->before);
	put_str(w, "after", f->after);
}

static void put_set(struct sg_packw *w, const struct sg_receipt_set *s)
{
	sg_packw_map(w, 9);
	put_str(w, "name", s->name);
	put_str(w, "role", s->role);
	put_str(w, "id", s->id);
	put_str(w, "shard", s->shard);
	put_u64(w, "uses", s->uses);
	sg_packw_key(w, "parent");
	sg_packw_f64s(w, s->parent, s->docs);
	sg_packw_key(w, "cand");
	sg_packw_f64s(w, s->cand, s->docs);
	sg_packw_key(w, "tokens");
	sg_packw_u32s(w, s->tokens, s->docs);
	sg_packw_key(w, "bytes");
	sg_packw_u32s(w, s->bytes, s->docs);
}

static void put_gate(struct sg_packw *w, const struct sg_receipt_gate *g)
{
	sg_packw_map(w, N_GATE_KEYS);
	put_str(w, "name", g->name);
	put_str(w, "set", g->set);
	put_str(w, "verdict", sg_verdict_name(g->verdict));
	put_u64(w, "n", g->n);
#define X(field) put_f64(w, #field, g->field);
	SG_RECEIPT_REALS(X)
#undef X
	put_u64(w, "worse", g->worse);
	put_str(w, "text", g->text);
}

static void put_all(struct sg_packw *w, const struct sg_receipt *r)
{
	sg_packw_map(w, r->n_probes ? 14 : 13);
	put_str(w, "format", SG_RECEIPT_FORMAT);
	put_str(w, "tool", r->tool);
	put_str(w, "base", r->base);
	put_str(w, "parent", r->parent);
	put_str(w, "candidate", r->candidate);
	put_str(w, "graft", r->graft);
	put_str(w, "policy", r->policy);
	put_str(w, "fingerprint", r->fingerprint);
	put_u64(w, "window", r->window);
	put_facts(w, &r->facts);
	sg_packw_key(w, "sets");
	sg_packw_array(w, (uint32_t)r->n_sets);
	for (size_t i = 0; i < r->n_sets; i++)
		put_set(w, &r->set[i]);
	if (r->n_probes) {
		sg_packw_key(w, "probes");
		sg_packw_array(w, (uint32_t)r->n_probes);
	}
	for (size_t i = 0; i < r->n_probes; i++)
		put_set(w, &r->probe[i]);
	sg_packw_key(w, "gates");
	sg_packw_array(w, (uint32_t)r->n_gates);
	for (size_t i = 0; i < r->n_gates; i++)
		put_gate(w, &r->gate[i]);
	put_str(w, "verdict", sg_verdict_name(r->verdict));
}

int sg_receipt_emit(struct sg_buf *out, const struct sg_receipt *r)
{
	struct sg_buf b = { .max = SG_RECEIPT_MAX };
	struct sg_packw w;
	int rc;

	SG_TRY(check(r));
	sg_packw_init(&w, &b);
	put_all(&w, r);
	rc = sg_packw_done(&w);
	if (rc >= 0)
		rc = sg_buf_add(out, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* --- reading ---------------------------------------------------------------- */

static int get_text(const struct sg_pack *m, const char *key, const char **out)
{
	*out = NULL;
	SG_TRY(sg_pack_str(m, key, out));
	return *out ? 0 : sg_fail(SG_E_CORRUPT, "'%s' is missing", key);
}

static int get_copy(const struct sg_pack *m, const char *key, char **out)
{
	const char *s;

	SG_TRY(get_text(m, key, &s));
	return (*out = sg_strdup(s)) ? 0 : -SG_E_NOMEM;
}

/* An id, or nothing ("") where the rules allow it. */
static int get_id(const struct sg_pack *m, const char *key, char out[SG_SHA256_HEX])
{
	const char *s;

	SG_TRY(get_text(m, key, &s));
	if (strlen(s) >= SG_SHA256_HEX)
		return sg_fail(SG_E_CORRUPT, "'%s' is no SHA-256", key);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int get_verdict(const struct sg_pack *m, enum sg_verdict *out)
{
	const char *s;

	SG_TRY(get_text(m, "verdict", &s));
	for (size_t i = 0; i < SG_VERDICT_COUNT; i++) {
		if (!strcmp(s, verdicts[i])) {
			*out = (enum sg_verdict)i;
			return 0;
		}
	}
	return sg_fail(SG_E_CORRUPT, "'%s' is no verdict", s);
}

static int get_facts(const struct sg_pack *m, struct sg_receipt_facts *f)
{
#define X(field) SG_TRY(sg_pack_u64(m, #field, UINT64_MAX, &f->field));
	FACTS(X)
#undef X
	SG_TRY(get_id(m, "before", f->before));
	return get_id(m, "after", f->after);
}

static int get_set(const struct sg_pack *m, struct sg_receipt_set *s)
{
	size_t parent = 0, cand = 0, tokens = 0, bytes = 0;

	SG_TRY(get_copy(m, "name", &s->name));
	SG_TRY(get_copy(m, "role", &s->role));
	SG_TRY(get_id(m, "id", s->id));
	SG_TRY(get_id(m, "shard", s->shard));
	SG_TRY(sg_pack_u64(m, "uses", UINT64_MAX, &s->uses));
	SG_TRY(sg_pack_f64s(m, "parent", &s->parent, &parent));
	SG_TRY(sg_pack_f64s(m, "cand", &s->cand, &cand));
	SG_TRY(sg_pack_u32s(m, "tokens", &s->tokens, &tokens));
	SG_TRY(sg_pack_u32s(m, "bytes", &s->bytes, &bytes));
	if (parent != cand || parent != tokens || parent != bytes)
		return sg_fail(SG_E_CORRUPT, "set '%s' has arrays of different lengths", s->name);
	if (parent > SG_RECEIPT_DOCS)
		return sg_fail(SG_E_CORRUPT, "set '%s' has too many documents", s->name);
	s->docs = parent;
	return 0;
}

static int get_gate(const struct sg_pack *m, struct sg_receipt_gate *g)
{
	SG_TRY(get_copy(m, "name", &g->name));
	SG_TRY(get_copy(m, "set", &g->set));
	SG_TRY(get_verdict(m, &g->verdict));
	SG_TRY(sg_pack_u64(m, "n", UINT64_MAX, &g->n));
#define X(field) SG_TRY(sg_pack_f64(m, #field, &g->field));
	SG_RECEIPT_REALS(X)
#undef X
	SG_TRY(sg_pack_u64(m, "worse", UINT64_MAX, &g->worse));
	return get_copy(m, "text", &g->text);
}

static int get_list(const struct sg_pack *m, const char *key, size_t max, const struct sg_pack **first, size_t *n)
{
	const struct sg_pack *a = sg_pack_get(m, key);

	if (!a || a->type != SG_PACK_ARRAY)
		return sg_fail(SG_E_CORRUPT, "'%s' must be a list", key);
	if (a->n > max)
		return sg_fail(SG_E_CORRUPT, "'%s' has more than %zu members", key, max);
	*first = a->child;
	*n = a->n;
	return 0;
}

static int get_sets(const struct sg_pack *m, const char *key, size_t max, struct sg_receipt_set **list, size_t *n, size_t *cap)
{
	const struct sg_pack *p;

	SG_TRY(get_list(m, key, max, &p, cap));
	*cap = SG_MAX(*cap, (size_t)1);
	SG_TRY(SG_NEW(*list, *cap));
	for (; p; p = p->next)
		SG_TRY(get_set(p, &(*list)[(*n)++]));	/* counted first: release frees a half one */
	return 0;
}

static int get_lists(const struct sg_pack *m, struct sg_receipt *r)
{
	const struct sg_pack *p;
	size_t n;

	SG_TRY(get_sets(m, "sets", SG_RECEIPT_SETS, &r->set, &r->n_sets, &r->cap_sets));
	if (sg_pack_get(m, "probes"))
		SG_TRY(get_sets(m, "probes", PROBES_MAX_, &r->probe, &r->n_probes, &r->cap_probes));
	SG_TRY(get_list(m, "gates", SG_RECEIPT_GATES, &p, &n));
	SG_TRY(SG_NEW(r->gate, n ? n : 1));
	r->cap_gates = n ? n : 1;
	for (; p; p = p->next)
		SG_TRY(get_gate(p, &r->gate[r->n_gates++]));
	return 0;
}

static int get_all(const struct sg_pack *m, struct sg_receipt *r)
{
	uint64_t window = 0;
	const char *format;

	SG_TRY(get_text(m, "format", &format));
	if (strcmp(format, SG_RECEIPT_FORMAT))
		return sg_fail(SG_E_UNSUPPORTED, "format '%s' is not known", format);
	SG_TRY(get_copy(m, "tool", &r->tool));
	SG_TRY(get_id(m, "base", r->base));
	SG_TRY(get_id(m, "parent", r->parent));
	SG_TRY(get_id(m, "candidate", r->candidate));
	SG_TRY(get_id(m, "graft", r->graft));
	SG_TRY(get_id(m, "policy", r->policy));
	SG_TRY(get_copy(m, "fingerprint", &r->fingerprint));
	SG_TRY(sg_pack_u64(m, "window", UINT32_MAX, &window));
	r->window = (uint32_t)window;
	SG_TRY(get_facts(sg_pack_get(m, "facts"), &r->facts));
	SG_TRY(get_lists(m, r));
	return get_verdict(m, &r->verdict);
}

/* Absent numbers read as 0 above, keys that are not known were skipped: all of that
 * ends here, since writing gives other bytes. */
static int check_canonical(const struct sg_receipt *r, const void *data, size_t n)
{
	struct sg_buf b = { 0 };
	int rc = sg_receipt_emit(&b, r);

	if (rc >= 0 && (b.len != n || memcmp(b.data, data, n)))
		rc = sg_fail(SG_E_CORRUPT, "not in canonical form");
	sg_buf_release(&b);
	return rc;
}

int sg_receipt_parse(struct sg_receipt *out, const void *data, size_t n, const char *what)
{
	struct sg_pack_doc doc = { 0 };
	struct sg_receipt r = { 0 };
	int rc;

	if (n > SG_RECEIPT_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' is too large for a receipt: %zu bytes", what, n);
	SG_TRY(sg_pack_parse(&doc, data, n, what));
	rc = get_all(sg_pack_root(&doc), &r);
	if (rc >= 0)
		rc = check_canonical(&r, data, n);
	sg_pack_release(&doc);
	if (rc < 0) {
		sg_receipt_release(&r);
		return sg_fail_in(rc, "'%s'", what);
	}
	*out = r;
	return 0;
}
