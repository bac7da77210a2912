#include "registry_fix.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

TEST(registry_create_and_find)
{
	struct fix f;
	struct sg_registry *r = NULL;
	char deep[128], path[128], *v = NULL;

	CHECK(fix_open(&f));
	CHECK(sg_registry_create(&r, f.dir) == -SG_E_EXISTS);
	snprintf(deep, sizeof(deep), "%s/a/b/c", f.dir);
	PASS(sg_dir_make(deep));
	PASS(sg_registry_open(&r, deep));
	CHECK(!strcmp(sg_registry_dir(r), sg_registry_dir(f.r)));
	PASS(sg_registry_config_set(r, "sg.signkey", "k 1"));
	PASS(sg_registry_config_get(&v, f.r, "sg.signkey"));
	CHECK(!strcmp(v, "k 1"));
	free(v);
	PASS(sg_registry_config_set(r, "sg.signkey", NULL));
	PASS(sg_registry_config_set(r, "sg.signkey", NULL));
	CHECK(sg_registry_config_get(&v, r, "sg.signkey") == -SG_E_NOTFOUND);
	sg_registry_free(r);

	setenv("SG_DIR", sg_registry_dir(f.r), 1);
	PASS(sg_registry_open(&r, "/"));
	sg_registry_free(r);
	setenv("SG_DIR", deep, 1);
	CHECK(sg_registry_open(&r, f.dir) == -SG_E_NOTFOUND);
	unsetenv("SG_DIR");
	CHECK(sg_registry_open(&r, "/") == -SG_E_NOTFOUND);
	CHECK(strstr(sg_error_message(), "no registry"));

	CHECK(sh(&f, "test \"$(git --git-dir=.sg/registry.git symbolic-ref HEAD)\" = refs/heads/main"));
	CHECK(sh(&f, "test \"$(git --git-dir=.sg/registry.git config pack.deltaCacheSize)\" = 0"));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));

	/* inside another repository */
	CHECK(sh(&f, "git init -q outer && mkdir outer/sub"));
	snprintf(path, sizeof(path), "%s/outer/sub", f.dir);
	PASS(sg_registry_create(&r, path));
	sg_registry_free(r);
	CHECK(sh(&f, "cd outer && test -z \"$(git status --porcelain)\""));
	fix_close(&f);
}

TEST(registry_of_another_user)
{
	struct fix f;
	struct sg_registry *r = NULL;

	if (geteuid())
		SKIP("root");
	CHECK(fix_open(&f));
	CHECK(sh(&f, "chown -R 12345 .sg"));
	CHECK(sg_registry_open(&r, f.dir) == -SG_E_ERROR);
	CHECK(strstr(sg_error_message(), "belongs to another user"));
	fix_close(&f);
}

TEST(registry_objects)
{
	struct fix f;
	struct sg_oid oid, zero = { 0 };
	struct sg_buf b = { 0 };
	char hex[SG_OID_HEX];

	CHECK(fix_open(&f));
	PASS(sg_blob_write(&oid, f.r, "hello\n", 6));
	sg_oid_hex(hex, &oid);
	CHECK(!strcmp(hex, "ce013625030ba8dba906f756967f9e9ca394464a"));
	PASS(sg_blob_read(&b, f.r, &oid, 6));
	CHECK(b.len == 6 && !memcmp(b.data, "hello\n", 6));
	CHECK(sg_blob_read(&b, f.r, &oid, 5) == -SG_E_CORRUPT);
	zero.id[3] = 1;
	CHECK(sg_blob_read(&b, f.r, &zero, 5) == -SG_E_NOTFOUND);
	sg_buf_release(&b);
	fix_close(&f);
}

static const size_t sizes[] = { 0, 1, 15, 16, 2047, 2048, 65535, 65536, 131070, 131071, 3000000 };

static void fill(unsigned char *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (unsigned char)(seed >> 24);
	}
}

