/* Where a registry stands: line, base, stack, what waits, data, stopped runs. */
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"
#include "train/state.h"
#include <sys/stat.h>

/* --- the line -------------------------------------------------------------------- */

static int read_upstream(struct sg_status *s, struct sg_repo *r, const struct sg_oid *head)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, "refs/remotes/");

	for (size_t i = 0; rc >= 0 && !s->upstream && i < l.n; i++) {
		const char *name = l.ref[i].name + strlen("refs/remotes/"), *slash = strchr(name, '/');

		if (!slash || strcmp(slash + 1, s->branch))
			continue;
		rc = sg_history_ahead_behind(&s->ahead, &s->behind, r->reg, head, &l.ref[i].oid);
		if (rc >= 0)
			rc = (s->upstream = sg_strdup(name)) ? 0 : -SG_E_NOMEM;
	}
	sg_refs_release(&l);
	return rc;
}

static int read_line(struct sg_status *s, struct sg_repo *r, const struct sg_oid *head)
{
	struct sg_commit c = { 0 };
	char *ref = NULL;
	int rc = sg_commit_read(&c, r->reg, head);

	sg_oid_hex(s->commit, head);
	if (rc >= 0)
		rc = (s->subject = sg_commit_subject(c.message)) ? 0 : -SG_E_NOMEM;
	sg_commit_release(&c);
	if (rc >= 0 && sg_head_get(&ref, r->reg) >= 0 && !strncmp(ref, "refs/heads/", 11))
		rc = (s->branch = sg_strdup(ref + 11)) ? 0 : -SG_E_NOMEM;
	free(ref);
	return rc >= 0 && s->branch ? read_upstream(s, r, head) : rc;
}

static int read_stack(struct sg_status *s, const struct sg_view *v, size_t most)
{
	size_t n = SG_MIN(most, v->ids.n), from = v->ids.n - n;

	strcpy(s->state, v->state);
	s->n_active = v->ids.n;
	SG_TRY(SG_NEW(s->stack, n));
	for (; s->n_stack < n; s->n_stack++)
		SG_TRY(sg_graft_info_read(&s->stack[s->n_stack], v->r, &v->commit, v->ids.name[from + s->n_stack]));
	return 0;
}

/* --- what waits ------------------------------------------------------------------- */

static bool trailer_is(const char *message, const char *key, const char *lead, const char *want)
{
	size_t n = strlen(lead);
	char *value;
	bool yes;

	if (sg_trailer(&value, message, key, 0) < 0)
		return false;
	yes = !strncmp(value, lead, n) && !strcmp(value + n, want);
	free(value);
	return yes;
}

/* The verdict of the newest report; one that accept would take goes before others. */
static int read_verdict(struct sg_cand_info *c, struct sg_repo *r, const char *state, const char *policy)
{
	struct sg_refs l = { 0 };
	char prefix[64];
	int64_t newest = INT64_MIN;
	int rc;

	snprintf(prefix, sizeof(prefix), "refs/sg/report/%.16s/", c->graft.id);
	rc = sg_ref_list(&l, r->reg, prefix);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_commit m = { 0 };
		bool current;
		char *verdict;

		rc = sg_commit_read(&m, r->reg, &l.ref[i].oid);
		if (rc < 0)
			break;
		current = trailer_is(m.message, "Sg-Prev-State", "sha256:", state) &&
			  trailer_is(m.message, "Sg-Policy", "sha256:", policy);
		if ((current > c->current || (current == c->current && m.committer.time > newest)) &&
		    sg_trailer(&verdict, m.message, "Sg-Verdict", 0) >= 0) {
			free(c->verdict);
			c->verdict = verdict;
			c->current = current;
			newest = m.committer.time;
		}
		sg_commit_release(&m);
	}
	sg_refs_release(&l);
	return rc;
}

/* The commit that it was trained with says on what; to defer or reject it put others
 * on top of that one. */
static int read_parent(struct sg_cand_info *c, struct sg_repo *r, const struct sg_oid *oid)
{
	struct sg_oid at = *oid;
	bool more = true;

	for (int i = 0; more && i < 8; i++) {
		struct sg_commit m = { 0 };
		char *value;

		SG_TRY(sg_commit_read(&m, r->reg, &at));
		more = m.n_parents && !trailer_is(m.message, "Sg-Op", "", "candidate");
		if (more) {
			at = m.parent[0];
		} else if (sg_trailer(&value, m.message, "Sg-Prev-State", 0) >= 0) {
			if (!strncmp(value, "sha256:", 7) && sg_is_sha256(value + 7))
				strcpy(c->parent, value + 7);
			free(value);
		}
		sg_commit_release(&m);
	}
	return 0;
}

/* An accept that was killed at its end leaves the ref of what is active by now. */
static bool is_active(const struct sg_status *s, const char *id16)
{
	for (size_t i = 0; i < s->n_stack; i++)
		if (!strncmp(s->stack[i].id, id16, 16))
			return true;
	return false;
}

