#include "registry/link.h"
#include "registry/packer.h"
#include "registry/registry.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the other repository -------------------------------------------------------- */

/* Programs that would have been asked. */
static int refuse_hooks(const char *git_dir)
{
	static const char *const hooks[] = { "pre-receive", "update", "reference-transaction", "proc-receive" };

	for (size_t i = 0; i < SG_LEN(hooks); i++) {
		char *path = sg_asprintf("%s/hooks/%s", git_dir, hooks[i]);
		bool there = path && access(path, X_OK) == 0;

		free(path);
		if (there)
			return sg_fail(SG_E_REFUSED, "'%s' has a hook '%s' that a link would pass by; push without it", git_dir,
				       hooks[i]);
	}
	return 0;
}

static int open_lock(struct sg_registry *r)
{
	char *lock = sg_asprintf("%s/../lock", r->git_dir);
	size_t n = strlen(r->git_dir);

	if (!lock)
		return -SG_E_NOMEM;
	r->lock_fd = n > 13 && !strcmp(r->git_dir + n - 13, "/registry.git") ? open(lock, O_RDWR | O_CLOEXEC) : -1;
	free(lock);
	if (r->lock_fd < 0)
		r->lock_fd = open(r->git_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->lock_fd < 0 ? sg_fail_errno(SG_E_IO, "cannot open '%s'", r->git_dir) : 0;
}

int sg_link_open(struct sg_registry **out, const char *git_dir)
{
	struct sg_registry *r;
	int rc;

	SG_TRY(SG_NEW(r, 1));
	r->lock_fd = -1;
	r->git_dir = sg_strdup(git_dir);
	r->dir = sg_strdup(git_dir);
	rc = r->git_dir && r->dir ? open_lock(r) : -SG_E_NOMEM;
	if (rc >= 0) {
		r->gc_seen = sg_lock_count(r);
		rc = git_repository_open_bare(&r->repo, git_dir);
		if (rc >= 0)
			rc = git_repository_odb(&r->odb, r->repo);
		if (rc < 0)
			rc = sg_git_fail(rc, "cannot open '%s' to link into it", git_dir);
	}
	if (rc < 0)
		sg_registry_free(r);
	else
		*out = r;
	return rc;
}

/* --- packs ------------------------------------------------------------------------- */

struct link {
	struct sg_registry *to, *from;
	struct sg_link_guard *guard;
	struct sg_oidmap want;		/* value 1: on its way */
	char *from_dir, *to_dir;	/* objects/pack */
	bool linked;
};

/* Every object of an index of version 2 to fn; 1 when fn never said no (0). */
static int each_object(const char *idx, int (*fn)(struct link *l, const struct sg_oid *oid), struct link *l)
{
	struct sg_map m = { 0 };
	struct sg_oid oid;
	size_t n = 0;
	int rc;

	SG_TRY(sg_map_open(&m, idx));
	rc = m.size > 1072 && !memcmp(m.data, "\377tOc\0\0\0\2", 8);
	for (size_t i = 0; rc > 0 && i < 4; i++)
		n = n << 8 | m.data[8 + 255 * 4 + i];
	if (n > (m.size - SG_MIN(m.size, 1072)) / 28)
		rc = 0;
	for (size_t i = 0; rc > 0 && i < n; i++) {
		memcpy(oid.id, m.data + 1032 + 20 * i, 20);
		rc = fn(l, &oid);
	}
	sg_map_release(&m);
	return rc;
}

static int is_wanted(struct link *l, const struct sg_oid *oid)
{
	return sg_oidmap_get(&l->want, oid, NULL) ||
	       git_odb_exists_ext(l->to->odb, sg_git_oid(oid), GIT_ODB_LOOKUP_NO_REFRESH) == 1;
}

static int not_wanted(struct link *l, const struct sg_oid *oid)
{
	size_t way = 1;

	return !(sg_oidmap_get(&l->want, oid, &way) && !way);
}

static int on_its_way(struct link *l, const struct sg_oid *oid)
{
	struct sg_oidmap *m = &l->want;
	size_t value;

	/* the map keeps what it has: mark in place */
	if (sg_oidmap_get(m, oid, &value))
		sg_oidmap_set(m, oid, 1);
	return 1;
}

static int mark_keep(struct link *l, const char *base)
{
	char *keep = sg_asprintf("%s/%s.keep", l->to_dir, base), text[32];
	int rc = keep ? 0 : -SG_E_NOMEM;

	snprintf(text, sizeof(text), "sg %ld\n", (long)getpid());
	/* one that is there is somebody's, and guards as well */
	if (rc >= 0 && !sg_file_exists(keep)) {
		rc = sg_names_add(&l->guard->keep, keep);
		if (rc >= 0)
			rc = sg_file_write(keep, text, strlen(text));
	}
	free(keep);
	return rc;
}

/* 1: it has its second name; 0: it cannot. */
static int name_twice(struct link *l, const char *base, const char *ext)
{
	char *a = sg_asprintf("%s/%s%s", l->from_dir, base, ext), *b = sg_asprintf("%s/%s%s", l->to_dir, base, ext);
	int rc = a && b ? 1 : -SG_E_NOMEM;

	if (rc > 0 && link(a, b) < 0 && errno != EEXIST) {
		if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EACCES || errno == EOPNOTSUPP)
			rc = 0;
		else
			rc = sg_fail_errno(SG_E_IO, "cannot link '%s' to '%s'", a, b);
	}
	/* to a gc it is new */
	if (rc > 0)
		(void)utimensat(AT_FDCWD, b, NULL, 0);
	free(a);
	free(b);
	return rc;
}

