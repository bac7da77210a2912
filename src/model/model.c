#include "model/model.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include <math.h>

const char *const sg_linear_names[SG_LINEARS] = {
	"attn.q", "attn.k", "attn.v", "attn.o", "mlp.gate", "mlp.up", "mlp.down",
};

/* A weight where the device can read it: the mapped file itself on a CPU. */
static int place(struct sg_model *m, struct sg_mat *out, const struct sg_mat *w)
{
	size_t bytes = sg_mat_bytes(w);
	void *p;

	*out = *w;
	if (!strncmp(m->dev->be->name, "cpu", 3))
		return 0;
	SG_TRY(SG_GROW(m->placed, m->n_placed, m->cap_placed));
	SG_TRY(m->dev->be->alloc(m->dev, &p, bytes));
	m->placed[m->n_placed++] = p;
	out->data = p;
	return m->dev->be->put(m->dev, p, w->data, bytes);
}

void sg_block_shape(struct sg_block *b, size_t d)
{
	size_t q = b->heads * b->head_dim, kv = b->kv_heads * b->head_dim;
	const size_t shape[SG_LINEARS][2] = {
		{ q, d }, { kv, d }, { kv, d }, { d, q }, { b->ffn, d }, { b->ffn, d }, { d, b->ffn },
	};

	for (int i = 0; i < SG_LINEARS; i++) {
		b->lin[i].out = shape[i][0];
		b->lin[i].in = shape[i][1];
	}
}

int sg_block_insert(struct sg_block **out, struct sg_model *m, const char *name, size_t order, size_t ffn)
{
	struct sg_block *b;
	size_t at = 0;

	SG_TRY(SG_GROW(m->blocks, m->n, m->cap));
	SG_TRY(SG_NEW(b, 1));
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->order = order;
	b->heads = m->desc.heads;
	b->kv_heads = m->desc.kv_heads;
	b->head_dim = m->desc.head_dim;
	b->ffn = ffn;
	sg_block_shape(b, m->desc.d);
	while (at < m->n && m->blocks[at]->order <= order)
		at++;
	memmove(m->blocks + at + 1, m->blocks + at, (m->n - at) * sizeof(*m->blocks));
	m->blocks[at] = b;
	m->n++;
	*out = b;
	return 0;
}

/* f32 copies of the norm vectors stand one after another in m->own. */
static int widen(struct sg_model *m, const float **out, size_t *at, const struct sg_mat *w)
{
	size_t n = w->rows * w->cols;
	float *tmp;
	int rc;

	SG_TRY(SG_NEW(tmp, n));
	for (size_t i = 0; i < w->rows; i++)
		sg_mat_widen(tmp + i * w->cols, w, i);
	rc = m->dev->be->put(m->dev, m->own + *at, tmp, n * sizeof(float));
	free(tmp);
	*out = m->own + *at;
	*at += n;
	return rc;
}

static int load_block(struct sg_model *m, const struct sg_checkpoint *c, size_t layer, size_t *at)
{
	struct sg_block *b;
	struct sg_mat w;
	char name[64];

	snprintf(name, sizeof(name), "layers.%zu", layer);
	SG_TRY(sg_block_insert(&b, m, name, 2 * layer + 1, m->desc.ffn));
	for (int i = 0; i < SG_LINEARS; i++) {
		snprintf(name, sizeof(name), "layers.%zu.%s", layer, sg_linear_names[i]);
		SG_TRY(sg_checkpoint_mat(&w, c, name));
		SG_TRY(place(m, &b->lin[i].w, &w));
	}
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "layers.%zu.norm%d", layer, i + 1);
		SG_TRY(sg_checkpoint_mat(&w, c, name));
		SG_TRY(widen(m, &b->norm[i], at, &w));
	}
	return 0;
}

/*
 * theta^(-2i/K). pow() in double, rounded once to f32: C libraries agree on it
 * to far more digits than an f32 keeps, so the table is the same everywhere.
 */
static int load_rope(struct sg_model *m)
{
	size_t K = m->desc.head_dim, half = K / 2;
	float *f;
	void *p;
	int rc;

	SG_TRY(SG_NEW(f, half));
	for (size_t i = 0; i < half; i++)
		f[i] = (float)pow(m->desc.rope_theta, -2.0 * (double)i / (double)K);
	rc = m->dev->be->alloc(m->dev, &p, SG_MAX(half, 1) * sizeof(float));
	if (rc >= 0) {
		m->inv_freq = p;
		rc = m->dev->be->put(m->dev, p, f, half * sizeof(float));
	}
	free(f);
	return rc;
}

static int load(struct sg_model *m, const struct sg_checkpoint *c)
{
	const struct sg_desc *d = &m->desc;
	struct sg_mat w;
	size_t at = 0;
	void *p;

	SG_TRY(m->dev->be->alloc(m->dev, &p, (2 * d->layers + 1) * d->d * sizeof(float)));
	m->own = p;
	SG_TRY(load_rope(m));
	SG_TRY(sg_checkpoint_mat(&w, c, "embed"));
	SG_TRY(place(m, &m->embed, &w));
	for (size_t i = 0; i < d->layers; i++)
		SG_TRY(load_block(m, c, i, &at));
	if (sg_checkpoint_has(c, "norm")) {
		SG_TRY(sg_checkpoint_mat(&w, c, "norm"));
		SG_TRY(widen(m, &m->norm, &at, &w));
	}
	m->head.out = d->vocab;
	m->head.in = d->d;
	if (d->tied)
		m->head.w = m->embed;
	else if (d->has_head) {
		SG_TRY(sg_checkpoint_mat(&w, c, "head"));
		SG_TRY(place(m, &m->head.w, &w));
	}
	return 0;
}

int sg_model_init(struct sg_model *m, const struct sg_checkpoint *ckpt, struct sg_device *dev)
{
	int rc;

	*m = (struct sg_model){ .dev = dev, .desc = *sg_checkpoint_desc(ckpt) };
	rc = load(m, ckpt);
	if (rc < 0)
		sg_model_release(m);
	return rc;
}

void sg_model_release(struct sg_model *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->blocks[i]);
	free(m->blocks);
	for (size_t i = 0; i < m->n_placed; i++)
		m->dev->be->free(m->dev, m->placed[i]);
	free(m->placed);
	if (m->own)
		m->dev->be->free(m->dev, m->own);
	if (m->inv_freq)
		m->dev->be->free(m->dev, m->inv_freq);
	*m = (struct sg_model){ 0 };
}
