#include "registry_fix.h"
#include "registry/wire.h"
#include <sys/stat.h>
#include <sys/wait.h>

/* Two registries: f.r, and one in f.dir/b that is its remote "b". */
static bool pair(struct fix *f, struct sg_registry **b)
{
	char dir[80];

	if (!fix_open(f))
		return false;
	snprintf(dir, sizeof(dir), "%s/b", f->dir);
	return sg_registry_create(b, dir) >= 0 && sg_remote_add(f->r, "b", dir) >= 0;
}

static int push1(struct sg_registry *r, const char *remote, const char *dst, const struct sg_oid *src,
		 const struct sg_oid *old, bool force)
{
	struct sg_push p = { .dst = dst, .any_old = !old, .force = force };
	int rc;

	if (src)
		p.src = *src;
	if (old)
		p.old = *old;
	rc = sg_push(r, remote, &p, 1, false, NULL);
	sg_push_release(&p, 1);
	return rc;
}

static bool is(struct sg_registry *r, const char *ref, const struct sg_oid *oid)
{
	struct sg_oid got;

	return sg_ref_get(&got, r, ref) >= 0 && sg_oid_eq(&got, oid);
}

TEST(registry_remotes)
{
	struct fix f;
	struct sg_registry *b = NULL;
	struct sg_names l = { 0 };
	char *url = NULL;

	CHECK(pair(&f, &b));
	CHECK(sg_remote_add(f.r, "b", "x") == -SG_E_EXISTS);
	CHECK(sg_remote_add(f.r, "-b", "x") == -SG_E_ERROR && sg_remote_add(f.r, "c", "-x") == -SG_E_ERROR);
	PASS(sg_remote_list(&l, f.r));
	CHECK(l.n == 1 && !strcmp(l.name[0], "b"));
	sg_names_release(&l);
	PASS(sg_remote_url(&url, f.r, "b"));
	CHECK(!strncmp(url, f.dir, strlen(f.dir)));
	free(url);
	CHECK(sg_remote_url(&url, f.r, "nope") == -SG_E_NOTFOUND);
	PASS(sg_remote_remove(f.r, "b"));
	CHECK(sg_remote_remove(f.r, "b") == -SG_E_NOTFOUND);
	sg_registry_free(b);
	fix_close(&f);
}

TEST(registry_push)
{
	struct fix f;
	struct sg_registry *b = NULL;
	struct sg_oid c1, c2, side, zero = { { 0 } };
	struct sg_push two[2];

	CHECK(pair(&f, &b));
	PASS(put_commit(&c1, f.r, "refs/heads/main", "sg.json", "{}"));
	PASS(push1(f.r, "b", "refs/heads/main", &c1, &zero, false));
	CHECK(is(b, "refs/heads/main", &c1) && is(f.r, "refs/remotes/b/main", &c1));
	PASS(push1(f.r, "b", "refs/heads/main", &c1, NULL, false));
	CHECK(sh(&f, "git --git-dir=b/.sg/registry.git fsck --full --strict"));

	/* what must be there is compared */
	PASS(put_commit(&c2, f.r, "refs/heads/main", "sg.json", "{2}"));
	CHECK(push1(f.r, "b", "refs/heads/main", &c2, &zero, false) == -SG_E_BUSY);
	CHECK(push1(f.r, "b", "refs/heads/main", &c2, &c2, true) == -SG_E_BUSY);
	CHECK(is(b, "refs/heads/main", &c1));
	PASS(push1(f.r, "b", "refs/heads/main", &c2, &c1, false));
	CHECK(is(b, "refs/heads/main", &c2));
	/* the second pack has only what is new: a commit, a tree, a blob */
	CHECK(sh(&f, "cd b/.sg/registry.git/objects/pack && for i in *.idx; do git show-index <$i | wc -l; done | grep -qv '[^3]'"));

	/* back is not forward */
	CHECK(push1(f.r, "b", "refs/heads/main", &c1, NULL, false) == -SG_E_REFUSED);
	CHECK(strstr(sg_error_message(), "fast-forward"));
	PASS(push1(f.r, "b", "refs/heads/main", &c1, NULL, true));
	CHECK(is(b, "refs/heads/main", &c1));
	/* nor is a line that we do not know */
	PASS(put_commit(&side, b, "refs/heads/main", "x", "theirs"));
	CHECK(push1(f.r, "b", "refs/heads/main", &c2, NULL, false) == -SG_E_REFUSED);
	CHECK(strstr(sg_error_message(), "fetch first"));
	CHECK(push1(f.r, "b", "refs/heads/main", &side, NULL, false) == -SG_E_NOTFOUND);

	/* all or none */
	two[0] = (struct sg_push){ .dst = "refs/sg/cand/1", .src = c2 };
	two[1] = (struct sg_push){ .dst = "refs/heads/main", .src = c2, .any_old = true };
	CHECK(sg_push(f.r, "b", two, 2, true, NULL) == -SG_E_REFUSED && two[0].rc == -SG_E_REFUSED);
	CHECK(!is(b, "refs/sg/cand/1", &c2));
	CHECK(sg_push(f.r, "b", two, 2, false, NULL) == -SG_E_REFUSED && two[0].rc == 0 && two[1].text);
	CHECK(is(b, "refs/sg/cand/1", &c2) && is(f.r, "refs/sg-remote/b/cand/1", &c2));
	sg_push_release(two, 2);

	/* away */
	CHECK(push1(f.r, "b", "refs/sg/cand/1", NULL, &c1, false) == -SG_E_BUSY);
	PASS(push1(f.r, "b", "refs/sg/cand/1", NULL, &c2, false));
	CHECK(!is(b, "refs/sg/cand/1", &c2) && !is(f.r, "refs/sg-remote/b/cand/1", &c2));
	PASS(push1(f.r, "b", "refs/sg/cand/1", NULL, NULL, false));
	CHECK(push1(f.r, "b/nowhere", "refs/heads/x", &c1, NULL, false) == -SG_E_NOTFOUND);
	CHECK(push1(f.r, "b", "heads/x", &c1, NULL, false) == -SG_E_REFUSED);
	sg_registry_free(b);
	fix_close(&f);
}

