/*
 * What a merge would do: a three-way merge of sets. Grafts are compared by id, data
 * sets by name, and what the two lines did to the same thing since they parted is a
 * conflict, whose outcome is decided for one side, for both, or not at all.
 */
#include "sg_merge.h"
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"

#define DOCS_MAX ((size_t)1 << 30)
#define MANIFEST_MAX ((size_t)16 << 20)

static const char *const side_word[] = { "this line", "the other line" };

/* --- conflicts --------------------------------------------------------------- */

static int add_conflict(struct merge *m, const char *kind, const char *subject, const char *ours, const char *theirs,
			bool decided, char *text)
{
	struct sg_merge_info *i = &m->info;
	struct sg_conflict *c;
	int rc = text ? SG_GROW(i->conflict, i->n_conflicts, i->cap_conflicts) : -SG_E_NOMEM;

	if (rc < 0) {
		free(text);
		return rc;
	}
	c = &i->conflict[i->n_conflicts++];
	*c = (struct sg_conflict){ kind, sg_strdup(subject), sg_strdup(ours), sg_strdup(theirs), text, decided };
	i->undecided += !decided;
	return c->subject && c->ours && c->theirs ? 0 : -SG_E_NOMEM;
}

static bool has_conflict(const struct merge *m, const char *kind, const char *ours, const char *theirs)
{
	for (size_t i = 0; i < m->info.n_conflicts; i++) {
		const struct sg_conflict *c = &m->info.conflict[i];

		if (!strcmp(c->kind, kind) && !strcmp(c->ours, ours) && !strcmp(c->theirs, theirs))
			return true;
	}
	return false;
}

/* --- grafts ------------------------------------------------------------------ */

static struct merge_graft *graft_of(const struct merge *m, const char *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->g[i].id, id))
			return &m->g[i];
	return NULL;
}

static int add_grafts(struct merge *m, int side)
{
	const struct sg_view *v = &m->view[side];

	for (size_t i = 0; i < v->ids.n; i++) {
		struct merge_graft *g = graft_of(m, v->ids.name[i]);

		if (!g) {
			SG_TRY(SG_GROW(m->g, m->n, m->cap));
			g = &m->g[m->n];
			*g = (struct merge_graft){ .keep = false };
			SG_TRY(sg_manifest_read(&g->f, NULL, g->id, m->r, &v->commit, v->ids.name[i]));
			m->n++;
			g->in[BASE] = sg_names_has(&m->view[BASE].ids, g->id);
		}
		g->in[side] = true;
	}
	return 0;
}

/* A graft that one line alone has stays when that line added it, and goes when the
 * other took it out. */
static void choose_grafts(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct merge_graft *g = &m->g[i];

		g->keep = (g->in[OURS] && g->in[THEIRS]) || !g->in[BASE];
	}
}

static bool added_by(const struct merge_graft *g, int side)
{
	return g->in[side] && !g->in[!side] && !g->in[BASE];
}

static const char *common_site(const struct merge_graft *a, const struct merge_graft *b)
{
	for (size_t i = 0; i < a->f.sites.n; i++)
		if (sg_names_has(&b->f.sites, a->f.sites.name[i]))
			return a->f.sites.name[i];
	return NULL;
}

static size_t count_common(const struct merge_graft *a, const struct merge_graft *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->f.sites.n; i++)
		n += sg_names_has(&b->f.sites, a->f.sites.name[i]);
	return n;
}

static int site_conflict(struct merge *m, struct merge_graft *a, struct merge_graft *b, const char *site)
{
	size_t more = count_common(a, b) - 1;
	char also[40] = "";

	if (more)
		snprintf(also, sizeof(also), " and at %zu more", more);
	if (m->o->side == SG_MERGE_OURS)
		b->keep = false;
	else if (m->o->side == SG_MERGE_THEIRS)
		a->keep = false;
	return add_conflict(m, "site", site, a->id, b->id, m->o->side != SG_MERGE_ASK,
			    sg_asprintf("graft %.16s of this line and graft %.16s of the other stand at '%s'%s", a->id,
					b->id, site, also));
}

