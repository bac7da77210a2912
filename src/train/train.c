#include "train/train.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/pass.h"
#include "train/calib.h"
#include "train/state.h"
#include <math.h>

struct run {
	const struct sg_train_in *in;
	struct sg_pass pass;
	struct sg_plan plan;
	struct sg_batch batch, part;	/* a whole step, and a piece of it */
	struct sg_slab m, v;
	float *loss;
	double *curve;
	uint64_t step, tokens;
};

/* Rows at.. of the step that fit into `part`, whole segments only. Returns how many. */
static size_t take_part(struct run *r, size_t at)
{
	const struct sg_batch *b = &r->batch;
	size_t n = 0;

	for (size_t i = at; i < b->n && i - at < r->part.cap; i++)
		if (i + 1 == b->n || b->begin[i + 1] == (int32_t)(i + 1))
			n = i + 1 - at;
	r->part.n = n;
	for (size_t i = 0; i < n; i++) {
		r->part.token[i] = b->token[at + i];
		r->part.target[i] = b->target[at + i];
		r->part.begin[i] = b->begin[at + i] - (int32_t)at;
	}
	return n;
}

/* Gradients of the step's mean loss per token; the loss itself to *mean. */
static int gradients(struct run *r, double *mean)
{
	float weight = 1.0f / (float)r->batch.scored;
	double sum = 0;

	SG_TRY(SG_CALL(r->in->model->dev, zero, r->in->graft->grads.data, r->in->graft->grads.floats));
	for (size_t at = 0, n; at < r->batch.n; at += n) {
		n = take_part(r, at);
		SG_TRY(sg_pass_train(&r->pass, &r->part, weight, r->loss));
		for (size_t i = 0; i < n; i++)
			sum += r->loss[i];
	}
	*mean = sum / (double)r->batch.scored;
	return 0;
}

/* Scales all gradients so that their norm is at most `clip`. */
static int clip_scale(struct run *r, float *scale)
{
	const struct sg_graft *g = r->in->graft;
	double total = 0, part, clip = r->in->recipe->clip;

	for (size_t i = 0; i < g->grads.n; i++) {
		if (g->params.t[i].frozen)
			continue;
		SG_TRY(SG_CALL(g->dev, sumsq, &part, g->grads.data + g->grads.t[i].at, g->grads.t[i].n));
		total += part;
	}
	if (!isfinite(total))
		return sg_fail(SG_E_ERROR, "training diverged at step %llu: the gradient is not finite (try a lower --lr)",
			       (unsigned long long)r->step + 1);
	*scale = clip > 0 && sqrt(total) > clip ? (float)(clip / sqrt(total)) : 1.0f;
	return 0;
}

static int update(struct run *r)
{
	const struct sg_recipe *c = r->in->recipe;
	const struct sg_graft *g = r->in->graft;
	float scale = 1, lr = sg_recipe_lr(c, r->step);

	SG_TRY(clip_scale(r, &scale));
	for (size_t i = 0; i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		float decay = t->ndim > 1 ? (float)c->decay : 0;	/* norms are not decayed */

		if (t->frozen)
			continue;
		SG_TRY(SG_CALL(g->dev, adamw, g->params.data + t->at, r->m.data + t->at, r->v.data + t->at,
			       g->grads.data + t->at, scale, lr, (float)c->beta1, (float)c->beta2, (float)c->eps, decay,
			       (int64_t)r->step + 1, t->n));
	}
	return 0;
}

static int one_step(struct run *r)
{
	double mean;

	if (sg_plan_step(&r->plan, r->step, &r->batch) < 0)
		return -SG_E_ERROR;
	SG_TRY(gradients(r, &mean));
	if (!isfinite(mean))
		return sg_fail(SG_E_ERROR, "training diverged at step %llu: the loss is not finite (try a lower --lr)",
			       (unsigned long long)r->step + 1);
	SG_TRY(update(r));
	r->curve[r->step++] = mean;
	r->tokens += r->batch.scored;
	return 0;
}

static struct sg_train_state state_of(struct run *r)
{
	return (struct sg_train_state){
		.recipe = r->in->recipe, .params = &r->in->graft->params, .m = &r->m, .v = &r->v,
		.curve = r->curve, .step = &r->step, .tokens = &r->tokens,
	};
}

