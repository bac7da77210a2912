/*
 * Approvals: a signer of the policy signs what a receipt says of a candidate. The
 * statement is made from the receipt, so an approval of one verdict is none of
 * another; it waits on a ref of its own and goes into the graft's folder when the
 * candidate is accepted.
 */
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

#define SMALL ((size_t)64 << 10)

static void put(struct sg_jsonw *w, const char *key, const char *value)
{
	sg_jsonw_key(w, key);
	sg_jsonw_str(w, value);
}

int sg_approval_text(struct sg_buf *out, const struct sg_receipt *p, const char *receipt_sha)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	put(&w, "base", p->base);
	put(&w, "format", "sg-approval-1");
	put(&w, "graft", p->graft);
	put(&w, "policy", p->policy);
	put(&w, "prev_state", p->parent);
	put(&w, "receipt", receipt_sha);
	put(&w, "state", p->candidate);
	put(&w, "verdict", sg_verdict_name(p->verdict));
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

/* How a key is called in refs and files. */
static int key16(char out[17], const struct sg_pubkey *k)
{
	struct sg_buf blob = { 0 };
	char hex[SG_SHA256_HEX] = "";
	int rc = sg_pubkey_blob(&blob, k);

	if (rc >= 0)
		rc = sg_sha256_hex(hex, blob.data, blob.len);
	snprintf(out, 17, "%.16s", hex);
	sg_buf_release(&blob);
	return rc;
}

static int text_of(struct sg_buf *out, char sha[SG_SHA256_HEX], const struct sg_receipt *p)
{
	struct sg_buf bytes = { 0 };
	int rc = sg_receipt_emit(&bytes, p);

	if (rc >= 0)
		rc = sg_sha256_hex(sha, bytes.data, bytes.len);
	if (rc >= 0)
		rc = sg_approval_text(out, p, sha);
	sg_buf_release(&bytes);
	return rc;
}

/* --- gathering --------------------------------------------------------------- */

void sg_approvals_release(struct sg_approvals *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->a[i].who);
		sg_buf_release(&a->a[i].sig);
	}
	free(a->a);
	*a = (struct sg_approvals){ 0 };
}

/* Takes the signature over when it is one of this text by a signer who is not counted yet. */
static int add(struct sg_approvals *l, struct sg_repo *r, const struct sg_buf *text, struct sg_buf *sig,
	       const struct sg_policy *policy, char bad[300])
{
	const struct sg_policy_signer *signer;
	struct sg_approval *a;
	struct sg_signed s;

	SG_TRY(sg_trust_signed_bytes(&s, r, sig, SG_SIG_APPROVAL, text->data, text->len, policy, 0));
	SG_TRY(sg_trust_signer(&signer, policy, &s.key));
	if (s.how != SG_SIG_GOOD || !signer) {
		if (bad && *bad != '!')
			snprintf(bad, 300, "%c%.290s", s.how == SG_SIG_BAD || s.how == SG_SIG_NONE ? '!' : '?', s.text);
		return 0;
	}
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->a[i].who, signer->name))
			return 0;
	SG_TRY(SG_GROW(l->a, l->n, l->cap));
	a = &l->a[l->n];
	*a = (struct sg_approval){ .who = sg_strdup(signer->name), .required = signer->required };
	if (!a->who)
		return -SG_E_NOMEM;
	l->n++;
	a->sig = *sig;
	*sig = (struct sg_buf){ 0 };
	return key16(a->key16, &s.key);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sg_approval *)a)->who, ((const struct sg_approval *)b)->who);
}

