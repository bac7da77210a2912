#include "format/gguf.h"
#include "base/error.h"
#include "base/mem.h"
#include <assert.h>

#define NAME_MAX_ 63	/* bytes of a tensor's name, as ggml has it */
#define KEY_MAX   65535
#define DIMS_MAX  4

/* Bytes of a value; 0: not of a fixed size. */
static const unsigned char value_size[SG_GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

/* Every type of a tensor that a file may have, by its number; those with names of
 * ours can be computed with. */
static const struct { const char *name; unsigned block, size; } types[] = {
	[0] = { "F32", 1, 4 }, [1] = { "F16", 1, 2 }, [2] = { "Q4_0", 32, 18 }, [3] = { "Q4_1", 32, 20 },
	[6] = { "Q5_0", 32, 22 }, [7] = { "Q5_1", 32, 24 }, [8] = { "Q8_0", 32, 34 }, [9] = { "Q8_1", 32, 40 },
	[10] = { "Q2_K", 256, 84 }, [11] = { "Q3_K", 256, 110 }, [12] = { "Q4_K", 256, 144 },
	[13] = { "Q5_K", 256, 176 }, [14] = { "Q6_K", 256, 210 }, [15] = { "Q8_K", 256, 292 },
	[16] = { "IQ2_XXS", 256, 66 }, [17] = { "IQ2_XS", 256, 74 }, [18] = { "IQ3_XXS", 256, 98 },
	[19] = { "IQ1_S", 256, 50 }, [20] = { "IQ4_NL", 32, 18 }, [21] = { "IQ3_S", 256, 110 },
	[22] = { "IQ2_S", 256, 82 }, [23] = { "IQ4_XS", 256, 136 }, [24] = { "I8", 1, 1 }, [25] = { "I16", 1, 2 },
	[26] = { "I32", 1, 4 }, [27] = { "I64", 1, 8 }, [28] = { "F64", 1, 8 }, [29] = { "IQ1_M", 256, 56 },
	[30] = { "BF16", 1, 2 }, [34] = { "TQ1_0", 256, 54 }, [35] = { "TQ2_0", 256, 66 },
	[39] = { "MXFP4", 32, 17 }, [40] = { "NVFP4", 64, 36 }, [41] = { "Q1_0", 128, 18 },
};

/* The header is walked twice: first (text NULL) all is checked and the names are
 * measured, then tables that fit are filled. */
struct walk {
	struct sg_rd r;
	const char *what;
	uint64_t n_kv, n;
	struct sg_gguf_kv *kv;
	struct sg_tensor_info *t;
	char *text;
	size_t at;		/* in text */
	uint64_t align;
	uint64_t last, end;	/* of the tensors so far, without and with padding */
	const unsigned char *base;	/* where the tensors begin, once that is known */
};

static int wrong(const struct walk *w, const char *kind, const char *name, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "'%s': %s '%.64s' %s", w->what, kind, name, why);
}

/* --- pieces ------------------------------------------------------------------ */

static struct sg_gguf_text read_text(struct sg_rd *r)
{
	struct sg_gguf_text t = { "", 0 };
	uint64_t n = sg_rd_u64(r);

	if (sg_rd_fits(r, n, 1)) {
		t.s = (const char *)sg_rd_bytes(r, (size_t)n);
		t.n = (size_t)n;
	}
	return t;
}

/* A key or name: printable, kept with a NUL. `shown` gets a cut copy for messages. */
static int read_name(struct walk *w, const char **out, char shown[65], const char *kind, size_t max)
{
	struct sg_gguf_text t = read_text(&w->r);

	SG_TRY(sg_rd_check(&w->r));
	snprintf(shown, 65, "%.*s", (int)SG_MIN(t.n, (size_t)64), t.s);
	if (!t.n || t.n > max)
		return sg_fail(SG_E_CORRUPT, "'%s': a %s of %zu bytes", w->what, kind, t.n);
	for (size_t i = 0; i < t.n; i++)
		if (t.s[i] < 0x21 || t.s[i] > 0x7e)
			return sg_fail(SG_E_CORRUPT, "'%s': a %s with bytes that are not printable ASCII", w->what, kind);
	*out = "";
	if (w->text) {
		*out = memcpy(w->text + w->at, t.s, t.n);
		w->text[w->at + t.n] = 0;
	}
	w->at += t.n + 1;
	return 0;
}

