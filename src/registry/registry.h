#ifndef SG_REGISTRY_REGISTRY_H
#define SG_REGISTRY_REGISTRY_H
#include "base/base.h"
#include "base/file.h"
SG_C_BEGIN
/*
 * A registry is a folder .sg:
 *	registry.git/	an ordinary bare git repository
 *	lock		flock(2): shared while something is written, exclusive to clean
 *	tmp/ cache/	deletable
 * One handle is used by one thread at a time; any number of handles and
 * processes may write at once. Errors of git come back as ours.
 */
struct sg_registry;

/* Make dir/.sg (and dir). EXISTS when there is one. It appears whole or not at
 * all. Inside another git work tree, .sg is added to that one's info/exclude. */
int sg_registry_create(struct sg_registry **out, const char *dir);
/* The folder that SG_DIR names, else .sg in start (NULL: the current folder) or
 * the nearest folder above. NOTFOUND: none there. One found that belongs to another
 * user is an ERROR unless git's safe.directory lists it. Leftovers of killed processes are removed when
 * nobody is writing. */
int sg_registry_open(struct sg_registry **out, const char *start);
void sg_registry_free(struct sg_registry *r);

/* Absolute paths, borrowed: .sg, and tmp, cache in it. */
const char *sg_registry_dir(const struct sg_registry *r);
const char *sg_registry_tmp_dir(const struct sg_registry *r);
const char *sg_registry_cache_dir(const struct sg_registry *r);

/* Configuration, git's syntax and keys ("sg.signkey", "user.name"). get sees the
 * registry's own, then the user's, then the system's; *out is yours; NOTFOUND.
 * set writes the registry's own; NULL removes (absent is fine). list gives the
 * registry's own "key=value" lines that begin with prefix. */
int sg_registry_config_get(char **out, struct sg_registry *r, const char *key);
int sg_registry_config_set(struct sg_registry *r, const char *key, const char *value);
int sg_registry_config_list(struct sg_names *out, struct sg_registry *r, const char *prefix);
/* Version of libgit2 at run time: "1.5.1". */
void sg_git_library(char out[32]);
SG_C_END
#endif
