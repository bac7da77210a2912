/* Take grafts out of the stack. */
#include "cmd/look.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"

static bool cascade, force, unmeasured;
static const char *message;

static const struct sg_opt opts[] = {
	{ 0, "cascade", SG_OPT_FLAG, &cascade, NULL, "take out the grafts that require it too", 0, 0 },
	{ 'f', "force", SG_OPT_FLAG, &force, NULL, "also when a gate rejects, or nothing can be measured", 0, 0 },
	{ 0, "no-validate", SG_OPT_FLAG, &unmeasured, NULL, "measure nothing", 0, 0 },
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "why, for the commit", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_revert_info *i)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "graft", i->v.graft);
	sg_json_put_str(w, "name", i->v.name);
	sg_json_put_str(w, "commit", *i->commit ? i->commit : NULL);
	sg_json_put_str(w, "accept", *i->accept ? i->accept : NULL);
	sg_look_put_names(w, "grafts", &i->grafts);
	sg_jsonw_key(w, "removed");
	sg_jsonw_array(w);
	for (size_t k = 0; k < i->removed.n; k++)
		sg_jsonw_str(w, i->removed.name[k]);
	sg_jsonw_end(w, ']');
	sg_json_put_bool(w, "measured", i->measured);
	sg_json_put_bool(w, "restored", i->restored);
	sg_verdict_put(w, &i->v);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

/* The graft, or how many. */
static const char *what_of(const struct sg_revert_info *i)
{
	static char text[40];

	if (i->grafts.n == 1)
		return sg_graft_word(i->v.name, i->v.graft);
	snprintf(text, sizeof(text), "%zu grafts", i->grafts.n);
	return text;
}

static int print_text(const struct sg_revert_info *i, bool no)
{
	bool one = i->grafts.n == 1;
	size_t more = i->removed.n - i->grafts.n;

	if (i->measured)
		SG_TRY(sg_verdict_print(&i->v));
	if (no) {
		printf("not reverted: %s stay%s (--force takes %s out all the same)\n", what_of(i), one ? "s" : "",
		       one ? "it" : "them");
		return 0;
	}
	printf("reverted %s", what_of(i));
	if (more)
		printf(" and %zu that require%s %s", more, more > 1 ? "" : "s", one ? "it" : "them");
	printf(", state %.16s\n", i->v.state);
	if (i->restored)
		printf("every loss is what it was before %s came in, bit by bit\n", one ? "the graft" : "they");
	if (!i->measured)
		printf("the effect was not measured\n");
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_revert_info i = { .measured = false };
	struct sg_revert_opts o = { .message = message, .cascade = cascade, .force = force, .unmeasured = unmeasured };
	int no, rc = sg_cmd_args(argc, 1, -1);

	for (int k = 0; rc >= 0 && k < argc; k++)
		rc = sg_names_add(&o.words, argv[k]);
	if (rc >= 0)
		rc = sg_revert(&i, ctx->repo, &o, &ctx->progress);
	no = rc;
	sg_progress_end();
	if (rc >= 0)
		rc = sg_cmd_shown(ctx->json ? print_json(&i) : ctx->quiet ? 0 : print_text(&i, no));
	sg_names_release(&o.words);
	sg_revert_info_release(&i);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_revert = {
	.name = "revert", .group = "change", .args = "[--cascade] [--force] [--no-validate] [-m <text>] <graft> ...",
	.brief = "Take grafts out of the stack.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
