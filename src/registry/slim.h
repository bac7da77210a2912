#ifndef SG_REGISTRY_SLIM_H
#define SG_REGISTRY_SLIM_H
#include "registry/packer.h"
SG_C_BEGIN
/*
 * A commit, and those before it that only it and its like reach, made again without
 * one folder: how bulk leaves a side line that is kept for what it says. People,
 * times and messages stay; signatures cannot and go. What a branch or a tag reaches
 * is left as it is, and so is a commit that has no such folder: then *out is `at`.
 */
int sg_slim(struct sg_oid *out, struct sg_packer *p, const struct sg_oid *at, const char *folder);
SG_C_END
#endif
