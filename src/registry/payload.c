#include "registry/payload.h"
#include "registry/crew.h"
#include "registry/impl.h"
#include "registry/registry.h"
#include "format/chunk.h"
#include <unistd.h>

#define LEVEL 1		/* higher ones are slower and no smaller on shuffled weights */
#define LEVEL_MAX 19
#define THREADS_MAX 16u
#define ALONE 4		/* with fewer chunks threads would cost more than they bring */
#define SLACK 64	/* a chunk blob is at most its raw bytes and a header */

static size_t count(size_t n, size_t chunk)
{
	return n ? (n - 1) / chunk + 1 : 1;
}

/* --- configuration -------------------------------------------------------------- */

static int number(long *out, struct sg_registry *r, const char *key, long max)
{
	char *text = NULL, *end;
	int rc = sg_registry_config_get(&text, r, key);

	if (rc == -SG_E_NOTFOUND)
		return 0;
	if (rc >= 0) {
		*out = strtol(text, &end, 10);
		if (end == text || *end || *out < 0 || *out > max)
			rc = sg_fail(SG_E_USAGE, "%s is '%.40s', not a number from 0 to %ld", key, text, max);
	}
	free(text);
	return rc;
}

int sg_payload_config(struct sg_payload_how *out, struct sg_registry *r)
{
	long level = LEVEL, threads = 0, cpus = sysconf(_SC_NPROCESSORS_ONLN);

	SG_TRY(number(&level, r, "sg.compression", LEVEL_MAX));
	SG_TRY(number(&threads, r, "sg.threads", 4096));
	if (!threads)
		threads = cpus > 0 ? cpus : 1;
	/* zstd's memory grows with the level */
	threads = SG_MIN(threads, level > 9 ? 2 : (long)THREADS_MAX);
	*out = (struct sg_payload_how){ .level = (int)level, .threads = (unsigned)threads };
	return 0;
}

/* --- writing ---------------------------------------------------------------------- */

/* A chunk on its way: raw bytes, then blob, then entry of the pack. */
struct piece {
	struct sg_task task;		/* first */
	const struct sg_payload_how *how;
	int codec;
	unsigned width;
	unsigned char *own;		/* raw bytes of a stream */
	const unsigned char *raw;
	size_t n, index;
	struct sg_buf blob;
	struct sg_packed packed;
};

static void encode(struct sg_task *t)
{
	struct piece *c = (struct piece *)t;

	sg_buf_clear(&c->blob);
	t->rc = sg_chunk_encode_as(&c->blob, (enum sg_chunk_codec)c->codec, c->raw, c->n, c->width, c->how->level);
	if (t->rc >= 0)
		t->rc = sg_packer_prepare(&c->packed, SG_OBJ_BLOB, c->blob.data, c->blob.len);
}

struct out {
	struct sg_packer *p;
	struct sg_tree *t;
	const char *folder;
	struct sg_payload_how how;
	struct sg_crew *crew;
	struct piece *piece;		/* a ring */
	size_t ring, n, chunk, many;
	unsigned width;
	const unsigned char *data;	/* all of it, or read */
	sg_payload_read_fn *read;
	void *arg;
	struct sg_hash hash;
	bool hashing;
};

static int fill(struct out *o, struct piece *c)
{
	size_t at = c->index * o->chunk;

	c->n = SG_MIN(o->chunk, o->n - at);
	c->raw = o->data ? o->data + at : c->own;
	if (!o->data && c->n)
		SG_TRY(o->read(o->arg, c->own, c->n, at));
	return o->hashing ? sg_hash_update(&o->hash, c->raw, c->n) : 0;
}

/* One codec for the whole tensor: its parts are alike. */
static int choose(struct out *o, const struct piece *first)
{
	int codec = o->how.level ? sg_chunk_pick(first->raw, first->n, o->width, o->how.level) : SG_CHUNK_RAW;

	for (size_t i = 0; codec >= 0 && i < o->ring; i++)
		o->piece[i].codec = codec;
	return codec;
}

