#ifndef SG_FORMAT_TENSORS_H
#define SG_FORMAT_TENSORS_H
#include "base/base.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/json.h"
SG_C_BEGIN
/*
 * safetensors both ways: u64 length, JSON header, packed data. The reader takes
 * whatever the reference reader takes except duplicate keys and unknown fields;
 * the writer gives the same bytes for the same tensors, whatever their order.
 */
#define SG_TENSOR_DIMS 8	/* most dimensions that a file may hold */

/* One tensor of a file. `data` is borrowed from the file and may be unaligned:
 * memcpy, never cast. dtype is SG_DTYPE_COUNT for a valid type that sg does not
 * compute with (F8_E4M3, C64 ...); dtype_name always tells. */
struct sg_tensor_info {
	const char *name, *dtype_name;
	enum sg_dtype dtype;
	unsigned ndim;
	size_t shape[SG_TENSOR_DIMS];
	const unsigned char *data;
	size_t bytes;
};

/* t: n tensors, sorted bytewise by name. meta: the __metadata__ object
 * (string -> string) or NULL; read it with sg_json_str. */
struct sg_tensors {
	struct sg_tensor_info *t;
	size_t n;
	const struct sg_json *meta;
	struct sg_json_doc doc;
};

/* data must outlive *out, which is written on success only. CORRUPT names
 * `what` and the tensor. */
int sg_tensors_parse(struct sg_tensors *out, const unsigned char *data, size_t n, const char *what);
void sg_tensors_release(struct sg_tensors *t);
/* Borrowed, NULL when there is none of that name. */
const struct sg_tensor_info *sg_tensors_get(const struct sg_tensors *t, const char *name);
/* The same for use: NOTFOUND, or UNSUPPORTED for a dtype that sg does not know. */
int sg_tensors_find(const struct sg_tensor_info **out, const struct sg_tensors *t, const char *name);
/* 0 when i can be computed with, else UNSUPPORTED naming the tensor. */
int sg_tensor_usable(const struct sg_tensor_info *i);
/* SG_DTYPE_COUNT when it is none of ours. */
enum sg_dtype sg_dtype_find(const char *name);

/* A tensor to write. data may be NULL when a `next` is given. */
struct sg_tensor_put {
	const char *name;
	enum sg_dtype dtype;
	unsigned ndim;
	size_t shape[SG_TENSOR_DIMS];
	const void *data;
};
struct sg_tensor_meta { const char *key, *value; };

/*
 * The file into o (open, not committed): header, then data, ordered by dtype
 * (widest first) and name; metadata keys sorted; header padded to 8 bytes.
 * meta may be NULL; Hugging Face loaders want {"format","pt"}.
 */
int sg_tensors_write(struct sg_out *o, const struct sg_tensor_put *t, size_t n,
		     const struct sg_tensor_meta *meta, size_t n_meta);
/* The same for data made on demand: next gives the bytes of t[i], valid until
 * it is called again. Called once for each i, in the order of the file. */
struct sg_tensor_source {
	int (*next)(void *arg, size_t i, const void **data);
	void *arg;
};
int sg_tensors_write_from(struct sg_out *o, const struct sg_tensor_put *t, size_t n,
			  const struct sg_tensor_meta *meta, size_t n_meta,
			  const struct sg_tensor_source *src);
/* The length word and header alone, appended to out; order (n of them, yours)
 * receives the indices of t in file order. */
int sg_tensors_header(struct sg_buf *out, size_t *order, const struct sg_tensor_put *t, size_t n,
		      const struct sg_tensor_meta *meta, size_t n_meta);
SG_C_END
#endif