static int link_pack(struct link *l, const char *idx)
{
	char *path = sg_path_join(l->from_dir, idx), *base = sg_strndup(idx, strlen(idx) - 4);
	int rc = path && base ? each_object(path, not_wanted, l) : -SG_E_NOMEM;

	rc = rc < 0 ? rc : !rc;		/* is anything in it needed? then all of it must be */
	if (rc > 0)
		rc = each_object(path, is_wanted, l);
	if (rc > 0)
		rc = mark_keep(l, base);
	else if (rc == 0)
		goto out;
	if (rc >= 0)
		rc = name_twice(l, base, ".pack");
	if (rc > 0)
		rc = name_twice(l, base, ".idx");	/* last: it makes the pack exist */
	if (rc > 0) {
		l->linked = true;
		rc = each_object(path, on_its_way, l);
	}
out:
	free(path);
	free(base);
	return rc;
}

static int link_packs(struct link *l)
{
	struct sg_names names = { 0 };
	int rc = sg_dir_list(&names, l->from_dir);

	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		size_t n = strlen(names.name[i]);

		if (n > 4 && !strcmp(names.name[i] + n - 4, ".idx"))
			rc = link_pack(l, names.name[i]);
	}
	sg_names_release(&names);
	if (rc >= 0 && l->linked)
		rc = sg_dir_sync(l->to_dir);
	return rc;
}

/* --- the rest ------------------------------------------------------------------------ */

static int copy_rest(struct link *l, const struct sg_oids *list, const struct sg_progress *progress)
{
	enum sg_object_type type;
	struct sg_packer *p = NULL;
	struct sg_buf b = { 0 };
	struct sg_oid made;
	int rc = sg_packer_open(&p, l->to);

	for (size_t i = 0; rc >= 0 && i < list->n; i++) {
		size_t way = 0;

		if (sg_oidmap_get(&l->want, &list->oid[i], &way) && way)
			continue;
		if (sg_progress(progress, "copying objects", i, list->n, NULL))
			rc = sg_fail(SG_E_INTERRUPTED, "stopped");
		if (rc >= 0)
			rc = sg_object_read(&b, &type, l->from, &list->oid[i], SIZE_MAX);
		if (rc >= 0)
			rc = sg_packer_add(&made, p, type, b.data ? b.data : "", b.len);
		if (rc >= 0 && !sg_oid_eq(&made, &list->oid[i]))
			rc = sg_fail(SG_E_CORRUPT, "an object is damaged: run a check");
	}
	if (rc >= 0)
		rc = sg_packer_commit(p);
	if (rc >= 0 && sg_packer_count(p))
		rc = sg_packer_keep(p, &l->guard->keep);
	sg_packer_free(p);
	sg_buf_release(&b);
	return rc;
}

