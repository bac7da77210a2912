/*
 * Who stands behind a commit: its signature, the signatures of receipts, approvals, and
 * whether the policy that was in force let it onto its branch.
 */
#include "sg_verify.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

#define SMALL ((size_t)64 << 10)

/* --- the commit -------------------------------------------------------------- */

/* Signers of the policy in force, and where it has none, of the one that the commit
 * brings: the first signer introduces himself. */
static int signers_of(struct sg_policy *t, struct sg_prover *p)
{
	struct sg_policy own = { 0 };
	int rc = sg_trust_policy(t, p->r, p->c->n_parents ? &p->c->parent[0] : NULL);

	if (rc < 0 && rc != -SG_E_NOMEM)	/* said of the commit that brought it */
		rc = sg_policy_parse(t, "", 0, "policy");
	if (rc < 0 || t->n_signers)
		return rc;
	rc = sg_trust_policy(&own, p->r, &p->c->id);
	if (rc >= 0) {
		sg_policy_release(t);
		*t = own;
	}
	return rc == -SG_E_NOMEM ? rc : 0;
}

static int check_signature(struct sg_prover *p, const struct sg_signed *s)
{
	p->v.signature = sg_sig_name(s->how);
	if (s->how == SG_SIG_NONE)
		return 0;
	if (!(p->v.signer = sg_strdup(s->how == SG_SIG_GOOD ? s->who : s->print)))
		return -SG_E_NOMEM;
	if (s->how == SG_SIG_BAD)
		return sg_prove_say(p, SG_DIFFERS, "signature", "", "%s", s->text);
	if (s->how == SG_SIG_UNKNOWN)
		return sg_prove_say(p, SG_OPEN, "signature", "", "%s", s->text);
	return sg_prove_say(p, SG_PROVEN, "signature", "", "good, by %s%s, key %s", s->who,
			    s->by_policy ? "" : " (of your own allowed signers)", s->print);
}

static int check_rule(struct sg_prover *p)
{
	struct sg_policy t = { 0 };
	bool asked;
	int rc;

	if (!p->c->n_parents || sg_trust_policy(&t, p->r, &p->c->parent[0]) < 0)
		return 0;
	asked = t.n_signers > 0;
	sg_policy_release(&t);
	if (!asked)
		return 0;
	rc = sg_trust_commit(p->r, p->nested ? NULL : p->branch, p->c, NULL);
	return sg_prove(p, rc, "trust", p->nested || !p->branch ? "" : p->branch, "as the policy of its parent wants it");
}

/* --- receipts and approvals -------------------------------------------------- */

int sg_prove_receipt_signature(struct sg_prover *p, const char *receipt, const char *subject)
{
	struct sg_buf sig = { 0 }, bytes = { 0 };
	struct sg_policy t = { 0 };
	struct sg_signed s = { 0 };
	char path[300];
	size_t n = strlen(receipt);
	int rc;

	snprintf(path, sizeof(path), "%.*s.sig", (int)(n - 3), receipt);
	rc = sg_tree_read(&sig, p->r->reg, &p->c->id, path, SMALL);
	if (rc == -SG_E_NOTFOUND)
		return 0;
	if (rc >= 0)
		rc = sg_tree_read(&bytes, p->r->reg, &p->c->id, receipt, SG_RECEIPT_MAX);
	if (rc >= 0)
		rc = signers_of(&t, p);
	if (rc >= 0)
		rc = sg_trust_signed_bytes(&s, p->r, &sig, SG_SIG_RECEIPT, bytes.data, bytes.len, &t, p->c->committer.time);
	sg_buf_release(&sig);
	sg_buf_release(&bytes);
	sg_policy_release(&t);
	if (rc < 0)
		return sg_prove(p, rc, "receipt signature", subject, "");
	if (s.how == SG_SIG_NONE)
		return sg_prove_say(p, SG_DIFFERS, "receipt signature", subject, "'%.200s' is empty", path);
	if (s.how != SG_SIG_GOOD)
		return sg_prove_say(p, s.how == SG_SIG_BAD ? SG_DIFFERS : SG_OPEN, "receipt signature", subject, "%s", s.text);
	return sg_prove_say(p, SG_PROVEN, "receipt signature", subject, "good, by %s", s.who);
}

