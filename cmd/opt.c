#include "cmd/opt.h"
#include "base/error.h"
#include "base/mem.h"
#include <errno.h>
#include <math.h>

bool sg_opt_has_value(const struct sg_opt *o)
{
	return o->type != SG_OPT_FLAG && o->type != SG_OPT_COUNT && o->type != SG_OPT_MAYBE;
}

static const struct sg_opt *find(const struct sg_opt *o, const char *name, size_t n)
{
	for (; o && o->name; o++)
		if (strlen(o->name) == n && !memcmp(o->name, name, n))
			return o;
	return NULL;
}

static const struct sg_opt *find_letter(const struct sg_opt *o, char letter)
{
	for (; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* A whole number, with k m g t as powers of 1024 where `suffix`. */
static bool whole(int64_t *out, const char *s, bool suffix)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || errno || *s == ' ')
		return false;
	if (*end && suffix && (unit = strchr(units, *end | 32))) {
		if (__builtin_mul_overflow(v, 1LL << (10 * (unit - units + 1)), &v))
			return false;
		end++;
	}
	*out = v;
	return !*end;
}

static int set_int(const struct sg_opt *o, const char *val)
{
	int64_t v;

	if (!whole(&v, val, o->type == SG_OPT_SIZE))
		return sg_fail(SG_E_USAGE, "option '--%s' needs a whole number, not '%s'", o->name, val);
	if (o->min != o->max && (v < o->min || v > o->max)) {
		if (o->max == INT64_MAX)
			return sg_fail(SG_E_USAGE, "option '--%s' needs %lld or more, not %s",
				       o->name, (long long)o->min, val);
		return sg_fail(SG_E_USAGE, "option '--%s' needs %lld to %lld, not %s",
			       o->name, (long long)o->min, (long long)o->max, val);
	}
	*(int64_t *)o->to = v;
	return 0;
}

static int set_num(const struct sg_opt *o, const char *val)
{
	char *end;
	double v = strtod(val, &end);

	if (end == val || *end || !isfinite(v))
		return sg_fail(SG_E_USAGE, "option '--%s' needs a number, not '%s'", o->name, val);
	if (o->min != o->max && (v < (double)o->min || v > (double)o->max))
		return sg_fail(SG_E_USAGE, "option '--%s' needs %lld to %lld, not %s",
			       o->name, (long long)o->min, (long long)o->max, val);
	*(double *)o->to = v;
	return 0;
}

static int set_choice(const struct sg_opt *o, const char *val)
{
	size_t n = strlen(val);

	for (const char *w = o->arg; n && w && !strchr(val, '|'); w = strchr(w, '|')) {
		w += *w == '|';
		if (!strncmp(w, val, n) && (!w[n] || w[n] == '|')) {
			*(const char **)o->to = val;
			return 0;
		}
	}
	return sg_fail(SG_E_USAGE, "option '--%s' needs one of %s, not '%s'", o->name, o->arg, val);
}

static int set(const struct sg_opt *o, const char *val)
{
	struct sg_opt_list *l = o->to;

	switch (o->type) {
	case SG_OPT_FLAG:
		*(bool *)o->to = true;
		return 0;
	case SG_OPT_COUNT:
		++*(int *)o->to;
		return 0;
	case SG_OPT_STR:
		*(const char **)o->to = val;
		return 0;
	case SG_OPT_INT:
	case SG_OPT_SIZE:
		return set_int(o, val);
	case SG_OPT_NUM:
		return set_num(o, val);
	case SG_OPT_CHOICE:
		return set_choice(o, val);
	case SG_OPT_MAYBE:
		val = val ? val : "";
		/* fall through */
	case SG_OPT_LIST:
		SG_TRY(SG_GROW(l->item, l->n, l->cap));
		l->item[l->n++] = val;
		return 0;
	}
	return 0;
}

/* --name, --name=value, --name value, --no-name. Uses 1 or 2 words of argv. */
static int parse_long(const struct sg_opt *opts, const struct sg_opt *common, int argc, char **argv)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct sg_opt *o = find(opts, name, n);

	if (!o)
		o = find(common, name, n);
	if (!o && !eq && !strncmp(name, "no-", 3)) {
		o = find(opts, name + 3, n - 3);
		if (!o)
			o = find(common, name + 3, n - 3);
		if (o && o->type == SG_OPT_FLAG) {
			*(bool *)o->to = false;
			return 1;
		}
		o = NULL;
	}
	if (!o)
		return sg_fail(SG_E_USAGE, "unknown option '--%.*s'", (int)SG_MIN(n, (size_t)100), name);
	if (!sg_opt_has_value(o)) {
		if (eq && o->type != SG_OPT_MAYBE)
			return sg_fail(SG_E_USAGE, "option '--%s' takes no value", o->name);
		SG_TRY(set(o, eq ? eq + 1 : NULL));
		return 1;
	}
	if (!eq && argc < 2)
		return sg_fail(SG_E_USAGE, "option '--%s' needs a value", o->name);
	SG_TRY(set(o, eq ? eq + 1 : argv[1]));
	return eq ? 1 : 2;
}

/* -x, -xy, -xvalue, -x value. Uses 1 or 2 words of argv. */
static int parse_short(const struct sg_opt *opts, const struct sg_opt *common, int argc, char **argv)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct sg_opt *o = find_letter(opts, *p);

		if (!o)
			o = find_letter(common, *p);
		if (!o)
			return sg_fail(SG_E_USAGE, "unknown option '-%c'", *p);
		if (!sg_opt_has_value(o)) {
			SG_TRY(set(o, NULL));
			continue;
		}
		if (!p[1] && argc < 2)
			return sg_fail(SG_E_USAGE, "option '-%c' needs a value", *p);
		SG_TRY(set(o, p[1] ? p + 1 : argv[1]));
		return p[1] ? 1 : 2;
	}
	return 1;
}

int sg_opt_parse(const struct sg_opt *opts, const struct sg_opt *common, bool first,
		 int argc, char **argv)
{
	int left = 0, i = 0;

	while (i < argc) {
		const char *a = argv[i];
		int used;

		if (a[0] != '-' || !a[1]) {
			if (first)
				break;
			argv[left++] = argv[i++];
			continue;
		}
		if (!strcmp(a, "--")) {
			i++;
			break;
		}
		used = a[1] == '-' ? parse_long(opts, common, argc - i, argv + i)
				   : parse_short(opts, common, argc - i, argv + i);
		SG_TRY(used);
		i += used;
	}
	while (i < argc)
		argv[left++] = argv[i++];
	return left;
}

void sg_opt_print(const struct sg_opt *opts, FILE *to)
{
	for (const struct sg_opt *o = opts; o && o->name; o++) {
		int n = o->letter ? fprintf(to, "  -%c, ", o->letter) : fprintf(to, "      ");

		n += fprintf(to, "--%s%s%s%s", o->name, !o->arg ? "" : o->type == SG_OPT_MAYBE ? "[=" : " ",
			     o->arg ? o->arg : "", o->type == SG_OPT_MAYBE ? "]" : "");
		if (n > 28)
			n = fprintf(to, "\n") - 1;
		fprintf(to, "%*s%s\n", 30 - n, "", o->help);
	}
}
