/*
 * Statistics of paired documents and Student's t. Sums run in index order; the t
 * distribution is an incomplete beta function whose second parameter is 1/2, which
 * needs no logarithm, exponential or gamma function: powers are half-integer, and
 * the one ratio of gamma functions has a recursion and an asymptotic series.
 */
#include "gate/stats.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>

#define SQRT_PI 1.7724538509055160273

/* x^(n/2) for x > 0. */
static double pow_half(double x, uint64_t n)
{
	double r = n & 1 ? sqrt(x) : 1;

	for (n >>= 1; n; n >>= 1, x *= x)
		if (n & 1)
			r *= x;
	return r;
}

/* gamma(a + 1/2) / gamma(a): the series in 1/a is exact to the last bits from 32
 * on, and R(a) = R(a + 1) a / (a + 1/2) leads there. */
static double gamma_ratio(double a)
{
	static const double c[] = {
		1, -1.0 / 8, 1.0 / 128, 5.0 / 1024, -21.0 / 32768, -399.0 / 262144,
		869.0 / 4194304, 39325.0 / 33554432,
	};
	double scale = 1, s = 0;

	for (; a < 32; a += 1)
		scale *= a / (a + 0.5);
	for (size_t i = SG_LEN(c); i--; )
		s = s / a + c[i];
	return scale * sqrt(a) * s;
}

/* Continued fraction of the incomplete beta function I_x(a, b), without the factor
 * in front; it converges in O(sqrt(max(a, b))) steps for x < (a + 1) / (a + b + 2).
 * Evaluated from the front by the ratios of successive numerators (c) and
 * denominators (d). */
static double beta_fraction(double x, double a, double b)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int i = 1; i < 200000; i++) {
		double m = i, step = 1;

		for (int odd = 0; odd < 2; odd++) {
			double k = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
				       : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));

			d = 1 + k * d;
			c = 1 + k / c;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			step *= d * c;
			h *= d * c;
		}
		if (fabs(step - 1) < 1e-16)
			break;
	}
	return h;
}

double sg_t_tail(double t, uint64_t df)
{
	double v = (double)df, a = v / 2, den = v + t * t, x = v / den, y = t * t / den, front;

	if (t < 0)
		return 1 - sg_t_tail(-t, df);
	if (isinf(den))
		return 0;
	/* x^a y^(1/2) / B(a, 1/2) */
	front = pow_half(x, df) * sqrt(y) * gamma_ratio(a) / SQRT_PI;
	if (x < (a + 1) / (a + 2.5))
		return 0.5 * front * beta_fraction(x, a, 0.5) / a;
	return 0.5 - 0.5 * front * beta_fraction(y, 0.5, a) / 0.5;
}

double sg_t_quantile(double alpha, uint64_t df)
{
	double v = (double)df, lo = 0, hi = 1, t, norm = gamma_ratio(v / 2) / (SQRT_PI * sqrt(v));

	if (alpha >= 0.5)
		return 0;
	while (sg_t_tail(hi, df) > alpha && hi < 1e150)
		lo = hi, hi *= 2;
	t = lo + (hi - lo) / 2;
	/* Newton, kept inside the bracket. */
	for (int i = 0; i < 200; i++) {
		double p = sg_t_tail(t, df), next;
		double pdf = norm * pow_half(v / (v + t * t), df + 1);

		if (p > alpha)
			lo = t;
		else
			hi = t;
		next = t + (p - alpha) / pdf;
		if (!(next > lo && next < hi))
			next = lo + (hi - lo) / 2;
		if (fabs(next - t) <= 1e-15 * t)
			return next;
		t = next;
	}
	return t;
}

