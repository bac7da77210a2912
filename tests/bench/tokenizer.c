/* Seconds to load a tokenizer.json and to encode texts with it, one thread:
 *	tokenizer ROUNDS TOKENIZER TEXT...
 * prints for each text: bytes, a hash of all ids, seconds of the best round. TOKENIZER
 * may be a GGUF file, whose vocabulary is meant. */
#include "model/checkpoint.h"
#include "model/tokenizer.h"
#include "base/error.h"
#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best(const struct sg_tokenizer *t, struct sg_ids *l, const struct sg_map *m, int rounds)
{
	double least = 1e9;

	while (rounds--) {
		double begun = now();

		l->n = 0;
		if (sg_tokenizer_encode(t, l, (const char *)m->data, m->size, 0) < 0)
			return -1;
		least = SG_MIN(least, now() - begun);
	}
	return least;
}

static int open_any(struct sg_tokenizer **out, const char *path)
{
	const char *dot = strrchr(path, '.');
	const struct sg_buf *b;
	struct sg_checkpoint *c;

	if (!dot || strcmp(dot, ".gguf"))
		return sg_tokenizer_open(out, path, NULL);
	SG_TRY(sg_checkpoint_open(&c, path));
	b = sg_checkpoint_tokenizer(c);
	return sg_tokenizer_parse(out, b->data, b->len, path);
}

int main(int argc, char **argv)
{
	struct sg_tokenizer *t = NULL;
	struct sg_ids l = { 0 };
	double begun = now();

	if (argc < 4 || open_any(&t, argv[2]) < 0) {
		fprintf(stderr, "%s\n", argc < 4 ? "usage: tokenizer ROUNDS TOKENIZER.json TEXT..." : sg_error_message());
		return 1;
	}
	printf("load %.3f\n", now() - begun);
	for (int i = 3; i < argc; i++) {
		struct sg_map m;

		if (sg_map_open(&m, argv[i]) < 0)
			return 1;
		double s = best(t, &l, &m, atoi(argv[1]));

		char hash[SG_SHA256_HEX];

		if (s < 0 || sg_sha256_hex(hash, l.id, l.n * sizeof(*l.id)) < 0)
			return 1;
		printf("%zu %zu:%.16s %.6f %s\n", m.size, l.n, hash, s, argv[i]);
		sg_map_release(&m);
	}
	sg_ids_release(&l);
	sg_tokenizer_free(t);
	return 0;
}
