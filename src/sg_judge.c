/*
 * Validation, and what follows from it. A validation leaves a report commit on
 * refs/sg/report/<id16>/<worker> that holds the receipt; an accept merges the
 * candidate into the line and takes the receipt along.
 */
#include "sg_repo.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/gate.h"
#include <unistd.h>

struct judge {
	struct sg_repo *r;
	struct sg_found cand;
	struct sg_view view;
	struct sg_trial t;
	struct sg_extra extra;
	bool picked;			/* cand was accepted on another line */
	const struct sg_progress *progress;
};

/* --- what is judged ---------------------------------------------------------- */

static int open_judge(struct judge *j, const char *word, uint64_t window)
{
	if (!j->picked)
		SG_TRY(sg_find_graft(&j->cand, j->r, word));
	if (j->cand.where == SG_ACTIVE)
		return sg_fail(SG_E_EXISTS, "graft %.16s is active already", j->cand.id);
	SG_TRY(sg_view_open(&j->view, j->r, NULL));
	SG_TRY(sg_trial_open(&j->t, j->r, &j->view.commit, j->progress));
	j->extra.commit = j->cand.commit;
	strcpy(j->extra.id, j->cand.id);
	j->t.window = (size_t)window;
	return window ? 0 : sg_trained_window(&j->t.window, j->r, &j->cand.commit, j->cand.id);
}

static void close_judge(struct judge *j)
{
	sg_trial_release(&j->t);
	sg_view_release(&j->view);
	sg_found_release(&j->cand);
}

/* --- the use counter --------------------------------------------------------- */

/* Does a report commit's message say that it used the set? */
static bool used_set(const char *message, const char *set)
{
	char *value;
	bool yes = false;

	for (size_t i = 0; !yes && sg_trailer(&value, message, "Sg-Used", i) >= 0; i++) {
		yes = !strcmp(value, set);
		free(value);
	}
	return yes;
}

/* What tells one look at a set from another: graft (of a merge: the composition),
 * stack below it, window. */
static int look_key(char **out, const char *message)
{
	char *graft = NULL, *prev = NULL, *window = NULL;
	int rc = sg_trailer(&graft, message, "Sg-Graft", 0);

	if (rc == -SG_E_NOTFOUND)
		rc = sg_trailer(&graft, message, "Sg-State", 0);
	if (rc >= 0)
		rc = sg_trailer(&prev, message, "Sg-Prev-State", 0);
	if (rc >= 0)
		rc = sg_trailer(&window, message, "Sg-Window", 0);
	if (rc >= 0)
		rc = (*out = sg_asprintf("%s %s %s", graft, prev, window)) ? 0 : -SG_E_NOMEM;
	free(graft);
	free(prev);
	free(window);
	return rc;
}

static int add_once(struct sg_names *l, const char *name)
{
	return sg_names_has(l, name) ? 0 : sg_names_add(l, name);
}

/* Looks that a report and those that it followed had at the set. */
static int add_looks(struct sg_names *looks, struct sg_repo *r, struct sg_oid at, const char *set)
{
	for (;;) {
		struct sg_commit c;
		char *key = NULL;
		bool more;
		int rc = sg_commit_read(&c, r->reg, &at);

		if (rc < 0)
			return rc;
		if (used_set(c.message, set)) {
			rc = look_key(&key, c.message);
			rc = rc == -SG_E_NOTFOUND ? 0 : rc < 0 ? rc : add_once(looks, key);
		}
		more = c.n_parents > 1;
		if (more)
			at = c.parent[1];
		free(key);
		sg_commit_release(&c);
		if (rc < 0 || !more)
			return rc;
	}
}

