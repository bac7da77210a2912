#include "gate/gate.h"
#include "base/error.h"
#include "base/file.h"
#include "tests/test.h"
#include <math.h>

static char id_of[5][SG_SHA256_HEX];	/* five ids that are none of anything */

static const char *id(int i)
{
	memset(id_of[i], "0123a"[i], SG_SHA256_HEX - 1);
	return id_of[i];
}

/* A set of n documents of 16 tokens whose candidate is `shift` nats per token off,
 * give or take 1/8. Powers of two and integers: no rounding to speak of. */
static int add_set(struct sg_receipt *r, const char *name, const char *role, size_t n, double shift)
{
	struct sg_receipt_set *s;

	SG_TRY(sg_receipt_add_set(r, &s, name, role, id(1), id(2), 1, n));
	for (size_t i = 0; i < n; i++) {
		s->tokens[i] = 16;
		s->bytes[i] = 60 + (uint32_t)i % 7;
		s->parent[i] = 32 + (double)(i % 5);
		s->cand[i] = s->parent[i] + 16 * shift + ((double)(i % 3) - 1) * 2;
	}
	return 0;
}

static int make(struct sg_receipt *r)
{
	*r = (struct sg_receipt){ .window = 256, .facts = { .size = 4096, .elements = 1000, .nonzero = 990 } };
	r->fingerprint = strdup("cpu f32 1");
	r->tool = strdup("sg 0");
	strcpy(r->base, id(0));
	strcpy(r->parent, id(1));
	strcpy(r->candidate, id(2));
	strcpy(r->graft, id(3));
	strcpy(r->policy, id(4));
	strcpy(r->facts.before, id(4));
	strcpy(r->facts.after, id(4));
	SG_TRY(add_set(r, "new", "accept", 240, -0.0625));
	return add_set(r, "old", "retain", 240, -0.0078125);
}

static int judge(struct sg_receipt *r, const char *policy)
{
	struct sg_policy p = { 0 };
	int rc = sg_policy_parse(&p, policy, strlen(policy), "policy");

	if (rc >= 0)
		rc = sg_gate_judge(r, &p);
	sg_policy_release(&p);
	return rc < 0 ? rc : (int)r->verdict;
}

static const struct sg_receipt_gate *result(const struct sg_receipt *r, const char *name, const char *set)
{
	static const struct sg_receipt_gate none = { .verdict = SG_VERDICT_COUNT };

	for (size_t i = 0; i < r->n_gates; i++)
		if (!strcmp(r->gate[i].name, name) && !strcmp(r->gate[i].set, set))
			return &r->gate[i];
	return &none;
}

TEST(gate_accepts)
{
	const struct sg_receipt_gate *g;
	struct sg_receipt r;

	PASS(make(&r));
	CHECK(judge(&r, "") == SG_ACCEPT);
	CHECK(r.n_gates == 4 && sg_is_sha256(r.policy) && strcmp(r.policy, id(4)));
	g = result(&r, "quality", "new");
	CHECK(g->verdict == SG_ACCEPT && g->n == 240 && g->mean == -0.0625 && g->upper < -0.048 && g->lower > -0.077);
	CHECK(g->alpha == 0.025 && g->threshold == 0 && !signbit(g->threshold) && g->worse == 0);
	CHECK(g->parent == 34.0 / 16 && fabs(g->ratio + 0.0625) < 1e-15 && g->worst == 0.0625);
	CHECK(result(&r, "retention", "old")->threshold == 0.02);
	CHECK(result(&r, "artefact", "")->verdict == SG_ACCEPT && result(&r, "rollback", "")->verdict == SG_ACCEPT);
	/* judged again: the old results are gone */
	CHECK(judge(&r, "") == SG_ACCEPT && r.n_gates == 4);
	sg_receipt_release(&r);
	sg_receipt_release(&r);
}

/* Verdict over an acceptance set of n documents with this shift. */
static int quality(size_t n, double shift, uint64_t uses, const char *policy)
{
	struct sg_receipt r = { .graft = "x", .facts = { .elements = 1 } };
	int v = add_set(&r, "new", "accept", n, shift);

	if (v >= 0)
		r.set[0].uses = uses;
	if (v >= 0 && (v = judge(&r, policy)) >= 0)
		v = (int)result(&r, "quality", "new")->verdict;
	sg_receipt_release(&r);
	return v;
}

