#include "tests/test.h"
#include "cmd/print.h"

#define IS(a, b) CHECK(!strcmp((a), (b)))

TEST(print_safe)
{
	IS(sg_print_safe("plain text"), "plain text");
	IS(sg_print_safe(NULL), "");
	IS(sg_print_safe(""), "");
	IS(sg_print_safe("a\033[31mb\n\t\r\a\x7f"), "a\\x1b[31mb\\n\\t\\r\\x07\\x7f");
	IS(sg_print_safe("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1");
	/* a C1 control, an override of the text's direction, a byte order mark */
	IS(sg_print_safe("\xc2\x9b" "31m"), "\\x9b31m");
	IS(sg_print_safe("\xe2\x80\xae" "abc"), "\\u{202e}abc");
	IS(sg_print_safe("\xef\xbb\xbf"), "\\u{feff}");
	/* what is not UTF-8: cut, overlong, surrogate, past the end */
	IS(sg_print_safe("\xe2\x82"), "\\xe2\\x82");
	IS(sg_print_safe("\xc0\xaf"), "\\xc0\\xaf");
	IS(sg_print_safe("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	IS(sg_print_safe("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	IS(sg_print_safen("a\0b", 3), "a\\x00b");
}

TEST(print_numbers)
{
	IS(sg_print_bytes(0), "0 B");
	IS(sg_print_bytes(999), "999 B");
	IS(sg_print_bytes(1024), "1.0 KiB");
	IS(sg_print_bytes(1536), "1.5 KiB");
	IS(sg_print_bytes(20 << 20), "20 MiB");
	IS(sg_print_bytes(UINT64_MAX), "16 EiB");
	IS(sg_print_count(999), "999");
	IS(sg_print_count(1000), "1.00k");
	IS(sg_print_count(12400), "12.4k");
	IS(sg_print_count(3100000), "3.10M");
	IS(sg_print_count(999999), "1.00M");
	IS(sg_print_count(UINT64_MAX), "18.4E");
	IS(sg_print_span(0.75), "0.8 s");
	IS(sg_print_span(65), "1:05");
	IS(sg_print_span(7380), "2:03:00");
}

/* What a table prints, in a buffer of the caller. */
static int shown(struct sg_table *t, char *out, size_t n)
{
	FILE *f = fmemopen(out, n, "w");
	int rc;

	if (!f)
		return sg_fail(SG_E_IO, "cannot open memory as a file");
	rc = sg_table_print(t, f);
	fclose(f);
	return rc;
}

TEST(print_table)
{
	struct sg_table t;
	char out[512] = "";

	sg_print_setup("never");
	sg_table_init(&t, "name|>size|note", true);
	sg_table_add(&t, "caf\xc3\xa9");
	sg_table_add(&t, "%d", 7);
	sg_table_add(&t, "%s", "has \033 in it");
	sg_table_row(&t);
	sg_table_color(&t, SG_RED, "longer name");
	sg_table_add(&t, "1234567");
	sg_table_row(&t);
	PASS(shown(&t, out, sizeof(out)));
	IS(out, "name            size  note\n"
		"caf\xc3\xa9               7  has \\x1b in it\n"
		"longer name  1234567\n");

	sg_print_setup("always");
	sg_table_init(&t, "a|b", false);
	sg_table_color(&t, SG_GREEN, "x");
	sg_table_row(&t);
	memset(out, 0, sizeof(out));
	PASS(shown(&t, out, sizeof(out)));
	IS(out, "\033[32mx\033[0m\n");
	sg_print_setup("never");
}

TEST(print_table_refuses_a_cell_too_many)
{
	struct sg_table t;
	char out[64] = "";

	sg_table_init(&t, "a", false);
	sg_table_add(&t, "x");
	sg_table_add(&t, "y");
	CHECK(shown(&t, out, sizeof(out)) < 0);
	sg_table_release(&t);
}
