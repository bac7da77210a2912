/* One thing whole: a graft wherever it stands, or a commit. */
#include "cmd/look.h"
#include "cmd/verdict.h"
#include <math.h>

static bool manifest, tensors;

static const struct sg_opt opts[] = {
	{ 0, "manifest", SG_OPT_FLAG, &manifest, NULL, "print graft.json byte by byte, as its id hashes it", 0, 0 },
	{ 0, "tensors", SG_OPT_FLAG, &tensors, NULL, "list the tensors of the payload", 0, 0 },
	{ 0 }
};

/* --- JSON ------------------------------------------------------------------------- */

static void judged_json(struct sg_jsonw *w, const struct sg_judged *j)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "commit", j->commit);
	sg_json_put_bool(w, "accepted", j->accepted);
	sg_json_put_i64(w, "time", j->time);
	sg_verdict_put(w, &j->v);
	sg_look_put_id(w, "policy", j->policy);
	sg_json_put_i64(w, "window", j->window);
	sg_look_put(w, "tool", j->tool);
	sg_look_put(w, "fingerprint", j->fingerprint);
	sg_jsonw_end(w, '}');
}

static void tensors_json(struct sg_jsonw *w, const struct sg_graft_detail *d)
{
	sg_jsonw_key(w, "tensors");
	sg_jsonw_array(w);
	for (size_t i = 0; i < d->n_tensors; i++) {
		sg_jsonw_object(w);
		sg_look_put(w, "name", d->tensor[i].name);
		sg_json_put_str(w, "dtype", d->tensor[i].dtype);
		sg_json_put_str(w, "shape", d->tensor[i].shape);
		sg_json_put_i64(w, "bytes", (int64_t)d->tensor[i].bytes);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int training_json(struct sg_jsonw *w, const struct sg_graft_detail *d)
{
	struct sg_json_doc doc = { 0 };

	sg_jsonw_key(w, "training");
	if (!d->recipe) {
		sg_jsonw_null(w);
		return 0;
	}
	SG_TRY(sg_json_parse(&doc, d->recipe, strlen(d->recipe), "recipe"));
	sg_jsonw_object(w);
	sg_jsonw_key(w, "recipe");
	sg_jsonw_node(w, sg_json_root(&doc));
	sg_json_release(&doc);
	sg_json_put_i64(w, "tokens", (int64_t)d->tokens);
	sg_json_put_f64(w, "seconds", d->seconds);
	sg_json_put_f64(w, "last_loss", d->last_loss);
	sg_look_put(w, "tool", d->tool);
	sg_look_put(w, "fingerprint", d->fingerprint);
	sg_json_put_i64(w, "curve_step", (int64_t)d->curve_step);
	sg_jsonw_key(w, "curve");
	sg_jsonw_array(w);
	for (size_t i = 0; i < d->n_curve; i++)
		sg_jsonw_f64(w, d->curve[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return 0;
}

/* What it cost and, by the verdict that let it in or else the newest report, gained. */
static void account_json(struct sg_jsonw *w, const struct sg_graft_detail *d)
{
	struct sg_look_cost c = { d->info.parameters, d->info.payload, d->info.tokens, d->info.seconds };
	const struct sg_gate_line *q = NULL;
	double gain = 0;

	for (size_t k = 0; !q && k < (d->n_judged ? d->judged[0].v.n : 0); k++)
		if (!strcmp(d->judged[0].v.line[k].gate, "quality") && d->judged[0].v.line[k].docs)
			q = &d->judged[0].v.line[k];
	sg_jsonw_key(w, "accounting");
	sg_jsonw_object(w);
	if (q) {
		gain = -q->mean;
		sg_look_put(w, "set", q->set);
		sg_json_put_f64(w, "gain", gain);
		sg_json_put_f64(w, "gain_lower", -q->upper);
		sg_json_put_f64(w, "gain_upper", -q->lower);
	}
	sg_look_cost_json(w, q ? &gain : NULL, &c);
	sg_jsonw_end(w, '}');
}

static int graft_json(const struct sg_graft_detail *d, const struct sg_note_list *l)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "kind", "graft");
	sg_look_graft_json(w, &d->info);
	sg_json_put_str(w, "where", d->where);
	sg_look_put(w, "ref", d->ref);
	sg_json_put_str(w, "commit", d->commit);
	sg_json_put_str(w, "base", d->base);
	sg_look_put_names(w, "requires", &d->requires);
	sg_look_put_names(w, "after", &d->after);
	sg_look_put_names(w, "replaces", &d->replaces);
	sg_look_put_names(w, "hyperparameters", &d->hyper);
	sg_look_put_names(w, "imported", &d->imported);
	tensors_json(w, d);
	SG_TRY(training_json(w, d));
	sg_jsonw_key(w, "judged");
	sg_jsonw_array(w);
	for (size_t i = 0; i < d->n_judged; i++)
		judged_json(w, &d->judged[i]);
	sg_jsonw_end(w, ']');
	account_json(w, d);
	sg_look_notes_json(w, l->note, l->n);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

/* --- a graft ---------------------------------------------------------------------- */

#define INDENT "            "

static void names_line(const char *title, const struct sg_names *l, int digits)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s\n", i ? INDENT : title,
		       sg_print_safen(l->name[i], digits ? SG_MIN(strlen(l->name[i]), (size_t)digits) : strlen(l->name[i])));
}

static void print_what(const struct sg_graft_detail *d)
{
	printf("%sgraft %s%s", sg_print_color(SG_YELLOW), d->info.id, sg_print_color(SG_PLAIN));
	printf("%s%s\n", d->info.name ? " " : "", sg_print_safe(d->info.name));
	printf("type        %s, %s parameters, %s\n", sg_print_safe(d->info.type), sg_look_number(d->info.parameters),
	       sg_print_bytes(d->info.payload));
	printf("where       %s, commit %.*s\n", d->where, SG_COMMIT_SHOWN, d->commit);
	printf("base        %.*s\n", SG_ID_SHOWN, d->base);
	names_line("requires    ", &d->requires, SG_ID_SHOWN);
	names_line("after       ", &d->after, SG_ID_SHOWN);
	names_line("replaces    ", &d->replaces, SG_ID_SHOWN);
	names_line("set         ", &d->hyper, 0);
	names_line("sites       ", &d->info.sites, 0);
	names_line("imported    ", &d->imported, 0);
}

static int print_tensors(const struct sg_graft_detail *d)
{
	struct sg_table t;

	puts("\ntensors");
	sg_table_init(&t, "|name|dtype|>shape|>bytes", false);
	for (size_t i = 0; i < d->n_tensors; i++) {
		sg_table_add(&t, " ");
		sg_table_add(&t, "%s", d->tensor[i].name);
		sg_table_add(&t, "%s", d->tensor[i].dtype);
		sg_table_add(&t, "%s", d->tensor[i].shape);
		sg_table_add(&t, "%s", sg_print_bytes(d->tensor[i].bytes));
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

/* Members of the recipe on a line each: numbers and texts as they are, lists one by one. */
static void print_member(const struct sg_json *j)
{
	if (j->type == SG_JSON_STRING || j->type == SG_JSON_NUMBER)
		printf("%-11s %s\n", sg_print_safen(j->key, j->key_len), sg_print_safen(j->str, j->len));
	if (j->type == SG_JSON_BOOL)
		printf("%-11s %s\n", sg_print_safen(j->key, j->key_len), j->truth ? "true" : "false");
	for (const struct sg_json *c = j->type == SG_JSON_ARRAY ? j->child : NULL; c; c = c->next)
		if (c->type == SG_JSON_STRING)
			printf("%-11s %s\n", c == j->child ? sg_print_safen(j->key, j->key_len) : "",
			       sg_print_safen(c->str, c->len));
}

/* What the manifest says already is not said again. */
static bool in_manifest(const struct sg_json *j)
{
	static const char *const known[] = { "sites", "hyper", "type", "name", "format" };

	for (size_t i = 0; i < SG_LEN(known); i++)
		if (!strcmp(j->key, known[i]))
			return true;
	return false;
}

/* The curve as bars: the mean of each share of it, between its least and its most. */
static void print_curve(const double *v, size_t n)
{
	static const char *const bar[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	size_t wide = SG_MIN(n, 60);
	double lo = v[0], hi = v[0];

	for (size_t i = 1; i < n; i++) {
		lo = fmin(lo, v[i]);
		hi = fmax(hi, v[i]);
	}
	fputs("curve       ", stdout);
	for (size_t k = 0; k < wide; k++) {
		size_t from = k * n / wide, to = (k + 1) * n / wide;
		double sum = 0;

		for (size_t i = from; i < to; i++)
			sum += v[i];
		sum /= (double)(to - from);
		fputs(bar[hi > lo ? (size_t)((sum - lo) / (hi - lo) * 7.999) : 0], stdout);
	}
	printf("\n" INDENT "%.4f -> %.4f, least %.4f, most %.4f\n", v[0], v[n - 1], lo, hi);
}

static int print_training(const struct sg_graft_detail *d)
{
	struct sg_json_doc doc = { 0 };

	if (!d->recipe)
		return 0;
	puts("\ntraining");
	SG_TRY(sg_json_parse(&doc, d->recipe, strlen(d->recipe), "recipe"));
	for (const struct sg_json *j = sg_json_root(&doc)->child; j; j = j->next)
		if (!in_manifest(j))
			print_member(j);
	sg_json_release(&doc);
	if (d->n_curve)
		print_curve(d->curve, d->n_curve);
	printf("took        %s, %s tokens\n", sg_print_span(d->seconds), sg_look_number(d->tokens));
	if (d->fingerprint)
		printf("numerics    %s\n", sg_print_safe(d->fingerprint));
	return 0;
}

/* Accepting takes over the receipt of a report: that is shown once. */
static bool same_receipt(const struct sg_judged *a, const struct sg_judged *b)
{
	return a->v.verdict && b->v.verdict && a->v.n == b->v.n && a->window == b->window && !strcmp(a->policy, b->policy) &&
	       !strcmp(a->v.prev, b->v.prev) && !strcmp(a->v.state, b->v.state);
}

static void print_judged(const struct sg_judged *j, const struct sg_judged *first)
{
	printf("\n%s %.*s, %s: ", j->accepted ? "accepted in" : "report", SG_COMMIT_SHOWN, j->commit, sg_print_time(j->time));
	if (!j->v.verdict) {
		puts("its receipt cannot be read");
		return;
	}
	printf("%s%s%s%s\n", sg_print_color(sg_look_verdict_color(j->v.verdict)), j->v.verdict, sg_print_color(SG_PLAIN),
	       j != first && same_receipt(j, first) ? ", as above" : "");
	if (j != first && same_receipt(j, first))
		return;
	sg_look_gates(&j->v, stdout);
	printf("  state     %.*s -> %.*s\n", SG_ID_SHOWN, j->v.prev, SG_ID_SHOWN, j->v.state);
	printf("  policy    %.*s, window %u, %s\n", SG_ID_SHOWN, j->policy, j->window, sg_print_safe(j->tool));
	printf("  numerics  %s\n", sg_print_safe(j->fingerprint));
}

static int show_graft(const struct sg_ctx *ctx, const char *word)
{
	struct sg_graft_detail d = { 0 };
	struct sg_note_list l = { 0 };
	int rc;

	SG_TRY(sg_graft_detail(&d, ctx->repo, word));
	rc = sg_note_list(&l, ctx->repo, word);
	if (rc < 0) {
		sg_graft_detail_release(&d);
		return rc;
	}
	if (manifest) {
		fputs(d.manifest, stdout);	/* canonical JSON: no control character stands bare */
		rc = 0;
	} else if (ctx->json) {
		rc = graft_json(&d, &l);
	} else {
		print_what(&d);
		rc = tensors ? print_tensors(&d) : 0;
		if (rc >= 0)
			rc = print_training(&d);
		for (size_t i = 0; rc >= 0 && i < d.n_judged; i++)
			print_judged(&d.judged[i], d.judged);
		if (l.n)
			putchar('\n');
		sg_look_notes(l.note, l.n, "", stdout);
	}
	sg_note_list_release(&l);
	sg_graft_detail_release(&d);
	return rc;
}

/* --- a commit --------------------------------------------------------------------- */

static void print_changes(const struct sg_diff *d)
{
	if (d->n || d->n_data || d->n_policy)
		putchar('\n');
	sg_look_changes(d, false, stdout);
}

/* The step, and what it changed against the commit before it on the line. */
static int show_commit(const struct sg_ctx *ctx, const char *rev)
{
	struct sg_step s = { 0 };
	struct sg_diff d = { 0 };
	struct sg_jsonw *w;
	int rc;

	SG_TRY(sg_step_read(&s, ctx->repo, rev));
	rc = s.parents.n ? sg_diff(&d, ctx->repo, s.parents.name[0], s.commit, false, NULL) : 0;
	if (rc >= 0 && ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		sg_json_put_str(w, "kind", "commit");
		sg_jsonw_key(w, "step");
		sg_look_step_json(w, &s, true);
		sg_jsonw_key(w, "changes");
		if (s.parents.n)
			sg_look_diff_json(w, &d);
		else
			sg_jsonw_null(w);
		sg_jsonw_end(w, '}');
		rc = sg_print_json_end();
	} else if (rc >= 0) {
		rc = sg_look_step(&s, true, stdout);
		if (rc >= 0)
			print_changes(&d);
	}
	sg_step_release(&s);
	sg_diff_release(&d);
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	const char *word = argc ? argv[0] : "HEAD";
	int rc;

	SG_TRY(sg_cmd_args(argc, 0, 1));
	rc = sg_show_kind(ctx->repo, word);
	if (rc < 0)
		return rc;
	if (!rc && (manifest || tensors))
		return sg_fail(SG_E_USAGE, "'%s' is a commit: --manifest and --tensors are about grafts", word);
	return rc ? show_graft(ctx, word) : show_commit(ctx, word);
}

const struct sg_cmd sg_cmd_show = {
	.name = "show", .group = "look", .args = "[--tensors] [--manifest] [--json] [<graft>|<rev>]",
	.brief = "Show a graft or a commit whole.", .opts = opts, .flags = SG_CMD_REPO | SG_CMD_PAGER, .run = run,
};