/* One step of a line that grows and takes back: folder k of grafts/ comes or goes. */
static int step(struct sg_oid *out, struct sg_registry *r, unsigned k, bool *there, unsigned when)
{
	struct sg_oid old = { { 0 } }, tree;
	struct sg_tree *t = NULL;
	char path[40], date[40];
	bool born = sg_ref_get(&old, r, "refs/heads/main") >= 0;
	int rc = sg_tree_edit(&t, r, born ? &old : NULL);

	snprintf(date, sizeof(date), "%u +0000", 1700000000u + when);
	setenv("GIT_COMMITTER_DATE", date, 1);
	snprintf(path, sizeof(path), "grafts/%u%s", k, *there ? "" : "/graft.json");
	if (rc >= 0)
		rc = *there ? sg_tree_remove(t, path) : sg_tree_put_data(t, NULL, path, path, strlen(path));
	/* a file that is never the same, as a revert leaves one behind */
	if (rc >= 0)
		rc = sg_tree_put_data(t, NULL, "when", date, strlen(date));
	if (rc >= 0)
		rc = sg_tree_write(&tree, t, NULL);
	if (rc >= 0)
		rc = sg_commit_make(out, r, NULL, &tree, &old, born, "step");
	if (rc >= 0)
		rc = sg_ref_set(r, "refs/heads/main", out, &old, "test");
	*there = !*there;
	sg_tree_free(t);
	unsetenv("GIT_COMMITTER_DATE");
	return rc;
}

/* A tree that comes back after a revert is compared with other parents than the
 * first time; all that it holds must be over there all the same. */
TEST(registry_push_of_trees_that_come_back)
{
	static const unsigned line[] = { 0, 1, 2, 2, 3, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0 };
	struct sg_registry *b = NULL;
	bool there[4] = { false };
	struct sg_oid tip;
	struct fix f;

	CHECK(pair(&f, &b));
	for (unsigned i = 0; i < SG_LEN(line); i++) {
		PASS(step(&tip, f.r, line[i], &there[line[i]], i));
		if (i % 4 != 3 && i + 1 != SG_LEN(line))
			continue;
		/* the state as a first push to an empty repository */
		CHECK(sh(&f, "rm -rf fresh.git && git init -q --bare fresh.git"));
		char url[100];

		snprintf(url, sizeof(url), "%s/fresh.git", f.dir);
		PASS(push1(f.r, url, "refs/heads/main", &tip, NULL, false));
		CHECK(sh(&f, "git --git-dir=fresh.git fsck --full --strict"));
	}
	sg_registry_free(b);
	fix_close(&f);
}