TEST(registry_pack)
{
	struct fix f;
	struct sg_packer *p = NULL;
	struct sg_oid oid[SG_LEN(sizes)], again;
	struct sg_buf b = { 0 };
	unsigned char *data = sg_calloc(sizes[SG_LEN(sizes) - 1], 1);

	CHECK(data && fix_open(&f));
	PASS(sg_packer_open(&p, f.r));
	for (size_t i = 0; i < SG_LEN(sizes); i++) {
		fill(data, sizes[i], (uint32_t)i);
		PASS(sg_packer_add(&oid[i], p, SG_OBJ_BLOB, data, sizes[i]));
		PASS(sg_packer_add(&again, p, SG_OBJ_BLOB, data, sizes[i]));
		CHECK(sg_oid_eq(&oid[i], &again));
		CHECK(!sg_object_exists(f.r, &oid[i]));
	}
	CHECK(sg_packer_count(p) == SG_LEN(sizes));
	PASS(sg_packer_commit(p));
	CHECK(sh(&f, "ls .sg/registry.git/objects/pack/*.keep"));
	sg_packer_free(p);
	CHECK(!sh(&f, "ls .sg/registry.git/objects/pack/*.keep"));
	for (size_t i = 0; i < SG_LEN(sizes); i++) {
		fill(data, sizes[i], (uint32_t)i);
		PASS(sg_blob_read(&b, f.r, &oid[i], sizes[i]));
		CHECK(b.len == sizes[i] && (!b.len || !memcmp(b.data, data, b.len)));
	}
	CHECK(sh(&f, "git verify-pack .sg/registry.git/objects/pack/*.idx"));
	/* the index that git makes from the pack is ours, byte for byte */
	CHECK(sh(&f, "git index-pack -o x.idx .sg/registry.git/objects/pack/*.pack && "
		     "cmp x.idx .sg/registry.git/objects/pack/*.idx"));

	/* all of it is there: nothing is written */
	PASS(sg_packer_open(&p, f.r));
	PASS(sg_packer_add(&again, p, SG_OBJ_BLOB, data, sizes[SG_LEN(sizes) - 1]));
	PASS(sg_packer_commit(p));
	sg_packer_free(p);
	CHECK(sh(&f, "test $(ls .sg/registry.git/objects/pack | wc -l) = 2"));
	/* not committed: nothing is left */
	PASS(sg_packer_open(&p, f.r));
	PASS(sg_packer_add(&again, p, SG_OBJ_BLOB, "gone", 4));
	sg_packer_free(p);
	CHECK(!sg_object_exists(f.r, &again));
	CHECK(sh(&f, "test $(ls .sg/registry.git/objects/pack | wc -l) = 2"));
	sg_buf_release(&b);
	free(data);
	fix_close(&f);
}

/* Large folders that differ by little, in one pack: the later ones are deltas, which git
 * and we read back as they were. */
TEST(registry_pack_deltas)
{
	enum { N = 60, ENTRIES = 400 };
	struct fix f;
	struct sg_packer *p = NULL;
	struct sg_oid oid[N], blob;
	struct sg_buf raw[N] = { { 0 } }, b = { 0 };
	enum sg_object_type type;
	uint64_t full = 0;

	CHECK(fix_open(&f));
	PASS(sg_packer_open(&p, f.r));
	PASS(sg_packer_add(&blob, p, SG_OBJ_BLOB, "x", 1));
	for (int k = 0; k < N; k++) {
		for (int i = 0; i < ENTRIES; i++) {
			struct sg_oid id = blob;

			if (i % 7 == 3 && i / 7 == k % 50)	/* this one is absent */
				continue;
			PASS(sg_buf_fmt(&raw[k], "100644 %04d", i));
			PASS(sg_buf_add(&raw[k], "", 1));
			PASS(sg_buf_add(&raw[k], id.id, 20));
		}
		if (k == N - 1)			/* and one is like none before */
			PASS(sg_buf_fmt(&raw[k], "100644 z%cyyyyyyyyyyyyyyyyyyyy", 0));
		full += raw[k].len;
		PASS(sg_packer_add(&oid[k], p, SG_OBJ_TREE, raw[k].data, raw[k].len));
	}
	CHECK(sg_packer_bytes(p) < full / 4);
	PASS(sg_packer_commit(p));
	sg_packer_free(p);
	for (int k = 0; k < N; k++) {
		PASS(sg_object_read(&b, &type, f.r, &oid[k], SIZE_MAX));
		CHECK(type == SG_OBJ_TREE && b.len == raw[k].len && !memcmp(b.data, raw[k].data, b.len));
		sg_buf_release(&raw[k]);
	}
	CHECK(sh(&f, "git verify-pack .sg/registry.git/objects/pack/*.idx"));
	CHECK(sh(&f, "git index-pack -o x.idx .sg/registry.git/objects/pack/*.pack && cmp x.idx .sg/registry.git/objects/pack/*.idx"));
	sg_buf_release(&b);
	fix_close(&f);
}

