#include "cmd/look.h"
#include "cmd/verdict.h"

const char *sg_look_number(uint64_t n)
{
	char digits[24], out[32];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	return sg_print_safen(out, at);
}

const char *sg_look_sites(size_t n)
{
	char s[40];

	snprintf(s, sizeof(s), "%zu %s", n, n == 1 ? "site" : "sites");
	return sg_print_safe(s);
}

enum sg_color sg_look_verdict_color(const char *v)
{
	return !v ? SG_DIM : !strcmp(v, "accept") ? SG_GREEN : !strcmp(v, "reject") ? SG_RED : SG_YELLOW;
}

/* --- JSON ---------------------------------------------------------------------- */

void sg_look_put(struct sg_jsonw *w, const char *key, const char *v)
{
	sg_jsonw_key(w, key);
	if (v)
		sg_jsonw_text(w, v, strlen(v));
	else
		sg_jsonw_null(w);
}

void sg_look_put_id(struct sg_jsonw *w, const char *key, const char *hex)
{
	sg_json_put_str(w, key, *hex ? hex : NULL);
}

void sg_look_put_names(struct sg_jsonw *w, const char *key, const struct sg_names *l)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < l->n; i++)
		sg_jsonw_text(w, l->name[i], strlen(l->name[i]));
	sg_jsonw_end(w, ']');
}

int sg_look_said(const char *did, const char *name, const char *commit)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_look_put(w, did, name);
	sg_json_put_str(w, "commit", commit);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

void sg_look_graft_json(struct sg_jsonw *w, const struct sg_graft_info *g)
{
	sg_look_put_id(w, "id", g->id);
	sg_look_put(w, "name", g->name);
	sg_look_put(w, "type", g->type);
	sg_look_put_names(w, "sites", &g->sites);
	sg_json_put_i64(w, "parameters", (int64_t)g->parameters);
	sg_json_put_i64(w, "payload", (int64_t)g->payload);
	sg_json_put_i64(w, "tensors", (int64_t)g->tensors);
}

/* The measurement that a step's gain is: quality on the first set, else what there is. */
static const struct sg_metric *gain_of(const struct sg_step *s)
{
	for (size_t i = 0; i < s->n_metrics; i++)
		if (!strcmp(s->metric[i].gate, "quality"))
			return &s->metric[i];
	return s->n_metrics ? &s->metric[0] : NULL;
}

/* Time and tokens are known when they are of all grafts. */
static struct sg_look_cost cost_of(const struct sg_step *s, size_t *tensors)
{
	struct sg_look_cost c = { 0 };
	bool all = true;

	*tensors = 0;
	for (size_t i = 0; i < s->n; i++) {
		*tensors += s->graft[i].tensors;
		c.parameters += s->graft[i].parameters;
		c.payload += s->graft[i].payload;
		c.tokens += s->graft[i].tokens;
		c.seconds += s->graft[i].seconds;
		all = all && s->graft[i].tokens;
	}
	if (!all)
		c.tokens = 0, c.seconds = 0;
	return c;
}

void sg_look_cost_json(struct sg_jsonw *w, const double *gain, const struct sg_look_cost *c)
{
	sg_json_put_i64(w, "parameters", (int64_t)c->parameters);
	sg_json_put_i64(w, "payload", (int64_t)c->payload);
	if (c->tokens)
		sg_json_put_i64(w, "tokens", (int64_t)c->tokens);
	if (c->seconds > 0)
		sg_json_put_f64(w, "seconds", c->seconds);
	if (c->tokens && c->seconds > 0)
		sg_json_put_f64(w, "tokens_per_second", (double)c->tokens / c->seconds);
	if (gain && c->parameters)
		sg_json_put_f64(w, "gain_per_parameter", *gain / (double)c->parameters);
	if (gain && c->payload)
		sg_json_put_f64(w, "gain_per_byte", *gain / (double)c->payload);
	if (gain && c->seconds > 0)
		sg_json_put_f64(w, "gain_per_second", *gain / c->seconds);
	if (gain && c->tokens)
		sg_json_put_f64(w, "gain_per_token", *gain / (double)c->tokens);
}

