/*
 * Two lines of growth become one. The union of their stacks is a composition that
 * nobody has judged: it is measured against this line's, and what comes in is asked
 * for what the policy asks of a graft. The receipt stays in the merge commit, as
 * merged/<state16>.mp; of a merge that was not made it is kept among the reports.
 */
#include "sg_merge.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/gate.h"

const char *sg_merge_result_name(enum sg_merge_result r)
{
	static const char *const name[] = { "same", "forward", "merged", "conflict", "rejected" };

	return name[r];
}

/* --- what meets ---------------------------------------------------------------- */

static int open_sides(struct merge *m)
{
	struct sg_oid oid[SIDES];

	SG_TRY(sg_view_open(&m->view[OURS], m->r, NULL));
	oid[OURS] = m->view[OURS].commit;
	SG_TRY(sg_rev_parse(&oid[THEIRS], m->r->reg, m->o->rev));
	SG_TRY(sg_check_step(m->r, &oid[THEIRS], m->o->rev));
	if (sg_history_line_base(&oid[BASE], m->r->reg, &oid[OURS], &oid[THEIRS]) < 0)
		return sg_fail_in(-SG_E_REFUSED, "cannot merge '%s'", m->o->rev);
	SG_TRY(sg_view_at(&m->view[THEIRS], m->r, &oid[THEIRS]));
	SG_TRY(sg_view_at(&m->view[BASE], m->r, &oid[BASE]));
	sg_oid_hex(m->info.ours, &oid[OURS]);
	sg_oid_hex(m->info.theirs, &oid[THEIRS]);
	sg_oid_hex(m->info.base, &oid[BASE]);
	strcpy(m->info.prev, m->view[OURS].state);
	return 0;
}

static bool is_at(const struct merge *m, int a, int b)
{
	return sg_oid_eq(&m->view[a].commit, &m->view[b].commit);
}

static int check_base(const struct merge *m)
{
	if (!strcmp(m->view[OURS].base, m->view[THEIRS].base))
		return 0;
	return sg_fail(SG_E_REFUSED, "the lines have different bases, %.16s here and %.16s in '%s': their grafts do not fit "
		       "one another", m->view[OURS].base, m->view[THEIRS].base, m->o->rev);
}

/* --- the composition ------------------------------------------------------------ */

/* What comes from the other line, and what goes of ours. */
struct change { struct sg_extra *in; size_t n; struct sg_names out; };

static void change_release(struct change *c)
{
	free(c->in);
	sg_names_release(&c->out);
}

static int change_of(struct change *c, const struct merge *m)
{
	SG_TRY(SG_NEW(c->in, SG_MAX(m->n, (size_t)1)));
	for (size_t i = 0; i < m->n; i++) {
		const struct merge_graft *g = &m->g[i];

		if (g->keep && !g->in[OURS]) {
			c->in[c->n].commit = m->view[THEIRS].commit;
			strcpy(c->in[c->n++].id, g->id);
		} else if (!g->keep && g->in[OURS]) {
			SG_TRY(sg_names_add(&c->out, g->id));
		}
	}
	return 0;
}

/* --- judging --------------------------------------------------------------------- */

static int count_uses(void *arg, uint64_t *out, const char *set)
{
	struct merge *m = arg;

	return sg_looks(out, m->r, set, m->t.receipt.candidate, m->t.receipt.parent, m->t.window);
}

/* The longest context that a graft which comes or goes was trained with. */
static int choose_window(struct merge *m)
{
	size_t best = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct merge_graft *g = &m->g[i];
		size_t window;

		if (g->keep == g->in[OURS])
			continue;
		SG_TRY(sg_trained_window(&window, m->r, &m->view[g->in[OURS] ? OURS : THEIRS].commit, g->id));
		best = SG_MAX(best, window);
	}
	m->t.window = best ? best : m->t.window;
	return sg_view_window(&m->view[OURS], m->t.window);
}

static int add_facts(struct merge *m, const struct sg_composed *with, const struct change *c)
{
	for (size_t i = 0; i < with->n; i++)
		for (size_t k = 0; k < c->n; k++)
			if (!strcmp(with->g[i]->id, c->in[k].id))
				SG_TRY(sg_trial_facts(&m->t.receipt.facts, with->g[i]));
	return 0;
}

