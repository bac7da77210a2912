/* The program: global options, dispatch, and the one place that knows how
 * results become exit status. 0 done, 1 a true answer that is "no", 128 a
 * failure, 129 usage. */
#include "cmd/cmd.h"
#include "cmd/ask.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "sg.h"
#include <errno.h>
#include <unistd.h>

#define EXIT_NO    1
#define EXIT_FAIL  128
#define EXIT_USAGE 129

static struct sg_signing signing = { .ask = sg_ask_passphrase };
static struct sg_ctx ctx = { .device = "auto", .signing = &signing };
static bool help, version, no_sign;
static struct sg_opt_list sign;
static const char *color = "auto", *tier = "portable";
static struct sg_opt_list dirs;
static const char *sg_dir;

const struct sg_opt sg_cmd_common[] = {
	{ 'h', "help", SG_OPT_FLAG, &help, NULL, "show how the command is used", 0, 0 },
	{ 0, "json", SG_OPT_FLAG, &ctx.json, NULL, "print facts as JSON", 0, 0 },
	{ 'q', "quiet", SG_OPT_FLAG, &ctx.quiet, NULL, "no progress, no remarks", 0, 0 },
	{ 'v', "verbose", SG_OPT_COUNT, &ctx.verbose, NULL, "say more; twice says still more", 0, 0 },
	{ 0, "device", SG_OPT_STR, &ctx.device, "<device>", "auto, cpu, cuda or cuda:N", 0, 0 },
	{ 0, "tier", SG_OPT_CHOICE, &tier, "fast|portable", "numerics of a GPU", 0, 0 },
	{ 0, "threads", SG_OPT_INT, &ctx.threads, "<n>", "processor threads; 0 means all", 0, 4096 },
	{ 0, "color", SG_OPT_CHOICE, &color, "auto|always|never", "colour on the terminal", 0, 0 },
	{ 'S', "sign", SG_OPT_MAYBE, &sign, "<key>", "sign what is committed", 0, 0 },
	{ 0, "no-sign", SG_OPT_FLAG, &no_sign, NULL, "do not, whatever the configuration says", 0, 0 },
	{ 0 }
};

const struct sg_opt sg_cmd_global[] = {
	{ 'C', "directory", SG_OPT_LIST, &dirs, "<dir>", "go to the folder first", 0, 0 },
	{ 0, "sg-dir", SG_OPT_STR, &sg_dir, "<dir>", "the registry's .sg folder, as SG_DIR says", 0, 0 },
	{ 'V', "version", SG_OPT_FLAG, &version, NULL, "print the version", 0, 0 },
	{ 0 }
};

const struct sg_cmd *const sg_cmds[] = {
#define SG_CMD(name) &sg_cmd_##name,
#include "cmd/commands.def"
#undef SG_CMD
	NULL
};

const struct sg_cmd *sg_cmd_find(const char *name)
{
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

void sg_cmd_synopsis(const struct sg_cmd *c, FILE *to)
{
	const char *form = c->args, *lead = "usage";

	for (;; form++, lead = "   or") {
		int n = (int)strcspn(form, "\n");

		fprintf(to, "%s: sg %s%s%.*s\n", lead, c->name, n ? " " : "", n, form);
		form += n;
		if (!*form)
			return;
	}
}

void sg_cmd_usage(const struct sg_cmd *c, FILE *to)
{
	sg_cmd_synopsis(c, to);
	fprintf(to, "\n%s\n", c->brief);
	if (c->opts && c->opts->name) {
		fputc('\n', to);
		sg_opt_print(c->opts, to);
	}
}

void sg_cmd_list(FILE *to)
{
	const char *group = "";

	fputs("usage: sg [-C <dir>] [--sg-dir <dir>] [<options>] <command> [<args>]\n", to);
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++) {
		if (strcmp(group, (*c)->group)) {
			group = (*c)->group;
			fprintf(to, "\n%s\n", group);
		}
		fprintf(to, "  %-13s %s\n", (*c)->name, (*c)->brief);
	}
	fputs("\nOptions of every command\n", to);
	sg_opt_print(sg_cmd_common, to);
	fputs("\nOptions before the command\n", to);
	sg_opt_print(sg_cmd_global, to);
	fputs("\n'sg help <command>' shows its page, 'sg <command> -h' its usage.\n", to);
}

int sg_cmd_args(int argc, int min, int max)
{
	if (argc < min)
		return sg_fail(SG_E_USAGE, "too few arguments");
	if (max >= 0 && argc > max)
		return sg_fail(SG_E_USAGE, "too many arguments");
	return 0;
}

int sg_cmd_shown(int rc)
{
	return rc < 0 ? sg_fail_in(rc, "done, but it cannot be shown") : rc;
}

int sg_cmd_verbs(const struct sg_verb *v, struct sg_ctx *c, int argc, char **argv)
{
	const struct sg_verb *found = argc ? NULL : v;

	for (; argc && v->name; v++)
		if (!strcmp(v->name, argv[0]))
			found = v;
	if (!found)
		return sg_fail(SG_E_USAGE, "'%s' is not something to do here", argv[0]);
	if (argc) {
		argc--;
		argv++;
	}
	SG_TRY(sg_cmd_args(argc, found->min, found->max));
	return found->run(c, argc, argv);
}

