#include "registry/sshsig.h"
#include "base/error.h"
#include "base/hash.h"

#define MAGIC "SSHSIG"			/* without length and NUL */
#define COLUMNS 70			/* as ssh-keygen breaks them */

static int put_message(struct sg_buf *out, struct sg_ssh_text name_space, const char *hash, const void *sum, size_t sum_n)
{
	SG_TRY(sg_buf_str(out, MAGIC));
	SG_TRY(sg_ssh_put(out, name_space.p, name_space.n));
	SG_TRY(sg_ssh_put_str(out, ""));
	SG_TRY(sg_ssh_put_str(out, hash));
	return sg_ssh_put(out, sum, sum_n);
}

static struct sg_ssh_text text_of(const char *s)
{
	return (struct sg_ssh_text){ (const unsigned char *)s, strlen(s) };
}

int sg_sshsig_message(struct sg_buf *out, const char *name_space, const void *data, size_t n)
{
	unsigned char sum[SG_SHA512_LEN];

	SG_TRY(sg_sha512(sum, data, n));
	return put_message(out, text_of(name_space), "sha512", sum, sizeof(sum));
}

int sg_sshsig_make(struct sg_buf *out, const struct sg_pubkey *by, const char *name_space,
		   const unsigned char sig[SG_ED25519_SIG])
{
	struct sg_buf blob = { 0 }, part = { 0 };
	int rc = sg_buf_str(&blob, MAGIC);

	if (rc >= 0)
		rc = sg_ssh_put_u32(&blob, 1);
	if (rc >= 0)
		rc = sg_pubkey_blob(&part, by);
	if (rc >= 0)
		rc = sg_ssh_put(&blob, part.data, part.len);
	if (rc >= 0)
		rc = sg_ssh_put_str(&blob, name_space);
	if (rc >= 0)
		rc = sg_ssh_put_str(&blob, "");
	if (rc >= 0)
		rc = sg_ssh_put_str(&blob, "sha512");
	sg_buf_clear(&part);
	if (rc >= 0)
		rc = sg_ssh_put_str(&part, "ssh-ed25519");
	if (rc >= 0)
		rc = sg_ssh_put(&part, sig, SG_ED25519_SIG);
	if (rc >= 0)
		rc = sg_ssh_put(&blob, part.data, part.len);
	if (rc >= 0)
		rc = sg_buf_str(out, SG_SIG_BEGIN "\n");
	if (rc >= 0)
		rc = sg_base64(out, blob.data, blob.len, COLUMNS);
	if (rc >= 0)
		rc = sg_buf_str(out, SG_SIG_END "\n");
	sg_buf_release(&blob);
	sg_buf_release(&part);
	return rc;
}

/* --- checking ---------------------------------------------------------------- */

static int no_signature(void)
{
	return sg_fail(SG_E_CORRUPT, "the signature is malformed");
}

static int unarmour(struct sg_buf *out, const char *s, size_t n)
{
	static const char begin[] = SG_SIG_BEGIN, end[] = SG_SIG_END;
	int rc;

	while (n && (unsigned char)*s <= ' ')
		s++, n--;
	while (n && (unsigned char)s[n - 1] <= ' ')
		n--;
	if (n > SG_SIG_MAX)
		return no_signature();
	if (n < strlen(begin) + strlen(end) || memcmp(s, begin, strlen(begin)) ||
	    memcmp(s + n - strlen(end), end, strlen(end))) {
		if (n > 11 && !memcmp(s, "-----BEGIN ", 11) && memcmp(s, begin, strlen(begin)))
			return sg_fail(SG_E_UNSUPPORTED, "the signature is of another kind than SSH's");
		return no_signature();
	}
	s += strlen(begin);
	n -= strlen(begin) + strlen(end);
	rc = sg_unbase64(out, s, n);
	return rc == -SG_E_CORRUPT ? no_signature() : rc;
}

struct parts { struct sg_ssh_text pub, name_space, reserved, hash, sig; };

static int split(struct parts *p, const struct sg_buf *b)
{
	struct sg_ssh s = sg_ssh_of(b->data, b->len);
	uint32_t version;

	if (b->len < strlen(MAGIC) || memcmp(b->data, MAGIC, strlen(MAGIC)))
		return no_signature();
	s.p += strlen(MAGIC);
	version = sg_ssh_u32(&s);
	p->pub = sg_ssh_str(&s);
	p->name_space = sg_ssh_str(&s);
	p->reserved = sg_ssh_str(&s);
	p->hash = sg_ssh_str(&s);
	p->sig = sg_ssh_str(&s);
	if (s.bad || s.p != s.end)
		return no_signature();
	if (version != 1)
		return sg_fail(SG_E_UNSUPPORTED, "version %u of SSH signatures is not known", (unsigned)version);
	return 0;
}

/* The 64 bytes out of str("ssh-ed25519") str(sig). */
static int take_sig(const unsigned char **out, struct sg_ssh_text sig)
{
	struct sg_ssh s = sg_ssh_of(sig.p, sig.n);
	struct sg_ssh_text type = sg_ssh_str(&s), raw = sg_ssh_str(&s);

	if (s.bad || s.p != s.end || !sg_ssh_is(type, "ssh-ed25519") || raw.n != SG_ED25519_SIG)
		return no_signature();
	*out = raw.p;
	return 0;
}

static int hash(unsigned char out[SG_SHA512_LEN], size_t *len, const char **name, struct sg_ssh_text which, const void *data,
		size_t n)
{
	if (sg_ssh_is(which, "sha512")) {
		*len = SG_SHA512_LEN;
		*name = "sha512";
		return sg_sha512(out, data, n);
	}
	if (sg_ssh_is(which, "sha256")) {
		*len = SG_SHA256_LEN;
		*name = "sha256";
		return sg_sha256(out, data, n);
	}
	return sg_fail(SG_E_UNSUPPORTED, "the hash of the signature is not known");
}

static int check(struct sg_pubkey *by, const struct parts *p, const char *name_space, const void *data, size_t n)
{
	unsigned char sum[SG_SHA512_LEN];
	const unsigned char *sig = NULL;
	struct sg_buf m = { 0 };
	const char *name = NULL;
	size_t len = 0;
	int rc;

	SG_TRY(sg_pubkey_of_blob(by, p->pub, "the signing key"));
	SG_TRY(take_sig(&sig, p->sig));
	if (!sg_ssh_is(p->name_space, name_space))
		return sg_fail(SG_E_REFUSED, "the signature was made for something else than '%s'", name_space);
	SG_TRY(hash(sum, &len, &name, p->hash, data, n));
	rc = put_message(&m, p->name_space, name, sum, len);
	if (rc >= 0)
		rc = sg_ed25519_check(by->key, sig, m.data, m.len);
	sg_buf_release(&m);
	return rc;
}

int sg_sshsig_check(struct sg_pubkey *by, const char *armour, size_t armour_n, const char *name_space, const void *data,
		    size_t n)
{
	struct sg_buf b = { 0 };
	struct parts p = { .pub = { NULL, 0 } };
	int rc;

	*by = (struct sg_pubkey){ { 0 } };
	rc = unarmour(&b, armour, armour_n);
	if (rc >= 0)
		rc = split(&p, &b);
	if (rc >= 0)
		rc = check(by, &p, name_space, data, n);
	sg_buf_release(&b);
	return rc;
}
