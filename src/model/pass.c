#include "model/pass.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/room.h"

/* --- what trains ----------------------------------------------------------- */

static bool linear_trains(const struct sg_linear *l)
{
	if (l->dw || l->bias.d)
		return true;
	for (const struct sg_hook *h = l->hooks; h; h = h->next)
		if (h->trains)
			return true;
	return false;
}

static bool attention_trains(const struct sg_block *b)
{
	bool yes = b->norm[0].d || b->shift[0].d || b->qk[0].d || b->qk[1].d;

	for (int i = SG_Q; i <= SG_O; i++)
		yes |= linear_trains(&b->lin[i]);
	return yes;
}

static bool block_trains(const struct sg_block *b)
{
	bool yes = attention_trains(b) || b->norm[1].d || b->shift[1].d;

	for (int i = SG_GATE; i <= SG_DOWN; i++)
		yes |= linear_trains(&b->lin[i]);
	for (const struct sg_hook *h = b->mlp; h; h = h->next)
		yes |= h->trains;
	for (const struct sg_hook *h = b->out; h; h = h->next)
		yes |= h->trains;
	return yes;
}

/* --- memory ---------------------------------------------------------------- */

/* Hands out pieces of one allocation; with no memory yet it only counts. */
struct carve { char *base; size_t at; };

static void *piece(struct carve *c, size_t n, size_t size)
{
	void *p = c->base ? c->base + c->at : NULL;

	c->at += (n * size + 63) & ~(size_t)63;
	return p;
}

static void carve_tape(struct carve *c, struct sg_tape *t, const struct sg_block *b, const struct sg_desc *desc,
		       size_t N)
{
	size_t q = b->heads * b->head_dim, kv = b->kv_heads * b->head_dim, f = sizeof(float), d = desc->d;
	size_t means = desc->layernorm ? N : 0, normed = desc->qk_norm ? N : 0;

	t->x = piece(c, N * d, f);
	t->n1 = piece(c, N * d, f);
	t->m1 = piece(c, means, f);
	t->r1 = piece(c, N, f);
	t->q = piece(c, N * q, f);
	t->k = piece(c, N * kv, f);
	t->v = piece(c, N * kv, f);
	t->att = piece(c, N * q, f);
	t->lse = piece(c, N * b->heads, f);
	t->h1 = piece(c, N * d, f);
	t->n2 = piece(c, N * d, f);
	t->m2 = piece(c, means, f);
	t->r2 = piece(c, N, f);
	t->gate = piece(c, desc->gated ? N * b->ffn : 0, f);
	t->up = piece(c, N * b->ffn, f);
	t->glu = piece(c, N * b->ffn, f);
	t->q0 = piece(c, normed * q, f);
	t->k0 = piece(c, normed * kv, f);
	t->rq = piece(c, normed * b->heads, f);
	t->rk = piece(c, normed * b->kv_heads, f);
}

/* The largest head counts and widths of any block, for what blocks share. */
static struct sg_block widest(const struct sg_model *m)
{
	struct sg_block w = { .heads = 1, .kv_heads = 1, .head_dim = m->desc.head_dim, .ffn = 1 };

	for (size_t i = 0; i < m->n; i++) {
		w.heads = SG_MAX(w.heads, m->blocks[i]->heads);
		w.kv_heads = SG_MAX(w.kv_heads, m->blocks[i]->kv_heads);
		w.ffn = SG_MAX(w.ffn, m->blocks[i]->ffn);
	}
	return w;
}

