/*
 * Consolidation: a new base that holds part of the stack. It is written first and then
 * judged as it was written, opened like any base, against the old composition: not
 * worse on any acceptance or retained set by more than the policy lets a graft cost.
 * Only then the line moves: old grafts out, the new base in, in one commit.
 */
#include "sg_repo.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/consolidate.h"
#include <unistd.h>

struct merge {
	struct sg_repo *r;
	const struct sg_consolidate_opts *o;
	struct sg_view view;
	struct sg_composed old;
	struct sg_fold fold;
	struct sg_trial t;
	char *full, *dir;		/* --out, absolute; where it is written first */
	struct sg_checkpoint *ckpt;	/* the new base as written */
	struct sg_buf pin;
	char base[SG_SHA256_HEX];	/* its id */
	struct sg_graft **by;		/* [old.n] carried grafts, NULL where one went */
	bool measured, identical;
	const struct sg_progress *progress;
};

/* --- shared with export ---------------------------------------------------------- */

int sg_fold_dtype(enum sg_dtype *out, const char *name)
{
	static const enum sg_dtype known[] = { SG_F32, SG_BF16, SG_F16 };

	*out = SG_DTYPE_COUNT;
	if (!name || !strcmp(name, "stored"))
		return 0;
	for (size_t i = 0; i < SG_LEN(known); i++)
		if (!strcmp(name, sg_dtypes[known[i]].name)) {
			*out = known[i];
			return 0;
		}
	return sg_fail(SG_E_USAGE, "'%s' is none of stored, F32, BF16, F16", name);
}

static const char *row_verdict(const struct sg_fold_row *r)
{
	return r->retained >= SG_FOLD_OK ? "ok" : r->retained >= SG_FOLD_REFUSE ? "warn" : "refuse";
}

int sg_fold_table_of(struct sg_fold_table *out, const struct sg_fold *f)
{
	struct sg_fold_table t = { 0 };
	int rc = SG_NEW(t.line, f->n_rows);

	for (; rc >= 0 && t.n < f->n_rows; t.n++) {
		const struct sg_fold_row *r = &f->row[t.n];
		const struct sg_fold_item *it = &f->item[r->item];

		t.line[t.n] = (struct sg_fold_line){
			.tensor = sg_strdup(it->theirs), .dtype = sg_dtypes[it->dtype].name, .retained = r->retained,
			.rel_err = r->rel_err, .unchanged = r->unchanged, .verdict = row_verdict(r),
		};
		rc = t.line[t.n].tensor ? 0 : -SG_E_NOMEM;
	}
	if (rc < 0)
		sg_fold_table_release(&t);
	else
		*out = t;
	return rc;
}

void sg_fold_table_release(struct sg_fold_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->line[i].tensor);
	free(t->line);
	*t = (struct sg_fold_table){ 0 };
}

int sg_fold_artefact(struct sg_checkpoint **out, struct sg_fold *f, const char *dir)
{
	struct sg_checkpoint *c = NULL;
	int rc = sg_dir_make(dir);

	if (rc >= 0)
		rc = sg_fold_write(f, dir);
	if (rc >= 0)
		rc = sg_checkpoint_open(&c, dir);
	if (rc >= 0)
		rc = sg_fold_verify(f, c);
	if (rc < 0)
		sg_checkpoint_free(c);
	else
		*out = c;
	return rc;
}

int sg_new_folder(char **full, char **tmp, const char *path)
{
	char *slash, *parent = NULL, *dir, *p = sg_strdup(path);
	int rc = p ? 0 : -SG_E_NOMEM;

	while (rc >= 0 && strlen(p) > 1 && p[strlen(p) - 1] == '/')
		p[strlen(p) - 1] = '\0';
	if (rc >= 0 && access(p, F_OK) == 0)
		rc = sg_fail(SG_E_EXISTS, "'%s' is there already", path);
	if (rc >= 0 && !*p)
		rc = sg_fail(SG_E_USAGE, "the name of the folder is empty");
	if (rc < 0)
		goto out;
	slash = strrchr(p, '/');
	dir = slash ? sg_strndup(p, slash == p ? 1 : (size_t)(slash - p)) : sg_strdup(".");
	rc = dir ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && !(parent = realpath(dir, NULL)))
		rc = sg_fail_errno(SG_E_NOTFOUND, "cannot find the folder '%s'", dir);
	free(dir);
	if (rc < 0)
		goto out;
	*full = sg_path_join(parent, slash ? slash + 1 : p);
	*tmp = *full ? sg_asprintf("%s.tmp-%ld", *full, (long)getpid()) : NULL;
	rc = *tmp ? 0 : -SG_E_NOMEM;
