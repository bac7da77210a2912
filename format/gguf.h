#ifndef SG_FORMAT_GGUF_H
#define SG_FORMAT_GGUF_H
#include "base/base.h"
#include "format/rd.h"
#include "format/tensors.h"
SG_C_BEGIN
/*
 * GGUF, versions 2 and 3: typed metadata, then tensors, in one file. The reader
 * is pure and takes what ggml's reader takes, except arrays in arrays, keys and
 * names that are not printable ASCII, and bytes after the last tensor.
 */
enum sg_gguf_type {
	SG_GGUF_U8, SG_GGUF_I8, SG_GGUF_U16, SG_GGUF_I16, SG_GGUF_U32, SG_GGUF_I32, SG_GGUF_F32, SG_GGUF_BOOL,
	SG_GGUF_STRING, SG_GGUF_ARRAY, SG_GGUF_U64, SG_GGUF_I64, SG_GGUF_F64, SG_GGUF_TYPES
};

/* One value, or an array of n elements of `type`. Its bytes are borrowed from the
 * file, little endian, unaligned; a string is a u64 length and its bytes. */
struct sg_gguf_kv {
	const char *key;
	enum sg_gguf_type type;
	bool array;
	size_t n, bytes;
	const unsigned char *data;
};

/* kv and t sorted bytewise by key and name. Shapes are outermost first, as in
 * safetensors: a matrix of `in` contiguous elements a row is [out, in]. */
struct sg_gguf {
	uint32_t version;
	struct sg_gguf_kv *kv;
	size_t n_kv;
	struct sg_tensor_info *t;
	size_t n;
	char *text;		/* keys and names */
};

/* data must outlive *out, which is written on success only. CORRUPT names `what`
 * and the key or tensor; UNSUPPORTED another version. */
int sg_gguf_parse(struct sg_gguf *out, const unsigned char *data, size_t n, const char *what);
void sg_gguf_release(struct sg_gguf *g);
/* NULL when there is none. */
const struct sg_gguf_kv *sg_gguf_get(const struct sg_gguf *g, const char *key);
const struct sg_tensor_info *sg_gguf_tensor(const struct sg_gguf *g, const char *name);

/* Typed values. Absent: *out untouched, 0 returned. Of another type or out of
 * range: CORRUPT, naming the key. Whole numbers may have any width. */
int sg_gguf_size(const struct sg_gguf *g, const char *key, size_t lo, size_t hi, size_t *out);
int sg_gguf_f64(const struct sg_gguf *g, const char *key, double *out);
int sg_gguf_bool(const struct sg_gguf *g, const char *key, bool *out);
/* Borrowed, not NUL-terminated; it may hold any bytes. */
struct sg_gguf_text { const char *s; size_t n; };
int sg_gguf_str(const struct sg_gguf *g, const char *key, struct sg_gguf_text *out);
/* *out NULL when absent. */
int sg_gguf_array(const struct sg_gguf *g, const char *key, enum sg_gguf_type type, const struct sg_gguf_kv **out);
/* Element at byte *at of an array of strings, and the place of the next; begin at 0. */
struct sg_gguf_text sg_gguf_next(const struct sg_gguf_kv *array, size_t *at);
static inline bool sg_gguf_is(struct sg_gguf_text t, const char *s)
{
	return t.n == strlen(s) && !memcmp(t.s, s, t.n);
}
SG_C_END
#endif
