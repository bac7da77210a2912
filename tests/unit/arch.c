/*
 * Every architecture against what transformers and peft say (tests/golden/arch.py):
 * stored files for small random models, and where the libraries are there also files
 * made on the spot, of other sizes and another seed.
 */
#include "tests/test.h"
#include "tests/tinyarch.h"
#include "base/file.h"
#include "base/mem.h"
#include "graft/consolidate.h"
#include "graft/graft.h"
#include "model/arch.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/pass.h"
#include <glob.h>
#include <math.h>

enum { STEPS = 10 };

struct rig {
	const char *name;
	struct sg_map model, want;
	struct sg_tensors t, w;
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_batch b;
	struct sg_graft *g;
	struct sg_pass pass;
	size_t targets;
};

static int meta(double *out, const struct rig *r, const char *key)
{
	const char *s = NULL;

	SG_TRY(sg_json_str(r->w.meta, key, &s));
	if (!s)
		return sg_fail(SG_E_NOTFOUND, "no '%s' in the metadata", key);
	*out = strtod(s, NULL);
	return 0;
}

static int rig_batch(struct rig *r)
{
	const struct sg_tensor_info *ids = sg_tensors_get(&r->w, "ids");
	int32_t v[64];

	if (!ids || ids->ndim != 2 || ids->shape[1] > 64)
		return sg_fail(SG_E_ERROR, "no ids");
	SG_TRY(sg_batch_init(&r->b, ids->shape[0] * ids->shape[1]));
	for (uint32_t s = 0; s < ids->shape[0]; s++) {
		memcpy(v, ids->data + s * ids->shape[1] * sizeof(*v), ids->shape[1] * sizeof(*v));
		if (!sg_batch_add(&r->b, v, ids->shape[1] - 1, s))
			return sg_fail(SG_E_ERROR, "the batch is too small");
	}
	r->targets = r->b.n;
	return 0;
}

/* path: <case>.want.safetensors */
static int rig_open(struct rig *r, const char *path, unsigned threads)
{
	char model[256];
	const char *config = NULL;

	memset(r, 0, sizeof(*r));
	r->name = path;
	snprintf(model, sizeof(model), "%.*s.safetensors", (int)(strlen(path) - strlen(".want.safetensors")), path);
	SG_TRY(sg_map_open(&r->model, model));
	SG_TRY(sg_map_open(&r->want, path));
	SG_TRY(sg_tensors_parse(&r->t, r->model.data, r->model.size, model));
	SG_TRY(sg_tensors_parse(&r->w, r->want.data, r->want.size, path));
	SG_TRY(sg_json_str(r->w.meta, "config", &config));
	if (!config)
		return sg_fail(SG_E_ERROR, "no configuration");
	SG_TRY(sg_checkpoint_make(&r->ckpt, config, strlen(config), NULL, 0, r->t.t, r->t.n, NULL));
	SG_TRY(sg_device_open(&r->dev, "cpu", threads));
	SG_TRY(sg_model_init(&r->m, r->ckpt, &r->dev));
	return rig_batch(r);
}

static void rig_close(struct rig *r)
{
	if (r->pass.m)
		sg_pass_release(&r->pass);
	sg_batch_release(&r->b);
	if (r->m.dev)
		sg_model_release(&r->m);
	sg_graft_free(r->g);
	sg_checkpoint_free(r->ckpt);
	if (r->dev.be)
		sg_device_close(&r->dev);
	sg_tensors_release(&r->t);
	sg_tensors_release(&r->w);
	sg_map_release(&r->model);
	sg_map_release(&r->want);
}

/* |got - want| / |want|; 1e9 when there is no such tensor of n numbers */
static double differs(const struct rig *r, const char *name, const float *got, size_t n)
{
	const struct sg_tensor_info *t = sg_tensors_get(&r->w, name);
	double diff = 0, norm = 0;

	if (!t || t->bytes != n * sizeof(float) || !n)
		return 1e9;
	for (size_t i = 0; i < n; i++) {
		float w;

		memcpy(&w, t->data + i * sizeof(w), sizeof(w));
		diff += ((double)got[i] - (double)w) * ((double)got[i] - (double)w);
		norm += (double)w * (double)w;
	}
	return sqrt(diff / norm);
}

static double limit(const struct rig *r, const char *what, double err, double most)
{
	if (!(err <= most))
		printf("# %s: %s differs by %g, not %g\n", r->name, what, err, most);
	return err / most;
}