int sg_looks(uint64_t *out, struct sg_repo *r, const char *set, const char *id, const char *state, size_t window)
{
	struct sg_names looks = { 0 };
	struct sg_refs l = { 0 };
	char *mine = sg_asprintf("sha256:%s sha256:%s %zu", id, state, window);
	int rc = mine ? sg_ref_list(&l, r->reg, "refs/sg/report/") : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = add_looks(&looks, r, l.ref[i].oid, set);
	if (rc >= 0)
		rc = add_once(&looks, mine);
	*out = looks.n;
	free(mine);
	sg_refs_release(&l);
	sg_names_release(&looks);
	return rc;
}

static int count_uses(void *arg, uint64_t *out, const char *set)
{
	struct judge *j = arg;

	return sg_looks(out, j->r, set, j->cand.id, j->view.state, j->t.window);
}

/* --- measuring --------------------------------------------------------------- */

static int compose(struct judge *j, struct sg_composed *out, bool cand)
{
	return sg_view_compose(out, &j->view, &j->extra, cand, NULL, sg_rows(j->t.window));
}

static const struct sg_graft *graft_of(const struct sg_composed *c, const char *id)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->g[i]->id, id))
			return c->g[i];
	return NULL;
}

/* Parent, candidate, and the parent once more without it. */
static int measure(struct judge *j)
{
	struct sg_composed m = { 0 };
	int rc = compose(j, &m, false);

	if (rc >= 0)
		rc = sg_trial_measure(&j->t, &m.model, false, "parent");
	if (rc >= 0)
		rc = sg_trial_sample(j->t.receipt.facts.before, &j->t, &m.model);
	sg_composed_release(&m);
	if (rc >= 0)
		rc = compose(j, &m, true);
	if (rc >= 0)
		rc = sg_trial_measure(&j->t, &m.model, true, "candidate");
	if (rc >= 0)
		rc = sg_trial_facts(&j->t.receipt.facts, graft_of(&m, j->cand.id));
	sg_composed_release(&m);
	if (rc >= 0 && j->t.receipt.n_sets) {
		rc = compose(j, &m, false);
		if (rc >= 0)
			rc = sg_trial_sample(j->t.receipt.facts.after, &j->t, &m.model);
		sg_composed_release(&m);
	}
	return rc;
}

static int fill_receipt(struct judge *j)
{
	struct sg_receipt *p = &j->t.receipt;

	SG_TRY(sg_view_base(&j->view, j->t.progress));
	SG_TRY(sg_view_window(&j->view, j->t.window));
	strcpy(p->base, j->view.base);
	strcpy(p->graft, j->cand.id);
	strcpy(p->parent, j->view.state);
	SG_TRY(sg_view_state(p->candidate, &j->view, &j->extra, 1, NULL));
	SG_TRY(sg_trial_sets(&j->t, NULL, count_uses, j));
	SG_TRY(measure(j));
	SG_TRY(sg_probe_all(&j->t, &j->view, &j->extra));
	return sg_trial_judge(&j->t);
}

/* --- reports ----------------------------------------------------------------- */

/* Who measured: reports of different machines have different refs. */
static void worker_name(char out[16])
{
	char host[256] = "", hex[SG_SHA256_HEX] = "";

	(void)gethostname(host, sizeof(host) - 1);
	(void)sg_sha256_hex(hex, host, strlen(host));
	snprintf(out, 16, "w%.8s", hex);
}

static int report_message(struct sg_buf *m, const struct sg_receipt *p, const char *name)
{
	char subject[200];

	snprintf(subject, sizeof(subject), "report %.64s: %s", name ? name : p->graft, sg_verdict_name(p->verdict));
	SG_TRY(sg_message(m, subject, NULL));
	SG_TRY(sg_message_trailer(m, "Sg-Op", "report"));
	if (*p->graft)
		SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", p->graft));
	SG_TRY(sg_message_trailer(m, "Sg-State", "sha256:%s", p->candidate));
	SG_TRY(sg_message_trailer(m, "Sg-Prev-State", "sha256:%s", p->parent));
	SG_TRY(sg_message_trailer(m, "Sg-Policy", "sha256:%s", p->policy));
	SG_TRY(sg_message_trailer(m, "Sg-Window", "%u", (unsigned)p->window));
	SG_TRY(sg_message_trailer(m, "Sg-Verdict", "%s", sg_verdict_name(p->verdict)));
	for (size_t i = 0; i < p->n_sets; i++)
		SG_TRY(sg_message_trailer(m, "Sg-Used", "%s", p->set[i].id));
	return 0;
}

