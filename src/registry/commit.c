#include "registry/commit.h"
#include "registry/registry.h"
#include "registry/impl.h"
#include "base/hash.h"
#include <pwd.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- who ---- */

/* Git's own rule: no angle brackets or newlines inside, no punctuation at the ends. */
static char *clean(const char *s)
{
	char *out = sg_strdup(s), *to = out;
	size_t n;

	if (!out)
		return NULL;
	while (*s && (unsigned char)*s <= ' ')
		s++;
	for (; *s; s++)
		if (*s != '<' && *s != '>' && (unsigned char)*s >= ' ' && *s != 0x7f)
			*to++ = *s;
	*to = '\0';
	for (n = (size_t)(to - out); n && strchr(" .,:;\"\\'", out[n - 1]); n--)
		out[n - 1] = '\0';
	return out;
}

/* First of environment, configuration, and what the system says that is not empty. */
static int who(char **out, struct sg_registry *r, const char *env, const char *key, const char *last)
{
	const char *e = getenv(env);
	char *conf = NULL, *s = NULL;

	if (e && *e)
		s = clean(e);
	else if (sg_registry_config_get(&conf, r, key) >= 0 && *conf)
		s = clean(conf);
	else
		s = clean(last);
	free(conf);
	if (s && !*s && strcmp(key, "user.email")) {
		free(s);
		s = sg_strdup("unknown");
	}
	*out = s;
	return s ? 0 : -SG_E_NOMEM;
}

/* "+hhmm" to minutes; false when it is not that. */
static bool parse_zone(int *out, const char *s)
{
	int h, m;

	if ((s[0] != '+' && s[0] != '-') || strspn(s + 1, "0123456789") != 4 || s[5])
		return false;
	h = (s[1] - '0') * 10 + s[2] - '0';
	m = (s[3] - '0') * 10 + s[4] - '0';
	if (m > 59 || h > 14)
		return false;
	*out = (s[0] == '-' ? -1 : 1) * (h * 60 + m);
	return true;
}

/* "[@]seconds +hhmm" or "2026-01-31[T ]12:00:00[ ][+hhmm|Z]". */
static bool parse_date(int64_t *when, int *tz, const char *s)
{
	struct tm tm = { 0 };
	char *end;
	long long secs = strtoll(s + (*s == '@'), &end, 10);
	int zone = 0;

	if (end != s + (*s == '@') && (*end == ' ' || (*end == '\0' && *s == '@')) && secs >= 0) {
		if (*end && !parse_zone(&zone, end + 1))
			return false;
	} else {
		end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
		if (!end)
			end = strptime(s, "%Y-%m-%d %H:%M:%S", &tm);
		if (!end)
			return false;
		while (*end == ' ')
			end++;
		if (*end && strcmp(end, "Z") && !parse_zone(&zone, end))
			return false;
		secs = (long long)timegm(&tm) - zone * 60LL;
	}
	*when = secs;
	*tz = zone;
	return true;
}

