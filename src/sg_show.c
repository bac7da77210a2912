/* One graft whole: what it is, how it was made, how it was judged. */
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

#define CURVE_MAX 65536		/* points of a curve that are taken over */
#define JUDGED_MAX 256		/* verdicts of one graft */
/* --- verdicts -------------------------------------------------------------------- */

struct judged_list { struct sg_judged *j; size_t n, cap; };

void sg_judged_free(struct sg_judged *j, size_t n)
{
	for (size_t i = 0; j && i < n; i++) {
		sg_verdict_info_release(&j[i].v);
		free(j[i].tool);
		free(j[i].fingerprint);
	}
	free(j);
}

/* A receipt that is damaged or about another graft leaves the verdict NULL. */
static int fill_judged(struct sg_judged *j, struct sg_repo *r, const struct sg_oid *at, const char *path, const char *id)
{
	struct sg_receipt p = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_tree_read(&b, r->reg, at, path, SG_RECEIPT_MAX);

	if (rc >= 0)
		rc = sg_receipt_parse(&p, b.data, b.len, path);
	sg_buf_release(&b);
	if (rc < 0)
		return rc == -SG_E_NOMEM ? rc : 0;
	if (!strcmp(p.graft, id)) {
		j->window = p.window;
		strcpy(j->policy, p.policy);
		j->tool = sg_strdup(p.tool);
		j->fingerprint = sg_strdup(p.fingerprint);
		rc = j->tool && j->fingerprint ? sg_verdict_of(&j->v, &p, NULL) : -SG_E_NOMEM;
	}
	sg_receipt_release(&p);
	return rc;
}

static int add_judged(struct judged_list *l, struct sg_repo *r, const struct sg_commit *c, const char *path,
		      const char *id, bool accepted)
{
	struct sg_judged *j;

	SG_TRY(SG_GROW(l->j, l->n, l->cap));
	j = &l->j[l->n++];
	*j = (struct sg_judged){ .accepted = accepted, .time = c->committer.time };
	sg_oid_hex(j->commit, &c->id);
	return fill_judged(j, r, &c->id, path, id);
}

/* The commit that took the graft in; it is the first to hold the folder. */
struct entry { struct judged_list *l; struct sg_repo *r; const char *id, *path; };

static int look_at(void *arg, const struct sg_commit *c)
{
	struct entry *e = arg;
	char *id = NULL, *op = NULL;
	bool hit = sg_trailer(&op, c->message, "Sg-Op", 0) >= 0 &&
		   (sg_op_accepts(op) || !strcmp(op, "consolidate")) &&
		   sg_trailer(&id, c->message, "Sg-Graft", 0) >= 0 && !strncmp(id, "sha256:", 7) &&
		   !strcmp(id + 7, e->id);

	free(op);
	free(id);
	if (!hit)
		return 0;
	SG_TRY(add_judged(e->l, e->r, c, e->path, e->id, true));
	return 1;
}

static int read_entry(struct judged_list *l, struct sg_repo *r, const struct sg_oid *commit, const char *id)
{
	char path[64];
	struct entry e = { l, r, id, path };
	struct sg_oid oid;

	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", id);
	if (sg_tree_find(&oid, NULL, r->reg, commit, path) < 0)
		return 0;
	return sg_history_walk(r->reg, commit, 1, NULL, 0, 0, look_at, &e);
}

/* A worker's newest report and, by second parents, those that it followed. */
static int read_reports(struct judged_list *l, struct sg_repo *r, struct sg_oid at, const char *id)
{
	bool more = true;

	while (more && l->n < JUDGED_MAX) {
		struct sg_commit c = { 0 };
		int rc;

		SG_TRY(sg_commit_read(&c, r->reg, &at));
		rc = add_judged(l, r, &c, "receipt.mp", id, false);
		more = c.n_parents > 1;
		if (more)
			at = c.parent[1];
		sg_commit_release(&c);
		SG_TRY(rc);
	}
	return 0;
}

/* The one that let it in, then newer ones first; those of one second stay as they are. */
static void sort(struct sg_judged *j, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct sg_judged x = j[i];
		size_t k = i;

		for (; k && (x.accepted > j[k - 1].accepted ||
			     (x.accepted == j[k - 1].accepted && x.time > j[k - 1].time)); k--)
			j[k] = j[k - 1];
		j[k] = x;
	}
}

int sg_judged_list(struct sg_judged **out, size_t *n, struct sg_repo *r, const struct sg_oid *commit, const char *id)
{
	struct judged_list l = { 0 };
	struct sg_refs refs = { 0 };
	char prefix[64];
	int rc = read_entry(&l, r, commit, id);

	snprintf(prefix, sizeof(prefix), "refs/sg/report/%.16s/", id);
	if (rc >= 0)
		rc = sg_ref_list(&refs, r->reg, prefix);
	for (size_t i = 0; rc >= 0 && i < refs.n; i++)
		rc = read_reports(&l, r, refs.ref[i].oid, id);
	sg_refs_release(&refs);
	if (rc < 0) {
		sg_judged_free(l.j, l.n);
		return rc;
	}
	sort(l.j, l.n);
	*out = l.j;
	*n = l.n;
	return 0;
}