int sg_report_keep(struct sg_repo *r, const struct sg_receipt *p, const struct sg_oid *about, const char *name)
{
	struct sg_oid parents[2] = { *about }, old = { { 0 } };
	struct sg_buf bytes = { 0 }, m = { 0 };
	struct sg_change c = { 0 };
	char ref[64], worker[16];
	size_t n = 1;
	int rc;

	worker_name(worker);
	snprintf(ref, sizeof(ref), "refs/sg/report/%.16s/%s", *p->graft ? p->graft : p->candidate, worker);
	if (sg_ref_get(&old, r->reg, ref) >= 0)
		parents[n++] = old;
	rc = sg_receipt_emit(&bytes, p);
	if (rc >= 0)
		rc = report_message(&m, p, name);
	if (rc >= 0)
		rc = sg_change_begin_at(&c, r, about);
	if (rc >= 0)
		rc = sg_receipt_put(&c, "receipt.mp", &bytes);
	if (rc >= 0)
		rc = sg_change_done_ref(&c, NULL, ref, n > 1 ? &old : NULL, parents, n, m.data);
	sg_change_release(&c);
	sg_buf_release(&bytes);
	sg_buf_release(&m);
	return rc;
}

static int keep_report(struct judge *j)
{
	return sg_report_keep(j->r, &j->t.receipt, &j->cand.commit, j->cand.name);
}

/* Was every judged set of today measured, and as it is today? */
static bool sets_serve(const struct judge *j, const struct sg_receipt *p)
{
	for (size_t i = 0; i < j->t.sets.n; i++) {
		const struct sg_set *s = &j->t.sets.set[i];
		bool there = !sg_role_judged(s->manifest.role);

		for (size_t k = 0; !there && k < p->n_sets; k++)
			there = !strcmp(p->set[k].id, s->id) && !strcmp(p->set[k].name, s->manifest.name);
		if (!there)
			return false;
	}
	for (size_t k = 0; k < p->n_sets; k++) {
		const struct sg_set *s = sg_sets_find(&j->t.sets, p->set[k].name);

		if (!s || strcmp(s->id, p->set[k].id))
			return false;
	}
	return true;
}

/* Reads a report's receipt when it speaks of the present stack on the present sets
 * under the present policy. */
static bool report_serves(struct sg_receipt *out, struct judge *j, const struct sg_oid *oid)
{
	struct sg_buf b = { 0 };
	struct sg_receipt p = { 0 };
	bool yes = sg_tree_read(&b, j->r->reg, oid, "receipt.mp", SG_RECEIPT_MAX) >= 0 &&
		   sg_receipt_parse(&p, b.data, b.len, "receipt") >= 0 && !strcmp(p.graft, j->cand.id) &&
		   !strcmp(p.parent, j->view.state) && !strcmp(p.policy, j->t.policy.id) &&
		   sets_serve(j, &p) && sg_gate_replay(&p, &j->t.policy) >= 0;

	sg_buf_release(&b);
	if (yes)
		*out = p;
	else
		sg_receipt_release(&p);
	return yes;
}

static int count_approvals(struct judge *j, const struct sg_receipt *p)
{
	struct sg_approvals a = { 0 };
	int rc = j->t.policy.n_signers ? sg_approvals_waiting(&a, j->r, p, &j->t.policy) : 0, n = (int)a.n;

	sg_approvals_release(&a);
	return rc < 0 ? rc : n;
}

