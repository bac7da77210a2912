/*
 * msgpack-c writes. Reading is done here: its unpacker allocates by declared
 * counts, and a receipt may come from anyone.
 */
#include "format/pack.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/rd.h"
#include <msgpack.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays of numbers are stored as they lie in memory");

#define NODES_MAX ((size_t)1 << 24)

/* ---- writer ---- */

static int to_buf(void *arg, const char *data, size_t n)
{
	struct sg_packw *w = arg;

	if (w->rc >= 0)
		w->rc = sg_buf_add(w->out, data, n);
	return 0;	/* the failure is kept in w */
}

static msgpack_packer packer(struct sg_packw *w)
{
	msgpack_packer p;

	msgpack_packer_init(&p, w, to_buf);
	return p;
}

void sg_packw_init(struct sg_packw *w, struct sg_buf *out)
{
	*w = (struct sg_packw){ .out = out, .depth = 1, .left = { 1 } };
}

static void close_full(struct sg_packw *w)
{
	while (w->depth > 1 && !w->left[w->depth - 1])
		w->depth--;
}

/* One value goes into the innermost open container. */
static bool item(struct sg_packw *w)
{
	close_full(w);
	if (w->rc >= 0 && !w->left[w->depth - 1])
		w->rc = sg_fail(SG_E_ERROR, "cannot pack more values than announced");
	if (w->rc < 0)
		return false;
	w->left[w->depth - 1]--;
	return true;
}

static bool container(struct sg_packw *w, uint64_t members)
{
	if (!item(w))
		return false;
	if (w->depth == SG_LEN(w->left)) {
		w->rc = sg_fail(SG_E_ERROR, "cannot pack nested deeper than %d", SG_PACK_DEPTH);
		return false;
	}
	w->left[w->depth++] = members;
	return true;
}

void sg_packw_map(struct sg_packw *w, uint32_t pairs)
{
	msgpack_packer p = packer(w);

	if (container(w, (uint64_t)pairs * 2))
		msgpack_pack_map(&p, pairs);
}

void sg_packw_array(struct sg_packw *w, uint32_t n)
{
	msgpack_packer p = packer(w);

	if (container(w, n))
		msgpack_pack_array(&p, n);
}

void sg_packw_strn(struct sg_packw *w, const char *s, size_t n)
{
	msgpack_packer p = packer(w);

	if (n > UINT32_MAX)
		w->rc = sg_fail(SG_E_ERROR, "cannot pack a string of %zu bytes", n);
	if (!item(w))
		return;
	msgpack_pack_str(&p, n);
	to_buf(w, s, n);
}

void sg_packw_str(struct sg_packw *w, const char *s)
{
	sg_packw_strn(w, s, strlen(s));
}

void sg_packw_key(struct sg_packw *w, const char *key)
{
	sg_packw_str(w, key);
}

void sg_packw_bin(struct sg_packw *w, const void *data, size_t n)
{
	msgpack_packer p = packer(w);

	if (n > UINT32_MAX)
		w->rc = sg_fail(SG_E_ERROR, "cannot pack %zu bytes as one", n);
	if (!item(w))
		return;
	msgpack_pack_bin(&p, n);
	to_buf(w, data, n);
}

void sg_packw_u64(struct sg_packw *w, uint64_t v)
{
	msgpack_packer p = packer(w);

	if (item(w))
		msgpack_pack_uint64(&p, v);
}

void sg_packw_i64(struct sg_packw *w, int64_t v)
{
	msgpack_packer p = packer(w);

	if (item(w))
		msgpack_pack_int64(&p, v);
}

void sg_packw_f64(struct sg_packw *w, double v)
{
	msgpack_packer p = packer(w);

	if (item(w))
		msgpack_pack_double(&p, v);
}

void sg_packw_bool(struct sg_packw *w, bool v)
{
	msgpack_packer p = packer(w);

	if (!item(w))
		return;
	if (v)
		msgpack_pack_true(&p);
	else
		msgpack_pack_false(&p);
}

void sg_packw_nil(struct sg_packw *w)
{
	msgpack_packer p = packer(w);

	if (item(w))
		msgpack_pack_nil(&p);
}

/* n elements of `size` bytes as one bin. */
static void numbers(struct sg_packw *w, const void *v, size_t n, size_t size)
{
	sg_packw_bin(w, v, n > UINT32_MAX / size ? SIZE_MAX : n * size);
}

void sg_packw_f64s(struct sg_packw *w, const double *v, size_t n)
{
	numbers(w, v, n, sizeof(*v));
}

