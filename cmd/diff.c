/* What differs between two compositions. */
#include "cmd/look.h"

static bool exit_code, norms = true;

static const struct sg_opt opts[] = {
	{ 0, "exit-code", SG_OPT_FLAG, &exit_code, NULL, "exit with 1 when they differ", 0, 0 },
	{ 0, "norms", SG_OPT_FLAG, &norms, NULL, "how far weights move (default; --no-norms leaves the base alone)", 0, 0 },
	{ 0 }
};

static int print_norms(const struct sg_diff *d)
{
	struct sg_table t;
	bool any = false;

	sg_table_init(&t, "|graft|site|>norm", false);
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->graft[i].n_norms; k++) {
			const struct sg_diff_graft *g = &d->graft[i];

			any = true;
			sg_table_add(&t, "%s", g->side == SG_DIFF_A ? "-" : "+");
			sg_table_add(&t, "%.*s", SG_ID_SHOWN, g->info.id);
			sg_table_add(&t, "%s", g->norm[k].site);
			if (g->norm[k].norm >= 0)
				sg_table_add(&t, "%.4g", g->norm[k].norm);
			sg_table_row(&t);
		}
	if (any)
		puts("\nNorm of each weight's change:");
	return sg_table_print(&t, stdout);
}

static double mean(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n ? sum / (double)n : 0;
}

static int print_angles(const struct sg_diff *d)
{
	struct sg_table t;

	if (!d->n_angles)
		return 0;
	puts("\nAngles in degrees between what two grafts write and read at a site, least and mean:");
	sg_table_init(&t, "|graft|graft|site|>writes|>mean|>reads|>mean", false);
	for (size_t i = 0; i < d->n_angles; i++) {
		const struct sg_diff_angles *k = &d->angle[i];

		sg_table_add(&t, " ");
		sg_table_add(&t, "%.*s", SG_ID_SHOWN, d->graft[k->a].info.id);
		sg_table_add(&t, "%.*s", SG_ID_SHOWN, d->graft[k->b].info.id);
		sg_table_add(&t, "%s", k->site);
		sg_table_add(&t, "%.1f", k->n_writes ? k->writes[0] : 90.0);
		sg_table_add(&t, "%.1f", mean(k->writes, k->n_writes));
		sg_table_add(&t, "%.1f", k->n_reads ? k->reads[0] : 90.0);
		sg_table_add(&t, "%.1f", mean(k->reads, k->n_reads));
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

/* Was the whole step from a to b (or back) measured as one? */
static void print_direct(const struct sg_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct sg_diff_graft *g = &d->graft[i];
		int from = g->side == SG_DIFF_A;

		if (g->judged && !strcmp(g->v.prev, d->state[from]) && !strcmp(g->v.state, d->state[!from])) {
			printf("\nThe numbers of %.*s were measured from %s to %s, nothing else in between.\n", SG_ID_SHOWN,
			       g->info.id, from ? "b" : "a", from ? "a" : "b");
			return;
		}
	}
}

static int print_text(const struct sg_ctx *ctx, const struct sg_diff *d)
{
	printf("a  commit %.*s  state %.*s\nb  commit %.*s  state %.*s\n", SG_COMMIT_SHOWN, d->commit[0], SG_ID_SHOWN,
	       d->state[0], SG_COMMIT_SHOWN, d->commit[1], SG_ID_SHOWN, d->state[1]);
	if (d->same) {
		puts("the same base, stack, data and policy");
		return 0;
	}
	sg_look_changes(d, true, stdout);
	print_direct(d);
	SG_TRY(print_norms(d));
	SG_TRY(print_angles(d));
	if (d->no_norms && !ctx->quiet)
		printf("\nNo norms: %s\n", sg_print_safe(d->no_norms));
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_diff d = { 0 };
	int rc;

	SG_TRY(sg_cmd_args(argc, 1, 2));
	SG_TRY(sg_diff(&d, ctx->repo, argv[0], argc > 1 ? argv[1] : NULL, norms, &ctx->progress));
	if (ctx->json) {
		sg_look_diff_json(sg_print_json(), &d);
		rc = sg_print_json_end();
	} else {
		rc = print_text(ctx, &d);
	}
	if (rc >= 0)
		rc = exit_code && !d.same;
	sg_diff_release(&d);
	return rc;
}

const struct sg_cmd sg_cmd_diff = {
	.name = "diff", .group = "look", .args = "[--exit-code] [--no-norms] [--json] <rev> [<rev>]",
	.brief = "Show what differs between two compositions.", .opts = opts, .flags = SG_CMD_REPO | SG_CMD_PAGER, .run = run,
};
