/* Tokenizers beside the library that wrote their files, on many strings. */
#include "model/tokenizer.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/rd.h"
#include "model/tok_nfc.h"
#include "tests/test.h"
#include <time.h>
#include <unistd.h>

#define CORPORA "../shared/corpora/pd-en-tomsawyer.txt ../shared/corpora/pd-es-rv1909.txt"
static const char stories[] = "../shared/models/stories260K/tokenizer.json";

/* What comes back from ids: nothing asked, the text, or its normal form. */
enum back { ANY, SAME, NFC };

static bool comes_back(const struct sg_tokenizer *t, const struct sg_ids *l, const char *s, size_t n, enum back back)
{
	struct sg_buf b = { 0 }, want = { 0 };
	bool ok = sg_tokenizer_decode(t, &b, l->id, l->n, SG_TOK_SPECIALS) >= 0 &&
		  (back == NFC ? sg_nfc(&want, s, n) : sg_buf_add(&want, s, n)) >= 0;
	size_t extra = ok && b.len > want.len ? b.len - want.len : 0;	/* what the template puts in front */

	ok = ok && b.len - extra == want.len && (!n || !memcmp(b.data + extra, want.data, want.len));
	sg_buf_release(&b);
	sg_buf_release(&want);
	return ok;
}

/* Record by record against what the library itself says now. */
static int compare(const struct sg_tokenizer *t, const struct sg_map *m, enum back back, size_t *strings)
{
	const unsigned char *p = m->data, *end = m->data + m->size;
	struct sg_ids l = { 0 };
	int bad = 0;

	while (p < end) {
		size_t n = sg_le32(p), k;
		const char *text = (const char *)p + 4;
		bool ok;

		p += 4 + n;
		k = sg_le32(p);
		p += 4;
		l.n = 0;
		ok = sg_tokenizer_encode(t, &l, text, n, SG_TOK_TEMPLATE) >= 0 && l.n == k && !memcmp(l.id, p, 4 * k) &&
		     (back == ANY || comes_back(t, &l, text, n, back));
		if (!ok && bad++ < 3)
			printf("# differs: '%.*s'\n", (int)SG_MIN(n, 200u), text);
		p += 4 * k;
		++*strings;
	}
	sg_ids_release(&l);
	return bad;
}

static int compare_files(const char *json, const char *records, enum back back, size_t *strings)
{
	struct sg_tokenizer *t = NULL;
	size_t before = *strings;
	struct sg_map m;
	clock_t begun;
	int bad = -1;

	if (sg_tokenizer_open(&t, json, NULL) < 0)
		return -1;
	if (sg_map_open(&m, records) >= 0) {
		begun = clock();
		bad = compare(t, &m, back, strings);
		printf("# %s: %zu strings, %zu bytes of record, %.2f s\n", json, *strings - before, m.size,
		       (double)(clock() - begun) / CLOCKS_PER_SEC);
		sg_map_release(&m);
	}
	sg_tokenizer_free(t);
	remove(records);
	return bad;
}

/* Status of a script of tests/golden: 0, or 77 when its library is not there. */
static int script(char *cmd)
{
	int rc = cmd ? system(cmd) : -1;

	free(cmd);
	return rc == 127 << 8 ? 77 : rc > 0 ? rc >> 8 : rc;
}

TEST(tokenizer_live)
{
	static const char *out = "build/tmp-tokenizer-live";
	bool slow = getenv("SG_TEST_SLOW");
	size_t strings = 0;
	int rc;

	if (!sg_file_exists(stories))
		SKIP("shared");
	PASS(sg_dir_make("build"));
	rc = script(sg_asprintf("python3 tests/golden/tokenizer_live.py %s %s %s ../shared/corpora/pd-en-tomsawyer.txt %s 2>/dev/null",
				stories, out, slow ? "60000" : "4000",
				slow ? "../shared/corpora/pd-en-sherlock.txt ../shared/corpora/pd-es-rv1909.txt" : ""));
	if (rc == 77)
		SKIP("tokenizers");
	CHECK(rc == 0);
	CHECK(compare_files(stories, out, ANY, &strings) == 0);
	CHECK(strings > 5000);
}

