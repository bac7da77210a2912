#ifndef SG_KERNELS_CPU_H
#define SG_KERNELS_CPU_H
/*
 * Inside of the CPU backend: the files that include this are compiled once for
 * each instruction set, SG_ISA naming it, and all external names carry it.
 */
#include "base/error.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"
#if defined(__AVX2__)
# include <immintrin.h>
#endif
SG_C_BEGIN
#define SG_CPU_(name, isa) sg_cpu_##name##_##isa
#define SG_CPU_X(name, isa) SG_CPU_(name, isa)
#define SG_CPU(name) SG_CPU_X(name, SG_ISA)

#define SG_OP(name, ...) int SG_CPU(name)(struct sg_device *d, __VA_ARGS__);
#include "kernels/ops.def"
#undef SG_OP

/* A register of VL floats. Only exact operations and IEEE ones are used, so the
 * width cannot be seen in a result. */
#if defined(__AVX512F__)
# define VL 16
typedef __m512 vf;
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
#elif defined(__AVX2__)
# define VL 8
typedef __m256 vf;
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
#else
# define VL 1
typedef float vf;
static inline vf vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, vf a) { *p = a; }
static inline vf vf_set(float x) { return x; }
static inline vf vf_fma(vf a, vf b, vf c) { return __builtin_fmaf(a, b, c); }
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_max(vf a, vf b) { return a > b ? a : b; }
#endif

/*
 * A long sum inside one row has a fixed shape, whatever the register width: 16
 * lanes, lane l a chain over elements l, l + 16, ..., then lanes joined as a
 * tree, 16 to 8 to 4 to 2 to 1, each half to the other.
 */
#define LANES 16
struct lanes { vf v[LANES / VL]; };

static inline float lanes_join(const struct lanes *a)
{
	float s[LANES];

	for (int i = 0; i < LANES / VL; i++)
		vf_store(s + i * VL, a->v[i]);
	for (int half = LANES / 2; half; half /= 2)
		for (int i = 0; i < half; i++)
			s[i] = s[i] + s[i + half];
	return s[0];
}

/* sum of x[i] * y[i] */
static inline float lanes_dot(const float *x, const float *y, size_t n)
{
	struct lanes a;
	float s[LANES];
	size_t i = 0;

	for (int k = 0; k < LANES / VL; k++)
		a.v[k] = vf_set(0);
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_fma(vf_load(x + i + k * VL), vf_load(y + i + k * VL), a.v[k]);
	if (i < n) {
		for (int k = 0; k < LANES / VL; k++)
			vf_store(s + k * VL, a.v[k]);
		for (int k = 0; i < n; k++, i++)
			s[k] = sg_fmaf(x[i], y[i], s[k]);
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_load(s + k * VL);
	}
	return lanes_join(&a);
}

/* sum of x[i] */
static inline float lanes_sum(const float *x, size_t n)
{
	struct lanes a;
	float s[LANES];
	size_t i = 0;

	for (int k = 0; k < LANES / VL; k++)
		a.v[k] = vf_set(0);
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_add(a.v[k], vf_load(x + i + k * VL));
	if (i < n) {
		for (int k = 0; k < LANES / VL; k++)
			vf_store(s + k * VL, a.v[k]);
		for (int k = 0; i < n; k++, i++)
			s[k] += x[i];
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_load(s + k * VL);
	}
	return lanes_join(&a);
}

/* largest of n > 0 numbers, nan passed over; the order cannot matter */
static inline float lanes_max(const float *x, size_t n)
{
	struct lanes a;
	float s[LANES], m = x[0];
	size_t i = 0;

	for (int k = 0; k < LANES / VL; k++)
		a.v[k] = vf_set(-__builtin_inff());
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_max(vf_load(x + i + k * VL), a.v[k]);
	for (int k = 0; k < LANES / VL; k++)
		vf_store(s + k * VL, a.v[k]);
	m = s[0];
	for (int k = 1; k < LANES; k++)
		m = s[k] > m ? s[k] : m;
	for (; i < n; i++)
		m = x[i] > m ? x[i] : m;
	return m;
}

/* Rows of width w that make a grain of about `cost` elements. */
static inline size_t grain_rows(size_t w, size_t cost)
{
	return w >= cost ? 1 : cost / SG_MAX(w, 1);
}
SG_C_END
#endif
