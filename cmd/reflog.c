/* What a branch or HEAD was before. */
#include "cmd/look.h"

static int64_t max_count;

static const struct sg_opt opts[] = {
	{ 'n', "max-count", SG_OPT_INT, &max_count, "<n>", "at most so many", 1, INT64_MAX },
	{ 0 }
};

static size_t shown(const struct sg_reflog *l)
{
	return max_count ? (size_t)SG_MIN((uint64_t)max_count, (uint64_t)l->n) : l->n;
}

static int print_json(const struct sg_reflog *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_array(w);
	for (size_t i = 0; i < shown(l); i++) {
		const struct sg_reflog_line *e = &l->line[i];
		char *rev = NULL;

		if (asprintf(&rev, "%s@{%zu}", l->ref, i) < 0)
			return sg_fail(SG_E_NOMEM, "out of memory");
		sg_jsonw_object(w);
		sg_look_put(w, "rev", rev);
		sg_json_put_str(w, "commit", e->commit);
		sg_look_put_id(w, "old", e->old);
		sg_look_put(w, "message", e->message);
		sg_look_put(w, "who", e->who);
		sg_look_put(w, "email", e->email);
		sg_json_put_i64(w, "time", e->time);
		sg_json_put_bool(w, "here", e->here);
		sg_jsonw_end(w, '}');
		free(rev);
	}
	sg_jsonw_end(w, ']');
	return sg_print_json_end();
}

static void print_text(const struct sg_reflog *l)
{
	for (size_t i = 0; i < shown(l); i++) {
		const struct sg_reflog_line *e = &l->line[i];

		printf("%s%.*s%s %s@{%zu}: ", sg_print_color(SG_YELLOW), SG_COMMIT_SHOWN, e->commit, sg_print_color(SG_PLAIN),
		       sg_print_safe(l->ref), i);
		printf("%s%s\n", sg_print_safe(e->message), e->here ? "" : " (no longer here)");
	}
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_reflog l = { 0 };
	int rc = 0;

	SG_TRY(sg_cmd_args(argc, 0, 1));
	SG_TRY(sg_reflog(&l, ctx->repo, argc ? argv[0] : NULL));
	if (ctx->json)
		rc = print_json(&l);
	else
		print_text(&l);
	sg_reflog_release(&l);
	return rc;
}

const struct sg_cmd sg_cmd_reflog = {
	.name = "reflog", .group = "look", .args = "[--json] [-n <n>] [<ref>]",
	.brief = "List what a branch or HEAD was before.", .opts = opts, .flags = SG_CMD_REPO | SG_CMD_PAGER, .run = run,
};
