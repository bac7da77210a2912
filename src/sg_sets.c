/* Data sets: adding them as commits, finding their tokens again. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/overlap.h"
#include <unistd.h>

#define MANIFEST_MAX ((size_t)16 << 20)
#define DOCS_MAX ((size_t)1 << 30)

static char *data_dir(const struct sg_repo *r)
{
	return sg_repo_path(r, "data");
}

/* --- sets of a commit -------------------------------------------------------- */

static int open_set(struct sg_set *s, struct sg_repo *r, const struct sg_oid *commit, const char *file, const char *dir)
{
	struct sg_buf b = { 0 };
	char path[200];
	int rc;

	snprintf(path, sizeof(path), "data/%.150s", file);
	rc = sg_tree_read(&b, r->reg, commit, path, MANIFEST_MAX);
	if (rc >= 0)
		rc = sg_dataset_manifest_parse(&s->manifest, b.data, b.len, path);
	if (rc >= 0 && (strncmp(file, s->manifest.name, strlen(s->manifest.name)) ||
			strcmp(file + strlen(s->manifest.name), ".json")))
		rc = sg_fail(SG_E_CORRUPT, "data set manifest '%s': it is the one of '%s'", path, s->manifest.name);
	if (rc >= 0)
		rc = sg_sha256_hex(s->id, b.data, b.len);
	sg_buf_release(&b);
	if (rc >= 0) {
		rc = sg_dataset_open(&s->shard, dir, &s->manifest);
		s->present = rc >= 0;
		if (rc == -SG_E_NOTFOUND)
			rc = 0;
	}
	return rc;
}

int sg_sets_open(struct sg_sets *out, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_tree_list l = { 0 };
	struct sg_sets s = { 0 };
	char *dir = data_dir(r);
	int rc = dir ? sg_tree_list(&l, r->reg, commit, "data") : -SG_E_NOMEM;

	if (rc == -SG_E_NOTFOUND)
		rc = 0;
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *dot = strrchr(l.entry[i].name, '.');

		if (!dot || strcmp(dot, ".json"))
			continue;
		rc = SG_GROW(s.set, s.n, s.cap);
		if (rc < 0)
			break;
		s.set[s.n] = (struct sg_set){ 0 };
		rc = open_set(&s.set[s.n++], r, commit, l.entry[i].name, dir);
	}
	sg_tree_list_release(&l);
	free(dir);
	if (rc < 0)
		sg_sets_release(&s);
	else
		*out = s;
	return rc;
}

struct sg_set *sg_sets_find(const struct sg_sets *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->set[i].manifest.name, name))
			return &s->set[i];
	return NULL;
}

void sg_sets_release(struct sg_sets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		sg_dataset_manifest_release(&s->set[i].manifest);
		sg_shard_release(&s->set[i].shard);
	}
	free(s->set);
	*s = (struct sg_sets){ 0 };
}

/* --- adding ------------------------------------------------------------------ */

/* No document may stand in two roles: the new hashes against those of every other set. */
static int check_roles(struct sg_repo *r, const struct sg_oid *commit, const struct sg_sets *sets,
		       const struct sg_dataset_manifest *m, const struct sg_buf *mine)
{
	for (size_t i = 0; i < sets->n; i++) {
		const struct sg_dataset_manifest *o = &sets->set[i].manifest;
		struct sg_buf theirs = { 0 };
		unsigned char first[SG_DOC_HASH];
		char path[200], hex[2 * SG_DOC_HASH + 1];
		int64_t common;

		if (o->role == m->role)
			continue;
		snprintf(path, sizeof(path), "data/%s.docs", o->name);
		SG_TRY(sg_tree_read(&theirs, r->reg, commit, path, DOCS_MAX));
		common = sg_dataset_common(mine->data, mine->len, theirs.data, theirs.len, first);
		sg_buf_release(&theirs);
		if (common < 0)
			return (int)common;
		if (common) {
			sg_hex(hex, first, sizeof(first));
			return sg_fail(SG_E_REFUSED, "%lld documents of '%s' (%s) stand in '%s' (%s) too, the first is %s; "
				       "a document has one role", (long long)common, m->name, sg_role_name(m->role), o->name,
				       sg_role_name(o->role), hex);
		}
	}
	return 0;
}

