#include "model/dataset.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/overlap.h"

#define FORMAT "sg-data-1"

static const char *const roles[SG_ROLE_COUNT] = {
#define X(id, name) [SG_ROLE_##id] = name,
	SG_ROLES(X)
#undef X
};
static const char *const splits[] = { "paragraph", "line", "file" };

bool sg_role_judged(enum sg_role r)
{
	return r == SG_ROLE_ACCEPT || r == SG_ROLE_RETAIN || r == SG_ROLE_SAFETY;
}

const char *sg_role_name(enum sg_role r)
{
	return roles[r];
}

int sg_role_parse(enum sg_role *out, const char *name)
{
	for (int i = 0; i < SG_ROLE_COUNT; i++)
		if (!strcmp(name, roles[i])) {
			*out = (enum sg_role)i;
			return 0;
		}
	return sg_fail(SG_E_USAGE, "unknown role '%s', not train, select, accept, retain or safety", name);
}

int sg_split_parse(enum sg_split *out, const char *name)
{
	for (size_t i = 0; i < SG_LEN(splits); i++)
		if (!strcmp(name, splits[i])) {
			*out = (enum sg_split)i;
			return 0;
		}
	return sg_fail(SG_E_USAGE, "unknown split '%s', not paragraph, line or file", name);
}

bool sg_dataset_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > 64 || strchr("._-", *name))
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || strchr("._-", *name)))
			return false;
	return true;
}

/* ---- manifest ---- */

static void emit_source(struct sg_jsonw *w, const struct sg_dataset_source *s)
{
	sg_jsonw_object(w);
	sg_jsonw_key(w, "bytes");
	sg_jsonw_i64(w, (int64_t)s->bytes);
	sg_jsonw_key(w, "path");
	sg_jsonw_str(w, s->path);
	sg_jsonw_key(w, "sha256");
	sg_jsonw_str(w, s->sha256);
	sg_jsonw_end(w, '}');
}

static void emit_text(struct sg_jsonw *w, const char *key, const char *value)
{
	sg_jsonw_key(w, key);
	sg_jsonw_str(w, value);
}

static void emit_count(struct sg_jsonw *w, const char *key, uint64_t value)
{
	sg_jsonw_key(w, key);
	sg_jsonw_i64(w, (int64_t)value);
}

int sg_dataset_manifest_emit(const struct sg_dataset_manifest *m, struct sg_buf *out)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	emit_count(&w, "bytes", m->bytes);
	emit_count(&w, "docs", m->docs);
	emit_text(&w, "format", FORMAT);
	emit_text(&w, "name", m->name);
	emit_text(&w, "role", roles[m->role]);
	emit_text(&w, "shard", m->shard);
	sg_jsonw_key(&w, "sources");
	sg_jsonw_array(&w);
	for (size_t i = 0; i < m->n_sources; i++)
		emit_source(&w, &m->source[i]);
	sg_jsonw_end(&w, ']');
	emit_text(&w, "split", m->split);
	emit_text(&w, "tokenizer", m->tokenizer);
	emit_count(&w, "tokens", m->tokens);
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int get_text(const struct sg_json *j, const char *key, char **out)
{
	const char *s = NULL;

	SG_TRY(sg_json_str(j, key, &s));
	if (!s)
		return sg_fail(SG_E_CORRUPT, "'%s' is missing", key);
	*out = sg_strdup(s);
	return *out ? 0 : -SG_E_NOMEM;
}

static int get_digest(const struct sg_json *j, const char *key, char out[SG_SHA256_HEX])
{
	const char *s = NULL;

	SG_TRY(sg_json_str(j, key, &s));
	if (!s || !sg_is_sha256(s))
		return sg_fail(SG_E_CORRUPT, "'%s' is no SHA-256", key);
	memcpy(out, s, SG_SHA256_HEX);
	return 0;
}