static void carve_all(struct sg_pass *p, struct carve *c)
{
	const struct sg_model *m = p->m;
	size_t N = p->cap, d = m->desc.d, f = sizeof(float);
	struct sg_block w = widest(m);
	struct sg_tape shared = { 0 };

	if (!p->train || p->lowest)
		carve_tape(c, &shared, &w, &m->desc, N);
	for (size_t i = 0; i < m->n; i++) {
		if (p->train && i >= p->lowest)
			carve_tape(c, &p->tape[i], m->blocks[i], &m->desc, N);
		else
			p->tape[i] = shared;
	}
	p->h = piece(c, N * d, f);
	p->hn = piece(c, N * d, f);
	p->mh = piece(c, m->desc.layernorm ? N : 0, f);
	p->rh = piece(c, N, f);
	p->tmp = piece(c, N * d, f);
	p->logits = piece(c, p->rows * m->desc.vocab, f);
	p->loss = piece(c, N, f);
	p->scale = piece(c, p->rows, f);
	p->token = piece(c, N, sizeof(int32_t));
	p->target = piece(c, N, sizeof(int32_t));
	p->begin = piece(c, N, sizeof(int32_t));
	if (!p->train)
		return;
	p->dh = piece(c, N * d, f);
	p->dn = piece(c, N * d, f);
	p->dq = piece(c, N * w.heads * w.head_dim, f);
	p->dk = piece(c, N * w.kv_heads * w.head_dim, f);
	p->dv = piece(c, N * w.kv_heads * w.head_dim, f);
	p->datt = piece(c, N * w.heads * w.head_dim, f);
	p->dglu = piece(c, N * w.ffn, f);
	p->dgate = piece(c, m->desc.gated ? N * w.ffn : 0, f);
	p->dup = piece(c, N * w.ffn, f);
}

/* Weights and activations share what a processor has; a device knows its own memory. */
static int check_room(const struct sg_pass *p)
{
	const char *what = p->train ? "training on this base (fewer tokens a pass need less)" : "running this base";
	uint64_t used, left;

	if (!strncmp(p->m->dev->be->name, "cpu", 3))
		return sg_room_check((uint64_t)p->m->weights + p->bytes, what);
	SG_TRY(p->m->dev->be->memory(p->m->dev, &used, &left));
	return p->bytes <= left ? 0 : sg_fail(SG_E_REFUSED, "%s: this needs %.1f MiB more on the device, and there are %.1f MiB",
					      what, (double)p->bytes / (1 << 20), (double)left / (1 << 20));
}

size_t sg_pass_rows(const struct sg_model *m, const struct sg_device *d, size_t cap)
{
	size_t rows = d->be->logits / m->desc.vocab;

	return SG_MIN(SG_MAX(rows, 16), SG_MIN(cap, 1024));
}

/* Everything but the memory. */
static int measure(struct sg_pass *p, struct sg_model *m, size_t cap, bool train)
{
	struct carve c = { 0 };

	*p = (struct sg_pass){ .m = m, .cap = cap, .train = train };
	p->rows = sg_pass_rows(m, m->dev, cap);
	while (p->lowest < m->n && !block_trains(m->blocks[p->lowest]))
		p->lowest++;
	SG_TRY(SG_NEW(p->tape, m->n));
	carve_all(p, &c);
	p->bytes = c.at;
	return 0;
}

int sg_pass_bytes(size_t *out, struct sg_model *m, size_t cap, bool train)
{
	struct sg_pass p;

	SG_TRY(measure(&p, m, cap, train));
	*out = p.bytes;
	sg_pass_release(&p);
	return 0;
}

int sg_pass_init(struct sg_pass *p, struct sg_model *m, size_t cap, bool train)
{
	struct carve c = { 0 };
	int rc;

	SG_TRY(measure(p, m, cap, train));
	rc = check_room(p);
	if (rc >= 0)
		rc = m->dev->be->alloc(m->dev, &p->mem, p->bytes);
	if (rc < 0) {
		sg_pass_release(p);
		return rc;
	}
	c = (struct carve){ .base = p->mem };
	carve_all(p, &c);
	return 0;
}

void sg_pass_release(struct sg_pass *p)
{
	if (p->mem)
		p->m->dev->be->free(p->m->dev, p->mem);
	free(p->tape);
	*p = (struct sg_pass){ 0 };
}

/* --- linear maps with their hooks ------------------------------------------ */

