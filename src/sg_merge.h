#ifndef SG_SG_MERGE_H
#define SG_SG_MERGE_H
/* What the files behind sg_merge() share. Not installed. */
#include "sg_repo.h"
SG_C_BEGIN
/* The three compositions that meet. */
enum { OURS, THEIRS, BASE, SIDES };

/* A graft that ours or theirs has. */
struct merge_graft {
	char id[SG_SHA256_HEX];
	bool in[SIDES];
	bool keep;			/* stands in the merged stack */
	struct sg_graftfile f;
};

/* A name in a folder, and which object each side has there (zero: none). `from`: the
 * side whose object stands in the merged tree. */
struct merge_entry { char *name; struct sg_oid oid[SIDES]; enum sg_object_type type[SIDES]; int from; };
struct merge_folder { const char *path; struct merge_entry *e; size_t n, cap; };

struct merge {
	struct sg_repo *r;
	const struct sg_merge_opts *o;
	const struct sg_progress *progress;
	struct sg_view view[SIDES];
	struct merge_graft *g;		/* stack order of ours, then of theirs */
	size_t n, cap;
	struct merge_folder data, reverted, consolidated, merged, top;
	struct sg_merge_info info;
	struct sg_trial t;
};

/* Fills g, the folders and info (but for state and verdict) from the views. */
int sg_merge_plan(struct merge *m);
void sg_merge_plan_release(struct merge *m);
SG_C_END
#endif