out:
	free(parent);
	free(p);
	return rc;
}

/* --- before ---------------------------------------------------------------------- */

/* The longest context that a graft of the stack was trained with. */
static int choose_window(struct merge *m)
{
	size_t longest = 0;

	for (size_t i = 0; i < m->view.ids.n; i++) {
		size_t w;

		SG_TRY(sg_trained_window(&w, m->r, &m->view.commit, m->view.ids.name[i]));
		longest = SG_MAX(longest, w);
	}
	if (longest)
		m->t.window = longest;
	return 0;
}

static int choose_folder(struct merge *m)
{
	if (m->o->out)
		return sg_new_folder(&m->full, &m->dir, m->o->out);
	m->dir = sg_asprintf("%s/base-%ld", sg_registry_tmp_dir(m->r->reg), (long)getpid());
	return m->dir ? 0 : -SG_E_NOMEM;
}

static int prepare(struct merge *m)
{
	unsigned what = (m->o->fold ? SG_FOLD_LINEAR : 0u) | (m->o->structural ? SG_FOLD_LAYERS : 0u);
	enum sg_dtype dtype;

	SG_TRY(sg_fold_dtype(&dtype, m->o->dtype));
	if (!what)
		return sg_fail(SG_E_USAGE, "say what to consolidate: --fold, --structural or both");
	SG_TRY(choose_folder(m));
	SG_TRY(sg_view_open(&m->view, m->r, NULL));
	SG_TRY(sg_trial_open(&m->t, m->r, &m->view.commit, m->progress));
	SG_TRY(choose_window(m));
	SG_TRY(sg_view_base(&m->view, m->progress));
	SG_TRY(sg_view_compose(&m->old, &m->view, NULL, 0, NULL, sg_rows(m->t.window)));
	SG_TRY(sg_fold_init(&m->fold, m->view.ckpt, &m->old, what, dtype));
	m->fold.progress = m->progress;
	return m->fold.n_gone ? 0 : sg_fail(SG_E_REFUSED, "no active graft can go into the base this way");
}

/* Every set is one to retain: a consolidation may not be worse on any. */
static int measure_old(struct merge *m)
{
	int rc = sg_trial_sets(&m->t, sg_role_name(SG_ROLE_RETAIN), NULL, NULL);

	if (rc >= 0 && !m->t.receipt.n_sets)
		rc = sg_fail(SG_E_NOTFOUND, "there is no acceptance or retained set to hold the new base against");
	m->measured = rc >= 0;
	if (rc == -SG_E_NOTFOUND)
		return m->o->force ? 0 : sg_fail_in(-SG_E_REFUSED, "cannot be judged (--force does without)");
	return rc < 0 ? rc : sg_trial_measure(&m->t, &m->old.model, false, "old base");
}

/* --- the new base ------------------------------------------------------------------ */

static int carry_all(struct merge *m)
{
	SG_TRY(SG_NEW(m->by, m->old.n));
	for (size_t i = 0; i < m->old.n; i++)
		if (!m->fold.gone[i])
			SG_TRY(sg_fold_carry(&m->by[i], &m->fold, m->old.g[i], m->base, m->by));
	return 0;
}

/* Stack of the new base: the carried ones in their order. */
static size_t carried(struct sg_graft **out, const struct merge *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->old.n; i++)
		if (m->by[i])
			out[n++] = m->by[i];
	return n;
}

static int new_state(struct merge *m)
{
	struct sg_graft **g;
	int rc;

	SG_TRY(SG_NEW(g, m->old.n));
	rc = sg_stack_state(m->t.receipt.candidate, m->base, g, carried(g, m));
	free(g);
	return rc;
}

