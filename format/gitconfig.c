/*
 * One pass over the text makes the list of entries; strings go to one arena, which
 * can't be longer than the text. The offsets that the parser leaves in each entry
 * are all that an edit needs: it copies the text around one hole.
 */
#include "format/gitconfig.h"
#include "base/error.h"
#include "base/mem.h"
#include <errno.h>

struct reader {
	const char *data, *what;
	size_t n, at;
	unsigned line;
	char *out;			/* where the next string goes */
	struct sg_gitconfig c;
};

static int bad(const struct reader *r, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "'%s' line %u: %s", r->what, r->line, why);
}

static bool is_alpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(int c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || c == '-';
}

static char lower(int c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Current character; the end of the text reads as a newline, CR LF as LF. */
static int peek(const struct reader *r)
{
	if (r->at >= r->n)
		return '\n';
	if (r->data[r->at] == '\r' && r->at + 1 < r->n && r->data[r->at + 1] == '\n')
		return '\n';
	return (unsigned char)r->data[r->at];
}

static void next(struct reader *r)
{
	if (r->at >= r->n)
		return;
	if (peek(r) == '\n') {
		r->line++;
		r->at += r->data[r->at] == '\r';
	}
	r->at++;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t')
		next(r);
}

static void skip_line(struct reader *r)
{
	while (peek(r) != '\n')
		next(r);
}

/* Offset after the line that `at` stands in. */
static size_t line_end(const struct reader *r, size_t at)
{
	while (at < r->n && r->data[at] != '\n')
		at++;
	return at + (at < r->n);
}

static char *string_end(struct reader *r, char *start)
{
	*r->out++ = '\0';
	return start;
}

/* "sub"] after the opening [section and a blank. */
static int read_sub(struct reader *r, struct sg_gitconfig_section *s)
{
	char *start = r->out;

	skip_blanks(r);
	if (peek(r) != '"')
		return bad(r, "a subsection must be quoted");
	for (next(r); peek(r) != '"'; next(r)) {
		if (peek(r) == '\\')
			next(r);
		if (peek(r) == '\n')
			return bad(r, "the subsection is not closed");
		*r->out++ = (char)peek(r);
	}
	next(r);
	s->sub = string_end(r, start);
	return peek(r) == ']' ? 0 : bad(r, "expected ']' after the subsection");
}

static int read_header(struct reader *r)
{
	struct sg_gitconfig_section *s;
	char *start = r->out;

	SG_TRY(SG_GROW(r->c.sect, r->c.n_sect, r->c.cap_sect));
	s = &r->c.sect[r->c.n_sect++];
	*s = (struct sg_gitconfig_section){ .line = r->line };
	for (next(r); is_name(peek(r)); next(r))
		*r->out++ = lower(peek(r));
	if (r->out == start)
		return bad(r, "a section needs a name");
	s->section = string_end(r, start);
	if (peek(r) == '.') {			/* [section.sub], folded to lower case */
		start = r->out;
		for (next(r); is_name(peek(r)) || peek(r) == '.'; next(r))
			*r->out++ = lower(peek(r));
		s->sub = string_end(r, start);
	} else if (peek(r) == ' ' || peek(r) == '\t') {
		SG_TRY(read_sub(r, s));
	}
	if (peek(r) != ']')
		return bad(r, "invalid section header");
	s->end = line_end(r, r->at);
	next(r);
	return 0;
}

static int read_escape(struct reader *r)
{
	static const char from[] = "nt\"\\b", to[] = "\n\t\"\\\b";
	const char *p = strchr(from, peek(r));

	if (!p)
		return bad(r, "invalid escape in a value");
	*r->out++ = to[p - from];
	return 0;
}

static int read_value(struct reader *r, struct sg_gitconfig_entry *e)
{
	char *start = r->out, *keep = r->out;	/* keep: blanks after it count only when more follows */
	bool quoted = false;

	skip_blanks(r);
	e->value_at = e->value_end = r->at;
	for (;; next(r)) {
		int c = peek(r);

		if (c == '\n') {
			if (quoted)
				return bad(r, "a quoted value is not closed");
			break;
		}
		if (!quoted && (c == '#' || c == ';'))
			break;
		if (!quoted && (c == ' ' || c == '\t')) {
			if (keep > start)
				*r->out++ = (char)c;
			continue;
		}
		if (c == '"') {
			quoted = !quoted;
		} else if (c == '\\') {
			next(r);
			if (r->at >= r->n)
				return bad(r, "the file ends in a continued line");
			if (peek(r) == '\n') {
				e->value_end = r->at + 1 + (r->data[r->at] == '\r');
				continue;
			}
			SG_TRY(read_escape(r));
		} else {
			*r->out++ = (char)c;
		}
		keep = r->out;
		e->value_end = r->at + 1;
	}
	r->out = keep;
	e->value = string_end(r, start);
	return 0;
}

static int read_entry(struct reader *r)
{
	struct sg_gitconfig_section *s = r->c.n_sect ? &r->c.sect[r->c.n_sect - 1] : NULL;
	struct sg_gitconfig_entry *e;
	char *start = r->out;

	if (!s)
		return bad(r, "a key stands before the first section");
	if (r->c.n >= SG_GITCONFIG_ENTRIES)
		return bad(r, "too many entries");
	SG_TRY(SG_GROW(r->c.entry, r->c.n, r->c.cap));
	e = &r->c.entry[r->c.n++];
	*e = (struct sg_gitconfig_entry){ .section = s->section, .sub = s->sub, .line = r->line, .at = r->at };
	for (; is_name(peek(r)); next(r))
		*r->out++ = lower(peek(r));
	e->key = string_end(r, start);
	e->key_end = e->value_at = e->value_end = r->at;
	skip_blanks(r);
	if (peek(r) == '=') {
		next(r);
		SG_TRY(read_value(r, e));
	} else if (peek(r) != '\n') {
		return bad(r, "expected '=' after the key");
	}
	e->end = s->end = line_end(r, r->at);
	return 0;
}

static int read_all(struct reader *r)
{
	while (r->at < r->n) {
		int c = peek(r);

		if (c == ' ' || c == '\t' || c == '\n')
			next(r);
		else if (c == '#' || c == ';')
			skip_line(r);
		else if (c == '[' && r->c.n_sect < SG_GITCONFIG_ENTRIES)
			SG_TRY(read_header(r));
		else if (is_alpha(c))
			SG_TRY(read_entry(r));
		else
			return bad(r, c == '[' ? "too many sections" : "expected a section, a key or a comment");
	}
	return 0;
}

static int check_bytes(struct reader *r)
{
	for (; r->at < r->n; next(r)) {
		int c = peek(r);

		if ((c < 32 && c != '\t' && c != '\n') || c == 127)
			return bad(r, "control character");
	}
	r->at = 0;
	r->line = 1;
	return 0;
}

int sg_gitconfig_parse(struct sg_gitconfig *out, const char *data, size_t n, const char *what)
{
	struct reader r = { .data = data, .what = what, .n = n, .line = 1 };
	int rc;

	if (n > SG_GITCONFIG_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' is too large: %zu bytes", what, n);
	/* A string is shorter than its source; only the last one may lack a byte for its NUL,
	 * and a key at the end of the text both of its two. */
	SG_TRY(SG_NEW(r.c.text, n + 2));
	r.out = r.c.text;
	rc = check_bytes(&r);
	if (n >= 3 && !memcmp(data, "\xef\xbb\xbf", 3))
		r.at = 3;
	if (rc >= 0)
		rc = read_all(&r);
	if (rc < 0)
		sg_gitconfig_release(&r.c);
	else
		*out = r.c;
	return rc;
}

void sg_gitconfig_release(struct sg_gitconfig *c)
{
	free(c->entry);
	free(c->sect);
	free(c->text);
	*c = (struct sg_gitconfig){ 0 };
}

/* "section.sub.key" cut in place: sub NULL when there is one dot. */
struct name { char *section, *sub, *key; };

static bool fold(char *s)
{
	for (char *p = s; *p; p++) {
		if (!is_name((unsigned char)*p))
			return false;
		*p = lower((unsigned char)*p);
	}
	return *s;
}

static bool cut_name(struct name *n, char *text)
{
	char *first = strchr(text, '.'), *last = strrchr(text, '.');

	if (!first)
		return false;
	*first = *last = '\0';
	*n = (struct name){ text, first < last ? first + 1 : NULL, last + 1 };
	for (const char *p = n->sub; p && *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			return false;
	return fold(n->section) && is_alpha((unsigned char)*n->key) && fold(n->key);
}

static bool same_section(const char *section, const char *sub, const struct name *n)
{
	return !strcmp(section, n->section) && !sub == !n->sub && (!sub || !strcmp(sub, n->sub));
}

static const struct sg_gitconfig_entry *find(const struct sg_gitconfig *c, const struct name *n, size_t *count)
{
	const struct sg_gitconfig_entry *found = NULL;

	*count = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->entry[i].key, n->key) && same_section(c->entry[i].section, c->entry[i].sub, n)) {
			found = &c->entry[i];
			++*count;
		}
	}
	return found;
}

