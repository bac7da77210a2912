#ifndef SG_GRAFT_PHI_H
#define SG_GRAFT_PHI_H
#include "base/base.h"
#include "graft/graft.h"
#include "graft/phiform.h"
SG_C_BEGIN
/* Shared by the files of the type phi: graft/phi.c (what it computes), graft/phidata.c
 * (what it takes from data before it starts), graft/phires.c (the sparse residual). */

/* Tensors of a stage: the bases, the form's. */
enum { SG_PHI_A, SG_PHI_B, SG_PHI_FORM, SG_PHI_STAGE = SG_PHI_FORM + SG_PHI_TENSORS, SG_PHI_STAGES = 8,
	/* ... and of the part: places of the residual, its values. */
	SG_PHI_AT = SG_PHI_STAGE * SG_PHI_STAGES, SG_PHI_VALUE };

enum sg_phi_basis { SG_PHI_SVD, SG_PHI_RANDOM, SG_PHI_ACTIVATION, SG_PHI_GRADIENT, SG_PHI_ACTGRAD };

/* One A Phi B of a part. */
struct sg_phi_stage {
	size_t at;			/* of its tensors */
	size_t in, out, r;
	float *phi, *dphi;		/* dense, on the device; dphi NULL: not trained */
	float *t, *u, *du, *dt;		/* B x, Phi B x and their gradients, [cap,r] */
};

struct sg_phi_shape {
	size_t r, n;			/* rank, stages with bases of their own */
	struct sg_phiform form;
	enum sg_phi_basis basis;
	bool bases;			/* these train */
	bool fits;			/* Phi starts as a least-squares solution */
	float scale;
	size_t residual;		/* numbers of it */
	bool by_gradient;		/* how they are chosen */
};

/* Of an attached part, whose settings were checked. */
struct sg_phi_shape sg_phi_shape(const struct sg_part *p);
struct sg_phi_stage sg_phi_stage(const struct sg_part *p, const struct sg_phi_shape *s, size_t i);
/* A carries this factor: sqrt(out / rank). */
float sg_phi_gain(const struct sg_part *p, const struct sg_phi_shape *s);
/* The seed's stream of a part. */
uint64_t sg_phi_stream(const struct sg_part *p);
/* Orthonormal columns of u [out,R] and rows of v [R,in], R = rank * stages, as A and B. */
int sg_phi_put_bases(struct sg_part *p, const struct sg_phi_shape *s, const float *u, const float *v);
/* The form's tensors of a stage in host memory, to be freed with sg_phi_free_form. */
int sg_phi_get_form(float **t, const struct sg_part *p, const struct sg_phiform *f, size_t stage);
int sg_phi_put_form(struct sg_part *p, const struct sg_phiform *f, size_t stage, float *const *t);
void sg_phi_free_form(float **t);

/* The residual: a few numbers of the map besides, W += R; the factor `scale` is not theirs. */
int sg_phi_start_residual(struct sg_part *p, const struct sg_phi_shape *s);
/* Places of the largest |score| [out,in]. REFUSED: one is not finite. */
int sg_phi_choose_residual(struct sg_part *p, float *score);
int sg_phi_check_residual(const struct sg_part *p);
/* x and dy are not y and dx. */
int sg_phi_residual_fwd(struct sg_part *p, float *y, const float *x, size_t N);
int sg_phi_residual_bwd(struct sg_part *p, float *dx, const float *dy, const float *x, size_t N);
int sg_phi_residual_delta(struct sg_part *p, float *dw);
/* Makes left and right wider by one for each row of the map that has a place, or for each
 * column if these are fewer. */
int sg_phi_residual_factors(struct sg_part *p, float **left, float **right, size_t *rank);

/* Members of the type (graft/phidata.c). */
size_t sg_phi_listen_bytes(const struct sg_part *p, unsigned round);
int sg_phi_listen(struct sg_part *p, unsigned round);
int sg_phi_heard(struct sg_part *p, unsigned round, bool ok);
SG_C_END
#endif
