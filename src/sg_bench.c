/*
 * Time and memory of training, evaluating and writing with a base, and of its
 * operations alone, beside what the device can do at best in the same run: a
 * large product, a long copy. Tokens are random, never zeros.
 */
#include "sg_repo.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/pass.h"
#include "model/shape.h"
#include "train/memory.h"
#include "train/train.h"

enum { WARM = 2, MOST = 4096 };

struct bench {
	const struct sg_bench_opts *o;
	struct sg_device dev;
	struct sg_view view;
	struct sg_checkpoint *shape;	/* when it is no registry's base */
	const struct sg_checkpoint *ckpt;
	struct sg_model m;
	struct sg_graft *g;
	size_t micro;
	uint64_t before;		/* memory in use at the beginning */
	double gemm, copy;		/* ceilings */
	void (*fn)(void *arg, const char *device, const struct sg_bench_row *row);
	void *arg;
	const struct sg_progress *progress;
};

/* --- what is measured --------------------------------------------------------- */

static int open_base(struct bench *b, struct sg_repo *r, bool blank)
{
	if (b->o->shape) {
		SG_TRY(sg_shape_make(&b->shape, b->o->shape, blank));
		b->ckpt = b->shape;
		return 0;
	}
	if (!r)
		return sg_fail(SG_E_USAGE, "no registry here: name a shape");
	SG_TRY(sg_view_open(&b->view, r, NULL));
	SG_TRY(sg_view_base(&b->view, b->progress));
	b->ckpt = b->view.ckpt;
	return 0;
}

static int make_graft(struct bench *b, size_t cap)
{
	const struct sg_graft_type *t = sg_graft_type_find(b->o->type);
	struct sg_names all = { 0 }, sites = { 0 };
	char base[SG_SHA256_HEX] = "", top[40];
	struct sg_site at;
	int rc;

	if (!t)
		return sg_fail(SG_E_USAGE, "no graft type '%.60s'", b->o->type);
	memset(base, '0', sizeof(base) - 1);
	snprintf(top, sizeof(top), "slot.%zu", b->m.desc.layers);
	rc = sg_site_match(&all, &b->m, b->o->sites ? b->o->sites : t->default_sites ? t->default_sites : top);
	for (size_t i = 0; rc >= 0 && i < all.n; i++) {
		rc = sg_site_find(&at, &b->m, all.name[i]);
		if (rc >= 0 && t->sites >> at.kind & 1)
			rc = sg_names_add(&sites, all.name[i]);
	}
	if (rc >= 0)
		rc = sg_graft_new(&b->g, t->name, &sites, &b->o->hyper, base);
	if (rc >= 0)
		rc = sg_graft_attach(b->g, &b->m, cap, true, 1, NULL);
	sg_names_release(&all);
	sg_names_release(&sites);
	return rc;
}

static int prepare(struct bench *b, struct sg_repo *r, bool blank)
{
	const struct sg_bench_opts *o = b->o;
	uint64_t left, rows;

	if (!sg_mul(&rows, o->batch, o->seq) || !rows || rows > 1 << 28)
		return sg_fail(SG_E_USAGE, "batch and seq must be from 1, and a step at most 2^28 tokens");
	b->micro = (size_t)SG_MIN(SG_MAX(o->micro ? o->micro : sg_rows((size_t)o->seq), o->seq), rows);
	SG_TRY(b->dev.be->memory(&b->dev, &b->before, &left));
	SG_TRY(open_base(b, r, blank));
	if (o->seq > sg_checkpoint_desc(b->ckpt)->max_pos)
		return sg_fail(SG_E_USAGE, "the base has %zu positions, fewer than --seq %llu",
			       sg_checkpoint_desc(b->ckpt)->max_pos,
			       (unsigned long long)o->seq);
	SG_TRY(sg_model_init(&b->m, b->ckpt, &b->dev));
	return make_graft(b, b->micro);
}

static void release(struct bench *b)
{
	if (b->m.dev)
		sg_model_release(&b->m);
	sg_graft_free(b->g);
	sg_checkpoint_free(b->shape);
	sg_view_release(&b->view);
	if (b->dev.be)
		sg_device_close(&b->dev);
}