static int hooks_fwd(struct sg_hook *h, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	for (; h; h = h->next)
		SG_TRY(h->fwd(h->ctx, dev, y, x, N, keep));
	return 0;
}

static int linear_fwd(struct sg_device *dev, const struct sg_linear *l, float *y, const float *x, size_t N, bool keep)
{
	if (l->w.data)
		SG_TRY(SG_CALL(dev, linear_fwd, y, x, &l->w, l->bias.v, N, l->out, l->in, false));
	else
		SG_TRY(SG_CALL(dev, zero, y, N * l->out));
	return hooks_fwd(l->hooks, dev, y, x, N, keep);
}

/* dx NULL: nothing below wants it; add: dx += */
static int linear_bwd(struct sg_device *dev, const struct sg_linear *l, float *dx, const float *dy, const float *x,
		      size_t N, bool add)
{
	if (dx && l->w.data)
		SG_TRY(SG_CALL(dev, linear_dx, dx, dy, &l->w, N, l->out, l->in, add));
	else if (dx && !add)
		SG_TRY(SG_CALL(dev, zero, dx, N * l->in));
	if (l->dw)
		SG_TRY(SG_CALL(dev, linear_dw, l->dw, l->bias.d, dy, x, N, l->out, l->in));
	for (struct sg_hook *h = l->hooks; h; h = h->next)
		if (dx || h->trains)
			SG_TRY(h->bwd(h->ctx, dev, dx, dy, x, N));
	return 0;
}

/* Hidden hooks stand in series: the last one is undone first. */
static int hidden_bwd(struct sg_hook *h, struct sg_device *dev, float *dh, size_t N)
{
	if (!h)
		return 0;
	SG_TRY(hidden_bwd(h->next, dev, dh, N));
	return h->bwd(h->ctx, dev, dh, dh, NULL, N);
}

/* --- norms ------------------------------------------------------------------ */

static int norm_fwd(struct sg_pass *p, const struct sg_vec *w, const struct sg_vec *b, float *y, float *mean,
		    float *rstd, const float *x, size_t N)
{
	const struct sg_desc *d = &p->m->desc;

	if (d->layernorm)
		return SG_CALL(p->m->dev, layernorm_fwd, y, mean, rstd, x, w->v, b->v, d->eps, N, d->d);
	return SG_CALL(p->m->dev, rmsnorm_fwd, y, rstd, x, w->v, d->eps, N, d->d);
}

static int norm_bwd(struct sg_pass *p, const struct sg_vec *w, const struct sg_vec *b, float *dx, const float *dy,
		    const float *x, const float *mean, const float *rstd, size_t N, bool add)
{
	size_t d = p->m->desc.d;

	if (p->m->desc.layernorm)
		return SG_CALL(p->m->dev, layernorm_bwd, dx, w->d, b->d, dy, x, w->v, mean, rstd, N, d, add);
	return SG_CALL(p->m->dev, rmsnorm_bwd, dx, w->d, dy, x, w->v, rstd, N, d, add);
}

/* --- one block ------------------------------------------------------------- */

/* Queries or keys: their map, their norm, their positions. */
static int heads_fwd(struct sg_pass *p, const struct sg_linear *l, const struct sg_vec *norm, float *y, float *y0,
		     float *rstd, const float *x, size_t N, size_t heads, size_t K, bool keep)
{
	const struct sg_desc *d = &p->m->desc;
	struct sg_device *dev = p->m->dev;

	SG_TRY(linear_fwd(dev, l, d->qk_norm ? y0 : y, x, N, keep));
	if (d->qk_norm)
		SG_TRY(SG_CALL(dev, rmsnorm_fwd, y, rstd, y0, norm->v, d->eps, N * heads, K));
	if (d->rotary)
		SG_TRY(SG_CALL(dev, rope, y, p->begin, p->m->inv_freq, 1.0f, N, heads, K, d->rotary, heads * K));
	return d->rope_gain == 1 ? 0 : SG_CALL(dev, scale, y, y, d->rope_gain, N * heads * K);
}