static int store(struct out *o, struct piece *c)
{
	struct sg_oid oid;
	char *path;
	int rc = sg_crew_wait(o->crew, &c->task);

	SG_TRY(rc);
	SG_TRY(sg_packer_add_packed(&oid, o->p, &c->packed));
	path = sg_asprintf("%s/%04zu", o->folder, c->index);
	rc = path ? sg_tree_put(o->t, path, &oid) : -SG_E_NOMEM;
	free(path);
	return rc;
}

static int pump(struct out *o)
{
	size_t given = 0, stored = 0;
	int rc = 0;

	while (rc >= 0 && stored < o->many) {
		struct piece *c = &o->piece[given % o->ring];

		if (given < o->many && given - stored < o->ring) {
			c->index = given;
			rc = fill(o, c);
			if (rc >= 0 && !given)
				rc = choose(o, c);
			if (rc >= 0)
				sg_crew_give(o->crew, &c->task);
			given += rc >= 0;
		} else {
			rc = store(o, &o->piece[stored++ % o->ring]);
		}
	}
	for (; stored < given; stored++)	/* after a failure: nobody may still use them */
		(void)sg_crew_wait(o->crew, &o->piece[stored % o->ring].task);
	return rc;
}

static int prepare(struct out *o)
{
	bool crowd = o->how.threads > 1 && o->many >= ALONE;

	if (crowd)
		SG_TRY(sg_crew_open(&o->crew, o->how.threads));
	/* each thread has one, one waits to be written, one is being read */
	o->ring = SG_MIN(o->crew ? o->how.threads + 2 : 1, o->many);
	SG_TRY(SG_NEW(o->piece, o->ring));
	for (size_t i = 0; i < o->ring; i++) {
		struct piece *c = &o->piece[i];

		c->task.fn = encode;
		c->how = &o->how;
		c->width = o->width;
		if (o->read)
			SG_TRY(SG_NEW(c->own, SG_MIN(o->chunk, o->n) + 1));
	}
	return 0;
}

static int write_payload(struct out *o)
{
	int rc;

	if (o->how.chunk > SG_CHUNK_MAX)
		return sg_fail(SG_E_ERROR, "chunks of %zu bytes are too large", o->how.chunk);
	o->chunk = o->how.chunk ? o->how.chunk : sg_chunk_size(o->n);
	o->many = count(o->n, o->chunk);
	rc = prepare(o);
	if (rc >= 0)
		rc = pump(o);
	sg_crew_free(o->crew);
	for (size_t i = 0; o->piece && i < o->ring; i++) {
		free(o->piece[i].own);
		sg_buf_release(&o->piece[i].blob);
		sg_buf_release(&o->piece[i].packed.entry);
	}
	free(o->piece);
	return rc < 0 ? rc : 0;
}

int sg_payload_write(struct sg_packer *p, struct sg_tree *t, const char *folder, const void *data,
		     size_t n, unsigned width)
{
	struct out o = { .p = p, .t = t, .folder = folder, .data = data, .n = n, .width = width };

	if (!data)
		o.data = (const unsigned char *)"";
	SG_TRY(sg_payload_config(&o.how, sg_packer_registry(p)));
	return write_payload(&o);
}

int sg_payload_write_from(char sha256[SG_SHA256_HEX], struct sg_packer *p, struct sg_tree *t, const char *folder,
			  sg_payload_read_fn *read, void *arg, size_t n, unsigned width,
			  const struct sg_payload_how *how)
{
	struct out o = { .p = p, .t = t, .folder = folder, .read = read, .arg = arg, .n = n, .width = width };
	unsigned char sum[SG_SHA256_LEN];
	int rc = 0;

	if (how)
		o.how = *how;
	else
		rc = sg_payload_config(&o.how, sg_packer_registry(p));
	o.hashing = sha256 != NULL;
	if (rc >= 0 && o.hashing)
		rc = sg_sha256_init(&o.hash);
	if (rc >= 0)
		rc = write_payload(&o);
	if (rc >= 0 && o.hashing) {
		rc = sg_hash_final(&o.hash, sum);
		sg_hex(sha256, sum, sizeof(sum));
	}
	sg_hash_release(&o.hash);
	return rc;
}