/* --- manifest -------------------------------------------------------------------- */

static int copy_names(struct sg_names *out, const struct sg_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		SG_TRY(sg_names_add(out, l->name[i]));
	return 0;
}

static int copy_hyper(struct sg_names *out, const struct sg_graftfile *f)
{
	for (size_t i = 0; i < f->n_hyper; i++) {
		const struct sg_graftfile_hyper *h = &f->hyper[i];
		char *s = h->str ? sg_asprintf("%s=%s", h->key, h->str) : sg_asprintf("%s=%lld", h->key, (long long)h->num);
		int rc = s ? sg_names_add(out, s) : -SG_E_NOMEM;

		free(s);
		SG_TRY(rc);
	}
	return 0;
}

static int copy_tensors(struct sg_graft_detail *d, const struct sg_graftfile *f)
{
	SG_TRY(SG_NEW(d->tensor, f->n_tensors));
	for (size_t i = 0; i < f->n_tensors; i++) {
		const struct sg_graftfile_tensor *t = &f->tensor[i];
		struct sg_tensor_line *line = &d->tensor[d->n_tensors++];
		struct sg_buf b = { 0 };

		for (unsigned k = 0; k < t->ndim; k++)
			SG_TRY(sg_buf_fmt(&b, "%s%zu", k ? "x" : "", t->shape[k]));
		line->shape = sg_buf_detach(&b);
		line->name = sg_strdup(t->name);
		line->dtype = sg_dtypes[t->dtype].name;
		line->bytes = t->bytes;
		line->elements = t->bytes / sg_dtypes[t->dtype].size;
		if (!line->name || !line->shape)
			return -SG_E_NOMEM;
	}
	return 0;
}

