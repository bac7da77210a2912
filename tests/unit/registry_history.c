#include "registry_fix.h"
#include <sys/wait.h>

TEST(registry_commit)
{
	struct fix f;
	struct sg_oid tree, id, tag, got, parents[2];
	struct sg_tree *t = NULL;
	struct sg_commit c = { 0 };
	char *s = NULL, hex[SG_OID_HEX];
	enum sg_object_type type;

	CHECK(fix_open(&f));
	setenv("GIT_AUTHOR_NAME", " Bob <B>. ", 1);
	setenv("GIT_AUTHOR_DATE", "1700000000 -0330", 1);
	setenv("GIT_COMMITTER_DATE", "2023-11-14T23:13:20+0100", 1);
	PASS(sg_tree_edit(&t, f.r, NULL));
	PASS(sg_tree_put_data(t, NULL, "f", "1", 1));
	PASS(sg_tree_write(&tree, t, NULL));
	sg_tree_free(t);
	PASS(sg_commit_make(&id, f.r, NULL, &tree, NULL, 0,
			  "accept x\n\nbody: no trailer\n\nSg-Op: accept\nSg-Metric: a 1 2\nsg-metric:  b 3 4\n\n"));
	PASS(sg_commit_read(&c, f.r, &id));
	CHECK(!strcmp(c.author.name, "Bob B") && !strcmp(c.author.email, "ann@example.com"));
	CHECK(c.author.time == 1700000000 && c.author.tz == -210);
	CHECK(!strcmp(c.committer.name, "Ann Example") && c.committer.time == 1700000000 && c.committer.tz == 60);
	CHECK(sg_oid_eq(&c.tree, &tree) && !c.n_parents);
	PASS(sg_trailer(&s, c.message, "Sg-Op", 0));
	CHECK(!strcmp(s, "accept"));
	free(s);
	PASS(sg_trailer(&s, c.message, "Sg-Metric", 1));
	CHECK(!strcmp(s, "b 3 4"));
	free(s);
	CHECK(sg_trailer(&s, c.message, "Sg-Metric", 2) == -SG_E_NOTFOUND);
	CHECK(sg_trailer(&s, c.message, "body", 0) == -SG_E_NOTFOUND);
	s = sg_commit_subject(c.message);
	CHECK(s && !strcmp(s, "accept x"));
	free(s);
	sg_commit_release(&c);
	setenv("GIT_AUTHOR_DATE", "yesterday", 1);
	CHECK(sg_commit_make(&got, f.r, NULL, &tree, NULL, 0, "x") == -SG_E_USAGE);
	unsetenv("GIT_AUTHOR_NAME");
	unsetenv("GIT_AUTHOR_DATE");
	unsetenv("GIT_COMMITTER_DATE");
	parents[0] = id;
	memset(&parents[1], 7, sizeof(parents[1]));
	CHECK(sg_commit_make(&got, f.r, NULL, &tree, parents, 2, "x") == -SG_E_NOTFOUND);

	PASS(sg_ref_set(f.r, "refs/heads/main", &id, NULL, "m"));
	PASS(sg_tag_make(&tag, f.r, "v1", &id, "first"));
	PASS(sg_ref_set(f.r, "refs/tags/v1", &tag, NULL, "t"));
	PASS(sg_ref_set(f.r, "refs/sg/cand/0123", &id, NULL, "t"));
	sg_oid_hex(hex, &id);
	hex[4] = '\0';
	static const char *const rev[] = { "HEAD", "@", "main", "heads/main", "refs/heads/main", "v1", "sg/cand/0123", "v1^0" };
	for (size_t i = 0; i < SG_LEN(rev); i++) {
		PASS(sg_rev_parse(&got, f.r, rev[i]));
		CHECK(sg_oid_eq(&got, &id));
	}
	PASS(sg_rev_parse(&got, f.r, hex));
	CHECK(sg_oid_eq(&got, &id));
	PASS(sg_rev_parse_any(&got, &type, f.r, "@:f"));
	CHECK(type == SG_OBJ_BLOB);
	CHECK(sg_rev_parse(&got, f.r, "nope") == -SG_E_NOTFOUND);
	CHECK(sg_rev_parse(&got, f.r, "main~1") == -SG_E_NOTFOUND);
	CHECK(sg_rev_parse(&got, f.r, "main:f") == -SG_E_NOTFOUND);
	CHECK(sg_rev_parse(&got, f.r, "") == -SG_E_NOTFOUND);
	PASS(sg_tree_find(&got, NULL, f.r, &tag, "f"));
	PASS(sg_oid_abbrev(hex, f.r, &id));
	CHECK(strlen(hex) == 7);
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict && git --git-dir=.sg/registry.git log -1 "
		     "--format='%%an|%%ae|%%ad|%%(trailers:key=Sg-Op,valueonly)' --date=raw main"));
	CHECK(said(&f, "Bob B|ann@example.com|1700000000 -0330|accept"));
	fix_close(&f);
}