static int read_cands(struct sg_status *s, struct sg_repo *r, const char *policy, const char *where, const char *prefix)
{
	struct sg_refs l = { 0 };
	struct sg_cand_info *more;
	int rc = sg_ref_list(&l, r->reg, prefix);

	if (rc >= 0 && l.n) {
		more = sg_realloc(s->cand, s->n_cand + l.n, sizeof(*more));
		rc = more ? 0 : -SG_E_NOMEM;
		s->cand = more ? more : s->cand;
	}
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_cand_info *c = &s->cand[s->n_cand];
		const char *id16 = l.ref[i].name + strlen(prefix);

		if (is_active(s, id16))
			continue;
		*c = (struct sg_cand_info){ .where = where };
		sg_oid_hex(c->commit, &l.ref[i].oid);
		s->n_cand++;
		rc = sg_graft_info_read(&c->graft, r, &l.ref[i].oid, id16);
		if (rc < 0 && rc != -SG_E_NOMEM) {	/* its name is all that is known of it */
			snprintf(c->graft.id, sizeof(c->graft.id), "%.16s", id16);
			rc = 0;
		}
		if (rc >= 0)
			rc = read_verdict(c, r, s->state, policy);
		if (rc >= 0)
			rc = read_parent(c, r, &l.ref[i].oid);
	}
	sg_refs_release(&l);
	return rc;
}

/* --- stopped runs ------------------------------------------------------------------ */

static int read_job(struct sg_job_info *j, const char *path, const char *file, const char *state)
{
	struct sg_recipe recipe = { 0 };
	struct stat st;
	int rc;

	if (stat(path, &st) == 0)
		j->time = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	SG_TRY((j->file = sg_strdup(file)) ? 0 : -SG_E_NOMEM);
	if (sg_train_state_peek(&recipe, &j->step, path) < 0)
		return 0;	/* shown as one that cannot be read */
	j->type = sg_strdup(recipe.type);
	j->name = recipe.name ? sg_strdup(recipe.name) : NULL;
	j->sites = recipe.sites.n;
	j->steps = recipe.steps;
	j->current = !strcmp(recipe.parent, state);
	rc = j->type && (j->name || !recipe.name) ? 0 : -SG_E_NOMEM;
	sg_recipe_release(&recipe);
	return rc;
}

static int newer_first(const void *a, const void *b)
{
	const struct sg_job_info *x = a, *y = b;

	return x->time != y->time ? (x->time < y->time ? 1 : -1) : strcmp(y->file, x->file);
}

static int read_jobs(struct sg_status *s, struct sg_repo *r)
{
	struct sg_names l = { 0 };
	char *dir = sg_repo_path(r, "jobs");
	size_t cap = 0;
	int rc = dir ? sg_dir_list(&l, dir) : -SG_E_NOMEM;

	if (rc == -SG_E_NOTFOUND)
		rc = 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *dot = strrchr(l.name[i], '.');
		char *path;

		if (!dot || strcmp(dot, ".state"))
			continue;
		rc = SG_GROW(s->job, s->n_jobs, cap);
		if (rc < 0)
			break;
		s->job[s->n_jobs++] = (struct sg_job_info){ 0 };
		path = sg_path_join(dir, l.name[i]);
		rc = path ? read_job(&s->job[s->n_jobs - 1], path, l.name[i], s->state) : -SG_E_NOMEM;
		free(path);
	}
	if (rc >= 0 && s->n_jobs) {
		qsort(s->job, s->n_jobs, sizeof(*s->job), newer_first);
		s->job[0].newest = true;
		for (size_t i = 0; i < s->n_jobs; i++)
			s->job[i].time /= 1000000000;	/* nanoseconds were for the order */
	}
	sg_names_release(&l);
	free(dir);
	return rc;
}

/* --- the whole --------------------------------------------------------------------- */

static int read_waiting(struct sg_status *s, struct sg_repo *r)
{
	static const char *const family[][2] = {
		{ "candidate", "refs/sg/cand/" }, { "deferred", "refs/sg/deferred/" }, { "rejected", "refs/sg/rejected/" },
	};
	char policy[SG_SHA256_HEX] = "";
	struct sg_buf b = { 0 };
	int rc = sg_policy_text(&b, r, NULL);

	if (rc >= 0)
		rc = sg_sha256_hex(policy, b.data, b.len);
	else if (rc == -SG_E_NOTFOUND)
		rc = 0;
	for (size_t i = 0; rc >= 0 && i < SG_LEN(family); i++)
		rc = read_cands(s, r, policy, family[i][0], family[i][1]);
	sg_buf_release(&b);
	return rc;
}

static int read_all(struct sg_status *s, struct sg_repo *r, size_t most)
{
	struct sg_view v = { 0 };
	int rc = sg_view_open(&v, r, NULL);

	if (rc >= 0)
		rc = read_line(s, r, &v.commit);
	if (rc >= 0)
		rc = read_stack(s, &v, most);
	sg_view_release(&v);
	if (rc >= 0)
		rc = sg_base_info(&s->base, r, NULL);
	if (rc >= 0)
		rc = read_waiting(s, r);
	if (rc >= 0)
		rc = sg_data_list(&s->data, r, NULL);
	return rc < 0 ? rc : read_jobs(s, r);
}

int sg_status(struct sg_status *out, struct sg_repo *r, size_t most)
{
	struct sg_status s = { 0 };
	int rc = read_all(&s, r, most);

	if (rc < 0)
		sg_status_release(&s);
	else
		*out = s;
	return rc;
}

void sg_status_release(struct sg_status *s)
{
	for (size_t i = 0; i < s->n_stack; i++)
		sg_graft_info_release(&s->stack[i]);
	for (size_t i = 0; i < s->n_cand; i++) {
		sg_graft_info_release(&s->cand[i].graft);
		free(s->cand[i].verdict);
	}
	for (size_t i = 0; i < s->n_jobs; i++) {
		free(s->job[i].file);
		free(s->job[i].type);
		free(s->job[i].name);
	}
	free(s->stack);
	free(s->cand);
	free(s->job);
	free(s->branch);
	free(s->subject);
	free(s->upstream);
	sg_base_info_release(&s->base);
	sg_data_list_release(&s->data);
	*s = (struct sg_status){ 0 };
}