/* --- reading ------------------------------------------------------------------------ */

/* A chunk on its way back. The blob is read by the caller: libgit2's handle is for one
 * thread. */
struct part {
	struct sg_task task;		/* first */
	git_odb_object *o;
	unsigned char *own, *to;	/* own: when there is no room for all */
	size_t n, index;
	char what[512];
};

struct in {
	struct sg_registry *r;
	struct sg_tree_list l;
	const char *folder;
	unsigned char *out;		/* all of it, or fn */
	int (*fn)(void *arg, const void *data, size_t n);
	void *arg;
	struct sg_crew *crew;
	struct part *part;
	size_t ring, n, chunk, many;
	struct sg_hash hash;
};

static void decode(struct sg_task *t)
{
	struct part *c = (struct part *)t;

	t->rc = sg_chunk_decode(c->to, c->n, git_odb_object_data(c->o), git_odb_object_size(c->o), c->what);
}

/* Entries are in git's order, which is that of the numbers up to 9999 only. */
static const struct sg_tree_entry *numbered(const struct sg_tree_list *l, size_t i)
{
	char name[32];

	snprintf(name, sizeof(name), "%04zu", i);
	if (i < l->n && !strcmp(l->entry[i].name, name))
		return &l->entry[i];
	for (size_t k = 0; l->n > 9999 && k < l->n; k++)
		if (!strcmp(l->entry[k].name, name))
			return &l->entry[k];
	return NULL;
}

/* The blob of chunk i, after a look at its size. */
static int fetch(git_odb_object **out, struct in *x, size_t i, size_t most, char *what, size_t what_n)
{
	const struct sg_tree_entry *e = numbered(&x->l, i);
	enum sg_object_type type;
	size_t size;
	int rc;

	snprintf(what, what_n, "%s/%04zu", x->folder, i);
	if (!e)
		return sg_fail(SG_E_CORRUPT, "'%s' is missing", what);
	SG_TRY(sg_object_stat(&type, &size, x->r, &e->oid));
	if (type != SG_OBJ_BLOB || size > most + SLACK)
		return sg_fail(SG_E_CORRUPT, "'%s' is no chunk of %zu bytes", what, most);
	rc = git_odb_read(out, x->r->odb, sg_git_oid(&e->oid));
	return rc < 0 ? sg_git_fail(rc, "cannot read '%s'", what) : 0;
}

/* All chunks but the last are as long as the first says; that must add up. */
static int chunk_length(struct in *x)
{
	git_odb_object *o = NULL;
	char what[512];
	int rc = 0;

	if (!x->n || x->l.n <= 1) {
		x->chunk = SG_MAX(x->n, 1);
	} else if (x->l.n == count(x->n, sg_chunk_size(x->n))) {
		x->chunk = sg_chunk_size(x->n);
	} else {
		rc = fetch(&o, x, 0, SG_CHUNK_MAX, what, sizeof(what));
		if (rc >= 0)
			rc = sg_chunk_length(&x->chunk, git_odb_object_data(o), git_odb_object_size(o), what);
		git_odb_object_free(o);
	}
	SG_TRY(rc);
	x->many = x->chunk ? count(x->n, x->chunk) : 0;
	if (x->l.n != x->many || (x->chunk > SG_CHUNK_MAX && x->n))
		return sg_fail(SG_E_CORRUPT, "'%s' has %zu chunks, which do not make %zu bytes", x->folder, x->l.n, x->n);
	return 0;
}

