#include "format/shards.h"
#include "base/error.h"
#include "base/mem.h"

#define SHARDS_MAX 10000
#define INDEX_MAX ((size_t)256 << 20)
#define LIMIT_DEFAULT 5000000000u

static int no_weights(const char *dir)
{
	static const char *const pickles[] = {
		"pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "pytorch_model.pt",
		"consolidated.00.pth", "adapter_model.bin",
	};
	bool found = false;

	for (size_t i = 0; i < SG_LEN(pickles) && !found; i++) {
		char *path = sg_path_join(dir, pickles[i]);

		if (!path)
			return -SG_E_NOMEM;
		found = sg_file_exists(path);
		free(path);
	}
	if (found)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' has only pickled weights, which sg does not load "
			       "since they can run code; where you trust them, convert once with python: "
			       "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(OUT)", dir);
	return sg_fail(SG_E_NOTFOUND, "no model.safetensors or model.safetensors.index.json in '%s'", dir);
}

static int open_shard(struct sg_shards *s, const char *path, const char *name)
{
	struct sg_shard_file *h = &s->shard[s->n_shards];

	h->name = sg_strdup(name);
	if (!h->name)
		return -SG_E_NOMEM;
	s->n_shards++;
	SG_TRY(sg_map_open(&h->map, path));
	return sg_tensors_parse(&h->tensors, h->map.data, h->map.size, path);
}

static int by_name(const void *pa, const void *pb)
{
	const struct sg_tensor_info *const *a = pa, *const *b = pb;

	return strcmp((*a)->name, (*b)->name);
}

/* All tensors in one sorted list; no name may come twice. */
static int collect(struct sg_shards *s, const char *path)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_shards; i++)
		n += s->shard[i].tensors.n;
	SG_TRY(SG_NEW(s->t, n));
	for (size_t i = 0; i < s->n_shards; i++)
		for (size_t k = 0; k < s->shard[i].tensors.n; k++)
			s->t[s->n++] = &s->shard[i].tensors.t[k];
	qsort(s->t, s->n, sizeof(*s->t), by_name);
	for (size_t i = 1; i < s->n; i++)
		if (!by_name(&s->t[i - 1], &s->t[i]))
			return sg_fail(SG_E_CORRUPT, "'%s': tensor '%s' is in two shards", path, s->t[i]->name);
	return 0;
}

static int open_one(struct sg_shards *s, const char *path, const char *name)
{
	SG_TRY(SG_NEW(s->shard, 1));
	SG_TRY(open_shard(s, path, name));
	return collect(s, path);
}

/* ---- the index ---- */

static bool is_basename(const struct sg_json *j)
{
	return j->len && j->len <= 255 && j->str[0] != '.' && !memchr(j->str, '\0', j->len) &&
	       !strchr(j->str, '/') && !strchr(j->str, '\\') && !strstr(j->str, "..");
}

