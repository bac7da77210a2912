#include "registry/wire.h"
#include "base/hash.h"
#include "registry/registry.h"
#include "registry/remote.h"
#include <ctype.h>
#include <stdarg.h>

#define LINE_MAX_ 65520
#define REFS_MAX 2000000		/* what another side may advertise */
#define NAME_MAX_ 1000
#define UNREAD_MAX ((size_t)16 << 20)	/* said while we write */

/* ---- start ---- */

/* service 'path', quoted for the shell over there */
static int remote_command(struct sg_buf *b, const char *service, const char *path)
{
	SG_TRY(sg_buf_fmt(b, "%s '", service));
	for (; *path; path++)
		SG_TRY(*path == '\'' || *path == '!' ? sg_buf_fmt(b, "'\\%c'", *path) : sg_buf_add(b, path, 1));
	return sg_buf_str(b, "'");
}

/* As git chooses: a command line from the environment or the configuration, a
 * program, or ssh. */
static int start_ssh(struct sg_child *c, struct sg_registry *r, const char *service, const struct sg_url *u)
{
	const char *argv[12], *cmd = getenv("GIT_SSH_COMMAND"), *prog = getenv("GIT_SSH");
	struct sg_buf line = { 0 };
	char *conf = NULL, *sh = NULL;
	size_t n = 0;
	int rc = remote_command(&line, service, u->path);

	if (!cmd && sg_registry_config_get(&conf, r, "core.sshcommand") >= 0)
		cmd = conf;
	if (rc >= 0 && cmd && *cmd) {
		sh = sg_asprintf("%s \"$@\"", cmd);
		rc = sh ? 0 : -SG_E_NOMEM;
		argv[n++] = "sh";
		argv[n++] = "-c";
		argv[n++] = sh;
		argv[n++] = cmd;
	} else {
		argv[n++] = prog && *prog ? prog : "ssh";
	}
	if (u->port) {
		argv[n++] = "-p";
		argv[n++] = u->port;
	}
	argv[n++] = u->host;
	argv[n++] = line.data;
	argv[n] = NULL;
	if (rc >= 0)
		rc = sg_child_start(c, argv);
	sg_buf_release(&line);
	free(conf);
	free(sh);
	return rc;
}

static int start(struct sg_child *c, struct sg_registry *r, const char *service, const struct sg_url *u)
{
	const char *argv[] = { service, u->path, NULL };

	if (u->kind == SG_URL_SSH)
		return start_ssh(c, r, service, u);
	return sg_child_start(c, argv);
}

/* ---- lines ---- */

int sg_wire_write(struct sg_wire *w, const void *data, size_t n)
{
	return sg_child_write(&w->child, &w->in, UNREAD_MAX, data, n);
}

int sg_wire_line(struct sg_wire *w, const char *fmt, ...)
{
	char line[1500], head[5];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return sg_fail(SG_E_ERROR, "a line to '%s' is too long", w->url);
	snprintf(head, sizeof(head), "%04x", (unsigned)n + 4);
	SG_TRY(sg_wire_write(w, head, 4));
	return sg_wire_write(w, line, (size_t)n);
}

int sg_wire_flush(struct sg_wire *w)
{
	return sg_wire_write(w, "0000", 4);
}

/* At least n unread bytes. */
static int need(struct sg_wire *w, size_t n)
{
	while (w->in.len - w->at < n) {
		int got;

		if (w->at) {
			memmove(w->in.data, w->in.data + w->at, w->in.len - w->at);
			w->in.len -= w->at;
			w->at = 0;
		}
		SG_TRY(got = sg_child_read(&w->child, &w->in));
		if (!got)
			return sg_fail(SG_E_IO, "'%s' hung up early", w->url);
	}
	return 0;
}

bool sg_wire_length(size_t *out, const char *digits)
{
	unsigned char raw[2];
	char low[5] = { 0 };

	for (int i = 0; i < 4; i++)
		low[i] = (char)tolower((unsigned char)digits[i]);
	if (!sg_unhex(raw, low, 2))
		return false;
	*out = (size_t)raw[0] << 8 | raw[1];
	return true;
}

