#include "registry/registry.h"
#include "registry/impl.h"
#include <git2/sys/repository.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE ".sg.tmp-"		/* and the maker's process id */

/* Measured, not guessed: keeps stock git from delta-searching and recompressing
 * tensors, here and when it serves a clone. */
static const char config_text[] =
	"[core]\n"
	"\trepositoryformatversion = 0\n"
	"\tfilemode = true\n"
	"\tbare = true\n"
	"\tlogAllRefUpdates = true\n"
	"\tbigFileThreshold = 64k\n"
	"\tcompression = 1\n"
	"\tfsync = all\n"
	"[pack]\n"
	"\tcompression = 0\n"
	"\twindow = 0\n"
	"\tdeltaCacheSize = 0\n"
	"[gc]\n"
	"\tauto = 0\n"
	"[receive]\n"
	"\tunpackLimit = 1\n"
	"[transfer]\n"
	"\tfsckObjects = true\n";

static int real_path(char **out, const char *path)
{
	char *p = realpath(path, NULL);

	if (!p)
		return sg_fail_errno(errno == ENOENT ? SG_E_NOTFOUND : SG_E_IO, "cannot find '%s'", path);
	*out = p;
	return 0;
}

/* libgit2 1.5 says "not found" for a repository of somebody else when no
 * safe.directory is configured; it means the same as GIT_EOWNER. */
static int open_fail(int rc, const char *git_dir)
{
	const git_error *e = git_error_last();

	if (rc == GIT_EOWNER || (rc == GIT_ENOTFOUND && e && e->message && strstr(e->message, "safe.directory")))
		return sg_fail(SG_E_ERROR, "registry '%s' belongs to another user; if you trust it, set SG_DIR "
			       "or: git config --global --add safe.directory %s", git_dir, git_dir);
	rc = sg_git_fail(rc, "cannot open registry '%s'", git_dir);
	return rc == -SG_E_NOTFOUND ? -SG_E_CORRUPT : rc;
}

/* One that was found by looking around must be the user's own, since its
 * configuration can name programs to run; one named outright is trusted, as git
 * does with GIT_DIR. */
static int open_repo(struct sg_registry *r, bool named)
{
	int rc = named ? git_repository_open_bare(&r->repo, r->git_dir) :
			 git_repository_open_ext(&r->repo, r->git_dir, GIT_REPOSITORY_OPEN_NO_SEARCH |
						 GIT_REPOSITORY_OPEN_NO_DOTGIT | GIT_REPOSITORY_OPEN_BARE, NULL);

	if (rc >= 0)
		rc = git_repository_odb(&r->odb, r->repo);
	return rc < 0 ? open_fail(rc, r->git_dir) : 0;
}

/* Only the objects are opened anew: walks under way hold on to the repository. */
int sg_registry_reopen(struct sg_registry *r)
{
	char *objects = sg_path_join(r->git_dir, "objects");
	git_odb *odb = NULL;
	int rc;

	if (!objects)
		return -SG_E_NOMEM;
	r->gc_seen = sg_lock_count(r);
	rc = git_odb_open(&odb, objects);
	if (rc >= 0)
		git_repository__cleanup(r->repo);	/* it remembers objects too */
	if (rc >= 0)
		rc = git_repository_set_odb(r->repo, odb);
	free(objects);
	if (rc < 0) {
		git_odb_free(odb);
		return sg_git_fail(rc, "cannot open the objects of '%s'", r->git_dir);
	}
	git_odb_free(r->odb);
	r->odb = odb;
	return 0;
}

/* dir is an absolute path of a .sg folder and is taken over. */
/* git can leave out old commits or file contents and fetch them when it needs them.
 * Nothing can be proven of what is not here, and gc would take it for damage. */
