#ifndef SG_MODEL_MODEL_H
#define SG_MODEL_MODEL_H
#include "base/base.h"
#include "base/dtype.h"
#include "base/file.h"
#include "kernels/kernels.h"
SG_C_BEGIN
/*
 * One decoder (pre-norm Transformer, Vaswani et al. 2017) with named sites where
 * modules can be attached. Its description says which norm, which positions, how
 * many key heads, which maps have biases, whether the MLP is gated and whether
 * attention and MLP stand in series or side by side; an architecture
 * (model/arch.h) maps a configuration and tensor names onto it. It knows nothing
 * of grafts: it offers linear maps and hidden states that call hooks, slots for
 * whole blocks, and gradients for what is marked.
 *
 * Sites:
 *   layers.3.attn.q|k|v|o, layers.3.mlp.gate|up|down   linear maps of base block 3
 *                           (gate only where the MLP is gated)
 *   layers.3.mlp            beside the MLP of block 3, with its input
 *   layers.3.out            hidden state after block 3
 *   slot.4                  between base blocks 3 and 4 (slot.0 is below block 0)
 *   head                    the map to logits
 *   grown.<id16>.<rest>     the same inside or behind an inserted block
 */

enum { SG_Q, SG_K, SG_V, SG_O, SG_GATE, SG_UP, SG_DOWN, SG_LINEARS };
extern const char *const sg_linear_names[SG_LINEARS];	/* "attn.q", ..., "mlp.down" */

/* Vectors of a block: the biases of its maps in the order above, then these. */
enum { SG_NORM1 = SG_LINEARS, SG_NORM1_BIAS, SG_NORM2, SG_NORM2_BIAS, SG_QNORM, SG_KNORM, SG_VECS };
extern const char *const sg_vec_names[SG_VECS];		/* "attn.q.bias", ..., "attn.k_norm" */

/* How rotary frequencies differ from theta^(-2i/R) (model/rotary.c). */
enum sg_rope_kind { SG_ROPE_PLAIN, SG_ROPE_LINEAR, SG_ROPE_LLAMA3, SG_ROPE_YARN };
struct sg_rope {
	enum sg_rope_kind kind;
	double factor, low, high;	/* llama3: low, high frequency factor; yarn: beta slow, fast */
	double original;		/* positions before the scaling */
	bool whole;			/* yarn: the ramp ends at whole numbers */
};

/* What an architecture file fills from a configuration. */
struct sg_desc {
	char arch[16];			/* "llama", "substrate" */
	size_t vocab, d, layers, heads, kv_heads, head_dim, ffn;
	size_t max_pos;			/* longest segment that is computed as the configuration says */
	float eps;
	double rope_theta;
	struct sg_rope rope;
	float rope_gain;		/* factor of rotated queries and keys: 1 but for yarn */
	size_t rotary;			/* numbers of each head that positions turn; 0: none */
	enum sg_act act;
	bool tied;			/* head = embedding */
	bool has_head;			/* a trained head exists (tied or own) */
	bool layernorm;			/* mean and bias; else RMSNorm */
	bool gated;			/* the MLP is act(gate x) * up x, else act(up x) */
	bool parallel;			/* attention and MLP both read the block's input */
	bool qk_norm;			/* RMSNorm of each query and key head */
	bool learned_pos;		/* a table of positions is added to the embedding ... */
	size_t pos_first;		/* ... its rows before this one are not positions */
	bool windowed;			/* max_pos is an attention window */
	unsigned bias;			/* 1 << SG_Q ... of the maps that have one */
	uint64_t seed;			/* substrate: of the token code */
};
/* Does a model of this kind have the tensor, by our name ("layers.2.attn.q.bias", "pos")? */
bool sg_desc_has(const struct sg_desc *d, const char *ours);

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

struct sg_vec {
	const float *v;			/* NULL: none (a norm: ones, a bias: zeros) */
	float *d;			/* NULL: frozen */
};

