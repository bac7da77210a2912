/* Take in grafts that another line accepted. */
#include "cmd/look.h"
#include "cmd/progress.h"
#include "cmd/verdict.h"

static const char *message;

static const struct sg_opt opts[] = {
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "why, for the commits", 0, 0 },
	{ 0 }
};

static int print_json(const struct sg_picked_list *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_picked *p = &l->pick[i];

		sg_jsonw_object(w);
		sg_json_put_str(w, "graft", p->v.graft);
		sg_look_put(w, "name", p->v.name);
		sg_json_put_str(w, "from", p->from);
		sg_look_put_id(w, "commit", p->commit);
		sg_verdict_put(w, &p->v);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	return sg_print_json_end();
}

static int print_text(const struct sg_picked_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_picked *p = &l->pick[i];

		SG_TRY(sg_verdict_print(&p->v));
		if (*p->commit)
			printf("picked %s from %.*s, state %.16s\n", sg_graft_word(p->v.name, p->v.graft), SG_COMMIT_SHOWN,
			       p->from, p->v.state);
		else
			printf("not picked: %s, %s\n", sg_graft_word(p->v.name, p->v.graft), sg_verdict_word(p->v.verdict));
	}
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_names word = { 0 };
	struct sg_picked_list l = { 0 };
	int rc = sg_cmd_args(argc, 1, -1), no;

	for (int i = 0; rc >= 0 && i < argc; i++)
		rc = sg_names_add(&word, argv[i]);
	if (rc >= 0)
		rc = sg_cherry_pick(&l, ctx->repo, &word, message, &ctx->progress);
	no = rc;
	sg_progress_end();
	if (rc >= 0)
		rc = sg_cmd_shown(ctx->json ? print_json(&l) : ctx->quiet ? 0 : print_text(&l));
	sg_names_release(&word);
	sg_picked_list_release(&l);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_cherry_pick = {
	.name = "cherry-pick", .group = "change", .args = "[-m <text>] <graft> ...",
	.brief = "Take in grafts that another line accepted.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