static int make_base(struct merge *m)
{
	SG_TRY(sg_fold_artefact(&m->ckpt, &m->fold, m->dir));
	SG_TRY(sg_checkpoint_pin(&m->pin, m->ckpt, m->progress));
	SG_TRY(sg_sha256_hex(m->base, m->pin.data, m->pin.len));
	SG_TRY(carry_all(m));
	strcpy(m->t.receipt.base, m->base);
	strcpy(m->t.receipt.parent, m->view.state);
	return new_state(m);
}

/* Payload of a carried graft, read from the folder of its old self. */
struct heirloom { struct merge *m; const struct sg_graft *old, *new; };

static const char *old_tensor(const struct heirloom *h, const char *name)
{
	char there[SG_GRAFTFILE_NAME + 1];

	for (size_t i = 0; i < h->old->file.n_tensors; i++)
		if (sg_fold_rename(there, sizeof(there), h->old, h->new, h->old->file.tensor[i].name) >= 0 &&
		    !strcmp(there, name))
			return h->old->file.tensor[i].name;
	return name;
}

static int read_old(void *arg, void *out, size_t n, const char *name, const char *sha256)
{
	struct heirloom *h = arg;
	char folder[300];

	snprintf(folder, sizeof(folder), "grafts/%.16s/data/%s", h->old->id, old_tensor(h, name));
	return sg_payload_read(out, n, h->m->r->reg, &h->m->view.commit, folder, sha256);
}

/* A second parse of each carried manifest: composing takes its grafts over. */
static int again(struct sg_graft **out, struct sg_graft *g)
{
	struct sg_buf b = { 0 };
	int rc = sg_graftfile_write(&b, &g->file);

	if (rc >= 0)
		rc = sg_graft_parse(out, b.data, b.len, "carried graft");
	sg_buf_release(&b);
	return rc;
}

static int compose_new(struct sg_composed *out, struct merge *m)
{
	struct sg_graft_source *source = NULL;
	struct heirloom *from = NULL;
	struct sg_graft **g = NULL;
	size_t n = 0;
	int rc = SG_NEW(g, m->old.n);

	if (rc >= 0)
		rc = SG_NEW(source, m->old.n);
	if (rc >= 0)
		rc = SG_NEW(from, m->old.n);
	for (size_t i = 0; rc >= 0 && i < m->old.n; i++) {
		if (!m->by[i])
			continue;
		rc = again(&g[n], m->by[i]);
		from[n] = (struct heirloom){ m, m->old.g[i], m->by[i] };
		source[n] = (struct sg_graft_source){ read_old, &from[n] };
		n += rc >= 0;
	}
	if (rc >= 0) {
		rc = sg_compose(out, m->ckpt, &m->r->dev, sg_rows(m->t.window), g, source, n);
	} else {
		for (size_t i = 0; i < n; i++)
			sg_graft_free(g[i]);
	}
	free(g);
	free(source);
	free(from);
	return rc;
}

static bool same_losses(const struct sg_receipt *p)
{
	for (size_t i = 0; i < p->n_sets; i++)
		if (memcmp(p->set[i].parent, p->set[i].cand, p->set[i].docs * sizeof(double)))
			return false;
	return true;
}

static int measure_new(struct merge *m)
{
	struct sg_composed c = { 0 };
	int rc = compose_new(&c, m);

	/* also when nothing is measured: a new base that cannot be composed is none */
	if (rc >= 0 && m->measured)
		rc = sg_trial_measure(&m->t, &c.model, true, "new base");
	sg_composed_release(&c);
	if (rc < 0 || !m->measured)
		return rc;
	m->identical = same_losses(&m->t.receipt);
	return sg_trial_judge(&m->t);
}

static bool passes(const struct merge *m)
{
	return m->o->force || m->identical || m->t.receipt.verdict == SG_ACCEPT;
}

/* --- the commit -------------------------------------------------------------------- */

static int copy_file(struct sg_change *c, const struct merge *m, const char *from, const char *to)
{
	enum sg_object_type type;
	struct sg_oid oid;
	int rc = sg_tree_find(&oid, &type, m->r->reg, &m->view.commit, from);

	if (rc == -SG_E_NOTFOUND)
		return 0;
	return rc < 0 ? rc : type == SG_OBJ_TREE ? sg_tree_put_tree(c->tree, to, &oid) : sg_tree_put(c->tree, to, &oid);
}

