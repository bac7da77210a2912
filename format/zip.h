#ifndef SG_FORMAT_ZIP_H
#define SG_FORMAT_ZIP_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * zstd frames, one shot, with the content size in each frame. No size that a
 * frame declares is believed beyond what the caller allows.
 */
/* Appends one frame. level 1..19. */
int sg_zip_compress(struct sg_buf *out, const void *data, size_t n, int level);
/* frame must hold exactly one frame of exactly n bytes content; CORRUPT
 * otherwise. `what` names it in messages. */
int sg_zip_decompress(void *out, size_t n, const void *frame, size_t frame_n, const char *what);
/* Appends the content, at most max bytes of it. */
int sg_zip_expand(struct sg_buf *out, size_t max, const void *frame, size_t frame_n, const char *what);
/* Bytes that the first frame at data takes, of n there. */
int sg_zip_frame(size_t *out, const void *data, size_t n, const char *what);
/* Version of the library at run time: "1.5.4". */
const char *sg_zip_library(void);
SG_C_END
#endif
