#include "train/recipe.h"
#include "base/error.h"
#include "base/fmath.h"
#include "base/json.h"
#include "base/mem.h"

void sg_recipe_default(struct sg_recipe *r)
{
	*r = (struct sg_recipe){
		.seed = 1, .steps = 200, .batch = 8, .seq = 256, .lr = 1e-3, .min_lr = 0.1, .warmup = 20,
		.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip = 1.0,
	};
}

void sg_recipe_release(struct sg_recipe *r)
{
	free(r->type);
	free(r->name);
	sg_names_release(&r->sites);
	sg_names_release(&r->hyper);
	sg_names_release(&r->data);
	*r = (struct sg_recipe){ 0 };
}

/* The one list of numbers: name, member, bounds. */
#define WHOLE(X) \
	X(seed, 0, INT64_MAX) X(steps, 1, 1 << 30) X(batch, 1, 1 << 20) X(seq, 1, 1 << 20) X(warmup, 0, 1 << 30)
#define REAL(X) \
	X(lr, 0, 1e3) X(min_lr, 0, 1) X(beta1, 0, 0.999999) X(beta2, 0, 0.99999999) X(eps, 0, 1) X(decay, 0, 10) X(clip, 0, 1e9)

int sg_recipe_check(const struct sg_recipe *r)
{
#define X(name, lo, hi) if ((int64_t)r->name < (lo) || (int64_t)r->name > (hi)) \
	return sg_fail(SG_E_USAGE, #name " must be from %lld to %lld", (long long)(lo), (long long)(hi));
	WHOLE(X)
#undef X
#define X(name, lo, hi) if (!(r->name >= (lo) && r->name <= (hi))) \
	return sg_fail(SG_E_USAGE, #name " must be from %g to %g", (double)(lo), (double)(hi));
	REAL(X)
#undef X
	return 0;
}

static void emit_names(struct sg_jsonw *w, const char *key, const struct sg_names *l)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++)
		sg_jsonw_str(w, l->name[i]);
	sg_jsonw_end(w, ']');
}

int sg_recipe_emit(struct sg_buf *out, const struct sg_recipe *r)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-recipe-1");
	sg_jsonw_key(&w, "type");
	sg_jsonw_str(&w, r->type);
	if (r->name) {
		sg_jsonw_key(&w, "name");
		sg_jsonw_str(&w, r->name);
	}
	sg_jsonw_key(&w, "parent");
	sg_jsonw_str(&w, r->parent);
	emit_names(&w, "sites", &r->sites);
	emit_names(&w, "hyper", &r->hyper);
	emit_names(&w, "data", &r->data);
#define X(name, lo, hi) sg_jsonw_key(&w, #name); sg_jsonw_i64(&w, (int64_t)r->name);
	WHOLE(X)
#undef X
#define X(name, lo, hi) sg_jsonw_key(&w, #name); sg_jsonw_f64(&w, r->name);
	REAL(X)
#undef X
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int parse_names(struct sg_names *out, const struct sg_json *o, const char *key, const char *what)
{
	const struct sg_json *a = sg_json_get(o, key);

	if (!a || a->type != SG_JSON_ARRAY)
		return sg_fail(SG_E_CORRUPT, "%s: '%s' is no list", what, key);
	for (const struct sg_json *j = a->child; j; j = j->next) {
		if (j->type != SG_JSON_STRING)
			return sg_fail(SG_E_CORRUPT, "%s: '%s' holds something that is no text", what, key);
		SG_TRY(sg_names_add(out, j->str));
	}
	return 0;
}

static int parse(struct sg_recipe *r, const struct sg_json *o, const char *what)
{
	const char *s = NULL;
	int64_t v;

	SG_TRY(sg_json_str(o, "format", &s));
	if (!s || strcmp(s, "sg-recipe-1"))
		return sg_fail(SG_E_CORRUPT, "%s: no training recipe", what);
	s = NULL;
	SG_TRY(sg_json_str(o, "type", &s));
	if (!s)
		return sg_fail(SG_E_CORRUPT, "%s: 'type' is missing", what);
	SG_TRY((r->type = sg_strdup(s)) ? 0 : -SG_E_NOMEM);
	s = NULL;
	SG_TRY(sg_json_str(o, "name", &s));
	if (s)
		SG_TRY((r->name = sg_strdup(s)) ? 0 : -SG_E_NOMEM);
	s = NULL;
	SG_TRY(sg_json_str(o, "parent", &s));
	if (!s || !sg_is_sha256(s))
		return sg_fail(SG_E_CORRUPT, "%s: 'parent' is no state", what);
	strcpy(r->parent, s);
	SG_TRY(parse_names(&r->sites, o, "sites", what));
	SG_TRY(parse_names(&r->hyper, o, "hyper", what));
	SG_TRY(parse_names(&r->data, o, "data", what));
#define X(name, lo, hi) v = (int64_t)r->name; SG_TRY(sg_json_i64(o, #name, (lo), (hi), &v)); r->name = (uint64_t)v;
	WHOLE(X)
#undef X
#define X(name, lo, hi) SG_TRY(sg_json_f64(o, #name, &r->name));
	REAL(X)
#undef X
	return sg_recipe_check(r);
}

int sg_recipe_parse(struct sg_recipe *out, const char *data, size_t n, const char *what)
{
	struct sg_json_doc doc;
	struct sg_recipe r;
	int rc;

	SG_TRY(sg_json_parse(&doc, data, n, what));
	sg_recipe_default(&r);
	rc = parse(&r, sg_json_root(&doc), what);
	sg_json_release(&doc);
	if (rc < 0)
		sg_recipe_release(&r);
	else
		*out = r;
	return rc;
}

int sg_recipe_id(char hex[SG_SHA256_HEX], const struct sg_recipe *r)
{
	struct sg_buf b = { 0 };
	int rc = sg_recipe_emit(&b, r);

	if (rc >= 0)
		rc = sg_sha256_hex(hex, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

float sg_recipe_lr(const struct sg_recipe *r, uint64_t step)
{
	float lr = (float)r->lr, low = (float)r->min_lr, share;
	uint64_t rest = r->steps > r->warmup ? r->steps - r->warmup : 1;

	if (step < r->warmup)
		return lr * (float)(step + 1) / (float)r->warmup;
	share = rest > 1 ? (float)(step - r->warmup) / (float)(rest - 1) : 0;
	return lr * (low + (1.0f - low) * 0.5f * (1.0f + sg_cosf(3.14159265358979f * share)));
}