/* Every family of tests/golden/tokenizer_families.py; with SG_TEST_SLOW every
 * code point in ten places, 60,000 strings and two books: minutes, so give it
 * SG_TEST_TIMEOUT=1500. */
TEST(tokenizer_families_live)
{
	static const struct { const char *name; enum back back; } family[] = {
		{ "gpt2", SAME }, { "opt", SAME }, { "neox", NFC }, { "llama3", SAME }, { "qwen2", NFC }, { "smollm", ANY },
		{ "prefix", ANY }, { "digits_prefix", ANY }, { "unknown", ANY }, { "flags", ANY },
	};
	char dir[64];
	bool slow = getenv("SG_TEST_SLOW");
	size_t strings = 0, bad = 0;
	int rc;

	if (!sg_file_exists("../shared/corpora/pd-en-tomsawyer.txt"))
		SKIP("shared");
	snprintf(dir, sizeof(dir), "build/tmp-tokenizer-families-%d", (int)getpid());
	PASS(sg_dir_make("build"));
	rc = script(sg_asprintf("python3 tests/golden/tokenizer_families.py live %s %s " CORPORA " 2>/dev/null", dir,
				slow ? "60000 1" : "2000 97"));
	if (rc == 77)
		SKIP("tokenizers");
	CHECK(rc == 0);
	for (size_t i = 0; i < SG_LEN(family); i++) {
		char *json = sg_asprintf("%s/%s.json", dir, family[i].name), *rec = sg_asprintf("%s/%s.rec", dir, family[i].name);

		bad += json && rec ? compare_files(json, rec, family[i].back, &strings) != 0 : 1;
		if (json)
			remove(json);
		free(json);
		free(rec);
	}
	remove(dir);
	CHECK(!bad);
	CHECK(strings > 10000);
}

/* The tables are what the library says today; half a minute. */
TEST(tokenizer_unidata)
{
	struct sg_buf have = { 0 }, now = { 0 };
	static const char out[] = "build/tmp-unidata.c";
	int rc;

	if (!getenv("SG_TEST_SLOW"))
		SKIP("SG_TEST_SLOW");
	PASS(sg_dir_make("build"));
	rc = script(sg_asprintf("python3 -c 'import tokenizers' 2>/dev/null || exit 77; python3 tests/golden/unidata.py %s", out));
	if (rc == 77)
		SKIP("tokenizers");
	CHECK(rc == 0);
	PASS(sg_file_read(&have, "src/model/tok_unidata.c", 1 << 20));
	PASS(sg_file_read(&now, out, 1 << 20));
	remove(out);
	/* behind the first line, which names the version */
	CHECK(!strcmp(strchr(have.data, '\n'), strchr(now.data, '\n')));
	sg_buf_release(&have);
	sg_buf_release(&now);
}

/* Files at hand: SG_TEST_TOKENIZERS="a/tokenizer.json b/tokenizer.json". */
TEST(tokenizer_files_live)
{
	const char *list = getenv("SG_TEST_TOKENIZERS");
	bool slow = getenv("SG_TEST_SLOW");
	char *paths, *save = NULL;
	size_t strings = 0;
	int bad = 0;

	if (!list)
		SKIP("SG_TEST_TOKENIZERS");
	PASS(sg_dir_make("build"));
	CHECK((paths = sg_strdup(list)));
	for (char *path = strtok_r(paths, " ", &save); path; path = strtok_r(NULL, " ", &save)) {
		char *out = sg_asprintf("build/tmp-tokenizer-file-%d", (int)getpid());

		CHECK(out && script(sg_asprintf("python3 tests/golden/tokenizer_families.py file %s %s %s " CORPORA, path, out,
						slow ? "60000 1" : "4000 29")) == 0);
		bad += compare_files(path, out, ANY, &strings) != 0;
		free(out);
	}
	free(paths);
	CHECK(!bad && strings);
}
