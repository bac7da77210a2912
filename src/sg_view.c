/* A composition as a commit has it: base, grafts, order, model. */
#include "sg_repo.h"
#include "sg_stack.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

/* --- grafts that a commit holds --------------------------------------------- */

int sg_stored_graft(struct sg_graft **out, struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_buf b = { 0 };
	char path[64], what[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/graft.json", id16);
	snprintf(what, sizeof(what), "graft %.16s", id16);
	rc = sg_tree_read(&b, r->reg, commit, path, SG_GRAFTFILE_MAX);
	if (rc >= 0)
		rc = sg_graft_parse(out, b.data, b.len, what);
	sg_buf_release(&b);
	if (rc >= 0 && strncmp((*out)->id, id16, 16)) {
		rc = sg_fail(SG_E_CORRUPT, "graft %.16s: its manifest has the id %.16s", id16, (*out)->id);
		sg_graft_free(*out);
		*out = NULL;
	}
	return rc;
}

/* Fisher-Yates from the tensor's name: the same order each time. */
static void shuffle(float *v, size_t n, const char *name)
{
	uint64_t stream = sg_rng_stream(name);

	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)sg_rng_below(0, stream, i, i);
		float was = v[i - 1];

		v[i - 1] = v[k];
		v[k] = was;
	}
}

static int read_payload(void *arg, void *out, size_t n, const char *name, const char *sha256)
{
	const struct sg_stored *s = arg;
	char folder[300];

	snprintf(folder, sizeof(folder), "grafts/%.16s/data/%s", s->id, name);
	SG_TRY(sg_payload_read(out, n, s->r->reg, &s->commit, folder, sha256));
	if (s->shuffled)
		shuffle(out, n / sizeof(float), name);
	return 0;
}

/* Grafts of the view and extra ones, parsed, each with the commit it comes from. */
struct choice { struct sg_graft **g; struct sg_stored *from; size_t n; };

static void choice_release(struct choice *c, bool grafts_too)
{
	for (size_t i = 0; grafts_too && i < c->n; i++)
		sg_graft_free(c->g[i]);
	free(c->g);
	free(c->from);
	*c = (struct choice){ 0 };
}

static int choose_one(struct choice *c, struct sg_view *v, const struct sg_oid *commit, const char *id)
{
	SG_TRY(sg_stored_graft(&c->g[c->n], v->r, commit, id));
	c->from[c->n] = (struct sg_stored){ .r = v->r, .commit = *commit };
	strcpy(c->from[c->n].id, c->g[c->n]->id);
	c->n++;
	if (strcmp(c->g[c->n - 1]->file.base, v->base))
		return sg_fail(SG_E_REFUSED, "graft %.16s was made for base %.16s, not for %.16s", id,
			       c->g[c->n - 1]->file.base, v->base);
	return 0;
}

static int choose(struct choice *c, struct sg_view *v, const struct sg_names *ids, const struct sg_extra *extra,
		  size_t n_extra, const struct sg_names *without)
{
	int rc = SG_NEW(c->g, ids->n + n_extra);

	if (rc >= 0)
		rc = SG_NEW(c->from, ids->n + n_extra);
	for (size_t i = 0; rc >= 0 && i < ids->n; i++)
		if (!sg_names_has(without, ids->name[i]))
			rc = choose_one(c, v, &v->commit, ids->name[i]);
	for (size_t i = 0; rc >= 0 && i < n_extra; i++)
		if (!sg_names_has(ids, extra[i].id) &&
		    (rc = choose_one(c, v, &extra[i].commit, extra[i].id)) >= 0)
			c->from[c->n - 1].shuffled = extra[i].shuffled;
	if (rc < 0)
		choice_release(c, true);
	return rc;
}

/* --- the view --------------------------------------------------------------- */

static int read_pin(struct sg_view *v)
{
	struct sg_buf b = { 0 }, pin = { 0 };
	struct sg_json_doc doc = { 0 };
	const char *format = NULL, *tokenizer = NULL;
	const struct sg_json *base;
	struct sg_jsonw w;
	int rc = sg_tree_read(&b, v->r->reg, &v->commit, "sg.json", (size_t)256 << 20);

	if (rc >= 0)
		rc = sg_json_parse(&doc, b.data, b.len, "sg.json");
	if (rc >= 0)
		rc = sg_json_str(sg_json_root(&doc), "format", &format);
	base = rc >= 0 ? sg_json_get(sg_json_root(&doc), "base") : NULL;
	if (rc >= 0 && (!format || strcmp(format, "sg-1") || !base))
		rc = sg_fail(SG_E_CORRUPT, "sg.json: no sg registry of a format that this sg knows");
	if (rc >= 0)
		rc = sg_json_str(base, "tokenizer", &tokenizer);
	if (rc >= 0 && (!tokenizer || !sg_is_sha256(tokenizer)))
		rc = sg_fail(SG_E_CORRUPT, "sg.json: the base names no tokenizer");
	if (rc >= 0) {
		strcpy(v->tokenizer, tokenizer);
		sg_jsonw_init(&w, &pin);
		sg_jsonw_node(&w, base);
		rc = sg_jsonw_done(&w);
	}
	if (rc >= 0)
		rc = sg_sha256_hex(v->base, pin.data, pin.len);
	sg_buf_release(&pin);
	sg_buf_release(&b);
	sg_json_release(&doc);
	return rc;
}