/* n values of a type follow. */
static int skip_values(struct walk *w, struct sg_gguf_kv *kv, uint64_t n, const char *shown)
{
	size_t size = value_size[kv->type];

	kv->data = w->r.p;
	if (sg_rd_fits(&w->r, n, size ? size : 8)) {
		kv->n = (size_t)n;
		if (size)
			(void)sg_rd_bytes(&w->r, kv->n * size);
		for (size_t i = 0; !size && i < kv->n && !w->r.bad; i++)
			(void)read_text(&w->r);
	}
	SG_TRY(sg_rd_check(&w->r));
	kv->bytes = (size_t)(w->r.p - kv->data);
	for (size_t i = 0; kv->type == SG_GGUF_BOOL && i < kv->n; i++)
		if (kv->data[i] > 1)
			return wrong(w, "key", shown, "holds a truth that is neither 0 nor 1");
	return 0;
}

static int read_kv(struct walk *w, struct sg_gguf_kv *kv)
{
	char shown[65];
	uint32_t type;
	uint64_t n = 1;

	SG_TRY(read_name(w, &kv->key, shown, "key", KEY_MAX));
	type = sg_rd_u32(&w->r);
	if (type == SG_GGUF_ARRAY) {
		kv->array = true;
		type = sg_rd_u32(&w->r);
		n = sg_rd_u64(&w->r);
	}
	SG_TRY(sg_rd_check(&w->r));
	if (kv->array && type == SG_GGUF_ARRAY)
		return wrong(w, "key", shown, "is an array of arrays");
	if (type >= SG_GGUF_TYPES)
		return wrong(w, "key", shown, "has an unknown type");
	kv->type = (enum sg_gguf_type)type;
	SG_TRY(skip_values(w, kv, n, shown));
	if (strcmp(shown, "general.alignment"))
		return 0;
	if (kv->array || kv->type != SG_GGUF_U32)
		return wrong(w, "key", shown, "is not a u32");
	w->align = sg_le32(kv->data);
	if (w->align < 8 || (w->align & (w->align - 1)))
		return wrong(w, "key", shown, "is not a power of two of at least 8");
	return 0;
}

static int read_shape(struct walk *w, struct sg_tensor_info *t, const char *shown)
{
	uint32_t dims = sg_rd_u32(&w->r);

	SG_TRY(sg_rd_check(&w->r));
	if (dims > DIMS_MAX)
		return wrong(w, "tensor", shown, "has too many dimensions");
	t->ndim = dims;
	for (uint32_t i = 0; i < dims; i++) {
		uint64_t d = sg_rd_u64(&w->r);

		if (d > INT64_MAX)
			return wrong(w, "tensor", shown, "has a negative dimension");
		t->shape[dims - 1 - i] = (size_t)d;
	}
	return sg_rd_check(&w->r);
}

static int count_bytes(struct walk *w, struct sg_tensor_info *t, uint32_t type, const char *shown)
{
	size_t n = 1, row = t->ndim ? t->shape[t->ndim - 1] : 1;

	if (type >= SG_LEN(types) || !types[type].name)
		return wrong(w, "tensor", shown, "has an unknown type");
	t->dtype_name = types[type].name;
	t->dtype = sg_dtype_find(t->dtype_name);
	for (unsigned i = t->ndim; i-- > 0; )
		if (!sg_mul(&n, n, t->shape[i]) || n > INT64_MAX)
			return wrong(w, "tensor", shown, "is too large");
	if (row % types[type].block)
		return wrong(w, "tensor", shown, "has rows that end within a block");
	if (!sg_mul(&t->bytes, n / types[type].block, types[type].size) || t->bytes > INT64_MAX)
		return wrong(w, "tensor", shown, "is too large");
	return 0;
}

static uint64_t padded(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* Tensors lie one after another, each from a multiple of the alignment. */
static int read_tensor(struct walk *w, struct sg_tensor_info *t)
{
	char shown[65];
	uint32_t type;
	uint64_t offset;

	SG_TRY(read_name(w, &t->name, shown, "tensor's name", NAME_MAX_));
	SG_TRY(read_shape(w, t, shown));
	type = sg_rd_u32(&w->r);
	offset = sg_rd_u64(&w->r);
	SG_TRY(sg_rd_check(&w->r));
	SG_TRY(count_bytes(w, t, type, shown));
	if (offset != w->end)
		return wrong(w, "tensor", shown, offset % w->align ? "is not aligned" :
			     offset < w->end ? "overlaps another" : "has a hole before it");
	w->last = offset + t->bytes;
	w->end = padded(w->last, w->align);
	if (w->end > INT64_MAX)
		return wrong(w, "tensor", shown, "lies outside the file");
	t->data = w->base ? w->base + offset : NULL;
	return 0;
}

/* --- the whole header -------------------------------------------------------- */

static int read_start(struct walk *w, uint32_t *version)
{
	const unsigned char *magic = sg_rd_bytes(&w->r, 4);

	if (!magic || memcmp(magic, "GGUF", 4))
		return sg_fail(SG_E_CORRUPT, "'%s' is not a GGUF file", w->what);
	*version = sg_rd_u32(&w->r);
	SG_TRY(sg_rd_check(&w->r));
	if (*version == 1)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is GGUF version 1, which is not supported; "
			       "convert it anew with llama.cpp", w->what);
	if (*version && !(*version & 0xffff))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is a big-endian GGUF file, which is not supported", w->what);
	if (*version != 2 && *version != 3)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is GGUF version %u, which is not supported", w->what, *version);
	w->n = sg_rd_u64(&w->r);
	w->n_kv = sg_rd_u64(&w->r);
	SG_TRY(sg_rd_check(&w->r));
	/* the least that each takes: a name of one byte, a type, a value; name, type, offset */
	if (w->n > sg_rd_left(&w->r) / 25 || w->n_kv > sg_rd_left(&w->r) / 14)
		return sg_fail(SG_E_CORRUPT, "'%s' is too short for the %llu keys and %llu tensors that it claims", w->what,
			       (unsigned long long)w->n_kv, (unsigned long long)w->n);
	return 0;
}

