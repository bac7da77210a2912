#include "model/shape.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/arch.h"

#define LLAMA(vocab, d, ffn, layers, heads, kv, K, more) \
	"{\"model_type\":\"llama\",\"vocab_size\":" #vocab ",\"hidden_size\":" #d ",\"intermediate_size\":" #ffn \
	",\"num_hidden_layers\":" #layers ",\"num_attention_heads\":" #heads ",\"num_key_value_heads\":" #kv \
	",\"head_dim\":" #K ",\"rms_norm_eps\":1e-5,\"max_position_embeddings\":8192" more "}"

static const struct { const char *name, *config; } shapes[] = {
	{ "tiny-3m", LLAMA(4096, 192, 512, 4, 6, 2, 32, ",\"tie_word_embeddings\":true") },
	{ "gpt2-124m", "{\"model_type\":\"gpt2\",\"vocab_size\":50257,\"n_embd\":768,\"n_layer\":12,\"n_head\":12,"
		"\"n_positions\":1024}" },
	{ "smollm2-135m", LLAMA(49152, 576, 1536, 30, 9, 3, 64, ",\"rope_theta\":100000,\"tie_word_embeddings\":true") },
	{ "llama-1b", LLAMA(128256, 2048, 8192, 16, 32, 8, 64, ",\"rope_theta\":500000,\"tie_word_embeddings\":true") },
	{ "llama-8b", LLAMA(128256, 4096, 14336, 32, 32, 8, 128, ",\"rope_theta\":500000") },
};

enum { POOL = 1 << 16 };	/* random numbers, used again and again */

/* One block: this, then names, then weights. */
struct pack {
	struct sg_tensor_info *t;
	char (*name)[96];
	size_t n, cap, bytes;		/* tensors; bytes of weights */
	unsigned char *data;
	uint16_t pool[POOL];
};

static size_t count(const struct sg_arch *arch, const struct sg_desc *d)
{
	size_t n = 0;

	for (const struct sg_arch_tensor *a = arch->tensors; a->ours; a++)
		n += strstr(a->ours, "%zu") ? d->layers : 1;
	return n;
}

/* Weights are normal of deviation 0.02; vectors of norms are 1, biases 0. */
static void fill(struct pack *p, unsigned char *to, size_t n, bool matrix, bool bias)
{
	uint16_t one = sg_bf16_from_f32(1.0f), *v = (uint16_t *)(void *)to;

	for (size_t at = 0; matrix && at < n; at += POOL)
		memcpy(v + at, p->pool, SG_MIN(n - at, POOL) * sizeof(*v));
	for (size_t i = 0; !matrix && i < n; i++)
		v[i] = bias ? 0 : one;
}

/* A tensor that several parts of the table name is one. Without data only counts. */
static int add(struct pack *p, const struct sg_desc *d, const char *name, const char *shape, const char *ours, bool blank)
{
	struct sg_tensor_info *t = &p->t[p->n];
	size_t n = 1;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->name[i], name))
			return 0;
	if (p->n == p->cap)
		return sg_fail(SG_E_ERROR, "more tensors than the table has");
	snprintf(p->name[p->n], sizeof(p->name[0]), "%s", name);
	*t = (struct sg_tensor_info){ .name = p->name[p->n++], .dtype_name = "BF16", .dtype = SG_BF16 };
	for (; shape[t->ndim]; t->ndim++)
		if (!sg_mul(&n, n, t->shape[t->ndim] = sg_arch_letter(d, shape[t->ndim])))
			return sg_fail(SG_E_NOMEM, "tensor '%s' is too large", name);
	t->bytes = n * 2;
	if (p->data) {
		t->data = p->data + p->bytes;
		if (!blank)
			fill(p, p->data + p->bytes, n, t->ndim > 1, strstr(ours, ".bias"));
	}
	p->bytes += (t->bytes + 63) & ~(size_t)63;
	return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int add_all(struct pack *p, const struct sg_arch *arch, const struct sg_desc *d, bool blank)
{
	p->n = p->bytes = 0;
	for (const struct sg_arch_tensor *a = arch->tensors; a->ours; a++)
		for (size_t l = 0; sg_desc_has(d, a->ours) && l < (strstr(a->ours, "%zu") ? d->layers : 1); l++) {
			char name[96];

			snprintf(name, sizeof(name), a->theirs, l);
			SG_TRY(add(p, d, name, a->shape, a->ours, blank));
		}
	return 0;
}
#pragma GCC diagnostic pop

/* Twice over the table: how much there is, then what it is. calloc gives pages that are
 * taken when they are touched. */
static int pack(struct pack **out, const struct sg_arch *arch, const struct sg_desc *d, bool blank)
{
	size_t n = count(arch, d), head = sizeof(struct pack) + n * (sizeof(struct sg_tensor_info) + 96);
	struct pack *p = sg_calloc(head, 1), *all;
	float v[256];
	int rc;

	if (!p)
		return -SG_E_NOMEM;
	p->t = (struct sg_tensor_info *)(p + 1);
	p->name = (char (*)[96])(p->t + n);
	p->cap = n;
	rc = add_all(p, arch, d, true);
	all = rc < 0 ? NULL : sg_calloc(head + p->bytes + 64, 1);
	free(p);
	if (!all)
		return rc < 0 ? rc : -SG_E_NOMEM;
	all->t = (struct sg_tensor_info *)(all + 1);
	all->name = (char (*)[96])(all->t + n);
	all->cap = n;
	all->data = (unsigned char *)(((uintptr_t)all + head + 63) & ~(uintptr_t)63);
	for (size_t i = 0; i < POOL; i++) {
		if (i % SG_LEN(v) == 0)
			sg_rng_normal(v, SG_LEN(v), 1, i);
		all->pool[i] = sg_bf16_from_f32(0.02f * v[i % SG_LEN(v)]);
	}
	rc = add_all(all, arch, d, blank);
	if (rc < 0)
		free(all);
	else
		*out = all;
	return rc;
}

static int make(struct sg_checkpoint **out, const char *config, bool blank)
{
	struct sg_json_doc doc = { 0 };
	const struct sg_arch *arch = NULL;
	struct sg_desc d = { .rope_gain = 1 };
	const char *type = "";
	struct pack *p = NULL;
	int rc = sg_json_parse(&doc, config, strlen(config), "config.json");

	if (rc >= 0)
		rc = sg_json_str(sg_json_root(&doc), "model_type", &type);
	if (rc >= 0)
		rc = sg_arch_find(&arch, type);
	if (rc >= 0)
		rc = arch->config(&d, sg_json_root(&doc));
	if (rc >= 0)
		rc = pack(&p, arch, &d, blank);
	if (rc >= 0)
		rc = sg_checkpoint_make(out, config, strlen(config), "{}", 2, p->t, p->n, p);
	if (rc < 0)
		free(p);
	sg_json_release(&doc);
	return rc;
}

int sg_shape_make(struct sg_checkpoint **out, const char *name, bool blank)
{
	char list[200] = "";

	for (size_t i = 0; i < SG_LEN(shapes); i++) {
		if (!strcmp(name, shapes[i].name))
			return make(out, shapes[i].config, blank);
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", shapes[i].name);
	}
	return sg_fail(SG_E_NOTFOUND, "no shape '%.60s'; there are %s", name, list);
}