static int loop(struct run *r)
{
	const struct sg_train_in *in = r->in;
	struct sg_train_state st = state_of(r);
	uint64_t first = r->step, tokens = r->tokens;
	double start = sg_clock();

	while (r->step < in->recipe->steps) {
		char text[96];
		double per;
		bool stop;

		SG_TRY(one_step(r));
		per = (double)(r->tokens - tokens) / SG_MAX(sg_clock() - start, 1e-9);
		snprintf(text, sizeof(text), "loss %.4f  %.0f tok/s", r->curve[r->step - 1], per);
		stop = sg_progress(in->progress, "train", r->step, in->recipe->steps, text);
		if (stop && r->step < in->recipe->steps) {
			SG_TRY(sg_train_state_save(&st, in->state));
			return sg_fail(SG_E_INTERRUPTED, "stopped after step %llu of %llu; continue with --resume",
				       (unsigned long long)r->step, (unsigned long long)in->recipe->steps);
		}
		if (in->save_every && (r->step - first) % in->save_every == 0 && r->step < in->recipe->steps)
			SG_TRY(sg_train_state_save(&st, in->state));
	}
	return 0;
}

/* The first steps of the run's own order, cut as the run cuts them. */
struct opening { struct run *r; uint64_t step; size_t at, rows, want; };

static int opening_next(struct sg_batch **out, void *arg, size_t i)
{
	struct opening *o = arg;
	struct run *r = o->r;

	if (!i)
		*o = (struct opening){ .r = r, .want = o->want };
	if (o->at == r->batch.n || !i) {
		*out = NULL;
		if (o->rows >= o->want)
			return 0;
		if (sg_plan_step(&r->plan, o->step++, &r->batch) < 0)
			return -SG_E_ERROR;
		o->at = 0;
	}
	o->at += take_part(r, o->at);
	o->rows += r->part.n;
	*out = &r->part;
	return 0;
}

/* What the graft takes from data before the first step. */
static int hear(struct run *r)
{
	int64_t want = sg_graft_int(r->in->graft, "calib");
	struct opening o = { .r = r, .want = want > 0 ? (size_t)want : 1 };

	if (!sg_calib_wanted(r->in->graft))
		return 0;
	return sg_calibrate(r->in->graft, &r->pass, opening_next, &o, SG_CALIB_BYTES, r->in->progress);
}

static int prepare(struct run *r)
{
	const struct sg_train_in *in = r->in;
	const struct sg_recipe *c = in->recipe;
	size_t rows = (size_t)(c->batch * c->seq), cap = SG_MIN(SG_MAX(in->micro, (size_t)c->seq), rows);
	struct sg_train_state st;

	SG_TRY(sg_plan_init(&r->plan, in->sets, in->n_sets, (size_t)c->seq, rows, c->seed));
	SG_TRY(sg_batch_init(&r->batch, rows));
	SG_TRY(sg_batch_init(&r->part, cap));
	SG_TRY(sg_slab_like(&r->m, &in->graft->params));
	SG_TRY(sg_slab_like(&r->v, &in->graft->params));
	SG_TRY(SG_NEW(r->loss, cap));
	SG_TRY(SG_NEW(r->curve, (size_t)c->steps));
	SG_TRY(sg_pass_init(&r->pass, in->model, cap, true));
	st = state_of(r);
	if (in->resume && sg_file_exists(in->state))
		return sg_train_state_load(&st, in->state);
	return hear(r);
}

int sg_train_run(struct sg_train_out *out, const struct sg_train_in *in)
{
	struct run r = { .in = in };
	double start = sg_clock();
	int rc = prepare(&r);

	if (rc >= 0)
		rc = loop(&r);
	if (rc >= 0) {
		*out = (struct sg_train_out){ r.curve, r.step, r.tokens, sg_clock() - start, r.pass.bytes };
		r.curve = NULL;
	}
	sg_plan_release(&r.plan);
	sg_batch_release(&r.batch);
	sg_batch_release(&r.part);
	sg_slab_release(&r.m);
	sg_slab_release(&r.v);
	if (r.pass.m)
		sg_pass_release(&r.pass);
	free(r.loss);
	free(r.curve);
	return rc;
}
