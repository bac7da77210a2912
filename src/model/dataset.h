#ifndef SG_MODEL_DATASET_H
#define SG_MODEL_DATASET_H
#include "base/base.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "format/tokens.h"
#include "model/tokenizer.h"
SG_C_BEGIN
/*
 * Data sets: text files are cut into documents, documents become a token shard
 * and a manifest that names everything by hash. A set has one role, and a
 * document in two roles is refused by whoever adds it (sg_dataset_common).
 */
#define SG_ROLES(X) X(TRAIN, "train") X(SELECT, "select") X(ACCEPT, "accept") X(RETAIN, "retain") X(SAFETY, "safety")
enum sg_role {
#define X(id, name) SG_ROLE_##id,
	SG_ROLES(X)
#undef X
	SG_ROLE_COUNT
};
const char *sg_role_name(enum sg_role r);
/* Do gates judge candidates on sets of this role? */
bool sg_role_judged(enum sg_role r);
/* USAGE, listing the roles. */
int sg_role_parse(enum sg_role *out, const char *name);

/* How a text file is cut: at blank lines, at every line, or not at all. JSON
 * lines files are one document a line always. */
enum sg_split { SG_SPLIT_PARAGRAPH, SG_SPLIT_LINE, SG_SPLIT_FILE };
int sg_split_parse(enum sg_split *out, const char *name);

/* `{0}` takes every document of every file. */
struct sg_dataset_opts {
	enum sg_split split;
	const char *field;	/* text member of a JSON line; NULL: "text" */
	double from, to;	/* percent of the documents, by position, [from, to); both 0: all */
	bool per_file;		/* count from and to within each file, not over all */
	uint64_t min_bytes;	/* shorter documents are left out */
	uint64_t max_docs;	/* 0: no limit; counted after from and to */
};

/* Text of a set. Documents are borrowed from files mapped here or from copies. */
struct sg_doc { const char *text; size_t n; unsigned char hash[SG_DOC_HASH]; uint32_t source; };
struct sg_dataset_source { char *path; uint64_t bytes; char sha256[SG_SHA256_HEX]; };
struct sg_docs {
	struct sg_doc *doc;
	size_t n, cap;
	uint64_t bytes;			/* of the texts */
	uint64_t duplicates, skipped;	/* dropped as said above; shorter than min_bytes */
	struct sg_dataset_source *source;
	size_t n_sources, cap_sources;
	struct sg_map *map;		/* one a source */
	char **copy;			/* unescaped JSON text */
	size_t n_copies, cap_copies;
};

/*
 * Read documents from paths, in this order: a folder gives its .txt, .md and
 * .jsonl files, all levels, sorted by path; *.jsonl is JSON lines; any other
 * file is text. Exact duplicates are dropped (the first stays) before from and
 * to apply, so that two ranges of the same files never share a document.
 * CORRUPT names file and line of what is no UTF-8; REFUSED when nothing is left.
 */
int sg_docs_read(struct sg_docs *out, const char *const *paths, size_t n, const struct sg_dataset_opts *o);
void sg_docs_release(struct sg_docs *d);

/* What is committed about a set: sg-tokens(5). Strings are owned. */
struct sg_dataset_manifest {
	char *name, *split;		/* split: how documents were cut, as options */
	enum sg_role role;
	char tokenizer[SG_SHA256_HEX], shard[SG_SHA256_HEX];
	uint64_t docs, tokens, bytes;
	struct sg_dataset_source *source;
	size_t n_sources;
};
/* Letters, digits, '.', '_' and '-', at most 64, first a letter or digit. */
bool sg_dataset_name_ok(const char *name);
/* Canonical JSON; the id of a set is the SHA-256 of these bytes. */
int sg_dataset_manifest_emit(const struct sg_dataset_manifest *m, struct sg_buf *out);
/* CORRUPT also for JSON that is not canonical: its bytes would not be its id. */
int sg_dataset_manifest_parse(struct sg_dataset_manifest *out, const char *data, size_t n, const char *what);
int sg_dataset_manifest_id(const struct sg_dataset_manifest *m, char id[SG_SHA256_HEX]);
void sg_dataset_manifest_release(struct sg_dataset_manifest *m);

/*
 * Tokenize and write <dir>/<sha256>.tokens and its .ngrams (overlap.h); fill the
 * manifest. tokenizer: digest of its file.
 */
int sg_dataset_build(struct sg_dataset_manifest *out, const char *dir, const char *name, enum sg_role role,
		     const struct sg_docs *docs, const struct sg_dataset_opts *o,
		     const struct sg_tokenizer *t, const char *tokenizer, const struct sg_progress *p);
/* <dir>/<sha256>.tokens, yours to free; NULL when out of memory. */
char *sg_dataset_shard_path(const char *dir, const char *sha256);
/* Open the shard of a manifest and check that it is the one named. */
int sg_dataset_open(struct sg_shard *out, const char *dir, const struct sg_dataset_manifest *m);

/* The hashes of a set's documents, sorted, SG_DOC_HASH bytes each: committed
 * beside the manifest, so that roles can be checked where no shard is. */
int sg_dataset_docs(struct sg_buf *out, const struct sg_tokens *t);
/* Number of hashes in both lists; `first` (may be NULL) gets the smallest.
 * CORRUPT when a list is not sorted or no whole number of hashes. */
int64_t sg_dataset_common(const void *a, size_t a_size, const void *b, size_t b_size,
			  unsigned char first[SG_DOC_HASH]);
SG_C_END
#endif
