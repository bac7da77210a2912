#include "registry/maint.h"
#include "registry/impl.h"
#include "registry/packer.h"
#include "registry/ref.h"
#include "base/file.h"
#include <fcntl.h>
#include <git2/sys/refdb_backend.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * Nothing is removed before what it held of use is synced elsewhere: the new pack
 * stands complete, then old files go, the index before its pack.
 */
#define SMALL  ((uint64_t)8 << 20)	/* packs below this are joined */

enum fate { KEEP, DROP, JOIN };
struct pack {
	char *base;
	uint64_t size;
	time_t mtime;
	struct timespec at;		/* the same, to the end */
	struct sg_oid *oid;		/* in the order of the pack */
	size_t n, live;
	bool kept;
	enum fate fate;
};
struct loose { struct sg_oid oid; char *path; uint64_t size; time_t mtime; enum fate fate; };

struct gc {
	struct sg_registry *r;
	time_t now, since;		/* since: reflog entries from then on count */
	const struct sg_gc_opts *o;
	struct sg_oidmap live;
	struct pack *pack;
	size_t n_packs, cap_packs;
	struct loose *loose;
	size_t n_loose, cap_loose;
	uint64_t joined;		/* bytes that the new pack gets, about */
	char *made;			/* the new pack, without extension */
	struct sg_gc *out;
	const struct sg_progress *progress;
};

/* ---- what is reached ---- */

static int refuse(void *arg, const struct sg_oid *oid, int rc)
{
	(void)arg;
	(void)oid;
	return rc == -SG_E_NOTFOUND ? sg_fail_in(-SG_E_CORRUPT, "gc refused, the registry is damaged") : rc;
}

static int ignore(void *arg, const struct sg_oid *oid, int rc)
{
	(void)arg;
	(void)oid;
	(void)rc;
	return 0;
}

/* Each file below logs/, to fn. */
static int each_log(struct gc *g, const char *path, int (*fn)(struct gc *g, const char *path, void *arg), void *arg,
		    int depth)
{
	struct sg_names l = { 0 };
	int rc = 0;

	if (!sg_dir_exists(path))
		return fn(g, path, arg);
	if (depth > 20 || sg_dir_list(&l, path) < 0)
		return 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *p = sg_path_join(path, l.name[i]);

		rc = p ? each_log(g, p, fn, arg, depth + 1) : -SG_E_NOMEM;
		free(p);
	}
	sg_names_release(&l);
	return rc;
}

/* "old new name <mail> seconds zone\tmessage" */
struct log_line { struct sg_oid oid[2]; long long when; };
static bool parse_log(struct log_line *out, const char *line)
{
	const char *gt = strchr(line, '>');
	char hex[SG_OID_HEX] = "";

	if (strnlen(line, 82) < 82 || !gt)
		return false;
	out->when = strtoll(gt + 1, NULL, 10);
	for (int k = 0; k < 2; k++) {
		memcpy(hex, line + 41 * k, 40);
		if (!sg_oid_parse(&out->oid[k], hex))
			return false;
	}
	return true;
}

static char *next_line(char *p)
{
	p = strchr(p, '\n');
	return p ? p + 1 : NULL;
}

static int add_log_tips(struct gc *g, const char *path, void *arg)
{
	struct sg_buf b = { 0 };
	struct log_line e;
	int rc = 0;

	if (sg_file_read(&b, path, (size_t)1 << 30) < 0)
		b.len = 0;
	for (char *p = b.len ? b.data : NULL; rc >= 0 && p && *p; p = next_line(p)) {
		if (!parse_log(&e, p) || e.when < (long long)g->since)
			continue;
		for (int k = 0; rc >= 0 && k < 2; k++)
			if (!sg_oid_is_zero(&e.oid[k]))
				rc = sg_oids_add(arg, &e.oid[k]);
	}
	sg_buf_release(&b);
	return rc;
}

