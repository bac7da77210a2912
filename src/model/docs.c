/* Files to documents: find the files, cut them, drop duplicates, take a range. */
#include "model/dataset.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tok_utf8.h"
#include <math.h>
#include <sys/stat.h>

#define DEPTH_MAX 64	/* folders in folders */

struct read {
	struct sg_docs *d;
	const struct sg_dataset_opts *o;
	uint32_t *slot;		/* index + 1 of documents, by hash */
	size_t mask;
};

/* ---- one document ---- */

static uint64_t first8(const unsigned char *h)
{
	uint64_t v;

	memcpy(&v, h, sizeof(v));
	return v;
}

static int widen(struct read *r)
{
	size_t slots = r->slot ? (r->mask + 1) * 2 : 1024;
	uint32_t *slot;

	SG_TRY(SG_NEW(slot, slots));
	for (size_t k = 0; k < r->d->n; k++) {
		size_t i = first8(r->d->doc[k].hash) & (slots - 1);

		while (slot[i])
			i = (i + 1) & (slots - 1);
		slot[i] = (uint32_t)k + 1;
	}
	free(r->slot);
	r->slot = slot;
	r->mask = slots - 1;
	return 0;
}

/* 1 when the document is new, 0 when it was there or is too short. */
static int add_doc(struct read *r, const char *s, size_t n)
{
	struct sg_docs *d = r->d;
	struct sg_doc doc = { .text = s, .n = n, .source = (uint32_t)d->n_sources - 1 };
	unsigned char sum[SG_SHA256_LEN];
	size_t i;

	if (n < r->o->min_bytes) {
		d->skipped++;
		return 0;
	}
	SG_TRY(sg_sha256(sum, s, n));
	memcpy(doc.hash, sum, SG_DOC_HASH);
	if (!r->slot || d->n * 2 > r->mask)
		SG_TRY(widen(r));
	i = first8(doc.hash) & r->mask;
	for (; r->slot[i]; i = (i + 1) & r->mask)
		if (!memcmp(d->doc[r->slot[i] - 1].hash, doc.hash, SG_DOC_HASH)) {
			d->duplicates++;
			return 0;
		}
	if (d->n >= UINT32_MAX - 1)
		return sg_fail(SG_E_UNSUPPORTED, "more than 2^32 documents in a set");
	SG_TRY(SG_GROW(d->doc, d->n, d->cap));
	d->doc[d->n++] = doc;
	r->slot[i] = (uint32_t)d->n;
	return 1;
}

/* ---- cutting ---- */

/* The line at s without its end; *next is where the following begins. */
static size_t line_len(const char *s, const char *end, const char **next)
{
	const char *nl = memchr(s, '\n', (size_t)(end - s));
	size_t n = (size_t)((nl ? nl : end) - s);

	*next = nl ? nl + 1 : end;
	return n && s[n - 1] == '\r' ? n - 1 : n;
}

static bool blank(const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t' || *s == '\r')) {
		s++;
		n--;
	}
	return !n;
}

static int cut_lines(struct read *r, const char *s, const char *end)
{
	for (const char *next; s < end; s = next) {
		size_t n = line_len(s, end, &next);

		if (!blank(s, n))
			SG_TRY(add_doc(r, s, n));
	}
	return 0;
}

static int cut_paragraphs(struct read *r, const char *s, const char *end)
{
	const char *begin = NULL, *stop = NULL;

	for (const char *next; s < end; s = next) {
		size_t n = line_len(s, end, &next);

		if (!blank(s, n)) {
			begin = begin ? begin : s;
			stop = s + n;
		} else if (begin) {
			SG_TRY(add_doc(r, begin, (size_t)(stop - begin)));
			begin = NULL;
		}
	}
	return begin ? add_doc(r, begin, (size_t)(stop - begin)) : 0;
}

