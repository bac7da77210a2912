#include "registry/sshkey.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

#define TYPE "ssh-ed25519"
#define ROUNDS_MAX (1u << 16)		/* of the derivation: minutes */

/* --- public keys ------------------------------------------------------------- */

int sg_pubkey_of_blob(struct sg_pubkey *out, struct sg_ssh_text blob, const char *what)
{
	struct sg_ssh s = sg_ssh_of(blob.p, blob.n);
	struct sg_ssh_text type = sg_ssh_str(&s), key;

	if (s.bad || !type.n || type.n > 64)
		return sg_fail(SG_E_CORRUPT, "%s is no public key", what);
	if (!sg_ssh_is(type, TYPE))
		return sg_fail(SG_E_UNSUPPORTED, "%s is a key of type '%.*s'; only " TYPE " is known", what, (int)type.n,
			       (const char *)type.p);
	key = sg_ssh_str(&s);
	if (s.bad || s.p != s.end || key.n != sizeof(out->key))
		return sg_fail(SG_E_CORRUPT, "%s is no public key", what);
	memcpy(out->key, key.p, sizeof(out->key));
	return 0;
}

int sg_pubkey_parse(struct sg_pubkey *out, const char *text, size_t n, const char *what)
{
	const char *end = text + n, *type = text, *b64;
	struct sg_buf blob = { 0 };
	size_t type_n;
	int rc;

	if (memchr(text, '\0', n))
		return sg_fail(SG_E_CORRUPT, "%s is no public key", what);
	while (type < end && (*type == ' ' || *type == '\t'))
		type++;
	for (b64 = type; b64 < end && *b64 > ' '; b64++)
		;
	type_n = (size_t)(b64 - type);
	while (b64 < end && (*b64 == ' ' || *b64 == '\t'))
		b64++;
	for (n = 0; b64 + n < end && b64[n] > ' '; n++)
		;
	if (!type_n || !n || type_n > 64 || n > SG_KEYFILE_MAX)
		return sg_fail(SG_E_CORRUPT, "%s is no public key", what);
	rc = sg_unbase64(&blob, b64, n);
	if (rc == -SG_E_CORRUPT)
		rc = sg_fail(SG_E_CORRUPT, "%s is no public key: that is no base64", what);
	if (rc >= 0)
		rc = sg_pubkey_of_blob(out, (struct sg_ssh_text){ (const unsigned char *)blob.data, blob.len }, what);
	if (rc >= 0 && !sg_ssh_is((struct sg_ssh_text){ (const unsigned char *)type, type_n }, TYPE))
		rc = sg_fail(SG_E_CORRUPT, "%s says that it is of type '%.*s', and is not", what, (int)type_n, type);
	sg_buf_release(&blob);
	return rc;
}

int sg_pubkey_blob(struct sg_buf *out, const struct sg_pubkey *k)
{
	SG_TRY(sg_ssh_put_str(out, TYPE));
	return sg_ssh_put(out, k->key, sizeof(k->key));
}

int sg_pubkey_text(char out[SG_PUBKEY_TEXT], const struct sg_pubkey *k)
{
	struct sg_buf blob = { 0 }, text = { 0 };
	int rc = sg_pubkey_blob(&blob, k);

	if (rc >= 0)
		rc = sg_base64(&text, blob.data, blob.len, 0);
	if (rc >= 0)
		snprintf(out, SG_PUBKEY_TEXT, TYPE " %s", text.data);
	sg_buf_release(&blob);
	sg_buf_release(&text);
	return rc;
}

int sg_pubkey_print(char out[SG_PUBKEY_PRINT], const struct sg_pubkey *k)
{
	unsigned char sha[SG_SHA256_LEN];
	struct sg_buf blob = { 0 }, text = { 0 };
	int rc = sg_pubkey_blob(&blob, k);

	if (rc >= 0)
		rc = sg_sha256(sha, blob.data, blob.len);
	if (rc >= 0)
		rc = sg_base64(&text, sha, sizeof(sha), 0);
	if (rc >= 0)	/* ssh-keygen shows it without the padding */
		snprintf(out, SG_PUBKEY_PRINT, "SHA256:%.43s", text.data);
	sg_buf_release(&blob);
	sg_buf_release(&text);
	return rc;
}

/* --- private keys ------------------------------------------------------------ */

/* The file without its armour: header strings, then the part that may be encrypted. */
struct keyfile {
	struct sg_ssh_text cipher, kdf, options, pub;
	unsigned char *secret;
	size_t secret_n;
	const char *what;
};

static int no_key(const char *what)
{
	return sg_fail(SG_E_CORRUPT, "'%s' is no private key of OpenSSH, or damaged", what);
}

/* The base64 between the two lines. */
static int unarmour(struct sg_buf *out, const char *text, size_t n, const char *what)
{
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n", end[] = "-----END OPENSSH PRIVATE KEY-----";
	size_t b = strlen(begin);
	const char *stop;
	int rc;

	if (n > SG_KEYFILE_MAX || n < b || memcmp(text, begin, b)) {
		if (n > 11 && !memcmp(text, "-----BEGIN ", 11))
			return sg_fail(SG_E_UNSUPPORTED, "'%s' is a private key in another format than OpenSSH's; "
				       "'ssh-keygen -p -f' converts it", what);
		return no_key(what);
	}
	stop = memmem(text + b, n - b, end, strlen(end));
	if (!stop)
		return no_key(what);
	rc = sg_unbase64(out, text + b, (size_t)(stop - text) - b);
	return rc == -SG_E_CORRUPT ? no_key(what) : rc;
}

