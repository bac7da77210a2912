/* Time and memory of training, evaluating and writing, beside what the device can do. */
#include "cmd/bench.h"
#include "cmd/print.h"
#include "cmd/progress.h"

static struct sg_bench_args a = SG_BENCH_ARGS;
static const char *rows;
static int64_t steps = 10;

static const struct sg_opt opts[] = {
	SG_BENCH_OPTS(a)
	{ 'n', "steps", SG_OPT_INT, &steps, "<n>", "timed steps of training (10)", 1, 4000 },
	{ 0, "rows", SG_OPT_STR, &rows, "<list>", "some of train,eval,generate,kernels (all)", 0, 0 },
	{ 0 }
};

struct report { struct sg_table t; struct sg_jsonw *w; bool named; };

static void json(struct sg_jsonw *w, const struct sg_bench_row *r)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "row", r->row);
	sg_json_put_str(w, "what", r->what);
	sg_json_put_f64(w, "ms", r->ms);
	sg_json_put_f64(w, "ms_least", r->fastest);
	sg_json_put_f64(w, "ms_most", r->slowest);
	if (r->tokens)
		sg_json_put_f64(w, "tokens_per_second", (double)r->tokens / (1e-3 * r->ms));
	sg_json_put_f64(w, r->bytes ? "bytes_per_second" : "flops_per_second", r->rate);
	sg_json_put_f64(w, "share", r->share);
	if (r->plan) {
		sg_json_put_i64(w, "plan_bytes", (int64_t)r->plan);
		sg_json_put_i64(w, "peak_bytes", (int64_t)r->peak);
	}
	sg_jsonw_end(w, '}');
}

static void table(struct sg_table *t, const struct sg_bench_row *r)
{
	sg_table_add(t, "%s", r->row);
	sg_table_add(t, "%s", r->what);
	sg_table_add(t, "%.3f", r->ms);
	sg_table_add(t, "%.3f", r->fastest);
	sg_table_add(t, "%.3f", r->slowest);
	if (r->tokens)
		sg_table_add(t, "%.1f", (double)r->tokens / (1e-3 * r->ms));
	else
		sg_table_add(t, "-");
	sg_table_add(t, r->bytes ? "%.1f GB/s" : "%.1f GF/s", 1e-9 * r->rate);
	sg_table_add(t, "%.0f%%", 100 * r->share);
	sg_table_add(t, "%s", r->plan ? sg_print_bytes(r->plan) : "-");
	sg_table_add(t, "%s", r->plan ? sg_print_bytes(r->peak) : "-");
	sg_table_row(t);
}

static void line(void *arg, const char *device, const struct sg_bench_row *row)
{
	struct report *r = arg;

	if (r->w && !r->named) {
		sg_json_put_str(r->w, "device", device);
		sg_jsonw_key(r->w, "rows");
		sg_jsonw_array(r->w);
	}
	if (r->w)
		json(r->w, row);
	else
		table(&r->t, row);
	r->named = true;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_bench_opts o;
	struct sg_open_opts open = { .device = ctx->device, .threads = (unsigned)ctx->threads };
	struct report r = { .w = NULL };
	int rc;

	SG_TRY(sg_bench_args(&o, ctx, &a, argc, argv));
	o.steps = (uint64_t)steps;
	o.rows = rows;
	sg_table_init(&r.t, "ROW|WHAT|>MS|>LEAST|>MOST|>TOKENS/S|>RATE|>SHARE|>PLAN|>PEAK", true);
	if (ctx->json) {
		r.w = sg_print_json();
		sg_jsonw_object(r.w);
		sg_json_put_str(r.w, "base", o.shape ? o.shape : "HEAD");
		sg_json_put_i64(r.w, "batch", a.batch);
		sg_json_put_i64(r.w, "seq", a.seq);
	}
	rc = sg_bench(ctx->repo, &open, &o, line, &r, &ctx->progress);
	sg_progress_end();
	if (rc >= 0 && ctx->json) {
		sg_jsonw_end(r.w, ']');
		sg_jsonw_end(r.w, '}');
		rc = sg_print_json_end();
	} else if (rc >= 0) {
		rc = sg_table_print(&r.t, stdout);
	}
	sg_table_release(&r.t);
	return rc;
}

const struct sg_cmd sg_cmd_bench = {
	.name = "bench", .group = "start",
	.args = "[--type <type>] [--set <key=value> ...] [--sites <globs>] [--batch <n>] [--seq <n>] [--micro <n>] "
		"[--steps <n>] [--rows <list>] [--json] [<shape>]",
	.brief = "Measure training, evaluating and writing with a base.", .opts = opts, .run = run,
};
