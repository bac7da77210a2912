#include "model/pass.h"
#include "base/error.h"
#include "base/mem.h"

/* --- what trains ----------------------------------------------------------- */

static bool linear_trains(const struct sg_linear *l)
{
	if (l->dw)
		return true;
	for (const struct sg_hook *h = l->hooks; h; h = h->next)
		if (h->trains)
			return true;
	return false;
}

static bool attention_trains(const struct sg_block *b)
{
	return b->dnorm[0] || linear_trains(&b->lin[SG_Q]) || linear_trains(&b->lin[SG_K]) ||
	       linear_trains(&b->lin[SG_V]) || linear_trains(&b->lin[SG_O]);
}

static bool block_trains(const struct sg_block *b)
{
	bool yes = attention_trains(b) || b->dnorm[1];

	for (int i = SG_GATE; i <= SG_DOWN; i++)
		yes |= linear_trains(&b->lin[i]);
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

static void carve_tape(struct carve *c, struct sg_tape *t, const struct sg_block *b, size_t d, size_t N)
{
	size_t q = b->heads * b->head_dim, kv = b->kv_heads * b->head_dim, f = sizeof(float);

	t->x = piece(c, N * d, f);
	t->n1 = piece(c, N * d, f);
	t->r1 = piece(c, N, f);
	t->q = piece(c, N * q, f);
	t->k = piece(c, N * kv, f);
	t->v = piece(c, N * kv, f);
	t->att = piece(c, N * q, f);
	t->lse = piece(c, N * b->heads, f);
	t->h1 = piece(c, N * d, f);
	t->n2 = piece(c, N * d, f);
	t->r2 = piece(c, N, f);
	t->gate = piece(c, N * b->ffn, f);
	t->up = piece(c, N * b->ffn, f);
	t->glu = piece(c, N * b->ffn, f);
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
	struct sg_tape shared;

	carve_tape(c, &shared, &w, d, N);
	for (size_t i = 0; i < m->n; i++) {
		if (p->train && i >= p->lowest)
			carve_tape(c, &p->tape[i], m->blocks[i], d, N);
		else
			p->tape[i] = shared;
	}
	p->h = piece(c, N * d, f);
	p->hn = piece(c, N * d, f);
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
	p->dgate = piece(c, N * w.ffn, f);
	p->dup = piece(c, N * w.ffn, f);
}

int sg_pass_init(struct sg_pass *p, struct sg_model *m, size_t cap, bool train)
{
	enum { LOGITS = 4 << 20 };	/* floats of logits at a time: they stay in cache */
	size_t rows = LOGITS / m->desc.vocab;
	struct carve c = { 0 };
	int rc;

	*p = (struct sg_pass){ .m = m, .cap = cap, .train = train };
	p->rows = SG_MIN(SG_MAX(rows, 16), SG_MIN(cap, 1024));
	while (p->lowest < m->n && !block_trains(m->blocks[p->lowest]))
		p->lowest++;
	SG_TRY(SG_NEW(p->tape, m->n));
	carve_all(p, &c);
	p->bytes = c.at;
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
		SG_TRY(SG_CALL(dev, linear_fwd, y, x, &l->w, NULL, N, l->out, l->in, false));
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
		SG_TRY(SG_CALL(dev, linear_dw, l->dw, NULL, dy, x, N, l->out, l->in));
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

/* --- one block ------------------------------------------------------------- */

static int block_fwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, float *out, size_t N, bool keep)
{
	struct sg_device *dev = p->m->dev;
	size_t d = p->m->desc.d, H = b->heads, G = b->kv_heads, K = b->head_dim;
	float eps = p->m->desc.eps;

	SG_TRY(SG_CALL(dev, rmsnorm_fwd, t->n1, t->r1, t->x, b->norm[0], eps, N, d));
	SG_TRY(linear_fwd(dev, &b->lin[SG_Q], t->q, t->n1, N, keep));
	SG_TRY(linear_fwd(dev, &b->lin[SG_K], t->k, t->n1, N, keep));
	SG_TRY(linear_fwd(dev, &b->lin[SG_V], t->v, t->n1, N, keep));
	SG_TRY(SG_CALL(dev, rope, t->q, p->begin, p->m->inv_freq, 1.0f, N, H, K, K, H * K));
	SG_TRY(SG_CALL(dev, rope, t->k, p->begin, p->m->inv_freq, 1.0f, N, G, K, K, G * K));
	SG_TRY(SG_CALL(dev, attn_fwd, t->att, t->lse, t->q, t->k, t->v, p->begin, N, H, G, K));
	SG_TRY(linear_fwd(dev, &b->lin[SG_O], p->tmp, t->att, N, keep));
	SG_TRY(SG_CALL(dev, copy, t->h1, t->x, N * d));
	SG_TRY(SG_CALL(dev, add, t->h1, p->tmp, N * d));

	SG_TRY(SG_CALL(dev, rmsnorm_fwd, t->n2, t->r2, t->h1, b->norm[1], eps, N, d));
	SG_TRY(linear_fwd(dev, &b->lin[SG_GATE], t->gate, t->n2, N, keep));
	SG_TRY(linear_fwd(dev, &b->lin[SG_UP], t->up, t->n2, N, keep));
	SG_TRY(SG_CALL(dev, glu_fwd, t->glu, t->gate, t->up, p->m->desc.act, N * b->ffn));
	SG_TRY(linear_fwd(dev, &b->lin[SG_DOWN], p->tmp, t->glu, N, keep));
	SG_TRY(SG_CALL(dev, copy, out, t->h1, N * d));
	SG_TRY(SG_CALL(dev, add, out, p->tmp, N * d));
	return hooks_fwd(b->out, dev, out, out, N, keep);
}

static int mlp_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	struct sg_device *dev = p->m->dev;
	float *dn = below || b->dnorm[1] ? p->dn : NULL;

	SG_TRY(linear_bwd(dev, &b->lin[SG_DOWN], p->dglu, p->dh, t->glu, N, false));
	SG_TRY(SG_CALL(dev, glu_bwd, p->dgate, p->dup, p->dglu, t->gate, t->up, p->m->desc.act, N * b->ffn));
	SG_TRY(linear_bwd(dev, &b->lin[SG_GATE], dn, p->dgate, t->n2, N, false));
	SG_TRY(linear_bwd(dev, &b->lin[SG_UP], dn, p->dup, t->n2, N, true));
	if (!dn)
		return 0;
	return SG_CALL(dev, rmsnorm_bwd, p->dh, b->dnorm[1], dn, t->h1, b->norm[1], t->r2, N, p->m->desc.d, true);
}