static int check_whole(struct sg_registry *r)
{
	git_config *c = NULL;
	git_config_iterator *it = NULL;
	git_config_entry *e;
	bool partial = false;

	if (git_repository_is_shallow(r->repo) == 1)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is a shallow clone: commits are missing; "
			       "'git fetch --unshallow' in it brings them", r->git_dir);
	if (git_repository_config_snapshot(&c, r->repo) < 0 || git_config_iterator_new(&it, c) < 0)
		git_error_clear();
	while (it && git_config_next(&e, it) == 0) {
		size_t n = strlen(e->name);

		partial |= !strcmp(e->name, "extensions.partialclone") ||
			   (n > 16 && !strncmp(e->name, "remote.", 7) && !strcmp(e->name + n - 9, ".promisor") &&
			    e->value && !strcmp(e->value, "true"));
	}
	git_config_iterator_free(it);
	git_config_free(c);
	return partial ? sg_fail(SG_E_UNSUPPORTED, "'%s' is a partial clone: contents are missing; "
				 "clone it again without --filter", r->git_dir) : 0;
}

static int open_dir(struct sg_registry **out, char *dir, bool named)
{
	struct sg_registry *r;
	char *lock = NULL;
	int rc = SG_NEW(r, 1);

	if (rc < 0) {
		free(dir);
		return rc;
	}
	r->dir = dir;
	r->lock_fd = -1;
	r->git_dir = sg_path_join(dir, "registry.git");
	r->tmp_dir = sg_path_join(dir, "tmp");
	r->cache_dir = sg_path_join(dir, "cache");
	lock = sg_path_join(dir, "lock");
	if (!r->git_dir || !r->tmp_dir || !r->cache_dir || !lock) {
		rc = -SG_E_NOMEM;
		goto out;
	}
	r->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (r->lock_fd < 0 && (errno == EACCES || errno == EROFS))
		r->lock_fd = open(lock, O_RDONLY | O_CLOEXEC);	/* flock needs no more */
	if (r->lock_fd < 0) {
		rc = sg_fail_errno(SG_E_IO, "cannot open '%s'", lock);
		goto out;
	}
	r->gc_seen = sg_lock_count(r);	/* before the packs are listed */
	rc = open_repo(r, named);
	if (rc >= 0)
		rc = check_whole(r);
	if (rc < 0)
		goto out;
	rc = sg_sweep(r, false);
out:
	free(lock);
	if (rc < 0)
		sg_registry_free(r);
	else
		*out = r;
	return SG_MIN(rc, 0);
}

void sg_registry_free(struct sg_registry *r)
{
	if (!r)
		return;
	sg_signing_release(r);
	sg_tree_forget(r);
	git_odb_free(r->odb);
	git_repository_free(r->repo);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	free(r->dir);
	free(r->git_dir);
	free(r->tmp_dir);
	free(r->cache_dir);
	free(r);
}

static int sync_file(const char *path)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sg_fail_errno(SG_E_IO, "cannot open '%s'", path);
	rc = sg_fd_sync(fd, path);
	close(fd);
	return rc;
}

/* Everything that .sg holds, made in a folder beside it. */
static int fill(const char *stage)
{
	git_repository_init_options opt = { .version = GIT_REPOSITORY_INIT_OPTIONS_VERSION };
	char *git_dir = sg_path_join(stage, "registry.git"), *tmp = sg_path_join(stage, "tmp");
	char *cache = sg_path_join(stage, "cache"), *lock = sg_path_join(stage, "lock");
	char *config = sg_path_join(stage, "registry.git/config"), *head = sg_path_join(stage, "registry.git/HEAD");
	git_repository *repo = NULL;
	int rc = git_dir && tmp && cache && lock && config && head ? 0 : -SG_E_NOMEM;

	opt.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
	opt.initial_head = "main";
	opt.description = "sg registry";
	if (rc >= 0) {
		rc = git_repository_init_ext(&repo, git_dir, &opt);
		if (rc < 0)
			rc = sg_git_fail(rc, "cannot make '%s'", git_dir);
	}
	if (rc >= 0)
		rc = sg_file_write(config, config_text, sizeof(config_text) - 1);
	if (rc >= 0)
		rc = sync_file(head);
	if (rc >= 0)
		rc = sg_dir_make(tmp);
	if (rc >= 0)
		rc = sg_dir_make(cache);
	if (rc >= 0)
		rc = sg_file_write(lock, "", 0);
	if (rc >= 0)
		rc = sg_dir_sync(git_dir);
	git_repository_free(repo);
	free(git_dir);
	free(tmp);
	free(cache);
	free(lock);
	free(config);
	free(head);
	return rc;
}

