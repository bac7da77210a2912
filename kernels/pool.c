#include "kernels/pool.h"
#include "base/error.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS 256
/* How often a waiting thread looks before it sleeps: some hundred microseconds,
 * longer than the parts of one product take. A thread that sleeps too early wakes
 * up beside its caller, on the same processor, and helps nobody. */
#define SPIN 4000

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
	/*
	 * The job. It is written while it is closed and nobody is in it; a thread
	 * enters by counting itself `active`, then looks whether it is open. So
	 * the caller need not wait for a thread that has not woken up yet.
	 */
	sg_pool_fn fn;
	void *arg;
	size_t n, grain;
	atomic_size_t next;
	atomic_uint round, active;
	atomic_bool open, quit;
	bool inside;
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

/* Returns the round that has begun. */
static unsigned wait_round(struct sg_pool *p, unsigned seen)
{
	unsigned now;

	for (int i = 0; i < SPIN; i++) {
		now = atomic_load_explicit(&p->round, memory_order_acquire);
		if (now != seen)
			return now;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	while ((now = atomic_load_explicit(&p->round, memory_order_acquire)) == seen)
		pthread_cond_wait(&p->start, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return now;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sg_pool *p = w->pool;
	unsigned seen = 0;

	self = w->id;
	for (;;) {
		seen = wait_round(p, seen);
		if (atomic_load(&p->quit))
			return NULL;
		atomic_fetch_add(&p->active, 1);
		if (atomic_load(&p->open))
			run_grains(p, w->id);
		if (atomic_fetch_sub(&p->active, 1) == 1 && !atomic_load(&p->open)) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

static void next_round(struct sg_pool *p, size_t helpers)
{
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
	if (helpers + 1 >= p->threads)
		pthread_cond_broadcast(&p->start);
	else
		for (; helpers; helpers--)
			pthread_cond_signal(&p->start);
	pthread_mutex_unlock(&p->lock);
}

static void wait_done(struct sg_pool *p)
{
	for (int i = 0; i < SPIN; i++) {
		if (!atomic_load(&p->active))
			return;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	while (atomic_load(&p->active))
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
	atomic_store(&p->next, 0);
	atomic_store(&p->open, true);
	next_round(p, (n - 1) / grain);
	run_grains(p, 0);
	atomic_store(&p->open, false);
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
	atomic_store(&p->quit, true);
	next_round(p, p->threads);
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
