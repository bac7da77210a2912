/*
 * Commits as steps of growth. What a step says of itself stands in its message:
 * it is parsed with bounds and given on as text, and a part that is not understood
 * is left out, so that no message of anybody can keep a history from being read.
 */
#include "sg_look.h"
#include "sg_trust.h"
#include "base/error.h"
#include "base/mem.h"

#define TRAILERS_MAX 4096	/* lines of a message that are looked at */

/* --- grafts ------------------------------------------------------------------ */

void sg_graft_info_release(struct sg_graft_info *g)
{
	free(g->name);
	free(g->type);
	sg_names_release(&g->sites);
	*g = (struct sg_graft_info){ 0 };
}

int sg_graft_info_of(struct sg_graft_info *out, const struct sg_graftfile *f, const char *id)
{
	struct sg_graft_info g = { .type = sg_strdup(f->kind) };
	int rc = g.type ? 0 : -SG_E_NOMEM;

	snprintf(g.id, sizeof(g.id), "%.64s", id);
	for (size_t i = 0; rc >= 0 && i < f->sites.n; i++)
		rc = sg_names_add(&g.sites, f->sites.name[i]);
	g.tensors = f->n_tensors;
	for (size_t i = 0; rc >= 0 && i < f->n_tensors; i++) {
		g.parameters += f->tensor[i].bytes / sg_dtypes[f->tensor[i].dtype].size;
		g.payload += f->tensor[i].bytes;
	}
	if (rc < 0)
		sg_graft_info_release(&g);
	else
		*out = g;
	return rc;
}

int sg_manifest_read(struct sg_graftfile *out, struct sg_buf *bytes, char id[SG_SHA256_HEX], struct sg_repo *r,
		     const struct sg_oid *commit, const char *id16)
{
	struct sg_buf b = { 0 };
	char path[64], what[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/graft.json", id16);
	snprintf(what, sizeof(what), "graft %.16s", id16);
	rc = sg_tree_read(&b, r->reg, commit, path, SG_GRAFTFILE_MAX);
	if (rc >= 0)
		rc = sg_sha256_hex(id, b.data, b.len);
	if (rc >= 0 && strncmp(id, id16, 16))
		rc = sg_fail(SG_E_CORRUPT, "graft %.16s: its manifest has the id %.16s", id16, id);
	if (rc >= 0)
		rc = sg_graftfile_parse(out, b.data, b.len, what);
	if (rc >= 0 && bytes)
		*bytes = b;
	else
		sg_buf_release(&b);
	return rc;
}

int sg_graft_info_read(struct sg_graft_info *out, struct sg_repo *r, const struct sg_oid *commit, const char *id16)
{
	struct sg_graftfile f = { 0 };
	char id[SG_SHA256_HEX];
	int rc;

	SG_TRY(sg_manifest_read(&f, NULL, id, r, commit, id16));
	rc = sg_graft_info_of(out, &f, id);
	if (rc >= 0)
		out->name = sg_graft_name(r, commit, id16);
	sg_graftfile_release(&f);
	return rc;
}

/* --- what points at a commit --------------------------------------------------- */

struct label { struct sg_oid oid; char *text; };
struct labels { struct label *l; size_t n, cap; struct sg_oid notes; bool cost; };	/* notes: zero, not wanted */

static void labels_release(struct labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->l[i].text);
	free(l->l);
	*l = (struct labels){ 0 };
}

static int label_add(struct labels *l, const struct sg_oid *oid, const char *lead, const char *name)
{
	SG_TRY(SG_GROW(l->l, l->n, l->cap));
	l->l[l->n] = (struct label){ *oid, sg_asprintf("%s%s", lead, name) };
	return l->l[l->n++].text ? 0 : -SG_E_NOMEM;
}

static int label_refs(struct labels *l, struct sg_repo *r, const char *prefix, const char *lead, const char *but)
{
	struct sg_refs refs = { 0 };
	int rc = sg_ref_list(&refs, r->reg, prefix);

	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		struct sg_oid oid;

		if (but && !strcmp(refs.ref[i].name, but))
			continue;
		if (sg_rev_parse(&oid, r->reg, refs.ref[i].name) >= 0)	/* a tag may name anything */
			rc = label_add(l, &oid, lead, refs.ref[i].name + strlen(prefix));
	}
	sg_refs_release(&refs);
	return rc;
}

