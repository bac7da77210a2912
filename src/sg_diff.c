/* What differs between two compositions. */
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/span.h"
#include <math.h>

/* What a graft writes and reads at a site. */
struct spanned { size_t graft; char *site; struct sg_span writes, reads; };

struct diff {
	struct sg_repo *r;
	struct spanned *span;		/* at sites where two of the grafts stand */
	size_t n_spans, cap_spans;
	struct sg_view v[2];
	struct sg_diff d;
	const struct sg_progress *progress;
};

/* A revision, else a graft on its own ref: the commit that it was trained in. */
static int resolve(struct sg_oid *out, struct sg_repo *r, const char *word)
{
	struct sg_found f = { 0 };
	int rc = sg_rev_parse(out, r->reg, word);

	if (rc != -SG_E_NOTFOUND)
		return rc;
	rc = sg_find_graft(&f, r, word);
	if (rc >= 0 && !f.ref)
		rc = sg_fail(SG_E_NOTFOUND, "graft %.16s waits on no ref: name the revisions before and after it", f.id);
	else if (rc == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, "no revision and no candidate '%s'", word);
	if (rc >= 0)
		*out = f.commit;
	sg_found_release(&f);
	return rc;
}

/* --- stacks ---------------------------------------------------------------------- */

/* The verdict that let it in; of one that waits, a report, best one on the other side's stack. */
static int add_verdict(struct sg_diff_graft *g, struct diff *w, int side)
{
	struct sg_judged *j = NULL;
	size_t n = 0, best = 0;
	int rc = sg_judged_list(&j, &n, w->r, &w->v[side].commit, g->info.id);

	for (size_t i = n; rc >= 0 && i-- > 0;)
		if (j[i].accepted || !strcmp(j[i].v.prev, w->v[!side].state))
			best = i;
	if (rc >= 0 && n && j[best].v.verdict) {
		g->v = j[best].v;
		j[best].v = (struct sg_verdict_info){ 0 };
		g->judged = true;
	}
	sg_judged_free(j, n);
	return rc;
}

static int add_grafts(struct diff *w, enum sg_diff_side side)
{
	int at = side == SG_DIFF_A ? 0 : 1;
	const struct sg_names *mine = &w->v[at].ids, *other = &w->v[!at].ids;

	for (size_t i = 0; i < mine->n; i++) {
		struct sg_diff_graft *g = &w->d.graft[w->d.n];

		if (sg_names_has(other, mine->name[i]) != (side == SG_DIFF_BOTH))
			continue;
		SG_TRY(sg_graft_info_read(&g->info, w->r, &w->v[at].commit, mine->name[i]));
		g->side = side;
		w->d.n++;
		if (side != SG_DIFF_BOTH)
			SG_TRY(add_verdict(g, w, at));
	}
	return 0;
}

/* Do the common grafts stand in the same order on both sides? */
static bool reordered(const struct sg_names *a, const struct sg_names *b)
{
	size_t k = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (!sg_names_has(b, a->name[i]))
			continue;
		while (k < b->n && !sg_names_has(a, b->name[k]))
			k++;
		if (k == b->n || strcmp(a->name[i], b->name[k++]))
			return true;
	}
	return false;
}

static int diff_stacks(struct diff *w)
{
	for (int i = 0; i < 2; i++) {
		sg_oid_hex(w->d.commit[i], &w->v[i].commit);
		strcpy(w->d.state[i], w->v[i].state);
		strcpy(w->d.base[i], w->v[i].base);
	}
	w->d.reordered = reordered(&w->v[0].ids, &w->v[1].ids);
	SG_TRY(SG_NEW(w->d.graft, w->v[0].ids.n + w->v[1].ids.n));
	SG_TRY(add_grafts(w, SG_DIFF_A));
	SG_TRY(add_grafts(w, SG_DIFF_B));
	return add_grafts(w, SG_DIFF_BOTH);
}

/* --- data and policy --------------------------------------------------------------- */

struct items { struct sg_diff_item *item; size_t n, cap; };

static void items_free(struct sg_diff_item *item, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(item[i].name);
		free(item[i].a);
		free(item[i].b);
	}
	free(item);
}