/* What is said to be approved is what the receipt gives. */
static int check_statement(struct sg_prover *p, const char *id16)
{
	struct sg_buf b = { 0 }, made = { 0 }, stored = { 0 };
	struct sg_receipt r = { 0 };
	char path[80], sha[SG_SHA256_HEX];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", id16);
	rc = sg_tree_read(&b, p->r->reg, &p->c->id, path, SG_RECEIPT_MAX);
	if (rc >= 0)
		rc = sg_receipt_parse(&r, b.data, b.len, path);
	if (rc >= 0)
		rc = sg_sha256_hex(sha, b.data, b.len);
	if (rc >= 0)
		rc = sg_approval_text(&made, &r, sha);
	snprintf(path, sizeof(path), "grafts/%.16s/approval.json", id16);
	if (rc >= 0)
		rc = sg_tree_read(&stored, p->r->reg, &p->c->id, path, SMALL);
	if (rc >= 0 && (stored.len != made.len || memcmp(stored.data, made.data, made.len)))
		rc = sg_fail(SG_E_CORRUPT, "approval.json says other things than the receipt");
	sg_receipt_release(&r);
	sg_buf_release(&b);
	sg_buf_release(&made);
	sg_buf_release(&stored);
	return rc;
}

int sg_prove_approvals(struct sg_prover *p, const char *id16)
{
	struct sg_approvals a = { 0 };
	struct sg_policy t = { 0 };
	struct sg_buf names = { 0 };
	struct sg_oid oid;
	char path[80], bad[300];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/approvals", id16);
	if (sg_tree_find(&oid, NULL, p->r->reg, &p->c->id, path) == -SG_E_NOTFOUND)
		return 0;
	rc = signers_of(&t, p);
	if (rc >= 0)
		rc = sg_approvals_stored(&a, p->r, &p->c->id, id16, &t, bad);
	for (size_t i = 0; rc >= 0 && i < a.n; i++)
		rc = sg_buf_fmt(&names, "%s%s", i ? ", " : "by ", a.a[i].who);
	if (rc >= 0)
		rc = check_statement(p, id16);
	if (rc >= 0 && *bad == '!')
		rc = sg_fail(SG_E_CORRUPT, "one is no approval of this: %s", bad + 1);
	rc = sg_prove(p, rc, "approvals", id16, names.data ? names.data : "by no signer");
	if (rc >= 0 && *bad == '?')
		rc = sg_prove_say(p, SG_OPEN, "approvals", id16, "one is by nobody whom this policy names");
	sg_approvals_release(&a);
	sg_policy_release(&t);
	sg_buf_release(&names);
	return rc;
}

int sg_prove_trust(struct sg_prover *p)
{
	struct sg_policy t = { 0 };
	struct sg_signed s = { 0 };
	int rc = signers_of(&t, p);

	if (rc >= 0)
		rc = sg_trust_signed(&s, p->r, &p->c->id, &t);
	if (rc >= 0)
		rc = check_signature(p, &s);
	sg_policy_release(&t);
	return rc < 0 ? rc : check_rule(p);
}

/* --- remotes ----------------------------------------------------------------- */

static int say_ref(void *arg, const char *ref, int rc, const char *text)
{
	return sg_prove_say(arg, rc < 0 ? SG_DIFFERS : SG_PROVEN, "ref", ref, "%s", text);
}

/* 1: the second is the first's child, or at least behind it. */
static int follows(struct sg_prover *p, const struct sg_oid *old, const struct sg_oid *new)
{
	struct sg_commit c = { 0 };
	bool child;

	SG_TRY(sg_commit_read(&c, p->r->reg, new));
	child = c.n_parents && sg_oid_eq(&c.parent[0], old);
	sg_commit_release(&c);
	return child ? 1 : sg_history_is_ancestor(p->r->reg, old, new);
}

