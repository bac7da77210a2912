#include "tests/fuzz/fuzz.h"
#include "base/file.h"
#include "base/error.h"
#include "base/rng.h"

#define INPUT_MAX ((size_t)1 << 20)
#define TRUNCATIONS 64
#define ROUNDS 200

struct replay {
	int (*fn)(const uint8_t *data, size_t n);
	int tried;
	uint64_t seed, drawn;
};

/* In a block of its exact size, so that a sanitizer sees a read past the end. */
static void try(struct replay *r, const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);

	if (!exact)
		return;
	if (n)
		memcpy(exact, data, n);
	r->fn(exact, n);
	free(exact);
	r->tried++;
}

static size_t draw(struct replay *r, size_t n)
{
	return n ? (size_t)(sg_rng_u64(r->seed, 0, r->drawn++) % n) : 0;
}

/* Numbers at which sizes overflow, and bytes with a meaning in some format. */
static void overwrite(struct replay *r, uint8_t *data, size_t n)
{
	static const uint64_t edges[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff8,
	};
	uint64_t v = edges[draw(r, SG_LEN(edges))];
	size_t at = draw(r, n), width = (size_t)1 << draw(r, 4);

	for (size_t i = 0; i < width && at + i < n; i++)
		data[at + i] = (uint8_t)(v >> 8 * i);
}

/* One small change; data has room for 32 bytes more. Returns the new length. */
static size_t mutate(struct replay *r, uint8_t *data, size_t n)
{
	static const char bytes[] = "\"\\{}[],:09-.eu/ \n\t\xff\xc0\x80";
	size_t at = draw(r, n), len = 1 + draw(r, SG_MIN(n - at, 32)), to;

	if (!n)
		return 0;
	switch (draw(r, 7)) {
	case 0:
		data[at] ^= (uint8_t)(1u << draw(r, 8));
		return n;
	case 1:
		data[at] = (uint8_t)draw(r, 256);
		return n;
	case 2:
		data[at] = (uint8_t)bytes[draw(r, sizeof(bytes))];
		return n;
	case 3:
		overwrite(r, data, n);
		return n;
	case 4:		/* take out */
		len = SG_MIN(len, n - at);
		memmove(data + at, data + at + len, n - at - len);
		return n - len;
	case 5:		/* double a piece */
		len = SG_MIN(len, n - at);
		memmove(data + at + len, data + at, n - at);
		return n + len;
	default:	/* copy a piece elsewhere */
		to = draw(r, n);
		len = SG_MIN(len, n - SG_MAX(at, to));
		memmove(data + to, data + at, len);
		return n;
	}
}

static int replay_seed(struct replay *r, const uint8_t *seed, size_t n, unsigned rounds)
{
	uint8_t *data = malloc(n + 32 * 4);
	size_t step = SG_MAX(n / TRUNCATIONS, 1);

	if (!data)
		return sg_fail(SG_E_NOMEM, "cannot allocate a fuzz input");
	try(r, seed, n);
	for (size_t cut = 0; cut < n; cut += step)
		try(r, seed, cut);
	for (unsigned i = 0; i < rounds; i++) {
		size_t len = n;

		memcpy(data, seed, n);
		for (size_t k = 1 + draw(r, 4); k; k--)
			len = mutate(r, data, len);
		try(r, data, len);
	}
	free(data);
	return 0;
}

static int replay_file(struct replay *r, const char *dir, const char *name, unsigned rounds)
{
	struct sg_buf b = { .max = 2 * INPUT_MAX };
	char *path = sg_path_join(dir, name);
	int rc = path ? sg_file_read(&b, path, INPUT_MAX) : -SG_E_NOMEM;

	r->seed = sg_rng_stream(name);
	r->drawn = 0;
	if (rc >= 0)
		rc = replay_seed(r, (const uint8_t *)b.data, b.len, rounds);
	free(path);
	sg_buf_release(&b);
	return rc;
}

int sg_fuzz_replay(const char *format, int (*fn)(const uint8_t *data, size_t n))
{
	const char *more = getenv("SG_FUZZ_ROUNDS");
	unsigned rounds = ROUNDS * (more ? (unsigned)SG_MAX(atoi(more), 1) : 1);
	struct replay r = { .fn = fn };
	struct sg_names names = { 0 };
	char *dir = sg_path_join("tests/fuzz/corpus", format);
	int rc = dir ? sg_dir_list(&names, dir) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < names.n; i++)
		rc = replay_file(&r, dir, names.name[i], rounds);
	sg_names_release(&names);
	free(dir);
	return rc < 0 ? rc : r.tried;
}
