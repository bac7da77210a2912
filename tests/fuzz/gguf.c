#include "format/gguf.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_gguf(const uint8_t *data, size_t n);

/* Every byte that an accepted file promises is read. */
int sg_fuzz_gguf(const uint8_t *data, size_t n)
{
	static volatile unsigned char sink;
	struct sg_gguf g = { 0 };
	int rc = sg_gguf_parse(&g, data, n, "fuzz");

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < g.n_kv; i++) {
		const struct sg_gguf_kv *kv = &g.kv[i];
		struct sg_gguf_text t = { NULL, 0 };
		size_t at = 0, size = 0;
		double f = 0;
		bool yes;

		if (sg_gguf_get(&g, kv->key) != kv)
			abort();
		for (size_t k = 0; k < kv->bytes; k++)
			sink ^= kv->data[k];
		for (size_t k = 0; kv->type == SG_GGUF_STRING && k < kv->n; k++) {
			t = sg_gguf_next(kv, &at);
			if (t.s + t.n > (const char *)data + n)
				abort();
		}
		(void)sg_gguf_size(&g, kv->key, 0, SIZE_MAX, &size);
		(void)sg_gguf_f64(&g, kv->key, &f);
		(void)sg_gguf_bool(&g, kv->key, &yes);
		(void)sg_gguf_str(&g, kv->key, &t);
	}
	for (size_t i = 0; i < g.n; i++) {
		if (sg_gguf_tensor(&g, g.t[i].name) != &g.t[i])
			abort();
		for (size_t k = 0; k < g.t[i].bytes; k++)
			sink ^= g.t[i].data[k];
	}
	sg_gguf_release(&g);
	return 0;
}

SG_FUZZ(gguf)
