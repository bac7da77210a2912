#ifndef SG_GRAFT_PHIFORM_H
#define SG_GRAFT_PHIFORM_H
#include "base/base.h"
SG_C_BEGIN
/*
 * What the square matrix Phi [r,r] may be made of. A form says how many parameters
 * there are, what matrix they make, and what a gradient of the matrix is for them.
 * All in host memory, f64 inside, rounded to f32 at the end, in a fixed order.
 *
 *   dense      Phi itself
 *   diagonal   one number for each row
 *   upper      the upper triangle, row by row
 *   hadamard   (U V) * (U2 V2), elementwise, inner ranks `inner` (Hyeon-Woo et al. 2022)
 *   walsh      H diag(w) H / r, H the Walsh-Hadamard matrix; r is a power of two. Element
 *              (i,j) depends on i xor j alone
 *   checker    w0 I + w1 (all ones) + w2 (-1)^(i+j)
 *   lowrank    U V, inner rank `inner`
 *   blocks     square blocks of `tile` along the diagonal, the last may be smaller
 *   kronecker  sum of `inner` products C (x) D, C [a,a], D [b,b], a the largest divisor of
 *              r that is at most sqrt(r)
 *   codebook   sum over `levels` of tiles [tile,tile], each a number times one of `codes`
 *              matrices; which one is fixed
 *
 * With the parameters that sg_phiform_start makes Phi is zero, and no two factors that
 * are zero stand in series.
 */
enum sg_phi_kind {
	SG_PHI_DENSE, SG_PHI_DIAGONAL, SG_PHI_UPPER, SG_PHI_HADAMARD, SG_PHI_WALSH, SG_PHI_CHECKER, SG_PHI_LOWRANK,
	SG_PHI_BLOCKS, SG_PHI_KRONECKER, SG_PHI_CODEBOOK, SG_PHI_KINDS
};
extern const char *const sg_phi_names[SG_PHI_KINDS];	/* stored in files: for ever */

struct sg_phiform {
	enum sg_phi_kind kind;
	size_t r, inner, tile, codes, levels;
	size_t a, b;			/* kronecker */
	size_t side;			/* codebook: tiles of a row */
};

#define SG_PHI_TENSORS 4
struct sg_phiform_tensor {
	const char *name;		/* behind the site's name */
	size_t rows, cols;		/* rows 0: a vector */
	bool frozen;
};

/* inner, tile, codes 0: what the form has by default. USAGE: no such form; REFUSED: a
 * number that does not fit the form. */
int sg_phiform_init(struct sg_phiform *f, const char *name, size_t r, size_t inner, size_t tile, size_t codes,
		    size_t levels);
size_t sg_phiform_tensors(struct sg_phiform_tensor out[SG_PHI_TENSORS], const struct sg_phiform *f);
/* Zero-effect start; t[i] is tensor i. */
void sg_phiform_start(float *const *t, const struct sg_phiform *f, uint64_t seed, uint64_t stream);
/* REFUSED: values that no form of this kind has. */
int sg_phiform_check(const struct sg_phiform *f, const float *const *t);
/* phi [r,r] = */
void sg_phiform_dense(float *phi, const struct sg_phiform *f, const float *const *t);
/* d[i] = gradient of tensor i from that of phi; that of a frozen one is not touched. */
void sg_phiform_grad(float *const *d, const struct sg_phiform *f, const float *dphi, const float *const *t);
/* The form's matrix nearest to phi [r,r] in the Frobenius norm: exact for all but hadamard
 * (as if its second product were ones) and codebook (clusters, level after level). t holds a
 * start. (graft/phifit.c) */
int sg_phiform_fit(float *const *t, const struct sg_phiform *f, const double *phi);
SG_C_END
#endif