static int walk_header(struct walk *w, struct sg_gguf *g)
{
	const unsigned char *data = w->r.start;

	sg_rd_init(&w->r, data, (size_t)(w->r.end - data), w->what);
	w->align = 32;
	w->at = 0;
	w->last = w->end = 0;
	SG_TRY(read_start(w, &g->version));
	for (uint64_t i = 0; i < w->n_kv; i++) {
		struct sg_gguf_kv kv = { 0 };

		SG_TRY(read_kv(w, w->text ? &w->kv[i] : &kv));
	}
	for (uint64_t i = 0; i < w->n; i++) {
		struct sg_tensor_info t = { 0 };

		SG_TRY(read_tensor(w, w->text ? &w->t[i] : &t));
	}
	return 0;
}

/* The data of all tensors are in the file, and nothing else behind them. */
static int find_data(struct walk *w)
{
	size_t left = sg_rd_left(&w->r), at = (size_t)(w->r.p - w->r.start);
	size_t pad = (size_t)(padded(at, w->align) - at);

	if (w->n && (left < pad || w->last > left - pad))
		return sg_fail(SG_E_CORRUPT, "'%s' is truncated: its tensors end at byte %llu of %zu", w->what,
			       (unsigned long long)(at + pad + w->last), at + left);
	left -= SG_MIN(left, pad);
	if (left > w->end)
		return sg_fail(SG_E_CORRUPT, "'%s' has %zu bytes after its last tensor", w->what,
			       left - (size_t)w->end);
	w->base = w->r.p + SG_MIN(pad, sg_rd_left(&w->r));
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct sg_gguf_kv *)a)->key, ((const struct sg_gguf_kv *)b)->key);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sg_tensor_info *)a)->name, ((const struct sg_tensor_info *)b)->name);
}

static int sort(struct sg_gguf *g, const char *what)
{
	qsort(g->kv, g->n_kv, sizeof(*g->kv), by_key);
	qsort(g->t, g->n, sizeof(*g->t), by_name);
	for (size_t i = 1; i < g->n_kv; i++)
		if (!by_key(&g->kv[i - 1], &g->kv[i]))
			return sg_fail(SG_E_CORRUPT, "'%s': key '%.64s' is there twice", what, g->kv[i].key);
	for (size_t i = 1; i < g->n; i++)
		if (!by_name(&g->t[i - 1], &g->t[i]))
			return sg_fail(SG_E_CORRUPT, "'%s': tensor '%s' is there twice", what, g->t[i].name);
	return 0;
}

static int fill(struct sg_gguf *g, struct walk *w)
{
	SG_TRY(SG_NEW(g->kv, w->n_kv));
	SG_TRY(SG_NEW(g->t, w->n));
	SG_TRY(SG_NEW(g->text, w->at + 1));
	g->n_kv = (size_t)w->n_kv;
	g->n = (size_t)w->n;
	w->kv = g->kv;
	w->t = g->t;
	w->text = g->text;
	SG_TRY(walk_header(w, g));
	return sort(g, w->what);
}

int sg_gguf_parse(struct sg_gguf *out, const unsigned char *data, size_t n, const char *what)
{
	struct walk w = { .what = what };
	struct sg_gguf g = { 0 };
	int rc;

	sg_rd_init(&w.r, data, n, what);
	SG_TRY(walk_header(&w, &g));
	SG_TRY(find_data(&w));
	rc = fill(&g, &w);
	if (rc < 0)
		sg_gguf_release(&g);
	else
		*out = g;
	return rc;
}

void sg_gguf_release(struct sg_gguf *g)
{
	free(g->kv);
	free(g->t);
	free(g->text);
	*g = (struct sg_gguf){ 0 };
}

