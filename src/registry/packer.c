#include "registry/packer.h"
#include "registry/impl.h"
#include "registry/zsum.h"
#include "base/file.h"
#include "base/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * Pack version 2: "PACK", version, count; each object as a varint of type and
 * size, then a zlib stream; SHA-1 of all that. Index version 2 beside it.
 * Tensors do not deflate (their chunks are compressed already), so the streams
 * are made of stored blocks, which costs 5 bytes in 65,535 and no time.
 */
#define STORED_MAX 65535
#define BUFFER ((size_t)1 << 20)

struct entry { struct sg_oid oid; uint32_t crc; uint64_t offset; size_t size; enum sg_object_type type; };

/*
 * A folder of thousands differs from the one before by an entry or two. Where both go
 * into one pack (when packs are joined) the later one is an OFS_DELTA: entries
 * that are copied, and those that are new.
 */
#define BIG_TREE 4096
#define CHAIN_MAX 40		/* deltas upon deltas; git's own limit is 50 */
struct recent { struct sg_buf raw; uint64_t offset; unsigned depth; };

struct sg_packer {
	struct recent recent[4];
	unsigned turn;
	struct sg_registry *r;
	int fd;
	char *tmp;			/* objects/pack/tmp_sg_<pid>_<n> */
	char *keep;			/* once committed */
	struct entry *entry;
	size_t n, cap;
	struct sg_oidmap map;
	unsigned char *buf;
	size_t used;
	uint64_t offset, flushed;	/* bytes of the pack so far, buffered ones too; in the file */
	uint32_t crc;			/* of the entry being written */
	bool locked, failed, done, all;
};

int sg_object_id(struct sg_oid *out, enum sg_object_type type, const void *data, size_t n)
{
	char head[32];
	struct sg_hash h = { 0 };
	int len = snprintf(head, sizeof(head), "%s %zu", sg_object_type_name(type), n), rc;

	SG_TRY(sg_sha1_init(&h));
	rc = sg_hash_update(&h, head, (size_t)len + 1);
	if (rc >= 0)
		rc = sg_hash_update(&h, data, n);
	if (rc >= 0)
		rc = sg_hash_final(&h, out->id);
	sg_hash_release(&h);
	return rc;
}

static void put32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static size_t entry_head(unsigned char *p, enum sg_object_type type, size_t n)
{
	size_t len = 0;

	p[0] = (unsigned char)((unsigned)type << 4 | (n & 15));
	for (n >>= 4; n; n >>= 7) {
		p[len++] |= 0x80;
		p[len] = n & 0x7f;
	}
	return len + 1;
}

int sg_pack_entry(int (*sink)(void *arg, const void *data, size_t n), void *arg,
		  enum sg_object_type type, const void *data, size_t n)
{
	const unsigned char *p = data;
	unsigned char head[16], sum[4];
	size_t len = entry_head(head, type, n), left = n;

	head[len++] = 0x78;	/* deflate, 32 KiB window, fastest */
	head[len++] = 0x01;
	SG_TRY(sink(arg, head, len));
	do {
		unsigned part = (unsigned)SG_MIN(left, STORED_MAX);
		unsigned char block[5] = { left <= STORED_MAX, part & 255, part >> 8, ~part & 255, ~part >> 8 & 255 };

		SG_TRY(sink(arg, block, sizeof(block)));
		if (part)
			SG_TRY(sink(arg, p, part));
		p += part;
		left -= part;
	} while (left);
	put32(sum, sg_zsum_adler32(1, data, n));
	return sink(arg, sum, sizeof(sum));
}

uint64_t sg_pack_entry_size(enum sg_object_type type, size_t n)
{
	unsigned char head[16];
	uint64_t blocks = n ? (n - 1) / STORED_MAX + 1 : 1;

	return entry_head(head, type, n) + 2 + blocks * 5 + n + 4;
}

static size_t put_varint(unsigned char *p, uint64_t v)
{
	size_t n = 0;

	for (; v > 127; v >>= 7)
		p[n++] = (unsigned char)(v | 128);
	p[n++] = (unsigned char)v;
	return n;
}

