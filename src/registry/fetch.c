#include "registry/remote.h"
#include "registry/link.h"
#include "registry/wire.h"
#include "registry/history.h"
#include "registry/registry.h"
#include <unistd.h>

/* ---- refspecs ---- */

struct spec { bool force, optional, tags; char *src, *dst; };
struct specs { struct spec *s; size_t n, cap; };

static void specs_release(struct specs *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->s[i].src);
		free(l->s[i].dst);
	}
	free(l->s);
	*l = (struct specs){ 0 };
}

static bool side_ok(const char *s)
{
	const char *star = strchr(s, '*');
	char name[512];

	if (star && strchr(star + 1, '*'))
		return false;
	if (snprintf(name, sizeof(name), "%s", s) >= (int)sizeof(name))
		return false;
	for (char *p = name; *p; p++)
		if (*p == '*')
			*p = 'x';
	return sg_ref_name_ok(name);
}

static int add_spec(struct specs *l, const char *text, bool optional)
{
	struct spec s = { .force = text[0] == '+', .optional = optional };
	const char *src = text + s.force, *colon = strchr(src, ':');

	SG_TRY(SG_GROW(l->s, l->n, l->cap));
	s.src = sg_strndup(src, colon ? (size_t)(colon - src) : strlen(src));
	s.dst = colon && colon[1] ? sg_strdup(colon + 1) : NULL;
	l->s[l->n++] = s;
	if (!s.src || (colon && colon[1] && !s.dst))
		return -SG_E_NOMEM;
	if (!side_ok(s.src) || (s.dst && (!side_ok(s.dst) || !strchr(s.src, '*') != !strchr(s.dst, '*'))))
		return sg_fail(SG_E_ERROR, "bad refspec '%s'", text);
	return 0;
}

static int add_spec_for(struct specs *l, const char *fmt_src, const char *fmt_dst, const char *name)
{
	char *text = name ? sg_asprintf("+%s:%s%s", fmt_src, fmt_dst, name) : sg_asprintf("+%s", fmt_src);
	char *full = text && name ? sg_asprintf("%s%s", text, strchr(fmt_src, '*') ? "/*" : "/notes") : NULL;
	int rc = text && (!name || full) ? add_spec(l, name ? full : text, true) : -SG_E_NOMEM;

	free(text);
	free(full);
	return rc;
}

static int default_specs(struct specs *l, const char *name, unsigned flags)
{
	SG_TRY(add_spec_for(l, "refs/heads/*", "refs/remotes/", name));
	if (flags & SG_FETCH_SG) {
		SG_TRY(add_spec_for(l, "refs/sg/*", "refs/sg-remote/", name));
		SG_TRY(add_spec_for(l, "refs/notes/sg", "refs/sg-remote/", name));
	}
	if (!(flags & SG_FETCH_NO_TAGS)) {
		SG_TRY(add_spec(l, "refs/tags/*:refs/tags/*", true));
		l->s[l->n - 1].tags = true;
	}
	return 0;
}

/* *out: where ref goes (may be NULL: nowhere). 1 when the spec speaks of it. */
static int match(char **out, const struct spec *s, const char *ref)
{
	const char *star = strchr(s->src, '*'), *at;
	size_t head, tail, n = strlen(ref);
	char *dst = NULL;

	if (!star) {
		if (strcmp(s->src, ref))
			return 0;
		dst = s->dst ? sg_strdup(s->dst) : NULL;
	} else {
		head = (size_t)(star - s->src);
		tail = strlen(star + 1);
		if (n < head + tail || strncmp(ref, s->src, head) || strcmp(ref + n - tail, star + 1))
			return 0;
		at = s->dst ? strchr(s->dst, '*') : NULL;
		if (at)
			dst = sg_asprintf("%.*s%.*s%s", (int)(at - s->dst), s->dst, (int)(n - head - tail),
					  ref + head, at + 1);
	}
	if (s->dst && !dst)
		return -SG_E_NOMEM;
	*out = dst;
	return 1;
}

int sg_remote_tracking(char **out, const char *name, const char *ref)
{
	struct specs l = { 0 };
	char *dst = NULL;
	int rc = default_specs(&l, name, SG_FETCH_SG | SG_FETCH_NO_TAGS);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = match(&dst, &l.s[i], ref);
	specs_release(&l);
	if (rc >= 0)
		*out = dst;
	return SG_MIN(rc, 0);
}

/* ---- plan: what comes from where ---- */

struct item { const struct sg_ref *remote; char *local; bool force, tag; };
struct plan { struct item *it; size_t n, cap; };

static void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->it[i].local);
	free(p->it);
	*p = (struct plan){ 0 };
}

static int make_plan(struct plan *p, const struct specs *l, const struct sg_advert *ad)
{
	for (size_t i = 0; i < l->n; i++) {
		bool any = l->s[i].optional || strchr(l->s[i].src, '*');

		for (size_t k = 0; k < ad->refs.n; k++) {
			struct item it = { .remote = &ad->refs.ref[k], .force = l->s[i].force, .tag = l->s[i].tags };
			int rc = match(&it.local, &l->s[i], it.remote->name);

			SG_TRY(rc);
			if (!rc)
				continue;
			any = true;
			rc = SG_GROW(p->it, p->n, p->cap);
			if (rc < 0) {
				free(it.local);
				return rc;
			}
			p->it[p->n++] = it;
		}
		if (!any)
			return sg_fail(SG_E_NOTFOUND, "the other side has no '%s'", l->s[i].src);
	}
	return 0;
}

