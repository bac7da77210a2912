#ifndef SG_BASE_RNG_H
#define SG_BASE_RNG_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Counter-based random numbers: a value depends on (seed, stream, index) only,
 * never on the order of calls, so any part of a run can be made again alone.
 * The mixer is SplitMix64's finaliser (Steele, Lea, Flood 2014) applied twice.
 */
uint64_t sg_rng_u64(uint64_t seed, uint64_t stream, uint64_t index);
/* Stream number of a name (first 8 bytes of its SHA-256). */
uint64_t sg_rng_stream(const char *name);
/* Uniform in [0, n) without modulo bias worth speaking of (128-bit multiply). */
uint64_t sg_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);
/* Uniform in (0, 1), 23 bits and a half: never 0, never 1. */
float sg_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* n standard normals, out[i] at index i; Box-Muller over fmath.h: the same
 * bits on every platform. */
void sg_rng_normal(float *out, size_t n, uint64_t seed, uint64_t stream);
/* A permutation of 0..n-1 (Fisher-Yates). */
void sg_rng_shuffle(uint32_t *out, size_t n, uint64_t seed, uint64_t stream);
SG_C_END
#endif
