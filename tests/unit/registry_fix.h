#ifndef SG_TESTS_REGISTRY_FIX_H
#define SG_TESTS_REGISTRY_FIX_H
/* A folder of its own with a registry in it, for the tests of src/registry. */
#include "tests/test.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "registry/commit.h"
#include "registry/history.h"
#include "registry/maint.h"
#include "registry/object.h"
#include "registry/packer.h"
#include "registry/payload.h"
#include "registry/ref.h"
#include "registry/registry.h"
#include "registry/remote.h"
#include "registry/tree.h"
#include <stdarg.h>
#include <unistd.h>

struct fix { char dir[64]; struct sg_registry *r; };

/* Run a command line in the folder, quietly; true when it succeeds. */
SG_PRINTF(2, 3) static inline bool sh(const struct fix *f, const char *fmt, ...)
{
	char cmd[2048], line[2300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd '%s' && { %s ; } >out 2>&1", f->dir, cmd);
	return system(line) == 0;
}

/* What the last sh() printed. */
static inline bool said(const struct fix *f, const char *text)
{
	struct sg_buf b = { 0 };
	char path[128];
	bool yes;

	snprintf(path, sizeof(path), "%s/out", f->dir);
	yes = sg_file_read(&b, path, 1 << 20) >= 0 && b.data && strstr(b.data, text);
	sg_buf_release(&b);
	return yes;
}

static inline void fix_close(struct fix *f)
{
	sg_registry_free(f->r);
	f->r = NULL;
	sg_dir_remove(f->dir);
}

static inline bool fix_open(struct fix *f)
{
	const char *tmp = getenv("TMPDIR");

	*f = (struct fix){ 0 };
	unsetenv("SG_DIR");
	snprintf(f->dir, sizeof(f->dir), "%.40s/sg-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir) || sg_registry_create(&f->r, f->dir) < 0)
		return false;
	return sg_registry_config_set(f->r, "user.name", "Ann Example") >= 0 &&
	       sg_registry_config_set(f->r, "user.email", "ann@example.com") >= 0;
}

/* A commit whose tree has one file, on top of what ref holds; ref moves. */
static inline int put_commit(struct sg_oid *out, struct sg_registry *r, const char *ref, const char *path,
			     const char *text)
{
	struct sg_oid old = { 0 }, tree;
	struct sg_tree *t = NULL;
	int rc = sg_ref_get(&old, r, ref);
	bool born = rc >= 0;

	if (rc < 0 && rc != -SG_E_NOTFOUND)
		return rc;
	rc = sg_tree_edit(&t, r, born ? &old : NULL);
	if (rc >= 0)
		rc = sg_tree_put_data(t, NULL, path, text, strlen(text));
	if (rc >= 0)
		rc = sg_tree_write(&tree, t, NULL);
	if (rc >= 0)
		rc = sg_commit_make(out, r, NULL, &tree, &old, born, text);
	if (rc >= 0)
		rc = sg_ref_set(r, ref, out, &old, "test");
	sg_tree_free(t);
	return rc;
}
#endif
