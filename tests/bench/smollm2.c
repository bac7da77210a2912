/*
 * Seconds of one evaluation of a base, or of one LoRA training step on it, rank 16
 * on attention's four maps, 512 tokens in one window:
 *	smollm2 DIR FILE THREADS eval|step ROUNDS
 * prints the fastest round, the least processor seconds of one, the loss of the first,
 * the peak of resident memory in MB and how many percent of the machine others had
 * meanwhile. smollm2.sh runs it beside transformers and peft.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/compose.h"
#include "model/batch.h"
#include "model/pass.h"
#include "train/train.h"
#include <sys/resource.h>
#include <unistd.h>

enum { T = 512, RANK = 16 };

static double times[256], work[256], last, last_work;
static size_t n_times;

/* Processor seconds that all programs have had together, and this one. */
static void spent(double *all, double *own)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	struct rusage u;

	if (f) {
		if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) < 8)
			memset(v, 0, sizeof(v));
		fclose(f);
	}
	getrusage(RUSAGE_SELF, &u);
	*all = (double)(v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / (double)sysconf(_SC_CLK_TCK);
	*own = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void start(void)
{
	double all;

	last = sg_clock();
	spent(&all, &last_work);
}

static void mark(void)
{
	double t = last, w = last_work;

	start();
	if (n_times == SG_LEN(times))
		return;
	work[n_times] = last_work - w;
	times[n_times++] = last - t;
}

static bool tick(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	(void)arg; (void)what; (void)done; (void)total; (void)text;
	mark();
	return false;
}

/* The same numbers as in smollm2.py. */
static void fill(int32_t *ids, size_t vocab)
{
	for (size_t i = 0; i <= T; i++)
		ids[i] = (int32_t)((i * i * 31 + i * 7919 + 13) % vocab);
}

static int make_tokens(struct sg_shard *out, const char *path, size_t vocab)
{
	static const unsigned char hash[SG_DOC_HASH];
	struct sg_tokens_builder b = { 0 };
	int32_t ids[T + 1];
	int rc = sg_tokens_builder_init(&b, (uint32_t)vocab);

	fill(ids, vocab);
	if (rc >= 0)
		rc = sg_tokens_builder_add(&b, ids, T + 1, T, hash);
	if (rc >= 0)
		rc = sg_tokens_builder_write(&b, path);
	sg_tokens_builder_release(&b);
	return rc < 0 ? rc : sg_shard_open(out, path);
}

static int eval(double *loss, struct sg_model *m, int rounds)
{
	int32_t ids[T + 1];
	struct sg_batch b;
	struct sg_pass p;
	float l[T];

	fill(ids, m->desc.vocab);
	SG_TRY(sg_batch_init(&b, T));
	sg_batch_add(&b, ids, T, 0);
	SG_TRY(sg_pass_init(&p, m, T, false));
	for (; rounds; rounds--) {
		start();
		SG_TRY(sg_pass_loss(&p, &b, l));
		mark();
	}
	*loss = 0;
	for (int i = 0; i < T; i++)
		*loss += (double)l[i] / T;
	sg_pass_release(&p);
	sg_batch_release(&b);
	return 0;
}

static int step(double *loss, struct sg_composed *c, const char *dir, int rounds)
{
	struct sg_progress progress = { tick, NULL };
	struct sg_names sites = { 0 }, hyper = { 0 };
	struct sg_shard shard = { 0 };
	struct sg_recipe recipe;
	struct sg_train_out out;
	struct sg_graft *g;
	char path[4096], base[SG_SHA256_HEX];

	memset(base, 'a', 64);
	base[64] = 0;
	snprintf(path, sizeof(path), "%s/bench.tokens", dir);
	SG_TRY(make_tokens(&shard, path, c->model.desc.vocab));
	SG_TRY(sg_site_match(&sites, &c->model, "*.attn.*"));
	SG_TRY(sg_names_add(&hyper, "rank=16"));
	SG_TRY(sg_graft_new(&g, "lora", &sites, &hyper, base));
	SG_TRY(sg_graft_attach(g, &c->model, T, true, 1, NULL));
	sg_recipe_default(&recipe);
	recipe.type = sg_strdup("lora");
	recipe.steps = (uint64_t)rounds;
	recipe.batch = 1;
	recipe.seq = T;
	start();
	struct sg_train_in in = { .model = &c->model, .graft = g, .sets = (const struct sg_tokens *const[]){ &shard.t },
		.n_sets = 1, .recipe = &recipe, .micro = T, .state = "", .progress = &progress };

	SG_TRY(sg_train_run(&out, &in));
	*loss = out.curve[0];
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int run(char **argv)
{
	int rounds = atoi(argv[5]);
	struct sg_checkpoint *ckpt;
	struct sg_composed c;
	struct sg_device dev;
	struct rusage use;
	double loss, began, all[2], own[2], machine;

	SG_TRY(sg_checkpoint_open(&ckpt, argv[2]));
	SG_TRY(sg_device_open(&dev, "cpu", (unsigned)atoi(argv[3])));
	SG_TRY(sg_compose(&c, ckpt, &dev, T, NULL, NULL, 0));
	spent(&all[0], &own[0]);
	began = sg_clock();
	SG_TRY(!strcmp(argv[4], "eval") ? eval(&loss, &c.model, rounds) : step(&loss, &c, argv[1], rounds));
	spent(&all[1], &own[1]);
	machine = (sg_clock() - began) * (double)sysconf(_SC_NPROCESSORS_ONLN);
	getrusage(RUSAGE_SELF, &use);
	qsort(times, n_times, sizeof(*times), by_value);
	qsort(work, n_times, sizeof(*work), by_value);
	printf("%.6f %.6f %.5f %.0f %.0f\n", times[0], work[0], loss, (double)use.ru_maxrss / 1024,
	       100 * SG_MAX(all[1] - all[0] - (own[1] - own[0]), 0) / machine);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 6 || atoi(argv[5]) < 2)
		return 129;
	if (run(argv) < 0) {
		fprintf(stderr, "smollm2: %s\n", sg_error_message());
		return 128;
	}
	return 0;
}
