#include "cmd/verdict.h"
#include "base/error.h"
#include "base/mem.h"
#include "cmd/print.h"

static enum sg_color color_of(const char *verdict)
{
	if (!strcmp(verdict, "accept") || !strcmp(verdict, "ok"))
		return SG_GREEN;
	return !strcmp(verdict, "defer") || !strcmp(verdict, "warn") ? SG_YELLOW : SG_RED;
}

const char *sg_verdict_word(const char *verdict)
{
	static char out[2][64];
	static int at;

	at = !at;
	snprintf(out[at], sizeof(out[at]), "%s%.20s%s", sg_print_color(color_of(verdict)), verdict, sg_print_color(SG_PLAIN));
	return out[at];
}

const char *sg_graft_word(const char *name, const char *id)
{
	static char out[4][120];
	static int at;

	at = (at + 1) % 4;
	if (name)
		snprintf(out[at], sizeof(out[at]), "%.64s (%.16s)", sg_print_safe(name), id);
	else
		snprintf(out[at], sizeof(out[at]), "%.16s", id);
	return out[at];
}

/* Gates that measure on a set have numbers, the others a verdict only. */
static void add_numbers(struct sg_table *t, const struct sg_gate_line *g)
{
	if (!*g->set || !g->docs) {
		for (int i = 0; i < 6; i++)
			sg_table_add(t, "-");
		return;
	}
	sg_table_add(t, "%llu", (unsigned long long)g->docs);
	sg_table_add(t, "%.4f", g->parent);
	sg_table_add(t, "%+.4f", g->mean);
	sg_table_add(t, "%+.4f", g->lower);
	sg_table_add(t, "%+.4f", g->upper);
	sg_table_add(t, "%+.4f", g->threshold);
}

int sg_verdict_print(const struct sg_verdict_info *v)
{
	struct sg_table t;
	int rc;

	sg_table_init(&t, "GATE|SET|>DOCS|>PARENT|>CHANGE|>LOWER|>UPPER|>LIMIT|VERDICT|WHY", true);
	for (size_t i = 0; i < v->n; i++) {
		const struct sg_gate_line *g = &v->line[i];

		sg_table_add(&t, "%s", g->gate);
		sg_table_add(&t, "%s", *g->set ? g->set : "-");
		add_numbers(&t, g);
		sg_table_color(&t, color_of(g->verdict), "%s", g->verdict);
		sg_table_add(&t, "%s", g->text);
		sg_table_row(&t);
	}
	rc = sg_table_print(&t, stdout);
	sg_table_release(&t);
	return rc;
}

int sg_verdict_tell(const struct sg_ctx *ctx, const struct sg_verdict_info *v)
{
	struct sg_jsonw *w;

	if (ctx->json) {
		w = sg_print_json();
		sg_jsonw_object(w);
		sg_json_put_str(w, "graft", v->graft);
		sg_json_put_str(w, "name", v->name);
		sg_verdict_put(w, v);
		sg_jsonw_end(w, '}');
		return sg_print_json_end();
	}
	if (ctx->quiet)
		return 0;
	SG_TRY(sg_verdict_print(v));
	printf("%s %s\n", sg_verdict_word(v->verdict), sg_graft_word(v->name, v->graft));
	return 0;
}

void sg_verdict_put(struct sg_jsonw *w, const struct sg_verdict_info *v)
{
	sg_json_put_str(w, "verdict", v->verdict && *v->verdict ? v->verdict : NULL);
	sg_json_put_str(w, "state", v->state);
	sg_json_put_str(w, "prev_state", v->prev);
	sg_jsonw_key(w, "gates");
	sg_jsonw_array(w);
	for (size_t i = 0; i < v->n; i++) {
		const struct sg_gate_line *g = &v->line[i];

		sg_jsonw_object(w);
		sg_json_put_str(w, "gate", g->gate);
		sg_json_put_str(w, "set", g->set);
		sg_json_put_str(w, "verdict", g->verdict);
		sg_json_put_str(w, "text", g->text);
		sg_json_put_i64(w, "docs", (int64_t)g->docs);
		sg_json_put_f64(w, "parent", g->parent);
		sg_json_put_f64(w, "mean", g->mean);
		sg_json_put_f64(w, "lower", g->lower);
		sg_json_put_f64(w, "upper", g->upper);
		sg_json_put_f64(w, "threshold", g->threshold);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int by_retained(const void *a, const void *b)
{
	const struct sg_fold_line *x = *(const struct sg_fold_line *const *)a, *y = *(const struct sg_fold_line *const *)b;

	return x->retained < y->retained ? -1 : x->retained > y->retained ? 1 : strcmp(x->tensor, y->tensor);
}

static int rows(const struct sg_fold_line *const *l, size_t n)
{
	struct sg_table t;

	sg_table_init(&t, "TENSOR|DTYPE|>RETAINED|>REL ERR|>UNCHANGED|", true);
	for (size_t i = 0; i < n; i++) {
		sg_table_add(&t, "%s", l[i]->tensor);
		sg_table_add(&t, "%s", l[i]->dtype);
		sg_table_add(&t, "%.6f", l[i]->retained);
		sg_table_add(&t, "%.2e", l[i]->rel_err);
		sg_table_add(&t, "%.2f%%", 100 * l[i]->unchanged);
		sg_table_color(&t, color_of(l[i]->verdict), "%s", l[i]->verdict);
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

int sg_fold_print(const struct sg_fold_table *t, size_t most)
{
	const struct sg_fold_line **l;
	size_t ok = 0, warn = 0, n = most ? SG_MIN(most, t->n) : t->n;
	int rc;

	if (!t->n)
		return 0;
	SG_TRY(SG_NEW(l, t->n));
	for (size_t i = 0; i < t->n; i++) {
		l[i] = &t->line[i];
		ok += !strcmp(l[i]->verdict, "ok");
		warn += !strcmp(l[i]->verdict, "warn");
	}
	qsort(l, t->n, sizeof(*l), by_retained);
	rc = rows(l, n);
	free(l);
	printf("%zu tensors changed: %zu ok, %zu warn, %zu refuse%s\n", t->n, ok, warn, t->n - ok - warn,
	       n < t->n ? " (the worst are shown; --json has all)" : "");
	return rc;
}

void sg_fold_put(struct sg_jsonw *w, const struct sg_fold_table *t)
{
	sg_jsonw_key(w, "tensors");
	sg_jsonw_array(w);
	for (size_t i = 0; i < t->n; i++) {
		const struct sg_fold_line *l = &t->line[i];

		sg_jsonw_object(w);
		sg_json_put_str(w, "tensor", l->tensor);
		sg_json_put_str(w, "dtype", l->dtype);
		sg_json_put_f64(w, "retained", l->retained);
		sg_json_put_f64(w, "rel_err", l->rel_err);
		sg_json_put_f64(w, "unchanged", l->unchanged);
		sg_json_put_str(w, "verdict", l->verdict);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}
