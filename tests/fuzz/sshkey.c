#include "tests/fuzz/fuzz.h"
#include "registry/sshkey.h"

int sg_fuzz_sshkey(const uint8_t *data, size_t n);

/* Bytes as the content of a key file's armour. */
static int armoured(struct sg_privkey *k, const uint8_t *data, size_t n)
{
	struct sg_buf b = { 0 };
	int rc = sg_buf_str(&b, "-----BEGIN OPENSSH PRIVATE KEY-----\n");

	if (rc >= 0)
		rc = sg_base64(&b, data, n, 70);
	if (rc >= 0)
		rc = sg_buf_str(&b, "-----END OPENSSH PRIVATE KEY-----\n");
	if (rc >= 0)
		rc = sg_privkey_parse(k, b.data, b.len, NULL, "fuzz");
	sg_buf_release(&b);
	return rc;
}

/* A private key file, the inside of one, and a public key; what is read must hold
 * together. Without a passphrase: deriving a key takes as long as the file says. */
int sg_fuzz_sshkey(const uint8_t *data, size_t n)
{
	struct sg_privkey k[2] = { 0 };
	struct sg_pubkey pub, again;
	char text[SG_PUBKEY_TEXT];
	int rc[2] = { sg_privkey_parse(&k[0], (const char *)data, n, NULL, "fuzz"), armoured(&k[1], data, n) };

	for (int i = 0; i < 2; i++)
		if (rc[i] == 0 && (sg_ed25519_public(again.key, k[i].seed) < 0 || !sg_pubkey_eq(&again, &k[i].pub)))
			abort();
	if (sg_pubkey_parse(&pub, (const char *)data, n, "fuzz") >= 0 &&
	    (sg_pubkey_text(text, &pub) < 0 || sg_pubkey_parse(&again, text, strlen(text), "again") < 0 ||
	     !sg_pubkey_eq(&pub, &again)))
		abort();
	return rc[0];
}
SG_FUZZ(sshkey)
