/* Set a candidate aside for later; its receipts stay. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static const char *message;

static const struct sg_opt opts[] = {
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "why, for the commit's message", 0, 0 },
	{ 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_jsonw *w;
	char id[SG_SHA256_HEX], ref[64];

	SG_TRY(sg_cmd_args(argc, 1, 1));
	SG_TRY(sg_defer(id, ctx->repo, argv[0], message));
	snprintf(ref, sizeof(ref), "refs/sg/deferred/%.16s", id);
	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		sg_json_put_str(w, "graft", id);
		sg_json_put_str(w, "ref", ref);
		sg_jsonw_end(w, '}');
		return sg_print_json_end();
	}
	if (!ctx->quiet)
		printf("deferred %.16s\n", id);
	return 0;
}

const struct sg_cmd sg_cmd_defer = {
	.name = "defer", .group = "grow", .args = "[-m <text>] [--json] <candidate>",
	.brief = "Set a candidate aside for later, with its receipts.",
	.opts = opts, .flags = SG_CMD_REPO, .run = run,
};
