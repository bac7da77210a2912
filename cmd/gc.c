/* Drop what nothing reaches, and put the rest in order. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static bool dry;
static const char *prune;
static const struct sg_opt opts[] = {
	{ 'n', "dry-run", SG_OPT_FLAG, &dry, NULL, "only say what would go", 0, 0 },
	{ 0, "prune", SG_OPT_STR, &prune, "<age>", "what is older may go: now, never, 12h, 2.weeks.ago", 0, 0 },
	{ 0 },
};

static int print_json(const struct sg_collected *c)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_i64(w, "bytes_after", (int64_t)c->bytes_after);
	sg_json_put_i64(w, "bytes_before", (int64_t)c->bytes_before);
	sg_json_put_i64(w, "dropped", (int64_t)c->dropped);
	sg_json_put_bool(w, "dry_run", dry);
	sg_jsonw_key(w, "faded");
	sg_jsonw_array(w);
	for (size_t i = 0; i < c->n_faded; i++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "id", c->faded[i].id);
		sg_json_put_str(w, "name", c->faded[i].name);
		sg_json_put_i64(w, "since", c->faded[i].since);
		sg_json_put_str(w, "where", c->faded[i].where);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_json_put_i64(w, "loose_after", (int64_t)c->loose_after);
	sg_json_put_i64(w, "loose_before", (int64_t)c->loose_before);
	sg_json_put_i64(w, "packs_after", (int64_t)c->packs_after);
	sg_json_put_i64(w, "packs_before", (int64_t)c->packs_before);
	sg_json_put_i64(w, "waiting", (int64_t)c->waiting);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static void print_text(const struct sg_collected *c)
{
	for (size_t i = 0; i < c->n_faded; i++)
		printf("%s weights of %s %.16s %s, there since %s\n", dry ? "would drop" : "dropped", c->faded[i].where,
		       c->faded[i].id, sg_print_safe(c->faded[i].name), sg_print_time(c->faded[i].since));
	printf("%zu objects that nothing reaches %s\n", c->dropped, dry ? "would go" : "are gone");
	if (c->waiting)
		printf("%zu more are too young to go\n", c->waiting);
	printf("packs %zu -> %zu, loose objects %zu -> %zu, %s -> %s\n", c->packs_before, c->packs_after, c->loose_before,
	       c->loose_after, sg_print_bytes(c->bytes_before), sg_print_bytes(c->bytes_after));
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_collected c = { .n_faded = 0 };
	int64_t age = -1;
	int rc = 0;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	if (prune)
		SG_TRY(sg_age_parse(&age, prune));
	SG_TRY(sg_collect(&c, ctx->repo, age, dry, &ctx->progress));
	if (ctx->json)
		rc = print_json(&c);
	else if (!ctx->quiet || dry)
		print_text(&c);
	sg_collected_release(&c);
	return rc;
}

const struct sg_cmd sg_cmd_gc = {
	.name = "gc", .group = "care", .args = "[--dry-run] [--prune=<age>] [--json]",
	.brief = "Drop what nothing reaches, and put packs in order.", .opts = opts,
	.flags = SG_CMD_REPO, .run = run,
};
