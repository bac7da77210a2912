/*
 * Taking grafts out again: a commit without their folders. Nothing is subtracted, the
 * rest of the stack is composed anew, and where a receipt recorded the losses of just
 * that composition they must come back bit by bit.
 */
#include "sg_repo.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

struct target { char id[SG_SHA256_HEX], accept[SG_COMMIT_HEX]; char *name; };

struct revert {
	struct sg_repo *r;
	const struct sg_revert_opts *o;
	struct target *target;		/* what was asked for, top of the stack first */
	size_t n, cap;
	struct sg_view view;
	struct sg_names removed;	/* in stack order, those that hang on a target too */
	struct sg_receipt was;		/* that let one of them in; empty when there is none */
	struct sg_trial t;
	bool measured, restored;
	const struct sg_progress *progress;
};

/* --- what is asked for --------------------------------------------------------- */

static struct target *target_of(const struct revert *v, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->target[i].id, id))
			return &v->target[i];
	return NULL;
}

static int add_target(struct revert *v, const char *id)
{
	struct target *t;

	if (target_of(v, id))
		return 0;
	SG_TRY(SG_GROW(v->target, v->n, v->cap));
	t = &v->target[v->n++];
	*t = (struct target){ .name = sg_graft_name(v->r, &v->view.commit, id) };
	strcpy(t->id, id);
	return 0;
}

/* The grafts that a commit took in and that are active still. */
static int add_commit(void *arg, const struct sg_commit *c)
{
	struct revert *v = arg;
	char *op = NULL, *id = NULL;
	int rc = sg_trailer(&op, c->message, "Sg-Op", 0);
	bool yes = rc >= 0 && (sg_op_accepts(op) || !strcmp(op, "merge"));

	free(op);
	for (size_t i = 0; yes && (rc = sg_trailer(&id, c->message, "Sg-Graft", i)) >= 0; i++) {
		if (!strncmp(id, "sha256:", 7) && sg_names_has(&v->view.ids, id + 7))
			rc = add_target(v, id + 7);
		free(id);
		SG_TRY(rc);
	}
	return rc == -SG_E_NOTFOUND ? 0 : SG_MIN(rc, 0);
}

static int add_step(struct revert *v, const char *rev)
{
	struct sg_oid oid;
	struct sg_commit c;
	size_t before = v->n;
	int rc = sg_rev_parse(&oid, v->r->reg, rev);

	if (rc == -SG_E_NOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "'%s' is neither a graft nor a revision", rev);
	SG_TRY(rc);
	SG_TRY(sg_commit_read(&c, v->r->reg, &oid));
	rc = add_commit(v, &c);
	sg_commit_release(&c);
	return rc < 0 || v->n > before ? rc : sg_fail(SG_E_REFUSED, "'%s' took in no graft that is active", rev);
}

/* "A..B", either may be missing: the line from behind A to B. */
static int add_range(struct revert *v, const char *word, const char *dots)
{
	struct sg_oid a, b;
	size_t before = v->n;
	char *from = sg_strndup(word, (size_t)(dots - word));
	int rc = from ? sg_rev_parse(&a, v->r->reg, *from ? from : "HEAD") : -SG_E_NOMEM;

	free(from);
	if (rc >= 0)
		rc = sg_rev_parse(&b, v->r->reg, dots[2] ? dots + 2 : "HEAD");
	if (rc >= 0)
		rc = sg_history_walk(v->r->reg, &b, 1, &a, 1, SG_WALK_FIRST_PARENT, add_commit, v);
	return rc < 0 || v->n > before ? rc : sg_fail(SG_E_REFUSED, "'%s' took in no graft that is active", word);
}

static int add_word(struct revert *v, const char *word)
{
	const char *dots = strstr(word, "..");
	struct sg_found f = { 0 };
	int rc;

	if (dots)
		return add_range(v, word, dots);
	rc = sg_find_graft(&f, v->r, word);
	if (rc >= 0 && f.where != SG_ACTIVE)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s is not active", f.id);
	else if (rc >= 0)
		rc = add_target(v, f.id);
	sg_found_release(&f);
	return rc == -SG_E_NOTFOUND ? add_step(v, word) : rc;
}

