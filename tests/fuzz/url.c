#include "registry/remote.h"
#include "registry/wire.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_url(const uint8_t *data, size_t n);

/* A URL taken apart, and shown: what stood before the host of one that is well
 * formed is not in what is shown. */
int sg_fuzz_url(const uint8_t *data, size_t n)
{
	char *url = sg_strndup((const char *)data, n), *shown = NULL, *again = NULL;
	struct sg_login l = { 0 };
	struct sg_url u = { 0 };
	int rc = url ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && sg_url_parse(&u, url) >= 0) {
		if (u.kind == SG_URL_SSH && (*u.host == '-' || *u.path == '-'))
			abort();
		sg_url_release(&u);
	}
	if (rc >= 0)
		rc = sg_url_mask(&shown, url);
	if (rc >= 0)
		rc = sg_url_mask_text(&again, shown);
	free(again);
	if (rc >= 0 && (rc = sg_url_login(&l, url)) >= 0) {
		const char *at = strchr(l.url, '@');

		if (at && at < l.url + strlen(l.host))
			abort();
		if (l.password && (strchr(l.password, '\n') || strchr(l.user, '\n')))
			abort();
		/* "@", "*" and "?" are in what is shown anyway */
		if (l.password && strlen(l.password) > 3 && !strpbrk(l.password, "@*?") && !strncmp(url, "https://", 8) && strstr(shown, l.password) &&
		    !strstr(l.url, l.password))
			abort();
		sg_login_release(&l);
	}
	free(shown);
	free(url);
	return rc;
}

SG_FUZZ(url)