static int when(struct sg_person *p, const char *env)
{
	const char *s = getenv(env);
	time_t now = time(NULL);
	struct tm tm;

	if (s && *s)
		return parse_date(&p->time, &p->tz, s) ? 0 :
		       sg_fail(SG_E_USAGE, "cannot read the date in %s: '%s'", env, s);
	p->time = now;
	p->tz = localtime_r(&now, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
	return 0;
}

int sg_person_now(struct sg_person *out, struct sg_registry *r, bool committer)
{
	struct sg_person p = { 0 };
	struct passwd *pw = getpwuid(geteuid());
	char host[256] = "localhost", name[256], mail[600];
	int rc;

	snprintf(name, sizeof(name), "%s", pw && pw->pw_gecos && *pw->pw_gecos ? pw->pw_gecos :
		 pw ? pw->pw_name : "unknown");
	name[strcspn(name, ",")] = '\0';
	gethostname(host, sizeof(host) - 1);
	snprintf(mail, sizeof(mail), "%s@%s", pw ? pw->pw_name : "unknown", host);
	rc = who(&p.name, r, committer ? "GIT_COMMITTER_NAME" : "GIT_AUTHOR_NAME", "user.name", name);
	if (rc >= 0)
		rc = who(&p.email, r, committer ? "GIT_COMMITTER_EMAIL" : "GIT_AUTHOR_EMAIL", "user.email", mail);
	if (rc >= 0)
		rc = when(&p, committer ? "GIT_COMMITTER_DATE" : "GIT_AUTHOR_DATE");
	if (rc < 0)
		sg_person_release(&p);
	else
		*out = p;
	return rc;
}

void sg_person_release(struct sg_person *p)
{
	free(p->name);
	free(p->email);
	*p = (struct sg_person){ 0 };
}

/* ---- writing ---- */

static int add_person(struct sg_buf *b, const char *role, const struct sg_person *p)
{
	int tz = p->tz < 0 ? -p->tz : p->tz;

	return sg_buf_fmt(b, "%s %s <%s> %lld %c%02d%02d\n", role, p->name, p->email, (long long)p->time,
			  p->tz < 0 ? '-' : '+', tz / 60, tz % 60);
}

static int need(struct sg_registry *r, struct sg_packer *p, const struct sg_oid *oid, const char *what)
{
	char hex[SG_OID_HEX];

	if ((p && sg_packer_has(p, oid)) || sg_object_exists(r, oid))
		return 0;
	sg_oid_hex(hex, oid);
	return sg_fail(SG_E_NOTFOUND, "%s %s of the new commit is not in the registry", what, hex);
}

static int add_message(struct sg_buf *b, const char *message)
{
	size_t n = strlen(message);

	SG_TRY(sg_buf_fmt(b, "\n%s", message));
	return n && message[n - 1] == '\n' ? 0 : sg_buf_str(b, "\n");
}

static int commit_bytes(struct sg_buf *b, struct sg_registry *r, const struct sg_oid *tree,
			const struct sg_oid *parents, size_t n_parents, const char *message)
{
	struct sg_person author = { 0 }, committer = { 0 };
	char hex[SG_OID_HEX];
	int rc = sg_person_now(&author, r, false);

	if (rc >= 0)
		rc = sg_person_now(&committer, r, true);
	sg_oid_hex(hex, tree);
	if (rc >= 0)
		rc = sg_buf_fmt(b, "tree %s\n", hex);
	for (size_t i = 0; rc >= 0 && i < n_parents; i++) {
		sg_oid_hex(hex, &parents[i]);
		rc = sg_buf_fmt(b, "parent %s\n", hex);
	}
	if (rc >= 0)
		rc = add_person(b, "author", &author);
	if (rc >= 0)
		rc = add_person(b, "committer", &committer);
	if (rc >= 0)
		rc = add_message(b, message);
	sg_person_release(&author);
	sg_person_release(&committer);
	return rc;
}

/* The signature goes in as a last header, its lines indented by one blank. */
static int put_header(struct sg_buf *out, const struct sg_buf *commit, const char *armour)
{
	const char *end = strstr(commit->data, "\n\n");
	size_t at = (size_t)(end - commit->data) + 1;

	SG_TRY(sg_buf_add(out, commit->data, at));
	SG_TRY(sg_buf_str(out, "gpgsig"));
	while (*armour) {
		size_t n = strcspn(armour, "\n");

		SG_TRY(sg_buf_fmt(out, " %.*s\n", (int)n, armour));
		armour += n + (armour[n] == '\n');
	}
	return sg_buf_add(out, commit->data + at, commit->len - at);
}

/* Signs what is about to be written, if it is to be signed: a commit or a tag. */
static int sign(struct sg_buf *b, struct sg_registry *r, bool tag)
{
	struct sg_buf armour = { 0 }, made = { 0 };
	int rc = sg_signing_wanted(r, tag ? "tag.gpgSign" : "commit.gpgSign");

	if (rc <= 0)
		return rc;
	rc = sg_signing_sign(&armour, r, SG_SIG_GIT, b->data, b->len);
	if (rc >= 0 && tag) {
		rc = sg_buf_add(b, armour.data, armour.len);
	} else if (rc >= 0) {
		rc = put_header(&made, b, armour.data);
		if (rc >= 0) {
			sg_buf_release(b);
			*b = made;
			made = (struct sg_buf){ 0 };
		}
	}
	sg_buf_release(&armour);
	sg_buf_release(&made);
	return rc;
}

int sg_commit_make(struct sg_oid *out, struct sg_registry *r, struct sg_packer *p_or_null,
		   const struct sg_oid *tree, const struct sg_oid *parents, size_t n_parents,
		   const char *message)
{
	struct sg_buf b = { 0 };
	int rc = need(r, p_or_null, tree, "tree");

	for (size_t i = 0; rc >= 0 && i < n_parents; i++)
		rc = need(r, p_or_null, &parents[i], "parent");
	if (rc >= 0)
		rc = commit_bytes(&b, r, tree, parents, n_parents, message);
	if (rc >= 0)
		rc = sign(&b, r, false);
	if (rc >= 0)
		rc = p_or_null ? sg_packer_add(out, p_or_null, SG_OBJ_COMMIT, b.data, b.len) :
				 sg_object_write(out, r, SG_OBJ_COMMIT, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

int sg_tag_make(struct sg_oid *out, struct sg_registry *r, const char *name,
		const struct sg_oid *target, const char *message)
{
	struct sg_person tagger = { 0 };
	struct sg_buf b = { 0 };
	enum sg_object_type type;
	char hex[SG_OID_HEX];
	int rc;

	SG_TRY(sg_object_stat(&type, NULL, r, target));
	SG_TRY(sg_person_now(&tagger, r, true));
	sg_oid_hex(hex, target);
	rc = sg_buf_fmt(&b, "object %s\ntype %s\ntag %s\n", hex, sg_object_type_name(type), name);
	if (rc >= 0)
		rc = add_person(&b, "tagger", &tagger);
	if (rc >= 0)
		rc = add_message(&b, message);
	if (rc >= 0)
		rc = sign(&b, r, true);
	if (rc >= 0)
		rc = sg_object_write(out, r, SG_OBJ_TAG, b.data, b.len);
	sg_person_release(&tagger);
	sg_buf_release(&b);
	return rc;
}

/* ---- reading ---- */

struct lines { const char *p, *end; };

/* The next header line "key value", continuation lines included in n. */
static bool next_header(struct lines *l, const char **line, size_t *n)
{
	const char *s = l->p, *e;

	if (s >= l->end || *s == '\n')
		return false;
	do {
		e = memchr(s, '\n', (size_t)(l->end - s));
		if (!e)
			return false;
		s = e + 1;
	} while (s < l->end && *s == ' ');
	*line = l->p;
	*n = (size_t)(e - l->p);
	l->p = s;
	return true;
}

static bool take_oid(struct lines *l, const char *key, struct sg_oid *out)
{
	size_t k = strlen(key), left = (size_t)(l->end - l->p);

	if (left < k + 41 || memcmp(l->p, key, k) || l->p[k + 40] != '\n' || !sg_unhex(out->id, l->p + k, 20))
		return false;
	l->p += k + 41;
	return true;
}

/* "Name <mail> seconds +hhmm" */
static int parse_person(struct sg_person *out, const char *s, size_t n)
{
	const char *lt = memchr(s, '<', n), *gt = lt ? memchr(lt, '>', n - (size_t)(lt - s)) : NULL;
	char tail[64] = "", *end;
	size_t name = lt ? (size_t)(lt - s) : 0;

	if (!gt || (size_t)(s + n - gt) > sizeof(tail))
		return -SG_E_CORRUPT;
	while (name && s[name - 1] == ' ')
		name--;
	memcpy(tail, gt + 1, (size_t)(s + n - gt) - 1);
	out->time = strtoll(tail, &end, 10);
	if (*end != ' ' || !parse_zone(&out->tz, end + 1))
		out->tz = 0;	/* odd, but git reads on too */
	out->name = sg_strndup(s, name);
	out->email = sg_strndup(lt + 1, (size_t)(gt - lt) - 1);
	return out->name && out->email ? 0 : -SG_E_NOMEM;
}

/* The lines of a header without the blank that marks continuation. */
static int unfold(char **out, const char *s, size_t n)
{
	char *o = sg_strndup(s, n), *to = o;

	if (!o)
		return -SG_E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] == ' ' && i && s[i - 1] == '\n'))
			*to++ = s[i];
	*to = '\0';
	*out = o;
	return 0;
}

