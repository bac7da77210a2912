/*
 * One table holds every key: where it lies in struct sg_policy, its default as text,
 * its range and the comment that a new policy shows. Reading, writing, listing and
 * the defaults all come from it. [retain "NAME"] repeats, and is read by hand.
 */
#include "gate/policy.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/gitconfig.h"

enum type { BOOL, INT, REAL, WORD };
struct key {
	const char *gate, *key;
	enum type type;
	size_t at;			/* offset in struct sg_policy */
	const char *initial;
	double lo, hi;
	const char *about;		/* lines of comment, "\n" between them */
};

static const char *const tests[] = { "t", "bootstrap", "sequential" };	/* enum sg_gate_bounds */

#define DOCS_MAX 16777216.0	/* documents of a set: SG_RECEIPT_DOCS */
#define AT(field) offsetof(struct sg_policy, field)

static const struct key keys[] = {
	{ "quality", "enabled", BOOL, AT(quality.enabled), "true", 0, 0,
	  "Better on each acceptance set: the upper bound of the loss difference,\n"
	  "candidate - parent, nats per token, mean over documents, is below -min-gain." },
	{ "quality", "alpha", REAL, AT(quality.alpha), "0.05", 1e-9, 0.5,
	  "error rate of the one-sided bound" },
	{ "quality", "test", WORD, AT(quality.test), "t", 0, 0,
	  "t, bootstrap, or sequential (may be looked at again with more documents)" },
	{ "quality", "min-gain", REAL, AT(quality.min_gain), "0", 0, 100,
	  "nats per token that must be shown" },
	{ "quality", "min-docs", INT, AT(quality.min_docs), "200", 2, DOCS_MAX,
	  "with fewer documents nothing is accepted" },
	{ "quality", "min-sets", INT, AT(quality.min_sets), "1", 1, 256,
	  "with fewer acceptance sets nothing is accepted" },
	{ "quality", "correct-uses", BOOL, AT(quality.correct_uses), "true", 0, 0,
	  "alpha / (k (k + 1)) for the k-th candidate that the set judges" },
	{ "quality", "max-uses", INT, AT(quality.max_uses), "0", 0, 1e9,
	  "after so many candidates a set decides nothing more; 0: no limit" },
	{ "retention", "enabled", BOOL, AT(retention.enabled), "true", 0, 0,
	  "Not worse on each retained set: the upper bound of the loss difference is below\n"
	  "max-increase. One set alone: [retain \"NAME\"] with max-increase, min-docs." },
	{ "retention", "alpha", REAL, AT(retention.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "retention", "test", WORD, AT(retention.test), "t", 0, 0,
	  NULL },
	{ "retention", "max-increase", REAL, AT(retention.max_increase), "0.02", 0, 100,
	  "nats per token, of each graft: ten grafts may cost ten times as much" },
	{ "retention", "min-docs", INT, AT(retention.min_docs), "200", 2, DOCS_MAX, NULL },
	{ "retention", "min-sets", INT, AT(retention.min_sets), "0", 0, 256, NULL },
	{ "retention", "correct-uses", BOOL, AT(retention.correct_uses), "true", 0, 0, NULL },
	{ "retention", "max-uses", INT, AT(retention.max_uses), "0", 0, 1e9, NULL },
	{ "artefact", "enabled", BOOL, AT(artefact.enabled), "true", 0, 0,
	  "What is stored." },
	{ "artefact", "max-bytes", INT, AT(artefact.max_bytes), "0", 0, 4e18,
	  "of payload; 0: no limit; k, m and g are understood" },
	{ "artefact", "finite", BOOL, AT(artefact.finite), "true", 0, 0,
	  "no NaN, no infinity" },
	{ "artefact", "min-nonzero", REAL, AT(artefact.min_nonzero), "0", 0, 1,
	  "least share of elements that are not zero" },
	{ "rollback", "enabled", BOOL, AT(rollback.enabled), "true", 0, 0,
	  "Taking the graft off gives the parent's outputs back, bit by bit." },
};

static const struct key retain_keys[] = {
	{ NULL, "max-increase", REAL, offsetof(struct sg_policy_retain, max_increase), NULL, 0, 100, NULL },
	{ NULL, "min-docs", INT, offsetof(struct sg_policy_retain, min_docs), NULL, 2, DOCS_MAX, NULL },
};

#define RETAIN_MAX 256		/* as many sets as a receipt holds */

/* A value into the field at `base`; false: it is none, or out of range. */
static bool store(void *base, const struct key *k, const char *value)
{
	void *field = (char *)base + k->at;
	int64_t i;
	double d;

	switch (k->type) {
	case BOOL:
		return sg_gitconfig_bool(value, field);
	case INT:
		if (!sg_gitconfig_i64(value, &i) || (double)i < k->lo || (double)i > k->hi)
			return false;
		memcpy(field, &i, sizeof(i));
		return true;
	case WORD:
		for (i = 0; i < (int64_t)SG_LEN(tests); i++)
			if (!strcmp(value, tests[i])) {
				memcpy(field, &i, sizeof(i));
				return true;
			}
		return false;
	default:
		if (!sg_gitconfig_f64(value, &d) || !(d >= k->lo && d <= k->hi))
			return false;
		d += 0.0;	/* no negative zero */
		memcpy(field, &d, sizeof(d));
		return true;
	}
}

/* The shortest decimal that reads back equal. */
static int show_real(struct sg_buf *out, double v)
{
	char s[32];
	int digits = 1;

	do
		snprintf(s, sizeof(s), "%.*g", digits, v);
	while (strtod(s, NULL) != v && ++digits <= 17);
	return sg_buf_str(out, s);
}

static int show(struct sg_buf *out, const void *base, const struct key *k)
{
	const void *field = (const char *)base + k->at;
	int64_t i;
	double d;

	switch (k->type) {
	case BOOL:
		return sg_buf_str(out, *(const bool *)field ? "true" : "false");
	case INT:
		memcpy(&i, field, sizeof(i));
		return sg_buf_fmt(out, "%lld", (long long)i);
	case WORD:
		memcpy(&i, field, sizeof(i));
		return sg_buf_str(out, tests[i]);
	default:
		memcpy(&d, field, sizeof(d));
		return show_real(out, d);
	}
}

static int bad_value(const struct sg_gitconfig_entry *e, const struct key *k, const char *what)
{
	if (k->type == BOOL)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' must be true or false", what, e->line, e->key);
	if (k->type == WORD)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' must be t, bootstrap or sequential", what, e->line, e->key);
	return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' must be %s from %g to %g", what, e->line, e->key,
		       k->type == INT ? "a whole number" : "a number", k->lo, k->hi);
}

