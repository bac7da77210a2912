/* The nearest matrix of a form. Low ranks are cut off singular values (Eckart, Young 1936);
 * a sum of Kronecker products is a low rank of the matrix rearranged (Van Loan, Pitsianis
 * 1993). */
#include "graft/phiform.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/linalg.h"
#include <math.h>

/* left [n,q] right [q,m] = the nearest of that rank to a [n,m], n >= m, which is lost. */
static int low_rank(float *left, float *right, double *a, size_t n, size_t m, size_t q)
{
	double *sigma = NULL, *v = NULL;
	int rc = SG_NEW(sigma, m);

	if (rc >= 0)
		rc = SG_NEW(v, m * m);
	if (rc >= 0)
		sg_svd(sigma, a, v, n, m);
	for (size_t k = 0; rc >= 0 && k < q; k++) {
		double root = k < m ? sqrt(sigma[k]) : 0;

		for (size_t i = 0; i < n; i++)
			left[i * q + k] = root > 0 ? (float)(a[i * m + k] / root) : 0;
		for (size_t j = 0; j < m; j++)
			right[k * m + j] = root > 0 ? (float)(v[j * m + k] * root) : 0;
	}
	free(sigma);
	free(v);
	return rc;
}

static int fit_lowrank(float *const *t, const struct sg_phiform *f, const double *phi)
{
	size_t r = f->r;
	double *a;
	int rc;

	SG_TRY(SG_NEW(a, r * r));
	memcpy(a, phi, r * r * sizeof(*a));
	rc = low_rank(t[0], t[1], a, r, r, f->inner);
	free(a);
	return rc;
}

/* The second product becomes ones; its other directions keep one factor that is not zero. */
static int fit_hadamard(float *const *t, const struct sg_phiform *f, const double *phi)
{
	for (size_t i = 0; i < f->r; i++)
		for (size_t k = 0; k < f->inner; k++) {
			t[2][i * f->inner + k] = k == 0;
			if (k == 0)
				t[3][i] = 1;
		}
	return fit_lowrank(t, f, phi);
}

/* Rows: elements of D; columns: elements of C, of which there are no more. */
static int fit_kronecker(float *const *t, const struct sg_phiform *f, const double *phi)
{
	size_t a = f->a, b = f->b, n = b * b, m = a * a, q = f->inner;
	double *x = NULL;
	float *left = NULL;
	int rc = SG_NEW(x, n * m);

	if (rc >= 0)
		rc = SG_NEW(left, n * q);
	for (size_t i = 0; rc >= 0 && i < f->r; i++)
		for (size_t j = 0; j < f->r; j++)
			x[(i % b * b + j % b) * m + i / b * a + j / b] = phi[i * f->r + j];
	if (rc >= 0)
		rc = low_rank(left, t[0], x, n, m, q);
	for (size_t k = 0; rc >= 0 && k < q; k++)
		for (size_t i = 0; i < n; i++)
			t[1][k * n + i] = left[i * q + k];
	free(x);
	free(left);
	return rc;
}

static int fit_checker(float *w, const double *phi, size_t r)
{
	struct sg_lsq q = { 0 };
	double x[3];
	size_t rank;
	int rc;

	SG_TRY(sg_lsq_init(&q, 3, 1));
	for (size_t i = 0; i < r; i++)
		for (size_t j = 0; j < r; j++) {
			float row[3] = { i == j, 1, (i + j) % 2 ? -1 : 1 }, t = (float)phi[i * r + j];

			sg_lsq_add(&q, row, &t, 1);
		}
	rc = sg_lsq_solve(x, &rank, &q, 1e-12);
	for (size_t k = 0; rc >= 0 && k < 3; k++)
		w[k] = (float)x[k];
	sg_lsq_release(&q);
	return rc;
}

/* Forms that are linear and whose numbers do not share an element's weight: the gradient of
 * <Phi, phi> counts each number's elements together; divide by how many there are. */
static int fit_linear(float *const *t, const struct sg_phiform *f, const double *phi)
{
	size_t r = f->r;
	float *g, *d[SG_PHI_TENSORS] = { t[0] };

	SG_TRY(SG_NEW(g, r * r));
	for (size_t i = 0; i < r * r; i++)
		g[i] = (float)phi[i];
	sg_phiform_grad(d, f, g, (const float *const *)t);
	free(g);
	return 0;
}

/* --- codebook --------------------------------------------------------------------- */

/* Tiles of a matrix, one a row [tiles,tile^2]; zeros where a tile sticks out. */
static void tiles_of(double *out, const struct sg_phiform *f, const double *phi, bool back, double *to)
{
	size_t b = f->tile, area = b * b;

	for (size_t i = 0; i < f->r; i++)
		for (size_t j = 0; j < f->r; j++) {
			double *at = out + (i / b * f->side + j / b) * area + i % b * b + j % b;

			if (back)
				to[i * f->r + j] = *at;
			else
				*at = phi[i * f->r + j];
		}
}

