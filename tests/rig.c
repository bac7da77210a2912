#include "tests/rig.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>

int rig_init_on(struct rig *r, struct sg_checkpoint *ckpt, unsigned threads)
{
	memset(r, 0, sizeof(*r));
	memset(r->base, 'a', 64);
	r->ckpt = ckpt;
	SG_TRY(sg_device_open(&r->dev, "cpu", threads));
	SG_TRY(sg_model_init(&r->m, r->ckpt, &r->dev));
	return tiny_batch(&r->b, r->m.desc.vocab, 5);
}

int rig_init(struct rig *r, struct sg_checkpoint *ckpt)
{
	return rig_init_on(r, ckpt, 1);
}

int rig_variant(struct rig *r, const struct variant *v, bool trains)
{
	SG_TRY(variant_graft(&r->g, v, &r->m, "slot.1", r->base));
	return variant_attach(r->g, &r->m, trains, &r->b);
}

int rig_grow(struct rig *r, const char *type, const char *sites, const char *hyper, bool trains)
{
	struct sg_names at = { 0 }, keys = { 0 };
	char text[200], *save = NULL;
	int rc = sg_site_match(&at, &r->m, sites);

	snprintf(text, sizeof(text), "%s", hyper ? hyper : "");
	for (char *k = strtok_r(text, " ", &save); rc >= 0 && k; k = strtok_r(NULL, " ", &save))
		rc = sg_names_add(&keys, k);
	if (rc >= 0)
		rc = sg_graft_new(&r->g, type, &at, &keys, r->base);
	sg_names_release(&at);
	sg_names_release(&keys);
	return rc < 0 ? rc : sg_graft_attach(r->g, &r->m, RIG_ROWS, trains, 7, NULL);
}

int rig_load(struct rig *r, struct sg_graft *from)
{
	struct sg_graft_source src = tiny_source(from);
	struct sg_buf b = { 0 };
	int rc = sg_graftfile_write(&b, &from->file);

	if (rc >= 0)
		rc = sg_graft_parse(&r->g, b.data, b.len, "test");
	sg_buf_release(&b);
	return rc < 0 ? rc : sg_graft_attach(r->g, &r->m, RIG_ROWS, false, 0, &src);
}

void rig_release(struct rig *r)
{
	if (r->pass.m)
		sg_pass_release(&r->pass);
	sg_batch_release(&r->b);
	if (r->m.dev)
		sg_model_release(&r->m);
	sg_graft_free(r->g);
	sg_checkpoint_free(r->ckpt);
	if (r->dev.be)
		sg_device_close(&r->dev);
	memset(r, 0, sizeof(*r));
}

void rig_shake(struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		struct sg_tensor *t = &g->params.t[i];
		float *p = sg_slab_ptr(&g->params, t);

		for (size_t k = 0; !t->frozen && k < t->n; k++)
			p[k] += 0.4f * (sg_rng_uniform(11, sg_rng_stream(t->name), k) - 0.5f);
	}
}

int rig_losses_of(float *out, struct sg_model *m, const struct sg_batch *b)
{
	struct sg_pass p;
	int rc;

	SG_TRY(sg_pass_init(&p, m, RIG_ROWS, false));
	rc = sg_pass_loss(&p, b, out);
	sg_pass_release(&p);
	return rc;
}

int rig_losses(float *out, struct rig *r)
{
	return rig_losses_of(out, &r->m, &r->b);
}

double rig_total(const float *loss)
{
	double sum = 0;

	for (int i = 0; i < RIG_ROWS; i++)
		sum += (double)loss[i];
	return sum;
}

static int total(double *sum, struct sg_pass *p, const struct sg_batch *b)
{
	float loss[RIG_ROWS];

	SG_TRY(sg_pass_loss(p, b, loss));
	*sum = rig_total(loss);
	return 0;
}

static int tensor_error(double *err, struct rig *r, struct sg_pass *pass, const struct sg_tensor *t, float h)
{
	float *p = sg_slab_ptr(&r->g->params, t), *d = r->g->grads.data + t->at;
	double diff = 0, norm = 0;

	for (size_t k = 0; k < t->n; k += SG_MAX(t->n / 13, 1)) {
		double up, down, fd;
		float old = p[k];

		p[k] = old + h;
		SG_TRY(total(&up, pass, &r->b));
		p[k] = old - h;
		SG_TRY(total(&down, pass, &r->b));
		p[k] = old;
		fd = (up - down) / (2.0 * (double)h);
		diff += (fd - (double)d[k]) * (fd - (double)d[k]);
		norm += fd * fd;
	}
	if (norm == 0)
		return sg_fail(SG_E_ERROR, "tensor '%s' has no gradient", t->name);
	*err = sqrt(diff / norm);
	return 0;
}

int rig_gradient_error(double *worst, struct rig *r, float h)
{
	struct sg_pass pass;
	float loss[RIG_ROWS];
	int rc;

	*worst = 0;
	SG_TRY(sg_pass_init(&pass, &r->m, RIG_ROWS, true));
	rc = sg_pass_train(&pass, &r->b, 1.0f, loss);
	r->g->hold = true;
	for (size_t i = 0; rc >= 0 && i < r->g->params.n; i++) {
		double err = 0;

		if (r->g->params.t[i].frozen)
			continue;
		rc = tensor_error(&err, r, &pass, &r->g->params.t[i], h);
		*worst = SG_MAX(*worst, err);
	}
	sg_pass_release(&pass);
	return rc;
}

double rig_apart(const float *a, const float *b)
{
	double worst = 0;

	for (int i = 0; i < RIG_ROWS; i++) {
		double d = fabs((double)a[i] - (double)b[i]);

		if (!(d <= worst))
			worst = d;
	}
	return worst;
}
