/* Take a candidate into the line of growth, when its gates say so. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"
#include "sg.h"

static const char *message;

static const struct sg_opt opts[] = {
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "body of the commit's message", 0, 0 },
	{ 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_verdict_info v;
	int rc, said;

	SG_TRY(sg_cmd_args(argc, 1, 1));
	rc = sg_accept(&v, ctx->repo, argv[0], message, &ctx->progress);
	SG_TRY(rc);
	sg_progress_end();
	said = sg_cmd_shown(sg_verdict_tell(ctx, &v));
	sg_verdict_info_release(&v);
	return said < 0 ? said : rc;
}

const struct sg_cmd sg_cmd_accept = {
	.name = "accept", .group = "grow", .args = "[-m <text>] [--json] <candidate>",
	.brief = "Take a candidate in, when the gates of the policy say so.",
	.opts = opts, .flags = SG_CMD_REPO, .run = run,
};
