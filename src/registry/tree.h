#ifndef SG_REGISTRY_TREE_H
#define SG_REGISTRY_TREE_H
#include "registry/object.h"
#include "registry/packer.h"
SG_C_BEGIN
/*
 * Folders. A path is "a/b/c": no empty part, no "." or "..", nothing that means
 * ".git", no backslash, colon or control character, parts of at most 255 bytes.
 * `at` is a tree, a commit or a tag of one: it is peeled.
 */
bool sg_tree_path_ok(const char *path);

/* Object at a path ("" is the tree itself); NOTFOUND when absent. type may be NULL. */
int sg_tree_find(struct sg_oid *out, enum sg_object_type *type, struct sg_registry *r,
		 const struct sg_oid *at, const char *path);
/* A file's content, at most max bytes. */
int sg_tree_read(struct sg_buf *out, struct sg_registry *r, const struct sg_oid *at,
		 const char *path, size_t max);

struct sg_tree_entry { char *name; unsigned mode; enum sg_object_type type; struct sg_oid oid; };
struct sg_tree_list { struct sg_tree_entry *entry; size_t n, cap; };
/* Entries of a folder in git's order; an absent folder is NOTFOUND. */
int sg_tree_list(struct sg_tree_list *out, struct sg_registry *r, const struct sg_oid *at,
		 const char *path);
void sg_tree_list_release(struct sg_tree_list *l);

/*
 * An edit of a tree: starts at `from` (NULL: empty), reads only the folders that
 * it touches, writes only those that changed.
 */
struct sg_tree;
int sg_tree_edit(struct sg_tree **out, struct sg_registry *r, const struct sg_oid *from);
/* A file; folders on the way are made, a file in the way is EXISTS. */
int sg_tree_put(struct sg_tree *t, const char *path, const struct sg_oid *blob);
/* A whole folder (its tree id), replacing what stood there: the way to take a
 * graft over from another commit without reading it. It must be visible already. */
int sg_tree_put_tree(struct sg_tree *t, const char *path, const struct sg_oid *tree);
/* Write data as a blob (into p, or loose when p is NULL) and put it. */
int sg_tree_put_data(struct sg_tree *t, struct sg_packer *p, const char *path, const void *data,
		     size_t n);
/* A file or a folder with all in it; NOTFOUND when absent. Folders left empty go too. */
int sg_tree_remove(struct sg_tree *t, const char *path);
/* Write the changed folders into p (or loose when NULL); the edit stays usable. */
int sg_tree_write(struct sg_oid *out, struct sg_tree *t, struct sg_packer *p);
void sg_tree_free(struct sg_tree *t);
SG_C_END
#endif