int sg_link_objects(struct sg_link_guard *guard, struct sg_registry *to, struct sg_registry *from,
		    const struct sg_oids *list, const struct sg_progress *progress)
{
	struct link l = { .to = to, .from = from, .guard = guard };
	int rc;

	SG_TRY(sg_lock(from));		/* its packs stay where they are */
	rc = sg_lock(to);
	if (rc < 0) {
		sg_unlock(from);
		return rc;
	}
	*guard = (struct sg_link_guard){ .to = to };
	l.from_dir = sg_path_join(from->git_dir, "objects/pack");
	l.to_dir = sg_path_join(to->git_dir, "objects/pack");
	rc = l.from_dir && l.to_dir ? sg_dir_make(l.to_dir) : -SG_E_NOMEM;
	for (size_t i = 0; rc >= 0 && i < list->n; i++)
		rc = sg_oidmap_add(&l.want, &list->oid[i], 0);
	if (rc >= 0)
		rc = link_packs(&l);
	if (rc >= 0)
		rc = copy_rest(&l, list, progress);
	if (rc >= 0)
		git_odb_refresh(to->odb);
	sg_oidmap_release(&l.want);
	free(l.from_dir);
	free(l.to_dir);
	sg_unlock(from);
	if (rc < 0)
		sg_link_settle(guard);
	return rc;
}

void sg_link_settle(struct sg_link_guard *guard)
{
	if (!guard->to)
		return;
	for (size_t i = 0; i < guard->keep.n; i++)
		unlink(guard->keep.name[i]);
	sg_names_release(&guard->keep);
	sg_unlock(guard->to);
	guard->to = NULL;
}

int sg_link_fetch(struct sg_link_guard *guard, struct sg_registry *r, const char *git_dir, const struct sg_oids *tips,
		  const struct sg_progress *progress)
{
	struct sg_registry *from = NULL;
	struct sg_oids list = { 0 }, none = { 0 };
	int rc = sg_link_open(&from, git_dir);

	if (rc >= 0)
		rc = sg_send_list(&list, from, tips, &none);
	if (rc >= 0)
		rc = sg_link_objects(guard, r, from, &list, progress);
	sg_registry_free(from);
	free(list.oid);
	return rc;
}

/* --- pushes ---------------------------------------------------------------------------- */

static void set_ref(struct sg_registry *to, struct sg_push *p)
{
	p->rc = sg_oid_is_zero(&p->src) ? sg_ref_delete(to, p->dst, &p->old) :
					  sg_ref_set(to, p->dst, &p->src, &p->old, "push");
	if (p->rc < 0) {
		free(p->text);
		p->text = sg_strdup(sg_error_message());
	}
}

int sg_link_advert(struct sg_advert *ad, struct sg_registry **out, const char *git_dir)
{
	SG_TRY(refuse_hooks(git_dir));
	SG_TRY(sg_link_open(out, git_dir));
	return sg_ref_list(&ad->refs, *out, "");
}

int sg_link_push(struct sg_registry *to, struct sg_registry *r, struct sg_push *ref, size_t n, const struct sg_oids *list,
		 bool atomic, const struct sg_progress *progress)
{
	struct sg_link_guard guard = { 0 };
	const char *failed = NULL;

	SG_TRY(sg_link_objects(&guard, to, r, list, progress));
	for (size_t i = 0; i < n; i++) {
		if (ref[i].rc != 1)
			continue;
		if (failed && atomic) {
			ref[i].rc = -SG_E_REFUSED;
			free(ref[i].text);
			ref[i].text = sg_asprintf("not done: '%s' was refused", failed);
			continue;
		}
		set_ref(to, &ref[i]);
		failed = ref[i].rc < 0 ? ref[i].dst : failed;
	}
	sg_link_settle(&guard);
	return 0;
}