TEST(registry_tree)
{
	struct fix f;
	struct sg_tree *t = NULL;
	struct sg_oid one, two, got, none;
	struct sg_tree_list l = { 0 };
	struct sg_buf b = { 0 };

	CHECK(fix_open(&f));
	PASS(sg_tree_edit(&t, f.r, NULL));
	PASS(sg_tree_write(&none, t, NULL));
	/* a-b, a/ and a.c sort in git's way, not strcmp's */
	PASS(sg_tree_put_data(t, NULL, "a/x/0000", "0", 1));
	PASS(sg_tree_put_data(t, NULL, "a-b", "1", 1));
	PASS(sg_tree_put_data(t, NULL, "a.c", "2", 1));
	PASS(sg_tree_put_data(t, NULL, "a0", "3", 1));
	PASS(sg_tree_put_data(t, NULL, "a/y", "4", 1));
	CHECK(sg_tree_put_data(t, NULL, "a/y/z", "5", 1) == -SG_E_EXISTS);
	CHECK(sg_tree_put_data(t, NULL, "a", "5", 1) == -SG_E_EXISTS);
	PASS(sg_tree_write(&one, t, NULL));
	sg_tree_free(t);
	PASS(sg_tree_read(&b, f.r, &one, "a/x/0000", 10));
	CHECK(!strcmp(b.data, "0"));
	CHECK(sg_tree_read(&b, f.r, &one, "a/x", 10) == -SG_E_CORRUPT);
	CHECK(sg_tree_read(&b, f.r, &one, "a/z", 10) == -SG_E_NOTFOUND);
	CHECK(sg_tree_read(&b, f.r, &one, "a-b/z", 10) == -SG_E_NOTFOUND);
	PASS(sg_tree_list(&l, f.r, &one, ""));
	CHECK(l.n == 4 && !strcmp(l.entry[0].name, "a-b") && !strcmp(l.entry[1].name, "a.c") &&
	      !strcmp(l.entry[2].name, "a") && l.entry[2].type == SG_OBJ_TREE && !strcmp(l.entry[3].name, "a0"));
	sg_tree_list_release(&l);

	PASS(sg_tree_edit(&t, f.r, &one));
	PASS(sg_tree_find(&got, NULL, f.r, &one, "a/x"));
	PASS(sg_tree_put_tree(t, "copy/of/x", &got));
	PASS(sg_tree_write(&two, t, NULL));
	PASS(sg_tree_read(&b, f.r, &two, "copy/of/x/0000", 10));
	PASS(sg_tree_remove(t, "copy/of/x/0000"));
	CHECK(sg_tree_remove(t, "copy") == -SG_E_NOTFOUND);
	PASS(sg_tree_write(&two, t, NULL));
	CHECK(sg_oid_eq(&one, &two));
	PASS(sg_tree_remove(t, "a"));
	PASS(sg_tree_remove(t, "a-b"));
	PASS(sg_tree_remove(t, "a.c"));
	PASS(sg_tree_remove(t, "a0"));
	PASS(sg_tree_write(&two, t, NULL));
	CHECK(sg_oid_eq(&none, &two));
	sg_tree_free(t);
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));

	CHECK(!sg_tree_path_ok("") && !sg_tree_path_ok("/a") && !sg_tree_path_ok("a//b") && !sg_tree_path_ok("a/"));
	CHECK(!sg_tree_path_ok("a/../b") && !sg_tree_path_ok(".Git/x") && !sg_tree_path_ok("a/.git ./x"));
	CHECK(!sg_tree_path_ok("a\\b") && !sg_tree_path_ok("c:d") && sg_tree_path_ok("layers.3.mlp.up/A"));
	sg_buf_release(&b);
	fix_close(&f);
}