static int get_count(const struct sg_json *j, const char *key, uint64_t *out)
{
	int64_t v = -1;

	SG_TRY(sg_json_i64(j, key, 0, INT64_MAX, &v));
	if (v < 0)
		return sg_fail(SG_E_CORRUPT, "'%s' is missing", key);
	*out = (uint64_t)v;
	return 0;
}

static int get_sources(struct sg_dataset_manifest *m, const struct sg_json *list)
{
	if (!list || list->type != SG_JSON_ARRAY)
		return sg_fail(SG_E_CORRUPT, "'sources' is missing");
	SG_TRY(SG_NEW(m->source, list->n));
	for (const struct sg_json *s = list->child; s; s = s->next) {
		struct sg_dataset_source *src = &m->source[m->n_sources++];

		SG_TRY(get_text(s, "path", &src->path));
		SG_TRY(get_count(s, "bytes", &src->bytes));
		SG_TRY(get_digest(s, "sha256", src->sha256));
	}
	return 0;
}

static int get_all(struct sg_dataset_manifest *m, const struct sg_json *j)
{
	const char *format = NULL, *role = NULL;

	SG_TRY(sg_json_str(j, "format", &format));
	if (!format || strcmp(format, FORMAT))
		return sg_fail(SG_E_UNSUPPORTED, "the format is not %s", FORMAT);
	SG_TRY(sg_json_str(j, "role", &role));
	if (!role || sg_role_parse(&m->role, role) < 0)
		return sg_fail(SG_E_CORRUPT, "the role is none of train, select, accept, retain and safety");
	SG_TRY(get_text(j, "name", &m->name));
	if (!sg_dataset_name_ok(m->name))
		return sg_fail(SG_E_CORRUPT, "the name cannot be one");
	SG_TRY(get_text(j, "split", &m->split));
	SG_TRY(get_digest(j, "shard", m->shard));
	SG_TRY(get_digest(j, "tokenizer", m->tokenizer));
	SG_TRY(get_count(j, "docs", &m->docs));
	SG_TRY(get_count(j, "tokens", &m->tokens));
	SG_TRY(get_count(j, "bytes", &m->bytes));
	return get_sources(m, sg_json_get(j, "sources"));
}

/* Other bytes for the same facts would be another id. */
static int check_canonical(const struct sg_dataset_manifest *m, const char *data, size_t n)
{
	struct sg_buf b = { 0 };
	int rc = sg_dataset_manifest_emit(m, &b);

	if (rc >= 0 && (b.len != n || memcmp(b.data, data, n)))
		rc = sg_fail(SG_E_CORRUPT, "it is not canonical");
	sg_buf_release(&b);
	return rc;
}

int sg_dataset_manifest_parse(struct sg_dataset_manifest *out, const char *data, size_t n, const char *what)
{
	struct sg_dataset_manifest m = { 0 };
	struct sg_json_doc doc = { 0 };
	int rc;

	SG_TRY(sg_json_parse(&doc, data, n, what));
	rc = get_all(&m, sg_json_root(&doc));
	if (rc >= 0)
		rc = check_canonical(&m, data, n);
	sg_json_release(&doc);
	if (rc < 0) {
		sg_dataset_manifest_release(&m);
		return sg_fail_in(rc, "data set manifest '%s'", what);
	}
	*out = m;
	return 0;
}