struct seen { char text[256]; };

static int see(void *arg, const struct sg_commit *c)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%c", c->message[0]);
	return 0;
}

TEST(registry_history)
{
	struct fix f;
	struct sg_oid a, b, c, d, m, got, tree, p[2];
	struct seen s = { "" };
	size_t ahead, behind;

	/* a - b - m    first parent line a b m
	 *  \  c - d /                          */
	CHECK(fix_open(&f));
	PASS(put_commit(&a, f.r, "refs/heads/main", "f", "a"));
	PASS(sg_ref_set(f.r, "refs/heads/side", &a, NULL, ""));
	PASS(put_commit(&b, f.r, "refs/heads/main", "f", "b"));
	PASS(put_commit(&c, f.r, "refs/heads/side", "g", "c"));
	PASS(put_commit(&d, f.r, "refs/heads/side", "g", "d"));
	PASS(sg_tree_find(&tree, NULL, f.r, &b, ""));
	p[0] = b;
	p[1] = d;
	PASS(sg_commit_make(&m, f.r, NULL, &tree, p, 2, "m"));
	PASS(sg_ref_set(f.r, "refs/heads/main", &m, &b, "merge"));

	PASS(sg_history_walk(f.r, &m, 1, NULL, 0, SG_WALK_FIRST_PARENT, see, &s));
	CHECK(!strcmp(s.text, "mba"));
	s.text[0] = '\0';
	PASS(sg_history_walk(f.r, &m, 1, &b, 1, 0, see, &s));
	CHECK(!strcmp(s.text, "mdc"));
	s.text[0] = '\0';
	PASS(sg_history_walk(f.r, &m, 1, &b, 1, SG_WALK_REVERSE, see, &s));
	CHECK(!strcmp(s.text, "cdm"));
	PASS(sg_history_base(&got, f.r, &b, &d));
	CHECK(sg_oid_eq(&got, &a));
	CHECK(sg_history_is_ancestor(f.r, &a, &m) == 1 && sg_history_is_ancestor(f.r, &m, &m) == 1);
	CHECK(sg_history_is_ancestor(f.r, &m, &a) == 0 && sg_history_is_ancestor(f.r, &c, &b) == 0);
	PASS(sg_history_ahead_behind(&ahead, &behind, f.r, &d, &b));
	CHECK(ahead == 2 && behind == 1);
	PASS(sg_rev_parse(&got, f.r, "main^2~1"));
	CHECK(sg_oid_eq(&got, &c));
	fix_close(&f);
}