TEST(gate_quality_verdicts)
{
	static const char gain[] = "[gate \"quality\"]\nmin-gain = 0.05\n";
	static const char few[] = "[gate \"quality\"]\nmin-docs = 20\n";
	static const char uncorrected[] = "[gate \"quality\"]\ncorrect-uses = false\n";
	static const char always[] = "[gate \"quality\"]\ntest = sequential\n";
	static const char resampled[] = "[gate \"quality\"]\ntest = bootstrap\n";
	static const char worn[] = "[gate \"quality\"]\nmax-uses = 9\n";

	CHECK(quality(240, -0.0625, 1, "") == SG_ACCEPT);
	CHECK(quality(240, 0, 1, "") == SG_REJECT);
	CHECK(quality(240, 0.0625, 1, "") == SG_REJECT);
	CHECK(quality(240, -0.001, 1, "") == SG_REJECT);	/* better, but not shown */
	CHECK(quality(240, -0.07, 1, gain) == SG_ACCEPT);
	CHECK(quality(240, -0.055, 1, gain) == SG_REJECT);
	/* fewer than min-docs: never accept, reject when it is shown to be worse */
	CHECK(quality(199, -0.5, 1, "") == SG_DEFER);
	CHECK(quality(60, 0, 1, "") == SG_DEFER);
	CHECK(quality(60, 0.0625, 1, "") == SG_REJECT);
	CHECK(quality(60, -0.0625, 1, few) == SG_ACCEPT);
	CHECK(quality(1, -0.0625, 1, few) == SG_DEFER && quality(0, 0, 1, few) == SG_DEFER);
	/* each use of a set makes it harder */
	CHECK(quality(240, -0.015, 1, "") == SG_ACCEPT && quality(240, -0.015, 40, "") == SG_REJECT);
	CHECK(quality(240, -0.015, 40, uncorrected) == SG_ACCEPT);
	/* one that may be repeated with more documents has a third answer */
	CHECK(quality(240, -0.0625, 1, always) == SG_ACCEPT && quality(240, 0.0625, 1, always) == SG_REJECT);
	CHECK(quality(240, -0.001, 1, always) == SG_DEFER && quality(199, -0.0625, 1, always) == SG_DEFER);
	CHECK(quality(240, -0.0625, 1, resampled) == SG_ACCEPT && quality(240, -0.001, 1, resampled) == SG_REJECT);
	CHECK(quality(240, -0.0625, 9, worn) == SG_ACCEPT && quality(240, -0.0625, 10, worn) == SG_DEFER);
}

TEST(gate_retention)
{
	struct sg_receipt r;

	PASS(make(&r));
	PASS(add_set(&r, "worse", "retain", 240, 0.03125));
	CHECK(judge(&r, "") == SG_REJECT && result(&r, "retention", "worse")->verdict == SG_REJECT);
	CHECK(result(&r, "retention", "old")->verdict == SG_ACCEPT);
	CHECK(judge(&r, "[gate \"retention\"]\nmax-increase = 0.05\n") == SG_ACCEPT);
	CHECK(judge(&r, "[gate \"retention\"]\nenabled = false\n") == SG_ACCEPT && r.n_gates == 3);
	CHECK(judge(&r, "[retain \"worse\"]\nmax-increase = 0.05\n") == SG_ACCEPT);
	CHECK(result(&r, "retention", "old")->threshold == 0.02);
	CHECK(judge(&r, "[retain \"worse\"]\nmax-increase = 0.05\nmin-docs = 1000\n") == SG_DEFER);
	/* a set that the policy names but nobody measured */
	CHECK(judge(&r, "[retain \"worse\"]\nmax-increase = 0.05\n[retain \"gone\"]\n") == SG_DEFER);
	CHECK(result(&r, "retention", "gone")->verdict == SG_DEFER);
	CHECK(judge(&r, "[retain \"new\"]\n[gate \"retention\"]\nmax-increase = 1\nmin-sets = 3\n") == SG_DEFER);
	CHECK(result(&r, "retention", "new")->verdict == SG_DEFER && result(&r, "retention", "")->verdict == SG_DEFER);
	sg_receipt_release(&r);
}

