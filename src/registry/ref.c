#include "registry/ref.h"
#include "base/clock.h"
#include "registry/commit.h"
#include "registry/impl.h"
#include <time.h>
#include <unistd.h>

/*
 * libgit2 neither waits for a ref's lock file nor makes creation safe except in
 * one call, git_reference_create_matching with force and the old id (zero to
 * create). That call is the only one used here.
 */
#define SWEEP_MS 500

static uint32_t random32(void)
{
	static _Thread_local uint64_t s;
	struct timespec t;

	if (!s) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		s = (uint64_t)t.tv_nsec << 20 ^ (uint64_t)getpid() ^ 0x9e3779b97f4a7c15u;
	}
	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return (uint32_t)(s >> 32);
}

static unsigned long now_ms(void)
{
	return (unsigned long)(1e3 * sg_clock());
}

/* Run one attempt until it is not stopped by a lock. Now and then a lock that
 * nobody holds any more is looked for. OS errors get a few tries: libgit2 makes
 * and removes folders of refs without a lock. */
static int patiently(struct sg_registry *r, int (*attempt)(struct sg_registry *r, void *arg), void *arg)
{
	unsigned long start = now_ms(), sweep = SWEEP_MS;
	unsigned pause = 2, odd = 0;
	int rc;

	for (;;) {
		const git_error *e;

		rc = attempt(r, arg);
		e = rc < 0 ? git_error_last() : NULL;
		if (rc == GIT_ELOCKED) {
			unsigned long waited = now_ms() - start;

			if (waited > SG_LOCK_WAIT_MS)
				return rc;
			if (waited > sweep) {
				sweep += SWEEP_MS;
				sg_sweep_locks(r);
			}
		} else if (!(rc == -1 && e && e->klass == GIT_ERROR_OS && odd++ < 5)) {
			return rc;
		}
		usleep((random32() % pause + 1) * 1000);
		pause = SG_MIN(pause * 2, 16);
	}
}

bool sg_ref_name_ok(const char *name)
{
	int ok = 0;

	/* Asked before any registry is open, too. */
	return sg_git_start() >= 0 && (!strcmp(name, "HEAD") || !strncmp(name, "refs/", 5)) &&
	       git_reference_name_is_valid(&ok, name) == 0 && ok;
}

static int check_name(const char *name)
{
	return sg_ref_name_ok(name) ? 0 : sg_fail(SG_E_ERROR, "'%s' is no valid name of a ref", name);
}

int sg_ref_get(struct sg_oid *out, struct sg_registry *r, const char *name)
{
	git_oid oid;
	int rc;

	SG_TRY(check_name(name));
	rc = git_reference_name_to_id(&oid, r->repo, name);
	if (rc == GIT_ENOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "there is no '%s'", name);
	if (rc < 0)
		return sg_git_fail(rc, "cannot read '%s'", name);
	memcpy(out->id, oid.id, sizeof(out->id));
	return 0;
}

/* The name in the reflog; without it libgit2 writes "unknown". */
static void set_ident(struct sg_registry *r)
{
	struct sg_person p;

	if (r->ident_set || sg_person_now(&p, r, true) < 0)
		return;
	git_repository_set_ident(r->repo, *p.name ? p.name : "unknown", *p.email ? p.email : "unknown");
	r->ident_set = true;
	sg_person_release(&p);
}

struct change { const char *name; const struct sg_oid *new, *old; const char *message; };

static int try_set(struct sg_registry *r, void *arg)
{
	const struct change *c = arg;
	git_reference *ref = NULL;
	int rc = git_reference_create_matching(&ref, r->repo, c->name, sg_git_oid(c->new), 1, sg_git_oid(c->old),
					       c->message);

	git_reference_free(ref);
	return rc;
}

static int try_delete(struct sg_registry *r, void *arg)
{
	const struct change *c = arg;
	git_reference *ref = NULL;
	int rc = git_reference_lookup(&ref, r->repo, c->name);

	if (rc >= 0 && (git_reference_type(ref) != GIT_REFERENCE_DIRECT ||
			git_oid_cmp(git_reference_target(ref), sg_git_oid(c->old))))
		rc = GIT_EMODIFIED;
	if (rc >= 0)
		rc = git_reference_delete(ref);	/* compares again, under the lock */
	git_reference_free(ref);
	return rc;
}

