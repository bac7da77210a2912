#include "registry/tree.h"
#include "registry/impl.h"
#include "base/hash.h"
#include <strings.h>

#define PEEL_MAX 8	/* tags of tags */
#define DEPTH_MAX 64

/* ---- names ---- */

/* What some file system or git itself takes for ".git". */
static bool is_dot_git(const char *s, size_t n)
{
	while (n && (s[n - 1] == ' ' || s[n - 1] == '.'))
		n--;
	return (n == 4 && !strncasecmp(s, ".git", 4)) || (n == 5 && !strncasecmp(s, "git~1", 5));
}

static bool part_ok(const char *s, size_t n)
{
	if (!n || n > 255 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.') || is_dot_git(s, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '\\' || s[i] == ':' || s[i] == '/')
			return false;
	return true;
}

bool sg_tree_path_ok(const char *path)
{
	size_t depth = 0;

	for (;; path++) {
		size_t n = strcspn(path, "/");

		if (!part_ok(path, n) || ++depth > DEPTH_MAX)
			return false;
		path += n;
		if (!*path)
			return true;
	}
}

static int check_path(const char *path)
{
	return sg_tree_path_ok(path) ? 0 : sg_fail(SG_E_ERROR, "bad path '%s'", path);
}

/* ---- reading ---- */

enum sg_object_type sg_mode_type(unsigned mode)
{
	return mode == 040000 ? SG_OBJ_TREE : mode == 0160000 ? SG_OBJ_COMMIT : SG_OBJ_BLOB;
}

int sg_tree_next(struct sg_raw_entry *out, const char **p, const char *end)
{
	const char *s = *p, *nul;
	unsigned mode = 0;

	if (s == end)
		return 0;
	for (int digits = 0; s < end && *s >= '0' && *s <= '7' && digits < 6; digits++)
		mode = mode * 8 + (unsigned)(*s++ - '0');
	nul = s < end ? memchr(s, '\0', (size_t)(end - s)) : NULL;
	if (!mode || !nul || *s++ != ' ' || nul == s || end - nul < 21 || memchr(s, '/', (size_t)(nul - s)) ||
	    !strcmp(s, ".") || !strcmp(s, "..") || !strcasecmp(s, ".git"))
		return sg_fail(SG_E_CORRUPT, "bad entry in a tree");
	out->name = s;
	out->mode = mode;
	memcpy(out->oid.id, nul + 1, 20);
	*p = nul + 21;
	return 1;
}

int sg_tree_peel(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *at)
{
	struct sg_oid oid = *at;
	struct sg_buf b = { 0 };
	enum sg_object_type type = SG_OBJ_BLOB;
	int rc = 0;

	for (int i = 0; i < PEEL_MAX; i++) {
		rc = sg_object_stat(&type, NULL, r, &oid);
		if (rc < 0 || (type != SG_OBJ_COMMIT && type != SG_OBJ_TAG))
			break;
		rc = sg_object_read(&b, &type, r, &oid, SG_META_MAX);
		if (rc < 0)
			break;
		if (type == SG_OBJ_TAG) {
			rc = sg_tag_target(&oid, &oid, b.data, b.len);
		} else if (b.len < 46 || memcmp(b.data, "tree ", 5) || !sg_unhex(oid.id, b.data + 5, 20)) {
			rc = sg_fail(SG_E_CORRUPT, "bad commit: no tree");
		}
		if (rc < 0)
			break;
	}
	sg_buf_release(&b);
	if (rc >= 0 && type != SG_OBJ_TREE)
		rc = sg_fail(SG_E_CORRUPT, "a %s where a tree or commit was expected", sg_object_type_name(type));
	if (rc >= 0)
		*out = oid;
	return rc;
}

static int read_tree(struct sg_buf *out, struct sg_registry *r, const struct sg_oid *oid)
{
	enum sg_object_type type;

	SG_TRY(sg_object_read(out, &type, r, oid, SG_META_MAX));
	return type == SG_OBJ_TREE ? 0 : sg_fail(SG_E_CORRUPT, "a %s where a tree was expected",
						 sg_object_type_name(type));
}

/*
 * A folder of many is looked into once for each of them: a few large ones are kept with
 * their entries in the order of names. Their name is their content, so they are never
 * out of date.
 */
#define MEMO 4
#define MEMO_MIN 16384		/* bytes; smaller ones are read again */
#define MEMO_MAX ((size_t)16 << 20)
struct memo_entry { const char *name; unsigned mode; };
struct memo { struct sg_oid oid; struct sg_buf raw; struct memo_entry *entry; size_t n; };
struct sg_tree_memo { struct memo m[MEMO]; struct sg_oid once[MEMO]; unsigned turn, seen; };

static void memo_release(struct memo *m)
{
	sg_buf_release(&m->raw);
	free(m->entry);
	*m = (struct memo){ .n = 0 };
}

void sg_tree_forget(struct sg_registry *r)
{
	for (unsigned i = 0; r->memo && i < MEMO; i++)
		memo_release(&r->memo->m[i]);
	free(r->memo);
	r->memo = NULL;
}

static int memo_order(const void *a, const void *b)
{
	return strcmp(((const struct memo_entry *)a)->name, ((const struct memo_entry *)b)->name);
}

/* Takes the bytes over. */
static int memo_add(struct memo **out, struct sg_registry *r, const struct sg_oid *oid, struct sg_buf *raw)
{
	struct sg_raw_entry e;
	struct memo *m;
	size_t cap = 0;
	const char *p;
	int rc;

	if (!r->memo)
		SG_TRY(SG_NEW(r->memo, 1));
	m = &r->memo->m[r->memo->turn++ % MEMO];
	memo_release(m);
	m->raw = *raw;
	*raw = (struct sg_buf){ 0 };
	p = m->raw.data;
	while ((rc = sg_tree_next(&e, &p, m->raw.data + m->raw.len)) > 0) {
		rc = SG_GROW(m->entry, m->n, cap);
		if (rc < 0)
			break;
		m->entry[m->n++] = (struct memo_entry){ e.name, e.mode };
	}
	if (rc < 0) {
		memo_release(m);
		return rc;
	}
	qsort(m->entry, m->n, sizeof(*m->entry), memo_order);
	m->oid = *oid;
	*out = m;
	return 0;
}

/* Was it looked into before? The first time is often the only one. */
static bool memo_again(struct sg_registry *r, const struct sg_oid *oid)
{
	if (!r->memo && SG_NEW(r->memo, 1) < 0)
		return false;
	for (unsigned i = 0; i < MEMO; i++)
		if (sg_oid_eq(&r->memo->once[i], oid))
			return true;
	r->memo->once[r->memo->seen++ % MEMO] = *oid;
	return false;
}

static struct memo *memo_get(struct sg_registry *r, const struct sg_oid *oid)
{
	for (unsigned i = 0; r->memo && i < MEMO; i++)
		if (r->memo->m[i].n && sg_oid_eq(&r->memo->m[i].oid, oid))
			return &r->memo->m[i];
	return NULL;
}

/* 1: found. The id stands behind the name. */
static int memo_find(struct sg_raw_entry *out, const struct memo *m, const char *name, size_t n)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const char *at = m->entry[mid].name;
		int c = strncmp(at, name, n);

		if (!c && at[n])
			c = 1;
		if (!c) {
			out->name = at;
			out->mode = m->entry[mid].mode;
			memcpy(out->oid.id, at + strlen(at) + 1, 20);
			return 1;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

/* The entry `name` (n bytes) of a tree. */
static int find_entry(struct sg_raw_entry *out, struct sg_registry *r, const struct sg_oid *tree,
		      const char *name, size_t n)
{
	struct memo *m = memo_get(r, tree);
	struct sg_buf b = { 0 };
	struct sg_raw_entry e;
	const char *p;
	int rc = m ? memo_find(out, m, name, n) : read_tree(&b, r, tree);

	if (m || rc < 0)
		return rc;
	if (b.len >= MEMO_MIN && b.len <= MEMO_MAX && memo_again(r, tree)) {
		rc = memo_add(&m, r, tree, &b);
		sg_buf_release(&b);
		return rc < 0 ? rc : memo_find(out, m, name, n);
	}
	p = b.data;
	while (rc >= 0 && (rc = sg_tree_next(&e, &p, b.data + b.len)) > 0) {
		if (!strncmp(e.name, name, n) && !e.name[n]) {
			*out = e;
			break;
		}
	}
	sg_buf_release(&b);
	return rc;	/* 1: found */
}

int sg_tree_find(struct sg_oid *out, enum sg_object_type *type, struct sg_registry *r,
		 const struct sg_oid *at, const char *path)
{
	struct sg_raw_entry e = { .mode = 040000 };
	const char *p = path;
	int rc;

	if (*path)
		SG_TRY(check_path(path));
	SG_TRY(sg_tree_peel(&e.oid, r, at));
	while (*p) {
		size_t n = strcspn(p, "/");

		rc = e.mode == 040000 ? find_entry(&e, r, &e.oid, p, n) : 0;
		if (rc < 0)
			return sg_fail_in(rc, "cannot look up '%s'", path);
		if (!rc)
			return sg_fail(SG_E_NOTFOUND, "no '%s' there", path);
		p += n + (p[n] == '/');
	}
	if (e.mode == 0120000)
		return sg_fail(SG_E_CORRUPT, "'%s' is a symbolic link", path);
	*out = e.oid;
	if (type)
		*type = sg_mode_type(e.mode);
	return 0;
}

int sg_tree_read(struct sg_buf *out, struct sg_registry *r, const struct sg_oid *at,
		 const char *path, size_t max)
{
	struct sg_oid oid;
	int rc;

	SG_TRY(sg_tree_find(&oid, NULL, r, at, path));
	rc = sg_blob_read(out, r, &oid, max);
	return rc < 0 ? sg_fail_in(rc, "cannot read '%s'", path) : 0;
}

static int list_add(struct sg_tree_list *l, const struct sg_raw_entry *e)
{
	struct sg_tree_entry *to;

	SG_TRY(SG_GROW(l->entry, l->n, l->cap));
	to = &l->entry[l->n];
	to->name = sg_strdup(e->name);
	if (!to->name)
		return -SG_E_NOMEM;
	to->mode = e->mode;
	to->type = sg_mode_type(e->mode);
	to->oid = e->oid;
	l->n++;
	return 0;
}

int sg_tree_list(struct sg_tree_list *out, struct sg_registry *r, const struct sg_oid *at,
		 const char *path)
{
	struct sg_tree_list l = { 0 };
	struct sg_buf b = { 0 };
	struct sg_raw_entry e;
	struct sg_oid oid;
	enum sg_object_type type;
	const char *p;
	int rc;

	SG_TRY(sg_tree_find(&oid, &type, r, at, path));
	if (type != SG_OBJ_TREE)
		return sg_fail(SG_E_NOTFOUND, "'%s' is not a folder", path);
	rc = read_tree(&b, r, &oid);
	p = b.data;
	while (rc >= 0 && (rc = sg_tree_next(&e, &p, b.data + b.len)) > 0)
		rc = list_add(&l, &e);
	sg_buf_release(&b);
	if (rc < 0)
		sg_tree_list_release(&l);
	else
		*out = l;
	return rc;
}

void sg_tree_list_release(struct sg_tree_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->entry[i].name);
	free(l->entry);
	*l = (struct sg_tree_list){ 0 };
}

/* ---- editing ---- */

struct node {
	char *name;
	unsigned mode;
	struct sg_oid oid;		/* valid unless dirty */
	bool dirty, loaded;		/* folders: child[] is what counts */
	struct node **child;		/* by name, bytewise */
	size_t n, cap;
};

struct sg_tree { struct sg_registry *r; struct node root; };

static void node_release(struct node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		node_release(n->child[i]);
		free(n->child[i]);
	}
	free(n->child);
	free(n->name);
	*n = (struct node){ 0 };
}

