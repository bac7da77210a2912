/*
 * What is said of a graft after the fact. The tree of refs/notes/sg has a file for each
 * commit that something was said of, named by its id (or in folders of two digits, as
 * git makes them when they are many), with a line of JSON for each note.
 */
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"
#include <time.h>
#include <unistd.h>

#define NOTES_REF "refs/notes/sg"
#define NOTES_MAX ((size_t)16 << 20)	/* bytes of what is said of one commit */
#define LINES_MAX 65536
#define TRIES 200

/* --- reading -------------------------------------------------------------------- */

static void note_release(struct sg_note *n)
{
	free(n->name);
	free(n->text);
	free(n->by);
	*n = (struct sg_note){ .commit = "" };
}

void sg_note_list_release(struct sg_note_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		note_release(&l->note[i]);
	free(l->note);
	*l = (struct sg_note_list){ 0 };
}

int sg_notes_head(struct sg_oid *out, struct sg_repo *r)
{
	int rc = sg_ref_get(out, r->reg, NOTES_REF);

	if (rc == -SG_E_NOTFOUND)
		*out = (struct sg_oid){ { 0 } };
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

/* Where the notes of an object stand, or would: as deep in folders as git put them. */
static int path_of(char out[64], struct sg_repo *r, const struct sg_oid *notes, const struct sg_oid *object)
{
	char hex[SG_OID_HEX];
	struct sg_tree_list l = { 0 };
	bool deep = false;
	int rc;

	sg_oid_hex(hex, object);
	snprintf(out, 64, "%s", hex);
	if (sg_oid_is_zero(notes))
		return 0;
	if (sg_tree_find(&(struct sg_oid){ { 0 } }, NULL, r->reg, notes, out) >= 0)
		return 0;
	rc = sg_tree_list(&l, r->reg, notes, "");
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		deep |= l.entry[i].type == SG_OBJ_TREE && strlen(l.entry[i].name) == 2;
	sg_tree_list_release(&l);
	if (rc < 0 || !deep)
		return rc;
	snprintf(out, 64, "%.2s/%.2s/%s", hex, hex + 2, hex + 4);
	if (sg_tree_find(&(struct sg_oid){ { 0 } }, NULL, r->reg, notes, out) < 0)
		snprintf(out, 64, "%.2s/%s", hex, hex + 2);
	return 0;
}

/* A line of ours, or whatever else somebody wrote there. */
static int parse_line(struct sg_note *n, const char *line, size_t len)
{
	struct sg_json_doc doc = { 0 };
	const char *text = NULL, *by = "";
	const struct sg_json *o;
	int64_t at = 0;

	if (sg_json_parse(&doc, line, len, "note") >= 0) {
		o = sg_json_root(&doc);
		if (o->type != SG_JSON_OBJECT || sg_json_str(o, "text", &text) < 0 || sg_json_str(o, "by", &by) < 0 ||
		    sg_json_i64(o, "time", 0, INT64_MAX, &at) < 0)
			text = NULL;
	}
	n->text = text ? sg_strdup(text) : sg_strndup(line, len);
	n->by = sg_strdup(text && by ? by : "");
	n->time = text ? at : 0;
	sg_json_release(&doc);
	return n->text && n->by ? 0 : -SG_E_NOMEM;
}

static int read_file(struct sg_buf *out, struct sg_repo *r, const struct sg_oid *notes, const struct sg_oid *object)
{
	char path[64];
	int rc;

	if (sg_oid_is_zero(notes))
		return 0;
	SG_TRY(path_of(path, r, notes, object));
	rc = sg_tree_read(out, r->reg, notes, path, NOTES_MAX);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

int sg_notes_of(struct sg_note_list *out, struct sg_repo *r, const struct sg_oid *notes, const struct sg_oid *object)
{
	struct sg_buf b = { 0 };
	int rc = read_file(&b, r, notes, object);
	const char *p = b.data, *end = b.data + b.len;

	for (size_t i = 0; rc >= 0 && b.len && p < end && i < LINES_MAX; i++) {
		const char *e = memchr(p, '\n', (size_t)(end - p));
		struct sg_note n = { .commit = "" };

		e = e ? e : end;
		if (e > p) {
			sg_oid_hex(n.commit, object);
			rc = parse_line(&n, p, (size_t)(e - p));
			if (rc >= 0)
				rc = SG_GROW(out->note, out->n, out->cap);
			if (rc >= 0)
				out->note[out->n++] = n;
			else
				note_release(&n);
		}
		p = e + 1;
	}
	sg_buf_release(&b);
	return rc;
}

/* --- what is meant ---------------------------------------------------------------- */

struct about { struct sg_oid commit; char graft[SG_SHA256_HEX]; bool done; };

static int look_accept(void *arg, const struct sg_commit *c)
{
	struct about *a = arg;
	char *op = NULL, *id = NULL;

	a->done = sg_trailer(&op, c->message, "Sg-Op", 0) >= 0 &&
		  sg_op_accepts(op) &&
		  sg_trailer(&id, c->message, "Sg-Graft", 0) >= 0 && !strncmp(id, "sha256:", 7) && !strcmp(id + 7, a->graft);
	if (a->done)
		a->commit = c->id;
	free(op);
	free(id);
	return a->done;
}

static int resolve(struct sg_oid *out, struct sg_repo *r, const char *word)
{
	struct sg_found f = { 0 };
	struct sg_oid head;
	struct about a = { .done = false };
	int kind = sg_show_kind(r, word);

	if (kind <= 0)
		return kind < 0 ? kind : sg_rev_parse(out, r->reg, word);
	SG_TRY(sg_find_graft(&f, r, word));
	a.commit = f.commit;
	strcpy(a.graft, f.id);
	kind = f.ref ? 0 : sg_rev_parse(&head, r->reg, "HEAD");
	if (kind >= 0 && !f.ref)
		kind = sg_history_walk(r->reg, &head, 1, NULL, 0, 0, look_accept, &a);
	*out = a.commit;
	sg_found_release(&f);
	return kind;
}

/* Which graft a commit is about; a commit that is gone is about none. */
static int describe(struct sg_note *n, struct sg_repo *r)
{
	struct sg_commit c = { 0 };
	struct sg_oid oid;
	char *id = NULL;

	if (!sg_oid_parse(&oid, n->commit) || sg_commit_read(&c, r->reg, &oid) < 0)
		return 0;
	if (sg_trailer(&id, c.message, "Sg-Graft", 0) >= 0 && !strncmp(id, "sha256:", 7) && sg_is_sha256(id + 7)) {
		strcpy(n->graft, id + 7);
		n->name = sg_graft_name(r, &oid, n->graft);
	}
	free(id);
	sg_commit_release(&c);
	return 0;
}

/* --- all of them ------------------------------------------------------------------- */

/* Files of a folder whose name so far is `lead`, down to whole ids. */
static int list_folder(struct sg_note_list *out, struct sg_repo *r, const struct sg_oid *notes, const char *path,
		       const char *lead)
{
	struct sg_tree_list l = { 0 };
	int rc = sg_tree_list(&l, r->reg, notes, path);

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		char name[64], sub[64];
		struct sg_oid oid;

		if (strlen(l.entry[i].name) > 40)
			continue;
		snprintf(name, sizeof(name), "%.22s%.40s", lead, l.entry[i].name);
		snprintf(sub, sizeof(sub), "%.20s%s%.40s", path, *path ? "/" : "", l.entry[i].name);
		if (l.entry[i].type == SG_OBJ_TREE && strlen(l.entry[i].name) == 2 && strlen(lead) < 20)
			rc = list_folder(out, r, notes, sub, name);
		else if (sg_oid_parse(&oid, name))
			rc = sg_notes_of(out, r, notes, &oid);
	}
	sg_tree_list_release(&l);
	return rc;
}

int sg_note_list(struct sg_note_list *out, struct sg_repo *r, const char *word)
{
	struct sg_note_list l = { 0 };
	struct sg_oid notes, commit;
	int rc = sg_notes_head(&notes, r);

	if (rc >= 0 && word)
		rc = resolve(&commit, r, word);
	if (rc >= 0 && word)
		rc = sg_notes_of(&l, r, &notes, &commit);
	else if (rc >= 0 && !sg_oid_is_zero(&notes))
		rc = list_folder(&l, r, &notes, "", "");
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		rc = describe(&l.note[i], r);
	if (rc < 0)
		sg_note_list_release(&l);
	else
		*out = l;
	return rc;
}

/* --- writing ------------------------------------------------------------------------ */

/* The new text of a commit's notes from the old one; returns what write() returns. */
typedef int edit_fn(void *arg, struct sg_buf *text);

/* One attempt on what the notes are now; BUSY: somebody was faster. */
static int write_once(struct sg_repo *r, const struct sg_oid *commit, edit_fn *edit, void *arg, const char *subject)
{
	struct sg_oid notes, tree, made;
	struct sg_tree *t = NULL;
	struct sg_buf text = { 0 };
	char path[64];
	int rc, answer = 0;

	SG_TRY(sg_notes_head(&notes, r));
	SG_TRY(path_of(path, r, &notes, commit));
	rc = read_file(&text, r, &notes, commit);
	if (rc >= 0)
		rc = answer = edit(arg, &text);
	if (rc >= 0)
		rc = sg_tree_edit(&t, r->reg, sg_oid_is_zero(&notes) ? NULL : &notes);
	if (rc >= 0)
		rc = text.len ? sg_tree_put_data(t, NULL, path, text.data, text.len) : sg_tree_remove(t, path);
	if (rc >= 0)
		rc = sg_tree_write(&tree, t, NULL);
	if (rc >= 0)
		rc = sg_commit_make(&made, r->reg, NULL, &tree, &notes, !sg_oid_is_zero(&notes), subject);
	if (rc >= 0)
		rc = sg_ref_set(r->reg, NOTES_REF, &made, &notes, subject);
	sg_tree_free(t);
	sg_buf_release(&text);
	return rc < 0 ? rc : answer;
}

/* Whoever wrote meanwhile is kept: the edit is made again on what is there now. */
static int write_notes(struct sg_repo *r, const struct sg_oid *commit, edit_fn *edit, void *arg, const char *subject)
{
	int rc = -SG_E_BUSY;

	for (unsigned i = 0; rc == -SG_E_BUSY && i < TRIES; i++) {
		if (i)
			usleep((useconds_t)(1000 + (getpid() * 7919 + i * 104729) % 20000));
		rc = write_once(r, commit, edit, arg, subject);
	}
	return rc;
}

static int append(void *arg, struct sg_buf *text)
{
	const struct sg_buf *line = arg;

	if (text->len && text->data[text->len - 1] != '\n')
		SG_TRY(sg_buf_str(text, "\n"));
	return sg_buf_fmt(text, "%s\n", line->data);
}

static int line_of(struct sg_buf *out, struct sg_repo *r, const char *text)
{
	struct sg_person p = { 0 };
	struct sg_jsonw w;
	char *by;
	int rc;

	SG_TRY(sg_person_now(&p, r->reg, false));
	by = sg_asprintf("%s <%s>", p.name, p.email);
	rc = by ? 0 : -SG_E_NOMEM;
	if (rc >= 0) {
		sg_jsonw_init(&w, out);
		sg_jsonw_object(&w);
		sg_jsonw_key(&w, "by");
		sg_jsonw_text(&w, by, strlen(by));
		sg_jsonw_key(&w, "text");
		sg_jsonw_text(&w, text, strlen(text));
		sg_jsonw_key(&w, "time");
		sg_jsonw_i64(&w, p.time);
		sg_jsonw_end(&w, '}');
		rc = sg_jsonw_done(&w);
	}
	free(by);
	sg_person_release(&p);
	return rc;
}

int sg_note_add(char commit[SG_COMMIT_HEX], struct sg_repo *r, const char *word, const char *text)
{
	struct sg_buf line = { 0 };
	struct sg_oid oid;
	int rc = *text ? resolve(&oid, r, word) : sg_fail(SG_E_USAGE, "a note says something");

	if (rc >= 0)
		rc = line_of(&line, r, text);
	if (rc >= 0)
		rc = write_notes(r, &oid, append, &line, "note: added");
	if (rc >= 0)
		sg_oid_hex(commit, &oid);
	sg_buf_release(&line);
	return SG_MIN(rc, 0);
}

/* The nth line that is not empty, or all, goes. Returns how many went. */
static int take_out(void *arg, struct sg_buf *text)
{
	size_t nth = *(const size_t *)arg, at = 0, gone = 0, kept = 0;
	char *p = text->data, *end = p + text->len;

	while (text->len && p < end) {
		char *e = memchr(p, '\n', (size_t)(end - p));
		size_t n = e ? (size_t)(e - p) + 1 : (size_t)(end - p);
		bool said = *p != '\n';

		at += said;
		if (said && (!nth || at == nth)) {
			gone++;
		} else {
			memmove(text->data + kept, p, n);
			kept += n;
		}
		p += n;
	}
	if (!gone)
		return nth ? sg_fail(SG_E_NOTFOUND, "there is no note %zu, only %zu", nth, at) :
			     sg_fail(SG_E_NOTFOUND, "there is no note");
	text->len = at == gone ? 0 : kept;
	return (int)gone;
}

int sg_note_remove(char commit[SG_COMMIT_HEX], struct sg_repo *r, const char *word, size_t nth)
{
	struct sg_oid oid;
	int rc = resolve(&oid, r, word);

	if (rc >= 0)
		rc = write_notes(r, &oid, take_out, &nth, "note: removed");
	if (rc >= 0)
		sg_oid_hex(commit, &oid);
	return rc;
}
