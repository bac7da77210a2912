#include "graft/phiform.h"
#include "base/error.h"
#include "base/rng.h"
#include <math.h>

const char *const sg_phi_names[SG_PHI_KINDS] = {
	[SG_PHI_DENSE] = "dense", [SG_PHI_DIAGONAL] = "diagonal", [SG_PHI_UPPER] = "upper",
	[SG_PHI_HADAMARD] = "hadamard", [SG_PHI_WALSH] = "walsh", [SG_PHI_CHECKER] = "checker",
	[SG_PHI_LOWRANK] = "lowrank", [SG_PHI_BLOCKS] = "blocks", [SG_PHI_KRONECKER] = "kronecker",
	[SG_PHI_CODEBOOK] = "codebook",
};

/* --- shapes ----------------------------------------------------------------- */

static int check_walsh(struct sg_phiform *f)
{
	return f->r & (f->r - 1) ? sg_fail(SG_E_REFUSED, "phi: walsh wants a rank that is a power of two, not %zu", f->r) : 0;
}

static int check_kronecker(struct sg_phiform *f)
{
	for (size_t a = 2; a * a <= f->r; a++)
		if (f->r % a == 0)
			f->a = a;
	if (!f->a)
		return sg_fail(SG_E_REFUSED, "phi: kronecker wants a rank that is a product, not %zu", f->r);
	f->b = f->r / f->a;
	return 0;
}

/* An inner rank above r would be a rank that is not there. */
static int check_inner(struct sg_phiform *f)
{
	if (f->inner > (f->kind == SG_PHI_KRONECKER ? f->a * f->a : f->r))
		return sg_fail(SG_E_REFUSED, "phi: inner %zu is more than %s of rank %zu can use", f->inner,
			       sg_phi_names[f->kind], f->r);
	return 0;
}

int sg_phiform_init(struct sg_phiform *f, const char *name, size_t r, size_t inner, size_t tile, size_t codes,
		    size_t levels)
{
	int kind = 0;

	while (kind < SG_PHI_KINDS && strcmp(sg_phi_names[kind], name))
		kind++;
	if (kind == SG_PHI_KINDS)
		return sg_fail(SG_E_USAGE, "phi: phi must be dense, diagonal, upper, hadamard, walsh, checker, lowrank, blocks, "
			       "kronecker or codebook, not '%.100s'", name);
	*f = (struct sg_phiform){ .kind = (enum sg_phi_kind)kind, .r = r, .inner = inner, .tile = tile ? tile : 2,
				  .codes = codes ? codes : 8, .levels = levels };
	if (!f->inner)
		f->inner = kind == SG_PHI_KRONECKER ? 1 : SG_MIN(r, 4);
	if (f->tile > r && (kind == SG_PHI_BLOCKS || kind == SG_PHI_CODEBOOK))
		return sg_fail(SG_E_REFUSED, "phi: tile %zu is more than the rank %zu", f->tile, r);
	f->side = (r + f->tile - 1) / f->tile;
	if (kind == SG_PHI_CODEBOOK && f->codes > f->side * f->side)
		return sg_fail(SG_E_REFUSED, "phi: %zu codes for %zu tiles", f->codes, f->side * f->side);
	if (kind == SG_PHI_WALSH)
		return check_walsh(f);
	if (kind == SG_PHI_KRONECKER)
		SG_TRY(check_kronecker(f));
	return kind == SG_PHI_HADAMARD || kind == SG_PHI_LOWRANK || kind == SG_PHI_KRONECKER ? check_inner(f) : 0;
}

/* Numbers in square blocks along the diagonal. */
static size_t block_numbers(const struct sg_phiform *f)
{
	size_t rest = f->r % f->tile;

	return f->r / f->tile * f->tile * f->tile + rest * rest;
}

size_t sg_phiform_tensors(struct sg_phiform_tensor out[SG_PHI_TENSORS], const struct sg_phiform *f)
{
	size_t r = f->r, q = f->inner, n = 0;

#define ADD(...) out[n++] = (struct sg_phiform_tensor){ __VA_ARGS__ }
	switch (f->kind) {
	case SG_PHI_DENSE:
		ADD("Phi", r, r, false);
		break;
	case SG_PHI_UPPER:
		ADD("Phi", 0, r * (r + 1) / 2, false);
		break;
	case SG_PHI_BLOCKS:
		ADD("Phi", 0, block_numbers(f), false);
		break;
	case SG_PHI_CHECKER:
		ADD("Phi", 0, 3, false);
		break;
	case SG_PHI_HADAMARD:
		ADD("Phi.U", r, q, false);
		ADD("Phi.V", q, r, false);
		ADD("Phi.U2", r, q, false);
		ADD("Phi.V2", q, r, false);
		break;
	case SG_PHI_LOWRANK:
		ADD("Phi.U", r, q, false);
		ADD("Phi.V", q, r, false);
		break;
	case SG_PHI_KRONECKER:
		ADD("Phi.C", q * f->a, f->a, false);
		ADD("Phi.D", q * f->b, f->b, false);
		break;
	case SG_PHI_CODEBOOK:
		ADD("Phi.book", f->levels * f->codes, f->tile * f->tile, false);
		ADD("Phi.gain", f->levels, f->side * f->side, false);
		ADD("Phi.code", f->levels, f->side * f->side, true);
		break;
	default:	/* diagonal, walsh */
		ADD("Phi", 0, r, false);
	}
#undef ADD
	return n;
}

