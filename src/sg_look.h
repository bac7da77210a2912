#ifndef SG_SG_LOOK_H
#define SG_SG_LOOK_H
/* What the files that look at a registry share. Not installed. */
#include "sg_repo.h"
SG_C_BEGIN
/* A manifest as a commit has it, whatever its type, its id proved. bytes (may be
 * NULL) gets it as stored. */
int sg_manifest_read(struct sg_graftfile *out, struct sg_buf *bytes, char id[SG_SHA256_HEX], struct sg_repo *r,
		     const struct sg_oid *commit, const char *id16);
/* All but the name, from a manifest; with it, from a commit that holds the folder. */
int sg_graft_info_of(struct sg_graft_info *out, const struct sg_graftfile *f, const char *id);
int sg_graft_info_read(struct sg_graft_info *out, struct sg_repo *r, const struct sg_oid *commit, const char *id16);
/* Verdicts about a graft that are kept, newest first: the one that let it in, as the
 * folder in `commit` has it, and reports. Ones that cannot be read have no verdict. */
int sg_judged_list(struct sg_judged **out, size_t *n, struct sg_repo *r, const struct sg_oid *commit, const char *id);
void sg_judged_free(struct sg_judged *j, size_t n);
/* tokens and seconds of a graft's training, from a commit that holds its folder; left as they
 * are when that does not say. */
int sg_graft_cost(struct sg_graft_info *g, struct sg_repo *r, const struct sg_oid *commit);
/* Commit of the notes; zero when there are none. */
int sg_notes_head(struct sg_oid *out, struct sg_repo *r);
/* Adds those of one object, in a notes commit, as text only. */
int sg_notes_of(struct sg_note_list *out, struct sg_repo *r, const struct sg_oid *notes, const struct sg_oid *object);
SG_C_END
#endif