static const struct key *find_key(const struct key *list, size_t n, const char *gate, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if ((!gate || !strcmp(list[i].gate, gate)) && !strcmp(list[i].key, key))
			return &list[i];
	return NULL;
}

static struct sg_policy_retain *find_retain(const struct sg_policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_retain; i++)
		if (!strcmp(p->retain[i].name, name))
			return &p->retain[i];
	return NULL;
}

/* Names of data sets: letters, digits, '.', '_', '-', first a letter or digit. */
static bool set_name_ok(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(s);

	return n && n <= 64 && strspn(s, ok) == n && !strchr("._-", *s);
}

/* A header alone already asks for the set to be measured. */
static int add_retain(struct sg_policy *p, const struct sg_gitconfig_section *s, const char *what)
{
	if (find_retain(p, s->sub))
		return 0;
	if (!set_name_ok(s->sub))
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' is no name of a set", what, s->line, s->sub);
	if (p->n_retain >= RETAIN_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: more than %d retained sets", what, s->line, RETAIN_MAX);
	SG_TRY(SG_GROW(p->retain, p->n_retain, p->cap_retain));
	p->retain[p->n_retain] = (struct sg_policy_retain){ .name = sg_strdup(s->sub) };
	if (!p->retain[p->n_retain].name)
		return -SG_E_NOMEM;
	p->n_retain++;
	return 0;
}

static int check_section(struct sg_policy *p, const struct sg_gitconfig_section *s, const char *what)
{
	if (!strcmp(s->section, "retain") && s->sub)
		return add_retain(p, s, what);
	if (!strcmp(s->section, "gate") && s->sub)
		for (size_t i = 0; i < SG_LEN(keys); i++)
			if (!strcmp(keys[i].gate, s->sub))
				return 0;
	if (s->sub)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: unknown section '%s \"%s\"'", what, s->line,
			       s->section, s->sub);
	return sg_fail(SG_E_CORRUPT, "'%s' line %u: unknown section '%s'", what, s->line, s->section);
}

