#ifndef SG_MODEL_MODEL_H
#define SG_MODEL_MODEL_H
#include "base/base.h"
#include "base/dtype.h"
#include "base/file.h"
#include "kernels/kernels.h"
SG_C_BEGIN
/*
 * One decoder (pre-norm Transformer, Vaswani et al. 2017; RMSNorm, rotary
 * positions, grouped queries, gated MLP) with named sites where modules can be
 * attached. It knows nothing of grafts: it offers linear maps and hidden states
 * that call hooks, slots for whole blocks, and gradients for what is marked.
 *
 * Sites:
 *   layers.3.attn.q|k|v|o, layers.3.mlp.gate|up|down   linear maps of base block 3
 *   layers.3.out            hidden state after block 3
 *   slot.4                  between base blocks 3 and 4 (slot.0 is below block 0)
 *   head                    the map to logits
 *   grown.<id16>.<rest>     the same inside or behind an inserted block
 */

/* What an architecture file fills from a configuration. */
struct sg_desc {
	char arch[16];			/* "llama", "substrate" */
	size_t vocab, d, layers, heads, kv_heads, head_dim, ffn, max_pos;
	float eps;
	double rope_theta;
	enum sg_act act;
	bool tied;			/* head = embedding */
	bool has_head;			/* a trained head exists (tied or own) */
	uint64_t seed;			/* substrate: of the token code */
};

/*
 * A module attached to a site. Hooks run in list order. x [N,in] is the input
 * of the linear map and y [N,out] its output so far; at a hidden site x and y
 * are the same state, changed in place.
 * fwd: y += contribution; `keep` says that a bwd of the same rows follows.
 * bwd: add to dx (NULL: nothing below wants it) and, when training, to own
 *      gradients; at a hidden site dx and dy are the same array and x is NULL.
 */
struct sg_hook {
	struct sg_hook *next;
	void *ctx;
	bool trains;
	int (*fwd)(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep);
	int (*bwd)(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N);
};

struct sg_linear {
	struct sg_mat w;		/* [out,in]; data NULL: no weight of its own (y starts at 0) */
	size_t out, in;
	float *dw;			/* NULL: frozen */
	struct sg_hook *hooks;
};

enum { SG_Q, SG_K, SG_V, SG_O, SG_GATE, SG_UP, SG_DOWN, SG_LINEARS };
extern const char *const sg_linear_names[SG_LINEARS];	/* "attn.q", ..., "mlp.down" */

struct sg_block {
	char name[40];			/* "layers.3" or "grown.<id16>" */
	size_t order;			/* 2 * slot for inserted blocks, 2 * layer + 1 for base blocks */
	size_t heads, kv_heads, head_dim, ffn;
	struct sg_linear lin[SG_LINEARS];
	const float *norm[2];		/* before attention, before MLP; [d] */
	float *dnorm[2];		/* NULL: frozen */
	struct sg_hook *out;		/* hidden site behind the block */
};

struct sg_model {
	struct sg_desc desc;
	struct sg_device *dev;		/* borrowed */
	struct sg_mat embed;		/* [vocab,d] */
	const float *norm;		/* final, [d]; NULL: ones */
	struct sg_linear head;
	struct sg_block **blocks;	/* in order of computation; owned */
	size_t n, cap;
	float *inv_freq;		/* [head_dim / 2] */
	float *own;			/* f32 copies of the norm vectors */
	void **placed;			/* weights copied to a device that is not the CPU */
	size_t n_placed, cap_placed;
};

struct sg_checkpoint;
/* Builds the decoder over the checkpoint's weights, which stay borrowed and
 * mapped; ckpt and dev must outlive the model. NOMEM, CORRUPT. */
int sg_model_init(struct sg_model *m, const struct sg_checkpoint *ckpt, struct sg_device *dev);
void sg_model_release(struct sg_model *m);

enum sg_site_kind { SG_SITE_LINEAR, SG_SITE_HIDDEN, SG_SITE_SLOT, SG_SITE_HEAD };
struct sg_site {
	enum sg_site_kind kind;
	struct sg_linear *lin;		/* LINEAR, HEAD */
	struct sg_block *block;		/* LINEAR, HIDDEN */
	size_t slot;			/* SLOT */
	size_t in, out;			/* LINEAR, HEAD: of the map; HIDDEN: d, d */
};
/* NOTFOUND names the site and shows what sites look like. */
int sg_site_find(struct sg_site *out, struct sg_model *m, const char *name);
/* Every site whose name matches one of the comma-separated globs (fnmatch(3)),
 * in model order. NOTFOUND when a glob matches nothing. */
int sg_site_match(struct sg_names *out, struct sg_model *m, const char *globs);

void sg_hook_add(struct sg_hook **list, struct sg_hook *h);
/* A new block behind all of its order or less, weights unset; owned by the model. */
int sg_block_insert(struct sg_block **out, struct sg_model *m, const char *name, size_t order, size_t ffn);
/* Sets the shapes of all seven maps from the block's head counts and ffn. */
void sg_block_shape(struct sg_block *b, size_t d);
SG_C_END
#endif
