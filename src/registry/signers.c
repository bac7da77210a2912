#include "registry/signers.h"
#include "base/error.h"
#include "base/mem.h"
#include <strings.h>
#include <time.h>

#define LINES_MAX 16384

/* --- patterns ---------------------------------------------------------------- */

/* * and ? only; linear in both, whatever the pattern. */
static bool matches(const char *pat, size_t n, const char *name)
{
	size_t p = 0, star = SIZE_MAX;
	const char *back = name;

	while (*name) {
		if (p < n && pat[p] == '*') {
			star = p++;
			back = name;
		} else if (p < n && (pat[p] == '?' || pat[p] == *name)) {
			p++;
			name++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			name = ++back;
		} else {
			return false;
		}
	}
	while (p < n && pat[p] == '*')
		p++;
	return p == n;
}

bool sg_pattern_list(const char *list, const char *name)
{
	bool yes = false;

	while (*list) {
		size_t n = strcspn(list, ",");
		bool not = *list == '!';

		if (matches(list + not, n - not, name)) {
			if (not)
				return false;
			yes = true;
		}
		list += n + (list[n] == ',');
	}
	return yes;
}

/* --- a line ------------------------------------------------------------------ */

struct cursor { const char *p, *end; };

static void skip(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

/* The next word, in which quotes may hold blanks; false at the end of the line or
 * when a quote is open. */
static bool next_word(const char **word, size_t *n, struct cursor *c)
{
	bool quoted = false;

	skip(c);
	*word = c->p;
	for (; c->p < c->end && (quoted || (*c->p != ' ' && *c->p != '\t')); c->p++)
		quoted ^= *c->p == '"';
	*n = (size_t)(c->p - *word);
	return *n && !quoted;
}

/* YYYYMMDD[HHMM[SS]][Z]: local time without the Z. */
static bool parse_time(int64_t *out, const char *s, size_t n)
{
	struct tm tm = { .tm_isdst = -1 };
	bool utc = n && (s[n - 1] == 'Z' || s[n - 1] == 'z');
	int v[6] = { 0 };
	time_t t;

	n -= utc;
	if (n != 8 && n != 12 && n != 14)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t field = i < 4 ? 0 : (i - 2) / 2;

		if (s[i] < '0' || s[i] > '9')
			return false;
		v[field] = v[field] * 10 + s[i] - '0';
	}
	if (v[0] < 1970 || !v[1] || v[1] > 12 || !v[2] || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 59)
		return false;
	tm.tm_year = v[0] - 1900;
	tm.tm_mon = v[1] - 1;
	tm.tm_mday = v[2];
	tm.tm_hour = v[3];
	tm.tm_min = v[4];
	tm.tm_sec = v[5];
	t = utc ? timegm(&tm) : mktime(&tm);
	*out = (int64_t)t;
	return true;
}

/* Value of name="..." or NULL when the word is another option. */
static const char *value_of(size_t *n, const char *word, size_t len, const char *name)
{
	size_t k = strlen(name);

	if (len <= k || strncasecmp(word, name, k) || word[k] != '=')
		return NULL;
	word += k + 1;
	len -= k + 1;
	if (len >= 2 && *word == '"' && word[len - 1] == '"') {
		word++;
		len -= 2;
	}
	*n = len;
	return word;
}

/* false: it is no option that is known. */
static int take_option(bool *known, struct sg_allowed *a, const char *word, size_t n)
{
	const char *v;
	size_t len;

	*known = true;
	if (n == 14 && !strncasecmp(word, "cert-authority", n)) {
		a->authority = true;
		return 0;
	}
	v = value_of(&len, word, n, "namespaces");
	if (v && !a->namespaces)
		return (a->namespaces = sg_strndup(v, len)) ? 0 : -SG_E_NOMEM;
	v = value_of(&len, word, n, "valid-after");
	if (v && parse_time(&a->after, v, len))
		return 0;
	v = value_of(&len, word, n, "valid-before");
	if (v && parse_time(&a->before, v, len))
		return 0;
	*known = false;
	return 0;
}

static int take_options(struct sg_allowed *a, const char *word, size_t n, const char *what)
{
	while (n) {
		size_t len = 0;
		bool quoted = false, known;

		for (; len < n && (quoted || word[len] != ','); len++)
			quoted ^= word[len] == '"';
		SG_TRY(take_option(&known, a, word, len));
		if (!known)
			return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%.*s' is no option of a signer", what, a->line,
				       (int)SG_MIN(len, (size_t)80), word);
		word += len;
		n -= len;
		if (n) {
			word++;
			n--;
		}
	}
	return 0;
}

