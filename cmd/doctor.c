/* What was found here and why, and how the registry is. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static const char *const names[] = { [SG_WELL] = "ok", [SG_LACKS] = "lacks", [SG_FAULT] = "fault" };
static const enum sg_color colors[] = { [SG_WELL] = SG_GREEN, [SG_LACKS] = SG_YELLOW, [SG_FAULT] = SG_RED };

struct report { struct sg_jsonw *w; struct sg_table t; };

static void line(void *arg, const char *what, enum sg_health h, const char *text)
{
	struct report *r = arg;

	if (!r->w) {
		sg_table_add(&r->t, "%s", what);
		sg_table_color(&r->t, colors[h], "%s", names[h]);
		sg_table_add(&r->t, "%s", text);
		sg_table_row(&r->t);
		return;
	}
	sg_jsonw_object(r->w);
	sg_json_put_str(r->w, "what", what);
	sg_json_put_str(r->w, "health", names[h]);
	sg_json_put_str(r->w, "text", text);
	sg_jsonw_end(r->w, '}');
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_open_opts o = { .device = ctx->device, .threads = (unsigned)ctx->threads };
	struct report r = { .w = NULL };
	int rc, faults;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	sg_table_init(&r.t, "WHAT|HEALTH|TEXT", false);
	if (ctx->json) {
		r.w = sg_print_json();
		sg_jsonw_array(r.w);
	}
	rc = sg_open(&ctx->repo, &o);
	if (rc == -SG_E_NOTFOUND)
		line(&r, "registry", SG_WELL, "none here");
	else if (rc < 0)
		line(&r, "registry", SG_FAULT, sg_error_message());
	else
		line(&r, "registry", SG_WELL, sg_repo_dir(ctx->repo));
	faults = sg_doctor(ctx->repo, &o, line, &r) + (rc < 0 && rc != -SG_E_NOTFOUND);
	if (ctx->json)
		sg_jsonw_end(r.w, ']');
	SG_TRY(ctx->json ? sg_print_json_end() : sg_table_print(&r.t, stdout));
	sg_table_release(&r.t);
	return faults > 0;
}

const struct sg_cmd sg_cmd_doctor = {
	.name = "doctor", .group = "start", .args = "[--json]",
	.brief = "Say what was found on this machine, and how the registry is.", .run = run,
};
