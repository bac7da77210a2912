/*
 * Trust in a line of growth: who signed a commit, and whether the policy that was in
 * force, its parent's, lets it stand on its branch. A policy is changed by those whom
 * it names itself: the new one says nothing about who may bring it.
 */
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/signers.h"

const char *sg_sig_name(enum sg_sig s)
{
	static const char *const name[] = { "none", "good", "unknown", "bad" };

	return name[s];
}

int sg_trust_policy(struct sg_policy *out, struct sg_repo *r, const struct sg_oid *commit)
{
	int rc = commit ? sg_policy_at(out, r, commit) : -SG_E_NOTFOUND;

	return rc == -SG_E_NOTFOUND ? sg_policy_parse(out, "", 0, "policy") : rc;
}

int sg_trust_branch(char **out, struct sg_repo *r)
{
	char *ref = NULL;
	int rc = sg_head_get(&ref, r->reg);

	if (rc == -SG_E_NOTFOUND)
		rc = 0;
	if (rc >= 0)
		rc = (*out = sg_strdup(ref && !strncmp(ref, "refs/heads/", 11) ? ref + 11 : "")) ? 0 : -SG_E_NOMEM;
	free(ref);
	return rc;
}

/* --- whose signature --------------------------------------------------------- */

int sg_trust_signer(const struct sg_policy_signer **out, const struct sg_policy *p, const struct sg_pubkey *key)
{
	char text[SG_PUBKEY_TEXT];

	*out = NULL;
	SG_TRY(sg_pubkey_text(text, key));
	for (size_t i = 0; p && !*out && i < p->n_signers; i++)
		if (!strcmp(p->signer[i].key, text))
			*out = &p->signer[i];
	return 0;
}

/* The user's own file of allowed signers, for whom no policy names. */
static int ask_file(struct sg_signed *s, struct sg_repo *r, const char *name_space, int64_t time)
{
	struct sg_allowed_list l = { 0 };
	const struct sg_allowed *a;
	struct sg_buf b = { 0 };
	char *value = NULL, *path = NULL;
	const char *why = NULL;
	int rc = sg_registry_config_get(&value, r->reg, "gpg.ssh.allowedSignersFile");

	if (rc == -SG_E_NOTFOUND)
		return 0;
	if (rc >= 0)
		rc = sg_config_path(&path, value);
	if (rc >= 0)
		rc = sg_file_read(&b, path, SG_ALLOWED_MAX);
	if (rc >= 0)
		rc = sg_allowed_parse(&l, b.data ? b.data : "", b.len, path);
	a = rc >= 0 ? sg_allowed_find(&l, &s->key, name_space, time, &why) : NULL;
	if (a) {
		s->how = SG_SIG_GOOD;
		snprintf(s->who, sizeof(s->who), "%s", a->principals);
	} else if (why) {
		snprintf(s->text, sizeof(s->text), "key %s: %s", s->print, why);
	} else if (rc < 0 && rc != -SG_E_NOMEM) {	/* a file that cannot be read says nothing of a signature */
		snprintf(s->text, sizeof(s->text), "%.290s", sg_error_message());
		rc = 0;
	}
	sg_allowed_release(&l);
	sg_buf_release(&b);
	free(value);
	free(path);
	return SG_MIN(rc, 0);
}

int sg_trust_signed_bytes(struct sg_signed *out, struct sg_repo *r, const struct sg_buf *armour, const char *name_space,
			  const void *data, size_t n, const struct sg_policy *p, int64_t time)
{
	struct sg_signed s = { .how = SG_SIG_NONE };
	const struct sg_policy_signer *signer;
	int rc = 0;

	if (armour->len) {
		rc = sg_sshsig_check(&s.key, armour->data, armour->len, name_space, data, n);
		if (rc == -SG_E_NOMEM)
			return rc;
		s.how = rc == -SG_E_UNSUPPORTED ? SG_SIG_UNKNOWN : rc < 0 ? SG_SIG_BAD : SG_SIG_UNKNOWN;
		if (rc < 0)
			snprintf(s.text, sizeof(s.text), "%.290s", sg_error_message());
	}
	if (armour->len && rc >= 0) {
		SG_TRY(sg_pubkey_print(s.print, &s.key));
		SG_TRY(sg_trust_signer(&signer, p, &s.key));
		snprintf(s.text, sizeof(s.text), "key %s is nobody's who is known", s.print);
		if (signer) {
			s.how = SG_SIG_GOOD;
			s.by_policy = true;
			snprintf(s.who, sizeof(s.who), "%s", signer->name);
		} else {
			SG_TRY(ask_file(&s, r, name_space, time));
		}
		if (s.how == SG_SIG_GOOD)
			s.text[0] = '\0';
	}
	*out = s;
	return 0;
}

/* When it was signed, as it says itself: of a commit its committer's time, of a tag its
 * tagger's. */
static int64_t time_of(const char *data, size_t n, bool tag)
{
	const char *key = tag ? "\ntagger " : "\ncommitter ", *at = memmem(data, n, key, strlen(key)), *gt, *e;

	e = at ? memchr(at + 1, '\n', (size_t)(data + n - at) - 1) : NULL;
	gt = e ? memchr(at, '>', (size_t)(e - at)) : NULL;
	return gt ? strtoll(gt + 1, NULL, 10) : 0;
}

