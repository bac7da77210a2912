/* Patterns of rank_pattern and alpha_pattern, as Python's re matches them in PEFT. */
#include "tests/test.h"
#include "base/error.h"
#include "sg_peft.h"

/* 1, 0, or an error, of one pattern. */
static int matched(const char *pattern, const char *module, double *v)
{
	struct sg_json_doc doc;
	char text[1024];
	int rc;

	snprintf(text, sizeof(text), "{\"alpha_pattern\":{\"%s\":3}}", pattern);
	rc = sg_json_parse(&doc, text, strlen(text), "text");
	if (rc < 0)
		return rc;
	rc = sg_peft_pattern(v, sg_json_root(&doc), "alpha_pattern", module);
	sg_json_release(&doc);
	return rc;
}

TEST(peft_pattern)
{
	static const struct { const char *pattern; int want; } list[] = {
		{ "q_proj", 1 }, { "self_attn.q_proj", 1 }, { "model.layers.10.self_attn.q_proj", 1 },
		{ "_proj", 0 }, { "proj", 0 }, { "attn.q_proj", 0 }, { "q_pro", 0 }, { "model.layers", 0 }, { "Q_proj", 0 },
		{ "^q_proj", 0 }, { "^model.*q_proj", 1 }, { "q_proj$", 1 }, { ".*", 1 }, { ".*_proj", 1 }, { "..proj", 1 },
		{ "[qk]_proj", 1 }, { "[^q]_proj", 0 }, { "[a-p]_proj", 0 }, { "(q|k)_proj", 1 }, { "k_proj|q_proj", 1 },
		{ "layers.1.*", 1 }, { "layers.1\\\\d.*", 1 }, { "layers.1\\\\d\\\\..*", 1 }, { "layers\\\\.\\\\d\\\\..*", 0 },
		{ "layers.[0-9]+.self_attn.q_proj", 1 }, { "(layers.10.)?self_attn.q_proj", 1 }, { "q_p?proj", 1 },
		{ "q\\\\_proj", 1 }, { "q_proj\\\\*", 0 }, { "q\\\\-proj", 0 }, { "(self_attn.)*q_proj", 1 }, { "((q)_(proj))", 1 },
	};
	static const char *const not[] = {
		"", "*", "?q", "(*q)", "q|*", "q_proj**", "q_proj*?", "q_proj+?", "q_proj++", "q{1}_proj", "(?i)Q_PROJ", "(?:q)_proj",
		"q_proj)", "(q_proj", "q)|(k", "\\\\w+", "\\\\bq_proj", "(q)\\\\1", "[\\\\w]_proj", "[[:alpha:]]_proj", "[]q]_proj", "[q_proj",
		"[]", "q\\u00e9", "q\\u0000k", "^*",
	};
	char big[300];
	double v = 0;

	for (size_t i = 0; i < SG_LEN(list); i++) {
		v = 0;
		CHECK(matched(list[i].pattern, "model.layers.10.self_attn.q_proj", &v) == list[i].want);
		CHECK(v == (list[i].want ? 3 : 0));
	}
	for (size_t i = 0; i < SG_LEN(not); i++)
		CHECK(matched(not[i], "model.layers.10.self_attn.q_proj", &v) == -SG_E_REFUSED);
	memset(big, 'q', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CHECK(matched(big, "q", &v) == -SG_E_REFUSED);
	memset(big, '(', 100);
	memset(big + 100, ')', 100);
	big[200] = '\0';
	CHECK(matched(big, "q", &v) == 0);
}
