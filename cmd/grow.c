/* Grow in stages: probe sites, train the best, rank, gate, accept, and again. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"

static const char *type, *sites, *name, *by = "gradient", *refine;
static struct sg_opt_list set, data, refine_set;
static int64_t stages = 3, probes = 6, probe_steps = 40, top = 2, samples = 32, rank, steps = 200, batch = 8, seq = 256, seed = 1;
static double lr = 0.001, alpha = 0.05, min_gain;
static struct sg_jsonw *json;	/* the object that events are written into */

static const struct sg_opt opts[] = {
	{ 't', "type", SG_OPT_STR, &type, "<type>", "graft type, as 'sg train --list-types' shows them", 0, 0 },
	{ 'n', "name", SG_OPT_STR, &name, "<name>", "of this run; called again with it, it goes on", 0, 0 },
	{ 0, "stages", SG_OPT_INT, &stages, "<n>", "stages at most (3)", 1, 1000 },
	{ 0, "sites", SG_OPT_STR, &sites, "<globs>", "sites to choose from (linear maps and hidden states)", 0, 0 },
	{ 0, "by", SG_OPT_CHOICE, &by, "gradient|fisher|activation|actgrad|weightgrad|ntk|error|impact",
	  "score that proposes sites (gradient)", 0, 0 },
	{ 0, "samples", SG_OPT_INT, &samples, "<n>", "windows of text for the scores (32)", 1, 1 << 30 },
	{ 0, "probes", SG_OPT_INT, &probes, "<n>", "sites that are tried for a short time (6)", 1, 1000 },
	{ 0, "probe-steps", SG_OPT_INT, &probe_steps, "<n>", "steps of a probe (40)", 1, 1 << 30 },
	{ 0, "top", SG_OPT_INT, &top, "<n>", "probes whose sites are trained for long (2)", 1, 1000 },
	{ 0, "min-gain", SG_OPT_NUM, &min_gain, "<x>", "nats per token that the ranking must show (0)", 0, 100 },
	{ 0, "alpha", SG_OPT_NUM, &alpha, "<x>", "error rate of the ranking's test (0.05)", 1e-9, 0.5 },
	{ 0, "refine", SG_OPT_STR, &refine, "<type>", "after each accept a stage of this type inside its sites", 0, 0 },
	{ 0, "refine-set", SG_OPT_LIST, &refine_set, "<key>=<value>", "hyperparameter of that type", 0, 0 },
	{ 0, "set", SG_OPT_LIST, &set, "<key>=<value>", "hyperparameter of the type", 0, 0 },
	{ 0, "rank", SG_OPT_INT, &rank, "<n>", "the same as --set rank=<n>", 1, 1 << 20 },
	{ 0, "data", SG_OPT_LIST, &data, "<set>", "train on this set (all of role train)", 0, 0 },
	{ 0, "steps", SG_OPT_INT, &steps, "<n>", "steps of a long run (200)", 1, 1 << 30 },
	{ 0, "batch", SG_OPT_INT, &batch, "<n>", "windows a step (8)", 1, 1 << 20 },
	{ 0, "seq", SG_OPT_INT, &seq, "<n>", "tokens of a window (256)", 2, 1 << 20 },
	{ 0, "lr", SG_OPT_NUM, &lr, "<x>", "highest learning rate (0.001)", 0, 1000 },
	{ 0, "seed", SG_OPT_INT, &seed, "<n>", "of starts, order and samples (1)", 0, INT64_MAX },
	{ 0 }
};

static void put(struct sg_jsonw *w, const struct sg_stage_event *e)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "what", e->what);
	sg_json_put_i64(w, "stage", (int64_t)e->stage);
	sg_json_put_str(w, "name", e->name);
	sg_json_put_str(w, "graft", e->graft);
	sg_jsonw_key(w, "sites");
	sg_jsonw_array(w);
	for (size_t i = 0; i < e->sites->n; i++)
		sg_jsonw_str(w, e->sites->name[i]);
	sg_jsonw_end(w, ']');
	sg_json_put_i64(w, "parameters", (int64_t)e->parameters);
	sg_json_put_i64(w, "payload_bytes", (int64_t)e->payload);
	sg_json_put_i64(w, "docs", (int64_t)e->docs);
	sg_json_put_f64(w, "parent", e->parent);
	sg_json_put_f64(w, "change", e->change);
	sg_json_put_f64(w, "lower", e->lower);
	sg_json_put_f64(w, "upper", e->upper);
	sg_jsonw_end(w, '}');
}

