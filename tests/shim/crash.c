/*
 * Preloaded into sg by tests/t/crash.sh: counts the calls that change a file (write,
 * create, rename, link, unlink, fsync, truncate, folders) and kills the process just
 * before one of them.
 *
 *	SG_CRASH_AT=n		kill -9 before the n-th; 0 or absent: never
 *	SG_CRASH_TORN=1		if that is a write, half of it is done first
 *	SG_CRASH_COUNT=file	at the end, append how many there were
 *
 * Only in programs called sg. Terminal output (1 and 2) does not count.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long at, done;
static bool active, torn;

__attribute__((constructor)) static void begin(void)
{
	char exe[512] = "";
	const char *s = getenv("SG_CRASH_AT"), *base;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return;
	base = strrchr(exe, '/');
	active = base && !strcmp(base, "/sg");
	at = s ? atol(s) : 0;
	torn = getenv("SG_CRASH_TORN") != NULL;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("SG_CRASH_COUNT");
	FILE *f;
	long n = done;

	if (!active || !path || !(f = fopen(path, "ae")))
		return;
	fprintf(f, "%ld\n", n);
	fclose(f);
}

static bool here(void)
{
	return active && __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED) == at;
}

static void point(void)
{
	if (here())
		kill(getpid(), SIGKILL);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t n)
{
	REAL(write);

	if (fd != 1 && fd != 2 && here()) {
		if (torn && n > 1)
			(void)!real(fd, data, n / 2);
		kill(getpid(), SIGKILL);
	}
	return real(fd, data, n);
}

#define WRAP(type, name, params, args) \
	type name params { REAL(name); point(); return real args; }

WRAP(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t to), (fd, data, n, to))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t to), (fd, data, n, to))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, rename, (const char *a, const char *b), (a, b))
WRAP(int, renameat, (int da, const char *a, int db, const char *b), (da, a, db, b))
WRAP(int, link, (const char *a, const char *b), (a, b))
WRAP(int, linkat, (int da, const char *a, int db, const char *b, int flags), (da, a, db, b, flags))
WRAP(int, unlink, (const char *a), (a))
WRAP(int, unlinkat, (int d, const char *a, int flags), (d, a, flags))
WRAP(int, symlink, (const char *a, const char *b), (a, b))
WRAP(int, mkdir, (const char *a, mode_t mode), (a, mode))
WRAP(int, rmdir, (const char *a), (a))
WRAP(int, ftruncate, (int fd, off_t n), (fd, n))
WRAP(int, ftruncate64, (int fd, off64_t n), (fd, n))
WRAP(int, truncate, (const char *a, off_t n), (a, n))

/* Opening counts when it makes a file. */
#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		REAL(name); \
		mode_t mode = 0; \
		va_list ap; \
		if (flags & O_CREAT) { \
			va_start(ap, flags); \
			mode = va_arg(ap, mode_t); \
			va_end(ap); \
			point(); \
		} \
		return real(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)
