/* A new registry around a base. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static const char *base;
static int64_t seed = -1, width;
static bool embed;

static const struct sg_opt opts[] = {
	{ 0, "base", SG_OPT_STR, &base, "<path>", "the checkpoint to grow: a folder or a GGUF file", 0, 0 },
	{ 0, "embed", SG_OPT_FLAG, &embed, NULL, "keep the base's weights in the registry", 0, 0 },
	{ 0, "seed", SG_OPT_INT, &seed, "<n>", "seed of the substrate (0)", 0, INT64_MAX },
	{ 0, "width", SG_OPT_INT, &width, "<n>", "width of the substrate (256)", 1, 65536 },
	{ 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_init_opts o = { .base = base, .seed = seed < 0 ? 0 : (uint64_t)seed, .width = (size_t)width, .embed = embed,
				  .signing = ctx->signing };
	char id[SG_SHA256_HEX], *path;
	struct sg_jsonw *w;

	SG_TRY(sg_cmd_args(argc, 0, 1));
	if (base && (seed >= 0 || width))
		return sg_fail(SG_E_USAGE, "--seed and --width make a substrate; they do not go with --base");
	SG_TRY(sg_init(argc ? argv[0] : ".", &o, id, &ctx->progress));
	path = realpath(argc ? argv[0] : ".", NULL);
	if (!path)
		return sg_fail_errno(SG_E_IO, "cannot find '%s'", argc ? argv[0] : ".");
	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		sg_json_put_str(w, "base", id);
		sg_json_put_str(w, "folder", path);
		sg_jsonw_end(w, '}');
	} else if (!ctx->quiet) {
		printf("made a registry in %s/.sg, base %.16s\n", sg_print_safe(path), id);
	}
	free(path);
	return ctx->json ? sg_print_json_end() : 0;
}

const struct sg_cmd sg_cmd_init = {
	.name = "init", .group = "start",
	.args = "[--base <path>] [--embed] [--json] [<dir>]\n[--seed <n>] [--width <n>] [--json] [<dir>]",
	.brief = "Make a registry around a frozen base.", .opts = opts, .run = run,
};