static bool has_line(const struct sg_buf *b, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = b->len ? b->data : NULL; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, line, n) && (p[n] == '\n' || !p[n]))
			return true;
	return false;
}

/* A registry inside a work tree is not part of what that tree tracks. Only a
 * convenience: when it cannot be done (not ours, read-only) nothing is lost. */
static void exclude(const char *dir)
{
	git_buf where = { 0 };
	git_repository *outer = NULL;
	struct sg_buf b = { 0 };
	char *info = NULL, *path = NULL;
	int rc;

	if (git_repository_discover(&where, dir, 0, NULL) < 0 || git_repository_open(&outer, where.ptr) < 0 ||
	    git_repository_is_bare(outer))
		goto out;
	info = sg_path_join(git_repository_commondir(outer), "info");
	path = info ? sg_path_join(info, "exclude") : NULL;
	if (!path || sg_dir_make(info) < 0)
		goto out;
	rc = sg_file_read(&b, path, 1 << 20);
	if ((rc < 0 && rc != -SG_E_NOTFOUND) || has_line(&b, ".sg/") || has_line(&b, ".sg"))
		goto out;
	if (b.len && b.data[b.len - 1] != '\n' && sg_buf_str(&b, "\n") < 0)
		goto out;
	if (sg_buf_str(&b, ".sg/\n") >= 0)
		sg_file_write(path, b.data, b.len);
out:
	sg_buf_release(&b);
	free(path);
	free(info);
	git_repository_free(outer);
	git_buf_dispose(&where);
}

/* Stages in a folder whose makers were killed. */
static void sweep_stages(const char *dir)
{
	struct sg_names l = { 0 };

	if (sg_dir_list(&l, dir) < 0)
		return;
	for (size_t i = 0; i < l.n; i++) {
		const char *s = l.name[i];
		char *path = strncmp(s, STAGE, strlen(STAGE)) ? NULL : sg_path_join(dir, s);
		int pid = path ? atoi(s + strlen(STAGE)) : 0;

		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			sg_dir_remove(path);
		free(path);
	}
	sg_names_release(&l);
}

int sg_registry_create(struct sg_registry **out, const char *dir)
{
	char *real = NULL, *final = NULL, *stage = NULL;
	int rc = sg_git_start();

	if (rc >= 0)
		rc = sg_dir_make(dir);
	if (rc >= 0)
		rc = real_path(&real, dir);
	if (rc < 0)
		goto out;
	final = sg_path_join(real, ".sg");
	stage = sg_asprintf("%s/" STAGE "%ld", real, (long)getpid());
	if (!final || !stage) {
		rc = -SG_E_NOMEM;
		goto out;
	}
	if (sg_file_exists(final)) {
		rc = sg_fail(SG_E_EXISTS, "there is a registry in '%s' already", real);
		goto out;
	}
	sweep_stages(real);
	rc = sg_dir_remove(stage);
	if (rc >= 0)
		rc = sg_dir_make(stage);
	if (rc >= 0)
		rc = fill(stage);
	if (rc >= 0)
		rc = sg_dir_sync(stage);
	if (rc >= 0)
		rc = sg_file_rename(stage, final);
	if (rc < 0) {
		sg_dir_remove(stage);
		goto out;
	}
	rc = sg_dir_sync(real);
	if (rc >= 0) {
		char *owned = sg_strdup(final);

		rc = owned ? open_dir(out, owned, true) : -SG_E_NOMEM;
	}
	if (rc < 0)
		sg_dir_remove(final);
	else
		exclude(real);
out:
	free(real);
	free(final);
	free(stage);
	return rc;
}

static bool holds_registry(const char *sg_dir)
{
	char *p = sg_path_join(sg_dir, "registry.git");
	bool yes = p && sg_dir_exists(p);

	free(p);
	return yes;
}

/* Walk up from an absolute path; *out is the .sg folder. */
static int discover(char **out, char *at)
{
	for (;;) {
		char *slash, *p = sg_path_join(at, ".sg");

		if (!p)
			return -SG_E_NOMEM;
		if (holds_registry(p)) {
			*out = p;
			return 0;
		}
		free(p);
		slash = strrchr(at, '/');
		if (!slash || !at[1])
			return -SG_E_NOTFOUND;
		slash[slash == at] = '\0';
	}
}

