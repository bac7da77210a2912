#ifndef SG_FORMAT_SHARDS_H
#define SG_FORMAT_SHARDS_H
#include "base/base.h"
#include "base/file.h"
#include "format/tensors.h"
SG_C_BEGIN
/*
 * The weights of a Hugging Face folder: model.safetensors, or the shards that
 * model.safetensors.index.json names, mapped and seen as one set of tensors.
 */
struct sg_shard_file { char *name; struct sg_map map; struct sg_tensors tensors; };

/* t: n tensors of all shards, sorted bytewise by name, borrowed from shard[].
 * size_differs: the index states another total_size than the shards have (seen
 * in the wild, harmless). */
struct sg_shards {
	struct sg_shard_file *shard;
	size_t n_shards;
	const struct sg_tensor_info **t;
	size_t n;
	bool size_differs;
};

/* path: a folder, or one .safetensors file. NOTFOUND when it has no weights,
 * UNSUPPORTED (with how to convert) when they are pickles. */
int sg_shards_open(struct sg_shards *out, const char *path);
void sg_shards_release(struct sg_shards *s);
/* Borrowed, NULL when there is none. */
const struct sg_tensor_info *sg_shards_get(const struct sg_shards *s, const char *name);
/* NOTFOUND, or UNSUPPORTED for a dtype that sg does not compute with. */
int sg_shards_find(const struct sg_tensor_info **out, const struct sg_shards *s, const char *name);

/*
 * Write tensors into folder dir (there already) as model.safetensors, or as
 * shards of at most `limit` bytes of data each (0: 5 GB; a tensor is never
 * split) with their index. Metadata {"format":"pt"}. The index comes last.
 */
int sg_shards_write(const char *dir, const struct sg_tensor_put *t, size_t n, uint64_t limit,
		    const struct sg_tensor_source *src);
SG_C_END
#endif
