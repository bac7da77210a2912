#ifndef SG_TESTS_KERNELS_KT_H
#define SG_TESTS_KERNELS_KT_H
/*
 * Running one operation on every backend. A case makes its buffers with kt_in,
 * kt_out, kt_inout, calls the operation, then kt_done, and compares kt_got with
 * an f64 reference where kt_ref says so. KT_TEST runs the case on each
 * instruction set with 1, 2 and 3 threads, on the kernels of CUDA run by the host
 * (tests/cuda_host) forwards and backwards, and on a GPU where there is one, and
 * demands equal bits of all. SG_TEST_DEVICE=cuda: the GPU alone, for tools that slow it.
 *
 * Every buffer stands between guard words; outputs start as nan; buffers of the
 * CPU are off by one float from any alignment.
 */
#include "kernels/kernels.h"
#include "tests/test.h"

struct kt_buf { float *before, *after, *dev, *base; size_t n; bool written; };
struct kt {
	struct sg_device d;
	struct kt_buf buf[24];
	size_t nbuf;
	uint64_t hash, common;	/* of all outputs of the run; of those that every backend computes */
	bool first, gpu;	/* gpu: also when the host runs the kernels */
	bool cpu_only;		/* this case is for CPUs */
	char bad[200];
};

/* Standard normals times `size`; different for each buffer of a case. */
float *kt_in(struct kt *t, size_t n, float size);
float *kt_inout(struct kt *t, size_t n, float size);
float *kt_out(struct kt *t, size_t n);
int32_t *kt_ints(struct kt *t, const int32_t *v, size_t n);
/* A matrix of the dtype, with values that it can hold. */
struct sg_mat kt_mat(struct kt *t, enum sg_dtype dtype, size_t rows, size_t cols, float size);

/* What stood in the buffer before the call, and after it. */
const float *kt_was(struct kt *t, const void *dev);
const float *kt_got(struct kt *t, const void *dev);

/* Fetch, check guards and inputs, hash outputs, forget nothing. */
void kt_done(struct kt *t, int rc, const char *what);
/* False on a GPU: leave the case out. On a CPU it then counts among CPUs only, until kt_clear. */
bool kt_cpu_only(struct kt *t);
/* The operation's answer once the device is done: a GPU finds bad input late. */
int kt_answer(struct kt *t, int rc, const void *dev);
/* Compare with the reference in this run? (the first CPU run and any GPU run) */
bool kt_ref(const struct kt *t);
/* |got - want| / |want| over n, or over all when `rows` is 0 */
double kt_err(const float *got, const double *want, size_t n);
void kt_limit(struct kt *t, const char *what, double err, double limit);
/* Release the buffers of the case. */
void kt_clear(struct kt *t);
double *kt_doubles(size_t n);

/* The kernels of CUDA, run by the host; DEVICE when they were not built. */
int kt_open_host(struct sg_device *d);

typedef void (*kt_case)(struct kt *t);
/* "" or what went wrong; *skip when nothing could run */
const char *kt_run(kt_case fn);

#define KT_TEST(id) \
	static void kt_##id(struct kt *t); \
	TEST(kernel_##id) \
	{ \
		const char *bad_ = kt_run(kt_##id); \
		if (*bad_) \
			sg_test_fail(__FILE__, __LINE__, "%s", bad_); \
	} \
	static void kt_##id(struct kt *t)
#endif
