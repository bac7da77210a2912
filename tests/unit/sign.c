/* Keys and signatures of OpenSSH; the keys are the fuzz corpus, made by ssh-keygen. */
#include "base/error.h"
#include "base/file.h"
#include "registry/signers.h"
#include "registry/sshsig.h"
#include "tests/test.h"

#define CORPUS "tests/fuzz/corpus/"
static const char message[] = "what is signed\n";

static bool load(struct sg_buf *b, const char *path)
{
	return sg_file_read(b, path, 1 << 16) >= 0;
}

/* Signs with k and checks against the public key in the file. */
static bool works(const struct sg_privkey *k, const char *public)
{
	struct sg_buf m = { 0 }, armour = { 0 }, pub = { 0 };
	unsigned char sig[SG_ED25519_SIG];
	struct sg_pubkey by, want;
	bool ok = load(&pub, public) && sg_pubkey_parse(&want, pub.data, pub.len, public) >= 0 &&
		  sg_sshsig_message(&m, SG_SIG_GIT, message, strlen(message)) >= 0 &&
		  sg_ed25519_sign(sig, k->seed, m.data, m.len) >= 0 && sg_sshsig_make(&armour, &k->pub, SG_SIG_GIT, sig) >= 0 &&
		  sg_sshsig_check(&by, armour.data, armour.len, SG_SIG_GIT, message, strlen(message)) >= 0 &&
		  sg_pubkey_eq(&by, &want);

	sg_buf_release(&m);
	sg_buf_release(&armour);
	sg_buf_release(&pub);
	return ok;
}

TEST(sign_plain_key)
{
	struct sg_privkey k = { 0 };
	struct sg_buf b = { 0 };

	CHECK(load(&b, CORPUS "sshkey/plain"));
	CHECK(sg_privkey_parse(&k, b.data, b.len, NULL, "plain") == 0);
	CHECK(works(&k, CORPUS "sshkey/public"));
	/* a passphrase that is not needed does not matter */
	CHECK(sg_privkey_parse(&k, b.data, b.len, "x", "plain") == 0);
	sg_privkey_wipe(&k);
	CHECK(!k.seed[0] && !k.seed[31] && !k.pub.key[5]);
	sg_buf_release(&b);
}

TEST(sign_encrypted_key)
{
	struct sg_privkey k = { 0 };
	struct sg_buf b = { 0 };

	CHECK(load(&b, CORPUS "sshkey/encrypted"));
	CHECK(sg_privkey_parse(&k, b.data, b.len, NULL, "enc") == 1);
	CHECK(!k.seed[0] && !k.seed[1] && !k.seed[2]);
	FAILS(REFUSED, sg_privkey_parse(&k, b.data, b.len, "correct hors", "enc"));
	CHECK(!strstr(sg_error_message(), "correct"));
	CHECK(sg_privkey_parse(&k, b.data, b.len, "correct horse", "enc") == 0);
	CHECK(works(&k, CORPUS "sshkey/public_encrypted"));
	CHECK(!works(&k, CORPUS "sshkey/public"));
	sg_buf_release(&b);
}

/* Known answers of the derivation: one block, and two whose bytes alternate. */
TEST(sign_bcrypt_pbkdf)
{
	static const unsigned char want[32] = {
		0x5b, 0xbf, 0x0c, 0xc2, 0x93, 0x58, 0x7f, 0x1c, 0x36, 0x35, 0x55, 0x5c, 0x27, 0x79, 0x65, 0x98,
		0xd4, 0x7e, 0x57, 0x90, 0x71, 0xbf, 0x42, 0x7e, 0x9d, 0x8f, 0xbe, 0x84, 0x2a, 0xba, 0x34, 0xd9,
	};
	unsigned char one[32], two[64], key[8];

	PASS(sg_bcrypt_pbkdf(one, 32, "password", 8, "salt", 4, 4));
	CHECK(!memcmp(one, want, 32));
	PASS(sg_bcrypt_pbkdf(two, 64, "password", 8, "salt", 4, 4));
	for (int i = 0; i < 32; i++)
		CHECK(two[2 * i] == one[i]);
	FAILS(CORRUPT, sg_bcrypt_pbkdf(key, 0, "p", 1, "salt", 4, 1));
	FAILS(CORRUPT, sg_bcrypt_pbkdf(key, 8, "p", 1, "salt", 4, 0));
	FAILS(CORRUPT, sg_bcrypt_pbkdf(key, 8, "p", 1, "", 0, 1));
}

