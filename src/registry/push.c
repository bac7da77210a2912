#include "registry/remote.h"
#include "registry/link.h"
#include "registry/registry.h"
#include "registry/wire.h"
#include "registry/history.h"

/*
 * Everything that can be decided here is decided before a byte is sent; what is
 * sent carries the old value of each ref, which the other side compares again
 * under its own lock.
 */

static void answer(struct sg_push *p, int rc, const char *text)
{
	p->rc = rc;
	free(p->text);
	p->text = text ? sg_strdup(text) : NULL;
}

/* Is moving a ref from `from` to `to` only adding? An unknown `from` is not. */
static int check_forward(struct sg_push *p, struct sg_registry *r, const struct sg_oid *from)
{
	int rc;

	if (!strncmp(p->dst, "refs/tags/", 10)) {
		answer(p, -SG_E_REFUSED, "the tag is there already");
		return 0;
	}
	if (!sg_object_exists(r, from)) {
		answer(p, -SG_E_REFUSED, "the other side has commits that are not here: fetch first");
		return 0;
	}
	rc = sg_history_is_ancestor(r, from, &p->src);
	if (rc <= 0)
		answer(p, -SG_E_REFUSED, "no fast-forward: the other side has commits that are not in this one");
	if (rc > 0 && !strncmp(p->dst, "refs/heads/", 11)) {
		rc = sg_history_in_line(r, from, &p->src);
		if (rc == 0)
			answer(p, -SG_E_REFUSED, "the line over there is behind a candidate that this one took in, not in it: "
			       "merge it first");
	}
	return rc == -SG_E_NOMEM ? rc : 0;
}

/* rc 1: to be sent. */
static int decide(struct sg_push *p, struct sg_registry *r, const struct sg_advert *ad)
{
	const struct sg_ref *there = sg_advert_ref(ad, p->dst);
	static const struct sg_oid zero;
	const struct sg_oid *old = there ? &there->oid : &zero;
	bool gone = sg_oid_is_zero(&p->src);

	answer(p, 0, NULL);
	if (!sg_ref_name_ok(p->dst) || !strcmp(p->dst, "HEAD")) {
		answer(p, -SG_E_REFUSED, "no valid name of a ref");
		return 0;
	}
	if (!gone && !sg_object_exists(r, &p->src)) {
		answer(p, -SG_E_NOTFOUND, "what it should name is not here");
		return 0;
	}
	if (!p->any_old && !sg_oid_eq(&p->old, old)) {
		answer(p, -SG_E_BUSY, sg_oid_is_zero(&p->old) ? "it is there already" : "it was moved meanwhile");
		return 0;
	}
	p->old = *old;
	if (sg_oid_eq(old, &p->src)) {
		answer(p, 0, gone ? "was not there" : "up to date");
		return 0;
	}
	if (there && !gone && !p->force)
		SG_TRY(check_forward(p, r, old));
	if (p->rc >= 0)
		p->rc = 1;
	return 0;
}

static void refuse_rest(struct sg_push *ref, size_t n, int rc, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (ref[i].rc == 1)
			answer(&ref[i], rc, text);
}

static size_t to_send(const struct sg_push *ref, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += ref[i].rc == 1;
	return k;
}

static int send_commands(struct sg_wire *w, struct sg_push *ref, size_t n, bool atomic)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		char old[SG_OID_HEX], new[SG_OID_HEX], caps[128], head[5];
		size_t len;

		if (ref[i].rc != 1)
			continue;
		sg_oid_hex(old, &ref[i].old);
		sg_oid_hex(new, &ref[i].src);
		snprintf(caps, sizeof(caps), " report-status side-band-64k quiet%s agent=sg", atomic ? " atomic" : "");
		len = 4 + 40 + 1 + 40 + 1 + strlen(ref[i].dst) + (first ? 1 + strlen(caps) : 0);
		snprintf(head, sizeof(head), "%04x", (unsigned)len);
		SG_TRY(sg_wire_write(w, head, 4));
		SG_TRY(sg_wire_write(w, old, 40));
		SG_TRY(sg_wire_write(w, " ", 1));
		SG_TRY(sg_wire_write(w, new, 40));
		SG_TRY(sg_wire_write(w, " ", 1));
		SG_TRY(sg_wire_write(w, ref[i].dst, strlen(ref[i].dst)));
		if (first) {
			SG_TRY(sg_wire_write(w, "", 1));
			SG_TRY(sg_wire_write(w, caps, strlen(caps)));
		}
		first = false;
	}
	return sg_wire_flush(w);
}

