/* Settings of one registry, on this machine. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static bool unset, list_all;

static const struct sg_opt opts[] = {
	{ 'l', "list", SG_OPT_FLAG, &list_all, NULL, "show the registry's own settings", 0, 0 },
	{ 0, "unset", SG_OPT_FLAG, &unset, NULL, "remove a setting", 0, 0 },
	{ 0 }
};

static int list(struct sg_ctx *ctx)
{
	struct sg_names l = { 0 };
	struct sg_jsonw *w;
	int rc = sg_config_list(&l, ctx->repo);

	if (rc >= 0 && ctx->json) {
		w = sg_print_json();
		sg_jsonw_array(w);
		for (size_t i = 0; i < l.n; i++) {
			char *eq = strchr(l.name[i], '=');

			if (eq)
				*eq = '\0';
			sg_jsonw_object(w);
			sg_json_put_str(w, "key", l.name[i]);
			sg_json_put_str(w, "value", eq ? eq + 1 : NULL);
			sg_jsonw_end(w, '}');
		}
		sg_jsonw_end(w, ']');
		rc = sg_print_json_end();
	}
	for (size_t i = 0; rc >= 0 && !ctx->json && i < l.n; i++)
		puts(sg_print_safe(l.name[i]));
	sg_names_release(&l);
	return rc;
}

static int get(struct sg_ctx *ctx, const char *key)
{
	struct sg_jsonw *w;
	char *value;
	int rc = sg_config_get(&value, ctx->repo, key);

	if (rc == -SG_E_NOTFOUND)
		return 1;
	SG_TRY(rc);
	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		sg_json_put_str(w, "key", key);
		sg_json_put_str(w, "value", value);
		sg_jsonw_end(w, '}');
		rc = sg_print_json_end();
	} else {
		puts(sg_print_safe(value));
	}
	free(value);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	if (list_all || (!argc && !unset)) {
		SG_TRY(sg_cmd_args(argc, 0, 0));
		if (unset)
			return sg_fail(SG_E_USAGE, "--list and --unset do not go together");
		return list(ctx);
	}
	SG_TRY(sg_cmd_args(argc, 1, unset ? 1 : 2));
	if (argc == 1 && !unset)
		return get(ctx, argv[0]);
	return sg_config_set(ctx->repo, argv[0], unset ? NULL : argv[1]);
}

const struct sg_cmd sg_cmd_config = {
	.name = "config", .group = "start", .args = "[--list] [--json]\n[--json] <key>\n<key> <value>\n--unset <key>",
	.brief = "Show and change the settings of the registry.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
