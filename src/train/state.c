#include "train/state.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/pack.h"
#include "kernels/kernels.h"

static int put_slab(struct sg_packw *w, const char *key, const struct sg_slab *s)
{
	float *v;
	int rc;

	SG_TRY(SG_NEW(v, s->floats));
	rc = s->dev->be->get(s->dev, v, s->data, s->floats * sizeof(*v));
	if (rc >= 0) {
		sg_packw_key(w, key);
		sg_packw_f32s(w, v, s->floats);
	}
	free(v);
	return rc;
}

int sg_train_state_save(const struct sg_train_state *s, const char *path)
{
	struct sg_buf b = { .max = (size_t)1 << 40 }, recipe = { 0 };
	unsigned char digest[SG_SHA256_LEN];
	struct sg_packw w;
	int rc = sg_recipe_emit(&recipe, s->recipe);

	if (rc < 0)
		goto out;
	sg_packw_init(&w, &b);
	sg_packw_map(&w, 8);
	sg_packw_key(&w, "format");
	sg_packw_str(&w, "sg-train-1");
	sg_packw_key(&w, "recipe");
	sg_packw_strn(&w, recipe.data, recipe.len);
	sg_packw_key(&w, "step");
	sg_packw_u64(&w, *s->step);
	sg_packw_key(&w, "tokens");
	sg_packw_u64(&w, *s->tokens);
	sg_packw_key(&w, "curve");
	sg_packw_f64s(&w, s->curve, (size_t)*s->step);
	rc = put_slab(&w, "params", s->params);
	if (rc >= 0)
		rc = put_slab(&w, "m", s->m);
	if (rc >= 0)
		rc = put_slab(&w, "v", s->v);
	if (rc >= 0)
		rc = sg_packw_done(&w);
	if (rc >= 0)
		rc = sg_sha256(digest, b.data, b.len);
	if (rc >= 0)
		rc = sg_buf_add(&b, digest, sizeof(digest));
	if (rc >= 0)
		rc = sg_file_write(path, b.data, b.len);
out:
	sg_buf_release(&recipe);
	sg_buf_release(&b);
	return rc;
}

/* Parsed file; the map must outlive the document. */
static int open_state(struct sg_map *map, struct sg_pack_doc *doc, const char **recipe, const char *path)
{
	const char *format = NULL;
	int rc;

	SG_TRY(sg_map_open(map, path));
	rc = map->size > SG_SHA256_LEN ? sg_pack_parse(doc, map->data, map->size - SG_SHA256_LEN, path) :
	     sg_fail(SG_E_CORRUPT, "'%s' is no saved training run", path);
	if (rc >= 0) {
		rc = sg_pack_str(sg_pack_root(doc), "format", &format);
		if (rc >= 0)
			rc = sg_pack_str(sg_pack_root(doc), "recipe", recipe);
		if (rc >= 0 && (!format || strcmp(format, "sg-train-1") || !*recipe))
			rc = sg_fail(SG_E_CORRUPT, "'%s' is no saved training run", path);
		if (rc < 0)
			sg_pack_release(doc);
	}
	if (rc < 0)
		sg_map_release(map);
	return rc;
}

/* A bit that changed would change the graft, and nothing else would tell. */
static int check_digest(const struct sg_map *map, const char *path)
{
	unsigned char digest[SG_SHA256_LEN];
	size_t n = map->size - sizeof(digest);

	SG_TRY(sg_sha256(digest, map->data, n));
	return memcmp(digest, map->data + n, sizeof(digest)) ?
	       sg_fail(SG_E_CORRUPT, "'%s' is damaged: its digest does not fit", path) : 0;
}

static int get_slab(const struct sg_pack *root, const char *key, struct sg_slab *s, const char *path)
{
	float *v = NULL;
	size_t n = 0;
	int rc = sg_pack_f32s(root, key, &v, &n);

	if (rc >= 0 && n != s->floats)
		rc = sg_fail(SG_E_CORRUPT, "'%s': '%s' has another size than this run", path, key);
	if (rc >= 0)
		rc = s->dev->be->put(s->dev, s->data, v, n * sizeof(*v));
	free(v);
	return rc;
}

static int get_curve(const struct sg_train_state *s, const struct sg_pack *root, const char *path)
{
	double *curve = NULL;
	size_t n = 0;
	int rc;

	SG_TRY(sg_pack_u64(root, "step", s->recipe->steps, s->step));
	SG_TRY(sg_pack_u64(root, "tokens", UINT64_MAX, s->tokens));
	rc = sg_pack_f64s(root, "curve", &curve, &n);
	if (rc >= 0 && n != *s->step)
		rc = sg_fail(SG_E_CORRUPT, "'%s': the curve has %zu points after %llu steps", path, n,
			     (unsigned long long)*s->step);
	if (rc >= 0 && n)
		memcpy(s->curve, curve, n * sizeof(*curve));
	free(curve);
	return rc;
}

int sg_train_state_load(const struct sg_train_state *s, const char *path)
{
	struct sg_buf mine = { 0 };
	struct sg_map map = { 0 };
	struct sg_pack_doc doc = { 0 };
	const char *recipe = NULL;
	int rc;

	SG_TRY(open_state(&map, &doc, &recipe, path));
	rc = check_digest(&map, path);
	if (rc >= 0)
		rc = sg_recipe_emit(&mine, s->recipe);
	if (rc >= 0 && strcmp(mine.data, recipe))
		rc = sg_fail(SG_E_REFUSED, "'%s' belongs to another recipe", path);
	if (rc >= 0)
		rc = get_slab(sg_pack_root(&doc), "params", s->params, path);
	if (rc >= 0)
		rc = get_slab(sg_pack_root(&doc), "m", s->m, path);
	if (rc >= 0)
		rc = get_slab(sg_pack_root(&doc), "v", s->v, path);
	if (rc >= 0)
		rc = get_curve(s, sg_pack_root(&doc), path);
	sg_buf_release(&mine);
	sg_pack_release(&doc);
	sg_map_release(&map);
	return rc;
}

int sg_train_state_peek(struct sg_recipe *out, uint64_t *step, const char *path)
{
	struct sg_map map = { 0 };
	struct sg_pack_doc doc = { 0 };
	const char *recipe = NULL;
	int rc;

	SG_TRY(open_state(&map, &doc, &recipe, path));
	*step = 0;
	rc = sg_pack_u64(sg_pack_root(&doc), "step", UINT64_MAX, step);
	if (rc >= 0)
		rc = sg_recipe_parse(out, recipe, strlen(recipe), path);
	sg_pack_release(&doc);
	sg_map_release(&map);
	return rc;
}

int sg_train_state_recipe(struct sg_recipe *out, const char *path)
{
	uint64_t step;

	return sg_train_state_peek(out, &step, path);
}
