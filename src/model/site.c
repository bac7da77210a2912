/* Site names to places in the decoder, both ways. */
#include "model/model.h"
#include "base/error.h"
#include "base/mem.h"
#include <fnmatch.h>

void sg_hook_add(struct sg_hook **list, struct sg_hook *h)
{
	while (*list)
		list = &(*list)->next;
	h->next = NULL;
	*list = h;
}

typedef int site_fn(void *arg, const char *name, const struct sg_site *s);

static int each_of_block(struct sg_model *m, struct sg_block *b, site_fn *fn, void *arg)
{
	struct sg_site s = { .kind = SG_SITE_LINEAR, .block = b };
	char name[80];
	int rc = 0;

	for (int j = 0; !rc && j < SG_LINEARS; j++) {
		s.lin = &b->lin[j];
		if (!s.lin->out)
			continue;
		s.in = s.lin->in;
		s.out = s.lin->out;
		snprintf(name, sizeof(name), "%s.%s", b->name, sg_linear_names[j]);
		rc = fn(arg, name, &s);
	}
	s = (struct sg_site){ .kind = SG_SITE_MLP, .block = b, .in = m->desc.d, .out = m->desc.d, .act = m->desc.act };
	snprintf(name, sizeof(name), "%s.mlp", b->name);
	if (!rc)
		rc = fn(arg, name, &s);
	s = (struct sg_site){ .kind = SG_SITE_HIDDEN, .block = b, .in = m->desc.d, .out = m->desc.d };
	snprintf(name, sizeof(name), "%s.out", b->name);
	return rc ? rc : fn(arg, name, &s);
}

/* Calls fn for every site in model order until it returns non-zero. */
static int each_site(struct sg_model *m, site_fn *fn, void *arg)
{
	struct sg_site s = { .kind = SG_SITE_SLOT };
	char name[40];
	int rc = 0;

	for (; !rc && s.slot <= m->desc.layers; s.slot++) {
		snprintf(name, sizeof(name), "slot.%zu", s.slot);
		rc = fn(arg, name, &s);
	}
	for (size_t i = 0; !rc && i < m->n; i++)
		rc = each_of_block(m, m->blocks[i], fn, arg);
	s = (struct sg_site){ .kind = SG_SITE_HEAD, .lin = &m->head, .in = m->head.in, .out = m->head.out };
	return rc ? rc : fn(arg, "head", &s);
}

struct find { const char *name; struct sg_site *out; };

static int same_name(void *arg, const char *name, const struct sg_site *s)
{
	struct find *f = arg;

	if (strcmp(f->name, name))
		return 0;
	*f->out = *s;
	return 1;
}

int sg_site_find(struct sg_site *out, struct sg_model *m, const char *name)
{
	struct find f = { name, out };

	if (each_site(m, same_name, &f) == 1)
		return 0;
	return sg_fail(SG_E_NOTFOUND, "no site '%s' in this model (sites look like %s.attn.q, slot.0, head)",
		       name, m->n ? m->blocks[0]->name : "layers.0");
}

struct match { const char *glob; struct sg_names *out; size_t hits; };

static int same_glob(void *arg, const char *name, const struct sg_site *s)
{
	struct match *f = arg;

	(void)s;
	if (fnmatch(f->glob, name, 0))
		return 0;
	f->hits++;
	return sg_names_has(f->out, name) ? 0 : sg_names_add(f->out, name);
}

int sg_site_match(struct sg_names *out, struct sg_model *m, const char *globs)
{
	struct sg_names l = { 0 };
	char *text = sg_strdup(globs), *save = NULL;
	int rc = text ? 0 : -SG_E_NOMEM;

	for (char *g = text ? strtok_r(text, ", ", &save) : NULL; rc >= 0 && g; g = strtok_r(NULL, ", ", &save)) {
		struct match f = { .glob = g, .out = &l };

		rc = each_site(m, same_glob, &f);
		if (rc >= 0 && !f.hits)
			rc = sg_fail(SG_E_NOTFOUND, "no site of this model matches '%s'", g);
	}
	free(text);
	if (rc >= 0 && !l.n)
		rc = sg_fail(SG_E_NOTFOUND, "no sites named");
	if (rc < 0) {
		sg_names_release(&l);
		return rc;
	}
	*out = l;
	return 0;
}