TEST(registry_payload)
{
	static const size_t n[] = { 0, 4, 65536, 65540, 5000000 };
	struct fix f;
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_oid tree, commit, head;
	unsigned char *data = sg_calloc(5000000, 1), *back = sg_calloc(5000000, 1);
	char sum[SG_SHA256_HEX], folder[64];

	CHECK(data && back && fix_open(&f));
	fill(data, 5000000, 7);
	PASS(sg_packer_open(&p, f.r));
	PASS(sg_tree_edit(&t, f.r, NULL));
	for (size_t i = 0; i < SG_LEN(n); i++) {
		snprintf(folder, sizeof(folder), "grafts/0123456789abcdef/data/t.%zu", i);
		PASS(sg_payload_write(p, t, folder, data, n[i], 4));
	}
	PASS(sg_tree_write(&tree, t, p));
	PASS(sg_commit_make(&commit, f.r, p, &tree, NULL, 0, "payload"));
	PASS(sg_packer_commit(p));
	PASS(sg_ref_set(f.r, "refs/heads/main", &commit, NULL, "init"));
	sg_packer_free(p);
	sg_tree_free(t);
	for (size_t i = 0; i < SG_LEN(n); i++) {
		snprintf(folder, sizeof(folder), "grafts/0123456789abcdef/data/t.%zu", i);
		memset(back, 0xee, 5000000);
		PASS(sg_sha256_hex(sum, data, n[i]));
		PASS(sg_payload_read(back, n[i], f.r, &commit, folder, sum));
		CHECK(!memcmp(back, data, n[i]));
		sum[0] = sum[0] == '0' ? '1' : '0';
		CHECK(sg_payload_read(back, n[i], f.r, &commit, folder, sum) == -SG_E_CORRUPT);
	}
	CHECK(sg_payload_read(back, 4999999, f.r, &commit, folder, NULL) == -SG_E_CORRUPT);
	CHECK(sg_payload_read(back, 400000, f.r, &commit, folder, NULL) == -SG_E_CORRUPT);
	PASS(sg_rev_parse(&head, f.r, "HEAD"));
	CHECK(sg_oid_eq(&head, &commit));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --full --strict"));
	CHECK(sh(&f, "git clone -q .sg/registry.git co && ls co/grafts/0123456789abcdef/data/t.4/0009"));
	free(data);
	free(back);
	fix_close(&f);
}

/* Bytes that shrink as weights do: three random bytes of each four, one alike. */
static void fill_weights(unsigned char *p, size_t n, uint32_t seed)
{
	fill(p, n, seed);
	for (size_t i = 3; i < n; i += 4)
		p[i] = (unsigned char)(0x3c | (p[i] & 1));
}

struct source { const unsigned char *data; uint64_t next; };
static int from_memory(void *arg, void *out, size_t n, uint64_t at)
{
	struct source *s = arg;

	if (at != s->next)
		return sg_fail(SG_E_ERROR, "not in order");
	memcpy(out, s->data + at, n);
	s->next += n;
	return 0;
}

static int to_memory(void *arg, const void *data, size_t n)
{
	return sg_buf_add(arg, data, n);
}

