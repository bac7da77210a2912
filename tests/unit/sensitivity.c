#include "search/sensitivity.h"
#include "tests/test.h"
#include "tests/tiny.h"
#include <math.h>

/* A tiny Llama and one batch, and what is at a site of it. */
struct rig {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_batch b;
	size_t samples;
};

static int rig_open(struct rig *r, size_t samples)
{
	*r = (struct rig){ .samples = samples };
	SG_TRY(tiny_llama(&r->ckpt, 3));
	SG_TRY(sg_device_open(&r->dev, "cpu", 1));
	SG_TRY(sg_model_init(&r->m, r->ckpt, &r->dev));
	return tiny_batch(&r->b, r->m.desc.vocab, 5);
}

static void rig_close(struct rig *r)
{
	sg_model_release(&r->m);
	sg_batch_release(&r->b);
	sg_checkpoint_free(r->ckpt);
	sg_device_close(&r->dev);
}

static double scored(const struct sg_batch *b)
{
	double n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->target[i] >= 0;
	return n;
}

static int next(struct sg_batch **out, void *arg, size_t i)
{
	struct rig *r = arg;

	*out = i < r->samples ? &r->b : NULL;
	return 0;
}

static int scores(struct sg_site_score *out, struct rig *r, struct sg_names *sites, size_t bytes, bool impact)
{
	struct sg_sensitivity_in in = {
		.model = &r->m, .sites = sites, .next = next, .arg = r, .cap = r->b.n, .bytes = bytes, .impact = impact,
	};

	return sg_sensitivity_scores(out, &in);
}

TEST(sensitivity_against_the_weight_gradient)
{
	char *name[] = { (char *)"layers.1.mlp.up", (char *)"layers.0.attn.v" };
	struct sg_names sites = { name, 2, 0 };
	struct sg_site_score s[2];
	struct rig r;

	PASS(rig_open(&r, 2));
	PASS(scores(s, &r, &sites, 1 << 20, false));
	rig_close(&r);
	for (int k = 0; k < 2; k++) {
		struct sg_pass pass = { 0 };
		struct sg_site at;
		double g = 0, wg = 0, tokens;
		float *dw, loss[64];

		PASS(rig_open(&r, 1));
		tokens = scored(&r.b);
		PASS(sg_site_find(&at, &r.m, name[k]));
		dw = calloc(at.in * at.out, sizeof(*dw));
		at.lin->dw = dw;
		PASS(sg_pass_init(&pass, &r.m, r.b.n, true));
		PASS(sg_pass_train(&pass, &r.b, 1, loss));
		for (size_t i = 0; i < at.in * at.out; i++) {
			g += (double)dw[i] * dw[i];
			wg += fabs((double)dw[i] * sg_mat_at(&at.lin->w, i));
		}
		/* twice the same sample: the mean is that of one */
		CHECK(s[k].parameters == at.in * at.out && fabs(s[k].gradient - sqrt(g) / tokens) < 1e-6 * s[k].gradient);
		CHECK(fabs(s[k].fisher - g / tokens) < 1e-6 * s[k].fisher);
		CHECK(fabs(s[k].weightgrad - wg / tokens) < 1e-6 * s[k].weightgrad);
		CHECK(s[k].activation > 0 && s[k].actgrad > 0 && s[k].error > 0 && s[k].ntk > 0 && s[k].impact == 0);
		sg_pass_release(&pass);
		free(dw);
		rig_close(&r);
	}
}

/* A hidden state's gradient is the change of the loss when a vector is added there. */
static int shift_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	const float *v = ctx;

	(void)x, (void)keep;
	for (size_t i = 0; i < N; i++)
		SG_TRY(SG_CALL(dev, add, y + i * 16, v, 16));
	return 0;
}

TEST(sensitivity_of_a_hidden_state)
{
	char *name[] = { (char *)"layers.0.out" };
	struct sg_names sites = { name, 1, 0 };
	struct sg_site_score s;
	struct rig r;
	double g2 = 0, tokens;

	PASS(rig_open(&r, 1));
	tokens = scored(&r.b);
	PASS(scores(&s, &r, &sites, 1 << 20, false));
	rig_close(&r);
	for (int c = 0; c < 16; c++) {
		double l[2] = { 0, 0 };

		for (int k = 0; k < 2; k++) {
			struct sg_pass pass = { 0 };
			float v[16] = { 0 }, loss[64];
			struct sg_hook hook = { .ctx = v, .fwd = shift_fwd };
			struct sg_site at;

			v[c] = k ? -0.01f : 0.01f;
			PASS(rig_open(&r, 1));
			PASS(sg_site_find(&at, &r.m, name[0]));
			sg_hook_add(&at.block->out, &hook);
			PASS(sg_pass_init(&pass, &r.m, r.b.n, false));
			PASS(sg_pass_loss(&pass, &r.b, loss));
			for (size_t i = 0; i < r.b.n; i++)
				l[k] += loss[i];
			sg_pass_release(&pass);
			rig_close(&r);
		}
		g2 += (l[0] - l[1]) / 0.02 * ((l[0] - l[1]) / 0.02);
	}
	CHECK(fabs(s.gradient - sqrt(g2) / tokens) < 0.01 * s.gradient);
	CHECK(s.weightgrad == 0 && s.bytes == 0 && s.parameters == 16);
}

TEST(sensitivity_takes_turns_and_measures_impact)
{
	struct sg_names sites = { 0 };
	struct sg_site_score *a, *b;
	struct rig r;

	PASS(rig_open(&r, 3));
	PASS(sg_site_match(&sites, &r.m, "*.attn.*,*.mlp.*,*.out"));
	a = calloc(sites.n, sizeof(*a));
	b = calloc(sites.n, sizeof(*b));
	PASS(scores(a, &r, &sites, 1 << 24, true));
	rig_close(&r);
	PASS(rig_open(&r, 3));
	PASS(scores(b, &r, &sites, 1, true));	/* one after the other */
	rig_close(&r);
	CHECK(sites.n == 16 && !memcmp(a, b, sites.n * sizeof(*a)));
	for (size_t i = 0; i < sites.n; i++)
		CHECK((a[i].impact != 0) == !strstr(a[i].site, ".out"));
	free(a);
	free(b);
	sg_names_release(&sites);
	/* a slot lets nothing by */
	PASS(rig_open(&r, 1));
	PASS(sg_names_add(&sites, "slot.0"));
	a = calloc(1, sizeof(*a));
	CHECK(scores(a, &r, &sites, 1, false) == -SG_E_REFUSED);
	free(a);
	sg_names_release(&sites);
	rig_close(&r);
}
