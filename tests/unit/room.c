#include "tests/test.h"
#include "base/room.h"

TEST(room_texts)
{
	static const char text[] = "MemTotal:       2000 kB\nMemAvailable:    1536 kB\nMemFree: 7 kB\n";

	CHECK(sg_room_meminfo(text, "MemAvailable:") == 1536 * 1024);
	CHECK(sg_room_meminfo(text, "MemTotal:") == 2000 * 1024);
	CHECK(sg_room_meminfo(text, "Nothing:") == UINT64_MAX && sg_room_meminfo("", "MemFree:") == UINT64_MAX);
	CHECK(sg_room_number("4096\n") == 4096 && sg_room_number("3k") == 3072 && sg_room_number("2G") == (uint64_t)2 << 30);
	CHECK(sg_room_number("max\n") == UINT64_MAX && sg_room_number("") == UINT64_MAX && sg_room_number("-1") == UINT64_MAX);
	CHECK(sg_room_number("99999999999999999t") == UINT64_MAX);
}

TEST(room_limit)
{
	setenv("SG_MEMORY", "1m", 1);
	CHECK(sg_room() <= 1 << 20);
	PASS(sg_room_check(1000, "x"));
	FAILS(REFUSED, sg_room_check(((uint64_t)1 << 20) + 1, "x"));
	unsetenv("SG_MEMORY");
	CHECK(sg_room() > 1 << 20);
	FAILS(REFUSED, sg_room_check(UINT64_MAX, "x"));
}
