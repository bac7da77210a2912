#include "model/checkpoint.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/quant.h"
#include "format/shards.h"
#include "model/arch.h"
#include "model/gguf_base.h"
#include "model/spm_base.h"
#include <math.h>

/* One of ours: a stored tensor or a part of it. */
struct entry {
	char ours[64];
	const struct sg_tensor_info *info;
	const struct sg_arch_tensor *as;
};

struct sg_checkpoint {
	const struct sg_arch *arch;
	struct sg_desc desc;
	struct sg_buf config, tokenizer;
	struct sg_json_doc doc;
	struct sg_shards shards;
	struct sg_map map;			/* of a GGUF file */
	struct sg_gguf gguf;
	const struct sg_arch_tensor *names;	/* of the stored tensors */
	const struct sg_tensor_info **t;	/* stored tensors by name */
	size_t n;
	struct entry *e;			/* ours */
	size_t n_e, cap_e;
	size_t *first;				/* [n] of t: its first entry, counted from 1; 0: ignored */
	bool or_prefix;				/* names have the architecture's other prefix */
	float *table;				/* computed embedding */
	void *own;
};

/* --- expected against found ------------------------------------------------ */

static bool shape_is(const struct sg_desc *d, const char *letters, const struct sg_tensor_info *i)
{
	if (strlen(letters) != i->ndim)
		return false;
	for (unsigned k = 0; k < i->ndim; k++)
		if (i->shape[k] != sg_arch_letter(d, letters[k]))
			return false;
	return true;
}

/* What is wrong with a checkpoint, as one list that stays short. */
struct complaint { char text[1200]; size_t n; };

static void complain(struct complaint *c, const char *what, const char *name)
{
	size_t at = strlen(c->text);

	if (c->n++ < 12)
		snprintf(c->text + at, sizeof(c->text) - at, "%s%s '%s'", at ? ", " : "", what, name);
}

/* Number of a stored tensor, c->n when there is none of that name. */
static size_t stored_at(const struct sg_checkpoint *c, const char *theirs)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int cmp = strcmp(c->t[mid]->name, theirs);

		if (!cmp)
			return mid;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return c->n;
}

/* Layer names hold one %zu; the format strings are the architecture's constants. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void layer_name(char *out, size_t size, const char *pattern, size_t layer)
{
	snprintf(out, size, pattern, layer);
}
#pragma GCC diagnostic pop

/* Their name in this checkpoint. */
static void their_name(char *out, size_t size, const struct sg_checkpoint *c, const struct sg_arch_tensor *a,
		       size_t layer)
{
	char name[160];
	size_t k = c->or_prefix ? strlen(c->arch->prefix) : 0;

	layer_name(name, sizeof(name), a->theirs, layer);
	if (k && !strncmp(name, c->arch->prefix, k))
		snprintf(out, size, "%s%s", c->arch->or_prefix, name + k);
	else
		snprintf(out, size, "%s", name);
}

/* Rows that are quantised have to be whole blocks. */
static bool usable(const struct sg_desc *d, const struct sg_arch_tensor *a, enum sg_dtype dtype)
{
	size_t begin;
	struct sg_mat m = sg_arch_view(d, a, &begin);

	if (!sg_dtype_quantised(dtype))
		return sg_dtype_weight(dtype);
	return !m.turned && m.cols % sg_dtypes[dtype].block == 0;
}

static int match_one(struct sg_checkpoint *c, const struct sg_arch_tensor *a, size_t layer, struct complaint *bad)
{
	const struct sg_tensor_info *t;
	char theirs[160];
	size_t i;

	their_name(theirs, sizeof(theirs), c, a, layer);
	i = stored_at(c, theirs);
	if (i == c->n) {
		complain(bad, "missing", theirs);
		return 0;
	}
	t = c->t[i];
	if (!shape_is(&c->desc, a->shape, t))
		complain(bad, "wrong shape of", theirs);
	else if (!usable(&c->desc, a, t->dtype))
		complain(bad, "unsupported dtype of", theirs);
	SG_TRY(SG_GROW(c->e, c->n_e, c->cap_e));
	c->e[c->n_e] = (struct entry){ .info = t, .as = a };
	layer_name(c->e[c->n_e++].ours, sizeof(c->e->ours), a->ours, layer);
	if (!c->first[i])
		c->first[i] = c->n_e;
	return 0;
}