static int check_sites(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; added_by(&m->g[i], OURS) && k < m->n; k++) {
			const char *site = added_by(&m->g[k], THEIRS) ? common_site(&m->g[i], &m->g[k]) : NULL;

			if (site)
				SG_TRY(site_conflict(m, &m->g[i], &m->g[k], site));
		}
	return 0;
}

/* x, which one line added, requires y, which the other took out. */
static int requires_conflict(struct merge *m, struct merge_graft *x, struct merge_graft *y)
{
	int gone_by = y->in[OURS] ? THEIRS : OURS;
	const char *ours = gone_by == OURS ? y->id : x->id, *theirs = gone_by == OURS ? x->id : y->id;
	bool drop = m->o->side == (gone_by == OURS ? SG_MERGE_OURS : SG_MERGE_THEIRS);

	if (m->o->side != SG_MERGE_ASK) {
		x->keep &= !drop;
		y->keep = !drop;
	}
	if (has_conflict(m, "requires", ours, theirs))
		return 0;
	return add_conflict(m, "requires", y->id, ours, theirs, m->o->side != SG_MERGE_ASK,
			    sg_asprintf("graft %.16s of %s requires graft %.16s, which %s took out", x->id,
					side_word[!gone_by], y->id, side_word[gone_by]));
}

/* One graft against what it requires; *changed when something was decided anew. */
static int check_graft_requires(struct merge *m, struct merge_graft *x, bool *changed)
{
	for (size_t i = 0; x->keep && i < x->f.requires.n; i++) {
		struct merge_graft *y = graft_of(m, x->f.requires.name[i]);

		if (!y)
			return sg_fail(SG_E_CORRUPT, "graft %.16s requires graft %.16s, which neither line has", x->id,
				       x->f.requires.name[i]);
		if (y->keep)
			continue;
		if (!y->in[BASE]) {	/* it lost its site: what stands inside goes with it */
			x->keep = false;
			*changed = true;
			continue;
		}
		SG_TRY(requires_conflict(m, x, y));
		*changed |= y->keep || !x->keep;
	}
	return 0;
}

static int check_requires(struct merge *m)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < m->n; i++)
			SG_TRY(check_graft_requires(m, &m->g[i], &changed));
	}
	return 0;
}

static int tell_graft(struct merge *m, const struct merge_graft *g, const char *what)
{
	struct sg_merge_info *i = &m->info;
	const struct sg_oid *at = &m->view[g->in[OURS] ? OURS : THEIRS].commit;

	SG_TRY(SG_GROW(i->graft, i->n, i->cap));
	i->graft[i->n] = (struct sg_merge_graft){ .what = what };
	SG_TRY(sg_graft_info_of(&i->graft[i->n].info, &g->f, g->id));
	i->graft[i->n++].info.name = sg_graft_name(m->r, at, g->id);
	return 0;
}

/* All that does not stay as it is; "left": what they added and does not come. */
static int tell_grafts(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct merge_graft *g = &m->g[i];

		if (g->keep && !g->in[OURS])
			SG_TRY(tell_graft(m, g, "in"));
		else if (!g->keep && g->in[OURS])
			SG_TRY(tell_graft(m, g, "out"));
		else if (!g->keep && added_by(g, THEIRS))
			SG_TRY(tell_graft(m, g, "left"));
	}
	return 0;
}

/* --- folders ------------------------------------------------------------------ */

static struct merge_entry *entry_of(const struct merge_folder *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->e[i].name, name))
			return &f->e[i];
	return NULL;
}

static int add_side(struct merge_folder *f, struct merge *m, int side)
{
	struct sg_tree_list l = { 0 };
	int rc = sg_tree_list(&l, m->r->reg, &m->view[side].commit, f->path);

	if (rc == -SG_E_NOTFOUND)
		return 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct merge_entry *e = entry_of(f, l.entry[i].name);

		if (!e && (rc = SG_GROW(f->e, f->n, f->cap)) >= 0) {
			e = &f->e[f->n++];
			*e = (struct merge_entry){ .name = sg_strdup(l.entry[i].name) };
			rc = e->name ? 0 : -SG_E_NOMEM;
		}
		if (rc >= 0) {
			e->oid[side] = l.entry[i].oid;
			e->type[side] = l.entry[i].type;
		}
	}
	sg_tree_list_release(&l);
	return rc;
}

