#ifndef SG_TESTS_FUZZ_H
#define SG_TESTS_FUZZ_H
#include "tests/test.h"
/*
 * A harness is a pure function over bytes that must not crash, hang or leak:
 *
 *	int sg_fuzz_json(const uint8_t *data, size_t n);
 *	SG_FUZZ(json)
 *
 * The line SG_FUZZ makes the test fuzz_json, which replays every file of
 * tests/fuzz/corpus/json and, for each, truncations and seeded mutations of it.
 * For a long hunt the same file becomes a libFuzzer target:
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -DSG_LIBFUZZER -D_GNU_SOURCE \
 *		-I. -Isrc tests/fuzz/json.c src/base/?*.c format/?*.c \
 *		$(pkg-config --libs openssl libzstd msgpack) -lm -o /tmp/fuzz-json
 *	/tmp/fuzz-json -max_len=4096 tests/fuzz/corpus/json
 */
/* Inputs tried, or -SG_E_* when there is no corpus. SG_FUZZ_ROUNDS in the
 * environment multiplies the mutations. */
int sg_fuzz_replay(const char *format, int (*fn)(const uint8_t *data, size_t n));

#ifdef SG_LIBFUZZER
# define SG_FUZZ(format) \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n); \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) \
	{ \
		sg_fuzz_##format(data, n); \
		return 0; \
	}
#else
# define SG_FUZZ(format) TEST(fuzz_##format) { CHECK(sg_fuzz_replay(#format, sg_fuzz_##format) > 0); }
#endif
#endif