TEST(registry_push_asks_hooks)
{
	struct fix f;
	struct sg_registry *b = NULL;
	struct sg_oid c1, c2;

	CHECK(pair(&f, &b));
	PASS(put_commit(&c1, f.r, "refs/heads/main", "a", "1"));
	PASS(put_commit(&c2, f.r, "refs/heads/main", "a", "2"));
	PASS(push1(f.r, "b", "refs/heads/main", &c2, NULL, false));
	CHECK(sh(&f, "git --git-dir=b/.sg/registry.git config receive.denyNonFastForwards true"));
	CHECK(push1(f.r, "b", "refs/heads/main", &c1, NULL, true) == -SG_E_REFUSED);
	CHECK(is(b, "refs/heads/main", &c2));
	CHECK(sh(&f, "mkdir -p b/.sg/registry.git/hooks && cd b/.sg/registry.git/hooks && "
		     "printf '#!/bin/sh\\necho not on a sunday >&2\\nexit 1\\n' >pre-receive && chmod +x pre-receive"));
	CHECK(push1(f.r, "b", "refs/heads/other", &c1, NULL, false) == -SG_E_REFUSED);
	CHECK(strstr(sg_error_message(), "hook declined") && strstr(sg_error_message(), "not on a sunday"));
	CHECK(!is(b, "refs/heads/other", &c1));
	sg_registry_free(b);
	fix_close(&f);
}

/* What a transfer reports: up to the total and never back. */
struct seen { uint64_t done, total; unsigned reports, ends; bool bad; };
static bool see(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	struct seen *s = arg;

	if (strcmp(what, "sending") && strcmp(what, "receiving"))
		return false;
	s->bad |= strncmp(text, SG_IN_BYTES, strlen(SG_IN_BYTES)) || done < s->done || (total && done > total);
	s->done = done;
	s->total = total;
	s->reports++;
	s->ends += total && done == total;
	return false;
}

static void noise(unsigned char *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (unsigned char)(seed >> 24);
	}
}

static int put_payload(struct sg_oid *out, struct sg_registry *r, const unsigned char *data, size_t n)
{
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_oid tree, old = { { 0 } };
	bool born = sg_ref_get(&old, r, "refs/heads/main") >= 0;
	int rc = sg_packer_open(&p, r);

	if (rc >= 0)
		rc = sg_tree_edit(&t, r, born ? &old : NULL);
	if (rc >= 0)
		rc = sg_payload_write(p, t, "grafts/x/data/w", data, n, 4);
	if (rc >= 0)
		rc = sg_tree_write(&tree, t, p);
	if (rc >= 0)
		rc = sg_commit_make(out, r, p, &tree, &old, born, "payload");
	if (rc >= 0)
		rc = sg_packer_commit(p);
	if (rc >= 0)
		rc = sg_ref_set(r, "refs/heads/main", out, &old, "payload");
	sg_packer_free(p);
	sg_tree_free(t);
	return rc;
}

TEST(registry_transfers_say_their_bytes)
{
	struct fix f;
	struct sg_registry *b = NULL;
	struct sg_fetch got = { 0 };
	struct sg_oid c;
	size_t n = 3000000;
	unsigned char *data = sg_calloc(n, 1);
	struct seen up = { 0 }, down = { 0 };
	struct sg_progress to = { see, &up }, from = { see, &down };
	struct stat st;
	char text[160];

	CHECK(data && pair(&f, &b));
	noise(data, n, 5);
	PASS(put_payload(&c, f.r, data, n));
	struct sg_push p = { .dst = "refs/heads/main", .src = c, .any_old = true };
	CHECK(sh(&f, "git --git-dir=b/.sg/registry.git config receive.unpackLimit 1"));
	PASS(sg_push(f.r, "b", &p, 1, 0, &to));
	sg_push_release(&p, 1);
	CHECK(!up.bad && up.ends == 1 && up.reports > n / 65536 && up.total > n);
	CHECK(sh(&f, "cp b/.sg/registry.git/objects/pack/*.pack sent"));
	snprintf(text, sizeof(text), "%s/sent", f.dir);
	CHECK(!stat(text, &st) && (uint64_t)st.st_size == up.total);	/* the total was no guess */
	sg_registry_free(b);
	b = NULL;
	snprintf(text, sizeof(text), "%s/d", f.dir);
	PASS(sg_registry_create(&b, text));
	snprintf(text, sizeof(text), "%s/b", f.dir);
	PASS(sg_fetch(&got, b, text, NULL, 0, 0, &from));
	sg_fetch_release(&got);
	CHECK(!down.bad && down.ends == 1 && down.reports > 2 && down.done > n);
	sg_registry_free(b);
	free(data);
	fix_close(&f);
}

