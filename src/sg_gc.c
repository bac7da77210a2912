/*
 * What may go. Git's part (what no ref reaches) is registry/gc.c; here is ours: which
 * refs have had their time. Nothing that was judged is forgotten: of a rejected or
 * deferred graft only the weights go, and only when somebody said after how long.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/maint.h"
#include "registry/slim.h"
#include <ctype.h>
#include <time.h>

_Static_assert(SG_AGE_NEVER == SG_NEVER, "two words for never");

/* --- ages ---------------------------------------------------------------------- */

static int64_t unit_seconds(const char *s, size_t n)
{
	static const struct { const char *name; int64_t seconds; } units[] = {
		{ "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 604800 },
		{ "month", 30 * 86400 }, { "year", 365 * 86400 },
		{ "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 604800 }, { "y", 365 * 86400 },
	};

	for (size_t i = 0; i < SG_LEN(units); i++) {
		size_t k = strlen(units[i].name);

		if (!strncmp(s, units[i].name, k) && (n == k || (k > 1 && n == k + 1 && s[k] == 's')))
			return units[i].seconds;
	}
	return 0;
}

static const char *skip_blank(const char *s)
{
	return s + strspn(s, ". ");
}

int sg_age_parse(int64_t *out, const char *text)
{
	char *end;
	long long count = strtoll(text, &end, 10);
	const char *s = skip_blank(end);
	size_t n = strcspn(s, ". ");
	int64_t unit = unit_seconds(s, n);

	if (!strcmp(text, "now") || !strcmp(text, "never")) {
		*out = text[1] == 'o' ? 0 : SG_AGE_NEVER;
		return 0;
	}
	s = skip_blank(s + n);
	if (!isdigit((unsigned char)*text) || !unit || (*s && strcmp(s, "ago")) || count > INT32_MAX)
		return sg_fail(SG_E_USAGE, "'%.100s' is no age; write 'now', 'never', '12h', '2.weeks.ago'", text);
	*out = count * unit;
	return 0;
}

static int configured(int64_t *out, struct sg_repo *r, const char *key, int64_t preset)
{
	char *text = NULL;
	int rc = sg_registry_config_get(&text, r->reg, key);

	*out = preset;
	if (rc == -SG_E_NOTFOUND)
		return 0;
	if (rc >= 0)
		rc = sg_fail_in(sg_age_parse(out, text), "%s", key);
	free(text);
	return rc;
}

/* --- weights that had their time --------------------------------------------------- */

struct collect {
	struct sg_repo *r;
	struct sg_collected *out;
	struct sg_names refs;		/* those that the fading moves */
	bool dry;
};

static int add_faded(struct collect *c, const char *where, const char *id16, const struct sg_oid *commit, int64_t since)
{
	struct sg_collected *o = c->out;
	struct sg_faded *f;
	struct sg_graft *g = NULL;

	SG_TRY(SG_GROW(o->faded, o->n_faded, o->cap_faded));
	SG_TRY(sg_stored_graft(&g, c->r, commit, id16));
	f = &o->faded[o->n_faded++];
	*f = (struct sg_faded){ .where = where, .since = since, .name = sg_graft_name(c->r, commit, id16) };
	strcpy(f->id, g->id);
	sg_graft_free(g);
	return 0;
}

/* One ref to the same without the weights; 1 when there was something to do. */
static int fade_ref(struct collect *c, const struct sg_ref *ref, const char *folder)
{
	struct sg_packer *p = NULL;
	struct sg_oid thin;
	int rc = sg_packer_open(&p, c->r->reg);

	if (rc >= 0)
		rc = sg_slim(&thin, p, &ref->oid, folder);
	if (rc >= 0 && !sg_oid_eq(&thin, &ref->oid)) {
		rc = sg_names_add(&c->refs, ref->name);
		if (rc >= 0 && !c->dry)
			rc = sg_packer_commit(p);
		if (rc >= 0 && !c->dry)
			rc = sg_ref_set(c->r->reg, ref->name, &thin, &ref->oid, "gc: weights dropped");
		rc = rc < 0 ? rc : 1;
	}
	sg_packer_free(p);
	return rc;
}

/* Its reports and approvals stand on the graft's commit: first they, so that what is left by a kill
 * is found again by the ref of the graft. */
static int fade(struct collect *c, const char *where, const struct sg_ref *ref, int64_t since)
{
	const char *id16 = strrchr(ref->name, '/') + 1;
	static const char *const said[] = { "report", "approve" };
	char folder[64], prefix[64];
	int rc = 0;

	snprintf(folder, sizeof(folder), "grafts/%.16s/data", id16);
	for (size_t k = 0; rc >= 0 && k < SG_LEN(said); k++) {
		struct sg_refs l = { 0 };

		snprintf(prefix, sizeof(prefix), "refs/sg/%s/%.16s/", said[k], id16);
		rc = sg_ref_list(&l, c->r->reg, prefix);
		for (size_t i = 0; rc >= 0 && i < l.n; i++)
			rc = fade_ref(c, &l.ref[i], folder);
		sg_refs_release(&l);
	}
	if (rc >= 0)
		rc = fade_ref(c, ref, folder);
	if (rc > 0)
		rc = add_faded(c, where, id16, &ref->oid, since);
	return rc;
}

static int fade_family(struct collect *c, const char *where, const char *prefix, const char *key)
{
	struct sg_refs l = { 0 };
	int64_t age, now = time(NULL);
	int rc = configured(&age, c->r, key, SG_AGE_NEVER);

	if (rc >= 0 && age == SG_AGE_NEVER)
		return 0;
	if (rc >= 0)
		rc = sg_ref_list(&l, c->r->reg, prefix);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_commit commit = { 0 };

		rc = sg_commit_read(&commit, c->r->reg, &l.ref[i].oid);
		if (rc >= 0 && commit.committer.time <= now - age)
			rc = fade(c, where, &l.ref[i], commit.committer.time);
		sg_commit_release(&commit);
	}
	sg_refs_release(&l);
	return rc;
}

/* --- the whole ----------------------------------------------------------------------- */

static int collect(struct collect *c, int64_t prune, const struct sg_progress *progress)
{
	struct sg_gc_opts o = { .dry = c->dry };
	struct sg_collected *out = c->out;
	struct sg_gc g = { .dropped = 0 };

	SG_TRY(configured(&o.grace, c->r, "gc.pruneexpire", SG_GC_GRACE));
	SG_TRY(configured(&o.reflog, c->r, "gc.reflogexpireunreachable", SG_GC_REFLOG));
	if (prune >= 0)
		o.grace = prune;
	SG_TRY(fade_family(c, "rejected", "refs/sg/rejected/", "sg.rejectedexpire"));
	SG_TRY(fade_family(c, "deferred", "refs/sg/deferred/", "sg.deferredexpire"));
	o.without = c->dry ? &c->refs : NULL;
	SG_TRY(sg_gc(&g, c->r->reg, &o, progress));
	out->packs_before = g.packs_before;
	out->packs_after = g.packs_after;
	out->loose_before = g.loose_before;
	out->loose_after = g.loose_after;
	out->bytes_before = g.bytes_before;
	out->bytes_after = g.bytes_after;
	out->dropped = g.dropped;
	out->waiting = g.waiting;
	return 0;
}

int sg_collect(struct sg_collected *out, struct sg_repo *r, int64_t prune, bool dry,
	       const struct sg_progress *progress)
{
	struct sg_collected o = { .n_faded = 0 };
	struct collect c = { .r = r, .out = &o, .dry = dry };
	int rc = collect(&c, prune, progress);

	sg_names_release(&c.refs);
	if (rc < 0)
		sg_collected_release(&o);
	else
		*out = o;
	return rc;
}

void sg_collected_release(struct sg_collected *c)
{
	for (size_t i = 0; i < c->n_faded; i++)
		free(c->faded[i].name);
	free(c->faded);
	*c = (struct sg_collected){ .n_faded = 0 };
}