static bool is_key_type(const char *s, size_t n)
{
	static const char *const kind[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-" };

	for (size_t i = 0; i < SG_LEN(kind); i++)
		if (n > strlen(kind[i]) && !memcmp(s, kind[i], strlen(kind[i])))
			return true;
	return false;
}

static int take_principals(struct sg_allowed *a, const char *word, size_t n)
{
	if (n >= 2 && *word == '"' && word[n - 1] == '"') {
		word++;
		n -= 2;
	}
	a->principals = sg_strndup(word, n);
	return a->principals ? 0 : -SG_E_NOMEM;
}

/* 1: a signer; 0: a line without one, or with a key of another type. */
static int parse_line(struct sg_allowed *a, struct cursor c, const char *what)
{
	const char *word, *type;
	char name[320];
	size_t n;
	int rc;

	skip(&c);
	if (c.p == c.end || *c.p == '#')
		return 0;
	snprintf(name, sizeof(name), "the key in '%.200s' line %u", what, a->line);
	if (!next_word(&word, &n, &c))
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: a quote is not closed", what, a->line);
	SG_TRY(take_principals(a, word, n));
	if (!next_word(&type, &n, &c))
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: there is no key", what, a->line);
	if (!is_key_type(type, n)) {
		SG_TRY(take_options(a, type, n, what));
		if (!next_word(&type, &n, &c))
			return sg_fail(SG_E_CORRUPT, "'%s' line %u: there is no key", what, a->line);
	}
	if (is_key_type(type, n) && (n != 11 || memcmp(type, "ssh-ed25519", n)))
		return 0;
	rc = sg_pubkey_parse(&a->key, type, (size_t)(c.end - type), name);
	return rc < 0 ? rc : 1;
}

static void signer_release(struct sg_allowed *a)
{
	free(a->principals);
	free(a->namespaces);
}

int sg_allowed_parse(struct sg_allowed_list *out, const char *data, size_t n, const char *what)
{
	struct sg_allowed_list l = { 0 };
	const char *end = data + n, *e;
	unsigned line = 0;
	int rc = n > SG_ALLOWED_MAX ? sg_fail(SG_E_CORRUPT, "'%s' is too large", what) : 0;

	if (rc >= 0 && memchr(data, '\0', n))
		rc = sg_fail(SG_E_CORRUPT, "'%s' is no text", what);
	for (const char *p = data; rc >= 0 && p < end; p = e + 1) {
		struct sg_allowed a = { .after = INT64_MIN, .before = INT64_MAX, .line = ++line };

		e = memchr(p, '\n', (size_t)(end - p));
		if (!e)
			e = end;
		rc = parse_line(&a, (struct cursor){ p, e > p && e[-1] == '\r' ? e - 1 : e }, what);
		if (rc > 0 && l.n >= LINES_MAX)
			rc = sg_fail(SG_E_CORRUPT, "'%s' has more than %d signers", what, LINES_MAX);
		if (rc > 0)
			rc = SG_GROW(l.signer, l.n, l.cap) < 0 ? -SG_E_NOMEM : 1;
		if (rc > 0)
			l.signer[l.n++] = a;
		else
			signer_release(&a);
	}
	if (rc < 0) {
		sg_allowed_release(&l);
		return rc;
	}
	*out = l;
	return 0;
}

void sg_allowed_release(struct sg_allowed_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		signer_release(&l->signer[i]);
	free(l->signer);
	*l = (struct sg_allowed_list){ 0 };
}

/* --- looking up -------------------------------------------------------------- */

static const char *objection(const struct sg_allowed *a, const char *name_space, int64_t time)
{
	if (a->authority)
		return "its line is a cert-authority, and certificates are not followed";
	if (a->namespaces && !sg_pattern_list(a->namespaces, name_space))
		return "its line allows other namespaces only";
	if (time < a->after)
		return "it was not valid yet";
	if (time > a->before)
		return "it was not valid any more";
	return NULL;
}

const struct sg_allowed *sg_allowed_find(const struct sg_allowed_list *l, const struct sg_pubkey *key,
					 const char *name_space, int64_t time, const char **why)
{
	if (why)
		*why = NULL;
	for (size_t i = 0; i < l->n; i++) {
		const char *no;

		if (!sg_pubkey_eq(&l->signer[i].key, key))
			continue;
		no = objection(&l->signer[i], name_space, time);
		if (!no)
			return &l->signer[i];
		if (why)
			*why = no;
	}
	return NULL;
}
