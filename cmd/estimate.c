/* What a training run would take, before it is taken. */
#include "cmd/bench.h"
#include "cmd/print.h"

static struct sg_bench_args a = SG_BENCH_ARGS;

static const struct sg_opt opts[] = { SG_BENCH_OPTS(a) { 0 } };

int sg_bench_args(struct sg_bench_opts *out, struct sg_ctx *ctx, const struct sg_bench_args *args, int argc, char **argv)
{
	struct sg_open_opts open = { .device = ctx->device, .threads = (unsigned)ctx->threads };

	*out = (struct sg_bench_opts){ 0 };
	SG_TRY(sg_cmd_args(argc, 0, 1));
	*out = (struct sg_bench_opts){
		.shape = argc ? argv[0] : NULL, .type = args->type, .sites = args->sites,
		.hyper = { (char **)args->set.item, args->set.n, 0 }, .batch = (uint64_t)args->batch,
		.seq = (uint64_t)args->seq, .micro = (uint64_t)args->micro,
	};
	return argc ? 0 : sg_open(&ctx->repo, &open);
}

struct part { const char *name; uint64_t bytes; };

static int print(const struct sg_ctx *ctx, const struct sg_estimate *e)
{
	const struct sg_memory_info *p = &e->plan;
	const struct part part[] = {
		{ "weights", p->weights }, { "payload", p->payload }, { "gradients", p->gradients },
		{ "optimiser", p->optimiser }, { "activations", p->activations }, { "workspace", p->workspace },
		{ "total", p->total }, { "free", e->left },
	};
	bool fits = p->total <= e->left;

	if (ctx->json) {
		struct sg_jsonw *w = sg_print_json();

		sg_jsonw_object(w);
		sg_json_put_str(w, "device", e->device);
		for (size_t i = 0; i < SG_LEN(part); i++)
			sg_json_put_i64(w, part[i].name, (int64_t)part[i].bytes);
		sg_json_put_i64(w, "micro", (int64_t)e->micro);
		sg_json_put_i64(w, "largest_micro", (int64_t)e->fits);
		sg_json_put_bool(w, "fits", fits);
		sg_jsonw_end(w, '}');
		return sg_print_json_end();
	}
	for (size_t i = 0; i < SG_LEN(part); i++)
		printf("%-12s %s\n", part[i].name, sg_print_bytes(part[i].bytes));
	printf("%s on %s in passes of %llu tokens", fits ? "fits" : "does not fit", e->device, (unsigned long long)e->micro);
	if (e->fits)
		printf("; of %llu tokens at most\n", (unsigned long long)e->fits);
	else
		printf("; not even a text does\n");
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_open_opts open = { .device = ctx->device, .threads = (unsigned)ctx->threads };
	struct sg_bench_opts o;
	struct sg_estimate e;
	int rc = sg_bench_args(&o, ctx, &a, argc, argv);

	if (rc >= 0)
		rc = sg_estimate(&e, ctx->repo, &open, &o, &ctx->progress);
	if (rc >= 0)
		rc = print(ctx, &e);
	return rc < 0 ? rc : e.plan.total > e.left;
}

const struct sg_cmd sg_cmd_estimate = {
	.name = "estimate", .group = "grow",
	.args = "[--type <type>] [--set <key=value> ...] [--sites <globs>] [--batch <n>] [--seq <n>] [--micro <n>] "
		"[--json] [<shape>]",
	.brief = "Count the memory that a training run would take.", .opts = opts, .run = run,
};