/* --- memory ---------------------------------------------------------------------- */

static int plan(struct sg_memory_info *out, struct bench *b, size_t cap)
{
	struct sg_memory p;

	SG_TRY(sg_memory_plan(&p, &b->m, b->g, cap, (size_t)b->o->seq));
	*out = (struct sg_memory_info){ p.weights, p.payload, p.gradients, p.optimiser, p.activations, p.workspace, p.total };
	return 0;
}

/* Most tokens of a pass, in whole texts, that fit. */
static int largest(uint64_t *out, struct bench *b, uint64_t left)
{
	uint64_t lo = 0, hi = b->o->batch;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo + 1) / 2;
		struct sg_memory_info p;

		SG_TRY(plan(&p, b, (size_t)(mid * b->o->seq)));
		if (p.total <= left)
			lo = mid;
		else
			hi = mid - 1;
	}
	*out = lo * b->o->seq;
	return 0;
}

/* What was counted for the processor, as it is on another device. */
static void elsewhere(struct sg_memory_info *p, struct bench *b, struct sg_device *there)
{
	size_t here = sg_pass_rows(&b->m, &b->dev, b->micro), rows = sg_pass_rows(&b->m, there, b->micro);

	p->activations += (rows - here) * (b->m.desc.vocab + 1) * sizeof(float);
	p->workspace = sg_memory_scratch(&b->m, there, b->micro, (size_t)b->o->seq);
	p->total = p->weights + p->payload + p->gradients + p->optimiser + p->activations + p->workspace;
}

/* Counting is done on the processor; a GPU only says what it has. */
int sg_estimate(struct sg_estimate *out, struct sg_repo *r, const struct sg_open_opts *o, const struct sg_bench_opts *opts,
		const struct sg_progress *progress)
{
	struct bench b = { .o = opts, .progress = progress };
	struct sg_device there = { 0 };
	struct sg_estimate e = { 0 };
	uint64_t used;
	int rc = sg_device_open(&there, o->device ? o->device : "auto", o->threads);

	if (rc >= 0)
		rc = sg_device_open(&b.dev, "cpu", o->threads);
	if (rc >= 0)
		rc = prepare(&b, r, true);
	if (rc >= 0)
		rc = there.be->memory(&there, &used, &e.left);
	if (rc >= 0)
		rc = plan(&e.plan, &b, b.micro);
	if (rc >= 0 && strncmp(there.be->name, "cpu", 3))
		elsewhere(&e.plan, &b, &there);
	if (rc >= 0)
		rc = largest(&e.fits, &b, e.left);
	e.micro = b.micro;
	if (rc >= 0) {
		snprintf(e.device, sizeof(e.device), "%s", there.be->name);
		*out = e;
	}
	release(&b);
	if (there.be)
		sg_device_close(&there);
	return rc;
}

/* --- timing --------------------------------------------------------------------- */

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* Median, least and most of n times in seconds, sorted here. */
static void summary(struct sg_bench_row *row, double *t, size_t n)
{
	qsort(t, n, sizeof(*t), by_size);
	row->ms = 1e3 * (n % 2 ? t[n / 2] : (t[n / 2 - 1] + t[n / 2]) / 2);
	row->fastest = 1e3 * t[0];
	row->slowest = 1e3 * t[n - 1];
}

static void say(struct bench *b, struct sg_bench_row *row, double work)
{
	double top = row->bytes ? b->copy : b->gemm;

	row->rate = row->ms > 0 ? work / (1e-3 * row->ms) : 0;
	row->share = top > 0 ? row->rate / top : 0;
	b->fn(b->arg, b->dev.about[0] ? b->dev.about : b->dev.be->name, row);
}

static int stop(struct bench *b, const char *what, uint64_t done, uint64_t total)
{
	return sg_progress(b->progress, what, done, total, "") ? sg_fail(SG_E_INTERRUPTED, "interrupted") : 0;
}

/* A device is done when something of it arrives. */
static int wait(struct bench *b, const void *p)
{
	float f;

	return b->dev.be->get(&b->dev, &f, p, sizeof(f));
}

