#include "tests/variant.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/pass.h"
#include "tests/tiny.h"
#include "train/calib.h"

bool variant_next(struct variant *v)
{
	const char *const *list = v->t ? v->t->variants : NULL;

	if (v->t && list && list[v->at]) {
		v->set = list[v->at++];
		return true;
	}
	*v = (struct variant){ .t = sg_graft_types[v->type], .set = "", .type = v->type + 1 };
	return v->t;
}

/* What comes later holds. */
static int settings(struct sg_names *hyper, char **sites, const struct variant *v)
{
	char *text = sg_strdup(v->set), *save = NULL;
	int rc = text ? tiny_hyper(hyper, v->t) : -SG_E_NOMEM;

	for (char *w = text ? strtok_r(text, " ", &save) : NULL; rc >= 0 && w; w = strtok_r(NULL, " ", &save))
		if (!strncmp(w, "sites=", 6))
			rc = (*sites = sg_strdup(w + 6)) ? 0 : -SG_E_NOMEM;
		else
			rc = sg_names_add(hyper, w);
	free(text);
	return rc;
}

int variant_graft(struct sg_graft **out, const struct variant *v, struct sg_model *m, const char *slot, const char *base)
{
	const char *usual = v->t->default_sites ? v->t->default_sites : slot;
	struct sg_names hyper = { 0 }, sites = { 0 };
	char *globs = NULL;
	int rc = settings(&hyper, &globs, v);

	if (rc >= 0)
		rc = sg_site_match(&sites, m, globs ? globs : usual);
	if (rc >= 0)
		rc = sg_graft_new(out, v->t->name, &sites, &hyper, base);
	sg_names_release(&hyper);
	sg_names_release(&sites);
	free(globs);
	return rc;
}

/* b once. */
static int once(struct sg_batch **out, void *arg, size_t i)
{
	*out = i ? NULL : arg;
	return 0;
}

int variant_attach(struct sg_graft *g, struct sg_model *m, bool trains, const struct sg_batch *b)
{
	struct sg_batch same = *b;
	struct sg_pass pass;
	int rc;

	SG_TRY(sg_graft_attach(g, m, b->n, trains || g->type->listen, 7, NULL));
	if (!sg_calib_wanted(g))
		return 0;
	SG_TRY(sg_pass_init(&pass, m, b->n, true));
	rc = sg_calibrate(g, &pass, once, &same, SG_CALIB_BYTES, NULL);
	sg_pass_release(&pass);
	return rc;
}
