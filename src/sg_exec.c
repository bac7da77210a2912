/*
 * The gate `exec`: a program of the user's looks at the candidate. Its command line
 * stands in the configuration of this machine, so that nothing that was fetched can
 * run. It gets JSON on stdin and answers by its exit status: 0 accepts, 1 rejects,
 * anything else defers. Whoever wants it in a sandbox writes that into the command.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/child.h"
#include <unistd.h>

#define ANSWER_MAX ((size_t)1 << 20)	/* what it prints is hashed, and shown to nobody */

static void put(struct sg_jsonw *w, const char *key, const char *value)
{
	sg_jsonw_key(w, key);
	sg_jsonw_str(w, value);
}

static int question(struct sg_buf *out, const struct sg_trial *t, const struct sg_view *parent, const char *model)
{
	const struct sg_receipt *p = &t->receipt;
	char commit[SG_COMMIT_HEX];
	struct sg_jsonw w;

	sg_oid_hex(commit, &parent->commit);
	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	put(&w, "base", p->base);
	put(&w, "candidate", p->candidate);
	put(&w, "commit", commit);
	put(&w, "graft", p->graft);
	if (model)
		put(&w, "model", model);
	put(&w, "parent", p->parent);
	sg_jsonw_key(&w, "sets");
	sg_jsonw_array(&w);
	for (size_t i = 0; i < p->n_sets; i++) {
		const struct sg_receipt_set *s = &p->set[i];
		double parent_sum = 0, cand_sum = 0, tokens = 0;

		for (size_t d = 0; d < s->docs; d++) {
			parent_sum += s->parent[d];
			cand_sum += s->cand[d];
			tokens += s->tokens[d];
		}
		sg_jsonw_object(&w);
		sg_jsonw_key(&w, "cand");
		sg_jsonw_f64(&w, tokens > 0 ? cand_sum / tokens : 0);
		put(&w, "name", s->name);
		sg_jsonw_key(&w, "parent");
		sg_jsonw_f64(&w, tokens > 0 ? parent_sum / tokens : 0);
		put(&w, "role", s->role);
		sg_jsonw_end(&w, '}');
	}
	sg_jsonw_end(&w, ']');
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

/* The composed model as a folder, where it is asked for. */
static int write_model(char **out, struct sg_trial *t, const struct sg_extra *cand)
{
	struct sg_export_info info = { .tensors = 0 };
	struct sg_export_opts o = { .cand = cand->id, .force = true };
	char name[64];
	int rc;

	if (!t->policy.exec.model)
		return 0;
	snprintf(name, sizeof(name), "tmp/model-%ld", (long)getpid());
	o.dir = *out = sg_repo_path(t->r, name);
	rc = *out ? sg_export_hf(&info, t->r, &o, t->progress) : -SG_E_NOMEM;
	sg_export_info_release(&info);
	return rc;
}

static int ask(int *status, struct sg_buf *answer, struct sg_trial *t, const char *command, const struct sg_buf *in)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	char *dir = sg_asprintf("SG_DIR=%s", sg_repo_dir(t->r));
	const char *const env[] = { dir, NULL };
	struct sg_child c = { 0 };
	char words[200];
	int rc = dir ? sg_child_start_git(&c, argv, env) : -SG_E_NOMEM;

	if (rc >= 0) {
		/* one that does not read its question may still answer */
		(void)sg_child_write(&c, answer, ANSWER_MAX, in->data, in->len);
		sg_child_close_in(&c);
		while (answer->len < ANSWER_MAX && (rc = sg_child_read(&c, answer)) > 0)
			;
		if (rc >= 0)
			rc = sg_child_wait(&c, status, words, sizeof(words));
	}
	sg_child_release(&c);
	free(dir);
	return rc;
}

static int run(struct sg_trial *t, const char *command, struct sg_view *parent, const char *model)
{
	struct sg_buf in = { 0 }, answer = { 0 };
	char id[SG_SHA256_HEX], said[SG_SHA256_HEX];
	struct sg_receipt_set *s;
	int status = 0, rc = question(&in, t, parent, model);

	if (rc >= 0)
		rc = ask(&status, &answer, t, command, &in);
	if (rc >= 0)
		rc = sg_sha256_hex(id, command, strlen(command));
	if (rc >= 0)
		rc = sg_sha256_hex(said, answer.data, answer.len);
	if (rc >= 0)
		rc = sg_receipt_add_probe(&t->receipt, &s, "program/exec", "exec", id, said, 1, 1);
	if (rc >= 0) {
		s->cand[0] = status;
		s->tokens[0] = 1;
	}
	sg_buf_release(&in);
	sg_buf_release(&answer);
	return rc;
}

int sg_probe_exec(struct sg_trial *t, struct sg_view *parent, const struct sg_extra *cand)
{
	char *command = NULL, *model = NULL;
	int rc;

	if (!t->policy.exec.enabled)
		return 0;
	rc = sg_registry_config_get(&command, t->r->reg, "gate.exec.command");
	if (rc == -SG_E_NOTFOUND)
		return 0;	/* the gate defers */
	if (rc >= 0)
		rc = write_model(&model, t, cand);
	if (rc >= 0)
		rc = run(t, command, parent, model);
	if (model)
		(void)sg_dir_remove(model);
	free(model);
	free(command);
	return rc;
}
