#include "model/model.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/room.h"
#include "model/checkpoint.h"
#include "model/rotary.h"

const char *const sg_linear_names[SG_LINEARS] = {
	"attn.q", "attn.k", "attn.v", "attn.o", "mlp.gate", "mlp.up", "mlp.down",
};

const char *const sg_vec_names[SG_VECS] = {
	"attn.q.bias", "attn.k.bias", "attn.v.bias", "attn.o.bias", "mlp.gate.bias", "mlp.up.bias", "mlp.down.bias",
	"norm1", "norm1.bias", "norm2", "norm2.bias", "attn.q_norm", "attn.k_norm",
};

bool sg_desc_has(const struct sg_desc *d, const char *ours)
{
	const char *dot = strncmp(ours, "layers.", 7) ? NULL : strchr(ours + 7, '.');
	const char *name = dot ? dot + 1 : ours;

	for (int i = 0; i < SG_LINEARS; i++)
		if (!strcmp(name, sg_vec_names[i]))
			return d->bias >> i & 1 && (i != SG_GATE || d->gated);
	if (!strcmp(name, "mlp.gate"))
		return d->gated;
	if (!strcmp(name, "attn.q_norm") || !strcmp(name, "attn.k_norm"))
		return d->qk_norm;
	if (!strcmp(name, "norm1.bias") || !strcmp(name, "norm2.bias") || !strcmp(name, "norm.bias"))
		return d->layernorm;
	if (!strcmp(name, "pos"))
		return d->learned_pos;
	return strcmp(name, "head") || (d->has_head && !d->tied);
}

/* A weight where the device can read it: the mapped file itself on a CPU, unless its
 * rows are interleaved with others. */
static int place(struct sg_model *m, struct sg_mat *out, const struct sg_mat *w)
{
	size_t bytes = sg_mat_bytes(w);
	void *p, *tmp = NULL;
	int rc;

	*out = *w;
	if (!strncmp(m->dev->be->name, "cpu", 3) && !w->group)
		return 0;
	SG_TRY(SG_GROW(m->placed, m->n_placed, m->cap_placed));
	SG_TRY(m->dev->be->alloc(m->dev, &p, bytes));
	m->placed[m->n_placed++] = p;
	*out = (struct sg_mat){ .data = p, .dtype = w->dtype, .rows = w->rows, .cols = w->cols };
	if (!w->ld && !w->pair)
		return m->dev->be->put(m->dev, p, w->data, bytes);
	SG_TRY((tmp = sg_calloc(bytes, 1)) ? 0 : -SG_E_NOMEM);
	sg_mat_pack(tmp, w);
	rc = m->dev->be->put(m->dev, p, tmp, bytes);
	free(tmp);
	return rc;
}

void sg_block_shape(struct sg_block *b, const struct sg_desc *desc)
{
	size_t q = b->heads * b->head_dim, kv = b->kv_heads * b->head_dim, d = desc->d;
	const size_t shape[SG_LINEARS][2] = {
		{ q, d }, { kv, d }, { kv, d }, { d, q }, { b->ffn, d }, { b->ffn, d }, { d, b->ffn },
	};

	for (int i = 0; i < SG_LINEARS; i++) {
		bool has = i != SG_GATE || desc->gated;

		b->lin[i].out = has ? shape[i][0] : 0;
		b->lin[i].in = has ? shape[i][1] : 0;
	}
}

struct sg_vec *sg_block_vec(struct sg_block *b, int i)
{
	switch (i) {
	case SG_NORM1:
	case SG_NORM2:
		return &b->norm[i == SG_NORM2];
	case SG_NORM1_BIAS:
	case SG_NORM2_BIAS:
		return &b->shift[i == SG_NORM2_BIAS];
	case SG_QNORM:
	case SG_KNORM:
		return &b->qk[i == SG_KNORM];
	}
	return &b->lin[i].bias;
}