static int from_top(const struct revert *v, const char *id)
{
	int at = 0;

	while ((size_t)at < v->view.ids.n && strcmp(v->view.ids.name[at], id))
		at++;
	return -at;
}

static void sort_targets(struct revert *v)
{
	for (size_t i = 1; i < v->n; i++)
		for (size_t k = i; k && from_top(v, v->target[k].id) < from_top(v, v->target[k - 1].id); k--) {
			struct target t = v->target[k];

			v->target[k] = v->target[k - 1];
			v->target[k - 1] = t;
		}
}

/* --- what goes --------------------------------------------------------------- */

/* Does the graft require one of those that go? */
static int hangs_on(bool *out, struct revert *v, const char *id, const struct sg_names *gone)
{
	struct sg_graft *g;

	SG_TRY(sg_stored_graft(&g, v->r, &v->view.commit, id));
	*out = false;
	for (size_t i = 0; i < g->file.requires.n; i++)
		*out |= sg_names_has(gone, g->file.requires.name[i]);
	sg_graft_free(g);
	return 0;
}

/* The targets and all that stands inside them. Stack order puts what is required first,
 * so one pass finds what hangs on what hangs on it. */
static int choose(struct revert *v)
{
	for (size_t i = 0; i < v->view.ids.n; i++) {
		const char *id = v->view.ids.name[i];
		bool goes = target_of(v, id) != NULL;

		if (!goes)
			SG_TRY(hangs_on(&goes, v, id, &v->removed));
		if (goes)
			SG_TRY(sg_names_add(&v->removed, id));
	}
	return 0;
}

static int refuse_dependents(struct revert *v)
{
	struct sg_buf list = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < v->removed.n; i++) {
		char *name;

		if (target_of(v, v->removed.name[i]))
			continue;
		name = sg_graft_name(v->r, &v->view.commit, v->removed.name[i]);
		rc = sg_buf_fmt(&list, "%s%.16s%s%s%s", list.len ? ", " : "", v->removed.name[i], name ? " (" : "",
				name ? name : "", name ? ")" : "");
		free(name);
	}
	if (rc >= 0 && v->n == 1)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s is required by %s; --cascade takes them out too", v->target[0].id,
			     list.data);
	else if (rc >= 0)
		rc = sg_fail(SG_E_REFUSED, "grafts that would go are required by %s; --cascade takes them out too", list.data);
	sg_buf_release(&list);
	return rc;
}

/* The newest commit that let a target in. */
static int look_accept(void *arg, const struct sg_commit *c)
{
	struct revert *v = arg;
	char *op = NULL, *id = NULL;
	size_t known = 0;

	if (sg_trailer(&op, c->message, "Sg-Op", 0) >= 0 && sg_op_accepts(op) &&
	    sg_trailer(&id, c->message, "Sg-Graft", 0) >= 0 && !strncmp(id, "sha256:", 7)) {
		struct target *t = target_of(v, id + 7);

		if (t && !*t->accept)
			sg_oid_hex(t->accept, &c->id);
	}
	free(op);
	free(id);
	for (size_t i = 0; i < v->n; i++)
		known += *v->target[i].accept != '\0';
	return known == v->n;
}

static bool is_empty(const struct sg_receipt *p)
{
	return !p->window;
}

/* A receipt that let one of them in, best one that was judged against what is left; one
 * that is not there or cannot be read proves nothing. */
static void read_was(struct revert *v)
{
	const char *left = v->t.receipt.candidate;

	for (size_t i = 0; i < v->removed.n && (is_empty(&v->was) || strcmp(v->was.parent, left)); i++) {
		struct sg_receipt p = { 0 };
		struct sg_buf b = { 0 };
		char path[64];

		snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", v->removed.name[i]);
		if (sg_tree_read(&b, v->r->reg, &v->view.commit, path, SG_RECEIPT_MAX) >= 0 &&
		    sg_receipt_parse(&p, b.data, b.len, path) >= 0 && (is_empty(&v->was) || !strcmp(p.parent, left))) {
			sg_receipt_release(&v->was);
			v->was = p;
			p = (struct sg_receipt){ 0 };
		}
		sg_receipt_release(&p);
		sg_buf_release(&b);
	}
}

