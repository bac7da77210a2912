#ifndef SG_REGISTRY_COMMIT_H
#define SG_REGISTRY_COMMIT_H
#include "registry/object.h"
#include "registry/packer.h"
SG_C_BEGIN
/* time: seconds since 1970 UTC; tz: minutes east of it. */
struct sg_person { char *name, *email; int64_t time; int tz; };
struct sg_commit {
	struct sg_oid id, tree;
	struct sg_oid *parent;
	size_t n_parents;
	struct sg_person author, committer;
	char *message;			/* UTF-8 as stored */
	char *signature;		/* the gpgsig header unfolded, or NULL */
};

/* Write a commit, signed where signer.h says so; no ref moves. Author and committer: GIT_AUTHOR_NAME, _EMAIL,
 * _DATE (and GIT_COMMITTER_...), else user.name and user.email of the registry or of
 * the user's git configuration, else the login name. tree and parents must exist. */
int sg_commit_make(struct sg_oid *out, struct sg_registry *r, struct sg_packer *p_or_null,
		   const struct sg_oid *tree, const struct sg_oid *parents, size_t n_parents,
		   const char *message);
int sg_commit_read(struct sg_commit *out, struct sg_registry *r, const struct sg_oid *oid);
/* From raw bytes; `id` is copied in. CORRUPT names the id. */
int sg_commit_parse(struct sg_commit *out, const struct sg_oid *id, const char *data, size_t n);
void sg_commit_release(struct sg_commit *c);

/* Name and address a commit made now would carry; committer or author. */
int sg_person_now(struct sg_person *out, struct sg_registry *r, bool committer);
void sg_person_release(struct sg_person *p);

/* An annotated tag object naming target, signed like a commit; no ref moves. */
int sg_tag_make(struct sg_oid *out, struct sg_registry *r, const char *name,
		const struct sg_oid *target, const char *message);

/* What was signed and the signature itself, of a raw commit or tag; armour stays empty
 * when there is none. CORRUPT: two signatures. Both are cleared first. */
int sg_signed_commit(struct sg_buf *payload, struct sg_buf *armour, const char *data, size_t n);
int sg_signed_tag(struct sg_buf *payload, struct sg_buf *armour, const char *data, size_t n);
/* The same of the commit or tag with that id; type may be NULL. */
int sg_signed_object(struct sg_buf *payload, struct sg_buf *armour, enum sg_object_type *type, struct sg_registry *r,
		     const struct sg_oid *oid);

/* Value of the nth trailer "Key: value" in the last paragraph of a message
 * (key without regard to case). *out is yours; NOTFOUND when there are fewer. */
int sg_trailer(char **out, const char *message, const char *key, size_t nth);
/* The first line, yours to free; NULL when out of memory. */
char *sg_commit_subject(const char *message);
SG_C_END
#endif
