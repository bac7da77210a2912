/* The policy: its text in the tree, changed by commits. */
#include "sg_repo.h"
#include "base/error.h"

int sg_policy_text(struct sg_buf *out, struct sg_repo *r, const char *rev)
{
	struct sg_oid commit;

	SG_TRY(sg_rev_parse(&commit, r->reg, rev ? rev : "HEAD"));
	return sg_tree_read(out, r->reg, &commit, "policy", SG_POLICY_MAX);
}

int sg_policy_at(struct sg_policy *out, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_buf b = { 0 };
	int rc = sg_tree_read(&b, r->reg, commit, "policy", SG_POLICY_MAX);

	if (rc >= 0)
		rc = sg_policy_parse(out, b.data, b.len, "policy");
	sg_buf_release(&b);
	return rc;
}

static int parsed(struct sg_policy *out, struct sg_repo *r, const char *rev)
{
	struct sg_oid commit;

	SG_TRY(sg_rev_parse(&commit, r->reg, rev ? rev : "HEAD"));
	return sg_policy_at(out, r, &commit);
}

int sg_policy_value(struct sg_buf *out, struct sg_repo *r, const char *rev, const char *key)
{
	struct sg_policy p = { 0 };
	int rc = parsed(&p, r, rev);

	if (rc >= 0)
		rc = sg_policy_get(out, &p, key);
	sg_policy_release(&p);
	return rc;
}

int sg_policy_values(struct sg_buf *out, struct sg_repo *r, const char *rev)
{
	struct sg_policy p = { 0 };
	int rc = parsed(&p, r, rev);

	if (rc >= 0)
		rc = sg_policy_list(out, &p);
	sg_policy_release(&p);
	return rc;
}

static int commit_text(struct sg_repo *r, const char *subject, const char *text, size_t n)
{
	struct sg_change c = { 0 };
	struct sg_buf m = { 0 };
	char id[SG_SHA256_HEX];
	int rc = sg_sha256_hex(id, text, n);

	if (rc >= 0)
		rc = sg_message(&m, subject, NULL);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Op", "policy");
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Policy", "sha256:%s", id);
	if (rc >= 0)
		rc = sg_change_begin(&c, r);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, "policy", text, n);
	if (rc >= 0)
		rc = sg_change_done(&c, NULL, NULL, m.data);
	sg_change_release(&c);
	sg_buf_release(&m);
	return rc;
}

int sg_policy_change(struct sg_repo *r, const char *key, const char *value)
{
	struct sg_buf old = { 0 }, new = { 0 };
	char subject[300];
	int rc = sg_policy_text(&old, r, NULL);

	if (rc >= 0)
		rc = sg_policy_set(&new, old.data, old.len, "policy", key, value);
	snprintf(subject, sizeof(subject), "policy: %.100s %s %.100s", key, value ? "=" : "back to its",
		 value ? value : "default");
	if (rc >= 0 && (new.len != old.len || memcmp(new.data, old.data, new.len)))
		rc = commit_text(r, subject, new.data, new.len);
	sg_buf_release(&old);
	sg_buf_release(&new);
	return rc;
}

int sg_policy_replace(struct sg_repo *r, const char *text, size_t n)
{
	struct sg_policy p = { 0 };

	SG_TRY(sg_policy_parse(&p, text, n, "policy"));
	sg_policy_release(&p);
	return commit_text(r, "policy: replaced", text, n);
}
