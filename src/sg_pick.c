/*
 * A graft that was accepted on another line, as a candidate of this one. What was
 * measured there says nothing about the stack here: it is judged anew. The commit has
 * one parent, since nothing else of the other line comes along.
 */
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"

struct pick { struct sg_found f; struct sg_graftfile file; };
struct picks { struct pick *p; size_t n; };

static void picks_release(struct picks *l)
{
	for (size_t i = 0; i < l->n; i++) {
		sg_found_release(&l->p[i].f);
		sg_graftfile_release(&l->p[i].file);
	}
	free(l->p);
}

/* A graft goes before a revision, as in `sg show`. */
static int find(struct sg_found *out, struct sg_repo *r, const char *word)
{
	struct sg_oid oid;
	int rc = sg_find_graft(out, r, word);

	if (rc >= 0 && out->where == SG_ACTIVE)
		return sg_fail(SG_E_EXISTS, "graft %.16s is active already", out->id);
	if (rc >= 0 && out->where != SG_PAST)
		return sg_fail(SG_E_REFUSED, "graft %.16s waits as a candidate; 'sg accept' takes it in", out->id);
	if (rc >= 0 || rc != -SG_E_NOTFOUND)
		return rc;
	rc = sg_find_accepted(out, r, word);
	if (rc == -SG_E_NOTFOUND)
		return sg_rev_parse(&oid, r->reg, word) < 0 ?
			sg_fail(SG_E_NOTFOUND, "'%s' is neither a graft of another line nor a revision", word) :
			sg_find_step(out, r, word);
	return rc;
}

static int add(struct picks *l, struct sg_view *v, const char *word)
{
	struct pick *p = &l->p[l->n];
	char id[SG_SHA256_HEX];

	*p = (struct pick){ .f = { .where = SG_PAST } };
	l->n++;
	SG_TRY(find(&p->f, v->r, word));
	for (size_t i = 0; i + 1 < l->n; i++)
		if (!strcmp(l->p[i].f.id, p->f.id)) {
			sg_found_release(&p->f);	/* named twice */
			l->n--;
			return 0;
		}
	if (sg_names_has(&v->ids, p->f.id))
		return sg_fail(SG_E_EXISTS, "graft %.16s is active already", p->f.id);
	SG_TRY(sg_manifest_read(&p->file, NULL, id, v->r, &p->f.commit, p->f.id));
	return strcmp(p->file.base, v->base) ? sg_fail(SG_E_REFUSED, "graft %.16s was made for base %.16s, not for %.16s",
						       p->f.id, p->file.base, v->base) : 0;
}

static bool waits_for(const struct pick *p, const char *id)
{
	return sg_names_has(&p->file.requires, id) || sg_names_has(&p->file.after, id);
}

/* Nothing before what it stands in or was trained after; the given order otherwise. */
static void order(struct picks *l)
{
	for (size_t at = 0; at < l->n; at++) {
		size_t best = at;

		for (size_t i = at; i < l->n; i++) {
			bool ready = true;

			for (size_t k = at; ready && k < l->n; k++)
				ready = k == i || !waits_for(&l->p[i], l->p[k].f.id);
			if (ready) {
				best = i;
				break;
			}
		}
		struct pick p = l->p[best];

		memmove(l->p + at + 1, l->p + at, (best - at) * sizeof(p));
		l->p[at] = p;
	}
}

/* Everything that is required stands there before it is. */
static int check_requires(const struct picks *l, const struct sg_view *v)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->p[i].file.requires.n; k++) {
			const char *want = l->p[i].file.requires.name[k];
			bool there = sg_names_has(&v->ids, want);

			for (size_t j = 0; !there && j < i; j++)
				there = !strcmp(l->p[j].f.id, want);
			if (!there)
				return sg_fail(SG_E_REFUSED, "graft %.16s requires graft %.16s, which is not active here; pick "
					       "that one too", l->p[i].f.id, want);
		}
	return 0;
}

static int take(struct sg_picked_list *out, struct sg_repo *r, struct pick *p, const char *message,
		const struct sg_progress *progress)
{
	struct sg_picked *to;
	struct sg_buf body = { 0 };
	struct sg_oid head;
	int rc = SG_GROW(out->pick, out->n, out->cap);

	SG_TRY(rc);
	to = &out->pick[out->n];
	*to = (struct sg_picked){ .from = "" };
	sg_oid_hex(to->from, &p->f.commit);
	if (message)
		rc = sg_buf_fmt(&body, "%s\n\n", message);
	if (rc >= 0)
		rc = sg_buf_fmt(&body, "(cherry picked from commit %s)", to->from);
	if (rc >= 0)
		rc = sg_accept_found(&to->v, r, &p->f, body.data, progress);
	sg_buf_release(&body);
	SG_TRY(rc);
	out->n++;
	if (rc == 0 && sg_rev_parse(&head, r->reg, "HEAD") >= 0)
		sg_oid_hex(to->commit, &head);
	return rc;
}

int sg_cherry_pick(struct sg_picked_list *out, struct sg_repo *r, const struct sg_names *word, const char *message,
		   const struct sg_progress *progress)
{
	struct sg_picked_list done = { 0 };
	struct picks l = { 0 };
	struct sg_view v = { 0 };
	int rc = sg_view_open(&v, r, NULL);

	if (rc >= 0)
		rc = SG_NEW(l.p, SG_MAX(word->n, (size_t)1));
	for (size_t i = 0; rc >= 0 && i < word->n; i++)
		rc = add(&l, &v, word->name[i]);
	if (rc >= 0) {
		order(&l);
		rc = check_requires(&l, &v);
	}
	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = take(&done, r, &l.p[i], message, progress);
	picks_release(&l);
	sg_view_release(&v);
	if (rc < 0)
		sg_picked_list_release(&done);
	else
		*out = done;
	return rc;
}

void sg_picked_list_release(struct sg_picked_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		sg_verdict_info_release(&l->pick[i].v);
	free(l->pick);
	*l = (struct sg_picked_list){ 0 };
}
