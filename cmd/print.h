#ifndef SG_CMD_PRINT_H
#define SG_CMD_PRINT_H
#include "base/base.h"
#include "base/buf.h"
#include "base/json.h"
/*
 * What commands print with. Text that came from a file, a remote or a model may
 * hold escape sequences: it goes out through sg_print_safe, sg_print_text or a
 * table, never bare.
 *
 * A string that a function here returns lives until 16 more calls have been
 * made, so several fit in one printf.
 */
enum sg_color { SG_PLAIN, SG_BOLD, SG_DIM, SG_RED, SG_GREEN, SG_YELLOW, SG_BLUE, SG_CYAN };

/* mode "auto", "always" or "never"; auto is a terminal, no NO_COLOR, no dumb TERM. */
void sg_print_setup(const char *mode);
/* The escape sequence, "" without colour. SG_PLAIN ends every other one. */
const char *sg_print_color(enum sg_color c);

/* One line: control characters, bidirectional overrides and bytes that are no
 * UTF-8 as \n, \x1b, \u{202e}. NULL gives "". */
const char *sg_print_safe(const char *s);
const char *sg_print_safen(const char *s, size_t n);
/* Text of several lines, straight to a stream: newlines and tabs pass. */
void sg_print_text(FILE *to, const char *s, size_t n);

const char *sg_print_bytes(uint64_t n);		/* "17 B", "1.2 MiB" */
const char *sg_print_count(uint64_t n);		/* "950", "12.4k", "3.10M" */
const char *sg_print_span(double seconds);	/* "0.8 s", "1:05", "2:03:00" */
const char *sg_print_time(int64_t when);	/* "2024-05-01 12:30 +0200", local */

/*
 * Columns. Cells are added left to right and made safe; row() ends a row (cells
 * left out are empty). head: titles split by '|', one that begins with '>'
 * stands to the right; NULL titles (or "") print no title line.
 * A failure is kept and returned by print, which also empties the table.
 */
struct sg_table {
	char *head;
	size_t cols, col;	/* columns; the next cell's column */
	char **cell;		/* rows x cols */
	enum sg_color *color;
	size_t n, cap, ccap;
	bool titles;
	int rc;
};
void sg_table_init(struct sg_table *t, const char *head, bool titles);
void sg_table_add(struct sg_table *t, const char *fmt, ...) SG_PRINTF(2, 3);
void sg_table_color(struct sg_table *t, enum sg_color c, const char *fmt, ...) SG_PRINTF(3, 4);
void sg_table_row(struct sg_table *t);
int sg_table_print(struct sg_table *t, FILE *to);
void sg_table_release(struct sg_table *t);

/* --json: one value a call pair, printed with a newline by end. */
struct sg_jsonw *sg_print_json(void);
int sg_print_json_end(void);
/* key and value in one go, in the object that is open */
void sg_json_put_str(struct sg_jsonw *w, const char *key, const char *v);	/* NULL: null */
void sg_json_put_i64(struct sg_jsonw *w, const char *key, int64_t v);
void sg_json_put_f64(struct sg_jsonw *w, const char *key, double v);
void sg_json_put_bool(struct sg_jsonw *w, const char *key, bool v);

/* Send stdout through SG_PAGER, PAGER or less when it is a terminal; end waits
 * for the reader. */
void sg_pager_start(void);
void sg_pager_end(void);
#endif
