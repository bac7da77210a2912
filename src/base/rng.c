#include "base/rng.h"
#include "base/fmath.h"
#include "base/hash.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t sg_rng_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
	uint64_t key = mix(seed + 0x9e3779b97f4a7c15u) ^ mix(stream + 0xd1b54a32d192ed03u);

	return mix(mix(key + index * 0x9e3779b97f4a7c15u) ^ key);
}

uint64_t sg_rng_stream(const char *name)
{
	unsigned char h[SG_SHA256_LEN] = { 0 };
	uint64_t s = 0;

	(void)sg_sha256(h, name, strlen(name));
	for (int i = 0; i < 8; i++)
		s = s << 8 | h[i];
	return s;
}

uint64_t sg_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
	return (uint64_t)((wide)sg_rng_u64(seed, stream, index) * n >> 64);
}

float sg_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
	return ((float)(sg_rng_u64(seed, stream, index) >> 41) + 0.5f) * 0x1p-23f;
}

void sg_rng_normal(float *out, size_t n, uint64_t seed, uint64_t stream)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = sg_rng_u64(seed, stream, i);
		float u = ((float)(bits >> 41) + 0.5f) * 0x1p-23f;
		float turn = (float)(bits & 0xffffff) * 0x1p-24f;
		float r = sg_sqrtf(-2.0f * sg_logf(u));

		out[i] = r * sg_cosf(turn * 6.28318530717958647692f);
	}
}

void sg_rng_shuffle(uint32_t *out, size_t n, uint64_t seed, uint64_t stream)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint32_t)i;
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)sg_rng_below(seed, stream, i, i);
		uint32_t t = out[i - 1];

		out[i - 1] = out[j];
		out[j] = t;
	}
}