TEST(registry_fetch_and_clone)
{
	struct fix f;
	struct sg_registry *b = NULL, *c = NULL;
	struct sg_fetch got = { 0 };
	struct sg_oid c1, c2, tag, cand;
	struct sg_refs refs = { 0 };
	size_t n = 3000000;
	unsigned char *data = sg_calloc(n, 1), *back = sg_calloc(n, 1);
	char dir[80], url[96], *head = NULL;

	CHECK(data && back && pair(&f, &b));
	noise(data, n, 3);
	PASS(put_payload(&c1, b, data, n));
	PASS(sg_tag_make(&tag, b, "v1", &c1, "one"));
	PASS(sg_ref_set(b, "refs/tags/v1", &tag, NULL, ""));
	PASS(put_commit(&cand, b, "refs/sg/cand/7", "c", "cand"));
	PASS(sg_ref_set(b, "refs/heads/dev", &c1, NULL, ""));

	PASS(sg_fetch(&got, f.r, "b", NULL, 0, 0, NULL));
	CHECK(got.n == 3 && got.head && !strcmp(got.head, "refs/heads/main"));
	sg_fetch_release(&got);
	CHECK(is(f.r, "refs/remotes/b/main", &c1) && is(f.r, "refs/tags/v1", &tag) && !sg_object_exists(f.r, &cand));
	PASS(sg_payload_read(back, n, f.r, &c1, "grafts/x/data/w", NULL));
	CHECK(!memcmp(data, back, n));
	PASS(sg_fetch(&got, f.r, "b", NULL, 0, 0, NULL));
	CHECK(!got.n);
	sg_fetch_release(&got);

	/* candidates when asked; single refs; what is gone */
	PASS(sg_fetch(&got, f.r, "b", NULL, 0, SG_FETCH_SG, NULL));
	CHECK(got.n == 1 && is(f.r, "refs/sg-remote/b/cand/7", &cand));
	sg_fetch_release(&got);
	PASS(sg_ref_delete(b, "refs/heads/dev", &c1));
	PASS(sg_fetch(&got, f.r, "b", NULL, 0, SG_FETCH_PRUNE, NULL));
	CHECK(got.n == 1 && !strcmp(got.ref[0].local_ref, "refs/remotes/b/dev") && sg_oid_is_zero(&got.ref[0].oid));
	sg_fetch_release(&got);
	static const char *const spec[] = { "refs/sg/cand/7:refs/sg/cand/7", "refs/heads/none" };
	PASS(sg_fetch(&got, f.r, "b", spec, 1, 0, NULL));
	CHECK(got.n == 1 && is(f.r, "refs/sg/cand/7", &cand));
	sg_fetch_release(&got);
	CHECK(sg_fetch(&got, f.r, "b", spec, 2, 0, NULL) == -SG_E_NOTFOUND);
	PASS(put_commit(&c2, f.r, "refs/sg/cand/7", "c", "ours now"));
	PASS(put_commit(&c2, b, "refs/sg/cand/7", "c", "theirs now"));
	PASS(sg_fetch(&got, f.r, "b", spec, 1, 0, NULL));
	CHECK(got.n == 1 && got.ref[0].rc == -SG_E_REFUSED);
	sg_fetch_release(&got);

	/* only what is new comes */
	noise(data, 100, 9);
	PASS(put_payload(&c2, b, data, n));
	PASS(sg_fetch(&got, f.r, "b", NULL, 0, 0, NULL));
	sg_fetch_release(&got);
	PASS(sg_payload_read(back, n, f.r, &c2, "grafts/x/data/w", NULL));
	CHECK(!memcmp(data, back, n));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --full --strict && "
		     "ls -S .sg/registry.git/objects/pack/*.pack | tail -n +2 | xargs wc -c | tail -1"));

	snprintf(dir, sizeof(dir), "%s/c", f.dir);
	snprintf(url, sizeof(url), "file://%s/b", f.dir);
	PASS(sg_clone(&c, url, dir, 0, NULL));
	CHECK(is(c, "refs/heads/main", &c2) && is(c, "HEAD", &c2) && is(c, "refs/remotes/origin/main", &c2));
	PASS(sg_payload_read(back, n, c, &c2, "grafts/x/data/w", NULL));
	CHECK(!memcmp(data, back, n));
	CHECK(sh(&f, "git --git-dir=c/.sg/registry.git fsck --full --strict"));
	CHECK(sg_fsck(c, NULL, NULL, NULL) == 0);
	sg_registry_free(c);
	CHECK(sg_clone(&c, "nowhere", "/proc/none", 0, NULL) < 0);
	snprintf(dir, sizeof(dir), "%s/d", f.dir);
	CHECK(sg_clone(&c, "./nowhere", dir, 0, NULL) == -SG_E_NOTFOUND && !sg_file_exists(dir));

	PASS(sg_remote_refs(&refs, &head, f.r, "b"));
	CHECK(!strcmp(head, "refs/heads/main") && refs.n == 4);	/* HEAD main cand tag */
	sg_refs_release(&refs);
	free(head);
	free(data);
	free(back);
	sg_registry_free(b);
	fix_close(&f);
}