/* a or b may be NULL; equal ones are no difference. */
static int item_add(struct items *l, const char *name, const char *a, const char *b)
{
	struct sg_diff_item *i;

	if (a && b && !strcmp(a, b))
		return 0;
	SG_TRY(SG_GROW(l->item, l->n, l->cap));
	i = &l->item[l->n++];
	*i = (struct sg_diff_item){ sg_strdup(name), a ? sg_strdup(a) : NULL, b ? sg_strdup(b) : NULL };
	return i->name && (i->a || !a) && (i->b || !b) ? 0 : -SG_E_NOMEM;
}

/* "name<sep>value" lines of both sides, each list in one order. */
static const char *value_of(const struct sg_names *l, const char *line, char sep)
{
	size_t n = (size_t)(strchr(line, sep) - line) + 1;

	for (size_t i = 0; i < l->n; i++)
		if (!strncmp(l->name[i], line, n))
			return l->name[i] + n;
	return NULL;
}

static int diff_lines(struct items *out, const struct sg_names *a, const struct sg_names *b, char sep)
{
	for (int side = 0; side < 2; side++) {
		const struct sg_names *mine = side ? b : a, *other = side ? a : b;

		for (size_t i = 0; i < mine->n; i++) {
			const char *line = mine->name[i], *at = strchr(line, sep), *theirs;
			char name[300];

			if (!at)
				continue;
			theirs = value_of(other, line, sep);
			if (side && theirs)
				continue;	/* seen from the other side */
			snprintf(name, sizeof(name), "%.*s", (int)SG_MIN(at - line, 299), line);
			SG_TRY(item_add(out, name, side ? NULL : at + 1, side ? at + 1 : theirs));
		}
	}
	return 0;
}

static int data_lines(struct sg_names *out, struct diff *w, int side)
{
	struct sg_data_list l = { 0 };
	int rc = sg_data_list(&l, w->r, w->d.commit[side]);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *s = sg_asprintf("%s\t%s %s", l.set[i].name, l.set[i].role, l.set[i].id);

		rc = s ? sg_names_add(out, s) : -SG_E_NOMEM;
		free(s);
	}
	sg_data_list_release(&l);
	return rc;
}