int sg_set_tokens(const struct sg_tokens **out, const struct sg_set *s)
{
	if (!s->present)
		return sg_fail(SG_E_NOTFOUND, "the tokens of data set '%s' are not on this machine; add its files again",
			       s->manifest.name);
	*out = &s->shard.t;
	return 0;
}

int sg_set_ngrams(struct sg_ngrams *out, struct sg_repo *r, const struct sg_set *set)
{
	char *dir = data_dir(r), *path = dir ? sg_asprintf("%s/%s.tokens.ngrams", dir, set->manifest.shard) : NULL;
	int rc = path ? sg_ngrams_open(out, path) : -SG_E_NOMEM;

	free(path);
	free(dir);
	return rc;
}

/* Documents of the new set that share 13 words in a row with a set of another role. */
static int64_t count_overlap(struct sg_repo *r, const struct sg_sets *sets, const struct sg_dataset_manifest *m,
			     const struct sg_docs *docs)
{
	int64_t most = 0;
	char *dir = data_dir(r);

	for (size_t i = 0; dir && i < sets->n; i++) {
		const struct sg_dataset_manifest *o = &sets->set[i].manifest;
		struct sg_ngrams g = { 0 };
		char *path;
		int64_t n = 0;

		if (o->role == m->role)
			continue;
		path = sg_asprintf("%s/%s.tokens.ngrams", dir, o->shard);
		if (path && sg_ngrams_open(&g, path) >= 0)
			n = sg_overlap(&g, docs->doc, docs->n, NULL, 0);
		sg_ngrams_release(&g);
		free(path);
		most = SG_MAX(most, n);
	}
	free(dir);
	return most;
}

static int describe(struct sg_data_info *out, const struct sg_dataset_manifest *m, const char *id, bool present)
{
	struct sg_data_info d = { .docs = m->docs, .tokens = m->tokens, .bytes = m->bytes, .present = present };

	d.name = sg_strdup(m->name);
	d.role = sg_strdup(sg_role_name(m->role));
	d.split = sg_strdup(m->split);
	strcpy(d.id, id);
	strcpy(d.shard, m->shard);
	if (!d.name || !d.role || !d.split) {
		sg_data_info_release(&d);
		return -SG_E_NOMEM;
	}
	*out = d;
	return 0;
}

static int commit_set(struct sg_repo *r, const struct sg_view *v, const struct sg_dataset_manifest *m, const char *id,
		      const struct sg_buf *json, const struct sg_buf *docs)
{
	struct sg_change c = { 0 };
	struct sg_buf msg = { 0 };
	char path[200], subject[160];
	int rc = sg_change_begin(&c, r);

	snprintf(subject, sizeof(subject), "data: add %s (%s), %llu documents, %llu tokens", m->name,
		 sg_role_name(m->role), (unsigned long long)m->docs, (unsigned long long)m->tokens);
	if (rc >= 0)
		rc = sg_message(&msg, subject, NULL);
	if (rc >= 0)
		rc = sg_message_trailer(&msg, "Sg-Op", "data");
	if (rc >= 0)
		rc = sg_message_trailer(&msg, "Sg-Data", "sha256:%s", id);
	if (rc >= 0)
		rc = sg_message_trailer(&msg, "Sg-State", "sha256:%s", v->state);
	if (rc >= 0 && !sg_oid_eq(&c.head, &v->commit))
		rc = sg_fail(SG_E_BUSY, "another process changed the registry; try again");
	snprintf(path, sizeof(path), "data/%s.json", m->name);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, path, json->data, json->len);
	snprintf(path, sizeof(path), "data/%s.docs", m->name);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, path, docs->data, docs->len);
	if (rc >= 0)
		rc = sg_change_done(&c, NULL, NULL, msg.data);
	sg_change_release(&c);
	sg_buf_release(&msg);
	return rc;
}

