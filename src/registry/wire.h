#ifndef SG_REGISTRY_WIRE_H
#define SG_REGISTRY_WIRE_H
#include "base/file.h"
#include "base/log.h"
#include "registry/child.h"
#include "registry/ref.h"
#include "registry/impl.h"
SG_C_BEGIN
/*
 * The conversation with git-upload-pack and git-receive-pack, protocol version 0:
 * lines of 4 hex digits of length (themselves included) and content; 0000 ends a
 * list. Everything that comes in is bounded and checked.
 */
enum sg_url_kind { SG_URL_PATH, SG_URL_SSH, SG_URL_HTTP };
struct sg_url { enum sg_url_kind kind; char *host, *port, *path; };	/* HTTP: path is the whole URL */
/* A local path is resolved to the repository in it. UNSUPPORTED: other schemes. */
int sg_url_parse(struct sg_url *out, const char *url);
void sg_url_release(struct sg_url *u);

/* An http(s) URL in the parts that git is told apart: without what stands before
 * the host; scheme and host alone; name and password decoded, NULL when not said. */
struct sg_login { char *url, *host, *user, *password; };
int sg_url_login(struct sg_login *out, const char *url);
void sg_login_release(struct sg_login *l);

struct sg_wire {
	struct sg_child child;
	struct sg_buf in;		/* read, not used up: from at on */
	size_t at;
	char *url;			/* for messages: masked */
};

/* What the other side says first. */
struct sg_advert { struct sg_refs refs; struct sg_oids have; char *caps, *head; };

/* service: "git-upload-pack" or "git-receive-pack". */
int sg_wire_open(struct sg_wire *w, struct sg_advert *ad, struct sg_registry *r, const char *service,
		 const struct sg_url *u, const char *url);
/* The first part of it, from a wire that stands. */
int sg_advert_read(struct sg_advert *ad, struct sg_wire *w);
/* A name that may come in: what other programs could take for an option or for HEAD
 * is passed over, as are names that are none. */
bool sg_advert_name_ok(const char *name);
bool sg_advert_can(const struct sg_advert *ad, const char *cap);
const struct sg_ref *sg_advert_ref(const struct sg_advert *ad, const char *name);
void sg_advert_release(struct sg_advert *ad);

int sg_wire_write(struct sg_wire *w, const void *data, size_t n);
int sg_wire_line(struct sg_wire *w, const char *fmt, ...) SG_PRINTF(2, 3);
int sg_wire_flush(struct sg_wire *w);		/* 0000 */
/* Four hex digits and nothing else. */
bool sg_wire_length(size_t *out, const char *digits);
/* 1 with the line's content, 0 for 0000. */
int sg_wire_read(struct sg_wire *w, struct sg_buf *line);
/* Next side-band packet: band 1..3 with its bytes, 0 at 0000. Band 3 is an error
 * already made. */
int sg_wire_band(struct sg_wire *w, struct sg_buf *data);
/* Put what the program said on stderr behind an error that happened. */
int sg_wire_fail(struct sg_wire *w, int rc);
/* The end of a good conversation: hang up and wait. */
int sg_wire_finish(struct sg_wire *w);
void sg_wire_release(struct sg_wire *w);

/* sendpack.c: objects that `tip`s reach and `have`s do not, as one pack on the
 * wire. Those of `have` that are not here are ignored. */
int sg_send_list(struct sg_oids *out, struct sg_registry *r, const struct sg_oids *tip, const struct sg_oids *have);
int sg_send_size(uint64_t *out, struct sg_registry *r, const struct sg_oids *list);	/* bytes of that pack */
int sg_send_pack(struct sg_wire *w, struct sg_registry *r, const struct sg_oids *list,
		 const struct sg_progress *progress);
/* parts.c: what came over in parts of a push that was cut: its blobs, and its refs. */
struct sg_parts { struct sg_oidmap there; struct sg_refs refs; };
/* sg.partSize, in bytes; 0: no parts. */
int sg_parts_size(size_t *out, struct sg_registry *r);
int sg_parts_find(struct sg_parts *p, struct sg_registry *r, const struct sg_advert *ad);
/* Leave out of the list what came over so. */
void sg_parts_drop(struct sg_oids *list, const struct sg_parts *p);
bool sg_parts_has(const struct sg_parts *p, const struct sg_oid *commit);
/* 1: the list has more than a part's worth; the first is made a commit, to be pushed
 * to *ref (yours). 0: it is small enough. The very first is a small one, so that a side
 * which refuses such refs has cost little. */
int sg_parts_next(struct sg_oid *commit, char **ref, struct sg_registry *r, const struct sg_oids *list, size_t part,
		  bool first);
void sg_parts_release(struct sg_parts *p);
/* push.c: the answer to a push: what came on side-bands 1 (its own lines inside) and
 * 2; refs with rc 1 get theirs. */
struct sg_push;
int sg_push_report(struct sg_push *ref, size_t n, const struct sg_buf *lines, const struct sg_buf *remote,
		   const char *url);
/* fetchpack.c: the wanted objects and all below them into the registry. */
int sg_fetch_pack(struct sg_wire *w, struct sg_registry *r, const struct sg_advert *ad,
		  const struct sg_oids *want, const struct sg_progress *progress);
/* vet.c: may the refs name what came? All that the tips reach and ours do not. */
int sg_vet(struct sg_registry *r, const struct sg_oids *tip, const struct sg_refs *ours);
/* gitexec.c: the same three things by the user's git, for http(s). */
int sg_exec_refs(struct sg_advert *ad, struct sg_registry *r, const char *url);
int sg_exec_fetch(struct sg_registry *r, const char *url, const struct sg_names *refs,
		  const struct sg_progress *progress);
struct sg_push_cmd { const char *dst; struct sg_oid old, new; int rc; char *text; };
/* What git printed, taken apart in place: ls-remote --symref, push --porcelain (1 when it spoke of a ref). */
int sg_exec_take_refs(struct sg_advert *ad, char *text);
int sg_exec_take_results(struct sg_push_cmd *cmd, size_t n, char *text);
/* there (NULL: none): commits over there whose folders git shall leave out, though no history says so. */
int sg_exec_push(struct sg_registry *r, const char *url, struct sg_push_cmd *cmd, size_t n, bool atomic,
		 const struct sg_refs *there, const struct sg_progress *progress);

/* remote.c: *name is the remote's when it is a configured one, else NULL. */
int sg_remote_resolve(char **url, char **name, struct sg_registry *r, const char *remote);
/* fetch.c: where refs of a named remote are tracked here; NULL text when nowhere. */
int sg_remote_tracking(char **out, const char *name, const char *ref);
SG_C_END
#endif