TEST(gate_combination)
{
	struct sg_receipt r;

	PASS(make(&r));
	/* not tried, while all else accepts; a rejection wins over it */
	r.facts.before[0] = r.facts.after[0] = '\0';
	CHECK(judge(&r, "") == SG_DEFER && result(&r, "rollback", "")->verdict == SG_DEFER);
	r.facts.nonfinite = 1;
	CHECK(judge(&r, "") == SG_REJECT && result(&r, "artefact", "")->verdict == SG_REJECT);
	CHECK(judge(&r, "[gate \"artefact\"]\nfinite = false\n[gate \"rollback\"]\nenabled = no\n") == SG_ACCEPT);
	r.facts.nonfinite = 0;
	strcpy(r.facts.before, id(1));
	strcpy(r.facts.after, id(2));
	CHECK(judge(&r, "") == SG_REJECT && result(&r, "rollback", "")->verdict == SG_REJECT);
	strcpy(r.facts.after, id(1));
	CHECK(judge(&r, "[gate \"artefact\"]\nmax-bytes = 4k\nmin-nonzero = 0.99\n") == SG_ACCEPT);
	CHECK(judge(&r, "[gate \"artefact\"]\nmax-bytes = 4095\n") == SG_REJECT);
	CHECK(judge(&r, "[gate \"artefact\"]\nmin-nonzero = 0.991\n") == SG_REJECT);
	r.facts.elements = r.facts.nonzero = 0;
	CHECK(judge(&r, "") == SG_REJECT);
	r.facts.elements = r.facts.nonzero = 1;
	/* too few acceptance sets, all gates off */
	CHECK(judge(&r, "[gate \"quality\"]\nmin-sets = 2\n") == SG_DEFER && result(&r, "quality", "")->verdict == SG_DEFER);
	CHECK(judge(&r, "[gate \"quality\"]\nenabled = 0\n[gate \"retention\"]\nenabled = 0\n"
			"[gate \"artefact\"]\nenabled = 0\n[gate \"rollback\"]\nenabled = 0\n") == SG_ACCEPT && !r.n_gates);
	sg_receipt_release(&r);
}

TEST(gate_not_finite)
{
	struct sg_receipt r;
	struct sg_buf b = { 0 };

	PASS(make(&r));
	r.set[0].cand[7] = INFINITY;
	CHECK(judge(&r, "") == SG_REJECT && result(&r, "quality", "new")->n == 240);
	r.graft[0] = '\0';
	CHECK(judge(&r, "") == SG_REJECT);
	r.set[0].cand[7] = NAN;
	CHECK(judge(&r, "[gate \"quality\"]\nmin-docs = 1000\n") == SG_REJECT);
	PASS(sg_receipt_emit(&b, &r));	/* such a loss can be kept, and read back */
	sg_receipt_release(&r);
	PASS(sg_receipt_parse(&r, b.data, b.len, "receipt"));
	CHECK(isnan(r.set[0].cand[7]));
	/* losses in range whose interval is not */
	memset(r.set[0].cand, 0, 240 * sizeof(double));
	r.set[0].cand[3] = 1e155;
	CHECK(judge(&r, "") == SG_REJECT);
	sg_buf_clear(&b);
	PASS(sg_receipt_emit(&b, &r));
	sg_receipt_release(&r);
	sg_buf_release(&b);
}

/* After a revert no graft is judged: what it costs is measured, and only that the
 * retained sets hold is asked. */
TEST(gate_no_graft)
{
	struct sg_receipt r;

	PASS(make(&r));
	r.graft[0] = '\0';
	memset(&r.facts, 0, sizeof(r.facts));
	for (size_t i = 0; i < r.set[0].docs; i++)
		r.set[0].cand[i] += 4;
	CHECK(judge(&r, "") == SG_ACCEPT && result(&r, "quality", "new")->mean == 0.1875);
	for (size_t i = 0; i < r.set[1].docs; i++)
		r.set[1].cand[i] += 4;
	CHECK(judge(&r, "") == SG_REJECT);
	sg_receipt_release(&r);
}