/* This line, the merged one, and this line once more. */
static int measure_all(struct merge *m, const struct change *c)
{
	struct sg_view *v = &m->view[OURS];
	size_t rows = sg_rows(m->t.window);
	struct sg_composed k = { 0 };
	int rc = sg_view_compose(&k, v, NULL, 0, NULL, rows);

	if (rc >= 0)
		rc = sg_trial_measure(&m->t, &k.model, false, "this line");
	if (rc >= 0)
		rc = sg_trial_sample(m->t.receipt.facts.before, &m->t, &k.model);
	sg_composed_release(&k);
	if (rc >= 0)
		rc = sg_view_compose(&k, v, c->in, c->n, &c->out, rows);
	if (rc >= 0)
		rc = sg_trial_measure(&m->t, &k.model, true, "merged");
	if (rc >= 0)
		rc = add_facts(m, &k, c);
	sg_composed_release(&k);
	if (rc >= 0)
		rc = sg_view_compose(&k, v, NULL, 0, NULL, rows);
	if (rc >= 0)
		rc = sg_trial_sample(m->t.receipt.facts.after, &m->t, &k.model);
	sg_composed_release(&k);
	return rc;
}

static int measure(struct merge *m, const struct change *c)
{
	SG_TRY(sg_view_base(&m->view[OURS], m->progress));
	SG_TRY(choose_window(m));
	SG_TRY(sg_trial_sets(&m->t, NULL, count_uses, m));
	if (!m->t.receipt.n_sets)
		return sg_fail(SG_E_NOTFOUND, "there is no acceptance or retained set to measure the merge on");
	SG_TRY(measure_all(m, c));
	SG_TRY(sg_trial_judge(&m->t));
	m->info.measured = true;
	return sg_verdict_of(&m->info.v, &m->t.receipt, NULL);
}

/* Judged when the composition changes, it can be, and nobody said otherwise. */
static int judge(struct merge *m, const struct change *c)
{
	struct sg_receipt *p = &m->t.receipt;
	int rc;

	SG_TRY(sg_trial_open(&m->t, m->r, &m->view[OURS].commit, m->progress));
	strcpy(p->base, m->view[OURS].base);
	strcpy(p->parent, m->view[OURS].state);
	SG_TRY(sg_view_state(p->candidate, &m->view[OURS], c->in, c->n, &c->out));
	strcpy(m->info.state, p->candidate);
	if (!strcmp(p->candidate, p->parent) || m->o->unmeasured || m->o->dry_run)
		return 0;
	rc = measure(m, c);
	if (rc != -SG_E_NOTFOUND || m->o->force)
		return rc == -SG_E_NOTFOUND ? 0 : rc;
	return sg_fail_in(-SG_E_REFUSED, "the merge cannot be measured (--no-validate does without)");
}

/* A graft that comes in must be accepted; of one that goes a deferral is enough. */
static bool gates_say_no(const struct merge *m)
{
	enum sg_verdict v = m->t.receipt.verdict;

	return m->info.measured && !m->o->force && (sg_gate_growth(&m->t.receipt) ? v != SG_ACCEPT : v == SG_REJECT);
}

/* --- the commit -------------------------------------------------------------------- */

static const char *branch_word(const char *rev)
{
	return !strncmp(rev, "refs/heads/", 11) ? rev + 11 : rev;
}

static void put_ids(struct sg_jsonw *w, const struct merge *m, const char *what)
{
	sg_jsonw_key(w, what);
	sg_jsonw_array(w);
	for (size_t i = 0; i < m->info.n; i++)
		if (!strcmp(m->info.graft[i].what, what))
			sg_jsonw_str(w, m->info.graft[i].info.id);
	sg_jsonw_end(w, ']');
}

