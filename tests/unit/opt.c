#include "tests/test.h"
#include "cmd/opt.h"

static bool flag;
static int count;
static const char *str, *choice;
static int64_t whole, size;
static double num;
static struct sg_opt_list list;

static const struct sg_opt opts[] = {
	{ 'f', "flag", SG_OPT_FLAG, &flag, NULL, "a flag", 0, 0 },
	{ 'c', "count", SG_OPT_COUNT, &count, NULL, "a count", 0, 0 },
	{ 's', "str", SG_OPT_STR, &str, "<s>", "a string", 0, 0 },
	{ 'i', "int", SG_OPT_INT, &whole, "<n>", "a number", -5, 10 },
	{ 0, "size", SG_OPT_SIZE, &size, "<bytes>", "a size", 0, INT64_MAX },
	{ 'x', "num", SG_OPT_NUM, &num, "<x>", "a number", 0, 1 },
	{ 'l', "list", SG_OPT_LIST, &list, "<s>", "a list", 0, 0 },
	{ 0, "maybe", SG_OPT_MAYBE, &list, "<s>", "a value or none", 0, 0 },
	{ 0, "choice", SG_OPT_CHOICE, &choice, "left|right", "a choice", 0, 0 },
	{ 0 }
};
static bool other;
static const struct sg_opt common[] = {
	{ 'f', "other", SG_OPT_FLAG, &other, NULL, "hidden by -f above", 0, 0 },
	{ 0 }
};

/* argv from a line of words split by blanks; returns what the parser does. */
static char *argv[16];
static int parse(const char *line, bool first)
{
	static char buf[256];
	char *save = buf, *w;
	int argc = 0;

	flag = other = false;
	count = 0;
	str = choice = NULL;
	whole = size = 0;
	num = 0;
	list.n = 0;
	snprintf(buf, sizeof(buf), "%s", line);
	while ((w = strsep(&save, " ")) && argc < 16)
		argv[argc++] = w;
	return sg_opt_parse(opts, common, first, argc, argv);
}

TEST(opt_forms)
{
	CHECK(parse("--str=a -i3 b --num .5 -l1 --list 2 -c -cf --size 2k --choice=right", false) == 1);
	CHECK(!strcmp(argv[0], "b") && !strcmp(str, "a") && whole == 3 && num == 0.5);
	CHECK(list.n == 2 && !strcmp(list.item[0], "1") && !strcmp(list.item[1], "2"));
	CHECK(count == 2 && flag && !other && size == 2048 && !strcmp(choice, "right"));
	CHECK(parse("--str --flag -i -5", false) == 0);
	CHECK(!strcmp(str, "--flag") && !flag && whole == -5);
	CHECK(parse("--str=", false) == 0 && !*str);
	CHECK(parse("--maybe b --maybe=c", false) == 1 && !strcmp(argv[0], "b"));
	CHECK(list.n == 2 && !*list.item[0] && !strcmp(list.item[1], "c"));
}

TEST(opt_rest_keeps_its_order)
{
	CHECK(parse("a -f b -- -c -- d", false) == 5);
	CHECK(!strcmp(argv[0], "a") && !strcmp(argv[1], "b") && !strcmp(argv[2], "-c"));
	CHECK(!strcmp(argv[3], "--") && !strcmp(argv[4], "d") && count == 0);
	CHECK(parse("- -f", false) == 1 && !strcmp(argv[0], "-") && flag);
	CHECK(parse("-f word -c", true) == 2 && flag && !count && !strcmp(argv[1], "-c"));
}

TEST(opt_own_before_common)
{
	CHECK(parse("-f --other", false) == 0 && flag && other);
	CHECK(parse("-f --no-flag --other --no-other", false) == 0 && !flag && !other);
}

TEST(opt_refuses)
{
	FAILS(USAGE, parse("--nope", false));
	FAILS(USAGE, parse("-z", false));
	FAILS(USAGE, parse("-fz", false));
	FAILS(USAGE, parse("--fla", false));
	FAILS(USAGE, parse("--flag=1", false));
	FAILS(USAGE, parse("--no-str", false));
	FAILS(USAGE, parse("--str", false));
	FAILS(USAGE, parse("-s", false));
	FAILS(USAGE, parse("-i 11", false));
	FAILS(USAGE, parse("-i -6", false));
	FAILS(USAGE, parse("-i 3k", false));
	FAILS(USAGE, parse("-i", false));
	FAILS(USAGE, parse("-i 99999999999999999999", false));
	FAILS(USAGE, parse("--size 9999999t", false));
	FAILS(USAGE, parse("--size -1", false));
	FAILS(USAGE, parse("--size 1kb", false));
	FAILS(USAGE, parse("-x nan", false));
	FAILS(USAGE, parse("-x inf", false));
	FAILS(USAGE, parse("-x 1.5", false));
	FAILS(USAGE, parse("-x 0.5x", false));
	FAILS(USAGE, parse("--choice=lef", false));
	FAILS(USAGE, parse("--choice=", false));
	FAILS(USAGE, parse("--choice=left|right", false));
}