/* Edit distance of two short names; only ever used to suggest one. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b);

	if (n >= SG_LEN(row))
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diag = row[0]++;

		for (size_t j = 0; j < n; j++) {
			size_t swap = diag + (a[i] != b[j]);

			diag = row[j + 1];
			row[j + 1] = SG_MIN(swap, SG_MIN(row[j], diag) + 1);
		}
	}
	return row[n];
}

static int unknown(const char *name)
{
	const char *best = NULL;
	size_t least = 3;

	for (const struct sg_cmd *const *c = sg_cmds; *c; c++) {
		size_t d = distance(name, (*c)->name);

		if (d < least && d < strlen((*c)->name)) {
			least = d;
			best = (*c)->name;
		}
	}
	fprintf(stderr, "sg: '%s' is not a command; see 'sg help'\n", sg_print_safe(name));
	if (best)
		fprintf(stderr, "did you mean 'sg %s'?\n", best);
	return EXIT_USAGE;
}

static int check_device(const char *s)
{
	size_t n;

	if (!strcmp(s, "auto") || !strcmp(s, "cpu") || !strcmp(s, "cuda"))
		return 0;
	if (!strncmp(s, "cuda:", 5)) {
		n = strspn(s + 5, "0123456789");
		if (n && n < 4 && !s[5 + n])
			return 0;
	}
	return sg_fail(SG_E_USAGE, "option '--device' needs auto, cpu, cuda or cuda:N, not '%s'", s);
}

/* There is one tier so far, and asking for another must not give it silently. */
static int check_tier(void)
{
	if (!strcmp(tier, "portable"))
		return 0;
	return sg_fail(SG_E_UNSUPPORTED, "tier '%s' is not built yet; 'portable', the bits of the processor on every device, is",
		       tier);
}

static int go_to_folder(void)
{
	for (size_t i = 0; i < dirs.n; i++)
		if (*dirs.item[i] && chdir(dirs.item[i]))
			return sg_fail_errno(SG_E_IO, "cannot change to '%s'", dirs.item[i]);
	if (sg_dir && setenv("SG_DIR", sg_dir, 1))
		return sg_fail_errno(SG_E_ERROR, "cannot set SG_DIR");
	return 0;
}

static int choose_signing(void)
{
	if (sign.n && no_sign)
		return sg_fail(SG_E_USAGE, "--sign and --no-sign do not go together");
	signing.how = sign.n ? SG_SIGNING_ALWAYS : no_sign ? SG_SIGNING_NEVER : SG_SIGNING_CONFIG;
	if (sign.n && *sign.item[sign.n - 1])
		signing.key = sign.item[sign.n - 1];
	return 0;
}

/* The one call site of the registry's opening and closing. */
static int open_repo(void)
{
	return sg_open(&ctx.repo, &(struct sg_open_opts){ .device = ctx.device, .threads = (unsigned)ctx.threads,
							  .signing = &signing });
}

static void close_repo(void)
{
	sg_close(ctx.repo);
	ctx.repo = NULL;
}

static int run(const struct sg_cmd *c, int argc, char **argv)
{
	int rc;

	SG_TRY(check_device(ctx.device));
	SG_TRY(check_tier());
	SG_TRY(choose_signing());
	sg_print_setup(color);
	sg_progress_setup(&ctx.progress, ctx.quiet);
	if (c->flags & SG_CMD_REPO)
		SG_TRY(open_repo());
	if ((c->flags & SG_CMD_PAGER) && !ctx.json)
		sg_pager_start();
	rc = c->run(&ctx, argc, argv);
	sg_progress_end();
	close_repo();
	return rc;
}

/* What was printed must have arrived; a reader that left early is no failure. */
static int flush(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "sg: cannot write the output: %s\n", strerror(errno));
	return status ? status : EXIT_FAIL;
}

static int fail(const char *who, const struct sg_cmd *c, int rc)
{
	fflush(stdout);
	fprintf(stderr, "%s%s%s: %s\n", who, c ? " " : "", c ? c->name : "", sg_print_safe(sg_error_message()));
	if (rc == -SG_E_USAGE && c)
		sg_cmd_synopsis(c, stderr);
	return sg_error_exit(rc);
}

int main(int argc, char **argv)
{
	const struct sg_cmd *c;
	int rc, status;

	argc--;
	argv++;
	rc = sg_opt_parse(sg_cmd_global, sg_cmd_common, true, argc, argv);
	if (rc < 0)
		return fail("sg", NULL, rc);
	argc = rc;
	c = version ? sg_cmd_find("version") : argc ? sg_cmd_find(argv[0]) : NULL;
	if (!c && !help && argc)
		return unknown(argv[0]);
	if (!c) {
		sg_cmd_list(help ? stdout : stderr);
		return help ? flush(0) : EXIT_USAGE;
	}
	rc = go_to_folder();
	if (rc >= 0)
		rc = version ? 0 : sg_opt_parse(c->opts, sg_cmd_common, false, argc - 1, argv + 1);
	if (rc >= 0 && help) {
		sg_cmd_usage(c, stdout);
		return flush(0);
	}
	if (rc >= 0)
		rc = run(c, rc, argv + 1);
	status = rc < 0 ? fail("sg", c, rc) : rc ? EXIT_NO : 0;
	status = flush(status);
	sg_pager_end();
	return status;
}