static int put_verdict(struct sg_change *c, const struct merge *m, const struct sg_graft *g, const struct sg_buf *receipt,
		       const char *sha)
{
	struct sg_receipt p = m->t.receipt;	/* the same verdict, said of this graft */
	struct sg_buf json = { 0 };
	char path[64], *name = sg_graft_name(m->r, &m->view.commit, g->file.replaces.name[0]);
	int rc;

	strcpy(p.graft, g->id);
	rc = sg_accept_json(&json, &p, name, sha);
	free(name);
	snprintf(path, sizeof(path), "grafts/%.16s/accept.json", g->id);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, json.data, json.len);
	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", g->id);
	if (rc >= 0)
		rc = sg_receipt_put(c, path, receipt);
	sg_buf_release(&json);
	return rc;
}

/* The old payload under the new manifest. */
static int put_carried(struct sg_change *c, const struct merge *m, const struct sg_graft *old, struct sg_graft *new)
{
	char from[300], to[300], name[SG_GRAFTFILE_NAME + 1];
	struct sg_buf b = { 0 };
	int rc = sg_graftfile_write(&b, &new->file);

	snprintf(to, sizeof(to), "grafts/%.16s/graft.json", new->id);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, to, b.data, b.len);
	sg_buf_release(&b);
	for (size_t i = 0; rc >= 0 && i < old->file.n_tensors; i++) {
		rc = sg_fold_rename(name, sizeof(name), old, new, old->file.tensor[i].name);
		snprintf(from, sizeof(from), "grafts/%.16s/data/%s", old->id, old->file.tensor[i].name);
		snprintf(to, sizeof(to), "grafts/%.16s/data/%s", new->id, name);
		if (rc >= 0)
			rc = copy_file(c, m, from, to);
	}
	snprintf(from, sizeof(from), "grafts/%.16s/train.json", old->id);
	snprintf(to, sizeof(to), "grafts/%.16s/train.json", new->id);
	return rc < 0 ? rc : copy_file(c, m, from, to);
}

static int put_grafts(struct sg_change *c, const struct merge *m, const struct sg_buf *receipt, const char *sha)
{
	for (size_t i = 0; i < m->old.n; i++) {
		char path[64];

		snprintf(path, sizeof(path), "grafts/%.16s", m->old.g[i]->id);
		SG_TRY(sg_tree_remove(c->tree, path));
	}
	for (size_t i = 0; i < m->old.n; i++) {
		if (!m->by[i])
			continue;
		SG_TRY(put_carried(c, m, m->old.g[i], m->by[i]));
		if (m->measured)
			SG_TRY(put_verdict(c, m, m->by[i], receipt, sha));
	}
	return 0;
}