static int delta_copy(struct sg_buf *d, size_t at, size_t n)
{
	while (n) {
		unsigned char op[8] = { 0x80 };
		size_t part = SG_MIN(n, 0xffff), len = 1;

		for (int i = 0; i < 4; i++)
			if (at >> 8 * i & 255) {
				op[0] |= (unsigned char)(1 << i);
				op[len++] = (unsigned char)(at >> 8 * i);
			}
		for (int i = 0; i < 2; i++)
			if (part >> 8 * i & 255) {
				op[0] |= (unsigned char)(16 << i);
				op[len++] = (unsigned char)(part >> 8 * i);
			}
		SG_TRY(sg_buf_add(d, op, len));
		at += part;
		n -= part;
	}
	return 0;
}

static int delta_insert(struct sg_buf *d, const char *p, size_t n)
{
	while (n) {
		unsigned char part = (unsigned char)SG_MIN(n, 127);

		SG_TRY(sg_buf_add(d, &part, 1));
		SG_TRY(sg_buf_add(d, p, part));
		p += part;
		n -= part;
	}
	return 0;
}

/* The next entry as bytes; n 0 at the end. What is no tree cannot be compared. */
struct bit { const char *p; size_t n; const char *name; };
static int next_bit(struct bit *b, const char **p, const char *end)
{
	struct sg_raw_entry e;
	int rc;

	b->p = *p;
	rc = sg_tree_next(&e, p, end);
	b->n = rc > 0 ? (size_t)(*p - b->p) : 0;
	b->name = rc > 0 ? e.name : "";
	return rc;
}

/* What makes `to` of `from`, entry by entry; 0: more than half of it is new. */
static int make_delta(struct sg_buf *d, const struct sg_buf *from, const char *to, size_t n)
{
	const char *pa = from->data, *ea = pa + from->len, *pb = to, *eb = to + n, *same = NULL, *new = NULL;
	unsigned char head[20];
	struct bit a, b;

	if (n > UINT32_MAX || from->len > UINT32_MAX || next_bit(&a, &pa, ea) < 0 || next_bit(&b, &pb, eb) < 0)
		return 0;
	SG_TRY(sg_buf_add(d, head, put_varint(head, from->len)));
	SG_TRY(sg_buf_add(d, head, put_varint(head, n)));
	while (a.n || b.n) {
		bool equal = a.n == b.n && !memcmp(a.p, b.p, a.n);
		int c = !a.n ? 1 : !b.n ? -1 : strcmp(a.name, b.name);

		if (same && !equal) {
			SG_TRY(delta_copy(d, (size_t)(same - from->data), (size_t)(a.p - same)));
			same = NULL;
		}
		if (new && (equal || c < 0)) {
			SG_TRY(delta_insert(d, new, (size_t)(b.p - new)));
			new = NULL;
		}
		if (equal)
			same = same ? same : a.p;
		else if (c >= 0)
			new = new ? new : b.p;
		if (d->len > n / 2 || ((equal || c <= 0) && next_bit(&a, &pa, ea) < 0) ||
		    ((equal || c >= 0) && next_bit(&b, &pb, eb) < 0))
			return 0;
	}
	if (same)
		SG_TRY(delta_copy(d, (size_t)(same - from->data), (size_t)(ea - same)));
	if (new)
		SG_TRY(delta_insert(d, new, (size_t)(eb - new)));
	return d->len <= n / 2;
}

/* The best of the recent ones, if any serves. */
static int find_delta(struct sg_buf *best, struct recent **base, struct sg_packer *p, const void *data, size_t n)
{
	struct sg_buf d = { 0 };
	int rc = 0;

	*base = NULL;
	for (unsigned i = 0; rc >= 0 && i < SG_LEN(p->recent); i++) {
		struct recent *r = &p->recent[i];

		if (!r->raw.len || r->depth >= CHAIN_MAX)
			continue;
		sg_buf_clear(&d);
		rc = make_delta(&d, &r->raw, data, n);
		if (rc > 0 && (!*base || d.len < best->len)) {
			struct sg_buf was = *best;

			*best = d;
			d = was;
			*base = r;
		}
	}
	sg_buf_release(&d);
	return rc < 0 ? rc : 0;
}