int sg_approvals_waiting(struct sg_approvals *out, struct sg_repo *r, const struct sg_receipt *p, const struct sg_policy *policy)
{
	struct sg_approvals l = { 0 };
	struct sg_buf text = { 0 };
	struct sg_refs refs = { 0 };
	char sha[SG_SHA256_HEX], prefix[64];
	int rc = text_of(&text, sha, p);

	snprintf(prefix, sizeof(prefix), "refs/sg/approve/%.16s/", p->graft);
	if (rc >= 0)
		rc = sg_ref_list(&refs, r->reg, prefix);
	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		struct sg_buf sig = { 0 };

		rc = sg_tree_read(&sig, r->reg, &refs.ref[i].oid, "approval.sig", SMALL);
		if (rc >= 0)
			rc = add(&l, r, &text, &sig, policy, NULL);
		if (rc < 0 && rc != -SG_E_NOMEM)
			rc = 0;		/* a ref that holds no approval gives none */
		sg_buf_release(&sig);
	}
	sg_refs_release(&refs);
	sg_buf_release(&text);
	if (rc < 0) {
		sg_approvals_release(&l);
		return rc;
	}
	if (l.n)
		qsort(l.a, l.n, sizeof(*l.a), by_name);
	*out = l;
	return 0;
}

/* The statement that a stored receipt gives. */
static int stored_text(struct sg_buf *out, struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_receipt p = { 0 };
	struct sg_buf b = { 0 };
	char path[64], sha[SG_SHA256_HEX];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/receipt.mp", id16);
	rc = sg_tree_read(&b, r->reg, commit, path, SG_RECEIPT_MAX);
	if (rc >= 0)
		rc = sg_receipt_parse(&p, b.data, b.len, path);
	if (rc >= 0)
		rc = sg_sha256_hex(sha, b.data, b.len);
	if (rc >= 0)
		rc = sg_approval_text(out, &p, sha);
	sg_receipt_release(&p);
	sg_buf_release(&b);
	return rc;
}

int sg_approvals_stored(struct sg_approvals *out, struct sg_repo *r, const struct sg_oid *commit, const char *id16,
			const struct sg_policy *policy, char bad[300])
{
	struct sg_approvals l = { 0 };
	struct sg_tree_list files = { 0 };
	struct sg_buf text = { 0 };
	char path[400];
	int rc;

	if (bad)
		bad[0] = '\0';
	snprintf(path, sizeof(path), "grafts/%.16s/approvals", id16);
	rc = sg_tree_list(&files, r->reg, commit, path);
	if (rc == -SG_E_NOTFOUND) {
		*out = l;
		return 0;
	}
	if (rc >= 0)
		rc = stored_text(&text, r, commit, id16);
	for (size_t i = 0; rc >= 0 && i < files.n; i++) {
		struct sg_buf sig = { 0 };

		snprintf(path, sizeof(path), "grafts/%.16s/approvals/%.200s", id16, files.entry[i].name);
		rc = sg_tree_read(&sig, r->reg, commit, path, SMALL);
		if (rc >= 0)
			rc = add(&l, r, &text, &sig, policy, bad);
		sg_buf_release(&sig);
	}
	sg_tree_list_release(&files);
	sg_buf_release(&text);
	if (rc >= 0 && l.n)
		qsort(l.a, l.n, sizeof(*l.a), by_name);
	if (rc < 0)
		sg_approvals_release(&l);
	else
		*out = l;
	return SG_MIN(rc, 0);
}

/* --- are they enough? -------------------------------------------------------- */

static bool has(const struct sg_approvals *a, const char *who)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->a[i].who, who))
			return true;
	return false;
}

/* Signers who have not approved; required: only those that must. */
static int put_missing(struct sg_buf *b, const struct sg_approvals *a, const struct sg_policy *policy, bool required)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_signers; i++) {
		const struct sg_policy_signer *s = &policy->signer[i];

		if (!has(a, s->name) && (s->required || !required))
			SG_TRY(sg_buf_fmt(b, "%s%s", n++ ? ", " : "", s->name));
	}
	return (int)n;
}

