#include "registry/wire.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable() ((void)0)
#define __lsan_enable() ((void)0)
#endif

/* Commits that we name as ours: enough that two lines which parted a while ago
 * find where. More would only save bytes. */
#define HAVES_MAX 512

static int say_have(struct sg_wire *w, struct sg_oidmap *said, const struct sg_oid *oid)
{
	char hex[SG_OID_HEX];
	int rc = sg_oidmap_add(said, oid, 0);

	if (rc <= 0)
		return rc;
	sg_oid_hex(hex, oid);
	return sg_wire_line(w, "have %s\n", hex);
}

/* Our refs, then the newest commits below them. Only what refs reach counts: an
 * object that merely lies here may lack what it needs. */
static int say_haves(struct sg_wire *w, struct sg_registry *r)
{
	struct sg_oidmap said = { 0 };
	struct sg_refs refs = { 0 };
	git_revwalk *walk = NULL;
	struct sg_oid oid;
	git_oid id;
	int rc = sg_ref_list(&refs, r, "");

	if (rc >= 0 && git_revwalk_new(&walk, r->repo) < 0)
		rc = sg_git_fail(-1, "cannot walk the history");
	if (rc >= 0)
		git_revwalk_sorting(walk, GIT_SORT_TIME);
	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		if (git_revwalk_push(walk, sg_git_oid(&refs.ref[i].oid)) < 0)
			continue;	/* no commit */
		if (said.n < HAVES_MAX)
			rc = say_have(w, &said, &refs.ref[i].oid);
	}
	for (int n = 0; rc >= 0 && n < HAVES_MAX && git_revwalk_next(&id, walk) == 0; n++) {
		memcpy(oid.id, id.id, sizeof(oid.id));
		rc = say_have(w, &said, &oid);
	}
	git_revwalk_free(walk);
	sg_refs_release(&refs);
	sg_oidmap_release(&said);
	return rc;
}

static int ask(struct sg_wire *w, struct sg_registry *r, const struct sg_oids *want)
{
	char hex[SG_OID_HEX];

	for (size_t i = 0; i < want->n; i++) {
		sg_oid_hex(hex, &want->oid[i]);
		SG_TRY(sg_wire_line(w, "want %s%s\n", hex, i ? "" : " side-band-64k ofs-delta no-progress agent=sg"));
	}
	SG_TRY(sg_wire_flush(w));
	SG_TRY(say_haves(w, r));
	return sg_wire_line(w, "done\n");
}

struct watch { const struct sg_progress *progress; uint64_t bytes; bool stop; };

static int on_progress(const git_indexer_progress *s, void *arg)
{
	struct watch *w = arg;
	char text[64];

	/* nobody says how many bytes will come */
	snprintf(text, sizeof(text), SG_IN_BYTES ", %u of %u objects", s->received_objects, s->total_objects);
	w->stop = sg_progress(w->progress, "receiving", w->bytes, 0, text);
	return w->stop ? -1 : 0;
}

/* The indexer of libgit2 1.5 forgets some of the ids that it expects when it checks
 * that nothing is missing: a hundred bytes a fetch, which are not ours to free. */
static int append(git_indexer *ix, const struct sg_buf *data, git_indexer_progress *stats)
{
	int rc;

	__lsan_disable();
	rc = git_indexer_append(ix, data->data, data->len, stats);
	__lsan_enable();
	return rc;
}

/* "PACK", version, count: libgit2 makes room for as many objects as the count says
 * before it sees one. */
#define OBJECTS_MAX (1u << 24)
static int check_head(const struct sg_buf *head, const char *url)
{
	const unsigned char *p = (const unsigned char *)head->data;

	if (memcmp(p, "PACK", 4) || ((uint32_t)p[8] << 24 | (uint32_t)p[9] << 16) > OBJECTS_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' sent no pack that can be believed", url);
	return 0;
}

/* Side-band 1 is the pack; libgit2 checks and indexes it under a temporary name. */
static int receive(struct sg_wire *w, git_indexer *ix, struct watch *watch)
{
	git_indexer_progress stats = { 0 };
	struct sg_buf data = { 0 }, head = { 0 };
	int rc, band;

	for (;;) {
		rc = band = sg_wire_band(w, &data);
		if (rc <= 0)
			break;
		if (band == 1)
			watch->bytes += data.len;
		if (band == 1 && head.len < 12) {
			rc = sg_buf_add(&head, data.data, data.len);
			if (rc >= 0 && head.len < 12)
				continue;
			if (rc >= 0)
				rc = check_head(&head, w->url);
			if (rc >= 0)
				rc = sg_buf_add((sg_buf_clear(&data), &data), head.data, head.len);
			if (rc < 0)
				break;
		}
		if (band == 1 && data.len && append(ix, &data, &stats) < 0) {
			rc = watch->stop ? sg_fail(SG_E_INTERRUPTED, "fetch stopped") :
					   sg_git_fail(GIT_EMISMATCH, "cannot read the pack from '%s'", w->url);
			break;
		}
	}
	sg_buf_release(&data);
	sg_buf_release(&head);
	if (rc >= 0 && git_indexer_commit(ix, &stats) < 0)
		rc = watch->stop ? sg_fail(SG_E_INTERRUPTED, "fetch stopped") :
				   sg_git_fail(GIT_EMISMATCH, "the pack from '%s' is damaged or incomplete", w->url);
	if (rc >= 0)
		sg_progress(watch->progress, "receiving", watch->bytes, watch->bytes, SG_IN_BYTES);
	return rc;
}

int sg_fetch_pack(struct sg_wire *w, struct sg_registry *r, const struct sg_advert *ad,
		  const struct sg_oids *want, const struct sg_progress *progress)
{
	git_indexer_options opt = { .version = GIT_INDEXER_OPTIONS_VERSION };
	struct watch watch = { .progress = progress };
	struct sg_buf line = { 0 };
	git_indexer *ix = NULL;
	char *dir;
	int rc;

	if (!sg_advert_can(ad, "side-band-64k"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' runs a git that is too old", w->url);
	dir = sg_path_join(r->git_dir, "objects/pack");
	if (!dir)
		return -SG_E_NOMEM;
	opt.verify = 1;		/* nothing is missing below what came */
	opt.progress_cb = on_progress;
	opt.progress_cb_payload = &watch;
	rc = ask(w, r, want);
	if (rc >= 0)
		rc = sg_wire_read(w, &line);	/* one ACK or NAK */
	if (rc >= 0 && (!rc || (strncmp(line.data, "NAK", 3) && strncmp(line.data, "ACK ", 4))))
		rc = sg_fail(SG_E_CORRUPT, "'%s' does not answer as git does", w->url);
	if (rc >= 0 && git_indexer_new(&ix, dir, 0, r->odb, &opt) < 0)
		rc = sg_git_fail(-1, "cannot receive a pack");
	if (rc >= 0)
		rc = receive(w, ix, &watch);
	git_indexer_free(ix);
	if (rc >= 0)
		git_odb_refresh(r->odb);
	sg_buf_release(&line);
	free(dir);
	return rc;
}
