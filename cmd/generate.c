/* Let the model write. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static const char *rev, *cand, *prompt = "";
static int64_t tokens = 256, seed = 1;
static double temperature, top_p = 1;
static struct sg_opt_list stop;

static const struct sg_opt opts[] = {
	{ 0, "rev", SG_OPT_STR, &rev, "<rev>", "composition of this revision (HEAD)", 0, 0 },
	{ 0, "cand", SG_OPT_STR, &cand, "<candidate>", "with this candidate on top", 0, 0 },
	{ 'p', "prompt", SG_OPT_STR, &prompt, "<text>", "what the text begins with", 0, 0 },
	{ 'n', "tokens", SG_OPT_INT, &tokens, "<n>", "most tokens to write (256)", 1, 1 << 30 },
	{ 0, "temperature", SG_OPT_NUM, &temperature, "<x>", "0 takes the likeliest token (0), 1 draws", 0, 1000 },
	{ 0, "top-p", SG_OPT_NUM, &top_p, "<x>", "draw from the likeliest tokens with this share (1)", 0, 1 },
	{ 0, "stop", SG_OPT_LIST, &stop, "<text>", "end before this text, each time the option is given", 0, 0 },
	{ 0, "seed", SG_OPT_INT, &seed, "<n>", "seed of the draws (1)", 0, INT64_MAX },
	{ 0 }
};

/* The prompt goes out with the first piece: nothing is printed when nothing works. */
static void begin(void)
{
	static bool begun;

	if (!begun)
		sg_print_text(stdout, prompt, strlen(prompt));
	begun = true;
}

static bool piece(void *arg, const char *text, size_t n)
{
	(void)arg;
	begin();
	sg_print_text(stdout, text, n);
	return fflush(stdout) != 0;	/* nobody reads any more */
}

static bool gather(void *arg, const char *text, size_t n)
{
	return sg_buf_add(arg, text, n) < 0;
}

/* Tokens a second after the first one, which the reading of the prompt gives; 0: too few to tell. */
static double speed(const struct sg_generate_info *g)
{
	return g->tokens > 1 && g->seconds > 0 ? (double)(g->tokens - 1) / g->seconds : 0;
}

/* On stderr: the text alone goes to stdout. */
static void print_speed(const struct sg_ctx *ctx, const struct sg_generate_info *g)
{
	if (!ctx->quiet && speed(g) > 0)
		fprintf(stderr, "%llu tokens, %.1f a second\n", (unsigned long long)g->tokens, speed(g));
}

static int print_json(const struct sg_generate_info *g, const struct sg_buf *text)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_json_put_str(w, "state", g->state);
	sg_jsonw_key(w, "prompt");
	sg_jsonw_text(w, prompt, strlen(prompt));
	sg_jsonw_key(w, "text");
	sg_jsonw_text(w, text->len ? text->data : "", text->len);
	sg_json_put_i64(w, "tokens", (int64_t)g->tokens);
	sg_json_put_bool(w, "ended", g->ended);
	sg_json_put_bool(w, "stopped", g->stopped);
	sg_json_put_i64(w, "prompt_tokens", (int64_t)g->read);
	sg_json_put_f64(w, "tokens_per_second", speed(g));
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_buf text = { 0 };
	struct sg_generate_opts o = {
		.rev = rev, .cand = cand, .prompt = prompt, .tokens = (uint64_t)tokens, .seed = (uint64_t)seed,
		.temperature = temperature, .top_p = top_p, .stop = stop.item, .n_stop = stop.n,
		.piece = ctx->json ? gather : piece, .arg = &text,
	};
	struct sg_generate_info g;
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	rc = sg_generate(&g, ctx->repo, &o);
	if (rc >= 0 && ctx->json) {
		rc = print_json(&g, &text);
	} else if (rc >= 0) {
		begin();
		putchar('\n');
		fflush(stdout);
		print_speed(ctx, &g);
	}
	sg_buf_release(&text);
	return rc;
}

const struct sg_cmd sg_cmd_generate = {
	.name = "generate", .group = "look",
	.args = "[--rev <rev>] [--cand <candidate>] [--prompt <text>] [--tokens <n>] [--temperature <x>] [--top-p <x>] "
		"[--stop <text>] [--seed <n>] [--json]",
	.brief = "Let the model write.", .opts = opts, .flags = SG_CMD_REPO, .run = run,
};