/* ---- the report ---- */

struct report { struct sg_buf lines, remote; };	/* side-bands 1 and 2 */

static int read_report(struct report *rep, struct sg_wire *w)
{
	struct sg_buf data = { 0 };
	int band;

	rep->lines.max = rep->remote.max = (size_t)64 << 20;
	while ((band = sg_wire_band(w, &data)) > 0) {
		int rc = sg_buf_add(band == 1 ? &rep->lines : &rep->remote, data.data, data.len);

		if (rc < 0) {
			band = rc;
			break;
		}
	}
	sg_buf_release(&data);
	return band;
}

/* What hooks printed, on one line, for the people who wonder why. */
static void remote_words(char *out, size_t n, const struct sg_buf *b)
{
	size_t k = 0;

	for (size_t i = 0; i < b->len && k + 1 < n; i++) {
		unsigned char c = (unsigned char)b->data[i];

		if (c == '\n' || c == '\r')
			c = ' ';
		if (c >= ' ' && c != 0x7f && !(c == ' ' && k && out[k - 1] == ' '))
			out[k++] = (char)c;
	}
	while (k && out[k - 1] == ' ')
		k--;
	out[k] = '\0';
}

static void take_status(struct sg_push *ref, size_t n, char *line, const char *words)
{
	char *name = line + 3, *why = strchr(name, ' '), text[1400];
	bool ok = !strncmp(line, "ok ", 3);

	if (!ok && strncmp(line, "ng ", 3))
		return;
	if (why)
		*why++ = '\0';
	for (size_t i = 0; i < n; i++) {
		if (ref[i].rc != 1 || strcmp(ref[i].dst, name))
			continue;
		if (ok) {
			answer(&ref[i], 0, NULL);
			continue;
		}
		why = why ? why : (char *)(uintptr_t)"no reason given";
		snprintf(text, sizeof(text), "%s%s%s", why, *words ? ": " : "", words);
		answer(&ref[i], !strncmp(why, "failed to ", 10) ? -SG_E_BUSY : -SG_E_REFUSED, text);
	}
}

/* Lines inside side-band 1: "unpack ok", then ok or ng for each ref, 0000. */
int sg_push_report(struct sg_push *ref, size_t n, const struct sg_buf *lines, const struct sg_buf *remote,
		   const char *url)
{
	char words[1024], line[1200];
	bool unpacked = false;
	size_t at = 0;

	remote_words(words, sizeof(words), remote);
	while (at + 4 <= lines->len) {
		size_t len = 0;

		if (!sg_wire_length(&len, lines->data + at))
			return sg_fail(SG_E_CORRUPT, "'%s' sent a bad report", url);
		if (!len)
			break;
		if (len < 4 || len > lines->len - at)
			return sg_fail(SG_E_CORRUPT, "'%s' sent a bad report", url);
		snprintf(line, sizeof(line), "%.*s", (int)SG_MIN(len - 4, sizeof(line) - 1), lines->data + at + 4);
		line[strcspn(line, "\n")] = '\0';
		at += len;
		if (!strncmp(line, "unpack ", 7)) {
			unpacked = !strcmp(line + 7, "ok");
			if (!unpacked)
				return sg_fail(SG_E_ERROR, "'%s' could not take the objects: %s%s%s", url, line + 7,
					       *words ? ": " : "", words);
		} else {
			take_status(ref, n, line, words);
		}
	}
	if (!unpacked)
		return sg_fail(SG_E_CORRUPT, "'%s' sent no report", url);
	refuse_rest(ref, n, -SG_E_ERROR, "the other side did not say what became of it");
	return 0;
}

