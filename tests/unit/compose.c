#include "tests/test.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/compose.h"

/* A graft known by one letter: its id is that letter 64 times. */
static struct sg_graft *graft(char letter, const char *requires, const char *after)
{
	struct sg_graft *g = sg_calloc(1, sizeof(*g));
	char id[SG_SHA256_HEX] = "";

	memset(g->id, letter, 64);
	for (; *requires; requires++) {
		memset(id, *requires, 64);
		(void)sg_names_add(&g->file.requires, id);
	}
	for (; *after; after++) {
		memset(id, *after, 64);
		(void)sg_names_add(&g->file.after, id);
	}
	return g;
}

static int order(char *out, struct sg_graft **g, size_t n)
{
	int rc = sg_stack_order(g, n);

	for (size_t i = 0; i < n; i++) {
		out[i] = g[i]->id[0];
		sg_graft_free(g[i]);
	}
	out[n] = '\0';
	return rc;
}

TEST(the_stack_is_ordered_by_relations_then_by_id)
{
	char got[8];

	PASS(order(got, (struct sg_graft *[]){ graft('c', "", ""), graft('a', "", ""), graft('b', "", "") }, 3));
	CHECK(!strcmp(got, "abc"));
	/* a stands inside b; c came after a; d was trained after one that is gone (f) */
	PASS(order(got, (struct sg_graft *[]){ graft('a', "b", ""), graft('c', "", "a"), graft('d', "", "f"),
					       graft('b', "", "") }, 4));
	CHECK(!strcmp(got, "bacd"));
}

TEST(a_stack_that_cannot_be_ordered_is_refused)
{
	char got[8];

	CHECK(order(got, (struct sg_graft *[]){ graft('a', "b", "") }, 1) == -SG_E_REFUSED);
	CHECK(order(got, (struct sg_graft *[]){ graft('a', "b", ""), graft('b', "a", "") }, 2) == -SG_E_REFUSED);
}

TEST(the_state_names_base_and_order)
{
	struct sg_graft *a = graft('a', "", ""), *b = graft('b', "", "");
	char one[SG_SHA256_HEX], two[SG_SHA256_HEX], other[SG_SHA256_HEX], want[SG_SHA256_HEX], text[300];
	char base[SG_SHA256_HEX] = "";

	memset(base, '0', 64);
	PASS(sg_stack_state(one, base, (struct sg_graft *[]){ a, b }, 2));
	PASS(sg_stack_state(two, base, (struct sg_graft *[]){ b, a }, 2));
	snprintf(text, sizeof(text), "sg-state-v1\n%s\n%s\n%s\n", base, a->id, b->id);
	PASS(sg_sha256_hex(want, text, strlen(text)));
	base[0] = '1';
	PASS(sg_stack_state(other, base, (struct sg_graft *[]){ a, b }, 2));
	CHECK(!strcmp(one, want) && strcmp(one, two) && strcmp(one, other));
	sg_graft_free(a);
	sg_graft_free(b);
}