static bool same_bytes(const struct sg_receipt *r, const struct sg_buf *b)
{
	struct sg_buf again = { 0 };
	bool same = sg_receipt_emit(&again, r) >= 0 && again.len == b->len && !memcmp(again.data, b->data, b->len);

	sg_buf_release(&again);
	return same;
}

TEST(receipt_round_trip)
{
	struct sg_receipt r, back = { 0 };
	struct sg_buf b = { 0 };
	char hex[SG_SHA256_HEX];

	PASS(make(&r));
	PASS(add_set(&r, "empty", "select", 0, 0));
	CHECK(judge(&r, "") == SG_ACCEPT);
	PASS(sg_receipt_emit(&b, &r));
	CHECK(same_bytes(&r, &b));
	/* The bytes, and with them every bit of the statistics, on any machine. */
	PASS(sg_sha256_hex(hex, b.data, b.len));
	CHECK(!strcmp(hex, "8f11d683399b23b23cd13d0bac1e40f2a7d92bc1fe47290437c28df1f030e9ff"));
	PASS(sg_receipt_parse(&back, b.data, b.len, "receipt"));
	CHECK(same_bytes(&back, &b));
	CHECK(back.n_sets == 3 && back.set[0].docs == 240 && !back.set[2].docs && back.window == 256);
	CHECK(!memcmp(back.set[0].cand, r.set[0].cand, 240 * sizeof(double)) && back.set[1].bytes[6] == 66);
	CHECK(back.verdict == SG_ACCEPT && back.n_gates == 4 && !strcmp(back.gate[0].text, r.gate[0].text));
	sg_receipt_release(&back);
	sg_receipt_release(&r);
	sg_buf_release(&b);
}

/* What the manual pages say is enough to read a receipt and to find its numbers. */
TEST(receipt_second_reader)
{
	static const char path[] = "build/tmp-receipt.mp";
	struct sg_receipt r;
	struct sg_buf b = { 0 };
	char line[64] = "";
	FILE *f;
	int rc;

	if (system("python3 -c '' 2>/dev/null"))
		SKIP("python3");
	PASS(make(&r));
	PASS(add_set(&r, "few", "retain", 61, 0.015625));
	for (size_t i = 0; i < 240; i += 17)	/* skew, and documents without tokens */
		r.set[0].cand[i] += 9;
	r.set[1].tokens[5] = r.set[1].tokens[100] = 0;
	CHECK(judge(&r, "") == SG_DEFER);
	rc = sg_receipt_emit(&b, &r);
	if (rc >= 0)
		rc = sg_file_write(path, b.data, b.len);
	sg_receipt_release(&r);
	sg_buf_release(&b);
	PASS(rc);
	CHECK((f = popen("python3 tests/readers/receipt.py build/tmp-receipt.mp", "r")));
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	rc = pclose(f);
	remove(path);
	CHECK(rc == 0 && !strcmp(line, "defer 3 5\n"));
}

/* Is the receipt, changed like this, refused by the writer? */
#define REFUSES(change) do { \
	struct sg_receipt r; \
	struct sg_buf b = { 0 }; \
	int rc; \
	PASS(make(&r)); \
	CHECK(judge(&r, "") == SG_ACCEPT); \
	change; \
	rc = sg_receipt_emit(&b, &r); \
	sg_receipt_release(&r); \
	CHECK(rc == -SG_E_CORRUPT && !b.len); \
} while (0)

TEST(receipt_rules)
{
	struct sg_receipt bad = { 0 };
	struct sg_receipt_set *s;

	REFUSES(r.base[3] = 'X');
	REFUSES(r.policy[0] = '\0');
	REFUSES(r.graft[63] = '\0');
	REFUSES(r.facts.after[0] = '\0');
	REFUSES(r.facts.nonzero = 1001);
	REFUSES(r.set[1].uses = 0);
	REFUSES(strcpy(r.set[1].name, "new"));
	REFUSES(r.set[1].role[0] = '\0');
	REFUSES(r.gate[0].mean = NAN);
	REFUSES(r.gate[0].verdict = SG_VERDICT_COUNT);
	REFUSES(r.verdict = SG_VERDICT_COUNT);
	CHECK(sg_receipt_add_set(&bad, &s, "x", "accept", "12", id(1), 1, 1) == -SG_E_CORRUPT && !bad.n_sets);
	CHECK(sg_receipt_add_set(&bad, &s, "x", "accept", id(1), id(1), 1, SG_RECEIPT_DOCS + 1) == -SG_E_CORRUPT);
	sg_receipt_release(&bad);
}