/* What is asked of the base alone, as the worst part of what is allowed. */
static int base_error(double *worst, struct rig *r)
{
	size_t V = r->m.desc.vocab;
	float *logits = NULL, *loss = NULL;
	int rc = sg_pass_init(&r->pass, &r->m, r->b.n, false);

	if (rc >= 0)
		rc = SG_NEW(logits, r->b.n * V);
	if (rc >= 0)
		rc = SG_NEW(loss, r->b.n);
	for (size_t i = 0; rc >= 0 && i < r->b.n; i++)
		rc = sg_pass_logits(&r->pass, &r->b, i, logits + i * V);
	if (rc >= 0)
		rc = sg_pass_loss(&r->pass, &r->b, loss);
	if (rc >= 0) {
		*worst = limit(r, "logits", differs(r, "logits", logits, r->b.n * V), 1e-5);
		*worst = SG_MAX(*worst, limit(r, "loss", differs(r, "loss", loss, r->b.n), 1e-5));
	}
	sg_pass_release(&r->pass);
	r->pass = (struct sg_pass){ 0 };
	free(logits);
	free(loss);
	return rc;
}

/* --- LoRA -------------------------------------------------------------------- */

/* A tensor "layers.0.attn.q.A" of ours is "A.layers.0.attn.q" of theirs. */
static void theirs(char *out, size_t size, const char *what, const char *ours)
{
	size_t n = strlen(ours) - 2;

	snprintf(out, size, "%s.%.*s", what, (int)n, ours);
}

/* A graft at every linear map of the base, with their factors. */
static int lora(struct rig *r)
{
	struct sg_names sites = { 0 }, hyper = { 0 };
	char base[SG_SHA256_HEX], text[40];
	double rank = 0, alpha = 0;
	int rc = sg_site_match(&sites, &r->m, "layers.*.attn.*,layers.*.mlp.*");

	memset(base, 'a', 64);
	base[64] = 0;
	SG_TRY(meta(&rank, r, "rank"));
	SG_TRY(meta(&alpha, r, "alpha"));
	snprintf(text, sizeof(text), "rank=%d", (int)rank);
	if (rc >= 0)
		rc = sg_names_add(&hyper, text);
	snprintf(text, sizeof(text), "alpha=%d", (int)alpha);
	if (rc >= 0)
		rc = sg_names_add(&hyper, text);
	if (rc >= 0)
		rc = sg_graft_new(&r->g, "lora", &sites, &hyper, base);
	if (rc >= 0)
		rc = sg_graft_attach(r->g, &r->m, r->b.n, true, 1, NULL);
	for (size_t i = 0; rc >= 0 && i < r->g->params.n; i++) {
		struct sg_tensor *t = &r->g->params.t[i];
		const struct sg_tensor_info *w;
		char name[120];

		theirs(name, sizeof(name), t->name[strlen(t->name) - 1] == 'A' ? "A" : "B", t->name);
		w = sg_tensors_get(&r->w, name);
		if (!w || w->bytes != t->n * sizeof(float))
			rc = sg_fail(SG_E_NOTFOUND, "no tensor '%s' of %zu numbers", name, t->n);
		else
			memcpy(sg_slab_ptr(&r->g->params, t), w->data, w->bytes);
	}
	sg_names_release(&sites);
	sg_names_release(&hyper);
	return rc < 0 ? rc : sg_pass_init(&r->pass, &r->m, r->b.n, true);
}

static double tensors_differ(const struct rig *r, const char *a, const char *b, const float *data, double most)
{
	double worst = 0;

	for (size_t i = 0; i < r->g->params.n; i++) {
		const struct sg_tensor *t = &r->g->params.t[i];
		char name[120];

		theirs(name, sizeof(name), t->name[strlen(t->name) - 1] == 'A' ? a : b, t->name);
		worst = SG_MAX(worst, limit(r, name, differs(r, name, data + t->at, t->n), most));
	}
	return worst;
}

