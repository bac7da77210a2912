#include "sg_stack.h"
#include "base/error.h"
#include "base/mem.h"
#include <unistd.h>

/*
 *	sg-stack-1
 *	<folder's oid> <graft id> <base> r<id>... a<id>...
 *	...
 *	<SHA-256 of the above>
 * in the order of the first word.
 */
#define HEAD "sg-stack-1\n"
#define FILE_MAX ((size_t)64 << 20)
#define LINE_IDS (40 + 1 + 64 + 1 + 64)

static char *memo_path(struct sg_repo *r)
{
	return sg_repo_path(r, "cache/stack");
}

static bool is_whole(const struct sg_buf *b)
{
	char hex[SG_SHA256_HEX];

	return b->len > sizeof(HEAD) + 65 && !memcmp(b->data, HEAD, sizeof(HEAD) - 1) &&
	       sg_sha256_hex(hex, b->data, b->len - 65) >= 0 && !memcmp(hex, b->data + b->len - 65, 64);
}

int sg_stack_memo_open(struct sg_stack_memo *out, struct sg_repo *r)
{
	struct sg_stack_memo m = { .n = 0 };
	struct sg_buf b = { 0 };
	size_t cap = 0;
	char *path = memo_path(r);
	int rc = path ? 0 : -SG_E_NOMEM;

	*out = m;
	if (rc >= 0 && !r->no_cache && sg_file_read(&b, path, FILE_MAX) >= 0 && is_whole(&b)) {
		b.data[b.len - 65] = '\0';
		for (char *s = b.data + sizeof(HEAD) - 1, *end; rc >= 0 && *s; s = end + 1) {
			end = strchr(s, '\n');
			if (!end || end - s < LINE_IDS)
				break;
			*end = '\0';
			rc = SG_GROW(m.line, m.n, cap);
			if (rc >= 0)
				m.line[m.n++] = s;
		}
		m.text = b.data;
		b = (struct sg_buf){ 0 };
	}
	sg_buf_release(&b);
	free(path);
	if (rc < 0)
		sg_stack_memo_release(&m);
	else
		*out = m;
	return rc;
}

void sg_stack_memo_release(struct sg_stack_memo *m)
{
	free(m->line);
	free(m->text);
	*m = (struct sg_stack_memo){ .n = 0 };
}

static int add_id(struct sg_graft *g, const char *word, size_t n)
{
	char id[SG_SHA256_HEX];

	if (n != 65)
		return sg_fail(SG_E_CORRUPT, "bad line");
	memcpy(id, word + 1, 64);
	id[64] = '\0';
	return sg_names_add(*word == 'r' ? &g->file.requires : &g->file.after, id);
}

/* NULL in *out: a line that is not as we write them. */
static int parse(struct sg_graft **out, const char *line)
{
	struct sg_graft *g;
	int rc;

	SG_TRY(SG_NEW(g, 1));
	memcpy(g->id, line + 41, 64);
	memcpy(g->file.base, line + 106, 64);
	rc = sg_is_sha256(g->id) && sg_is_sha256(g->file.base) ? 1 : -SG_E_CORRUPT;
	for (const char *s = line + LINE_IDS; rc > 0 && *s == ' '; ) {
		size_t n = strcspn(s + 1, " ");
		int added = add_id(g, s + 1, n);

		rc = added < 0 ? added : 1;
		s += 1 + n;
	}
	if (rc > 0)
		*out = g;
	else
		sg_graft_free(g);
	return rc == -SG_E_CORRUPT ? 0 : rc;
}

int sg_stack_memo_get(struct sg_graft **out, const struct sg_stack_memo *m, const struct sg_oid *folder)
{
	char hex[SG_OID_HEX];
	size_t lo = 0, hi = m->n;

	sg_oid_hex(hex, folder);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(m->line[mid], hex, 40);

		if (!c)
			return parse(out, m->line[mid]);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_line(struct sg_buf *b, const struct sg_graft *g, const struct sg_oid *folder)
{
	char hex[SG_OID_HEX];

	sg_oid_hex(hex, folder);
	SG_TRY(sg_buf_fmt(b, "%s %s %s", hex, g->id, g->file.base));
	for (size_t i = 0; i < g->file.requires.n; i++)
		SG_TRY(sg_buf_fmt(b, " r%s", g->file.requires.name[i]));
	for (size_t i = 0; i < g->file.after.n; i++)
		SG_TRY(sg_buf_fmt(b, " a%s", g->file.after.name[i]));
	return sg_buf_str(b, "\n");
}

static int all_lines(struct sg_buf *out, struct sg_graft *const *g, const struct sg_oid *folder, size_t n)
{
	struct sg_names lines = { 0 };
	struct sg_buf b = { 0 };
	char hex[SG_SHA256_HEX];
	size_t bytes = 0;
	int rc = sg_buf_str(out, HEAD);

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		sg_buf_clear(&b);
		rc = write_line(&b, g[i], &folder[i]);
		bytes += b.len;
		if (rc >= 0 && bytes > FILE_MAX / 2)
			rc = sg_fail(SG_E_UNSUPPORTED, "too much to remember");
		if (rc >= 0)
			rc = sg_names_add(&lines, b.data);
	}
	if (rc >= 0 && lines.n)
		qsort(lines.name, lines.n, sizeof(*lines.name), by_text);
	for (size_t i = 0; rc >= 0 && i < lines.n; i++)
		rc = sg_buf_str(out, lines.name[i]);
	if (rc >= 0)
		rc = sg_sha256_hex(hex, out->data, out->len);
	if (rc >= 0)
		rc = sg_buf_fmt(out, "%s\n", hex);
	sg_names_release(&lines);
	sg_buf_release(&b);
	return rc;
}

void sg_stack_memo_save(struct sg_repo *r, struct sg_graft *const *g, const struct sg_oid *folder, size_t n)
{
	char *path = memo_path(r), *tmp = path ? sg_asprintf("%s.tmp-%ld", path, (long)getpid()) : NULL;
	struct sg_buf b = { .max = FILE_MAX + 4096 };
	FILE *f;

	/* not synced: what a power cut leaves of it is not whole, and written again */
	if (tmp && all_lines(&b, g, folder, n) >= 0 && (f = fopen(tmp, "we"))) {
		bool ok = fwrite(b.data, 1, b.len, f) == b.len;

		if (fclose(f) || !ok || rename(tmp, path) < 0)
			(void)remove(tmp);
	}
	sg_buf_release(&b);
	free(path);
	free(tmp);
}
