#ifndef SG_FORMAT_PACK_H
#define SG_FORMAT_PACK_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * msgpack both ways, for bulk that nobody reads by eye: receipts, curves,
 * offsets, optimiser state. Same calls, same bytes. Arrays of numbers are one
 * bin of little-endian values. Keys of maps are strings.
 */
#define SG_PACK_DEPTH 32

/* Version of the library at run time: "4.0.0". */
const char *sg_pack_library(void);

/* Writer. Containers state their number of members first; done refuses when
 * another number was written. The first failure is kept and returned by done. */
struct sg_packw { struct sg_buf *out; int rc; unsigned depth; uint64_t left[SG_PACK_DEPTH + 1]; };
void sg_packw_init(struct sg_packw *w, struct sg_buf *out);
void sg_packw_map(struct sg_packw *w, uint32_t pairs);
void sg_packw_array(struct sg_packw *w, uint32_t n);
/* A key is a string; its own name for the eye. */
void sg_packw_key(struct sg_packw *w, const char *key);
void sg_packw_str(struct sg_packw *w, const char *s);
void sg_packw_strn(struct sg_packw *w, const char *s, size_t n);
void sg_packw_bin(struct sg_packw *w, const void *data, size_t n);
void sg_packw_u64(struct sg_packw *w, uint64_t v);
void sg_packw_i64(struct sg_packw *w, int64_t v);
void sg_packw_f64(struct sg_packw *w, double v);
void sg_packw_bool(struct sg_packw *w, bool v);
void sg_packw_nil(struct sg_packw *w);
void sg_packw_f64s(struct sg_packw *w, const double *v, size_t n);
void sg_packw_f32s(struct sg_packw *w, const float *v, size_t n);
void sg_packw_u32s(struct sg_packw *w, const uint32_t *v, size_t n);
int sg_packw_done(struct sg_packw *w);

/* Reader: a tree as base/json.h has it. U64 holds every integer >= 0, I64 the
 * negative ones. */
enum sg_pack_type {
	SG_PACK_NIL, SG_PACK_BOOL, SG_PACK_U64, SG_PACK_I64, SG_PACK_F64, SG_PACK_STR, SG_PACK_BIN,
	SG_PACK_ARRAY, SG_PACK_MAP
};
struct sg_pack {
	enum sg_pack_type type;
	bool truth;			/* BOOL */
	const char *key;		/* in a map, NUL-terminated */
	size_t key_len;
	uint64_t u;			/* U64 */
	int64_t i;			/* I64 */
	double f;			/* F64, and integers converted */
	const char *str;		/* STR, NUL-terminated; BIN: borrowed from the input, unaligned */
	size_t len;
	size_t n;			/* children of an array or map (pairs count once) */
	const struct sg_pack *child, *next;
};
struct sg_pack_doc { struct sg_pack *nodes; size_t n_nodes; char *text; };

/* data must outlive the document (bins point into it). Depth, counts and
 * lengths are checked before anything is allocated for them; extension types,
 * keys that are no strings, duplicate keys and trailing bytes are CORRUPT. */
int sg_pack_parse(struct sg_pack_doc *doc, const void *data, size_t n, const char *what);
void sg_pack_release(struct sg_pack_doc *doc);
static inline const struct sg_pack *sg_pack_root(const struct sg_pack_doc *doc)
{
	return doc->nodes;
}
/* Member of a map, NULL when absent or m is NULL or no map. */
const struct sg_pack *sg_pack_get(const struct sg_pack *m, const char *key);
/* Typed members. Absent or nil: *out untouched, 0. Wrong type or range: CORRUPT,
 * naming the key. */
int sg_pack_str(const struct sg_pack *m, const char *key, const char **out);
int sg_pack_u64(const struct sg_pack *m, const char *key, uint64_t max, uint64_t *out);
int sg_pack_i64(const struct sg_pack *m, const char *key, int64_t lo, int64_t hi, int64_t *out);
int sg_pack_f64(const struct sg_pack *m, const char *key, double *out);
int sg_pack_bool(const struct sg_pack *m, const char *key, bool *out);
/* Arrays of numbers, copied: *out is yours to free (untouched when absent). */
int sg_pack_f64s(const struct sg_pack *m, const char *key, double **out, size_t *n);
int sg_pack_f32s(const struct sg_pack *m, const char *key, float **out, size_t *n);
int sg_pack_u32s(const struct sg_pack *m, const char *key, uint32_t **out, size_t *n);
SG_C_END
#endif