/* And back: dy becomes the gradient of positions and norm's input, through `room`
 * where there is a norm; *out is where it is then. */
static int heads_bwd(struct sg_pass *p, const struct sg_vec *norm, float **out, float *dy, float *room,
		     const float *y0, const float *rstd, size_t N, size_t heads, size_t K)
{
	const struct sg_desc *d = &p->m->desc;
	struct sg_device *dev = p->m->dev;

	*out = dy;
	if (d->rope_gain != 1)
		SG_TRY(SG_CALL(dev, scale, dy, dy, d->rope_gain, N * heads * K));
	if (d->rotary)
		SG_TRY(SG_CALL(dev, rope, dy, p->begin, p->m->inv_freq, -1.0f, N, heads, K, d->rotary, heads * K));
	if (!d->qk_norm)
		return 0;
	*out = room;
	return SG_CALL(dev, rmsnorm_bwd, room, norm->d, dy, y0, norm->v, rstd, N * heads, K, false);
}

/* t->h1 = t->x + attention */
static int attention_fwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool keep)
{
	struct sg_device *dev = p->m->dev;
	size_t d = p->m->desc.d, H = b->heads, G = b->kv_heads, K = b->head_dim;

	SG_TRY(norm_fwd(p, &b->norm[0], &b->shift[0], t->n1, t->m1, t->r1, t->x, N));
	SG_TRY(heads_fwd(p, &b->lin[SG_Q], &b->qk[0], t->q, t->q0, t->rq, t->n1, N, H, K, keep));
	SG_TRY(heads_fwd(p, &b->lin[SG_K], &b->qk[1], t->k, t->k0, t->rk, t->n1, N, G, K, keep));
	SG_TRY(linear_fwd(dev, &b->lin[SG_V], t->v, t->n1, N, keep));
	if (p->cache && p->cache->n)
		SG_TRY(SG_CALL(dev, attn_next, t->att, t->q, t->k - p->cache->n * G * K, t->v - p->cache->n * G * K,
			       p->cache->n, N, H, G, K));
	else
		SG_TRY(SG_CALL(dev, attn_fwd, t->att, t->lse, t->q, t->k, t->v, p->begin, N, H, G, K));
	SG_TRY(linear_fwd(dev, &b->lin[SG_O], p->tmp, t->att, N, keep));
	SG_TRY(SG_CALL(dev, copy, t->h1, t->x, N * d));
	return SG_CALL(dev, add, t->h1, p->tmp, N * d);
}

/* What the MLP's norm reads. */
static const float *mlp_input(const struct sg_pass *p, const struct sg_tape *t)
{
	return p->m->desc.parallel ? t->x : t->h1;
}

/* out = t->h1 + MLP */
static int mlp_fwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, float *out, size_t N, bool keep)
{
	struct sg_device *dev = p->m->dev;
	size_t d = p->m->desc.d;

	SG_TRY(norm_fwd(p, &b->norm[1], &b->shift[1], t->n2, t->m2, t->r2, mlp_input(p, t), N));
	if (p->m->desc.gated)
		SG_TRY(linear_fwd(dev, &b->lin[SG_GATE], t->gate, t->n2, N, keep));
	SG_TRY(linear_fwd(dev, &b->lin[SG_UP], t->up, t->n2, N, keep));
	if (p->m->desc.gated)
		SG_TRY(SG_CALL(dev, glu_fwd, t->glu, t->gate, t->up, p->m->desc.act, N * b->ffn));
	else
		SG_TRY(SG_CALL(dev, act_fwd, t->glu, t->up, p->m->desc.act, N * b->ffn));
	SG_TRY(linear_fwd(dev, &b->lin[SG_DOWN], p->tmp, t->glu, N, keep));
	SG_TRY(hooks_fwd(b->mlp, dev, p->tmp, t->n2, N, keep));
	SG_TRY(SG_CALL(dev, copy, out, t->h1, N * d));
	return SG_CALL(dev, add, out, p->tmp, N * d);
}

