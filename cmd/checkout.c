/* Which line grows. */
#include "cmd/look.h"

static const char *fresh;

static const struct sg_opt opts[] = {
	{ 'b', "branch", SG_OPT_STR, &fresh, "<new>", "make this branch first", 0, 0 },
	{ 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	const char *name = fresh ? fresh : argc ? argv[0] : NULL;
	struct sg_step s = { 0 };
	char *before = NULL;
	int rc = 0, same;

	SG_TRY(sg_cmd_args(argc, fresh ? 0 : 1, 1));
	if (fresh)
		SG_TRY(sg_branch_make(ctx->repo, fresh, argc ? argv[0] : NULL));
	same = sg_checkout(ctx->repo, name);
	if (same < 0)
		return same;
	if (!strcmp(name, "-")) {
		SG_TRY(sg_branch_current(&before, ctx->repo));
		name = before;
	}
	if (ctx->json) {
		rc = sg_step_read(&s, ctx->repo, NULL);
		if (rc >= 0)
			rc = sg_look_said("on", name, s.commit);
		sg_step_release(&s);
	} else if (!ctx->quiet) {
		printf("%s branch %s\n", same ? "already on" : "now on", sg_print_safe(name));
	}
	free(before);
	return rc;
}

const struct sg_cmd sg_cmd_checkout = {
	.name = "checkout", .group = "change", .args = "<branch>\n-b <new> [<rev>]",
	.brief = "Make another line the one that grows.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
