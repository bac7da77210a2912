/*
 * One table holds every key: where it lies in struct sg_policy, its default as text,
 * its range and the comment that a new policy shows. Reading, writing, listing and
 * the defaults all come from it. [retain "NAME"] and [signer "NAME"] repeat, and are
 * read by hand.
 */
#include "gate/policy.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/gitconfig.h"
#include <fnmatch.h>

enum type { BOOL, INT, REAL, WORD, KEY, NAMES };	/* KEY: a public one; NAMES: globs of branches */
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
	{ "drift", "enabled", BOOL, AT(drift.enabled), "false", 0, 0,
	  "Near its parent on each retained set: the upper bound of the mean divergence,\n"
	  "KL(parent, candidate), nats per token, is below max-kl." },
	{ "drift", "alpha", REAL, AT(drift.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "drift", "max-kl", REAL, AT(drift.max_kl), "0.05", 0, 100, NULL },
	{ "drift", "docs", INT, AT(drift.docs), "200", 2, DOCS_MAX,
	  "documents of each set that are looked at" },
	{ "drift", "min-docs", INT, AT(drift.min_docs), "100", 2, DOCS_MAX, NULL },
	{ "conflict", "enabled", BOOL, AT(conflict.enabled), "false", 0, 0,
	  "At peace with each active graft: how much less the candidate gains on the first\n"
	  "acceptance set because that graft is there is below max-interaction." },
	{ "conflict", "alpha", REAL, AT(conflict.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "conflict", "max-interaction", REAL, AT(conflict.max_interaction), "0.01", 0, 100, "nats per token" },
	{ "conflict", "docs", INT, AT(conflict.docs), "200", 2, DOCS_MAX, NULL },
	{ "conflict", "min-docs", INT, AT(conflict.min_docs), "100", 2, DOCS_MAX, NULL },
	{ "conflict", "grafts", INT, AT(conflict.grafts), "8", 1, 1000,
	  "the active grafts that came last: each costs two measurements" },
	{ "control", "enabled", BOOL, AT(control.enabled), "false", 0, 0,
	  "Better than the same numbers in another order, on the first acceptance set." },
	{ "control", "alpha", REAL, AT(control.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "control", "docs", INT, AT(control.docs), "200", 2, DOCS_MAX, NULL },
	{ "control", "min-docs", INT, AT(control.min_docs), "100", 2, DOCS_MAX, NULL },
	{ "safety", "enabled", BOOL, AT(safety.enabled), "true", 0, 0,
	  "No closer to the texts of any safety set: the upper bound of how much their loss\n"
	  "falls, nats per token, is below max-drop." },
	{ "safety", "alpha", REAL, AT(safety.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "safety", "max-drop", REAL, AT(safety.max_drop), "0.1", 0, 100, NULL },
	{ "safety", "min-docs", INT, AT(safety.min_docs), "20", 2, DOCS_MAX, NULL },
	{ "degenerate", "enabled", BOOL, AT(degenerate.enabled), "false", 0, 0,
	  "No more stuck than its parent: tokens that end a sequence of four which the same\n"
	  "greedy continuation has had, share of all, grow by less than max-repeat." },
	{ "degenerate", "alpha", REAL, AT(degenerate.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "degenerate", "max-repeat", REAL, AT(degenerate.max_repeat), "0.1", 0, 1, NULL },
	{ "degenerate", "docs", INT, AT(degenerate.docs), "64", 2, 65536, "beginnings of documents of the first acceptance set" },
	{ "degenerate", "min-docs", INT, AT(degenerate.min_docs), "32", 2, DOCS_MAX, NULL },
	{ "degenerate", "prompt", INT, AT(degenerate.prompt), "16", 1, 1024, "tokens" },
	{ "degenerate", "tokens", INT, AT(degenerate.tokens), "64", 8, 4096, "tokens that are written" },
	{ "contamination", "enabled", BOOL, AT(contamination.enabled), "false", 0, 0,
	  "Judged on what it has not seen: the share of an acceptance set's sequences of 13\n"
	  "words that stand in the training sets is at most max-share." },
	{ "contamination", "max-share", REAL, AT(contamination.max_share), "0.01", 0, 1, NULL },
	{ "canary", "enabled", BOOL, AT(canary.enabled), "false", 0, 0,
	  "No text learnt by heart: of two safety sets, canaries that were put into the\n"
	  "training data and controls that were not, a canary's loss falls more than that of\n"
	  "a control, share of the controls, in less than max-rank; 0.5 is chance." },
	{ "canary", "set", NAMES, AT(canary.set), "", 0, 0, NULL },
	{ "canary", "control", NAMES, AT(canary.control), "", 0, 0, NULL },
	{ "canary", "alpha", REAL, AT(canary.alpha), "0.05", 1e-9, 0.5, NULL },
	{ "canary", "max-rank", REAL, AT(canary.max_rank), "0.75", 0.5, 1, NULL },
	{ "canary", "min-docs", INT, AT(canary.min_docs), "10", 2, DOCS_MAX, NULL },
	{ "exec", "enabled", BOOL, AT(exec.enabled), "false", 0, 0,
	  "What the program says that gate.exec.command names in the configuration of the\n"
	  "machine that validates (never in a policy: what is fetched runs nothing)." },
	{ "exec", "model", BOOL, AT(exec.model), "false", 0, 0, "write the composed model for it" },
};

static const struct key retain_keys[] = {
	{ NULL, "max-increase", REAL, offsetof(struct sg_policy_retain, max_increase), NULL, 0, 100, NULL },
	{ NULL, "min-docs", INT, offsetof(struct sg_policy_retain, min_docs), NULL, 2, DOCS_MAX, NULL },
};

static const struct key trust_keys[] = {
	{ NULL, "signed", BOOL, AT(trust.sign), "true", 0, 0,
	  "Who may grow this, as soon as there is a [signer \"NAME\"] with a key (an\n"
	  "ssh-ed25519 one): commits of the protected lines are signed by a signer" },
	{ NULL, "approvals", INT, AT(trust.approvals), "0", 0, 256,
	  "so many signers have approved ('sg approve') what is accepted" },
	{ NULL, "protected", NAMES, AT(trust.protect), "main", 0, 0,
	  "names of branches, blanks between; * and ? match" },
};

static const struct key signer_keys[] = {
	{ NULL, "key", KEY, offsetof(struct sg_policy_signer, key), NULL, 0, 0, NULL },
	{ NULL, "required", BOOL, offsetof(struct sg_policy_signer, required), NULL, 0, 0, NULL },
};

#define SIGNERS_MAX 256
#define RETAIN_MAX 256		/* as many sets as a receipt holds */

/* "ssh-ed25519 AAAA..." into out, a comment behind it left away. The text of such a key
 * begins with what says its type and length, and has no padding. */
static bool store_key(char out[SG_POLICY_KEY], const char *value)
{
	static const char type[] = "ssh-ed25519 ", head[] = "AAAAC3NzaC1lZDI1NTE5AAAAI";
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *b = value + sizeof(type) - 1;
	size_t n = SG_POLICY_KEY - sizeof(type);

	if (strncmp(value, type, sizeof(type) - 1) || strncmp(b, head, sizeof(head) - 1) || strspn(b, digits) != n ||
	    (b[n] && b[n] != ' ') || !strchr("ABCDEFGHIJKLMNOP", b[sizeof(head) - 1]))
		return false;
	memcpy(out, value, SG_POLICY_KEY - 1);
	out[SG_POLICY_KEY - 1] = '\0';
	return true;
}

static bool store_names(char out[256], const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if (value[i] < ' ' || strchr("~^:[\\\"\x7f", value[i]))
			return false;
	if (n >= 256)
		return false;
	memset(out, 0, 256);
	memcpy(out, value, n);
	return true;
}

/* A value into the field at `base`; false: it is none, or out of range. */
static bool store(void *base, const struct key *k, const char *value)
{
	void *field = (char *)base + k->at;
	int64_t i;
	double d;

	switch (k->type) {
	case BOOL:
		return sg_gitconfig_bool(value, field);
	case KEY:
		return value && store_key(field, value);
	case NAMES:
		return value && store_names(field, value);
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
	case KEY:
	case NAMES:
		return sg_buf_str(out, field);
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
	if (k->type == KEY)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' must be a public key, ssh-ed25519 AAAA...", what,
			       e->line, e->key);
	if (k->type == NAMES)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' must be names of branches", what, e->line, e->key);
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

static struct sg_policy_signer *find_signer(const struct sg_policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_signers; i++)
		if (!strcmp(p->signer[i].name, name))
			return &p->signer[i];
	return NULL;
}

/* Names of people, mail addresses as a rule: printable, without blanks. */
static bool signer_name_ok(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("\"\\,*?!", s[i]))
			return false;
	return n && n <= 200;
}

static int add_signer(struct sg_policy *p, const struct sg_gitconfig_section *s, const char *what)
{
	if (find_signer(p, s->sub))
		return 0;
	if (!signer_name_ok(s->sub))
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' is no name of a signer", what, s->line, s->sub);
	if (p->n_signers >= SIGNERS_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: more than %d signers", what, s->line, SIGNERS_MAX);
	SG_TRY(SG_GROW(p->signer, p->n_signers, p->cap_signers));
	p->signer[p->n_signers] = (struct sg_policy_signer){ .name = sg_strdup(s->sub) };
	if (!p->signer[p->n_signers].name)
		return -SG_E_NOMEM;
	p->n_signers++;
	return 0;
}

/* Rules that nobody could keep, or that one could keep twice, are refused. */
static int check_signers(const struct sg_policy *p, const char *what)
{
	for (size_t i = 0; i < p->n_signers; i++) {
		if (!*p->signer[i].key)
			return sg_fail(SG_E_CORRUPT, "'%s': signer '%s' has no key", what, p->signer[i].name);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(p->signer[i].key, p->signer[k].key))
				return sg_fail(SG_E_CORRUPT, "'%s': signers '%s' and '%s' have the same key", what,
					       p->signer[k].name, p->signer[i].name);
	}
	if (p->trust.approvals > (int64_t)p->n_signers)
		return sg_fail(SG_E_CORRUPT, "'%s': %lld approvals of %zu signers cannot be had", what,
			       (long long)p->trust.approvals, p->n_signers);
	return 0;
}

static int check_section(struct sg_policy *p, const struct sg_gitconfig_section *s, const char *what)
{
	if (!strcmp(s->section, "signer") && s->sub)
		return add_signer(p, s, what);
	if (!strcmp(s->section, "trust") && !s->sub)
		return 0;
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
	struct sg_policy_retain *r = NULL;
	const struct key *k;
	void *to = p;

	if (!strcmp(e->section, "gate")) {
		k = find_key(keys, SG_LEN(keys), e->sub, e->key);
	} else if (!strcmp(e->section, "trust")) {
		k = find_key(trust_keys, SG_LEN(trust_keys), NULL, e->key);
	} else if (!strcmp(e->section, "signer")) {
		k = find_key(signer_keys, SG_LEN(signer_keys), NULL, e->key);
		to = find_signer(p, e->sub);
	} else {
		k = find_key(retain_keys, SG_LEN(retain_keys), NULL, e->key);
		to = r = find_retain(p, e->sub);
	}
	if (!k || !to)
		return sg_fail(SG_E_CORRUPT, "'%s' line %u: unknown key '%s' in '%s%s%s%s'", what, e->line,
			       e->key, e->section, e->sub ? " \"" : "", e->sub ? e->sub : "", e->sub ? "\"" : "");
	if (!store(to, k, e->value))
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
		d = strcmp(x->sub ? x->sub : "", y->sub ? y->sub : "");
	if (!d)
		d = strcmp(x->key, y->key);
	return d ? d : (x->line > y->line) - (x->line < y->line);
}

static bool same_name(const struct sg_gitconfig_entry *a, const struct sg_gitconfig_entry *b)
{
	return !strcmp(a->section, b->section) && !strcmp(a->sub ? a->sub : "", b->sub ? b->sub : "") && !strcmp(a->key, b->key);
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
		if (same_name(list[i], list[i - 1]))
			rc = sg_fail(SG_E_CORRUPT, "'%s' line %u: '%s' is set twice, first in line %u", what,
				     list[i]->line, list[i]->key, list[i - 1]->line);
	free(list);
	return rc;
}

static int read_config(struct sg_policy *p, const struct sg_gitconfig *c, const char *what)
{
	for (size_t i = 0; i < SG_LEN(keys); i++)
		store(p, &keys[i], keys[i].initial);
	for (size_t i = 0; i < SG_LEN(trust_keys); i++)
		store(p, &trust_keys[i], trust_keys[i].initial);
	for (size_t i = 0; i < c->n_sect; i++)
		SG_TRY(check_section(p, &c->sect[i], what));
	SG_TRY(check_twice(c, what));
	for (size_t i = 0; i < c->n; i++)
		SG_TRY(read_entry(p, &c->entry[i], what));
	return check_signers(p, what);
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
	for (size_t i = 0; i < p->n_signers; i++)
		free(p->signer[i].name);
	free(p->signer);
	*p = (struct sg_policy){ 0 };
}

bool sg_policy_protects(const struct sg_policy *p, const char *branch)
{
	const char *s = p->trust.protect;
	char glob[256];

	while (p->n_signers && *(s += strspn(s, " "))) {
		size_t n = strcspn(s, " ");

		snprintf(glob, sizeof(glob), "%.*s", (int)n, s);
		if (!fnmatch(glob, branch, 0))
			return true;
		s += n;
	}
	return false;
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
	SG_TRY(sg_buf_str(out, "\n"));
	for (size_t i = 0; i < SG_LEN(trust_keys); i++) {
		SG_TRY(put_comment(out, i ? "\t" : "", trust_keys[i].about));
		if (!i)
			SG_TRY(sg_buf_str(out, "[trust]\n"));
		SG_TRY(sg_buf_fmt(out, "\t%s = %s\n", trust_keys[i].key, trust_keys[i].initial));
	}
	return 0;
}

/* Is this key in force: has the set an own value? */
static bool retain_has(const struct sg_policy_retain *r, size_t i)
{
	return i ? r->has_docs : r->has_increase;
}

/* One key for a list, or when it is the one that is looked for. */
static int one_key(struct sg_buf *out, const void *base, const struct key *k, const char *have, const char *name, bool *found)
{
	if (name && strcmp(name, have))
		return 0;
	*found = true;
	if (!name)
		SG_TRY(sg_buf_fmt(out, "%s=", have));
	SG_TRY(show(out, base, k));
	return name ? 0 : sg_buf_str(out, "\n");
}

/* "gate.NAME.KEY", "retain.NAME.KEY", ... must be it: names are short, so one is built
 * for each candidate and compared. */
static int each_key(struct sg_buf *out, const struct sg_policy *p, const char *name, bool *found)
{
	char have[300];

	for (size_t i = 0; i < SG_LEN(keys); i++) {
		snprintf(have, sizeof(have), "gate.%s.%s", keys[i].gate, keys[i].key);
		SG_TRY(one_key(out, p, &keys[i], have, name, found));
	}
	for (size_t i = 0; i < p->n_retain * SG_LEN(retain_keys); i++) {
		const struct sg_policy_retain *r = &p->retain[i / SG_LEN(retain_keys)];
		const struct key *k = &retain_keys[i % SG_LEN(retain_keys)];

		snprintf(have, sizeof(have), "retain.%s.%s", r->name, k->key);
		if (retain_has(r, i % SG_LEN(retain_keys)))
			SG_TRY(one_key(out, r, k, have, name, found));
	}
	for (size_t i = 0; i < SG_LEN(trust_keys); i++) {
		snprintf(have, sizeof(have), "trust.%s", trust_keys[i].key);
		SG_TRY(one_key(out, p, &trust_keys[i], have, name, found));
	}
	for (size_t i = 0; i < p->n_signers * SG_LEN(signer_keys); i++) {
		const struct sg_policy_signer *s = &p->signer[i / SG_LEN(signer_keys)];
		const struct key *k = &signer_keys[i % SG_LEN(signer_keys)];

		snprintf(have, sizeof(have), "signer.%s.%s", s->name, k->key);
		SG_TRY(one_key(out, s, k, have, name, found));
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
