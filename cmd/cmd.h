#ifndef SG_CMD_CMD_H
#define SG_CMD_CMD_H
#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "cmd/opt.h"
/*
 * A command is one constant in its own file:
 *
 *	const struct sg_cmd sg_cmd_foo = {
 *		.name = "foo", .group = "look", .args = "[--all] <id>",
 *		.brief = "Show what foo is.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
 *	};
 *
 * and a line in commands.def (_ for a -), a page man/sg-foo.1 and a test tests/t/foo.sh.
 */
struct sg_repo;
struct sg_signing;

enum sg_cmd_flags {
	SG_CMD_REPO  = 1 << 0,	/* ctx->repo is open before run(), closed after */
	SG_CMD_PAGER = 1 << 1	/* long text: goes through the pager on a terminal, except as JSON */
};

/* What the global options say, and what main opened for the command. */
struct sg_ctx {
	bool json, quiet;
	int verbose;
	const char *device;	/* "auto", "cpu", "cuda", "cuda:N" */
	int64_t threads;	/* 0: as many as there are */
	struct sg_progress progress;	/* hand it to every long call: it shows, and stops on Ctrl-C */
	struct sg_signing *signing;	/* what --sign and --no-sign say; borrowed */
	struct sg_repo *repo;	/* NULL without SG_CMD_REPO */
};

struct sg_cmd {
	const char *name, *group;
	const char *args;	/* synopsis after the name; each '\n' begins another form */
	const char *brief;	/* one sentence */
	const struct sg_opt *opts;
	unsigned flags;
	/* 0: done. Positive: the true answer is "no", and run has printed it
	 * (exit 1). Negative: an error; main prints its message. */
	int (*run)(struct sg_ctx *ctx, int argc, char **argv);
};

#define SG_CMD(name) extern const struct sg_cmd sg_cmd_##name;
#include "cmd/commands.def"
#undef SG_CMD
extern const struct sg_cmd *const sg_cmds[];	/* NULL at the end */
extern const struct sg_opt sg_cmd_common[];	/* options that every command has */
extern const struct sg_opt sg_cmd_global[];	/* options before the command only */

const struct sg_cmd *sg_cmd_find(const char *name);
/* "usage: sg foo ..." alone, and with brief and options. */
void sg_cmd_synopsis(const struct sg_cmd *c, FILE *to);
void sg_cmd_usage(const struct sg_cmd *c, FILE *to);
/* The commands by group. */
void sg_cmd_list(FILE *to);

/* USAGE when argc is not in min..max (max < 0: no bound). */
int sg_cmd_args(int argc, int min, int max);
/* What came of showing a change that is made: when that failed, the error says that
 * the change itself did not. */
int sg_cmd_shown(int rc);

/* Commands with verbs (`sg data add ...`): argv[0] picks one, whose run gets
 * the rest. The table ends with { 0 }. Without a word, the first is meant. */
struct sg_verb {
	const char *name;
	int min, max;		/* words after the verb; max < 0: no bound */
	int (*run)(struct sg_ctx *ctx, int argc, char **argv);
};
int sg_cmd_verbs(const struct sg_verb *v, struct sg_ctx *ctx, int argc, char **argv);
#endif
