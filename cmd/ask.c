#include "cmd/ask.h"
#include "base/error.h"
#include "cmd/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* One line of at most n - 1 bytes, without its end; 1 when there was one. */
static int read_line(int fd, char *out, size_t n)
{
	size_t len = 0;
	char c;

	for (;;) {
		ssize_t k = read(fd, &c, 1);

		if (k < 0)
			return errno == EINTR ? sg_fail(SG_E_INTERRUPTED, "interrupted") :
			       sg_fail_errno(SG_E_IO, "cannot read the passphrase");
		if (!k || c == '\n')
			break;
		if (c == '\r')
			continue;
		if (len + 1 >= n)
			return sg_fail(SG_E_UNSUPPORTED, "the passphrase is longer than %zu bytes", n - 1);
		out[len++] = c;
	}
	out[len] = '\0';
	return 0;
}

/* --- a program ------------------------------------------------------------------- */

static int ask_program(const char *program, char *out, size_t n, const char *prompt)
{
	const char *argv[] = { program, prompt, NULL };
	posix_spawn_file_actions_t fa;
	int to[2], status = -1, err, rc;
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) < 0)
		return sg_fail_errno(SG_E_IO, "cannot make a pipe");
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, to[1], 1);
	err = posix_spawnp(&pid, program, &fa, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(to[1]);
	if (err) {
		close(to[0]);
		errno = err;
		return sg_fail_errno(SG_E_IO, "cannot run '%s' to ask for a passphrase", program);
	}
	rc = read_line(to[0], out, n);
	close(to[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc >= 0 && status)
		rc = sg_fail(SG_E_ERROR, "'%s' gave no passphrase", program);
	return rc;
}

/* --- the terminal ---------------------------------------------------------------- */

static void on_signal(int sig)
{
	(void)sig;	/* ends the read, so that the echo comes back */
}

static int ask_terminal(int fd, char *out, size_t n, const char *prompt)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	struct termios was, quiet;
	int rc;

	if (tcgetattr(fd, &was) < 0)
		return sg_fail_errno(SG_E_IO, "cannot use the terminal");
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ECHONL;
	sigaction(SIGINT, &sa, &old);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0 || write(fd, prompt, strlen(prompt)) < 0)
		rc = sg_fail_errno(SG_E_IO, "cannot use the terminal");
	else
		rc = read_line(fd, out, n);
	tcsetattr(fd, TCSAFLUSH, &was);
	sigaction(SIGINT, &old, NULL);
	return rc;
}

int sg_ask_passphrase(void *arg, char *out, size_t n, const char *prompt)
{
	const char *own = getenv("SG_ASKPASS"), *ssh = getenv("SSH_ASKPASS"), *require = getenv("SSH_ASKPASS_REQUIRE");
	bool first = ssh && *ssh && require && (!strcmp(require, "force") || !strcmp(require, "prefer"));
	int fd, rc;

	(void)arg;
	sg_progress_end();
	if ((own && *own) || first)
		return ask_program(own && *own ? own : ssh, out, n, prompt);
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		rc = ask_terminal(fd, out, n, prompt);
		close(fd);
		return rc;
	}
	if (ssh && *ssh)
		return ask_program(ssh, out, n, prompt);
	return sg_fail(SG_E_REFUSED, "a passphrase is needed, and there is neither a terminal nor SG_ASKPASS or SSH_ASKPASS");
}
