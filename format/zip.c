#include "format/zip.h"
#include "base/error.h"
#include "base/mem.h"
#include <pthread.h>
#include <zstd.h>

/* Making a zstd context costs as much as a small frame, so each thread keeps
 * one pair until it ends. */
struct contexts { ZSTD_CCtx *c; ZSTD_DCtx *d; };

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static void drop(void *p)
{
	struct contexts *x = p;

	ZSTD_freeCCtx(x->c);
	ZSTD_freeDCtx(x->d);
	free(x);
}

static void make_key(void)
{
	have_key = pthread_key_create(&key, drop) == 0;
}

static struct contexts *contexts(void)
{
	struct contexts *x;

	pthread_once(&once, make_key);
	x = have_key ? pthread_getspecific(key) : NULL;
	if (x || !have_key)
		return x;
	x = sg_calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->c = ZSTD_createCCtx();
	x->d = ZSTD_createDCtx();
	if (!x->c || !x->d || pthread_setspecific(key, x)) {
		drop(x);
		return NULL;
	}
	return x;
}

static int no_contexts(void)
{
	return sg_fail(SG_E_NOMEM, "cannot make a zstd context");
}

int sg_zip_compress(struct sg_buf *out, const void *data, size_t n, int level)
{
	struct contexts *x = contexts();
	size_t bound = ZSTD_compressBound(n), got;

	if (!x)
		return no_contexts();
	if (ZSTD_isError(bound))
		return sg_fail(SG_E_ERROR, "cannot compress %zu bytes at once", n);
	SG_TRY(sg_buf_room(out, bound));
	got = ZSTD_compressCCtx(x->c, out->data + out->len, bound, data, n, level);
	if (ZSTD_isError(got)) {
		out->data[out->len] = '\0';
		return sg_fail(SG_E_ERROR, "cannot compress: %s", ZSTD_getErrorName(got));
	}
	out->len += got;
	out->data[out->len] = '\0';
	return 0;
}

int sg_zip_frame(size_t *out, const void *data, size_t n, const char *what)
{
	size_t got = ZSTD_findFrameCompressedSize(data, n);

	if (ZSTD_isError(got))
		return sg_fail(SG_E_CORRUPT, "'%s': bad zstd frame: %s", what, ZSTD_getErrorName(got));
	*out = got;
	return 0;
}

/* The declared content size of the only frame there. */
static int content_size(unsigned long long *out, const void *frame, size_t n, const char *what)
{
	unsigned long long size = ZSTD_getFrameContentSize(frame, n);
	size_t len = 0;

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
		return sg_fail(SG_E_CORRUPT, "'%s': zstd frame does not state its size", what);
	SG_TRY(sg_zip_frame(&len, frame, n, what));
	if (len != n)
		return sg_fail(SG_E_CORRUPT, "'%s' has %zu bytes after its zstd frame", what, n - len);
	*out = size;
	return 0;
}

int sg_zip_decompress(void *out, size_t n, const void *frame, size_t frame_n, const char *what)
{
	struct contexts *x = contexts();
	unsigned long long size;
	size_t got;

	if (!x)
		return no_contexts();
	SG_TRY(content_size(&size, frame, frame_n, what));
	if (size != n)
		return sg_fail(SG_E_CORRUPT, "'%s': zstd frame holds %llu bytes, not %zu", what, size, n);
	got = ZSTD_decompressDCtx(x->d, out, n, frame, frame_n);
	if (ZSTD_isError(got))
		return sg_fail(SG_E_CORRUPT, "'%s': bad zstd frame: %s", what, ZSTD_getErrorName(got));
	if (got != n)
		return sg_fail(SG_E_CORRUPT, "'%s': zstd frame holds %zu bytes, not %zu", what, got, n);
	return 0;
}

int sg_zip_expand(struct sg_buf *out, size_t max, const void *frame, size_t frame_n, const char *what)
{
	unsigned long long size;
	int rc;

	SG_TRY(content_size(&size, frame, frame_n, what));
	if (size > max)
		return sg_fail(SG_E_CORRUPT, "'%s': zstd frame declares %llu bytes, more than %zu", what, size, max);
	SG_TRY(sg_buf_room(out, (size_t)size));
	rc = sg_zip_decompress(out->data + out->len, (size_t)size, frame, frame_n, what);
	if (rc >= 0)
		out->len += (size_t)size;
	out->data[out->len] = '\0';
	return rc;
}

const char *sg_zip_library(void)
{
	return ZSTD_versionString();
}