int sg_trust_signed(struct sg_signed *out, struct sg_repo *r, const struct sg_oid *oid, const struct sg_policy *p)
{
	struct sg_buf payload = { 0 }, armour = { 0 };
	enum sg_object_type type = SG_OBJ_COMMIT;
	int rc = sg_signed_object(&payload, &armour, &type, r->reg, oid);

	if (rc == -SG_E_CORRUPT && payload.len) {	/* two signatures */
		*out = (struct sg_signed){ .how = SG_SIG_BAD };
		snprintf(out->text, sizeof(out->text), "%.290s", sg_error_message());
		rc = 0;
	} else if (rc >= 0) {
		rc = sg_trust_signed_bytes(out, r, &armour, SG_SIG_GIT, payload.data, payload.len, p,
					   time_of(payload.data, payload.len, type == SG_OBJ_TAG));
	}
	sg_buf_release(&payload);
	sg_buf_release(&armour);
	return rc;
}

/* --- what a commit needs ----------------------------------------------------- */

static int object_at(struct sg_oid *out, struct sg_repo *r, const struct sg_oid *commit, const char *path)
{
	int rc;

	*out = (struct sg_oid){ { 0 } };
	rc = sg_tree_find(out, NULL, r->reg, commit, path);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

static int policy_changed(struct sg_repo *r, const struct sg_commit *c)
{
	struct sg_oid a, b;

	SG_TRY(object_at(&a, r, &c->parent[0], "policy"));
	SG_TRY(object_at(&b, r, &c->id, "policy"));
	return !sg_oid_eq(&a, &b);
}

static int check_signature(struct sg_repo *r, const char *branch, const struct sg_commit *c, const struct sg_policy *t,
			   bool policy)
{
	struct sg_signed s;
	char hex[SG_OID_HEX];

	SG_TRY(sg_trust_signed(&s, r, &c->id, t));
	if (s.how == SG_SIG_GOOD && s.by_policy)
		return 0;
	sg_oid_hex(hex, &c->id);
	return sg_fail(SG_E_REFUSED, "commit %.10s %s%s%s, and %s%s%s; %s", hex,
		       policy ? "changes the policy" : "stands on '", policy ? "" : branch, policy ? "" : "'",
		       policy ? "the policy before it has signers" : "the policy protects that branch",
		       s.how == SG_SIG_NONE ? "" : ": ", s.how == SG_SIG_NONE ? "" : s.how == SG_SIG_GOOD ?
		       "its signature is by nobody whom the policy names" : s.text, s.how == SG_SIG_NONE ?
		       "it is not signed" : s.how == SG_SIG_BAD ? "its signature is bad" : "no signer of the policy signed it");
}

static bool is_id16(const char *s)
{
	return strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16;
}

/* Every graft that the commit takes in, but for those that a consolidation carries on. */
static int check_approved(struct sg_repo *r, const struct sg_commit *c, const struct sg_policy *t)
{
	struct sg_tree_list l = { 0 };
	char *op = NULL;
	int rc = sg_trailer(&op, c->message, "Sg-Op", 0);
	bool carried = rc >= 0 && !strcmp(op, "consolidate");

	free(op);
	if (carried)
		return 0;
	rc = sg_tree_list(&l, r->reg, &c->id, "grafts");
	if (rc == -SG_E_NOTFOUND)
		return 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		struct sg_approvals a = { 0 };
		struct sg_oid before;
		char path[64];

		if (!is_id16(l.entry[i].name))
			continue;
		snprintf(path, sizeof(path), "grafts/%s", l.entry[i].name);
		rc = object_at(&before, r, &c->parent[0], path);
		if (rc < 0 || !sg_oid_is_zero(&before))
			continue;
		rc = sg_approvals_stored(&a, r, &c->id, l.entry[i].name, t, NULL);
		if (rc >= 0)
			rc = sg_approvals_suffice(&a, t, l.entry[i].name);
		sg_approvals_release(&a);
	}
	sg_tree_list_release(&l);
	return SG_MIN(rc, 0);
}

static int check_under(struct sg_repo *r, const char *branch, const struct sg_commit *c, const struct sg_policy *t)
{
	bool protected = branch && sg_policy_protects(t, branch);
	int changed;

	if (!t->n_signers)
		return 0;
	changed = policy_changed(r, c);
	SG_TRY(changed);
	if (changed || (protected && t->trust.sign))
		SG_TRY(check_signature(r, branch, c, t, changed && !protected));
	return protected ? check_approved(r, c, t) : 0;
}

int sg_trust_commit(struct sg_repo *r, const char *branch, const struct sg_commit *c, const struct sg_policy *in_force)
{
	struct sg_policy t = { 0 };
	int rc;

	if (!c->n_parents)
		return 0;
	rc = sg_trust_policy(&t, r, &c->parent[0]);
	if (rc >= 0)
		rc = check_under(r, branch, c, &t);
	if (rc >= 0 && in_force)
		rc = check_under(r, branch, c, in_force);
	sg_policy_release(&t);
	return rc;
}

