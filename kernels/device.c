#include "kernels/kernels.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "kernels/pool.h"
#include <dlfcn.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const struct sg_backend sg_cpu_backend_scalar;
#if defined(__x86_64__)
extern const struct sg_backend sg_cpu_backend_avx512, sg_cpu_backend_avx2;

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("fma");
}

static bool has_avx2(void)
{
	unsigned a, b, c = 0, d;

	/* older clangs know no "f16c" here */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) &&
	       c & bit_F16C;
}
#endif

static bool has_scalar(void)
{
	return true;
}

/* widest first */
static const struct { const char *name; const struct sg_backend *be; bool (*has)(void); } isas[] = {
#if defined(__x86_64__)
	{ "avx512", &sg_cpu_backend_avx512, has_avx512 },
	{ "avx2", &sg_cpu_backend_avx2, has_avx2 },
#endif
	{ "scalar", &sg_cpu_backend_scalar, has_scalar },
};

const char *sg_isa_name(size_t i, bool *usable)
{
	if (i >= SG_LEN(isas))
		return NULL;
	*usable = isas[i].has();
	return isas[i].name;
}

static int choose_isa(const struct sg_backend **out)
{
	const char *want = getenv("SG_ISA");

	for (size_t i = 0; i < SG_LEN(isas); i++) {
		if (want && *want && strcmp(want, isas[i].name))
			continue;
		if (isas[i].has()) {
			*out = isas[i].be;
			return 0;
		}
		if (want && *want)
			return sg_fail(SG_E_DEVICE, "SG_ISA=%s: this processor has no such instructions", want);
	}
	return sg_fail(SG_E_DEVICE, "SG_ISA=%s: unknown instruction set", want);
}

static int choose_threads(unsigned *out, unsigned threads)
{
	const char *s = getenv("SG_THREADS");
	long n;

	if (!threads && s && *s) {
		char *end;

		n = strtol(s, &end, 10);
		if (*end || n < 1 || n > 4096)
			return sg_fail(SG_E_USAGE, "SG_THREADS=%s: not a number of threads", s);
		threads = (unsigned)n;
	}
	n = threads ? (long)threads : sysconf(_SC_NPROCESSORS_ONLN);
	*out = n < 1 ? 1 : (unsigned)n;
	return 0;
}

static int open_cpu(struct sg_device *d, unsigned threads)
{
	int rc;

	SG_TRY(choose_isa(&d->be));
	SG_TRY(choose_threads(&threads, threads));
	SG_TRY(sg_pool_new(&d->pool, threads));
	rc = d->be->init(d);
	if (rc < 0)
		sg_pool_free(d->pool);
	return rc;
}

/* NULL when it is not there; a library that is there and fails says why */
static void *load(const char *dir, char *why, size_t n)
{
	char *path = sg_path_join(dir, "libsg_cuda.so");
	void *h = NULL;

	if (path && sg_file_exists(path)) {
		h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!h)
			snprintf(why, n, "%s", dlerror());
	}
	free(path);
	return h;
}

/* The library stands beside the program (a build folder), or is installed.
 * It stays loaded: a driver does not take well to being unloaded. */
static int load_cuda(const struct sg_backend **out)
{
	static const struct sg_backend *be;
	char dir[4096], *slash, why[512] = "no libsg_cuda.so beside the program or in " SG_LIBDIR;
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	void *h = NULL;

	if (be) {
		*out = be;
		return 0;
	}
	if (n > 0) {
		dir[n] = 0;
		slash = strrchr(dir, '/');
		if (slash)
			*slash = 0;
		h = load(dir, why, sizeof(why));
	}
	if (!h)
		h = load(SG_LIBDIR, why, sizeof(why));
	if (!h)
		return sg_fail(SG_E_DEVICE, "cannot load the CUDA backend: %s", why);
	be = dlsym(h, "sg_backend_cuda");
	if (!be)
		return sg_fail(SG_E_DEVICE, "libsg_cuda.so has no sg_backend_cuda");
	if (strcmp(be->ops, SG_OPS) || be->size != sizeof(*be)) {
		be = NULL;
		return sg_fail(SG_E_DEVICE, "libsg_cuda.so is of another build of sg");
	}
	*out = be;
	return 0;
}

static int open_cuda(struct sg_device *d, const char *name)
{
	char *end = NULL;
	long index = name[4] ? strtol(name + 5, &end, 10) : 0;

	if (name[4] && (end == name + 5 || *end || index < 0 || index > 1023))
		return sg_fail(SG_E_NOTFOUND, "no such device '%s'", name);
	SG_TRY(load_cuda(&d->be));
	d->index = (int)index;
	return d->be->init(d);
}

static int open_named(struct sg_device *d, const char *name, unsigned threads)
{
	if (!strcmp(name, "cpu"))
		return open_cpu(d, threads);
	if (!strcmp(name, "cuda") || !strncmp(name, "cuda:", 5))
		return open_cuda(d, name);
	if (strcmp(name, "auto"))
		return sg_fail(SG_E_NOTFOUND, "no such device '%s'", name);
	if (open_cuda(d, "cuda") == 0)
		return 0;
	*d = (struct sg_device){ 0 };
	return open_cpu(d, threads);
}

int sg_device_open(struct sg_device *d, const char *name, unsigned threads)
{
	int rc;

	*d = (struct sg_device){ 0 };
	rc = open_named(d, name, threads);
	if (rc < 0)
		*d = (struct sg_device){ 0 };
	return rc;
}

void sg_device_close(struct sg_device *d)
{
	if (d->be)
		d->be->release(d);
	sg_pool_free(d->pool);
	*d = (struct sg_device){ 0 };
}