/* --- operations alone ----------------------------------------------------------- */

struct op {
	const char *name;
	int (*run)(struct sg_device *d, const struct op *o, float *const *p);
	size_t N, E, D;		/* of a product; N tokens, E heads, D key heads of attention; N x E elements */
	size_t K, T;
	double flops, bytes;	/* what it is measured in */
	struct sg_mat w;
	int32_t *begin;
};

static int run_fwd(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, linear_fwd, p[0], p[1], &o->w, NULL, o->N, o->E, o->D, false);
}

static int run_dx(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, linear_dx, p[1], p[0], &o->w, o->N, o->E, o->D, false);
}

static int run_dw(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, linear_dw, p[2], NULL, p[0], p[1], o->N, o->E, o->D);
}

static int run_attn(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, attn_fwd, p[0], p[5], p[1], p[2], p[3], o->begin, o->N, o->E, o->D, o->K);
}

static int run_attn_bwd(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, attn_bwd, p[4], p[6], p[7], p[1], p[0], p[5], p[1], p[2], p[3], o->begin, o->N, o->E, o->D, o->K);
}

static int run_norm(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, rmsnorm_fwd, p[0], p[5], p[1], NULL, 1e-5f, o->N, o->E);
}

static int run_act(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, act_fwd, p[0], p[1], SG_ACT_SILU, o->N * o->E);
}

static int run_copy(struct sg_device *d, const struct op *o, float *const *p)
{
	return SG_CALL(d, copy, p[0], p[1], o->N * o->E);
}

/* Eight buffers, each large enough for any use that an operation makes of it, of random numbers. */
static int fill(struct bench *b, float **buf, size_t floats)
{
	enum { PIECE = 1 << 20 };
	float *v;
	int rc = SG_NEW(v, PIECE);

	if (rc >= 0)
		sg_rng_normal(v, PIECE, 3, 1);
	for (int i = 0; i < 8 && rc >= 0; i++) {
		rc = b->dev.be->alloc(&b->dev, (void **)&buf[i], floats * sizeof(float));
		for (size_t at = 0; rc >= 0 && at < floats; at += PIECE)
			rc = b->dev.be->put(&b->dev, buf[i] + at, v, SG_MIN(floats - at, (size_t)PIECE) * sizeof(float));
	}
	free(v);
	return rc;
}

static void unfill(struct bench *b, float **buf)
{
	for (int i = 0; i < 8; i++)
		if (buf[i])
			b->dev.be->free(&b->dev, buf[i]);
}

static size_t most(const struct op *o)
{
	size_t a = o->N * SG_MAX(o->E, o->D) * SG_MAX(o->K, 1);

	return SG_MAX(a, o->E * o->D);
}

/* At least 5 runs and a fifth of a second. */
static int time_op(struct bench *b, struct op *o, double *best, const char *row)
{
	struct sg_bench_row r = { .row = row, .what = o->name, .tokens = 0, .bytes = o->bytes > 0 };
	double t[64], began = sg_clock();
	float *buf[8] = { NULL };
	char what[120];
	size_t n = 0;
	int rc = fill(b, buf, most(o));

	for (int warm = 1; rc >= 0 && n < SG_LEN(t) && (n < 5 || sg_clock() - began < 0.2); warm = 0) {
		double from = sg_clock();

		rc = o->run(&b->dev, o, buf);
		if (rc >= 0)
			rc = wait(b, buf[0]);
		if (!warm)
			t[n++] = sg_clock() - from;
	}
	unfill(b, buf);
	SG_TRY(rc);
	if (o->K)
		snprintf(what, sizeof(what), "%s N%zu H%zu G%zu K%zu T%zu", o->name, o->N, o->E, o->D, o->K, o->T);
	else if (o->D)
		snprintf(what, sizeof(what), "%s %zux%zux%zu", o->name, o->N, o->E, o->D);
	else
		snprintf(what, sizeof(what), "%s %zux%zu", o->name, o->N, o->E);
	r.what = what;
	summary(&r, t, n);
	say(b, &r, r.bytes ? o->bytes : o->flops);
	if (best)
		*best = (r.bytes ? o->bytes : o->flops) / (1e-3 * r.fastest);
	return stop(b, "kernels", 0, 0);
}

