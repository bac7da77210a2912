/* An adapter that another program trained, as a candidate. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"

static const char *format, *name;

static const struct sg_opt opts[] = {
	{ 0, "format", SG_OPT_CHOICE, &format, "peft", "peft: a folder that the PEFT library saved", 0, 0 },
	{ 'n', "name", SG_OPT_STR, &name, "<name>", "name of the graft", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_peft_info *i)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "graft", i->id);
	sg_json_put_str(w, "name", i->name);
	sg_json_put_str(w, "type", i->type);
	sg_json_put_i64(w, "modules", (int64_t)i->modules);
	sg_json_put_i64(w, "rank", (int64_t)i->rank);
	sg_json_put_f64(w, "alpha", i->alpha);
	sg_json_put_i64(w, "payload_bytes", (int64_t)i->bytes);
	sg_json_put_str(w, "base_model_name_or_path", i->base_name);
	sg_json_put_bool(w, "known", i->known);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int print_text(const struct sg_peft_info *i)
{
	printf("candidate %.16s%s%s: %s on %zu modules, rank %llu, alpha %g, %s%s\n", i->id, i->name ? " " : "",
	       sg_print_safe(i->name), i->type, i->modules, (unsigned long long)i->rank, i->alpha, sg_print_bytes(i->bytes),
	       i->known ? ", which waited already" : "");
	if (i->base_name)
		printf("the adapter says that it is for '%s'; that this is the base here, nothing proves\n",
		       sg_print_safe(i->base_name));
	else
		puts("the adapter does not say what it is for; that the base here is meant, nothing proves");
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_peft_info i = { .name = NULL };
	struct sg_import_opts o = { .name = name };
	int rc;

	SG_TRY(sg_cmd_args(argc, 1, 1));
	if (!format)
		return sg_fail(SG_E_USAGE, "--format is missing");
	o.dir = argv[0];
	rc = sg_import_peft(&i, ctx->repo, &o, &ctx->progress);
	sg_progress_end();
	if (rc >= 0)
		rc = sg_cmd_shown(ctx->json ? print_json(&i) : ctx->quiet ? 0 : print_text(&i));
	sg_peft_info_release(&i);
	return rc;
}

const struct sg_cmd sg_cmd_import = {
	.name = "import", .group = "share", .args = "--format peft [--name <name>] <dir>",
	.brief = "Take an adapter of another program as a candidate.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
