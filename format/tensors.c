#include "format/tensors.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/rd.h"

#define HEADER_MAX 100000000

/* Every type of the format, in the order in which a writer lays them out. */
static const struct { const char *name; unsigned bits; } types[] = {
	{ "U64", 64 }, { "I64", 64 }, { "F64", 64 }, { "C64", 64 }, { "F32", 32 }, { "U32", 32 },
	{ "I32", 32 }, { "BF16", 16 }, { "F16", 16 }, { "U16", 16 }, { "I16", 16 },
	{ "F8_E5M2FNUZ", 8 }, { "F8_E4M3FNUZ", 8 }, { "F8_E8M0", 8 }, { "F8_E4M3", 8 }, { "F8_E5M2", 8 },
	{ "I8", 8 }, { "U8", 8 }, { "F6_E3M2", 6 }, { "F6_E2M3", 6 }, { "F4", 4 }, { "BOOL", 8 },
};

static size_t type_find(const char *name)
{
	size_t i = 0;

	while (i < SG_LEN(types) && strcmp(types[i].name, name))
		i++;
	return i;
}

enum sg_dtype sg_dtype_find(const char *name)
{
	unsigned i = 0;

	while (i < SG_DTYPE_COUNT && strcmp(sg_dtypes[i].name, name))
		i++;
	return (enum sg_dtype)i;
}

/* ---- reader ---- */

/* Digits only: no sign, point or exponent. */
static bool to_size(size_t *out, const struct sg_json *j)
{
	size_t v = 0;

	if (j->type != SG_JSON_NUMBER)
		return false;
	for (const char *p = j->str; *p; p++)
		if (*p < '0' || *p > '9' || !sg_mul(&v, v, 10) || !sg_sum(&v, v, (size_t)(*p - '0')))
			return false;
	*out = v;
	return true;
}

static int wrong(const char *what, const struct sg_json *j, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "'%s': tensor '%.200s' %s", what, j->key, why);
}

static int read_shape(struct sg_tensor_info *t, const struct sg_json *shape, const struct sg_json *j,
		      const char *what)
{
	if (!shape || shape->type != SG_JSON_ARRAY)
		return wrong(what, j, "has no shape");
	if (shape->n > SG_TENSOR_DIMS)
		return wrong(what, j, "has too many dimensions");
	for (const struct sg_json *d = shape->child; d; d = d->next)
		if (!to_size(&t->shape[t->ndim++], d))
			return wrong(what, j, "has a malformed shape");
	return 0;
}

/* Bytes of shape and type. The products are checked in file order, as the
 * reference reader does: a zero at the end does not excuse an overflow. */
static int count_bytes(size_t *out, const struct sg_tensor_info *t, unsigned bits,
		       const struct sg_json *j, const char *what)
{
	size_t n = 1;

	for (unsigned d = 0; d < t->ndim; d++)
		if (!sg_mul(&n, n, t->shape[d]))
			return wrong(what, j, "is too large");
	if (!sg_mul(&n, n, bits))
		return wrong(what, j, "is too large");
	if (n % 8)
		return wrong(what, j, "ends within a byte");
	*out = n / 8;
	return 0;
}

/* One header entry; data is where offset 0 lies, of size bytes. */
static int read_entry(struct sg_tensor_info *t, const struct sg_json *j, const unsigned char *data,
		      size_t size, const char *what)
{
	const struct sg_json *offsets = sg_json_get(j, "data_offsets"), *type = sg_json_get(j, "dtype");
	size_t begin, end, k;

	if (j->type != SG_JSON_OBJECT)
		return wrong(what, j, "is not an object");
	if (!j->key_len || memchr(j->key, '\0', j->key_len))
		return wrong(what, j, "has an impossible name");
	if (!type || type->type != SG_JSON_STRING)
		return wrong(what, j, "has no dtype");
	k = type_find(type->str);
	if (k == SG_LEN(types) || type->len != strlen(type->str))
		return wrong(what, j, "has an unknown dtype");
	t->name = j->key;
	t->dtype_name = types[k].name;
	t->dtype = sg_dtype_find(t->dtype_name);
	SG_TRY(read_shape(t, sg_json_get(j, "shape"), j, what));
	if (!offsets || offsets->type != SG_JSON_ARRAY || offsets->n != 2 ||
	    !to_size(&begin, offsets->child) || !to_size(&end, offsets->child->next))
		return wrong(what, j, "has malformed data_offsets");
	if (j->n != 3)
		return wrong(what, j, "has an unknown field");
	if (begin > end || end > size)
		return wrong(what, j, "lies outside the file");
	SG_TRY(count_bytes(&t->bytes, t, types[k].bits, j, what));
	if (end - begin != t->bytes)
		return wrong(what, j, "has offsets that do not fit its shape");
	t->data = data + begin;
	return 0;
}

