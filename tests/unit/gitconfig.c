#include "format/gitconfig.h"
#include "base/error.h"
#include "tests/test.h"

static int parse(struct sg_gitconfig *c, const char *s)
{
	return sg_gitconfig_parse(c, s, strlen(s), "test");
}

/* Value of a name, "(alone)" for a key without one, "(absent)". */
static bool gives(const char *text, const char *name, const char *want)
{
	struct sg_gitconfig c = { 0 };
	const struct sg_gitconfig_entry *e;
	bool ok;

	if (parse(&c, text) < 0)
		return false;
	e = sg_gitconfig_find(&c, name);
	ok = !strcmp(e ? e->value ? e->value : "(alone)" : "(absent)", want);
	sg_gitconfig_release(&c);
	return ok;
}

TEST(gitconfig_values)
{
	static const struct { const char *text, *name, *want; } t[] = {
		{ "[a]\nb = c\n", "a.b", "c" },
		{ "[A]\n\tB=c", "a.b", "c" },
		{ "[a]b=c", "A.B", "c" },
		{ "[a]\nb", "a.b", "(alone)" },
		{ "[a]\nb\t\n", "a.b", "(alone)" },
		{ "[a]\nb =\n", "a.b", "" },
		{ "[a]\nb =", "a.b", "" },
		{ "[a]\nb = x y  z \t \n", "a.b", "x y  z" },
		{ "[a]\nb = x # y\n", "a.b", "x" },
		{ "[a]\nb = \"x # y ; \" ; z\n", "a.b", "x # y ; " },
		{ "[a]\nb = p\"q r\"s\n", "a.b", "pq rs" },
		{ "[a]\nb = \\\"\\\\\\n\\t\\b.\n", "a.b", "\"\\\n\t\b." },
		{ "[a]\nb = x \\\n  y\n", "a.b", "x   y" },
		{ "[a]\r\nb = x \\\r\n  y\r\nc=d\r\n", "a.c", "d" },
		{ "[a]\nb=1\n[c]\nb=2\n[a]\nb=3\n", "a.b", "3" },
		{ "[a \"x.Y \\\"z\\\\\"]\nb=1\n", "a.x.Y \"z\\.b", "1" },
		{ "[a \"x\"]\nb=1\n", "a.X.b", "(absent)" },
		{ "[a \"x\"]\nb=1\n", "a.b", "(absent)" },
		{ "[a \"\"]\nb=1\n", "a..b", "1" },
		{ "[a.X]\nb=1\n", "a.x.b", "1" },
		{ "# c\n; d\n  # e\n[a]#f\nb=1", "a.b", "1" },
		{ "\xef\xbb\xbf[a]\nb=1", "a.b", "1" },
		{ "", "a.b", "(absent)" },
		{ "[a]", "ab", "(absent)" },
	};

	for (size_t i = 0; i < SG_LEN(t); i++)
		CHECK(gives(t[i].text, t[i].name, t[i].want));
}

TEST(gitconfig_refused)
{
	static const struct { const char *text, *message; } t[] = {
		{ "b = c\n", "'test' line 1: a key stands before the first section" },
		{ "[a]\n\n1b = c\n", "'test' line 3: expected a section, a key or a comment" },
		{ "[a]\nb c\n", "'test' line 2: expected '=' after the key" },
		{ "[a]\nb # c\n", "'test' line 2: expected '=' after the key" },
		{ "[a]\nb_c = 1\n", "'test' line 2: expected '=' after the key" },
		{ "[a]\nb = \"c\n", "'test' line 2: a quoted value is not closed" },
		{ "[a]\nb = \\x\n", "'test' line 2: invalid escape in a value" },
		{ "[a]\nb = \\", "'test' line 2: the file ends in a continued line" },
		{ "[]\n", "'test' line 1: a section needs a name" },
		{ "[a\n", "'test' line 1: invalid section header" },
		{ "[a b]\n", "'test' line 1: a subsection must be quoted" },
		{ "[a \"b]\n", "'test' line 1: the subsection is not closed" },
		{ "[a \"b\\", "'test' line 1: the subsection is not closed" },
		{ "[a \"b\" ]\n", "'test' line 1: expected ']' after the subsection" },
		{ "[a]\n\nb=\001\n", "'test' line 3: control character" },
		{ "[a]\rb=1\n", "'test' line 1: control character" },
	};
	struct sg_gitconfig c = { 0 };

	for (size_t i = 0; i < SG_LEN(t); i++) {
		CHECK(parse(&c, t[i].text) == -SG_E_CORRUPT);
		CHECK(!strcmp(sg_error_message(), t[i].message));
		CHECK(!c.entry && !c.text);
	}
	CHECK(sg_gitconfig_parse(&c, "[a]\nb=\0\n", 8, "test") == -SG_E_CORRUPT);
}

/* The edit gives exactly `want`; NULL: it is refused and nothing is written. */
static bool edits(const char *text, const char *name, const char *value, const char *want)
{
	struct sg_buf b = { 0 };
	int rc = sg_gitconfig_edit(&b, text, strlen(text), "test", name, value);
	bool ok = want ? rc >= 0 && !strcmp(b.data ? b.data : "", want) : rc < 0 && !b.len;

	if (!ok)
		printf("# %s: %s\n", name, rc < 0 ? sg_error_message() : b.data);
	sg_buf_release(&b);
	return ok;
}