static void metrics_json(struct sg_jsonw *w, const struct sg_step *s)
{
	sg_jsonw_key(w, "metrics");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->n_metrics; i++) {
		const struct sg_metric *m = &s->metric[i];

		sg_jsonw_object(w);
		sg_look_put(w, "gate", m->gate);
		sg_look_put(w, "set", m->set);
		sg_json_put_f64(w, "parent", m->parent);
		sg_json_put_f64(w, "candidate", m->cand);
		sg_json_put_f64(w, "gain", m->parent - m->cand);
		sg_json_put_f64(w, "gain_lower", -m->upper);
		sg_json_put_f64(w, "gain_upper", -m->lower);
		sg_json_put_i64(w, "docs", (int64_t)m->docs);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void grafts_json(struct sg_jsonw *w, const char *key, const struct sg_graft_info *g, size_t n)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < n; i++) {
		sg_jsonw_object(w);
		sg_look_graft_json(w, &g[i]);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void stat_json(struct sg_jsonw *w, const struct sg_step *s)
{
	const struct sg_metric *m = gain_of(s);
	double gain = m ? m->parent - m->cand : 0;
	size_t tensors;
	struct sg_look_cost c = cost_of(s, &tensors);

	sg_json_put_i64(w, "tensors", (int64_t)tensors);
	sg_look_cost_json(w, m ? &gain : NULL, &c);
}

void sg_look_notes_json(struct sg_jsonw *w, const struct sg_note *note, size_t n)
{
	sg_jsonw_key(w, "notes");
	sg_jsonw_array(w);
	for (size_t i = 0; i < n; i++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "commit", note[i].commit);
		sg_look_put_id(w, "graft", note[i].graft);
		sg_look_put(w, "name", note[i].name);
		sg_look_put(w, "text", note[i].text);
		sg_look_put(w, "by", note[i].by);
		sg_json_put_i64(w, "time", note[i].time);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

void sg_look_notes(const struct sg_note *note, size_t n, const char *lead, FILE *to)
{
	for (size_t i = 0; i < n; i++) {
		fprintf(to, "%snote %zu", lead, i + 1);
		if (*note[i].by)
			fprintf(to, ", %s, %s", sg_print_safe(note[i].by), sg_print_time(note[i].time));
		fprintf(to, ": %s\n", sg_print_safe(note[i].text));
	}
}

void sg_look_step_json(struct sg_jsonw *w, const struct sg_step *s, bool stat)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "commit", s->commit);
	sg_look_put_names(w, "parents", &s->parents);
	sg_look_put_names(w, "refs", &s->refs);
	sg_look_put(w, "op", *s->op ? s->op : NULL);
	sg_look_put(w, "subject", s->subject);
	sg_look_put(w, "body", s->body);
	sg_look_put(w, "author", s->author);
	sg_look_put(w, "email", s->email);
	sg_json_put_i64(w, "time", s->time);
	sg_json_put_bool(w, "signature", s->has_signature);
	if (s->signature) {
		sg_json_put_str(w, "signed", s->signature);
		sg_look_put(w, "signer", s->signer);
	}
	sg_look_put_id(w, "base", s->base);
	sg_look_put_id(w, "state", s->state);
	sg_look_put_id(w, "prev_state", s->prev);
	grafts_json(w, "grafts", s->graft, s->n);
	grafts_json(w, "replaces", s->replaced, s->n_replaced);
	metrics_json(w, s);
	sg_look_put(w, "gate", s->gate);
	sg_look_notes_json(w, s->note, s->n_notes);
	if (stat)
		stat_json(w, s);
	sg_jsonw_end(w, '}');
}

/* --- text ---------------------------------------------------------------------- */

static enum sg_color op_color(const char *op)
{
	return !strcmp(op, "accept") || !strcmp(op, "reapply") || !strcmp(op, "cherry-pick") || !strcmp(op, "merge") ? SG_GREEN :
	       !strcmp(op, "revert") || !strcmp(op, "reject") ? SG_RED :
	       !strcmp(op, "consolidate") ? SG_BLUE : SG_PLAIN;
}

static void dyed(FILE *to, enum sg_color c, const char *text)
{
	if (c == SG_PLAIN)
		fputs(text, to);
	else
		fprintf(to, "%s%s%s", sg_print_color(c), text, sg_print_color(SG_PLAIN));
}

static void print_refs(const struct sg_step *s, FILE *to)
{
	for (size_t i = 0; i < s->refs.n; i++)
		fprintf(to, "%s%s%s%s", i ? ", " : " (", sg_print_color(SG_CYAN), sg_print_safe(s->refs.name[i]),
			sg_print_color(SG_PLAIN));
	if (s->refs.n)
		fputc(')', to);
}

static void print_graft(const struct sg_graft_info *g, FILE *to)
{
	fprintf(to, " %.*s", SG_ID_SHOWN, g->id);
	if (g->name)
		fprintf(to, " %s", sg_print_safe(g->name));
	if (g->type)
		fprintf(to, " (%s)", sg_print_safe(g->type));
}