static int mark(struct gc *g)
{
	struct sg_refs l = { 0 };
	struct sg_oids tip = { 0 };
	char *logs = sg_path_join(g->r->git_dir, "logs");
	int rc = logs ? sg_ref_list(&l, g->r, "") : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		if (!sg_names_has(g->o->without, l.ref[i].name))
			rc = sg_oids_add(&tip, &l.ref[i].oid);
	if (rc >= 0)
		rc = sg_reach(&g->live, g->r, &tip, refuse, NULL);
	tip.n = 0;
	if (rc >= 0)
		rc = each_log(g, logs, add_log_tips, &tip, 0);
	if (rc >= 0)
		rc = sg_reach(&g->live, g->r, &tip, ignore, NULL);
	free(tip.oid);
	free(logs);
	sg_refs_release(&l);
	return rc;
}

/* ---- what there is ---- */

static uint64_t file_size(const char *base, const char *ext, struct timespec *mtime)
{
	char *p = sg_asprintf("%s%s", base, ext);
	struct stat st = { 0 };

	if (!p || stat(p, &st) < 0)
		st.st_size = 0;
	else if (mtime)
		*mtime = st.st_mtim;
	free(p);
	return (uint64_t)st.st_size;
}

struct at { uint32_t offset; struct sg_oid oid; };
static int by_offset(const void *a, const void *b)
{
	uint32_t x = ((const struct at *)a)->offset, y = ((const struct at *)b)->offset;

	return (x > y) - (x < y);
}

/* As they were written: versions of a folder stand near each other. Offsets beyond
 * 2 GiB stand in another table; their order does not matter. */
static int in_pack_order(struct pack *p, const unsigned char *idx)
{
	const unsigned char *offset = idx + 1032 + 24 * p->n;
	struct at *l;

	SG_TRY(SG_NEW(l, p->n));
	for (size_t i = 0; i < p->n; i++) {
		memcpy(l[i].oid.id, idx + 1032 + 20 * i, 20);
		for (int k = 0; k < 4; k++)
			l[i].offset = l[i].offset << 8 | offset[4 * i + (size_t)k];
	}
	qsort(l, p->n, sizeof(*l), by_offset);
	for (size_t i = 0; i < p->n; i++)
		p->oid[i] = l[i].oid;
	free(l);
	return 0;
}

/* The names in an index of version 2; one that is no such thing is CORRUPT. */
static int read_index(struct pack *p)
{
	char *path = sg_asprintf("%s.idx", p->base);
	struct sg_map m = { 0 };
	int rc = path ? sg_map_open(&m, path) : -SG_E_NOMEM;
	size_t n = 0;

	if (rc >= 0 && m.size > 1072 && !memcmp(m.data, "\377tOc\0\0\0\2", 8)) {
		for (int i = 0; i < 4; i++)
			n = n << 8 | m.data[8 + 255 * 4 + i];
		rc = n <= (m.size - 1072) / 28 ? SG_NEW(p->oid, n + 1) : -SG_E_CORRUPT;
	} else if (rc >= 0) {
		rc = -SG_E_CORRUPT;
	}
	p->n = rc >= 0 ? n : 0;
	if (p->n)
		rc = in_pack_order(p, m.data);
	sg_map_release(&m);
	if (rc == -SG_E_CORRUPT)
		sg_fail(SG_E_CORRUPT, "gc refused: '%s' cannot be read", path);
	free(path);
	return rc;
}