int sg_dataset_manifest_id(const struct sg_dataset_manifest *m, char id[SG_SHA256_HEX])
{
	struct sg_buf b = { 0 };
	int rc = sg_dataset_manifest_emit(m, &b);

	if (rc >= 0)
		rc = sg_sha256_hex(id, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

void sg_dataset_manifest_release(struct sg_dataset_manifest *m)
{
	for (size_t i = 0; i < m->n_sources; i++)
		free(m->source[i].path);
	free(m->source);
	free(m->name);
	free(m->split);
	*m = (struct sg_dataset_manifest){ 0 };
}

/* ---- building ---- */

char *sg_dataset_shard_path(const char *dir, const char *sha256)
{
	return sg_asprintf("%s/%s.tokens", dir, sha256);
}

/* Options as they would be given again. */
static char *describe(const struct sg_dataset_opts *o)
{
	struct sg_buf b = { 0 };
	int rc = sg_buf_str(&b, splits[o->split]);

	if (rc >= 0 && o->field)
		rc = sg_buf_fmt(&b, " --field %s", o->field);
	if (rc >= 0 && (o->from != 0 || o->to != 0))
		rc = sg_buf_fmt(&b, " --from %g --to %g%s", o->from, o->to, o->per_file ? " --per-file" : "");
	if (rc >= 0 && o->min_bytes)
		rc = sg_buf_fmt(&b, " --min-bytes %llu", (unsigned long long)o->min_bytes);
	if (rc >= 0 && o->max_docs)
		rc = sg_buf_fmt(&b, " --max-docs %llu", (unsigned long long)o->max_docs);
	if (rc < 0) {
		sg_buf_release(&b);
		return NULL;
	}
	return sg_buf_detach(&b);
}

static int tokenize(struct sg_tokens_builder *b, const struct sg_docs *docs, const struct sg_tokenizer *t,
		    const struct sg_progress *p)
{
	struct sg_ids ids = { 0 };
	uint64_t bytes = 0, told = 0;
	int rc = 0;

	for (size_t i = 0; i < docs->n && rc >= 0; i++) {
		const struct sg_doc *d = &docs->doc[i];

		ids.n = 0;
		rc = sg_tokenizer_document(t, &ids, d->text, d->n);
		if (rc >= 0)
			rc = sg_tokens_builder_add(b, ids.id, ids.n, d->n, d->hash);
		bytes += d->n;
		if (rc >= 0 && (bytes - told > 1 << 20 || i + 1 == docs->n)) {
			told = bytes;
			if (sg_progress(p, "tokenize", bytes, docs->bytes, SG_IN_BYTES))
				rc = sg_fail(SG_E_INTERRUPTED, "interrupted");
		}
	}
	sg_ids_release(&ids);
	return rc;
}

/* The n-grams go first: a shard that is there has them. */
static int write_files(const struct sg_tokens_builder *b, const struct sg_docs *docs, const char *dir, const char *sha)
{
	struct sg_ngrams g = { 0 };
	char *path = sg_dataset_shard_path(dir, sha), *side = NULL;
	int rc = path && (side = sg_asprintf("%s.ngrams", path)) ? sg_dir_make(dir) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = sg_ngrams_make(&g, docs->doc, docs->n);
	if (rc >= 0)
		rc = sg_ngrams_write(&g, side);
	if (rc >= 0)
		rc = sg_tokens_builder_write(b, path);
	sg_ngrams_release(&g);
	free(side);
	free(path);
	return rc;
}

static int copy_sources(struct sg_dataset_manifest *m, const struct sg_docs *docs)
{
	SG_TRY(SG_NEW(m->source, docs->n_sources));
	for (size_t i = 0; i < docs->n_sources; i++) {
		m->source[i] = docs->source[i];
		m->source[i].path = sg_strdup(docs->source[i].path);
		m->n_sources++;
		if (!m->source[i].path)
			return -SG_E_NOMEM;
	}
	return 0;
}

static int fill(struct sg_dataset_manifest *m, const char *name, const char *tokenizer, const struct sg_docs *docs,
		const struct sg_dataset_opts *o, const struct sg_tokens_builder *b)
{
	m->name = sg_strdup(name);
	m->split = describe(o);
	if (!m->name || !m->split)
		return -SG_E_NOMEM;
	memcpy(m->tokenizer, tokenizer, SG_SHA256_HEX);
	m->docs = b->docs;
	m->tokens = b->tokens;
	m->bytes = b->total_bytes;
	return copy_sources(m, docs);
}

int sg_dataset_build(struct sg_dataset_manifest *out, const char *dir, const char *name, enum sg_role role,
		     const struct sg_docs *docs, const struct sg_dataset_opts *o,
		     const struct sg_tokenizer *t, const char *tokenizer, const struct sg_progress *p)
{
	struct sg_dataset_manifest m = { .role = role };
	struct sg_tokens_builder b = { 0 };
	int rc;

	if (!sg_dataset_name_ok(name))
		return sg_fail(SG_E_USAGE, "'%s' cannot name a data set: letters, digits, '.', '_' and '-'", name);
	if (!sg_is_sha256(tokenizer))
		return sg_fail(SG_E_USAGE, "'%s' is no digest of a tokenizer", tokenizer);
	if ((rc = sg_tokens_builder_init(&b, (uint32_t)sg_tokenizer_vocab(t))) >= 0 &&
	    (rc = tokenize(&b, docs, t, p)) >= 0 && (rc = fill(&m, name, tokenizer, docs, o, &b)) >= 0 &&
	    (rc = sg_tokens_builder_digest(&b, m.shard)) >= 0)
		rc = write_files(&b, docs, dir, m.shard);
	sg_tokens_builder_release(&b);
	if (rc < 0) {
		sg_dataset_manifest_release(&m);
		return rc;
	}
	*out = m;
	return 0;
}

static int check_shard(const struct sg_shard *s, const struct sg_dataset_manifest *m, const char *path)
{
	char got[SG_SHA256_HEX];

	SG_TRY(sg_sha256_hex(got, s->map.data, s->map.size));
	if (strcmp(got, m->shard))
		return sg_fail(SG_E_CORRUPT, "'%s' is not the shard that it is named after", path);
	if (s->t.docs != m->docs || s->t.tokens != m->tokens)
		return sg_fail(SG_E_CORRUPT, "'%s' and the manifest of '%s' differ in documents or tokens", path, m->name);
	return 0;
}

int sg_dataset_open(struct sg_shard *out, const char *dir, const struct sg_dataset_manifest *m)
{
	struct sg_shard s = { 0 };
	char *path = sg_dataset_shard_path(dir, m->shard);
	int rc = path ? sg_shard_open(&s, path) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = check_shard(&s, m, path);
	free(path);
	if (rc < 0) {
		sg_shard_release(&s);
		return rc;
	}
	*out = s;
	return 0;
}

/* ---- document lists ---- */

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, SG_DOC_HASH);
}

