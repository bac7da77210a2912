/* Train a graft on the present stack; what comes out is a candidate. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"
#include "sg.h"

#define UNSET INT64_MIN

static const char *type, *sites, *name, *message;
static struct sg_opt_list set, data;
static int64_t rank = UNSET, steps = UNSET, tokens = UNSET, batch = UNSET, seq = UNSET, warmup = UNSET, seed = UNSET,
	       micro, save_every = UNSET;
static double lr = -1, min_lr = -1, decay = -1, clip = -1;
static bool resume, take, list_types;

static const struct sg_opt opts[] = {
	{ 't', "type", SG_OPT_STR, &type, "<type>", "graft type; --list-types shows them", 0, 0 },
	{ 0, "sites", SG_OPT_STR, &sites, "<globs>", "where it attaches, globs with commas between", 0, 0 },
	{ 0, "set", SG_OPT_LIST, &set, "<key>=<value>", "hyperparameter of the type", 0, 0 },
	{ 0, "rank", SG_OPT_INT, &rank, "<n>", "the same as --set rank=<n>", 1, 1 << 20 },
	{ 0, "data", SG_OPT_LIST, &data, "<set>", "train on this set (all of role train)", 0, 0 },
	{ 0, "steps", SG_OPT_INT, &steps, "<n>", "steps (200)", 1, 1 << 30 },
	{ 0, "tokens", SG_OPT_SIZE, &tokens, "<n>", "tokens to train on, instead of steps", 1, INT64_MAX / 2 },
	{ 0, "batch", SG_OPT_INT, &batch, "<n>", "windows a step (8)", 1, 1 << 20 },
	{ 0, "seq", SG_OPT_INT, &seq, "<n>", "tokens of a window (256)", 1, 1 << 20 },
	{ 0, "lr", SG_OPT_NUM, &lr, "<x>", "highest learning rate (0.001)", 0, 1000 },
	{ 0, "min-lr", SG_OPT_NUM, &min_lr, "<x>", "learning rate at the end, as a share of --lr (0.1)", 0, 1 },
	{ 0, "warmup", SG_OPT_INT, &warmup, "<n>", "steps of linear rise (20, a tenth of a short run)", 0, 1 << 30 },
	{ 0, "decay", SG_OPT_NUM, &decay, "<x>", "weight decay (0)", 0, 10 },
	{ 0, "clip", SG_OPT_NUM, &clip, "<x>", "largest gradient norm, 0 for none (1)", 0, 1000000000 },
	{ 0, "seed", SG_OPT_INT, &seed, "<n>", "seed of start and order (1)", 0, INT64_MAX },
	{ 'n', "name", SG_OPT_STR, &name, "<name>", "name of the graft", 0, 0 },
	{ 0, "micro", SG_OPT_SIZE, &micro, "<n>", "most tokens of one pass; takes memory, changes no bit", 1, 1 << 30 },
	{ 0, "save-every", SG_OPT_INT, &save_every, "<n>", "keep the state every n steps, 0 for never (50)", 0, 1 << 30 },
	{ 0, "resume", SG_OPT_FLAG, &resume, NULL, "go on with the run that was stopped last", 0, 0 },
	{ 0, "accept", SG_OPT_FLAG, &take, NULL, "validate and accept the candidate at once", 0, 0 },
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "body of the accept's message", 0, 0 },
	{ 0, "list-types", SG_OPT_FLAG, &list_types, NULL, "list graft types and their hyperparameters", 0, 0 },
	{ 0 }
};

static int types_json(void)
{
	struct sg_jsonw *w = sg_print_json();
	struct sg_type_info t;
	struct sg_type_key k;

	sg_jsonw_array(w);
	for (size_t i = 0; sg_type_info(&t, i); i++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "name", t.name);
		sg_json_put_str(w, "brief", t.brief);
		sg_json_put_str(w, "sites", t.sites);
		sg_jsonw_key(w, "hyperparameters");
		sg_jsonw_array(w);
		for (size_t j = 0; sg_type_key(&k, t.name, j); j++) {
			sg_jsonw_object(w);
			sg_json_put_str(w, "key", k.key);
			sg_json_put_str(w, "default", k.value);
			sg_json_put_str(w, "help", k.help);
			sg_jsonw_end(w, '}');
		}
		sg_jsonw_end(w, ']');
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	return sg_print_json_end();
}

static int types(const struct sg_ctx *ctx)
{
	struct sg_type_info t;
	struct sg_type_key k;

	if (ctx->json)
		return types_json();
	for (size_t i = 0; sg_type_info(&t, i); i++) {
		printf("%s%s%s: %s\n  sites %s\n", sg_print_color(SG_BOLD), t.name, sg_print_color(SG_PLAIN), t.brief,
		       t.sites ? t.sites : "the slot on top");
		for (size_t j = 0; sg_type_key(&k, t.name, j); j++)
			printf("  %s=%s  %s\n", k.key, k.value, k.help);
	}
	return 0;
}

/* A resumed run is what it was; only how it is run may be said again. */
static int check_resume(void)
{
	if (type || sites || name || set.n || data.n || rank != UNSET || steps != UNSET || tokens != UNSET ||
	    batch != UNSET || seq != UNSET || warmup != UNSET || seed != UNSET || lr >= 0 || min_lr >= 0 || decay >= 0 ||
	    clip >= 0)
		return sg_fail(SG_E_USAGE, "a resumed run keeps its recipe; beside --resume only --micro, --save-every, "
			       "--accept and -m have a place");
	return 0;
}

static void take_int(uint64_t *to, int64_t v)
{
	if (v != UNSET)
		*to = (uint64_t)v;
}

static void take_num(double *to, double v)
{
	if (v >= 0)
		*to = v;
}