/* A change of the branch that let go of what was on it, and which is not there again. */
static int check_change(struct sg_prover *p, const struct sg_ref_change *e, const struct sg_oid *tip)
{
	char was[SG_OID_HEX], is[SG_OID_HEX];
	int rc;

	if (sg_oid_is_zero(&e->old) || !sg_object_exists(p->r->reg, &e->old) || !sg_object_exists(p->r->reg, &e->new))
		return 0;
	rc = follows(p, &e->old, &e->new);
	if (!rc)
		rc = sg_history_is_ancestor(p->r->reg, &e->old, tip);
	if (rc)
		return SG_MIN(rc, 0);
	sg_oid_hex(was, &e->old);
	sg_oid_hex(is, &e->new);
	return sg_prove_say(p, SG_OPEN, "ref", p->branch, "it was taken back from %.10s to %.10s, says its reflog: %.200s", was,
			    is, e->message ? e->message : "");
}

/* Our own branch, if it is protected, against what its reflog remembers. */
static int check_reflog(struct sg_prover *p)
{
	char *ref = p->branch ? sg_asprintf("refs/heads/%s", p->branch) : NULL;
	struct sg_ref_changes l = { 0 };
	struct sg_policy t = { 0 };
	struct sg_oid tip;
	int rc = 0;

	if (!ref || sg_ref_get(&tip, p->r->reg, ref) < 0 || !sg_oid_eq(&tip, &p->c->id) ||
	    sg_trust_policy(&t, p->r, &tip) < 0 || !sg_policy_protects(&t, p->branch) || sg_ref_changes(&l, p->r->reg, ref) < 0)
		goto out;
	if (l.n && !sg_oid_eq(&l.change[0].new, &tip))
		rc = sg_prove_say(p, SG_OPEN, "ref", p->branch, "it was moved without a word in its reflog");
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = check_change(p, &l.change[i], &tip);
out:
	sg_ref_changes_release(&l);
	sg_policy_release(&t);
	free(ref);
	return rc;
}

int sg_prove_refs(struct sg_prover *p)
{
	SG_TRY(check_reflog(p));
	return sg_seen_check(p->r, say_ref, p);
}

/* --- branches ---------------------------------------------------------------- */

/* "refs/heads/x" and "refs/remotes/r/x" to "x", yours; NULL: none of these. */
static char *branch_of(const char *ref)
{
	const char *slash;

	if (!strncmp(ref, "refs/heads/", 11))
		return sg_strdup(ref + 11);
	slash = strncmp(ref, "refs/remotes/", 13) ? NULL : strchr(ref + 13, '/');
	return slash ? sg_strdup(slash + 1) : NULL;
}

/* The first branch whose line of growth has the commit; NULL: none. */
static int holder(char **out, struct sg_repo *r, const struct sg_oid *tip, const char *prefix)
{
	struct sg_refs l = { 0 };
	int rc = sg_ref_list(&l, r->reg, prefix);

	for (size_t i = 0; rc >= 0 && !*out && i < l.n; i++) {
		rc = sg_history_is_ancestor(r->reg, tip, &l.ref[i].oid);
		if (rc > 0 && !(*out = branch_of(l.ref[i].name)))
			rc = -SG_E_NOMEM;
	}
	sg_refs_release(&l);
	return SG_MIN(rc, 0);
}

int sg_prove_branch(char **out, struct sg_repo *r, const char *rev, const struct sg_oid *tip)
{
	static const char *const prefix[] = { "", "refs/", "refs/heads/", "refs/remotes/" };
	char *head = NULL;
	int rc = 0;

	*out = NULL;
	if (!rev || !strcmp(rev, "HEAD") || !strcmp(rev, "@")) {
		if (sg_head_get(&head, r->reg) >= 0)
			*out = branch_of(head);
		free(head);
	}
	for (size_t i = 0; rev && !*out && i < SG_LEN(prefix); i++) {
		struct sg_oid oid;
		char *full = sg_asprintf("%s%s", prefix[i], rev);

		if (!full)
			return -SG_E_NOMEM;
		if (!strncmp(full, "refs/", 5) && sg_ref_name_ok(full) && sg_ref_get(&oid, r->reg, full) >= 0)
			*out = branch_of(full);
		free(full);
	}
	if (!*out)
		rc = holder(out, r, tip, "refs/heads/");
	if (rc >= 0 && !*out)
		rc = holder(out, r, tip, "refs/remotes/");
	return rc;
}