static int label_all(struct labels *l, struct sg_repo *r)
{
	struct sg_oid head;
	char *ref = NULL;
	int rc = 0;

	if (sg_rev_parse(&head, r->reg, "HEAD") >= 0) {
		if (sg_head_get(&ref, r->reg) >= 0 && !strncmp(ref, "refs/heads/", 11))
			rc = label_add(l, &head, "HEAD -> ", ref + 11);
		else
			rc = label_add(l, &head, "", "HEAD");
	}
	if (rc >= 0)
		rc = label_refs(l, r, "refs/tags/", "tag: ", NULL);
	if (rc >= 0)
		rc = label_refs(l, r, "refs/heads/", "", ref);
	if (rc >= 0)
		rc = label_refs(l, r, "refs/remotes/", "", NULL);
	free(ref);
	if (rc < 0)
		labels_release(l);
	return rc;
}

/* --- messages ------------------------------------------------------------------ */

static bool take_number(double *out, const char **p, const char *lead)
{
	char *end;
	size_t n = strlen(lead);

	if (strncmp(*p, lead, n))
		return false;
	*p += n;
	*out = strtod(*p, &end);
	if (end == *p)
		return false;
	*p = end;
	return true;
}

/* "gate set parent cand [lower, upper] n=docs"; 1 when it is written otherwise. */
static int parse_metric(struct sg_metric *out, const char *s)
{
	struct sg_metric m = { 0 };
	size_t gate = strcspn(s, " "), set = s[gate] ? strcspn(s + gate + 1, " ") : 0;
	const char *p = s + gate + 1 + set;
	unsigned long long docs;
	int end = 0;

	if (!gate || !set || !take_number(&m.parent, &p, " ") || !take_number(&m.cand, &p, " ") ||
	    !take_number(&m.lower, &p, " [") || !take_number(&m.upper, &p, ", ") ||
	    sscanf(p, "] n=%19llu%n", &docs, &end) != 1 || p[end])
		return 1;
	m.docs = docs;
	m.gate = sg_strndup(s, gate);
	m.set = sg_strndup(s + gate + 1, set);
	if (!m.gate || !m.set) {
		free(m.gate);
		free(m.set);
		return -SG_E_NOMEM;
	}
	*out = m;
	return 0;
}

/* "sha256:<64 digits>", or the digits; anything else leaves out as it was. */
static void take_id(char out[SG_SHA256_HEX], const char *value)
{
	value += strncmp(value, "sha256:", 7) ? 0 : 7;
	if (sg_is_sha256(value))
		strcpy(out, value);
}

/* A graft of which only the id is known yet; the same id is there once. */
static int add_graft(struct sg_graft_info **list, size_t *n, const char *id)
{
	struct sg_graft_info *more, g = { 0 };

	take_id(g.id, id);
	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*list)[i].id, g.id))
			return 0;
	if (!*g.id)
		return 0;
	more = sg_realloc(*list, *n + 1, sizeof(*more));
	if (!more)
		return -SG_E_NOMEM;
	*list = more;
	more[(*n)++] = g;
	return 0;
}

static int add_metric(struct sg_step *s, const char *value)
{
	struct sg_metric *more, m;
	int rc = parse_metric(&m, value);

	if (rc)
		return SG_MIN(rc, 0);
	more = sg_realloc(s->metric, s->n_metrics + 1, sizeof(*more));
	if (!more) {
		free(m.gate);
		free(m.set);
		return -SG_E_NOMEM;
	}
	s->metric = more;
	s->metric[s->n_metrics++] = m;
	return 0;
}

static int set_text(char **out, const char *text, size_t n)
{
	free(*out);
	*out = sg_strndup(text, n);
	return *out ? 0 : -SG_E_NOMEM;
}