static int remember(struct sg_packer *p, const void *data, size_t n, uint64_t offset, unsigned depth)
{
	struct recent *r = &p->recent[p->turn++ % SG_LEN(p->recent)];

	sg_buf_clear(&r->raw);
	r->offset = offset;
	r->depth = depth;
	return sg_buf_add(&r->raw, data, n);
}

static int flush(struct sg_packer *p)
{
	if (p->used)
		SG_TRY(sg_fd_write(p->fd, p->buf, p->used, p->tmp));
#ifdef SYNC_FILE_RANGE_WRITE
	/* The disk may begin: the fsync at the end then has little left to wait for. */
	if (p->used == BUFFER)
		(void)sync_file_range(p->fd, (off64_t)p->flushed, (off64_t)p->used, SYNC_FILE_RANGE_WRITE);
#endif
	p->flushed += p->used;
	p->used = 0;
	return 0;
}

static int put_raw(struct sg_packer *p, const void *data, size_t n)
{
	const char *s = data;

	p->offset += n;
	while (n) {
		size_t part = SG_MIN(n, BUFFER - p->used);

		memcpy(p->buf + p->used, s, part);
		p->used += part;
		s += part;
		n -= part;
		if (p->used == BUFFER)
			SG_TRY(flush(p));
	}
	return 0;
}

static int put(void *arg, const void *data, size_t n)
{
	struct sg_packer *p = arg;

	p->crc = sg_zsum_crc32(p->crc, data, n);
	return put_raw(p, data, n);
}

/* An entry of type 6: how far back its base lies stands before the stream. */
static int put_delta(struct sg_packer *p, const struct sg_buf *d, uint64_t back)
{
	unsigned char head[32], away[16], sum[4];
	const unsigned char *s = (const unsigned char *)d->data;
	size_t len = entry_head(head, (enum sg_object_type)6, d->len), k = sizeof(away), left = d->len;

	away[--k] = back & 127;
	while (back >>= 7)
		away[--k] = (unsigned char)(128 | (--back & 127));
	memcpy(head + len, away + k, sizeof(away) - k);
	len += sizeof(away) - k;
	SG_TRY(put(p, head, len));
	SG_TRY(put(p, "\x78\x01", 2));
	do {
		unsigned part = (unsigned)SG_MIN(left, STORED_MAX);
		unsigned char block[5] = { left <= STORED_MAX, part & 255, part >> 8, ~part & 255, ~part >> 8 & 255 };

		SG_TRY(put(p, block, sizeof(block)));
		SG_TRY(put(p, s, part));
		s += part;
		left -= part;
	} while (left);
	put32(sum, sg_zsum_adler32(1, d->data, d->len));
	return put(p, sum, sizeof(sum));
}

/* A large folder: as what it changes in one that was added before. */
static int put_tree(struct sg_packer *p, const void *data, size_t n)
{
	struct sg_buf d = { 0 };
	struct recent *base = NULL;
	uint64_t offset = p->offset;
	unsigned depth = 0;
	int rc = find_delta(&d, &base, p, data, n);

	if (rc >= 0 && base) {
		depth = base->depth + 1;
		rc = put_delta(p, &d, offset - base->offset);
	} else if (rc >= 0) {
		rc = sg_pack_entry(put, p, SG_OBJ_TREE, data, n);
	}
	if (rc >= 0)
		rc = remember(p, data, n, offset, depth);
	sg_buf_release(&d);
	return rc;
}

