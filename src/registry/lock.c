#include "registry/impl.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * .sg/lock: writers hold it shared, so one who gets it exclusively knows that no
 * writer of ours is alive and what they left is garbage. Stock git and others
 * do not take it; what may be theirs must be old.
 */
#define OLD_LOCK  10		/* seconds; a ref is locked for milliseconds */
#define OLD_TEMP  86400		/* a push into us may take its time */
#define OLD_PACK  3600		/* libgit2 receiving one: us, under the lock, or another user of it */

off_t sg_lock_count(const struct sg_registry *r)
{
	struct stat st;

	return fstat(r->lock_fd, &st) < 0 ? 0 : st.st_size;
}

/* A gc since we last looked may have taken objects that this handle still thinks
 * it has, and would not write again. */
int sg_lock(struct sg_registry *r)
{
	int rc;

	if (r->lock_depth++)
		return 0;
	while (flock(r->lock_fd, LOCK_SH) < 0) {
		if (errno == EINTR)
			continue;
		r->lock_depth--;
		return sg_fail_errno(SG_E_IO, "cannot lock '%s/lock'", r->dir);
	}
	if (sg_lock_count(r) == r->gc_seen)
		return 0;
	rc = sg_registry_reopen(r);
	if (rc < 0)
		sg_unlock(r);
	return rc;
}

int sg_lock_stamp(struct sg_registry *r)
{
	if (pwrite(r->lock_fd, "g", 1, sg_lock_count(r)) != 1)
		return sg_fail_errno(SG_E_IO, "cannot write '%s/lock'", r->dir);
	return 0;
}

/* "process 12 (sg) and 3 more" that hold the lock, as /proc/locks has it; "" when
 * that does not say. */
static void holders(char *out, size_t n, const struct sg_registry *r)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256], path[64], name[64] = "";
	unsigned long inode;
	long pid, first = 0;
	unsigned more = 0;
	struct stat st;

	*out = '\0';
	if (f && fstat(r->lock_fd, &st) == 0)
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%*d: FLOCK %*s %*s %ld %*x:%*x:%lu", &pid, &inode) != 2 ||
			    inode != (unsigned long)st.st_ino || pid <= 0)
				continue;
			more += first && pid != first;
			first = first ? first : pid;
		}
	if (f)
		fclose(f);
	if (!first)
		return;
	snprintf(path, sizeof(path), "/proc/%ld/comm", first);
	f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = '\0';
	if (f)
		fclose(f);
	snprintf(out, n, " by process %ld%s%s%s", first, *name ? " (" : "", name, *name ? ")" : "");
	if (more)
		snprintf(out + strlen(out), n - strlen(out), " and %u more", more);
}

int sg_lock_now(struct sg_registry *r)
{
	int rc;

	if (r->lock_depth || flock(r->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return -SG_E_BUSY;
	r->lock_depth = 1;
	rc = sg_registry_reopen(r);
	if (rc < 0)
		sg_unlock(r);
	return rc;
}

int sg_lock_alone(struct sg_registry *r)
{
	char who[200];

	for (int tries = 0; !r->lock_depth && tries < 20; tries++) {
		int rc = sg_lock_now(r);

		if (rc != -SG_E_BUSY)
			return rc;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return sg_fail_errno(SG_E_IO, "cannot lock '%s/lock'", r->dir);
		usleep(50000);
	}
	holders(who, sizeof(who), r);
	return sg_fail(SG_E_BUSY, "the registry is being written to%s: '%s/lock'", who, r->dir);
}

void sg_unlock(struct sg_registry *r)
{
	if (!--r->lock_depth)
		flock(r->lock_fd, LOCK_UN);
}

static bool ends_in(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && !strcmp(s + n - t, tail);
}

/* A .keep is ours when it says so; others' are orders of the owner. */
static bool our_keep(const char *path)
{
	char head[3] = { 0 };
	FILE *f = fopen(path, "re");
	bool ours = f && fread(head, 1, 3, f) == 3 && !memcmp(head, "sg ", 3);

	if (f)
		fclose(f);
	return ours;
}

static bool is_leftover(const char *path, const char *name, double age, bool locks)
{
	if (ends_in(name, ".lock"))
		return age > OLD_LOCK;
	if (locks)
		return false;
	if (!strncmp(name, "tmp_sg_", 7))
		return true;
	if (!strncmp(name, "pack_git2_", 10))
		return age > OLD_PACK;
	if (!strncmp(name, "tmp_", 4))
		return age > OLD_TEMP;
	return ends_in(name, ".keep") && our_keep(path);
}

/* Leftovers in one folder, and below it when `depth` allows; locks: of locks only.
 * Nothing here is worth failing for: what cannot be removed stays. */
static void sweep_dir(const char *path, unsigned depth, bool locks)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *p = strcmp(e->d_name, ".") && strcmp(e->d_name, "..") ?
			  sg_path_join(path, e->d_name) : NULL;
		struct stat st;

		if (!p || lstat(p, &st) < 0) {
			free(p);
			continue;
		}
		if (S_ISDIR(st.st_mode) && strncmp(e->d_name, "tmp_", 4)) {
			if (depth)
				sweep_dir(p, depth - 1, locks);
		} else if (is_leftover(p, e->d_name, difftime(time(NULL), st.st_mtime), locks)) {
			sg_dir_remove(p);
		}
		free(p);
	}
	if (d)
		closedir(d);
}

static void sweep_below(struct sg_registry *r, const char *folder, unsigned depth, bool locks)
{
	char *p = sg_path_join(r->git_dir, folder);

	if (p)
		sweep_dir(p, depth, locks);
	free(p);
}

/* tmp/ is staging space of commands that need not hold the lock. */
static void sweep_tmp(const char *path)
{
	struct sg_names l = { 0 };

	if (sg_dir_list(&l, path) < 0)
		return;
	for (size_t i = 0; i < l.n; i++) {
		char *p = sg_path_join(path, l.name[i]);
		struct stat st;

		if (p && !lstat(p, &st) && difftime(time(NULL), st.st_mtime) > OLD_TEMP)
			sg_dir_remove(p);
		free(p);
	}
	sg_names_release(&l);
}

/* Needs no lock of ours: by their age nobody holds them. */
void sg_sweep_locks(struct sg_registry *r)
{
	sweep_dir(r->git_dir, 0, true);
	sweep_below(r, "refs", 16, true);
	sweep_below(r, "logs", 16, true);
}

int sg_sweep(struct sg_registry *r, bool deep)
{
	if (r->lock_depth > 1 || flock(r->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		/* A failed upgrade may have dropped what we had. */
		return r->lock_depth && flock(r->lock_fd, LOCK_SH) < 0 ?
		       sg_fail_errno(SG_E_IO, "cannot lock '%s/lock'", r->dir) : 0;
	}
	sweep_tmp(r->tmp_dir);
	sweep_dir(r->git_dir, 0, false);
	sweep_below(r, "objects/pack", 0, false);
	sweep_below(r, "objects", deep ? 1 : 0, false);
	if (deep)
		sg_sweep_locks(r);
	flock(r->lock_fd, r->lock_depth ? LOCK_SH : LOCK_UN);
	return 1;
}
