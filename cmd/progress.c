#include "cmd/progress.h"
#include "base/clock.h"
#include "cmd/print.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_EVERY   0.1		/* seconds between two pictures of the bar */
#define LINE_EVERY  5.0		/* and between two plain lines */

static volatile sig_atomic_t stop;
static struct {
	bool quiet, tty, armed;
	bool open;		/* a bar stands on the line of the cursor */
	char what[64];		/* the work that is shown now */
	double began, shown;	/* seconds of the monotonic clock */
	uint64_t first;		/* done at that time: more than 0 when work goes on */
} p;

/* SA_RESETHAND: the second signal finds the default action and kills. */
static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void arm(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART }, old;

	p.armed = true;
	sigemptyset(&sa.sa_mask);
	/* what was ignored (nohup, a background job) stays ignored */
	if (!sigaction(SIGINT, NULL, &old) && old.sa_handler != SIG_IGN)
		sigaction(SIGINT, &sa, NULL);
	if (!sigaction(SIGTERM, NULL, &old) && old.sa_handler != SIG_IGN)
		sigaction(SIGTERM, &sa, NULL);
}

static size_t columns(void)
{
	struct winsize w;

	return !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col ? w.ws_col : 80;
}

/* Are the numbers bytes? *text is then what follows that word. */
static bool in_bytes(const char **text)
{
	size_t n = strlen(SG_IN_BYTES);

	if (!*text || strncmp(*text, SG_IN_BYTES, n) || ((*text)[n] && (*text)[n] != ','))
		return false;
	*text += n;
	*text += strspn(*text, ", ");
	return true;
}

static const char *amount(char *out, size_t n, uint64_t v, bool bytes)
{
	if (bytes || p.tty)
		snprintf(out, n, "%s", bytes ? sg_print_bytes(v) : sg_print_count(v));
	else
		snprintf(out, n, "%llu", (unsigned long long)v);
	return out;
}

static void draw(const char *what, uint64_t done, uint64_t total, const char *text, double t)
{
	char line[512], left[32] = "", rate[32] = "", a[32], b[32];
	size_t width = SG_MIN(columns() - 1, sizeof(line) - 1);
	double spent = t - p.began;
	bool bytes = in_bytes(&text);
	int n;

	if (total && done > p.first && done < total && spent > 2)
		snprintf(left, sizeof(left), "  %s left",
			 sg_print_span(spent * (double)(total - done) / (double)(done - p.first)));
	if (bytes && done > p.first && spent > 0)
		snprintf(rate, sizeof(rate), "  %s/s", sg_print_bytes((uint64_t)((double)(done - p.first) / spent)));
	amount(a, sizeof(a), done, bytes);
	amount(b, sizeof(b), total, bytes);
	if (total && p.tty) {
		char bar[25] = "                        ";

		memset(bar, '#', (size_t)((double)SG_MIN(done, total) / (double)total * 24));
		n = snprintf(line, sizeof(line), "%s [%s] %3.0f%% %s/%s", what, bar,
			     (double)done / (double)total * 100, a, b);
	} else if (total) {
		n = snprintf(line, sizeof(line), "%s: %3.0f%% (%s/%s)", what, (double)done / (double)total * 100, a, b);
	} else if (done) {
		n = snprintf(line, sizeof(line), "%s: %s", what, a);
	} else {
		n = snprintf(line, sizeof(line), "%s", what);
	}
	if (n > 0 && (size_t)n < sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, "%s%s%s%s", rate, text && *text ? "  " : "",
			 text ? sg_print_safe(text) : "", left);
	if (p.tty)
		fprintf(stderr, "\r%.*s\033[K", (int)width, line);
	else
		fprintf(stderr, "%s\n", line);
	fflush(stderr);
	p.open = p.tty;
	p.shown = t;
}

static bool report(void *arg, const char *what, uint64_t done, uint64_t total, const char *text)
{
	bool last = total && done >= total;
	double t;

	(void)arg;
	if (!p.armed)
		arm();
	if (p.quiet)
		return stop;
	t = sg_clock();
	if (strncmp(p.what, what, sizeof(p.what) - 1)) {
		sg_progress_end();
		snprintf(p.what, sizeof(p.what), "%s", what);
		p.began = t;
		p.first = done;
		/* quick work needs no line of its own when nobody watches */
		p.shown = p.tty ? 0 : t;
	}
	/* the last report closes a line that was begun; it begins none */
	if (t - p.shown >= (p.tty ? BAR_EVERY : LINE_EVERY) || (last && (p.tty || p.shown > p.began)))
		draw(what, done, total, text, t);
	if (last)
		sg_progress_end();
	return stop;
}

void sg_progress_setup(struct sg_progress *out, bool quiet)
{
	const char *term = getenv("TERM");

	p.quiet = quiet;
	p.tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
	out->fn = report;
	out->arg = NULL;
}

void sg_progress_end(void)
{
	if (p.open)
		fputc('\n', stderr);
	p.open = false;
	p.what[0] = '\0';
}

bool sg_progress_stopped(void)
{
	return stop;
}
