#include "format/pack.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_pack(const uint8_t *data, size_t n);

static void put(struct sg_packw *w, const struct sg_pack *j)
{
	switch (j->type) {
	case SG_PACK_NIL:  sg_packw_nil(w); return;
	case SG_PACK_BOOL: sg_packw_bool(w, j->truth); return;
	case SG_PACK_U64:  sg_packw_u64(w, j->u); return;
	case SG_PACK_I64:  sg_packw_i64(w, j->i); return;
	case SG_PACK_F64:  sg_packw_f64(w, j->f); return;
	case SG_PACK_STR:  sg_packw_strn(w, j->str, j->len); return;
	case SG_PACK_BIN:  sg_packw_bin(w, j->str, j->len); return;
	case SG_PACK_ARRAY:
		sg_packw_array(w, (uint32_t)j->n);
		break;
	case SG_PACK_MAP:
		sg_packw_map(w, (uint32_t)j->n);
		break;
	}
	for (const struct sg_pack *c = j->child; c; c = c->next) {
		if (j->type == SG_PACK_MAP)
			sg_packw_strn(w, c->key, c->key_len);
		put(w, c);
	}
}

/* What was read can be packed again, in no more bytes but for short floats. */
int sg_fuzz_pack(const uint8_t *data, size_t n)
{
	struct sg_pack_doc d = { 0 }, again = { 0 };
	struct sg_buf b = { 0 };
	struct sg_packw w;
	int rc = sg_pack_parse(&d, data, n, "fuzz");

	if (rc < 0)
		return rc;
	sg_packw_init(&w, &b);
	put(&w, sg_pack_root(&d));
	if (sg_packw_done(&w) < 0 || b.len > 2 * n)
		abort();
	if (sg_pack_parse(&again, b.data, b.len, "fuzz") < 0 || again.n_nodes != d.n_nodes)
		abort();
	sg_pack_release(&again);
	sg_pack_release(&d);
	sg_buf_release(&b);
	return 0;
}

SG_FUZZ(pack)