static int add_pack(struct gc *g, const char *dir, const char *name)
{
	struct pack *p;
	char *keep;

	SG_TRY(SG_GROW(g->pack, g->n_packs, g->cap_packs));
	p = &g->pack[g->n_packs++];
	*p = (struct pack){ 0 };
	p->base = sg_asprintf("%s/%.*s", dir, (int)strlen(name) - 4, name);
	keep = p->base ? sg_asprintf("%s.keep", p->base) : NULL;
	if (!keep)
		return -SG_E_NOMEM;
	p->kept = sg_file_exists(keep);
	free(keep);
	p->size = file_size(p->base, ".pack", &p->at) + file_size(p->base, ".idx", NULL);
	p->mtime = p->at.tv_sec;
	SG_TRY(read_index(p));
	for (size_t i = 0; i < p->n; i++)
		p->live += sg_oidmap_get(&g->live, &p->oid[i], NULL);
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct pack *)a)->at, *y = &((const struct pack *)b)->at;

	return x->tv_sec != y->tv_sec ? (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec) :
					(x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static int list_packs(struct gc *g)
{
	char *dir = sg_path_join(g->r->git_dir, "objects/pack");
	struct sg_names l = { 0 };
	int rc = dir ? sg_dir_list(&l, dir) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		size_t n = strlen(l.name[i]);

		if (n > 4 && !strcmp(l.name[i] + n - 4, ".idx"))
			rc = add_pack(g, dir, l.name[i]);
	}
	if (g->n_packs)
		qsort(g->pack, g->n_packs, sizeof(*g->pack), by_age);
	sg_names_release(&l);
	free(dir);
	return rc;
}

static int add_loose(struct gc *g, const char *dir, const char *head, const char *tail)
{
	char hex[SG_OID_HEX];
	struct loose e = { 0 };
	struct stat st;

	if (snprintf(hex, sizeof(hex), "%s%s", head, tail) != 40 || !sg_oid_parse(&e.oid, hex))
		return 0;
	SG_TRY(SG_GROW(g->loose, g->n_loose, g->cap_loose));
	e.path = sg_path_join(dir, tail);
	if (!e.path)
		return -SG_E_NOMEM;
	if (stat(e.path, &st) == 0) {
		e.size = (uint64_t)st.st_size;
		e.mtime = st.st_mtime;
	}
	g->loose[g->n_loose++] = e;
	return 0;
}

static int list_loose(struct gc *g)
{
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < 256; i++) {
		struct sg_names l = { 0 };
		char head[3], *dir;

		snprintf(head, sizeof(head), "%02x", i);
		dir = sg_asprintf("%s/objects/%s", g->r->git_dir, head);
		if (!dir)
			return -SG_E_NOMEM;
		if (sg_dir_list(&l, dir) >= 0)
			for (size_t k = 0; rc >= 0 && k < l.n; k++)
				rc = add_loose(g, dir, head, l.name[k]);
		sg_names_release(&l);
		free(dir);
	}
	return rc;
}

/* ---- what becomes of it ---- */

static void decide_packs(struct gc *g)
{
	size_t small = 0;

	for (size_t i = 0; i < g->n_packs; i++) {
		struct pack *p = &g->pack[i];
		bool old = g->now - p->mtime >= g->o->grace;

		if (p->kept)
			continue;
		if (p->live < p->n && !old)
			g->out->waiting += p->n - p->live;
		else if (!p->live)
			p->fate = DROP;
		else if (p->size < SMALL || (p->n - p->live) * 10 > p->n)
			p->fate = JOIN;
		small += p->fate == JOIN && p->live == p->n;
	}
	/* one that is whole has nothing to gain alone */
	for (size_t i = 0; small == 1 && !g->n_loose && i < g->n_packs; i++)
		if (g->pack[i].fate == JOIN && g->pack[i].live == g->pack[i].n)
			g->pack[i].fate = KEEP;
}

static void decide_loose(struct gc *g)
{
	for (size_t i = 0; i < g->n_loose; i++) {
		struct loose *e = &g->loose[i];

		if (sg_oidmap_get(&g->live, &e->oid, NULL))
			e->fate = JOIN;
		else if (g->now - e->mtime >= g->o->grace)
			e->fate = DROP;
		else
			g->out->waiting++;
	}
}