/* --- looking ----------------------------------------------------------------- */

const struct sg_gguf_kv *sg_gguf_get(const struct sg_gguf *g, const char *key)
{
	struct sg_gguf_kv k = { .key = key };

	return g->n_kv ? bsearch(&k, g->kv, g->n_kv, sizeof(k), by_key) : NULL;
}

const struct sg_tensor_info *sg_gguf_tensor(const struct sg_gguf *g, const char *name)
{
	struct sg_tensor_info t = { .name = name };

	return g->n ? bsearch(&t, g->t, g->n, sizeof(t), by_name) : NULL;
}

static int bad_value(const char *key, const char *want)
{
	return sg_fail(SG_E_CORRUPT, "key '%s' of the GGUF file is not %s", key, want);
}

/* A whole number as its 64 bits; false when it is none or negative. */
static bool whole(const struct sg_gguf_kv *k, uint64_t *v)
{
	const unsigned char *p = k->data;
	int64_t s = 0;

	if (k->array)
		return false;
	switch (k->type) {
	case SG_GGUF_U8: *v = p[0]; return true;
	case SG_GGUF_U16: *v = sg_le16(p); return true;
	case SG_GGUF_U32: *v = sg_le32(p); return true;
	case SG_GGUF_U64: *v = sg_le64(p); return true;
	case SG_GGUF_I8: s = (int8_t)p[0]; break;
	case SG_GGUF_I16: s = (int16_t)sg_le16(p); break;
	case SG_GGUF_I32: s = (int32_t)sg_le32(p); break;
	case SG_GGUF_I64: s = (int64_t)sg_le64(p); break;
	default: return false;
	}
	*v = (uint64_t)s;
	return s >= 0;
}

int sg_gguf_size(const struct sg_gguf *g, const char *key, size_t lo, size_t hi, size_t *out)
{
	const struct sg_gguf_kv *k = sg_gguf_get(g, key);
	uint64_t v;

	if (!k)
		return 0;
	if (!whole(k, &v))
		return bad_value(key, "a whole number");
	if (v < lo || v > hi)
		return sg_fail(SG_E_CORRUPT, "key '%s' of the GGUF file is %llu, not within %zu and %zu", key,
			       (unsigned long long)v, lo, hi);
	*out = (size_t)v;
	return 0;
}

int sg_gguf_f64(const struct sg_gguf *g, const char *key, double *out)
{
	const struct sg_gguf_kv *k = sg_gguf_get(g, key);
	uint64_t u;
	uint32_t h;
	double d;
	float f;

	if (!k)
		return 0;
	if (k->array || (k->type != SG_GGUF_F32 && k->type != SG_GGUF_F64))
		return bad_value(key, "a number");
	if (k->type == SG_GGUF_F32) {
		h = sg_le32(k->data);
		memcpy(&f, &h, sizeof(f));
		d = (double)f;
	} else {
		u = sg_le64(k->data);
		memcpy(&d, &u, sizeof(d));
	}
	if (!(d - d == 0))
		return bad_value(key, "a finite number");
	*out = d;
	return 0;
}

int sg_gguf_bool(const struct sg_gguf *g, const char *key, bool *out)
{
	const struct sg_gguf_kv *k = sg_gguf_get(g, key);

	if (!k)
		return 0;
	if (k->array || k->type != SG_GGUF_BOOL)
		return bad_value(key, "a truth");
	*out = *k->data;
	return 0;
}

int sg_gguf_str(const struct sg_gguf *g, const char *key, struct sg_gguf_text *out)
{
	const struct sg_gguf_kv *k = sg_gguf_get(g, key);
	size_t at = 0;

	if (!k)
		return 0;
	if (k->array || k->type != SG_GGUF_STRING)
		return bad_value(key, "a string");
	*out = sg_gguf_next(k, &at);
	return 0;
}

int sg_gguf_array(const struct sg_gguf *g, const char *key, enum sg_gguf_type type, const struct sg_gguf_kv **out)
{
	const struct sg_gguf_kv *k = sg_gguf_get(g, key);

	*out = NULL;
	if (!k)
		return 0;
	if (!k->array || (k->type != type && k->n))
		return bad_value(key, "an array of the right type");
	*out = k;
	return 0;
}

struct sg_gguf_text sg_gguf_next(const struct sg_gguf_kv *array, size_t *at)
{
	struct sg_gguf_text t;

	assert(array->type == SG_GGUF_STRING && *at + 8 <= array->bytes);
	t.n = (size_t)sg_le64(array->data + *at);
	t.s = (const char *)array->data + *at + 8;
	*at += 8 + t.n;
	return t;
}