int sg_approvals_suffice(const struct sg_approvals *a, const struct sg_policy *policy, const char *id)
{
	struct sg_buf must = { 0 }, may = { 0 };
	int rc = put_missing(&must, a, policy, true), n = rc;

	if (rc >= 0)
		rc = put_missing(&may, a, policy, false);
	if (rc >= 0 && n)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s is not approved by %s, as the policy requires", id, must.data);
	else if (rc >= 0 && (int64_t)a->n < policy->trust.approvals)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s has %zu of %lld approvals; still to ask: %s", id, a->n,
			     (long long)policy->trust.approvals, may.data);
	sg_buf_release(&must);
	sg_buf_release(&may);
	return SG_MIN(rc, 0);
}

/* --- into a commit ----------------------------------------------------------- */

int sg_approvals_put(struct sg_change *c, const struct sg_approvals *a, const struct sg_receipt *p, const char *receipt_sha)
{
	struct sg_buf text = { 0 };
	char path[100];
	int rc;

	if (!a->n)
		return 0;
	rc = sg_approval_text(&text, p, receipt_sha);
	snprintf(path, sizeof(path), "grafts/%.16s/approval.json", p->graft);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, text.data, text.len);
	for (size_t i = 0; rc >= 0 && i < a->n; i++) {
		snprintf(path, sizeof(path), "grafts/%.16s/approvals/%s.sig", p->graft, a->a[i].key16);
		rc = sg_tree_put_data(c->tree, c->pack, path, a->a[i].sig.data, a->a[i].sig.len);
	}
	sg_buf_release(&text);
	return rc;
}

int sg_receipt_put(struct sg_change *c, const char *path, const struct sg_buf *bytes)
{
	struct sg_buf sig = { 0 };
	char beside[300];
	size_t n = strlen(path);
	int rc = sg_tree_put_data(c->tree, c->pack, path, bytes->data, bytes->len);

	if (rc >= 0)
		rc = sg_signing_wanted(c->r->reg, "commit.gpgSign");
	if (rc <= 0)
		return rc;
	n -= n > 3 && !strcmp(path + n - 3, ".mp") ? 3 : 0;
	snprintf(beside, sizeof(beside), "%.*s.sig", (int)n, path);
	rc = sg_signing_sign(&sig, c->r->reg, SG_SIG_RECEIPT, bytes->data, bytes->len);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, beside, sig.data, sig.len);
	sg_buf_release(&sig);
	return rc;
}

/* --- approving --------------------------------------------------------------- */

static int fill(struct sg_approved *out, const struct sg_approvals *a, const struct sg_receipt *p, const struct sg_policy *policy)
{
	strcpy(out->graft, p->graft);
	strcpy(out->state, p->candidate);
	out->needed = (uint64_t)policy->trust.approvals;
	for (size_t i = 0; i < a->n; i++)
		SG_TRY(sg_names_add(&out->by, a->a[i].who));
	for (size_t i = 0; i < policy->n_signers; i++) {
		const struct sg_policy_signer *s = &policy->signer[i];

		if (has(a, s->name))
			continue;
		SG_TRY(sg_names_add(&out->open, s->name));
		if (s->required)
			SG_TRY(sg_names_add(&out->required, s->name));
	}
	out->enough = sg_approvals_suffice(a, policy, p->graft) >= 0;
	return 0;
}

void sg_approved_release(struct sg_approved *a)
{
	free(a->name);
	sg_names_release(&a->by);
	sg_names_release(&a->open);
	sg_names_release(&a->required);
	*a = (struct sg_approved){ 0 };
}

static int message(struct sg_buf *m, const struct sg_receipt *p, const char *name, const char *who)
{
	char subject[400];

	snprintf(subject, sizeof(subject), "approve %.64s: %.200s", name ? name : p->graft, who);
	SG_TRY(sg_message(m, subject, NULL));
	SG_TRY(sg_message_trailer(m, "Sg-Op", "approve"));
	SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", p->graft));
	SG_TRY(sg_message_trailer(m, "Sg-State", "sha256:%s", p->candidate));
	return sg_message_trailer(m, "Sg-Prev-State", "sha256:%s", p->parent);
}

