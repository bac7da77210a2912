/*
 * Added tokens: spellings that are looked for in the text itself, and the
 * replacements of normalisers and decoders, which work on text likewise.
 */
#include "model/tok_impl.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_nfc.h"
#include "model/tok_uni.h"
#include "model/tok_utf8.h"

/* By first byte, then the longest first: the first that fits is the longest. */
static int by_pattern(const void *x, const void *y)
{
	const struct sg_tok_added *a = *(const struct sg_tok_added *const *)x;
	const struct sg_tok_added *b = *(const struct sg_tok_added *const *)y;
	unsigned char p = (unsigned char)*a->pattern, q = (unsigned char)*b->pattern;

	if (p != q)
		return p < q ? -1 : 1;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

int sg_tok_finder_init(struct sg_tok_finder *f, const struct sg_tok_added *list, size_t n, bool normalized)
{
	size_t k = 0;

	*f = (struct sg_tok_finder){ 0 };
	if (!n)
		return 0;
	SG_TRY(SG_NEW(f->list, n));
	for (size_t i = 0; i < n; i++)
		if (list[i].normalized == normalized && list[i].n)
			f->list[f->n++] = &list[i];
	qsort(f->list, f->n, sizeof(*f->list), by_pattern);
	for (size_t i = 0; i < f->n; i++) {
		uint64_t *second = f->second[(unsigned char)*f->list[i]->pattern];
		unsigned char c = f->list[i]->n > 1 ? (unsigned char)f->list[i]->pattern[1] : 0;

		if (f->list[i]->n == 1)
			memset(second, 0xff, sizeof(f->second[0]));
		second[c / 64] |= (uint64_t)1 << c % 64;
	}
	for (size_t c = 0; c < 257; c++) {
		while (k < f->n && (unsigned char)*f->list[k]->pattern < c)
			k++;
		f->first[c] = (uint32_t)(c == 256 ? f->n : k);
	}
	return 0;
}

const struct sg_tok_added *sg_tok_find(const struct sg_tok_finder *f, const char *s, size_t n, size_t *at)
{
	if (!f->n)
		return NULL;
	for (size_t i = *at; i < n; i++) {
		unsigned char c = (unsigned char)s[i], d = i + 1 < n ? (unsigned char)s[i + 1] : 0;

		if (!(f->second[c][d / 64] >> d % 64 & 1))
			continue;
		for (uint32_t k = f->first[c]; k < f->first[c + 1]; k++) {
			const struct sg_tok_added *a = f->list[k];

			if (a->n <= n - i && !memcmp(a->pattern, s + i, a->n)) {
				*at = i;
				return a;
			}
		}
	}
	return NULL;
}

bool sg_tok_stands_alone(const char *s, size_t n, size_t at, size_t len)
{
	size_t k = at, end = at + len;

	while (k && ((unsigned char)s[--k] & 0xc0) == 0x80)
		;
	if (k < at && sg_uni(sg_utf8_char(s + k, at - k)) & SG_UNI_WORD)
		return false;
	return end == n || !(sg_uni(sg_utf8_char(s + end, sg_utf8_size((unsigned char)s[end]))) & SG_UNI_WORD);
}

void sg_tok_finder_release(struct sg_tok_finder *f)
{
	free(f->list);
	*f = (struct sg_tok_finder){ 0 };
}

static int replace_all(const struct sg_tok_step *st, struct sg_buf *out, const char *s, size_t n)
{
	const char *end = s + n, *hit;

	while (st->from_len && (hit = memmem(s, (size_t)(end - s), st->from, st->from_len))) {
		SG_TRY(sg_buf_add(out, s, (size_t)(hit - s)));
		SG_TRY(sg_buf_add(out, st->to, st->to_len));
		s = hit + st->from_len;
	}
	return sg_buf_add(out, s, (size_t)(end - s));
}

int sg_tok_steps(const struct sg_tok_step *step, size_t n_steps, struct sg_buf *out, const char *s, size_t n)
{
	struct sg_buf a = { 0 };
	int rc;

	sg_buf_clear(out);
	rc = sg_buf_add(out, s, n);
	for (size_t i = 0; i < n_steps && rc >= 0; i++) {
		struct sg_buf t;

		sg_buf_clear(&a);
		if (step[i].kind == SG_TOK_PREPEND) {
			if (out->len)
				rc = sg_buf_add(&a, step[i].to, step[i].to_len);
			if (rc >= 0)
				rc = sg_buf_add(&a, out->data, out->len);
		} else if (step[i].kind == SG_TOK_NFC) {
			rc = sg_nfc(&a, out->data, out->len);
		} else {
			rc = replace_all(&step[i], &a, out->data, out->len);
		}
		t = *out;
		*out = a;
		a = t;
	}
	sg_buf_release(&a);
	return rc;
}
