/*
 * A trial: the judged data sets of a commit, their losses under two compositions,
 * and what the gates of its policy say. A validation, a revert and a consolidation
 * differ in which two compositions they bring; the rest is here.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/gate.h"
#include <math.h>

#define DEFAULT_WINDOW 256
/* --- opening ---------------------------------------------------------------- */

int sg_trial_open(struct sg_trial *t, struct sg_repo *r, const struct sg_oid *commit,
		  const struct sg_progress *progress)
{
	*t = (struct sg_trial){ .r = r, .window = DEFAULT_WINDOW, .progress = progress };
	SG_TRY(sg_sets_open(&t->sets, r, commit));
	return sg_policy_at(&t->policy, r, commit);
}

void sg_trial_release(struct sg_trial *t)
{
	sg_receipt_release(&t->receipt);
	sg_policy_release(&t->policy);
	sg_sets_release(&t->sets);
	*t = (struct sg_trial){ 0 };
}

int sg_trained_window(size_t *out, struct sg_repo *r, const struct sg_oid *commit, const char *id)
{
	struct sg_json_doc doc = { 0 };
	int64_t seq = DEFAULT_WINDOW;
	int rc = sg_training_open(&doc, r, commit, id);

	if (rc == -SG_E_NOTFOUND)
		rc = 0;		/* an imported graft was not trained here */
	else if (rc >= 0)
		rc = sg_json_i64(sg_json_get(sg_json_root(&doc), "recipe"), "seq", 1, 1 << 20, &seq);
	*out = (size_t)seq;
	sg_json_release(&doc);
	return rc;
}

/* --- measuring -------------------------------------------------------------- */

static int add_set(struct sg_trial *t, const struct sg_set *s, const char *role, uint64_t uses)
{
	const struct sg_tokens *tokens;
	struct sg_receipt_set *out;

	SG_TRY(sg_set_tokens(&tokens, s));
	SG_TRY(sg_receipt_add_set(&t->receipt, &out, s->manifest.name, role, s->id, s->manifest.shard, uses,
				  (size_t)tokens->docs));
	for (size_t d = 0; d < out->docs; d++)
		out->bytes[d] = (uint32_t)sg_tokens_bytes(tokens, d);
	return 0;
}

int sg_trial_sets(struct sg_trial *t, const char *role, sg_uses_fn *uses, void *arg)
{
	for (size_t i = 0; i < t->sets.n; i++) {
		const struct sg_set *s = &t->sets.set[i];
		uint64_t n = 1;

		if (!sg_role_judged(s->manifest.role))
			continue;
		if (uses)
			SG_TRY(uses(arg, &n, s->id));
		SG_TRY(add_set(t, s, role ? role : sg_role_name(s->manifest.role), n));
	}
	return 0;
}

int sg_trial_measure(struct sg_trial *t, struct sg_model *m, bool cand, const char *who)
{
	for (size_t i = 0; i < t->receipt.n_sets; i++) {
		struct sg_receipt_set *s = &t->receipt.set[i];
		const struct sg_set *set = sg_sets_find(&t->sets, s->name);
		char what[100];

		snprintf(what, sizeof(what), "%.24s on %.60s", who, s->name);
		SG_TRY(sg_measure(cand ? s->cand : s->parent, s->tokens, m, &set->shard.t, s->docs, t->window,
				  sg_rows(t->window), what, t->progress));
	}
	return 0;
}

int sg_trial_sample(char hex[SG_SHA256_HEX], struct sg_trial *t, struct sg_model *m)
{
	double nats[SG_ROLLBACK_DOCS];
	uint32_t tokens[SG_ROLLBACK_DOCS];
	const struct sg_set *set;
	size_t docs;

	if (!t->receipt.n_sets)
		return 0;
	set = sg_sets_find(&t->sets, t->receipt.set[0].name);
	docs = SG_MIN(t->receipt.set[0].docs, SG_ROLLBACK_DOCS);
	SG_TRY(sg_measure(nats, tokens, m, &set->shard.t, docs, t->window, sg_rows(t->window), "rollback", t->progress));
	return sg_sha256_hex(hex, nats, docs * sizeof(*nats));
}

int sg_trial_facts(struct sg_receipt_facts *f, const struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		float *v;

		SG_TRY(sg_graft_tensor(&v, g, t));
		for (size_t k = 0; k < t->n; k++) {
			f->nonzero += v[k] != 0;
			f->nonfinite += !isfinite(v[k]);
		}
		free(v);
		f->elements += t->n;
		f->size += t->n * sizeof(float);
	}
	return 0;
}

int sg_trial_judge(struct sg_trial *t)
{
	struct sg_receipt *p = &t->receipt;

	p->window = (uint32_t)t->window;
	SG_TRY((p->tool = sg_strdup(SG_TOOL)) ? 0 : -SG_E_NOMEM);
	SG_TRY((p->fingerprint = sg_strdup(t->r->dev.fingerprint)) ? 0 : -SG_E_NOMEM);
	return sg_gate_judge(p, &t->policy);
}

/* --- telling ---------------------------------------------------------------- */