/* The files that the map names, sorted, each once. */
static int index_files(struct sg_names *files, const struct sg_json *map, const char *path)
{
	const char *last = "";
	size_t n = 0;

	for (const struct sg_json *c = map->child; c; c = c->next) {
		if (c->type != SG_JSON_STRING)
			return sg_fail(SG_E_CORRUPT, "'%s': the file of '%.200s' is not a string", path, c->key);
		if (!is_basename(c))
			return sg_fail(SG_E_CORRUPT, "'%s': '%.200s' is not a plain file name", path, c->str);
		if (strcmp(last, c->str))	/* most maps name a file many times in a row */
			SG_TRY(sg_names_add(files, c->str));
		last = c->str;
	}
	sg_names_sort(files);
	for (size_t i = 0; i < files->n; i++) {
		if (n && !strcmp(files->name[n - 1], files->name[i])) {
			free(files->name[i]);
			continue;
		}
		files->name[n++] = files->name[i];
	}
	files->n = n;
	if (n > SHARDS_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' names %zu files", path, n);
	return 0;
}

static const struct sg_shard_file *shard_find(const struct sg_shards *s, const char *name)
{
	for (size_t i = 0; i < s->n_shards; i++)
		if (!strcmp(s->shard[i].name, name))
			return &s->shard[i];
	return NULL;
}

/* Map and shards must hold the same tensors in the same places. Each mapped one
 * is where the map says and none is in two shards, so equal numbers suffice. */
static int check_index(const struct sg_shards *s, const struct sg_json *map, const char *path)
{
	const struct sg_shard_file *h = NULL;

	for (const struct sg_json *c = map->child; c; c = c->next) {
		if (memchr(c->key, '\0', c->key_len))
			return sg_fail(SG_E_CORRUPT, "'%s' maps an impossible name", path);
		if (!h || strcmp(h->name, c->str))
			h = shard_find(s, c->str);
		if (!h || !sg_tensors_get(&h->tensors, c->key))
			return sg_fail(SG_E_CORRUPT, "'%s': tensor '%.200s' is not in '%s'", path, c->key, c->str);
	}
	for (size_t i = 0; s->n != map->n && i < s->n; i++)
		if (!sg_json_get(map, s->t[i]->name))
			return sg_fail(SG_E_CORRUPT, "'%s' does not list tensor '%s', which a shard holds",
				       path, s->t[i]->name);
	return 0;
}

static int check_total(struct sg_shards *s, const struct sg_json *root)
{
	uint64_t total = 0;
	const struct sg_json *j = sg_json_get(sg_json_get(root, "metadata"), "total_size");

	for (size_t i = 0; i < s->n; i++)
		total += s->t[i]->bytes;
	s->size_differs = j && (j->type != SG_JSON_NUMBER || j->num != (double)total);
	return 0;
}

static int open_indexed(struct sg_shards *s, const char *dir, const struct sg_json *root, const char *path)
{
	const struct sg_json *map = sg_json_get(root, "weight_map");
	struct sg_names files = { 0 };
	int rc;

	if (!map || map->type != SG_JSON_OBJECT || !map->n)
		return sg_fail(SG_E_CORRUPT, "'%s' has no weight_map", path);
	rc = index_files(&files, map, path);
	if (rc >= 0)
		rc = SG_NEW(s->shard, files.n);
	for (size_t i = 0; rc >= 0 && i < files.n; i++) {
		char *shard = sg_path_join(dir, files.name[i]);

		rc = shard ? open_shard(s, shard, files.name[i]) : -SG_E_NOMEM;
		free(shard);
	}
	sg_names_release(&files);
	SG_TRY(rc);
	SG_TRY(collect(s, path));
	SG_TRY(check_index(s, map, path));
	return check_total(s, root);
}

static int open_index(struct sg_shards *s, const char *dir, const char *path)
{
	struct sg_buf b = { .max = INDEX_MAX + 65536 };
	struct sg_json_doc doc = { 0 };
	int rc = sg_file_read(&b, path, INDEX_MAX);

	if (rc >= 0)
		rc = sg_json_parse(&doc, b.data, b.len, path);
	if (rc >= 0)
		rc = open_indexed(s, dir, sg_json_root(&doc), path);
	sg_json_release(&doc);
	sg_buf_release(&b);
	return rc;
}

int sg_shards_open(struct sg_shards *out, const char *path)
{
	struct sg_shards s = { 0 };
	char *one = sg_path_join(path, "model.safetensors");
	char *index = sg_path_join(path, "model.safetensors.index.json");
	int rc = one && index ? 0 : -SG_E_NOMEM;

	if (rc < 0)
		goto out;
	if (!sg_dir_exists(path))
		rc = open_one(&s, path, path);
	else if (sg_file_exists(one))
		rc = open_one(&s, one, "model.safetensors");
	else if (sg_file_exists(index))
		rc = open_index(&s, path, index);
	else
		rc = no_weights(path);
out:
	free(one);
	free(index);
	if (rc < 0)
		sg_shards_release(&s);
	else
		*out = s;
	return rc;
}

void sg_shards_release(struct sg_shards *s)
{
	for (size_t i = 0; i < s->n_shards; i++) {
		free(s->shard[i].name);
		sg_tensors_release(&s->shard[i].tensors);
		sg_map_release(&s->shard[i].map);
	}
	free(s->shard);
	free(s->t);
	*s = (struct sg_shards){ 0 };
}

const struct sg_tensor_info *sg_shards_get(const struct sg_shards *s, const char *name)
{
	struct sg_tensor_info key = { .name = name };
	const struct sg_tensor_info *k = &key, **found;

	found = s->n ? bsearch(&k, s->t, s->n, sizeof(*s->t), by_name) : NULL;
	return found ? *found : NULL;
}

int sg_shards_find(const struct sg_tensor_info **out, const struct sg_shards *s, const char *name)
{
	const struct sg_tensor_info *i = sg_shards_get(s, name);

	if (!i)
		return sg_fail(SG_E_NOTFOUND, "no tensor '%s' among the weights", name);
	SG_TRY(sg_tensor_usable(i));
	*out = i;
	return 0;
}

/* ---- writer ---- */

/* Which shard each tensor is in: filled in the order given, a new one when the
 * next would pass the limit. */
struct plan { size_t *bytes, *shard, n_shards; uint64_t total; };

static int plan_make(struct plan *p, const struct sg_tensor_put *t, size_t n, uint64_t limit)
{
	uint64_t in_this = 0;

	SG_TRY(SG_NEW(p->bytes, n));
	SG_TRY(SG_NEW(p->shard, n));
	p->n_shards = 1;
	for (size_t i = 0; i < n; i++) {
		p->bytes[i] = sg_dtypes[t[i].dtype].size;
		for (unsigned d = 0; d < t[i].ndim; d++)
			if (!sg_mul(&p->bytes[i], p->bytes[i], t[i].shape[d]))
				return sg_fail(SG_E_ERROR, "cannot write tensor '%s': too large", t[i].name);
		if (in_this && p->bytes[i] > limit - SG_MIN(limit, in_this)) {
			p->n_shards++;
			in_this = 0;
		}
		in_this += p->bytes[i];
		p->total += p->bytes[i];
		p->shard[i] = p->n_shards - 1;
	}
	return 0;
}

static void shard_name(char out[64], size_t i, size_t n)
{
	if (n == 1)
		snprintf(out, 64, "model.safetensors");
	else
		snprintf(out, 64, "model-%05zu-of-%05zu.safetensors", i + 1, n);
}

/* A shard's tensors are a run of all: indices shift by its first. */
struct shift { const struct sg_tensor_source *src; size_t first; };

static int next_shifted(void *arg, size_t i, const void **data)
{
	struct shift *s = arg;

	return s->src->next(s->src->arg, s->first + i, data);
}

static int write_shard(const char *dir, const char *name, const struct sg_tensor_put *t, size_t first,
		       size_t n, const struct sg_tensor_source *src)
{
	static const struct sg_tensor_meta meta = { "format", "pt" };
	struct shift shift = { src, first };
	struct sg_tensor_source shifted = { next_shifted, &shift };
	char *path = sg_path_join(dir, name);
	struct sg_out o = { .fd = -1 };
	int rc;

	if (!path)
		return -SG_E_NOMEM;
	rc = sg_out_open(&o, path);
	if (rc >= 0)
		rc = sg_tensors_write_from(&o, t + first, n, &meta, 1, src ? &shifted : NULL);
	if (rc >= 0)
		rc = sg_out_commit(&o);
	sg_out_release(&o);
	free(path);
	return rc;
}

struct name_at { const char *name; size_t i; };

static int by_put_name(const void *pa, const void *pb)
{
	const struct name_at *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static int write_index(const char *dir, const struct sg_tensor_put *t, size_t n, const struct plan *p)
{
	struct sg_buf b = { .max = INDEX_MAX };
	struct name_at *sorted = NULL;
	struct sg_jsonw w;
	char name[64], *path = sg_path_join(dir, "model.safetensors.index.json");
	int rc = path ? SG_NEW(sorted, n) : -SG_E_NOMEM;

	if (rc < 0)
		goto out;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct name_at){ t[i].name, i };
	qsort(sorted, n, sizeof(*sorted), by_put_name);
	sg_jsonw_init(&w, &b);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "metadata");
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "total_size");
	sg_jsonw_i64(&w, (int64_t)p->total);
	sg_jsonw_end(&w, '}');
	sg_jsonw_key(&w, "weight_map");
	sg_jsonw_object(&w);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		if (i && !strcmp(sorted[i].name, sorted[i - 1].name))
			rc = sg_fail(SG_E_ERROR, "cannot write tensor '%s' twice", sorted[i].name);
		shard_name(name, p->shard[sorted[i].i], p->n_shards);
		sg_jsonw_key(&w, sorted[i].name);
		sg_jsonw_str(&w, name);
	}
	sg_jsonw_end(&w, '}');
	sg_jsonw_end(&w, '}');
	if (rc >= 0)
		rc = sg_jsonw_done(&w);
	if (rc >= 0)
		rc = sg_file_write(path, b.data, b.len);
out:
	free(sorted);
	free(path);
	sg_buf_release(&b);
	return rc;
}

int sg_shards_write(const char *dir, const struct sg_tensor_put *t, size_t n, uint64_t limit,
		    const struct sg_tensor_source *src)
{
	struct plan p = { 0 };
	size_t first = 0;
	char name[64];
	int rc = plan_make(&p, t, n, limit ? limit : LIMIT_DEFAULT);

	for (size_t s = 0; rc >= 0 && s < p.n_shards; s++) {
		size_t end = first;

		while (end < n && p.shard[end] == s)
			end++;
		shard_name(name, s, p.n_shards);
		rc = write_shard(dir, name, t, first, end - first, src);
		first = end;
	}
	if (rc >= 0 && p.n_shards > 1)
		rc = write_index(dir, t, n, &p);
	free(p.bytes);
	free(p.shard);
	return rc;
}
