#ifndef SG_GRAFT_GRAFT_H
#define SG_GRAFT_GRAFT_H
#include "base/base.h"
#include "format/graftfile.h"
#include "model/model.h"
#include "tensor/slab.h"
SG_C_BEGIN
/*
 * A graft: a manifest (what it is), a slab of parameters (its payload) and, when
 * attached to a model, one part for each site.
 *
 * Life: new or load, then attach (sites are resolved, hooks and blocks join the
 * model), run or train, read the parameters, free. The model must be released
 * before its grafts, and forgets nothing: to drop a graft, compose again.
 */
struct sg_graft;

#define SG_PART_TENSORS 64

/* A graft at one of its sites. */
struct sg_part {
	struct sg_graft *g;
	const char *site;		/* borrowed from the manifest */
	struct sg_site at;
	struct sg_hook hook;
	size_t index[SG_PART_TENSORS];	/* tensors of this part in g->params, counted from 1; meaning by type */
	struct sg_tensor *t[SG_PART_TENSORS];	/* the same, once they are all declared */
	float *scratch;			/* type's floats for each token of a batch */
	float *fixed;			/* type's floats whatever the batch */
	float *sums;			/* type's sums of gradients, NULL when it does not train */
	void *own;			/* type's, while it listens */
	bool final;			/* type's: what it keeps there is that of parameters that will not change */
	uint64_t seed;			/* of the start */
};

struct sg_hyper { const char *key, *value, *help; };	/* a default as text */

struct sg_graft_type {
	const char *name;		/* stored in files: for ever */
	const char *brief;
	unsigned sites;			/* 1 << enum sg_site_kind: where it may stand */
	const char *default_sites;	/* globs */
	const struct sg_hyper *hyper;	/* known keys with defaults, NULL key ends */
	/* Settings that differ in kind, "key=value ...", and with "sites=globs" where the
	 * default sites are not meant; NULL ends, NULL: the defaults alone. Tests walk them. */
	const char *const *variants;
	/* Declare the part's tensors with sg_part_tensor. */
	int (*declare)(struct sg_part *p, const struct sg_model *m);
	/* Zero-effect start of a part's tensors. */
	int (*start)(struct sg_part *p, const struct sg_model *m, uint64_t seed);
	/* Floats of scratch a token; NULL: none. */
	size_t (*scratch)(const struct sg_part *p);
	/* Floats of p->fixed, zero at first, there before start; NULL: none. */
	size_t (*fixed)(const struct sg_part *p);
	/* Floats of p->sums, zeroed whenever gradients are: for a type whose gradients are made
	 * from sums over all tokens, so that they do not depend on how a step is cut. NULL: none. */
	size_t (*sums)(const struct sg_part *p);
	/* Training data before the first step, in rounds that count from 0: parts that listen
	 * see what passes their site forward and backward, while the graft has no effect yet.
	 * Bytes that the part holds in this round, 0: it does not listen. NULL: none does. */
	size_t (*listen_bytes)(const struct sg_part *p, unsigned round);
	int (*listen)(struct sg_part *p, unsigned round);
	/* The round is over: use what was heard, and free it. Also called after a failure; safe
	 * for a part that does not listen. */
	int (*heard)(struct sg_part *p, unsigned round, bool ok);
	/* Join the model. */
	int (*attach)(struct sg_part *p, struct sg_model *m);
	/* Merge law: dw [out,in], host memory, += the change of this linear site's
	 * weight, exact in real arithmetic. NULL: cannot be folded into a weight. Not called
	 * for a site of another kind. */
	int (*delta)(struct sg_part *p, float *dw);
	/* The same change as left [out,rank] right [rank,in], both yours: what a low-rank
	 * adapter of other programs can hold. NULL: is none. */
	int (*factors)(struct sg_part *p, float **left, float **right, size_t *rank);
	/* Adds to the manifest what can only be said of the final numbers; before the id. */
	int (*seal)(struct sg_graft *g);
	/* The same for the bias that the map of the base has: db [out]. Returns 1 when it
	 * changes, else 0; db NULL only asks. NULL: never. */
	int (*delta_bias)(struct sg_part *p, float *db);
	/* The other merge law, of a part at an MLP: the tensor that goes beside the MLP's map lin,
	 * below its rows (SG_GATE, SG_UP) or behind its columns (SG_DOWN). NULL: has none. */
	const struct sg_tensor *(*wider)(const struct sg_part *p, int lin);
};

#define SG_GRAFT(name) extern const struct sg_graft_type sg_graft_##name;
#include "graft/types.def"
#undef SG_GRAFT
extern const struct sg_graft_type *const sg_graft_types[];	/* NULL ends */
const struct sg_graft_type *sg_graft_type_find(const char *name);

struct sg_graft {
	const struct sg_graft_type *type;
	struct sg_graftfile file;	/* tensors are filled by sg_graft_seal */
	char id[SG_SHA256_HEX];		/* "" until sealed or loaded */
	struct sg_slab params, grads;	/* grads only when it trains */
	struct sg_part *part;		/* one for each site, after attach */
	size_t n, cap;			/* parts; tokens of scratch */
	bool trains;
	bool hold;			/* what a step takes as constant is not computed anew: finite
					 * differences then see what the gradient is of */
	float *scratch;
	struct sg_device *dev;
};