/* The commit on refs/sg/approve/<id16>/<key16>; an earlier one stays its parent. */
static int keep(struct sg_repo *r, const struct sg_found *cand, const struct sg_receipt *p, const struct sg_pubkey *key,
		const char *who)
{
	struct sg_oid parents[2] = { cand->commit }, old = { { 0 } };
	struct sg_buf text = { 0 }, sig = { 0 }, m = { 0 };
	struct sg_change c = { 0 };
	char ref[80], k[17], sha[SG_SHA256_HEX];
	size_t n = 1;
	int rc = key16(k, key);

	snprintf(ref, sizeof(ref), "refs/sg/approve/%.16s/%s", p->graft, k);
	if (rc >= 0 && sg_ref_get(&old, r->reg, ref) >= 0)
		parents[n++] = old;
	if (rc >= 0)
		rc = text_of(&text, sha, p);
	if (rc >= 0)
		rc = sg_signing_sign(&sig, r->reg, SG_SIG_APPROVAL, text.data, text.len);
	if (rc >= 0)
		rc = message(&m, p, cand->name, who);
	if (rc >= 0)
		rc = sg_change_begin_at(&c, r, &cand->commit);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, "approval.json", text.data, text.len);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, "approval.sig", sig.data, sig.len);
	if (rc >= 0)
		rc = sg_change_done_ref(&c, NULL, ref, n > 1 ? &old : NULL, parents, n, m.data);
	sg_change_release(&c);
	sg_buf_release(&text);
	sg_buf_release(&sig);
	sg_buf_release(&m);
	return rc;
}

/* The signer that this user's key is. */
static int myself(struct sg_pubkey *key, const struct sg_policy_signer **who, struct sg_repo *r, const struct sg_policy *policy)
{
	char print[SG_PUBKEY_PRINT];

	if (!policy->n_signers)
		return sg_fail(SG_E_REFUSED, "the policy names no signers, so nobody can approve");
	SG_TRY(sg_signing_key(key, r->reg));
	SG_TRY(sg_pubkey_print(print, key));
	SG_TRY(sg_trust_signer(who, policy, key));
	return *who ? 0 : sg_fail(SG_E_REFUSED, "your key %s is that of no signer of the policy", print);
}

int sg_approve(struct sg_approved *out, struct sg_repo *r, const char *word, bool look)
{
	const struct sg_policy_signer *who = NULL;
	struct sg_approved done = { .look = look };
	struct sg_approvals a = { 0 };
	struct sg_policy policy = { 0 };
	struct sg_receipt p = { 0 };
	struct sg_found cand = { 0 };
	struct sg_pubkey key;
	int rc = sg_judged_receipt(&p, &cand, &policy, r, word);

	if (rc >= 0 && p.verdict != SG_ACCEPT)
		rc = sg_fail(SG_E_REFUSED, "graft %.16s was judged: %s; that is not to be approved", p.graft,
			     sg_verdict_name(p.verdict));
	if (rc >= 0 && !look)
		rc = myself(&key, &who, r, &policy);
	if (rc >= 0)
		rc = sg_approvals_waiting(&a, r, &p, &policy);
	if (rc >= 0 && !look && !(done.again = has(&a, who->name))) {
		rc = keep(r, &cand, &p, &key, who->name);
		sg_approvals_release(&a);
		if (rc >= 0)
			rc = sg_approvals_waiting(&a, r, &p, &policy);
	}
	if (rc >= 0)
		rc = fill(&done, &a, &p, &policy);
	if (rc >= 0 && cand.name)
		rc = (done.name = sg_strdup(cand.name)) ? 0 : -SG_E_NOMEM;
	sg_approvals_release(&a);
	sg_receipt_release(&p);
	sg_policy_release(&policy);
	sg_found_release(&cand);
	if (rc < 0)
		sg_approved_release(&done);
	else
		*out = done;
	return rc;
}
