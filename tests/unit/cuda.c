/*
 * Every graft type on every architecture, computed on CUDA and on the processor: the
 * same losses, gradients and parameters, bit for bit. CUDA is the kernels as the host
 * runs them, with device memory closed to all but them, and a GPU where there is one.
 */
#include "tests/kernels/kt.h"
#include "tests/tiny.h"
#include "tests/tinyarch.h"
#include "tests/variant.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/pass.h"

/* All that a run gives, as bytes one after another. */
struct run { struct sg_buf out; };

static int keep(struct run *r, const struct sg_slab *s)
{
	float *v;
	int rc;

	if (!s->floats)
		return 0;
	SG_TRY(SG_NEW(v, s->floats));
	rc = s->dev->be->get(s->dev, v, s->data, s->floats * sizeof(*v));
	if (rc >= 0)
		rc = sg_buf_add(&r->out, v, s->floats * sizeof(*v));
	free(v);
	return rc;
}

/* Moves every trained parameter off its start, so that nothing is zero by design. */
static int shake(struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		struct sg_tensor *t = &g->params.t[i];
		float *v = NULL;
		int rc = t->frozen ? 0 : sg_graft_tensor(&v, g, t);

		for (size_t k = 0; v && k < t->n; k++)
			v[k] += 0.4f * (sg_rng_uniform(11, sg_rng_stream(t->name), k) - 0.5f);
		if (v && rc >= 0)
			rc = g->dev->be->put(g->dev, sg_slab_ptr(&g->params, t), v, t->n * sizeof(*v));
		free(v);
		SG_TRY(rc);
	}
	return 0;
}

static int pass(struct run *r, struct sg_graft *g, struct sg_model *m, const struct sg_batch *b)
{
	float loss[64], *logits = NULL;
	struct sg_pass p;
	int rc;

	SG_TRY(sg_pass_init(&p, m, b->n, true));
	rc = sg_pass_train(&p, b, 0.125f, loss);
	if (rc >= 0)
		rc = sg_buf_add(&r->out, loss, b->n * sizeof(*loss));
	if (rc >= 0)
		rc = SG_NEW(logits, m->desc.vocab);
	if (rc >= 0)
		rc = sg_pass_logits(&p, b, b->n - 1, logits);
	if (rc >= 0)
		rc = sg_buf_add(&r->out, logits, m->desc.vocab * sizeof(*logits));
	if (rc >= 0)
		rc = keep(r, &g->grads);
	if (rc >= 0)
		rc = keep(r, &g->params);
	free(logits);
	sg_pass_release(&p);
	return rc;
}

static int grow(struct run *r, struct sg_device *d, const struct tiny_arch *a, enum sg_dtype dtype, const struct variant *v)
{
	struct sg_checkpoint *ckpt = NULL;
	struct sg_graft *g = NULL;
	struct sg_batch b = { 0 };
	struct sg_model m = { 0 };
	char base[SG_SHA256_HEX] = "";
	int rc = tiny_arch_make(&ckpt, a, dtype, 1);

	memset(base, 'a', 64);
	if (rc >= 0)
		rc = sg_model_init(&m, ckpt, d);
	if (rc >= 0)
		rc = tiny_batch(&b, m.desc.vocab, 5);
	if (rc >= 0)
		rc = variant_graft(&g, v, &m, "slot.1", base);
	if (rc >= 0)
		rc = variant_attach(g, &m, true, &b);
	if (rc >= 0)
		rc = shake(g);
	if (rc >= 0)
		rc = pass(r, g, &m, &b);
	sg_batch_release(&b);
	if (m.dev)
		sg_model_release(&m);
	sg_graft_free(g);
	sg_checkpoint_free(ckpt);
	return rc;
}

/* 0: the same; the error says where not. */
static int compare(struct sg_device *cpu, struct sg_device *d, const struct tiny_arch *a, enum sg_dtype dtype,
		   const struct variant *v)
{
	struct run one = { 0 }, two = { 0 };
	int rc = grow(&one, cpu, a, dtype, v);

	if (rc >= 0)
		rc = grow(&two, d, a, dtype, v);
	if (rc >= 0 && (one.out.len != two.out.len || memcmp(one.out.data, two.out.data, one.out.len)))
		rc = sg_fail(SG_E_ERROR, "other bits than the processor");
	if (rc < 0)
		rc = sg_fail_in(rc, "%s of %s with %s '%s'", a->name, sg_dtypes[dtype].name, v->t->name, v->set);
	sg_buf_release(&one.out);
	sg_buf_release(&two.out);
	return rc;
}

static int all(struct sg_device *cpu, struct sg_device *d)
{
	static const enum sg_dtype types[] = { SG_F32, SG_BF16, SG_F16 };
	size_t i = 0;

	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		for (struct variant v = { 0 }; variant_next(&v); i++) {
			/* closing memory takes its time: each type once, each architecture once */
			setenv("SG_HOST_GUARD", a == tiny_archs || v.type == 1 ? "1" : "0", 1);
			SG_TRY(compare(cpu, d, a, types[i % SG_LEN(types)], &v));
		}
	return i ? 0 : sg_fail(SG_E_ERROR, "nothing was compared");
}

TEST(cuda_computes_every_graft_on_every_architecture_as_the_cpu_does)
{
	struct sg_device cpu, d;
	int rc;

	if (kt_open_host(&d) < 0)
		SKIP("c++");
	rc = sg_device_open(&cpu, "cpu", 1);
	if (rc >= 0)
		rc = all(&cpu, &d);
	sg_device_close(&cpu);
	sg_device_close(&d);
	unsetenv("SG_HOST_GUARD");
	PASS(rc);
}

TEST(gpu_computes_every_graft_on_every_architecture_as_the_cpu_does)
{
	struct sg_device cpu, d;
	int rc;

	if (sg_device_open(&d, "cuda", 0) < 0)
		SKIP("cuda");
	rc = sg_device_open(&cpu, "cpu", 1);
	if (rc >= 0)
		rc = all(&cpu, &d);
	sg_device_close(&cpu);
	sg_device_close(&d);
	PASS(rc);
}