void sg_packw_f32s(struct sg_packw *w, const float *v, size_t n)
{
	numbers(w, v, n, sizeof(*v));
}

void sg_packw_u32s(struct sg_packw *w, const uint32_t *v, size_t n)
{
	numbers(w, v, n, sizeof(*v));
}

int sg_packw_done(struct sg_packw *w)
{
	close_full(w);
	if (w->rc >= 0 && (w->depth > 1 || w->left[0]))
		w->rc = sg_fail(SG_E_ERROR, "packed fewer values than announced");
	return w->rc;
}

/* ---- reader ---- */

struct reader {
	struct sg_rd in;
	struct sg_pack *nodes;
	size_t n, cap;
	char *text;		/* where the next string goes */
	unsigned depth;
};

static int bad(const struct reader *r, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "invalid msgpack in '%s' at byte %zu: %s", r->in.what,
		       (size_t)(r->in.p - r->in.start), why);
}

/* msgpack's own numbers are big endian. */
static uint64_t big_endian(struct sg_rd *in, unsigned n)
{
	const unsigned char *p = sg_rd_bytes(in, n);
	uint64_t v = 0;

	for (unsigned i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void set_u64(struct sg_pack *j, uint64_t v)
{
	j->type = SG_PACK_U64;
	j->u = v;
	j->f = (double)v;
}

static void set_i64(struct sg_pack *j, int64_t v)
{
	if (v >= 0) {
		set_u64(j, (uint64_t)v);
		return;
	}
	j->type = SG_PACK_I64;
	j->i = v;
	j->f = (double)v;
}

static void set_float(struct sg_pack *j, struct sg_rd *in, unsigned n)
{
	uint64_t u = big_endian(in, n);
	uint32_t u32 = (uint32_t)u;
	float f;

	j->type = SG_PACK_F64;
	if (n == 8) {
		memcpy(&j->f, &u, sizeof(u));
		return;
	}
	memcpy(&f, &u32, sizeof(f));
	j->f = (double)f;
}

/* A string takes one byte at least besides its own, so that its NUL has room in
 * an arena as large as the input. */
static int read_str(struct reader *r, const char **out, size_t *len, size_t n)
{
	const unsigned char *p = sg_rd_bytes(&r->in, n);

	if (!p)
		return bad(r, "truncated string");
	memcpy(r->text, p, n);
	r->text[n] = '\0';
	*out = r->text;
	*len = n;
	r->text += n + 1;
	return 0;
}

static int read_bin(struct reader *r, struct sg_pack *j, size_t n)
{
	j->type = SG_PACK_BIN;
	j->str = (const char *)sg_rd_bytes(&r->in, n);
	j->len = n;
	return j->str ? 0 : bad(r, "truncated bytes");
}

static int read_key(struct reader *r, const char **key, size_t *len)
{
	uint8_t tag = sg_rd_u8(&r->in);

	if ((tag & 0xe0) == 0xa0)
		return read_str(r, key, len, tag & 0x1f);
	if (tag < 0xd9 || tag > 0xdb)
		return bad(r, "a key is no string");
	return read_str(r, key, len, (size_t)big_endian(&r->in, 1u << (tag - 0xd9)));
}

static int read_value(struct reader *r, const char *key, size_t key_len);

static int read_children(struct reader *r, size_t at, enum sg_pack_type type, uint64_t n)
{
	if (!sg_rd_fits(&r->in, n, type == SG_PACK_MAP ? 2 : 1))
		return bad(r, "more members than bytes");
	if (++r->depth > SG_PACK_DEPTH)
		return bad(r, "nested too deeply");
	r->nodes[at].type = type;
	r->nodes[at].n = (size_t)n;
	for (uint64_t i = 0; i < n; i++) {
		const char *key = NULL;
		size_t len = 0;

		if (type == SG_PACK_MAP)
			SG_TRY(read_key(r, &key, &len));
		SG_TRY(read_value(r, key, len));
	}
	r->depth--;
	return 0;
}

/* Tags 0xc0..0xdf; the rest carry their value in themselves. */
static int read_tagged(struct reader *r, size_t at, uint8_t tag)
{
	struct sg_pack *j = &r->nodes[at];

	switch (tag) {
	case 0xc0:
		return 0;
	case 0xc2: case 0xc3:
		j->type = SG_PACK_BOOL;
		j->truth = tag & 1;
		return 0;
	case 0xc4: case 0xc5: case 0xc6:
		return read_bin(r, j, (size_t)big_endian(&r->in, 1u << (tag - 0xc4)));
	case 0xca: case 0xcb:
		set_float(j, &r->in, tag == 0xca ? 4 : 8);
		break;
	case 0xcc: case 0xcd: case 0xce: case 0xcf:
		set_u64(j, big_endian(&r->in, 1u << (tag - 0xcc)));
		break;
	case 0xd0:
		set_i64(j, (int8_t)big_endian(&r->in, 1));
		break;
	case 0xd1:
		set_i64(j, (int16_t)big_endian(&r->in, 2));
		break;
	case 0xd2:
		set_i64(j, (int32_t)big_endian(&r->in, 4));
		break;
	case 0xd3:
		set_i64(j, (int64_t)big_endian(&r->in, 8));
		break;
	case 0xd9: case 0xda: case 0xdb:
		j->type = SG_PACK_STR;
		return read_str(r, &j->str, &j->len, (size_t)big_endian(&r->in, 1u << (tag - 0xd9)));
	case 0xdc: case 0xdd:
		return read_children(r, at, SG_PACK_ARRAY, big_endian(&r->in, tag == 0xdc ? 2 : 4));
	case 0xde: case 0xdf:
		return read_children(r, at, SG_PACK_MAP, big_endian(&r->in, tag == 0xde ? 2 : 4));
	default:
		return bad(r, "a type that sg does not write");
	}
	return r->in.bad ? bad(r, "truncated number") : 0;
}

static int read_value(struct reader *r, const char *key, size_t key_len)
{
	struct sg_pack *j;
	size_t at = r->n;
	uint8_t tag = sg_rd_u8(&r->in);

	if (r->in.bad)
		return bad(r, "truncated");
	if (at == NODES_MAX)
		return bad(r, "too many values");
	SG_TRY(SG_GROW(r->nodes, r->n, r->cap));
	j = &r->nodes[r->n++];
	*j = (struct sg_pack){ .key = key, .key_len = key_len };
	if (tag < 0x80 || tag >= 0xe0) {
		set_i64(j, (int8_t)tag);
		return 0;
	}
	if (tag < 0x90)
		return read_children(r, at, SG_PACK_MAP, tag & 15);
	if (tag < 0xa0)
		return read_children(r, at, SG_PACK_ARRAY, tag & 15);
	if (tag < 0xc0) {
		j->type = SG_PACK_STR;
		return read_str(r, &j->str, &j->len, tag & 31);
	}
	return read_tagged(r, at, tag);
}

/* Nodes stand in file order, so a child list can be threaded in one walk. */
static void link_nodes(struct sg_pack *nodes, size_t n)
{
	struct { size_t left; struct sg_pack *last; } open[SG_PACK_DEPTH];
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		struct sg_pack *j = &nodes[i];

		if (depth) {
			if (open[depth - 1].last)
				open[depth - 1].last->next = j;
			open[depth - 1].last = j;
			open[depth - 1].left--;
		}
		if (j->n) {
			j->child = j + 1;
			open[depth].left = j->n;
			open[depth++].last = NULL;
		}
		while (depth && !open[depth - 1].left)
			depth--;
	}
}

static int by_key(const void *pa, const void *pb)
{
	const struct sg_pack *a = *(const struct sg_pack *const *)pa, *b = *(const struct sg_pack *const *)pb;

	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	return memcmp(a->key, b->key, a->key_len);
}

static int check_keys(const struct sg_pack *nodes, size_t n, const char *what)
{
	const struct sg_pack **keys;
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (nodes[i].type == SG_PACK_MAP)
			most = SG_MAX(most, nodes[i].n);
	if (most < 2)
		return 0;
	SG_TRY(SG_NEW(keys, most));
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		size_t m = 0;

		if (nodes[i].type != SG_PACK_MAP)
			continue;
		for (const struct sg_pack *c = nodes[i].child; c; c = c->next)
			keys[m++] = c;
		qsort(keys, m, sizeof(*keys), by_key);
		for (size_t k = 1; rc >= 0 && k < m; k++)
			if (!by_key(&keys[k - 1], &keys[k]))
				rc = sg_fail(SG_E_CORRUPT, "invalid msgpack in '%s': duplicate key '%.80s'",
					     what, keys[k]->key);
	}
	free(keys);
	return rc;
}

