#include "model/overlap.h"
#include "base/error.h"
#include "base/mem.h"
#include "tests/test.h"

static const char path[] = "build/tmp-ngrams";

static struct sg_doc doc(const char *s)
{
	return (struct sg_doc){ .text = s, .n = strlen(s) };
}

#define TWELVE "one two three four five six seven eight nine ten eleven twelve"

TEST(overlap_words_are_compared_not_bytes)
{
	struct sg_ngrams g = { 0 };
	struct sg_doc set[] = { doc("Zero, " TWELVE " thirteen!"), doc(TWELVE) };
	struct sg_doc other[] = {
		doc("ZERO -- one; Two \"three\"\nfour five six (seven) eight nine ten eleven twelve fourteen"),
		doc(TWELVE " fourteen"), doc(TWELVE " 13"), doc("x " TWELVE " thirteen"), doc(""),
	};
	size_t list[4] = { 9, 9, 9, 9 };

	PASS(sg_ngrams_make(&g, set, 2));
	CHECK(g.n == 2);
	CHECK(sg_overlap(&g, other, 5, list, 4) == 2 && list[0] == 0 && list[1] == 3 && list[2] == 9);
	CHECK(sg_overlap(&g, set, 2, list, 1) == 1);
	CHECK(sg_ngrams_shared(&g, set[0].text, set[0].n) == 2);
	CHECK(sg_ngrams_shared(&g, "\xff", 1) == -SG_E_CORRUPT);
	sg_ngrams_release(&g);
}

TEST(overlap_other_scripts)
{
	struct sg_ngrams g = { 0 };
	struct sg_doc set[] = {
		doc("\xc3\x81ngel \xc3\x91 \xce\xa9 \xd0\x96 \xd0\x84 e f g h i j k l"),
		doc("\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b\xe4\xba\x94\xe5\x85\xad\xe4\xb8\x83\xe5\x85\xab\xe4\xb9\x9d"
		    "\xe5\x8d\x81\xe7\x99\xbe\xe5\x8d\x83\xe4\xb8\x87"),
	};
	struct sg_doc other[] = {
		doc("\xc2\xbf\xc3\xa1NGEL\xe2\x80\x94\xc3\xb1\xe2\x80\x94\xcf\x89 \xd0\xb6 \xd1\x94 E F G H I J K L?"),
		doc("\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b\xe4\xba\x94\xe5\x85\xad\xe3\x80\x82\xe4\xb8\x83\xe5\x85\xab\xe4\xb9\x9d"
		    "\xe5\x8d\x81\xe7\x99\xbe\xe5\x8d\x83\xe4\xb8\x87!"),
	};

	PASS(sg_ngrams_make(&g, set, 2));
	CHECK(g.n == 2);
	CHECK(sg_overlap(&g, other, 2, NULL, 0) == 2);
	sg_ngrams_release(&g);
}

TEST(overlap_file)
{
	struct sg_ngrams g = { 0 }, h = { 0 };
	struct sg_doc set[] = { doc(TWELVE " thirteen fourteen fifteen") };
	struct sg_buf f = { 0 };

	PASS(sg_dir_make("build"));
	PASS(sg_ngrams_make(&g, set, 1));
	PASS(sg_ngrams_write(&g, path));
	PASS(sg_ngrams_open(&h, path));
	CHECK(h.n == 3 && !memcmp(g.hash, h.hash, 24));
	CHECK(sg_overlap(&h, set, 1, NULL, 0) == 1);
	sg_ngrams_release(&h);
	sg_ngrams_release(&h);
	PASS(sg_file_read(&f, path, 1000));
	remove(path);
	CHECK(sg_ngrams_open(&h, path) == -SG_E_NOTFOUND);
	for (size_t i = 0; i < f.len; i++)
		CHECK(sg_ngrams_parse(&h, (unsigned char *)f.data, i, "x") == -SG_E_CORRUPT);
	PASS(sg_ngrams_parse(&h, (unsigned char *)f.data, f.len, "x"));
	memset(f.data + 24, 0xff, 8);
	CHECK(sg_ngrams_parse(&h, (unsigned char *)f.data, f.len, "x") == -SG_E_CORRUPT);
	sg_buf_release(&f);
	sg_ngrams_release(&g);
	/* an empty set is a file too */
	PASS(sg_ngrams_make(&g, NULL, 0));
	PASS(sg_ngrams_write(&g, path));
	PASS(sg_ngrams_open(&h, path));
	CHECK(h.n == 0 && sg_overlap(&h, set, 1, NULL, 0) == 0);
	sg_ngrams_release(&h);
	sg_ngrams_release(&g);
	remove(path);
}