static void lineage_table(struct sg_jsonw *w, const struct sg_fold *f)
{
	sg_jsonw_key(w, "tensors");
	sg_jsonw_array(w);
	for (size_t i = 0; i < f->n_rows; i++) {
		const struct sg_fold_row *r = &f->row[i];
		const struct sg_fold_item *it = &f->item[r->item];

		sg_jsonw_object(w);
		sg_jsonw_key(w, "dtype");
		sg_jsonw_str(w, sg_dtypes[it->dtype].name);
		sg_jsonw_key(w, "name");
		sg_jsonw_str(w, it->theirs);
		sg_jsonw_key(w, "rel_err");
		sg_jsonw_f64(w, r->rel_err);
		sg_jsonw_key(w, "retained");
		sg_jsonw_f64(w, r->retained);
		sg_jsonw_key(w, "unchanged");
		sg_jsonw_f64(w, r->unchanged);
		sg_jsonw_key(w, "verdict");
		sg_jsonw_str(w, row_verdict(r));
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void lineage_grafts(struct sg_jsonw *w, const struct merge *m)
{
	sg_jsonw_key(w, "carried");
	sg_jsonw_array(w);
	for (size_t i = 0; i < m->old.n; i++) {
		if (!m->by[i])
			continue;
		sg_jsonw_object(w);
		sg_jsonw_key(w, "from");
		sg_jsonw_str(w, m->old.g[i]->id);
		sg_jsonw_key(w, "to");
		sg_jsonw_str(w, m->by[i]->id);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static int lineage(struct sg_buf *out, const struct merge *m, const char *sha)
{
	const struct sg_receipt *p = &m->t.receipt;
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "base");
	sg_jsonw_str(&w, m->base);
	lineage_grafts(&w, m);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-consolidate-1");
	if (m->measured)
		sg_gates_json(&w, p);
	sg_jsonw_key(&w, "identical");
	sg_jsonw_bool(&w, m->identical);
	sg_jsonw_key(&w, "old_base");
	sg_jsonw_str(&w, m->view.base);
	sg_jsonw_key(&w, "prev_state");
	sg_jsonw_str(&w, p->parent);
	if (m->measured) {
		sg_jsonw_key(&w, "receipt");
		sg_jsonw_str(&w, sha);
	}
	sg_jsonw_key(&w, "replaces");
	sg_jsonw_array(&w);
	for (size_t i = 0; i < m->old.n; i++)
		if (m->fold.gone[i])
			sg_jsonw_str(&w, m->old.g[i]->id);
	sg_jsonw_end(&w, ']');
	sg_jsonw_key(&w, "state");
	sg_jsonw_str(&w, p->candidate);
	lineage_table(&w, &m->fold);
	if (m->measured) {
		sg_jsonw_key(&w, "verdict");
		sg_jsonw_str(&w, sg_verdict_name(p->verdict));
	}
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int put_lineage(struct sg_change *c, const struct merge *m, const struct sg_buf *receipt, const char *sha)
{
	struct sg_buf json = { 0 };
	char path[64];
	int rc = lineage(&json, m, sha);

	snprintf(path, sizeof(path), "consolidated/%.16s.json", m->t.receipt.candidate);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, json.data, json.len);
	snprintf(path, sizeof(path), "consolidated/%.16s.mp", m->t.receipt.candidate);
	if (rc >= 0 && m->measured)
		rc = sg_receipt_put(c, path, receipt);
	sg_buf_release(&json);
	return rc;
}

static int edit_tree(struct sg_change *c, const struct merge *m)
{
	struct sg_buf receipt = { 0 };
	char sha[SG_SHA256_HEX] = "";
	int rc = sg_tree_remove(c->tree, "base");

	if (rc >= 0)
		rc = sg_base_put(c, m->ckpt, &m->pin, !m->o->out);
	if (rc >= 0 && m->measured)
		rc = sg_receipt_emit(&receipt, &m->t.receipt);
	if (rc >= 0 && m->measured)
		rc = sg_sha256_hex(sha, receipt.data, receipt.len);
	if (rc >= 0)
		rc = put_grafts(c, m, &receipt, sha);
	if (rc >= 0)
		rc = put_lineage(c, m, &receipt, sha);
	sg_buf_release(&receipt);
	return rc;
}

static int message(struct sg_buf *b, const struct merge *m)
{
	const struct sg_receipt *p = &m->t.receipt;
	char subject[120];

	snprintf(subject, sizeof(subject), "consolidate %zu %s into base %.16s", m->fold.n_gone,
		 m->fold.n_gone == 1 ? "graft" : "grafts", m->base);
	SG_TRY(sg_message(b, subject, m->o->message));
	SG_TRY(sg_message_trailer(b, "Sg-Op", "consolidate"));
	SG_TRY(sg_message_trailer(b, "Sg-Base", "sha256:%s", m->base));
	SG_TRY(sg_message_trailer(b, "Sg-State", "sha256:%s", p->candidate));
	SG_TRY(sg_message_trailer(b, "Sg-Prev-State", "sha256:%s", p->parent));
	for (size_t i = 0; i < m->old.n; i++)
		if (m->fold.gone[i])
			SG_TRY(sg_message_trailer(b, "Sg-Replaces", "sha256:%s", m->old.g[i]->id));
	return m->measured ? sg_message_metrics(b, p) : 0;
}

static int commit(struct merge *m, char hex[SG_COMMIT_HEX])
{
	struct sg_change c = { 0 };
	struct sg_buf b = { 0 };
	struct sg_oid oid;
	int rc = sg_change_begin(&c, m->r);

	if (rc >= 0 && !sg_oid_eq(&c.head, &m->view.commit))
		rc = sg_fail(SG_E_BUSY, "the line moved while the new base was judged; try again");
	if (rc >= 0)
		rc = edit_tree(&c, m);
	if (rc >= 0)
		rc = message(&b, m);
	if (rc >= 0)
		rc = sg_change_done(&c, &oid, NULL, b.data);
	if (rc >= 0)
		sg_oid_hex(hex, &oid);
	sg_change_release(&c);
	sg_buf_release(&b);
	return rc;
}

/* The folder under its name, then the commit that needs it. */
static int finish(struct merge *m, char hex[SG_COMMIT_HEX])
{
	bool moved = false;
	int rc = 0;

	if (m->full) {
		rc = sg_file_rename(m->dir, m->full);
		moved = rc >= 0;
		if (rc >= 0)
			rc = sg_base_found(m->r, m->base, m->full);
	}
	if (rc >= 0)
		rc = commit(m, hex);
	if (rc < 0 && moved)
		(void)sg_dir_remove(m->full);
	return rc;
}

/* --- the whole --------------------------------------------------------------------- */

static int answer(struct sg_consolidate_info *out, const struct merge *m)
{
	const struct sg_receipt *p = &m->t.receipt;

	strcpy(out->base, m->base);
	strcpy(out->old_base, m->view.base);
	out->identical = m->identical;
	for (size_t i = 0; i < m->old.n; i++)
		if (m->fold.gone[i]) {
			SG_TRY(sg_names_add(&out->replaced, m->old.g[i]->id));
		} else if (m->by && m->by[i]) {
			SG_TRY(sg_names_add(&out->carried_from, m->old.g[i]->id));
			SG_TRY(sg_names_add(&out->carried, m->by[i]->id));
		}
	SG_TRY(sg_fold_table_of(&out->table, &m->fold));
	if (p->tool)
		return sg_verdict_of(&out->v, p, NULL);
	strcpy(out->v.state, p->candidate);
	strcpy(out->v.prev, m->view.state);
	return (out->v.verdict = sg_strdup("")) ? 0 : -SG_E_NOMEM;
}

/* 1: something said no. */
static int judge(struct merge *m)
{
	SG_TRY(measure_old(m));
	SG_TRY(make_base(m));
	if (!m->o->force && !(sg_fold_worst(&m->fold) >= SG_FOLD_REFUSE))
		return 1;
	SG_TRY(measure_new(m));
	return !passes(m);
}

int sg_consolidate(struct sg_consolidate_info *out, struct sg_repo *r, const struct sg_consolidate_opts *o,
		   const struct sg_progress *progress)
{
	struct merge m = { .r = r, .o = o, .progress = progress };
	struct sg_consolidate_info i = { .identical = false };
	int rc = prepare(&m), no = 0;

	if (rc >= 0)
		no = rc = judge(&m);
	if (rc >= 0)
		rc = answer(&i, &m);
	if (rc >= 0 && !no)
		rc = finish(&m, i.commit);	/* last: nothing may fail behind it */
	if (rc < 0)
		sg_consolidate_info_release(&i);
	else
		*out = i;
	for (size_t k = 0; m.by && k < m.old.n; k++)
		sg_graft_free(m.by[k]);
	free(m.by);
	sg_checkpoint_free(m.ckpt);
	if (m.dir)
		(void)sg_dir_remove(m.dir);	/* gone already when it was moved */
	free(m.dir);
	free(m.full);
	sg_buf_release(&m.pin);
	sg_fold_release(&m.fold);
	sg_composed_release(&m.old);
	sg_trial_release(&m.t);
	sg_view_release(&m.view);
	return rc < 0 ? rc : no;
}

void sg_consolidate_info_release(struct sg_consolidate_info *i)
{
	sg_names_release(&i->replaced);
	sg_names_release(&i->carried);
	sg_names_release(&i->carried_from);
	sg_fold_table_release(&i->table);
	sg_verdict_info_release(&i->v);
	*i = (struct sg_consolidate_info){ .identical = false };
}
