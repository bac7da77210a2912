/*
 * A composition as one plain checkpoint: a folder that other programs load. Written
 * beside its name, read back and compared, and only then put there.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/consolidate.h"

struct export {
	struct sg_view view;
	struct sg_composed c;
	struct sg_fold fold;
	struct sg_checkpoint *back;
	char *full, *dir;
	char state[SG_SHA256_HEX];
};

/* A checkpoint has weights and layers: all else it cannot express. */
static int check_types(const struct export *e, struct sg_repo *r)
{
	for (size_t i = 0; i < e->c.n; i++) {
		const struct sg_graft *g = e->c.g[i];
		char *name;
		int rc;

		if (e->fold.gone[i])
			continue;
		name = sg_graft_name(r, &e->view.commit, g->id);
		rc = sg_fail(SG_E_REFUSED, "graft %.16s%s%s%s of type '%s' cannot be written as plain weights", g->id,
			     name ? " (" : "", name ? name : "", name ? ")" : "", g->type->name);
		free(name);
		return rc;
	}
	return 0;
}

static int prepare(struct export *e, struct sg_repo *r, const struct sg_export_opts *o,
		   const struct sg_progress *progress)
{
	enum sg_dtype dtype;
	struct sg_extra extra;
	size_t n = o->cand != NULL;

	SG_TRY(sg_fold_dtype(&dtype, o->dtype));
	SG_TRY(sg_new_folder(&e->full, &e->dir, o->dir));
	SG_TRY(sg_view_open(&e->view, r, o->rev));
	if (n)
		SG_TRY(sg_find_extra(&extra, r, o->cand));
	SG_TRY(sg_view_base(&e->view, progress));
	SG_TRY(sg_view_state(e->state, &e->view, &extra, n, NULL));
	SG_TRY(sg_view_compose(&e->c, &e->view, &extra, n, NULL, 1));
	SG_TRY(sg_fold_init(&e->fold, e->view.ckpt, &e->c, SG_FOLD_LINEAR | SG_FOLD_LAYERS, dtype));
	e->fold.progress = progress;
	return check_types(e, r);
}

static int answer(struct sg_export_info *out, const struct export *e)
{
	strcpy(out->state, e->state);
	out->tensors = e->fold.n_whole;
	out->layers = e->fold.desc.layers;
	out->bytes = sg_fold_bytes(&e->fold);
	return sg_fold_table_of(&out->table, &e->fold);
}

int sg_export_hf(struct sg_export_info *out, struct sg_repo *r, const struct sg_export_opts *o,
		 const struct sg_progress *progress)
{
	struct sg_export_info i = { .tensors = 0 };
	struct export e = { .dir = NULL };
	bool no = false;
	int rc = prepare(&e, r, o, progress);

	if (rc >= 0)
		rc = sg_fold_artefact(&e.back, &e.fold, e.dir);
	if (rc >= 0)
		rc = answer(&i, &e);
	if (rc >= 0) {
		no = !o->force && !(sg_fold_worst(&e.fold) >= SG_FOLD_REFUSE);
		if (!no)
			rc = sg_file_rename(e.dir, e.full);
		i.written = !no && rc >= 0;
	}
	if (rc < 0) {
		sg_export_info_release(&i);
	} else {
		*out = i;
		rc = no;
	}
	sg_checkpoint_free(e.back);
	if (e.dir)
		(void)sg_dir_remove(e.dir);	/* gone already when it was moved */
	free(e.dir);
	free(e.full);
	sg_fold_release(&e.fold);
	sg_composed_release(&e.c);
	sg_view_release(&e.view);
	return rc;
}

void sg_export_info_release(struct sg_export_info *i)
{
	sg_fold_table_release(&i->table);
	*i = (struct sg_export_info){ .tensors = 0 };
}