TEST(sign_signatures_of_ssh_keygen)
{
	struct sg_buf s = { 0 }, raw = { 0 };
	static const char *const file[] = { CORPUS "sshsig/sha512", CORPUS "sshsig/sha256" };
	struct sg_pubkey by;

	for (size_t i = 0; i < SG_LEN(file); i++) {
		CHECK(load(&s, file[i]));
		PASS(sg_sshsig_check(&by, s.data, s.len, SG_SIG_GIT, message, strlen(message)));
		FAILS(REFUSED, sg_sshsig_check(&by, s.data, s.len, SG_SIG_GIT, message, strlen(message) - 1));
		FAILS(REFUSED, sg_sshsig_check(&by, s.data, s.len, SG_SIG_RECEIPT, message, strlen(message)));
		FAILS(CORRUPT, sg_sshsig_check(&by, s.data, s.len - 30, SG_SIG_GIT, message, strlen(message)));
	}
	FAILS(UNSUPPORTED, sg_sshsig_check(&by, "-----BEGIN PGP SIGNATURE-----\n\nx\n", 33, SG_SIG_GIT, "", 0));
	/* no byte of it may be another */
	CHECK(load(&raw, CORPUS "sshsig/sha512.raw"));
	for (size_t at = 0; at < raw.len; at++) {
		raw.data[at] ^= 1;
		sg_buf_clear(&s);
		PASS(sg_buf_str(&s, SG_SIG_BEGIN "\n"));
		PASS(sg_base64(&s, raw.data, raw.len, 70));
		PASS(sg_buf_str(&s, SG_SIG_END));
		CHECK(sg_sshsig_check(&by, s.data, s.len, SG_SIG_GIT, message, strlen(message)) < 0);
		raw.data[at] ^= 1;
	}
	sg_buf_release(&s);
	sg_buf_release(&raw);
}

TEST(sign_base64)
{
	static const struct { const char *text, *is; } good[] = {
		{ "", "" }, { "YQ==", "a" }, { "YWI=", "ab" }, { "YW\nJj", "abc" }, { " YWJjZA== \n", "abcd" },
	};
	static const char *const bad[] = { "Y", "YQ", "YQ=", "YQ===", "YR==", "YWJ=", "YQ==YQ==", "=", "Y===", "Y.Q=", "YQ==x" };
	struct sg_buf b = { 0 };

	for (size_t i = 0; i < SG_LEN(good); i++) {
		sg_buf_release(&b);
		CHECK(sg_unbase64(&b, good[i].text, strlen(good[i].text)) >= 0);
		CHECK(b.len == strlen(good[i].is) && !memcmp(b.data, good[i].is, b.len));
	}
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		sg_buf_release(&b);
		if (sg_unbase64(&b, bad[i], strlen(bad[i])) != -SG_E_CORRUPT)
			sg_test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
	}
	sg_buf_release(&b);
}

TEST(sign_patterns)
{
	CHECK(sg_pattern_list("ann@example.com", "ann@example.com"));
	CHECK(!sg_pattern_list("ann@example.com", "ann@example.co"));
	CHECK(sg_pattern_list("a,*@b.c,d", "x@b.c") && sg_pattern_list("?b*", "abzz") && sg_pattern_list("*", ""));
	CHECK(!sg_pattern_list("*@b.c,!eve@b.c", "eve@b.c") && !sg_pattern_list("!eve@b.c,*", "eve@b.c"));
	CHECK(!sg_pattern_list("", "x") && !sg_pattern_list("!a", "b"));
	CHECK(!sg_pattern_list("*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"));
}

static int parse(struct sg_allowed_list *l, const char *prefix, const char *suffix)
{
	struct sg_buf key = { 0 }, b = { 0 };
	int rc = load(&key, CORPUS "sshkey/public") ? 0 : -SG_E_NOTFOUND;

	if (rc >= 0)
		rc = sg_buf_fmt(&b, "%s%.*s%s", prefix, (int)strcspn(key.data, "\n"), key.data, suffix);
	if (rc >= 0)
		rc = sg_allowed_parse(l, b.data, b.len, "file");
	sg_buf_release(&key);
	sg_buf_release(&b);
	return rc;
}

TEST(sign_allowed_signers)
{
	static const struct { const char *prefix; const char *why; } no[] = {
		{ "a cert-authority ", "cert-authority" }, { "a namespaces=\"file,email\" ", "namespaces" },
		{ "a valid-before=\"20200101Z\" ", "any more" }, { "a VALID-AFTER=\"20300101Z\" ", "not valid yet" },
	};
	static const char *const bad[] = { "", "a frobnicate ", "\"a b ", "a valid-after=\"2020\" ", "a valid-after=\"20201301Z\" ",
					   "a namespaces=\"x\" namespaces=\"y\" " };
	struct sg_allowed_list l = { 0 };
	const struct sg_allowed *a;
	const char *why;

	PASS(parse(&l, "# x\n\n  ann@example.com,b namespaces=\"git,sg-*\",valid-after=\"20200101Z\" ", " me\nc ssh-rsa AAAA\n"));
	CHECK(l.n == 1 && l.signer[0].line == 3 && l.signer[0].after == 1577836800);
	a = sg_allowed_find(&l, &l.signer[0].key, "sg-receipt", 1700000000, &why);
	CHECK(a && !strcmp(a->principals, "ann@example.com,b") && !why);
	sg_allowed_release(&l);
	for (size_t i = 0; i < SG_LEN(no); i++) {
		PASS(parse(&l, no[i].prefix, ""));
		CHECK(!sg_allowed_find(&l, &l.signer[0].key, "git", 1700000000, &why));
		CHECK(why && strstr(why, no[i].why));
		sg_allowed_release(&l);
	}
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		int rc = parse(&l, bad[i], "");

		if (rc != -SG_E_CORRUPT)
			sg_test_fail(__FILE__, __LINE__, "'%s': %d", bad[i], rc);
		CHECK(strstr(sg_error_message(), "'file' line 1") || strstr(sg_error_message(), "'file'"));
	}
}
