/* Is the registry whole? */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static void line(void *arg, const struct sg_problem *p)
{
	(void)arg;
	printf("%s%s%s  %s: %s\n", sg_print_color(p->damage ? SG_RED : SG_DIM), p->damage ? p->kind : "remark",
	       sg_print_color(SG_PLAIN), sg_print_safe(p->object), sg_print_safe(p->text));
}

static void item(void *arg, const struct sg_problem *p)
{
	struct sg_jsonw *w = arg;

	sg_jsonw_object(w);
	sg_json_put_bool(w, "damage", p->damage);
	sg_json_put_str(w, "kind", p->kind);
	sg_jsonw_key(w, "object");
	sg_jsonw_text(w, p->object, strlen(p->object));
	sg_jsonw_key(w, "text");
	sg_jsonw_text(w, p->text, strlen(p->text));
	sg_jsonw_end(w, '}');
}

static int run_json(struct sg_ctx *ctx)
{
	struct sg_jsonw *w = sg_print_json();
	int n;

	sg_jsonw_object(w);
	sg_jsonw_key(w, "problems");
	sg_jsonw_array(w);
	n = sg_check_repo(ctx->repo, item, w, &ctx->progress);
	SG_TRY(n);
	sg_jsonw_end(w, ']');
	sg_json_put_i64(w, "damages", n);
	sg_jsonw_end(w, '}');
	SG_TRY(sg_print_json_end());
	return n > 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	int n;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	if (ctx->json)
		return run_json(ctx);
	n = sg_check_repo(ctx->repo, line, NULL, &ctx->progress);
	SG_TRY(n);
	if (n)
		printf("%d damage%s found\n", n, n == 1 ? "" : "s");
	else if (!ctx->quiet)
		printf("the registry is whole\n");
	return n > 0;
}

const struct sg_cmd sg_cmd_fsck = {
	.name = "fsck", .group = "care", .args = "[--json]",
	.brief = "Check that the registry is whole.", .flags = SG_CMD_REPO, .run = run,
};
