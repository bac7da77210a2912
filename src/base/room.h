#ifndef SG_BASE_ROOM_H
#define SG_BASE_ROOM_H
#include "base/base.h"
SG_C_BEGIN
/*
 * How much memory there is for this process, so that what cannot fit is refused
 * before it is taken, instead of the machine grinding to a halt or the kernel
 * killing somebody. SG_MEMORY in the environment (bytes; k, m, g, t at the end are
 * powers of 1024) sets a limit of one's own; what the machine and the group of
 * processes have left counts all the same.
 */
uint64_t sg_room(void);
/* REFUSED when `bytes` are more than that: "<what> needs 1.2 GiB of memory, ...". */
int sg_room_check(uint64_t bytes, const char *what);

/* For tests: the first "<key> <n> kB" line of a text like /proc/meminfo in bytes, and
 * what a text like memory.max says; UINT64_MAX: nothing. */
uint64_t sg_room_meminfo(const char *text, const char *key);
uint64_t sg_room_number(const char *text);
SG_C_END
#endif