static int line_length(size_t *out, struct sg_wire *w)
{
	SG_TRY(need(w, 4));
	if (!sg_wire_length(out, w->in.data + w->at))
		return sg_fail(SG_E_CORRUPT, "'%s' does not speak git's protocol", w->url);
	if (*out > LINE_MAX_ || (*out && *out < 4))
		return sg_fail(SG_E_CORRUPT, "'%s' sent a line of bad length", w->url);
	w->at += 4;
	return 0;
}

int sg_wire_read(struct sg_wire *w, struct sg_buf *line)
{
	size_t n = 0;

	sg_buf_clear(line);
	SG_TRY(line_length(&n, w));
	if (!n)
		return 0;
	SG_TRY(need(w, n - 4));
	SG_TRY(sg_buf_add(line, w->in.data + w->at, n - 4));
	w->at += n - 4;
	if (line->len > 4 && !memcmp(line->data, "ERR ", 4))
		return sg_fail(SG_E_ERROR, "'%s' says: %.*s", w->url, (int)strcspn(line->data + 4, "\n"),
			       line->data + 4);
	return 1;
}

int sg_wire_band(struct sg_wire *w, struct sg_buf *data)
{
	int rc, band;

	/* git says ACK once more for each thing we have that it knows from another one, such
	 * as the parent of the first */
	do {
		SG_TRY(rc = sg_wire_read(w, data));
		if (!rc)
			return 0;
	} while (data->len > 4 && !memcmp(data->data, "ACK ", 4));
	band = data->len ? data->data[0] : 0;
	if (band < 1 || band > 3)
		return sg_fail(SG_E_CORRUPT, "'%s' sent an unknown packet", w->url);
	memmove(data->data, data->data + 1, data->len);	/* with the NUL behind */
	data->len--;
	if (band == 3)
		return sg_fail(SG_E_ERROR, "'%s' says: %.*s", w->url, (int)strcspn(data->data, "\n"), data->data);
	return band;
}

/* ---- the first words ---- */

bool sg_advert_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n <= NAME_MAX_ && !strstr(name, "/-") && strcmp(name, "refs/heads/HEAD") && sg_ref_name_ok(name);
}

static int add_ref(struct sg_advert *ad, const char *name, const struct sg_oid *oid)
{
	struct sg_refs *l = &ad->refs;
	size_t n = strlen(name);

	if (!strcmp(name, ".have"))
		return sg_oids_add(&ad->have, oid);
	if ((n > 3 && !strcmp(name + n - 3, "^{}")) || !strcmp(name, "capabilities") || !sg_advert_name_ok(name))
		return 0;
	SG_TRY(SG_GROW(l->ref, l->n, l->cap));
	l->ref[l->n].name = sg_strdup(name);
	if (!l->ref[l->n].name)
		return -SG_E_NOMEM;
	l->ref[l->n++].oid = *oid;
	return 0;
}

static int find_head(struct sg_advert *ad)
{
	const char *s = ad->caps ? strstr(ad->caps, "symref=HEAD:") : NULL;
	const struct sg_ref *head = sg_advert_ref(ad, "HEAD"), *to = NULL;
	size_t n;

	if (s) {
		s += 12;
		n = strcspn(s, " ");
		ad->head = sg_strndup(s, n);
		if (!ad->head)
			return -SG_E_NOMEM;
		if (sg_advert_name_ok(ad->head) && !strncmp(ad->head, "refs/heads/", 11))
			return 0;
		free(ad->head);
		ad->head = NULL;
	}
	if (!head)
		return 0;
	for (size_t i = 0; i < ad->refs.n; i++) {	/* a very old server: guess as git does */
		const struct sg_ref *e = &ad->refs.ref[i];

		if (!strncmp(e->name, "refs/heads/", 11) && sg_oid_eq(&e->oid, &head->oid) &&
		    (!to || !strcmp(e->name, "refs/heads/main")))
			to = e;
	}
	if (to && !(ad->head = sg_strdup(to->name)))
		return -SG_E_NOMEM;
	return 0;
}

