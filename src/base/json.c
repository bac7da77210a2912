/*
 * The reader makes two passes. The first descends through the text and appends
 * nodes in file order to one array, strings to one arena that can't be larger
 * than the text. The second links siblings and looks for duplicate keys. So a
 * document is two allocations, whatever it holds.
 */
#include "base/json.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

#define DEPTH_MAX 64
#define NODES_MAX ((size_t)1 << 24)

struct reader {
	const unsigned char *start, *p, *end;
	const char *what;
	struct sg_json *nodes;
	size_t n, cap;
	char *text;		/* where the next string goes */
	unsigned depth;
};

static int bad(const struct reader *r, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "invalid JSON in '%s' at byte %zu: %s", r->what,
		       (size_t)(r->p - r->start), why);
}

/* Bytes of the UTF-8 sequence at p, 0 when it is not one (RFC 3629). */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	if (!n || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static char *utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 63));
		*out++ = (char)(0x80 | (c & 63));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 63));
		*out++ = (char)(0x80 | (c >> 6 & 63));
		*out++ = (char)(0x80 | (c & 63));
	}
	return out;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

/* Four hex digits at p, -1 when there are none. */
static int32_t hex4(const struct reader *r, const unsigned char *p)
{
	int32_t v = 0;

	if (r->end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		unsigned char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* The code point of \uXXXX, p at the backslash; a pair of surrogates is one. */
static int read_unicode(struct reader *r)
{
	int32_t c = hex4(r, r->p + 2), low;

	if (c < 0)
		return bad(r, "\\u needs four hex digits");
	if (c >= 0xd800 && c < 0xe000) {
		if (c >= 0xdc00 || r->end - r->p < 12 || r->p[6] != '\\' || r->p[7] != 'u')
			return bad(r, "lone surrogate");
		low = hex4(r, r->p + 8);
		if (low < 0xdc00 || low >= 0xe000)
			return bad(r, "lone surrogate");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		r->p += 6;
	}
	r->p += 6;
	r->text = utf8_put(r->text, (uint32_t)c);
	return 0;
}

static int read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (r->end - r->p < 2)
		return bad(r, "unterminated string");
	if (r->p[1] == 'u')
		return read_unicode(r);
	at = r->p[1] ? strchr(from, r->p[1]) : NULL;
	if (!at)
		return bad(r, "unknown escape");
	*r->text++ = to[at - from];
	r->p += 2;
	return 0;
}

/* Text between quotes into the arena; p is at the opening quote. */
static int read_string(struct reader *r, const char **out, size_t *len)
{
	char *begin = r->text;

	r->p++;
	for (;;) {
		const unsigned char *from = r->p;
		size_t n;

		while (r->p < r->end && *r->p >= 0x20 && *r->p < 0x80 && *r->p != '"' && *r->p != '\\')
			r->p++;
		n = (size_t)(r->p - from);
		memcpy(r->text, from, n);
		r->text += n;
		if (r->p == r->end)
			return bad(r, "unterminated string");
		if (*r->p == '"')
			break;
		if (*r->p == '\\') {
			SG_TRY(read_escape(r));
			continue;
		}
		if (*r->p < 0x20)
			return bad(r, "control character in a string");
		n = utf8_len(r->p, r->end);
		if (!n)
			return bad(r, "not UTF-8");
		memcpy(r->text, r->p, n);
		r->text += n;
		r->p += n;
	}
	r->p++;
	*len = (size_t)(r->text - begin);
	*r->text++ = '\0';
	*out = begin;
	return 0;
}

static const unsigned char *digits(const struct reader *r, const unsigned char *p)
{
	while (p < r->end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Integers below 2^53 need no strtod. */
static double to_double(const char *s, size_t len, bool integer)
{
	double v = 0;

	if (!integer || len > 15)
		return strtod(s, NULL);
	for (const char *d = s + (*s == '-'); *d; d++)
		v = v * 10 + (*d - '0');
	return *s == '-' ? -v : v;
}

static int read_number(struct reader *r, struct sg_json *j)
{
	const unsigned char *p = r->p, *q;
	bool integer = true;

	p += *p == '-';
	q = digits(r, p);
	if (q == p || (*p == '0' && q - p > 1))
		return bad(r, "malformed number");
	p = q;
	if (p < r->end && *p == '.') {
		q = digits(r, ++p);
		if (q == p)
			return bad(r, "malformed number");
		p = q;
		integer = false;
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < r->end && (*p == '+' || *p == '-');
		q = digits(r, p);
		if (q == p)
			return bad(r, "malformed number");
		p = q;
		integer = false;
	}
	j->len = (size_t)(p - r->p);
	j->str = r->text;
	memcpy(r->text, r->p, j->len);
	r->text[j->len] = '\0';
	r->text += j->len + 1;
	j->num = to_double(j->str, j->len, integer);
	if (!isfinite(j->num))
		return bad(r, "number out of range");
	r->p = p;
	return 0;
}

static int read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n))
		return bad(r, "expected a value");
	r->p += n;
	return 0;
}