static int change_fail(int rc, const char *name, const struct sg_oid *old)
{
	if (rc == GIT_EMODIFIED && sg_oid_is_zero(old))
		return sg_fail(SG_E_BUSY, "'%s' exists already", name);
	if (rc == GIT_EMODIFIED || rc == GIT_ENOTFOUND)
		return sg_fail(SG_E_BUSY, "'%s' was changed by another process", name);
	if (rc == GIT_ELOCKED)
		return sg_fail(SG_E_BUSY, "'%s' is locked by another process (its lock is the file '%s.lock' of the "
			       "repository)", name, name);
	return sg_git_fail(rc, "cannot update '%s'", name);
}

int sg_ref_set(struct sg_registry *r, const char *name, const struct sg_oid *new,
	       const struct sg_oid *old, const char *message)
{
	static const struct sg_oid zero;
	struct change c = { name, new, old ? old : &zero, message ? message : "" };
	int rc;

	SG_TRY(check_name(name));
	if (sg_oid_is_zero(new))
		return sg_fail(SG_E_ERROR, "cannot set '%s' to nothing", name);
	SG_TRY(sg_lock(r));
	set_ident(r);
	rc = patiently(r, try_set, &c);
	if (rc < 0)
		rc = change_fail(rc, name, c.old);
	sg_unlock(r);
	return rc;
}

int sg_ref_delete(struct sg_registry *r, const char *name, const struct sg_oid *old)
{
	struct change c = { .name = name, .old = old };
	int rc;

	SG_TRY(check_name(name));
	SG_TRY(sg_lock(r));
	set_ident(r);
	rc = patiently(r, try_delete, &c);
	if (rc < 0)
		rc = change_fail(rc, name, old);
	sg_unlock(r);
	return rc;
}

int sg_ref_update(size_t *n_done, struct sg_registry *r, const struct sg_ref_update *u, size_t n,
		  const char *message)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		rc = sg_oid_is_zero(&u[i].new) ? sg_ref_delete(r, u[i].name, &u[i].old) :
						 sg_ref_set(r, u[i].name, &u[i].new, &u[i].old, message);
		if (rc < 0)
			break;
	}
	if (n_done)
		*n_done = i;
	return rc;
}

static int list_add(struct sg_refs *l, const char *name, const git_oid *oid)
{
	SG_TRY(SG_GROW(l->ref, l->n, l->cap));
	l->ref[l->n].name = sg_strdup(name);
	if (!l->ref[l->n].name)
		return -SG_E_NOMEM;
	memcpy(l->ref[l->n++].oid.id, oid->id, 20);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sg_ref *)a)->name, ((const struct sg_ref *)b)->name);
}

int sg_ref_list(struct sg_refs *out, struct sg_registry *r, const char *prefix)
{
	git_reference_iterator *it = NULL;
	git_reference *ref = NULL;
	struct sg_refs l = { 0 };
	char *glob = sg_asprintf("%s*", prefix);
	size_t len = strlen(prefix);
	int rc;

	if (!glob)
		return -SG_E_NOMEM;
	/* A glob lets libgit2 skip folders; brackets and stars in it are ours to
	 * check, so the name is compared again. */
	rc = len ? git_reference_iterator_glob_new(&it, r->repo, glob) : git_reference_iterator_new(&it, r->repo);
	if (rc < 0)
		rc = sg_git_fail(rc, "cannot list refs");
	while (rc >= 0) {
		rc = git_reference_next(&ref, it);
		if (rc == GIT_ITEROVER) {
			rc = 0;
			break;
		}
		if (rc < 0) {
			rc = sg_git_fail(rc, "cannot list refs");
			break;
		}
		if (!strncmp(git_reference_name(ref), prefix, len) && git_reference_type(ref) == GIT_REFERENCE_DIRECT)
			rc = list_add(&l, git_reference_name(ref), git_reference_target(ref));
		git_reference_free(ref);
	}
	git_reference_iterator_free(it);
	free(glob);
	if (rc < 0) {
		sg_refs_release(&l);
		return rc;
	}
	if (l.n)
		qsort(l.ref, l.n, sizeof(*l.ref), by_name);
	*out = l;
	return 0;
}

void sg_refs_release(struct sg_refs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->ref[i].name);
	free(l->ref);
	*l = (struct sg_refs){ 0 };
}

/* --- what they were --- */

