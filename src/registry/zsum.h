#ifndef SG_REGISTRY_ZSUM_H
#define SG_REGISTRY_ZSUM_H
#include "base/base.h"
SG_C_BEGIN
/* The two checksums inside a pack: CRC-32 of each entry (for the index), Adler-32
 * closing each zlib stream. Continue one by passing the last value; crc starts
 * at 0, adler at 1. */
uint32_t sg_zsum_crc32(uint32_t crc, const void *data, size_t n);
uint32_t sg_zsum_adler32(uint32_t adler, const void *data, size_t n);
SG_C_END
#endif