int sg_pack_parse(struct sg_pack_doc *doc, const void *data, size_t n, const char *what)
{
	struct reader r = { 0 };
	struct sg_pack_doc d = { 0 };
	int rc;

	sg_rd_init(&r.in, data, n, what);
	SG_TRY(SG_NEW(d.text, n));
	r.text = d.text;
	rc = read_value(&r, NULL, 0);
	if (rc >= 0)
		rc = sg_rd_end(&r.in);
	d.nodes = r.nodes;
	d.n_nodes = r.n;
	if (rc >= 0) {
		link_nodes(d.nodes, d.n_nodes);
		rc = check_keys(d.nodes, d.n_nodes, what);
	}
	if (rc < 0)
		sg_pack_release(&d);
	else
		*doc = d;
	return rc;
}

void sg_pack_release(struct sg_pack_doc *doc)
{
	free(doc->nodes);
	free(doc->text);
	*doc = (struct sg_pack_doc){ 0 };
}

/* ---- access ---- */

const struct sg_pack *sg_pack_get(const struct sg_pack *m, const char *key)
{
	size_t n = strlen(key);

	if (!m || m->type != SG_PACK_MAP)
		return NULL;
	for (const struct sg_pack *c = m->child; c; c = c->next)
		if (c->key_len == n && !memcmp(c->key, key, n))
			return c;
	return NULL;
}

