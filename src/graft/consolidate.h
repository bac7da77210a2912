#ifndef SG_GRAFT_CONSOLIDATE_H
#define SG_GRAFT_CONSOLIDATE_H
#include "graft/compose.h"
SG_C_BEGIN
/*
 * Part of a stack as plain weights: the tensors of a checkpoint that computes what a
 * composed model computes.
 *
 * SG_FOLD_LINEAR	changes of linear maps (types with a merge law) go into the base's
 *			weights: W' = W + their sum, added in f32 in stack order, rounded once
 * SG_FOLD_LAYERS	units beside an MLP become rows and columns of its maps, and the configuration's
 *			width that of the widest MLP: zeros fill up the others, which act(0) = 0
 *			leaves without effect;
 *			grown layers become blocks of the base, with the changes that stand
 *			on their maps, and the heads that they carry become the base's head
 *
 * Folding is exact in real arithmetic only; what rounding left of each change is
 * measured while the tensor is made. A layer by itself is moved, not changed.
 */
enum sg_fold_what { SG_FOLD_LINEAR = 1 << 0, SG_FOLD_LAYERS = 1 << 1 };

#define SG_FOLD_OK	0.98	/* retained share of a change: below, a warning */
#define SG_FOLD_REFUSE	0.90	/* below, not without force */

/* meant: the change as the grafts have it; made: what the stored numbers differ by from
 * those that the base alone would have in this type. */
struct sg_fold_row {
	size_t item;
	double retained;		/* <made, meant> / |meant|^2 */
	double rel_err;			/* |made - meant| / |meant| */
	double unchanged;		/* share of elements with a change meant that have none made */
};

/* A tensor of the result, by our name; it may be a part of a stored one. */
struct sg_fold_item {
	char ours[64];
	char theirs[200];		/* the stored tensor's name, with ours behind it where it is a part */
	struct sg_spot spot;		/* where it is stored */
	enum sg_dtype dtype;
	size_t rows, cols;		/* a vector has rows 1 */
	struct sg_mat base;		/* the base's numbers; data NULL: none */
	const struct sg_graft *from;	/* a layer whose payload it is ... */
	const struct sg_tensor *payload;
	const struct sg_linear *lin;	/* map whose changes go in; NULL: a norm or the embedding */
	bool bias;			/* it is that map's bias */
	bool head, changed;		/* the head; something goes in */
	char sha256[SG_SHA256_HEX];	/* of the bytes that were made */
};

/* A stored tensor: the items that it is made of. */
struct sg_fold_whole { size_t part[3], n; };

struct sg_fold {
	const struct sg_checkpoint *base;	/* borrowed */
	struct sg_composed *c;			/* borrowed */
	unsigned what;
	enum sg_dtype dtype;		/* of every tensor; SG_DTYPE_COUNT: as stored, layers F32 */
	struct sg_desc desc;		/* of the result */
	bool *gone;			/* [c->n] grafts that go into it */
	size_t n_gone;
	struct sg_fold_item *item;
	size_t n, cap;
	struct sg_fold_whole *whole;	/* stored tensors */
	size_t n_whole, cap_whole;
	struct sg_fold_row *row;	/* one for each tensor that changed or was rounded */
	size_t n_rows, cap_rows;
	float *w, *dw;			/* of the tensor in hand */
	void *bytes, *stored;
	const struct sg_progress *progress;	/* may be NULL; for the caller to set */
};

/* What goes and what comes out. c must hold every payload in full. REFUSED: a layer
 * that the architecture cannot hold. */
int sg_fold_init(struct sg_fold *f, const struct sg_checkpoint *base, struct sg_composed *c, unsigned what,
		 enum sg_dtype dtype);
void sg_fold_release(struct sg_fold *f);
/* config.json, tokenizer.json and weights into folder dir (there already); rows are
 * made on the way. */
int sg_fold_write(struct sg_fold *f, const char *dir);
/* Is that what is in this checkpoint? CORRUPT names the first difference. */
int sg_fold_verify(const struct sg_fold *f, const struct sg_checkpoint *got);
/* The smallest retained share; 1 when there are no rows. */
double sg_fold_worst(const struct sg_fold *f);
uint64_t sg_fold_bytes(const struct sg_fold *f);

/*
 * Graft `old` of the stack (not gone) for the new base: its sites under their new
 * names, `replaces` naming the old id, behind the n carried ones that come before it
 * in the stack; by[i] is the new graft for c->g[i], NULL when that one went.
 */
int sg_fold_carry(struct sg_graft **out, const struct sg_fold *f, const struct sg_graft *old, const char *base,
		  struct sg_graft *const *by);
/* Where a tensor of a carried graft is called differently. */
int sg_fold_rename(char *out, size_t size, const struct sg_graft *old, const struct sg_graft *new, const char *tensor);
SG_C_END
#endif