static int lora_error(double *worst, struct rig *r)
{
	size_t n;
	double lr, eps, decay;
	float *m = NULL, *v = NULL, *loss = NULL, curve[STEPS];
	int rc = lora(r);

	SG_TRY(rc);
	SG_TRY(meta(&lr, r, "lr"));
	SG_TRY(meta(&eps, r, "eps"));
	SG_TRY(meta(&decay, r, "decay"));
	n = r->g->params.floats;
	rc = SG_NEW(m, n);
	if (rc >= 0)
		rc = SG_NEW(v, n);
	if (rc >= 0)
		rc = SG_NEW(loss, r->b.n);
	for (int s = 0; rc >= 0 && s < STEPS; s++) {
		double sum = 0;

		memset(r->g->grads.data, 0, n * sizeof(float));
		rc = sg_pass_train(&r->pass, &r->b, 1.0f / (float)r->targets, loss);
		for (size_t i = 0; i < r->b.n; i++)
			sum += loss[i];
		curve[s] = (float)(sum / (double)r->targets);
		if (!s)
			*worst = tensors_differ(r, "dA", "dB", r->g->grads.data, 2e-5);
		if (rc >= 0)
			rc = SG_CALL(&r->dev, adamw, r->g->params.data, m, v, r->g->grads.data, 1, (float)lr, 0.9f, 0.95f,
				     (float)eps, (float)decay, s + 1, n);
	}
	if (rc >= 0) {
		*worst = SG_MAX(*worst, limit(r, "curve", differs(r, "curve", curve, STEPS), 1e-5));
		*worst = SG_MAX(*worst, tensors_differ(r, "A10", "B10", r->g->params.data, 2e-4));
	}
	free(m);
	free(v);
	free(loss);
	return rc;
}

/* --- the cases ---------------------------------------------------------------- */

static int one(double *worst, const char *path, bool trained)
{
	struct rig r;
	int rc = rig_open(&r, path, 2);

	if (rc >= 0)
		rc = trained ? lora_error(worst, &r) : base_error(worst, &r);
	rig_close(&r);
	return rc < 0 ? sg_fail_in(rc, "%s", path) : 0;
}

/* Has the case LoRA factors? */
static bool is_trained(const char *path)
{
	struct sg_tensors w = { 0 };
	struct sg_map map = { 0 };
	bool yes = sg_map_open(&map, path) >= 0 && sg_tensors_parse(&w, map.data, map.size, path) >= 0 &&
		   sg_tensors_get(&w, "curve");

	sg_tensors_release(&w);
	sg_map_release(&map);
	return yes;
}

/* Every case of a folder; returns their number, or what failed. */
static int all(double *worst, const char *folder, bool trained)
{
	char pattern[256];
	glob_t g;
	int rc = 0, n = 0;

	snprintf(pattern, sizeof(pattern), "%s/*.want.safetensors", folder);
	if (glob(pattern, 0, NULL, &g))
		return 0;
	*worst = 0;
	for (size_t i = 0; rc >= 0 && i < g.gl_pathc; i++) {
		double w = 1e9;

		if (trained && !is_trained(g.gl_pathv[i]))
			continue;
		n++;
		rc = one(&w, g.gl_pathv[i], trained);
		*worst = SG_MAX(*worst, w);
	}
	globfree(&g);
	return rc < 0 ? rc : n;
}

TEST(every_architecture_gives_the_logits_and_losses_of_transformers)
{
	double worst = 1e9;
	int n = all(&worst, "tests/golden/arch", false);

	PASS(n);
	CHECK(n >= 16);
	CHECK(worst <= 1);
}

TEST(lora_on_every_architecture_trains_as_in_peft)
{
	double worst = 1e9;
	int n = all(&worst, "tests/golden/arch", true);

	PASS(n);
	CHECK(n >= 16);
	CHECK(worst <= 1);
}

/* --- live -------------------------------------------------------------------- */

/* Bases that sg wrote, with one more layer, for transformers to read. */
static int write_grown(const char *folder, const struct tiny_arch *a)
{
	struct sg_names sites = { 0 };
	struct sg_composed c = { 0 };
	struct sg_checkpoint *ckpt = NULL;
	struct sg_device dev = { 0 };
	struct sg_fold f = { 0 };
	struct sg_graft *g = NULL;
	char dir[200], base[SG_SHA256_HEX];
	int rc = tiny_arch_make(&ckpt, a, SG_F32, 3);

	memset(base, 'a', 64);
	base[64] = 0;
	snprintf(dir, sizeof(dir), "%s/grown-%s", folder, a->name);
	if (rc >= 0)
		rc = sg_device_open(&dev, "cpu", 1);
	if (rc >= 0)
		rc = sg_compose(&c, ckpt, &dev, 1, NULL, NULL, 0);
	if (rc >= 0)
		rc = sg_names_add(&sites, "slot.1");
	if (rc >= 0)
		rc = sg_graft_new(&g, "layer", &sites, NULL, base);
	if (rc >= 0)
		rc = sg_graft_attach(g, &c.model, 1, false, 1, NULL);
	for (size_t i = 0; rc >= 0 && i < g->params.floats; i++)
		g->params.data[i] += 0.1f * (float)((i * 7919) % 13) - 0.6f;
	if (rc >= 0)
		rc = sg_graft_seal(g);
	if (rc >= 0) {
		snprintf(c.model.blocks[1]->name, sizeof(c.model.blocks[1]->name), "grown.%.16s", g->id);
		free(c.g);
		c.g = calloc(1, sizeof(*c.g));
		c.g[c.n++] = g;
		g = NULL;
		rc = sg_fold_init(&f, ckpt, &c, SG_FOLD_LINEAR | SG_FOLD_LAYERS, SG_DTYPE_COUNT);
	}
	if (rc >= 0)
		rc = sg_dir_make(dir);
	if (rc >= 0)
		rc = sg_fold_write(&f, dir);
	sg_fold_release(&f);
	sg_composed_release(&c);
	sg_graft_free(g);
	sg_names_release(&sites);
	if (dev.be)
		sg_device_close(&dev);
	sg_checkpoint_free(ckpt);
	return rc;
}

