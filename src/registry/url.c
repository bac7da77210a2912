#include "registry/wire.h"
#include "base/hash.h"
#include "registry/remote.h"

/*
 * What a URL says, and what of it may be shown. A URL is typed by people, read from
 * configurations and copied from pages: a part of it that a program could take for
 * an option or a shell for a command is refused here.
 */

/* ---- where ---- */

/* A project folder, its .sg, or anything that git itself understands. */
static int find_repo(char **out, const char *path)
{
	static const char *const inside[] = { ".sg/registry.git", "registry.git" };
	char *p;

	for (size_t i = 0; i < SG_LEN(inside); i++) {
		p = sg_path_join(path, inside[i]);
		if (!p)
			return -SG_E_NOMEM;
		if (sg_dir_exists(p)) {
			*out = p;
			return 0;
		}
		free(p);
	}
	if (!sg_dir_exists(path))
		return sg_fail(SG_E_NOTFOUND, "there is no repository at '%s'", path);
	p = realpath(path, NULL);
	if (!p)
		return sg_fail_errno(SG_E_IO, "cannot find '%s'", path);
	*out = p;
	return 0;
}

/* As strict as ssh itself: a user or host ends up in the command lines that people
 * configure (ProxyCommand has %h and %r). */
static bool host_ok(const char *s)
{
	if (!*s || *s == '-')
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("'`\"$\\;&<>|(){},*?", *s))
			return false;
	return true;
}

/* [user@]host[:port]; a host that looks like an option would be one to ssh. */
static int take_host(struct sg_url *u, const char *s, size_t n, bool port)
{
	const char *end = s + n, *at = NULL, *host, *colon = NULL, *close;

	for (const char *p = s; p < end; p++)
		if (*p == '@')
			at = p;
	host = at ? at + 1 : s;
	if (at && memchr(s, ':', (size_t)(at - s)))
		return sg_fail(SG_E_ERROR, "a password in a URL is of no use to ssh; use a key");
	close = host < end && *host == '[' ? memchr(host, ']', (size_t)(end - host)) : NULL;
	if (port)
		colon = memchr(close ? close : host, ':', (size_t)(end - (close ? close : host)));
	if (close && close + 1 != (colon ? colon : end))
		return sg_fail(SG_E_ERROR, "bad host in a URL: '%.*s'", (int)SG_MIN(n, (size_t)200), s);
	u->host = sg_asprintf("%.*s%.*s", (int)(host - s), s,
			      (int)(close ? close - host - 1 : (colon ? colon : end) - host), close ? host + 1 : host);
	if (!u->host)
		return -SG_E_NOMEM;
	if (colon) {
		u->port = sg_strndup(colon + 1, (size_t)(end - colon) - 1);
		if (!u->port)
			return -SG_E_NOMEM;
		if (!*u->port || u->port[strspn(u->port, "0123456789")])
			return sg_fail(SG_E_ERROR, "bad port in a URL: '%s'", u->port);
	}
	host = strrchr(u->host, '@');
	if (!host_ok(u->host) || (host && !host_ok(host + 1)))
		return sg_fail(SG_E_ERROR, "bad host in a URL: '%s'", u->host);
	return 0;
}

static int take_ssh(struct sg_url *u, const char *rest, const char *slash, bool port)
{
	u->kind = SG_URL_SSH;
	SG_TRY(take_host(u, rest, (size_t)(slash - rest) - !port, port));
	/* ssh://host/~user/x is ~user/x over there */
	u->path = sg_strdup(port && slash[0] == '/' && slash[1] == '~' ? slash + 1 : slash);
	if (!u->path)
		return -SG_E_NOMEM;
	return *u->path && *u->path != '-' ? 0 : sg_fail(SG_E_ERROR, "bad path in a URL: '%s'", u->path);
}

static int parse_url(struct sg_url *u, const char *url)
{
	const char *scheme = strstr(url, "://"), *rest = scheme ? scheme + 3 : url;
	const char *colon = strchr(url, ':'), *slash;

	if (!strncmp(url, "file://", 7))
		return find_repo(&u->path, rest);
	if (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8)) {
		u->kind = SG_URL_HTTP;
		u->path = sg_strdup(url);
		return u->path ? 0 : -SG_E_NOMEM;
	}
	if (!strncmp(url, "ssh://", 6) || !strncmp(url, "git+ssh://", 10)) {
		slash = strchr(rest, '/');
		return slash ? take_ssh(u, rest, slash, true) : sg_fail(SG_E_ERROR, "no path in the URL");
	}
	if (scheme || strstr(url, "::"))
		return sg_fail(SG_E_UNSUPPORTED, "unknown kind of URL");
	slash = strchr(url, '/');
	if (colon && (!slash || colon < slash) && !sg_file_exists(url))
		return take_ssh(u, url, colon + 1, false);
	return find_repo(&u->path, url);
}

int sg_url_parse(struct sg_url *out, const char *url)
{
	struct sg_url u = { 0 };
	char *shown;
	int rc = parse_url(&u, url);

	if (rc >= 0) {
		*out = u;
		return rc;
	}
	sg_url_release(&u);
	if (rc == -SG_E_NOTFOUND || sg_url_mask(&shown, url) < 0)
		return rc;
	rc = sg_fail_in(rc, "cannot talk to '%s'", shown);
	free(shown);
	return rc;
}

