#include "registry/signer.h"
#include "registry/agent.h"
#include "registry/impl.h"
#include "registry/registry.h"
#include <fcntl.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 3			/* at a passphrase */
#define PASSPHRASE_MAX 1024

/* A key that can sign: its secret, or that an agent holds it. */
struct sg_signer { struct sg_privkey key; bool agent; };

int sg_signing_set(struct sg_registry *r, enum sg_sign_mode mode, const char *key, const struct sg_ask *ask)
{
	char *copy = key ? sg_strdup(key) : NULL;

	if (key && !copy)
		return -SG_E_NOMEM;
	sg_signing_release(r);
	r->sign_mode = (int)mode;
	r->sign_key = copy;
	r->ask = ask ? *ask : (struct sg_ask){ 0 };
	return 0;
}

void sg_signing_release(struct sg_registry *r)
{
	if (r->signer)
		sg_wipe(r->signer, sizeof(*r->signer));
	free(r->signer);
	free(r->sign_key);
	r->signer = NULL;
	r->sign_key = NULL;
}

/* --- configuration ----------------------------------------------------------- */

/* git's truth: true, yes, on, a number that is not 0. */
static bool truth(const char *s)
{
	return !strcasecmp(s, "true") || !strcasecmp(s, "yes") || !strcasecmp(s, "on") || strtol(s, NULL, 10) != 0;
}

int sg_signing_wanted(struct sg_registry *r, const char *config)
{
	char *v = NULL;
	int rc;

	if (r->sign_mode != SG_SIGN_CONFIG)
		return r->sign_mode == SG_SIGN_YES;
	rc = sg_registry_config_get(&v, r, config);
	if (rc >= 0)
		rc = truth(v);
	free(v);
	return rc == -SG_E_NOTFOUND ? 0 : rc;
}

/* The key's path or text, yours. */
static int configured_key(char **out, struct sg_registry *r)
{
	int rc;

	if (r->sign_key)
		return (*out = sg_strdup(r->sign_key)) ? 0 : -SG_E_NOMEM;
	rc = sg_registry_config_get(out, r, "user.signingKey");
	if (rc >= 0 && !**out) {
		free(*out);
		*out = NULL;
		rc = -SG_E_NOTFOUND;
	}
	return rc == -SG_E_NOTFOUND ? sg_fail(SG_E_NOTFOUND, "no key to sign with: set user.signingKey") : rc;
}

/* git signs with OpenPGP when nothing else is said; that is not done here. A key that
 * can only be one of SSH says enough. */
static int check_format(struct sg_registry *r, const char *key)
{
	char *v = NULL;
	int rc = sg_registry_config_get(&v, r, "gpg.format");
	bool said = rc >= 0, ssh = said && !strcasecmp(v, "ssh");

	free(v);
	if (rc < 0 && rc != -SG_E_NOTFOUND)
		return rc;
	if (ssh || (!said && (r->sign_key || !strncmp(key, "key::", 5) || !strncmp(key, "ssh-", 4))))
		return 0;
	return sg_fail(SG_E_UNSUPPORTED, "gpg.format is not ssh, and other signatures are not made; "
		       "set gpg.format = ssh and user.signingKey, or use --no-sign");
}

bool sg_signing_possible(struct sg_registry *r)
{
	char *key = NULL;
	bool yes = r->signer || (configured_key(&key, r) >= 0 && check_format(r, key) >= 0);

	free(key);
	return yes;
}

int sg_config_path(char **out, const char *value)
{
	const char *rest = value + strcspn(value, "/"), *home = NULL;
	struct passwd *pw;
	char *name;

	if (*value != '~')
		return (*out = sg_strdup(value)) ? 0 : -SG_E_NOMEM;
	if (rest == value + 1) {
		home = getenv("HOME");
	} else {
		name = sg_strndup(value + 1, (size_t)(rest - value) - 1);
		if (!name)
			return -SG_E_NOMEM;
		pw = getpwnam(name);
		home = pw ? pw->pw_dir : NULL;
		free(name);
	}
	if (!home)
		return sg_fail(SG_E_NOTFOUND, "there is no home folder for '%s'", value);
	return (*out = sg_asprintf("%s%s", home, rest)) ? 0 : -SG_E_NOMEM;
}

/* --- opening a key ----------------------------------------------------------- */

/* A key file, whole; *secret: nobody else may read it. One allocation, so that it
 * can be wiped. */
static int read_file(struct sg_buf *b, const char *path, bool *shared)
{
	struct stat st;

	SG_TRY(sg_buf_room(b, 3 * SG_KEYFILE_MAX));
	SG_TRY(sg_file_read(b, path, SG_KEYFILE_MAX));
	*shared = stat(path, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077);
	return 0;
}

static bool is_private(const struct sg_buf *b)
{
	return b->len > 11 && !memcmp(b->data, "-----BEGIN ", 11);
}