/* What must be written anew, each once; nothing that a pack which stays has. */
static int to_join(struct sg_oids *list, struct gc *g)
{
	struct sg_oidmap have = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < g->n_packs; i++)
		for (size_t k = 0; rc >= 0 && g->pack[i].fate == KEEP && k < g->pack[i].n; k++)
			rc = sg_oidmap_add(&have, &g->pack[i].oid[k], 0);
	for (size_t i = 0; rc >= 0 && i < g->n_packs; i++) {
		for (size_t k = 0; rc >= 0 && g->pack[i].fate == JOIN && k < g->pack[i].n; k++) {
			if (!sg_oidmap_get(&g->live, &g->pack[i].oid[k], NULL))
				continue;
			rc = sg_oidmap_add(&have, &g->pack[i].oid[k], 0);
			if (rc > 0)
				rc = sg_oids_add(list, &g->pack[i].oid[k]);
		}
	}
	for (size_t i = 0; rc >= 0 && i < g->n_loose; i++) {
		if (g->loose[i].fate != JOIN)
			continue;
		rc = sg_oidmap_add(&have, &g->loose[i].oid, 0);
		if (rc > 0)
			rc = sg_oids_add(list, &g->loose[i].oid);
	}
	sg_oidmap_release(&have);
	for (size_t i = 0; rc >= 0 && i < list->n; i++) {
		size_t size = 0;

		if (sg_object_stat(NULL, &size, g->r, &list->oid[i]) >= 0)
			g->joined += size + 60;
	}
	return rc;
}

static void count(struct gc *g, const struct sg_oids *join)
{
	struct sg_gc *o = g->out;

	o->packs_before = g->n_packs;
	o->loose_before = g->n_loose;
	for (size_t i = 0; i < g->n_packs; i++) {
		const struct pack *p = &g->pack[i];

		o->bytes_before += p->size;
		o->bytes_after += p->fate == KEEP ? p->size : 0;
		o->packs_after += p->fate == KEEP;
		o->dropped += p->fate == KEEP ? 0 : p->n - p->live;
	}
	for (size_t i = 0; i < g->n_loose; i++) {
		const struct loose *e = &g->loose[i];

		o->bytes_before += e->size;
		o->bytes_after += e->fate == KEEP ? e->size : 0;
		o->loose_after += e->fate == KEEP;
		o->dropped += e->fate == DROP;
	}
	o->packs_after += join->n != 0;
	o->bytes_after += g->joined;
}

/* ---- doing it ---- */

static int write_joined(struct gc *g, const struct sg_oids *list)
{
	struct sg_packer *p = NULL;
	struct sg_buf b = { 0 };
	enum sg_object_type type;
	struct sg_oid oid;
	int rc;

	if (!list->n)
		return 0;
	rc = sg_packer_open(&p, g->r);
	if (rc >= 0)
		sg_packer_take_all(p);
	for (size_t i = 0; rc >= 0 && i < list->n; i++) {
		if (sg_progress(g->progress, "packing", i, list->n, NULL))
			rc = sg_fail(SG_E_INTERRUPTED, "gc stopped");
		if (rc >= 0)
			rc = sg_object_read(&b, &type, g->r, &list->oid[i], SIZE_MAX);
		if (rc >= 0)
			rc = sg_packer_add(&oid, p, type, b.data ? b.data : "", b.len);
		/* the last look at it: what is damaged must not replace its source */
		if (rc >= 0 && !sg_oid_eq(&oid, &list->oid[i]))
			rc = sg_fail(SG_E_CORRUPT, "gc refused, an object is damaged: run a check");
	}
	if (rc >= 0)
		rc = sg_packer_commit(p);
	if (rc >= 0 && !(g->made = sg_packer_base(p)))
		rc = -SG_E_NOMEM;
	sg_packer_free(p);
	sg_buf_release(&b);
	return rc;
}

static void remove_old(struct gc *g)
{
	static const char *const ext[] = { ".idx", ".rev", ".bitmap", ".pack" };

	for (size_t i = 0; i < g->n_packs; i++) {
		/* the same objects in the same order have the same name: written over */
		if (g->pack[i].fate == KEEP || (g->made && !strcmp(g->made, g->pack[i].base)))
			continue;
		for (size_t k = 0; k < SG_LEN(ext); k++) {
			char *p = sg_asprintf("%s%s", g->pack[i].base, ext[k]);

			if (p)
				unlink(p);
			free(p);
		}
	}
	for (size_t i = 0; i < g->n_loose; i++)
		if (g->loose[i].fate != KEEP)
			unlink(g->loose[i].path);
}