static int take_trailer(struct sg_step *s, const char *key, const char *value)
{
	if (!strcasecmp(key, "Sg-Op"))
		return set_text(&s->op, value, strlen(value));
	if (!strcasecmp(key, "Sg-Gate"))	/* the policy's id, which may follow, is in the receipt */
		return set_text(&s->gate, value, strstr(value, " policy:") ? (size_t)(strstr(value, " policy:") - value)
									     : strlen(value));
	if (!strcasecmp(key, "Sg-Graft"))
		return add_graft(&s->graft, &s->n, value);
	if (!strcasecmp(key, "Sg-Replaces"))
		return add_graft(&s->replaced, &s->n_replaced, value);
	if (!strcasecmp(key, "Sg-Metric"))
		return add_metric(s, value);
	if (!strcasecmp(key, "Sg-State"))
		take_id(s->state, value);
	else if (!strcasecmp(key, "Sg-Prev-State"))
		take_id(s->prev, value);
	else if (!strcasecmp(key, "Sg-Base"))
		take_id(s->base, value);
	return 0;
}

/* Beginning of the last paragraph; trailers live in no other. */
static const char *last_paragraph(const char *p, const char *end)
{
	for (const char *q = end; q > p + 1; q--)
		if (q[-1] == '\n' && q[-2] == '\n')
			return q;
	return p;
}

static int parse_trailers(struct sg_step *s, const char *p, const char *end)
{
	for (size_t i = 0; p < end && i < TRAILERS_MAX; i++) {
		const char *e = memchr(p, '\n', (size_t)(end - p)), *colon;
		char key[40], *value;
		int rc;

		if (!e)
			e = end;
		colon = memchr(p, ':', (size_t)(e - p));
		if (colon && (size_t)(colon - p) < sizeof(key) && e - colon < 4096) {
			snprintf(key, sizeof(key), "%.*s", (int)(colon - p), p);
			for (colon++; colon < e && *colon == ' ';)
				colon++;
			value = sg_strndup(colon, (size_t)(e - colon));
			rc = value ? take_trailer(s, key, value) : -SG_E_NOMEM;
			free(value);
			SG_TRY(rc);
		}
		p = e + 1;
	}
	return 0;
}

static int parse_message(struct sg_step *s, const char *message)
{
	const char *p, *body, *end, *last;

	while (*message == '\n')
		message++;
	p = message + strcspn(message, "\n");
	SG_TRY(set_text(&s->subject, message, (size_t)(p - message)));
	for (body = p; *body == '\n';)
		body++;
	for (end = body + strlen(body); end > body && (end[-1] == '\n' || end[-1] == ' ');)
		end--;
	last = last_paragraph(body, end);
	SG_TRY(parse_trailers(s, last, end));
	if (*s->op || s->n || s->n_replaced || s->n_metrics)	/* those were trailers, and are told apart */
		for (end = last; end > body && end[-1] == '\n';)
			end--;
	return set_text(&s->body, body, (size_t)(end - body));
}

/* --- steps ---------------------------------------------------------------------- */

void sg_step_release(struct sg_step *s)
{
	sg_names_release(&s->parents);
	sg_names_release(&s->refs);
	for (size_t i = 0; i < s->n; i++)
		sg_graft_info_release(&s->graft[i]);
	for (size_t i = 0; i < s->n_replaced; i++)
		sg_graft_info_release(&s->replaced[i]);
	for (size_t i = 0; i < s->n_metrics; i++) {
		free(s->metric[i].gate);
		free(s->metric[i].set);
	}
	sg_note_list_release(&(struct sg_note_list){ .note = s->note, .n = s->n_notes });
	free(s->graft);
	free(s->replaced);
	free(s->metric);
	free(s->op);
	free(s->subject);
	free(s->body);
	free(s->author);
	free(s->email);
	free(s->signer);
	free(s->signature_text);
	free(s->gate);
	*s = (struct sg_step){ 0 };
}

/* The manifest is where the graft came in: here, or, for one that went, in a parent.
 * came: to hear of the grafts that it replaces, when it stands here. */