static void put_conflicts(struct sg_jsonw *w, const struct merge *m)
{
	static const char *const side[] = { "", "ours", "theirs", "both" };

	sg_jsonw_key(w, "conflicts");
	sg_jsonw_array(w);
	for (size_t i = 0; i < m->info.n_conflicts; i++) {
		const struct sg_conflict *c = &m->info.conflict[i];

		sg_jsonw_object(w);
		sg_jsonw_key(w, "decided");
		sg_jsonw_str(w, side[m->o->side]);
		sg_jsonw_key(w, "kind");
		sg_jsonw_str(w, c->kind);
		sg_jsonw_key(w, "ours");
		sg_jsonw_str(w, c->ours);
		sg_jsonw_key(w, "subject");
		sg_jsonw_text(w, c->subject, strlen(c->subject));
		sg_jsonw_key(w, "theirs");
		sg_jsonw_str(w, c->theirs);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int merge_json(struct sg_buf *out, const struct merge *m, const char *receipt_sha)
{
	const struct sg_receipt *p = &m->t.receipt;
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "base_commit");
	sg_jsonw_str(&w, m->info.base);
	put_conflicts(&w, m);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-merge-1");
	if (m->info.measured)
		sg_gates_json(&w, p);
	put_ids(&w, m, "in");
	put_ids(&w, m, "left");
	sg_jsonw_key(&w, "ours");
	sg_jsonw_str(&w, m->info.ours);
	put_ids(&w, m, "out");
	sg_jsonw_key(&w, "prev_state");
	sg_jsonw_str(&w, p->parent);
	if (m->info.measured) {
		sg_jsonw_key(&w, "receipt");
		sg_jsonw_str(&w, receipt_sha);
	}
	sg_jsonw_key(&w, "state");
	sg_jsonw_str(&w, p->candidate);
	sg_jsonw_key(&w, "theirs");
	sg_jsonw_str(&w, m->info.theirs);
	if (m->info.measured) {
		sg_jsonw_key(&w, "verdict");
		sg_jsonw_str(&w, sg_verdict_name(p->verdict));
	}
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int put_evidence(struct sg_change *c, const struct merge *m)
{
	struct sg_buf receipt = { 0 }, json = { 0 };
	char path[64], sha[SG_SHA256_HEX] = "";
	int rc = 0;

	if (m->info.measured) {
		rc = sg_receipt_emit(&receipt, &m->t.receipt);
		if (rc >= 0)
			rc = sg_sha256_hex(sha, receipt.data, receipt.len);
		snprintf(path, sizeof(path), "merged/%.16s.mp", m->info.state);
		if (rc >= 0)
			rc = sg_receipt_put(c, path, &receipt);
	}
	if (rc >= 0)
		rc = merge_json(&json, m, sha);
	snprintf(path, sizeof(path), "merged/%.16s.json", m->info.state);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, json.data, json.len);
	sg_buf_release(&receipt);
	sg_buf_release(&json);
	return rc;
}

static int put_entry(struct sg_tree *t, const char *path, const struct merge_entry *e)
{
	int rc;

	if (e->from == OURS || sg_oid_eq(&e->oid[OURS], &e->oid[e->from]))
		return 0;
	if (!sg_oid_is_zero(&e->oid[e->from]))
		return e->type[e->from] == SG_OBJ_TREE ? sg_tree_put_tree(t, path, &e->oid[e->from]) :
							 sg_tree_put(t, path, &e->oid[e->from]);
	rc = sg_tree_remove(t, path);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int put_folder(struct sg_tree *t, const struct merge_folder *f)
{
	char path[400];

	for (size_t i = 0; i < f->n; i++) {
		snprintf(path, sizeof(path), "%s/%.300s", f->path, f->e[i].name);
		SG_TRY(put_entry(t, path, &f->e[i]));
	}
	return 0;
}

/* Folders of grafts; of one that stands, no revert is told any more. */
static int put_grafts(struct sg_change *c, const struct merge *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct merge_graft *g = &m->g[i];
		struct sg_oid folder;
		char path[64];
		int rc;

		snprintf(path, sizeof(path), "grafts/%.16s", g->id);
		if (g->keep && !g->in[OURS]) {
			SG_TRY(sg_tree_find(&folder, NULL, m->r->reg, &m->view[THEIRS].commit, path));
			SG_TRY(sg_tree_put_tree(c->tree, path, &folder));
		} else if (!g->keep && g->in[OURS]) {
			SG_TRY(sg_tree_remove(c->tree, path));
		}
		snprintf(path, sizeof(path), "reverted/%.16s", g->id);
		rc = g->keep ? sg_tree_remove(c->tree, path) : 0;
		if (rc < 0 && rc != -SG_E_NOTFOUND)
			return rc;
	}
	return 0;
}

static int edit_tree(struct sg_change *c, const struct merge *m)
{
	SG_TRY(put_folder(c->tree, &m->data));
	SG_TRY(put_folder(c->tree, &m->reverted));
	SG_TRY(put_folder(c->tree, &m->consolidated));
	SG_TRY(put_folder(c->tree, &m->merged));
	for (size_t i = 0; i < m->top.n; i++)
		if (!strcmp(m->top.e[i].name, "policy"))
			SG_TRY(put_entry(c->tree, "policy", &m->top.e[i]));
	SG_TRY(put_grafts(c, m));
	return strcmp(m->info.state, m->info.prev) ? put_evidence(c, m) : 0;
}

static int body_of(struct sg_buf *b, const struct merge *m)
{
	static const char *const says[][2] = { { "in", "takes in" }, { "out", "takes out" }, { "left", "leaves" } };

	if (m->o->message)
		SG_TRY(sg_buf_fmt(b, "%s\n\n", m->o->message));
	for (size_t k = 0; k < SG_LEN(says); k++)
		for (size_t i = 0; i < m->info.n; i++) {
			const struct sg_merge_graft *g = &m->info.graft[i];

			if (!strcmp(g->what, says[k][0]))
				SG_TRY(sg_buf_fmt(b, "%s %.16s%s%.64s\n", says[k][1], g->info.id, g->info.name ? " " : "",
						  g->info.name ? g->info.name : ""));
		}
	for (size_t i = 0; i < m->info.n_conflicts; i++)
		SG_TRY(sg_buf_fmt(b, "decided: %s\n", m->info.conflict[i].text));
	if (!m->info.measured && strcmp(m->info.state, m->info.prev))
		SG_TRY(sg_buf_str(b, "The effect was not measured.\n"));
	return 0;
}

static int message(struct sg_buf *out, const struct merge *m)
{
	const struct sg_receipt *p = &m->t.receipt;
	const struct sg_receipt_gate *g = p->n_gates ? &p->gate[0] : NULL;
	struct sg_buf body = { 0 };
	char subject[200];
	int rc;

	snprintf(subject, sizeof(subject), "merge %.64s", branch_word(m->o->rev));
	if (g && *g->set)
		snprintf(subject + strlen(subject), sizeof(subject) - strlen(subject), ": %.40s %.4f -> %.4f", g->set,
			 g->parent, g->parent + g->mean);
	rc = body_of(&body, m);
	while (rc >= 0 && body.len && body.data[body.len - 1] == '\n')
		body.data[--body.len] = '\0';
	if (rc >= 0)
		rc = sg_message(out, subject, body.data);
	sg_buf_release(&body);
	SG_TRY(rc);
	SG_TRY(sg_message_trailer(out, "Sg-Op", "merge"));
	for (size_t i = 0; i < m->info.n; i++)
		if (!strcmp(m->info.graft[i].what, "in"))
			SG_TRY(sg_message_trailer(out, "Sg-Graft", "sha256:%s", m->info.graft[i].info.id));
	for (size_t i = 0; i < m->info.n; i++)
		if (!strcmp(m->info.graft[i].what, "out"))
			SG_TRY(sg_message_trailer(out, "Sg-Removed", "sha256:%s", m->info.graft[i].info.id));
	SG_TRY(sg_message_trailer(out, "Sg-Base", "sha256:%s", p->base));
	SG_TRY(sg_message_trailer(out, "Sg-State", "sha256:%s", p->candidate));
	SG_TRY(sg_message_trailer(out, "Sg-Prev-State", "sha256:%s", p->parent));
	return m->info.measured ? sg_message_metrics(out, p) : 0;
}

static int commit(struct merge *m)
{
	struct sg_change c = { 0 };
	struct sg_buf text = { 0 };
	struct sg_oid oid;
	int rc = sg_change_begin(&c, m->r);

	if (rc >= 0 && !sg_oid_eq(&c.head, &m->view[OURS].commit))
		rc = sg_fail(SG_E_BUSY, "the line moved while the merge was judged; try again");
	if (rc >= 0)
		rc = edit_tree(&c, m);
	if (rc >= 0)
		rc = message(&text, m);
	if (rc >= 0)
		rc = sg_change_done(&c, &oid, &m->view[THEIRS].commit, text.data);
	if (rc >= 0)
		sg_oid_hex(m->info.commit, &oid);
	sg_change_release(&c);
	sg_buf_release(&text);
	return rc;
}

/* --- the whole ----------------------------------------------------------------------- */

static int forward(struct merge *m)
{
	char *head = NULL, *text = NULL;
	int rc = 0;

	m->info.result = SG_MERGE_FORWARD;
	strcpy(m->info.state, m->view[THEIRS].state);
	if (m->o->dry_run)
		return 0;
	rc = sg_head_get(&head, m->r->reg);
	if (rc >= 0 && !strncmp(head, "refs/heads/", 11))
		rc = sg_trust_line(m->r, head + 11, &m->view[OURS].commit, &m->view[THEIRS].commit);
	if (rc >= 0)
		rc = (text = sg_asprintf("merge %s: fast-forward", branch_word(m->o->rev))) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_ref_set(m->r->reg, head, &m->view[THEIRS].commit, &m->view[OURS].commit, text);
	if (rc >= 0)
		strcpy(m->info.commit, m->info.theirs);
	free(head);
	free(text);
	return rc;
}

static int join(struct merge *m)
{
	struct change c = { 0 };
	int rc;

	SG_TRY(check_base(m));
	SG_TRY(sg_merge_plan(m));
	if (m->info.undecided) {
		m->info.result = SG_MERGE_CONFLICT;
		return 1;
	}
	rc = change_of(&c, m);
	if (rc >= 0)
		rc = judge(m, &c);
	change_release(&c);
	SG_TRY(rc);
	if (gates_say_no(m)) {
		m->info.result = SG_MERGE_GATES;
		SG_TRY(sg_report_keep(m->r, &m->t.receipt, &m->view[OURS].commit, branch_word(m->o->rev)));
		return 1;
	}
	m->info.result = SG_MERGE_DONE;
	return m->o->dry_run ? 0 : commit(m);	/* last: nothing may fail behind it */
}

static int merge(struct merge *m)
{
	SG_TRY(open_sides(m));
	if (is_at(m, BASE, THEIRS)) {
		m->info.result = SG_MERGE_SAME;
		strcpy(m->info.state, m->info.prev);
		return 0;
	}
	SG_TRY(sg_trust_remote(m->r, m->o->rev, &m->view[BASE].commit, &m->view[THEIRS].commit));
	if (is_at(m, BASE, OURS) && !m->o->no_ff)
		return forward(m);
	if (m->o->ff_only)
		return sg_fail(SG_E_REFUSED, "'%s' is not ahead of this line alone: both grew since %.10s", m->o->rev,
			       m->info.base);
	return join(m);
}

int sg_merge(struct sg_merge_info *out, struct sg_repo *r, const struct sg_merge_opts *o,
	     const struct sg_progress *progress)
{
	struct merge m = { .r = r, .o = o, .progress = progress };
	int rc = o->no_ff && o->ff_only ? sg_fail(SG_E_USAGE, "--no-ff and --ff-only exclude one another") : merge(&m);

	if (rc < 0)
		sg_merge_info_release(&m.info);
	else
		*out = m.info;
	sg_merge_plan_release(&m);
	sg_trial_release(&m.t);
	for (int i = 0; i < SIDES; i++)
		sg_view_release(&m.view[i]);
	return rc;
}

void sg_merge_info_release(struct sg_merge_info *i)
{
	for (size_t k = 0; k < i->n; k++)
		sg_graft_info_release(&i->graft[k].info);
	for (size_t k = 0; k < i->n_conflicts; k++) {
		free(i->conflict[k].subject);
		free(i->conflict[k].ours);
		free(i->conflict[k].theirs);
		free(i->conflict[k].text);
	}
	free(i->graft);
	free(i->conflict);
	sg_names_release(&i->data_in);
	sg_names_release(&i->data_out);
	sg_verdict_info_release(&i->v);
	*i = (struct sg_merge_info){ 0 };
}
