#ifndef SG_BASE_FILE_H
#define SG_BASE_FILE_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Files come in by map and go out by a temporary beside the target, fsync,
 * rename, fsync of the folder: a reader sees the old file or the new one.
 * SG_FAIL_WRITE=n in the environment makes the n-th write, fsync or rename fail
 * with ENOSPC, for tests.
 */
struct sg_map { const unsigned char *data; size_t size; };

/* Read-only map of a regular file; an empty file gives size 0, data not NULL. */
int sg_map_open(struct sg_map *out, const char *path);
void sg_map_release(struct sg_map *m);

/* Whole file, at most max bytes, into b (which is cleared first). */
int sg_file_read(struct sg_buf *b, const char *path, size_t max);
/* Atomic replace, mode 0666 & ~umask. */
int sg_file_write(const char *path, const void *data, size_t n);

/* A file that appears under its name only at commit; release without commit
 * removes the temporary. */
struct sg_out { int fd; char *path, *tmp; };
int sg_out_open(struct sg_out *o, const char *path);
int sg_out_write(struct sg_out *o, const void *data, size_t n);
int sg_out_commit(struct sg_out *o);
void sg_out_release(struct sg_out *o);

/* write() all n bytes, fsync: the hooks above apply; `path` is for the message. */
int sg_fd_write(int fd, const void *data, size_t n, const char *path);
int sg_fd_sync(int fd, const char *path);
int sg_file_rename(const char *from, const char *to);
int sg_dir_sync(const char *path);

bool sg_file_exists(const char *path);
bool sg_dir_exists(const char *path);
/* mkdir -p */
int sg_dir_make(const char *path);
/* rm -rf; a missing path is no error. Does not follow symbolic links. */
int sg_dir_remove(const char *path);
/* Names in a folder, sorted bytewise, without . and ..; free with sg_names_release. */
struct sg_names { char **name; size_t n, cap; };
int sg_dir_list(struct sg_names *out, const char *path);
int sg_names_add(struct sg_names *l, const char *name);
/* Is it in the list? A NULL list holds nothing. */
bool sg_names_has(const struct sg_names *l, const char *name);
void sg_names_sort(struct sg_names *l);
void sg_names_release(struct sg_names *l);
/* "a/b" -> yours to free; NULL when out of memory. */
char *sg_path_join(const char *a, const char *b);
SG_C_END
#endif