static int read_value(struct reader *r, const char *key, size_t key_len);

/* Members up to the closing bracket; the node at `at` gets their number. */
static int read_children(struct reader *r, size_t at, char close)
{
	if (++r->depth > DEPTH_MAX)
		return bad(r, "nested too deeply");
	r->p++;
	skip_space(r);
	if (r->p < r->end && *r->p == (unsigned char)close)
		goto closed;
	for (;;) {
		const char *key = NULL;
		size_t key_len = 0;

		if (close == '}') {
			if (r->p == r->end || *r->p != '"')
				return bad(r, "expected a key");
			SG_TRY(read_string(r, &key, &key_len));
			skip_space(r);
			if (r->p == r->end || *r->p != ':')
				return bad(r, "expected ':'");
			r->p++;
			skip_space(r);
		}
		SG_TRY(read_value(r, key, key_len));
		r->nodes[at].n++;
		skip_space(r);
		if (r->p == r->end || (*r->p != ',' && *r->p != (unsigned char)close))
			return bad(r, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
		if (*r->p == (unsigned char)close)
			break;
		r->p++;
		skip_space(r);
	}
closed:
	r->p++;
	r->depth--;
	return 0;
}

static int read_value(struct reader *r, const char *key, size_t key_len)
{
	struct sg_json *j;
	size_t at = r->n;

	if (at == NODES_MAX)
		return bad(r, "too many values");
	if (r->p == r->end)
		return bad(r, "expected a value");
	SG_TRY(SG_GROW(r->nodes, r->n, r->cap));
	j = &r->nodes[r->n++];
	*j = (struct sg_json){ .key = key, .key_len = key_len };
	switch (*r->p) {
	case '{':
		j->type = SG_JSON_OBJECT;
		return read_children(r, at, '}');
	case '[':
		j->type = SG_JSON_ARRAY;
		return read_children(r, at, ']');
	case '"':
		j->type = SG_JSON_STRING;
		return read_string(r, &j->str, &j->len);
	case 't':
		j->type = SG_JSON_BOOL;
		j->truth = true;
		return read_word(r, "true");
	case 'f':
		j->type = SG_JSON_BOOL;
		return read_word(r, "false");
	case 'n':
		return read_word(r, "null");
	default:
		if (*r->p != '-' && (*r->p < '0' || *r->p > '9'))
			return bad(r, "expected a value");
		j->type = SG_JSON_NUMBER;
		return read_number(r, j);
	}
}

/* Nodes stand in file order, so a child list can be threaded in one walk. */
static void link_nodes(struct sg_json *nodes, size_t n)
{
	struct { size_t left; struct sg_json *last; } open[DEPTH_MAX];
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		struct sg_json *j = &nodes[i];

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

struct slot { uint64_t hash; const struct sg_json *j; };

static int by_key(const void *pa, const void *pb)
{
	const struct slot *a = pa, *b = pb;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->j->key_len != b->j->key_len)
		return a->j->key_len < b->j->key_len ? -1 : 1;
	return memcmp(a->j->key, b->j->key, a->j->key_len);
}

/* Sorting by hash, then by bytes: chosen collisions cost a comparison, not a
 * quadratic walk. */
static int check_keys(const struct sg_json *o, struct slot *slots, const char *what)
{
	size_t n = 0;

	for (const struct sg_json *c = o->child; c; c = c->next) {
		uint64_t h = 0xcbf29ce484222325u;

		for (size_t i = 0; i < c->key_len; i++)
			h = (h ^ (unsigned char)c->key[i]) * 0x100000001b3u;
		slots[n++] = (struct slot){ h, c };
	}
	qsort(slots, n, sizeof(*slots), by_key);
	for (size_t i = 1; i < n; i++)
		if (!by_key(&slots[i - 1], &slots[i]))
			return sg_fail(SG_E_CORRUPT, "invalid JSON in '%s': duplicate key '%.80s'", what,
				       slots[i].j->key);
	return 0;
}

static int check_all_keys(const struct sg_json *nodes, size_t n, const char *what)
{
	struct slot *slots;
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (nodes[i].type == SG_JSON_OBJECT)
			most = SG_MAX(most, nodes[i].n);
	if (most < 2)
		return 0;
	SG_TRY(SG_NEW(slots, most));
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (nodes[i].type == SG_JSON_OBJECT && nodes[i].n > 1)
			rc = check_keys(&nodes[i], slots, what);
	free(slots);
	return rc;
}

int sg_json_parse(struct sg_json_doc *doc, const char *data, size_t n, const char *what)
{
	const unsigned char *p = (const unsigned char *)data;
	struct reader r = { .start = p, .p = p, .end = p + n, .what = what };
	struct sg_json_doc d = { 0 };
	struct sg_json *fit;
	int rc;

	/* A string loses two quotes and gains a NUL; a number gains a NUL but is
	 * followed by a bracket or comma, or by the one spare byte. */
	if (!sg_sum(&n, n, 1))
		return sg_fail(SG_E_NOMEM, "'%s' is too large", what);
	SG_TRY(SG_NEW(d.text, n));
	r.text = d.text;
	skip_space(&r);
	rc = read_value(&r, NULL, 0);
	if (rc >= 0) {
		skip_space(&r);
		if (r.p != r.end)
			rc = bad(&r, "bytes after the value");
	}
	if (rc >= 0) {
		fit = sg_realloc(r.nodes, r.n, sizeof(*r.nodes));
		r.nodes = fit ? fit : r.nodes;
		rc = fit ? 0 : -SG_E_NOMEM;
	}
	d.nodes = r.nodes;
	d.n_nodes = r.n;
	if (rc >= 0) {
		link_nodes(d.nodes, d.n_nodes);
		rc = check_all_keys(d.nodes, d.n_nodes, what);
	}
	if (rc < 0)
		sg_json_release(&d);
	else
		*doc = d;
	return rc;
}

void sg_json_release(struct sg_json_doc *doc)
{
	free(doc->nodes);
	free(doc->text);
	*doc = (struct sg_json_doc){ 0 };
}

bool sg_json_empty(const struct sg_json *j)
{
	switch (j->type) {
	case SG_JSON_NULL:
		return true;
	case SG_JSON_BOOL:
		return !j->truth;
	case SG_JSON_NUMBER:
		return j->num == 0;
	case SG_JSON_STRING:
		return !j->len;
	default:
		return !j->n;
	}
}

const struct sg_json *sg_json_get(const struct sg_json *o, const char *key)
{
	size_t n = strlen(key);

	if (!o || o->type != SG_JSON_OBJECT)
		return NULL;
	for (const struct sg_json *c = o->child; c; c = c->next)
		if (c->key_len == n && !memcmp(c->key, key, n))
			return c;
	return NULL;
}

/* 1 and *out when the member is there, 0 when absent or null. */
static int member(const struct sg_json **out, const struct sg_json *o, const char *key,
		  enum sg_json_type type, const char *name)
{
	const struct sg_json *j = sg_json_get(o, key);

	if (!j || j->type == SG_JSON_NULL)
		return 0;
	if (j->type != type)
		return sg_fail(SG_E_CORRUPT, "'%s' is not %s", key, name);
	*out = j;
	return 1;
}

int sg_json_str(const struct sg_json *o, const char *key, const char **out)
{
	const struct sg_json *j = NULL;
	int rc = member(&j, o, key, SG_JSON_STRING, "a string");

	if (rc <= 0)
		return rc;
	if (memchr(j->str, '\0', j->len))
		return sg_fail(SG_E_CORRUPT, "'%s' holds a NUL", key);
	*out = j->str;
	return 0;
}

/* Digits are read as they stand; 2048.0 and 2e3 are integers too. */
static bool to_i64(const struct sg_json *j, int64_t *out)
{
	bool neg = j->str[0] == '-';
	uint64_t v = 0, max = neg ? (uint64_t)1 << 63 : ((uint64_t)1 << 63) - 1;

	if (strpbrk(j->str, ".eE")) {
		if (fabs(j->num) > 0x1p53 || j->num != floor(j->num))
			return false;
		*out = (int64_t)j->num;
		return true;
	}
	for (const char *p = j->str + neg; *p; p++) {
		uint64_t d = (uint64_t)(*p - '0');

		if (v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

int sg_json_i64(const struct sg_json *o, const char *key, int64_t lo, int64_t hi, int64_t *out)
{
	const struct sg_json *j = NULL;
	int64_t v;
	int rc = member(&j, o, key, SG_JSON_NUMBER, "a number");

	if (rc <= 0)
		return rc;
	if (!to_i64(j, &v))
		return sg_fail(SG_E_CORRUPT, "'%s' is not an integer: %.40s", key, j->str);
	if (v < lo || v > hi)
		return sg_fail(SG_E_CORRUPT, "'%s' is out of range: %.40s", key, j->str);
	*out = v;
	return 0;
}

int sg_json_f64(const struct sg_json *o, const char *key, double *out)
{
	const struct sg_json *j = NULL;
	int rc = member(&j, o, key, SG_JSON_NUMBER, "a number");

	if (rc <= 0)
		return rc;
	*out = j->num;
	return 0;
}

int sg_json_bool(const struct sg_json *o, const char *key, bool *out)
{
	const struct sg_json *j = NULL;
	int rc = member(&j, o, key, SG_JSON_BOOL, "true or false");

	if (rc <= 0)
		return rc;
	*out = j->truth;
	return 0;
}

/* ---- writer ---- */

void sg_jsonw_init(struct sg_jsonw *w, struct sg_buf *out)
{
	*w = (struct sg_jsonw){ .out = out };
}

static void put(struct sg_jsonw *w, const char *s, size_t n)
{
	if (w->rc >= 0)
		w->rc = sg_buf_add(w->out, s, n);
}

/* The comma before a value or key, and the note that the next needs one. */
static void separate(struct sg_jsonw *w)
{
	if (!w->depth)
		return;
	if (w->comma[w->depth - 1])
		put(w, ",", 1);
	w->comma[w->depth - 1] = true;
}

static void open_bracket(struct sg_jsonw *w, const char *bracket)
{
	separate(w);
	if (w->rc < 0)
		return;
	if (w->depth == SG_LEN(w->comma)) {
		w->rc = sg_fail(SG_E_ERROR, "cannot write JSON nested deeper than %zu", SG_LEN(w->comma));
		return;
	}
	w->comma[w->depth++] = false;
	put(w, bracket, 1);
}

void sg_jsonw_object(struct sg_jsonw *w)
{
	open_bracket(w, "{");
}

void sg_jsonw_array(struct sg_jsonw *w)
{
	open_bracket(w, "[");
}

void sg_jsonw_end(struct sg_jsonw *w, char bracket)
{
	if (w->rc >= 0 && !w->depth)
		w->rc = sg_fail(SG_E_ERROR, "cannot close JSON that is not open");
	if (w->rc < 0)
		return;
	w->depth--;
	put(w, &bracket, 1);
}

static void put_escape(struct sg_jsonw *w, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;
	char s[8];

	if (at)
		snprintf(s, sizeof(s), "\\%c", to[at - from]);
	else
		snprintf(s, sizeof(s), "\\u%04x", c);
	put(w, s, strlen(s));
}

/* Quoted text; where it is not UTF-8, `instead` or, with NULL, a failure. */
static void put_string(struct sg_jsonw *w, const char *s, size_t n, const char *instead)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n, *from = p;

	put(w, "\"", 1);
	while (p < end) {
		size_t len = utf8_len(p, end);

		if (len && *p >= 0x20 && *p != '"' && *p != '\\') {
			p += len;
			continue;
		}
		put(w, (const char *)from, (size_t)(p - from));
		if (len)
			put_escape(w, *p);
		else if (instead)
			put(w, instead, strlen(instead));
		else if (w->rc >= 0)
			w->rc = sg_fail(SG_E_CORRUPT, "cannot write text that is not UTF-8 as JSON");
		from = ++p;
	}
	put(w, (const char *)from, (size_t)(p - from));
	put(w, "\"", 1);
}

void sg_jsonw_strn(struct sg_jsonw *w, const char *s, size_t n)
{
	separate(w);
	put_string(w, s, n, NULL);
}

void sg_jsonw_str(struct sg_jsonw *w, const char *s)
{
	sg_jsonw_strn(w, s, strlen(s));
}

void sg_jsonw_text(struct sg_jsonw *w, const char *s, size_t n)
{
	separate(w);
	put_string(w, s, n, "\xef\xbf\xbd");
}

static void keyn(struct sg_jsonw *w, const char *key, size_t n)
{
	separate(w);
	put_string(w, key, n, NULL);
	put(w, ":", 1);
	if (w->depth)
		w->comma[w->depth - 1] = false;	/* none between key and value */
}

void sg_jsonw_key(struct sg_jsonw *w, const char *key)
{
	keyn(w, key, strlen(key));
}

static void put_word(struct sg_jsonw *w, const char *s)
{
	separate(w);
	put(w, s, strlen(s));
}

void sg_jsonw_i64(struct sg_jsonw *w, int64_t v)
{
	char s[32];

	snprintf(s, sizeof(s), "%lld", (long long)v);
	put_word(w, s);
}

void sg_jsonw_f64(struct sg_jsonw *w, double v)
{
	char s[40];

	if (!isfinite(v)) {
		put_word(w, "null");
		return;
	}
	if (v == floor(v) && fabs(v) < 1e15) {
		snprintf(s, sizeof(s), "%.0f", v);
	} else {
		for (int digits_ = 1; digits_ <= 17; digits_++) {
			snprintf(s, sizeof(s), "%.*g", digits_, v);
			if (strtod(s, NULL) == v)
				break;
		}
	}
	put_word(w, s);
}

void sg_jsonw_bool(struct sg_jsonw *w, bool v)
{
	put_word(w, v ? "true" : "false");
}

void sg_jsonw_null(struct sg_jsonw *w)
{
	put_word(w, "null");
}

void sg_jsonw_node(struct sg_jsonw *w, const struct sg_json *j)
{
	switch (j->type) {
	case SG_JSON_NULL:
		sg_jsonw_null(w);
		return;
	case SG_JSON_BOOL:
		sg_jsonw_bool(w, j->truth);
		return;
	case SG_JSON_NUMBER:
		put_word(w, j->str);
		return;
	case SG_JSON_STRING:
		sg_jsonw_strn(w, j->str, j->len);
		return;
	case SG_JSON_ARRAY:
	case SG_JSON_OBJECT:
		open_bracket(w, j->type == SG_JSON_ARRAY ? "[" : "{");
		for (const struct sg_json *c = j->child; c && w->rc >= 0; c = c->next) {
			if (j->type == SG_JSON_OBJECT)
				keyn(w, c->key, c->key_len);
			sg_jsonw_node(w, c);
		}
		sg_jsonw_end(w, j->type == SG_JSON_ARRAY ? ']' : '}');
		return;
	}
}

int sg_jsonw_done(struct sg_jsonw *w)
{
	if (w->rc >= 0 && w->depth)
		w->rc = sg_fail(SG_E_ERROR, "JSON ends with %u brackets open", w->depth);
	return w->rc;
}
