/* What is said of a graft after the fact. */
#include "cmd/look.h"

static const char *message;

static const struct sg_opt opts[] = {
	{ 'm', "message", SG_OPT_STR, &message, "<text>", "what is said", 0, 0 },
	{ 0 }
};

static int add(struct sg_ctx *ctx, int argc, char **argv)
{
	char commit[SG_COMMIT_HEX];

	(void)argc;
	if (!message)
		return sg_fail(SG_E_USAGE, "say what with -m");
	SG_TRY(sg_note_add(commit, ctx->repo, argv[0], message));
	if (ctx->json)
		return sg_look_said("noted", argv[0], commit);
	if (!ctx->quiet)
		printf("noted of %s, commit %.*s\n", sg_print_safe(argv[0]), SG_COMMIT_SHOWN, commit);
	return 0;
}

static int print_all(const struct sg_ctx *ctx, const struct sg_note_list *l, bool head)
{
	if (ctx->json) {
		struct sg_jsonw *w = sg_print_json();

		sg_jsonw_object(w);
		sg_look_notes_json(w, l->note, l->n);
		sg_jsonw_end(w, '}');
		return sg_print_json_end();
	}
	for (size_t i = 0, of; i < l->n; i += of) {
		const struct sg_note *n = &l->note[i];

		for (of = 1; i + of < l->n && !strcmp(n->commit, l->note[i + of].commit);)
			of++;
		if (head) {
			printf("%s%.*s%s", sg_print_color(SG_YELLOW), SG_COMMIT_SHOWN, n->commit, sg_print_color(SG_PLAIN));
			printf(" %.*s%s%s\n", SG_ID_SHOWN, n->graft, n->name ? " " : "", sg_print_safe(n->name));
		}
		sg_look_notes(n, of, head ? "  " : "", stdout);
	}
	return 0;
}

static int list(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_note_list l = { 0 };
	int rc;

	SG_TRY(sg_note_list(&l, ctx->repo, argc ? argv[0] : NULL));
	rc = print_all(ctx, &l, !argc);
	sg_note_list_release(&l);
	return rc;
}

static int drop(struct sg_ctx *ctx, int argc, char **argv)
{
	char commit[SG_COMMIT_HEX], *end = NULL;
	unsigned long nth = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
	int n;

	if (argc > 1 && (*end || !nth || *argv[1] < '0' || *argv[1] > '9'))
		return sg_fail(SG_E_USAGE, "'%s' is no number of a note", argv[1]);
	SG_TRY(n = sg_note_remove(commit, ctx->repo, argv[0], nth));
	if (ctx->json)
		return sg_look_said("removed", argv[0], commit);
	if (!ctx->quiet)
		printf("removed %d %s of %s\n", n, n == 1 ? "note" : "notes", sg_print_safe(argv[0]));
	return 0;
}

static const struct sg_verb verbs[] = {
	{ "list", 0, 0, list }, { "show", 1, 1, list }, { "add", 1, 1, add }, { "remove", 1, 2, drop }, { 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	return sg_cmd_verbs(verbs, ctx, argc, argv);
}

const struct sg_cmd sg_cmd_note = {
	.name = "note", .group = "look",
	.args = "[list] [--json]\nshow [--json] <graft>\nadd -m <text> <graft>\nremove <graft> [<n>]",
	.brief = "Say something of a graft after the fact.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