static int block_fwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, float *out, size_t N, bool keep)
{
	SG_TRY(attention_fwd(p, b, t, N, keep));
	SG_TRY(mlp_fwd(p, b, t, out, N, keep));
	return hooks_fwd(b->out, p->m->dev, out, out, N, keep);
}

/* Adds to p->dh what comes back through the MLP's norm. */
static int mlp_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	struct sg_device *dev = p->m->dev;
	bool gated = p->m->desc.gated;
	float *dn = below || b->norm[1].d || b->shift[1].d ? p->dn : NULL;

	SG_TRY(linear_bwd(dev, &b->lin[SG_DOWN], p->dglu, p->dh, t->glu, N, false));
	if (gated) {
		SG_TRY(SG_CALL(dev, glu_bwd, p->dgate, p->dup, p->dglu, t->gate, t->up, p->m->desc.act, N * b->ffn));
		SG_TRY(linear_bwd(dev, &b->lin[SG_GATE], dn, p->dgate, t->n2, N, false));
	} else {
		SG_TRY(SG_CALL(dev, act_bwd, p->dup, p->dglu, t->up, p->m->desc.act, N * b->ffn));
	}
	SG_TRY(linear_bwd(dev, &b->lin[SG_UP], dn, p->dup, t->n2, N, gated));
	for (struct sg_hook *h = b->mlp; h; h = h->next)
		if (dn || h->trains)
			SG_TRY(h->bwd(h->ctx, dev, dn, p->dh, t->n2, N));
	if (!dn)
		return 0;
	return norm_bwd(p, &b->norm[1], &b->shift[1], p->dh, dn, mlp_input(p, t), t->m2, t->r2, N, true);
}

/* Adds to p->dh what comes back through attention, whose output's gradient is in p->datt. */
static int attention_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	struct sg_device *dev = p->m->dev;
	size_t H = b->heads, G = b->kv_heads, K = b->head_dim;
	float *dn = below || b->norm[0].d || b->shift[0].d ? p->dn : NULL, *dq, *dk;

	SG_TRY(SG_CALL(dev, attn_bwd, p->dq, p->dk, p->dv, p->datt, t->att, t->lse, t->q, t->k, t->v, p->begin,
		       N, H, G, K));
	SG_TRY(heads_bwd(p, &b->qk[0], &dq, p->dq, p->datt, t->q0, t->rq, N, H, K));
	SG_TRY(linear_bwd(dev, &b->lin[SG_Q], dn, dq, t->n1, N, false));
	SG_TRY(heads_bwd(p, &b->qk[1], &dk, p->dk, p->datt, t->k0, t->rk, N, G, K));
	SG_TRY(linear_bwd(dev, &b->lin[SG_K], dn, dk, t->n1, N, true));
	SG_TRY(linear_bwd(dev, &b->lin[SG_V], dn, p->dv, t->n1, N, true));
	if (!dn)
		return 0;
	return norm_bwd(p, &b->norm[0], &b->shift[0], p->dh, dn, t->x, t->m1, t->r1, N, true);
}

/* p->datt from p->dh */
static int output_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N)
{
	return linear_bwd(p->m->dev, &b->lin[SG_O], p->datt, p->dh, t->att, N, false);
}

/*
 * dh: of the block's output on entry, of its input on return (if `below`). Side by
 * side the MLP's part of the input's gradient must not reach attention's output.
 */
static int block_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	bool attention = below || attention_trains(b), parallel = p->m->desc.parallel;

	SG_TRY(hidden_bwd(b->out, p->m->dev, p->dh, N));
	if (attention && parallel)
		SG_TRY(output_bwd(p, b, t, N));
	SG_TRY(mlp_bwd(p, b, t, N, attention));
	if (attention && !parallel)
		SG_TRY(output_bwd(p, b, t, N));
	return attention ? attention_bwd(p, b, t, N, below) : 0;
}