int sg_packer_open(struct sg_packer **out, struct sg_registry *r)
{
	static unsigned count;
	struct sg_packer *p;
	int rc;

	SG_TRY(SG_NEW(p, 1));
	p->r = r;
	p->fd = -1;
	rc = SG_NEW(p->buf, BUFFER);
	if (rc >= 0)
		rc = sg_lock(r);
	if (rc < 0)
		goto out;
	p->locked = true;
	p->tmp = sg_asprintf("%s/objects/pack/tmp_sg_%ld_%u", r->git_dir, (long)getpid(),
			     __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED));
	if (!p->tmp) {
		rc = -SG_E_NOMEM;
		goto out;
	}
	p->fd = open(p->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	if (p->fd < 0) {
		rc = sg_fail_errno(SG_E_IO, "cannot create '%s'", p->tmp);
		goto out;
	}
	rc = put(p, "PACK\0\0\0\2\0\0\0\0", 12);	/* the count comes at commit */
out:
	if (rc < 0)
		sg_packer_free(p);
	else
		*out = p;
	return rc;
}

/* 1 when an object of this id must be written. */
static int wanted(struct sg_packer *p, const struct sg_oid *oid)
{
	if (p->failed || p->done)
		return sg_fail(SG_E_ERROR, "the pack is closed");
	if (sg_oidmap_get(&p->map, oid, NULL) ||
	    (!p->all && git_odb_exists_ext(p->r->odb, sg_git_oid(oid), GIT_ODB_LOOKUP_NO_REFRESH) == 1))
		return 0;
	if (p->n == UINT32_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "too many objects in one pack");
	SG_TRY(SG_GROW(p->entry, p->n, p->cap));
	SG_TRY(sg_oidmap_add(&p->map, oid, p->n));
	return 1;
}

static int keep_entry(struct sg_packer *p, struct entry *e, int rc)
{
	if (rc < 0) {
		p->failed = true;
		return rc;
	}
	p->entry[p->n++] = *e;
	return 0;
}

int sg_packer_add(struct sg_oid *out, struct sg_packer *p, enum sg_object_type type,
		  const void *data, size_t n)
{
	struct entry e = { .offset = p->offset, .size = n, .type = type };
	int rc;

	SG_TRY(sg_object_id(&e.oid, type, data, n));
	*out = e.oid;
	rc = wanted(p, &e.oid);
	if (rc <= 0)
		return rc;
	p->crc = 0;
	rc = type == SG_OBJ_TREE && n >= BIG_TREE ? put_tree(p, data, n) : sg_pack_entry(put, p, type, data, n);
	e.crc = p->crc;
	return keep_entry(p, &e, rc);
}

static int to_buf(void *arg, const void *data, size_t n)
{
	return sg_buf_add(arg, data, n);
}

int sg_packer_prepare(struct sg_packed *out, enum sg_object_type type, const void *data, size_t n)
{
	out->type = type;
	out->size = n;
	sg_buf_clear(&out->entry);
	SG_TRY(sg_buf_room(&out->entry, n + n / 8192 + 64));
	SG_TRY(sg_object_id(&out->oid, type, data, n));
	SG_TRY(sg_pack_entry(to_buf, &out->entry, type, data, n));
	out->crc = sg_zsum_crc32(0, out->entry.data, out->entry.len);
	return 0;
}

int sg_packer_add_packed(struct sg_oid *out, struct sg_packer *p, const struct sg_packed *x)
{
	struct entry e = { .oid = x->oid, .crc = x->crc, .offset = p->offset, .size = x->size, .type = x->type };
	int rc = wanted(p, &x->oid);

	*out = x->oid;
	if (rc <= 0)
		return rc;
	return keep_entry(p, &e, put_raw(p, x->entry.data, x->entry.len));
}

void sg_packer_take_all(struct sg_packer *p)
{
	p->all = true;
}

char *sg_packer_base(const struct sg_packer *p)
{
	return p->keep ? sg_strndup(p->keep, strlen(p->keep) - 5) : sg_strdup("");
}

int sg_packer_keep(struct sg_packer *p, struct sg_names *out)
{
	SG_TRY(sg_names_add(out, p->keep));
	free(p->keep);
	p->keep = NULL;
	return 0;
}

