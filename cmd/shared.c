#include "cmd/shared.h"
#include "cmd/cmd.h"
#include "cmd/print.h"

/* Without the folder that everything is in. */
static const char *brief(const char *ref)
{
	static const char *const folders[] = { "refs/heads/", "refs/remotes/", "refs/tags/", "refs/" };

	for (size_t i = 0; ref && i < SG_LEN(folders); i++)
		if (!strncmp(ref, folders[i], strlen(folders[i])))
			return ref + strlen(folders[i]);
	return ref ? ref : "";
}

static enum sg_color color_of(enum sg_share_what w)
{
	return w == SG_SHARE_REFUSED ? SG_RED : w == SG_SHARE_FORCED ? SG_YELLOW : w == SG_SHARE_SAME ? SG_DIM : SG_GREEN;
}

static void print_ref(const struct sg_share_ref *e)
{
	const char *from = brief(e->from), *to = brief(e->to);
	char range[32] = "";

	if (*e->old && *e->now && strcmp(e->old, e->now))
		snprintf(range, sizeof(range), " %.8s..%.8s", e->old, e->now);
	else if (*e->now || *e->old)
		snprintf(range, sizeof(range), " %.8s", *e->now ? e->now : e->old);
	printf("  %s%-8s%s", sg_print_color(color_of(e->what)), sg_share_what_name(e->what), sg_print_color(SG_PLAIN));
	printf("%s ", range);
	if (*from && *to && strcmp(from, to))
		printf("%s -> %s", sg_print_safe(from), sg_print_safe(to));
	else
		printf("%s", sg_print_safe(*to ? to : from));
	if (e->text && *e->text)
		printf(" (%s)", sg_print_safe(e->text));
	putchar('\n');
}

void sg_shared_print(const struct sg_ctx *ctx, const struct sg_shared *s, bool push)
{
	size_t shown = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct sg_share_ref *e = &s->ref[i];

		if ((e->what == SG_SHARE_SAME && !ctx->verbose) || (ctx->quiet && e->what != SG_SHARE_REFUSED))
			continue;
		if (!shown++ && !ctx->quiet)
			printf("%s %s\n", push ? "to" : "from", sg_print_safe(s->url));
		print_ref(e);
	}
	if (!shown && !ctx->quiet)
		printf("up to date with %s\n", sg_print_safe(s->url));
}

static void put_text(struct sg_jsonw *w, const char *key, const char *s)
{
	sg_jsonw_key(w, key);
	if (s && *s)
		sg_jsonw_text(w, s, strlen(s));
	else
		sg_jsonw_null(w);
}

void sg_shared_put(struct sg_jsonw *w, const struct sg_shared *s)
{
	put_text(w, "remote", s->remote);
	put_text(w, "url", s->url);
	sg_jsonw_key(w, "refs");
	sg_jsonw_array(w);
	for (size_t i = 0; i < s->n; i++) {
		const struct sg_share_ref *e = &s->ref[i];

		sg_jsonw_object(w);
		sg_json_put_str(w, "what", sg_share_what_name(e->what));
		put_text(w, "from", e->from);
		put_text(w, "to", e->to);
		put_text(w, "old", e->old);
		put_text(w, "now", e->now);
		put_text(w, "text", e->text);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_json_put_i64(w, "refused", (int64_t)s->refused);
}

int sg_shared_json(const struct sg_shared *s)
{
	struct sg_jsonw *w = sg_print_json();

	sg_jsonw_object(w);
	sg_shared_put(w, s);
	sg_jsonw_end(w, '}');
	return sg_print_json_end();
}