/* Stock git is a peer too: a bare repository, over a pretended ssh. */
/* Over several connections one line, which goes up to its total once. */
TEST(registry_push_in_parts)
{
	struct fix f;
	struct sg_oid c;
	size_t n = 3000000;
	unsigned char *data = sg_calloc(n, 1);
	struct seen up = { 0 };
	struct sg_progress to = { see, &up };
	char text[160];

	CHECK(data && fix_open(&f));
	CHECK(sh(&f, "git init -q --bare x.git && printf '#!/bin/sh\nwhile test $# -gt 1; do shift; done\n"
		     "echo >>%s/runs\nexec sh -c \"$1\"\n' >ssh && chmod +x ssh", f.dir));
	snprintf(text, sizeof(text), "%s/ssh", f.dir);
	setenv("GIT_SSH_COMMAND", text, 1);
	noise(data, n, 7);
	PASS(put_payload(&c, f.r, data, n));
	PASS(sg_registry_config_set(f.r, "sg.partSize", "1000k"));
	snprintf(text, sizeof(text), "host:%s/x.git", f.dir);
	struct sg_push p = { .dst = "refs/heads/main", .src = c, .any_old = true };
	PASS(sg_push(f.r, text, &p, 1, 0, &to));
	sg_push_release(&p, 1);
	CHECK(!up.bad && up.ends == 1 && up.done == up.total && up.total > n && up.total < n + n / 20);
	CHECK(sh(&f, "test $(wc -l <runs) -ge 4 && git --git-dir=x.git fsck --strict && test $(git --git-dir=x.git for-each-ref | wc -l) = 1"));
	unsetenv("GIT_SSH_COMMAND");
	free(data);
	fix_close(&f);
}

