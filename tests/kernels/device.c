#include "base/error.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "tests/kernels/kt.h"

static bool says(const char *what)
{
	return strstr(sg_error_message(), what) != NULL;
}

static int open_with(const char *var, const char *value, const char *name)
{
	const char *was = getenv(var);
	char *keep = was ? strdup(was) : NULL;
	struct sg_device d;
	int rc;

	setenv(var, value, 1);
	rc = sg_device_open(&d, name, 0);
	sg_device_close(&d);
	if (keep)
		setenv(var, keep, 1);
	else
		unsetenv(var);
	free(keep);
	return rc;
}

TEST(device_names)
{
	struct sg_device d;

	CHECK(sg_device_open(&d, "gpu", 1) == -SG_E_NOTFOUND && says("'gpu'") && !d.be);
	sg_device_close(&d);
	CHECK(sg_device_open(&d, "cuda:", 1) == -SG_E_NOTFOUND && says("'cuda:'"));
	CHECK(sg_device_open(&d, "cuda:x", 1) == -SG_E_NOTFOUND);
	CHECK(sg_device_open(&d, "cudax", 1) == -SG_E_NOTFOUND);
	PASS(sg_device_open(&d, "cpu", 1));
	CHECK(!strcmp(d.be->name, "cpu") && !strcmp(d.fingerprint, "cpu-f32-kseq-1"));
	sg_device_close(&d);
	sg_device_close(&d);
	PASS(sg_device_open(&d, "auto", 1));
	sg_device_close(&d);
}

TEST(device_environment)
{
	CHECK(open_with("SG_ISA", "mmx", "cpu") == -SG_E_DEVICE && says("mmx"));
	CHECK(open_with("SG_ISA", "scalar", "cpu") == 0);
	CHECK(open_with("SG_THREADS", "0", "cpu") == -SG_E_USAGE && says("SG_THREADS"));
	CHECK(open_with("SG_THREADS", "2x", "cpu") == -SG_E_USAGE);
	CHECK(open_with("SG_THREADS", "3", "cpu") == 0);
}

/* Without a GPU or its library the answer is an error that says why. */
TEST(device_cuda)
{
	struct sg_device d;

	if (sg_device_open(&d, "cuda", 0) < 0) {
		CHECK(*sg_error_message() && !d.be);
		SKIP("cuda");
	}
	sg_device_close(&d);
	CHECK(sg_device_open(&d, "cuda:999", 0) == -SG_E_DEVICE && says("999"));
}

TEST(device_memory)
{
	struct sg_device d;
	void *p = NULL;
	char back[5];

	PASS(sg_device_open(&d, "cpu", 1));
	PASS(d.be->alloc(&d, &p, 5));
	CHECK((uintptr_t)p % 64 == 0);
	PASS(d.be->put(&d, p, "abcd", 5));
	PASS(d.be->get(&d, back, p, 5));
	CHECK(!strcmp(back, "abcd"));
	d.be->free(&d, p);
	d.be->free(&d, NULL);
	CHECK(d.be->alloc(&d, &p, SIZE_MAX - 8) == -SG_E_NOMEM);
	sg_device_close(&d);
}

/* The text of the kernels, run by the host: opened like a GPU, found out like one. */
TEST(device_cuda_host)
{
	struct sg_device d;
	void *p = NULL;
	char back[5];

	if (kt_open_host(&d) < 0)
		SKIP("c++");
	CHECK(!strcmp(d.fingerprint, SG_NUMERICS) && *d.about);
	PASS(d.be->alloc(&d, &p, 5));
	PASS(d.be->put(&d, p, "abcd", 5));
	PASS(d.be->get(&d, back, p, 5));
	CHECK(!strcmp(back, "abcd"));
	d.be->free(&d, p);
	d.be->free(&d, NULL);
	CHECK(d.be->alloc(&d, &p, SIZE_MAX - 8) == -SG_E_NOMEM && says("asked") && says("free"));
	sg_device_close(&d);
}

struct seen { unsigned char hit[1000]; struct sg_pool *pool; unsigned threads; bool wrong; };

static void mark(void *arg, size_t lo, size_t hi, unsigned w)
{
	struct seen *s = arg;

	if (w >= s->threads || hi - lo > 7 || lo % 7)
		s->wrong = true;
	for (; lo < hi; lo++)
		s->hit[lo]++;
}

static void nested(void *arg, size_t lo, size_t hi, unsigned w)
{
	struct seen *s = arg;

	(void)w;
	for (; lo < hi; lo++)
		if (lo == 5)
			sg_pool_for(s->pool, sizeof(s->hit), 7, mark, s);
}

TEST(pool_covers)
{
	for (unsigned threads = 1; threads < 5; threads++) {
		struct seen s = { .threads = threads };

		PASS(sg_pool_new(&s.pool, threads));
		CHECK(sg_pool_threads(s.pool) == threads);
		for (int round = 0; round < 200; round++)
			sg_pool_for(s.pool, sizeof(s.hit), 7, mark, &s);
		sg_pool_for(s.pool, 40, 1, nested, &s);
		sg_pool_for(s.pool, 0, 7, mark, &s);
		for (size_t i = 0; i < sizeof(s.hit); i++)
			CHECK(s.hit[i] == 201);
		CHECK(!s.wrong);
		PASS(sg_pool_scratch(s.pool, 1000, 100));
		for (unsigned w = 0; w < threads; w++) {
			CHECK((uintptr_t)sg_pool_own(s.pool, w) % 64 == 0);
			memset(sg_pool_own(s.pool, w), 1, 1000);
		}
		memset(sg_pool_shared(s.pool), 1, 100);
		sg_pool_free(s.pool);
	}
	sg_pool_free(NULL);
}
