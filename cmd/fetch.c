/* See what grew elsewhere. */
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/shared.h"
#include "sg.h"

static bool candidates, prune, accept;
static const struct sg_opt opts[] = {
	{ 0, "candidates", SG_OPT_FLAG, &candidates, NULL, "also what waits to be judged there, with its reports", 0, 0 },
	{ 0, "accept-rollback", SG_OPT_FLAG, &accept, NULL, "a protected branch may have gone back", 0, 0 },
	{ 'p', "prune", SG_OPT_FLAG, &prune, NULL, "forget branches that are gone there", 0, 0 },
	{ 0 },
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_shared s = { 0 };
	int rc, no;

	SG_TRY(sg_cmd_args(argc, 0, 1));
	rc = no = sg_share_fetch(&s, ctx->repo, argc ? argv[0] : NULL, candidates, prune, accept, &ctx->progress);
	sg_progress_end();
	if (rc >= 0 && ctx->json)
		rc = sg_shared_json(&s);
	else if (rc >= 0)
		sg_shared_print(ctx, &s, false);
	sg_shared_release(&s);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_fetch = {
	.name = "fetch", .group = "share", .args = "[--candidates] [--prune] [--accept-rollback] [--json] [<remote>]",
	.brief = "Bring what is new in another registry, and move nothing.", .opts = opts,
	.flags = SG_CMD_REPO, .run = run,
};