/* Every key in force; none when this sg does not understand the policy. */
static int policy_lines(struct sg_names *out, char id[SG_SHA256_HEX], struct diff *w, int side)
{
	struct sg_buf text = { 0 }, list = { 0 };
	struct sg_policy p = { 0 };
	char *save, *line;
	int rc = sg_policy_text(&text, w->r, w->d.commit[side]);

	if (rc >= 0)
		rc = sg_sha256_hex(id, text.data, text.len);
	if (rc >= 0 && sg_policy_parse(&p, text.data, text.len, "policy") >= 0)
		rc = sg_policy_list(&list, &p);
	save = list.data;
	while (rc >= 0 && (line = strsep(&save, "\n")))
		if (*line)
			rc = sg_names_add(out, line);
	sg_policy_release(&p);
	sg_buf_release(&text);
	sg_buf_release(&list);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int diff_data(struct diff *w)
{
	struct sg_names a = { 0 }, b = { 0 };
	struct items l = { 0 };
	int rc = data_lines(&a, w, 0);

	if (rc >= 0)
		rc = data_lines(&b, w, 1);
	if (rc >= 0)
		rc = diff_lines(&l, &a, &b, '\t');
	w->d.data = l.item;
	w->d.n_data = l.n;
	sg_names_release(&a);
	sg_names_release(&b);
	return rc;
}

static int diff_policy(struct diff *w)
{
	char id[2][SG_SHA256_HEX] = { "", "" };
	struct sg_names a = { 0 }, b = { 0 };
	struct items l = { 0 };
	int rc = policy_lines(&a, id[0], w, 0);

	if (rc >= 0)
		rc = policy_lines(&b, id[1], w, 1);
	if (rc >= 0 && a.n && b.n)
		rc = diff_lines(&l, &a, &b, '=');
	if (rc >= 0 && !l.n)	/* the same in force, or not understood: is it the same text? */
		rc = item_add(&l, "text", id[0], id[1]);
	w->d.policy = l.item;
	w->d.n_policy = l.n;
	sg_names_release(&a);
	sg_names_release(&b);
	return rc;
}

/* --- norms ------------------------------------------------------------------------- */

/* Frobenius norm of the change of one site's weight; -1 when it has none. */
static int part_norm(double *out, struct sg_part *p)
{
	bool linear = p->at.kind == SG_SITE_LINEAR || p->at.kind == SG_SITE_HEAD;
	size_t n;
	float *dw;
	double sum = 0;
	int rc;

	*out = -1;
	if (!p->g->type->delta || !linear || !sg_mul(&n, p->at.out, p->at.in))
		return 0;
	SG_TRY(SG_NEW(dw, n));
	rc = p->g->type->delta(p, dw);
	for (size_t i = 0; i < n; i++)
		sum += (double)dw[i] * dw[i];
	free(dw);
	*out = sqrt(sum);
	return rc;
}

static int graft_norms(struct sg_diff_graft *out, struct sg_graft *g)
{
	if (!g->type->delta)
		return 0;
	SG_TRY(SG_NEW(out->norm, g->n));
	for (size_t i = 0; i < g->n; i++) {
		struct sg_site_norm *n = &out->norm[out->n_norms];

		SG_TRY(part_norm(&n->norm, &g->part[i]));
		SG_TRY((n->site = sg_strdup(g->part[i].site)) ? 0 : -SG_E_NOMEM);
		out->n_norms++;
	}
	return 0;
}

/* --- angles ------------------------------------------------------------------------ */

static bool are_compared(const struct sg_diff *d, size_t a, size_t b)
{
	enum sg_diff_side x = d->graft[a].side, y = d->graft[b].side;

	return a != b && (x != y || x != SG_DIFF_BOTH);
}

/* Does another graft that this one is compared with stand at the site? */
static bool is_shared(const struct sg_diff *d, size_t a, const char *site)
{
	for (size_t b = 0; b < d->n; b++)
		if (are_compared(d, a, b) && sg_names_has(&d->graft[b].info.sites, site))
			return true;
	return false;
}

/* A part whose change is no low-rank one, or is one only in part, has no angles. */
static int add_span(struct diff *w, size_t graft, struct sg_part *p)
{
	bool linear = p->at.kind == SG_SITE_LINEAR || p->at.kind == SG_SITE_HEAD;
	float *left = NULL, *right = NULL;
	struct spanned s = { .graft = graft };
	size_t rank = 0;
	int rc;

	if (!linear || !p->g->type->factors || !is_shared(&w->d, graft, p->site))
		return 0;
	rc = p->g->type->factors(p, &left, &right, &rank);
	if (rc >= 0)
		rc = sg_span_of(&s.writes, &s.reads, left, right, p->at.out, rank, p->at.in);
	free(left);
	free(right);
	if (rc < 0)
		return rc == -SG_E_REFUSED || rc == -SG_E_UNSUPPORTED ? 0 : rc;
	rc = (s.site = sg_strdup(p->site)) ? SG_GROW(w->span, w->n_spans, w->cap_spans) : -SG_E_NOMEM;
	if (rc >= 0) {
		w->span[w->n_spans++] = s;
		return 0;
	}
	free(s.site);
	sg_span_release(&s.writes);
	sg_span_release(&s.reads);
	return rc;
}

static int add_angles(struct diff *w, const struct spanned *a, const struct spanned *b)
{
	struct sg_diff *d = &w->d;
	struct sg_diff_angles *k;

	if (!a->writes.r || !b->writes.r)
		return 0;
	SG_TRY(SG_GROW(d->angle, d->n_angles, d->cap_angles));
	k = &d->angle[d->n_angles++];
	*k = (struct sg_diff_angles){ .site = sg_strdup(a->site), .a = a->graft, .b = b->graft };
	SG_TRY(k->site ? 0 : -SG_E_NOMEM);
	SG_TRY(sg_span_angles(&k->writes, &k->n_writes, &a->writes, &b->writes));
	return sg_span_angles(&k->reads, &k->n_reads, &a->reads, &b->reads);
}

static int diff_angles(struct diff *w)
{
	for (size_t i = 0; i < w->n_spans; i++)
		for (size_t k = 0; k < w->n_spans; k++) {
			const struct spanned *a = &w->span[i], *b = &w->span[k];

			if (a->graft < b->graft && are_compared(&w->d, a->graft, b->graft) && !strcmp(a->site, b->site))
				SG_TRY(add_angles(w, a, b));
		}
	return 0;
}

static void spans_release(struct diff *w)
{
	for (size_t i = 0; i < w->n_spans; i++) {
		free(w->span[i].site);
		sg_span_release(&w->span[i].writes);
		sg_span_release(&w->span[i].reads);
	}
	free(w->span);
}

/* One that is asked about on this side; common ones are, once, for their angles. */
static struct sg_diff_graft *graft_of(struct sg_diff *d, enum sg_diff_side side, bool common, const char *id)
{
	for (size_t i = 0; i < d->n; i++)
		if ((d->graft[i].side == side || (common && d->graft[i].side == SG_DIFF_BOTH)) &&
		    !strcmp(d->graft[i].info.id, id))
			return &d->graft[i];
	return NULL;
}

/* Is there a graft whose change of weights can be computed? */
static bool wants_norms(const struct sg_diff *d, enum sg_diff_side side)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct sg_graft_type *t = d->graft[i].side == side ? sg_graft_type_find(d->graft[i].info.type) : NULL;

		if (t && t->delta)
			return true;
	}
	return false;
}