static int parse_headers(struct sg_commit *c, struct lines *l)
{
	const char *line;
	size_t n, cap = 0;
	struct sg_oid oid;

	if (!take_oid(l, "tree ", &c->tree))
		return -SG_E_CORRUPT;
	while (take_oid(l, "parent ", &oid)) {
		SG_TRY(SG_GROW(c->parent, c->n_parents, cap));
		c->parent[c->n_parents++] = oid;
	}
	if (!next_header(l, &line, &n) || n < 7 || memcmp(line, "author ", 7))
		return -SG_E_CORRUPT;
	SG_TRY(parse_person(&c->author, line + 7, n - 7));
	if (!next_header(l, &line, &n) || n < 10 || memcmp(line, "committer ", 10))
		return -SG_E_CORRUPT;
	SG_TRY(parse_person(&c->committer, line + 10, n - 10));
	while (next_header(l, &line, &n))
		if (n > 7 && !memcmp(line, "gpgsig ", 7) && !c->signature)
			SG_TRY(unfold(&c->signature, line + 7, n - 7));
	return 0;
}

int sg_commit_parse(struct sg_commit *out, const struct sg_oid *id, const char *data, size_t n)
{
	struct sg_commit c = { .id = *id };
	struct lines l = { data, data + n };
	char hex[SG_OID_HEX];
	int rc = parse_headers(&c, &l);

	if (rc >= 0 && l.p < l.end && *l.p != '\n')
		rc = -SG_E_CORRUPT;
	if (rc >= 0) {
		l.p += l.p < l.end;
		c.message = sg_strndup(l.p, (size_t)(l.end - l.p));
		rc = c.message ? 0 : -SG_E_NOMEM;
	}
	if (rc < 0) {
		sg_commit_release(&c);
		sg_oid_hex(hex, id);
		return rc == -SG_E_CORRUPT ? sg_fail(SG_E_CORRUPT, "commit %s is malformed", hex) : rc;
	}
	*out = c;
	return 0;
}