size_t sg_block_vec_size(const struct sg_block *b, const struct sg_desc *d, int i)
{
	return i < SG_LINEARS ? b->lin[i].out : i < SG_QNORM ? d->d : b->head_dim;
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
	sg_block_shape(b, &m->desc);
	while (at < m->n && m->blocks[at]->order <= order)
		at++;
	memmove(m->blocks + at + 1, m->blocks + at, (m->n - at) * sizeof(*m->blocks));
	m->blocks[at] = b;
	m->n++;
	*out = b;
	return 0;
}

/* f32 copies of all vectors stand one after another in m->own. Absent: v stays NULL. */
static int widen(struct sg_model *m, struct sg_vec *out, size_t *at, const struct sg_checkpoint *c, const char *name)
{
	struct sg_mat w;
	size_t n;
	float *tmp;
	int rc;

	if (!sg_checkpoint_has(c, name))
		return 0;
	SG_TRY(sg_checkpoint_mat(&w, c, name));
	n = w.rows * w.cols;
	SG_TRY(SG_NEW(tmp, n));
	for (size_t i = 0; i < w.rows; i++)
		sg_mat_widen(tmp + i * w.cols, &w, i);
	rc = m->dev->be->put(m->dev, m->own + *at, tmp, n * sizeof(float));
	free(tmp);
	out->v = m->own + *at;
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
		if (!b->lin[i].out)
			continue;
		snprintf(name, sizeof(name), "layers.%zu.%s", layer, sg_linear_names[i]);
		SG_TRY(sg_checkpoint_mat(&w, c, name));
		SG_TRY(place(m, &b->lin[i].w, &w));
	}
	for (int i = 0; i < SG_VECS; i++) {
		snprintf(name, sizeof(name), "layers.%zu.%s", layer, sg_vec_names[i]);
		SG_TRY(widen(m, sg_block_vec(b, i), at, c, name));
	}
	return 0;
}

static int load_rotary(struct sg_model *m)
{
	size_t half = m->desc.rotary / 2;
	float *f;
	void *p;
	int rc;

	SG_TRY(SG_NEW(f, half));
	sg_rotary_table(&m->desc, f);
	rc = m->dev->be->alloc(m->dev, &p, SG_MAX(half, 1) * sizeof(float));
	if (rc >= 0) {
		m->inv_freq = p;
		rc = m->dev->be->put(m->dev, p, f, half * sizeof(float));
	}
	free(f);
	return rc;
}

/* Floats of all vectors of the model. */
static size_t vectors(const struct sg_desc *d)
{
	struct sg_block b = {
		.heads = d->heads, .kv_heads = d->kv_heads, .head_dim = d->head_dim, .ffn = d->ffn,
	};
	size_t n = 0;

	sg_block_shape(&b, d);
	for (int i = 0; i < SG_VECS; i++)
		n += sg_desc_has(d, sg_vec_names[i]) ? sg_block_vec_size(&b, d, i) : 0;
	return d->layers * n + 2 * d->d;
}

static int load(struct sg_model *m, const struct sg_checkpoint *c)
{
	const struct sg_desc *d = &m->desc;
	struct sg_mat w;
	size_t at = 0;
	void *p;

	SG_TRY(m->dev->be->alloc(m->dev, &p, vectors(d) * sizeof(float)));
	m->own = p;
	SG_TRY(load_rotary(m));
	SG_TRY(sg_checkpoint_mat(&w, c, "embed"));
	SG_TRY(place(m, &m->embed, &w));
	if (d->learned_pos) {
		SG_TRY(sg_checkpoint_mat(&w, c, "pos"));
		SG_TRY(place(m, &m->pos, &w));
	}
	for (size_t i = 0; i < d->layers; i++)
		SG_TRY(load_block(m, c, i, &at));
	SG_TRY(widen(m, &m->norm, &at, c, "norm"));
	SG_TRY(widen(m, &m->shift, &at, c, "norm.bias"));
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
	for (size_t i = 0; i < sg_checkpoint_count(ckpt); i++) {
		const char *ours;

		m->weights += sg_checkpoint_tensor(ckpt, i, &ours)->bytes;
	}
	rc = sg_room_check(m->weights, "the base's weights");
	if (rc >= 0)
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