TEST(architectures_live)
{
	const char *folder = sg_test_dir();
	double worst = 1e9, trained = 1e9;
	size_t grown = 0;
	char *cmd;
	int rc, n;

	CHECK(folder);
	for (const struct tiny_arch *a = tiny_archs; a->name; a++, grown++)
		PASS(write_grown(folder, a));
	CHECK((cmd = sg_asprintf("python3 tests/golden/arch.py %s 7 2 >%s/log 2>&1", folder, folder)));
	rc = system(cmd);
	free(cmd);
	if (rc == 77 << 8 || rc == 127 << 8)
		SKIP("transformers");
	CHECK(rc == 0);
	n = all(&worst, folder, false);
	PASS(n);
	CHECK((size_t)n >= 7 + grown);
	CHECK(worst <= 1);
	PASS(all(&trained, folder, true));
	CHECK(trained <= 1);
}

/* --- what is refused ----------------------------------------------------------- */

TEST(what_an_architecture_lacks_is_refused_by_name)
{
	static const struct { const char *config, *says; } bad[] = {
		{ "{\"model_type\":\"smollm3\"}", "layers without rotary positions" },
		{ "{\"model_type\":\"mixtral\"}", "experts" },
		{ "{\"model_type\":\"mamba\"}", "known: gpt2" },
		{ "{\"model_type\":\"llama\",\"rope_scaling\":{\"rope_type\":\"longrope\",\"factor\":2}}", "'longrope'" },
		{ "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"linear\"}}", "'factor'" },
		{ "{\"model_type\":\"llama\",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\"}}}", "'full_attention'" },
		{ "{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5}", "'partial_rotary_factor'" },
		{ "{\"model_type\":\"llama\",\"rope_theta\":0}", "'rope_theta'" },
		{ "{\"model_type\":\"llama\",\"hidden_act\":\"relu2\"}", "'relu2'" },
		{ "{\"model_type\":\"llama\",\"quantization_config\":{\"quant_method\":\"gptq\"}}", "'quantization_config'" },
		{ "{\"model_type\":\"llama\",\"no_rope_layers\":[1,0]}", "'no_rope_layers'" },
		{ "{\"model_type\":\"llama\",\"embedding_multiplier\":12}", "'embedding_multiplier'" },
		{ "{\"model_type\":\"llama\",\"num_attention_heads\":32,\"num_key_value_heads\":5}", "no multiple of 5" },
		{ "{\"model_type\":\"llama\",\"num_attention_heads\":\"many\"}", "'num_attention_heads'" },
		{ "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForSequenceClassification\"]}", "no head for the next token" },
		{ "{\"model_type\":\"gpt2\",\"scale_attn_by_inverse_layer_idx\":true}", "'scale_attn_by_inverse_layer_idx'" },
		{ "{\"model_type\":\"gpt2\",\"scale_attn_weights\":false}", "'scale_attn_weights'" },
		{ "{\"model_type\":\"gpt2\",\"add_cross_attention\":true}", "'add_cross_attention'" },
		{ "{\"model_type\":\"gpt2\",\"n_head\":7}", "no multiple of 7 heads" },
		{ "{\"model_type\":\"opt\",\"do_layer_norm_before\":false}", "350m" },
		{ "{\"model_type\":\"opt\",\"word_embed_proj_dim\":512}", "'word_embed_proj_dim' 512" },
		{ "{\"model_type\":\"opt\",\"_remove_final_layer_norm\":true}", "'_remove_final_layer_norm'" },
		{ "{\"model_type\":\"gpt_neox\",\"rotary_pct\":0.1}", "not an even count" },
		{ "{\"model_type\":\"gpt_neox\",\"rotary_pct\":2}", "not in (0, 1]" },
	};

	for (size_t i = 0; i < SG_LEN(bad); i++) {
		struct sg_checkpoint *c = NULL;
		int rc = sg_checkpoint_make(&c, bad[i].config, strlen(bad[i].config), NULL, 0, NULL, 0, NULL);

		CHECK(rc == -SG_E_UNSUPPORTED || rc == -SG_E_CORRUPT);
		if (!strstr(sg_error_message(), bad[i].says))
			printf("# %s: %s\n", bad[i].config, sg_error_message());
		CHECK(strstr(sg_error_message(), bad[i].says));
	}
}