static int json_doc(struct read *r, const char *s, size_t n, const char *what)
{
	const char *field = r->o->field ? r->o->field : "text";
	struct sg_docs *d = r->d;
	struct sg_json_doc doc = { 0 };
	const struct sg_json *text;
	char *copy;
	int rc;

	SG_TRY(sg_json_parse(&doc, s, n, what));
	text = sg_json_get(sg_json_root(&doc), field);
	if (!text || text->type != SG_JSON_STRING) {
		rc = sg_fail(SG_E_CORRUPT, "'%s' has no text member '%s'", what, field);
		goto out;
	}
	rc = SG_GROW(d->copy, d->n_copies, d->cap_copies);
	if (rc < 0 || !text->len)
		goto out;
	copy = sg_strndup(text->str, text->len);
	rc = copy ? add_doc(r, copy, text->len) : -SG_E_NOMEM;
	if (rc > 0)
		d->copy[d->n_copies++] = copy;
	else
		free(copy);
out:
	sg_json_release(&doc);
	return rc;
}

static int cut_json(struct read *r, const char *s, const char *end, const char *path)
{
	size_t number = 0;

	for (const char *next; s < end; s = next) {
		size_t n = line_len(s, end, &next);
		char *what;
		int rc;

		number++;
		if (blank(s, n))
			continue;
		what = sg_asprintf("%s:%zu", path, number);
		rc = what ? json_doc(r, s, n, what) : -SG_E_NOMEM;
		free(what);
		SG_TRY(rc);
	}
	return 0;
}

static bool has_end(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n > k && !strcmp(path + n - k, end);
}

static int check_utf8(const struct sg_map *m, const char *path)
{
	size_t good = sg_utf8_valid((const char *)m->data, m->size), line = 1;

	if (good == m->size)
		return 0;
	for (size_t i = 0; i < good; i++)
		line += m->data[i] == '\n';
	return sg_fail(SG_E_CORRUPT, "'%s' is no UTF-8 at line %zu", path, line);
}