static int prepare(struct revert *v)
{
	SG_TRY(sg_view_open(&v->view, v->r, NULL));
	for (size_t i = 0; i < v->o->words.n; i++)
		SG_TRY(add_word(v, v->o->words.name[i]));
	sort_targets(v);
	SG_TRY(choose(v));
	if (v->removed.n > v->n && !v->o->cascade)
		return refuse_dependents(v);
	SG_TRY(sg_history_walk(v->r->reg, &v->view.commit, 1, NULL, 0, 0, look_accept, v));
	SG_TRY(sg_trial_open(&v->t, v->r, &v->view.commit, v->progress));
	SG_TRY(sg_trained_window(&v->t.window, v->r, &v->view.commit, v->target[0].id));
	strcpy(v->t.receipt.base, v->view.base);
	strcpy(v->t.receipt.parent, v->view.state);
	SG_TRY(sg_view_state(v->t.receipt.candidate, &v->view, NULL, 0, &v->removed));
	read_was(v);
	if (v->was.window)
		v->t.window = v->was.window;
	return 0;
}

/* --- its effect --------------------------------------------------------------- */

static int measure_side(struct revert *v, bool after)
{
	struct sg_composed m = { 0 };
	int rc = sg_view_compose(&m, &v->view, NULL, 0, after ? &v->removed : NULL, sg_rows(v->t.window));

	if (rc >= 0)
		rc = sg_trial_measure(&v->t, &m.model, after, after ? "without it" : "with it");
	sg_composed_release(&m);
	return rc;
}

static const struct sg_receipt_set *same_set(const struct sg_receipt *p, const struct sg_receipt_set *s)
{
	for (size_t i = 0; i < p->n_sets; i++)
		if (!strcmp(p->set[i].id, s->id) && p->set[i].docs == s->docs)
			return &p->set[i];
	return NULL;
}

/*
 * The drop law. When what is left is the composition that the graft was judged
 * against, on the same kind of machine, its losses are known: any other bit means that
 * the graft left a trace, or that a file is not what it was.
 */
static int check_drop(struct revert *v)
{
	const struct sg_receipt *was = &v->was, *now = &v->t.receipt;
	size_t n = 0;

	if (!was->window || was->window != now->window || strcmp(was->parent, now->candidate) ||
	    strcmp(was->fingerprint, now->fingerprint))
		return 0;
	for (size_t i = 0; i < was->n_sets; i++) {
		const struct sg_receipt_set *s = same_set(now, &was->set[i]);

		if (s && memcmp(s->cand, was->set[i].parent, s->docs * sizeof(*s->cand)))
			return sg_fail(SG_E_CORRUPT, "without graft %.16s the losses on '%s' are not those recorded "
				       "before it came in", v->was.graft, s->name);
		n += s != NULL;
	}
	v->restored = n > 0;
	return 0;
}

static int measure(struct revert *v)
{
	SG_TRY(sg_trial_sets(&v->t, NULL, NULL, NULL));
	if (!v->t.receipt.n_sets)
		return sg_fail(SG_E_NOTFOUND, "there is no acceptance or retained set to measure the effect on");
	SG_TRY(sg_view_base(&v->view, v->progress));
	SG_TRY(measure_side(v, false));
	SG_TRY(measure_side(v, true));
	SG_TRY(sg_trial_judge(&v->t));
	v->measured = true;
	return check_drop(v);
}

/* Measured when it can be and nobody said otherwise. */
static int find_effect(struct revert *v)
{
	int rc = v->o->unmeasured ? -SG_E_NOTFOUND : measure(v);

	if (rc != -SG_E_NOTFOUND)
		return rc;
	if (v->o->unmeasured || v->o->force)
		return 0;
	return sg_fail_in(-SG_E_REFUSED, "the effect cannot be measured (--no-validate does without)");
}

/* --- the commit ----------------------------------------------------------------- */

