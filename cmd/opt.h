#ifndef SG_CMD_OPT_H
#define SG_CMD_OPT_H
#include "base/base.h"
/*
 * Options as tables. A table ends with { 0 }; `to` points to static storage of
 * the command (a process runs one command), preset to the default. Written as
 * --name value, --name=value, -x value, -xvalue; flags cluster (-qv); `--` ends
 * the options; options and other words may mix.
 */
enum sg_opt_type {
	SG_OPT_FLAG,	/* bool; --no-<name> sets it to false */
	SG_OPT_COUNT,	/* int: each use adds one */
	SG_OPT_STR,	/* const char *, borrowed from argv */
	SG_OPT_INT,	/* int64_t in min..max */
	SG_OPT_SIZE,	/* int64_t in min..max; k, m, g, t at the end are powers of 1024 */
	SG_OPT_NUM,	/* double, finite, in min..max */
	SG_OPT_LIST,	/* struct sg_opt_list: each use adds one */
	SG_OPT_MAYBE,	/* the same; the value may be left out ("" then), and is only taken after '=' */
	SG_OPT_CHOICE	/* const char *: one of the words that arg gives as "a|b|c" */
};

struct sg_opt_list { const char **item; size_t n, cap; };	/* items borrowed from argv */

struct sg_opt {
	char letter;		/* 0: none */
	const char *name;	/* without the dashes */
	enum sg_opt_type type;
	void *to;
	const char *arg;	/* how usage shows the value: "<n>", "a|b|c"; NULL for flags */
	const char *help;	/* one line, lower case, no full stop */
	int64_t min, max;	/* numbers; equal means any */
};

/* Parse by `opts`, then by `common` (each may be NULL; the first match wins).
 * What is no option moves to the front of argv, in order, and its count is
 * returned. first: stop at the first word that is no option. USAGE on anything
 * that does not fit. */
int sg_opt_parse(const struct sg_opt *opts, const struct sg_opt *common, bool first,
		 int argc, char **argv);

/* "  -x, --name <arg>    help" lines. */
void sg_opt_print(const struct sg_opt *opts, FILE *to);

/* Does the option take a value? */
bool sg_opt_has_value(const struct sg_opt *o);
#endif