static int objects(struct sg_oids *list, struct sg_registry *r, struct sg_push *ref, size_t n,
		   const struct sg_advert *ad)
{
	struct sg_oids tip = { 0 }, have = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (ref[i].rc == 1 && !sg_oid_is_zero(&ref[i].src))
			rc = sg_oids_add(&tip, &ref[i].src);
	for (size_t i = 0; rc >= 0 && i < ad->refs.n; i++)
		rc = sg_oids_add(&have, &ad->refs.ref[i].oid);
	for (size_t i = 0; rc >= 0 && i < ad->have.n; i++)
		rc = sg_oids_add(&have, &ad->have.oid[i]);
	if (rc >= 0)
		rc = tip.n ? sg_fail_in(sg_send_list(list, r, &tip, &have), "cannot list what to send") : 0;
	free(have.oid);
	if (rc >= 0)
		rc = tip.n != 0;
	free(tip.oid);
	return rc;
}

/* list: what to send; no pack at all when only removals are asked for. */
static int converse(struct sg_wire *w, struct sg_registry *r, struct sg_push *ref, size_t n,
		    const struct sg_advert *ad, const struct sg_oids *list, bool pack, bool atomic,
		    const struct sg_progress *progress)
{
	struct report rep = { 0 };
	int rc, heard;

	if (!sg_advert_can(ad, "report-status") || !sg_advert_can(ad, "side-band-64k"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' runs a git that is too old", w->url);
	rc = send_commands(w, ref, n, atomic && sg_advert_can(ad, "atomic"));
	if (rc >= 0 && pack)
		rc = sg_send_pack(w, r, list, progress);
	/* A side that refuses the pack half way hangs up, but says why first. */
	if (rc >= 0 || rc == -SG_E_IO) {
		if (rc >= 0)
			sg_progress(progress, "waiting for the other side", 0, 0, NULL);
		heard = read_report(&rep, w);
		if (heard >= 0)
			rc = sg_push_report(ref, n, &rep.lines, &rep.remote, w->url);
		else if (rc >= 0)
			rc = heard;
	}
	sg_buf_release(&rep.lines);
	sg_buf_release(&rep.remote);
	return sg_wire_fail(w, rc);
}

/* ---- whole pushes ---- */

/* After what the other side took, what we know of it follows. A failure here
 * loses nothing: the next fetch repairs it. */
static void follow(struct sg_registry *r, const char *name, const struct sg_push *p)
{
	struct sg_oid now = { { 0 } };
	char *ref = NULL;

	if (p->rc < 0 || sg_remote_tracking(&ref, name, p->dst) < 0 || !ref)
		return;
	if (sg_ref_get(&now, r, ref) < 0)
		now = (struct sg_oid){ { 0 } };
	if (!sg_oid_eq(&now, &p->src)) {
		if (sg_oid_is_zero(&p->src))
			sg_ref_delete(r, ref, &now);
		else
			sg_ref_set(r, ref, &p->src, &now, "push");
	}
	free(ref);
}

static int by_exec(struct sg_registry *r, const char *url, struct sg_push *ref, size_t n, bool atomic,
		   const struct sg_refs *there, const struct sg_progress *progress)
{
	struct sg_push_cmd *cmd;
	size_t k = 0;
	int rc;

	SG_TRY(SG_NEW(cmd, n));
	for (size_t i = 0; i < n; i++)
		if (ref[i].rc == 1)
			cmd[k++] = (struct sg_push_cmd){ .dst = ref[i].dst, .old = ref[i].old, .new = ref[i].src };
	rc = sg_exec_push(r, url, cmd, k, atomic, there, progress);
	for (size_t i = 0, j = 0; rc >= 0 && i < n; i++)
		if (ref[i].rc == 1) {
			answer(&ref[i], cmd[j].rc, cmd[j].text || cmd[j].rc >= 0 ? cmd[j].text :
			       "git push said nothing of it");
			j++;
		}
	for (size_t j = 0; j < k; j++)
		free(cmd[j].text);
	free(cmd);
	return rc;
}

static int decide_all(struct sg_registry *r, struct sg_push *ref, size_t n, const struct sg_advert *ad, bool atomic)
{
	bool no = false;

	for (size_t i = 0; i < n; i++) {
		SG_TRY(decide(&ref[i], r, ad));
		no |= ref[i].rc < 0;
	}
	if (atomic && no)
		refuse_rest(ref, n, -SG_E_REFUSED, "not sent: another ref was refused");
	return 0;
}

static int by_link(struct sg_registry *r, const struct sg_url *u, struct sg_push *ref, size_t n, bool atomic,
		   const struct sg_progress *progress)
{
	struct sg_registry *to = NULL;
	struct sg_advert ad = { 0 };
	struct sg_oids list = { 0 };
	int rc = u->kind == SG_URL_PATH ? 0 : sg_fail(SG_E_USAGE, "only a path on this machine can be linked to");

	if (rc >= 0)
		rc = sg_link_advert(&ad, &to, u->path);
	if (rc >= 0)
		rc = decide_all(r, ref, n, &ad, atomic);
	if (rc >= 0 && to_send(ref, n)) {
		rc = objects(&list, r, ref, n, &ad);
		if (rc >= 0)
			rc = sg_link_push(to, r, ref, n, &list, atomic, progress);
	}
	free(list.oid);
	sg_advert_release(&ad);
	sg_registry_free(to);
	return rc;
}

/* One side of a push: a wire or the user's git, and what was said on it first. */
struct side {
	struct sg_registry *r;
	const char *url;
	struct sg_url u;
	struct sg_wire w;
	struct sg_advert ad;
	size_t part;		/* bytes; 0: all at once */
	struct sg_oid last;	/* the part that went, zero before the first */
	const struct sg_progress *progress;
	uint64_t gone, now, all;	/* bytes: of parts that went, of what goes now, of all */
	bool within;		/* a part is going */
};

/* Several packs, one line. */
static bool on_part(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	struct side *s = arg;

	if (strcmp(what, "sending"))
		return s->within && !strncmp(what, "waiting", 7) ? false :
		       sg_progress(s->progress, what, done, total, text);
	s->now = done;
	return sg_progress(s->progress, what, s->gone + done, SG_MAX(s->all, s->gone + total), text);
}

static int side_open(struct side *s)
{
	if (s->u.kind == SG_URL_HTTP)
		return sg_exec_refs(&s->ad, s->r, s->url);
	return sg_wire_open(&s->w, &s->ad, s->r, "git-receive-pack", &s->u, s->url);
}

static void side_close(struct side *s)
{
	if (s->u.kind != SG_URL_HTTP)
		sg_wire_release(&s->w);
	sg_advert_release(&s->ad);
}

/* list: as converse has it; there: the parts, of which only git must be told. */
static int side_send(struct side *s, struct sg_push *ref, size_t n, const struct sg_oids *list, bool pack, bool atomic,
		     const struct sg_refs *there, const struct sg_progress *progress)
{
	int rc;

	if (s->u.kind == SG_URL_HTTP)
		return by_exec(s->r, s->url, ref, n, atomic, there, progress);
	rc = converse(&s->w, s->r, ref, n, &s->ad, list, pack, atomic, progress);
	if (rc >= 0)
		sg_wire_finish(&s->w);
	return rc;
}

/* Nothing to say: hang up in good form. */
static int side_leave(struct side *s)
{
	if (s->u.kind == SG_URL_HTTP)
		return 0;
	SG_TRY(sg_wire_flush(&s->w));
	sg_wire_finish(&s->w);
	return 0;
}

/* The first part of what is to go, if that is more than one: 1 when it went or was
 * refused. A side that wants no such refs, or does not show them, gets all at once. */
static int send_part(struct side *s, const struct sg_oids *list, bool first, const struct sg_progress *progress)
{
	struct sg_push p = { .rc = 1 };
	struct sg_oids own = { 0 };
	char *ref = NULL;
	int rc = sg_parts_next(&p.src, &ref, s->r, list, s->part, first);

	if (rc <= 0)
		return rc;
	p.dst = ref;
	rc = objects(&own, s->r, &p, 1, &s->ad);
	s->within = true;
	if (rc >= 0)
		rc = side_send(s, &p, 1, &own, true, false, NULL, progress);
	s->within = false;
	s->gone += s->now;
	if (p.rc < 0)
		s->part = 0;
	s->last = p.src;
	sg_push_release(&p, 1);
	free(own.oid);
	free(ref);
	return rc < 0 ? rc : 1;
}

/* They have served. What is left of them harms nobody: the next push tries again. */
static void remove_parts(struct side *s, const struct sg_parts *parts)
{
	struct side again = { .r = s->r, .url = s->url, .u = s->u };
	struct sg_push *p = sg_calloc(SG_MAX(parts->refs.n, (size_t)1), sizeof(*p));

	if (p && parts->refs.n && side_open(&again) >= 0) {
		for (size_t i = 0; i < parts->refs.n; i++)
			p[i] = (struct sg_push){ .dst = parts->refs.ref[i].name, .old = parts->refs.ref[i].oid, .rc = 1 };
		side_send(&again, p, parts->refs.n, NULL, false, false, NULL, NULL);
		sg_push_release(p, parts->refs.n);
		side_close(&again);
	}
	free(p);
}

/* Else they are kept: who mends what was refused need not send them again. */
static bool all_well(const struct sg_push *ref, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ref[i].rc < 0)
			return false;
	return true;
}

/* What is still to go, and the parts of it that are there. 1: a pack is needed. */
static int take_stock(struct sg_oids *list, struct sg_parts *there, struct side *s, struct sg_push *ref, size_t n)
{
	int pack;

	SG_TRY(sg_parts_find(there, s->r, &s->ad));
	SG_TRY(pack = objects(list, s->r, ref, n, &s->ad));
	sg_parts_drop(list, there);
	if (!sg_oid_is_zero(&s->last) && !sg_parts_has(there, &s->last))
		s->part = 0;
	return pack;
}

/* 1: a part went over; again, for what is left. */
static int push_once(struct side *s, struct sg_push *ref, size_t n, bool atomic, const struct sg_progress *progress)
{
	struct sg_parts there = { 0 };
	struct sg_oids list = { 0 };
	int rc = side_open(s), pack = 0, more = 0;

	SG_TRY(rc);
	rc = decide_all(s->r, ref, n, &s->ad, atomic);
	if (rc >= 0)
		rc = pack = take_stock(&list, &there, s, ref, n);
	if (rc >= 0 && pack && progress && s->u.kind != SG_URL_HTTP)
		rc = sg_send_size(&s->all, s->r, &list);
	s->all += s->gone;
	s->now = 0;
	if (rc >= 0 && pack && s->part)
		rc = more = send_part(s, &list, !there.refs.n, progress);
	if (rc >= 0 && !more)
		rc = !to_send(ref, n) ? side_leave(s) :
		     side_send(s, ref, n, &list, pack, atomic, &there.refs, progress);
	if (rc >= 0 && !more && all_well(ref, n))
		remove_parts(s, &there);
	side_close(s);
	sg_parts_release(&there);
	free(list.oid);
	return rc < 0 ? rc : more;
}

static int push_to(struct sg_registry *r, const char *url, struct sg_push *ref, size_t n, unsigned flags,
		   const struct sg_progress *progress)
{
	struct side s = { .r = r, .url = url, .progress = progress };
	struct sg_progress whole = { on_part, &s };
	bool atomic = flags & SG_PUSH_ATOMIC;
	int rc;

	SG_TRY(sg_url_parse(&s.u, url));
	if (flags & SG_PUSH_LINK) {
		rc = by_link(r, &s.u, ref, n, atomic, progress);
	} else {
		/* to a path there is no connection that could be cut */
		rc = s.u.kind == SG_URL_PATH ? 0 : sg_parts_size(&s.part, r);
		while (rc >= 0 && (rc = push_once(&s, ref, n, atomic, progress ? &whole : NULL)) > 0)
			;
	}
	sg_url_release(&s.u);
	return rc;
}

int sg_push(struct sg_registry *r, const char *remote, struct sg_push *ref, size_t n, unsigned flags,
	    const struct sg_progress *progress)
{
	char *url = NULL, *name = NULL;
	int rc = sg_remote_resolve(&url, &name, r, remote);

	for (size_t i = 0; i < n; i++)
		ref[i].rc = 1;
	if (rc >= 0)
		rc = push_to(r, url, ref, n, flags, progress);
	if (rc < 0)
		refuse_rest(ref, n, rc, sg_error_message());
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		if (name)
			follow(r, name, &ref[i]);
	}
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (ref[i].rc < 0)
			rc = sg_fail((enum sg_err)-ref[i].rc, "cannot push '%s': %s", ref[i].dst,
				     ref[i].text ? ref[i].text : "no reason given");
	free(url);
	free(name);
	return rc;
}

void sg_push_release(struct sg_push *ref, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(ref[i].text);
		ref[i].text = NULL;
	}
}
