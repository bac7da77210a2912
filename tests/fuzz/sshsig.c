#include "tests/fuzz/fuzz.h"
#include "registry/sshsig.h"

int sg_fuzz_sshsig(const uint8_t *data, size_t n);

/* A signature, and the inside of one. Of bytes that nobody signed none is good. */
int sg_fuzz_sshsig(const uint8_t *data, size_t n)
{
	static const char what[] = "nobody signed this";
	struct sg_buf b = { 0 };
	struct sg_pubkey by;
	int rc = sg_sshsig_check(&by, (const char *)data, n, SG_SIG_GIT, what, strlen(what)), rc2 = -1;

	if (sg_buf_str(&b, SG_SIG_BEGIN "\n") >= 0 && sg_base64(&b, data, n, 70) >= 0 && sg_buf_str(&b, SG_SIG_END) >= 0)
		rc2 = sg_sshsig_check(&by, b.data, b.len, SG_SIG_GIT, what, strlen(what));
	sg_buf_release(&b);
	if (rc >= 0 || rc2 >= 0)
		abort();
	return rc;
}
SG_FUZZ(sshsig)
