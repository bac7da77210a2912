/* Data sets: hashed, tokenized, one role each. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static const char *role, *split, *field;
static double from, to;
static int64_t min_bytes, max_docs;
static bool per_file;

static const struct sg_opt opts[] = {
	{ 'r', "role", SG_OPT_CHOICE, &role, "train|select|accept|retain|safety", "what the set is for", 0, 0 },
	{ 0, "split", SG_OPT_CHOICE, &split, "paragraph|line|file", "where a text file is cut into documents (paragraph)", 0, 0 },
	{ 0, "field", SG_OPT_STR, &field, "<name>", "member of a JSON line that holds the text (text)", 0, 0 },
	{ 0, "from", SG_OPT_NUM, &from, "<percent>", "begin at this share of the documents", 0, 100 },
	{ 0, "to", SG_OPT_NUM, &to, "<percent>", "end before this share of the documents", 0, 100 },
	{ 0, "per-file", SG_OPT_FLAG, &per_file, NULL, "count the shares in each file, not over all", 0, 0 },
	{ 0, "min-bytes", SG_OPT_SIZE, &min_bytes, "<n>", "leave out documents shorter than this", 0, INT64_MAX },
	{ 0, "max-docs", SG_OPT_INT, &max_docs, "<n>", "take no more documents than this", 1, INT64_MAX },
	{ 0 }
};

static void put_set(struct sg_jsonw *w, const struct sg_data_info *d)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "name", d->name);
	sg_json_put_str(w, "role", d->role);
	sg_json_put_str(w, "id", d->id);
	sg_json_put_str(w, "shard", d->shard);
	sg_json_put_str(w, "split", d->split);
	sg_json_put_i64(w, "docs", (int64_t)d->docs);
	sg_json_put_i64(w, "tokens", (int64_t)d->tokens);
	sg_json_put_i64(w, "bytes", (int64_t)d->bytes);
	sg_json_put_bool(w, "present", d->present);
}

static int add(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_data_opts o = {
		.name = argv[0], .role = role, .files = (const char *const *)argv + 1, .n_files = (size_t)argc - 1,
		.split = split, .field = field, .from = from, .to = to, .per_file = per_file,
		.min_bytes = (uint64_t)min_bytes, .max_docs = (uint64_t)max_docs,
	};
	struct sg_data_info d;
	struct sg_jsonw *w;
	int rc = 0;

	if (!role)
		return sg_fail(SG_E_USAGE, "a set needs a role: --role train|select|accept|retain|safety");
	if ((from > 0 || to > 0) && from >= (to > 0 ? to : 100))
		return sg_fail(SG_E_USAGE, "--from %g --to %g leaves nothing", from, to);
	if (from > 0 && to <= 0)
		o.to = 100;
	SG_TRY(sg_data_add(&d, ctx->repo, &o, &ctx->progress));
	if (ctx->json) {
		w = sg_print_json();
		put_set(w, &d);
		sg_json_put_i64(w, "duplicates", (int64_t)d.duplicates);
		sg_json_put_i64(w, "overlap", (int64_t)d.overlap);
		sg_jsonw_end(w, '}');
		rc = sg_print_json_end();
	} else if (!ctx->quiet) {
		printf("%s (%s): %llu documents, %llu tokens, %s\n", sg_print_safe(d.name), d.role,
		       (unsigned long long)d.docs, (unsigned long long)d.tokens, sg_print_bytes(d.bytes));
		if (d.duplicates)
			printf("left out %llu documents that stand there twice\n", (unsigned long long)d.duplicates);
		if (d.overlap)
			printf("%llu documents share 13 words in a row with a set of another role\n",
			       (unsigned long long)d.overlap);
	}
	sg_data_info_release(&d);
	return rc;
}

static int list_json(const struct sg_data_list *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++) {
		put_set(w, &l->set[i]);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	return sg_print_json_end();
}

static int list_table(const struct sg_data_list *l)
{
	struct sg_table t;
	int rc;

	sg_table_init(&t, "NAME|ROLE|>DOCS|>TOKENS|>BYTES|ID|HERE", l->n > 0);
	for (size_t i = 0; i < l->n; i++) {
		const struct sg_data_info *d = &l->set[i];

		sg_table_color(&t, SG_BOLD, "%s", d->name);
		sg_table_add(&t, "%s", d->role);
		sg_table_add(&t, "%llu", (unsigned long long)d->docs);
		sg_table_add(&t, "%llu", (unsigned long long)d->tokens);
		sg_table_add(&t, "%s", sg_print_bytes(d->bytes));
		sg_table_add(&t, "%.16s", d->id);
		sg_table_add(&t, "%s", d->present ? "yes" : "no");
		sg_table_row(&t);
	}
	rc = sg_table_print(&t, stdout);
	sg_table_release(&t);
	return rc;
}

static int list(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_data_list l;
	int rc;

	(void)argc, (void)argv;
	SG_TRY(sg_data_list(&l, ctx->repo, NULL));
	rc = ctx->json ? list_json(&l) : list_table(&l);
	sg_data_list_release(&l);
	return rc;
}

static int print_sources(const struct sg_json *m)
{
	const struct sg_json *l = sg_json_get(m, "sources");
	const char *path, *sha;

	for (const struct sg_json *s = l ? l->child : NULL; s; s = s->next) {
		int64_t bytes = 0;

		path = sha = "";
		SG_TRY(sg_json_str(s, "path", &path));
		SG_TRY(sg_json_str(s, "sha256", &sha));
		SG_TRY(sg_json_i64(s, "bytes", 0, INT64_MAX, &bytes));
		printf("source  %s  %lld bytes  sha256 %.64s\n", sg_print_safe(path), (long long)bytes, sg_print_safe(sha));
	}
	return 0;
}

static int show_text(const struct sg_data_info *d, const struct sg_buf *manifest)
{
	struct sg_json_doc doc = { 0 };
	int rc = sg_json_parse(&doc, manifest->data, manifest->len, d->name);

	if (rc < 0)
		return rc;
	printf("set     %s\n", sg_print_safe(d->name));
	printf("role    %s\n", d->role);
	printf("id      %s\n", d->id);
	printf("shard   %s\n", d->shard);
	printf("cut     %s\n", sg_print_safe(d->split));
	printf("docs    %llu\n", (unsigned long long)d->docs);
	printf("tokens  %llu\n", (unsigned long long)d->tokens);
	printf("bytes   %llu\n", (unsigned long long)d->bytes);
	printf("here    %s\n", d->present ? "yes" : "no: add its files again to bring the tokens back");
	rc = print_sources(sg_json_root(&doc));
	sg_json_release(&doc);
	return rc;
}

static int show_json(const struct sg_data_info *d, const struct sg_buf *manifest)
{
	struct sg_json_doc doc = { 0 };
	struct sg_jsonw *w;

	SG_TRY(sg_json_parse(&doc, manifest->data, manifest->len, d->name));
	w = sg_print_json();
	put_set(w, d);
	sg_jsonw_key(w, "sources");
	sg_jsonw_node(w, sg_json_get(sg_json_root(&doc), "sources"));
	sg_jsonw_end(w, '}');
	sg_json_release(&doc);
	return sg_print_json_end();
}

static int show(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_data_list l;
	struct sg_buf manifest = { 0 };
	int rc;

	(void)argc;
	SG_TRY(sg_data_manifest(&manifest, ctx->repo, NULL, argv[0]));
	rc = sg_data_list(&l, ctx->repo, NULL);
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		if (!strcmp(l.set[i].name, argv[0]))
			rc = ctx->json ? show_json(&l.set[i], &manifest) : show_text(&l.set[i], &manifest);
	if (rc >= 0)
		sg_data_list_release(&l);
	sg_buf_release(&manifest);
	return rc;
}

static int drop(struct sg_ctx *ctx, int argc, char **argv)
{
	(void)argc;
	SG_TRY(sg_data_remove(ctx->repo, argv[0]));
	if (ctx->json)
		return list(ctx, 0, NULL);
	if (!ctx->quiet)
		printf("removed %s\n", sg_print_safe(argv[0]));
	return 0;
}

/* What check found, as it finds it. */
struct checked { bool json; struct sg_jsonw *w; };

