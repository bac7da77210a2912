/* The list of commands, a command's page, and completions, all from the table
 * of commands: what is listed is documented and completed. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *completion;

static const struct sg_opt opts[] = {
	{ 0, "completion", SG_OPT_CHOICE, &completion, "bash|zsh", "print a completion script for the shell", 0, 0 },
	{ 0 }
};

/* The page sg-<name> beside the source tree that the program was built in, else
 * where it was installed; yours to free, NULL when there is none. */
static char *find_page(const char *name)
{
	char exe[PATH_MAX], *path = NULL, *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	for (int up = 0; up < 3 && (slash = strrchr(exe, '/')); up++)
		*slash = '\0';	/* <tree>/build/<kind>/sg */
	for (const char *s = "157"; *s; s++) {
		free(path);
		path = *exe ? sg_asprintf("%s/man/sg-%s.%c", exe, name, *s) : NULL;
		if (path && sg_file_exists(path))
			return path;
		free(path);
		path = sg_asprintf("%s/man%c/sg-%s.%c", SG_MANDIR, *s, name, *s);
		if (path && sg_file_exists(path))
			return path;
	}
	free(path);
	return NULL;
}

/* Let man show the page; NOTFOUND when there is no page or no man. */
static int show_page(const char *name)
{
	char man[] = "man", local[] = "-l", *path = find_page(name), *argv[] = { man, local, path, NULL };
	int status = 0, err;
	pid_t pid;

	if (!path)
		return sg_fail(SG_E_NOTFOUND, "there is no page about '%s'", name);
	fflush(stdout);
	err = posix_spawnp(&pid, "man", NULL, NULL, argv, environ);
	while (!err && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	free(path);
	return err || !WIFEXITED(status) || WEXITSTATUS(status) ?
	       sg_fail(SG_E_NOTFOUND, "man cannot show the page about '%s'", name) : 0;
}

static void words(const struct sg_opt *o)
{
	for (; o && o->name; o++) {
		printf(" --%s", o->name);
		if (o->letter)
			printf(" -%c", o->letter);
	}
}

static void names(void)
{
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++)
		printf(" %s", (*c)->name);
}

/* One case arm for each option with a fixed set of values: <cmd>:--opt) */
static void choices(const char *cmd, const struct sg_opt *o)
{
	for (; o && o->name; o++) {
		if (o->type != SG_OPT_CHOICE)
			continue;
		printf("\t%s:--%s) words='", cmd, o->name);
		for (const char *p = o->arg; *p; p++)
			putchar(*p == '|' ? ' ' : *p);
		puts("' fixed=1 ;;");
	}
}

static void bash(void)
{
	puts("# bash completion of sg, made by 'sg help --completion bash'\n"
	     "_sg() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tlocal cmd= words= fixed= i\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t-C|--directory|--sg-dir|--device|--tier|--threads|--color) ((i++)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) cmd=${COMP_WORDS[i]}; break ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $cmd in");
	printf("\t'') fixed=1 words='");
	names();
	words(sg_cmd_common);
	words(sg_cmd_global);
	puts("' ;;");
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++) {
		printf("\t%s) words='", (*c)->name);
		words((*c)->opts);
		words(sg_cmd_common);
		if (*c == &sg_cmd_help)
			names();
		puts(*c == &sg_cmd_help ? "' fixed=1 ;;" : "' ;;");
	}
	puts("\tesac\n"
	     "\tcase $cmd:$prev in");
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++)
		choices((*c)->name, (*c)->opts);
	choices("*", sg_cmd_common);
	puts("\t*:--device) words='auto cpu cuda' fixed=1 ;;\n"
	     "\t*:-C|*:--directory|*:--sg-dir) words= fixed= ;;\n"
	     "\tesac\n"
	     "\tif [[ $fixed || $cur == -* ]]; then\n"
	     "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "\telse\n"
	     "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	     "\tfi\n"
	     "}\n"
	     "complete -o filenames -F _sg sg");
}

/* Inside single quotes and brackets of zsh's _arguments. */
static void zsh_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else
			printf(strchr("[]:\\", *s) ? "\\%c" : "%c", *s);
	}
}

static void zsh_value(const struct sg_opt *o)
{
	if (!sg_opt_has_value(o))
		return;
	fputs(":value:", stdout);
	if (o->type == SG_OPT_CHOICE) {
		putchar('(');
		for (const char *p = o->arg; *p; p++)
			putchar(*p == '|' ? ' ' : *p);
		putchar(')');
	} else if (o->type == SG_OPT_STR || o->type == SG_OPT_LIST) {
		fputs("_files", stdout);
	}
}

static void zsh_opts(const struct sg_opt *o)
{
	for (; o && o->name; o++) {
		bool value = sg_opt_has_value(o);

		printf(" \\\n\t\t'*--%s%s[", o->name, value ? "=" : "");
		zsh_text(o->help);
		putchar(']');
		zsh_value(o);
		putchar('\'');
		if (o->letter) {
			printf(" \\\n\t\t'*-%c%s[", o->letter, value ? "+" : "");
			zsh_text(o->help);
			putchar(']');
			zsh_value(o);
			putchar('\'');
		}
	}
}

static void zsh(void)
{
	puts("#compdef sg\n"
	     "# zsh completion of sg, made by 'sg help --completion zsh'\n"
	     "_sg() {\n"
	     "\tlocal state line\n"
	     "\tlocal -a commands\n"
	     "\tcommands=(");
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++) {
		printf("\t\t'%s:", (*c)->name);
		zsh_text((*c)->brief);
		puts("'");
	}
	fputs("\t)\n\t_arguments -C", stdout);
	zsh_opts(sg_cmd_common);
	zsh_opts(sg_cmd_global);
	puts(" \\\n\t\t'1: :->command' '*:: :->words'\n"
	     "\tcase $state in\n"
	     "\tcommand) _describe command commands ;;\n"
	     "\twords)\n"
	     "\t\tcase $words[1] in");
	for (const struct sg_cmd *const *c = sg_cmds; *c; c++) {
		printf("\t\t%s) _arguments", (*c)->name);
		zsh_opts((*c)->opts);
		zsh_opts(sg_cmd_common);
		printf(" \\\n\t\t'*:");
		if (*c == &sg_cmd_help) {
			fputs("command:(", stdout);
			names();
			puts(" )' ;;");
		} else {
			puts("file:_files' ;;");
		}
	}
	puts("\t\tesac ;;\n"
	     "\tesac\n"
	     "}\n"
	     "_sg \"$@\"");
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	const struct sg_cmd *c;

	(void)ctx;
	SG_TRY(sg_cmd_args(argc, 0, completion ? 0 : 1));
	if (completion) {
		*completion == 'b' ? bash() : zsh();
		return 0;
	}
	if (!argc) {
		sg_cmd_list(stdout);
		return 0;
	}
	if (strpbrk(argv[0], "/%") || !*argv[0])
		return sg_fail(SG_E_NOTFOUND, "there is no page about '%s'", argv[0]);
	if (show_page(argv[0]) >= 0)
		return 0;
	c = sg_cmd_find(argv[0]);
	if (!c)
		return sg_fail(SG_E_NOTFOUND, "there is no page about '%s'", argv[0]);
	sg_cmd_usage(c, stdout);
	return 0;
}

const struct sg_cmd sg_cmd_help = {
	.name = "help", .group = "start", .args = "[<command>]\n--completion bash|zsh",
	.brief = "List the commands, or show the page of one.",
	.opts = opts, .run = run,
};