/* A judged step about one graft is told by its parts and numbers, another about one
 * by its id and what its subject adds, a merge or any other by its subject. */
void sg_look_step_line(const struct sg_step *s, FILE *to)
{
	const struct sg_metric *m = gain_of(s);
	size_t op = strlen(s->op);
	bool one = s->n == 1 && op && strcmp(s->op, "merge");
	char hex[SG_COMMIT_SHOWN + 1];

	snprintf(hex, sizeof(hex), "%.*s", SG_COMMIT_SHOWN, s->commit);
	dyed(to, SG_YELLOW, hex);
	print_refs(s, to);
	fputc(' ', to);
	if (one && m) {
		dyed(to, op_color(s->op), sg_print_safe(s->op));
		print_graft(&s->graft[0], to);
		fprintf(to, " %s gain %+.4f [%+.4f, %+.4f] n=%llu", sg_print_safe(m->set), m->parent - m->cand, -m->upper,
			-m->lower, (unsigned long long)m->docs);
		if (s->gate)
			fprintf(to, " %s", sg_print_safe(s->gate));
	} else if (one && !strncmp(s->subject, s->op, op) && s->subject[op] == ' ') {
		dyed(to, op_color(s->op), sg_print_safe(s->op));
		fprintf(to, " %.*s%s", SG_ID_SHOWN, s->graft[0].id, sg_print_safe(s->subject + op));
	} else {
		dyed(to, op_color(s->op), sg_print_safe(s->subject));
	}
	fputc('\n', to);
}

static int print_metrics(const struct sg_step *s, FILE *to)
{
	struct sg_table t;

	sg_table_init(&t, "|gate|set|loss|>gain|bounds|docs", false);
	for (size_t i = 0; i < s->n_metrics; i++) {
		const struct sg_metric *m = &s->metric[i];

		sg_table_add(&t, "   ");
		sg_table_add(&t, "%s", m->gate);
		sg_table_add(&t, "%s", m->set);
		sg_table_add(&t, "%.4f -> %.4f", m->parent, m->cand);
		sg_table_color(&t, m->upper < 0 ? SG_GREEN : m->lower > 0 ? SG_RED : SG_PLAIN, "gain %+.4f",
			       m->parent - m->cand);
		sg_table_add(&t, "[%+.4f, %+.4f]", -m->upper, -m->lower);
		sg_table_add(&t, "n=%llu", (unsigned long long)m->docs);
		sg_table_row(&t);
	}
	return sg_table_print(&t, to);
}

static void print_stat(const struct sg_step *s, FILE *to)
{
	const struct sg_metric *m = gain_of(s);
	double gain = m ? m->parent - m->cand : 0;
	size_t tensors;
	struct sg_look_cost c = cost_of(s, &tensors);

	if (!c.parameters || !c.payload)
		return;
	fprintf(to, "     size       %s parameters, %s in %zu %s", sg_look_number(c.parameters),
		sg_print_bytes(c.payload), tensors, tensors == 1 ? "tensor" : "tensors");
	if (m)
		fprintf(to, "; gain %.4g a million parameters, %.4g a MiB", gain / (double)c.parameters * 1e6,
			gain / (double)c.payload * 1048576);
	fputc('\n', to);
	if (!c.tokens)
		return;
	fprintf(to, "     training   %s tokens, %s", sg_look_number(c.tokens), sg_print_span(c.seconds));
	if (m)
		fprintf(to, "; gain %.4g a million tokens", gain / (double)c.tokens * 1e6);
	if (m && c.seconds > 0)
		fprintf(to, ", %.4g an hour", gain / c.seconds * 3600);
	fputc('\n', to);
}

static void print_body(const char *body, FILE *to)
{
	while (*body) {
		size_t n = strcspn(body, "\n");

		fprintf(to, "%s%s\n", n ? "    " : "", sg_print_safen(body, n));
		body += n + (body[n] == '\n');
	}
}

static void print_grafts(const char *title, const struct sg_graft_info *g, size_t n, FILE *to)
{
	for (size_t i = 0; i < n; i++) {
		fprintf(to, "     %-9s ", title);
		print_graft(&g[i], to);
		if (g[i].sites.n)
			fprintf(to, " on %s", sg_look_sites(g[i].sites.n));
		fputc('\n', to);
	}
}

static void print_signature(const struct sg_step *s, FILE *to)
{
	bool good = s->signature && !strcmp(s->signature, "good");

	if (!s->signature || !strcmp(s->signature, "none"))
		return;
	fputs("\nSigned: ", to);
	dyed(to, good ? SG_GREEN : !strcmp(s->signature, "bad") ? SG_RED : SG_YELLOW, s->signature);
	if (good)
		fprintf(to, ", by %s", sg_print_safe(s->signer));
	else
		fprintf(to, ": %s", sg_print_safe(s->signature_text));
}