/* Sites have shapes only in a model, so the side is composed. */
static int side_norms(struct diff *w, enum sg_diff_side side, bool common)
{
	int at = side == SG_DIFF_A ? 0 : 1;
	struct sg_composed m = { 0 };
	int rc;

	rc = sg_view_base(&w->v[at], w->progress);
	if (rc >= 0)
		rc = sg_view_compose(&m, &w->v[at], NULL, 0, NULL, 1);
	for (size_t i = 0; rc >= 0 && i < m.n; i++) {
		struct sg_diff_graft *g = graft_of(&w->d, side, common, m.g[i]->id);

		rc = g && g->side == side ? graft_norms(g, m.g[i]) : 0;
		for (size_t k = 0; rc >= 0 && g && k < m.g[i]->n; k++)
			rc = add_span(w, (size_t)(g - w->d.graft), &m.g[i]->part[k]);
	}
	sg_composed_release(&m);
	return rc;
}

/* Without weights the rest of the answer still stands. */
static int diff_norms(struct diff *w)
{
	bool seen = false;

	for (int side = SG_DIFF_A; side <= SG_DIFF_B; side++) {
		int rc = 0;

		if (!wants_norms(&w->d, (enum sg_diff_side)side))
			continue;
		rc = side_norms(w, (enum sg_diff_side)side, !seen);
		seen = true;

		if (rc == -SG_E_NOMEM || rc == -SG_E_INTERRUPTED)
			return rc;
		if (rc < 0 && !w->d.no_norms)
			SG_TRY((w->d.no_norms = sg_strdup(sg_error_message())) ? 0 : -SG_E_NOMEM);
	}
	return w->d.no_norms ? 0 : diff_angles(w);
}

/* --- the whole ------------------------------------------------------------------- */

static int diff_all(struct diff *w, const char *a, const char *b, bool norms)
{
	struct sg_diff *d = &w->d;
	struct sg_oid commit[2];

	SG_TRY(resolve(&commit[0], w->r, a ? a : "HEAD"));
	SG_TRY(resolve(&commit[1], w->r, b ? b : "HEAD"));
	SG_TRY(sg_view_at(&w->v[0], w->r, &commit[0]));
	SG_TRY(sg_view_at(&w->v[1], w->r, &commit[1]));
	SG_TRY(diff_stacks(w));
	SG_TRY(diff_data(w));
	SG_TRY(diff_policy(w));
	d->same = !strcmp(d->base[0], d->base[1]) && !strcmp(d->state[0], d->state[1]) && !d->n_data && !d->n_policy;
	return norms ? diff_norms(w) : 0;
}

int sg_diff(struct sg_diff *out, struct sg_repo *r, const char *a, const char *b, bool norms,
	    const struct sg_progress *progress)
{
	struct diff w = { .r = r, .progress = progress };
	int rc = diff_all(&w, a, b, norms);

	spans_release(&w);
	sg_view_release(&w.v[0]);
	sg_view_release(&w.v[1]);
	if (rc < 0)
		sg_diff_release(&w.d);
	else
		*out = w.d;
	return rc;
}

void sg_diff_release(struct sg_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct sg_diff_graft *g = &d->graft[i];

		for (size_t k = 0; k < g->n_norms; k++)
			free(g->norm[k].site);
		free(g->norm);
		sg_graft_info_release(&g->info);
		sg_verdict_info_release(&g->v);
	}
	free(d->graft);
	for (size_t i = 0; i < d->n_angles; i++) {
		free(d->angle[i].site);
		free(d->angle[i].writes);
		free(d->angle[i].reads);
	}
	free(d->angle);
	items_free(d->data, d->n_data);
	items_free(d->policy, d->n_policy);
	free(d->no_norms);
	*d = (struct sg_diff){ 0 };
}
