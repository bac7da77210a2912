/* Judge a candidate by the policy's gates. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"
#include "sg.h"

static int64_t window;

static const struct sg_opt opts[] = {
	{ 'w', "window", SG_OPT_INT, &window, "<n>", "tokens of context (what it was trained with)", 1, 1 << 20 },
	{ 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_verdict_info v;
	int rc;

	SG_TRY(sg_cmd_args(argc, 1, 1));
	SG_TRY(sg_validate(&v, ctx->repo, argv[0], (uint64_t)window, &ctx->progress));
	sg_progress_end();
	rc = sg_verdict_tell(ctx, &v);
	if (rc >= 0)
		rc = strcmp(v.verdict, "accept") != 0;
	sg_verdict_info_release(&v);
	return rc;
}

const struct sg_cmd sg_cmd_validate = {
	.name = "validate", .group = "grow", .args = "[--window <n>] [--json] <candidate>",
	.brief = "Judge a candidate by the gates of the policy, and keep the receipt.",
	.opts = opts, .flags = SG_CMD_REPO, .run = run,
};
