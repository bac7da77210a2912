#ifndef SG_BASE_BASE_H
#define SG_BASE_BASE_H
/* The first include of every file: system headers and attributes live here. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
# define SG_C_BEGIN extern "C" {
# define SG_C_END   }
#else
# define SG_C_BEGIN
# define SG_C_END
#endif
/* What a GPU's code calls too: for small functions in headers. */
#if defined(__CUDACC__)
# define SG_HD            __host__ __device__ static inline
#else
# define SG_HD            static inline
#endif
#define SG_LEN(a)         (sizeof(a) / sizeof((a)[0]))
#define SG_PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define SG_MUST_USE       __attribute__((warn_unused_result))
#define SG_MIN(a, b)      ((a) < (b) ? (a) : (b))
#define SG_MAX(a, b)      ((a) > (b) ? (a) : (b))
#endif