TEST(registry_refs)
{
	struct fix f;
	struct sg_oid a, b, got;
	struct sg_refs l = { 0 };
	char *head = NULL;
	size_t done;

	CHECK(fix_open(&f));
	CHECK(sg_ref_get(&got, f.r, "HEAD") == -SG_E_NOTFOUND);
	PASS(sg_head_get(&head, f.r));
	CHECK(!strcmp(head, "refs/heads/main"));
	free(head);
	PASS(put_commit(&a, f.r, "refs/heads/main", "f", "a"));
	PASS(put_commit(&b, f.r, "refs/heads/main", "f", "b"));
	CHECK(sg_ref_set(f.r, "refs/heads/main", &a, NULL, "") == -SG_E_BUSY);
	CHECK(sg_ref_set(f.r, "refs/heads/main", &a, &a, "") == -SG_E_BUSY);
	CHECK(sg_ref_set(f.r, "refs/heads/none", &a, &a, "") == -SG_E_BUSY);
	CHECK(sg_ref_set(f.r, "refs/heads/..", &a, NULL, "") == -SG_E_ERROR);
	CHECK(sg_ref_set(f.r, "main", &a, NULL, "") == -SG_E_ERROR);
	PASS(sg_ref_set(f.r, "refs/heads/main", &a, &b, "back"));
	CHECK(sg_ref_delete(f.r, "refs/heads/main", &b) == -SG_E_BUSY);
	struct sg_ref_update u[] = {
		{ "refs/sg/cand/1", .new = a }, { "refs/sg/job/[1]", .new = a }, { "refs/heads/main", .new = b, .old = b },
	};
	u[1].name = "refs/sg/job/1";
	CHECK(sg_ref_update(&done, f.r, u, 3, "many") == -SG_E_BUSY && done == 2);
	u[0] = (struct sg_ref_update){ "refs/sg/cand/1", .old = a };
	PASS(sg_ref_update(&done, f.r, u, 1, "gone"));
	PASS(sg_ref_list(&l, f.r, "refs/sg/"));
	CHECK(l.n == 1 && !strcmp(l.ref[0].name, "refs/sg/job/1") && sg_oid_eq(&l.ref[0].oid, &a));
	sg_refs_release(&l);
	CHECK(sh(&f, "git --git-dir=.sg/registry.git pack-refs --all"));
	PASS(sg_ref_list(&l, f.r, ""));
	CHECK(l.n == 2);
	sg_refs_release(&l);
	PASS(sg_ref_set(f.r, "refs/heads/main", &b, &a, "moved on"));
	PASS(sg_ref_delete(f.r, "refs/sg/job/1", &a));
	CHECK(sg_ref_get(&got, f.r, "refs/sg/job/1") == -SG_E_NOTFOUND);
	PASS(sg_head_set(f.r, "refs/heads/dev", "switch"));
	CHECK(sg_ref_get(&got, f.r, "HEAD") == -SG_E_NOTFOUND);
	PASS(sg_head_set(f.r, "refs/heads/main", "switch"));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git reflog main") && said(&f, "moved on"));
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));
	fix_close(&f);
}

/* 4 processes, 75 commits each, one ref: all 300 are in its history. */
static int racer(const struct fix *f, int who)
{
	struct sg_registry *r = NULL;
	struct sg_oid old, tree, c;
	char text[32];
	int rc = sg_registry_open(&r, f->dir);

	for (int i = 0; rc >= 0 && i < 75; ) {
		snprintf(text, sizeof(text), "%d.%d", who, i);
		rc = sg_ref_get(&old, r, "refs/heads/main");
		if (rc >= 0)
			rc = sg_tree_find(&tree, NULL, r, &old, "");
		if (rc >= 0)
			rc = sg_commit_make(&c, r, NULL, &tree, &old, 1, text);
		if (rc >= 0)
			rc = sg_ref_set(r, "refs/heads/main", &c, &old, text);
		if (rc == -SG_E_BUSY)
			rc = 0;
		else
			i++;
	}
	sg_registry_free(r);
	return rc < 0;
}

static int count(void *arg, const struct sg_commit *c)
{
	(void)c;
	++*(int *)arg;
	return 0;
}

TEST(registry_race)
{
	struct fix f;
	struct sg_oid tip;
	int n = 0, status;

	CHECK(fix_open(&f));
	PASS(put_commit(&tip, f.r, "refs/heads/main", "f", "first"));
	for (int i = 0; i < 4; i++)
		if (!fork())
			_exit(racer(&f, i));
	for (int i = 0; i < 4; i++)
		CHECK(wait(&status) > 0 && status == 0);
	PASS(sg_ref_get(&tip, f.r, "refs/heads/main"));
	PASS(sg_history_walk(f.r, &tip, 1, NULL, 0, 0, count, &n));
	CHECK(n == 301);
	CHECK(sh(&f, "git --git-dir=.sg/registry.git fsck --strict"));
	fix_close(&f);
}
