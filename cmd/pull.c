/* Fetch, and move the current branch forward. */
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/shared.h"
#include "sg.h"

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_shared s = { 0 };
	int rc, no;

	SG_TRY(sg_cmd_args(argc, 0, 2));
	rc = no = sg_share_pull(&s, ctx->repo, argc ? argv[0] : NULL, argc > 1 ? argv[1] : NULL, &ctx->progress);
	sg_progress_end();
	if (rc >= 0 && ctx->json)
		rc = sg_shared_json(&s);
	else if (rc >= 0)
		sg_shared_print(ctx, &s, false);
	sg_shared_release(&s);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_pull = {
	.name = "pull", .group = "share", .args = "[--json] [<remote> [<branch>]]",
	.brief = "Fetch, and move the current branch forward.", .flags = SG_CMD_REPO, .run = run,
};