struct line {
	struct sg_repo *r;
	const char *branch;
	const struct sg_policy *in_force;
	const struct sg_oid *from;
	struct sg_oid silent;		/* the policy's blob that was last seen to have no signers */
	bool met;
};

static int meets(void *arg, const struct sg_commit *c)
{
	struct line *l = arg;

	l->met |= c->n_parents && sg_oid_eq(&c->parent[0], l->from);
	return 0;
}

/* Long lines whose policy asks for nothing cost one look at a tree each commit. */
static int is_silent(struct line *l, const struct sg_oid *commit)
{
	struct sg_policy t = { 0 };
	struct sg_oid blob;

	SG_TRY(object_at(&blob, l->r, commit, "policy"));
	if (sg_oid_eq(&blob, &l->silent) && !sg_oid_is_zero(&blob))
		return 1;
	SG_TRY(sg_trust_policy(&t, l->r, commit));
	if (!t.n_signers)
		l->silent = blob;
	sg_policy_release(&t);
	return !sg_oid_is_zero(&blob) && sg_oid_eq(&blob, &l->silent);
}

static int check_step(void *arg, const struct sg_commit *c)
{
	struct line *l = arg;
	int rc = 0;

	if (c->n_parents && !l->in_force)
		SG_TRY(rc = is_silent(l, &c->parent[0]));
	if (c->n_parents && !rc)
		rc = sg_trust_commit(l->r, l->branch, c, l->in_force);

	/* a line that begins anew beside a protected one */
	if (rc >= 0 && !c->n_parents && l->in_force && sg_policy_protects(l->in_force, l->branch))
		return sg_fail(SG_E_REFUSED, "the line of growth is another one, which begins anew");
	return SG_MIN(rc, 0);
}

int sg_trust_line(struct sg_repo *r, const char *branch, const struct sg_oid *from, const struct sg_oid *to)
{
	struct line l = { .r = r, .branch = branch, .from = from };
	struct sg_policy t = { 0 };
	int rc;

	if (from && sg_oid_eq(from, to))
		return 0;
	if (!from)
		return sg_history_walk(r->reg, to, 1, NULL, 0, SG_WALK_FIRST_PARENT | SG_WALK_REVERSE, check_step, &l);
	rc = sg_trust_policy(&t, r, from);
	if (rc >= 0)
		rc = sg_history_walk(r->reg, to, 1, from, 1, SG_WALK_FIRST_PARENT, meets, &l);
	/* what goes past it on another line answers to its policy all the same: else a line
	 * without signers that merges this one would do away with them */
	if (rc >= 0 && !l.met)
		l.in_force = &t;
	if (rc >= 0)
		rc = sg_history_walk(r->reg, to, 1, from, 1, SG_WALK_FIRST_PARENT | SG_WALK_REVERSE, check_step, &l);
	sg_policy_release(&t);
	return rc;
}

int sg_trust_remote(struct sg_repo *r, const char *rev, const struct sg_oid *base, const struct sg_oid *theirs)
{
	static const char *const prefix[] = { "", "refs/", "refs/remotes/" };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < SG_LEN(prefix); i++) {
		char *full = sg_asprintf("%s%s", prefix[i], rev), *branch;
		struct sg_oid oid;

		if (!full)
			return -SG_E_NOMEM;
		branch = strncmp(full, "refs/remotes/", 13) ? NULL : strchr(full + 13, '/');
		if (branch && sg_ref_name_ok(full) && sg_ref_get(&oid, r->reg, full) >= 0)
			rc = sg_trust_line(r, branch + 1, base, theirs);
		free(full);
	}
	return rc;
}

int sg_trust_ready(struct sg_repo *r, const char *ref, const struct sg_oid *head)
{
	const struct sg_policy_signer *who = NULL;
	struct sg_policy t = { 0 };
	struct sg_pubkey key;
	char print[SG_PUBKEY_PRINT] = "";
	int rc, wanted;

	if (strncmp(ref, "refs/heads/", 11) || sg_oid_is_zero(head))
		return 0;
	rc = sg_trust_policy(&t, r, head);
	if (rc < 0 || !sg_policy_protects(&t, ref + 11) || !t.trust.sign)
		goto out;
	rc = wanted = sg_signing_wanted(r->reg, "commit.gpgSign");
	if (rc >= 0 && !wanted)
		rc = sg_fail(SG_E_REFUSED, "the policy protects '%s': what is committed there must be signed by a signer%s",
			     ref + 11, sg_signing_possible(r->reg) ? "; -S signs" : ", see SIGNATURES in sg(1)");
	if (rc >= 0)
		rc = sg_signing_key(&key, r->reg);
	if (rc >= 0)
		rc = sg_pubkey_print(print, &key);
	if (rc >= 0)
		rc = sg_trust_signer(&who, &t, &key);
	if (rc >= 0 && !who)
		rc = sg_fail(SG_E_REFUSED, "the policy protects '%s', and your key %s is that of no signer", ref + 11, print);
out:
	sg_policy_release(&t);
	return SG_MIN(rc, 0);
}