static bool same(const struct merge_entry *e, int a, int b)
{
	return sg_oid_eq(&e->oid[a], &e->oid[b]);
}

static bool is_conflict(const struct merge_entry *e)
{
	return !same(e, OURS, THEIRS) && !same(e, OURS, BASE) && !same(e, THEIRS, BASE);
}

/* Three-way: the side that changed it; ours when both did. */
static int read_folder(struct merge_folder *f, struct merge *m, const char *path)
{
	f->path = path;
	for (int side = 0; side < SIDES; side++)
		SG_TRY(add_side(f, m, side));
	for (size_t i = 0; i < f->n; i++)
		f->e[i].from = same(&f->e[i], OURS, BASE) ? THEIRS : OURS;
	return 0;
}

/* --- data sets ---------------------------------------------------------------- */

/* "<name>.json" is the set, "<name>.docs" goes with it. */
static bool is_set(const char *file)
{
	size_t n = strlen(file);

	return n > 5 && !strcmp(file + n - 5, ".json");
}

static char *set_name(const char *file)
{
	return sg_strndup(file, strlen(file) - 5);
}

static struct merge_entry *docs_of(struct merge *m, const struct merge_entry *set)
{
	char name[300];

	snprintf(name, sizeof(name), "%.*s.docs", (int)strlen(set->name) - 5, set->name);
	return entry_of(&m->data, name);
}

static void take_set(struct merge *m, struct merge_entry *set, int from)
{
	struct merge_entry *docs = docs_of(m, set);

	set->from = from;
	if (docs)
		docs->from = from;
}

static bool decides(const struct merge *m)
{
	return m->o->side == SG_MERGE_OURS || m->o->side == SG_MERGE_THEIRS;
}

static int prevails(const struct merge *m)
{
	return m->o->side == SG_MERGE_THEIRS ? THEIRS : OURS;
}

static int check_set(struct merge *m, struct merge_entry *set)
{
	char *name = set_name(set->name);
	int rc = name ? 0 : -SG_E_NOMEM;

	take_set(m, set, is_conflict(set) ? prevails(m) : set->from);
	if (rc >= 0 && is_conflict(set))
		rc = add_conflict(m, "data", name, "", "", decides(m),
				  sg_asprintf("data set '%s' was changed on both lines", name));
	free(name);
	return rc;
}

/* The manifest and the list of documents of a set as one side has it. */
static int read_set(struct sg_dataset_manifest *d, struct sg_buf *docs, struct merge *m, const struct merge_entry *set,
		    int side)
{
	const struct merge_entry *list = docs_of(m, set);
	struct sg_buf b = { 0 };
	int rc = sg_blob_read(&b, m->r->reg, &set->oid[side], MANIFEST_MAX);

	if (rc >= 0)
		rc = sg_dataset_manifest_parse(d, b.data, b.len, set->name);
	sg_buf_release(&b);
	if (rc >= 0 && (!list || sg_oid_is_zero(&list->oid[side])))
		rc = sg_fail(SG_E_CORRUPT, "data set '%s' has no list of documents", d->name);
	return rc < 0 ? rc : sg_blob_read(docs, m->r->reg, &list->oid[side], DOCS_MAX);
}

static bool stands(const struct merge_entry *set)
{
	return is_set(set->name) && !sg_oid_is_zero(&set->oid[set->from]);
}