static int effect_json(struct sg_buf *out, const struct revert *v, const struct target *t, const char *receipt_sha)
{
	const struct sg_receipt *p = &v->t.receipt;
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "accept");
	sg_jsonw_str(&w, t->accept);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-revert-1");
	if (v->measured)
		sg_gates_json(&w, p);
	sg_jsonw_key(&w, "graft");
	sg_jsonw_str(&w, t->id);
	if (t->name) {
		sg_jsonw_key(&w, "name");
		sg_jsonw_str(&w, t->name);
	}
	sg_jsonw_key(&w, "prev_state");
	sg_jsonw_str(&w, p->parent);
	if (v->measured) {
		sg_jsonw_key(&w, "receipt");
		sg_jsonw_str(&w, receipt_sha);
	}
	sg_jsonw_key(&w, "removed");
	sg_jsonw_array(&w);
	for (size_t i = 0; i < v->removed.n; i++)
		sg_jsonw_str(&w, v->removed.name[i]);
	sg_jsonw_end(&w, ']');
	sg_jsonw_key(&w, "restored");
	sg_jsonw_bool(&w, v->restored);
	sg_jsonw_key(&w, "state");
	sg_jsonw_str(&w, p->candidate);
	if (v->measured) {
		sg_jsonw_key(&w, "verdict");
		sg_jsonw_str(&w, sg_verdict_name(p->verdict));
	}
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int put_effect(struct sg_change *c, const struct revert *v, const struct target *t)
{
	struct sg_buf receipt = { 0 }, json = { 0 };
	char path[64], sha[SG_SHA256_HEX] = "";
	int rc = 0;

	if (v->measured) {
		rc = sg_receipt_emit(&receipt, &v->t.receipt);
		if (rc >= 0)
			rc = sg_sha256_hex(sha, receipt.data, receipt.len);
		snprintf(path, sizeof(path), "reverted/%.16s/receipt.mp", t->id);
		if (rc >= 0)
			rc = sg_receipt_put(c, path, &receipt);
	}
	if (rc >= 0)
		rc = effect_json(&json, v, t, sha);
	snprintf(path, sizeof(path), "reverted/%.16s/effect.json", t->id);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, json.data, json.len);
	sg_buf_release(&receipt);
	sg_buf_release(&json);
	return rc;
}

static int edit_tree(struct sg_change *c, const struct revert *v)
{
	char path[64];
	int rc;

	for (size_t i = 0; i < v->removed.n; i++) {
		snprintf(path, sizeof(path), "grafts/%.16s", v->removed.name[i]);
		SG_TRY(sg_tree_remove(c->tree, path));
	}
	for (size_t i = 0; i < v->n; i++) {
		/* an earlier revert of the same graft is in the history */
		snprintf(path, sizeof(path), "reverted/%.16s", v->target[i].id);
		rc = sg_tree_remove(c->tree, path);
		if (rc < 0 && rc != -SG_E_NOTFOUND)
			return rc;
		SG_TRY(put_effect(c, v, &v->target[i]));
	}
	return 0;
}

static int message_body(struct sg_buf *b, const struct revert *v)
{
	size_t more = v->removed.n - v->n;

	if (v->o->message && *v->o->message)
		SG_TRY(sg_buf_fmt(b, "%s\n\n", v->o->message));
	for (size_t i = 0; i < v->n; i++)
		SG_TRY(*v->target[i].accept ?
		       sg_buf_fmt(b, "%sThis reverts commit %s.", i ? "\n" : "", v->target[i].accept) :
		       sg_buf_fmt(b, "%sThe commit that let the graft in is not known.", i ? "\n" : ""));
	if (more)
		SG_TRY(sg_buf_fmt(b, "\nWith %s %s %zu %s that require%s %s.", v->n > 1 ? "them" : "it",
				  more > 1 ? "go" : "goes", more, more > 1 ? "grafts" : "graft", more > 1 ? "" : "s",
				  v->n > 1 ? "them" : "it"));
	if (!v->measured)
		SG_TRY(sg_buf_str(b, "\nThe effect was not measured."));
	return 0;
}

