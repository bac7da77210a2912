/* Names for other registries. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static int print_list(const struct sg_remotes *l)
{
	struct sg_table t;
	int rc;

	sg_table_init(&t, "NAME|URL", false);
	for (size_t i = 0; i < l->n; i++) {
		sg_table_add(&t, "%s", l->remote[i].name);
		sg_table_add(&t, "%s", l->remote[i].url);
		sg_table_row(&t);
	}
	rc = sg_table_print(&t, stdout);
	sg_table_release(&t);
	return rc;
}

static void put_remote(struct sg_jsonw *w, const char *name, const char *url)
{
	sg_jsonw_object(w);
	sg_jsonw_key(w, "name");
	sg_jsonw_text(w, name, strlen(name));
	sg_jsonw_key(w, "url");
	sg_jsonw_text(w, url, strlen(url));
	sg_jsonw_end(w, '}');
}

static int list(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_remotes l = { 0 };
	struct sg_jsonw *w;
	int rc;

	(void)argc;
	(void)argv;
	SG_TRY(sg_share_remotes(&l, ctx->repo));
	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_array(w);
		for (size_t i = 0; i < l.n; i++)
			put_remote(w, l.remote[i].name, l.remote[i].url);
		sg_jsonw_end(w, ']');
		rc = sg_print_json_end();
	} else {
		rc = l.n ? print_list(&l) : 0;
	}
	sg_remotes_release(&l);
	return rc;
}

/* What was done. */
static int tell(struct sg_ctx *ctx, const char *did, const char *name, const char *url)
{
	struct sg_jsonw *w;

	if (!ctx->json) {
		if (!ctx->quiet)
			printf("%s %s\n", did, sg_print_safe(name));
		return 0;
	}
	w = sg_print_json();
	put_remote(w, name, url);
	return sg_print_json_end();
}

static int add(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_remotes l = { 0 };
	const char *url = "";
	int rc;

	(void)argc;
	SG_TRY(sg_share_add(ctx->repo, argv[0], argv[1]));
	SG_TRY(sg_share_remotes(&l, ctx->repo));
	for (size_t i = 0; i < l.n; i++)	/* as the list shows it */
		if (!strcmp(l.remote[i].name, argv[0]))
			url = l.remote[i].url;
	rc = tell(ctx, "added", argv[0], url);
	sg_remotes_release(&l);
	return rc;
}

static int drop(struct sg_ctx *ctx, int argc, char **argv)
{
	(void)argc;
	SG_TRY(sg_share_remove(ctx->repo, argv[0]));
	return tell(ctx, "removed", argv[0], "");
}

static const struct sg_verb verbs[] = {
	{ "list", 0, 0, list },
	{ "add", 2, 2, add },
	{ "remove", 1, 1, drop },
	{ 0 },
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	return sg_cmd_verbs(verbs, ctx, argc, argv);
}

const struct sg_cmd sg_cmd_remote = {
	.name = "remote", .group = "share",
	.args = "[list] [--json]\nadd [--json] <name> <url>\nremove [--json] <name>",
	.brief = "Name other registries.", .flags = SG_CMD_REPO, .run = run,
};