/* Is it here with all below it? A lone object may be what a killed fetch left, so
 * only what a ref of ours reaches counts; asking for it again is cheap then. */
static bool have_whole(struct sg_registry *r, const struct sg_oid *oid, const struct sg_refs *ours)
{
	if (!sg_object_exists(r, oid))
		return false;
	for (size_t i = 0; i < ours->n; i++)
		if (sg_oid_eq(&ours->ref[i].oid, oid))
			return true;
	for (size_t i = 0; i < ours->n; i++)
		if (git_graph_descendant_of(r->repo, sg_git_oid(&ours->ref[i].oid), sg_git_oid(oid)) == 1)
			return true;
	return false;
}

static int wanted(struct sg_oids *want, struct sg_names *names, struct sg_registry *r, const struct plan *p,
		  const struct sg_refs *ours)
{
	struct sg_oidmap seen = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < p->n; i++) {
		const struct sg_ref *ref = p->it[i].remote;

		if (have_whole(r, &ref->oid, ours))
			continue;
		rc = sg_oidmap_add(&seen, &ref->oid, 0);
		if (rc > 0)
			rc = sg_oids_add(want, &ref->oid);
		if (rc >= 0)
			rc = sg_names_add(names, ref->name);
	}
	sg_oidmap_release(&seen);
	return rc;
}

/* ---- after the objects: refs ---- */

static int note(struct sg_fetch *f, const char *remote, const char *local, const struct sg_oid *oid,
		const struct sg_oid *old, int rc)
{
	struct sg_fetched *e;

	SG_TRY(SG_GROW(f->ref, f->n, f->cap));
	e = &f->ref[f->n++];
	*e = (struct sg_fetched){ .oid = *oid, .old = *old, .rc = rc };
	e->remote_ref = remote ? sg_strdup(remote) : NULL;
	e->local_ref = local ? sg_strdup(local) : NULL;
	return (remote && !e->remote_ref) || (local && !e->local_ref) ? -SG_E_NOMEM : 0;
}

static int update(struct sg_fetch *f, struct sg_registry *r, const struct item *it)
{
	const struct sg_oid *oid = &it->remote->oid;
	struct sg_oid old = { { 0 } };
	int rc;

	if (!it->local)
		return note(f, it->remote->name, NULL, oid, &old, 0);
	rc = sg_ref_get(&old, r, it->local);
	if (rc == -SG_E_NOTFOUND)
		old = (struct sg_oid){ { 0 } };
	else if (rc < 0)
		return rc;
	if (sg_oid_eq(&old, oid))
		return 0;
	if (!sg_oid_is_zero(&old) && !it->force && (it->tag || sg_history_is_ancestor(r, &old, oid) != 1))
		return note(f, it->remote->name, it->local, oid, &old, -SG_E_REFUSED);
	SG_TRY(sg_ref_set(r, it->local, oid, &old, "fetch"));
	return note(f, it->remote->name, it->local, oid, &old, 0);
}

static bool planned(const struct plan *p, const char *local)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->it[i].local && !strcmp(p->it[i].local, local))
			return true;
	return false;
}

static int prune(struct sg_fetch *f, struct sg_registry *r, const struct specs *l, const struct plan *p)
{
	static const struct sg_oid zero;

	for (size_t i = 0; i < l->n; i++) {
		const char *star = l->s[i].dst && l->s[i].force ? strchr(l->s[i].dst, '*') : NULL;
		char *prefix = star ? sg_strndup(l->s[i].dst, (size_t)(star - l->s[i].dst)) : NULL;
		struct sg_refs ours = { 0 };
		int rc = prefix ? sg_ref_list(&ours, r, prefix) : 0;

		free(prefix);
		for (size_t k = 0; rc >= 0 && k < ours.n; k++) {
			const struct sg_ref *e = &ours.ref[k];
			const char *last = strrchr(e->name, '/');

			if (planned(p, e->name) || !strcmp(last, "/HEAD") || !strcmp(last, "/notes"))
				continue;
			rc = sg_ref_delete(r, e->name, &e->oid);
			if (rc >= 0)
				rc = note(f, NULL, e->name, &zero, &e->oid, 0);
		}
		sg_refs_release(&ours);
		SG_TRY(rc);
	}
	return 0;
}

/* ---- whole fetches ---- */