double sg_alpha_uses(double alpha, uint64_t uses)
{
	double k = (double)(uses ? uses : 1);

	return alpha / (k * (k + 1));
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

static double worst_tenth(double *d, uint64_t n)
{
	uint64_t k = (n + 9) / 10;
	double s = 0;

	qsort(d, n, sizeof(*d), descending);
	for (uint64_t i = 0; i < k; i++)
		s += d[i];
	return s / (double)k;
}

/* Mean, spread and skew of d[0..n), n > 0. Deviations from the mean are summed in a
 * second pass, so that nothing cancels. */
static void moments(struct sg_paired *p, const double *d, uint64_t n)
{
	double s = 0, m2 = 0, m3 = 0;

	for (uint64_t i = 0; i < n; i++)
		s += d[i];
	p->mean = s / (double)n;
	for (uint64_t i = 0; i < n; i++) {
		double e = d[i] - p->mean;

		m2 += e * e;
		m3 += e * e * e;
	}
	if (n > 1)
		p->se = sqrt(m2 / (double)(n - 1) / (double)n);
	m2 /= (double)n;
	m3 /= (double)n;
	/* A spread of rounding errors has no shape. */
	if (m2 > 1e-30 * (p->mean * p->mean + 1e-250))
		p->skew = m3 / (m2 * sqrt(m2));
}

int sg_paired(struct sg_paired *out, const struct sg_paired_in *in)
{
	struct sg_paired p = { .finite = true };
	double *d, parent = 0, sum = 0, tokens = 0;
	uint64_t n = 0;

	SG_TRY(SG_NEW(d, in->n ? in->n : 1));
	for (size_t i = 0; i < in->n; i++) {
		double t = in->tokens[i];

		if (!in->tokens[i])
			continue;
		d[n] = (in->cand[i] - in->parent[i]) / t;
		p.finite = p.finite && isfinite(d[n]);
		p.worse += d[n] > SG_STAT_WORSE;
		parent += in->parent[i] / t;
		sum += in->cand[i] - in->parent[i];
		tokens += t;
		n++;
	}
	if (n && p.finite) {
		moments(&p, d, n);
		p.parent = parent / (double)n;
		p.ratio = sum / tokens;
		p.worst = worst_tenth(d, n);
		/* Finite losses near the end of the range can still overflow. */
		p.finite = isfinite(p.mean) && isfinite(p.se) && isfinite(p.skew) && isfinite(p.parent) &&
			   isfinite(p.ratio) && isfinite(p.worst);
	}
	if (!p.finite)
		p = (struct sg_paired){ .finite = false };
	p.n = n;
	free(d);
	*out = p;
	return 0;
}

/* Cube root by Newton's method, from a start within a factor of two. */
static double cube_root(double w)
{
	double x = fabs(w), scale = 1, y;

	if (x == 0)
		return 0;
	for (; x > 1; x /= 8)
		scale *= 2;
	for (; x < 0.125; x *= 8)
		scale /= 2;
	y = 0.5 + x / 2;
	for (int i = 0; i < 8; i++)
		y = (2 * y + x / (y * y)) / 3;
	return w < 0 ? -scale * y : scale * y;
}

/*
 * How many standard errors a bound stands off on the side of `skew` > 0. Hall's
 * transformation g(T) = T + k T^2 / 3 + k^2 T^3 / 27 + k / 6, k = skew / sqrt(n),
 * of the studentised mean T has no skew to the second order and is monotone, so
 * that g(T) = -t is solved by a cube root.
 */
static double reach(const struct sg_paired *p, double alpha, double skew)
{
	double t = sg_t_quantile(alpha, p->n - 1), k = skew / sqrt((double)p->n), h;

	if (k < 1e-6)
		return t;
	h = 3 / k * (1 - cube_root(1 - k * (t + k / 6)));
	return h > t ? h : t;
}

double sg_paired_upper(const struct sg_paired *p, double alpha)
{
	return p->n < 2 ? 1e308 : p->mean + p->se * reach(p, alpha, p->skew);
}

double sg_paired_lower(const struct sg_paired *p, double alpha)
{
	return p->n < 2 ? -1e308 : p->mean - p->se * reach(p, alpha, -p->skew);
}

/* --- bootstrap ----------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* (mean of a resample - mean) / its standard error. */
static double resample(const double *d, size_t n, double mean, uint64_t seed, uint64_t stream)
{
	double s = 0, s2 = 0, se;

	for (size_t i = 0; i < n; i++) {
		double e = d[sg_rng_below(seed, stream, i, n)] - mean;

		s += e;
		s2 += e * e;
	}
	s /= (double)n;
	se = sqrt(SG_MAX(s2 / (double)n - s * s, 0.0) / (double)(n - 1));
	return se > 0 ? s / se : s > 0 ? 1e308 : s < 0 ? -1e308 : 0;
}

static size_t differences(double *d, const struct sg_paired_in *in)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++)
		if (in->tokens[i])
			d[n++] = (in->cand[i] - in->parent[i]) / in->tokens[i];
	return n;
}

int sg_paired_bootstrap(double *lower, double *upper, const struct sg_paired_in *in, double alpha, uint64_t seed)
{
	size_t runs = (size_t)SG_MIN(SG_MAX(20 / alpha, 2000.0), 20000.0), k = (size_t)(alpha * (double)(runs + 1)), n;
	struct sg_paired p;
	double *d = NULL, *t = NULL;
	int rc = sg_paired(&p, in);

	*lower = -1e308;
	*upper = 1e308;
	if (rc < 0 || !p.finite || p.n < 2 || !k)
		return rc;
	rc = SG_NEW(d, in->n);
	if (rc >= 0)
		rc = SG_NEW(t, runs);
	if (rc >= 0) {
		n = differences(d, in);
		for (size_t b = 0; b < runs; b++)
			t[b] = resample(d, n, p.mean, seed, b);
		qsort(t, runs, sizeof(*t), ascending);
		*lower = t[runs - k] < 1e300 ? p.mean - t[runs - k] * p.se : -1e308;
		*upper = t[k - 1] > -1e300 ? p.mean - t[k - 1] * p.se : 1e308;
	}
	free(d);
	free(t);
	return rc;
}

/* --- always valid ---------------------------------------------------------------- */

/* ln x for x > 0, by the series of artanh about 1. */
static double ln(double x)
{
	double twos = 0, y, y2, term, s = 0;

	for (; x > 1.5; x /= 2)
		twos++;
	for (; x < 0.75; x *= 2)
		twos--;
	y = (x - 1) / (x + 1);
	y2 = y * y;
	term = y;
	for (int i = 1; i < 40; i += 2, term *= y2)
		s += term / i;
	return 2 * s + twos * 0.69314718055994530942;
}

/* The mixture's likelihood ratio reaches 1/alpha where n mean^2 = (v + 1) / v * s^2 *
 * (2 ln(1/alpha) + ln(1 + v)), v = n times the ratio of the variances. */
double sg_paired_always(const struct sg_paired *p, double alpha)
{
	double v = (double)p->n / 100;

	return p->n < 2 ? 1e308 : p->se * sqrt((v + 1) / v * (2 * ln(1 / alpha) + ln(1 + v)));
}