/* Sections are known by now. */
static int read_entry(struct sg_policy *p, const struct sg_gitconfig_entry *e, const char *what)
{
	bool gate = !strcmp(e->section, "gate");
	struct sg_policy_retain *r = gate ? NULL : find_retain(p, e->sub);
	const struct key *k = gate ? find_key(keys, SG_LEN(keys), e->sub, e->key)
				   : find_key(retain_keys, SG_LEN(retain_keys), NULL, e->key);

	if (!k || (!gate && !r))
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: unknown key '%s' in '%s \"%s\"'", what, e->line,
			       e->key, e->section, e->sub);
	if (!store(gate ? (void *)p : (void *)r, k, e->value))
		return bad_value(e, k, what);
	if (r && k == &retain_keys[0])
		r->has_increase = true;
	else if (r)
		r->has_docs = true;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct sg_gitconfig_entry *x = *(const struct sg_gitconfig_entry *const *)a;
	const struct sg_gitconfig_entry *y = *(const struct sg_gitconfig_entry *const *)b;
	int d = strcmp(x->section, y->section);

	if (!d)
		d = strcmp(x->sub, y->sub);
	if (!d)
		d = strcmp(x->key, y->key);
	return d ? d : (x->line > y->line) - (x->line < y->line);
}

/* In git the last of two values counts; in a policy that would hide one of them. */
static int check_twice(const struct sg_gitconfig *c, const char *what)
{
	const struct sg_gitconfig_entry **list;
	int rc = 0;

	SG_TRY(SG_NEW(list, c->n ? c->n : 1));
	for (size_t i = 0; i < c->n; i++)
		list[i] = &c->entry[i];
	qsort(list, c->n, sizeof(*list), by_name);
	for (size_t i = 1; i < c->n && rc >= 0; i++)
		if (!strcmp(list[i]->section, list[i - 1]->section) && !strcmp(list[i]->sub, list[i - 1]->sub) &&
		    !strcmp(list[i]->key, list[i - 1]->key))
			rc = sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' is set twice, first in line %u", what,
				     list[i]->line, list[i]->key, list[i - 1]->line);
	free(list);
	return rc;
}

static int read_config(struct sg_policy *p, const struct sg_gitconfig *c, const char *what)
{
	for (size_t i = 0; i < SG_LEN(keys); i++)
		store(p, &keys[i], keys[i].initial);
	for (size_t i = 0; i < c->n_sect; i++)
		SG_TRY(check_section(p, &c->sect[i], what));
	SG_TRY(check_twice(c, what));
	for (size_t i = 0; i < c->n; i++)
		SG_TRY(read_entry(p, &c->entry[i], what));
	return 0;
}

int sg_policy_parse(struct sg_policy *out, const char *data, size_t n, const char *what)
{
	struct sg_gitconfig c = { 0 };
	struct sg_policy p = { 0 };
	int rc;

	SG_TRY(sg_gitconfig_parse(&c, data, n, what));
	rc = read_config(&p, &c, what);
	if (rc >= 0)
		rc = sg_sha256_hex(p.id, data, n);
	sg_gitconfig_release(&c);
	if (rc < 0)
		sg_policy_release(&p);
	else
		*out = p;
	return rc < 0 ? rc : 0;
}