/* Hyperparameters: --set in order, then --rank. Yours to release. */
static int hypers(struct sg_names *out)
{
	char text[40];

	for (size_t i = 0; i < set.n; i++) {
		if (!strchr(set.item[i], '='))
			return sg_fail(SG_E_USAGE, "option '--set' needs <key>=<value>, not '%s'", set.item[i]);
		SG_TRY(sg_names_add(out, set.item[i]));
	}
	snprintf(text, sizeof(text), "rank=%lld", (long long)rank);
	return rank == UNSET ? 0 : sg_names_add(out, text);
}

static int fill(struct sg_train_opts *o)
{
	sg_train_defaults(o);
	o->type = type;
	o->sites = sites;
	o->name = name;
	o->resume = resume;
	o->micro = (size_t)micro;
	take_int(&o->steps, steps);
	take_int(&o->tokens, tokens);
	take_int(&o->batch, batch);
	take_int(&o->seq, seq);
	take_int(&o->warmup, warmup);
	take_int(&o->seed, seed);
	take_int(&o->save_every, save_every);
	take_num(&o->lr, lr);
	take_num(&o->min_lr, min_lr);
	take_num(&o->decay, decay);
	take_num(&o->clip, clip);
	if (warmup == UNSET)
		o->warmup = SG_MIN(o->warmup, o->steps / 10);
	for (size_t i = 0; i < data.n; i++)
		SG_TRY(sg_names_add(&o->data, data.item[i]));
	return hypers(&o->hyper);
}

static void put(struct sg_jsonw *w, const struct sg_train_result *t)
{
	sg_json_put_str(w, "graft", t->id);
	sg_json_put_str(w, "name", t->name);
	sg_json_put_f64(w, "first_loss", t->first);
	sg_json_put_f64(w, "last_loss", t->last);
	sg_json_put_i64(w, "steps", (int64_t)t->steps);
	sg_json_put_i64(w, "tokens", (int64_t)t->tokens);
	sg_json_put_i64(w, "trained", (int64_t)t->trained);
	sg_json_put_i64(w, "payload_bytes", (int64_t)t->payload);
	sg_json_put_f64(w, "seconds", t->seconds);
	sg_json_put_f64(w, "guess_loss", t->guess);
	sg_json_put_bool(w, "untrained_base", t->untrained);
}

static void print(const struct sg_train_result *t)
{
	printf("candidate %.16s%s%s: loss %.4f -> %.4f, %llu steps, %s tokens, %s parameters, %s, %s\n", t->id,
	       t->name ? " " : "", sg_print_safe(t->name), t->first, t->last, (unsigned long long)t->steps,
	       sg_print_count(t->tokens), sg_print_count(t->trained), sg_print_bytes(t->payload), sg_print_span(t->seconds));
}

/* Accept when asked to, and say everything. */
static int finish(struct sg_ctx *ctx, const struct sg_train_result *t)
{
	struct sg_verdict_info v = { .n = 0 };
	struct sg_jsonw *w;
	int rc = 0;

	if (!ctx->json && !ctx->quiet)
		print(t);
	if (!ctx->json && t->untrained)
		fprintf(stderr, "sg: warning: the base's loss, %.4f, is hardly that of one that was trained; guessing has %.4f\n",
			t->first, t->guess);
	if (take)
		rc = sg_accept(&v, ctx->repo, t->id, message, &ctx->progress);
	if (rc < 0)
		return rc;
	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		put(w, t);
		if (take) {
			sg_jsonw_key(w, "validation");
			sg_jsonw_object(w);
			sg_verdict_put(w, &v);
			sg_jsonw_end(w, '}');
		}
		sg_jsonw_end(w, '}');
		SG_TRY(sg_print_json_end());
	} else if (take) {
		SG_TRY(sg_cmd_shown(sg_verdict_tell(ctx, &v)));
	}
	sg_verdict_info_release(&v);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_train_opts o;
	struct sg_train_result t;
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	if (list_types)
		return types(ctx);
	if (resume)
		SG_TRY(check_resume());
	else if (!type)
		return sg_fail(SG_E_USAGE, "say what to train with --type; --list-types shows what there is");
	if (steps != UNSET && tokens != UNSET)
		return sg_fail(SG_E_USAGE, "give --steps or --tokens, not both");
	if (message && !take)
		return sg_fail(SG_E_USAGE, "-m goes with --accept");
	SG_TRY(sg_open(&ctx->repo, &(struct sg_open_opts){ .device = ctx->device, .threads = (unsigned)ctx->threads }));
	rc = fill(&o);
	if (rc >= 0)
		rc = sg_train(&t, ctx->repo, &o, &ctx->progress);
	sg_names_release(&o.data);
	sg_names_release(&o.hyper);
	if (rc < 0)
		return rc;
	sg_progress_end();
	rc = finish(ctx, &t);
	sg_train_result_release(&t);
	return rc;
}

const struct sg_cmd sg_cmd_train = {
	.name = "train", .group = "grow",
	.args = "--type <type> [--sites <globs>] [--set <key>=<value> ...] [--rank <n>] [--data <set> ...] "
		"[--steps <n> | --tokens <n>] [--batch <n>] [--seq <n>] [--lr <x>] [--min-lr <x>] [--warmup <n>] "
		"[--decay <x>] [--clip <x>] [--seed <n>] [--name <name>] [--micro <n>] [--save-every <n>] "
		"[--accept [-m <text>]] [--json]\n"
		"--resume [--micro <n>] [--save-every <n>] [--accept [-m <text>]] [--json]\n"
		"--list-types [--json]",
	.brief = "Train a graft on the present stack, to a candidate.", .opts = opts, .run = run,
};
