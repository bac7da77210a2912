#include "gate/policy.h"
#include "base/error.h"
#include "tests/test.h"

static int parse(struct sg_policy *p, const char *s)
{
	return sg_policy_parse(p, s, strlen(s), "policy");
}

static bool gives(const struct sg_policy *p, const char *name, const char *want)
{
	struct sg_buf b = { 0 };
	bool ok = sg_policy_get(&b, p, name) >= 0 && !strcmp(b.data, want);

	sg_buf_release(&b);
	return ok;
}

static bool lists(struct sg_buf *out, const char *text)
{
	struct sg_policy p = { 0 };
	bool ok = parse(&p, text) >= 0 && sg_policy_list(out, &p) >= 0;

	sg_policy_release(&p);
	return ok;
}

TEST(policy_defaults)
{
	struct sg_buf text = { 0 }, built_in = { 0 }, written = { 0 };
	struct sg_policy p = { 0 };

	/* an empty policy and the text of a new one say the same */
	PASS(sg_policy_default(&text));
	CHECK(lists(&built_in, "") && lists(&written, text.data));
	CHECK(!strcmp(built_in.data, written.data));
	PASS(sg_policy_parse(&p, text.data, text.len, "policy"));
	CHECK(p.quality.enabled && p.quality.alpha == 0.05 && p.quality.min_gain == 0);
	CHECK(p.quality.min_docs == 200 && p.quality.min_sets == 1 && p.quality.correct_uses);
	CHECK(p.retention.enabled && p.retention.max_increase == 0.02 && p.retention.min_sets == 0);
	CHECK(p.artefact.enabled && p.artefact.finite && !p.artefact.max_bytes && p.rollback.enabled);
	CHECK(sg_is_sha256(p.id));
	CHECK(gives(&p, "gate.quality.alpha", "0.05") && gives(&p, "gate.rollback.enabled", "true"));
	CHECK(!gives(&p, "gate.quality.beta", "") && !gives(&p, "retain.x.min-docs", ""));
	sg_policy_release(&p);
	sg_policy_release(&p);
	PASS(sg_policy_parse(&p, "", 0, "policy"));
	CHECK(!strcmp(p.id, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	sg_policy_release(&p);
	sg_buf_release(&text);
	sg_buf_release(&built_in);
	sg_buf_release(&written);
}

TEST(policy_values)
{
	struct sg_policy p = { 0 };

	PASS(parse(&p, "[gate \"quality\"]\n\tALPHA = 0.01\n\tmin-docs = 1k\n\tmin-gain=-0\n"
		       "[gate \"artefact\"]\nmax-bytes = 3m\nenabled = no\n[gate \"quality\"]\ncorrect-uses=off\n"
		       "[retain \"en.Wiki\"]\nmin-docs = 50\n[retain \"code\"]\nmax-increase = 0.1\n[retain \"all\"]\n"));
	CHECK(p.quality.alpha == 0.01 && p.quality.min_docs == 1024 && !p.quality.correct_uses);
	CHECK(gives(&p, "gate.quality.min-gain", "0"));
	CHECK(p.artefact.max_bytes == 3 << 20 && !p.artefact.enabled);
	CHECK(p.n_retain == 3 && p.retain[0].has_docs && !p.retain[0].has_increase && p.retain[0].min_docs == 50);
	CHECK(p.retain[1].max_increase == 0.1 && !p.retain[2].has_docs && !p.retain[2].has_increase);
	CHECK(gives(&p, "retain.en.Wiki.min-docs", "50") && gives(&p, "retain.code.max-increase", "0.1"));
	CHECK(!gives(&p, "retain.all.max-increase", ""));
	sg_policy_release(&p);
}

TEST(policy_refused)
{
	static const struct { const char *text, *message; } t[] = {
		{ "\n[gates \"quality\"]\n", "'policy' line 2: unknown section 'gates \"quality\"'" },
		{ "[gate]\n", "'policy' line 1: unknown section 'gate'" },
		{ "[retain]\n", "'policy' line 1: unknown section 'retain'" },
		{ "[gate \"Quality\"]\n", "'policy' line 1: unknown section 'gate \"Quality\"'" },
		{ "[gate \"\"]\n", "'policy' line 1: unknown section 'gate \"\"'" },
		{ "[gate \"quality\"]\n\n\talpa = 1\n", "'policy' line 3: unknown key 'alpa' in 'gate \"quality\"'" },
		{ "[gate \"rollback\"]\nalpha = 0.1\n", "'policy' line 2: unknown key 'alpha' in 'gate \"rollback\"'" },
		{ "[retain \"x\"]\nalpha = 0.1\n", "'policy' line 2: unknown key 'alpha' in 'retain \"x\"'" },
		{ "[retain \".x\"]\n", "'policy' line 1: '.x' is no name of a set" },
		{ "[gate \"quality\"]\nalpha = 0.6\n", "'policy' line 2: 'alpha' must be a number from 1e-09 to 0.5" },
		{ "[gate \"quality\"]\nalpha = nan\n", "'policy' line 2: 'alpha' must be a number from 1e-09 to 0.5" },
		{ "[gate \"quality\"]\nalpha\n", "'policy' line 2: 'alpha' must be a number from 1e-09 to 0.5" },
		{ "[gate \"quality\"]\nmin-docs = 1\n", NULL },
		{ "[gate \"quality\"]\nmin-docs = 2.5\n", NULL },
		{ "[gate \"quality\"]\nmin-gain = -0.1\n", NULL },
		{ "[gate \"quality\"]\nenabled = maybe\n", "'policy' line 2: 'enabled' must be true or false" },
		{ "[gate \"quality\"]\nalpha = 0.1\n[gate \"rollback\"]\n[gate \"quality\"]\nAlpha = 0.2\n",
		  "'policy' line 5: 'alpha' is set twice, first in line 2" },
		{ "[include]\npath = x\n", "'policy' line 1: unknown section 'include'" },
		{ "alpha = 1\n", "'policy' line 1: a key stands before the first section" },
	};
	struct sg_policy p = { 0 };

	for (size_t i = 0; i < SG_LEN(t); i++) {
		CHECK(parse(&p, t[i].text) == -SG_E_CORRUPT);
		CHECK(!t[i].message || !strcmp(sg_error_message(), t[i].message));
		CHECK(!p.retain && !p.quality.enabled);
	}
}

TEST(policy_set)
{
	static const char old[] = "# ours\n[gate \"quality\"]\n\talpha = 0.05 # usual\n";
	struct sg_buf b = { 0 };

	PASS(sg_policy_set(&b, old, strlen(old), "policy", "gate.quality.alpha", "0.01"));
	CHECK(!strcmp(b.data, "# ours\n[gate \"quality\"]\n\talpha = 0.01 # usual\n"));
	sg_buf_clear(&b);
	PASS(sg_policy_set(&b, old, strlen(old), "policy", "retain.wiki.max-increase", "0.01"));
	CHECK(!strcmp(b.data, "# ours\n[gate \"quality\"]\n\talpha = 0.05 # usual\n"
			      "[retain \"wiki\"]\n\tmax-increase = 0.01\n"));
	sg_buf_clear(&b);
	PASS(sg_policy_set(&b, old, strlen(old), "policy", "gate.quality.alpha", NULL));
	CHECK(!strcmp(b.data, "# ours\n[gate \"quality\"]\n"));
	sg_buf_clear(&b);
	/* what is no policy is not written */
	CHECK(sg_policy_set(&b, old, strlen(old), "policy", "gate.quality.alpha", "2") == -SG_E_CORRUPT);
	CHECK(sg_policy_set(&b, old, strlen(old), "policy", "gate.quality.beta", "2") == -SG_E_CORRUPT);
	CHECK(sg_policy_set(&b, old, strlen(old), "policy", "user.name", "x") == -SG_E_CORRUPT);
	CHECK(sg_policy_set(&b, old, strlen(old), "policy", "gate.quality.min-gain", NULL) == -SG_E_NOTFOUND);
	CHECK(!b.len);
	sg_buf_release(&b);
}

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFvR0wRWjg5Mc8D6vnwgH7uaklDNgpPCgcxeg/Tfl5dZ"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKThVg3n/vbmhpfKVNSK5fJIkWu/t0GafutEVQiJPloo"

TEST(policy_trust)
{
	static const char text[] = "[signer \"ann@example.com\"]\nkey = " KEY_A " a comment\n[signer \"bob\"]\nkey = " KEY_B
		"\nrequired = true\n[trust]\napprovals = 2\nprotected = main release/*\n";
	static const struct { const char *text, *want; } bad[] = {
		{ "[signer \"ann\"]\n", "'policy': signer 'ann' has no key" },
		{ "[signer \"a b\"]\nkey = " KEY_A "\n", "'policy' line 1: 'a b' is no name of a signer" },
		{ "[signer \"a\"]\nkey = ssh-rsa AAAA\n", "'policy' line 2: 'key' must be a public key, ssh-ed25519 AAAA..." },
		{ "[signer \"a\"]\nkey = " KEY_A "x\n", "'policy' line 2: 'key' must be a public key, ssh-ed25519 AAAA..." },
		{ "[signer \"a\"]\nkey = " KEY_A "\n[signer \"b\"]\nkey = " KEY_A "\n", "'policy': signers 'a' and 'b' have the same key" },
		{ "[trust]\napprovals = 1\n", "'policy': 1 approvals of 0 signers cannot be had" },
		{ "[trust]\nprotected = a:b\n", "'policy' line 2: 'protected' must be names of branches" },
		{ "[trust]\nsinged = true\n", "'policy' line 2: unknown key 'singed' in 'trust'" },
		{ "[trust]\nsigned = true\nsigned = false\n", "'policy' line 3: 'signed' is set twice, first in line 2" },
		{ "[trust \"x\"]\n", "'policy' line 1: unknown section 'trust \"x\"'" },
		{ "[signer]\n", "'policy' line 1: unknown section 'signer'" },
	};
	struct sg_policy p = { 0 }, q = { 0 };

	PASS(parse(&p, text));
	CHECK(p.n_signers == 2 && !strcmp(p.signer[0].key, KEY_A) && p.signer[1].required && p.trust.sign);
	CHECK(gives(&p, "trust.approvals", "2") && gives(&p, "signer.ann@example.com.key", KEY_A));
	CHECK(sg_policy_protects(&p, "main") && sg_policy_protects(&p, "release/1/2"));
	CHECK(!sg_policy_protects(&p, "maine") && !sg_policy_protects(&p, "release") && !sg_policy_protects(&p, ""));
	PASS(parse(&q, ""));
	CHECK(!sg_policy_protects(&q, "main"));
	sg_policy_release(&q);
	sg_policy_release(&p);
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		FAILS(CORRUPT, parse(&p, bad[i].text));
		if (strcmp(sg_error_message(), bad[i].want))
			sg_test_fail(__FILE__, __LINE__, "got: %s", sg_error_message());
	}
}
