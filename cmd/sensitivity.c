/* Scores of sites: where a graft would have something to do. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"
#include <math.h>

static const char *rev, *sites, *by = "gradient", *per = "site";
static struct sg_opt_list data;
static int64_t seq = 128, samples = 64, seed, top;
static bool impact;

static const struct sg_opt opts[] = {
	{ 0, "rev", SG_OPT_STR, &rev, "<rev>", "composition of this revision (HEAD)", 0, 0 },
	{ 's', "sites", SG_OPT_STR, &sites, "<globs>", "linear maps and hidden states to score (all)", 0, 0 },
	{ 'd', "data", SG_OPT_LIST, &data, "<set>", "train on these sets (all of role train)", 0, 0 },
	{ 0, "seq", SG_OPT_INT, &seq, "<n>", "tokens of a sample (128)", 2, 1 << 20 },
	{ 0, "samples", SG_OPT_INT, &samples, "<n>", "windows of text, at most (64)", 1, 1 << 30 },
	{ 0, "seed", SG_OPT_INT, &seed, "<n>", "chooses the samples (0)", 0, INT64_MAX },
	{ 0, "by", SG_OPT_CHOICE, &by, "gradient|fisher|activation|actgrad|weightgrad|ntk|error|impact",
	  "order by this score (gradient)", 0, 0 },
	{ 0, "per", SG_OPT_CHOICE, &per, "site|parameter|byte", "what the score is divided by for the order (site)", 0, 0 },
	{ 'n', "top", SG_OPT_INT, &top, "<n>", "show the first so many (all)", 1, 1 << 30 },
	{ 0, "impact", SG_OPT_FLAG, &impact, NULL, "measure the loss without each map too", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_sensitivity *s, size_t n)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "state", s->state);
	sg_json_put_str(w, "by", by);
	sg_json_put_str(w, "per", per);
	sg_json_put_i64(w, "samples", (int64_t)s->samples);
	sg_json_put_i64(w, "seq", seq);
	sg_jsonw_key(w, "sites");
	sg_jsonw_array(w);
	for (size_t i = 0; i < n; i++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "site", s->line[i].site);
		sg_json_put_i64(w, "parameters", (int64_t)s->line[i].parameters);
		sg_json_put_i64(w, "bytes", (int64_t)s->line[i].bytes);
		for (int k = 0; k < SG_SCORE_COUNT; k++)
			if (k != SG_SCORE_impact || impact)
				sg_json_put_f64(w, sg_score_name((enum sg_score)k), s->line[i].score[k]);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_table(const struct sg_sensitivity_line *line, size_t n)
{
	struct sg_table t;
	int rc;

	sg_table_init(&t, impact ? "SITE|>PARAMETERS|>GRADIENT|>FISHER|>ACTIVATION|>ACTGRAD|>WEIGHTGRAD|>NTK|>ERROR|>IMPACT" :
		      "SITE|>PARAMETERS|>GRADIENT|>FISHER|>ACTIVATION|>ACTGRAD|>WEIGHTGRAD|>NTK|>ERROR", n > 0);
	for (size_t i = 0; i < n; i++) {
		sg_table_color(&t, SG_BOLD, "%s", line[i].site);
		sg_table_add(&t, "%llu", (unsigned long long)line[i].parameters);
		for (int k = 0; k < SG_SCORE_COUNT; k++)
			if (k != SG_SCORE_impact || impact)
				sg_table_add(&t, "%.4g", line[i].score[k]);
		sg_table_row(&t);
	}
	rc = sg_table_print(&t, stdout);
	sg_table_release(&t);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_sensitivity_opts o = {
		.rev = rev, .sites = sites, .data = { (char **)data.item, data.n, 0 }, .seq = (uint64_t)seq,
		.samples = (uint64_t)samples, .seed = (uint64_t)seed,
	};
	struct sg_sensitivity s;
	enum sg_per of = !strcmp(per, "byte") ? SG_PER_BYTE : !strcmp(per, "parameter") ? SG_PER_PARAMETER : SG_PER_SITE;
	enum sg_score chosen = sg_score_of(by);
	size_t n;
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	impact |= chosen == SG_SCORE_impact;
	o.impact = impact;
	SG_TRY(sg_sensitivity(&s, ctx->repo, &o, &ctx->progress));
	sg_progress_end();
	sg_sensitivity_order(&s, chosen, of);
	n = top && (size_t)top < s.n ? (size_t)top : s.n;
	rc = ctx->json ? print_json(&s, n) : print_table(s.line, n);
	sg_sensitivity_release(&s);
	return rc;
}

const struct sg_cmd sg_cmd_sensitivity = {
	.name = "sensitivity", .group = "grow",
	.args = "[--rev <rev>] [--sites <globs>] [--data <set> ...] [--seq <n>] [--samples <n>] [--seed <n>] "
		"[--by <score>] [--per site|parameter|byte] [--top <n>] [--impact] [--json]",
	.brief = "Score sites: where a graft would have something to do.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