/* Asks until the passphrase is right, or often enough. */
static int unlock(struct sg_privkey *out, struct sg_registry *r, const struct sg_buf *file, const char *path)
{
	char pass[PASSPHRASE_MAX], prompt[400];
	int rc = -SG_E_REFUSED;

	if (!r->ask.fn)
		return sg_fail(SG_E_REFUSED, "'%s' is encrypted, and nobody can be asked for its passphrase", path);
	snprintf(prompt, sizeof(prompt), "Enter passphrase for key '%.300s': ", path);
	for (int i = 0; rc == -SG_E_REFUSED && i < TRIES; i++) {
		pass[0] = '\0';
		rc = r->ask.fn(r->ask.arg, pass, sizeof(pass), prompt);
		if (rc < 0)
			break;	/* who says nothing is not asked again */
		rc = sg_privkey_parse(out, file->data, file->len, pass, path);
	}
	sg_wipe(pass, sizeof(pass));
	return rc;
}

static int open_private(struct sg_signer *s, struct sg_registry *r, const struct sg_buf *file, bool shared, const char *path)
{
	int rc;

	if (shared)
		return sg_fail(SG_E_REFUSED, "'%s' can be read by others; a private key needs mode 0600", path);
	rc = sg_privkey_parse(&s->key, file->data, file->len, NULL, path);
	if (rc <= 0)
		return rc;
	/* encrypted: an agent that has it already spares the question */
	rc = sg_agent_has(&s->key.pub);
	if (rc)
		s->agent = rc > 0;
	else
		rc = unlock(&s->key, r, file, path);
	return SG_MIN(rc, 0);
}

/* The private half of a public key: in the agent, or in the file without .pub. */
static int open_half(struct sg_signer *s, struct sg_registry *r, const char *path)
{
	struct sg_pubkey want = s->key.pub;
	struct sg_buf file = { 0 };
	size_t n = path ? strlen(path) : 0;
	char *private = NULL, print[SG_PUBKEY_PRINT] = "";
	bool shared = false;
	int rc = sg_agent_has(&want);

	if (rc) {
		s->agent = rc > 0;
		return SG_MIN(rc, 0);
	}
	SG_TRY(sg_pubkey_print(print, &want));
	if (n < 5 || strcmp(path + n - 4, ".pub"))
		return sg_fail(SG_E_NOTFOUND, "no ssh-agent has the key %s", print);
	private = sg_strndup(path, n - 4);
	rc = private ? read_file(&file, private, &shared) : -SG_E_NOMEM;
	if (rc == -SG_E_NOTFOUND)
		rc = sg_fail(SG_E_NOTFOUND, "no ssh-agent has the key %s, and there is no '%s'", print, private);
	if (rc >= 0)
		rc = open_private(s, r, &file, shared, private);
	if (rc >= 0 && !sg_pubkey_eq(&s->key.pub, &want))
		rc = sg_fail(SG_E_CORRUPT, "'%s' is not the private half of '%s'", private, path);
	sg_wipe(file.data, file.cap);
	sg_buf_release(&file);
	free(private);
	return rc;
}

static int open_path(struct sg_signer *s, struct sg_registry *r, const char *value)
{
	struct sg_buf file = { 0 };
	char *path = NULL, what[320];
	bool shared = false;
	int rc = sg_config_path(&path, value);

	if (rc >= 0)
		rc = read_file(&file, path, &shared);
	snprintf(what, sizeof(what), "'%.300s'", path ? path : value);
	if (rc >= 0 && is_private(&file)) {
		rc = open_private(s, r, &file, shared, path);
	} else if (rc >= 0) {
		rc = sg_pubkey_parse(&s->key.pub, file.data, file.len, what);
		if (rc >= 0)
			rc = open_half(s, r, path);
	}
	sg_wipe(file.data, file.cap);
	sg_buf_release(&file);
	free(path);
	return rc;
}

static int open_signer(struct sg_registry *r)
{
	struct sg_signer *s;
	char *key = NULL;
	int rc;

	if (r->signer)
		return 0;
	SG_TRY(SG_NEW(s, 1));
	rc = configured_key(&key, r);
	if (rc >= 0)
		rc = check_format(r, key);
	if (rc >= 0) {
		const char *text = !strncmp(key, "key::", 5) ? key + 5 : !strncmp(key, "ssh-", 4) ? key : NULL;

		rc = text ? sg_pubkey_parse(&s->key.pub, text, strlen(text), "user.signingKey") : open_path(s, r, key);
		if (rc >= 0 && text)
			rc = open_half(s, r, NULL);
	}
	free(key);
	if (rc >= 0) {
		r->signer = s;
	} else {
		sg_wipe(s, sizeof(*s));
		free(s);
	}
	return rc < 0 ? sg_fail_in(rc, "cannot sign") : 0;
}

/* --- signing ----------------------------------------------------------------- */

int sg_signing_key(struct sg_pubkey *out, struct sg_registry *r)
{
	SG_TRY(open_signer(r));
	*out = r->signer->key.pub;
	return 0;
}

int sg_signing_sign(struct sg_buf *out, struct sg_registry *r, const char *name_space, const void *data, size_t n)
{
	unsigned char sig[SG_ED25519_SIG];
	struct sg_buf m = { 0 };
	int rc = open_signer(r);

	if (rc >= 0)
		rc = sg_sshsig_message(&m, name_space, data, n);
	if (rc >= 0)
		rc = r->signer->agent ? sg_agent_sign(sig, &r->signer->key.pub, m.data, m.len) :
		     sg_ed25519_sign(sig, r->signer->key.seed, m.data, m.len);
	if (rc >= 0)
		rc = sg_sshsig_make(out, &r->signer->key.pub, name_space, sig);
	sg_buf_release(&m);
	return rc;
}