void sg_url_release(struct sg_url *u)
{
	free(u->host);
	free(u->port);
	free(u->path);
	*u = (struct sg_url){ 0 };
}

/* ---- what may be shown ---- */

static bool is_http(const char *scheme, size_t n)
{
	return (n == 4 && !strncmp(scheme, "http", 4)) || (n == 5 && !strncmp(scheme, "https", 5));
}

/* What stands before the host, its @ included: 0 when nothing. A password with a
 * slash in it is no valid URL, but is a password all the same. */
static size_t user_info(const char *s, size_t n)
{
	size_t host = 0, at = 0;

	while (host < n && !strchr("/?#", s[host]))
		host++;
	for (size_t i = 0; i < host; i++)
		if (s[i] == '@')
			at = i + 1;
	if (!at) {
		const char *colon = memchr(s, ':', host);
		size_t k = colon ? (size_t)(colon - s) + 1 : n, digits = k;

		while (digits < host && s[digits] >= '0' && s[digits] <= '9')
			digits++;
		for (size_t i = digits < host ? digits : n; i < n; i++)
			if (s[i] == '@')
				at = i + 1;
	}
	return at;
}

/* The n bytes behind "scheme://". A name alone is shown where it is no secret. */
static int mask_rest(struct sg_buf *b, const char *s, size_t n, bool http)
{
	size_t info = user_info(s, n);
	const char *colon = info ? memchr(s, ':', info) : NULL, *query;

	if (info && (http || colon)) {
		SG_TRY(sg_buf_fmt(b, "%.*s***@", http ? 0 : (int)(colon - s) + 1, s));
		s += info;
		n -= info;
	}
	query = http && n ? memchr(s, '?', n) : NULL;
	if (!query)
		return sg_buf_add(b, s, n);
	SG_TRY(sg_buf_add(b, s, (size_t)(query - s)));
	return sg_buf_str(b, "?***");
}

/* Every URL in a text, each up to what cannot be in one. */
static int mask_all(struct sg_buf *b, const char *text, const char *stop)
{
	const char *sep;

	while ((sep = strstr(text, "://"))) {
		const char *scheme = sep, *rest = sep + 3;
		size_t n = strcspn(rest, stop);

		while (scheme > text && ((scheme[-1] | 32) >= 'a') && ((scheme[-1] | 32) <= 'z'))
			scheme--;
		SG_TRY(sg_buf_add(b, text, (size_t)(rest - text)));
		SG_TRY(mask_rest(b, rest, n, is_http(scheme, (size_t)(sep - scheme))));
		text = rest + n;
	}
	return sg_buf_str(b, text);
}

static int mask(char **out, const char *text, const char *stop)
{
	struct sg_buf b = { 0 };
	int rc = mask_all(&b, text, stop);

	if (rc >= 0)
		rc = (*out = sg_buf_detach(&b)) ? 0 : -SG_E_NOMEM;
	sg_buf_release(&b);
	return rc;
}

int sg_url_mask(char **out, const char *url)
{
	return mask(out, url, "");
}

int sg_url_mask_text(char **out, const char *text)
{
	return mask(out, text, " \t\r\n'\"<>");
}

/* ---- what it takes to get in ---- */

/* %41 as A; a character that would end a line is refused. */
static int percent(char **out, const char *s, size_t n)
{
	char *to = sg_strndup(s, n), *p = to;
	unsigned char c;

	if (!to)
		return -SG_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		if (c == '%' && i + 2 < n && sg_unhex(&c, s + i + 1, 1))
			i += 2;
		if (c < ' ' || c == 0x7f) {
			free(to);
			return sg_fail(SG_E_ERROR, "a control character before the host of a URL");
		}
		*p++ = (char)c;
	}
	*p = '\0';
	*out = to;
	return 0;
}

int sg_url_login(struct sg_login *out, const char *url)
{
	const char *sep = strstr(url, "://"), *rest, *colon, *slash;
	struct sg_login l = { 0 };
	size_t info;
	int rc = 0;

	if (!sep || !is_http(url, (size_t)(sep - url)))
		return sg_fail(SG_E_ERROR, "no http(s) URL");
	rest = sep + 3;
	info = user_info(rest, strlen(rest));
	colon = info ? memchr(rest, ':', info) : NULL;
	slash = rest + info + strcspn(rest + info, "/?#");
	if (slash == rest + info)
		rc = sg_fail(SG_E_ERROR, "no host in a URL");
	for (const char *p = rest + info; rc >= 0 && p < slash; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("'`\"$\\;&<>|(){},*@%", *p))
			rc = sg_fail(SG_E_ERROR, "bad host in a URL");
	if (rc >= 0 && info)
		rc = percent(&l.user, rest, (size_t)((colon ? colon : rest + info - 1) - rest));
	if (rc >= 0 && colon)
		rc = percent(&l.password, colon + 1, (size_t)(rest + info - 1 - colon) - 1);
	if (rc >= 0)
		rc = (l.url = sg_asprintf("%.*s%s", (int)(rest - url), url, rest + info)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0)
		rc = (l.host = sg_strndup(l.url, (size_t)(slash - url) - info)) ? 0 : -SG_E_NOMEM;
	if (rc < 0)
		sg_login_release(&l);
	else
		*out = l;
	return rc;
}

void sg_login_release(struct sg_login *l)
{
	free(l->url);
	free(l->host);
	free(l->user);
	free(l->password);
	*l = (struct sg_login){ 0 };
}