static int cut_file(struct read *r, const struct sg_map *m, const char *path)
{
	const char *s = (const char *)m->data, *end = s + m->size;

	SG_TRY(check_utf8(m, path));
	if (m->size >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;		/* a byte order mark is no text */
	if (has_end(path, ".jsonl"))
		return cut_json(r, s, end, path);
	switch (r->o->split) {
	case SG_SPLIT_LINE:
		return cut_lines(r, s, end);
	case SG_SPLIT_FILE:
		return s < end ? add_doc(r, s, (size_t)(end - s)) : 0;
	default:
		return cut_paragraphs(r, s, end);
	}
}

/* ---- files ---- */

/* Room for one more in the three lists that go by source. */
static int source_room(struct sg_docs *d)
{
	size_t want = d->cap_sources ? d->cap_sources * 2 : 8;
	void *p;

	if (d->n_sources < d->cap_sources)
		return 0;
	if (!(p = sg_realloc(d->source, want, sizeof(*d->source))))
		return -SG_E_NOMEM;
	d->source = p;
	if (!(p = sg_realloc(d->map, want, sizeof(*d->map))))
		return -SG_E_NOMEM;
	d->map = p;
	d->cap_sources = want;
	return 0;
}

/* name: how the manifest calls the file. */
static int add_file(struct read *r, const char *path, const char *name)
{
	struct sg_docs *d = r->d;
	struct sg_dataset_source src = { 0 };
	struct sg_map m;
	int rc;

	SG_TRY(source_room(d));
	SG_TRY(sg_map_open(&m, path));
	src.bytes = m.size;
	src.path = sg_strdup(name);
	rc = src.path ? sg_sha256_hex(src.sha256, m.data, m.size) : -SG_E_NOMEM;
	if (rc < 0) {
		free(src.path);
		sg_map_release(&m);
		return rc;
	}
	d->map[d->n_sources] = m;
	d->source[d->n_sources++] = src;
	return cut_file(r, &m, path);
}

/* Paths below dir, relative to it. Symbolic links are not followed. */
static int walk(struct sg_names *out, const char *dir, const char *below, int depth)
{
	struct sg_names names = { 0 };
	int rc;

	if (depth > DEPTH_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' holds folders more than %d deep", dir, DEPTH_MAX);
	SG_TRY(sg_dir_list(&names, dir));
	rc = 0;
	for (size_t i = 0; i < names.n && rc >= 0; i++) {
		char *path = sg_path_join(dir, names.name[i]);
		char *rel = *below ? sg_path_join(below, names.name[i]) : sg_strdup(names.name[i]);
		struct stat st;

		if (!path || !rel)
			rc = -SG_E_NOMEM;
		else if (lstat(path, &st) < 0)
			rc = sg_fail_errno(SG_E_IO, "cannot look at '%s'", path);
		else if (S_ISDIR(st.st_mode))
			rc = walk(out, path, rel, depth + 1);
		else if (S_ISREG(st.st_mode) && (has_end(rel, ".txt") || has_end(rel, ".md") || has_end(rel, ".jsonl")))
			rc = sg_names_add(out, rel);
		free(path);
		free(rel);
	}
	sg_names_release(&names);
	return rc;
}

static int add_folder(struct read *r, const char *dir)
{
	struct sg_names names = { 0 };
	int rc = walk(&names, dir, "", 0);

	sg_names_sort(&names);
	for (size_t i = 0; i < names.n && rc >= 0; i++) {
		char *path = sg_path_join(dir, names.name[i]);

		rc = path ? add_file(r, path, names.name[i]) : -SG_E_NOMEM;
		free(path);
	}
	sg_names_release(&names);
	return rc;
}

/* ---- the range that is wanted ---- */

/* Keeps of documents begin..end - 1 those of the range, at *kept on. */
static void keep(struct sg_docs *d, const struct sg_dataset_opts *o, size_t begin, size_t end, size_t *kept)
{
	double n = (double)(end - begin);
	size_t lo = begin + (size_t)floor(n * o->from / 100), hi = begin + (size_t)floor(n * o->to / 100);

	for (size_t i = lo; i < hi && i < end; i++)
		d->doc[(*kept)++] = d->doc[i];
}

static void take_range(struct sg_docs *d, const struct sg_dataset_opts *o)
{
	size_t kept = 0, end, n = d->n;

	if (o->from == 0 && o->to == 0)
		kept = n;
	else if (!o->per_file)
		keep(d, o, 0, n, &kept);
	else
		for (size_t begin = 0; begin < n; begin = end) {
			for (end = begin; end < n && d->doc[end].source == d->doc[begin].source; )
				end++;
			keep(d, o, begin, end, &kept);
		}
	d->n = o->max_docs ? (size_t)SG_MIN((uint64_t)kept, o->max_docs) : kept;
	d->bytes = 0;
	for (size_t i = 0; i < d->n; i++)
		d->bytes += d->doc[i].n;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

int sg_docs_read(struct sg_docs *out, const char *const *paths, size_t n, const struct sg_dataset_opts *o)
{
	struct sg_docs d = { 0 };
	struct read r = { .d = &d, .o = o };
	int rc = 0;

	if (!(o->from >= 0 && o->to <= 100 && (o->from < o->to || (o->from == 0 && o->to == 0))))
		return sg_fail(SG_E_USAGE, "the range from %g to %g percent is empty or outside 0 to 100", o->from, o->to);
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = sg_dir_exists(paths[i]) ? add_folder(&r, paths[i]) : add_file(&r, paths[i], base_name(paths[i]));
	free(r.slot);
	if (rc >= 0) {
		take_range(&d, o);
		if (!d.n)
			rc = sg_fail(SG_E_REFUSED, "no document in %zu files", d.n_sources);
	}
	if (rc < 0) {
		sg_docs_release(&d);
		return rc;
	}
	*out = d;
	return 0;
}

void sg_docs_release(struct sg_docs *d)
{
	for (size_t i = 0; i < d->n_sources; i++) {
		free(d->source[i].path);
		sg_map_release(&d->map[i]);
	}
	for (size_t i = 0; i < d->n_copies; i++)
		free(d->copy[i]);
	free(d->doc);
	free(d->source);
	free(d->map);
	free(d->copy);
	*d = (struct sg_docs){ 0 };
}
