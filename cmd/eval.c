/* Losses of a composition on data sets and on files. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"
#include <math.h>

static const char *rev, *cand;
static int64_t window, batch;
static struct sg_opt_list files;

static const struct sg_opt opts[] = {
	{ 0, "rev", SG_OPT_STR, &rev, "<rev>", "composition of this revision (HEAD)", 0, 0 },
	{ 0, "cand", SG_OPT_STR, &cand, "<candidate>", "with this candidate on top", 0, 0 },
	{ 'w', "window", SG_OPT_INT, &window, "<n>", "tokens of context (the model's, at most 512)", 1, 1 << 20 },
	{ 0, "batch", SG_OPT_SIZE, &batch, "<n>", "tokens of one pass; takes memory, changes no bit", 1, 1 << 30 },
	{ 'f', "file", SG_OPT_LIST, &files, "<path>", "measure this text file, as one document", 0, 0 },
	{ 0 }
};

static double share(double nats, double n)
{
	return n > 0 ? nats / n : NAN;
}

static void put(struct sg_jsonw *w, const struct sg_eval_line *l)
{
	double loss = share(l->nats, (double)l->tokens);

	sg_jsonw_object(w);
	sg_json_put_str(w, l->role ? "set" : "file", l->set);
	sg_json_put_str(w, "role", l->role);
	sg_json_put_i64(w, "docs", (int64_t)l->docs);
	sg_json_put_i64(w, "tokens", (int64_t)l->tokens);
	sg_json_put_i64(w, "bytes", (int64_t)l->bytes);
	sg_json_put_f64(w, "nats", l->nats);
	sg_json_put_f64(w, "loss", loss);
	sg_json_put_f64(w, "perplexity", exp(loss));
	sg_json_put_f64(w, "bits_per_byte", share(l->nats / M_LN2, (double)l->bytes));
	sg_json_put_str(w, "losses", l->losses);
	sg_jsonw_end(w, '}');
}

static int print_json(const struct sg_eval_info *e)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "state", e->state);
	sg_json_put_i64(w, "window", (int64_t)e->window);
	sg_jsonw_key(w, "lines");
	sg_jsonw_array(w);
	for (size_t i = 0; i < e->n; i++)
		put(w, &e->line[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_table(const struct sg_eval_info *e)
{
	struct sg_table t;
	int rc;

	sg_table_init(&t, "SET|ROLE|>DOCS|>TOKENS|>LOSS|>PERPLEXITY|>BITS/BYTE", e->n > 0);
	for (size_t i = 0; i < e->n; i++) {
		const struct sg_eval_line *l = &e->line[i];
		double loss = share(l->nats, (double)l->tokens);

		sg_table_color(&t, SG_BOLD, "%s", l->set);
		sg_table_add(&t, "%s", l->role ? l->role : "file");
		sg_table_add(&t, "%llu", (unsigned long long)l->docs);
		sg_table_add(&t, "%llu", (unsigned long long)l->tokens);
		sg_table_add(&t, "%.6f", loss);
		sg_table_add(&t, "%.4f", exp(loss));
		sg_table_add(&t, "%.6f", share(l->nats / M_LN2, (double)l->bytes));
		sg_table_row(&t);
	}
	rc = sg_table_print(&t, stdout);
	sg_table_release(&t);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_eval_opts o = {
		.rev = rev, .cand = cand, .window = (uint64_t)window, .batch = (uint64_t)batch,
		.sets = { argv, (size_t)argc, 0 }, .files = { (char **)files.item, files.n, 0 },
	};
	struct sg_eval_info e;
	int rc;

	SG_TRY(sg_eval(&e, ctx->repo, &o, &ctx->progress));
	sg_progress_end();
	rc = ctx->json ? print_json(&e) : print_table(&e);
	sg_eval_info_release(&e);
	return rc;
}

const struct sg_cmd sg_cmd_eval = {
	.name = "eval", .group = "look",
	.args = "[--rev <rev>] [--cand <candidate>] [--window <n>] [--batch <n>] [--json] [--file <path> ...] [<set> ...]",
	.brief = "Measure losses on data sets and files.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