/* Of several that serve, the one that most signers approved. */
static int find_report(struct judge *j, bool *found)
{
	struct sg_refs l = { 0 };
	char prefix[64];
	int rc, best = -1;

	snprintf(prefix, sizeof(prefix), "refs/sg/report/%.16s/", j->cand.id);
	rc = sg_ref_list(&l, j->r->reg, prefix);
	*found = false;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_receipt p = { 0 };

		if (!report_serves(&p, j, &l.ref[i].oid))
			continue;
		rc = count_approvals(j, &p);
		if (rc > best) {
			struct sg_receipt worse = j->t.receipt;

			j->t.receipt = p;
			p = worse;
			best = rc;
			*found = true;
		}
		sg_receipt_release(&p);
	}
	sg_refs_release(&l);
	return rc;
}

int sg_judged_receipt(struct sg_receipt *out, struct sg_found *cand, struct sg_policy *policy, struct sg_repo *r,
		      const char *word)
{
	struct judge j = { .r = r };
	bool found = false;
	int rc = open_judge(&j, word, 0);

	if (rc >= 0)
		rc = find_report(&j, &found);
	if (rc >= 0 && !found)
		rc = sg_fail(SG_E_NOTFOUND, "graft %.16s was not judged on this stack under this policy; 'sg validate' does",
			     j.cand.id);
	if (rc >= 0) {
		*out = j.t.receipt;
		*policy = j.t.policy;
		*cand = j.cand;
		j.t.receipt = (struct sg_receipt){ 0 };
		j.t.policy = (struct sg_policy){ 0 };
		j.cand = (struct sg_found){ 0 };
	}
	close_judge(&j);
	return rc;
}

/* --- validate ---------------------------------------------------------------- */

int sg_validate(struct sg_verdict_info *out, struct sg_repo *r, const char *cand, uint64_t window,
		const struct sg_progress *progress)
{
	struct judge j = { .r = r, .progress = progress };
	struct sg_verdict_info v = { .n = 0 };
	int rc = open_judge(&j, cand, window);

	if (rc >= 0)
		rc = fill_receipt(&j);
	if (rc >= 0)
		rc = sg_verdict_of(&v, &j.t.receipt, j.cand.name);
	if (rc >= 0)
		rc = keep_report(&j);	/* last: nothing may fail behind it */
	if (rc < 0)
		sg_verdict_info_release(&v);
	else
		*out = v;
	close_judge(&j);
	return rc;
}

/* --- accept ------------------------------------------------------------------ */

/* A graft of the past, reverted once, comes back. */
static const char *accept_op(const struct judge *j)
{
	return j->picked ? "cherry-pick" : j->cand.where == SG_PAST ? "reapply" : "accept";
}

static int accept_message(struct sg_buf *m, const struct judge *j, const char *body)
{
	const struct sg_receipt *p = &j->t.receipt;
	const struct sg_receipt_gate *g = p->n_gates ? &p->gate[0] : NULL;
	char subject[200], hex[SG_OID_HEX];

	snprintf(subject, sizeof(subject), "%s %.64s", accept_op(j), j->cand.name ? j->cand.name : j->cand.id);
	if (g && *g->set)
		snprintf(subject + strlen(subject), sizeof(subject) - strlen(subject), ": %.40s %.4f -> %.4f", g->set,
			 g->parent, g->parent + g->mean);
	SG_TRY(sg_message(m, subject, body));
	SG_TRY(sg_message_trailer(m, "Sg-Op", "%s", accept_op(j)));
	SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", p->graft));
	if (j->picked) {
		sg_oid_hex(hex, &j->cand.commit);
		SG_TRY(sg_message_trailer(m, "Sg-Picked", "%s", hex));
	}
	SG_TRY(sg_message_trailer(m, "Sg-Base", "sha256:%s", p->base));
	SG_TRY(sg_message_trailer(m, "Sg-State", "sha256:%s", p->candidate));
	SG_TRY(sg_message_trailer(m, "Sg-Prev-State", "sha256:%s", p->parent));
	return sg_message_metrics(m, p);
}