void sg_policy_release(struct sg_policy *p)
{
	for (size_t i = 0; i < p->n_retain; i++)
		free(p->retain[i].name);
	free(p->retain);
	*p = (struct sg_policy){ 0 };
}

static int put_comment(struct sg_buf *out, const char *indent, const char *text)
{
	while (text) {
		const char *nl = strchr(text, '\n');
		int n = nl ? (int)(nl - text) : (int)strlen(text);

		SG_TRY(sg_buf_fmt(out, "%s# %.*s\n", indent, n, text));
		text = nl ? nl + 1 : NULL;
	}
	return 0;
}

int sg_policy_default(struct sg_buf *out)
{
	const char *gate = NULL;

	SG_TRY(sg_buf_str(out, "# What a graft must pass to be accepted: see sg-policy(5).\n"));
	for (size_t i = 0; i < SG_LEN(keys); i++) {
		const struct key *k = &keys[i];
		bool first = !gate || strcmp(gate, k->gate);

		gate = k->gate;
		if (first) {
			SG_TRY(sg_buf_str(out, "\n"));
			SG_TRY(put_comment(out, "", k->about));
			SG_TRY(sg_buf_fmt(out, "[gate \"%s\"]\n", gate));
		} else {
			SG_TRY(put_comment(out, "\t", k->about));
		}
		SG_TRY(sg_buf_fmt(out, "\t%s = %s\n", k->key, k->initial));
	}
	return 0;
}

/* Is this key in force: has the set an own value? */
static bool retain_has(const struct sg_policy_retain *r, size_t i)
{
	return i ? r->has_docs : r->has_increase;
}

/* "gate.NAME.KEY" or "retain.NAME.KEY" must be it: names are short, so one is built
 * for each candidate and compared. */
static int each_key(struct sg_buf *out, const struct sg_policy *p, const char *name, bool *found)
{
	char have[128];

	for (size_t i = 0; i < SG_LEN(keys); i++) {
		snprintf(have, sizeof(have), "gate.%s.%s", keys[i].gate, keys[i].key);
		if (name && strcmp(name, have))
			continue;
		*found = true;
		if (!name)
			SG_TRY(sg_buf_fmt(out, "%s=", have));
		SG_TRY(show(out, p, &keys[i]));
		if (!name)
			SG_TRY(sg_buf_str(out, "\n"));
	}
	for (size_t i = 0; i < p->n_retain * SG_LEN(retain_keys); i++) {
		const struct sg_policy_retain *r = &p->retain[i / SG_LEN(retain_keys)];
		const struct key *k = &retain_keys[i % SG_LEN(retain_keys)];

		snprintf(have, sizeof(have), "retain.%s.%s", r->name, k->key);
		if (!retain_has(r, i % SG_LEN(retain_keys)) || (name && strcmp(name, have)))
			continue;
		*found = true;
		if (!name)
			SG_TRY(sg_buf_fmt(out, "%s=", have));
		SG_TRY(show(out, r, k));
		if (!name)
			SG_TRY(sg_buf_str(out, "\n"));
	}
	return 0;
}

int sg_policy_get(struct sg_buf *out, const struct sg_policy *p, const char *name)
{
	bool found = false;

	SG_TRY(each_key(out, p, name, &found));
	return found ? 0 : sg_fail(SG_E_NOTFOUND, "the policy has no key '%s'", name);
}

int sg_policy_list(struct sg_buf *out, const struct sg_policy *p)
{
	bool found;

	return each_key(out, p, NULL, &found);
}

int sg_policy_set(struct sg_buf *out, const char *data, size_t n, const char *what,
		  const char *name, const char *value)
{
	struct sg_policy p = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_gitconfig_edit(&b, data, n, what, name, value);

	if (rc >= 0)
		rc = sg_policy_parse(&p, b.data, b.len, what);
	if (rc >= 0)
		rc = sg_buf_add(out, b.data, b.len);
	sg_policy_release(&p);
	sg_buf_release(&b);
	return rc;
}