bool sg_packer_has(const struct sg_packer *p, const struct sg_oid *oid)
{
	return sg_oidmap_get(&p->map, oid, NULL);
}

static int read_at(struct sg_packer *p, void *out, size_t n, uint64_t at)
{
	char *to = out;

	while (n) {
		ssize_t got = pread(p->fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return sg_fail_errno(SG_E_IO, "cannot read '%s'", p->tmp);
		to += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

/* Count into the header, then the SHA-1 of the whole behind it. The digest is
 * made from the file in one go: it starts with the count, known only now. */
static int close_pack(struct sg_packer *p, unsigned char sum[SG_SHA1_LEN])
{
	unsigned char count[4];
	struct sg_hash h = { 0 };
	uint64_t at = 0;
	int rc;

	SG_TRY(flush(p));
	put32(count, (uint32_t)p->n);
	if (pwrite(p->fd, count, 4, 8) != 4)
		return sg_fail_errno(SG_E_IO, "cannot write '%s'", p->tmp);
	rc = sg_sha1_init(&h);
	while (rc >= 0 && at < p->offset) {
		size_t part = (size_t)SG_MIN(p->offset - at, BUFFER);

		rc = read_at(p, p->buf, part, at);
		if (rc >= 0)
			rc = sg_hash_update(&h, p->buf, part);
		at += part;
	}
	if (rc >= 0)
		rc = sg_hash_final(&h, sum);
	sg_hash_release(&h);
	if (rc >= 0)
		rc = sg_fd_write(p->fd, sum, SG_SHA1_LEN, p->tmp);
	p->offset += SG_SHA1_LEN;
	return rc < 0 ? rc : sg_fd_sync(p->fd, p->tmp);
}

static int by_oid(const void *a, const void *b)
{
	return memcmp(((const struct entry *)a)->oid.id, ((const struct entry *)b)->oid.id, 20);
}

static int add32(struct sg_buf *b, uint32_t v)
{
	unsigned char raw[4];

	put32(raw, v);
	return sg_buf_add(b, raw, 4);
}

static int index_offsets(struct sg_buf *b, const struct sg_packer *p)
{
	uint32_t big = 0;

	for (size_t i = 0; i < p->n; i++)
		SG_TRY(add32(b, p->entry[i].offset >> 31 ? 0x80000000u | big++ : (uint32_t)p->entry[i].offset));
	for (size_t i = 0; i < p->n; i++) {
		if (!(p->entry[i].offset >> 31))
			continue;
		SG_TRY(add32(b, (uint32_t)(p->entry[i].offset >> 32)));
		SG_TRY(add32(b, (uint32_t)p->entry[i].offset));
	}
	return 0;
}

static int build_index(struct sg_buf *b, const struct sg_packer *p, const unsigned char *pack_sum)
{
	struct sg_hash h = { 0 };
	unsigned char sum[SG_SHA1_LEN];
	size_t k = 0;
	int rc;

	b->max = SIZE_MAX;
	SG_TRY(sg_buf_add(b, "\377tOc\0\0\0\2", 8));
	for (unsigned first = 0; first < 256; first++) {
		while (k < p->n && p->entry[k].oid.id[0] == first)
			k++;
		SG_TRY(add32(b, (uint32_t)k));
	}
	for (size_t i = 0; i < p->n; i++)
		SG_TRY(sg_buf_add(b, p->entry[i].oid.id, 20));
	for (size_t i = 0; i < p->n; i++)
		SG_TRY(add32(b, p->entry[i].crc));
	SG_TRY(index_offsets(b, p));
	SG_TRY(sg_buf_add(b, pack_sum, SG_SHA1_LEN));
	rc = sg_sha1_init(&h);
	if (rc >= 0)
		rc = sg_hash_update(&h, b->data, b->len);
	if (rc >= 0)
		rc = sg_hash_final(&h, sum);
	sg_hash_release(&h);
	return rc < 0 ? rc : sg_buf_add(b, sum, sizeof(sum));
}

static int write_temp(const char *path, const void *data, size_t n, mode_t mode)
{
	int rc, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return sg_fail_errno(SG_E_IO, "cannot create '%s'", path);
	rc = sg_fd_write(fd, data, n, path);
	if (rc >= 0)
		rc = sg_fd_sync(fd, path);
	close(fd);
	return rc;
}

/* The pack under its name, the index last: only the index makes it exist. */
static int publish(struct sg_packer *p, const unsigned char *sum, const struct sg_buf *idx)
{
	char hex[2 * SG_SHA1_LEN + 1], mark[32];
	char *dir = sg_path_join(p->r->git_dir, "objects/pack");
	char *base = NULL, *pack = NULL, *index = NULL, *tmp = NULL;
	int rc = -SG_E_NOMEM;
	bool named = false;

	sg_hex(hex, sum, SG_SHA1_LEN);
	base = dir ? sg_asprintf("%s/pack-%s", dir, hex) : NULL;
	pack = base ? sg_asprintf("%s.pack", base) : NULL;
	index = base ? sg_asprintf("%s.idx", base) : NULL;
	p->keep = base ? sg_asprintf("%s.keep", base) : NULL;
	tmp = sg_asprintf("%s_idx", p->tmp);
	if (!pack || !index || !p->keep || !tmp)
		goto out;
	snprintf(mark, sizeof(mark), "sg %ld\n", (long)getpid());
	/* Renamed into place too: a .keep without our mark would stay for ever. */
	rc = write_temp(tmp, mark, strlen(mark), 0666);
	if (rc >= 0)
		rc = sg_file_rename(tmp, p->keep);
	if (rc >= 0)
		rc = write_temp(tmp, idx->data, idx->len, 0444);
	if (rc >= 0)
		rc = sg_file_rename(p->tmp, pack);
	if (rc >= 0) {
		named = true;
		rc = sg_file_rename(tmp, index);
	}
	if (rc >= 0)
		rc = sg_dir_sync(dir);
	if (rc < 0) {
		unlink(tmp);
		unlink(index);
		if (named)
			unlink(pack);
	}
out:
	free(dir);
	free(base);
	free(pack);
	free(index);
	free(tmp);
	return rc;
}

int sg_packer_commit(struct sg_packer *p)
{
	unsigned char sum[SG_SHA1_LEN];
	struct sg_buf idx = { 0 };
	int rc;

	if (p->failed || p->done)
		return sg_fail(SG_E_ERROR, "the pack is closed");
	p->failed = true;	/* until it is not */
	if (!p->n) {
		unlink(p->tmp);
	} else {
		SG_TRY(close_pack(p, sum));
		qsort(p->entry, p->n, sizeof(*p->entry), by_oid);
		rc = build_index(&idx, p, sum);
		if (rc >= 0)
			rc = publish(p, sum, &idx);
		sg_buf_release(&idx);
		SG_TRY(rc);
		git_odb_refresh(p->r->odb);
	}
	p->failed = false;
	p->done = true;
	return 0;
}

void sg_packer_free(struct sg_packer *p)
{
	if (!p)
		return;
	if (p->fd >= 0) {
		close(p->fd);
		if (!p->done)
			unlink(p->tmp);
	}
	if (p->keep)
		unlink(p->keep);
	if (p->locked)
		sg_unlock(p->r);
	if (p->locked && p->done && p->n)
		sg_tidy(p->r);
	sg_oidmap_release(&p->map);
	for (unsigned i = 0; i < SG_LEN(p->recent); i++)
		sg_buf_release(&p->recent[i].raw);
	free(p->entry);
	free(p->buf);
	free(p->tmp);
	free(p->keep);
	free(p);
}

size_t sg_packer_count(const struct sg_packer *p)
{
	return p->n;
}

uint64_t sg_packer_bytes(const struct sg_packer *p)
{
	return p->n ? p->offset : 0;
}

struct sg_registry *sg_packer_registry(const struct sg_packer *p)
{
	return p->r;
}
