/* What can be proven of a line of growth. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

static struct sg_verify_opts opts_in;
static const struct sg_opt opts[] = {
	{ 0, "replay", SG_OPT_FLAG, &opts_in.replay, NULL, "measure the losses of each receipt again", 0, 0 },
	{ 0 },
};

/* --- for people ------------------------------------------------------------------ */

static enum sg_color color_of(enum sg_proof p)
{
	return p == SG_PROVEN ? SG_GREEN : p == SG_DIFFERS ? SG_RED : SG_YELLOW;
}

static void print_check(const struct sg_check *c)
{
	size_t n = strlen(c->subject);
	const char *subject = sg_print_safen(c->subject, n == 64 ? 16 : n);	/* of an id, enough to know it by */

	printf("    %s%-8s%s %s%s%s%s%s\n", sg_print_color(color_of(c->proof)), sg_proof_name(c->proof),
	       sg_print_color(SG_PLAIN), c->what, n ? " " : "", subject, *c->text ? ": " : "", sg_print_safe(c->text));
}

/* Always what differs and what is open; what is proven where it is asked for, and
 * of a replay always. */
static int print_commit(void *arg, const struct sg_verified *v)
{
	const struct sg_ctx *ctx = arg;
	bool bad = v->differs > 0;

	if (ctx->quiet && !bad)
		return 0;
	printf("%s%s%s %.12s %s\n", sg_print_color(bad ? SG_RED : SG_GREEN), bad ? "differs" : "ok     ",
	       sg_print_color(SG_PLAIN), v->commit, sg_print_safe(v->subject));
	for (size_t i = 0; i < v->n; i++) {
		const struct sg_check *c = &v->check[i];

		if (c->proof == SG_DIFFERS ||
		    (!ctx->quiet && (ctx->verbose || c->proof == SG_OPEN || !strcmp(c->what, "replay"))))
			print_check(c);
	}
	return 0;
}

#define N(x) (unsigned long long)(x)
#define S(x) (x) == 1 ? "" : "s"

static void print_total(const struct sg_verify_total *t, bool replay)
{
	printf("\n%llu commit%s, %llu graft%s with %llu tensor%s (%s), %llu receipt%s, %llu data set%s\n", N(t->commits),
	       S(t->commits), N(t->grafts), S(t->grafts), N(t->tensors), S(t->tensors), sg_print_bytes(t->bytes),
	       N(t->receipts), S(t->receipts), N(t->sets), S(t->sets));
	if (replay)
		printf("%llu receipt%s replayed: %llu with the same bits, %llu with the same verdict on another machine\n",
		       N(t->replayed), S(t->replayed), N(t->same_bits), N(t->same_verdict));
	printf("%llu statements proven, %s%llu differ%s%s, %llu cannot be told here\n", N(t->proven),
	       sg_print_color(t->differs ? SG_RED : SG_PLAIN), N(t->differs), t->differs == 1 ? "s" : "",
	       t->differs ? sg_print_color(SG_PLAIN) : "", N(t->open));
}

/* --- for programs ---------------------------------------------------------------- */

static void put_text(struct sg_jsonw *w, const char *key, const char *s)
{
	sg_jsonw_key(w, key);
	sg_jsonw_text(w, s, strlen(s));
}

static int put_commit(void *arg, const struct sg_verified *v)
{
	struct sg_jsonw *w = arg;

	sg_jsonw_object(w);
	sg_jsonw_key(w, "checks");
	sg_jsonw_array(w);
	for (size_t i = 0; i < v->n; i++) {
		sg_jsonw_object(w);
		sg_json_put_str(w, "proof", sg_proof_name(v->check[i].proof));
		put_text(w, "subject", v->check[i].subject);
		put_text(w, "text", v->check[i].text);
		sg_json_put_str(w, "what", v->check[i].what);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_json_put_str(w, "commit", v->commit);
	put_text(w, "op", v->op);
	sg_json_put_str(w, "signature", v->signature);
	if (v->signer) {
		put_text(w, "signer", v->signer);
	} else {
		sg_jsonw_key(w, "signer");
		sg_jsonw_null(w);
	}
	sg_json_put_str(w, "state", *v->state ? v->state : NULL);
	put_text(w, "subject", v->subject);
	sg_jsonw_end(w, '}');
	return 0;
}

static void put_total(struct sg_jsonw *w, const struct sg_verify_total *t)
{
	sg_json_put_i64(w, "proven", (int64_t)t->proven);
	sg_json_put_i64(w, "differs", (int64_t)t->differs);
	sg_json_put_i64(w, "open", (int64_t)t->open);
	sg_json_put_i64(w, "grafts", (int64_t)t->grafts);
	sg_json_put_i64(w, "tensors", (int64_t)t->tensors);
	sg_json_put_i64(w, "payload_bytes", (int64_t)t->bytes);
	sg_json_put_i64(w, "receipts", (int64_t)t->receipts);
	sg_json_put_i64(w, "data_sets", (int64_t)t->sets);
	sg_json_put_i64(w, "replayed", (int64_t)t->replayed);
	sg_json_put_i64(w, "same_bits", (int64_t)t->same_bits);
	sg_json_put_i64(w, "same_verdict", (int64_t)t->same_verdict);
}

static int run_json(struct sg_ctx *ctx)
{
	struct sg_jsonw *w = sg_print_json();
	struct sg_verify_total t;
	int rc;

	sg_jsonw_object(w);
	sg_jsonw_key(w, "commits");
	sg_jsonw_array(w);
	rc = sg_verify(&t, ctx->repo, &opts_in, put_commit, w, &ctx->progress);
	SG_TRY(rc);
	sg_jsonw_end(w, ']');
	put_total(w, &t);
	sg_jsonw_end(w, '}');
	SG_TRY(sg_print_json_end());
	return rc;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_verify_total t;
	int rc;

	SG_TRY(sg_cmd_args(argc, 0, 1));
	opts_in.rev = argc ? argv[0] : NULL;
	if (ctx->json)
		return run_json(ctx);
	rc = sg_verify(&t, ctx->repo, &opts_in, print_commit, ctx, &ctx->progress);
	SG_TRY(rc);
	if (!ctx->quiet || rc)
		print_total(&t, opts_in.replay);
	return rc;
}

const struct sg_cmd sg_cmd_verify = {
	.name = "verify", .group = "care", .args = "[--replay] [--json] [<rev>]",
	.brief = "Prove what a line of growth says of itself.", .opts = opts,
	.flags = SG_CMD_REPO, .run = run,
};
