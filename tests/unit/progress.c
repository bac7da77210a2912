#include "tests/test.h"
#include "cmd/progress.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run fn in a child whose stderr is `fd`; its status. */
static int in_child(void (*fn)(void), int fd)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		if (fd >= 0)
			dup2(fd, STDERR_FILENO);
		fn();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void stops_once(void)
{
	struct sg_progress p = { 0 };

	sg_progress_setup(&p, true);
	if (sg_progress(&p, "work", 1, 10, NULL) || sg_progress_stopped())
		_exit(1);
	raise(SIGINT);
	if (!sg_progress(&p, "work", 2, 10, NULL) || !sg_progress_stopped())
		_exit(2);
	_exit(0);
}

static void dies_at_the_second(void)
{
	struct sg_progress p = { 0 };

	sg_progress_setup(&p, true);
	sg_progress(&p, "work", 1, 10, NULL);
	raise(SIGTERM);
	raise(SIGTERM);
	_exit(0);
}

static void dies_before_any_work(void)
{
	struct sg_progress p = { 0 };

	sg_progress_setup(&p, true);
	raise(SIGINT);
	_exit(0);
}

TEST(progress_signals)
{
	int s = in_child(stops_once, -1);

	CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 0);
	s = in_child(dies_at_the_second, -1);
	CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM);
	s = in_child(dies_before_any_work, -1);
	CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGINT);
}

static void works(void)
{
	struct sg_progress p = { 0 };

	setenv("TERM", "xterm", 1);
	sg_progress_setup(&p, false);
	sg_progress(&p, "first", 1, 2, "loss 2.5 \033[2J");
	sg_progress(&p, "first", 2, 2, "loss 1.5");
	sg_progress(&p, "second", 5, 0, NULL);
	sg_progress(&p, "sending", 0, 4 << 20, SG_IN_BYTES);
	usleep(50000);
	sg_progress(&p, "sending", 4 << 20, 4 << 20, SG_IN_BYTES);
	sg_progress(&p, "receiving", 2048, 0, SG_IN_BYTES ", 1 of 3 objects");
	sg_progress(&p, "waiting", 0, 0, NULL);
	sg_progress_end();
	sg_progress_end();
}

/* Everything that the child wrote to fd's other side. */
static size_t drain(int fd, char *out, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n + 1 < max && (got = read(fd, out + n, max - n - 1)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	return n;
}

TEST(progress_bar_on_a_terminal)
{
	char out[4096], unit[8], *at;
	double rate;
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		SKIP("pty");
	CHECK(in_child(works, slave) == 0);
	close(slave);
	drain(master, out, sizeof(out));
	close(master);
	CHECK(strstr(out, "\rfirst [############            ]  50% 1/2  loss 2.5 \\x1b[2J"));
	CHECK(strstr(out, "100% 2/2  loss 1.5\033[K\r\n"));	/* the line is closed */
	CHECK(strstr(out, "\rsecond: 5\033[K\r\n"));
	CHECK(strstr(out, "  0% 0 B/4.0 MiB\033[K"));	/* no rate before there is one */
	at = strstr(out, "100% 4.0 MiB/4.0 MiB  ");
	CHECK(at && sscanf(at + 22, "%lf %7[^/]", &rate, unit) == 2 && !strcmp(unit, "MiB") && rate > 1 && rate < 81);
	CHECK(strstr(out, "\rreceiving: 2.0 KiB  1 of 3 objects\033[K\r\n") && strstr(out, "\rwaiting\033[K\r\n"));
}

TEST(progress_is_short_where_nobody_watches)
{
	char out[4096];
	int fd[2];

	CHECK(!pipe(fd));
	CHECK(in_child(works, fd[1]) == 0);
	close(fd[1]);
	CHECK(drain(fd[0], out, sizeof(out)) == 0);	/* all was over at once */
	close(fd[0]);
}