/* A graft of the stack: what is remembered of its folder, else what its manifest says. */
static int stack_graft(struct sg_graft **out, struct sg_view *v, struct sg_stack_memo *m, const struct sg_tree_entry *e)
{
	int rc = sg_stack_memo_get(out, m, &e->oid);

	if (rc > 0 && strncmp((*out)->id, e->name, 16)) {	/* the same folder under another name */
		sg_graft_free(*out);
		rc = 0;
	}
	if (!rc) {
		m->grew = true;
		rc = sg_stored_graft(out, v->r, &v->commit, e->name);
	}
	if (rc >= 0 && strcmp((*out)->file.base, v->base))
		rc = sg_fail(SG_E_REFUSED, "graft %.16s was made for base %.16s, not for %.16s", e->name,
			     (*out)->file.base, v->base);
	return rc;
}

static int stack_grafts(struct sg_graft **g, size_t *n, struct sg_view *v, const struct sg_tree_list *l)
{
	struct sg_stack_memo m = { .n = 0 };
	struct sg_oid *folder = NULL;
	bool many = l->n >= SG_STACK_MEMO_MIN;
	int rc = SG_NEW(folder, l->n + 1);

	if (rc >= 0 && many)
		rc = sg_stack_memo_open(&m, v->r);
	for (size_t i = 0; rc >= 0 && i < l->n; i++) {
		folder[i] = l->entry[i].oid;
		rc = stack_graft(&g[i], v, &m, &l->entry[i]);
		*n += g[i] != NULL;
	}
	if (rc >= 0 && many && m.grew && !v->r->no_cache)
		sg_stack_memo_save(v->r, g, folder, l->n);
	sg_stack_memo_release(&m);
	free(folder);
	return rc;
}

static int read_stack(struct sg_view *v)
{
	struct sg_tree_list l = { 0 };
	struct sg_graft **g = NULL;
	size_t n = 0;
	int rc = sg_tree_list(&l, v->r->reg, &v->commit, "grafts");

	if (rc == -SG_E_NOTFOUND)
		rc = 0;
	if (rc >= 0)
		rc = SG_NEW(g, l.n + 1);
	if (rc >= 0)
		rc = stack_grafts(g, &n, v, &l);
	if (rc >= 0)
		rc = sg_stack_order(g, n);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_names_add(&v->ids, g[i]->id);
	if (rc >= 0)
		rc = sg_stack_state(v->state, v->base, g, n);
	for (size_t i = 0; i < n; i++)
		sg_graft_free(g[i]);
	free(g);
	sg_tree_list_release(&l);
	return rc;
}

int sg_view_at(struct sg_view *out, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_view v = { .r = r, .commit = *commit };
	int rc = read_pin(&v);

	if (rc >= 0)
		rc = read_stack(&v);
	if (rc < 0)
		sg_view_release(&v);
	else
		*out = v;
	return rc;
}

int sg_view_open(struct sg_view *out, struct sg_repo *r, const char *rev)
{
	struct sg_oid commit;
	int rc = sg_rev_parse(&commit, r->reg, rev ? rev : "HEAD");

	if (rc == -SG_E_NOTFOUND && !rev)
		return sg_fail(SG_E_NOTFOUND, "this registry has no history yet; run 'sg init' again");
	return rc < 0 ? rc : sg_view_at(out, r, &commit);
}

void sg_view_release(struct sg_view *v)
{
	sg_names_release(&v->ids);
	sg_checkpoint_free(v->ckpt);
	sg_tokenizer_free(v->tok);
	*v = (struct sg_view){ 0 };
}

int sg_view_tokenizer(struct sg_view *v)
{
	struct sg_buf b = { 0 };
	int rc;

	if (v->tok)
		return 0;
	rc = sg_tree_read(&b, v->r->reg, &v->commit, "base/tokenizer.json", (size_t)256 << 20);
	if (rc == -SG_E_NOTFOUND)
		rc = sg_tokenizer_byte(&v->tok);
	else if (rc >= 0)
		rc = sg_tokenizer_parse(&v->tok, b.data, b.len, "base/tokenizer.json");
	sg_buf_release(&b);
	return rc;
}

int sg_view_window(const struct sg_view *v, uint64_t window)
{
	size_t max = sg_checkpoint_desc(v->ckpt)->max_pos;

	return window <= max ? 0 : sg_fail(SG_E_USAGE, "the model has %zu positions, no window of %llu fits", max,
					   (unsigned long long)window);
}

/* --- composing -------------------------------------------------------------- */

int sg_view_state(char hex[SG_SHA256_HEX], struct sg_view *v, const struct sg_extra *extra, size_t n_extra,
		  const struct sg_names *without)
{
	struct choice c = { 0 };
	int rc;

	SG_TRY(choose(&c, v, &v->ids, extra, n_extra, without));
	rc = sg_stack_order(c.g, c.n);
	if (rc >= 0)
		rc = sg_stack_state(hex, v->base, c.g, c.n);
	choice_release(&c, true);
	return rc;
}

int sg_view_compose(struct sg_composed *out, struct sg_view *v, const struct sg_extra *extra, size_t n_extra,
		    const struct sg_names *without, size_t cap)
{
	struct sg_graft_source *source = NULL;
	struct sg_device *dev;
	struct choice c = { 0 };
	int rc;

	SG_TRY(sg_view_base(v, NULL));
	SG_TRY(sg_repo_device(&dev, v->r));
	SG_TRY(choose(&c, v, &v->ids, extra, n_extra, without));
	rc = SG_NEW(source, c.n);
	if (rc < 0) {
		choice_release(&c, true);
		return rc;
	}
	for (size_t i = 0; i < c.n; i++)
		source[i] = (struct sg_graft_source){ read_payload, &c.from[i] };
	rc = sg_compose(out, v->ckpt, dev, cap, c.g, source, c.n);	/* takes the grafts over */
	free(source);
	choice_release(&c, false);
	return rc;
}
