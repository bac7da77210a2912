/* The composition as one plain checkpoint, or one graft as an adapter. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"

static bool force;
static const char *format, *rev, *cand, *dtype;

static const struct sg_opt opts[] = {
	{ 0, "format", SG_OPT_CHOICE, &format, "hf|peft",
	  "hf: a folder as Hugging Face's libraries load it; peft: one graft as an adapter of PEFT", 0, 0 },
	{ 0, "rev", SG_OPT_STR, &rev, "<rev>", "the composition of this revision, not of HEAD", 0, 0 },
	{ 0, "cand", SG_OPT_STR, &cand, "<graft>", "with this candidate on top", 0, 0 },
	{ 0, "dtype", SG_OPT_CHOICE, &dtype, "stored|F32|BF16|F16", "type of the numbers", 0, 0 },
	{ 'f', "force", SG_OPT_FLAG, &force, NULL, "also when a tensor lost too much of its change", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_export_info *i, const char *dir)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "folder", dir);
	sg_json_put_bool(w, "written", i->written);
	sg_json_put_str(w, "state", i->state);
	sg_json_put_i64(w, "tensor_count", (int64_t)i->tensors);
	sg_json_put_i64(w, "layers", (int64_t)i->layers);
	sg_json_put_i64(w, "bytes", (int64_t)i->bytes);
	sg_fold_put(w, &i->table);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_text(const struct sg_export_info *i, const char *dir)
{
	SG_TRY(sg_fold_print(&i->table, 20));
	if (i->written)
		printf("wrote %s: %zu tensors, %zu layers, %s, state %.16s\n", sg_print_safe(dir), i->tensors, i->layers,
		       sg_print_bytes(i->bytes), i->state);
	else
		printf("not written: too little is left of a change (--force writes it all the same)\n");
	return 0;
}

/* --- one graft ------------------------------------------------------------------ */

static int adapter_json(const struct sg_peft_info *i, const char *dir)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "folder", dir);
	sg_json_put_str(w, "graft", i->id);
	sg_json_put_str(w, "name", i->name);
	sg_json_put_str(w, "type", i->type);
	sg_json_put_i64(w, "modules", (int64_t)i->modules);
	sg_json_put_i64(w, "rank", (int64_t)i->rank);
	sg_json_put_f64(w, "alpha", i->alpha);
	sg_json_put_i64(w, "bytes", (int64_t)i->bytes);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int adapter(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_peft_info i = { .name = NULL };
	struct sg_export_peft_opts o = { .rev = rev, .dir = argv[0], .graft = argc > 1 ? argv[1] : NULL };
	int rc;

	if (dtype || force || cand)
		return sg_fail(SG_E_USAGE, "--cand, --dtype and --force go with --format hf: an adapter is one graft, in F32");
	rc = sg_export_peft(&i, ctx->repo, &o, &ctx->progress);
	sg_progress_end();
	if (rc >= 0 && ctx->json)
		rc = adapter_json(&i, argv[0]);
	else if (rc >= 0 && !ctx->quiet)
		printf("wrote %s: graft %.16s%s%s, %s on %zu modules, rank %llu, alpha %g, %s\n", sg_print_safe(argv[0]), i.id,
		       i.name ? " " : "", sg_print_safe(i.name), i.type, i.modules, (unsigned long long)i.rank, i.alpha,
		       sg_print_bytes(i.bytes));
	sg_peft_info_release(&i);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_export_info i = { .tensors = 0 };
	struct sg_export_opts o = { .rev = rev, .cand = cand, .dtype = dtype, .force = force };
	int no, rc;

	SG_TRY(sg_cmd_args(argc, 1, 2));
	if (!format)
		return sg_fail(SG_E_USAGE, "--format is missing");
	if (!strcmp(format, "peft"))
		return adapter(ctx, argc, argv);
	SG_TRY(sg_cmd_args(argc, 1, 1));
	o.dir = argv[0];
	no = rc = sg_export_hf(&i, ctx->repo, &o, &ctx->progress);
	sg_progress_end();
	if (rc >= 0)
		rc = ctx->json ? print_json(&i, argv[0]) : ctx->quiet ? 0 : print_text(&i, argv[0]);
	sg_export_info_release(&i);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_export = {
	.name = "export", .group = "share", .args =
		"--format hf [--rev <rev>] [--cand <graft>] [--dtype <type>] [--force] <dir>\n"
		"--format peft [--rev <rev>] <dir> [<graft>]",
	.brief = "Write the composed model, or a graft, for other programs.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