/* What its revert left behind, if it was reverted: the history has it. */
static int forget_revert(struct sg_change *c, const struct judge *j)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "reverted/%.16s", j->cand.id);
	rc = sg_tree_remove(c->tree, path);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

/* grafts/<id16> of the candidate, with its receipt. */
static int accept_tree(struct sg_change *c, const struct judge *j, const struct sg_approvals *a)
{
	struct sg_buf bytes = { 0 }, json = { 0 };
	struct sg_oid folder;
	char path[64], sha[SG_SHA256_HEX];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s", j->cand.id);
	rc = sg_tree_find(&folder, NULL, j->r->reg, &j->cand.commit, path);
	if (rc >= 0)
		rc = sg_tree_put_tree(c->tree, path, &folder);
	if (rc >= 0)
		rc = forget_revert(c, j);
	if (rc >= 0)
		rc = sg_receipt_emit(&bytes, &j->t.receipt);
	if (rc >= 0)
		rc = sg_sha256_hex(sha, bytes.data, bytes.len);
	if (rc >= 0)
		rc = sg_accept_json(&json, &j->t.receipt, j->cand.name, sha);
	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", j->cand.id);
	if (rc >= 0)
		rc = sg_receipt_put(c, path, &bytes);
	if (rc >= 0)
		rc = sg_approvals_put(c, a, &j->t.receipt, sha);
	snprintf(path, sizeof(path), "grafts/%.16s/accept.json", j->cand.id);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, json.data, json.len);
	sg_buf_release(&bytes);
	sg_buf_release(&json);
	return rc;
}

/* What the policy asks for of approvals, where the line is protected; said before
 * anything is made. */
static int gather_approvals(struct sg_approvals *a, const struct judge *j)
{
	char *branch = NULL;
	int rc = 0;

	if (!j->t.policy.n_signers)
		return 0;
	rc = sg_trust_branch(&branch, j->r);
	if (rc >= 0)
		rc = sg_approvals_waiting(a, j->r, &j->t.receipt, &j->t.policy);
	if (rc >= 0 && sg_policy_protects(&j->t.policy, branch))
		rc = sg_approvals_suffice(a, &j->t.policy, j->cand.id);
	free(branch);
	return rc;
}

static int take_in(struct judge *j, const char *body)
{
	struct sg_change c = { 0 };
	struct sg_approvals a = { 0 };
	struct sg_buf m = { 0 };
	int rc = gather_approvals(&a, j);

	if (rc >= 0)
		rc = sg_change_begin(&c, j->r);

	if (rc >= 0 && !sg_oid_eq(&c.head, &j->view.commit))
		rc = sg_fail(SG_E_BUSY, "the line moved while the candidate was judged; accept it again");
	if (rc >= 0)
		rc = accept_tree(&c, j, &a);
	if (rc >= 0)
		rc = accept_message(&m, j, body);
	if (rc >= 0)
		rc = sg_change_done(&c, NULL, j->cand.where == SG_PAST ? NULL : &j->cand.commit, m.data);
	/* the candidate is the second parent now: its own ref has done its work, and is
	 * harmless when it stays */
	if (rc >= 0 && j->cand.ref)
		(void)sg_ref_delete(j->r->reg, j->cand.ref, &j->cand.commit);
	sg_change_release(&c);
	sg_approvals_release(&a);
	sg_buf_release(&m);
	return rc;
}

/* Measuring is not begun for a commit that could not be made. */
static int check_ready(const struct judge *j)
{
	char *ref = NULL;
	int rc = sg_head_get(&ref, j->r->reg);

	if (rc >= 0)
		rc = sg_trust_ready(j->r, ref, &j->view.commit);
	free(ref);
	return rc;
}

