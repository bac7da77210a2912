#include "base/room.h"
#include "base/error.h"
#include <sys/resource.h>

uint64_t sg_room_meminfo(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, key, n)) {
			uint64_t kb = strtoull(text + n, NULL, 10);

			return kb > UINT64_MAX / 1024 ? UINT64_MAX : kb * 1024;
		}
	}
	return UINT64_MAX;
}

uint64_t sg_room_number(const char *text)
{
	static const char unit[] = "kmgt";
	char *end;
	uint64_t n;
	int shift;

	if (*text < '0' || *text > '9')
		return UINT64_MAX;
	n = strtoull(text, &end, 10);
	shift = *end && strchr(unit, *end | 32) ? 10 * (int)(strchr(unit, *end | 32) - unit + 1) : 0;
	return n > UINT64_MAX >> shift ? UINT64_MAX : n << shift;
}

/* The beginning of a small file; "" when it cannot be read. */
static const char *small(char *out, size_t size, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;

	out[n] = 0;
	if (f)
		fclose(f);
	return out;
}

/* What a control group of processes, that we see as ours, has left. */
static uint64_t group(const char *limit, const char *used, const char *stat, const char *cache)
{
	char text[8192];
	uint64_t most = sg_room_number(small(text, sizeof(text), limit)), now, back = 0, n;
	char *at;

	if (most == UINT64_MAX)
		return most;
	now = sg_room_number(small(text, sizeof(text), used));
	/* pages of files are counted as used, and given back when they are wanted */
	at = strstr(small(text, sizeof(text), stat), cache);
	if (at) {
		n = sg_room_number(at + strlen(cache));
		back = n == UINT64_MAX ? 0 : n;
	}
	if (now == UINT64_MAX)
		return most;
	now -= SG_MIN(now, back);
	return most - SG_MIN(most, now);
}

uint64_t sg_room(void)
{
	const char *own = getenv("SG_MEMORY");
	char text[8192];
	uint64_t n = sg_room_meminfo(small(text, sizeof(text), "/proc/meminfo"), "MemAvailable:");
	struct rlimit l;

	n = SG_MIN(n, group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
			    "\nfile "));
	n = SG_MIN(n, group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
			    "/sys/fs/cgroup/memory/memory.stat", "\ntotal_cache "));
	if (!getrlimit(RLIMIT_DATA, &l) && l.rlim_cur != RLIM_INFINITY)
		n = SG_MIN(n, (uint64_t)l.rlim_cur);
	return own ? SG_MIN(n, sg_room_number(own)) : n;
}

int sg_room_check(uint64_t bytes, const char *what)
{
	uint64_t room = sg_room();

	return bytes <= room ? 0 : sg_fail(SG_E_REFUSED, "%s: this needs %.1f MiB of memory, and there are %.1f MiB", what,
					   (double)bytes / (1 << 20), (double)room / (1 << 20));
}