struct sg_linear {
	struct sg_mat w;		/* [out,in]; data NULL: no weight of its own (y starts at 0) */
	size_t out, in;			/* 0: the block has no such map */
	float *dw;			/* NULL: frozen */
	struct sg_vec bias;		/* [out]; part of y before the hooks run */
	struct sg_hook *hooks;
};

struct sg_block {
	char name[40];			/* "layers.3" or "grown.<id16>" */
	size_t order;			/* 2 * slot for inserted blocks, 2 * layer + 1 for base blocks */
	size_t heads, kv_heads, head_dim, ffn;
	struct sg_linear lin[SG_LINEARS];
	struct sg_vec norm[2], shift[2];	/* of the norms before attention and before MLP; [d] */
	struct sg_vec qk[2];		/* norms of query and key heads; [head_dim] */
	struct sg_hook *mlp;		/* beside the MLP: x is what it reads, y what it gives */
	struct sg_hook *out;		/* hidden site behind the block */
};

struct sg_model {
	struct sg_desc desc;
	struct sg_device *dev;		/* borrowed */
	struct sg_mat embed;		/* [vocab,d] */
	struct sg_mat pos;		/* [rows,d]; data NULL: none */
	struct sg_vec norm, shift;	/* final, [d] */
	struct sg_linear head;
	struct sg_block **blocks;	/* in order of computation; owned */
	size_t n, cap;
	float *inv_freq;		/* [rotary / 2] */
	float *own;			/* f32 copies of all vectors */
	size_t weights;			/* bytes of all stored tensors, mapped or copied */
	void **placed;			/* weights copied: all to a device that is not the CPU, else interleaved ones */
	size_t n_placed, cap_placed;
};

struct sg_checkpoint;
/*
 * Builds the decoder over the checkpoint's weights, which stay borrowed and mapped;
 * ckpt and dev must outlive the model. NOMEM, CORRUPT; REFUSED, before anything is
 * allocated, when the weights are more than there is memory (base/room.h). On a CPU weights are read
 * where they lie, also those stored as their transpose or beside others; only
 * query, key and value maps whose rows are interleaved head by head (GPT-NeoX) are
 * copied apart, in their stored type: a quarter of a block's weights.
 */
int sg_model_init(struct sg_model *m, const struct sg_checkpoint *ckpt, struct sg_device *dev);
void sg_model_release(struct sg_model *m);

enum sg_site_kind { SG_SITE_LINEAR, SG_SITE_HIDDEN, SG_SITE_SLOT, SG_SITE_HEAD, SG_SITE_MLP };
struct sg_site {
	enum sg_site_kind kind;
	struct sg_linear *lin;		/* LINEAR, HEAD */
	struct sg_block *block;		/* LINEAR, HIDDEN, MLP */
	size_t slot;			/* SLOT */
	size_t in, out;			/* LINEAR, HEAD: of the map; HIDDEN, MLP: d, d */
	enum sg_act act;		/* MLP: its activation */
};
/* NOTFOUND names the site and shows what sites look like. */
int sg_site_find(struct sg_site *out, struct sg_model *m, const char *name);
/* Every site whose name matches one of the comma-separated globs (fnmatch(3)),
 * in model order. NOTFOUND when a glob matches nothing. */
int sg_site_match(struct sg_names *out, struct sg_model *m, const char *globs);

void sg_hook_add(struct sg_hook **list, struct sg_hook *h);
/* A new block behind all of its order or less, weights unset; owned by the model. */
int sg_block_insert(struct sg_block **out, struct sg_model *m, const char *name, size_t order, size_t ffn);
/* Sets the shapes of all maps from the block's head counts and ffn. */
void sg_block_shape(struct sg_block *b, const struct sg_desc *d);
/* Vector i (SG_Q: bias of that map, ..., SG_NORM1, ...) and its length. */
struct sg_vec *sg_block_vec(struct sg_block *b, int i);
size_t sg_block_vec_size(const struct sg_block *b, const struct sg_desc *d, int i);
SG_C_END
#endif
