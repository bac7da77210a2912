/*
 * The line of growth. With --graph every parent is followed and the lines between
 * commits are drawn in front of the text: one column for each commit that is
 * waited for, joined where two columns wait for the same one.
 */
#include "cmd/look.h"

static bool oneline, graph, stat, all, first_parent, notes, signatures;
static int64_t max_count;

static const struct sg_opt opts[] = {
	{ 0, "oneline", SG_OPT_FLAG, &oneline, NULL, "one line a commit", 0, 0 },
	{ 0, "graph", SG_OPT_FLAG, &graph, NULL, "draw candidates and merges beside the line", 0, 0 },
	{ 0, "stat", SG_OPT_FLAG, &stat, NULL, "show what each graft gained for its size and training", 0, 0 },
	{ 0, "show-signature", SG_OPT_FLAG, &signatures, NULL, "check signatures, and show whose they are", 0, 0 },
	{ 'n', "max-count", SG_OPT_INT, &max_count, "<n>", "at most so many commits", 1, INT64_MAX },
	{ 0, "all", SG_OPT_FLAG, &all, NULL, "begin at every branch, tag and candidate", 0, 0 },
	{ 0, "first-parent", SG_OPT_FLAG, &first_parent, NULL, "the line alone, without what was merged into it", 0, 0 },
	{ 0, "notes", SG_OPT_FLAG, &notes, NULL, "show what was noted of each commit", 0, 0 },
	{ 0 }
};

/* --- the graph ------------------------------------------------------------------ */

#define COLUMNS 64	/* histories wider than this are drawn without the rest */

static struct { char id[COLUMNS][SG_COMMIT_HEX]; size_t n; } cols;

static size_t column_of(const char *id, size_t from)
{
	size_t i = from;

	while (i < cols.n && strcmp(cols.id[i], id))
		i++;
	return i;
}

static void column_insert(size_t at, const char *id)
{
	if (cols.n == COLUMNS)
		return;
	memmove(cols.id[at + 1], cols.id[at], (cols.n - at) * sizeof(cols.id[0]));
	snprintf(cols.id[at], sizeof(cols.id[at]), "%s", id);
	cols.n++;
}

static void column_remove(size_t at)
{
	cols.n--;
	memmove(cols.id[at], cols.id[at + 1], (cols.n - at) * sizeof(cols.id[0]));
}

/* A row of the drawing; '*' or '|' in each column, and what stands between them. */
struct row { char s[2 * COLUMNS + 2]; };

static void row_begin(struct row *r)
{
	memset(r->s, ' ', sizeof(r->s));
	for (size_t i = 0; i < cols.n; i++)
		r->s[2 * i] = '|';
	r->s[2 * cols.n] = '\0';
}

/* Every column behind `from` moves one to the left (by '/') or right (by '\'). */
static void row_shift(struct row *r, size_t from, char by)
{
	for (size_t i = from; i < cols.n; i++) {
		r->s[2 * i] = ' ';
		r->s[by == '/' ? 2 * i - 1 : 2 * i + 1] = by;
	}
}

/* A row and the text behind it, without blanks at the end. */
static void row_print(const struct row *r, const char *text)
{
	size_t n = strlen(r->s);

	while (!*text && n && r->s[n - 1] == ' ')
		n--;
	printf("%.*s%s%s\n", (int)n, r->s, *text && (!n || r->s[n - 1] != ' ') ? " " : "", text);
}

/* Columns that wait for the same commit as column `at` run into it. */
static void join(size_t at)
{
	for (size_t j; (j = column_of(cols.id[at], at + 1)) < cols.n;) {
		struct row r;

		row_begin(&r);
		row_shift(&r, j, '/');
		for (size_t i = at; i + 1 < j; i++)
			r.s[2 * i + 1] = '_';
		row_print(&r, "");
		column_remove(j);
	}
}

/* The rows that follow a commit's own: its further parents fork off, or it ends. */
static bool after_commit(struct row *r, const struct sg_step *s, size_t at)
{
	size_t n = s->parents.n;

	row_begin(r);
	if (!n) {
		bool more = at + 1 < cols.n;

		row_shift(r, at + 1, '/');
		r->s[2 * at] = ' ';
		column_remove(at);
		return more;
	}
	snprintf(cols.id[at], sizeof(cols.id[at]), "%s", s->parents.name[0]);
	for (size_t i = 1; i < n && cols.n < COLUMNS; i++) {
		if (i == 1) {
			row_shift(r, at + 1, '\\');
			r->s[2 * at + 1] = '\\';
		}
		column_insert(at + i, s->parents.name[i]);
	}
	return n > 1;
}

/* The text of a step with the drawing before each line. */
static void draw(const struct sg_step *s, char *text)
{
	size_t at = column_of(s->commit, 0);
	struct row r;
	char *line;
	bool first = true, extra = false;

	if (at == cols.n) {
		if (cols.n == COLUMNS)
			at--;
		else
			column_insert(at, s->commit);
	}
	join(at);
	while ((line = strsep(&text, "\n"))) {
		if (!text && !*line)
			break;		/* what follows the last newline */
		if (first || !extra)
			row_begin(&r);
		if (first)
			r.s[2 * at] = '*';
		row_print(&r, line);
		extra = false;
		if (first)
			extra = after_commit(&r, s, at);
		first = false;
	}
	if (extra)
		row_print(&r, "");
}

/* --- steps ---------------------------------------------------------------------- */

static struct sg_jsonw *json;
static size_t shown;

static int print(const struct sg_step *s, FILE *to)
{
	if (oneline)
		sg_look_step_line(s, to);
	return oneline ? 0 : sg_look_step(s, stat, to);
}

static int show_drawn(const struct sg_step *s)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	int rc;

	if (!to)
		return sg_fail_errno(SG_E_NOMEM, "cannot make room for text");
	rc = print(s, to);
	if (!oneline)
		fputc('\n', to);
	if (fclose(to) && rc >= 0)
		rc = sg_fail(SG_E_NOMEM, "cannot make room for text");
	if (rc >= 0)
		draw(s, text);
	free(text);
	return rc;
}

static int show(void *arg, const struct sg_step *s)
{
	(void)arg;
	if (json)
		sg_look_step_json(json, s, stat);
	else if (graph)
		SG_TRY(show_drawn(s));
	else {
		if (shown++ && !oneline)
			putchar('\n');
		SG_TRY(print(s, stdout));
	}
	return ferror(stdout) ? 1 : 0;	/* the reader has left */
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_log_opts o = { .all = all, .parents = graph, .first_parent = first_parent, .notes = notes, .cost = stat,
				 .max = (uint64_t)max_count, .signatures = signatures };

	SG_TRY(sg_cmd_args(argc, 0, 1));
	o.rev = argc ? argv[0] : NULL;
	if (!ctx->json)
		return sg_log(ctx->repo, &o, show, NULL);
	json = sg_print_json();
	sg_jsonw_array(json);
	SG_TRY(sg_log(ctx->repo, &o, show, NULL));
	sg_jsonw_end(json, ']');
	return sg_print_json_end();
}

const struct sg_cmd sg_cmd_log = {
	.name = "log", .group = "look",
	.args = "[--oneline] [--graph] [--stat] [--show-signature] [-n <n>] [--all] [--first-parent] [--notes] [<rev>]",
	.brief = "List the steps of growth.", .opts = opts, .flags = SG_CMD_REPO | SG_CMD_PAGER, .run = run,
};
