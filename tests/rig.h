#ifndef SG_TESTS_RIG_H
#define SG_TESTS_RIG_H
#include "tests/tiny.h"
#include "model/pass.h"
#include "tests/variant.h"
/* One graft of any type on a tiny model, and what is asked of all of them. */
enum { RIG_ROWS = 13 };

struct rig {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_graft *g;
	struct sg_batch b;
	struct sg_pass pass;		/* the test's own, released with the rest */
	char base[SG_SHA256_HEX];
};

/* Takes over ckpt, also when it fails. */
int rig_init(struct rig *r, struct sg_checkpoint *ckpt);
int rig_init_on(struct rig *r, struct sg_checkpoint *ckpt, unsigned threads);
/* hyper: "key=value key=value", may be NULL. */
int rig_grow(struct rig *r, const char *type, const char *sites, const char *hyper, bool trains);
/* A type's variant at the sites that it likes. */
int rig_variant(struct rig *r, const struct variant *v, bool trains);
/* The same graft, loaded from a sealed one's manifest and payload. */
int rig_load(struct rig *r, struct sg_graft *from);
void rig_release(struct rig *r);

/* Moves every trained parameter off its start, so that nothing is zero by design. */
void rig_shake(struct sg_graft *g);
/* Losses of the batch, RIG_ROWS of them. */
int rig_losses(float *out, struct rig *r);
int rig_losses_of(float *out, struct sg_model *m, const struct sg_batch *b);
double rig_total(const float *loss);
/* Worst difference between a tensor's gradient and central differences of step h, by
 * the gradient's norm; a few elements of each tensor, spread. */
int rig_gradient_error(double *worst, struct rig *r, float h);
/* Largest difference of two lists of losses. */
double rig_apart(const float *a, const float *b);
#endif