/* Does an entry name something that is about to go? */
static bool is_stale(const struct gc *g, const char *line)
{
	struct log_line e;

	if (!parse_log(&e, line) || e.when >= (long long)g->since)
		return false;
	for (int k = 0; k < 2; k++)
		if (!sg_oid_is_zero(&e.oid[k]) && !sg_oidmap_get(&g->live, &e.oid[k], NULL))
			return true;
	return false;
}

/* Under git's own lock of it: whoever writes to it meanwhile is left alone. A
 * failure only leaves entries that name nothing. */
static int trim_log(struct gc *g, const char *path, void *arg)
{
	struct sg_buf old = { 0 }, new = { 0 };
	char *lock = sg_asprintf("%s.lock", path);
	int fd = lock ? open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
	int rc = lock ? 0 : -SG_E_NOMEM;

	(void)arg;
	if (fd < 0 || sg_file_read(&old, path, (size_t)1 << 30) < 0)
		goto out;
	for (char *p = old.len ? old.data : NULL, *next; rc >= 0 && p && *p; p = next) {
		next = next_line(p);
		if (!is_stale(g, p))
			rc = sg_buf_add(&new, p, next ? (size_t)(next - p) : strlen(p));
	}
	if (rc >= 0 && new.len < old.len && sg_fd_write(fd, new.data, new.len, lock) >= 0 && sg_fd_sync(fd, lock) >= 0)
		(void)sg_file_rename(lock, path);
out:
	if (fd >= 0) {
		close(fd);
		unlink(lock);
	}
	sg_buf_release(&old);
	sg_buf_release(&new);
	free(lock);
	return rc;
}

/* Loose refs into one file: reading ten thousand files takes its time. */
static void pack_refs(struct sg_registry *r)
{
	git_refdb *db = NULL;

	if (git_repository_refdb(&db, r->repo) == 0)
		(void)git_refdb_compress(db);	/* nothing is lost when it fails */
	git_refdb_free(db);
}

static int tidy_refs(struct gc *g)
{
	char *logs = sg_path_join(g->r->git_dir, "logs");
	int rc = logs ? each_log(g, logs, trim_log, NULL, 0) : -SG_E_NOMEM;

	free(logs);
	pack_refs(g->r);
	return rc;
}

static int collect(struct gc *g, bool dry)
{
	struct sg_oids join = { 0 };
	int rc;

	git_odb_refresh(g->r->odb);
	rc = mark(g);
	if (rc >= 0)
		rc = list_packs(g);
	if (rc >= 0)
		rc = list_loose(g);
	if (rc >= 0) {
		decide_packs(g);
		decide_loose(g);
		rc = to_join(&join, g);
	}
	if (rc >= 0)
		count(g, &join);
	if (rc >= 0 && !dry)
		rc = write_joined(g, &join);
	if (rc >= 0 && !dry)
		rc = tidy_refs(g);	/* before what they name is gone */
	if (rc >= 0 && !dry) {
		rc = sg_lock_stamp(g->r);
		if (rc >= 0) {
			remove_old(g);
			rc = sg_registry_reopen(g->r);
		}
	}
	free(join.oid);
	return rc;
}

static void gc_release(struct gc *g)
{
	for (size_t i = 0; i < g->n_packs; i++) {
		free(g->pack[i].base);
		free(g->pack[i].oid);
	}
	for (size_t i = 0; i < g->n_loose; i++)
		free(g->loose[i].path);
	free(g->made);
	free(g->pack);
	free(g->loose);
	sg_oidmap_release(&g->live);
}

