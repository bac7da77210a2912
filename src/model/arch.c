#include "model/arch.h"
#include "base/error.h"

static const struct sg_arch *const archs[] = {
#define SG_ARCH(name) &sg_arch_##name,
#include "model/archs.def"
#undef SG_ARCH
};

int sg_arch_find(const struct sg_arch **out, const char *model_type)
{
	char known[256] = "";

	for (size_t i = 0; i < SG_LEN(archs); i++) {
		if (!strcmp(archs[i]->name, model_type)) {
			*out = archs[i];
			return 0;
		}
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", archs[i]->name);
	}
	return sg_fail(SG_E_UNSUPPORTED, "model_type '%s' is not supported (known: %s)", model_type, known);
}

int sg_arch_size(const struct sg_json *cfg, const char *key, size_t dflt, size_t max, size_t *out)
{
	int64_t v = (int64_t)dflt;

	SG_TRY(sg_json_i64(cfg, key, 1, (int64_t)max, &v));
	if (!v)
		return sg_fail(SG_E_CORRUPT, "config.json: '%s' is missing", key);
	*out = (size_t)v;
	return 0;
}

int sg_arch_act(const struct sg_json *cfg, const char *key, enum sg_act *out)
{
	static const struct { const char *name; enum sg_act act; } acts[] = {
		{ "silu", SG_ACT_SILU }, { "swish", SG_ACT_SILU }, { "gelu", SG_ACT_GELU },
		{ "gelu_new", SG_ACT_GELU_TANH }, { "gelu_pytorch_tanh", SG_ACT_GELU_TANH }, { "relu", SG_ACT_RELU },
	};
	const char *name = "silu";

	SG_TRY(sg_json_str(cfg, key, &name));
	for (size_t i = 0; i < SG_LEN(acts); i++)
		if (!strcmp(acts[i].name, name)) {
			*out = acts[i].act;
			return 0;
		}
	return sg_fail(SG_E_UNSUPPORTED, "config.json: activation '%s' is not supported", name);
}

static const struct sg_arch_set *set_find(const struct sg_arch_set *set, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(set[i].key, key))
			return &set[i];
	return NULL;
}

static void put_set(struct sg_jsonw *w, const struct sg_arch_set *s)
{
	if (s->truth)
		sg_jsonw_bool(w, s->value);
	else
		sg_jsonw_i64(w, (int64_t)s->value);
}

int sg_arch_rewrite(struct sg_buf *out, const struct sg_json *old, const struct sg_arch_set *set, size_t n)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	for (const struct sg_json *j = old->child; j; j = j->next) {
		const struct sg_arch_set *s = set_find(set, n, j->key);

		sg_jsonw_key(&w, j->key);
		if (s)
			put_set(&w, s);
		else
			sg_jsonw_node(&w, j);
	}
	for (size_t i = 0; i < n; i++)
		if (!sg_json_get(old, set[i].key)) {
			sg_jsonw_key(&w, set[i].key);
			put_set(&w, &set[i]);
		}
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}
