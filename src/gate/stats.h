#ifndef SG_GATE_STATS_H
#define SG_GATE_STATS_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Paired statistics over documents. Only + - * / and square roots, in a fixed
 * order, so that the same losses give the same bits on every machine and a
 * receipt can be replayed anywhere. The unit is the document: tokens of one
 * document are not independent.
 */
#define SG_STAT_WORSE 0.1	/* nats per token: a document that got this much worse is counted */

/* Sums of loss (nats) over the scored tokens of each document, under the parent
 * and under the candidate. A document without scored tokens is left out. */
struct sg_paired_in { const double *parent, *cand; const uint32_t *tokens; size_t n; };

/* d[i] = (cand[i] - parent[i]) / tokens[i], nats per token: negative is better. */
struct sg_paired {
	bool finite;		/* false: a loss is not finite; all below but n is then 0 */
	uint64_t n;		/* documents with scored tokens */
	double parent;		/* mean over documents of the parent's loss per token */
	double mean;		/* of d: the statistic that is tested */
	double se;		/* its standard error, s / sqrt(n); 0 when n < 2 */
	double skew;		/* of d: m3 / m2^1.5; 0 when d does not vary */
	double ratio;		/* sum of differences / sum of tokens */
	double worst;		/* mean d of the worst tenth of the documents, at least one */
	uint64_t worse;		/* documents with d > SG_STAT_WORSE */
};

int sg_paired(struct sg_paired *out, const struct sg_paired_in *in);

/*
 * One-sided bounds of the mean at error rate alpha (0 < alpha <= 0.5), Student t
 * with n - 1 degrees of freedom. t alone lets too much through when d is skewed to
 * the right (few documents get much worse: the dangerous case), so on the side of
 * the skew a bound moves out as Hall's (1992) transformation says; it never moves
 * in. With n < 2: -1e308 and 1e308.
 */
double sg_paired_upper(const struct sg_paired *p, double alpha);
double sg_paired_lower(const struct sg_paired *p, double alpha);

/* P(T > t) of Student's t with df >= 1 degrees of freedom. */
double sg_t_tail(double t, uint64_t df);
/* The t with P(T > t) = alpha, 1e-15 <= alpha <= 0.5; relative error below 1e-9 up to
 * a million degrees of freedom. */
double sg_t_quantile(double alpha, uint64_t df);

/*
 * Bounds from the data alone: the studentised mean's distribution is taken from
 * resamples of the documents (bootstrap-t, Efron and Tibshirani 1993, chapter 12).
 * 20 / alpha resamples, at least 2,000 and at most 20,000; where a tail has no
 * resample left the bound is -1e308 or 1e308. Same seed, same bits.
 */
int sg_paired_bootstrap(double *lower, double *upper, const struct sg_paired_in *in, double alpha, uint64_t seed);

/*
 * Bounds that hold at every n at once, so that one may look after each document and
 * stop when satisfied: the normal mixture of Robbins (1970), variance of the mixture
 * a hundredth of that of d. About 1.5 to 1.9 times the documents of a fixed n. The
 * variance is the sample's: not for fewer than 100 documents.
 */
double sg_paired_always(const struct sg_paired *p, double alpha);	/* half width */

/* alpha of the uses-th use of one set, alpha / (uses (uses + 1)): however many
 * candidates a set judges, these sum to less than alpha. */
double sg_alpha_uses(double alpha, uint64_t uses);
SG_C_END
#endif