/* The files of a shard from where it was built to where sets are looked for. */
static int move_in(struct sg_repo *r, const struct sg_dataset_manifest *m, const char *built)
{
	static const char *const ends[] = { "tokens.ngrams", "tokens" };
	char *dir = data_dir(r);
	int rc = dir ? sg_dir_make(dir) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < SG_LEN(ends); i++) {
		char *from = sg_asprintf("%s/%s.%s", built, m->shard, ends[i]);
		char *to = sg_asprintf("%s/%s.%s", dir, m->shard, ends[i]);

		rc = from && to ? sg_file_rename(from, to) : -SG_E_NOMEM;
		free(from);
		free(to);
	}
	free(dir);
	return rc;
}

/* Checks and commits a set that has been built in the folder `dir`. */
static int take_in(struct sg_data_info *out, struct sg_repo *r, struct sg_view *v,
		   const struct sg_dataset_manifest *m, const struct sg_docs *docs, const char *dir)
{
	struct sg_buf json = { 0 }, hashes = { 0 };
	struct sg_sets sets = { 0 };
	struct sg_shard shard = { 0 };
	struct sg_set *same;
	char id[SG_SHA256_HEX];
	int64_t overlap = 0;
	int rc = sg_sets_open(&sets, r, &v->commit);

	if (rc >= 0)
		rc = sg_dataset_manifest_emit(m, &json);
	if (rc >= 0)
		rc = sg_sha256_hex(id, json.data, json.len);
	if (rc >= 0)
		rc = sg_dataset_open(&shard, dir, m);
	if (rc >= 0)
		rc = sg_dataset_docs(&hashes, &shard.t);
	same = rc >= 0 ? sg_sets_find(&sets, m->name) : NULL;
	if (same && strcmp(same->id, id))
		rc = sg_fail(SG_E_EXISTS, "there is a data set '%s' with other content", m->name);
	if (rc >= 0 && !same)
		rc = check_roles(r, &v->commit, &sets, m, &hashes);
	if (rc >= 0 && !same) {
		overlap = count_overlap(r, &sets, m, docs);
		rc = overlap < 0 ? (int)overlap : 0;
	}
	if (rc >= 0)
		rc = move_in(r, m, dir);
	if (rc >= 0 && !same)
		rc = commit_set(r, v, m, id, &json, &hashes);
	if (rc >= 0)
		rc = describe(out, m, id, true);
	if (rc >= 0) {
		out->duplicates = docs->duplicates;
		out->overlap = (uint64_t)overlap;
	}
	sg_shard_release(&shard);
	sg_sets_release(&sets);
	sg_buf_release(&json);
	sg_buf_release(&hashes);
	return rc;
}

int sg_data_add(struct sg_data_info *out, struct sg_repo *r, const struct sg_data_opts *o,
		const struct sg_progress *progress)
{
	struct sg_dataset_opts opts = {
		.field = o->field, .from = o->from, .to = o->to, .per_file = o->per_file,
		.min_bytes = o->min_bytes, .max_docs = o->max_docs,
	};
	struct sg_dataset_manifest m = { 0 };
	struct sg_docs docs = { 0 };
	struct sg_view v = { 0 };
	enum sg_role role;
	/* built aside: a set that is refused leaves nothing */
	char *dir = sg_asprintf("%s/data-%ld", sg_registry_tmp_dir(r->reg), (long)getpid());
	int rc = dir ? sg_role_parse(&role, o->role) : -SG_E_NOMEM;

	if (rc >= 0 && !sg_dataset_name_ok(o->name))
		rc = sg_fail(SG_E_USAGE, "'%s' is no name for a data set (letters, digits, '.', '_', '-')", o->name);
	if (rc >= 0 && o->split)
		rc = sg_split_parse(&opts.split, o->split);
	if (rc >= 0)
		rc = sg_view_open(&v, r, NULL);
	if (rc >= 0)
		rc = sg_view_tokenizer(&v);
	if (rc >= 0)
		rc = sg_docs_read(&docs, o->files, o->n_files, &opts);
	if (rc >= 0)
		rc = sg_dir_make(dir);
	if (rc >= 0)
		rc = sg_dataset_build(&m, dir, o->name, role, &docs, &opts, v.tok, v.tokenizer, progress);
	if (rc >= 0)
		rc = take_in(out, r, &v, &m, &docs, dir);
	if (dir)
		(void)sg_dir_remove(dir);
	sg_dataset_manifest_release(&m);
	sg_docs_release(&docs);
	sg_view_release(&v);
	free(dir);
	return rc;
}

