#include "cmd/print.h"
#include "base/error.h"
#include "base/mem.h"
#include <errno.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING 16

static bool colored;
static struct sg_buf ring[RING];

/* The oldest of the returned strings, empty again. */
static struct sg_buf *take(void)
{
	static unsigned next;
	struct sg_buf *b = &ring[next++ % RING];

	sg_buf_clear(b);
	return b;
}

static const char *text_of(const struct sg_buf *b)
{
	return b->data ? b->data : "";
}

void sg_print_setup(const char *mode)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	if (!strcmp(mode, "auto"))
		colored = isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
	else
		colored = !strcmp(mode, "always");
}

const char *sg_print_color(enum sg_color c)
{
	static const char *const seq[] = {
		[SG_PLAIN] = "\033[0m", [SG_BOLD] = "\033[1m", [SG_DIM] = "\033[2m", [SG_RED] = "\033[31m",
		[SG_GREEN] = "\033[32m", [SG_YELLOW] = "\033[33m", [SG_BLUE] = "\033[34m", [SG_CYAN] = "\033[36m",
	};

	return colored ? seq[c] : "";
}

/* Length of the UTF-8 sequence at s, its code point in *cp; 0 when it is none. */
static size_t utf8(uint32_t *cp, const unsigned char *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;

	if (!len || len > n)
		return 0;
	*cp = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		*cp = *cp << 6 | (s[i] & 63);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

/* Would a terminal act on it, or show the text in another order? */
static bool harmful(uint32_t cp)
{
	return cp < 32 || (cp >= 0x7f && cp < 0xa0) || cp == 0x200e || cp == 0x200f ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

static void escape(struct sg_buf *b, const char *s, size_t n, bool lines)
{
	for (size_t i = 0, len; i < n; i += len) {
		const unsigned char *u = (const unsigned char *)s + i;
		uint32_t cp = 0;

		len = utf8(&cp, u, n - i);
		if (!len) {
			sg_buf_fmt(b, "\\x%02x", *u);
			len = 1;
		} else if (lines && (cp == '\n' || cp == '\t')) {
			sg_buf_add(b, u, 1);
		} else if (cp == '\n' || cp == '\t' || cp == '\r') {
			sg_buf_str(b, cp == '\n' ? "\\n" : cp == '\t' ? "\\t" : "\\r");
		} else if (harmful(cp)) {
			sg_buf_fmt(b, cp < 256 ? "\\x%02x" : "\\u{%x}", (unsigned)cp);
		} else {
			sg_buf_add(b, u, len);
		}
	}
}

const char *sg_print_safen(const char *s, size_t n)
{
	struct sg_buf *b = take();

	escape(b, s, n, false);
	return text_of(b);
}

const char *sg_print_safe(const char *s)
{
	return s ? sg_print_safen(s, strlen(s)) : "";
}

void sg_print_text(FILE *to, const char *s, size_t n)
{
	struct sg_buf b = { 0 };

	escape(&b, s, n, true);
	fwrite(text_of(&b), 1, b.len, to);
	sg_buf_release(&b);
}

const char *sg_print_bytes(uint64_t n)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct sg_buf *b = take();
	double v = (double)n;
	size_t u = 0;

	for (; v >= 999.5 && u + 1 < SG_LEN(unit); u++)
		v /= 1024;
	sg_buf_fmt(b, u && v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return text_of(b);
}

const char *sg_print_count(uint64_t n)
{
	static const char unit[] = "\0kMGTPE";
	struct sg_buf *b = take();
	double v = (double)n;
	size_t u = 0;

	for (; v >= 999.5 && u + 2 < sizeof(unit); u++)
		v /= 1000;
	if (u)
		sg_buf_fmt(b, v < 9.995 ? "%.2f%c" : v < 99.95 ? "%.1f%c" : "%.0f%c", v, unit[u]);
	else
		sg_buf_fmt(b, "%.0f", v);
	return text_of(b);
}

const char *sg_print_span(double seconds)
{
	struct sg_buf *b = take();
	unsigned long s = seconds > 0 && seconds < 1e9 ? (unsigned long)(seconds + 0.5) : 0;

	if (seconds < 10)
		sg_buf_fmt(b, "%.1f s", seconds);
	else if (s < 3600)
		sg_buf_fmt(b, "%lu:%02lu", s / 60, s % 60);
	else
		sg_buf_fmt(b, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	return text_of(b);
}

const char *sg_print_time(int64_t when)
{
	struct sg_buf *b = take();
	time_t t = (time_t)when;
	char s[64] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(s, sizeof(s), "%Y-%m-%d %H:%M %z", &tm);
	sg_buf_str(b, s);
	return text_of(b);
}

void sg_table_init(struct sg_table *t, const char *head, bool titles)
{
	*t = (struct sg_table){ .cols = 1, .titles = titles };
	for (const char *p = head; *p; p++)
		t->cols += *p == '|';
	t->head = sg_strdup(head);
	if (!t->head)
		t->rc = -SG_E_NOMEM;
}

static void cell(struct sg_table *t, enum sg_color c, const char *fmt, va_list ap)
{
	char *s = NULL;

	if (t->rc < 0)
		return;
	if (t->col >= t->cols || vasprintf(&s, fmt, ap) < 0) {
		t->rc = sg_fail(SG_E_ERROR, "cannot add a cell to a table");
		return;
	}
	if ((t->rc = SG_GROW(t->cell, t->n, t->cap)) >= 0 &&
	    (t->rc = SG_GROW(t->color, t->n, t->ccap)) >= 0) {
		t->cell[t->n] = sg_strdup(sg_print_safe(s));
		if (!t->cell[t->n])
			t->rc = -SG_E_NOMEM;
		else
			t->color[t->n++] = c;
	}
	free(s);
	t->col++;
}

void sg_table_add(struct sg_table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cell(t, SG_PLAIN, fmt, ap);
	va_end(ap);
}

void sg_table_color(struct sg_table *t, enum sg_color c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cell(t, c, fmt, ap);
	va_end(ap);
}

void sg_table_row(struct sg_table *t)
{
	while (t->rc >= 0 && t->col < t->cols)
		sg_table_add(t, "%s", "");
	t->col = 0;
}

/* Characters on the screen, one for each code point. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void line(const struct sg_table *t, char *const *cell_, const enum sg_color *color,
		 const bool *right, const size_t *wide, FILE *to)
{
	size_t last = t->cols;

	while (last && !*cell_[last - 1])
		last--;			/* no blanks at the end of a line */
	for (size_t c = 0; c < last; c++) {
		int pad = (int)(wide[c] - width(cell_[c]));
		bool dye = color && color[c] != SG_PLAIN;

		fprintf(to, "%s%*s%s%s%s%*s", c ? "  " : "", right[c] ? pad : 0, "",
			dye ? sg_print_color(color[c]) : "", cell_[c], dye ? sg_print_color(SG_PLAIN) : "",
			right[c] || c + 1 == last ? 0 : pad, "");
	}
	fputc('\n', to);
}

int sg_table_print(struct sg_table *t, FILE *to)
{
	char **title = NULL, *save = NULL;
	bool *right = NULL;
	size_t *wide = NULL, c = 0;
	int rc = t->rc;

	if (rc < 0)
		goto out;
	if ((rc = SG_NEW(title, t->cols)) < 0 || (rc = SG_NEW(right, t->cols)) < 0 ||
	    (rc = SG_NEW(wide, t->cols)) < 0)
		goto out;
	save = t->head;
	for (char *p; c < t->cols && (p = strsep(&save, "|")); c++) {
		right[c] = *p == '>';
		title[c] = p + right[c];
		wide[c] = t->titles ? width(title[c]) : 0;
	}
	for (size_t i = 0; i < t->n; i++)
		wide[i % t->cols] = SG_MAX(wide[i % t->cols], width(t->cell[i]));
	if (t->titles) {
		fputs(sg_print_color(SG_BOLD), to);
		line(t, title, NULL, right, wide, to);
		fputs(sg_print_color(SG_PLAIN), to);
	}
	for (size_t i = 0; i + t->cols <= t->n; i += t->cols)
		line(t, t->cell + i, t->color + i, right, wide, to);
out:
	free(title);
	free(right);
	free(wide);
	sg_table_release(t);
	return rc;
}

void sg_table_release(struct sg_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->color);
	free(t->head);
	*t = (struct sg_table){ 0 };
}

static struct sg_buf json_buf;
static struct sg_jsonw json;

struct sg_jsonw *sg_print_json(void)
{
	sg_buf_clear(&json_buf);
	sg_jsonw_init(&json, &json_buf);
	return &json;
}

int sg_print_json_end(void)
{
	SG_TRY(sg_jsonw_done(&json));
	fwrite(json_buf.data, 1, json_buf.len, stdout);
	fputc('\n', stdout);
	return 0;
}

void sg_json_put_str(struct sg_jsonw *w, const char *key, const char *v)
{
	sg_jsonw_key(w, key);
	if (v)
		sg_jsonw_str(w, v);
	else
		sg_jsonw_null(w);
}

void sg_json_put_i64(struct sg_jsonw *w, const char *key, int64_t v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_i64(w, v);
}

void sg_json_put_f64(struct sg_jsonw *w, const char *key, double v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_f64(w, v);
}

void sg_json_put_bool(struct sg_jsonw *w, const char *key, bool v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_bool(w, v);
}

static pid_t pager;

void sg_pager_start(void)
{
	const char *cmd = getenv("SG_PAGER");
	int fd[2];

	if (!isatty(STDOUT_FILENO))
		return;
	if (!cmd)
		cmd = getenv("PAGER");
	if (!cmd)
		cmd = "less";
	if (!*cmd || !strcmp(cmd, "cat") || pipe(fd))
		return;
	fflush(stdout);
	pager = fork();
	if (!pager) {
		dup2(fd[0], STDIN_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("LESS", "FRX", 0);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	if (pager > 0)
		dup2(fd[1], STDOUT_FILENO);
	close(fd[0]);
	close(fd[1]);
}

void sg_pager_end(void)
{
	if (pager <= 0)
		return;
	fflush(stdout);
	close(STDOUT_FILENO);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
	pager = 0;
}