int sg_dataset_docs(struct sg_buf *out, const struct sg_tokens *t)
{
	size_t begun = out->len;

	SG_TRY(sg_buf_add(out, t->hash, (size_t)t->docs * SG_DOC_HASH));
	if (t->docs)
		qsort(out->data + begun, (size_t)t->docs, SG_DOC_HASH, by_hash);
	return 0;
}

static int check_list(const unsigned char *p, size_t size)
{
	if (size % SG_DOC_HASH)
		return sg_fail(SG_E_CORRUPT, "a list of documents has %zu bytes, no multiple of %d", size, SG_DOC_HASH);
	for (size_t i = SG_DOC_HASH; i < size; i += SG_DOC_HASH)
		if (memcmp(p + i - SG_DOC_HASH, p + i, SG_DOC_HASH) > 0)
			return sg_fail(SG_E_CORRUPT, "a list of documents is not sorted");
	return 0;
}

int64_t sg_dataset_common(const void *a, size_t a_size, const void *b, size_t b_size,
			  unsigned char first[SG_DOC_HASH])
{
	const unsigned char *p = a, *q = b;
	size_t i = 0, k = 0;
	int64_t found = 0;

	SG_TRY(check_list(p, a_size));
	SG_TRY(check_list(q, b_size));
	while (i < a_size && k < b_size) {
		int c = memcmp(p + i, q + k, SG_DOC_HASH);

		if (!c && !found++ && first)
			memcpy(first, p + i, SG_DOC_HASH);
		i += c <= 0 ? SG_DOC_HASH : 0;
		k += c >= 0 ? SG_DOC_HASH : 0;
	}
	return found;
}