/* A pack with one tensor in it, as `how` says: its tree, and how many objects it took. */
static int store_as(struct sg_oid *tree, size_t *objects, char sum[SG_SHA256_HEX], struct fix *f, const unsigned char *data,
		    size_t n, const struct sg_payload_how *how)
{
	struct source from = { data, 0 };
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	int rc = sg_packer_open(&p, f->r);

	if (rc >= 0)
		rc = sg_tree_edit(&t, f->r, NULL);
	if (rc >= 0)
		rc = sg_payload_write_from(sum, p, t, "w", from_memory, &from, n, 4, how);
	if (rc >= 0)
		rc = sg_tree_write(tree, t, p);
	if (rc >= 0)
		rc = sg_packer_commit(p);
	if (rc >= 0)
		*objects = sg_packer_count(p);
	sg_packer_free(p);
	sg_tree_free(t);
	return rc;
}

TEST(registry_payload_threads)
{
	enum { N = 3000004 };
	static const struct { struct sg_payload_how how; bool same; } cases[] = {
		{ { .level = 1, .threads = 2 }, true }, { { .level = 1, .threads = 7 }, true },
		{ { .level = 9, .threads = 3 }, false }, { { .level = 0, .threads = 3 }, false },
		{ { .level = 1, .threads = 2, .chunk = 100000 }, false }, { { .level = 1, .threads = 1, .chunk = 524288 }, false },
		{ { .level = 19, .threads = 2, .chunk = 4 * 9973 }, false },
	};
	struct fix f;
	struct sg_oid first, tree;
	struct sg_buf b = { 0 };
	unsigned char *data = sg_calloc(N, 1), *back = sg_calloc(N, 1);
	char want[SG_SHA256_HEX], sum[SG_SHA256_HEX];
	size_t objects = 0;

	CHECK(data && back && fix_open(&f));
	fill_weights(data, N, 3);
	PASS(sg_sha256_hex(want, data, N));
	PASS(store_as(&first, &objects, sum, &f, data, N, &(struct sg_payload_how){ .level = 1, .threads = 1 }));
	CHECK(!strcmp(sum, want) && objects > 40);
	for (size_t i = 0; i < SG_LEN(cases); i++) {
		PASS(store_as(&tree, &objects, sum, &f, data, N, &cases[i].how));
		CHECK(!strcmp(sum, want));
		CHECK(sg_oid_eq(&tree, &first) == cases[i].same);
		CHECK((objects == 0) == cases[i].same);	/* what is there is not stored again */
		memset(back, 0, N);
		PASS(sg_payload_read(back, N, f.r, &tree, "w", want));
		CHECK(!memcmp(data, back, N));
		sg_buf_clear(&b);
		PASS(sg_payload_read_to(to_memory, &b, N, f.r, &tree, "w", want));
		CHECK(b.len == N && !memcmp(data, b.data, N));
		CHECK(sg_payload_read(back, N - 4, f.r, &tree, "w", NULL) == -SG_E_CORRUPT);
	}
	PASS(sg_payload_read_to(NULL, NULL, N, f.r, &first, "w", want));
	want[5] = want[5] == '0' ? '1' : '0';
	CHECK(sg_payload_read_to(NULL, NULL, N, f.r, &first, "w", want) == -SG_E_CORRUPT);
	sg_buf_release(&b);
	free(data);
	free(back);
	fix_close(&f);
}

TEST(registry_payload_config)
{
	static const struct { const char *key, *value; bool ok; } cases[] = {
		{ "sg.compression", "0", true }, { "sg.compression", "19", true }, { "sg.compression", "20", false },
		{ "sg.compression", "-1", false }, { "sg.compression", "fast", false }, { "sg.compression", "", false },
		{ "sg.threads", "0", true }, { "sg.threads", "3", true }, { "sg.threads", "3x", false }, { "sg.threads", "5000", false },
	};
	struct fix f;
	struct sg_payload_how how;

	CHECK(fix_open(&f));
	PASS(sg_payload_config(&how, f.r));
	CHECK(how.level == 1 && how.threads >= 1 && how.threads <= 16 && !how.chunk);
	for (size_t i = 0; i < SG_LEN(cases); i++) {
		PASS(sg_registry_config_set(f.r, cases[i].key, cases[i].value));
		CHECK((sg_payload_config(&how, f.r) == 0) == cases[i].ok);
		PASS(sg_registry_config_set(f.r, cases[i].key, NULL));
	}
	fix_close(&f);
}