static bool heard(void *arg, const struct sg_stage_event *e)
{
	struct sg_ctx *ctx = arg;

	sg_progress_end();
	if (ctx->json) {
		put(json, e);
	} else if (!ctx->quiet) {
		printf("stage %llu  %-6s  %-20s  %+.5f [%+.5f, %+.5f]  %8s parameters  %s%s\n",
		       (unsigned long long)e->stage, e->what, sg_print_safe(e->name), e->change, e->lower, e->upper,
		       sg_print_count(e->parameters),
		       e->sites->n ? e->sites->name[0] : "", e->sites->n > 1 ? " ..." : "");
		fflush(stdout);
	}
	return false;
}

static int print_total(struct sg_ctx *ctx, const struct sg_stages_total *t)
{
	struct sg_jsonw *w = json;

	if (ctx->json) {
		sg_jsonw_end(w, ']');
		sg_json_put_i64(w, "stages", (int64_t)t->stages);
		sg_json_put_i64(w, "skipped", (int64_t)t->skipped);
		sg_json_put_i64(w, "tried", (int64_t)t->tried);
		sg_json_put_i64(w, "accepted", (int64_t)t->accepted);
		sg_json_put_f64(w, "gain", t->gain);
		sg_json_put_i64(w, "steps", (int64_t)t->trained);
		sg_json_put_i64(w, "tokens", (int64_t)t->tokens);
		sg_json_put_f64(w, "seconds", t->seconds);
		sg_json_put_bool(w, "plateau", t->plateau);
		sg_jsonw_end(w, '}');
		return sg_print_json_end();
	}
	if (!ctx->quiet)
		printf("%llu of %llu stages brought a graft, %+.5f nats/token on the selection sets, %llu candidates, %s%s\n",
		       (unsigned long long)t->accepted, (unsigned long long)t->stages, 0 - t->gain,
		       (unsigned long long)t->tried, sg_print_span(t->seconds), t->plateau ? "; the last one brought none" : "");
	return 0;
}

static int fill(struct sg_stages_opts *o)
{
	char text[40];

	*o = (struct sg_stages_opts){
		.name = name, .stages = (uint64_t)stages, .probes = (uint64_t)probes, .probe_steps = (uint64_t)probe_steps,
		.top = (uint64_t)top, .samples = (uint64_t)samples, .alpha = alpha, .min_gain = min_gain, .refine = refine,
		.refine_hyper = { (char **)refine_set.item, refine_set.n, 0 },
	};
	sg_train_defaults(&o->train);
	o->train.type = type;
	o->train.sites = sites;
	o->train.steps = (uint64_t)steps;
	o->train.batch = (uint64_t)batch;
	o->train.seq = (uint64_t)seq;
	o->train.seed = (uint64_t)seed;
	o->train.lr = lr;
	o->train.data = (struct sg_names){ (char **)data.item, data.n, 0 };
	o->by = sg_score_of(by);
	for (size_t i = 0; i < set.n; i++)
		SG_TRY(sg_names_add(&o->train.hyper, set.item[i]));
	snprintf(text, sizeof(text), "rank=%lld", (long long)rank);
	return rank ? sg_names_add(&o->train.hyper, text) : 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_stages_total t;
	struct sg_stages_opts o;
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	if (!type || !name)
		return sg_fail(SG_E_USAGE, "--type and --name are needed");
	if (refine_set.n && !refine)
		return sg_fail(SG_E_USAGE, "--refine-set goes with --refine");
	rc = fill(&o);
	if (rc >= 0 && ctx->json) {
		json = sg_print_json();
		sg_jsonw_object(json);
		sg_jsonw_key(json, "events");
		sg_jsonw_array(json);
	}
	if (rc >= 0)
		rc = sg_stages(&t, ctx->repo, &o, heard, ctx, &ctx->progress);
	sg_names_release(&o.train.hyper);
	sg_progress_end();
	if (rc < 0)
		return rc;
	SG_TRY(print_total(ctx, &t));
	return t.stages && !t.accepted && !t.skipped;
}

const struct sg_cmd sg_cmd_grow = {
	.name = "grow", .group = "grow",
	.args = "--type <type> --name <name> [--stages <n>] [--sites <globs>] [--by <score>] [--samples <n>] [--probes <n>] "
		"[--probe-steps <n>] [--top <n>] [--min-gain <x>] [--alpha <x>] [--refine <type>] "
		"[--refine-set <key>=<value> ...] [--set <key>=<value> ...] [--rank <n>] [--data <set> ...] [--steps <n>] "
		"[--batch <n>] [--seq <n>] [--lr <x>] [--seed <n>] [--json]",
	.brief = "Grow in stages: probe sites, train the best, rank, gate, accept.",
	.opts = opts, .flags = SG_CMD_REPO, .run = run,
};