const struct sg_gitconfig_entry *sg_gitconfig_find(const struct sg_gitconfig *c, const char *name)
{
	const struct sg_gitconfig_entry *e = NULL;
	char *text = sg_strdup(name);
	struct name n;
	size_t count;

	if (text && cut_name(&n, text))
		e = find(c, &n, &count);
	free(text);
	return e;
}

/* The value as it must be written. */
static int quote(struct sg_buf *out, const char *v)
{
	size_t n = strlen(v);
	bool marks = !n || v[0] == ' ' || v[n - 1] == ' ' || strpbrk(v, "#;\t");

	for (const char *p = v; *p; p++)
		if (((unsigned char)*p < 32 && *p != '\t' && *p != '\n') || *p == 127)
			return sg_fail(SG_E_USAGE, "a value can't hold control characters");
	if (marks)
		SG_TRY(sg_buf_str(out, "\""));
	for (; *v; v++) {
		if (*v == '\n')
			SG_TRY(sg_buf_str(out, "\\n"));
		else if (*v == '\t')
			SG_TRY(sg_buf_str(out, "\\t"));
		else
			SG_TRY(sg_buf_fmt(out, *v == '"' || *v == '\\' ? "\\%c" : "%c", *v));
	}
	return marks ? sg_buf_str(out, "\"") : 0;
}