static int message(struct sg_buf *m, const struct revert *v)
{
	const struct sg_receipt *p = &v->t.receipt;
	const struct sg_receipt_gate *g = p->n_gates ? &p->gate[0] : NULL;
	struct sg_buf body = { 0 };
	char subject[200];
	int rc;

	if (v->n > 1)
		snprintf(subject, sizeof(subject), "revert %zu grafts", v->n);
	else
		snprintf(subject, sizeof(subject), "revert %.64s", v->target[0].name ? v->target[0].name : v->target[0].id);
	if (g && *g->set)
		snprintf(subject + strlen(subject), sizeof(subject) - strlen(subject), ": %.40s %.4f -> %.4f", g->set,
			 g->parent, g->parent + g->mean);
	rc = message_body(&body, v);
	if (rc >= 0)
		rc = sg_message(m, subject, body.data);
	sg_buf_release(&body);
	SG_TRY(rc);
	SG_TRY(sg_message_trailer(m, "Sg-Op", "revert"));
	for (size_t i = 0; i < v->n; i++)
		SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", v->target[i].id));
	for (size_t i = 0; i < v->removed.n; i++)
		if (!target_of(v, v->removed.name[i]))
			SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", v->removed.name[i]));
	SG_TRY(sg_message_trailer(m, "Sg-Base", "sha256:%s", p->base));
	SG_TRY(sg_message_trailer(m, "Sg-State", "sha256:%s", p->candidate));
	SG_TRY(sg_message_trailer(m, "Sg-Prev-State", "sha256:%s", p->parent));
	return v->measured ? sg_message_metrics(m, p) : 0;
}

static int take_out(struct revert *v, char commit[SG_COMMIT_HEX])
{
	struct sg_change c = { 0 };
	struct sg_buf m = { 0 };
	struct sg_oid oid;
	int rc = sg_change_begin(&c, v->r);

	if (rc >= 0 && !sg_oid_eq(&c.head, &v->view.commit))
		rc = sg_fail(SG_E_BUSY, "the line moved while the revert was measured; try again");
	if (rc >= 0)
		rc = edit_tree(&c, v);
	if (rc >= 0)
		rc = message(&m, v);
	if (rc >= 0)
		rc = sg_change_done(&c, &oid, NULL, m.data);
	if (rc >= 0)
		sg_oid_hex(commit, &oid);
	sg_change_release(&c);
	sg_buf_release(&m);
	return rc;
}

/* --- the whole ------------------------------------------------------------------ */

static int answer(struct sg_revert_info *out, struct revert *v)
{
	const struct sg_receipt *p = &v->t.receipt;

	if (v->measured)
		SG_TRY(sg_verdict_of(&out->v, p, v->target[0].name));
	else
		SG_TRY((out->v.verdict = sg_strdup("")) ? 0 : -SG_E_NOMEM);
	if (!v->measured && v->target[0].name)
		SG_TRY((out->v.name = sg_strdup(v->target[0].name)) ? 0 : -SG_E_NOMEM);
	strcpy(out->v.graft, v->target[0].id);
	strcpy(out->v.state, p->candidate);
	strcpy(out->v.prev, p->parent);
	strcpy(out->accept, v->target[0].accept);
	out->measured = v->measured;
	out->restored = v->restored;
	for (size_t i = 0; i < v->n; i++)
		SG_TRY(sg_names_add(&out->grafts, v->target[i].id));
	for (size_t i = 0; i < v->removed.n; i++)
		SG_TRY(sg_names_add(&out->removed, v->removed.name[i]));
	return 0;
}

int sg_revert(struct sg_revert_info *out, struct sg_repo *r, const struct sg_revert_opts *o,
	      const struct sg_progress *progress)
{
	struct revert v = { .r = r, .o = o, .progress = progress };
	struct sg_revert_info i = { .measured = false };
	bool no = false;
	int rc = prepare(&v);

	if (rc >= 0)
		rc = find_effect(&v);
	/* a deferral is no rejection: a stack that was accepted once may come back */
	no = v.measured && v.t.receipt.verdict == SG_REJECT && !o->force;
	if (rc >= 0)
		rc = answer(&i, &v);
	if (rc >= 0 && !no)
		rc = take_out(&v, i.commit);	/* last: nothing may fail behind it */
	if (rc < 0) {
		sg_revert_info_release(&i);
	} else {
		*out = i;
		rc = no;
	}
	sg_trial_release(&v.t);
	sg_receipt_release(&v.was);
	sg_names_release(&v.removed);
	sg_view_release(&v.view);
	for (size_t k = 0; k < v.n; k++)
		free(v.target[k].name);
	free(v.target);
	return rc;
}

void sg_revert_info_release(struct sg_revert_info *i)
{
	sg_names_release(&i->grafts);
	sg_names_release(&i->removed);
	sg_verdict_info_release(&i->v);
	*i = (struct sg_revert_info){ .measured = false };
}