/* Judged by a receipt for the present stack, or anew; taken in when that accepts. */
static int accept_judged(struct sg_verdict_info *out, struct judge *j, const char *word, const char *message)
{
	struct sg_verdict_info v = { .n = 0 };
	bool found = false;
	int rc = open_judge(j, word, 0);

	if (rc >= 0)
		rc = check_ready(j);
	if (rc >= 0)
		rc = find_report(j, &found);
	if (rc >= 0 && !found) {
		rc = fill_receipt(j);
		if (rc >= 0)
			rc = keep_report(j);
	}
	if (rc >= 0)
		rc = sg_verdict_of(&v, &j->t.receipt, j->cand.name);
	if (rc >= 0 && j->t.receipt.verdict == SG_ACCEPT)
		rc = take_in(j, message);	/* last: nothing may fail behind it */
	if (rc < 0)
		sg_verdict_info_release(&v);
	else
		*out = v;
	return rc < 0 ? rc : j->t.receipt.verdict != SG_ACCEPT;
}

int sg_accept(struct sg_verdict_info *out, struct sg_repo *r, const char *cand, const char *message,
	      const struct sg_progress *progress)
{
	struct judge j = { .r = r, .progress = progress };
	int rc = accept_judged(out, &j, cand, message);

	close_judge(&j);
	return rc;
}

int sg_accept_found(struct sg_verdict_info *out, struct sg_repo *r, struct sg_found *f, const char *message,
		    const struct sg_progress *progress)
{
	struct judge j = { .r = r, .picked = true, .cand = *f, .progress = progress };
	int rc = accept_judged(out, &j, NULL, message);

	*f = (struct sg_found){ 0 };
	close_judge(&j);
	return rc;
}

/* --- reject, defer ----------------------------------------------------------- */

/* Moves a candidate to another family of refs by a commit that says why. */
static int move_aside(char id[SG_SHA256_HEX], struct sg_repo *r, const char *word, const char *op, const char *prefix,
		      const char *body)
{
	struct sg_found f = { 0 };
	struct sg_change c = { 0 };
	struct sg_buf m = { 0 };
	struct sg_oid made, parents[2];
	char ref[64], subject[120];
	size_t n = 1;
	int rc = sg_find_graft(&f, r, word);

	if (rc >= 0 && !f.ref)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s is no candidate%s", f.id,
			     f.where == SG_ACTIVE ? " but active; 'sg revert' takes it out" : "");
	snprintf(ref, sizeof(ref), "%s%.16s", prefix, f.id);
	if (rc >= 0 && !strcmp(f.ref, ref))
		rc = sg_fail(SG_E_EXISTS, "graft %.16s stands there already", f.id);
	snprintf(subject, sizeof(subject), "%s %.64s", op, f.name ? f.name : f.id);
	if (rc >= 0)
		rc = sg_message(&m, subject, body);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Op", "%s", op);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Graft", "sha256:%s", f.id);
	if (rc >= 0)
		rc = sg_change_begin_at(&c, r, &f.commit);
	/* it was there before and trained again, or a move was killed half way */
	parents[0] = f.commit;
	if (rc >= 0 && sg_ref_get(&parents[1], r->reg, ref) >= 0)
		n = 2;
	if (rc >= 0)
		rc = sg_change_done_ref(&c, &made, ref, n > 1 ? &parents[1] : NULL, parents, n, m.data);
	/* it stands in one place, the old one when the move cannot be finished */
	if (rc >= 0 && (rc = sg_ref_delete(r->reg, f.ref, &f.commit)) < 0)
		(void)(n > 1 ? sg_ref_set(r->reg, ref, &parents[1], &made, op) : sg_ref_delete(r->reg, ref, &made));
	if (rc >= 0)
		strcpy(id, f.id);
	sg_change_release(&c);
	sg_buf_release(&m);
	sg_found_release(&f);
	return rc;
}

int sg_reject(char id[SG_SHA256_HEX], struct sg_repo *r, const char *cand, const char *message)
{
	return move_aside(id, r, cand, "reject", "refs/sg/rejected/", message);
}

int sg_defer(char id[SG_SHA256_HEX], struct sg_repo *r, const char *cand, const char *message)
{
	return move_aside(id, r, cand, "defer", "refs/sg/deferred/", message);
}