static bool ignored(const struct sg_checkpoint *c, const char *theirs)
{
	if (c->names != c->arch->tensors)
		return !strcmp(theirs, SG_GGUF_FREQS);
	return c->arch->ignore && c->arch->ignore(&c->desc, theirs);
}

static int match(struct sg_checkpoint *c, const char *what)
{
	struct complaint bad = { .n = 0 };

	for (const struct sg_arch_tensor *a = c->names; a->ours; a++) {
		size_t times = strstr(a->ours, "%zu") ? c->desc.layers : 1;

		if (!sg_desc_has(&c->desc, a->ours))
			continue;
		for (size_t l = 0; l < times; l++)
			SG_TRY(match_one(c, a, l, &bad));
	}
	for (size_t i = 0; i < c->n; i++)
		if (!c->first[i] && !ignored(c, c->t[i]->name))
			complain(&bad, "unknown", c->t[i]->name);
	if (bad.n > 12)
		return sg_fail(SG_E_CORRUPT, "%s: %zu tensors do not fit its config.json: %s, and %zu more", what, bad.n,
			       bad.text, bad.n - 12);
	if (bad.n)
		return sg_fail(SG_E_CORRUPT, "%s: tensors do not fit its config.json: %s", what, bad.text);
	return 0;
}

/* --- opening --------------------------------------------------------------- */

static int read_config(struct sg_checkpoint *c, const char *what)
{
	const char *type = NULL;

	SG_TRY(sg_json_parse(&c->doc, c->config.data, c->config.len, what));
	SG_TRY(sg_json_str(sg_json_root(&c->doc), "model_type", &type));
	if (!type)
		return sg_fail(SG_E_CORRUPT, "%s: 'model_type' is missing", what);
	SG_TRY(sg_arch_find(&c->arch, type));
	snprintf(c->desc.arch, sizeof(c->desc.arch), "%s", type);
	return c->arch->config(&c->desc, sg_json_root(&c->doc));
}

static int finish(struct sg_checkpoint *c, const char *what)
{
	size_t cells;

	SG_TRY(SG_NEW(c->first, c->n));
	c->names = c->arch->tensors;
	if (stored_at(c, SG_GGUF_EMBED) < c->n && sg_gguf_names(c->desc.arch)) {
		c->names = sg_gguf_names(c->desc.arch);
	} else if (c->arch->prefix) {
		char theirs[160];

		their_name(theirs, sizeof(theirs), c, c->arch->tensors, 0);
		c->or_prefix = stored_at(c, theirs) == c->n;
		their_name(theirs, sizeof(theirs), c, c->arch->tensors, 0);
		c->or_prefix &= stored_at(c, theirs) < c->n;
	}
	SG_TRY(match(c, what));
	if (!c->arch->embed)
		return 0;
	if (!sg_mul(&cells, c->desc.vocab, c->desc.d))
		return sg_fail(SG_E_NOMEM, "%s: the embedding is too large", what);
	SG_TRY(SG_NEW(c->table, cells));
	c->arch->embed(&c->desc, c->table);
	return 0;
}

