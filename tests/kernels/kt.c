#include "tests/kernels/kt.h"
#include "base/error.h"
#include "base/fmath.h"
#include "base/rng.h"
#include <dlfcn.h>
#include <math.h>
#include <unistd.h>

#define GUARD 64
#define MAGIC 0x5ea1ed00u
#define POISON 0x7fc0deadu

static struct kt_buf *find(struct kt *t, const void *dev)
{
	for (size_t i = 0; i < t->nbuf; i++)
		if (t->buf[i].dev == dev)
			return &t->buf[i];
	abort();
}

/* n floats in the middle of guard words, on the host and on the device */
static struct kt_buf *make(struct kt *t, size_t n, bool written)
{
	struct kt_buf *b = &t->buf[t->nbuf++];
	size_t shift = t->gpu ? 0 : 1, all = n + 2 * GUARD + shift;
	void *p = NULL;

	if (t->nbuf > SG_LEN(t->buf) || t->d.be->alloc(&t->d, &p, all * sizeof(float)) < 0)
		abort();
	*b = (struct kt_buf){ .n = n, .written = written, .base = p, .dev = (float *)p + GUARD + shift };
	b->before = (float *)calloc(all, sizeof(float)) + GUARD;
	b->after = (float *)calloc(all, sizeof(float)) + GUARD;
	for (size_t i = 0; i < n + 2 * GUARD; i++)
		b->before[i - GUARD] = sg_f32_of(i < GUARD || i >= GUARD + n ? MAGIC + (uint32_t)i : POISON);
	return b;
}

static void *send(struct kt *t, struct kt_buf *b)
{
	t->d.be->put(&t->d, b->dev - GUARD, b->before - GUARD, (b->n + 2 * GUARD) * sizeof(float));
	return b->dev;
}

static float *filled(struct kt *t, size_t n, float size, bool written)
{
	struct kt_buf *b = make(t, n, written);

	sg_rng_normal(b->before, n, 77, t->nbuf);
	for (size_t i = 0; i < n; i++)
		b->before[i] *= size;
	return send(t, b);
}

float *kt_in(struct kt *t, size_t n, float size)
{
	return filled(t, n, size, false);
}

float *kt_inout(struct kt *t, size_t n, float size)
{
	return filled(t, n, size, true);
}

float *kt_out(struct kt *t, size_t n)
{
	return send(t, make(t, n, true));
}

int32_t *kt_ints(struct kt *t, const int32_t *v, size_t n)
{
	struct kt_buf *b = make(t, n, false);

	memcpy(b->before, v, n * sizeof(*v));
	return send(t, b);
}

/* Any bytes, with scales of a sane exponent. */
static struct sg_mat quantised(struct kt *t, enum sg_dtype dtype, size_t rows, size_t cols)
{
	size_t size = sg_dtypes[dtype].size, bytes = sg_dtype_bytes(dtype, rows * cols);
	struct kt_buf *b = make(t, (bytes + 3) / 4, false);
	unsigned char *p = (unsigned char *)b->before;
	uint64_t stream = t->nbuf;

	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)(sg_rng_u64(6, stream, i) >> 30);
	for (size_t i = 0; i < bytes; i += size) {
		unsigned char *d = p + i + (dtype == SG_Q6_K ? size - 2 : 0);

		d[1] = (unsigned char)((d[1] & 0x83) | 0x24);
		if (dtype != SG_Q6_K)
			p[i + 3] = (unsigned char)((p[i + 3] & 0x83) | 0x20);
	}
	return (struct sg_mat){ .data = send(t, b), .dtype = dtype, .rows = rows, .cols = cols };
}

struct sg_mat kt_mat(struct kt *t, enum sg_dtype dtype, size_t rows, size_t cols, float size)
{
	size_t n = rows * cols;
	struct kt_buf *b;

	if (dtype == SG_F32)
		return (struct sg_mat){ .data = kt_in(t, n, size), .dtype = dtype, .rows = rows, .cols = cols };
	if (sg_dtype_quantised(dtype))
		return quantised(t, dtype, rows, cols);
	b = make(t, (n + 1) / 2, false);
	for (size_t i = 0; i < n; i++) {
		uint64_t r = sg_rng_u64(5, t->nbuf, i);
		uint16_t h = (uint16_t)(r >> 20);

		/* any bits with a sane exponent, and now and then a subnormal */
		if (dtype == SG_BF16)
			h = (uint16_t)((h & 0x80ff) | (r & 1 ? 0x3f00 : 0x3e00));
		else if (r & 15)
			h = (uint16_t)((h & 0x8fff) | 0x3000);
		else
			h &= 0x83ff;
		memcpy((char *)b->before + 2 * i, &h, 2);
	}
	return (struct sg_mat){ .data = send(t, b), .dtype = dtype, .rows = rows, .cols = cols };
}

const float *kt_was(struct kt *t, const void *dev)
{
	return find(t, dev)->before;
}

const float *kt_got(struct kt *t, const void *dev)
{
	return find(t, dev)->after;
}

static void complain(struct kt *t, const char *what, const char *why)
{
	if (!*t->bad)
		snprintf(t->bad, sizeof(t->bad), "%s: %s", what, why);
}

