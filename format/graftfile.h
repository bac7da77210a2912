#ifndef SG_FORMAT_GRAFTFILE_H
#define SG_FORMAT_GRAFTFILE_H
#include "base/base.h"
#include "base/buf.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/hash.h"
#include "format/tensors.h"
SG_C_BEGIN
/*
 * The manifest of a graft (graft.json, sg-graft(5)). The SHA-256 of its bytes is
 * the graft's id, so there is exactly one way to write one: the reader refuses
 * a file that the writer would not have made. What it holds is what makes two
 * grafts equal; how a graft was trained stands elsewhere.
 */
#define SG_GRAFTFILE_VERSION "sg-graft-1"
#define SG_GRAFTFILE_NAME 200		/* bytes of a name: kind, site, key, tensor */
#define SG_GRAFTFILE_TEXT 4096		/* bytes of a hyperparameter's text */
#define SG_GRAFTFILE_ITEMS 65536	/* entries of each list */
#define SG_GRAFTFILE_MAX ((size_t)32 << 20)

/* A hyperparameter: text (decimals are text) or, with str NULL, an integer. */
struct sg_graftfile_hyper { char *key, *str; int64_t num; };
struct sg_graftfile_tensor {
	char *name;
	enum sg_dtype dtype;
	unsigned ndim;			/* 1..SG_TENSOR_DIMS, no dimension is 0 */
	size_t shape[SG_TENSOR_DIMS];
	size_t bytes;			/* derived, not stored */
	char sha256[SG_SHA256_HEX];	/* of the raw little-endian bytes */
};

/* {0} is an empty one; everything in it is owned by it. */
struct sg_graftfile {
	char *kind;
	char base[SG_SHA256_HEX];
	struct sg_names requires, after, replaces;	/* graft ids, 64 hex digits */
	struct sg_names sites;				/* in the order that the type gives them meaning */
	struct sg_graftfile_hyper *hyper;
	size_t n_hyper, cap_hyper;
	struct sg_graftfile_tensor *tensor;
	size_t n_tensors, cap_tensors;
};

/* Building one. Set replaces a value of that key. Lists: sg_names_add. */
int sg_graftfile_set_kind(struct sg_graftfile *g, const char *kind);
int sg_graftfile_set_str(struct sg_graftfile *g, const char *key, const char *value);
int sg_graftfile_set_i64(struct sg_graftfile *g, const char *key, int64_t value);
/* Decimal text that reads back to the same double. */
int sg_graftfile_set_f64(struct sg_graftfile *g, const char *key, double value);
/* sha256 is computed from data. */
int sg_graftfile_add_tensor(struct sg_graftfile *g, const char *name, enum sg_dtype dtype,
			    unsigned ndim, const size_t *shape, const void *data);
void sg_graftfile_release(struct sg_graftfile *g);

/* Reading hyperparameters. Absent: *out untouched, 0. Wrong type: CORRUPT. */
int sg_graftfile_str(const struct sg_graftfile *g, const char *key, const char **out);
int sg_graftfile_i64(const struct sg_graftfile *g, const char *key, int64_t lo, int64_t hi, int64_t *out);
int sg_graftfile_f64(const struct sg_graftfile *g, const char *key, double *out);
/* Borrowed, NULL when there is none. */
const struct sg_graftfile_tensor *sg_graftfile_tensor(const struct sg_graftfile *g, const char *name);

/* Sorts what has no order of its own (ids, keys, tensors), checks all, appends
 * the canonical bytes. */
int sg_graftfile_write(struct sg_buf *out, struct sg_graftfile *g);
/* The exact bytes of a manifest, or CORRUPT; *out on success only. */
int sg_graftfile_parse(struct sg_graftfile *out, const char *data, size_t n, const char *what);
/* The id: SHA-256 of what sg_graftfile_write gives. */
int sg_graftfile_id(char hex[SG_SHA256_HEX], struct sg_graftfile *g);
/* [A-Za-z0-9_] first, then [A-Za-z0-9._-], no "..", at most SG_GRAFTFILE_NAME. */
bool sg_graftfile_name_ok(const char *name);
SG_C_END
#endif
