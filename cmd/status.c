/* Where the registry stands and what can be done next. */
#include "cmd/look.h"

static const char *short_id(const char *id)
{
	return *id ? sg_print_safen(id, SG_MIN(strlen(id), SG_ID_SHOWN)) : "-";
}

/* --- JSON ------------------------------------------------------------------------- */

static void base_json(struct sg_jsonw *w, const struct sg_base_info *b)
{
	sg_jsonw_key(w, "base");
	sg_jsonw_object(w);
	sg_json_put_str(w, "id", b->id);
	sg_look_put(w, "arch", b->arch);
	sg_json_put_i64(w, "parameters", (int64_t)b->parameters);
	sg_json_put_bool(w, "made", b->made);
	sg_json_put_bool(w, "embedded", b->embedded);
	sg_look_put(w, "path", b->path);
	sg_json_put_bool(w, "bound", b->made || b->embedded || b->path);
	sg_jsonw_end(w, '}');
}

static void cand_json(struct sg_jsonw *w, const struct sg_cand_info *c)
{
	sg_jsonw_object(w);
	sg_look_graft_json(w, &c->graft);
	sg_json_put_str(w, "where", c->where);
	sg_json_put_str(w, "commit", c->commit);
	sg_look_put_id(w, "trained_on", c->parent);
	sg_look_put(w, "verdict", c->verdict);
	sg_json_put_bool(w, "current", c->current);
	sg_jsonw_end(w, '}');
}

static void data_json(struct sg_jsonw *w, const struct sg_data_info *d)
{
	sg_jsonw_object(w);
	sg_look_put(w, "name", d->name);
	sg_look_put(w, "role", d->role);
	sg_json_put_str(w, "id", d->id);
	sg_json_put_i64(w, "docs", (int64_t)d->docs);
	sg_json_put_i64(w, "tokens", (int64_t)d->tokens);
	sg_json_put_bool(w, "present", d->present);
	sg_jsonw_end(w, '}');
}

static void job_json(struct sg_jsonw *w, const struct sg_job_info *j)
{
	sg_jsonw_object(w);
	sg_look_put(w, "file", j->file);
	sg_look_put(w, "type", j->type);
	sg_look_put(w, "name", j->name);
	sg_json_put_i64(w, "sites", (int64_t)j->sites);
	sg_json_put_i64(w, "step", (int64_t)j->step);
	sg_json_put_i64(w, "steps", (int64_t)j->steps);
	sg_json_put_bool(w, "resumable", j->current && j->newest);
	sg_json_put_i64(w, "time", j->time);
	sg_jsonw_end(w, '}');
}

