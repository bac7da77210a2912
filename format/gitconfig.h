#ifndef SG_FORMAT_GITCONFIG_H
#define SG_FORMAT_GITCONFIG_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * The syntax of git-config(1): sections with an optional quoted subsection, keys,
 * values with quotes, escapes, continuation lines and comments. Sections and keys
 * are folded to lower case, subsections are kept. Nothing is included, nothing
 * expanded. Stricter than git in one point: control characters are refused.
 *
 * A name is "section.key" or "section.subsection.key"; the subsection may hold
 * dots ("gate.quality.alpha", "retain.en.wiki.min-docs").
 */
#define SG_GITCONFIG_MAX	((size_t)1 << 20)	/* bytes of a file */
#define SG_GITCONFIG_ENTRIES	16384			/* entries of a file */

/* One entry, in file order. All pointers die with the document. Offsets are into
 * the text that was parsed. */
struct sg_gitconfig_entry {
	const char *section, *sub, *key;	/* sub: NULL when there is none */
	const char *value;			/* NULL: the key stood alone, which means true */
	unsigned line;
	size_t at, key_end;			/* the key */
	size_t value_at, value_end;		/* the value as written, quotes included */
	size_t end;				/* of its last line, newline included */
};
/* One header; end: of the last line of its last entry, or of its own line. */
struct sg_gitconfig_section { const char *section, *sub; unsigned line; size_t end; };
struct sg_gitconfig {
	struct sg_gitconfig_entry *entry;
	size_t n, cap;
	struct sg_gitconfig_section *sect;	/* headers in file order, empty ones too */
	size_t n_sect, cap_sect;
	char *text;
};

/* `what` names the source in messages: CORRUPT, "'what' line 3: why". *out is
 * written on success only. */
int sg_gitconfig_parse(struct sg_gitconfig *out, const char *data, size_t n, const char *what);
void sg_gitconfig_release(struct sg_gitconfig *c);

/* The last entry of that name, which is the one that counts; NULL when absent or
 * when the name is no name. */
const struct sg_gitconfig_entry *sg_gitconfig_find(const struct sg_gitconfig *c, const char *name);

/*
 * The text with one key changed, added to *out; all else, comments included, is
 * kept byte by byte. value NULL removes the key (NOTFOUND when absent). A new key
 * goes to the end of the last such section, a new section to the end of the file.
 * USAGE: the name or value can't be written; REFUSED: the key is there twice, or the
 * text is laid out so that the change can't be made safely.
 */
int sg_gitconfig_edit(struct sg_buf *out, const char *data, size_t n, const char *what,
		      const char *name, const char *value);

/* Values. False when they are none: true/yes/on/1/alone, false/no/off/0/empty;
 * an integer with an optional k, m or g (1024-based); a plain decimal number. */
bool sg_gitconfig_bool(const char *value, bool *out);
bool sg_gitconfig_i64(const char *value, int64_t *out);
bool sg_gitconfig_f64(const char *value, double *out);
SG_C_END
#endif