TEST(registry_ssh)
{
	struct fix f;
	struct sg_registry *c = NULL;
	struct sg_oid c1, c2;
	char url[96], dir[80];

	CHECK(fix_open(&f));
	CHECK(sh(&f, "git init -q --bare \"it's.git\" && printf '#!/bin/sh\\nwhile test $# -gt 1; do shift; done\\n"
		     "exec sh -c \"$1\"\\n' >ssh && chmod +x ssh"));
	snprintf(url, sizeof(url), "%s/ssh", f.dir);
	setenv("GIT_SSH_COMMAND", url, 1);
	PASS(put_commit(&c1, f.r, "refs/heads/main", "a", "1"));
	snprintf(url, sizeof(url), "ssh://ann@host:22%s/it's.git", f.dir);
	PASS(push1(f.r, url, "refs/heads/main", &c1, NULL, false));
	CHECK(sh(&f, "git --git-dir=\"it's.git\" fsck --strict && git --git-dir=\"it's.git\" log main"));
	snprintf(url, sizeof(url), "host:%s/it's.git", f.dir);
	PASS(put_commit(&c2, f.r, "refs/heads/main", "a", "2"));
	PASS(push1(f.r, url, "refs/heads/main", &c2, &c1, false));
	snprintf(dir, sizeof(dir), "%s/c", f.dir);
	PASS(sg_clone(&c, url, dir, 0, NULL));
	CHECK(is(c, "refs/heads/main", &c2));
	sg_registry_free(c);
	CHECK(push1(f.r, "ssh://-oProxyCommand=x/y", "refs/heads/main", &c2, NULL, false) == -SG_E_ERROR);
	CHECK(push1(f.r, "ftp://x/y", "refs/heads/main", &c2, NULL, false) == -SG_E_UNSUPPORTED);

	/* peers that are none */
	static const struct { const char *cmd; int rc; } bad[] = {
		{ "echo hello world;:", -SG_E_CORRUPT }, { "true", -SG_E_IO }, { "printf 0006;:", -SG_E_IO },
		{ "echo no such key >&2;:", -SG_E_IO }, { "printf '0003';:", -SG_E_CORRUPT }, { "printf 'fff0';:", -SG_E_IO },
		{ "printf '000fERR go away';:", -SG_E_ERROR },
	};
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		struct sg_fetch got;

		setenv("GIT_SSH_COMMAND", bad[i].cmd, 1);
		CHECK(push1(f.r, "h:x", "refs/heads/main", &c2, NULL, false) == bad[i].rc);
		CHECK(sg_fetch(&got, f.r, "h:x", NULL, 0, 0, NULL) == bad[i].rc);
		if (i == 3)
			CHECK(strstr(sg_error_message(), "no such key"));
		if (i == 6)
			CHECK(strstr(sg_error_message(), "go away"));
	}
	unsetenv("GIT_SSH_COMMAND");
	fix_close(&f);
}

struct lines { unsigned calls; char last[64]; };
static int hear_line(void *arg, const char *line)
{
	struct lines *l = arg;

	l->calls++;
	snprintf(l->last, sizeof(l->last), "%s", line);
	return strcmp(line, "stop") ? 0 : -SG_E_INTERRUPTED;
}

TEST(registry_child_is_heard)
{
	const char *argv[] = { "sh", "-c", "printf 'one 10%%\\rone 20%%\\rone 3' >&2; sleep 0.5; echo out", NULL };
	const char *fails[] = { "sh", "-c", "yes 'one 10%' | head -c 100000 | tr '\\n' '\\r' >&2; "
				"printf '\\rfatal: it is gone\\nand more\\n' >&2; exit 3", NULL };
	const char *stops[] = { "sh", "-c", "echo stop >&2; exec sleep 1", NULL };
	struct sg_buf out = { 0 };
	struct lines l = { 0 };

	PASS(sg_child_run(&out, argv, NULL, NULL, 1000, hear_line, &l));
	CHECK(l.calls && !strcmp(l.last, "one 20%") && !strcmp(out.data, "out\n"));
	CHECK(sg_child_run(&out, fails, NULL, NULL, 1000, hear_line, &l) == -SG_E_ERROR);
	CHECK(strstr(sg_error_message(), "failed: it is gone"));
	CHECK(sg_child_run(&out, stops, NULL, NULL, 1000, hear_line, &l) == -SG_E_INTERRUPTED);
	sg_buf_release(&out);
}

