/* What this program is and what it was built with. What the machine offers at
 * run time is the business of `sg doctor`. */
#include "cmd/cmd.h"
#include "cmd/print.h"

/* SG_VERSION, SG_BUILD_CUDA, SG_BUILD_SAN and SG_BUILD_LIBS come from the Makefile;
 * libs is "name version" pairs split by ';'. */

static void print_libs(struct sg_jsonw *w)
{
	char libs[] = SG_BUILD_LIBS, *save = libs, *p;

	while ((p = strsep(&save, ";"))) {
		char *v = strchr(p, ' ');

		if (!v)
			continue;
		*v++ = '\0';
		if (w)
			sg_json_put_str(w, p, v);
		else
			printf("%-10s%s\n", p, v);
	}
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_jsonw *w;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	if (!ctx->json) {
		printf("sg %s\n", SG_VERSION);
		printf("build     %s%s%s, %s\n", SG_BUILD_CUDA ? "cpu and cuda" : "cpu",
		       *SG_BUILD_SAN ? ", " : "", SG_BUILD_SAN, "C compiler " __VERSION__);
		print_libs(NULL);
		return 0;
	}
	w = sg_print_json();
	sg_jsonw_object(w);
	sg_json_put_str(w, "version", SG_VERSION);
	sg_json_put_str(w, "compiler", __VERSION__);
	sg_json_put_bool(w, "cuda", SG_BUILD_CUDA);
	sg_json_put_str(w, "sanitizers", SG_BUILD_SAN);
	sg_jsonw_key(w, "libraries");
	sg_jsonw_object(w);
	print_libs(w);
	sg_jsonw_end(w, '}');
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

const struct sg_cmd sg_cmd_version = {
	.name = "version", .group = "start", .args = "[--json]",
	.brief = "Show the version and what it was built with.", .run = run,
};