int sg_look_step(const struct sg_step *s, bool stat, FILE *to)
{
	fprintf(to, "%scommit %s%s", sg_print_color(SG_YELLOW), s->commit, sg_print_color(SG_PLAIN));
	print_refs(s, to);
	print_signature(s, to);
	fprintf(to, "\nAuthor: %s <%s>\nDate:   %s\n\n    ", sg_print_safe(s->author), sg_print_safe(s->email),
		sg_print_time(s->time));
	dyed(to, op_color(s->op), sg_print_safe(s->subject));
	fputs("\n", to);
	if (*s->body) {
		fputc('\n', to);
		print_body(s->body, to);
	}
	if (s->n || s->n_metrics || s->gate || s->n_replaced)
		fputc('\n', to);
	print_grafts("graft", s->graft, s->n, to);
	print_grafts("replaces", s->replaced, s->n_replaced, to);
	if (s->n_metrics)
		SG_TRY(print_metrics(s, to));
	if (stat)
		print_stat(s, to);
	if (s->gate)
		fprintf(to, "     gates      %s\n", sg_print_safe(s->gate));
	if (*s->state && *s->prev)
		fprintf(to, "     state      %.*s\n", SG_ID_SHOWN, s->state);
	if (s->n_notes)
		fputc('\n', to);
	sg_look_notes(s->note, s->n_notes, "    ", to);
	return 0;
}

static bool has_numbers(const struct sg_gate_line *g)
{
	return *g->set && g->docs;
}

void sg_look_gates(const struct sg_verdict_info *v, FILE *to)
{
	struct sg_table t;

	sg_table_init(&t, "|gate|set|loss|>gain|bounds|>docs|verdict|why", false);
	for (size_t i = 0; i < v->n; i++) {
		const struct sg_gate_line *g = &v->line[i];

		if (!has_numbers(g))
			continue;
		sg_table_add(&t, " ");
		sg_table_add(&t, "%s", g->gate);
		sg_table_add(&t, "%s", g->set);
		sg_table_add(&t, "%.4f -> %.4f", g->parent, g->parent + g->mean);
		sg_table_add(&t, "gain %+.4f", -g->mean);
		sg_table_add(&t, "[%+.4f, %+.4f]", -g->upper, -g->lower);
		sg_table_add(&t, "n=%llu", (unsigned long long)g->docs);
		sg_table_color(&t, sg_look_verdict_color(g->verdict), "%s", g->verdict);
		if (strcmp(g->verdict, "accept"))
			sg_table_add(&t, "%s", g->text);
		sg_table_row(&t);
	}
	(void)sg_table_print(&t, to);
	for (size_t i = 0; i < v->n; i++)
		if (!has_numbers(&v->line[i]))
			fprintf(to, "   %-9s  %s%s%s%s%s: %s\n", sg_print_safe(v->line[i].gate), sg_print_safe(v->line[i].set),
				*v->line[i].set ? "  " : "", sg_print_color(sg_look_verdict_color(v->line[i].verdict)),
				v->line[i].verdict, sg_print_color(SG_PLAIN), sg_print_safe(v->line[i].text));
}

/* --- differences ------------------------------------------------------------------ */

static const char *side_name(enum sg_diff_side s)
{
	return s == SG_DIFF_A ? "a" : s == SG_DIFF_B ? "b" : "both";
}

