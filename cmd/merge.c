/* Take another line of growth into this one. */
#include "cmd/look.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"

static bool ours, theirs, both, no_ff, ff_only, force, unmeasured, dry_run;
static const char *message;

static const struct sg_opt opts[] = {
	{ 0, "ours", SG_OPT_FLAG, &ours, NULL, "where both lines did something, what this line did stands", 0, 0 },
	{ 0, "theirs", SG_OPT_FLAG, &theirs, NULL, "what the other line did stands", 0, 0 },
	{ 0, "both", SG_OPT_FLAG, &both, NULL, "the grafts of both stand", 0, 0 },
	{ 0, "no-ff", SG_OPT_FLAG, &no_ff, NULL, "make a merge commit where moving forward would do", 0, 0 },
	{ 0, "ff-only", SG_OPT_FLAG, &ff_only, NULL, "move forward or do nothing", 0, 0 },
	{ 'f', "force", SG_OPT_FLAG, &force, NULL, "also when a gate rejects, or nothing can be measured", 0, 0 },
	{ 0, "no-validate", SG_OPT_FLAG, &unmeasured, NULL, "measure nothing", 0, 0 },
	{ 'n', "dry-run", SG_OPT_FLAG, &dry_run, NULL, "say what would happen; measure and change nothing", 0, 0 },
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "why, for the commit", 0, 0 },
	{ 0 }
};

/* --- JSON ------------------------------------------------------------------------ */

static void grafts_json(struct sg_jsonw *w, const struct sg_merge_info *i)
{
	sg_jsonw_key(w, "grafts");
	sg_jsonw_array(w);
	for (size_t k = 0; k < i->n; k++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "what", i->graft[k].what);
		sg_look_graft_json(w, &i->graft[k].info);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void conflicts_json(struct sg_jsonw *w, const struct sg_merge_info *i)
{
	sg_jsonw_key(w, "conflicts");
	sg_jsonw_array(w);
	for (size_t k = 0; k < i->n_conflicts; k++) {
		const struct sg_conflict *c = &i->conflict[k];

		sg_jsonw_object(w);
		sg_json_put_str(w, "kind", c->kind);
		sg_look_put(w, "subject", c->subject);
		sg_look_put(w, "ours", *c->ours ? c->ours : NULL);
		sg_look_put(w, "theirs", *c->theirs ? c->theirs : NULL);
		sg_look_put(w, "text", c->text);
		sg_json_put_bool(w, "decided", c->decided);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int print_json(const struct sg_merge_info *i)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "result", sg_merge_result_name(i->result));
	sg_look_put_id(w, "commit", i->commit);
	sg_json_put_str(w, "ours", i->ours);
	sg_json_put_str(w, "theirs", i->theirs);
	sg_json_put_str(w, "base", i->base);
	grafts_json(w, i);
	sg_look_put_names(w, "data_in", &i->data_in);
	sg_look_put_names(w, "data_out", &i->data_out);
	sg_json_put_bool(w, "policy", i->policy);
	conflicts_json(w, i);
	sg_json_put_bool(w, "measured", i->measured);
	if (i->measured) {
		sg_verdict_put(w, &i->v);
	} else {
		sg_look_put_id(w, "state", i->state);
		sg_json_put_str(w, "prev_state", i->prev);
	}
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

/* --- text ------------------------------------------------------------------------ */

static void print_conflicts(const struct sg_merge_info *i)
{
	for (size_t k = 0; k < i->n_conflicts; k++) {
		const struct sg_conflict *c = &i->conflict[k];

		printf("%s%s%s %s: %s\n", sg_print_color(c->decided ? SG_YELLOW : SG_RED), c->decided ? "decided" : "conflict",
		       sg_print_color(SG_PLAIN), c->kind, sg_print_safe(c->text));
	}
}

static void print_plan(const struct sg_merge_info *i)
{
	for (size_t k = 0; k < i->n; k++) {
		const struct sg_graft_info *g = &i->graft[k].info;

		printf("  %-5s %s", i->graft[k].what, sg_graft_word(g->name, g->id));
		printf(" %s on %s\n", sg_print_safe(g->type ? g->type : ""), sg_look_sites(g->sites.n));
	}
	for (size_t k = 0; k < i->data_in.n; k++)
		printf("  in    data set %s\n", sg_print_safe(i->data_in.name[k]));
	for (size_t k = 0; k < i->data_out.n; k++)
		printf("  out   data set %s\n", sg_print_safe(i->data_out.name[k]));
	if (i->policy)
		printf("  in    policy\n");
	print_conflicts(i);
}

static void print_result(const struct sg_merge_info *i, const char *rev)
{
	const char *word = sg_print_safe(rev);

	switch (i->result) {
	case SG_MERGE_SAME:
		printf("already up to date with %s\n", word);
		break;
	case SG_MERGE_FORWARD:
		printf("%s forward to %s, %.*s, state %.16s\n", dry_run ? "would move" : "moved", word,
		       SG_COMMIT_SHOWN, i->theirs, i->state);
		break;
	case SG_MERGE_DONE:
		printf("%s %s, state %.16s\n", dry_run ? "would merge" : "merged", word, i->state);
		if (!i->measured && !dry_run && strcmp(i->state, i->prev))
			printf("the effect was not measured\n");
		break;
	case SG_MERGE_CONFLICT:
		printf("not merged: %zu %s to decide (--ours, --theirs or, for grafts, --both)\n", i->undecided,
		       i->undecided == 1 ? "conflict" : "conflicts");
		break;
	case SG_MERGE_GATES:
		printf("not merged: %s does not stand on this line (--force merges all the same)\n", word);
	}
}

static int print_text(const struct sg_merge_info *i, const char *rev)
{
	print_plan(i);
	if (i->measured)
		SG_TRY(sg_verdict_print(&i->v));
	print_result(i, rev);
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_merge_info i = { .n = 0 };
	struct sg_merge_opts o = {
		.message = message, .no_ff = no_ff, .ff_only = ff_only, .force = force, .unmeasured = unmeasured,
		.dry_run = dry_run,
		.side = ours ? SG_MERGE_OURS : theirs ? SG_MERGE_THEIRS : both ? SG_MERGE_BOTH : SG_MERGE_ASK,
	};
	int no, rc;

	if (ours + theirs + both > 1)
		return sg_fail(SG_E_USAGE, "--ours, --theirs and --both exclude one another");
	SG_TRY(sg_cmd_args(argc, 1, 1));
	o.rev = argv[0];
	no = rc = sg_merge(&i, ctx->repo, &o, &ctx->progress);
	sg_progress_end();
	if (rc >= 0)
		rc = sg_cmd_shown(ctx->json ? print_json(&i) : ctx->quiet ? 0 : print_text(&i, o.rev));
	sg_merge_info_release(&i);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_merge = {
	.name = "merge", .group = "change",
	.args = "[--ours | --theirs | --both] [--no-ff | --ff-only] [--force] [--no-validate] [-n] [-m <text>] <rev>",
	.brief = "Take another line of growth into this one.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
