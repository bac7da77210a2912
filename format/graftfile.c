#include "format/graftfile.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"

bool sg_graftfile_name_ok(const char *name)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(name);

	return n && n <= SG_GRAFTFILE_NAME && strspn(name, chars) == n && *name != '.' && *name != '-' &&
	       !strstr(name, "..");
}

/* ---- building ---- */

static int set_string(char **to, const char *s)
{
	char *copy = sg_strdup(s);

	if (!copy)
		return -SG_E_NOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int sg_graftfile_set_kind(struct sg_graftfile *g, const char *kind)
{
	return set_string(&g->kind, kind);
}

static struct sg_graftfile_hyper *hyper_find(const struct sg_graftfile *g, const char *key)
{
	for (size_t i = 0; i < g->n_hyper; i++)
		if (!strcmp(g->hyper[i].key, key))
			return &g->hyper[i];
	return NULL;
}

/* The entry of that key, made when it is not there, without a value. */
static int hyper_make(struct sg_graftfile_hyper **out, struct sg_graftfile *g, const char *key)
{
	struct sg_graftfile_hyper *h = hyper_find(g, key);

	if (!h) {
		char *copy;

		SG_TRY(SG_GROW(g->hyper, g->n_hyper, g->cap_hyper));
		copy = sg_strdup(key);
		if (!copy)
			return -SG_E_NOMEM;
		h = &g->hyper[g->n_hyper++];
		*h = (struct sg_graftfile_hyper){ .key = copy };
	}
	*out = h;
	return 0;
}

int sg_graftfile_set_str(struct sg_graftfile *g, const char *key, const char *value)
{
	struct sg_graftfile_hyper *h = NULL;

	SG_TRY(hyper_make(&h, g, key));
	h->num = 0;
	return set_string(&h->str, value);
}

int sg_graftfile_set_i64(struct sg_graftfile *g, const char *key, int64_t value)
{
	struct sg_graftfile_hyper *h = NULL;

	SG_TRY(hyper_make(&h, g, key));
	free(h->str);
	h->str = NULL;
	h->num = value;
	return 0;
}

int sg_graftfile_set_f64(struct sg_graftfile *g, const char *key, double value)
{
	struct sg_buf b = { 0 };
	struct sg_jsonw w;
	int rc;

	if (!(value - value == 0))
		return sg_fail(SG_E_ERROR, "cannot store '%s': not a finite number", key);
	sg_jsonw_init(&w, &b);
	sg_jsonw_f64(&w, value);
	rc = sg_jsonw_done(&w);
	if (rc >= 0)
		rc = sg_graftfile_set_str(g, key, b.data);
	sg_buf_release(&b);
	return rc;
}

static int count_bytes(struct sg_graftfile_tensor *t)
{
	size_t n = sg_dtypes[t->dtype].size;

	if (sg_dtype_quantised(t->dtype))
		return sg_fail(SG_E_UNSUPPORTED, "tensor '%s' of a graft is quantised", t->name);
	if (!t->ndim || t->ndim > SG_TENSOR_DIMS)
		return sg_fail(SG_E_CORRUPT, "tensor '%s' of a graft has %u dimensions", t->name, t->ndim);
	for (unsigned d = 0; d < t->ndim; d++)
		if (!t->shape[d] || !sg_mul(&n, n, t->shape[d]) || n > INT64_MAX)
			return sg_fail(SG_E_CORRUPT, "tensor '%s' of a graft is empty or too large", t->name);
	t->bytes = n;
	return 0;
}

int sg_graftfile_add_tensor(struct sg_graftfile *g, const char *name, enum sg_dtype dtype,
			    unsigned ndim, const size_t *shape, const void *data)
{
	struct sg_graftfile_tensor t = { .dtype = dtype, .ndim = ndim };
	int rc;

	SG_TRY(SG_GROW(g->tensor, g->n_tensors, g->cap_tensors));
	SG_TRY(set_string(&t.name, name));
	for (unsigned d = 0; d < SG_MIN(ndim, SG_TENSOR_DIMS); d++)
		t.shape[d] = shape[d];
	rc = count_bytes(&t);
	if (rc >= 0)
		rc = sg_sha256_hex(t.sha256, data, t.bytes);
	if (rc < 0)
		free(t.name);
	else
		g->tensor[g->n_tensors++] = t;
	return rc;
}

void sg_graftfile_release(struct sg_graftfile *g)
{
	free(g->kind);
	sg_names_release(&g->requires);
	sg_names_release(&g->after);
	sg_names_release(&g->replaces);
	sg_names_release(&g->sites);
	for (size_t i = 0; i < g->n_hyper; i++) {
		free(g->hyper[i].key);
		free(g->hyper[i].str);
	}
	for (size_t i = 0; i < g->n_tensors; i++)
		free(g->tensor[i].name);
	free(g->hyper);
	free(g->tensor);
	*g = (struct sg_graftfile){ 0 };
}

/* ---- hyperparameters and tensors by name ---- */

int sg_graftfile_str(const struct sg_graftfile *g, const char *key, const char **out)
{
	const struct sg_graftfile_hyper *h = hyper_find(g, key);

	if (!h)
		return 0;
	if (!h->str)
		return sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is not text", key);
	*out = h->str;
	return 0;
}

int sg_graftfile_i64(const struct sg_graftfile *g, const char *key, int64_t lo, int64_t hi, int64_t *out)
{
	const struct sg_graftfile_hyper *h = hyper_find(g, key);

	if (!h)
		return 0;
	if (h->str)
		return sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is not an integer", key);
	if (h->num < lo || h->num > hi)
		return sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is out of range: %lld", key, (long long)h->num);
	*out = h->num;
	return 0;
}

int sg_graftfile_f64(const struct sg_graftfile *g, const char *key, double *out)
{
	const struct sg_graftfile_hyper *h = hyper_find(g, key);
	struct sg_json_doc doc = { 0 };
	int rc;

	if (!h)
		return 0;
	if (!h->str) {
		*out = (double)h->num;
		return 0;
	}
	rc = sg_json_parse(&doc, h->str, strlen(h->str), key);
	if (rc < 0 || sg_json_root(&doc)->type != SG_JSON_NUMBER)
		rc = sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is not a number: '%.40s'", key, h->str);
	else
		*out = sg_json_root(&doc)->num;
	sg_json_release(&doc);
	return rc;
}

const struct sg_graftfile_tensor *sg_graftfile_tensor(const struct sg_graftfile *g, const char *name)
{
	for (size_t i = 0; i < g->n_tensors; i++)
		if (!strcmp(g->tensor[i].name, name))
			return &g->tensor[i];
	return NULL;
}

/* ---- the rules, the same for writing and reading ---- */

static int check_ids(const struct sg_names *l, const char *list)
{
	if (l->n > SG_GRAFTFILE_ITEMS)
		return sg_fail(SG_E_CORRUPT, "a graft's '%s' has too many entries", list);
	for (size_t i = 0; i < l->n; i++)
		if (!sg_is_sha256(l->name[i]))
			return sg_fail(SG_E_CORRUPT, "a graft's '%s' holds '%.80s', which is no id", list, l->name[i]);
	for (size_t i = 1; i < l->n; i++)
		if (strcmp(l->name[i - 1], l->name[i]) >= 0)
			return sg_fail(SG_E_CORRUPT, "a graft's '%s' is not sorted or holds an id twice", list);
	return 0;
}

static int check_hyper(const struct sg_graftfile *g)
{
	if (g->n_hyper > SG_GRAFTFILE_ITEMS)
		return sg_fail(SG_E_CORRUPT, "a graft has too many hyperparameters");
	for (size_t i = 0; i < g->n_hyper; i++) {
		const struct sg_graftfile_hyper *h = &g->hyper[i];

		if (!sg_graftfile_name_ok(h->key))
			return sg_fail(SG_E_CORRUPT, "bad name of a hyperparameter: '%.200s'", h->key);
		if (h->str && strlen(h->str) > SG_GRAFTFILE_TEXT)
			return sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is too long", h->key);
		if (i && strcmp(g->hyper[i - 1].key, h->key) >= 0)
			return sg_fail(SG_E_CORRUPT, "hyperparameter '%s' is twice there", h->key);
	}
	return 0;
}

static int check_tensors(const struct sg_graftfile *g)
{
	if (g->n_tensors > SG_GRAFTFILE_ITEMS)
		return sg_fail(SG_E_CORRUPT, "a graft has too many tensors");
	for (size_t i = 0; i < g->n_tensors; i++) {
		struct sg_graftfile_tensor *t = &g->tensor[i];

		if (!sg_graftfile_name_ok(t->name))
			return sg_fail(SG_E_CORRUPT, "bad name of a tensor: '%.200s'", t->name);
		if (!sg_is_sha256(t->sha256))
			return sg_fail(SG_E_CORRUPT, "tensor '%s' of a graft has no SHA-256", t->name);
		SG_TRY(count_bytes(t));
		if (i && strcmp(g->tensor[i - 1].name, t->name) >= 0)
			return sg_fail(SG_E_CORRUPT, "tensor '%s' of a graft is twice there", t->name);
	}
	return 0;
}

static int check(const struct sg_graftfile *g)
{
	if (!g->kind || !sg_graftfile_name_ok(g->kind))
		return sg_fail(SG_E_CORRUPT, "bad kind of a graft: '%.200s'", g->kind ? g->kind : "");
	if (!sg_is_sha256(g->base))
		return sg_fail(SG_E_CORRUPT, "a graft's base is no SHA-256");
	SG_TRY(check_ids(&g->requires, "requires"));
	SG_TRY(check_ids(&g->after, "after"));
	SG_TRY(check_ids(&g->replaces, "replaces"));
	if (g->sites.n > SG_GRAFTFILE_ITEMS)
		return sg_fail(SG_E_CORRUPT, "a graft has too many sites");
	for (size_t i = 0; i < g->sites.n; i++)
		if (!sg_graftfile_name_ok(g->sites.name[i]))
			return sg_fail(SG_E_CORRUPT, "bad name of a site: '%.200s'", g->sites.name[i]);
	SG_TRY(check_hyper(g));
	return check_tensors(g);
}

/* ---- writing ---- */

static int by_key(const void *pa, const void *pb)
{
	const struct sg_graftfile_hyper *a = pa, *b = pb;

	return strcmp(a->key, b->key);
}

static int by_name(const void *pa, const void *pb)
{
	const struct sg_graftfile_tensor *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static void sort(struct sg_graftfile *g)
{
	sg_names_sort(&g->requires);
	sg_names_sort(&g->after);
	sg_names_sort(&g->replaces);
	if (g->n_hyper)
		qsort(g->hyper, g->n_hyper, sizeof(*g->hyper), by_key);
	if (g->n_tensors)
		qsort(g->tensor, g->n_tensors, sizeof(*g->tensor), by_name);
}

static void put_names(struct sg_jsonw *w, const char *key, const struct sg_names *l)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++)
		sg_jsonw_str(w, l->name[i]);
	sg_jsonw_end(w, ']');
}