static int split(struct keyfile *f, const struct sg_buf *b)
{
	static const char magic[] = "openssh-key-v1";	/* and its NUL */
	struct sg_ssh s = sg_ssh_of(b->data, b->len);
	struct sg_ssh_text secret;
	uint32_t keys;

	if (b->len < sizeof(magic) || memcmp(b->data, magic, sizeof(magic)))
		return no_key(f->what);
	s.p += sizeof(magic);
	f->cipher = sg_ssh_str(&s);
	f->kdf = sg_ssh_str(&s);
	f->options = sg_ssh_str(&s);
	keys = sg_ssh_u32(&s);
	f->pub = sg_ssh_str(&s);
	secret = sg_ssh_str(&s);
	if (s.bad || keys != 1)
		return no_key(f->what);
	if (s.p != s.end && !sg_ssh_is(f->cipher, "none"))	/* the tag of an authenticated cipher */
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is encrypted with '%.*s', which is not known; "
			       "'ssh-keygen -p -f' with its default works", f->what, (int)SG_MIN(f->cipher.n, (size_t)40),
			       (const char *)f->cipher.p);
	f->secret = (unsigned char *)b->data + (secret.p - (const unsigned char *)b->data);
	f->secret_n = secret.n;
	return 0;
}

static int decrypt(struct keyfile *f, const char *passphrase)
{
	struct sg_ssh o = sg_ssh_of(f->options.p, f->options.n);
	struct sg_ssh_text salt = sg_ssh_str(&o);
	uint32_t rounds = sg_ssh_u32(&o);
	unsigned char key[32 + 16];
	char cipher[64];
	int rc;

	if (!sg_ssh_is(f->kdf, "bcrypt"))
		return sg_fail(SG_E_UNSUPPORTED, "the key derivation '%.*s' of '%s' is not known",
			       (int)SG_MIN(f->kdf.n, (size_t)40), (const char *)f->kdf.p, f->what);
	if (o.bad || !rounds || rounds > ROUNDS_MAX)
		return no_key(f->what);
	snprintf(cipher, sizeof(cipher), "%.*s", (int)SG_MIN(f->cipher.n, sizeof(cipher) - 1), (const char *)f->cipher.p);
	rc = sg_bcrypt_pbkdf(key, sizeof(key), passphrase, strlen(passphrase), salt.p, salt.n, rounds);
	if (rc >= 0)
		rc = sg_key_decrypt(f->secret, f->secret_n, cipher, key, key + 32);
	sg_wipe(key, sizeof(key));
	return rc < 0 ? sg_fail_in(rc, "'%s'", f->what) : 0;
}

/* Two equal numbers, one key, a comment, and padding 1, 2, 3... */
static int take_secret(struct sg_privkey *out, const struct keyfile *f, bool encrypted)
{
	struct sg_ssh s = sg_ssh_of(f->secret, f->secret_n);
	uint32_t a = sg_ssh_u32(&s), b = sg_ssh_u32(&s);
	struct sg_ssh_text type, pub, key;
	struct sg_pubkey made;

	if (!s.bad && a != b)
		return encrypted ? sg_fail(SG_E_REFUSED, "wrong passphrase for '%s'", f->what) : no_key(f->what);
	type = sg_ssh_str(&s);
	pub = sg_ssh_str(&s);
	key = sg_ssh_str(&s);
	(void)sg_ssh_str(&s);
	if (s.bad || !sg_ssh_is(type, TYPE) || pub.n != SG_ED25519_KEY || key.n != 2 * SG_ED25519_KEY)
		return no_key(f->what);
	for (unsigned char k = 1; s.p < s.end; k++)
		if (*s.p++ != k)
			return no_key(f->what);
	/* a key whose halves are not of each other would give its secret away by signing */
	SG_TRY(sg_ed25519_public(made.key, key.p));
	if (!sg_pubkey_eq(&made, &out->pub) || memcmp(made.key, pub.p, pub.n) || memcmp(made.key, key.p + SG_ED25519_KEY, pub.n))
		return sg_fail(SG_E_CORRUPT, "the two halves of the key in '%s' do not belong together", f->what);
	memcpy(out->seed, key.p, sizeof(out->seed));
	return 0;
}

int sg_privkey_parse(struct sg_privkey *out, const char *text, size_t n, const char *passphrase, const char *what)
{
	struct sg_privkey k = { .pub = { { 0 } } };
	struct keyfile f = { .what = what };
	struct sg_buf b = { 0 };
	bool encrypted = false;
	char name[300];
	int rc = unarmour(&b, text, n, what);

	snprintf(name, sizeof(name), "'%.280s'", what);
	if (rc >= 0)
		rc = split(&f, &b);
	if (rc >= 0)
		rc = sg_pubkey_of_blob(&k.pub, f.pub, name);
	if (rc >= 0) {
		encrypted = !sg_ssh_is(f.cipher, "none");
		if (encrypted && passphrase)
			rc = decrypt(&f, passphrase);
	}
	if (rc >= 0 && (!encrypted || passphrase))
		rc = take_secret(&k, &f, encrypted);
	if (rc >= 0) {
		*out = k;
		rc = encrypted && !passphrase;
	}
	sg_privkey_wipe(&k);
	sg_wipe(b.data, b.cap);
	sg_buf_release(&b);
	return rc;
}

void sg_privkey_wipe(struct sg_privkey *k)
{
	sg_wipe(k, sizeof(*k));
}
