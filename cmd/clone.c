/* A registry made from another one. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/shared.h"
#include "sg.h"
#include <stdlib.h>

static bool candidates, use_links;
static const struct sg_opt opts[] = {
	{ 0, "candidates", SG_OPT_FLAG, &candidates, NULL, "also what waits to be judged there, with its reports", 0, 0 },
	{ 0, "link", SG_OPT_FLAG, &use_links, NULL, "from a path on this machine: share the packs instead of copying", 0, 0 },
	{ 0 },
};

/* What is still to be done before it can be used. The clone stands whether or not
 * this can be said. */
static void say_next(const char *dir)
{
	struct sg_open_opts o = { .start = dir, .device = "cpu" };
	struct sg_data_list l = { 0 };
	struct sg_base_info b = { 0 };
	struct sg_repo *r;
	size_t absent = 0;
	int rc;

	if (sg_open(&r, &o) < 0)
		return;
	rc = sg_base_info(&b, r, NULL);
	if (rc >= 0)
		rc = sg_data_list(&l, r, NULL);
	if (rc >= 0 && !b.embedded && !b.made && !b.path)
		printf("the base's weights are not in it: say where they are with 'sg base bind PATH'\n");
	for (size_t i = 0; i < l.n; i++)
		absent += !l.set[i].present;
	if (rc >= 0 && absent)
		printf("tokens of %zu data set%s are not here: 'sg data add' of the same files brings them back\n", absent,
		       absent == 1 ? "" : "s");
	sg_data_list_release(&l);
	sg_base_info_release(&b);
	sg_close(r);
}

static int print_json(const struct sg_shared *s, const char *dir)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_jsonw_key(w, "dir");
	sg_jsonw_text(w, dir, strlen(dir));
	sg_shared_put(w, s);
	sg_json_put_i64(w, "data_sets", (int64_t)s->shards);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static void print(struct sg_ctx *ctx, const struct sg_shared *s, const char *dir)
{
	if (ctx->quiet)
		return;
	printf("cloned into %s\n", sg_print_safe(dir));
	sg_shared_print(ctx, s, false);
	if (s->shards)
		printf("tokens of %zu data set%s came along\n", s->shards, s->shards == 1 ? "" : "s");
	/* the folder that was made, whatever the environment names */
	unsetenv("SG_DIR");
	say_next(dir);
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_shared s = { 0 };
	char *dir = NULL;
	int rc, no;

	SG_TRY(sg_cmd_args(argc, 1, 2));
	SG_TRY(no = sg_share_clone(&s, &dir, argv[0], argc > 1 ? argv[1] : NULL, candidates, use_links, &ctx->progress));
	sg_progress_end();
	rc = ctx->json ? print_json(&s, dir) : 0;
	if (!ctx->json)
		print(ctx, &s, dir);
	sg_shared_release(&s);
	free(dir);
	return rc < 0 ? rc : no;
}

const struct sg_cmd sg_cmd_clone = {
	.name = "clone", .group = "start", .args = "[--candidates] [--link] [--json] <url> [<dir>]",
	.brief = "Make a registry from another one.", .opts = opts, .run = run,
};