/* A window, a table of positions: a text past them would be computed wrongly. */
TEST(a_text_longer_than_the_positions_is_refused)
{
	static const struct tiny_arch window = {
		"mistral", "{\"model_type\":\"mistral\",\"vocab_size\":23,\"hidden_size\":16,\"intermediate_size\":20,"
		"\"num_hidden_layers\":1,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":32,"
		"\"sliding_window\":6}", true
	};
	const struct tiny_arch *models[] = { tiny_arch_find("gpt2"), tiny_arch_find("opt"), &window };

	for (size_t i = 0; i < SG_LEN(models); i++) {
		struct sg_checkpoint *c = NULL;
		struct sg_device dev;
		struct sg_model m;
		struct sg_pass p;
		struct sg_batch b;
		int32_t ids[64];
		float loss[64];
		size_t most;

		for (int k = 0; k < 64; k++)
			ids[k] = k % 23;
		PASS(tiny_arch_make(&c, models[i], SG_F16, 1));
		PASS(sg_device_open(&dev, "cpu", 1));
		PASS(sg_model_init(&m, c, &dev));
		PASS(sg_pass_init(&p, &m, 63, false));
		PASS(sg_batch_init(&b, 63));
		most = m.desc.max_pos;
		CHECK(most == (i == 2 ? 6 : 32));
		CHECK(sg_batch_add(&b, ids, most, 0));
		PASS(sg_pass_loss(&p, &b, loss));
		sg_batch_clear(&b);
		CHECK(sg_batch_add(&b, ids, most + 1, 0));
		FAILS(REFUSED, sg_pass_loss(&p, &b, loss));
		sg_batch_release(&b);
		sg_pass_release(&p);
		sg_model_release(&m);
		sg_device_close(&dev);
		sg_checkpoint_free(c);
	}
}

/* Files without the prefix, with masks and a head stored twice. */
TEST(buffers_are_ignored_and_prefixes_may_lack)
{
	const struct tiny_arch *a = tiny_arch_find("gpt2");
	struct sg_checkpoint *full = NULL, *bare = NULL;
	struct sg_tensor_info t[80], mask;
	char name[80][96], theirs[160];
	float v[16] = { 0 };
	size_t n;

	PASS(tiny_arch_make(&full, a, SG_F32, 1));
	n = sg_checkpoint_count(full);
	CHECK(n + 2 <= SG_LEN(t));
	for (size_t i = 0; i < n; i++) {
		t[i] = *sg_checkpoint_tensor(full, i, NULL);
		snprintf(name[i], sizeof(name[i]), "%.95s", t[i].name + strlen("transformer."));
		t[i].name = name[i];
	}
	mask = (struct sg_tensor_info){ .name = "h.0.attn.bias", .dtype_name = "F32", .dtype = SG_F32, .ndim = 4,
		.shape = { 1, 1, 4, 4 }, .data = (unsigned char *)v, .bytes = sizeof(v) };
	t[n] = mask;
	t[n + 1] = mask;
	t[n + 1].name = "lm_head.weight";
	PASS(sg_checkpoint_make(&bare, a->config, strlen(a->config), NULL, 0, t, n + 2, NULL));
	PASS(sg_checkpoint_theirs(theirs, sizeof(theirs), bare, "layers.1.attn.k"));
	CHECK(!strcmp(theirs, "h.1.attn.c_attn.weight"));
	PASS(sg_checkpoint_theirs(theirs, sizeof(theirs), full, "layers.1.attn.k"));
	CHECK(!strcmp(theirs, "transformer.h.1.attn.c_attn.weight"));
	sg_checkpoint_free(bare);
	t[n + 1].name = "h.0.attn.mystery";
	FAILS(CORRUPT, sg_checkpoint_make(&bare, a->config, strlen(a->config), NULL, 0, t, n + 2, NULL));
	CHECK(strstr(sg_error_message(), "unknown 'h.0.attn.mystery'"));
	sg_checkpoint_free(full);
}