int sg_data_list(struct sg_data_list *out, struct sg_repo *r, const char *rev)
{
	struct sg_data_list l = { 0 };
	struct sg_sets sets = { 0 };
	struct sg_oid commit;
	int rc = sg_rev_parse(&commit, r->reg, rev ? rev : "HEAD");

	if (rc >= 0)
		rc = sg_sets_open(&sets, r, &commit);
	for (size_t i = 0; rc >= 0 && i < sets.n; i++) {
		rc = SG_GROW(l.set, l.n, l.cap);
		if (rc >= 0)
			rc = describe(&l.set[l.n], &sets.set[i].manifest, sets.set[i].id, sets.set[i].present);
		if (rc >= 0)
			l.n++;
	}
	sg_sets_release(&sets);
	if (rc < 0)
		sg_data_list_release(&l);
	else
		*out = l;
	return rc;
}

int sg_data_manifest(struct sg_buf *out, struct sg_repo *r, const char *rev, const char *name)
{
	struct sg_oid commit;
	char path[200];
	int rc;

	if (!sg_dataset_name_ok(name))
		return sg_fail(SG_E_USAGE, "'%s' is no name of a data set", name);
	snprintf(path, sizeof(path), "data/%s.json", name);
	SG_TRY(sg_rev_parse(&commit, r->reg, rev ? rev : "HEAD"));
	rc = sg_tree_read(out, r->reg, &commit, path, MANIFEST_MAX);
	return rc == -SG_E_NOTFOUND ? sg_fail(SG_E_NOTFOUND, "no data set '%s'", name) : rc;
}

int sg_data_remove(struct sg_repo *r, const char *name)
{
	struct sg_change c = { 0 };
	struct sg_buf msg = { 0 };
	char path[200], subject[160];
	int rc;

	if (!sg_dataset_name_ok(name))
		return sg_fail(SG_E_USAGE, "'%s' is no name of a data set", name);
	rc = sg_change_begin(&c, r);
	snprintf(path, sizeof(path), "data/%s.json", name);
	if (rc >= 0 && (rc = sg_tree_remove(c.tree, path)) == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, "no data set '%s'", name);
	snprintf(path, sizeof(path), "data/%s.docs", name);
	if (rc >= 0)
		rc = sg_tree_remove(c.tree, path);
	snprintf(subject, sizeof(subject), "data: remove %s", name);
	if (rc >= 0)
		rc = sg_message(&msg, subject, NULL);
	if (rc >= 0)
		rc = sg_message_trailer(&msg, "Sg-Op", "data");
	if (rc >= 0)
		rc = sg_change_done(&c, NULL, NULL, msg.data);
	sg_change_release(&c);
	sg_buf_release(&msg);
	return rc;
}

/* --- checking ----------------------------------------------------------------- */

struct check {
	struct sg_repo *r;
	struct sg_oid commit;
	char *dir;
	struct sg_set *set;		/* those that parse */
	struct sg_buf *docs;		/* their document lists */
	size_t n;
	void (*fn)(void *arg, const char *set, const char *text);
	void *arg;
	int found;
};

static void tell(struct check *c, const char *set, const char *text)
{
	c->fn(c->arg, set, text);
	c->found++;
}

/* Damage is an answer; anything else that fails is a failure. */
static int damaged(struct check *c, const char *set, int rc)
{
	if (rc != -SG_E_CORRUPT && rc != -SG_E_NOTFOUND && rc != -SG_E_UNSUPPORTED)
		return rc;
	tell(c, set, sg_error_message());
	return 0;
}