TEST(receipt_strict)
{
	struct sg_receipt r, back = { 0 };
	struct sg_buf b = { 0 };
	char *at;

	PASS(make(&r));
	CHECK(judge(&r, "") == SG_ACCEPT);
	PASS(sg_receipt_emit(&b, &r));
	for (size_t n = 0; n < b.len; n += n < 600 ? 1 : 97)
		CHECK(sg_receipt_parse(&back, b.data, n, "receipt") == -SG_E_CORRUPT);
	PASS(sg_buf_add(&b, "", 1));
	CHECK(sg_receipt_parse(&back, b.data, b.len, "receipt") == -SG_E_CORRUPT);
	b.len--;
	/* a format of the future, an unknown key, a missing key */
	at = b.data + 9;
	CHECK(!memcmp(at, "sg-receipt-1", 12));
	at[11] = '2';
	CHECK(sg_receipt_parse(&back, b.data, b.len, "receipt") == -SG_E_UNSUPPORTED);
	at[11] = '1';
	CHECK(!memcmp(at + 13, "tool", 4));
	at[13] = 'T';
	CHECK(sg_receipt_parse(&back, b.data, b.len, "receipt") == -SG_E_CORRUPT);
	CHECK(strstr(sg_error_message(), "'receipt': 'tool' is missing"));
	at[13] = 't';
	PASS(sg_receipt_parse(&back, b.data, b.len, "receipt"));
	sg_receipt_release(&back);
	sg_receipt_release(&r);
	sg_buf_release(&b);
}

/* 0 when the receipt, changed like this after it was judged, is what it says. */
#define REPLAYS(change) __extension__({ \
	struct sg_receipt r; \
	struct sg_policy p = { 0 }; \
	int rc = make(&r); \
	if (rc >= 0) \
		rc = sg_policy_parse(&p, "", 0, "policy"); \
	if (rc >= 0) \
		rc = sg_gate_judge(&r, &p); \
	if (rc >= 0) { \
		change; \
		rc = sg_gate_replay(&r, &p); \
	} \
	sg_receipt_release(&r); \
	sg_policy_release(&p); \
	rc; \
})

static double one_up(double x)
{
	return nextafter(x, 1e9);
}

TEST(gate_replay)
{
	CHECK(REPLAYS((void)0) == 0);
	CHECK(REPLAYS(r.gate[0].text[0] = 'x') == 0);		/* words are no part of it */
	CHECK(REPLAYS(r.gate[0].mean = one_up(r.gate[0].mean)) == -SG_E_REFUSED);
	CHECK(!strncmp(sg_error_message(), "gate 'quality' on new: mean is stored as -0.0624999", 50));
	CHECK(REPLAYS(r.gate[1].upper = one_up(r.gate[1].upper)) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.set[0].cand[3] = one_up(r.set[0].cand[3])) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.set[0].uses = 2) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.facts.nonfinite = 1) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.verdict = SG_REJECT) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.gate[0].verdict = SG_DEFER) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.n_gates--; free(r.gate[3].name); free(r.gate[3].set); free(r.gate[3].text)) == -SG_E_REFUSED);
	CHECK(REPLAYS(r.policy[0] ^= 1) == -SG_E_REFUSED);
	CHECK(!strncmp(sg_error_message(), "the receipt was made under policy ", 34));
}

/* --- probes ------------------------------------------------------------------- */

static int add_probe(struct sg_receipt *r, const char *name, const char *role, size_t docs, double parent, double cand)
{
	struct sg_receipt_set *s;

	SG_TRY(sg_receipt_add_probe(r, &s, name, role, r->set[0].id, r->set[0].shard, 1, docs));
	for (size_t i = 0; i < docs; i++) {
		s->tokens[i] = 16;
		s->parent[i] = 16 * (parent + (double)(i % 5) / 64);
		s->cand[i] = 16 * (cand + (double)(i % 3) / 64);
	}
	return 0;
}

static enum sg_verdict probed(const char *role, double parent, double cand, const char *limit)
{
	enum sg_verdict v = SG_VERDICT_COUNT;
	struct sg_receipt r;
	char name[64], text[160];

