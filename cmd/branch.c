/* Lines of growth: list, make, delete. */
#include "cmd/look.h"

static bool all, delete, force, current;

static const struct sg_opt opts[] = {
	{ 'a', "all", SG_OPT_FLAG, &all, NULL, "list branches of remotes too", 0, 0 },
	{ 'd', "delete", SG_OPT_FLAG, &delete, NULL, "delete the branch", 0, 0 },
	{ 'f', "force", SG_OPT_FLAG, &force, NULL,
	  "move a branch that is there, or delete one that alone holds its steps", 0, 0 },
	{ 0, "current", SG_OPT_FLAG, &current, NULL, "with -f: also the current branch", 0, 0 },
	{ 0 }
};

static void print_json(const struct sg_branch_list *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_branch_info *b = &l->branch[i];

		sg_jsonw_object(w);
		sg_look_put(w, "name", b->name);
		sg_json_put_bool(w, "current", b->current);
		sg_json_put_bool(w, "remote", b->remote);
		sg_json_put_str(w, "commit", b->commit);
		sg_look_put(w, "subject", b->subject);
		sg_json_put_i64(w, "time", b->time);
		sg_json_put_i64(w, "grafts", (int64_t)b->grafts);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int print_table(const struct sg_branch_list *l)
{
	struct sg_table t;

	sg_table_init(&t, "|name|commit|>grafts|subject", false);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_branch_info *b = &l->branch[i];

		sg_table_add(&t, "%s", b->current ? "*" : " ");
		sg_table_color(&t, b->current ? SG_GREEN : b->remote ? SG_RED : SG_PLAIN, "%s", b->name);
		sg_table_add(&t, "%.*s", SG_COMMIT_SHOWN, b->commit);
		sg_table_add(&t, "%zu %s", b->grafts, b->grafts == 1 ? "graft" : "grafts");
		sg_table_add(&t, "%s", b->subject);
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

static int list(const struct sg_ctx *ctx)
{
	struct sg_branch_list l = { 0 };
	int rc;

	SG_TRY(sg_branch_list(&l, ctx->repo, all));
	if (ctx->json)
		print_json(&l);
	rc = ctx->json ? sg_print_json_end() : print_table(&l);
	sg_branch_list_release(&l);
	return rc;
}

static int drop(const struct sg_ctx *ctx, const char *name)
{
	char was[SG_COMMIT_HEX];

	SG_TRY(sg_branch_delete(ctx->repo, name, force, was));
	if (ctx->json)
		return sg_look_said("deleted", name, was);
	if (!ctx->quiet)
		printf("deleted branch %s (was %.*s)\n", sg_print_safe(name), SG_COMMIT_SHOWN, was);
	return 0;
}

/* Makes a branch, or moves one. */
static int point(const struct sg_ctx *ctx, const char *name, const char *rev)
{
	char was[SG_COMMIT_HEX] = "";
	struct sg_step s = { 0 };
	int rc;

	/* read first: a revision like name@{1} means another commit afterwards */
	SG_TRY(sg_step_read(&s, ctx->repo, rev));
	rc = force ? sg_branch_move(ctx->repo, name, rev, current, was) : sg_branch_make(ctx->repo, name, rev);
	if (rc >= 0 && ctx->json)
		rc = sg_look_said(*was ? "moved" : "made", name, s.commit);
	else if (rc >= 0 && *was && !ctx->quiet)
		printf("moved branch %s to %.*s (was %.*s)\n", sg_print_safe(name), SG_COMMIT_SHOWN, s.commit, SG_COMMIT_SHOWN,
		       was);
	sg_step_release(&s);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	if (force && !delete && !argc)
		return sg_fail(SG_E_USAGE, "--force goes with --delete or with a name");
	if (current && (delete || !force))
		return sg_fail(SG_E_USAGE, "--current goes with -f and a name");
	if (all && (argc || delete))
		return sg_fail(SG_E_USAGE, "--all lists and takes no words");
	SG_TRY(sg_cmd_args(argc, delete ? 1 : 0, delete ? 1 : 2));
	if (!argc)
		return list(ctx);
	if (delete)
		return drop(ctx, argv[0]);
	return point(ctx, argv[0], argc > 1 ? argv[1] : NULL);
}

const struct sg_cmd sg_cmd_branch = {
	.name = "branch", .group = "change",
	.args = "[-a] [--json]\n<name> [<rev>]\n-f [--current] <name> [<rev>]\n-d [-f] <name>",
	.brief = "List, make, move and delete lines of growth.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