void sg_ref_changes_release(struct sg_ref_changes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->change[i].who);
		free(l->change[i].email);
		free(l->change[i].message);
	}
	free(l->change);
	*l = (struct sg_ref_changes){ 0 };
}

static int take_change(struct sg_ref_change *out, const git_reflog_entry *e)
{
	const git_signature *by = git_reflog_entry_committer(e);
	const char *message = git_reflog_entry_message(e);

	*out = (struct sg_ref_change){
		.who = sg_strdup(by && by->name ? by->name : ""), .email = sg_strdup(by && by->email ? by->email : ""),
		.message = sg_strdup(message ? message : ""), .time = by ? by->when.time : 0,
	};
	memcpy(out->old.id, git_reflog_entry_id_old(e)->id, sizeof(out->old.id));
	memcpy(out->new.id, git_reflog_entry_id_new(e)->id, sizeof(out->new.id));
	return out->who && out->email && out->message ? 0 : -SG_E_NOMEM;
}

int sg_ref_changes(struct sg_ref_changes *out, struct sg_registry *r, const char *name)
{
	struct sg_ref_changes l = { 0 };
	git_reflog *log = NULL;
	size_t n;
	int rc;

	SG_TRY(check_name(name));
	rc = git_reflog_read(&log, r->repo, name);
	if (rc < 0)
		return sg_git_fail(rc, "cannot read what '%s' was", name);
	n = git_reflog_entrycount(log);
	rc = SG_NEW(l.change, SG_MAX(n, (size_t)1));
	for (; rc >= 0 && l.n < n; l.n++)
		rc = take_change(&l.change[l.n], git_reflog_entry_byindex(log, l.n));
	git_reflog_free(log);
	if (rc < 0)
		sg_ref_changes_release(&l);
	else
		*out = l;
	return rc;
}

int sg_head_before(char **out, struct sg_registry *r, size_t n)
{
	static const char lead[] = "checkout: moving from ";
	struct sg_ref_changes l = { 0 };
	size_t at = 0, i;
	int rc;

	SG_TRY(sg_ref_changes(&l, r, "HEAD"));
	for (i = 0; i < l.n && at < n; i++)
		at += !strncmp(l.change[i].message, lead, sizeof(lead) - 1);
	if (n && at == n) {
		const char *from = l.change[i - 1].message + sizeof(lead) - 1, *to = strstr(from, " to ");

		rc = (*out = sg_strndup(from, to ? (size_t)(to - from) : strlen(from))) ? 0 : -SG_E_NOMEM;
	} else {
		rc = sg_fail(SG_E_NOTFOUND, "there were only %zu checkouts", at);
	}
	sg_ref_changes_release(&l);
	return rc;
}

int sg_head_get(char **out, struct sg_registry *r)
{
	git_reference *ref = NULL;
	int rc = git_reference_lookup(&ref, r->repo, "HEAD");
	char *s = NULL;

	if (rc < 0)
		return sg_git_fail(rc, "cannot read HEAD");
	if (git_reference_type(ref) == GIT_REFERENCE_SYMBOLIC) {
		s = sg_strdup(git_reference_symbolic_target(ref));
		rc = s ? 0 : -SG_E_NOMEM;
	} else {
		rc = sg_fail(SG_E_NOTFOUND, "HEAD is detached");
	}
	git_reference_free(ref);
	if (rc >= 0)
		*out = s;
	return rc;
}

static int try_head(struct sg_registry *r, void *arg)
{
	const struct change *c = arg;
	git_reference *ref = NULL;
	int rc = git_reference_symbolic_create(&ref, r->repo, "HEAD", c->name, 1, c->message);

	git_reference_free(ref);
	return rc;
}

int sg_head_set(struct sg_registry *r, const char *ref, const char *message)
{
	struct change c = { .name = ref, .message = message ? message : "" };
	int rc;

	SG_TRY(check_name(ref));
	if (strncmp(ref, "refs/heads/", 11))
		return sg_fail(SG_E_ERROR, "HEAD can only point at a branch, not at '%s'", ref);
	SG_TRY(sg_lock(r));
	set_ident(r);
	rc = patiently(r, try_head, &c);
	if (rc < 0)
		rc = sg_git_fail(rc, "cannot point HEAD at '%s'", ref);
	sg_unlock(r);
	return rc;
}