static double dot(const double *a, const double *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* The code along which most of x lies; ties go to the first. */
static size_t nearest(const double *book, const double *x, size_t codes, size_t area)
{
	size_t best = 0;

	for (size_t k = 1; k < codes; k++)
		if (fabs(dot(book + k * area, x, area)) > fabs(dot(book + best * area, x, area)))
			best = k;
	return best;
}

static bool unit(double *v, size_t n)
{
	double norm = sqrt(dot(v, v, n));

	for (size_t i = 0; norm > 0 && i < n; i++)
		v[i] /= norm;
	return norm > 0;
}

/* Seeds: the largest tile, then each time the one of which most is left by those before. */
static void seed_book(double *book, const double *x, size_t n, size_t codes, size_t area)
{
	for (size_t k = 0; k < codes; k++) {
		double most = -1;
		size_t pick = 0;

		for (size_t i = 0; i < n; i++) {
			const double *v = x + i * area;
			double left = dot(v, v, area);

			if (k) {
				double c = dot(book + nearest(book, v, k, area) * area, v, area);

				left -= c * c;
			}
			if (left > most) {
				most = left;
				pick = i;
			}
		}
		memcpy(book + k * area, x + pick * area, area * sizeof(*x));
		if (!unit(book + k * area, area))
			book[k * area + k % area] = 1;
	}
}

/* Directions that n tiles lie along, codes of them, by turns of assigning and averaging. */
static void cluster(double *book, double *sum, const double *x, size_t n, size_t codes, size_t area)
{
	enum { TURNS = 8 };

	seed_book(book, x, n, codes, area);
	for (int turn = 0; turn < TURNS; turn++) {
		memset(sum, 0, codes * area * sizeof(*sum));
		for (size_t i = 0; i < n; i++) {
			size_t k = nearest(book, x + i * area, codes, area);
			double c = dot(book + k * area, x + i * area, area);

			for (size_t j = 0; j < area; j++)
				sum[k * area + j] += c * x[i * area + j];
		}
		for (size_t k = 0; k < codes; k++)
			if (unit(sum + k * area, area))
				memcpy(book + k * area, sum + k * area, area * sizeof(*sum));
	}
}

/* One level codes x and leaves in it what remains. */
static void code_level(float *const *t, const struct sg_phiform *f, double *x, double *book, double *sum, size_t level)
{
	size_t area = f->tile * f->tile, n = f->side * f->side;

	cluster(book, sum, x, n, f->codes, area);
	for (size_t i = 0; i < f->codes * area; i++)
		t[0][level * f->codes * area + i] = (float)book[i];
	for (size_t i = 0; i < n; i++) {
		size_t k = nearest(book, x + i * area, f->codes, area);
		double c = dot(book + k * area, x + i * area, area);

		t[1][level * n + i] = (float)c;
		t[2][level * n + i] = (float)k;
		for (size_t j = 0; j < area; j++)
			x[i * area + j] -= c * book[k * area + j];
	}
}

static int fit_codebook(float *const *t, const struct sg_phiform *f, const double *phi)
{
	size_t area = f->tile * f->tile, n = f->side * f->side;
	double *x = NULL, *left = NULL, *book = NULL, *sum = NULL;
	int rc = SG_NEW(x, n * area);

	if (rc >= 0)
		rc = SG_NEW(left, f->r * f->r);
	if (rc >= 0)
		rc = SG_NEW(book, f->codes * area);
	if (rc >= 0)
		rc = SG_NEW(sum, f->codes * area);
	if (rc >= 0)
		memcpy(left, phi, f->r * f->r * sizeof(*phi));
	for (size_t l = 0; rc >= 0 && l < f->levels; l++) {
		memset(x, 0, n * area * sizeof(*x));
		tiles_of(x, f, left, false, NULL);
		code_level(t, f, x, book, sum, l);
		tiles_of(x, f, NULL, true, left);
	}
	free(x);
	free(left);
	free(book);
	free(sum);
	return rc;
}

int sg_phiform_fit(float *const *t, const struct sg_phiform *f, const double *phi)
{
	switch (f->kind) {
	case SG_PHI_HADAMARD:
		return fit_hadamard(t, f, phi);
	case SG_PHI_LOWRANK:
		return fit_lowrank(t, f, phi);
	case SG_PHI_KRONECKER:
		return fit_kronecker(t, f, phi);
	case SG_PHI_CHECKER:
		return fit_checker(t[0], phi, f->r);
	case SG_PHI_CODEBOOK:
		return fit_codebook(t, f, phi);
	default:	/* dense, diagonal, upper, blocks, walsh */
		return fit_linear(t, f, phi);
	}
}