static int bring(struct sg_wire *w, struct sg_registry *r, const struct sg_url *u, const char *url,
		 const struct sg_advert *ad, const struct plan *p, struct sg_link_guard *link,
		 const struct sg_progress *progress)
{
	struct sg_oids want = { 0 };
	struct sg_names names = { 0 };
	struct sg_refs ours = { 0 };
	int rc = sg_ref_list(&ours, r, "");

	if (rc >= 0)
		rc = wanted(&want, &names, r, p, &ours);

	if (rc >= 0 && link && want.n) {
		rc = sg_link_fetch(link, r, u->path, &want, progress);
		want.n = 0;
	}
	if (rc >= 0 && u->kind == SG_URL_HTTP)
		rc = names.n ? sg_exec_fetch(r, url, &names, progress) : 0;
	else if (rc >= 0)
		rc = want.n ? sg_wire_fail(w, sg_fetch_pack(w, r, ad, &want, progress)) : sg_wire_flush(w);
	if (rc >= 0 && u->kind != SG_URL_HTTP)
		sg_wire_finish(w);
	if (rc >= 0 && want.n)
		rc = sg_vet(r, &want, &ours);
	free(want.oid);
	sg_refs_release(&ours);
	sg_names_release(&names);
	return rc;
}

static int fetch_from(struct sg_fetch *f, struct sg_registry *r, const char *url, const struct specs *specs,
		      unsigned flags, const struct sg_progress *progress)
{
	struct sg_wire w = { 0 };
	struct sg_advert ad = { 0 };
	struct sg_url u = { 0 };
	struct plan plan = { 0 };
	struct sg_link_guard link = { 0 };
	int rc;

	SG_TRY(sg_url_parse(&u, url));
	if (flags & SG_FETCH_LINK && u.kind != SG_URL_PATH) {
		sg_url_release(&u);
		return sg_fail(SG_E_USAGE, "only a path on this machine can be linked from");
	}
	rc = u.kind == SG_URL_HTTP ? sg_exec_refs(&ad, r, url) : sg_wire_open(&w, &ad, r, "git-upload-pack", &u, url);
	if (rc >= 0)
		rc = make_plan(&plan, specs, &ad);
	if (rc >= 0)
		rc = bring(&w, r, &u, url, &ad, &plan, flags & SG_FETCH_LINK ? &link : NULL, progress);
	for (size_t i = 0; rc >= 0 && i < plan.n; i++)
		rc = update(f, r, &plan.it[i]);
	if (rc >= 0 && flags & SG_FETCH_PRUNE)
		rc = prune(f, r, specs, &plan);
	sg_link_settle(&link);
	f->head = ad.head;
	ad.head = NULL;
	plan_release(&plan);
	if (u.kind != SG_URL_HTTP)
		sg_wire_release(&w);
	sg_advert_release(&ad);
	sg_url_release(&u);
	return rc;
}

int sg_fetch(struct sg_fetch *out, struct sg_registry *r, const char *remote,
	     const char *const *refspec, size_t n, unsigned flags, const struct sg_progress *progress)
{
	struct sg_fetch f = { 0 };
	struct specs specs = { 0 };
	char *url = NULL, *name = NULL;
	int rc = sg_remote_resolve(&url, &name, r, remote);

	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = add_spec(&specs, refspec[i], false);
	if (rc >= 0 && !n)
		rc = default_specs(&specs, name, flags);
	/* Held throughout: the new objects hang on nothing until the refs are set. */
	if (rc >= 0)
		rc = sg_lock(r);
	if (rc >= 0) {
		rc = fetch_from(&f, r, url, &specs, flags, progress);
		sg_unlock(r);
	}
	specs_release(&specs);
	free(url);
	free(name);
	if (rc < 0)
		sg_fetch_release(&f);
	else
		*out = f;
	return rc;
}

void sg_fetch_release(struct sg_fetch *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->ref[i].remote_ref);
		free(f->ref[i].local_ref);
	}
	free(f->ref);
	free(f->head);
	*f = (struct sg_fetch){ 0 };
}

/* ---- clone ---- */

static int adopt(struct sg_registry *r, const char *head)
{
	static const char from[] = "refs/remotes/origin/";
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r, from);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *name = sg_asprintf("refs/heads/%s", l.ref[i].name + sizeof(from) - 1);

		rc = name ? sg_ref_set(r, name, &l.ref[i].oid, NULL, "clone") : -SG_E_NOMEM;
		free(name);
	}
	sg_refs_release(&l);
	if (rc >= 0 && head)
		rc = sg_head_set(r, head, "clone");
	return rc;
}

int sg_clone(struct sg_registry **out, const char *url, const char *dir, unsigned flags,
	     const struct sg_progress *progress)
{
	struct sg_registry *r = NULL;
	struct sg_fetch f = { 0 };
	bool made = !sg_dir_exists(dir);
	char *sg_dir = NULL;
	int rc;

	SG_TRY(sg_registry_create(&r, dir));
	rc = sg_remote_add(r, "origin", url);
	if (rc >= 0)
		rc = sg_fetch(&f, r, "origin", NULL, 0, flags, progress);
	if (rc >= 0)
		rc = adopt(r, f.head);
	sg_fetch_release(&f);
	if (rc >= 0) {
		*out = r;
		return 0;
	}
	sg_dir = sg_strdup(sg_registry_dir(r));
	sg_registry_free(r);
	if (sg_dir)
		sg_dir_remove(sg_dir);
	if (made)
		rmdir(dir);
	free(sg_dir);
	return rc;
}
