/* A new base that holds part of the stack. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"

static bool fold, structural, force;
static const char *out, *dtype, *message;

static const struct sg_opt opts[] = {
	{ 0, "fold", SG_OPT_FLAG, &fold, NULL, "put changes of linear maps into the base's weights", 0, 0 },
	{ 0, "structural", SG_OPT_FLAG, &structural, NULL, "make grown layers blocks of the base", 0, 0 },
	{ 'o', "out", SG_OPT_STR, &out, "<dir>", "write the new base there, not into the registry", 0, 0 },
	{ 0, "dtype", SG_OPT_CHOICE, &dtype, "stored|F32|BF16|F16", "type of the new base's numbers", 0, 0 },
	{ 'f', "force", SG_OPT_FLAG, &force, NULL, "also when a tensor or a gate says no", 0, 0 },
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "why, for the commit", 0, 0 },
	{ 0 }
};

static void put_names(struct sg_jsonw *w, const char *key, const struct sg_names *l)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++)
		sg_jsonw_str(w, l->name[i]);
	sg_jsonw_end(w, ']');
}

static int print_json(const struct sg_consolidate_info *i)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "base", i->base);
	sg_json_put_str(w, "old_base", i->old_base);
	sg_json_put_str(w, "commit", *i->commit ? i->commit : NULL);
	put_names(w, "replaces", &i->replaced);
	put_names(w, "carried", &i->carried);
	put_names(w, "carried_from", &i->carried_from);
	sg_json_put_bool(w, "identical", i->identical);
	sg_verdict_put(w, &i->v);
	sg_fold_put(w, &i->table);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_text(const struct sg_consolidate_info *i, bool no)
{
	SG_TRY(sg_fold_print(&i->table, 20));
	if (i->v.n)
		SG_TRY(sg_verdict_print(&i->v));
	if (no) {
		printf("not consolidated: the base stays %.16s\n", i->old_base);
		return 0;
	}
	printf("consolidated %zu %s into base %.16s (was %.16s), state %.16s\n", i->replaced.n,
	       i->replaced.n == 1 ? "graft" : "grafts", i->base, i->old_base, i->v.state);
	for (size_t k = 0; k < i->carried.n; k++)
		printf("graft %.16s goes on as %.16s\n", i->carried_from.name[k], i->carried.name[k]);
	if (i->identical)
		printf("every loss is what it was, bit by bit\n");
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_consolidate_info i = { .identical = false };
	struct sg_consolidate_opts o = {
		.fold = fold, .structural = structural, .out = out, .dtype = dtype, .message = message, .force = force,
	};
	int no, rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	no = rc = sg_consolidate(&i, ctx->repo, &o, &ctx->progress);
	sg_progress_end();
	if (rc >= 0)
		rc = ctx->json ? print_json(&i) : ctx->quiet ? 0 : print_text(&i, no);
	sg_consolidate_info_release(&i);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_consolidate = {
	.name = "consolidate", .group = "change",
	.args = "[--fold] [--structural] [--out <dir>] [--dtype <type>] [--force] [-m <text>]",
	.brief = "Make a new base that holds part of the stack.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
