/*
 * Numbers that a PEFT configuration gives to some modules: rank_pattern, alpha_pattern.
 * A key is a pattern that must match the whole name, or what follows one of its dots;
 * the first that does counts. PEFT reads it as Python does and this as an extended
 * regular expression: what the two would read differently is refused.
 */
#include "sg_peft.h"
#include "base/error.h"
#include <regex.h>

#define KEY_MAX 200		/* bytes of a pattern */

static int refuse(const char *list, const char *key)
{
	return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": '%s' has the key '%.100s', a pattern of a kind that is not understood; "
		       "name the modules", list, key);
}

/* A class up to its end: letters, digits and ranges of them. NULL: anything else. */
static const char *plain_class(const char *p)
{
	p += *p == '^';
	if (*p == ']')
		return NULL;
	while (*p && *p != ']' && *p != '[' && *p != '\\' && (unsigned char)*p < 128)
		p++;
	return *p == ']' ? p : NULL;
}

/* Behind p, one thing that both languages read alike, put into ours; NULL: none. */
static const char *translate_one(char *ours, size_t size, const char *p)
{
	const char *end = *p == '[' ? plain_class(p + 1) : p;

	if (*p == '{' || (unsigned char)*p >= 128 || !end)
		return NULL;
	if (*p != '\\') {
		snprintf(ours, size, "%.*s", (int)(end - p + 1), p);
		return end + 1;
	}
	if (p[1] == 'd')
		snprintf(ours, size, "[0-9]");
	else if (p[1] && strchr(".\\()[{*+?|^$", p[1]))
		snprintf(ours, size, "\\%c", p[1]);
	else if (p[1] && strchr("-_/]}", p[1]))
		snprintf(ours, size, "%c", p[1]);
	else
		return NULL;
	return p + 2;
}

/* The key in the other language. */
static int translate(char *ours, size_t size, const char *key, const char *list)
{
	const char *p = key, *next;
	bool repeats = false;		/* is there something that may be repeated? */
	size_t depth = 0;

	for (ours[0] = '\0'; *p; p = next, size -= strlen(ours), ours += strlen(ours)) {
		bool op = strchr("*+?", *p) != NULL;

		next = translate_one(ours, size, p);
		if (!next || (op && !repeats) || (*p == ')' && !depth))
			return refuse(list, key);
		depth += *p == '(';
		depth -= *p == ')';
		repeats = !op && !strchr("(|^$", *p);
	}
	return depth ? refuse(list, key) : 0;
}

static int matches(const char *key, size_t len, const char *list, const char *module)
{
	char ours[6 * KEY_MAX], whole[sizeof(ours) + 16];
	regex_t re;
	int rc;

	if (!*key || strlen(key) > KEY_MAX || strlen(key) != len)
		return refuse(list, key);
	SG_TRY(translate(ours, sizeof(ours), key, list));
	snprintf(whole, sizeof(whole), "^(.*\\.)?(%s)$", ours);
	if (regcomp(&re, whole, REG_EXTENDED | REG_NOSUB))
		return refuse(list, key);
	rc = regexec(&re, module, 0, NULL, 0);
	regfree(&re);
	return rc == 0;
}

int sg_peft_pattern(double *v, const struct sg_json *config, const char *list, const char *module)
{
	const struct sg_json *o = sg_json_get(config, list);
	int rc = 0;

	if (!o || o->type == SG_JSON_NULL)
		return 0;
	if (o->type != SG_JSON_OBJECT)
		return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": '%s' is no list of modules and numbers", list);
	for (const struct sg_json *j = o->child; j && !rc; j = j->next) {
		SG_TRY(rc = matches(j->key, j->key_len, list, module));
		if (rc && j->type != SG_JSON_NUMBER)
			return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": '%s' gives '%.100s' no number", list, j->key);
		if (rc)
			*v = j->num;
	}
	return rc;
}
