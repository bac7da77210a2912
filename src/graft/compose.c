#include "graft/compose.h"
#include "base/error.h"
#include "base/mem.h"

static int check_requires(struct sg_graft *const *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < g[i]->file.requires.n; j++) {
			const char *want = g[i]->file.requires.name[j];
			size_t k = 0;

			while (k < n && strcmp(g[k]->id, want))
				k++;
			if (k == n)
				return sg_fail(SG_E_REFUSED, "graft %.16s requires graft %.16s, which is not active",
					       g[i]->id, want);
		}
	return 0;
}

/* Does nothing that is still unplaced (from..n) have to come before g[i]? */
static bool ready(struct sg_graft *const *g, size_t from, size_t n, size_t i)
{
	for (size_t k = from; k < n; k++)
		if (k != i && (sg_names_has(&g[i]->file.requires, g[k]->id) || sg_names_has(&g[i]->file.after, g[k]->id)))
			return false;
	return true;
}

int sg_stack_order(struct sg_graft **g, size_t n)
{
	SG_TRY(check_requires(g, n));
	for (size_t at = 0; at < n; at++) {
		size_t best = n;

		for (size_t i = at; i < n; i++)
			if (ready(g, at, n, i) && (best == n || strcmp(g[i]->id, g[best]->id) < 0))
				best = i;
		if (best == n)
			return sg_fail(SG_E_REFUSED, "grafts depend on each other in a circle, one of them is %.16s",
				       g[at]->id);
		struct sg_graft *t = g[best];

		memmove(g + at + 1, g + at, (best - at) * sizeof(*g));
		g[at] = t;
	}
	return 0;
}

int sg_stack_state(char hex[SG_SHA256_HEX], const char *base, struct sg_graft *const *g, size_t n)
{
	struct sg_buf b = { 0 };
	int rc = sg_buf_fmt(&b, "sg-state-v1\n%s\n", base);

	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_buf_fmt(&b, "%s\n", g[i]->id);
	if (rc >= 0)
		rc = sg_sha256_hex(hex, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

static const struct sg_graft_source *source_of(const struct sg_graft *g, struct sg_graft *const *given,
					       const struct sg_graft_source *source, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (given[i] == g)
			return &source[i];
	return NULL;
}

static int attach_all(struct sg_composed *c, const struct sg_checkpoint *base, struct sg_device *dev, size_t cap,
		      struct sg_graft *const *given, const struct sg_graft_source *source)
{
	SG_TRY(sg_stack_order(c->g, c->n));
	SG_TRY(sg_model_init(&c->model, base, dev));
	for (size_t i = 0; i < c->n; i++)
		SG_TRY(sg_graft_attach(c->g[i], &c->model, cap, false, 0, source_of(c->g[i], given, source, c->n)));
	return 0;
}

int sg_compose(struct sg_composed *out, const struct sg_checkpoint *base, struct sg_device *dev, size_t cap,
	       struct sg_graft **g, const struct sg_graft_source *source, size_t n)
{
	struct sg_composed c = { .n = n };
	int rc = SG_NEW(c.g, n);

	if (rc < 0) {
		for (size_t i = 0; i < n; i++)
			sg_graft_free(g[i]);
		return rc;
	}
	if (n)
		memcpy(c.g, g, n * sizeof(*g));
	rc = attach_all(&c, base, dev, cap, g, source);
	if (rc < 0)
		sg_composed_release(&c);
	else
		*out = c;
	return rc;
}

void sg_composed_release(struct sg_composed *c)
{
	if (c->model.dev)
		sg_model_release(&c->model);
	for (size_t i = 0; i < c->n; i++)
		sg_graft_free(c->g[i]);
	free(c->g);
	*c = (struct sg_composed){ 0 };
}