	snprintf(name, sizeof(name), "new/%s", role);
	snprintf(text, sizeof(text), "[gate \"%s\"]\nenabled = true\n%s\n", role, limit);
	if (make(&r) >= 0 && add_probe(&r, name, role, 120, parent, cand) >= 0 && judge(&r, text) >= 0)
		v = result(&r, role, name)->verdict;
	sg_receipt_release(&r);
	return v;
}

TEST(gate_probes)
{
	struct sg_receipt r;

	CHECK(probed("drift", 2, 2.01, "") == SG_ACCEPT && probed("drift", 2, 2.2, "") == SG_REJECT);
	CHECK(probed("drift", 2, 2.2, "max-kl = 0.3") == SG_ACCEPT && probed("drift", 2, 2.01, "min-docs = 121") == SG_DEFER);
	CHECK(probed("control", 2, 1.9, "") == SG_ACCEPT && probed("control", 2, 2.05, "") == SG_REJECT);
	CHECK(probed("degenerate", 0.1, 0.15, "") == SG_ACCEPT && probed("degenerate", 0.1, 0.5, "") == SG_REJECT);
	/* the candidate gains 0.0625 with the graft there: less without it, or more */
	CHECK(probed("conflict", 2, 2, "") == SG_ACCEPT && probed("conflict", 2, 1.5, "") == SG_REJECT);
	/* one document each: 5 of 100 sequences; an exit status */
	for (int k = 0; k < 4; k++) {
		PASS(make(&r));
		PASS(add_probe(&r, "new/ngrams", "contamination", 1, 0, 0));
		PASS(add_probe(&r, "program/exec", "exec", 1, 0, 0));
		r.probe[0].cand[0] = k ? 1 : 5;
		r.probe[0].tokens[0] = 100;
		r.probe[1].cand[0] = k == 2 ? 1 : k == 3 ? 127 : 0;
		CHECK(judge(&r, "[gate \"contamination\"]\nenabled = true\n[gate \"exec\"]\nenabled = true\n") ==
		      (k == 1 ? SG_ACCEPT : k == 3 ? SG_DEFER : SG_REJECT));
		sg_receipt_release(&r);
	}
	/* asked for and not there */
	PASS(make(&r));
	CHECK(judge(&r, "[gate \"drift\"]\nenabled = true\n") == SG_DEFER && result(&r, "drift", "")->verdict == SG_DEFER);
	/* a safety set: here the loss must not fall */
	PASS(add_set(&r, "never", "safety", 40, -0.5));
	CHECK(judge(&r, "") == SG_REJECT && result(&r, "safety", "never")->mean > 0.45);
	CHECK(judge(&r, "[gate \"safety\"]\nmax-drop = 0.6\n") == SG_ACCEPT);
	CHECK(judge(&r, "[gate \"safety\"]\nenabled = false\n") == SG_ACCEPT);
	sg_receipt_release(&r);
}

TEST(receipt_with_probes)
{
	struct sg_receipt r, back;
	struct sg_buf b = { 0 };

	PASS(make(&r));
	PASS(add_probe(&r, "new/drift", "drift", 120, 2, 2.01));
	PASS(add_probe(&r, "new/0123456789abcdef", "conflict", 0, 0, 0));
	CHECK(judge(&r, "[gate \"drift\"]\nenabled = true\n") == SG_ACCEPT);
	PASS(sg_receipt_emit(&b, &r));
	PASS(sg_receipt_parse(&back, b.data, b.len, "receipt"));
	CHECK(back.n_probes == 2 && back.probe[0].docs == 120 && !memcmp(back.probe[0].cand, r.probe[0].cand, 120 * sizeof(double)));
	CHECK(same_bytes(&back, &b));
	sg_receipt_release(&back);
	/* names are "<set>/<what>", and different */
	strcpy(r.probe[1].name, "new/drift");
	CHECK(sg_receipt_emit(&b, &r) == -SG_E_CORRUPT);
	strcpy(r.probe[1].name, "new");
	CHECK(sg_receipt_emit(&b, &r) == -SG_E_CORRUPT);
	sg_receipt_release(&r);
	sg_buf_release(&b);
}