static int open_folder(struct sg_checkpoint *c, const char *path)
{
	char *config = sg_path_join(path, "config.json"), *tok = sg_path_join(path, "tokenizer.json");
	char *model = sg_path_join(path, "tokenizer.model");
	int rc = config && tok && model ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && !sg_dir_exists(path))
		rc = sg_fail(SG_E_NOTFOUND, "no folder '%s'", path);
	if (rc >= 0)
		rc = sg_file_read(&c->config, config, 16 << 20);
	if (rc >= 0)
		rc = read_config(c, config);
	if (rc >= 0 && !sg_file_exists(tok) && sg_file_exists(model))
		rc = sg_spm_folder(&c->tokenizer, path);
	else if (rc >= 0 && (!c->arch->embed || sg_file_exists(tok)))
		rc = sg_file_read(&c->tokenizer, tok, (size_t)256 << 20);
	/* a substrate without blocks has no weights of its own */
	if (rc >= 0 && !(c->arch->embed && !c->desc.layers && !c->desc.has_head))
		rc = sg_shards_open(&c->shards, path);
	if (rc >= 0)
		rc = SG_NEW(c->t, c->shards.n);
	if (rc >= 0) {
		c->n = c->shards.n;
		if (c->n)
			memcpy(c->t, c->shards.t, c->n * sizeof(*c->t));
		rc = finish(c, path);
	}
	free(config);
	free(tok);
	free(model);
	return rc;
}

static int open_gguf(struct sg_checkpoint *c, const char *path)
{
	SG_TRY(sg_map_open(&c->map, path));
	if (c->map.size < 4 || memcmp(c->map.data, "GGUF", 4))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is neither a folder nor a GGUF file", path);
	SG_TRY(sg_gguf_parse(&c->gguf, c->map.data, c->map.size, path));
	SG_TRY(sg_gguf_config(&c->config, &c->gguf, path));
	SG_TRY(sg_gguf_tokenizer(&c->tokenizer, &c->gguf, path));
	SG_TRY(read_config(c, path));
	SG_TRY(SG_NEW(c->t, c->gguf.n));
	c->n = c->gguf.n;
	for (size_t i = 0; i < c->n; i++)
		c->t[i] = &c->gguf.t[i];
	return finish(c, path);
}

int sg_checkpoint_open(struct sg_checkpoint **out, const char *path)
{
	struct sg_checkpoint *c;
	int rc;

	SG_TRY(SG_NEW(c, 1));
	rc = sg_file_exists(path) && !sg_dir_exists(path) ? open_gguf(c, path) : open_folder(c, path);
	if (rc < 0)
		sg_checkpoint_free(c);
	else
		*out = c;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct sg_tensor_info *const *)a)->name, (*(const struct sg_tensor_info *const *)b)->name);
}

int sg_checkpoint_make(struct sg_checkpoint **out, const char *config, size_t config_n, const char *tokenizer,
		       size_t tokenizer_n, const struct sg_tensor_info *t, size_t n, void *own)
{
	struct sg_checkpoint *c;
	int rc;

	SG_TRY(SG_NEW(c, 1));
	rc = sg_buf_add(&c->config, config, config_n);
	if (rc >= 0 && tokenizer)
		rc = sg_buf_add(&c->tokenizer, tokenizer, tokenizer_n);
	if (rc >= 0)
		rc = read_config(c, "config.json");
	if (rc >= 0)
		rc = SG_NEW(c->t, n);
	if (rc >= 0) {
		c->n = n;
		for (size_t i = 0; i < n; i++)
			c->t[i] = &t[i];
		if (n)
			qsort(c->t, n, sizeof(*c->t), by_name);
		rc = finish(c, "base");
	}
	if (rc < 0) {
		sg_checkpoint_free(c);
		return rc;
	}
	c->own = own;
	*out = c;
	return 0;
}

void sg_checkpoint_free(struct sg_checkpoint *c)
{
	if (!c)
		return;
	sg_buf_release(&c->config);
	sg_buf_release(&c->tokenizer);
	sg_json_release(&c->doc);
	sg_shards_release(&c->shards);
	sg_gguf_release(&c->gguf);
	sg_map_release(&c->map);
	free(c->t);
	free(c->e);
	free(c->first);
	free(c->table);
	free(c->own);
	free(c);
}

/* --- looking --------------------------------------------------------------- */

const struct sg_desc *sg_checkpoint_desc(const struct sg_checkpoint *c)
{
	return &c->desc;
}

const struct sg_buf *sg_checkpoint_config(const struct sg_checkpoint *c)
{
	return &c->config;
}

const struct sg_buf *sg_checkpoint_tokenizer(const struct sg_checkpoint *c)
{
	return c->tokenizer.data ? &c->tokenizer : NULL;
}

