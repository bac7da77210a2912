#include "registry/crew.h"
#include "base/error.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>

struct sg_crew {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct sg_task *head, **tail;
	pthread_t *thread;
	unsigned n;
	bool stop;
};

/* The message is the thread's, so it travels with the task. */
static void run(struct sg_task *t)
{
	t->fn(t);
	if (t->rc < 0)
		snprintf(t->error, sizeof(t->error), "%s", sg_error_message());
}

static void *worker(void *arg)
{
	struct sg_crew *c = arg;
	struct sg_task *t;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->head && !c->stop)
			pthread_cond_wait(&c->work, &c->lock);
		t = c->head;
		if (!t)
			break;
		c->head = t->next;
		if (!c->head)
			c->tail = &c->head;
		pthread_mutex_unlock(&c->lock);
		run(t);
		pthread_mutex_lock(&c->lock);
		t->done = true;
		pthread_cond_broadcast(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int sg_crew_open(struct sg_crew **out, unsigned threads)
{
	struct sg_crew *c;
	sigset_t all, old;

	*out = NULL;
	SG_TRY(SG_NEW(c, 1));
	if (SG_NEW(c->thread, threads) < 0) {
		free(c);
		return -SG_E_NOMEM;
	}
	c->tail = &c->head;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->done, NULL);
	/* signals are for the thread that knows what to do with them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (c->n < threads && !pthread_create(&c->thread[c->n], NULL, worker, c))
		c->n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (c->n)
		*out = c;
	else
		sg_crew_free(c);
	return 0;
}

void sg_crew_free(struct sg_crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n; i++)
		pthread_join(c->thread[i], NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	free(c->thread);
	free(c);
}

void sg_crew_give(struct sg_crew *c, struct sg_task *t)
{
	t->done = false;
	t->next = NULL;
	t->rc = 0;
	if (!c) {
		run(t);
		t->done = true;
		return;
	}
	pthread_mutex_lock(&c->lock);
	*c->tail = t;
	c->tail = &t->next;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

int sg_crew_wait(struct sg_crew *c, struct sg_task *t)
{
	if (c) {
		pthread_mutex_lock(&c->lock);
		while (!t->done)
			pthread_cond_wait(&c->done, &c->lock);
		pthread_mutex_unlock(&c->lock);
	}
	return t->rc < 0 ? sg_fail((enum sg_err)-t->rc, "%s", t->error) : t->rc;
}