/* --- start ------------------------------------------------------------------- */

static void normal(float *v, size_t n, float std, uint64_t seed, uint64_t stream)
{
	sg_rng_normal(v, n, seed, stream);
	for (size_t i = 0; i < n; i++)
		v[i] *= std;
}

/* The first factor of each form is zero, the others have a deviation that lets a step on
 * the first one move Phi by about as much as it would move a dense one. */
void sg_phiform_start(float *const *t, const struct sg_phiform *f, uint64_t seed, uint64_t stream)
{
	struct sg_phiform_tensor s[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(s, f), count[SG_PHI_TENSORS];
	float root = 1.0f / sqrtf((float)f->inner);

	for (size_t i = 0; i < n; i++) {
		count[i] = (s[i].rows ? s[i].rows : 1) * s[i].cols;
		memset(t[i], 0, count[i] * sizeof(**t));
	}
	if (f->kind == SG_PHI_HADAMARD || f->kind == SG_PHI_LOWRANK || f->kind == SG_PHI_KRONECKER)
		normal(t[1], count[1], root, seed, stream + 1);
	if (f->kind == SG_PHI_HADAMARD) {
		normal(t[2], count[2], 1, seed, stream + 2);
		normal(t[3], count[3], root, seed, stream + 3);
	}
	if (f->kind == SG_PHI_CODEBOOK) {
		normal(t[0], count[0], 1, seed, stream + 1);
		for (size_t i = 0; i < count[2]; i++)
			t[2][i] = (float)sg_rng_below(seed, stream + 2, i, f->codes);
	}
}

int sg_phiform_check(const struct sg_phiform *f, const float *const *t)
{
	size_t n = f->levels * f->side * f->side;

	for (size_t i = 0; f->kind == SG_PHI_CODEBOOK && i < n; i++)
		if (!(t[2][i] >= 0 && t[2][i] < (float)f->codes && t[2][i] == (float)(size_t)t[2][i]))
			return sg_fail(SG_E_REFUSED, "phi: %g is not the number of one of %zu codes", (double)t[2][i], f->codes);
	return 0;
}

/* --- forms -------------------------------------------------------------------- */

/* Element (i,j) of u [.,q] v [q,m]. */
static double dot(const float *u, const float *v, size_t i, size_t j, size_t q, size_t m)
{
	double s = 0;

	for (size_t k = 0; k < q; k++)
		s += (double)u[i * q + k] * (double)v[k * m + j];
	return s;
}

static void add(float *to, double x)
{
	*to = (float)((double)*to + x);
}

/* du, dv += gradients of element (i,j) of u v, which is g. */
static void dot_grad(float *du, float *dv, double g, const float *u, const float *v, size_t i, size_t j, size_t q, size_t m)
{
	for (size_t k = 0; k < q; k++) {
		add(&du[i * q + k], g * (double)v[k * m + j]);
		add(&dv[k * m + j], g * (double)u[i * q + k]);
	}
}

/* v = H v / r in place */
static void walsh(float *v, size_t r)
{
	for (size_t h = 1; h < r; h *= 2)
		for (size_t i = 0; i < r; i += 2 * h)
			for (size_t j = i; j < i + h; j++) {
				float x = v[j], y = v[j + h];

				v[j] = x + y;
				v[j + h] = x - y;
			}
	for (size_t i = 0; i < r; i++)
		v[i] /= (float)r;
}

static void walsh_dense(float *phi, const float *w, size_t r)
{
	memcpy(phi, w, r * sizeof(*w));
	walsh(phi, r);
	for (size_t i = 1; i < r; i++)
		for (size_t j = 0; j < r; j++)
			phi[i * r + j] = phi[i ^ j];
}

static void walsh_grad(float *d, const float *dphi, size_t r)
{
	for (size_t m = 0; m < r; m++) {
		double s = 0;

		for (size_t i = 0; i < r; i++)
			s += (double)dphi[i * r + (i ^ m)];
		d[m] = (float)s;
	}
	walsh(d, r);
}

/* Number of element (i,j) in the list of a triangle or of blocks; SIZE_MAX: none. */
static size_t place(const struct sg_phiform *f, size_t i, size_t j)
{
	size_t b = f->tile, k = i / b, size = SG_MIN(b, f->r - k * b);

	if (f->kind == SG_PHI_DIAGONAL)
		return i == j ? i : SIZE_MAX;
	if (f->kind == SG_PHI_UPPER)
		return i <= j ? i * f->r - i * (i + 1) / 2 + j : SIZE_MAX;
	return k == j / b ? k * b * b + i % b * size + j % b : SIZE_MAX;
}

static double kronecker(const struct sg_phiform *f, const float *c, const float *d, size_t i, size_t j)
{
	size_t a = f->a, b = f->b;
	double s = 0;

	for (size_t k = 0; k < f->inner; k++)
		s += (double)c[k * a * a + i / b * a + j / b] * (double)d[k * b * b + i % b * b + j % b];
	return s;
}

static void kronecker_grad(float *dc, float *dd, double g, const struct sg_phiform *f, const float *const *t, size_t i,
			   size_t j)
{
	size_t a = f->a, b = f->b;

	for (size_t k = 0; k < f->inner; k++) {
		size_t x = k * a * a + i / b * a + j / b, y = k * b * b + i % b * b + j % b;

		add(&dc[x], g * (double)t[1][y]);
		add(&dd[y], g * (double)t[0][x]);
	}
}

/* Where level l has element (i,j): its tile, and the number in the book. */
static size_t code_at(size_t *tile, const struct sg_phiform *f, const float *code, size_t l, size_t i, size_t j)
{
	size_t b = f->tile;

	*tile = l * f->side * f->side + i / b * f->side + j / b;
	return (l * f->codes + (size_t)code[*tile]) * b * b + i % b * b + j % b;
}

static double codebook(const struct sg_phiform *f, const float *const *t, size_t i, size_t j)
{
	double s = 0;

	for (size_t l = 0; l < f->levels; l++) {
		size_t tile, at = code_at(&tile, f, t[2], l, i, j);

		s += (double)t[1][tile] * (double)t[0][at];
	}
	return s;
}

static void codebook_grad(float *const *d, double g, const struct sg_phiform *f, const float *const *t, size_t i, size_t j)
{
	for (size_t l = 0; l < f->levels; l++) {
		size_t tile, at = code_at(&tile, f, t[2], l, i, j);

		add(&d[0][at], g * (double)t[1][tile]);
		add(&d[1][tile], g * (double)t[0][at]);
	}
}

static double element(const struct sg_phiform *f, const float *const *t, size_t i, size_t j)
{
	size_t at;

	switch (f->kind) {
	case SG_PHI_DENSE:
		return (double)t[0][i * f->r + j];
	case SG_PHI_HADAMARD:
		return dot(t[0], t[1], i, j, f->inner, f->r) * dot(t[2], t[3], i, j, f->inner, f->r);
	case SG_PHI_CHECKER:
		return (i == j ? (double)t[0][0] : 0) + (double)t[0][1] + ((i + j) % 2 ? -1 : 1) * (double)t[0][2];
	case SG_PHI_LOWRANK:
		return dot(t[0], t[1], i, j, f->inner, f->r);
	case SG_PHI_KRONECKER:
		return kronecker(f, t[0], t[1], i, j);
	case SG_PHI_CODEBOOK:
		return codebook(f, t, i, j);
	default:
		at = place(f, i, j);
		return at == SIZE_MAX ? 0 : (double)t[0][at];
	}
}

void sg_phiform_dense(float *phi, const struct sg_phiform *f, const float *const *t)
{
	if (f->kind == SG_PHI_WALSH) {
		walsh_dense(phi, t[0], f->r);
		return;
	}
	for (size_t i = 0; i < f->r; i++)
		for (size_t j = 0; j < f->r; j++)
			phi[i * f->r + j] = (float)element(f, t, i, j);
}

static void element_grad(float *const *d, double g, const struct sg_phiform *f, const float *const *t, size_t i, size_t j)
{
	size_t q = f->inner, r = f->r, at;

	switch (f->kind) {
	case SG_PHI_HADAMARD:
		dot_grad(d[0], d[1], g * dot(t[2], t[3], i, j, q, r), t[0], t[1], i, j, q, r);
		dot_grad(d[2], d[3], g * dot(t[0], t[1], i, j, q, r), t[2], t[3], i, j, q, r);
		break;
	case SG_PHI_CHECKER:
		add(&d[0][0], i == j ? g : 0);
		add(&d[0][1], g);
		add(&d[0][2], (i + j) % 2 ? -g : g);
		break;
	case SG_PHI_LOWRANK:
		dot_grad(d[0], d[1], g, t[0], t[1], i, j, q, r);
		break;
	case SG_PHI_KRONECKER:
		kronecker_grad(d[0], d[1], g, f, t, i, j);
		break;
	case SG_PHI_CODEBOOK:
		codebook_grad(d, g, f, t, i, j);
		break;
	default:
		at = f->kind == SG_PHI_DENSE ? i * r + j : place(f, i, j);
		if (at != SIZE_MAX)
			d[0][at] = (float)g;
	}
}

void sg_phiform_grad(float *const *d, const struct sg_phiform *f, const float *dphi, const float *const *t)
{
	struct sg_phiform_tensor s[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(s, f);

	if (f->kind == SG_PHI_WALSH) {
		walsh_grad(d[0], dphi, f->r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!s[i].frozen)
			memset(d[i], 0, (s[i].rows ? s[i].rows : 1) * s[i].cols * sizeof(**d));
	for (size_t i = 0; i < f->r; i++)
		for (size_t j = 0; j < f->r; j++)
			element_grad(d, (double)dphi[i * f->r + j], f, t, i, j);
}