/* The member, NULL when absent or nil. */
static const struct sg_pack *member(const struct sg_pack *m, const char *key)
{
	const struct sg_pack *j = sg_pack_get(m, key);

	return j && j->type != SG_PACK_NIL ? j : NULL;
}

static int wrong(const char *key, const char *name)
{
	return sg_fail(SG_E_CORRUPT, "'%s' is not %s", key, name);
}

int sg_pack_str(const struct sg_pack *m, const char *key, const char **out)
{
	const struct sg_pack *j = member(m, key);

	if (!j)
		return 0;
	if (j->type != SG_PACK_STR || memchr(j->str, '\0', j->len))
		return wrong(key, "text");
	*out = j->str;
	return 0;
}

int sg_pack_u64(const struct sg_pack *m, const char *key, uint64_t max, uint64_t *out)
{
	const struct sg_pack *j = member(m, key);

	if (!j)
		return 0;
	if (j->type != SG_PACK_U64 || j->u > max)
		return wrong(key, "a count in range");
	*out = j->u;
	return 0;
}

int sg_pack_i64(const struct sg_pack *m, const char *key, int64_t lo, int64_t hi, int64_t *out)
{
	const struct sg_pack *j = member(m, key);
	int64_t v;

	if (!j)
		return 0;
	if (j->type != SG_PACK_I64 && (j->type != SG_PACK_U64 || j->u > INT64_MAX))
		return wrong(key, "an integer in range");
	v = j->type == SG_PACK_I64 ? j->i : (int64_t)j->u;
	if (v < lo || v > hi)
		return wrong(key, "an integer in range");
	*out = v;
	return 0;
}

int sg_pack_f64(const struct sg_pack *m, const char *key, double *out)
{
	const struct sg_pack *j = member(m, key);

	if (!j)
		return 0;
	if (j->type != SG_PACK_F64 && j->type != SG_PACK_U64 && j->type != SG_PACK_I64)
		return wrong(key, "a number");
	*out = j->f;
	return 0;
}

int sg_pack_bool(const struct sg_pack *m, const char *key, bool *out)
{
	const struct sg_pack *j = member(m, key);

	if (!j)
		return 0;
	if (j->type != SG_PACK_BOOL)
		return wrong(key, "true or false");
	*out = j->truth;
	return 0;
}

/* A bin of elements of `size` bytes, copied to where they are aligned. */
static int get_numbers(const struct sg_pack *m, const char *key, void **out, size_t *n, size_t size)
{
	const struct sg_pack *j = member(m, key);
	void *v;

	if (!j)
		return 0;
	if (j->type != SG_PACK_BIN || j->len % size)
		return wrong(key, "an array of numbers");
	v = sg_calloc(j->len / size, size);
	if (!v)
		return -SG_E_NOMEM;
	memcpy(v, j->str, j->len);
	*out = v;
	*n = j->len / size;
	return 0;
}

#define NUMBERS(name, type) \
	int sg_pack_##name(const struct sg_pack *m, const char *key, type **out, size_t *n) \
	{ \
		void *v = *out; \
		int rc = get_numbers(m, key, &v, n, sizeof(type)); \
		*out = v; \
		return rc; \
	}
NUMBERS(f64s, double)
NUMBERS(f32s, float)
NUMBERS(u32s, uint32_t)

const char *sg_pack_library(void)
{
	return msgpack_version();
}