static void put_hyper(struct sg_jsonw *w, const struct sg_graftfile *g)
{
	sg_jsonw_key(w, "hyper");
	sg_jsonw_object(w);
	for (size_t i = 0; i < g->n_hyper; i++) {
		sg_jsonw_key(w, g->hyper[i].key);
		if (g->hyper[i].str)
			sg_jsonw_str(w, g->hyper[i].str);
		else
			sg_jsonw_i64(w, g->hyper[i].num);
	}
	sg_jsonw_end(w, '}');
}

static void put_tensors(struct sg_jsonw *w, const struct sg_graftfile *g)
{
	sg_jsonw_key(w, "tensors");
	sg_jsonw_array(w);
	for (size_t i = 0; i < g->n_tensors; i++) {
		const struct sg_graftfile_tensor *t = &g->tensor[i];

		sg_jsonw_object(w);
		sg_jsonw_key(w, "dtype");
		sg_jsonw_str(w, sg_dtypes[t->dtype].name);
		sg_jsonw_key(w, "name");
		sg_jsonw_str(w, t->name);
		sg_jsonw_key(w, "sha256");
		sg_jsonw_str(w, t->sha256);
		sg_jsonw_key(w, "shape");
		sg_jsonw_array(w);
		for (unsigned d = 0; d < t->ndim; d++)
			sg_jsonw_i64(w, (int64_t)t->shape[d]);
		sg_jsonw_end(w, ']');
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

/* Checked content in its one form; keys stand in bytewise order. */
static int put(struct sg_buf *out, const struct sg_graftfile *g)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	put_names(&w, "after", &g->after);
	sg_jsonw_key(&w, "base");
	sg_jsonw_str(&w, g->base);
	put_hyper(&w, g);
	sg_jsonw_key(&w, "kind");
	sg_jsonw_str(&w, g->kind);
	put_names(&w, "replaces", &g->replaces);
	put_names(&w, "requires", &g->requires);
	put_names(&w, "sites", &g->sites);
	put_tensors(&w, g);
	sg_jsonw_key(&w, "version");
	sg_jsonw_str(&w, SG_GRAFTFILE_VERSION);
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

int sg_graftfile_write(struct sg_buf *out, struct sg_graftfile *g)
{
	struct sg_buf b = { .max = SG_GRAFTFILE_MAX };
	int rc;

	sort(g);
	SG_TRY(check(g));
	rc = put(&b, g);
	if (rc >= 0)
		rc = sg_buf_add(out, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

int sg_graftfile_id(char hex[SG_SHA256_HEX], struct sg_graftfile *g)
{
	struct sg_buf b = { .max = SG_GRAFTFILE_MAX };
	int rc = sg_graftfile_write(&b, g);

	if (rc >= 0)
		rc = sg_sha256_hex(hex, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* ---- reading ---- */

static int wrong(const char *what, const char *key)
{
	return sg_fail(SG_E_CORRUPT, "'%s': missing or malformed '%s'", what, key);
}

/* Text without NULs, NULL when j is anything else. */
static const char *text(const struct sg_json *j)
{
	return j && j->type == SG_JSON_STRING && !memchr(j->str, '\0', j->len) ? j->str : NULL;
}

static int get_names(struct sg_names *l, const struct sg_json *o, const char *key, const char *what)
{
	const struct sg_json *j = sg_json_get(o, key);

	if (!j || j->type != SG_JSON_ARRAY || j->n > SG_GRAFTFILE_ITEMS)
		return wrong(what, key);
	for (const struct sg_json *c = j->child; c; c = c->next) {
		if (!text(c))
			return wrong(what, key);
		SG_TRY(sg_names_add(l, c->str));
	}
	return 0;
}

static int get_integer(int64_t *out, const struct sg_json *j)
{
	char *end;

	if (j->type != SG_JSON_NUMBER || j->len > 20)
		return -1;
	*out = strtoll(j->str, &end, 10);	/* what saturates is not written back the same */
	return *end ? -1 : 0;
}

static int get_hyper(struct sg_graftfile *g, const struct sg_json *o, const char *what)
{
	const struct sg_json *j = sg_json_get(o, "hyper");

	if (!j || j->type != SG_JSON_OBJECT || j->n > SG_GRAFTFILE_ITEMS)
		return wrong(what, "hyper");
	SG_TRY(SG_NEW(g->hyper, j->n));
	g->cap_hyper = j->n;
	for (const struct sg_json *c = j->child; c; c = c->next) {
		struct sg_graftfile_hyper *h = &g->hyper[g->n_hyper];

		if (memchr(c->key, '\0', c->key_len) || (!text(c) && get_integer(&h->num, c) < 0))
			return wrong(what, "hyper");
		SG_TRY(set_string(&h->key, c->key));
		g->n_hyper++;
		if (text(c))
			SG_TRY(set_string(&h->str, c->str));
	}
	return 0;
}

static int get_tensor(struct sg_graftfile_tensor *t, const struct sg_json *o, const char *what)
{
	const char *dtype = text(sg_json_get(o, "dtype")), *sha = text(sg_json_get(o, "sha256"));
	const struct sg_json *shape = sg_json_get(o, "shape");
	int64_t n;

	if (!dtype || !sha || !sg_is_sha256(sha) || !shape || shape->type != SG_JSON_ARRAY ||
	    shape->n > SG_TENSOR_DIMS)
		return wrong(what, "tensors");
	t->dtype = sg_dtype_find(dtype);
	if (t->dtype == SG_DTYPE_COUNT)
		return sg_fail(SG_E_CORRUPT, "'%s': tensor '%s' has unknown dtype '%.40s'", what, t->name, dtype);
	memcpy(t->sha256, sha, sizeof(t->sha256));
	for (const struct sg_json *c = shape->child; c; c = c->next) {
		if (get_integer(&n, c) < 0 || n <= 0)
			return wrong(what, "tensors");
		t->shape[t->ndim++] = (size_t)n;
	}
	return 0;
}

static int get_tensors(struct sg_graftfile *g, const struct sg_json *o, const char *what)
{
	const struct sg_json *j = sg_json_get(o, "tensors");

	if (!j || j->type != SG_JSON_ARRAY || j->n > SG_GRAFTFILE_ITEMS)
		return wrong(what, "tensors");
	SG_TRY(SG_NEW(g->tensor, j->n));
	g->cap_tensors = j->n;
	for (const struct sg_json *c = j->child; c; c = c->next) {
		struct sg_graftfile_tensor *t = &g->tensor[g->n_tensors];
		const char *name = text(sg_json_get(c, "name"));

		if (!name)
			return wrong(what, "tensors");
		SG_TRY(set_string(&t->name, name));
		g->n_tensors++;
		SG_TRY(get_tensor(t, c, what));
	}
	return 0;
}

static int get(struct sg_graftfile *g, const struct sg_json *o, const char *what)
{
	const char *version = text(sg_json_get(o, "version")), *kind = text(sg_json_get(o, "kind"));
	const char *base = text(sg_json_get(o, "base"));

	if (!version)
		return sg_fail(SG_E_CORRUPT, "'%s' is no manifest of a graft", what);
	if (strcmp(version, SG_GRAFTFILE_VERSION))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' has format '%.40s', this sg reads '%s'", what, version,
			       SG_GRAFTFILE_VERSION);
	if (!kind || !base || !sg_is_sha256(base))
		return wrong(what, kind ? "base" : "kind");
	SG_TRY(set_string(&g->kind, kind));
	memcpy(g->base, base, sizeof(g->base));
	SG_TRY(get_names(&g->requires, o, "requires", what));
	SG_TRY(get_names(&g->after, o, "after", what));
	SG_TRY(get_names(&g->replaces, o, "replaces", what));
	SG_TRY(get_names(&g->sites, o, "sites", what));
	SG_TRY(get_hyper(g, o, what));
	return get_tensors(g, o, what);
}

/* Written back it must be the same bytes: this one test covers spaces, order,
 * escapes, unknown fields and every other second way to say a thing. */
static int check_canonical(const struct sg_graftfile *g, const char *data, size_t n, const char *what)
{
	struct sg_buf b = { .max = SG_GRAFTFILE_MAX };
	int rc = put(&b, g);

	if (rc >= 0 && (b.len != n || memcmp(b.data, data, n)))
		rc = sg_fail(SG_E_CORRUPT, "'%s' is not in canonical form", what);
	sg_buf_release(&b);
	return rc;
}

int sg_graftfile_parse(struct sg_graftfile *out, const char *data, size_t n, const char *what)
{
	struct sg_graftfile g = { 0 };
	struct sg_json_doc doc = { 0 };
	int rc;

	if (n > SG_GRAFTFILE_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' is too large for a manifest: %zu bytes", what, n);
	SG_TRY(sg_json_parse(&doc, data, n, what));
	rc = get(&g, sg_json_root(&doc), what);
	if (rc >= 0) {
		rc = check(&g);
		if (rc < 0)
			rc = sg_fail_in(rc, "'%s'", what);
	}
	if (rc >= 0)
		rc = check_canonical(&g, data, n, what);
	sg_json_release(&doc);
	if (rc < 0)
		sg_graftfile_release(&g);
	else
		*out = g;
	return rc;
}