static int attention_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	struct sg_device *dev = p->m->dev;
	size_t H = b->heads, G = b->kv_heads, K = b->head_dim;
	float *dn = below || b->dnorm[0] ? p->dn : NULL;

	SG_TRY(linear_bwd(dev, &b->lin[SG_O], p->datt, p->dh, t->att, N, false));
	SG_TRY(SG_CALL(dev, attn_bwd, p->dq, p->dk, p->dv, p->datt, t->att, t->lse, t->q, t->k, t->v, p->begin,
		       N, H, G, K));
	SG_TRY(SG_CALL(dev, rope, p->dq, p->begin, p->m->inv_freq, -1.0f, N, H, K, K, H * K));
	SG_TRY(SG_CALL(dev, rope, p->dk, p->begin, p->m->inv_freq, -1.0f, N, G, K, K, G * K));
	SG_TRY(linear_bwd(dev, &b->lin[SG_Q], dn, p->dq, t->n1, N, false));
	SG_TRY(linear_bwd(dev, &b->lin[SG_K], dn, p->dk, t->n1, N, true));
	SG_TRY(linear_bwd(dev, &b->lin[SG_V], dn, p->dv, t->n1, N, true));
	if (!dn)
		return 0;
	return SG_CALL(dev, rmsnorm_bwd, p->dh, b->dnorm[0], dn, t->x, b->norm[0], t->r1, N, p->m->desc.d, true);
}

/* dh: of the block's output on entry, of its input on return (if `below`). */
static int block_bwd(struct sg_pass *p, struct sg_block *b, struct sg_tape *t, size_t N, bool below)
{
	bool attention = below || attention_trains(b);

	SG_TRY(hidden_bwd(b->out, p->m->dev, p->dh, N));
	SG_TRY(mlp_bwd(p, b, t, N, attention));
	return attention ? attention_bwd(p, b, t, N, below) : 0;
}

/* --- the whole model ------------------------------------------------------- */

static int load_batch(struct sg_pass *p, const struct sg_batch *b)
{
	struct sg_device *dev = p->m->dev;
	size_t bytes = b->n * sizeof(int32_t);

	if (b->n > p->cap)
		return sg_fail(SG_E_ERROR, "batch of %zu tokens in a pass for %zu", b->n, p->cap);
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
	for (size_t i = 0; i < m->n; i++) {
		float *out = i + 1 < m->n ? p->tape[i + 1].x : p->h;

		SG_TRY(block_fwd(p, m->blocks[i], &p->tape[i], out, N, p->train && i >= p->lowest));
	}
	return SG_CALL(m->dev, rmsnorm_fwd, p->hn, p->rh, p->h, m->norm, m->desc.eps, N, m->desc.d);
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
	SG_TRY(SG_CALL(m->dev, rmsnorm_bwd, p->dh, NULL, p->dn, p->h, m->norm, p->rh, N, m->desc.d, false));
	for (size_t i = m->n; i-- > p->lowest; )
		SG_TRY(block_bwd(p, m->blocks[i], &p->tape[i], N, i > p->lowest));
	return 0;
}

int sg_pass_logits(struct sg_pass *p, const struct sg_batch *b, size_t row, float *logits)
{
	struct sg_model *m = p->m;

	SG_TRY(load_batch(p, b));
	SG_TRY(trunk_fwd(p, b->n));
	SG_TRY(linear_fwd(m->dev, &m->head, p->logits, p->hn + row * m->desc.d, 1, false));
	return m->dev->be->get(m->dev, logits, p->logits, m->desc.vocab * sizeof(float));
}
