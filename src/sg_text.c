/* Text out of a composition, one token after the other. */
#include "sg_repo.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/batch.h"
#include "model/pass.h"

#define PROMPT_MAX ((size_t)1 << 24)

struct writer {
	const struct sg_generate_opts *o;
	struct sg_view view;
	struct sg_composed model;
	struct sg_pass pass;
	struct sg_cache cache;		/* of the ids so far, until the window is full */
	struct sg_batch batch;
	struct sg_ids ids;		/* the prompt, then what was written */
	struct sg_detok detok;
	struct sg_buf text;		/* decoded, not handed out yet */
	float *logits;			/* [vocab of the model] */
	struct choice *choice;		/* [tokens of the tokenizer] */
	size_t n_choices, window;
	uint64_t stream;
};

/* --- the next token ---------------------------------------------------------- */

struct choice { float p; int32_t id; };

/* Ids that stand for something; a model may have more rows than there are tokens. */
static int list_choices(struct writer *w)
{
	size_t vocab = SG_MIN(sg_tokenizer_vocab(w->view.tok), w->model.model.desc.vocab), n;

	SG_TRY(SG_NEW(w->choice, vocab));
	for (size_t i = 0; i < vocab; i++)
		if (sg_tokenizer_piece(w->view.tok, (int32_t)i, &n))
			w->choice[w->n_choices++].id = (int32_t)i;
	return w->n_choices ? 0 : sg_fail(SG_E_CORRUPT, "the tokenizer has no token that the model knows");
}

static int by_chance(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	if (x->p != y->p)
		return x->p > y->p ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* The likeliest; of equal ones the lowest id. */
static int32_t best(const struct writer *w)
{
	struct choice top = { w->logits[w->choice[0].id], w->choice[0].id };

	for (size_t i = 1; i < w->n_choices; i++) {
		struct choice c = { w->logits[w->choice[i].id], w->choice[i].id };

		if (by_chance(&c, &top) < 0)
			top = c;
	}
	return top.id;
}

/* Drawn from the softmax at the temperature, cut to the likeliest tokens that have
 * at least top_p together. Sums go from the likeliest down, in f64. */
static int32_t draw(struct writer *w, uint64_t step)
{
	const struct sg_generate_opts *o = w->o;
	float scale = (float)(1 / o->temperature), top = w->logits[best(w)];
	double sum = 0, kept = 0, at = 0, u;
	size_t n = 0;

	for (size_t i = 0; i < w->n_choices; i++)
		w->choice[i].p = sg_expf((w->logits[w->choice[i].id] - top) * scale);
	qsort(w->choice, w->n_choices, sizeof(*w->choice), by_chance);
	for (size_t i = 0; i < w->n_choices; i++)
		sum += w->choice[i].p;
	while (n < w->n_choices && (!n || kept < o->top_p * sum))
		kept += w->choice[n++].p;
	u = sg_rng_uniform(o->seed, w->stream, step) * kept;
	for (size_t i = 0; i < n; i++) {
		at += w->choice[i].p;
		if (u < at)
			return w->choice[i].id;
	}
	return w->choice[n - 1].id;
}

/* Logits of the last window of a text that has outgrown it: all positions have
 * moved, so nothing that is kept is of use. */
static int look_again(struct writer *w)
{
	size_t n = w->window;

	SG_TRY(sg_ids_add(&w->ids, 0));		/* a target that nobody looks at */
	w->ids.n--;
	sg_batch_clear(&w->batch);
	if (!sg_batch_add(&w->batch, w->ids.id + (w->ids.n - n), n, 0))
		return sg_fail(SG_E_ERROR, "a window of %zu tokens does not fit", n);
	return sg_pass_logits(&w->pass, &w->batch, n - 1, w->logits);
}

/* Logits after the last token; what lies before the window is forgotten. */
static int look(struct writer *w)
{
	if (w->ids.n > w->window)
		SG_TRY(look_again(w));
	else
		SG_TRY(sg_pass_next(&w->pass, &w->cache, w->ids.id + w->cache.n, w->ids.n - w->cache.n, w->logits));
	for (size_t i = 0; i < w->n_choices; i++)
		if (w->logits[w->choice[i].id] != w->logits[w->choice[i].id])
			return sg_fail(SG_E_ERROR, "the model's output is not a number");
	return 0;
}

/* --- handing text out -------------------------------------------------------- */

/* Bytes at the end that begin a character of UTF-8 and do not finish it. */
static size_t unfinished(const char *s, size_t n)
{
	for (size_t k = 1; k <= 3 && k <= n; k++) {
		unsigned char c = (unsigned char)s[n - k];

		if (c >= 0xc2 && c <= 0xf4)
			return k < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u) ? k : 0;
		if ((c & 0xc0) != 0x80)
			return 0;
	}
	return 0;
}

/* Cuts the text where the first of the texts that stop it begins. */
static bool cut_at_stop(struct writer *w)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < w->o->n_stop; i++) {
		const char *at = w->text.len ? memmem(w->text.data, w->text.len, w->o->stop[i], strlen(w->o->stop[i])) : NULL;

		if (at)
			first = SG_MIN(first, (size_t)(at - w->text.data));
	}
	if (first == SIZE_MAX)
		return false;
	w->text.len = first;
	return true;
}

