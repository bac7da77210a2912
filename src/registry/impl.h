#ifndef SG_REGISTRY_IMPL_H
#define SG_REGISTRY_IMPL_H
/* What the files of src/registry share; nobody else includes this. */
#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "registry/object.h"
#include "registry/signer.h"
#include <git2.h>
SG_C_BEGIN
struct sg_registry {
	char *dir, *git_dir, *tmp_dir, *cache_dir;
	git_repository *repo;
	git_odb *odb;
	int lock_fd;
	unsigned lock_depth;		/* shared holds of this handle */
	off_t gc_seen;			/* size of the lock file: the gcs so far */
	struct sg_tree_memo *memo;	/* tree.c: large folders that were looked into */
	bool ident_set;			/* reflog identity given to libgit2 */
	int sign_mode;			/* enum sg_sign_mode */
	char *sign_key;			/* instead of user.signingKey, or NULL */
	struct sg_ask ask;
	struct sg_signer *signer;	/* opened when first wanted */
};

/* git.c */
/* libgit2 ready: SIGPIPE ignored, fsync on, reads not hashed. Once per process. */
int sg_git_start(void);
/* A libgit2 code as ours with its message behind "what: ". Call it at once: the
 * message is the thread's last. */
int sg_git_fail(int rc, const char *fmt, ...) SG_PRINTF(2, 3);
static inline const git_oid *sg_git_oid(const struct sg_oid *oid)
{
	return (const git_oid *)(const void *)oid;	/* both are 20 bytes and nothing else */
}
_Static_assert(sizeof(git_oid) == sizeof(struct sg_oid), "object ids differ in size");

/* registry.c: forget which packs there were */
int sg_registry_reopen(struct sg_registry *r);

/* signer.c: forget the key and how it was asked for */
void sg_signing_release(struct sg_registry *r);

/* lock.c */
int sg_lock(struct sg_registry *r);		/* shared, counted */
void sg_unlock(struct sg_registry *r);
/* The only one: BUSY when somebody writes for longer than a moment. */
int sg_lock_alone(struct sg_registry *r);
/* The same without waiting at all. */
int sg_lock_now(struct sg_registry *r);
/* gc.c: join small packs when there are many (gc.autoPackLimit) and nobody writes; a
 * convenience that fails in silence. */
void sg_tidy(struct sg_registry *r);
/* Tell other handles that objects are about to go. */
int sg_lock_stamp(struct sg_registry *r);
off_t sg_lock_count(const struct sg_registry *r);
/* If nobody writes, remove what killed writers left. deep: also walk the refs
 * and the loose objects. Returns 1 when it ran, 0 when somebody is writing. */
int sg_sweep(struct sg_registry *r, bool deep);
/* Lock files of refs and configuration that a killed process left: old ones. */
void sg_sweep_locks(struct sg_registry *r);
#define SG_LOCK_WAIT_MS 12000	/* how long to wait for one: until it would be old */

/* packer.c: the id of an object; and one entry of a pack (header and stored
 * zlib stream) handed to sink piece by piece. */
struct sg_packer;
void sg_packer_take_all(struct sg_packer *p);	/* existing objects too */
int sg_packer_keep(struct sg_packer *p, struct sg_names *out);	/* its .keep is the caller's to remove */
char *sg_packer_base(const struct sg_packer *p);	/* path of a committed pack without .pack, yours */
int sg_object_id(struct sg_oid *out, enum sg_object_type type, const void *data, size_t n);
int sg_pack_entry(int (*sink)(void *arg, const void *data, size_t n), void *arg,
		  enum sg_object_type type, const void *data, size_t n);
/* How many bytes that is. */
uint64_t sg_pack_entry_size(enum sg_object_type type, size_t n);

/* tree.c: the next entry of a raw tree at *p (advanced); 1, 0 at the end, or
 * CORRUPT. name points into the data. */
struct sg_raw_entry { const char *name; unsigned mode; struct sg_oid oid; };
int sg_tree_next(struct sg_raw_entry *out, const char **p, const char *end);
enum sg_object_type sg_mode_type(unsigned mode);
void sg_tree_forget(struct sg_registry *r);
/* at peeled to its tree */
int sg_tree_peel(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *at);

/* commit.c: the object that a tag names */
int sg_tag_target(struct sg_oid *out, const struct sg_oid *id, const char *data, size_t n);

#define SG_META_MAX ((size_t)64 << 20)	/* ceiling of a commit, tag or tree in bytes */

/* A map from object id to a number; {0} is empty. */
struct sg_oidmap { struct sg_oid *key; size_t *value; size_t n, cap; };
/* 1 when new (value stored), 0 when there (value left), or NOMEM. */
int sg_oidmap_add(struct sg_oidmap *m, const struct sg_oid *key, size_t value);
void sg_oidmap_set(struct sg_oidmap *m, const struct sg_oid *key, size_t value);	/* of one that is there */
bool sg_oidmap_get(const struct sg_oidmap *m, const struct sg_oid *key, size_t *value);
void sg_oidmap_release(struct sg_oidmap *m);

struct sg_oids { struct sg_oid *oid; size_t n, cap; };
static inline int sg_oids_add(struct sg_oids *l, const struct sg_oid *oid)
{
	SG_TRY(SG_GROW(l->oid, l->n, l->cap));
	l->oid[l->n++] = *oid;
	return 0;
}

/* reach.c: add all that the tips reach, themselves included, to seen. What is not
 * there or cannot be read goes to missing (rc says how); it returns 0 to go
 * on, negative to stop. */
int sg_reach(struct sg_oidmap *seen, struct sg_registry *r, const struct sg_oids *tip,
	     int (*missing)(void *arg, const struct sg_oid *oid, int rc), void *arg);
SG_C_END
#endif