/* --- the whole model ------------------------------------------------------- */

static int load_batch(struct sg_pass *p, const struct sg_batch *b)
{
	struct sg_device *dev = p->m->dev;
	size_t bytes = b->n * sizeof(int32_t);

	if (b->n > p->cap)
		return sg_fail(SG_E_ERROR, "batch of %zu tokens in a pass for %zu", b->n, p->cap);
	for (size_t i = 0; i < b->n; i++)
		if (i - (size_t)b->begin[i] >= p->m->desc.max_pos)
			return sg_fail(SG_E_REFUSED, "a text of more than %zu tokens: that is all the positions the model has",
				       p->m->desc.max_pos);
	SG_TRY(dev->be->put(dev, p->token, b->token, bytes));
	SG_TRY(dev->be->put(dev, p->target, b->target, bytes));
	return dev->be->put(dev, p->begin, b->begin, bytes);
}

/* Embedding and blocks; leaves the last hidden state in p->h and p->hn. */
static int trunk_fwd(struct sg_pass *p, size_t N)
{
	struct sg_model *m = p->m;
	float *x = m->n ? p->tape[0].x : p->h;

	SG_TRY(SG_CALL(m->dev, embed_fwd, x, &m->embed, p->token, N, m->desc.d));
	if (m->pos.data)
		SG_TRY(SG_CALL(m->dev, pos_fwd, x, &m->pos, p->begin, m->desc.pos_first, N, m->desc.d));
	for (size_t i = 0; i < m->n; i++) {
		float *out = i + 1 < m->n ? p->tape[i + 1].x : p->h;

		struct sg_tape t = p->tape[i];

		if (p->cache) {		/* new keys and values go behind those that are there */
			size_t at = p->cache->n * m->blocks[i]->kv_heads * m->blocks[i]->head_dim;

			t.k = p->cache->k[i] + at;
			t.v = p->cache->v[i] + at;
		}
		SG_TRY(block_fwd(p, m->blocks[i], &t, out, N, p->train && i >= p->lowest));
	}
	return norm_fwd(p, &m->norm, &m->shift, p->hn, p->mh, p->rh, p->h, N);
}

/* Loss of rows at..at+n; with `grad` also d(hn) of them into p->dn. */
static int head_rows(struct sg_pass *p, size_t at, size_t n, bool grad)
{
	struct sg_model *m = p->m;
	size_t d = m->desc.d;
	const float *x = p->hn + at * d;

	SG_TRY(linear_fwd(m->dev, &m->head, p->logits, x, n, grad));
	SG_TRY(SG_CALL(m->dev, xent, p->loss + at, p->logits, p->target + at, grad ? p->scale : NULL, n,
		       m->desc.vocab));
	if (!grad)
		return 0;
	return linear_bwd(m->dev, &m->head, p->lowest < m->n ? p->dn + at * d : NULL, p->logits, x, n, false);
}

static int head_all(struct sg_pass *p, size_t N, bool grad, float *loss)
{
	struct sg_device *dev = p->m->dev;

	for (size_t at = 0; at < N; at += p->rows)
		SG_TRY(head_rows(p, at, SG_MIN(p->rows, N - at), grad));
	return dev->be->get(dev, loss, p->loss, N * sizeof(float));
}

int sg_pass_loss(struct sg_pass *p, const struct sg_batch *b, float *loss)
{
	SG_TRY(load_batch(p, b));
	SG_TRY(trunk_fwd(p, b->n));
	return head_all(p, b->n, false, loss);
}

static int set_scale(struct sg_pass *p, float weight)
{
	struct sg_device *dev = p->m->dev;
	float *s;
	int rc;

	SG_TRY(SG_NEW(s, p->rows));
	for (size_t i = 0; i < p->rows; i++)
		s[i] = weight;
	rc = dev->be->put(dev, p->scale, s, p->rows * sizeof(*s));
	free(s);
	return rc;
}