size_t sg_checkpoint_count(const struct sg_checkpoint *c)
{
	return c->n;
}

const struct sg_tensor_info *sg_checkpoint_tensor(const struct sg_checkpoint *c, size_t i, const char **ours)
{
	if (ours)
		*ours = c->first[i] ? c->e[c->first[i] - 1].ours : "";
	return c->t[i];
}

static const struct entry *find(const struct sg_checkpoint *c, const char *ours)
{
	for (size_t i = 0; i < c->n_e; i++)
		if (!strcmp(c->e[i].ours, ours))
			return &c->e[i];
	return NULL;
}

bool sg_checkpoint_has(const struct sg_checkpoint *c, const char *ours)
{
	return (c->table && !strcmp(ours, "embed")) || find(c, ours);
}

int sg_checkpoint_mat(struct sg_mat *out, const struct sg_checkpoint *c, const char *ours)
{
	const struct entry *e;
	size_t begin;

	if (c->table && !strcmp(ours, "embed")) {
		*out = (struct sg_mat){ .data = c->table, .dtype = SG_F32, .rows = c->desc.vocab, .cols = c->desc.d };
		return 0;
	}
	e = find(c, ours);
	if (!e)
		return sg_fail(SG_E_NOTFOUND, "the base has no tensor '%s'", ours);
	*out = sg_arch_view(&c->desc, e->as, &begin);
	out->dtype = e->info->dtype;
	out->data = e->info->data + sg_dtype_bytes(out->dtype, begin);
	return 0;
}

static const struct sg_arch_tensor *named(const struct sg_checkpoint *c, const char *ours, size_t *layer)
{
	char name[64];

	*layer = 0;
	(void)sscanf(ours, "layers.%zu.", layer);
	for (const struct sg_arch_tensor *a = c->arch->tensors; a->ours; a++) {
		layer_name(name, sizeof(name), a->ours, *layer);
		if (!strcmp(name, ours))
			return a;
	}
	return NULL;
}

int sg_checkpoint_theirs(char *out, size_t size, const struct sg_checkpoint *c, const char *ours)
{
	size_t layer;
	const struct sg_arch_tensor *a = named(c, ours, &layer);

	if (!a)
		return sg_fail(SG_E_NOTFOUND, "architecture '%s' has no tensor '%s'", c->desc.arch, ours);
	their_name(out, size, c, a, layer);
	return 0;
}

int sg_checkpoint_spot(struct sg_spot *out, const struct sg_checkpoint *c, const struct sg_desc *d,
			 const char *ours)
{
	size_t layer;
	const struct sg_arch_tensor *a = named(c, ours, &layer);
	struct sg_spot s = { .ndim = 0 };

	if (!a)
		return sg_fail(SG_E_NOTFOUND, "architecture '%s' has no tensor '%s'", c->desc.arch, ours);
	their_name(s.theirs, sizeof(s.theirs), c, a, layer);
	s.ndim = (unsigned)strlen(a->shape);
	for (unsigned k = 0; k < s.ndim; k++)
		s.shape[k] = sg_arch_letter(d, a->shape[k]);
	s.view = sg_arch_view(d, a, &s.begin);
	*out = s;
	return 0;
}

int sg_checkpoint_config_for(struct sg_buf *out, const struct sg_checkpoint *c, const struct sg_desc *d)
{
	return c->arch->write_config(d, sg_json_root(&c->doc), out);
}

/* --- the pin --------------------------------------------------------------- */

static bool all_finite(const struct sg_tensor_info *t)
{
	struct sg_mat m = { .data = t->data, .dtype = t->dtype, .rows = 1 };
	size_t n;

	if (!sg_dtype_weight(t->dtype))
		return true;
	n = t->bytes / sg_dtypes[t->dtype].size * sg_dtypes[t->dtype].block;
	if (sg_dtype_quantised(t->dtype))
		return sg_quant_finite(t->data, t->dtype, n);
	for (size_t i = 0; i < n; i++)
		if (!isfinite(sg_mat_at(&m, i)))
			return false;
	return true;
}