static int by_place(const void *pa, const void *pb)
{
	const struct sg_tensor_info *a = pa, *b = pb;

	if (a->data != b->data)
		return a->data < b->data ? -1 : 1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static int by_name(const void *pa, const void *pb)
{
	const struct sg_tensor_info *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

/* The data is covered exactly once, from its first byte to its last. */
static int check_places(struct sg_tensor_info *t, size_t n, const unsigned char *data, size_t size,
			const char *what)
{
	const unsigned char *at = data;

	qsort(t, n, sizeof(*t), by_place);
	for (size_t i = 0; i < n; i++) {
		if (t[i].data != at)
			return sg_fail(SG_E_CORRUPT, "'%s': tensor '%.200s' %s", what, t[i].name,
				       t[i].data < at ? "overlaps another" : "has a hole before it");
		at += t[i].bytes;
	}
	if (at != data + size)
		return sg_fail(SG_E_CORRUPT, "'%s' has %zu bytes after its last tensor", what,
			       (size_t)(data + size - at));
	return 0;
}

static int check_meta(const struct sg_json *meta, const char *what)
{
	if (meta->type != SG_JSON_OBJECT)
		return sg_fail(SG_E_CORRUPT, "'%s': __metadata__ is not an object", what);
	for (const struct sg_json *c = meta->child; c; c = c->next)
		if (c->type != SG_JSON_STRING)
			return sg_fail(SG_E_CORRUPT, "'%s': metadata '%.200s' is not a string", what, c->key);
	return 0;
}

static int read_header(struct sg_tensors *t, const unsigned char *data, size_t size, const char *what)
{
	const struct sg_json *root = sg_json_root(&t->doc);

	if (root->type != SG_JSON_OBJECT)
		return sg_fail(SG_E_CORRUPT, "'%s': the header is not an object", what);
	SG_TRY(SG_NEW(t->t, root->n));
	for (const struct sg_json *c = root->child; c; c = c->next) {
		if (c->key_len == strlen("__metadata__") && !memcmp(c->key, "__metadata__", c->key_len)) {
			SG_TRY(check_meta(c, what));
			t->meta = c;
			continue;
		}
		SG_TRY(read_entry(&t->t[t->n], c, data, size, what));
		t->n++;
	}
	SG_TRY(check_places(t->t, t->n, data, size, what));
	qsort(t->t, t->n, sizeof(*t->t), by_name);
	return 0;
}

int sg_tensors_parse(struct sg_tensors *out, const unsigned char *data, size_t n, const char *what)
{
	struct sg_tensors t = { 0 };
	struct sg_rd r;
	const unsigned char *header;
	uint64_t len;
	int rc;

	sg_rd_init(&r, data, n, what);
	len = sg_rd_u64(&r);
	SG_TRY(sg_rd_check(&r));
	if (len > HEADER_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s': header of %llu bytes is too large", what,
			       (unsigned long long)len);
	header = sg_rd_bytes(&r, (size_t)len);
	SG_TRY(sg_rd_check(&r));
	SG_TRY(sg_json_parse(&t.doc, (const char *)header, (size_t)len, what));
	rc = read_header(&t, header + len, sg_rd_left(&r), what);
	if (rc < 0)
		sg_tensors_release(&t);
	else
		*out = t;
	return rc;
}

void sg_tensors_release(struct sg_tensors *t)
{
	free(t->t);
	sg_json_release(&t->doc);
	*t = (struct sg_tensors){ 0 };
}

const struct sg_tensor_info *sg_tensors_get(const struct sg_tensors *t, const char *name)
{
	struct sg_tensor_info key = { .name = name };

	return t->n ? bsearch(&key, t->t, t->n, sizeof(key), by_name) : NULL;
}

int sg_tensor_usable(const struct sg_tensor_info *i)
{
	if (i->dtype != SG_DTYPE_COUNT)
		return 0;
	return sg_fail(SG_E_UNSUPPORTED, "tensor '%s' has dtype %s, which sg does not compute with",
		       i->name, i->dtype_name);
}

int sg_tensors_find(const struct sg_tensor_info **out, const struct sg_tensors *t, const char *name)
{
	const struct sg_tensor_info *i = sg_tensors_get(t, name);

	if (!i)
		return sg_fail(SG_E_NOTFOUND, "no tensor '%s'", name);
	SG_TRY(sg_tensor_usable(i));
	*out = i;
	return 0;
}

/* ---- writer ---- */

struct put_key { size_t rank; const char *name; size_t i; };

static int by_layout(const void *pa, const void *pb)
{
	const struct put_key *a = pa, *b = pb;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int by_meta_key(const void *pa, const void *pb)
{
	const struct sg_tensor_meta *const *a = pa, *const *b = pb;

	return strcmp((*a)->key, (*b)->key);
}

static int put_bytes(size_t *out, const struct sg_tensor_put *t)
{
	size_t n = sg_dtypes[t->dtype].size;

	if (t->ndim > SG_TENSOR_DIMS)
		return sg_fail(SG_E_ERROR, "cannot write tensor '%s': too many dimensions", t->name);
	if (sg_dtype_quantised(t->dtype))
		return sg_fail(SG_E_ERROR, "cannot write tensor '%s': the format has no %s", t->name,
			       sg_dtypes[t->dtype].name);
	for (unsigned d = 0; d < t->ndim; d++)
		if (!sg_mul(&n, n, t->shape[d]))
			return sg_fail(SG_E_ERROR, "cannot write tensor '%s': too large", t->name);
	*out = n;
	return 0;
}

/* order = indices of t as they lie in the file. */
static int layout(size_t *order, const struct sg_tensor_put *t, size_t n)
{
	struct put_key *k;

	SG_TRY(SG_NEW(k, n));
	for (size_t i = 0; i < n; i++)
		k[i] = (struct put_key){ type_find(sg_dtypes[t[i].dtype].name), t[i].name, i };
	qsort(k, n, sizeof(*k), by_layout);
	for (size_t i = 0; i < n; i++)
		order[i] = k[i].i;
	free(k);
	return 0;
}

static int put_meta(struct sg_jsonw *w, const struct sg_tensor_meta *meta, size_t n)
{
	const struct sg_tensor_meta **sorted;
	int rc = 0;

	if (!n)
		return 0;
	SG_TRY(SG_NEW(sorted, n));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &meta[i];
	qsort(sorted, n, sizeof(*sorted), by_meta_key);
	sg_jsonw_key(w, "__metadata__");
	sg_jsonw_object(w);
	for (size_t i = 0; i < n; i++) {
		if (i && !strcmp(sorted[i]->key, sorted[i - 1]->key))
			rc = sg_fail(SG_E_ERROR, "cannot write metadata '%s' twice", sorted[i]->key);
		sg_jsonw_key(w, sorted[i]->key);
		sg_jsonw_str(w, sorted[i]->value);
	}
	sg_jsonw_end(w, '}');
	free(sorted);
	return rc;
}

static void put_entry(struct sg_jsonw *w, const struct sg_tensor_put *t, size_t begin, size_t end)
{
	sg_jsonw_key(w, t->name);
	sg_jsonw_object(w);
	sg_jsonw_key(w, "dtype");
	sg_jsonw_str(w, sg_dtypes[t->dtype].name);
	sg_jsonw_key(w, "shape");
	sg_jsonw_array(w);
	for (unsigned d = 0; d < t->ndim; d++)
		sg_jsonw_i64(w, (int64_t)t->shape[d]);
	sg_jsonw_end(w, ']');
	sg_jsonw_key(w, "data_offsets");
	sg_jsonw_array(w);
	sg_jsonw_i64(w, (int64_t)begin);
	sg_jsonw_i64(w, (int64_t)end);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
}

static int by_put_name(const void *pa, const void *pb)
{
	const struct put_key *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static int check_names(const struct sg_tensor_put *t, size_t n)
{
	struct put_key *k;
	int rc = 0;

	SG_TRY(SG_NEW(k, n));
	for (size_t i = 0; i < n; i++)
		k[i].name = t[i].name;
	qsort(k, n, sizeof(*k), by_put_name);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (!*k[i].name || !strcmp(k[i].name, "__metadata__") ||
		    (i && !strcmp(k[i].name, k[i - 1].name)))
			rc = sg_fail(SG_E_ERROR, "cannot write tensor '%s': a name must be there once",
				     k[i].name);
	free(k);
	return rc;
}

int sg_tensors_header(struct sg_buf *out, size_t *order, const struct sg_tensor_put *t, size_t n,
		      const struct sg_tensor_meta *meta, size_t n_meta)
{
	struct sg_buf b = { .max = HEADER_MAX };
	struct sg_jsonw w;
	size_t at = 0;
	int rc;

	sg_jsonw_init(&w, &b);
	sg_jsonw_object(&w);
	rc = check_names(t, n);
	if (rc >= 0)
		rc = put_meta(&w, meta, n_meta);
	if (rc >= 0)
		rc = layout(order, t, n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		size_t bytes = 0, end = 0;

		rc = put_bytes(&bytes, &t[order[i]]);
		if (rc >= 0 && (!sg_sum(&end, at, bytes) || end > INT64_MAX))
			rc = sg_fail(SG_E_ERROR, "cannot write '%s': the file would be too large",
				     t[order[i]].name);
		if (rc >= 0)
			put_entry(&w, &t[order[i]], at, end);
		at = end;
	}
	sg_jsonw_end(&w, '}');
	if (rc >= 0)
		rc = sg_jsonw_done(&w);
	while (rc >= 0 && b.len % 8)
		rc = sg_buf_add(&b, " ", 1);
	if (rc >= 0)
		rc = sg_wr_u64(out, b.len);
	if (rc >= 0)
		rc = sg_buf_add(out, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

static int put_data(struct sg_out *o, const struct sg_tensor_put *t, const size_t *order, size_t n,
		    const struct sg_tensor_source *src)
{
	for (size_t i = 0; i < n; i++) {
		const struct sg_tensor_put *p = &t[order[i]];
		const void *data = p->data;
		size_t bytes;

		SG_TRY(put_bytes(&bytes, p));
		if (!data && src)
			SG_TRY(src->next(src->arg, order[i], &data));
		if (!data && bytes)
			return sg_fail(SG_E_ERROR, "cannot write tensor '%s': no data", p->name);
		if (bytes)
			SG_TRY(sg_out_write(o, data, bytes));
	}
	return 0;
}

int sg_tensors_write_from(struct sg_out *o, const struct sg_tensor_put *t, size_t n,
			  const struct sg_tensor_meta *meta, size_t n_meta,
			  const struct sg_tensor_source *src)
{
	struct sg_buf header = { 0 };
	size_t *order;
	int rc;

	SG_TRY(SG_NEW(order, n));
	rc = sg_tensors_header(&header, order, t, n, meta, n_meta);
	if (rc >= 0)
		rc = sg_out_write(o, header.data, header.len);
	if (rc >= 0)
		rc = put_data(o, t, order, n, src);
	sg_buf_release(&header);
	free(order);
	return rc;
}

int sg_tensors_write(struct sg_out *o, const struct sg_tensor_put *t, size_t n,
		     const struct sg_tensor_meta *meta, size_t n_meta)
{
	return sg_tensors_write_from(o, t, n, meta, n_meta, NULL);
}