static int start(struct in *x, struct part *c, size_t i)
{
	c->index = i;
	c->n = SG_MIN(x->chunk, x->n - i * x->chunk);
	c->to = x->out ? x->out + i * x->chunk : c->own;
	SG_TRY(fetch(&c->o, x, i, c->n, c->what, sizeof(c->what)));
	sg_crew_give(x->crew, &c->task);
	return 0;
}

static int finish(struct in *x, struct part *c, bool hashing)
{
	int rc = sg_crew_wait(x->crew, &c->task);

	git_odb_object_free(c->o);
	c->o = NULL;
	if (rc >= 0 && hashing)
		rc = sg_hash_update(&x->hash, c->to, c->n);
	return rc >= 0 && x->fn ? x->fn(x->arg, c->to, c->n) : rc;
}

static int drain(struct in *x, bool hashing)
{
	size_t given = 0, done = 0;
	int rc = 0;

	while (rc >= 0 && done < x->many) {
		if (given < x->many && given - done < x->ring) {
			rc = start(x, &x->part[given % x->ring], given);
			given += rc >= 0;
		} else {
			rc = finish(x, &x->part[done++ % x->ring], hashing);
		}
	}
	for (; done < given; done++)
		(void)finish(x, &x->part[done % x->ring], false);
	return rc;
}

static int read_ready(struct in *x)
{
	struct sg_payload_how how;

	SG_TRY(sg_payload_config(&how, x->r));
	if (how.threads > 1 && x->many >= ALONE)
		SG_TRY(sg_crew_open(&x->crew, how.threads));
	x->ring = SG_MIN(x->crew ? how.threads + 2 : 1, x->many);
	SG_TRY(SG_NEW(x->part, x->ring));
	for (size_t i = 0; i < x->ring; i++) {
		x->part[i].task.fn = decode;
		if (!x->out)
			SG_TRY(SG_NEW(x->part[i].own, SG_MIN(x->chunk, x->n) + 1));
	}
	return 0;
}

static int check_sum(struct in *x, const char *sha256)
{
	unsigned char sum[SG_SHA256_LEN];
	char hex[SG_SHA256_HEX];

	SG_TRY(sg_hash_final(&x->hash, sum));
	sg_hex(hex, sum, sizeof(sum));
	return strcmp(hex, sha256) ?
	       sg_fail(SG_E_CORRUPT, "'%s' does not have the SHA-256 that names it", x->folder) : 0;
}

static int read_payload(struct in *x, const struct sg_oid *at, const char *sha256)
{
	int rc = sg_tree_list(&x->l, x->r, at, x->folder);

	if (rc >= 0)
		rc = chunk_length(x);
	if (rc >= 0)
		rc = read_ready(x);
	if (rc >= 0 && sha256)
		rc = sg_sha256_init(&x->hash);
	if (rc >= 0)
		rc = drain(x, sha256 != NULL);
	if (rc >= 0 && sha256)
		rc = check_sum(x, sha256);
	sg_crew_free(x->crew);
	for (size_t i = 0; x->part && i < x->ring; i++)
		free(x->part[i].own);
	free(x->part);
	sg_hash_release(&x->hash);
	sg_tree_list_release(&x->l);
	return SG_MIN(rc, 0);
}

int sg_payload_read(void *out, size_t n, struct sg_registry *r, const struct sg_oid *at,
		    const char *folder, const char *sha256)
{
	static unsigned char nothing;
	struct in x = { .r = r, .folder = folder, .out = out ? out : &nothing, .n = n };

	return read_payload(&x, at, sha256);
}

int sg_payload_read_to(int (*fn)(void *arg, const void *data, size_t n), void *arg, size_t n, struct sg_registry *r,
		       const struct sg_oid *at, const char *folder, const char *sha256)
{
	struct in x = { .r = r, .folder = folder, .fn = fn, .arg = arg, .n = n };

	return read_payload(&x, at, sha256);
}
