#include "model/tok_split.h"
#include "model/tok_uni.h"
#include "model/tok_utf8.h"

enum { NONE = 4 };	/* class of what lies behind the end */

/* Class and size of the character at s + i. */
static inline unsigned look(const char *s, size_t n, size_t i, size_t *size)
{
	if (i >= n) {
		*size = 0;
		return NONE;
	}
	*size = sg_utf8_size((unsigned char)s[i]);
	return (*size == 1 ? sg_uni_ascii[(unsigned char)s[i]] : sg_uni(sg_utf8_char(s + i, *size))) & SG_UNI_CLASS;
}

/* Where a run of one class that goes through s + i ends. */
static inline size_t run(const char *s, size_t n, size_t i, unsigned class_)
{
	size_t size;

	while (look(s, n, i, &size) == class_)
		i += size;
	return i;
}

/* '(s|t|re|ve|m|ll|d) at an apostrophe: its bytes, 0 for none. With `fold` in
 * either case, which makes U+017F an s. */
static size_t contraction(const char *s, size_t n, bool fold)
{
	static const char two[][2] = { { 'r', 'e' }, { 'v', 'e' }, { 'l', 'l' } };
	char a, b;

	if (n < 2)
		return 0;
	a = (char)(s[1] | (fold && s[1] >= 'A' && s[1] <= 'Z' ? 32 : 0));
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return 2;
	if (n < 3)
		return 0;
	if (fold && s[1] == '\xc5' && s[2] == '\xbf')
		return 3;
	b = (char)(s[2] | (fold && s[2] >= 'A' && s[2] <= 'Z' ? 32 : 0));
	for (size_t i = 0; i < SG_LEN(two); i++)
		if (a == two[i][0] && b == two[i][1])
			return 3;
	return 0;
}

/* \s+(?!\S)|\s+ over a run that ends at `end`: before a word, the last space is
 * left to it. */
static size_t spaces(const char *s, size_t n, size_t end)
{
	size_t last = end;

	if (end == n)
		return end;
	while (((unsigned char)s[--last] & 0xc0) == 0x80)
		;
	return last ? last : end;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t sg_split_gpt2(const char *s, size_t n)
{
	size_t i = *s == ' ', size;
	unsigned class_;

	if (*s == '\'' && (size = contraction(s, n, false)))
		return size;
	class_ = look(s, n, i, &size);
	if (class_ < SG_UNI_SPACE)
		return run(s, n, i + size, class_);
	return spaces(s, n, run(s, n, i + size, SG_UNI_SPACE));
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ at a space: up to the last line end of the run. */
static size_t spaces_lines(const char *s, size_t n)
{
	size_t end = run(s, n, 0, SG_UNI_SPACE);

	for (size_t i = end; i; i--)
		if (s[i - 1] == '\n' || s[i - 1] == '\r')
			return i;
	return spaces(s, n, end);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static inline size_t llama3(const char *s, size_t n, int digits)
{
	size_t size, next, i;
	unsigned class_ = look(s, n, 0, &size), after;

	if (*s == '\'' && (i = contraction(s, n, true)))
		return i;
	if (class_ == SG_UNI_LETTER)
		return run(s, n, size, SG_UNI_LETTER);
	if (class_ == SG_UNI_NUMBER) {
		for (i = size; --digits && look(s, n, i, &next) == SG_UNI_NUMBER; )
			i += next;
		return i;
	}
	after = look(s, n, size, &next);
	if (after == SG_UNI_LETTER && *s != '\n' && *s != '\r')
		return run(s, n, size + next, SG_UNI_LETTER);
	if (class_ == SG_UNI_SPACE && !(*s == ' ' && after == SG_UNI_OTHER))
		return spaces_lines(s, n);
	i = run(s, n, size, SG_UNI_OTHER);
	while (i < n && (s[i] == '\r' || s[i] == '\n'))
		i++;
	return i;
}

size_t sg_split_llama3(const char *s, size_t n)
{
	return llama3(s, n, 3);
}

size_t sg_split_qwen2(const char *s, size_t n)
{
	return llama3(s, n, 1);
}

/* The digits of the original are those of its compiler's library. */
static bool is_digit(const char *s, size_t size)
{
	uint32_t c = sg_utf8_char(s, size);

	if (size == 1 ? c - '0' < 10u : (sg_uni(c) & SG_UNI_CLASS) == SG_UNI_NUMBER)
		return true;
	for (size_t i = 0; size > 1 && i < sg_uni_n_numeric; i++)
		if (c >= sg_uni_numeric[2 * i] && c <= sg_uni_numeric[2 * i + 1])
			return true;
	return false;
}

static size_t to_digit(const char *s, size_t n, bool digit)
{
	size_t i = 0, size;

	for (; i < n; i += size) {
		size = sg_utf8_size((unsigned char)s[i]);
		if (is_digit(s + i, size) == digit)
			break;
	}
	return i;
}

size_t sg_split_digit(const char *s, size_t n)
{
	size_t size = sg_utf8_size((unsigned char)*s);

	return is_digit(s, size) ? size : to_digit(s, n, true);
}

size_t sg_split_digits(const char *s, size_t n)
{
	return to_digit(s, n, !is_digit(s, sg_utf8_size((unsigned char)*s)));
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST	     "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

sg_split_fn *sg_split_find(const char *regex, size_t n)
{
	static const struct { const char *regex; sg_split_fn *fn; } known[] = {
		{ "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", sg_split_gpt2 },
		{ CONTRACTIONS "\\p{N}{1,3}" REST, sg_split_llama3 },
		{ CONTRACTIONS "\\p{N}" REST, sg_split_qwen2 },
	};

	for (size_t i = 0; i < SG_LEN(known); i++)
		if (strlen(known[i].regex) == n && !memcmp(known[i].regex, regex, n))
			return known[i].fn;
	return NULL;
}