static int describe(struct sg_graft_info *g, struct sg_repo *r, const struct sg_commit *c, struct sg_step *came, bool cost)
{
	struct sg_graftfile f = { 0 };
	struct sg_graft_info full = { 0 };
	char id[SG_SHA256_HEX];
	const struct sg_oid *at = &c->id;
	int rc = sg_manifest_read(&f, NULL, id, r, at, g->id);

	for (size_t i = 0; rc < 0 && rc != -SG_E_NOMEM && i < SG_MIN(c->n_parents, 2); i++) {
		at = &c->parent[i];
		rc = sg_manifest_read(&f, NULL, id, r, at, g->id);
	}
	if (rc < 0)
		return rc == -SG_E_NOMEM ? rc : 0;
	if (!strcmp(id, g->id))
		rc = sg_graft_info_of(&full, &f, id);
	if (rc >= 0 && *full.id) {
		full.name = sg_graft_name(r, at, id);
		*g = full;
		if (cost)
			rc = sg_graft_cost(g, r, at);
	}
	for (size_t i = 0; rc >= 0 && came && at == &c->id && i < f.replaces.n; i++)
		rc = add_graft(&came->replaced, &came->n_replaced, f.replaces.name[i]);
	sg_graftfile_release(&f);
	return rc;
}

static int add_parents(struct sg_step *s, const struct sg_commit *c)
{
	for (size_t i = 0; i < c->n_parents; i++) {
		char hex[SG_OID_HEX];

		sg_oid_hex(hex, &c->parent[i]);
		SG_TRY(sg_names_add(&s->parents, hex));
	}
	return 0;
}

static int add_refs(struct sg_step *s, const struct labels *l, const struct sg_oid *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (sg_oid_eq(&l->l[i].oid, id))
			SG_TRY(sg_names_add(&s->refs, l->l[i].text));
	return 0;
}

/* Whose it is by the policy in force, its parent's; the first signer's is in its own. */
static int fill_signature(struct sg_step *s, struct sg_repo *r, const struct sg_commit *c)
{
	struct sg_policy t = { 0 };
	struct sg_signed by = { 0 };
	int rc = 0;

	for (int own = 0; own < 2 && !t.n_signers && rc != -SG_E_NOMEM; own++) {
		sg_policy_release(&t);
		rc = sg_trust_policy(&t, r, own ? &c->id : c->n_parents ? &c->parent[0] : NULL);
	}
	rc = rc == -SG_E_NOMEM ? rc : sg_trust_signed(&by, r, &c->id, &t);
	sg_policy_release(&t);
	SG_TRY(rc);
	s->signature = sg_sig_name(by.how);
	if (*by.who || *by.print)
		SG_TRY((s->signer = sg_strdup(*by.who ? by.who : by.print)) ? 0 : -SG_E_NOMEM);
	return !*by.text || (s->signature_text = sg_strdup(by.text)) ? 0 : -SG_E_NOMEM;
}

static int add_notes(struct sg_step *s, struct sg_repo *r, const struct sg_oid *notes, const struct sg_oid *id)
{
	struct sg_note_list l = { 0 };

	if (sg_oid_is_zero(notes))
		return 0;
	SG_TRY(sg_notes_of(&l, r, notes, id));
	s->note = l.note;
	s->n_notes = l.n;
	return 0;
}

static int fill(struct sg_step *out, struct sg_repo *r, const struct labels *l, const struct sg_commit *c)
{
	struct sg_step s = { .time = c->author.time, .has_signature = c->signature != NULL };
	int rc;

	sg_oid_hex(s.commit, &c->id);
	s.op = sg_strdup("");
	s.author = sg_strdup(c->author.name);
	s.email = sg_strdup(c->author.email);
	rc = s.op && s.author && s.email ? parse_message(&s, c->message) : -SG_E_NOMEM;
	if (rc >= 0)
		rc = add_parents(&s, c);
	if (rc >= 0)
		rc = add_refs(&s, l, &c->id);
	if (rc >= 0)
		rc = add_notes(&s, r, &l->notes, &c->id);
	for (size_t i = 0; rc >= 0 && i < s.n; i++)
		rc = describe(&s.graft[i], r, c, &s, l->cost);
	for (size_t i = 0; rc >= 0 && i < s.n_replaced; i++)
		rc = describe(&s.replaced[i], r, c, NULL, false);
	if (rc < 0)
		sg_step_release(&s);
	else
		*out = s;
	return rc;
}