/* The second reader, tests/readers/registry.py, sees the same. */
TEST(registry_reader)
{
	struct fix f;
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_oid tree, c;
	unsigned char *data = sg_calloc(200000, 1);
	char top[512], sum[SG_SHA256_HEX];

	if (system("python3 -c pass 2>/dev/null"))
		SKIP("python3");
	CHECK(data && getcwd(top, sizeof(top)) && fix_open(&f));
	fill(data, 200000, 5);
	PASS(sg_packer_open(&p, f.r));
	PASS(sg_tree_edit(&t, f.r, NULL));
	PASS(sg_tree_put_data(t, p, "grafts/x/data/w/0000", data, 200000));
	PASS(sg_tree_put_data(t, p, "grafts/x/graft.json", "{}", 2));
	PASS(sg_tree_put_data(t, p, "empty", "", 0));
	PASS(sg_tree_write(&tree, t, p));
	PASS(sg_commit_make(&c, f.r, p, &tree, NULL, 0, "x"));
	PASS(sg_packer_commit(p));
	PASS(sg_ref_set(f.r, "refs/heads/main", &c, NULL, "x"));
	sg_packer_free(p);
	sg_tree_free(t);
	PASS(put_commit(&c, f.r, "refs/heads/main", "loose", "too"));
	PASS(sg_sha256_hex(sum, data, 200000));
	CHECK(sh(&f, "python3 '%s/tests/readers/registry.py' .sg refs/heads/main grafts/x/data/w/0000", top));
	CHECK(said(&f, sum));
	free(data);
	fix_close(&f);
}

/* One operation from open to ref, in the folder SG_TEST_DIR or its own. */
static int write_some(const char *dir)
{
	struct sg_registry *r = NULL;
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_oid tree, old = { 0 }, c;
	static unsigned char data[3000000];
	int rc;

	fill(data, sizeof(data), 99);
	rc = sg_registry_open(&r, dir);
	if (rc >= 0)
		rc = sg_packer_open(&p, r);
	if (rc >= 0)
		rc = sg_ref_get(&old, r, "refs/heads/main");
	if (rc >= 0)
		rc = sg_tree_edit(&t, r, &old);
	if (rc >= 0)
		rc = sg_payload_write(p, t, "grafts/x/data/t", data, sizeof(data), 4);
	if (rc >= 0)
		rc = sg_tree_write(&tree, t, p);
	if (rc >= 0)
		rc = sg_commit_make(&c, r, p, &tree, &old, 1, "more");
	if (rc >= 0)
		rc = sg_packer_commit(p);
	if (rc >= 0)
		rc = sg_ref_set(r, "refs/heads/main", &c, &old, "more");
	sg_packer_free(p);
	sg_tree_free(t);
	sg_registry_free(r);
	return rc;
}

TEST(registry_write_once)
{
	const char *dir = getenv("SG_TEST_DIR");
	struct sg_oid c;
	struct fix f;

	if (dir) {
		PASS(write_some(dir));
		return;
	}
	CHECK(fix_open(&f));
	PASS(put_commit(&c, f.r, "refs/heads/main", "sg.json", "{}"));
	PASS(write_some(f.dir));
	fix_close(&f);
}

/* The n-th write fails, for every n: nothing becomes visible, nothing is left,
 * and what was there still reads. SG_FAIL_WRITE is read once a process, so each
 * round is one. */
