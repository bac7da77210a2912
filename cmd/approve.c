/* Sign what a receipt says of a candidate. */
#include "cmd/look.h"

static bool list;

static const struct sg_opt opts[] = {
	{ 'l', "list", SG_OPT_FLAG, &list, NULL, "only show who approved and who has not", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_approved *a)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "graft", a->graft);
	sg_look_put(w, "name", a->name);
	sg_json_put_str(w, "state", a->state);
	sg_look_put_names(w, "approved", &a->by);
	sg_look_put_names(w, "open", &a->open);
	sg_look_put_names(w, "required", &a->required);
	sg_json_put_i64(w, "needed", (int64_t)a->needed);
	sg_json_put_bool(w, "enough", a->enough);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static void print_names(const char *title, const struct sg_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s", i ? ", " : title, sg_print_safe(l->name[i]));
	if (l->n)
		putchar('\n');
}

static void print(const struct sg_approved *a)
{
	printf("graft %.16s%s%s: %zu of %llu approvals%s\n", a->graft, a->name ? " " : "", sg_print_safe(a->name), a->by.n,
	       (unsigned long long)a->needed, a->again ? ", yours was there already" : "");
	print_names("  by        ", &a->by);
	print_names("  required  ", &a->required);
	print_names("  open      ", &a->open);
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_approved a = { 0 };
	int rc = 0;

	SG_TRY(sg_cmd_args(argc, 1, 1));
	SG_TRY(sg_approve(&a, ctx->repo, argv[0], list));
	if (ctx->json)
		rc = sg_cmd_shown(print_json(&a));
	else if (list || !ctx->quiet)
		print(&a);
	if (rc >= 0 && list)
		rc = !a.enough;
	sg_approved_release(&a);
	return rc;
}

const struct sg_cmd sg_cmd_approve = {
	.name = "approve", .group = "grow", .args = "[--list] [--json] <candidate>",
	.brief = "Sign that a candidate may be accepted.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
