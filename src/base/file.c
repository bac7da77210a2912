#include "base/file.h"
#include "base/error.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Counts writes down to the one that a test wants to see fail. */
static bool must_fail(void)
{
	static long left = -1;
	static bool asked;

	if (!asked) {
		const char *s = getenv("SG_FAIL_WRITE");

		asked = true;
		left = s ? atol(s) : -1;
	}
	if (left > 0 && --left == 0) {
		errno = ENOSPC;
		return true;
	}
	return false;
}

int sg_map_open(struct sg_map *out, const char *path)
{
	struct stat st;
	void *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sg_fail_errno(errno == ENOENT ? SG_E_NOTFOUND : SG_E_IO, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return sg_fail(SG_E_IO, "cannot map '%s': not a regular file", path);
	}
	if (!st.st_size) {
		close(fd);
		*out = (struct sg_map){ (const unsigned char *)"", 0 };
		return 0;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return sg_fail_errno(SG_E_IO, "cannot map '%s'", path);
	*out = (struct sg_map){ p, (size_t)st.st_size };
	return 0;
}

void sg_map_release(struct sg_map *m)
{
	if (m->size)
		munmap((void *)m->data, m->size);
	*m = (struct sg_map){ 0 };
}

int sg_file_read(struct sg_buf *b, const char *path, size_t max)
{
	ssize_t got = 1;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sg_fail_errno(errno == ENOENT ? SG_E_NOTFOUND : SG_E_IO, "cannot open '%s'", path);
	sg_buf_clear(b);
	while (got > 0) {
		if (b->len > max) {
			rc = sg_fail(SG_E_CORRUPT, "'%s' is larger than %zu bytes", path, max);
			break;
		}
		rc = sg_buf_room(b, 65536);
		if (rc < 0)
			break;
		got = read(fd, b->data + b->len, 65536);
		if (got < 0 && errno == EINTR) {
			got = 1;
			continue;
		}
		if (got < 0)
			rc = sg_fail_errno(SG_E_IO, "cannot read '%s'", path);
		else
			b->len += (size_t)got;
	}
	close(fd);
	if (b->data)
		b->data[b->len] = '\0';
	return rc;
}

int sg_fd_write(int fd, const void *data, size_t n, const char *path)
{
	const char *p = data;

	if (must_fail())
		return sg_fail_errno(SG_E_IO, "cannot write '%s'", path);
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return sg_fail_errno(SG_E_IO, "cannot write '%s'", path);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int sg_fd_sync(int fd, const char *path)
{
	if (must_fail() || fsync(fd) < 0)
		return sg_fail_errno(SG_E_IO, "cannot sync '%s'", path);
	return 0;
}

int sg_file_rename(const char *from, const char *to)
{
	if (must_fail() || rename(from, to) < 0)
		return sg_fail_errno(SG_E_IO, "cannot rename '%s' to '%s'", from, to);
	return 0;
}

int sg_dir_sync(const char *path)
{
	int rc, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return sg_fail_errno(SG_E_IO, "cannot open folder '%s'", path);
	rc = sg_fd_sync(fd, path);
	close(fd);
	return rc;
}

int sg_out_open(struct sg_out *o, const char *path)
{
	static unsigned count;

	*o = (struct sg_out){ .fd = -1 };
	o->path = sg_strdup(path);
	o->tmp = sg_asprintf("%s.tmp-%ld-%u", path, (long)getpid(), count++);
	if (!o->path || !o->tmp) {
		sg_out_release(o);
		return -SG_E_NOMEM;
	}
	o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (o->fd < 0) {
		int rc = sg_fail_errno(SG_E_IO, "cannot create '%s'", o->tmp);

		free(o->tmp);
		o->tmp = NULL;
		sg_out_release(o);
		return rc;
	}
	return 0;
}

int sg_out_write(struct sg_out *o, const void *data, size_t n)
{
	return sg_fd_write(o->fd, data, n, o->path);
}

int sg_out_commit(struct sg_out *o)
{
	char *slash, *dir;
	int rc;

	SG_TRY(sg_fd_sync(o->fd, o->path));
	SG_TRY(sg_file_rename(o->tmp, o->path));
	free(o->tmp);
	o->tmp = NULL;
	slash = strrchr(o->path, '/');
	dir = slash ? sg_strndup(o->path, slash == o->path ? 1 : (size_t)(slash - o->path)) : sg_strdup(".");
	if (!dir)
		return -SG_E_NOMEM;
	rc = sg_dir_sync(dir);
	free(dir);
	return rc;
}

void sg_out_release(struct sg_out *o)
{
	if (o->fd >= 0)
		close(o->fd);
	if (o->tmp)
		unlink(o->tmp);
	free(o->tmp);
	free(o->path);
	*o = (struct sg_out){ .fd = -1 };
}

int sg_file_write(const char *path, const void *data, size_t n)
{
	struct sg_out o;
	int rc;

	SG_TRY(sg_out_open(&o, path));
	rc = sg_out_write(&o, data, n);
	if (rc >= 0)
		rc = sg_out_commit(&o);
	sg_out_release(&o);
	return rc;
}

bool sg_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool sg_dir_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int sg_dir_make(const char *path)
{
	char *p = sg_strdup(path);
	int rc = p ? 0 : -SG_E_NOMEM;

	for (char *s = p; rc >= 0 && s; ) {
		s = strchr(s + 1, '/');
		if (s)
			*s = '\0';
		if (*p && mkdir(p, 0777) < 0 && errno != EEXIST)
			rc = sg_fail_errno(SG_E_IO, "cannot make folder '%s'", p);
		if (s)
			*s = '/';
	}
	if (rc >= 0 && !sg_dir_exists(path))
		rc = sg_fail(SG_E_IO, "cannot make folder '%s': a file is in the way", path);
	free(p);
	return rc;
}

static int remove_at(int dir, const char *name, const char *path)
{
	int fd, rc = 0;
	struct dirent *e;
	DIR *d;

	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return sg_fail_errno(SG_E_IO, "cannot remove '%s'", path);
	}
	while (rc >= 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = remove_at(dirfd(d), e->d_name, path);
	closedir(d);
	if (rc >= 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		rc = sg_fail_errno(SG_E_IO, "cannot remove '%s'", path);
	return rc;
}

int sg_dir_remove(const char *path)
{
	return remove_at(AT_FDCWD, path, path);
}

int sg_names_add(struct sg_names *l, const char *name)
{
	SG_TRY(SG_GROW(l->name, l->n, l->cap));
	l->name[l->n] = sg_strdup(name);
	if (!l->name[l->n])
		return -SG_E_NOMEM;
	l->n++;
	return 0;
}

bool sg_names_has(const struct sg_names *l, const char *name)
{
	for (size_t i = 0; l && i < l->n; i++)
		if (!strcmp(l->name[i], name))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void sg_names_sort(struct sg_names *l)
{
	if (l->n)
		qsort(l->name, l->n, sizeof(*l->name), by_name);
}

void sg_names_release(struct sg_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
	*l = (struct sg_names){ 0 };
}

int sg_dir_list(struct sg_names *out, const char *path)
{
	struct sg_names l = { 0 };
	struct dirent *e;
	DIR *d = opendir(path);
	int rc = 0;

	if (!d)
		return sg_fail_errno(errno == ENOENT ? SG_E_NOTFOUND : SG_E_IO, "cannot list '%s'", path);
	while (rc >= 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = sg_names_add(&l, e->d_name);
	closedir(d);
	if (rc < 0) {
		sg_names_release(&l);
		return rc;
	}
	sg_names_sort(&l);
	*out = l;
	return 0;
}

char *sg_path_join(const char *a, const char *b)
{
	return sg_asprintf("%s%s%s", a, *a && a[strlen(a) - 1] == '/' ? "" : "/", b);
}
