/* Take what grew here to another registry. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/shared.h"
#include "sg.h"

static struct sg_push_opts in;
static struct sg_opt_list leases;
static const struct sg_opt opts[] = {
	{ 0, "candidates", SG_OPT_FLAG, &in.candidates, NULL, "also all that waits to be judged, with its reports", 0, 0 },
	{ 0, "tags", SG_OPT_FLAG, &in.tags, NULL, "also all tags", 0, 0 },
	{ 0, "link", SG_OPT_FLAG, &in.link, NULL, "to a path on this machine: share the packs instead of copying", 0, 0 },
	{ 0, "force-with-lease", SG_OPT_MAYBE, &leases, "<ref>[:<commit>]",
	  "replace what is there, if it is what was last seen", 0, 0 },
	{ 0 },
};

/* Refs and leases by name, from the command line. */
static int read_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		SG_TRY(sg_names_add(&in.refs, argv[i]));
	for (size_t i = 0; i < leases.n; i++) {
		if (*leases.item[i])
			SG_TRY(sg_names_add(&in.leases, leases.item[i]));
		else
			in.lease = true;
	}
	in.remote = argc ? argv[0] : NULL;
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_shared s = { 0 };
	int rc = read_words(argc, argv), no;

	if (rc >= 0)
		rc = sg_share_push(&s, ctx->repo, &in, &ctx->progress);
	sg_progress_end();
	no = rc;
	if (rc >= 0 && ctx->json)
		rc = sg_shared_json(&s);
	else if (rc >= 0)
		sg_shared_print(ctx, &s, true);
	sg_shared_release(&s);
	sg_names_release(&in.refs);
	sg_names_release(&in.leases);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_push = {
	.name = "push", .group = "share",
	.args = "[--candidates] [--tags] [--force-with-lease[=<ref>[:<commit>]]] [--link] [--json] [<remote> [<ref> ...]]",
	.brief = "Take branches, tags and candidates to another registry.", .opts = opts,
	.flags = SG_CMD_REPO, .run = run,
};
