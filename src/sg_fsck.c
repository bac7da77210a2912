/*
 * Is the registry whole? Below: git's objects, packs and refs. Above: that what
 * branches and candidates name is a registry of ours. Whether it is true is the
 * business of sg_verify.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/maint.h"
#include <sys/stat.h>

#define DEPTH 16		/* folders inside folders that are looked into */

struct scan {
	struct sg_repo *r;
	void (*fn)(void *arg, const struct sg_problem *p);
	void *arg;
	int damages;
};

static void say(struct scan *s, bool damage, const char *kind, const char *object, const char *text)
{
	s->damages += damage;
	s->fn(s->arg, &(struct sg_problem){ .damage = damage, .kind = kind, .object = object, .text = text });
}

static void on_object(void *arg, const char *kind, const char *object, const char *text)
{
	say(arg, true, kind, object, text);
}

/* An error of the content is a damage; one of this process is passed on. */
static int judge(struct scan *s, int rc, const char *kind, const char *ref)
{
	if (rc >= 0 || rc == -SG_E_NOMEM || rc == -SG_E_INTERRUPTED)
		return rc;
	say(s, true, kind, ref, sg_error_message());
	return 0;
}

/* --- what refs name ----------------------------------------------------------- */

static int read_policy(struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_policy policy = { 0 };
	int rc = sg_policy_at(&policy, r, commit);

	sg_policy_release(&policy);
	return rc;
}

static int check_tree(struct scan *s, const char *ref, const struct sg_oid *oid)
{
	struct sg_view v = { 0 };
	struct sg_sets sets = { 0 };
	struct sg_oid commit;
	int rc = sg_rev_parse(&commit, s->r->reg, ref);	/* a tag is peeled */

	(void)oid;
	if (rc >= 0)
		rc = sg_view_at(&v, s->r, &commit);
	if (rc < 0)
		return judge(s, rc, "registry", ref);
	rc = judge(s, read_policy(s->r, &commit), "policy", ref);
	if (rc >= 0)
		rc = judge(s, sg_sets_open(&sets, s->r, &commit), "data", ref);
	sg_sets_release(&sets);
	sg_view_release(&v);
	return rc;
}

static int check_report(struct scan *s, const char *ref, const struct sg_oid *oid)
{
	struct sg_receipt receipt = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_tree_read(&b, s->r->reg, oid, "receipt.mp", SG_RECEIPT_MAX);

	if (rc >= 0)
		rc = sg_receipt_parse(&receipt, b.data, b.len, "receipt.mp");
	sg_receipt_release(&receipt);
	sg_buf_release(&b);
	return judge(s, rc, "report", ref);
}

static int check_refs(struct scan *s, const char *prefix,
		      int (*fn)(struct scan *s, const char *ref, const struct sg_oid *oid))
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, s->r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = fn(s, l.ref[i].name, &l.ref[i].oid);
	sg_refs_release(&l);
	return judge(s, rc, "ref", prefix);
}

static int check_head(struct scan *s)
{
	struct sg_oid oid;
	char *head = NULL;
	int rc = sg_head_get(&head, s->r->reg);

	if (rc >= 0 && sg_ref_get(&oid, s->r->reg, head) == -SG_E_NOTFOUND)
		say(s, false, "ref", "HEAD", "it names a branch that is not there");
	free(head);
	return judge(s, rc, "ref", "HEAD");
}

/* --- leftovers ---------------------------------------------------------------- */

static bool left_over(const char *name)
{
	size_t n = strlen(name);

	return (n > 5 && !strcmp(name + n - 5, ".lock")) || !strncmp(name, "tmp_", 4) || strstr(name, ".tmp-");
}

/* Files of work that never ended. A program at work has some too. */
static int look_around(struct scan *s, const char *folder, bool all, unsigned depth)
{
	struct sg_names l = { 0 };
	char *dir = sg_repo_path(s->r, folder);
	int rc = dir ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && sg_dir_exists(dir))
		rc = sg_dir_list(&l, dir);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *name = *folder ? sg_path_join(folder, l.name[i]) : sg_strdup(l.name[i]);
		char *path = name ? sg_repo_path(s->r, name) : NULL;
		struct stat st;

		rc = path ? 0 : -SG_E_NOMEM;
		if (rc >= 0 && lstat(path, &st) == 0) {
			if (all || left_over(l.name[i]))
				say(s, false, "leftover", name, "left by a command that was killed, or one is at work");
			else if (S_ISDIR(st.st_mode) && depth)
				rc = look_around(s, name, false, depth - 1);
		}
		free(path);
		free(name);
	}
	sg_names_release(&l);
	free(dir);
	return rc;
}

int sg_check_repo(struct sg_repo *r, void (*fn)(void *arg, const struct sg_problem *p), void *arg,
		  const struct sg_progress *progress)
{
	struct scan s = { .r = r, .fn = fn, .arg = arg };

	r->no_cache = true;
	SG_TRY(sg_fsck(r->reg, on_object, &s, progress));
	SG_TRY(check_head(&s));
	SG_TRY(check_refs(&s, "refs/heads/", check_tree));
	SG_TRY(check_refs(&s, "refs/tags/", check_tree));
	SG_TRY(check_refs(&s, "refs/sg/cand/", check_tree));
	SG_TRY(check_refs(&s, "refs/sg/deferred/", check_tree));
	SG_TRY(check_refs(&s, "refs/sg/rejected/", check_tree));
	SG_TRY(check_refs(&s, "refs/sg/report/", check_report));
	SG_TRY(look_around(&s, "tmp", true, 0));
	SG_TRY(look_around(&s, "data", false, 0));
	SG_TRY(look_around(&s, "jobs", false, 0));
	SG_TRY(look_around(&s, "cache", false, 0));
	SG_TRY(look_around(&s, "registry.git", false, DEPTH));
	return s.damages;
}