/* A graft to be trained on `base` at these sites, with hyperparameters given as
 * "key=value" over the type's defaults. REFUSED: unknown type, key or value. */
int sg_graft_new(struct sg_graft **out, const char *type, const struct sg_names *sites,
		 const struct sg_names *hyper, const char *base);
/* From a manifest's bytes (graft.json); parameters are read at attach. */
int sg_graft_parse(struct sg_graft **out, const char *data, size_t n, const char *what);
void sg_graft_free(struct sg_graft *g);

/* Where parameters come from: bytes of tensor `name`, checked against sha256. */
struct sg_graft_source {
	int (*read)(void *arg, void *out, size_t n, const char *name, const char *sha256);
	void *arg;
};

/*
 * Joins the model for batches of at most `cap` tokens. src NULL: a new graft,
 * started from `seed`; else the payload is read. trains: gradients are kept and
 * parameters that are not frozen may be changed. REFUSED when a site does not
 * fit the type or the manifest's shapes do not fit the model.
 */
int sg_graft_attach(struct sg_graft *g, struct sg_model *m, size_t cap, bool trains, uint64_t seed,
		    const struct sg_graft_source *src);

/* Fills the manifest's tensors from the parameters and computes the id. */
int sg_graft_seal(struct sg_graft *g);
/* A tensor's bytes in host memory, yours to free. */
int sg_graft_tensor(float **out, const struct sg_graft *g, const struct sg_tensor *t);
/* to[t->n], host memory, += the tensor. */
int sg_graft_tensor_add(float *to, const struct sg_graft *g, const struct sg_tensor *t);
size_t sg_graft_trained(const struct sg_graft *g);	/* parameters that train */

/* For type files. A key that the manifest lacks has the type's default. */
int64_t sg_graft_int(const struct sg_graft *g, const char *key);
double sg_graft_num(const struct sg_graft *g, const char *key);
const char *sg_graft_str(const struct sg_graft *g, const char *key);
/* Declares "<site>.<name>" (or "<name>" where a graft has one site by nature). */
int sg_part_tensor(struct sg_part *p, size_t i, const char *name, size_t rows, size_t cols, bool frozen);
static inline float *sg_part_data(const struct sg_part *p, size_t i)
{
	return sg_slab_ptr(&p->g->params, p->t[i]);
}
/* Gradient of tensor i, NULL when it is not trained. */
static inline float *sg_part_grad(const struct sg_part *p, size_t i)
{
	return p->g->trains && !p->t[i]->frozen ? p->g->grads.data + p->t[i]->at : NULL;
}
static inline struct sg_mat sg_part_mat(const struct sg_part *p, size_t i)
{
	return (struct sg_mat){ .data = sg_part_data(p, i), .dtype = SG_F32, .rows = p->t[i]->shape[0],
				.cols = p->t[i]->shape[1] };
}
/* Host values into tensor i of the device. */
int sg_part_put(struct sg_part *p, size_t i, const float *v);
/* Normal numbers times `std`, from the seed and the tensor's name. */
int sg_part_normal(struct sg_part *p, size_t i, float std, uint64_t seed);
int sg_part_fill(struct sg_part *p, size_t i, float v);
/* The weight of a map that has one, [out,in], widened in host memory, yours. */
int sg_linear_weight(float **out, const struct sg_linear *l, struct sg_device *dev);
/* The weight of the part's map, [out,in], widened in host memory, yours. REFUSED when it has none. */
int sg_part_weight(float **out, const struct sg_part *p);
/* The same for its bias, [out]; NULL when it has none. */
int sg_part_bias(float **out, const struct sg_part *p);
/* y += s B (A x) and back, through u and du [cap,rank]; for types that are such a change, with parameters a [rank,in] and
 * b [out,rank]. bwd after fwd of the same rows. */
int sg_lowrank_fwd(struct sg_part *p, size_t a, size_t b, float s, float *y, const float *x, float *u, size_t N);
int sg_lowrank_bwd(struct sg_part *p, size_t a, size_t b, float s, float *dx, const float *dy, const float *x, float *u,
		   float *du, size_t N);
/* The hook of a part that is one: at its linear map, hidden state or MLP. 0 always. */
typedef int sg_part_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep);
typedef int sg_part_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N);
int sg_part_join(struct sg_part *p, sg_part_fwd *fwd, sg_part_bwd *bwd);
/* Factors A [rank,in] and B [out,rank] with the hyperparameters rank and alpha: checked and
 * declared; s = alpha / rank. */
int sg_lowrank_declare(struct sg_part *p, size_t a, size_t b);
size_t sg_lowrank_rank(const struct sg_graft *g);
float sg_lowrank_scale(const struct sg_graft *g);
/* They themselves, without s: struct sg_graft_type's factors. */
int sg_lowrank_factors(struct sg_part *p, size_t a, size_t b, float **left, float **right, size_t *rank);
/* dw += s B A, by host memory */
int sg_lowrank_delta(struct sg_part *p, size_t a, size_t b, float s, float *dw);
/* A as PEFT starts it: uniform in +-1/sqrt(in). */
int sg_lowrank_start(struct sg_part *p, size_t a, uint64_t seed);
SG_C_END
#endif