/* The way for http, tried over a path. */
TEST(registry_exec)
{
	struct fix f;
	struct sg_registry *b = NULL;
	struct sg_advert ad;
	struct sg_names names = { 0 };
	struct sg_oid c1, c2, c3;
	char url[96];

	CHECK(pair(&f, &b));
	snprintf(url, sizeof(url), "file://%s/b/.sg/registry.git", f.dir);
	PASS(put_commit(&c1, f.r, "refs/heads/main", "a", "1"));
	PASS(put_commit(&c2, f.r, "refs/heads/main", "a", "2"));
	struct sg_push_cmd up[] = { { .dst = "refs/heads/main", .new = c1 }, { .dst = "refs/sg/cand/1", .new = c2 } };
	PASS(sg_exec_push(f.r, url, up, 2, false, NULL, NULL));
	CHECK(!up[0].rc && !up[1].rc && is(b, "refs/heads/main", &c1) && is(b, "refs/sg/cand/1", &c2));
	up[0] = (struct sg_push_cmd){ .dst = "refs/heads/main", .old = c2, .new = c2 };
	up[1] = (struct sg_push_cmd){ .dst = "refs/sg/cand/1", .old = c2 };
	PASS(sg_exec_push(f.r, url, up, 2, false, NULL, NULL));
	CHECK(up[0].rc == -SG_E_BUSY && !up[1].rc && is(b, "refs/heads/main", &c1) && !is(b, "refs/sg/cand/1", &c2));
	free(up[0].text);
	PASS(sg_exec_refs(&ad, f.r, url));
	CHECK(ad.refs.n == 2 && !strcmp(ad.head, "refs/heads/main") && sg_advert_ref(&ad, "refs/heads/main"));
	sg_advert_release(&ad);
	PASS(put_commit(&c3, b, "refs/heads/main", "a", "3"));
	PASS(sg_names_add(&names, "refs/heads/main"));
	PASS(sg_exec_fetch(f.r, url, &names, NULL));
	CHECK(sg_object_exists(f.r, &c3));
	sg_names_release(&names);
	CHECK(sg_exec_refs(&ad, f.r, "file:///nowhere") == -SG_E_ERROR);
	sg_registry_free(b);
	fix_close(&f);
}

/* Three workers, one queue: each job is claimed once. */
static int claimer(const struct fix *f, int who)
{
	struct sg_registry *r = NULL;
	struct sg_oid c, zero = { { 0 } };
	char dir[96], ref[64], text[32];
	int mine = 0, rc;

	snprintf(dir, sizeof(dir), "%s/w%d", f->dir, who);
	snprintf(text, sizeof(text), "worker %d", who);
	rc = sg_registry_create(&r, dir);
	if (rc >= 0)
		rc = put_commit(&c, r, "refs/heads/main", "w", text);
	snprintf(dir, sizeof(dir), "%s/b", f->dir);
	for (int i = 0; rc >= 0 && i < 6; i++) {
		snprintf(ref, sizeof(ref), "refs/sg/claim/%d", (i + 2 * who) % 6);
		rc = push1(r, dir, ref, &c, &zero, false);
		if (!rc)
			mine++;
		else if (rc == -SG_E_BUSY)
			rc = 0;
	}
	sg_registry_free(r);
	return rc < 0 ? 100 : mine;
}

TEST(registry_claims)
{
	struct fix f;
	struct sg_registry *b = NULL;
	int total = 0, status;

	CHECK(pair(&f, &b));
	sg_registry_free(b);
	for (int i = 0; i < 3; i++)
		if (!fork())
			_exit(claimer(&f, i));
	for (int i = 0; i < 3; i++) {
		CHECK(wait(&status) > 0 && WIFEXITED(status));
		total += WEXITSTATUS(status);
	}
	CHECK(total == 6);
	fix_close(&f);
}

struct heard { int n; char kind[64]; };

static void hear(void *arg, const char *kind, const char *object, const char *text)
{
	struct heard *h = arg;
	size_t n = strlen(h->kind);

	(void)object;
	(void)text;
	h->n++;
	snprintf(h->kind + n, sizeof(h->kind) - n, "%s ", kind);
}

TEST(registry_fsck)
{
	struct fix f;
	struct sg_oid c, blob;
	struct heard h = { 0 };
	unsigned char *data = sg_calloc(300000, 1);
	char hex[SG_OID_HEX];

	CHECK(data && fix_open(&f));
	noise(data, 300000, 1);
	PASS(put_payload(&c, f.r, data, 300000));
	PASS(put_commit(&c, f.r, "refs/heads/main", "file", "text"));
	CHECK(sg_fsck(f.r, hear, &h, NULL) == 0 && !h.n);

	PASS(sg_tree_find(&blob, NULL, f.r, &c, "file"));
	sg_oid_hex(hex, &blob);
	CHECK(sh(&f, "cd .sg/registry.git/objects && mv %.2s/%s save && mkdir -p aa && cp save aa/%s", hex, hex + 2, hex + 2));
	CHECK(sg_fsck(f.r, hear, &h, NULL) == h.n && strstr(h.kind, "missing") && strstr(h.kind, "hash"));
	CHECK(sh(&f, "cd .sg/registry.git/objects && mv save %.2s/%s && rm -r aa", hex, hex + 2));
	CHECK(sg_fsck(f.r, NULL, NULL, NULL) == 0);

	h = (struct heard){ 0 };
	CHECK(sh(&f, "p=$(ls .sg/registry.git/objects/pack/*.pack) && chmod u+w $p && printf WXYZ | dd of=$p bs=1 seek=100000 conv=notrunc"));
	CHECK(sg_fsck(f.r, hear, &h, NULL) > 0 && strstr(h.kind, "pack"));
	h = (struct heard){ 0 };
	CHECK(sh(&f, "echo 1234567890123456789012345678901234567890 >.sg/registry.git/refs/heads/lost"));
	CHECK(sg_fsck(f.r, hear, &h, NULL) > 0 && strstr(h.kind, "ref"));
	free(data);
	fix_close(&f);
}

