#ifndef SG_REGISTRY_REMOTE_H
#define SG_REGISTRY_REMOTE_H
#include "base/file.h"
#include "base/log.h"
#include "registry/object.h"
#include "registry/ref.h"
SG_C_BEGIN
/*
 * Other repositories. A remote is a configured name, a path, a file:// or ssh://
 * URL, host:path, or http(s)://. A path may be a bare repository, a work tree, or
 * a project with a .sg folder. Paths and ssh are spoken to by us through
 * git-upload-pack and git-receive-pack, so hooks run and compare-and-swap holds
 * over there; http goes through the user's git.
 */
int sg_remote_add(struct sg_registry *r, const char *name, const char *url);
int sg_remote_remove(struct sg_registry *r, const char *name);	/* its tracking refs too */
int sg_remote_list(struct sg_names *out, struct sg_registry *r);
/* URL of a configured remote, or the argument itself when it is no such name. */
int sg_remote_url(char **out, struct sg_registry *r, const char *remote);
bool sg_remote_name_ok(const char *name);
/* A URL, or a text with URLs in it, as it may be shown: *** for a password, and for
 * all that stands before the host in http(s), where a name may be a token. Every
 * message of this layer is so already. */
int sg_url_mask(char **out, const char *url);
int sg_url_mask_text(char **out, const char *text);

/* Refs of the other side (peeled tags left out); head: what its HEAD points at,
 * yours, NULL when not said. */
int sg_remote_refs(struct sg_refs *out, char **head, struct sg_registry *r, const char *remote);

/* One ref to push. rc and text are the answer: 0; -SG_E_BUSY when the remote's
 * ref is not `old` (stale); -SG_E_REFUSED when it is no fast-forward or the other
 * side said no. text says why, yours through sg_push_release. */
struct sg_push {
	const char *dst;		/* full name over there */
	struct sg_oid src;		/* zero: delete */
	struct sg_oid old;		/* what it must be there (zero: absent) unless any_old */
	bool any_old;			/* whatever it is there */
	bool force;			/* not only forward */
	int rc;
	char *text;
};
/* Returns 0 when every ref went through, else the first ref's rc (or the
 * failure of the whole, then every rc is set). atomic: all or none, where the
 * other side can. Tracking refs of a named remote follow. link: a path on this machine
 * gets packs by a second name (registry/link.h); USAGE for other remotes. */
enum sg_push_flags { SG_PUSH_ATOMIC = 1 << 0, SG_PUSH_LINK = 1 << 1 };
int sg_push(struct sg_registry *r, const char *remote, struct sg_push *ref, size_t n, unsigned flags,
	    const struct sg_progress *progress);
void sg_push_release(struct sg_push *ref, size_t n);	/* the texts */

enum sg_fetch_flags {
	SG_FETCH_SG      = 1 << 0,	/* refs/sg/..., refs/notes/sg to refs/sg-remote/<remote>/... */
	SG_FETCH_PRUNE   = 1 << 1,	/* tracking refs gone over there go here */
	SG_FETCH_NO_TAGS = 1 << 2,
	SG_FETCH_LINK    = 1 << 3,	/* from a path: packs by a second name; USAGE else */
};
/* What one ref did: old zero: new here; oid zero: pruned. rc -SG_E_REFUSED: a
 * tag that differs or a refspec without + that is no fast-forward was left alone. */
struct sg_fetched { char *remote_ref, *local_ref; struct sg_oid oid, old; int rc; };
struct sg_fetch { struct sg_fetched *ref; size_t n, cap; char *head; };
/* Without refspecs: heads to refs/remotes/<remote>/, tags, and what flags say.
 * A refspec is "[+]src[:dst]", full names, one * on both sides; without dst the
 * objects come and no ref moves. Refs that did not change are not listed.
 * local_ref is NULL when none. */
int sg_fetch(struct sg_fetch *out, struct sg_registry *r, const char *remote,
	     const char *const *refspec, size_t n, unsigned flags, const struct sg_progress *progress);
void sg_fetch_release(struct sg_fetch *f);

/* A registry in dir made from url: remote "origin", its branches as ours, HEAD as
 * there. On failure nothing is left. */
int sg_clone(struct sg_registry **out, const char *url, const char *dir, unsigned flags,
	     const struct sg_progress *progress);
SG_C_END
#endif