int sg_advert_read(struct sg_advert *ad, struct sg_wire *w)
{
	struct sg_buf line = { 0 };
	struct sg_oid oid;
	size_t count = 0;
	int rc;

	while ((rc = sg_wire_read(w, &line)) > 0) {
		if (!strncmp(line.data, "shallow ", 8)) {
			rc = sg_fail(SG_E_UNSUPPORTED, "'%s' is a shallow repository", w->url);
			break;
		}
		if (line.len < 42 || line.data[40] != ' ' || !sg_unhex(oid.id, line.data, 20) || count++ > REFS_MAX) {
			rc = sg_fail(SG_E_CORRUPT, "'%s' sent a bad list of refs", w->url);
			break;
		}
		if (line.data[line.len - 1] == '\n')
			line.data[--line.len] = '\0';
		if (!ad->caps) {
			size_t n = strlen(line.data);

			ad->caps = sg_strdup(n < line.len ? line.data + n + 1 : "");
			if (!ad->caps) {
				rc = -SG_E_NOMEM;
				break;
			}
		}
		if (!sg_oid_is_zero(&oid) && (rc = add_ref(ad, line.data + 41, &oid)) < 0)
			break;
	}
	sg_buf_release(&line);
	if (rc >= 0 && ad->caps && strstr(ad->caps, "object-format=") && !sg_advert_can(ad, "object-format=sha1"))
		rc = sg_fail(SG_E_UNSUPPORTED, "'%s' does not use SHA-1 object names", w->url);
	return rc < 0 ? rc : find_head(ad);
}

int sg_wire_open(struct sg_wire *w, struct sg_advert *ad, struct sg_registry *r, const char *service,
		 const struct sg_url *u, const char *url)
{
	int rc;

	*w = (struct sg_wire){ .child = { 0, -1, -1, -1, false } };
	*ad = (struct sg_advert){ 0 };
	SG_TRY(sg_url_mask(&w->url, url));
	rc = start(&w->child, r, service, u);
	if (rc >= 0)
		rc = sg_advert_read(ad, w);
	if (rc < 0) {
		rc = sg_wire_fail(w, rc);
		sg_advert_release(ad);
		sg_wire_release(w);
	}
	return rc;
}

bool sg_advert_can(const struct sg_advert *ad, const char *cap)
{
	size_t n = strlen(cap);

	for (const char *s = ad->caps; s && (s = strstr(s, cap)); s += n)
		if ((s == ad->caps || s[-1] == ' ') && (!s[n] || s[n] == ' '))
			return true;
	return false;
}

const struct sg_ref *sg_advert_ref(const struct sg_advert *ad, const char *name)
{
	for (size_t i = 0; i < ad->refs.n; i++)
		if (!strcmp(ad->refs.ref[i].name, name))
			return &ad->refs.ref[i];
	return NULL;
}

void sg_advert_release(struct sg_advert *ad)
{
	sg_refs_release(&ad->refs);
	free(ad->have.oid);
	free(ad->caps);
	free(ad->head);
	*ad = (struct sg_advert){ 0 };
}

/* ---- the end ---- */

int sg_wire_fail(struct sg_wire *w, int rc)
{
	char err[1024] = "", *end;
	int status;

	if (rc >= 0 || w->child.pid <= 0 || rc == -SG_E_INTERRUPTED)
		return rc;
	if (rc != -SG_E_IO)
		return rc;
	/* It hung up, so it is ending or has ended: hear its last words. */
	if (sg_child_wait(&w->child, &status, err, sizeof(err)) < 0)
		return rc;
	for (end = err + strlen(err); end > err && isspace((unsigned char)end[-1]); )
		*--end = '\0';
	for (char *p = err; *p; p++)
		if (*p == '\n')
			*p = ';';
	return *err ? sg_fail(SG_E_IO, "'%s' hung up: %s", w->url, err) : rc;
}

int sg_wire_finish(struct sg_wire *w)
{
	int status;
	char err[256];

	return w->child.pid > 0 ? sg_child_wait(&w->child, &status, err, sizeof(err)) : 0;
}

void sg_wire_release(struct sg_wire *w)
{
	sg_child_release(&w->child);
	sg_buf_release(&w->in);
	free(w->url);
	w->url = NULL;
}