int sg_pass_train(struct sg_pass *p, const struct sg_batch *b, float weight, float *loss)
{
	struct sg_model *m = p->m;
	size_t N = b->n;

	SG_TRY(load_batch(p, b));
	SG_TRY(set_scale(p, weight));
	SG_TRY(trunk_fwd(p, N));
	SG_TRY(head_all(p, N, true, loss));
	if (p->lowest >= m->n)
		return 0;
	SG_TRY(norm_bwd(p, &m->norm, &m->shift, p->dh, p->dn, p->h, p->mh, p->rh, N, false));
	for (size_t i = m->n; i-- > p->lowest; )
		SG_TRY(block_bwd(p, m->blocks[i], &p->tape[i], N, i > p->lowest));
	return 0;
}

int sg_pass_hidden(struct sg_pass *p, const struct sg_batch *b)
{
	SG_TRY(load_batch(p, b));
	return trunk_fwd(p, b->n);
}

int sg_pass_scores(struct sg_pass *p, size_t at, size_t n, float *logits)
{
	struct sg_model *m = p->m;

	SG_TRY(linear_fwd(m->dev, &m->head, p->logits, p->hn + at * m->desc.d, n, false));
	return m->dev->be->get(m->dev, logits, p->logits, n * m->desc.vocab * sizeof(float));
}

int sg_pass_logits(struct sg_pass *p, const struct sg_batch *b, size_t row, float *logits)
{
	SG_TRY(sg_pass_hidden(p, b));
	return sg_pass_scores(p, row, 1, logits);
}

/* --- one token after the other ----------------------------------------------- */

int sg_cache_init(struct sg_cache *c, struct sg_model *m, size_t cap)
{
	size_t row = 0;
	float *at;
	int rc;

	*c = (struct sg_cache){ .m = m, .cap = cap };
	for (size_t i = 0; i < m->n; i++)
		row += 2 * m->blocks[i]->kv_heads * m->blocks[i]->head_dim;
	rc = SG_NEW(c->k, m->n);
	if (rc >= 0)
		rc = SG_NEW(c->v, m->n);
	if (rc >= 0)
		rc = m->dev->be->alloc(m->dev, &c->mem, SG_MAX(row * cap, 1) * sizeof(float));
	if (rc < 0) {
		sg_cache_release(c);
		return rc;
	}
	at = c->mem;
	for (size_t i = 0; i < m->n; i++) {
		size_t n = m->blocks[i]->kv_heads * m->blocks[i]->head_dim * cap;

		c->k[i] = at;
		c->v[i] = at + n;
		at += 2 * n;
	}
	return 0;
}

void sg_cache_release(struct sg_cache *c)
{
	if (c->mem)
		c->m->dev->be->free(c->m->dev, c->mem);
	free(c->k);
	free(c->v);
	*c = (struct sg_cache){ 0 };
}

int sg_pass_next(struct sg_pass *p, struct sg_cache *c, const int32_t *ids, size_t n, float *logits)
{
	struct sg_model *m = p->m;
	struct sg_batch b = { 0 };
	int rc;

	if (!n || n > p->cap || n > c->cap - c->n)
		return sg_fail(SG_E_ERROR, "%zu tokens do not fit behind %zu of %zu", n, c->n, c->cap);
	SG_TRY(sg_batch_init(&b, n));
	for (size_t i = 0; i < n; i++) {
		b.token[i] = ids[i];
		b.target[i] = -1;
		b.begin[i] = -(int32_t)c->n;
	}
	b.n = n;
	p->cache = c;
	rc = load_batch(p, &b);
	if (rc >= 0)
		rc = trunk_fwd(p, n);
	p->cache = NULL;
	sg_batch_release(&b);
	SG_TRY(rc);
	c->n += n;
	SG_TRY(linear_fwd(m->dev, &m->head, p->logits, p->hn + (n - 1) * m->desc.d, 1, false));
	return m->dev->be->get(m->dev, logits, p->logits, m->desc.vocab * sizeof(float));
}