static int pin_tensor(struct sg_jsonw *w, const char *name, const char *dtype, const size_t *shape, unsigned ndim,
		      const void *data, size_t bytes)
{
	char hex[SG_SHA256_HEX];

	SG_TRY(sg_sha256_hex(hex, data, bytes));
	sg_jsonw_object(w);
	sg_jsonw_key(w, "dtype");
	sg_jsonw_str(w, dtype);
	sg_jsonw_key(w, "name");
	sg_jsonw_str(w, name);
	sg_jsonw_key(w, "sha256");
	sg_jsonw_str(w, hex);
	sg_jsonw_key(w, "shape");
	sg_jsonw_array(w);
	for (unsigned i = 0; i < ndim; i++)
		sg_jsonw_i64(w, (int64_t)shape[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return 0;
}

static int pin_bytes(struct sg_jsonw *w, const char *key, const struct sg_buf *b)
{
	char hex[SG_SHA256_HEX];

	SG_TRY(sg_sha256_hex(hex, b->data, b->len));
	sg_jsonw_key(w, key);
	sg_jsonw_str(w, hex);
	return 0;
}

int sg_checkpoint_pin(struct sg_buf *manifest, const struct sg_checkpoint *c, const struct sg_progress *progress)
{
	const size_t shape[2] = { c->desc.vocab, c->desc.d };
	char byte[] = "byte";
	struct sg_jsonw w;

	sg_jsonw_init(&w, manifest);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "arch");
	sg_jsonw_str(&w, c->desc.arch);
	sg_jsonw_key(&w, "computed");
	sg_jsonw_array(&w);
	if (c->table)
		SG_TRY(pin_tensor(&w, "embed", "F32", shape, 2, c->table, shape[0] * shape[1] * sizeof(float)));
	sg_jsonw_end(&w, ']');
	SG_TRY(pin_bytes(&w, "config", &c->config));
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-base-1");
	sg_jsonw_key(&w, "tensors");
	sg_jsonw_array(&w);
	for (size_t i = 0; i < c->n; i++) {
		const struct sg_tensor_info *t = c->t[i];

		if (!all_finite(t))
			return sg_fail(SG_E_REFUSED, "tensor '%s' of the base holds a value that is not finite", t->name);
		SG_TRY(pin_tensor(&w, t->name, t->dtype_name, t->shape, t->ndim, t->data, t->bytes));
		if (sg_progress(progress, "hash base", i + 1, c->n, t->name))
			return sg_fail(SG_E_INTERRUPTED, "interrupted");
	}
	sg_jsonw_end(&w, ']');
	/* the byte tokenizer has no file: its name stands for it */
	SG_TRY(pin_bytes(&w, "tokenizer", c->tokenizer.data ? &c->tokenizer : &(struct sg_buf){ .data = byte, .len = 4 }));
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

int sg_substrate_config(struct sg_buf *out, uint64_t seed, size_t d)
{
	const size_t head_dim = 32, heads = SG_MAX(d / head_dim, 1);
	const struct { const char *key; size_t value; } whole[] = {
		{ "head_dim", head_dim }, { "hidden_size", d }, { "intermediate_size", 4 * d },
		{ "max_position_embeddings", 1024 }, { "num_attention_heads", heads },
		{ "num_hidden_layers", 0 }, { "num_key_value_heads", heads }, { "vocab_size", 257 },
	};
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "hidden_act");
	sg_jsonw_str(&w, "silu");
	sg_jsonw_key(&w, "model_type");
	sg_jsonw_str(&w, "substrate");
	for (size_t i = 0; i < SG_LEN(whole); i++) {
		sg_jsonw_key(&w, whole[i].key);
		sg_jsonw_i64(&w, (int64_t)whole[i].value);
	}
	sg_jsonw_key(&w, "seed");
	sg_jsonw_i64(&w, (int64_t)seed);
	sg_jsonw_key(&w, "trained_head");
	sg_jsonw_bool(&w, false);
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}
