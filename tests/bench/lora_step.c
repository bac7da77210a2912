/*
 * Seconds of one LoRA training step on a random Llama of ten million parameters:
 * 2048 tokens (8 windows of 256), rank 8 on all seven maps of each block, f32.
 * lora_step.sh runs it beside the same step in PyTorch + PEFT.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/compose.h"
#include "train/train.h"

enum { V = 8192, D = 320, F = 864, L = 6, H = 5, K = 64, T = 256, B = 8, RANK = 8, MAX = 64 };

static struct sg_tensor_info info[MAX];
static char name[MAX][80];
static size_t n_info;
static double times[4096];
static size_t n_times;
static double last;

static void tensor(const char *fmt, int layer, size_t rows, size_t cols)
{
	struct sg_tensor_info *t = &info[n_info];
	size_t n = (rows ? rows : 1) * cols;
	float *v = sg_calloc(n, sizeof(*v));

	snprintf(name[n_info], sizeof(name[0]), "model.%s%d%s.weight", layer < 0 ? "" : "layers.", layer, fmt);
	if (layer < 0)
		snprintf(name[n_info], sizeof(name[0]), "model.%s.weight", fmt);
	sg_rng_normal(v, n, 1, n_info);
	for (size_t i = 0; i < n; i++)
		v[i] = rows ? v[i] * 0.02f : 1.0f;
	*t = (struct sg_tensor_info){ .name = name[n_info], .dtype_name = "F32", .dtype = SG_F32, .ndim = rows ? 2 : 1,
		.data = (unsigned char *)v, .bytes = n * sizeof(*v) };
	t->shape[0] = rows ? rows : cols;
	t->shape[1] = cols;
	n_info++;
}

static int make_base(struct sg_checkpoint **out)
{
	char config[600];

	snprintf(config, sizeof(config), "{\"model_type\":\"llama\",\"vocab_size\":%d,\"hidden_size\":%d,"
		 "\"intermediate_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":%d,\"head_dim\":%d,"
		 "\"max_position_embeddings\":%d,\"tie_word_embeddings\":true}", V, D, F, L, H, K, T);
	tensor("embed_tokens", -1, V, D);
	tensor("norm", -1, 0, D);
	for (int l = 0; l < L; l++) {
		tensor(".input_layernorm", l, 0, D);
		tensor(".self_attn.q_proj", l, H * K, D);
		tensor(".self_attn.k_proj", l, H * K, D);
		tensor(".self_attn.v_proj", l, H * K, D);
		tensor(".self_attn.o_proj", l, D, H * K);
		tensor(".post_attention_layernorm", l, 0, D);
		tensor(".mlp.gate_proj", l, F, D);
		tensor(".mlp.up_proj", l, F, D);
		tensor(".mlp.down_proj", l, D, F);
	}
	return sg_checkpoint_make(out, config, strlen(config), NULL, 0, info, n_info, NULL);
}

static int make_tokens(struct sg_shard *out, const char *path)
{
	static const unsigned char hash[SG_DOC_HASH];
	struct sg_tokens_builder b = { 0 };
	static int32_t ids[B * (T + 1)];
	int rc = sg_tokens_builder_init(&b, V);

	for (int d = 0; rc >= 0 && d < 64; d++) {
		for (int i = 0; i <= T; i++)
			ids[i] = (int32_t)sg_rng_below(3, 3, (uint64_t)(d * (T + 1) + i), V);
		rc = sg_tokens_builder_add(&b, ids, T + 1, T, hash);
	}
	if (rc >= 0)
		rc = sg_tokens_builder_write(&b, path);
	sg_tokens_builder_release(&b);
	return rc < 0 ? rc : sg_shard_open(out, path);
}

static bool tick(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	double t = sg_clock();

	(void)arg; (void)what; (void)done; (void)total; (void)text;
	if (n_times < SG_LEN(times))
		times[n_times++] = t - last;
	last = t;
	return false;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int run(const char *dir, unsigned threads, uint64_t steps)
{
	struct sg_progress progress = { tick, NULL };
	struct sg_names sites = { 0 }, hyper = { 0 };
	struct sg_checkpoint *ckpt;
	struct sg_composed c;
	struct sg_device dev;
	struct sg_graft *g;
	struct sg_shard shard = { 0 };
	struct sg_recipe recipe;
	struct sg_train_out out;
	char path[4096], base[SG_SHA256_HEX];

	memset(base, 'a', 64);
	base[64] = 0;
	SG_TRY(make_base(&ckpt));
	snprintf(path, sizeof(path), "%s/bench.tokens", dir);
	SG_TRY(make_tokens(&shard, path));
	SG_TRY(sg_device_open(&dev, "cpu", threads));
	SG_TRY(sg_compose(&c, ckpt, &dev, B * T, NULL, NULL, 0));
	SG_TRY(sg_site_match(&sites, &c.model, "*.attn.*,*.mlp.*"));
	SG_TRY(sg_names_add(&hyper, "rank=8"));
	SG_TRY(sg_graft_new(&g, "lora", &sites, &hyper, base));
	SG_TRY(sg_graft_attach(g, &c.model, B * T, true, 1, NULL));
	sg_recipe_default(&recipe);
	recipe.type = sg_strdup("lora");
	recipe.steps = steps;
	recipe.batch = B;
	recipe.seq = T;
	last = sg_clock();
	struct sg_train_in in = { .model = &c.model, .graft = g, .sets = (const struct sg_tokens *const[]){ &shard.t },
		.n_sets = 1, .recipe = &recipe, .micro = B * T, .state = "", .progress = &progress };

	SG_TRY(sg_train_run(&out, &in));
	qsort(times + 1, n_times - 1, sizeof(*times), by_value);
	printf("%.6f %.4f\n", times[1 + (n_times - 1) / 2], out.curve[steps - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 129;
	if (run(argv[1], (unsigned)atoi(argv[2]), (uint64_t)atoi(argv[3])) < 0) {
		fprintf(stderr, "lora_step: %s\n", sg_error_message());
		return 128;
	}
	return 0;
}
