/* Opening, making, and finding one's way in a registry. */
#include "sg_repo.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/remote.h"
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

int sg_open(struct sg_repo **out, const struct sg_open_opts *o)
{
	struct sg_repo *r;
	int rc;

	SG_TRY(SG_NEW(r, 1));
	r->threads = o->threads;
	r->device_name = sg_strdup(o->device ? o->device : "auto");
	rc = r->device_name ? sg_registry_open(&r->reg, o->start) : -SG_E_NOMEM;
	if (rc >= 0)
		rc = sg_repo_signing(r, o->signing);
	if (rc < 0)
		sg_close(r);
	else
		*out = r;
	return rc;
}

void sg_close(struct sg_repo *r)
{
	if (!r)
		return;
	if (r->dev_open)
		sg_device_close(&r->dev);
	sg_registry_free(r->reg);
	free(r->device_name);
	free(r);
}

const char *sg_repo_dir(const struct sg_repo *r)
{
	return sg_registry_dir(r->reg);
}

/* A URL may have a password in it, which is kept and used but not shown. */
int sg_config_get(char **out, struct sg_repo *r, const char *key)
{
	char *value;
	int rc;

	SG_TRY(sg_registry_config_get(&value, r->reg, key));
	rc = sg_url_mask_text(out, value);
	free(value);
	return rc;
}

int sg_config_set(struct sg_repo *r, const char *key, const char *value)
{
	return sg_registry_config_set(r->reg, key, value);
}

int sg_config_list(struct sg_names *out, struct sg_repo *r)
{
	struct sg_names l = { 0 };
	int rc = sg_registry_config_list(&l, r->reg, "");

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char *shown;

		rc = sg_url_mask_text(&shown, l.name[i]);
		if (rc < 0)
			break;
		free(l.name[i]);
		l.name[i] = shown;
	}
	if (rc < 0)
		sg_names_release(&l);
	else
		*out = l;
	return rc;
}

char *sg_repo_path(const struct sg_repo *r, const char *name)
{
	return sg_path_join(sg_registry_dir(r->reg), name);
}

int sg_repo_signing(struct sg_repo *r, const struct sg_signing *s)
{
	struct sg_ask ask = { 0 };

	if (!s)
		return 0;
	ask = (struct sg_ask){ s->ask, s->arg };
	return sg_signing_set(r->reg, s->how == SG_SIGNING_ALWAYS ? SG_SIGN_YES :
			      s->how == SG_SIGNING_NEVER ? SG_SIGN_NO : SG_SIGN_CONFIG, s->key, &ask);
}

int sg_repo_device(struct sg_device **out, struct sg_repo *r)
{
	if (!r->dev_open) {
		SG_TRY(sg_device_open(&r->dev, r->device_name, r->threads));
		r->dev_open = true;
	}
	*out = &r->dev;
	return 0;
}

/* --- messages -------------------------------------------------------------- */

/* Names of grafts stand in messages, and some come from others: what they hold
 * must not begin a line of its own. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

int sg_message(struct sg_buf *out, const char *subject, const char *body)
{
	size_t at = out->len;

	SG_TRY(sg_buf_str(out, subject));
	one_line(out->data + at);
	SG_TRY(sg_buf_str(out, "\n\n"));
	return body && *body ? sg_buf_fmt(out, "%s\n\n", body) : 0;
}

int sg_message_trailer(struct sg_buf *out, const char *key, const char *fmt, ...)
{
	char value[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	one_line(value);
	return sg_buf_fmt(out, "%s: %s\n", key, value);
}

/* --- changes of the line of growth ------------------------------------------ */

int sg_change_begin(struct sg_change *c, struct sg_repo *r)
{
	int rc;

	*c = (struct sg_change){ .r = r };
	SG_TRY(sg_head_get(&c->ref, r->reg));
	rc = sg_ref_get(&c->head, r->reg, c->ref);
	if (rc == -SG_E_NOTFOUND)
		rc = 0;
	if (rc >= 0)
		rc = sg_trust_ready(r, c->ref, &c->head);
	if (rc >= 0)
		rc = sg_packer_open(&c->pack, r->reg);
	if (rc >= 0)
		rc = sg_tree_edit(&c->tree, r->reg, sg_oid_is_zero(&c->head) ? NULL : &c->head);
	if (rc < 0)
		sg_change_release(c);
	return rc;
}

int sg_change_begin_at(struct sg_change *c, struct sg_repo *r, const struct sg_oid *commit)
{
	int rc;

	*c = (struct sg_change){ .r = r, .head = *commit };
	rc = sg_packer_open(&c->pack, r->reg);
	if (rc >= 0)
		rc = sg_tree_edit(&c->tree, r->reg, commit);
	if (rc < 0)
		sg_change_release(c);
	return rc;
}

/* What is not to stand on a protected branch is not put there, whoever made it. */
static int check_trust(struct sg_repo *r, const char *ref, const struct sg_oid *commit)
{
	struct sg_commit c = { 0 };
	int rc;

	if (strncmp(ref, "refs/heads/", 11))
		return 0;
	SG_TRY(sg_commit_read(&c, r->reg, commit));
	rc = sg_trust_commit(r, ref + 11, &c, NULL);
	sg_commit_release(&c);
	return rc;
}

int sg_change_done_ref(struct sg_change *c, struct sg_oid *out, const char *ref, const struct sg_oid *old,
		       const struct sg_oid *parents, size_t n_parents, const char *message)
{
	struct sg_oid tree, commit;
	char *subject;
	int rc;

	SG_TRY(sg_tree_write(&tree, c->tree, c->pack));
	SG_TRY(sg_commit_make(&commit, c->r->reg, c->pack, &tree, parents, n_parents, message));
	SG_TRY(sg_packer_commit(c->pack));
	SG_TRY(check_trust(c->r, ref, &commit));
	subject = sg_commit_subject(message);
	rc = subject ? sg_ref_set(c->r->reg, ref, &commit, old, subject) : -SG_E_NOMEM;
	free(subject);
	if (rc >= 0 && out)
		*out = commit;
	return rc;
}

int sg_change_done(struct sg_change *c, struct sg_oid *out, const struct sg_oid *second, const char *message)
{
	struct sg_oid parents[2];
	size_t n = 0;

	if (!sg_oid_is_zero(&c->head))
		parents[n++] = c->head;
	if (second)
		parents[n++] = *second;
	return sg_change_done_ref(c, out, c->ref, sg_oid_is_zero(&c->head) ? NULL : &c->head, parents, n, message);
}

void sg_change_release(struct sg_change *c)
{
	sg_tree_free(c->tree);
	sg_packer_free(c->pack);
	free(c->ref);
	*c = (struct sg_change){ 0 };
}
