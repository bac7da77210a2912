#ifndef SG_BASE_JSON_H
#define SG_BASE_JSON_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * JSON both ways (RFC 8259). The reader is strict: UTF-8, no duplicate keys in
 * an object, no trailing bytes, depth and node count bounded, so a parse never
 * allocates more than a small multiple of the input. The writer is canonical
 * when keys are given in bytewise order: UTF-8, no spaces, shortest escapes.
 */
enum sg_json_type { SG_JSON_NULL, SG_JSON_BOOL, SG_JSON_NUMBER, SG_JSON_STRING, SG_JSON_ARRAY, SG_JSON_OBJECT };

/* A node. Children are a list in file order: child, then child->next. All
 * pointers die with the document. */
struct sg_json {
	enum sg_json_type type;
	bool truth;			/* BOOL */
	const char *key;		/* in an object, unescaped, NUL-terminated; may hold NULs, see key_len */
	size_t key_len;
	const char *str;		/* STRING unescaped; NUMBER as written */
	size_t len;
	double num;			/* NUMBER, nearest double */
	size_t n;			/* children of an array or object */
	const struct sg_json *child, *next;
};

struct sg_json_doc { struct sg_json *nodes; size_t n_nodes; char *text; };

/* `what` names the source in messages ("config.json"). Fails with CORRUPT and
 * the byte offset, or NOMEM. *doc is written on success only. */
int sg_json_parse(struct sg_json_doc *doc, const char *data, size_t n, const char *what);
void sg_json_release(struct sg_json_doc *doc);
static inline const struct sg_json *sg_json_root(const struct sg_json_doc *doc)
{
	return doc->nodes;
}

/* Member of an object, NULL when absent or when o is NULL or no object. */
const struct sg_json *sg_json_get(const struct sg_json *o, const char *key);
/* null, false, 0, "", [] or {}: what says nothing. */
bool sg_json_empty(const struct sg_json *j);
/* Typed members. Absent or null: *out untouched, 0 returned. Present with a
 * wrong type or out of range: CORRUPT, naming the key. */
int sg_json_str(const struct sg_json *o, const char *key, const char **out);
int sg_json_i64(const struct sg_json *o, const char *key, int64_t lo, int64_t hi, int64_t *out);
int sg_json_f64(const struct sg_json *o, const char *key, double *out);
int sg_json_bool(const struct sg_json *o, const char *key, bool *out);

/* Writer: values and keys go straight into out. Commas are its business. The
 * first failure is kept and returned by sg_json_done. */
struct sg_jsonw { struct sg_buf *out; int rc; unsigned depth; bool comma[64]; };
void sg_jsonw_init(struct sg_jsonw *w, struct sg_buf *out);
void sg_jsonw_object(struct sg_jsonw *w);
void sg_jsonw_array(struct sg_jsonw *w);
void sg_jsonw_end(struct sg_jsonw *w, char bracket);	/* '}' or ']' */
void sg_jsonw_key(struct sg_jsonw *w, const char *key);
void sg_jsonw_str(struct sg_jsonw *w, const char *s);
void sg_jsonw_strn(struct sg_jsonw *w, const char *s, size_t n);
/* As strn, which refuses what is not UTF-8; here each such byte becomes U+FFFD.
 * For text that a model wrote, never for names or identities. */
void sg_jsonw_text(struct sg_jsonw *w, const char *s, size_t n);
void sg_jsonw_i64(struct sg_jsonw *w, int64_t v);
/* %.17g shortened to the fewest digits that read back equal; NaN and infinities as null. */
void sg_jsonw_f64(struct sg_jsonw *w, double v);
void sg_jsonw_bool(struct sg_jsonw *w, bool v);
void sg_jsonw_null(struct sg_jsonw *w);
/* A node of a parsed document again, in its own order. */
void sg_jsonw_node(struct sg_jsonw *w, const struct sg_json *j);
int sg_jsonw_done(struct sg_jsonw *w);
SG_C_END
#endif
