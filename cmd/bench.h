#ifndef SG_CMD_BENCH_H
#define SG_CMD_BENCH_H
#include "cmd/cmd.h"
#include "sg.h"
/* What bench and estimate both take: a base, a graft, the size of a step. */
struct sg_bench_args {
	const char *type, *sites;
	struct sg_opt_list set;
	int64_t batch, seq, micro;
};
#define SG_BENCH_ARGS { .type = "lora", .batch = 8, .seq = 256 }
#define SG_BENCH_OPTS(a) \
	{ 't', "type", SG_OPT_STR, &a.type, "<type>", "of the graft that is trained (lora)", 0, 0 }, \
	{ 0, "set", SG_OPT_LIST, &a.set, "<key=value>", "a setting of the type; may be repeated", 0, 0 }, \
	{ 's', "sites", SG_OPT_STR, &a.sites, "<globs>", "where it stands (the type's usual sites)", 0, 0 }, \
	{ 'b', "batch", SG_OPT_INT, &a.batch, "<n>", "texts of a step (8)", 1, 1 << 20 }, \
	{ 0, "seq", SG_OPT_INT, &a.seq, "<n>", "tokens of a text (256)", 1, 1 << 20 }, \
	{ 0, "micro", SG_OPT_INT, &a.micro, "<n>", "tokens of a pass, at most (chosen)", 1, 1 << 28 },

/* The options as the library takes them; the base is the word, or the registry's, which is
 * then opened into ctx->repo, which main closes. */
int sg_bench_args(struct sg_bench_opts *out, struct sg_ctx *ctx, const struct sg_bench_args *a, int argc, char **argv);
#endif