/* A set that came and one that ours has must not share documents in two roles. */
static int check_roles_of(struct merge *m, struct merge_entry *a, struct merge_entry *b)
{
	struct sg_dataset_manifest da = { 0 }, db = { 0 };
	struct sg_buf la = { 0 }, lb = { 0 };
	int64_t common = 0;
	int rc = read_set(&da, &la, m, a, a->from);

	if (rc >= 0)
		rc = read_set(&db, &lb, m, b, b->from);
	if (rc >= 0 && da.role != db.role)
		common = sg_dataset_common(la.data, la.len, lb.data, lb.len, NULL);
	if (common < 0)
		rc = (int)common;
	if (rc >= 0 && common) {
		rc = add_conflict(m, "role", db.name, da.name, db.name, decides(m),
				  sg_asprintf("%lld documents stand in '%s' (%s) of this line and in '%s' (%s) of the other",
					      (long long)common, da.name, sg_role_name(da.role), db.name, sg_role_name(db.role)));
		if (m->o->side == SG_MERGE_THEIRS)
			take_set(m, a, THEIRS);
		else
			take_set(m, b, OURS);
	}
	sg_dataset_manifest_release(&da);
	sg_dataset_manifest_release(&db);
	sg_buf_release(&la);
	sg_buf_release(&lb);
	return rc;
}

/* Sets that one side alone brings, each against each. */
static bool brought_by(const struct merge_entry *e, int side)
{
	return stands(e) && e->from == side && !same(e, OURS, THEIRS) && !same(e, side, BASE);
}

static int check_data(struct merge *m)
{
	struct merge_folder *f = &m->data;

	for (size_t i = 0; i < f->n; i++)
		if (is_set(f->e[i].name))
			SG_TRY(check_set(m, &f->e[i]));
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; brought_by(&f->e[i], OURS) && k < f->n; k++)
			if (brought_by(&f->e[k], THEIRS))
				SG_TRY(check_roles_of(m, &f->e[i], &f->e[k]));
	return 0;
}

static int tell_data(struct merge *m)
{
	for (size_t i = 0; i < m->data.n; i++) {
		const struct merge_entry *e = &m->data.e[i];
		char *name;
		int rc = 0;

		if (!is_set(e->name) || e->from == OURS || same(e, OURS, THEIRS))
			continue;
		if (!(name = set_name(e->name)))
			return -SG_E_NOMEM;
		if (!sg_oid_is_zero(&e->oid[OURS]))
			rc = sg_names_add(&m->info.data_out, name);
		if (rc >= 0 && !sg_oid_is_zero(&e->oid[THEIRS]))
			rc = sg_names_add(&m->info.data_in, name);
		free(name);
		SG_TRY(rc);
	}
	return 0;
}

/* --- policy and the whole ------------------------------------------------------ */

/* The policy decides as a whole: two half policies are none that anybody chose. */
static int check_policy(struct merge *m)
{
	struct merge_entry *e = entry_of(&m->top, "policy");

	if (!e)
		return 0;
	if (is_conflict(e)) {
		e->from = prevails(m);
		SG_TRY(add_conflict(m, "policy", "policy", "", "", decides(m),
				    sg_strdup("the policy was changed on both lines")));
	}
	m->info.policy = e->from == THEIRS && !same(e, OURS, THEIRS) && !sg_oid_is_zero(&e->oid[THEIRS]);
	return 0;
}

int sg_merge_plan(struct merge *m)
{
	SG_TRY(add_grafts(m, OURS));
	SG_TRY(add_grafts(m, THEIRS));
	choose_grafts(m);
	SG_TRY(check_sites(m));
	SG_TRY(check_requires(m));
	SG_TRY(read_folder(&m->data, m, "data"));
	SG_TRY(check_data(m));
	SG_TRY(read_folder(&m->top, m, ""));
	SG_TRY(check_policy(m));
	SG_TRY(read_folder(&m->reverted, m, "reverted"));
	SG_TRY(read_folder(&m->consolidated, m, "consolidated"));
	SG_TRY(read_folder(&m->merged, m, "merged"));
	SG_TRY(tell_grafts(m));
	return tell_data(m);
}

static void folder_release(struct merge_folder *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->e[i].name);
	free(f->e);
	*f = (struct merge_folder){ 0 };
}

void sg_merge_plan_release(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++)
		sg_graftfile_release(&m->g[i].f);
	free(m->g);
	folder_release(&m->data);
	folder_release(&m->reverted);
	folder_release(&m->consolidated);
	folder_release(&m->merged);
	folder_release(&m->top);
}