int sg_gc(struct sg_gc *out, struct sg_registry *r, const struct sg_gc_opts *opts, const struct sg_progress *progress)
{
	struct sg_gc o = { 0 };
	struct gc g = { .r = r, .now = time(NULL), .o = opts, .out = &o, .progress = progress };
	int rc = opts->dry ? sg_lock(r) : sg_lock_alone(r);

	if (rc < 0)
		return rc;
	g.since = (time_t)(opts->reflog < g.now ? g.now - opts->reflog + 1 : 0);
	rc = collect(&g, opts->dry);
	sg_unlock(r);
	if (rc >= 0 && !opts->dry)
		rc = sg_sweep(r, true);
	gc_release(&g);
	if (rc < 0)
		return rc;
	*out = o;
	return 0;
}

/* ---- between gcs ---- */

#define TIDY_PACKS 50		/* small ones at which they are joined: git's gc.autoPackLimit */
#define TIDY_BYTES ((uint64_t)64 << 20)	/* written at most in one go */

static long tidy_limit(struct sg_registry *r)
{
	git_config *c = NULL;
	int32_t limit = TIDY_PACKS;

	if (git_repository_config_snapshot(&c, r->repo) == 0)
		(void)git_config_get_int32(&limit, c, "gc.autopacklimit");
	git_config_free(c);
	return limit;
}

/* Small packs without an order to keep them. */
static long small_packs(struct sg_registry *r)
{
	char *dir = sg_path_join(r->git_dir, "objects/pack");
	struct sg_names l = { 0 };
	long many = 0;

	if (dir && sg_dir_list(&l, dir) >= 0)
		for (size_t i = 0; i < l.n; i++) {
			size_t n = strlen(l.name[i]);
			char *p = n > 5 && !strcmp(l.name[i] + n - 5, ".pack") ? sg_path_join(dir, l.name[i]) : NULL;
			struct stat st;

			many += p && stat(p, &st) == 0 && (uint64_t)st.st_size < SMALL;
			free(p);
		}
	sg_names_release(&l);
	free(dir);
	return many;
}

/* All that the small packs hold, reached or not: that is for a gc to say. */
static int join_small(struct gc *g, struct timespec *newest)
{
	struct sg_oidmap have = { 0 };
	struct sg_oids list = { 0 };
	uint64_t bytes = 0;
	int rc = list_packs(g);

	for (size_t i = 0; rc >= 0 && i < g->n_packs; i++) {
		struct pack *p = &g->pack[i];

		if (p->kept || p->size >= SMALL || bytes + p->size > TIDY_BYTES)
			continue;
		p->fate = JOIN;
		bytes += p->size;
		*newest = p->at;
		for (size_t k = 0; rc >= 0 && k < p->n; k++) {
			rc = sg_oidmap_add(&have, &p->oid[k], 0);
			if (rc > 0)
				rc = sg_oids_add(&list, &p->oid[k]);
		}
	}
	if (rc >= 0)
		rc = write_joined(g, &list);
	sg_oidmap_release(&have);
	free(list.oid);
	return rc;
}

/* The joined pack is as old as its youngest part: what nothing reaches in it does not
 * begin to wait anew. */
static void set_age(const char *base, const struct timespec *when)
{
	struct timespec both[2] = { *when, *when };
	char *pack = sg_asprintf("%s.pack", base);

	if (pack)
		(void)utimensat(AT_FDCWD, pack, both, 0);
	free(pack);
}

void sg_tidy(struct sg_registry *r)
{
	struct sg_gc o = { 0 };
	struct gc g = { .r = r, .out = &o };
	struct timespec newest = { 0 };
	long limit;

	if (r->lock_depth)
		return;
	limit = tidy_limit(r);
	if (limit <= 1 || small_packs(r) < limit || sg_lock_now(r) < 0)
		return;
	if (join_small(&g, &newest) >= 0 && g.made) {
		set_age(g.made, &newest);
		pack_refs(r);
		if (sg_lock_stamp(r) >= 0) {
			remove_old(&g);
			(void)sg_registry_reopen(r);
		}
	}
	sg_unlock(r);
	gc_release(&g);
}