/* Forget the content, keep the name. */
static void reset(struct node *n)
{
	char *name = n->name;

	n->name = NULL;
	node_release(n);
	n->name = name;
}

/* Where name is or would be. */
static bool child_at(const struct node *n, const char *name, size_t len, size_t *at)
{
	size_t lo = 0, hi = n->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strncmp(n->child[mid]->name, name, len);

		if (!c && n->child[mid]->name[len])
			c = 1;
		if (!c) {
			*at = mid;
			return true;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return false;
}

static int child_add(struct node **out, struct node *n, const char *name, size_t len)
{
	struct node *c;
	size_t at;

	if (child_at(n, name, len, &at)) {
		*out = n->child[at];
		return 0;
	}
	SG_TRY(SG_GROW(n->child, n->n, n->cap));
	SG_TRY(SG_NEW(c, 1));
	c->name = sg_strndup(name, len);
	if (!c->name) {
		free(c);
		return -SG_E_NOMEM;
	}
	memmove(n->child + at + 1, n->child + at, (n->n - at) * sizeof(*n->child));
	n->child[at] = c;
	n->n++;
	*out = c;
	return 1;
}

static void child_remove(struct node *n, size_t at)
{
	node_release(n->child[at]);
	free(n->child[at]);
	n->n--;
	memmove(n->child + at, n->child + at + 1, (n->n - at) * sizeof(*n->child));
}

static int load(struct sg_tree *t, struct node *n)
{
	struct sg_buf b = { 0 };
	struct sg_raw_entry e;
	struct node *c;
	const char *p;
	int rc;

	if (n->loaded)
		return 0;
	rc = read_tree(&b, t->r, &n->oid);
	p = b.data;
	while (rc >= 0 && (rc = sg_tree_next(&e, &p, b.data + b.len)) > 0) {
		rc = child_add(&c, n, e.name, strlen(e.name));
		if (!rc)
			rc = sg_fail(SG_E_CORRUPT, "a tree has '%s' twice", e.name);
		if (rc < 0)
			break;
		c->mode = e.mode;
		c->oid = e.oid;
	}
	sg_buf_release(&b);
	n->loaded = rc >= 0;
	return rc;
}

int sg_tree_edit(struct sg_tree **out, struct sg_registry *r, const struct sg_oid *from)
{
	struct sg_tree *t;
	int rc = 0;

	SG_TRY(SG_NEW(t, 1));
	t->r = r;
	t->root.mode = 040000;
	if (from)
		rc = sg_tree_peel(&t->root.oid, r, from);
	else
		t->root.loaded = t->root.dirty = true;
	if (rc < 0)
		sg_tree_free(t);
	else
		*out = t;
	return rc;
}

/* The node of a path, made with the folders above it. All on the way is dirty. */
static int reach(struct node **out, struct sg_tree *t, const char *path)
{
	struct node *at = &t->root;

	SG_TRY(check_path(path));
	for (;;) {
		size_t n = strcspn(path, "/");
		int made;

		SG_TRY(load(t, at));
		at->dirty = true;
		SG_TRY(made = child_add(&at, at, path, n));
		if (!path[n])
			break;
		if (made) {
			at->mode = 040000;
			at->loaded = true;
		} else if (at->mode != 040000) {
			return sg_fail(SG_E_EXISTS, "'%s' is a file, not a folder", at->name);
		}
		path += n + 1;
	}
	*out = at;
	return 0;
}

int sg_tree_put(struct sg_tree *t, const char *path, const struct sg_oid *blob)
{
	struct node *n;

	SG_TRY(reach(&n, t, path));
	if (n->mode == 040000)
		return sg_fail(SG_E_EXISTS, "'%s' is a folder, not a file", path);
	n->mode = n->mode == 0100755 ? n->mode : 0100644;
	n->oid = *blob;
	return 0;
}

int sg_tree_put_tree(struct sg_tree *t, const char *path, const struct sg_oid *tree)
{
	struct node *n;

	SG_TRY(reach(&n, t, path));
	reset(n);
	n->mode = 040000;
	n->oid = *tree;
	return 0;
}

int sg_tree_put_data(struct sg_tree *t, struct sg_packer *p, const char *path, const void *data,
		     size_t n)
{
	struct sg_oid oid;

	SG_TRY(check_path(path));
	if (p)
		SG_TRY(sg_packer_add(&oid, p, SG_OBJ_BLOB, data, n));
	else
		SG_TRY(sg_blob_write(&oid, t->r, data, n));
	return sg_tree_put(t, path, &oid);
}

static int remove_below(struct sg_tree *t, struct node *at, const char *path)
{
	size_t n = strcspn(path, "/"), i;

	SG_TRY(load(t, at));
	if (!child_at(at, path, n, &i) || (path[n] && at->child[i]->mode != 040000))
		return -SG_E_NOTFOUND;
	if (path[n]) {
		SG_TRY(remove_below(t, at->child[i], path + n + 1));
		if (at->child[i]->n) {
			at->dirty = true;
			return 0;
		}
	}
	child_remove(at, i);
	at->dirty = true;
	return 0;
}

int sg_tree_remove(struct sg_tree *t, const char *path)
{
	int rc;

	SG_TRY(check_path(path));
	rc = remove_below(t, &t->root, path);
	return rc == -SG_E_NOTFOUND ? sg_fail(SG_E_NOTFOUND, "no '%s' there", path) : rc;
}

/* Git sorts a folder as if its name ended in a slash. */
static int git_order(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	size_t nx = strlen(x->name), ny = strlen(y->name);
	int c = memcmp(x->name, y->name, SG_MIN(nx, ny));
	unsigned char cx, cy;

	if (c)
		return c;
	cx = nx > ny ? (unsigned char)x->name[ny] : x->mode == 040000 ? '/' : 0;
	cy = ny > nx ? (unsigned char)y->name[nx] : y->mode == 040000 ? '/' : 0;
	return (cx > cy) - (cx < cy);
}

static int write_node(struct sg_tree *t, struct node *n, struct sg_packer *p);

static int serialise(struct sg_buf *b, struct sg_tree *t, struct node *n, struct node **sorted,
		     struct sg_packer *p)
{
	for (size_t i = 0; i < n->n; i++) {
		struct node *c = sorted[i];

		SG_TRY(write_node(t, c, p));
		if (c->mode == 040000 && c->loaded && !c->n)
			continue;	/* git knows no empty folder */
		SG_TRY(sg_buf_fmt(b, "%o %s", c->mode, c->name));
		SG_TRY(sg_buf_add(b, "", 1));
		SG_TRY(sg_buf_add(b, c->oid.id, 20));
	}
	return 0;
}

static int write_node(struct sg_tree *t, struct node *n, struct sg_packer *p)
{
	struct node **sorted = NULL;
	struct sg_buf b = { 0 };
	int rc = 0;

	if (n->mode != 040000 || (!n->dirty && !(n->loaded && !n->n)))
		return 0;
	if (n->n) {
		SG_TRY(SG_NEW(sorted, n->n));
		memcpy(sorted, n->child, n->n * sizeof(*sorted));
		qsort(sorted, n->n, sizeof(*sorted), git_order);
		rc = serialise(&b, t, n, sorted, p);
	}
	if (rc >= 0 && (b.len || n == &t->root))
		rc = p ? sg_packer_add(&n->oid, p, SG_OBJ_TREE, b.len ? b.data : "", b.len) :
			 sg_object_write(&n->oid, t->r, SG_OBJ_TREE, b.len ? b.data : "", b.len);
	if (rc >= 0)
		n->dirty = false;
	if (rc >= 0 && !b.len && n != &t->root) {	/* only empty folders in it */
		reset(n);
		n->mode = 040000;
		n->loaded = true;
	}
	free(sorted);
	sg_buf_release(&b);
	return rc;
}

int sg_tree_write(struct sg_oid *out, struct sg_tree *t, struct sg_packer *p)
{
	SG_TRY(write_node(t, &t->root, p));
	*out = t->root.oid;
	return 0;
}

void sg_tree_free(struct sg_tree *t)
{
	if (!t)
		return;
	node_release(&t->root);
	free(t);
}
