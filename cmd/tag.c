/* Releases: list, make, delete. */
#include "cmd/look.h"

static bool delete, light;
static const char *message;

static const struct sg_opt opts[] = {
	{ 'm', "message", SG_OPT_STR, &message, "<msg>", "what the tag says", 0, 0 },
	{ 0, "light", SG_OPT_FLAG, &light, NULL, "a plain name: no message, no date, no author", 0, 0 },
	{ 'd', "delete", SG_OPT_FLAG, &delete, NULL, "delete the tag", 0, 0 },
	{ 0 }
};

static void print_json(const struct sg_tag_list *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_tag_info *t = &l->tag[i];

		sg_jsonw_object(w);
		sg_look_put(w, "name", t->name);
		sg_look_put_id(w, "commit", t->commit);
		sg_json_put_bool(w, "annotated", t->message != NULL);
		sg_look_put(w, "message", t->message);
		sg_look_put(w, "tagger", t->tagger);
		sg_json_put_i64(w, "time", t->time);
		sg_json_put_bool(w, "signature", t->has_signature);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int print_table(const struct sg_tag_list *l)
{
	struct sg_table t;

	sg_table_init(&t, "name|commit|time|message", false);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_tag_info *g = &l->tag[i];

		sg_table_color(&t, SG_YELLOW, "%s", g->name);
		sg_table_add(&t, "%.*s", SG_COMMIT_SHOWN, *g->commit ? g->commit : "no commit");
		sg_table_add(&t, "%s", sg_print_time(g->time));
		sg_table_add(&t, "%.*s", g->message ? (int)strcspn(g->message, "\n") : 0, g->message ? g->message : "");
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

static int list(const struct sg_ctx *ctx)
{
	struct sg_tag_list l = { 0 };
	int rc;

	SG_TRY(sg_tag_list(&l, ctx->repo));
	if (ctx->json)
		print_json(&l);
	rc = ctx->json ? sg_print_json_end() : print_table(&l);
	sg_tag_list_release(&l);
	return rc;
}

static int drop(const struct sg_ctx *ctx, const char *name)
{
	char was[SG_COMMIT_HEX];

	SG_TRY(sg_tag_remove(ctx->repo, name, was));
	if (ctx->json)
		return sg_look_said("deleted", name, was);
	if (!ctx->quiet)
		printf("deleted tag %s (was %.*s)\n", sg_print_safe(name), SG_COMMIT_SHOWN, was);
	return 0;
}

static int make(const struct sg_ctx *ctx, const char *name, const char *rev)
{
	struct sg_step s = { 0 };
	int rc;

	SG_TRY(sg_tag_add(ctx->repo, name, rev, light ? NULL : message ? message : name));
	if (!ctx->json)
		return 0;
	SG_TRY(sg_step_read(&s, ctx->repo, rev));
	rc = sg_look_said("made", name, s.commit);
	sg_step_release(&s);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	if (message && (light || delete || !argc))
		return sg_fail(SG_E_USAGE, "-m goes with making an annotated tag");
	if (light && (delete || !argc))
		return sg_fail(SG_E_USAGE, "--light goes with making a tag");
	SG_TRY(sg_cmd_args(argc, delete ? 1 : 0, delete ? 1 : 2));
	if (!argc)
		return list(ctx);
	return delete ? drop(ctx, argv[0]) : make(ctx, argv[0], argc > 1 ? argv[1] : NULL);
}

const struct sg_cmd sg_cmd_tag = {
	.name = "tag", .group = "change", .args = "[--json]\n[-m <msg>] [--light] <name> [<rev>]\n-d <name>",
	.brief = "List, make and delete releases.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
