#ifndef SG_KERNELS_POOL_H
#define SG_KERNELS_POOL_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Persistent threads of the CPU backend, and their scratch memory. Work is cut
 * into grains whose borders depend on the sizes alone, never on the number of
 * threads; threads take the next free grain, so a busy machine does not stall
 * them. Grains write disjoint outputs: who ran one cannot show in the result.
 *
 * One caller at a time: a pool belongs to one device, and that to one thread.
 */
struct sg_pool;

int sg_pool_new(struct sg_pool **out, unsigned threads);
void sg_pool_free(struct sg_pool *p);
unsigned sg_pool_threads(const struct sg_pool *p);

/* fn gets [lo, hi) and the worker that runs it, 0 .. threads - 1. */
typedef void (*sg_pool_fn)(void *arg, size_t lo, size_t hi, unsigned worker);

/* fn over [0, n) in grains of `grain`, on all threads; returns when all is
 * done. One grain, or a call from inside fn, runs on the calling thread. */
void sg_pool_for(struct sg_pool *p, size_t n, size_t grain, sg_pool_fn fn, void *arg);

/* Scratch that lives until the next call: `own` bytes for each worker, `shared`
 * for all, 64-byte aligned, content undefined. Kept and only ever grown. */
int sg_pool_scratch(struct sg_pool *p, size_t own, size_t shared);
void *sg_pool_own(const struct sg_pool *p, unsigned worker);
void *sg_pool_shared(const struct sg_pool *p);
SG_C_END
#endif