int sg_registry_open(struct sg_registry **out, const char *start)
{
	const char *env = getenv("SG_DIR");
	char *at = NULL, *dir = NULL;
	int rc = sg_git_start();

	if (rc < 0)
		return rc;
	if (env && *env) {
		SG_TRY(real_path(&dir, env));
		if (!holds_registry(dir)) {
			free(dir);
			return sg_fail(SG_E_NOTFOUND, "SG_DIR is no registry: '%s'", env);
		}
		return open_dir(out, dir, true);
	}
	SG_TRY(real_path(&at, start ? start : "."));
	rc = discover(&dir, at);
	if (rc == -SG_E_NOTFOUND)
		sg_fail(SG_E_NOTFOUND, "no registry in '%s' or any folder above; make one with: sg init",
			start ? start : ".");
	free(at);
	return rc < 0 ? rc : open_dir(out, dir, false);
}

const char *sg_registry_dir(const struct sg_registry *r)
{
	return r->dir;
}

const char *sg_registry_tmp_dir(const struct sg_registry *r)
{
	return r->tmp_dir;
}

const char *sg_registry_cache_dir(const struct sg_registry *r)
{
	return r->cache_dir;
}

int sg_registry_config_get(char **out, struct sg_registry *r, const char *key)
{
	git_config *c = NULL;
	git_buf v = { 0 };
	char *s;
	int rc = git_repository_config(&c, r->repo);

	if (rc >= 0)
		rc = git_config_get_string_buf(&v, c, key);
	if (rc < 0) {
		rc = rc == GIT_ENOTFOUND ? sg_fail(SG_E_NOTFOUND, "'%s' is not configured", key) :
		     sg_git_fail(rc, "cannot read configuration '%s'", key);
	} else {
		s = sg_strndup(v.ptr ? v.ptr : "", v.size);
		rc = s ? 0 : -SG_E_NOMEM;
		if (s)
			*out = s;
	}
	git_buf_dispose(&v);
	git_config_free(c);
	return rc;
}

static int own_config(git_config **out, struct sg_registry *r)
{
	git_config *all = NULL;
	int rc = git_repository_config(&all, r->repo);

	if (rc >= 0)
		rc = git_config_open_level(out, all, GIT_CONFIG_LEVEL_LOCAL);
	git_config_free(all);
	return rc;
}

int sg_registry_config_set(struct sg_registry *r, const char *key, const char *value)
{
	git_config *c = NULL;
	int rc, tries = 0;

	SG_TRY(sg_lock(r));
	rc = own_config(&c, r);
	while (rc >= 0) {
		rc = value ? git_config_set_string(c, key, value) : git_config_delete_entry(c, key);
		if (rc != GIT_ELOCKED || ++tries > SG_LOCK_WAIT_MS / 10)
			break;
		if (tries % 50 == 0)
			sg_sweep_locks(r);
		usleep(10000);
		rc = 0;
	}
	if (rc == GIT_ENOTFOUND && !value)
		rc = 0;
	else if (rc < 0)
		rc = sg_git_fail(rc, "cannot set configuration '%s'", key);
	git_config_free(c);
	sg_unlock(r);
	return rc;
}

int sg_registry_config_list(struct sg_names *out, struct sg_registry *r, const char *prefix)
{
	git_config *c = NULL;
	git_config_iterator *it = NULL;
	git_config_entry *e;
	struct sg_names l = { 0 };
	int rc = own_config(&c, r);

	if (rc >= 0)
		rc = git_config_iterator_new(&it, c);
	if (rc < 0)
		rc = sg_git_fail(rc, "cannot read the configuration");
	while (rc >= 0 && git_config_next(&e, it) == 0) {
		char *line;

		if (strncmp(e->name, prefix, strlen(prefix)))
			continue;
		line = sg_asprintf("%s=%s", e->name, e->value ? e->value : "");
		rc = line ? sg_names_add(&l, line) : -SG_E_NOMEM;
		free(line);
	}
	git_config_iterator_free(it);
	git_config_free(c);
	if (rc < 0) {
		sg_names_release(&l);
		return rc;
	}
	sg_names_sort(&l);
	*out = l;
	return 0;
}