static void problem(void *arg, const char *set, const char *text)
{
	struct checked *c = arg;

	if (!c->json) {
		printf("%s: %s\n", sg_print_safe(set), sg_print_safe(text));
		return;
	}
	sg_jsonw_object(c->w);
	sg_json_put_str(c->w, "set", set);
	sg_json_put_str(c->w, "problem", text);
	sg_jsonw_end(c->w, '}');
}

static int check(struct sg_ctx *ctx, int argc, char **argv)
{
	struct checked c = { .json = ctx->json };
	int n;

	(void)argc, (void)argv;
	if (c.json) {
		c.w = sg_print_json();
		sg_jsonw_array(c.w);
	}
	n = sg_data_check(ctx->repo, problem, &c, &ctx->progress);
	SG_TRY(n);
	if (c.json) {
		sg_jsonw_end(c.w, ']');
		SG_TRY(sg_print_json_end());
	}
	return n > 0;
}

static const struct sg_verb verbs[] = {
	{ "list", 0, 0, list }, { "add", 2, -1, add }, { "show", 1, 1, show }, { "remove", 1, 1, drop },
	{ "check", 0, 0, check }, { 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	bool adds = argc && !strcmp(argv[0], "add");

	if (!adds && (role || split || field || from > 0 || to > 0 || min_bytes || max_docs || per_file))
		return sg_fail(SG_E_USAGE, "these options belong to 'sg data add'");
	return sg_cmd_verbs(verbs, ctx, argc, argv);
}

const struct sg_cmd sg_cmd_data = {
	.name = "data", .group = "start",
	.args = "[list] [--json]\n"
		"add <name> --role <role> [--split <how>] [--field <name>] [--from <percent>] [--to <percent>] "
		"[--per-file] [--min-bytes <n>] [--max-docs <n>] [--json] <file> ...\n"
		"show [--json] <name>\nremove [--json] <name>\ncheck [--json]",
	.brief = "Add, list, show, remove and check data sets.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