TEST(registry_disk_full)
{
	struct fix f;
	struct sg_oid first, now;
	char self[512] = "";
	bool done = false;
	int n;

	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	CHECK(fix_open(&f));
	PASS(put_commit(&first, f.r, "refs/heads/main", "sg.json", "{}"));
	for (n = 1; n < 50 && !done; n++) {
		done = sh(&f, "SG_TEST_DIR=. SG_FAIL_WRITE=%d '%s' registry_write_once", n, self);
		PASS(sg_ref_get(&now, f.r, "refs/heads/main"));
		CHECK(sg_oid_eq(&now, &first) == !done);
		if (!done)
			CHECK(sh(&f, "test -z \"$(ls .sg/registry.git/objects/pack)\""));
		CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));
	}
	CHECK(n > 5 && done);
	fix_close(&f);
}

TEST(registry_kill)
{
	struct fix f;
	struct sg_oid c;

	CHECK(fix_open(&f));
	PASS(put_commit(&c, f.r, "refs/heads/main", "sg.json", "{}"));
	for (int i = 0; i < 25; i++) {
		pid_t pid = fork();

		if (!pid) {
			unsetenv("SG_FAIL_WRITE");
			for (int k = 0; ; k++) {
				struct sg_registry *r = NULL;
				struct sg_oid old, tree, new;
				struct sg_packer *p = NULL;
				struct sg_tree *t = NULL;
				char text[64];

				snprintf(text, sizeof(text), "%d %d", i, k);
				if (sg_registry_open(&r, f.dir) < 0 || sg_ref_get(&old, r, "refs/heads/main") < 0 ||
				    sg_packer_open(&p, r) < 0 || sg_tree_edit(&t, r, &old) < 0 ||
				    sg_tree_put_data(t, p, "file", text, strlen(text)) < 0 || sg_tree_write(&tree, t, p) < 0 ||
				    sg_commit_make(&new, r, p, &tree, &old, 1, text) < 0 || sg_packer_commit(p) < 0 ||
				    sg_ref_set(r, "refs/heads/main", &new, &old, "x") < 0)
					_exit(1);
				sg_packer_free(p);
				sg_tree_free(t);
				sg_registry_free(r);
			}
		}
		usleep(4000 + (unsigned)(i * 7919 % 30000));
		kill(pid, 9);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git log -1 main"));
	/* the next writer gets through, whatever the dead left */
	CHECK(sh(&f, "find .sg -name '*.lock' | while read l; do touch -d '1 hour ago' \"$l\"; done"));
	sg_registry_free(f.r);
	f.r = NULL;
	PASS(sg_registry_open(&f.r, f.dir));
	PASS(put_commit(&c, f.r, "refs/heads/main", "file", "after"));
	CHECK(sh(&f, "test -z \"$(find .sg -name 'tmp_sg_*' -o -name '*.keep' -o -name '*.lock')\""));
	fix_close(&f);
}

TEST(registry_stale_lock)
{
	struct fix f;
	struct sg_oid c;

	CHECK(fix_open(&f));
	PASS(put_commit(&c, f.r, "refs/heads/main", "a", "1"));
	CHECK(sh(&f, "touch -d '1 minute ago' .sg/registry.git/refs/heads/main.lock"));
	PASS(put_commit(&c, f.r, "refs/heads/main", "a", "2"));
	CHECK(sh(&f, "touch -d '1 minute ago' .sg/registry.git/config.lock .sg/registry.git/objects/pack/tmp_sg_1_2"));
	CHECK(sh(&f, "echo mine >.sg/registry.git/objects/pack/pack-1.keep; echo sg 7 >.sg/registry.git/objects/pack/pack-2.keep"));
	sg_registry_free(f.r);
	PASS(sg_registry_open(&f.r, f.dir));
	CHECK(sh(&f, "test \"$(ls .sg/registry.git/objects/pack)\" = pack-1.keep && test ! -e .sg/registry.git/config.lock"));
	fix_close(&f);
}