static void norms_json(struct sg_jsonw *w, const struct sg_diff_graft *g)
{
	sg_jsonw_key(w, "norms");
	sg_jsonw_array(w);
	for (size_t i = 0; i < g->n_norms; i++) {
		sg_jsonw_object(w);
		sg_look_put(w, "site", g->norm[i].site);
		sg_jsonw_key(w, "norm");
		if (g->norm[i].norm >= 0)
			sg_jsonw_f64(w, g->norm[i].norm);
		else
			sg_jsonw_null(w);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void items_json(struct sg_jsonw *w, const char *key, const struct sg_diff_item *item, size_t n)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < n; i++) {
		sg_jsonw_object(w);
		sg_look_put(w, "name", item[i].name);
		sg_look_put(w, "a", item[i].a);
		sg_look_put(w, "b", item[i].b);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void diff_graft_json(struct sg_jsonw *w, const struct sg_diff_graft *g)
{
	sg_jsonw_object(w);
	sg_json_put_str(w, "side", side_name(g->side));
	sg_look_graft_json(w, &g->info);
	if (g->judged)
		sg_verdict_put(w, &g->v);
	if (g->side != SG_DIFF_BOTH)
		norms_json(w, g);
	sg_jsonw_end(w, '}');
}

static void degrees_json(struct sg_jsonw *w, const char *key, const double *v, size_t n)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (size_t i = 0; i < n; i++)
		sg_jsonw_f64(w, v[i]);
	sg_jsonw_end(w, ']');
}

static void angles_json(struct sg_jsonw *w, const struct sg_diff *d)
{
	sg_jsonw_key(w, "angles");
	sg_jsonw_array(w);
	for (size_t i = 0; i < d->n_angles; i++) {
		const struct sg_diff_angles *k = &d->angle[i];

		sg_jsonw_object(w);
		sg_look_put(w, "site", k->site);
		sg_json_put_str(w, "a", d->graft[k->a].info.id);
		sg_json_put_str(w, "b", d->graft[k->b].info.id);
		degrees_json(w, "writes", k->writes, k->n_writes);
		degrees_json(w, "reads", k->reads, k->n_reads);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

void sg_look_diff_json(struct sg_jsonw *w, const struct sg_diff *d)
{
	sg_jsonw_object(w);
	for (int i = 0; i < 2; i++) {
		sg_jsonw_key(w, i ? "b" : "a");
		sg_jsonw_object(w);
		sg_json_put_str(w, "commit", d->commit[i]);
		sg_json_put_str(w, "state", d->state[i]);
		sg_json_put_str(w, "base", d->base[i]);
		sg_jsonw_end(w, '}');
	}
	sg_json_put_bool(w, "same", d->same);
	sg_json_put_bool(w, "base_changed", strcmp(d->base[0], d->base[1]) != 0);
	sg_json_put_bool(w, "reordered", d->reordered);
	sg_jsonw_key(w, "grafts");
	sg_jsonw_array(w);
	for (size_t i = 0; i < d->n; i++)
		diff_graft_json(w, &d->graft[i]);
	sg_jsonw_end(w, ']');
	items_json(w, "data", d->data, d->n_data);
	items_json(w, "policy", d->policy, d->n_policy);
	angles_json(w, d);
	sg_look_put(w, "no_norms", d->no_norms);
	sg_jsonw_end(w, '}');
}

static void changed_line(FILE *to, bool in, const char *what, const char *text)
{
	fprintf(to, "%s%c %s%s%s\n", sg_print_color(in ? SG_GREEN : SG_RED), in ? '+' : '-', what, text,
		sg_print_color(SG_PLAIN));
}

static void changed_graft(const struct sg_diff_graft *g, bool gates, FILE *to)
{
	bool in = g->side == SG_DIFF_B;

	fprintf(to, "%s%c graft", sg_print_color(in ? SG_GREEN : SG_RED), in ? '+' : '-');
	print_graft(&g->info, to);
	fprintf(to, "%s on %s, %s parameters\n", sg_print_color(SG_PLAIN),
		g->info.sites.n == 1 ? sg_print_safe(g->info.sites.name[0]) : sg_look_sites(g->info.sites.n),
		sg_look_number(g->info.parameters));
	if (g->judged && gates)
		sg_look_gates(&g->v, to);
}

static void changed_items(const struct sg_diff_item *item, size_t n, const char *what, const char *between, FILE *to)
{
	for (size_t i = 0; i < n; i++)
		for (int side = 0; side < 2; side++) {
			const char *v = side ? item[i].b : item[i].a;
			char text[400];

			if (!v)
				continue;
			snprintf(text, sizeof(text), "%.200s%s%.190s", sg_print_safe(item[i].name), between, sg_print_safe(v));
			changed_line(to, side, what, text);
		}
}

void sg_look_changes(const struct sg_diff *d, bool gates, FILE *to)
{
	size_t common = 0;

	if (strcmp(d->base[0], d->base[1])) {
		changed_line(to, false, "base ", d->base[0]);
		changed_line(to, true, "base ", d->base[1]);
	}
	for (size_t i = 0; i < d->n; i++) {
		common += d->graft[i].side == SG_DIFF_BOTH;
		if (d->graft[i].side != SG_DIFF_BOTH)
			changed_graft(&d->graft[i], gates, to);
	}
	if (common)
		fprintf(to, "  %zu %s in common%s\n", common, common == 1 ? "graft" : "grafts",
			d->reordered ? ", in another order" : "");
	changed_items(d->data, d->n_data, "data ", " ", to);
	changed_items(d->policy, d->n_policy, "policy ", " = ", to);
}
