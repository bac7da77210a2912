#include "kernels/pool.h"
#include "base/error.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS 256
/* How often a waiting thread looks before it sleeps: some ten microseconds,
 * the gap between two kernels, and little enough for a shared machine. */
#define SPIN 2000

struct block { void *raw, *p; size_t size; };

struct worker {
	struct sg_pool *pool;
	pthread_t thread;
	struct block own;
	unsigned id;
	bool started;
};

struct sg_pool {
	unsigned threads;
	struct worker *w;
	struct block shared;
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	/* the job: written before `round` moves on, read after it was seen to */
	sg_pool_fn fn;
	void *arg;
	size_t n, grain;
	atomic_size_t next;
	atomic_uint round, busy;
	bool quit, inside;
};

/* Which worker this thread is; a thread that is none counts as the caller, 0. */
static _Thread_local unsigned self;

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void run_grains(struct sg_pool *p, unsigned id)
{
	size_t lo;

	while ((lo = atomic_fetch_add_explicit(&p->next, p->grain, memory_order_relaxed)) < p->n)
		p->fn(p->arg, lo, p->n - lo < p->grain ? p->n : lo + p->grain, id);
}

static void wait_round(struct sg_pool *p, unsigned seen)
{
	for (int i = 0; i < SPIN; i++) {
		if (atomic_load_explicit(&p->round, memory_order_acquire) != seen)
			return;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	while (atomic_load_explicit(&p->round, memory_order_acquire) == seen)
		pthread_cond_wait(&p->start, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sg_pool *p = w->pool;
	unsigned seen = 0;

	self = w->id;
	for (;;) {
		wait_round(p, seen);
		seen++;
		if (p->quit)
			return NULL;
		run_grains(p, w->id);
		if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_acq_rel) == 1) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

static void next_round(struct sg_pool *p)
{
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);
}

static void wait_done(struct sg_pool *p)
{
	for (int i = 0; i < SPIN; i++) {
		if (!atomic_load_explicit(&p->busy, memory_order_acquire))
			return;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	while (atomic_load_explicit(&p->busy, memory_order_acquire))
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void sg_pool_for(struct sg_pool *p, size_t n, size_t grain, sg_pool_fn fn, void *arg)
{
	if (!n)
		return;
	grain = SG_MAX(grain, 1);
	if (n <= grain || p->threads == 1 || p->inside) {
		for (size_t lo = 0; lo < n; lo += grain)
			fn(arg, lo, n - lo < grain ? n : lo + grain, p->inside ? self : 0);
		return;
	}
	p->fn = fn;
	p->arg = arg;
	p->n = n;
	p->grain = grain;
	p->inside = true;
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_store_explicit(&p->busy, p->threads - 1, memory_order_relaxed);
	next_round(p);
	run_grains(p, 0);
	wait_done(p);
	p->inside = false;
}

int sg_pool_new(struct sg_pool **out, unsigned threads)
{
	struct sg_pool *p = NULL;
	int rc;

	threads = SG_MIN(SG_MAX(threads, 1), MAX_THREADS);
	SG_TRY(SG_NEW(p, 1));
	p->threads = threads;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->start, NULL);
	pthread_cond_init(&p->done, NULL);
	rc = SG_NEW(p->w, threads);
	if (rc < 0)
		goto out;
	for (unsigned i = 0; i < threads; i++) {
		p->w[i].pool = p;
		p->w[i].id = i;
		if (i && pthread_create(&p->w[i].thread, NULL, work, &p->w[i])) {
			rc = sg_fail(SG_E_DEVICE, "cannot start thread %u of %u", i + 1, threads);
			goto out;
		}
		p->w[i].started = i > 0;
	}
	*out = p;
	p = NULL;
out:
	sg_pool_free(p);
	return rc;
}

void sg_pool_free(struct sg_pool *p)
{
	if (!p)
		return;
	p->quit = true;
	next_round(p);
	for (unsigned i = 0; p->w && i < p->threads; i++) {
		if (p->w[i].started)
			pthread_join(p->w[i].thread, NULL);
		free(p->w[i].own.raw);
	}
	pthread_cond_destroy(&p->start);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p->shared.raw);
	free(p->w);
	free(p);
}

unsigned sg_pool_threads(const struct sg_pool *p)
{
	return p->threads;
}

static int grow(struct block *b, size_t size)
{
	if (size <= b->size)
		return 0;
	free(b->raw);
	*b = (struct block){ 0 };
	if (!sg_sum(&size, size, 127))
		return sg_fail(SG_E_NOMEM, "scratch size overflows");
	b->raw = sg_calloc(size, 1);
	if (!b->raw)
		return -SG_E_NOMEM;
	b->p = (void *)(((uintptr_t)b->raw + 63) & ~(uintptr_t)63);
	b->size = size - 127;
	return 0;
}

int sg_pool_scratch(struct sg_pool *p, size_t own, size_t shared)
{
	for (unsigned i = 0; i < p->threads; i++)
		SG_TRY(grow(&p->w[i].own, own));
	return grow(&p->shared, shared);
}

void *sg_pool_own(const struct sg_pool *p, unsigned worker)
{
	return p->w[worker].own.p;
}

void *sg_pool_shared(const struct sg_pool *p)
{
	return p->shared.p;
}