static int print_json(const struct sg_status *s)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_look_put(w, "branch", s->branch);
	sg_json_put_str(w, "commit", s->commit);
	sg_look_put(w, "subject", s->subject);
	sg_look_put(w, "upstream", s->upstream);
	sg_json_put_i64(w, "ahead", (int64_t)s->ahead);
	sg_json_put_i64(w, "behind", (int64_t)s->behind);
	base_json(w, &s->base);
	sg_json_put_str(w, "state", s->state);
	sg_jsonw_key(w, "stack");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->n_stack; i++) {
		sg_jsonw_object(w);
		sg_look_graft_json(w, &s->stack[i]);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_jsonw_key(w, "candidates");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->n_cand; i++)
		cand_json(w, &s->cand[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_key(w, "data");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->data.n; i++)
		data_json(w, &s->data.set[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_key(w, "stopped");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->n_jobs; i++)
		job_json(w, &s->job[i]);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}

/* --- text ------------------------------------------------------------------------- */

static void print_line(const struct sg_status *s)
{
	printf("On %s%s, commit %.*s: %s\n", s->branch ? "branch " : "no branch (HEAD is detached)",
	       sg_print_safe(s->branch), SG_COMMIT_SHOWN, s->commit, sg_print_safe(s->subject));
	if (s->upstream && (s->ahead || s->behind))
		printf("%zu ahead of %s, %zu behind\n", s->ahead, sg_print_safe(s->upstream), s->behind);
	else if (s->upstream)
		printf("Even with %s\n", sg_print_safe(s->upstream));
}

static void print_base(const struct sg_base_info *b)
{
	printf("Base  %s  %s", short_id(b->id), sg_print_safe(b->arch));
	if (b->parameters)
		printf(", %s parameters", sg_print_count(b->parameters));
	if (b->made)
		puts(", made from its seed");
	else if (b->embedded)
		puts(", kept in the registry");
	else if (b->path)
		printf(", bound to %s\n", sg_print_safe(b->path));
	else
		printf(", %snot bound%s: 'sg base bind PATH' says where its weights are\n", sg_print_color(SG_YELLOW),
		       sg_print_color(SG_PLAIN));
}

#define SHOWN 100	/* grafts of a large stack */
static int print_stack(const struct sg_status *s)
{
	struct sg_table t;
	uint64_t parameters = 0;

	for (size_t i = 0; i < s->n_stack; i++)
		parameters += s->stack[i].parameters;
	printf("State %s  %zu %s", short_id(s->state), s->n_active, s->n_active == 1 ? "graft" : "grafts");
	if (s->n_stack && s->n_stack == s->n_active)
		printf(", %s parameters", sg_look_number(parameters));
	putchar('\n');
	if (!s->n_stack)
		return 0;
	puts("\nActive, in stack order:");
	if (s->n_stack < s->n_active)
		printf("  (%zu before these; --json has them all)\n", s->n_active - s->n_stack);
	sg_table_init(&t, "|graft|name|type|sites|>parameters|>payload", false);
	for (size_t i = 0; i < s->n_stack; i++) {
		const struct sg_graft_info *g = &s->stack[i];

		sg_table_add(&t, " ");
		sg_table_color(&t, SG_GREEN, "%s", short_id(g->id));
		sg_table_add(&t, "%s", g->name ? g->name : "-");
		sg_table_add(&t, "%s", g->type);
		sg_table_add(&t, "%s", g->sites.n == 1 ? g->sites.name[0] : sg_look_sites(g->sites.n));
		sg_table_add(&t, "%s parameters", sg_look_number(g->parameters));
		sg_table_add(&t, "%s", sg_print_bytes(g->payload));
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

static const char *verdict_text(const struct sg_cand_info *c)
{
	char s[80];

	if (!c->verdict)
		return "not validated";
	snprintf(s, sizeof(s), "%.30s%s", c->verdict, c->current ? "" : ", on another stack or policy");
	return sg_print_safe(s);
}

static int print_cands(const struct sg_status *s, const char *where, const char *title)
{
	struct sg_table t;
	size_t n = 0;

	sg_table_init(&t, "|graft|name|type|sites|verdict", false);
	for (size_t i = 0; i < s->n_cand; i++) {
		const struct sg_cand_info *c = &s->cand[i];

		if (strcmp(c->where, where))
			continue;
		n++;
		sg_table_add(&t, " ");
		sg_table_color(&t, SG_CYAN, "%s", short_id(c->graft.id));
		sg_table_add(&t, "%s", c->graft.name ? c->graft.name : "-");
		sg_table_add(&t, "%s", c->graft.type ? c->graft.type : "cannot be read");
		sg_table_add(&t, "%s", sg_look_sites(c->graft.sites.n));
		sg_table_color(&t, sg_look_verdict_color(c->current ? c->verdict : NULL), "%s", verdict_text(c));
		sg_table_row(&t);
	}
	if (n)
		printf("\n%s\n", title);
	return sg_table_print(&t, stdout);
}

static int print_data(const struct sg_status *s)
{
	struct sg_table t;

	if (!s->data.n) {
		puts("\nNo data: 'sg data add NAME --role train FILE...'");
		return 0;
	}
	puts("\nData:");
	sg_table_init(&t, "|name|role|>docs|>tokens|here", false);
	for (size_t i = 0; i < s->data.n; i++) {
		const struct sg_data_info *d = &s->data.set[i];

		sg_table_add(&t, " ");
		sg_table_add(&t, "%s", d->name);
		sg_table_add(&t, "%s", d->role);
		sg_table_add(&t, "%s documents", sg_look_number(d->docs));
		sg_table_add(&t, "%s tokens", sg_look_number(d->tokens));
		if (!d->present)
			sg_table_color(&t, SG_YELLOW, "not here: add its files again");
		sg_table_row(&t);
	}
	return sg_table_print(&t, stdout);
}

static void print_job(const struct sg_job_info *j)
{
	if (!j->type) {
		printf("  jobs/%s cannot be read\n", sg_print_safe(j->file));
		return;
	}
	printf("  %s%s%s on %s, step %llu of %llu, %s", sg_print_safe(j->name), j->name ? " " : "", sg_print_safe(j->type),
	       sg_look_sites(j->sites), (unsigned long long)j->step, (unsigned long long)j->steps, sg_print_time(j->time));
	puts(!j->current ? ": it trains on another stack" : !j->newest ? ": behind a newer one" :
	     ": 'sg train --resume' goes on");
}

static int print_text(const struct sg_status *s)
{
	print_line(s);
	print_base(&s->base);
	SG_TRY(print_stack(s));
	SG_TRY(print_cands(s, "candidate", "Candidates ('sg validate' judges one, 'sg accept' takes it in):"));
	SG_TRY(print_cands(s, "deferred", "Deferred:"));
	SG_TRY(print_cands(s, "rejected", "Rejected:"));
	SG_TRY(print_data(s));
	if (s->n_jobs)
		puts("\nStopped training:");
	for (size_t i = 0; i < s->n_jobs; i++)
		print_job(&s->job[i]);
	return 0;
}

static int run(struct sg_ctx *ctx, int argc, char **argv)
{
	struct sg_status s = { 0 };
	int rc;

	(void)argv;
	SG_TRY(sg_cmd_args(argc, 0, 0));
	SG_TRY(sg_status(&s, ctx->repo, ctx->json ? SIZE_MAX : SHOWN));
	rc = ctx->json ? print_json(&s) : print_text(&s);
	sg_status_release(&s);
	return rc;
}

const struct sg_cmd sg_cmd_status = {
	.name = "status", .group = "look", .args = "[--json]",
	.brief = "Show the line, the stack, and what waits.", .flags = SG_CMD_REPO, .run = run,
};