void kt_done(struct kt *t, int rc, const char *what)
{
	if (rc < 0)
		complain(t, what, sg_error_message());
	for (size_t i = 0; i < t->nbuf; i++) {
		struct kt_buf *b = &t->buf[i];
		const unsigned char *p = (const unsigned char *)b->after;

		t->d.be->get(&t->d, b->after - GUARD, b->dev - GUARD, (b->n + 2 * GUARD) * sizeof(float));
		if (memcmp(b->before - GUARD, b->after - GUARD, GUARD * sizeof(float)) ||
		    memcmp(b->before + b->n, b->after + b->n, GUARD * sizeof(float)))
			complain(t, what, "wrote outside a buffer");
		if (!b->written && memcmp(b->before, b->after, b->n * sizeof(float)))
			complain(t, what, "changed an input");
		for (size_t k = 0; b->written && k < b->n * sizeof(float); k++) {
			t->hash = (t->hash ^ p[k]) * 0x100000001b3u;
			if (!t->cpu_only)
				t->common = (t->common ^ p[k]) * 0x100000001b3u;
		}
	}
}

bool kt_cpu_only(struct kt *t)
{
	t->cpu_only = !t->gpu;
	return t->cpu_only;
}

int kt_answer(struct kt *t, int rc, const void *dev)
{
	float f;

	return rc < 0 ? rc : t->d.be->get(&t->d, &f, dev, sizeof(f));
}

bool kt_ref(const struct kt *t)
{
	return t->first || t->gpu;
}

double kt_err(const float *got, const double *want, size_t n)
{
	double d = 0, w = 0;

	for (size_t i = 0; i < n; i++) {
		d += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
		w += want[i] * want[i];
	}
	return w > 0 ? sqrt(d / w) : sqrt(d);
}

void kt_limit(struct kt *t, const char *what, double err, double limit)
{
	char s[80];

	snprintf(s, sizeof(s), "relative error %.3g is above %.3g", err, limit);
	if (!(err <= limit))
		complain(t, what, s);
}

void kt_clear(struct kt *t)
{
	for (size_t i = 0; i < t->nbuf; i++) {
		free(t->buf[i].before - GUARD);
		free(t->buf[i].after - GUARD);
		t->d.be->free(&t->d, t->buf[i].base);
	}
	t->nbuf = 0;
	t->cpu_only = false;
}

double *kt_doubles(size_t n)
{
	double *p = calloc(n, sizeof(*p));

	if (!p)
		abort();
	return p;
}

int kt_open_host(struct sg_device *d)
{
	static const struct sg_backend *be;
	char path[4096];
	ssize_t n = be ? 0 : readlink("/proc/self/exe", path, sizeof(path) - 40);
	char *slash;
	void *h;

	if (!be) {
		path[n > 0 ? n : 0] = 0;
		slash = strrchr(path, '/');
		strcpy(slash ? slash : path, "/cuda_host/libsg_cuda.so");
		h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		be = h ? dlsym(h, "sg_backend_cuda") : NULL;
		if (!be || strcmp(be->ops, SG_OPS) || be->size != sizeof(*be)) {
			be = NULL;
			return sg_fail(SG_E_DEVICE, "the kernels of CUDA for the host are not there, or of another build");
		}
	}
	*d = (struct sg_device){ .be = be };
	return be->init(d);
}

enum { CPU, HOST, BACKWARDS, GPU };
static const struct { const char *name; unsigned threads; int kind; } runs[] = {
	{ "avx512", 1, CPU }, { "avx512", 2, CPU }, { "avx512", 3, CPU }, { "avx2", 1, CPU }, { "avx2", 3, CPU },
	{ "scalar", 1, CPU }, { "scalar", 2, CPU },
	{ "cuda run by the host", 0, HOST }, { "cuda run by the host backwards", 0, BACKWARDS }, { "cuda", 0, GPU },
};

/* Host memory of a GPU is not what the kernels see: forwards, both are kept apart. */
static int open_run(struct kt *t, size_t i)
{
	t->gpu = runs[i].kind != CPU;
	setenv("SG_HOST_GUARD", runs[i].kind == HOST ? "1" : "0", 1);
	setenv("SG_HOST_BACKWARDS", runs[i].kind == BACKWARDS ? "1" : "0", 1);
	switch (runs[i].kind) {
	case CPU:
		setenv("SG_ISA", runs[i].name, 1);
		return sg_device_open(&t->d, "cpu", runs[i].threads);
	case GPU:
		return sg_device_open(&t->d, "cuda", 0);
	default:
		return kt_open_host(&t->d);
	}
}

const char *kt_run(kt_case fn)
{
	static char why[300];
	const char *was = getenv("SG_ISA"), *only = getenv("SG_TEST_DEVICE");
	char *keep = was ? strdup(was) : NULL;
	uint64_t hash = 0, common = 0;
	bool any = false;

	*why = 0;
	for (size_t i = 0; i < SG_LEN(runs) && !*why; i++) {
		struct kt t = { .first = !any };

		if ((only && strcmp(only, runs[i].name)) || open_run(&t, i) < 0)
			continue;
		fn(&t);
		kt_clear(&t);
		sg_device_close(&t.d);
		if (*t.bad)
			snprintf(why, sizeof(why), "%s, %u threads: %s", runs[i].name, runs[i].threads, t.bad);
		else if (any && (t.gpu ? t.common != common : t.hash != hash))
			snprintf(why, sizeof(why), "%s, %u threads: other bits than the first run", runs[i].name,
				 runs[i].threads);
		if (!any) {
			hash = t.hash;
			common = t.common;
		}
		any = true;
	}
	if (keep)
		setenv("SG_ISA", keep, 1);
	else
		unsetenv("SG_ISA");
	free(keep);
	if (!any)
		snprintf(why, sizeof(why), "nothing could run");
	return why;
}