/* A large product and a long copy: as good as it gets here. */
static int ceilings(struct bench *b)
{
	size_t n = strncmp(b->dev.be->name, "cpu", 3) ? 8192 : 1024;
	struct op gemm = {
		.name = "gemm", .run = run_fwd, .N = n, .E = n, .D = n, .flops = 2.0 * (double)n * (double)n * (double)n,
	};
	struct op copy = { .name = "copy", .run = run_copy, .N = 8 * n, .E = n, .bytes = 8.0 * 8 * (double)n * (double)n };
	struct sg_slab w = { 0 };
	int rc = sg_slab_add(&w, "w", n, n, true);

	if (rc >= 0)
		rc = sg_slab_alloc(&w, &b->dev);
	gemm.w = (struct sg_mat){ .data = w.data, .dtype = SG_F32, .rows = n, .cols = n };
	if (rc >= 0)
		rc = time_op(b, &gemm, &b->gemm, "ceiling");
	if (rc >= 0)
		rc = time_op(b, &copy, &b->copy, "ceiling");
	sg_slab_release(&w);
	return rc;
}

static int products(struct bench *b, const struct sg_block *k, size_t N)
{
	for (int i = 0; i < SG_LINEARS; i++) {
		const struct sg_linear *l = &k->lin[i];
		struct op o = { .name = "fwd", .run = run_fwd, .N = N, .E = l->out, .D = l->in, .w = l->w,
				.flops = 2.0 * (double)N * (double)l->out * (double)l->in };

		if (!l->w.data || i == SG_K || i == SG_V || i == SG_GATE)
			continue;	/* shapes that another one has, or nearly */
		SG_TRY(time_op(b, &o, NULL, "kernels"));
		o.name = "dx";
		o.run = run_dx;
		SG_TRY(time_op(b, &o, NULL, "kernels"));
	}
	return 0;
}

static int attention(struct bench *b, size_t N)
{
	const struct sg_desc *d = &b->m.desc;
	size_t T = (size_t)b->o->seq;
	struct op o = { .name = "attn_fwd", .run = run_attn, .N = N, .E = d->heads, .D = d->kv_heads, .K = d->head_dim, .T = T,
			.flops = 2.0 * (double)N * (double)T * (double)(d->heads * d->head_dim) };
	int32_t *begin;
	void *p = NULL;
	int rc = SG_NEW(begin, N);

	for (size_t i = 0; rc >= 0 && i < N; i++)
		begin[i] = (int32_t)(i / T * T);
	if (rc >= 0)
		rc = b->dev.be->alloc(&b->dev, &p, N * sizeof(*begin));
	if (rc >= 0)
		rc = b->dev.be->put(&b->dev, p, begin, N * sizeof(*begin));
	o.begin = p;
	if (rc >= 0)
		rc = time_op(b, &o, NULL, "kernels");
	o.name = "attn_bwd";
	o.run = run_attn_bwd;
	o.flops *= 2.5;
	if (rc >= 0)
		rc = time_op(b, &o, NULL, "kernels");
	if (p)
		b->dev.be->free(&b->dev, p);
	free(begin);
	return rc;
}

static int kernels(struct bench *b)
{
	const struct sg_desc *d = &b->m.desc;
	size_t N = b->micro, rank = 16;
	double n = (double)N;
	struct op lora = { .name = "dw", .run = run_dw, .N = N, .E = rank, .D = d->d, .flops = 2 * n * 16 * (double)d->d };
	struct op norm = { .name = "rmsnorm", .run = run_norm, .N = N, .E = d->d, .bytes = 8 * n * (double)d->d };
	struct op act = { .name = "silu", .run = run_act, .N = N, .E = d->ffn, .bytes = 8 * n * (double)d->ffn };

	if (!b->m.n)
		return 0;
	SG_TRY(products(b, b->m.blocks[0], N));
	SG_TRY(time_op(b, &lora, NULL, "kernels"));
	SG_TRY(attention(b, N));
	SG_TRY(time_op(b, &norm, NULL, "kernels"));
	return time_op(b, &act, NULL, "kernels");
}