TEST(gitconfig_set)
{
	static const struct { const char *text, *name, *value, *want; } t[] = {
		{ "", "a.b", "c", "[a]\n\tb = c\n" },
		{ "", "A.x.Y.B", "c", "[a \"x.Y\"]\n\tb = c\n" },
		{ "", "a.q\"\\.b", "c", "[a \"q\\\"\\\\\"]\n\tb = c\n" },
		{ "# top", "a.b", "c", "# top\n[a]\n\tb = c\n" },
		{ "[a]\n  b = old  # why\n# end\n", "a.b", "new", "[a]\n  b = new  # why\n# end\n" },
		{ "[a]\n  b=\"o l\"d;why\n", "a.b", "new", "[a]\n  b= new;why\n" },
		{ "[a]\n\tB = x \\\n\t  y # z\n\tc = 1\n", "a.b", "new", "[a]\n\tB = new # z\n\tc = 1\n" },
		{ "[a]\nb", "a.b", "no", "[a]\nb = no" },
		{ "[a]\nb =\n", "a.b", "no", "[a]\nb = no\n" },
		{ "[a] b = 1 # c\n", "a.b", "2", "[a] b = 2 # c\n" },
		{ "[a]\n\tc = 1 # x\n# tail\n[d]\n\te = 1\n", "a.b", "2",
		  "[a]\n\tc = 1 # x\n\tb = 2\n# tail\n[d]\n\te = 1\n" },
		{ "[a] # x\n[d]\n\te = 1\n", "a.b", "2", "[a] # x\n\tb = 2\n[d]\n\te = 1\n" },
		{ "[a]", "a.b", "2", "[a]\n\tb = 2\n" },
		{ "[a]\nb=1\n[a]\nb=2\n", "a.b", "3", NULL },
		{ "[a] [d] e = 1\n", "a.b", "3", NULL },
		{ "[a]\n", "a", "3", NULL },
		{ "[a]\n", "a.1b", "3", NULL },
		{ "[a]\n", "a.x\ny.b", "3", NULL },
		{ "[a]\n", "a.b", "\001", NULL },
		{ "[a\n", "a.b", "1", NULL },
	};
	static const char *const hard[] = { "", " x", "x ", "a#b", "a;b", "\"", "\\", "\t", "x\ny", "\\n", "=" };

	for (size_t i = 0; i < SG_LEN(t); i++)
		CHECK(edits(t[i].text, t[i].name, t[i].value, t[i].want));
	for (size_t i = 0; i < SG_LEN(hard); i++) {
		struct sg_buf b = { 0 };

		PASS(sg_gitconfig_edit(&b, "[a]\nb = 1\n", 10, "test", "a.b", hard[i]));
		CHECK(gives(b.data, "a.b", hard[i]));
		sg_buf_release(&b);
	}
}

TEST(gitconfig_unset)
{
	CHECK(edits("[a]\n\tb = 1 # x\n\tc = 2\n", "a.b", NULL, "[a]\n\tc = 2\n"));
	CHECK(edits("[a]\n\tb = 1 \\\n 2\n", "a.b", NULL, "[a]\n"));
	CHECK(edits("[a]\nb", "a.b", NULL, "[a]\n"));
	CHECK(edits("[a] b = 1 # x\n", "a.b", NULL, "[a]  # x\n"));
	CHECK(edits("[a]\nb=1\n", "a.c", NULL, NULL));
	CHECK(edits("[a]\nb=1\nb=2\n", "a.b", NULL, NULL));
}

TEST(gitconfig_scalars)
{
	int64_t i;
	double d;
	bool b;

	CHECK(sg_gitconfig_bool(NULL, &b) && b);
	CHECK(sg_gitconfig_bool("Yes", &b) && b);
	CHECK(sg_gitconfig_bool("oFF", &b) && !b);
	CHECK(sg_gitconfig_bool("", &b) && !b);
	CHECK(!sg_gitconfig_bool("2", &b) && !sg_gitconfig_bool("tru", &b) && !sg_gitconfig_bool("truee", &b));
	CHECK(sg_gitconfig_i64("12", &i) && i == 12);
	CHECK(sg_gitconfig_i64("-3", &i) && i == -3);
	CHECK(sg_gitconfig_i64("2K", &i) && i == 2048);
	CHECK(sg_gitconfig_i64("1g", &i) && i == 1 << 30);
	CHECK(!sg_gitconfig_i64("", &i) && !sg_gitconfig_i64("-", &i) && !sg_gitconfig_i64("k", &i));
	CHECK(!sg_gitconfig_i64("1kb", &i) && !sg_gitconfig_i64(" 1", &i) && !sg_gitconfig_i64("1.5", &i));
	CHECK(!sg_gitconfig_i64("9223372036854775808", &i) && !sg_gitconfig_i64("9223372036854775807k", &i));
	CHECK(!sg_gitconfig_i64(NULL, &i));
	CHECK(sg_gitconfig_f64("0.05", &d) && d == 0.05);
	CHECK(sg_gitconfig_f64("-1e-3", &d) && d == -1e-3);
	CHECK(!sg_gitconfig_f64("nan", &d) && !sg_gitconfig_f64("inf", &d) && !sg_gitconfig_f64("0x1", &d));
	CHECK(!sg_gitconfig_f64("", &d) && !sg_gitconfig_f64("1e999", &d) && !sg_gitconfig_f64("1 ", &d));
	CHECK(!sg_gitconfig_f64("e", &d) && !sg_gitconfig_f64(NULL, &d));
}