static int put_header(struct sg_buf *out, const struct name *n)
{
	SG_TRY(sg_buf_fmt(out, n->sub ? "[%s \"" : "[%s", n->section));
	for (const char *p = n->sub; p && *p; p++)
		SG_TRY(sg_buf_fmt(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p));
	return sg_buf_str(out, n->sub ? "\"]\n" : "]\n");
}

/* What replaces data[*from, *to). */
static int plan_set(struct sg_buf *put, size_t *from, size_t *to, const struct sg_gitconfig *c,
		    const char *data, size_t n, const struct name *name, const char *value)
{
	const struct sg_gitconfig_section *s = NULL;
	size_t count;
	const struct sg_gitconfig_entry *e = find(c, name, &count);

	if (e) {
		*from = e->value_at;
		*to = e->value_end;
		if (!e->value)
			SG_TRY(sg_buf_str(put, " = "));
		else if (data[*from - 1] == '=')
			SG_TRY(sg_buf_str(put, " "));
		return quote(put, value);
	}
	for (size_t i = 0; i < c->n_sect; i++)
		if (same_section(c->sect[i].section, c->sect[i].sub, name))
			s = &c->sect[i];
	*from = *to = s ? s->end : n;
	if (*from && data[*from - 1] != '\n')
		SG_TRY(sg_buf_str(put, "\n"));
	if (!s)
		SG_TRY(put_header(put, name));
	SG_TRY(sg_buf_fmt(put, "\t%s = ", name->key));
	SG_TRY(quote(put, value));
	return sg_buf_str(put, "\n");
}

static void plan_unset(size_t *from, size_t *to, const struct sg_gitconfig_entry *e, const char *data)
{
	size_t start = e->at;

	while (start && (data[start - 1] == ' ' || data[start - 1] == '\t'))
		start--;
	if (!start || data[start - 1] == '\n') {	/* alone on its lines: they go */
		*from = start;
		*to = e->end;
	} else {					/* after a header: only itself */
		*from = e->at;
		*to = e->value_end;
	}
}

/* The changed text must say what was asked for and nothing else new: a layout that
 * the plan above did not foresee is refused, not damaged. */