int sg_commit_read(struct sg_commit *out, struct sg_registry *r, const struct sg_oid *oid)
{
	struct sg_buf b = { 0 };
	enum sg_object_type type;
	char hex[SG_OID_HEX];
	int rc = sg_object_read(&b, &type, r, oid, SG_META_MAX);

	sg_oid_hex(hex, oid);
	if (rc >= 0 && type != SG_OBJ_COMMIT)
		rc = sg_fail(SG_E_CORRUPT, "object %s is a %s where a commit was expected", hex,
			     sg_object_type_name(type));
	if (rc >= 0)
		rc = sg_commit_parse(out, oid, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

void sg_commit_release(struct sg_commit *c)
{
	free(c->parent);
	sg_person_release(&c->author);
	sg_person_release(&c->committer);
	free(c->message);
	free(c->signature);
	*c = (struct sg_commit){ 0 };
}

int sg_tag_target(struct sg_oid *out, const struct sg_oid *id, const char *data, size_t n)
{
	struct lines l = { data, data + n };
	char hex[SG_OID_HEX];

	sg_oid_hex(hex, id);
	if (!take_oid(&l, "object ", out))
		return sg_fail(SG_E_CORRUPT, "tag %s is malformed", hex);
	return 0;
}

/* ---- signatures ---- */

int sg_signed_commit(struct sg_buf *payload, struct sg_buf *armour, const char *data, size_t n)
{
	struct lines l = { data, data + n };
	const char *line, *from = data;
	size_t len, found = 0;
	char *text = NULL;
	int rc;

	sg_buf_clear(payload);
	sg_buf_clear(armour);
	while (next_header(&l, &line, &len)) {
		if (len < 7 || memcmp(line, "gpgsig", 6) || (line[6] != ' ' && strncmp(line, "gpgsig-", 7)))
			continue;
		SG_TRY(sg_buf_add(payload, from, (size_t)(line - from)));
		from = l.p;
		if (line[6] != ' ')
			continue;	/* of the same commit with other hashes */
		if (found++)
			return sg_fail(SG_E_CORRUPT, "the commit has two signatures");
		SG_TRY(unfold(&text, line + 7, len - 7));
		rc = sg_buf_str(armour, text);
		free(text);
		SG_TRY(rc);
	}
	return sg_buf_add(payload, from, (size_t)(data + n - from));
}

/* As git does: the signature is what follows the last line that begins one. */
int sg_signed_tag(struct sg_buf *payload, struct sg_buf *armour, const char *data, size_t n)
{
	static const char begin[] = "-----BEGIN ";
	const char *end = data + n, *at = NULL;

	for (const char *p = data, *e; p < end; p = e + 1) {
		e = memchr(p, '\n', (size_t)(end - p));
		if (!e)
			e = end;
		if ((size_t)(e - p) > sizeof(begin) && !memcmp(p, begin, sizeof(begin) - 1))
			at = p;
	}
	sg_buf_clear(payload);
	sg_buf_clear(armour);
	SG_TRY(sg_buf_add(payload, data, (size_t)((at ? at : end) - data)));
	return at ? sg_buf_add(armour, at, (size_t)(end - at)) : 0;
}

int sg_signed_object(struct sg_buf *payload, struct sg_buf *armour, enum sg_object_type *type, struct sg_registry *r,
		     const struct sg_oid *oid)
{
	enum sg_object_type is;
	struct sg_buf b = { 0 };
	char hex[SG_OID_HEX];
	int rc = sg_object_read(&b, &is, r, oid, SG_META_MAX);

	sg_oid_hex(hex, oid);
	if (rc >= 0 && is != SG_OBJ_COMMIT && is != SG_OBJ_TAG)
		rc = sg_fail(SG_E_CORRUPT, "object %s is a %s, which has no signature", hex, sg_object_type_name(is));
	if (rc >= 0)
		rc = is == SG_OBJ_TAG ? sg_signed_tag(payload, armour, b.data, b.len) :
		     sg_signed_commit(payload, armour, b.data, b.len);
	if (rc >= 0 && type)
		*type = is;
	sg_buf_release(&b);
	return rc;
}

/* ---- messages ---- */

/* Where the last paragraph begins. */
static const char *last_paragraph(const char *s, const char *end)
{
	const char *at = s;

	for (const char *p = s; p + 1 < end; p++)
		if (p[0] == '\n' && p[1] == '\n' && p + 2 < end && p[2] != '\n')
			at = p + 2;
	return at;
}

int sg_trailer(char **out, const char *message, const char *key, size_t nth)
{
	const char *end = message + strlen(message), *p, *e;
	size_t k = strlen(key);
	char *s;

	while (end > message && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	for (p = last_paragraph(message, end); p < end; p = e + 1) {
		e = memchr(p, '\n', (size_t)(end - p));
		if (!e)
			e = end;
		if ((size_t)(e - p) <= k || strncasecmp(p, key, k) || p[k] != ':' || nth--)
			continue;
		p += k + 1;
		while (p < e && *p == ' ')
			p++;
		s = sg_strndup(p, (size_t)(e - p));
		if (!s)
			return -SG_E_NOMEM;
		*out = s;
		return 0;
	}
	return sg_fail(SG_E_NOTFOUND, "no '%s' in the commit message", key);
}

char *sg_commit_subject(const char *message)
{
	while (*message == '\n')
		message++;
	return sg_strndup(message, strcspn(message, "\n"));
}
