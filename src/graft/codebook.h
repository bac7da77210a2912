#ifndef SG_GRAFT_CODEBOOK_H
#define SG_GRAFT_CODEBOOK_H
#include "base/base.h"
SG_C_BEGIN
/*
 * How well a few small matrices, over and over, make up a large one. w [rows,cols] is cut
 * into tiles b x b (edges are filled up with zeros); tiles whose signatures are equal get
 * the same code, and the first of them is the prototype of all. Every tie goes to what
 * comes first in row order, so that there is one answer.
 */
#define SG_DICTS(X) \
	X(fixed)	/* a tile is its code's prototype */ \
	X(scaled)	/* times a number of its own, by least squares; signatures of the tile by its mean size */ \
	X(residual)	/* tiles b with 4 step, then tiles b / 4 of what is left over */ \
	X(hierarchical)	/* a tile that nothing repeats becomes four, down to tiles of 2 */ \
	X(learned)	/* `codes` prototypes by k-means (Lloyd; each seed the tile farthest from those before) */
enum sg_dict {
#define X(name) SG_DICT_##name,
	SG_DICTS(X)
#undef X
	SG_DICT_COUNT
};
extern const char *const sg_dict_names[SG_DICT_COUNT];

/* What makes tiles equal: every number; every number over step, rounded; sum, sum of sizes, sum
 * of squares and trace, each over step of its mean, rounded. */
enum sg_signature { SG_SIGNATURE_EXACT, SG_SIGNATURE_QUANTIZED, SG_SIGNATURE_STATS };

struct sg_codebook_opts {
	enum sg_dict dict;
	enum sg_signature signature;	/* not of learned */
	size_t tile;			/* b, 1 to 64; residual: a multiple of 4; hierarchical: a power of two, at least 2 */
	size_t codes;			/* learned */
	double step;			/* > 0, of the mean size of the numbers */
};

struct sg_codebook_report {
	size_t tiles, codes;		/* of all levels */
	double reuse;			/* share of the tiles that are not the first of their code */
	double l1, l2, worst;		/* sum |v - w| / sum |w|; norms; largest |v - w| / largest |w| */
	double d1, d2, w1, w2;		/* sums of |v - w| and its square, of |w| and its square */
	/* prototypes and scales as f32, codes in as many bits as they need, whole bytes for each
	 * level; and w as f32 */
	uint64_t bytes, raw;
};

/* v [rows,cols], made of tiles, may be NULL. USAGE: an option out of range; REFUSED: w holds what is no number. */
int sg_codebook(float *v, struct sg_codebook_report *r, const float *w, size_t rows, size_t cols,
		const struct sg_codebook_opts *o);
SG_C_END
#endif