static int copy_line(struct sg_gate_line *out, const struct sg_receipt_gate *g)
{
	*out = (struct sg_gate_line){
		.gate = sg_strdup(g->name), .set = sg_strdup(g->set), .verdict = sg_strdup(sg_verdict_name(g->verdict)),
		.text = sg_strdup(g->text ? g->text : ""), .docs = g->n, .parent = g->parent, .mean = g->mean,
		.lower = g->lower, .upper = g->upper, .threshold = g->threshold,
	};
	return out->gate && out->set && out->verdict && out->text ? 0 : -SG_E_NOMEM;
}

int sg_verdict_of(struct sg_verdict_info *out, const struct sg_receipt *p, const char *name)
{
	struct sg_verdict_info v = { .verdict = sg_strdup(sg_verdict_name(p->verdict)) };
	int rc = v.verdict ? SG_NEW(v.line, p->n_gates) : -SG_E_NOMEM;

	strcpy(v.graft, p->graft);
	strcpy(v.state, p->candidate);
	strcpy(v.prev, p->parent);
	if (rc >= 0 && name)
		rc = (v.name = sg_strdup(name)) ? 0 : -SG_E_NOMEM;
	for (; rc >= 0 && v.n < p->n_gates; v.n++)
		rc = copy_line(&v.line[v.n], &p->gate[v.n]);
	if (rc < 0)
		sg_verdict_info_release(&v);
	else
		*out = v;
	return rc;
}

void sg_verdict_info_release(struct sg_verdict_info *v)
{
	for (size_t i = 0; v->line && i < v->n; i++) {
		free(v->line[i].gate);
		free(v->line[i].set);
		free(v->line[i].verdict);
		free(v->line[i].text);
	}
	free(v->line);
	free(v->name);
	free(v->verdict);
	*v = (struct sg_verdict_info){ 0 };
}

void sg_gates_json(struct sg_jsonw *w, const struct sg_receipt *p)
{
	sg_jsonw_key(w, "gates");
	sg_jsonw_array(w);
	for (size_t i = 0; i < p->n_gates; i++) {
		const struct sg_receipt_gate *g = &p->gate[i];

		sg_jsonw_object(w);
		sg_jsonw_key(w, "docs");
		sg_jsonw_i64(w, (int64_t)g->n);
		sg_jsonw_key(w, "gate");
		sg_jsonw_str(w, g->name);
		sg_jsonw_key(w, "lower");
		sg_jsonw_f64(w, g->lower);
		sg_jsonw_key(w, "mean");
		sg_jsonw_f64(w, g->mean);
		sg_jsonw_key(w, "parent");
		sg_jsonw_f64(w, g->parent);
		sg_jsonw_key(w, "set");
		sg_jsonw_str(w, g->set);
		sg_jsonw_key(w, "text");
		sg_jsonw_str(w, g->text ? g->text : "");
		sg_jsonw_key(w, "threshold");
		sg_jsonw_f64(w, g->threshold);
		sg_jsonw_key(w, "upper");
		sg_jsonw_f64(w, g->upper);
		sg_jsonw_key(w, "verdict");
		sg_jsonw_str(w, sg_verdict_name(g->verdict));
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

/* The verdict for people, stock git and `sg log`: numbers as in the receipt. */
int sg_accept_json(struct sg_buf *out, const struct sg_receipt *p, const char *name, const char *receipt_sha)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-accept-1");
	sg_gates_json(&w, p);
	sg_jsonw_key(&w, "graft");
	sg_jsonw_str(&w, p->graft);
	if (name) {
		sg_jsonw_key(&w, "name");
		sg_jsonw_str(&w, name);
	}
	sg_jsonw_key(&w, "policy");
	sg_jsonw_str(&w, p->policy);
	sg_jsonw_key(&w, "prev_state");
	sg_jsonw_str(&w, p->parent);
	sg_jsonw_key(&w, "receipt");
	sg_jsonw_str(&w, receipt_sha);
	sg_jsonw_key(&w, "state");
	sg_jsonw_str(&w, p->candidate);
	sg_jsonw_key(&w, "verdict");
	sg_jsonw_str(&w, sg_verdict_name(p->verdict));
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

/* Trailers that say what was measured: one Sg-Metric a gate with numbers. */
int sg_message_metrics(struct sg_buf *m, const struct sg_receipt *p)
{
	size_t passed = 0;

	for (size_t i = 0; i < p->n_gates; i++) {
		const struct sg_receipt_gate *g = &p->gate[i];

		passed += g->verdict == SG_ACCEPT;
		if (*g->set)
			SG_TRY(sg_message_trailer(m, "Sg-Metric", "%s %s %.6f %.6f [%.6f, %.6f] n=%llu", g->name, g->set,
						  g->parent, g->parent + g->mean, g->lower, g->upper,
						  (unsigned long long)g->n));
	}
	return sg_message_trailer(m, "Sg-Gate", "%s %zu/%zu policy:%s", p->verdict == SG_ACCEPT ? "pass" : "fail", passed,
				  p->n_gates, p->policy);
}