static int collect(struct sg_gc *out, struct sg_registry *r, int64_t grace, bool dry)
{
	struct sg_gc_opts o = { .grace = grace, .reflog = SG_GC_REFLOG, .dry = dry };

	return sg_gc(out, r, &o, NULL);
}

TEST(registry_gc)
{
	struct fix f;
	struct sg_registry *other = NULL;
	struct sg_packer *p = NULL;
	struct sg_oid c1, c2, c3, gone, again, blob;
	struct sg_gc g;
	unsigned char *data = sg_calloc(300000, 1), *back = sg_calloc(300000, 1);

	CHECK(data && back && fix_open(&f));
	noise(data, 300000, 1);
	PASS(put_payload(&c1, f.r, data, 300000));
	PASS(put_commit(&c2, f.r, "refs/heads/main", "file", "text"));
	noise(back, 300000, 2);
	PASS(put_payload(&c3, f.r, back, 300000));
	PASS(put_commit(&gone, f.r, "refs/sg/cand/1", "file", "rejected"));
	PASS(sg_tree_find(&blob, NULL, f.r, &gone, "file"));
	PASS(sg_ref_delete(f.r, "refs/sg/cand/1", &gone));
	PASS(sg_registry_open(&other, f.dir));
	CHECK(sg_object_exists(other, &blob));

	/* while a writer is at it: not now */
	PASS(sg_packer_open(&p, other));
	CHECK(collect(&g, f.r, 0, false) == -SG_E_BUSY);
	sg_packer_free(p);
	/* young things wait; a dry run does nothing */
	PASS(collect(&g, f.r, SG_GC_GRACE, false));
	CHECK(g.waiting == 3 && !g.dropped && g.packs_before == 2 && g.packs_after == 1 && sg_object_exists(f.r, &gone));
	PASS(collect(&g, f.r, 0, true));
	CHECK(g.dropped == 3 && g.loose_before == 3 && !g.loose_after && sg_object_exists(f.r, &gone));
	PASS(collect(&g, f.r, 0, false));
	CHECK(g.dropped == 3 && !sg_object_exists(f.r, &gone));
	PASS(collect(&g, f.r, 0, false));
	CHECK(!g.dropped && g.packs_before == 1 && g.packs_after == 1 && g.bytes_before == g.bytes_after);
	PASS(sg_payload_read(back, 300000, f.r, &c2, "grafts/x/data/w", NULL));
	CHECK(!memcmp(data, back, 300000));
	CHECK(sg_fsck(f.r, NULL, NULL, NULL) == 0);
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --full --strict && test -z \"$(find .sg -name '*.keep')\""));

	/* an old handle must not believe that what went is still there */
	PASS(sg_packer_open(&p, other));
	PASS(sg_packer_add(&again, p, SG_OBJ_BLOB, "rejected", 8));
	CHECK(sg_oid_eq(&again, &blob) && sg_packer_has(p, &again));
	sg_packer_free(p);
	PASS(sg_payload_read(back, 300000, other, &c1, "grafts/x/data/w", NULL));
	/* what was reset is in the reflog */
	PASS(sg_ref_set(f.r, "refs/heads/main", &c2, &c3, "back"));
	PASS(collect(&g, f.r, 0, false));
	CHECK(!g.dropped && sg_object_exists(f.r, &c3));

	CHECK(sh(&f, "echo 1234567890123456789012345678901234567890 >.sg/registry.git/refs/heads/lost"));
	CHECK(collect(&g, f.r, 0, false) == -SG_E_CORRUPT);
	sg_registry_free(other);
	free(data);
	free(back);
	fix_close(&f);
}