/* Bytes at the end that may turn out to begin a text that stops. */
static size_t may_stop(const struct writer *w)
{
	size_t most = 0;

	for (size_t i = 0; i < w->o->n_stop; i++) {
		size_t n = SG_MIN(strlen(w->o->stop[i]) - 1, w->text.len);

		while (n > most && memcmp(w->text.data + w->text.len - n, w->o->stop[i], n))
			n--;
		most = SG_MAX(most, n);
	}
	return most;
}

/* Whole characters only, unless it is the end. True: stop. */
static bool hand_out(struct writer *w, bool end)
{
	size_t n = w->text.len - (end ? 0 : SG_MAX(unfinished(w->text.data, w->text.len), may_stop(w)));
	bool stop = n && w->o->piece && w->o->piece(w->o->arg, w->text.data, n);

	if (n)
		memmove(w->text.data, w->text.data + n, w->text.len - n);
	w->text.len -= n;
	return stop;
}

/* --- the whole ---------------------------------------------------------------- */

static int encode_prompt(struct writer *w)
{
	const char *prompt = w->o->prompt ? w->o->prompt : "";
	struct sg_buf told = { 0 };
	int rc = 0;

	if (strlen(prompt) > PROMPT_MAX)
		return sg_fail(SG_E_USAGE, "the prompt is too long");
	if ((rc = sg_tokenizer_document(w->view.tok, &w->ids, prompt, strlen(prompt))) < 0)
		return sg_fail_in(rc, "the prompt");
	if (!w->ids.n)
		return sg_fail(SG_E_USAGE, "this model needs a prompt to begin with");
	/* what the prompt decodes to is known; the decoder must have seen it */
	for (size_t i = 0; rc >= 0 && i < w->ids.n; i++)
		rc = sg_tokenizer_next(w->view.tok, &w->detok, &told, w->ids.id[i], 0);
	sg_buf_release(&told);
	return rc;
}

static int prepare(struct writer *w, struct sg_generate_info *out, struct sg_repo *r)
{
	const struct sg_generate_opts *o = w->o;
	struct sg_extra extra;
	size_t n = o->cand != NULL, max;

	SG_TRY(sg_view_open(&w->view, r, o->rev));
	if (n)
		SG_TRY(sg_find_extra(&extra, r, o->cand));
	SG_TRY(sg_view_base(&w->view, NULL));
	SG_TRY(sg_view_tokenizer(&w->view));
	SG_TRY(encode_prompt(w));
	max = sg_checkpoint_desc(w->view.ckpt)->max_pos;
	w->window = o->tokens < max && w->ids.n < max - o->tokens ? w->ids.n + o->tokens : max;
	SG_TRY(sg_view_compose(&w->model, &w->view, &extra, n, NULL, w->window));
	SG_TRY(sg_pass_init(&w->pass, &w->model.model, w->window, false));
	SG_TRY(sg_batch_init(&w->batch, w->window));
	SG_TRY(sg_cache_init(&w->cache, &w->model.model, w->window));
	SG_TRY(SG_NEW(w->logits, w->model.model.desc.vocab));
	w->stream = sg_rng_stream("generate");
	SG_TRY(list_choices(w));
	return sg_view_state(out->state, &w->view, &extra, n, NULL);
}

static int run(struct writer *w, struct sg_generate_info *out)
{
	int32_t eos = sg_tokenizer_eos(w->view.tok), start = sg_tokenizer_start(w->view.tok), id;
	double began = 0;
	bool stop = false;

	out->read = w->ids.n;
	while (!stop && out->tokens < w->o->tokens) {
		SG_TRY(look(w));
		if (!out->tokens)
			began = sg_clock();
		id = w->o->temperature > 0 ? draw(w, out->tokens) : best(w);
		if (id == eos || id == start) {		/* the text ends, or another begins */
			out->ended = true;
			break;
		}
		out->tokens++;
		SG_TRY(sg_ids_add(&w->ids, id));
		SG_TRY(sg_tokenizer_next(w->view.tok, &w->detok, &w->text, id, 0));
		out->stopped = cut_at_stop(w);
		stop = out->stopped || hand_out(w, false);
	}
	out->seconds = began > 0 ? sg_clock() - began : 0;
	(void)hand_out(w, true);
	return 0;
}

int sg_generate(struct sg_generate_info *out, struct sg_repo *r, const struct sg_generate_opts *o)
{
	struct sg_generate_info info = { .tokens = 0 };
	struct writer w = { .o = o };
	int rc;

	if (!(o->temperature >= 0 && o->temperature <= 1000) || !(o->top_p > 0 && o->top_p <= 1))
		return sg_fail(SG_E_USAGE, "a temperature is from 0 to 1000, top-p above 0 and at most 1");
	for (size_t i = 0; i < o->n_stop; i++)
		if (!*o->stop[i])
			return sg_fail(SG_E_USAGE, "a text that stops must not be empty");
	rc = prepare(&w, &info, r);
	if (rc >= 0)
		rc = run(&w, &info);
	if (w.pass.m)
		sg_pass_release(&w.pass);
	if (w.cache.m)
		sg_cache_release(&w.cache);
	sg_batch_release(&w.batch);
	sg_ids_release(&w.ids);
	sg_buf_release(&w.text);
	sg_composed_release(&w.model);
	sg_view_release(&w.view);
	free(w.logits);
	free(w.choice);
	if (rc >= 0)
		*out = info;
	return rc;
}