/* --- the whole ------------------------------------------------------------------ */

/* Documents of T + 1 random tokens, as a shard in memory. */
struct text { struct sg_tokens t; unsigned char *data; };

static void put_le(unsigned char *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static int make_text(struct text *x, size_t docs, size_t T, size_t vocab)
{
	size_t n = docs * (T + 1), offsets = 8 * (docs + 1), hashes = SG_DOC_HASH * docs;

	SG_TRY((x->data = sg_calloc(offsets + 8 * docs + hashes + 4 * n, 1)) ? 0 : -SG_E_NOMEM);
	x->t = (struct sg_tokens){
		.docs = docs, .tokens = n, .width = 4, .vocab = (uint32_t)vocab, .data = x->data,
		.offset = x->data, .bytes = x->data + offsets, .hash = x->data + offsets + 8 * docs,
		.id = x->data + offsets + 8 * docs + hashes,
	};
	for (size_t d = 0; d <= docs; d++)
		put_le(x->data + 8 * d, d * (T + 1), 8);
	for (size_t i = 0; i < n; i++)
		put_le(x->data + (x->t.id - x->data) + 4 * i, sg_rng_u64(9, 9, i) % vocab, 4);
	return 0;
}

/* FLOPs of a token: forward, and backward to activations only (the base is frozen),
 * causal attention at half, three times two for each trained parameter. */
static double flops(const struct bench *b, bool train)
{
	const struct sg_desc *d = &b->m.desc;
	double N = 0, A = 2.0 * (double)(d->heads * d->head_dim) * (double)b->o->seq * (double)d->layers;

	for (size_t i = 0; i < b->m.n; i++)
		for (int k = 0; k < SG_LINEARS; k++)
			N += (double)b->m.blocks[i]->lin[k].out * (double)b->m.blocks[i]->lin[k].in;
	N += (double)d->vocab * (double)d->d;
	return train ? 4 * N + 3.5 * A + 6 * (double)sg_graft_trained(b->g) : 2 * N + A;
}

/* The clock of a run: when each step ended, and the most memory that was seen. */
struct clock { struct bench *b; double at[MOST]; size_t n; uint64_t peak; };

static bool tick(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	struct clock *c = arg;
	uint64_t used, left;

	if (c->n < MOST)
		c->at[c->n++] = sg_clock();
	if (c->b->dev.be->memory(&c->b->dev, &used, &left) >= 0)
		c->peak = SG_MAX(c->peak, used);
	return sg_progress(c->b->progress, what, done, total, text);
}

static int train(struct bench *b, const struct text *x)
{
	const struct sg_tokens *sets[] = { &x->t };
	struct sg_recipe c = { 0 };
	struct clock *k;
	struct sg_progress p = { tick, NULL };
	struct sg_train_in in = { .model = &b->m, .graft = b->g, .sets = sets, .n_sets = 1, .recipe = &c, .micro = b->micro,
				  .progress = &p };
	struct sg_bench_row row = { .row = "train", .what = b->g->type->name, .tokens = b->o->batch * b->o->seq };
	struct sg_train_out out = { 0 };
	struct sg_memory_info m;
	int rc = SG_NEW(k, 1);

	sg_recipe_default(&c);
	c.batch = b->o->batch;
	c.seq = b->o->seq;
	c.steps = b->o->steps + WARM;
	c.warmup = 0;
	if (rc >= 0)
		k->b = b;
	p.arg = k;
	if (rc >= 0)
		rc = plan(&m, b, b->micro);
	if (rc >= 0)
		rc = sg_train_run(&out, &in);
	if (rc >= 0 && k->n > WARM) {
		for (size_t i = 0; i + WARM < k->n; i++)
			k->at[i] = k->at[i + WARM] - k->at[i + WARM - 1];
		summary(&row, k->at, k->n - WARM);
		row.plan = m.total;
		row.peak = k->peak > b->before ? k->peak - b->before : 0;
		say(b, &row, flops(b, true) * (double)row.tokens);
	}
	free(out.curve);
	free(k);
	sg_recipe_release(&c);
	return rc;
}

static int eval(struct bench *b, const struct text *x)
{
	struct sg_bench_row row = { .row = "eval", .what = "", .tokens = x->t.docs * b->o->seq };
	double *nats = NULL, t[5];
	uint32_t *tokens = NULL;
	int rc = SG_NEW(nats, x->t.docs);

	if (rc >= 0)
		rc = SG_NEW(tokens, x->t.docs);
	for (int i = -1; rc >= 0 && i < (int)SG_LEN(t); i++) {
		double from = sg_clock();

		rc = sg_measure(nats, tokens, &b->m, &x->t, x->t.docs, (size_t)b->o->seq, b->micro, "eval", b->progress);
		if (i >= 0)
			t[i] = sg_clock() - from;
	}
	if (rc >= 0) {
		summary(&row, t, SG_LEN(t));
		say(b, &row, flops(b, false) * (double)row.tokens);
	}
	free(nats);
	free(tokens);
	return rc;
}

/* One token after the other, behind a short text. */
static int generate(struct bench *b, const struct text *x)
{
	enum { TOKENS = 32 };
	struct sg_bench_row row = { .row = "generate", .what = "", .tokens = 1 };
	size_t first = SG_MIN((size_t)b->o->seq, 64), n = 0;
	struct sg_pass p = { 0 };
	struct sg_cache c = { 0 };
	float *logits = NULL;
	double t[TOKENS];
	int32_t id[64];
	int rc = SG_NEW(logits, b->m.desc.vocab);

	for (size_t i = 0; i < first; i++)
		id[i] = (int32_t)sg_tokens_at(&x->t, i);
	if (rc >= 0)
		rc = sg_pass_init(&p, &b->m, first, false);
	if (rc >= 0)
		rc = sg_cache_init(&c, &b->m, first + TOKENS);
	if (rc >= 0)
		rc = sg_pass_next(&p, &c, id, first, logits);
	for (; rc >= 0 && n < TOKENS; n++) {
		double from = sg_clock();

		rc = sg_pass_next(&p, &c, id, 1, logits);
		t[n] = sg_clock() - from;
	}
	if (rc >= 0) {
		summary(&row, t, n);
		say(b, &row, flops(b, false));
	}
	sg_cache_release(&c);
	if (p.m)
		sg_pass_release(&p);
	free(logits);
	return rc;
}

static bool wanted(const struct bench *b, const char *row)
{
	size_t n = strlen(row);

	for (const char *s = b->o->rows; s && (s = strstr(s, row)); s += n)
		if ((s == b->o->rows || s[-1] == ',') && (!s[n] || s[n] == ','))
			return true;
	return !b->o->rows;
}

static int all(struct bench *b)
{
	struct text x = { 0 };
	int rc = ceilings(b);

	if (rc >= 0)
		rc = make_text(&x, (size_t)SG_MIN(SG_MAX(b->o->batch, 1), 1 << 16), (size_t)b->o->seq, b->m.desc.vocab);
	if (rc >= 0 && wanted(b, "train"))
		rc = train(b, &x);
	if (rc >= 0 && wanted(b, "eval"))
		rc = eval(b, &x);
	if (rc >= 0 && wanted(b, "generate"))
		rc = generate(b, &x);
	if (rc >= 0 && wanted(b, "kernels"))
		rc = kernels(b);
	free(x.data);
	return rc;
}

int sg_bench(struct sg_repo *r, const struct sg_open_opts *o, const struct sg_bench_opts *opts,
	     void (*fn)(void *arg, const char *device, const struct sg_bench_row *row), void *arg,
	     const struct sg_progress *progress)
{
	struct bench b = { .o = opts, .fn = fn, .arg = arg, .progress = progress };
	int rc;

	if (!opts->steps || opts->steps > MOST - WARM)
		return sg_fail(SG_E_USAGE, "steps must be from 1 to %d", MOST - WARM);
	rc = sg_device_open(&b.dev, o->device ? o->device : "auto", o->threads);
	if (rc >= 0)
		rc = prepare(&b, r, false);
	if (rc >= 0)
		rc = all(&b);
	release(&b);
	return rc;
}
