/* The policy: what a graft must pass, in the tree and changed by commits. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "base/file.h"
#include "base/mem.h"
#include "sg.h"
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#define POLICY_MAX ((size_t)1 << 20)

extern char **environ;

static int put_text(const char *key, const struct sg_buf *b)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, key, b->len ? b->data : "");
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int show(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_buf b = { 0 };
	int rc = sg_policy_text(&b, ctx->repo, NULL);

	(void)argc, (void)argv;
	if (rc >= 0 && ctx->json)
		rc = put_text("text", &b);
	else if (rc >= 0)
		sg_print_text(stdout, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* "key=value" lines as an object; a value is as the policy writes it. */
static int list_json(char *text)
{
	struct sg_jsonw *w = sg_print_json();
	char *key;

	sg_jsonw_object(w);
	while ((key = strsep(&text, "\n"))) {
		char *eq = strchr(key, '=');

		if (!eq)
			continue;
		*eq = '\0';
		sg_json_put_str(w, key, eq + 1);
	}
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int list(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_buf b = { 0 };
	int rc = sg_policy_values(&b, ctx->repo, NULL);

	(void)argc, (void)argv;
	if (rc >= 0 && ctx->json)
		rc = list_json(b.data);
	else if (rc >= 0)
		sg_print_text(stdout, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

static int get(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_buf b = { 0 };
	int rc = sg_policy_value(&b, ctx->repo, NULL, argv[0]);

	(void)argc;
	if (rc >= 0 && ctx->json)
		rc = put_text(argv[0], &b);
	else if (rc >= 0)
		puts(sg_print_safen(b.data, b.len));
	sg_buf_release(&b);
	return rc;
}

static int set(struct sg_ctx *ctx, int argc, char **argv)
{
	return sg_policy_change(ctx->repo, argv[0], argc > 1 ? argv[1] : NULL);
}

/* The user's editor on a file, as git starts it: through the shell. */
static int run_editor(const char *path)
{
	static const char *const from[] = { "GIT_EDITOR", "VISUAL", "EDITOR" };
	const char *editor = NULL;
	char sh[] = "sh", c[] = "-c", *script, *argv[] = { sh, c, NULL, NULL };
	int status = 0, err;
	pid_t pid;

	for (size_t i = 0; i < SG_LEN(from) && !(editor && *editor); i++)
		editor = getenv(from[i]);
	script = sg_asprintf("%s \"$SG_EDIT\"", editor && *editor ? editor : "vi");
	if (!script || setenv("SG_EDIT", path, 1)) {
		free(script);
		return sg_fail(SG_E_NOMEM, "out of memory");
	}
	argv[2] = script;
	fflush(stdout);
	err = posix_spawnp(&pid, "sh", NULL, NULL, argv, environ);
	while (!err && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	free(script);
	if (err || !WIFEXITED(status) || WEXITSTATUS(status))
		return sg_fail(SG_E_ERROR, "the editor failed; nothing was changed");
	return 0;
}

static int edit_file(struct sg_ctx *ctx, const char *path)
{
	struct sg_buf old = { 0 }, now = { 0 };
	bool same = false;
	int rc = sg_policy_text(&old, ctx->repo, NULL);

	if (rc >= 0)
		rc = sg_file_write(path, old.data, old.len);
	if (rc >= 0 && (rc = run_editor(path)) < 0)
		(void)remove(path);
	if (rc >= 0)
		rc = sg_file_read(&now, path, POLICY_MAX);
	if (rc >= 0) {
		same = now.len == old.len && !memcmp(now.data, old.data, now.len);
		rc = same ? 0 : sg_policy_replace(ctx->repo, now.data, now.len);
		if (rc < 0)
			rc = sg_fail_in(rc, "nothing was changed, your text is in '%s'", path);
		else
			(void)remove(path);
	}
	if (rc >= 0 && same && !ctx->quiet)
		puts("unchanged");
	sg_buf_release(&old);
	sg_buf_release(&now);
	return rc;
}

static int edit(struct sg_ctx *ctx, int argc, char **argv)
{
	char *path = sg_path_join(sg_repo_dir(ctx->repo), "POLICY_EDIT");
	int rc = path ? edit_file(ctx, path) : -SG_E_NOMEM;

	(void)argc, (void)argv;
	free(path);
	return rc;
}

static const struct sg_verb verbs[] = {
	{ "show", 0, 0, show }, { "list", 0, 0, list }, { "get", 1, 1, get }, { "set", 2, 2, set },
	{ "unset", 1, 1, set }, { "edit", 0, 0, edit }, { 0 }
};

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	return sg_cmd_verbs(verbs, ctx, argc, argv);
}

const struct sg_cmd sg_cmd_policy = {
	.name = "policy", .group = "start",
	.args = "[show] [--json]\nlist [--json]\nget [--json] <key>\nset <key> <value>\nunset <key>\nedit",
	.brief = "Show and change what a graft must pass.", .flags = SG_CMD_REPO, .run = run,
};