/* One set by itself: manifest, tokens, and the list of documents against them. */
static int check_set(struct check *c, const char *file)
{
	struct sg_set *s = &c->set[c->n];
	struct sg_buf *docs = &c->docs[c->n], mine = { 0 };
	char path[200];
	int rc = open_set(s, c->r, &c->commit, file, c->dir);

	if (rc < 0) {
		rc = damaged(c, s->manifest.name ? s->manifest.name : file, rc);
		sg_dataset_manifest_release(&s->manifest);
		return rc;
	}
	c->n++;
	snprintf(path, sizeof(path), "data/%s.docs", s->manifest.name);
	rc = sg_tree_read(docs, c->r->reg, &c->commit, path, DOCS_MAX);
	if (rc < 0)
		return damaged(c, s->manifest.name, rc);
	if (!s->present)
		return 0;
	rc = sg_dataset_docs(&mine, &s->shard.t);
	if (rc >= 0 && (mine.len != docs->len || memcmp(mine.data, docs->data, mine.len)))
		tell(c, s->manifest.name, "its list of documents is not that of its tokens");
	sg_buf_release(&mine);
	return rc;
}

/* Two sets against each other. */
static int check_pair(struct check *c, size_t a, size_t b)
{
	const struct sg_dataset_manifest *ma = &c->set[a].manifest, *mb = &c->set[b].manifest;
	char text[200];
	int64_t n;

	if (ma->role == mb->role)
		return 0;
	n = sg_dataset_common(c->docs[a].data, c->docs[a].len, c->docs[b].data, c->docs[b].len, NULL);
	if (n < 0)
		return damaged(c, mb->name, (int)n);
	snprintf(text, sizeof(text), "%lld documents stand in '%s' (%s) too", (long long)n, ma->name, sg_role_name(ma->role));
	if (n)
		tell(c, mb->name, text);
	return 0;
}

static int check_all(struct check *c, const struct sg_tree_list *l, const struct sg_progress *progress)
{
	SG_TRY(SG_NEW(c->set, l->n));
	SG_TRY(SG_NEW(c->docs, l->n));
	for (size_t i = 0; i < l->n; i++) {
		const char *dot = strrchr(l->entry[i].name, '.');

		if (dot && !strcmp(dot, ".json"))
			SG_TRY(check_set(c, l->entry[i].name));
		if (sg_progress(progress, "check", i + 1, l->n, ""))
			return sg_fail(SG_E_INTERRUPTED, "interrupted");
	}
	for (size_t b = 1; b < c->n; b++)
		for (size_t a = 0; a < b; a++)
			SG_TRY(check_pair(c, a, b));
	return 0;
}

int sg_data_check(struct sg_repo *r, void (*fn)(void *arg, const char *set, const char *text), void *arg,
		  const struct sg_progress *progress)
{
	struct check c = { .r = r, .dir = data_dir(r), .fn = fn, .arg = arg };
	struct sg_tree_list l = { 0 };
	int rc = c.dir ? sg_rev_parse(&c.commit, r->reg, "HEAD") : -SG_E_NOMEM;

	if (rc >= 0 && (rc = sg_tree_list(&l, r->reg, &c.commit, "data")) == -SG_E_NOTFOUND)
		rc = 0;
	if (rc >= 0)
		rc = check_all(&c, &l, progress);
	for (size_t i = 0; i < c.n; i++) {
		sg_dataset_manifest_release(&c.set[i].manifest);
		sg_shard_release(&c.set[i].shard);
		sg_buf_release(&c.docs[i]);
	}
	sg_tree_list_release(&l);
	free(c.set);
	free(c.docs);
	free(c.dir);
	return rc < 0 ? rc : c.found;
}

void sg_data_info_release(struct sg_data_info *d)
{
	free(d->name);
	free(d->role);
	free(d->split);
	*d = (struct sg_data_info){ 0 };
}

void sg_data_list_release(struct sg_data_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		sg_data_info_release(&l->set[i]);
	free(l->set);
	*l = (struct sg_data_list){ 0 };
}