static int verify(const struct sg_buf *b, const struct sg_gitconfig *old, const struct name *name,
		  const char *value, const char *what)
{
	struct sg_gitconfig c = { 0 };
	const struct sg_gitconfig_entry *e;
	size_t count, had;
	bool ok;

	find(old, name, &had);
	SG_TRY(sg_gitconfig_parse(&c, b->data ? b->data : "", b->len, what));
	e = find(&c, name, &count);
	ok = value ? e && count == 1 && e->value && !strcmp(e->value, value) && c.n == old->n + !had
		   : !e && c.n + 1 == old->n;
	sg_gitconfig_release(&c);
	return ok ? 0 : sg_fail(SG_E_REFUSED, "'%s' is laid out so that it can't be changed safely", what);
}

static int edit(struct sg_buf *out, const struct sg_gitconfig *c, const char *data, size_t n,
		const char *what, const struct name *name, const char *value)
{
	struct sg_buf put = { 0 };
	size_t from = 0, to = 0, count;
	const struct sg_gitconfig_entry *e = find(c, name, &count);
	int rc = 0;

	if (count > 1)
		return sg_fail(SG_E_REFUSED, "'%s' has the key '%s' %zu times", what, name->key, count);
	if (!value && !e)
		return sg_fail(SG_E_NOTFOUND, "'%s' does not set '%s'", what, name->key);
	if (value)
		rc = plan_set(&put, &from, &to, c, data, n, name, value);
	else
		plan_unset(&from, &to, e, data);
	if (rc >= 0 && (rc = sg_buf_add(out, data, from)) >= 0 && put.len)
		rc = sg_buf_add(out, put.data, put.len);
	if (rc >= 0)
		rc = sg_buf_add(out, data + to, n - to);
	sg_buf_release(&put);
	return rc;
}

int sg_gitconfig_edit(struct sg_buf *out, const char *data, size_t n, const char *what,
		      const char *name, const char *value)
{
	struct sg_gitconfig c = { 0 };
	struct sg_buf b = { 0 };
	struct name cut;
	char *text;
	int rc;

	SG_TRY(sg_gitconfig_parse(&c, data, n, what));
	rc = (text = sg_strdup(name)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && !cut_name(&cut, text))
		rc = sg_fail(SG_E_USAGE, "'%s' is no name of a key", name);
	if (rc >= 0)
		rc = edit(&b, &c, data, n, what, &cut, value);
	if (rc >= 0)
		rc = verify(&b, &c, &cut, value, what);
	if (rc >= 0)
		rc = sg_buf_add(out, b.data ? b.data : "", b.len);
	sg_buf_release(&b);
	sg_gitconfig_release(&c);
	free(text);
	return rc;
}

static bool same_word(const char *a, const char *b)
{
	while (*a && lower((unsigned char)*a) == *b)
		a++, b++;
	return !*a && !*b;
}

bool sg_gitconfig_bool(const char *value, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0", "" };

	if (!value)
		return *out = true;
	for (size_t i = 0; i < SG_LEN(yes); i++)
		if (same_word(value, yes[i]))
			return *out = true;
	for (size_t i = 0; i < SG_LEN(no); i++) {
		if (same_word(value, no[i])) {
			*out = false;
			return true;
		}
	}
	return false;
}

bool sg_gitconfig_i64(const char *value, int64_t *out)
{
	int64_t unit = 1;
	long long v;
	char *end;

	if (!value || !(*value == '-' || (*value >= '0' && *value <= '9')))
		return false;
	errno = 0;
	v = strtoll(value, &end, 10);
	if (errno || end == value || (*value == '-' && end == value + 1))
		return false;
	switch (lower((unsigned char)*end)) {
	case 'k': unit = 1024; end++; break;
	case 'm': unit = 1024 * 1024; end++; break;
	case 'g': unit = 1024 * 1024 * 1024; end++; break;
	}
	return !*end && !__builtin_mul_overflow((int64_t)v, unit, out);
}

bool sg_gitconfig_f64(const char *value, double *out)
{
	char *end;
	double v;

	/* strtod also reads hexadecimal, nan and infinity; those are no settings. */
	if (!value || !*value || strspn(value, "0123456789+-.eE") != strlen(value))
		return false;
	v = strtod(value, &end);
	if (*end || v > 1e300 || v < -1e300)
		return false;
	*out = v;
	return true;
}
