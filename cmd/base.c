/* The base: what is pinned, and where its weights are. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static void put_config(struct sg_jsonw *w, const char *text)
{
	struct sg_json_doc doc = { 0 };

	sg_jsonw_key(w, "config");
	if (sg_json_parse(&doc, text, strlen(text), "config.json") >= 0)
		sg_jsonw_node(w, sg_json_root(&doc));
	else
		sg_jsonw_null(w);
	sg_json_release(&doc);
}

static int print_json(const struct sg_base_info *b)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "base", b->id);
	sg_json_put_str(w, "arch", b->arch);
	sg_json_put_i64(w, "tensors", (int64_t)b->tensors);
	sg_json_put_i64(w, "parameters", (int64_t)b->parameters);
	sg_json_put_bool(w, "made", b->made);
	sg_json_put_bool(w, "embedded", b->embedded);
	sg_json_put_str(w, "path", b->path);
	put_config(w, b->config);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static const char *whereabouts(const struct sg_base_info *b)
{
	if (b->made)
		return "made from a seed, nothing to keep";
	if (b->embedded)
		return "in the registry";
	return b->path ? sg_print_safe(b->path) : "not bound on this machine; 'sg base bind PATH' says where they are";
}

static int show(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_base_info b;
	int rc = 0;

	(void)argc, (void)argv;
	SG_TRY(sg_base_info(&b, ctx->repo, NULL));
	if (ctx->json) {
		rc = print_json(&b);
	} else {
		printf("base        %s\n", b.id);
		printf("arch        %s\n", sg_print_safe(b.arch));
		printf("tensors     %zu\n", b.tensors);
		printf("parameters  %llu\n", (unsigned long long)b.parameters);
		printf("weights     %s\n", whereabouts(&b));
		if (ctx->verbose) {
			sg_print_text(stdout, b.config, strlen(b.config));
			putchar('\n');
		}
	}
	sg_base_info_release(&b);
	return rc;
}

static int say(struct sg_ctx *ctx, const char *what)
{
	struct sg_base_info b;
	int rc = sg_base_info(&b, ctx->repo, NULL);

	if (rc < 0)
		return rc;
	if (ctx->json)
		rc = print_json(&b);
	else if (!ctx->quiet)
		printf("%s base %.16s: %zu tensors\n", what, b.id, b.tensors);
	sg_base_info_release(&b);
	return rc;
}

static int bind(struct sg_ctx *ctx, int argc, char **argv)
{
	(void)argc;
	SG_TRY(sg_base_bind(ctx->repo, argv[0], &ctx->progress));
	return say(ctx, "bound");
}

static int verify(struct sg_ctx *ctx, int argc, char **argv)
{
	(void)argc, (void)argv;
	SG_TRY(sg_base_verify(ctx->repo, &ctx->progress));
	return say(ctx, "verified");
}

static const struct sg_verb verbs[] = {
	{ "show", 0, 0, show }, { "bind", 1, 1, bind }, { "verify", 0, 0, verify }, { 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	return sg_cmd_verbs(verbs, ctx, argc, argv);
}

const struct sg_cmd sg_cmd_base = {
	.name = "base", .group = "start", .args = "[show] [--json]\nbind [--json] <path>\nverify [--json]",
	.brief = "Show the base, say where its weights are, or hash them again.", .flags = SG_CMD_REPO, .run = run,
};