int sg_step_read(struct sg_step *out, struct sg_repo *r, const char *rev)
{
	struct sg_commit c = { 0 };
	struct labels l = { 0 };
	struct sg_oid oid;
	int rc;

	SG_TRY(sg_rev_parse(&oid, r->reg, rev ? rev : "HEAD"));
	SG_TRY(sg_commit_read(&c, r->reg, &oid));
	rc = label_all(&l, r);
	l.cost = true;
	if (rc >= 0)
		rc = sg_notes_head(&l.notes, r);
	if (rc >= 0)
		rc = fill(out, r, &l, &c);
	if (rc >= 0 && (rc = fill_signature(out, r, &c)) < 0)
		sg_step_release(out);
	labels_release(&l);
	sg_commit_release(&c);
	return rc;
}

/* --- log ------------------------------------------------------------------------ */

struct walk {
	struct sg_repo *r;
	struct labels labels;
	uint64_t left;
	bool signatures;
	int (*fn)(void *arg, const struct sg_step *s);
	void *arg;
};

static int visit(void *arg, const struct sg_commit *c)
{
	struct walk *w = arg;
	struct sg_step s;
	int rc;

	SG_TRY(fill(&s, w->r, &w->labels, c));
	rc = w->signatures ? fill_signature(&s, w->r, c) : 0;
	if (rc >= 0)
		rc = w->fn(w->arg, &s);
	sg_step_release(&s);
	return rc ? rc : --w->left == 0;
}

struct starts { struct sg_oid *oid; size_t n, cap; };

static int start_at(struct starts *s, struct sg_repo *r, const char *rev)
{
	SG_TRY(SG_GROW(s->oid, s->n, s->cap));
	SG_TRY(sg_rev_parse(&s->oid[s->n], r->reg, rev));
	s->n++;
	return 0;
}

static int start_everywhere(struct starts *s, struct sg_repo *r)
{
	static const char *const prefix[] = {
		"refs/heads/", "refs/remotes/", "refs/tags/", "refs/sg/cand/", "refs/sg/deferred/", "refs/sg/rejected/",
	};

	for (size_t i = 0; i < SG_LEN(prefix); i++) {
		struct sg_refs l = { 0 };
		int rc = sg_ref_list(&l, r->reg, prefix[i]);

		for (size_t k = 0; rc >= 0 && k < l.n; k++) {
			rc = start_at(s, r, l.ref[k].name);
			if (rc == -SG_E_NOTFOUND)
				rc = 0;	/* a tag of something that is no commit */
		}
		sg_refs_release(&l);
		SG_TRY(rc);
	}
	return 0;
}

/* "A..B": from B, and not what A has; one that is missing is HEAD. */
static int start_range(struct starts *from, struct starts *hide, struct sg_repo *r, const char *rev)
{
	const char *dots = strstr(rev, "..");
	char *a;
	int rc;

	if (!dots)
		return start_at(from, r, rev);
	if (!(a = sg_strndup(rev, (size_t)(dots - rev))))
		return -SG_E_NOMEM;
	rc = start_at(hide, r, *a ? a : "HEAD");
	if (rc >= 0)
		rc = start_at(from, r, dots[2] ? dots + 2 : "HEAD");
	free(a);
	return rc;
}

int sg_log(struct sg_repo *r, const struct sg_log_opts *o, int (*fn)(void *arg, const struct sg_step *s), void *arg)
{
	struct walk w = { .r = r, .left = o->max ? o->max : UINT64_MAX, .signatures = o->signatures, .fn = fn,
			  .arg = arg };
	struct starts from = { 0 }, hide = { 0 };
	unsigned flags = o->first_parent ? SG_WALK_FIRST_PARENT : o->parents || o->all ? 0 : SG_WALK_LINE;
	int rc = label_all(&w.labels, r);

	w.labels.cost = o->cost;
	if (rc >= 0 && o->notes)
		rc = sg_notes_head(&w.labels.notes, r);
	if (rc >= 0 && (o->rev || !o->all))
		rc = start_range(&from, &hide, r, o->rev ? o->rev : "HEAD");
	if (rc == -SG_E_NOTFOUND && !o->rev)
		rc = sg_fail(SG_E_NOTFOUND, "this registry has no history yet; run 'sg init' again");
	if (rc >= 0 && o->all)
		rc = start_everywhere(&from, r);
	if (rc >= 0)
		rc = sg_history_walk(r->reg, from.oid, from.n, hide.oid, hide.n, flags, visit, &w);
	labels_release(&w.labels);
	free(from.oid);
	free(hide.oid);
	return rc;
}
