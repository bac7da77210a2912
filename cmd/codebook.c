/* How well a few small tiles make up the matrices: error against bytes. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"

static const char *rev, *sites, *graft, *signature = "quantized";
static int64_t tile = 4, codes = 64;
static double step = 1;

static const struct sg_opt opts[] = {
	{ 0, "rev", SG_OPT_STR, &rev, "<rev>", "composition of this revision (HEAD)", 0, 0 },
	{ 's', "sites", SG_OPT_STR, &sites, "<globs>", "linear maps to cut up (all of blocks)", 0, 0 },
	{ 'g', "graft", SG_OPT_STR, &graft, "<graft>", "the change that this active graft makes, not the weights", 0, 0 },
	{ 0, "signature", SG_OPT_CHOICE, &signature, "exact|quantized|stats", "what makes tiles equal (quantized)", 0, 0 },
	{ 0, "tile", SG_OPT_INT, &tile, "<n>", "numbers on a side of a tile: 2, 4, 8 or 16 (4)", 2, 16 },
	{ 0, "step", SG_OPT_NUM, &step, "<x>", "of quantization, in mean sizes of a matrix's numbers (1)", 1e-6, 1e6 },
	{ 0, "codes", SG_OPT_INT, &codes, "<n>", "tiles that are learned (64)", 1, 4096 },
	{ 0 }
};

static int print_json(const struct sg_tiles *t)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "state", t->state);
	sg_json_put_i64(w, "matrices", (int64_t)t->matrices);
	sg_json_put_i64(w, "numbers", (int64_t)t->numbers);
	sg_jsonw_key(w, "dictionaries");
	sg_jsonw_array(w);
	for (size_t i = 0; i < t->n; i++) {
		const struct sg_tiles_line *l = &t->line[i];

		sg_jsonw_object(w);
		sg_json_put_str(w, "dictionary", l->dictionary);
		sg_json_put_i64(w, "tiles", (int64_t)l->tiles);
		sg_json_put_i64(w, "codes", (int64_t)l->codes);
		sg_json_put_f64(w, "reuse", l->reuse);
		sg_json_put_f64(w, "l1", l->l1);
		sg_json_put_f64(w, "l2", l->l2);
		sg_json_put_f64(w, "worst", l->worst);
		sg_json_put_i64(w, "bytes", (int64_t)l->bytes);
		sg_json_put_i64(w, "raw_bytes", (int64_t)l->raw);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_table(const struct sg_tiles *t)
{
	struct sg_table s;
	int rc;

	sg_table_init(&s, "DICTIONARY|>TILES|>CODES|>REUSE|>ERROR L1|>ERROR L2|>WORST|>BYTES|>OF F32", true);
	for (size_t i = 0; i < t->n; i++) {
		const struct sg_tiles_line *l = &t->line[i];

		sg_table_color(&s, SG_BOLD, "%s", l->dictionary);
		sg_table_add(&s, "%llu", (unsigned long long)l->tiles);
		sg_table_add(&s, "%llu", (unsigned long long)l->codes);
		sg_table_add(&s, "%.4f", l->reuse);
		sg_table_add(&s, "%.4f", l->l1);
		sg_table_add(&s, "%.4f", l->l2);
		sg_table_add(&s, "%.4f", l->worst);
		sg_table_add(&s, "%llu", (unsigned long long)l->bytes);
		sg_table_add(&s, "%.1f %%", 100 * (double)l->bytes / (double)l->raw);
		sg_table_row(&s);
	}
	rc = sg_table_print(&s, stdout);
	sg_table_release(&s);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_tiles_opts o = { .rev = rev, .sites = sites, .graft = graft, .signature = signature, .tile = (uint64_t)tile,
				   .codes = (uint64_t)codes, .step = step };
	struct sg_tiles t;
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	SG_TRY(sg_tiles(&t, ctx->repo, &o, &ctx->progress));
	sg_progress_end();
	rc = ctx->json ? print_json(&t) : print_table(&t);
	sg_tiles_release(&t);
	return rc;
}

const struct sg_cmd sg_cmd_codebook = {
	.name = "codebook", .group = "look",
	.args = "[--rev <rev>] [--sites <globs>] [--graft <graft>] [--signature exact|quantized|stats] [--tile <n>] "
		"[--step <x>] [--codes <n>] [--json]",
	.brief = "Make up matrices from a few tiles: error against bytes.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