static int read_manifest(struct sg_graft_detail *d, struct sg_repo *r, const struct sg_found *f)
{
	struct sg_graftfile g = { 0 };
	struct sg_buf bytes = { 0 };
	char id[SG_SHA256_HEX];
	int rc;

	SG_TRY(sg_manifest_read(&g, &bytes, id, r, &f->commit, f->id));
	rc = (d->manifest = sg_buf_detach(&bytes)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_graft_info_of(&d->info, &g, id);
	strcpy(d->base, g.base);
	if (rc >= 0)
		rc = copy_names(&d->requires, &g.requires);
	if (rc >= 0)
		rc = copy_names(&d->after, &g.after);
	if (rc >= 0)
		rc = copy_names(&d->replaces, &g.replaces);
	if (rc >= 0)
		rc = copy_hyper(&d->hyper, &g);
	if (rc >= 0)
		rc = copy_tensors(d, &g);
	if (rc >= 0 && f->name)
		rc = (d->info.name = sg_strdup(f->name)) ? 0 : -SG_E_NOMEM;
	sg_graftfile_release(&g);
	return rc;
}

/* --- training -------------------------------------------------------------------- */

static int copy_curve(struct sg_graft_detail *d, const struct sg_json *curve)
{
	if (!curve || curve->type != SG_JSON_ARRAY)
		return 0;
	SG_TRY(SG_NEW(d->curve, SG_MIN(curve->n, CURVE_MAX)));
	for (const struct sg_json *p = curve->child; p && d->n_curve < CURVE_MAX; p = p->next)
		if (p->type == SG_JSON_NUMBER)	/* a loss that was not finite is null */
			d->curve[d->n_curve++] = p->num;
	return 0;
}

static int copy_text(char **out, const struct sg_json *o, const char *key)
{
	const char *s = NULL;

	SG_TRY(sg_json_str(o, key, &s));
	return !s || (*out = sg_strdup(s)) ? 0 : -SG_E_NOMEM;
}

/* What an import wrote of the files that it read. */
static int copy_imported(struct sg_graft_detail *d, const struct sg_json *o)
{
	for (const struct sg_json *j = o && o->type == SG_JSON_OBJECT ? o->child : NULL; j; j = j->next) {
		char *s;
		int rc;

		if (j->type != SG_JSON_STRING)
			continue;
		s = sg_asprintf("%s=%s", j->key, j->str);
		rc = s ? sg_names_add(&d->imported, s) : -SG_E_NOMEM;
		free(s);
		SG_TRY(rc);
	}
	return 0;
}

static int copy_training(struct sg_graft_detail *d, const struct sg_json *o)
{
	const struct sg_json *recipe = sg_json_get(o, "recipe");
	struct sg_buf b = { 0 };
	struct sg_jsonw w;
	int64_t step = 1, tokens = 0;

	SG_TRY(copy_imported(d, sg_json_get(o, "imported")));
	SG_TRY(copy_curve(d, sg_json_get(o, "curve")));
	SG_TRY(sg_json_i64(o, "curve_step", 1, INT64_MAX, &step));
	SG_TRY(sg_json_i64(o, "tokens", 0, INT64_MAX, &tokens));
	SG_TRY(sg_json_f64(o, "last_loss", &d->last_loss));
	SG_TRY(sg_json_f64(o, "seconds", &d->seconds));
	SG_TRY(copy_text(&d->tool, o, "tool"));
	SG_TRY(copy_text(&d->fingerprint, o, "fingerprint"));
	d->curve_step = (uint64_t)step;
	d->tokens = (uint64_t)tokens;
	if (!recipe || recipe->type != SG_JSON_OBJECT)
		return 0;
	sg_jsonw_init(&w, &b);
	sg_jsonw_node(&w, recipe);
	if (sg_jsonw_done(&w) < 0) {
		sg_buf_release(&b);
		return sg_fail(SG_E_CORRUPT, "the recipe of graft %.16s cannot be written again", d->info.id);
	}
	return (d->recipe = sg_buf_detach(&b)) ? 0 : -SG_E_NOMEM;
}

static int read_training(struct sg_graft_detail *d, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_json_doc doc = { 0 };
	int rc = sg_training_open(&doc, r, commit, d->info.id);

	if (rc >= 0)
		rc = copy_training(d, sg_json_root(&doc));
	sg_json_release(&doc);
	d->info.tokens = d->tokens;
	d->info.seconds = d->seconds;
	return rc == -SG_E_NOTFOUND ? 0 : rc;	/* an imported one was not trained here */
}

int sg_graft_cost(struct sg_graft_info *g, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_json_doc doc = { 0 };
	int64_t tokens = 0;
	double seconds = 0;
	int rc = sg_training_open(&doc, r, commit, g->id);

	if (rc >= 0)
		rc = sg_json_i64(sg_json_root(&doc), "tokens", 0, INT64_MAX, &tokens);
	if (rc >= 0)
		rc = sg_json_f64(sg_json_root(&doc), "seconds", &seconds);
	sg_json_release(&doc);
	if (rc < 0)
		return rc == -SG_E_NOMEM ? rc : 0;
	g->tokens = (uint64_t)tokens;
	g->seconds = isfinite(seconds) && seconds > 0 ? seconds : 0;
	return 0;
}

/* --- the whole ------------------------------------------------------------------- */

static const char *const where_name[] = {
	[SG_ACTIVE] = "active", [SG_CANDIDATE] = "candidate", [SG_REJECTED] = "rejected", [SG_DEFERRED] = "deferred",
	[SG_PAST] = "past",
};

int sg_graft_detail(struct sg_graft_detail *out, struct sg_repo *r, const char *word)
{
	struct sg_graft_detail d = { 0 };
	struct sg_found f = { 0 };
	int rc;

	SG_TRY(sg_find_graft(&f, r, word));
	d.where = where_name[f.where];
	sg_oid_hex(d.commit, &f.commit);
	rc = read_manifest(&d, r, &f);
	if (rc >= 0 && f.ref)
		rc = (d.ref = sg_strdup(f.ref)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = read_training(&d, r, &f.commit);
	if (rc >= 0)
		rc = sg_judged_list(&d.judged, &d.n_judged, r, &f.commit, f.id);
	sg_found_release(&f);
	if (rc < 0)
		sg_graft_detail_release(&d);
	else
		*out = d;
	return rc;
}

void sg_graft_detail_release(struct sg_graft_detail *d)
{
	sg_graft_info_release(&d->info);
	sg_names_release(&d->requires);
	sg_names_release(&d->after);
	sg_names_release(&d->replaces);
	sg_names_release(&d->hyper);
	sg_names_release(&d->imported);
	for (size_t i = 0; i < d->n_tensors; i++) {
		free(d->tensor[i].name);
		free(d->tensor[i].shape);
	}
	free(d->tensor);
	free(d->ref);
	free(d->manifest);
	free(d->recipe);
	free(d->curve);
	free(d->tool);
	free(d->fingerprint);
	sg_judged_free(d->judged, d->n_judged);
	*d = (struct sg_graft_detail){ 0 };
}

int sg_show_kind(struct sg_repo *r, const char *word)
{
	struct sg_found f = { 0 };
	struct sg_oid oid;
	bool ambiguous;
	int rc = -SG_E_NOTFOUND;

	if (!strpbrk(word, "^~:@/") && strcmp(word, "HEAD"))
		rc = sg_find_graft(&f, r, word);
	sg_found_release(&f);
	if (rc >= 0)
		return 1;
	if (rc != -SG_E_NOTFOUND && rc != -SG_E_ERROR)
		return rc;
	ambiguous = rc == -SG_E_ERROR;
	rc = sg_rev_parse(&oid, r->reg, word);
	if (rc == -SG_E_NOTFOUND && ambiguous)
		return sg_fail(SG_E_ERROR, "'%s' means more than one graft; give more of its id", word);
	if (rc == -SG_E_NOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "no graft and no revision '%s'", word);
	return rc;
}
