#ifndef SG_SEARCH_SENSITIVITY_H
#define SG_SEARCH_SENSITIVITY_H
#include "base/base.h"
#include "base/log.h"
#include "model/model.h"
#include "model/pass.h"
SG_C_BEGIN
/*
 * Where would a graft have something to do? Scores of linear maps and hidden states
 * from forward and backward passes over samples, one window of text each. With x and
 * y what goes into and out of the site for a token, dy the gradient of the summed loss
 * there, W the weight, G = sum of dy x^T over all tokens (at a hidden site: of dy):
 *
 *	gradient	|G| / tokens
 *	fisher		mean over samples of |G of the sample|^2 / its tokens (trace of the
 *			empirical Fisher information; not the square of the first: samples
 *			that pull apart count)
 *	activation	root mean square of x (hidden: of y)
 *	actgrad		mean of sum |y dy| over the width
 *	weightgrad	sum |W G| / tokens; 0 at a hidden site
 *	ntk		mean of |x|^2 |dy|^2 (trace of the tangent kernel in W; hidden: |dy|^2)
 *	error		root mean of |dy|^2
 *	impact		loss without the map's output, less the loss with it, nats per token;
 *			measured, one pass for each site; 0 at a hidden site
 *
 * Ties go by model order. Sums are f64 in token order.
 */
#define SG_SCORES(X) X(gradient) X(fisher) X(activation) X(actgrad) X(weightgrad) X(ntk) X(error) X(impact)
struct sg_site_score {
	char site[96];
	uint64_t parameters, bytes;	/* of the weight; hidden: of a vector, and none */
#define X(name) double name;
	SG_SCORES(X)
#undef X
};

/* The i-th sample, borrowed until the next call; NULL: there are no more. */
typedef int sg_sample_fn(struct sg_batch **out, void *arg, size_t i);
struct sg_sensitivity_in {
	struct sg_model *model;		/* hooks are added: use it for nothing else afterwards */
	const struct sg_names *sites;	/* linear or hidden ones; REFUSED: another */
	sg_sample_fn *next;
	void *arg;
	size_t cap;			/* tokens of the longest sample */
	size_t bytes;			/* most that is held at once; more sites than that take turns */
	bool impact;
	const struct sg_progress *progress;
};
/* out [sites->n]. */
int sg_sensitivity_scores(struct sg_site_score *out, const struct sg_sensitivity_in *in);
SG_C_END
#endif
