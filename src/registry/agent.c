#include "registry/agent.h"
#include "base/error.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Messages of the agent's protocol that are used. */
enum { FAILURE = 5, LIST = 11, LISTED = 12, SIGN = 13, SIGNED = 14 };
#define ANSWER_MAX ((size_t)256 << 10)	/* as the agent itself has it */

static int open_socket(int *fd)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (!path || !*path || strlen(path) >= sizeof(at.sun_path))
		return sg_fail(SG_E_NOTFOUND, "there is no ssh-agent (SSH_AUTH_SOCK)");
	strcpy(at.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return sg_fail_errno(SG_E_IO, "cannot make a socket");
	if (connect(*fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		int rc = sg_fail_errno(SG_E_NOTFOUND, "cannot reach the ssh-agent");

		close(*fd);
		*fd = -1;
		return rc;
	}
	return 0;
}

static int put(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t k = send(fd, data, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return sg_fail_errno(SG_E_IO, "cannot write to the ssh-agent");
		data += k;
		n -= (size_t)k;
	}
	return 0;
}

static int get(int fd, unsigned char *data, size_t n)
{
	while (n) {
		ssize_t k = read(fd, data, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return sg_fail(SG_E_IO, "the ssh-agent gave no whole answer");
		data += k;
		n -= (size_t)k;
	}
	return 0;
}

/* A request and its answer, both without their length. */
static int ask(struct sg_buf *answer, const struct sg_buf *request)
{
	unsigned char head[4];
	struct sg_buf framed = { 0 };
	struct sg_ssh s;
	uint32_t n;
	int fd = -1, rc;

	SG_TRY(open_socket(&fd));
	rc = sg_ssh_put(&framed, request->data, request->len);
	if (rc >= 0)
		rc = put(fd, framed.data, framed.len);
	if (rc >= 0)
		rc = get(fd, head, sizeof(head));
	if (rc >= 0) {
		s = sg_ssh_of(head, sizeof(head));
		n = sg_ssh_u32(&s);
		if (!n || n > ANSWER_MAX)
			rc = sg_fail(SG_E_CORRUPT, "the ssh-agent's answer has %u bytes", (unsigned)n);
		if (rc >= 0)
			rc = sg_buf_room(answer, n);
		if (rc >= 0)
			rc = get(fd, (unsigned char *)answer->data, n);
		if (rc >= 0)
			answer->len = n;
	}
	close(fd);
	sg_buf_release(&framed);
	return rc;
}

int sg_agent_has(const struct sg_pubkey *k)
{
	struct sg_buf request = { 0 }, answer = { 0 };
	unsigned char type = LIST;
	struct sg_ssh s;
	int rc = sg_buf_add(&request, &type, 1), found = 0;
	uint32_t n = 0;

	if (rc >= 0)
		rc = ask(&answer, &request);
	if (rc >= 0 && answer.data[0] == LISTED) {
		s = sg_ssh_of(answer.data + 1, answer.len - 1);
		n = sg_ssh_u32(&s);
		for (uint32_t i = 0; !found && !s.bad && i < n; i++) {
			struct sg_ssh_text blob = sg_ssh_str(&s);
			struct sg_pubkey other;

			(void)sg_ssh_str(&s);
			found = !s.bad && sg_pubkey_of_blob(&other, blob, "") >= 0 && sg_pubkey_eq(&other, k);
		}
	}
	sg_buf_release(&request);
	sg_buf_release(&answer);
	return rc == -SG_E_NOMEM ? rc : found;
}

static int read_signature(unsigned char sig[SG_ED25519_SIG], const struct sg_buf *answer)
{
	struct sg_ssh s, in;
	struct sg_ssh_text blob, type, raw;

	if (answer->data[0] == FAILURE)
		return sg_fail(SG_E_REFUSED, "the ssh-agent refused to sign");
	if (answer->data[0] != SIGNED)
		return sg_fail(SG_E_CORRUPT, "the ssh-agent gave another answer than a signature");
	s = sg_ssh_of(answer->data + 1, answer->len - 1);
	blob = sg_ssh_str(&s);
	in = sg_ssh_of(blob.p, blob.n);
	type = sg_ssh_str(&in);
	raw = sg_ssh_str(&in);
	if (s.bad || in.bad || !sg_ssh_is(type, "ssh-ed25519") || raw.n != SG_ED25519_SIG)
		return sg_fail(SG_E_CORRUPT, "the ssh-agent's signature is malformed");
	memcpy(sig, raw.p, SG_ED25519_SIG);
	return 0;
}

int sg_agent_sign(unsigned char sig[SG_ED25519_SIG], const struct sg_pubkey *k, const void *data, size_t n)
{
	struct sg_buf request = { 0 }, answer = { 0 }, blob = { 0 };
	unsigned char type = SIGN;
	int rc = sg_buf_add(&request, &type, 1);

	if (rc >= 0)
		rc = sg_pubkey_blob(&blob, k);
	if (rc >= 0)
		rc = sg_ssh_put(&request, blob.data, blob.len);
	if (rc >= 0)
		rc = sg_ssh_put(&request, data, n);
	if (rc >= 0)
		rc = sg_ssh_put_u32(&request, 0);
	if (rc >= 0)
		rc = ask(&answer, &request);
	if (rc >= 0)
		rc = read_signature(sig, &answer);
	/* a wrong answer is found here, not by whoever reads the commit */
	if (rc >= 0 && sg_ed25519_check(k->key, sig, data, n) < 0)
		rc = sg_fail(SG_E_CORRUPT, "the ssh-agent's signature is not that of the key");
	sg_buf_release(&request);
	sg_buf_release(&answer);
	sg_buf_release(&blob);
	return rc;
}
