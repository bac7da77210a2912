/*
 * A graft as an adapter that the PEFT library loads onto the same base. LoRA goes as
 * it is; A Phi B goes as LoRA with factors A Phi and B, whatever Phi is made of. Written
 * beside its name, read back and compared, and only then put there.
 */
#include "sg_peft.h"
#include "base/error.h"
#include "base/mem.h"

#define KEY_MAX 240		/* bytes of a tensor's name */

/* --- names --------------------------------------------------------------------- */

static bool same_site(const char *ours, const char *site, size_t *layer)
{
	static const char any[] = "layers.%zu.";
	char *end;

	if (strncmp(ours, any, sizeof(any) - 1))
		return !strcmp(ours, site);
	if (strncmp(site, "layers.", 7) || site[7] < '0' || site[7] > '9')
		return false;
	*layer = strtoul(site + 7, &end, 10);
	return *end == '.' && !strcmp(ours + sizeof(any) - 1, end + 1);
}

/* A tied head is no tensor of the base, but a module of its own all the same. */
bool sg_peft_has(const struct sg_desc *d, const char *site)
{
	return strcmp(site, "head") ? sg_desc_has(d, site) : d->has_head;
}

int sg_peft_module(char *out, size_t size, enum sg_layout *layout, const struct sg_desc *d, const char *site)
{
	const struct sg_arch *arch;
	size_t layer = 0;

	SG_TRY(sg_arch_find(&arch, d->arch));
	for (const struct sg_arch_tensor *a = arch->tensors; a->ours; a++) {
		const char *at = strstr(a->theirs, "%zu");
		char *tail;

		if (!same_site(a->ours, site, &layer) || !sg_peft_has(d, site))
			continue;
		if (at)
			snprintf(out, size, "%.*s%zu%s", (int)(at - a->theirs), a->theirs, layer, at + 3);
		else
			snprintf(out, size, "%s", a->theirs);
		tail = out + strlen(out) - SG_MIN(strlen(out), strlen(".weight"));
		if (!strcmp(tail, ".weight"))
			*tail = '\0';
		*layout = a->layout;
		return 0;
	}
	return sg_fail(SG_E_NOTFOUND, "the base has no map '%s'", site);
}

bool sg_peft_fused(enum sg_layout layout)
{
	return layout != SG_AS_IS && layout != SG_TURNED;
}

size_t sg_peft_rows(const struct sg_desc *d, enum sg_layout layout, size_t out)
{
	return sg_peft_fused(layout) ? (d->heads + 2 * d->kv_heads) * d->head_dim : out;
}

size_t sg_peft_row(const struct sg_desc *d, enum sg_layout layout, size_t i)
{
	size_t h = d->head_dim, k = d->heads * h, v = k + d->kv_heads * h;

	switch (layout) {
	case SG_TURNED_K: case SG_ROWS_K:
		return k + i;
	case SG_TURNED_V: case SG_ROWS_V:
		return v + i;
	case SG_HEADS_Q: case SG_HEADS_K: case SG_HEADS_V:
		return i / h * 3 * h + (size_t)(layout - SG_HEADS_Q) * h + i % h;
	default:
		return i;
	}
}

int sg_peft_check(const char *module, enum sg_layout layout, const char *site, const char *parts)
{
	if (!sg_peft_fused(layout) || (layout != SG_PAIRED && (!parts || !strcmp(parts, "AB"))))
		return 0;
	return sg_fail(SG_E_REFUSED, "'%s' is a part of '%s', one map for query, key and value: of those only LoRA can be put "
		       "together and taken apart; this would need what it makes of the other parts' %s too", site, module,
		       *parts == 'l' ? "inputs or outputs" : "lengths");
}

int sg_peft_base(const struct sg_desc *d)
{
	return strcmp(d->arch, "substrate") ? 0 :
	       sg_fail(SG_E_REFUSED, "the base is a substrate: transformers has no such model that PEFT could adapt");
}

const char *sg_peft_parts(const char *type)
{
	return !strcmp(type, "lora") ? "AB" : !strcmp(type, "dora") ? "ABm" : !strcmp(type, "ia3") ? "l" : NULL;
}

void sg_peft_key(char *out, size_t size, const char *module, char part)
{
	const char *tail = part == 'l' ? "ia3_l" : part == 'm' ? "lora_magnitude_vector" : part == 'A' ? "lora_A.weight" :
			   "lora_B.weight";

	snprintf(out, size, SG_PEFT_PREFIX "%s.%s", module, tail);
}

/* --- which graft --------------------------------------------------------------- */

struct stand {
	size_t module, rank;		/* several sites may be parts of one module */
	enum sg_layout layout;
};

struct peft {
	struct sg_view view;
	struct sg_extra pick;
	char *name;			/* of the graft, may be NULL */
	struct sg_composed c;
	const struct sg_graft *g;
	char *full, *dir;
	struct sg_names modules, keys;	/* in the graft's order; A's and B's by turns */
	struct stand *at;		/* where each site stands */
	float **theirs, **data;		/* tensors of the modules; of the sites */
	struct sg_tensor_put *put;	/* theirs */
	size_t n, sites, stride;	/* theirs; sites; tensors of one of either */
	size_t rank;			/* of all modules */
	uint64_t bytes;
	bool turned;			/* maps stored as [in,out] */
};

static bool can_go(const struct sg_graft *g)
{
	return g->type->factors || sg_peft_parts(g->type->name);
}

static bool in_stack(const struct peft *e)
{
	for (size_t i = 0; i < e->view.ids.n; i++)
		if (!strcmp(e->view.ids.name[i], e->pick.id))
			return true;
	return false;
}

static void list_one(struct sg_buf *l, const struct peft *e, struct sg_repo *r, const char *id)
{
	char *name = sg_graft_name(r, &e->view.commit, id);

	(void)sg_buf_fmt(l, "%s%.16s%s%s%s", l->len ? ", " : "", id, name ? " (" : "", name ? name : "", name ? ")" : "");
	free(name);
}

/* Without a word: the one graft of the stack that can go. */
static int pick_only(struct peft *e, struct sg_repo *r)
{
	struct sg_buf l = { 0 };
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < e->view.ids.n; i++) {
		struct sg_graft *g;

		rc = sg_stored_graft(&g, r, &e->view.commit, e->view.ids.name[i]);
		if (rc < 0)
			break;
		if (can_go(g)) {
			n++;
			strcpy(e->pick.id, g->id);
			list_one(&l, e, r, g->id);
		}
		sg_graft_free(g);
	}
	if (rc >= 0 && !n)
		rc = sg_fail(SG_E_REFUSED, "the stack has no graft of type lora, phi, dora, ia3 or head, which are what an "
			     "adapter can hold");
	if (rc >= 0 && n > 1)
		rc = sg_fail(SG_E_REFUSED, "an adapter is one graft; say which: %.900s", l.data);
	e->pick.commit = e->view.commit;
	sg_buf_release(&l);
	return rc;
}

static int pick(struct peft *e, struct sg_repo *r, const char *word)
{
	if (!word)
		SG_TRY(pick_only(e, r));
	else
		SG_TRY(sg_find_extra(&e->pick, r, word));
	if (in_stack(e))
		e->pick.commit = e->view.commit;
	e->name = sg_graft_name(r, &e->pick.commit, e->pick.id);
	return 0;
}

static int stand(struct peft *e, size_t i, const char *module, enum sg_layout layout)
{
	size_t k = 0;

	while (k < e->modules.n && strcmp(e->modules.name[k], module))
		k++;
	e->at[i] = (struct stand){ .module = k, .layout = layout };
	e->turned |= layout == SG_TURNED || layout == SG_TURNED_Q || layout == SG_TURNED_K || layout == SG_TURNED_V;
	return k < e->modules.n ? 0 : sg_names_add(&e->modules, module);
}

/* Everything that can be told from the manifest alone. */
static int check_graft(struct peft *e, const struct sg_graft *g)
{
	const struct sg_desc *d = sg_checkpoint_desc(e->view.ckpt);
	enum sg_layout layout;
	char module[200];

	if (!can_go(g))
		return sg_fail(SG_E_REFUSED, "graft %.16s%s%s%s of type '%s' cannot be written as an adapter of PEFT: that holds "
			       "changes of linear maps: lora, phi, dora, ia3, or head of a rank", g->id, e->name ? " (" : "",
			       e->name ? e->name : "",
			       e->name ? ")" : "", g->type->name);
	if (!strcmp(g->type->name, "head") && !sg_graft_int(g, "rank"))
		return sg_fail(SG_E_REFUSED, "graft %.16s is a whole matrix for the head (rank 0): an adapter of PEFT holds a "
			       "change of low rank", g->id);
	e->sites = g->file.sites.n;
	SG_TRY(SG_NEW(e->at, e->sites));
	for (size_t i = 0; i < e->sites; i++) {
		const char *site = g->file.sites.name[i];

		if (!strncmp(site, "grown.", 6))
			return sg_fail(SG_E_REFUSED, "graft %.16s stands at '%s', inside another graft: PEFT can only adapt "
				       "what the base has", g->id, site);
		if (strcmp(site, "head") && !sg_peft_has(d, site))
			return sg_fail(SG_E_REFUSED, "graft %.16s stands at '%s', which is no linear map: that is all that an "
				       "adapter of PEFT can change", g->id, site);
		SG_TRY(sg_peft_module(module, sizeof(module), &layout, d, site));
		SG_TRY(sg_peft_check(module, layout, site, g->type->factors ? "AB" : sg_peft_parts(g->type->name)));
		SG_TRY(stand(e, i, module, layout));
	}
	return 0;
}

/* The graft alone on the base. */
static int compose(struct peft *e, struct sg_repo *r)
{
	struct sg_names without = { 0 };
	struct sg_graft *g;
	int rc = sg_stored_graft(&g, r, &e->pick.commit, e->pick.id);

	if (rc >= 0) {
		rc = check_graft(e, g);
		sg_graft_free(g);
	}
	for (size_t i = 0; rc >= 0 && i < e->view.ids.n; i++)
		if (strcmp(e->view.ids.name[i], e->pick.id))
			rc = sg_names_add(&without, e->view.ids.name[i]);
	if (rc >= 0)
		rc = sg_view_compose(&e->c, &e->view, &e->pick, 1, &without, 1);
	if (rc >= 0)
		e->g = e->c.g[0];
	sg_names_release(&without);
	return rc;
}

/* --- its factors --------------------------------------------------------------- */

/* The scale stays alpha / rank. */
static double alpha_of(const struct peft *e)
{
	const char *parts = sg_peft_parts(e->g->type->name);

	if (!parts || *parts != 'A')
		return (double)e->rank;
	return sg_graft_num(e->g, "alpha") * ((double)e->rank / (double)sg_graft_int(e->g, "rank"));
}

/* Does an ia3 graft scale what goes into the map? */
static bool input_side(const struct sg_graft *g, const char *site)
{
	const char *side = sg_graft_str(g, "side"), *tail = strrchr(site, '.');

	return !strcmp(side, "in") || (!strcmp(side, "auto") && tail && !strcmp(tail, ".down"));
}

/* The next tensor of module j, v. */
static int add_tensor(struct peft *e, size_t j, char part, float *v, struct sg_tensor_put put)
{
	char key[KEY_MAX];

	put.dtype = SG_F32;
	put.data = v;
	e->put[e->keys.n] = put;
	e->bytes += put.shape[0] * (put.ndim > 1 ? put.shape[1] : 1) * sizeof(float);
	sg_peft_key(key, sizeof(key), e->modules.name[j], part);
	return sg_names_add(&e->keys, key);
}

/*
 * In PEFT's words: A [r,in] and B [out,r] of dW = alpha / r * B A; of DoRA also m [out].
 * Maps that are parts of one module stand side by side in its rank, each with its own
 * outputs; zeros fill the rest.
 */
static int add_lora(struct peft *e, size_t j)
{
	const struct sg_desc *d = sg_checkpoint_desc(e->view.ckpt);
	float **a = &e->theirs[e->stride * j], **b = a + 1, *m = NULL;
	size_t in = 0, out = 0, begin = 0, r = e->rank;

	for (size_t i = 0; i < e->sites; i++) {
		const struct sg_site *at = &e->g->part[i].at;
		const struct stand *s = &e->at[i];
		float **from = &e->data[e->stride * i];

		if (s->module != j)
			continue;
		in = at->in;
		out = sg_peft_rows(d, s->layout, at->out);
		if (!*a)
			SG_TRY(SG_NEW(*a, r * in));
		if (!*b)
			SG_TRY(SG_NEW(*b, out * r));
		memcpy(*a + begin * in, from[0], s->rank * in * sizeof(**a));
		for (size_t k = 0; k < at->out; k++)
			memcpy(*b + sg_peft_row(d, s->layout, k) * r + begin, from[1] + k * s->rank, s->rank * sizeof(**b));
		begin += s->rank;
		m = e->stride > 2 ? from[2] : NULL;
	}
	SG_TRY(add_tensor(e, j, 'A', *a, (struct sg_tensor_put){ .ndim = 2, .shape = { r, in } }));
	SG_TRY(add_tensor(e, j, 'B', *b, (struct sg_tensor_put){ .ndim = 2, .shape = { out, r } }));
	return m ? add_tensor(e, j, 'm', m, (struct sg_tensor_put){ .ndim = 1, .shape = { out } }) : 0;
}

/* IA3: l [1,in] of a module that is named feedforward, else [out,1]; a site is a module. */
static int add_ia3(struct peft *e, size_t i)
{
	bool in = input_side(e->g, e->g->file.sites.name[i]);
	size_t n = e->g->part[i].t[0]->n;

	return add_tensor(e, i, 'l', e->data[i], (struct sg_tensor_put){ .ndim = 2, .shape = { in ? 1 : n, in ? n : 1 } });
}

/* Values of site i. */
static int take(struct peft *e, size_t i)
{
	struct sg_part *p = &e->g->part[i];
	float **d = &e->data[e->stride * i];

	if (e->g->type->factors)
		return e->g->type->factors(p, &d[1], &d[0], &e->at[i].rank);
	e->at[i].rank = (size_t)sg_graft_int(e->g, "rank");
	for (size_t k = 0; k < e->stride; k++)
		SG_TRY(sg_graft_tensor(&d[k], e->g, p->t[k]));
	return 0;
}

/* One rank for all modules: that of the largest, zeros fill the others. */
static int choose_rank(struct peft *e)
{
	size_t *sum;

	SG_TRY(SG_NEW(sum, e->modules.n));
	for (size_t i = 0; i < e->sites; i++) {
		sum[e->at[i].module] += e->at[i].rank;
		e->rank = SG_MAX(e->rank, sum[e->at[i].module]);
	}
	free(sum);
	return 0;
}

static int collect(struct peft *e)
{
	const char *parts = sg_peft_parts(e->g->type->name);

	e->stride = parts ? strlen(parts) : 2;
	e->n = e->stride * e->modules.n;
	SG_TRY(SG_NEW(e->put, e->n));
	SG_TRY(SG_NEW(e->theirs, e->n));
	SG_TRY(SG_NEW(e->data, e->stride * e->sites));
	for (size_t i = 0; i < e->sites; i++)
		SG_TRY(take(e, i));
	SG_TRY(choose_rank(e));
	for (size_t j = 0; j < e->modules.n; j++)
		SG_TRY(e->stride == 1 ? add_ia3(e, j) : add_lora(e, j));
	for (size_t i = 0; i < e->n; i++)
		e->put[i].name = e->keys.name[i];
	return 0;
}

/* --- the folder ---------------------------------------------------------------- */

static int put_str(struct sg_jsonw *w, const char *key, const char *v)
{
	sg_jsonw_key(w, key);
	if (v)
		sg_jsonw_str(w, v);
	else
		sg_jsonw_null(w);
	return 0;
}

/* What the base calls itself, which is what PEFT calls it by; NULL: nothing. */
static const char *base_name(const struct sg_json *config)
{
	const struct sg_json *j = sg_json_get(config, "_name_or_path");

	return j && j->type == SG_JSON_STRING && j->len ? j->str : NULL;
}

static void put_lora(struct sg_jsonw *w, const struct peft *e)
{
	sg_jsonw_key(w, "lora_alpha");
	sg_jsonw_f64(w, alpha_of(e));
	sg_jsonw_key(w, "lora_dropout");
	sg_jsonw_f64(w, 0);
}

/* All modules, or those whose input is scaled. */
static void put_modules(struct sg_jsonw *w, const char *key, const struct peft *e, bool inputs)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	/* inputs: of IA3, where a site is a module */
	for (size_t i = 0; i < e->modules.n; i++)
		if (!inputs || input_side(e->g, e->g->file.sites.name[i]))
			sg_jsonw_str(w, e->modules.name[i]);
	sg_jsonw_end(w, ']');
}

/* Only keys that every version of PEFT knows; all others have the default that is meant. */
static int config_text(struct sg_buf *out, const struct peft *e)
{
	const struct sg_buf *text = sg_checkpoint_config(e->view.ckpt);
	struct sg_json_doc doc = { 0 };
	struct sg_jsonw w;
	int rc = sg_json_parse(&doc, text->data, text->len, "config.json");

	if (rc < 0)
		return rc;
	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	put_str(&w, "base_model_name_or_path", base_name(sg_json_root(&doc)));
	if (e->stride > 1)
		put_str(&w, "bias", "none");
	sg_jsonw_key(&w, "fan_in_fan_out");
	sg_jsonw_bool(&w, e->turned);
	if (e->stride == 1)
		put_modules(&w, "feedforward_modules", e, true);
	sg_jsonw_key(&w, "inference_mode");
	sg_jsonw_bool(&w, true);
	if (e->stride > 1)
		put_lora(&w, e);
	put_str(&w, "modules_to_save", NULL);
	put_str(&w, "peft_type", e->stride == 1 ? "IA3" : "LORA");
	if (e->stride > 1) {
		sg_jsonw_key(&w, "r");
		sg_jsonw_i64(&w, (int64_t)e->rank);
	}
	put_str(&w, "revision", NULL);
	put_modules(&w, "target_modules", e, false);
	put_str(&w, "task_type", "CAUSAL_LM");
	if (e->stride == 3) {
		sg_jsonw_key(&w, "use_dora");
		sg_jsonw_bool(&w, true);
	}
	sg_jsonw_end(&w, '}');
	rc = sg_jsonw_done(&w);
	sg_json_release(&doc);
	return rc < 0 ? rc : sg_buf_str(out, "\n");
}

static int write_tensors(const struct peft *e, const char *path)
{
	const struct sg_tensor_meta meta[] = {
		{ "format", "pt" }, { "sg.base", e->view.base }, { "sg.graft", e->g->id },
	};
	struct sg_out o;
	int rc;

	SG_TRY(sg_out_open(&o, path));
	rc = sg_tensors_write(&o, e->put, e->n, meta, SG_LEN(meta));
	if (rc >= 0)
		rc = sg_out_commit(&o);
	sg_out_release(&o);
	return rc;
}

/* What is there now against what was meant. */
static int read_back(const struct peft *e, const char *path)
{
	struct sg_tensors t = { 0 };
	struct sg_map m;
	int rc;

	SG_TRY(sg_map_open(&m, path));
	rc = sg_tensors_parse(&t, m.data, m.size, SG_PEFT_MODEL);
	if (rc >= 0 && t.n != e->n)
		rc = sg_fail(SG_E_CORRUPT, "'%s' was read back with %zu tensors, not %zu", path, t.n, e->n);
	for (size_t i = 0; rc >= 0 && i < e->n; i++) {
		const struct sg_tensor_put *p = &e->put[i];
		const struct sg_tensor_info *g;

		rc = sg_tensors_find(&g, &t, p->name);
		if (rc >= 0 && (g->dtype != SG_F32 || g->bytes != p->shape[0] * (p->ndim > 1 ? p->shape[1] : 1) * sizeof(float) ||
				memcmp(g->data, p->data, g->bytes)))
			rc = sg_fail(SG_E_CORRUPT, "'%s' was read back with another '%s'", path, p->name);
	}
	sg_tensors_release(&t);
	sg_map_release(&m);
	return rc;
}

static int write_folder(const struct peft *e)
{
	char *config = sg_path_join(e->dir, SG_PEFT_CONFIG), *model = sg_path_join(e->dir, SG_PEFT_MODEL);
	struct sg_buf text = { 0 };
	int rc = config && model ? sg_dir_make(e->dir) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = config_text(&text, e);
	if (rc >= 0)
		rc = sg_file_write(config, text.data, text.len);
	if (rc >= 0)
		rc = write_tensors(e, model);
	if (rc >= 0)
		rc = read_back(e, model);
	if (rc >= 0)
		rc = sg_file_rename(e->dir, e->full);
	sg_buf_release(&text);
	free(config);
	free(model);
	return rc;
}

/* --- the whole ------------------------------------------------------------------- */

static int run(struct peft *e, struct sg_repo *r, const struct sg_export_peft_opts *o, const struct sg_progress *progress)
{
	SG_TRY(sg_new_folder(&e->full, &e->dir, o->dir));
	SG_TRY(sg_view_open(&e->view, r, o->rev));
	SG_TRY(pick(e, r, o->graft));
	SG_TRY(sg_view_base(&e->view, progress));
	SG_TRY(sg_peft_base(sg_checkpoint_desc(e->view.ckpt)));
	SG_TRY(compose(e, r));
	SG_TRY(collect(e));
	return write_folder(e);
}

static void answer(struct sg_peft_info *out, struct peft *e)
{
	*out = (struct sg_peft_info){
		.name = e->name, .type = e->g->type->name, .modules = e->modules.n, .rank = e->rank, .alpha = alpha_of(e),
		.bytes = e->bytes,
	};
	strcpy(out->id, e->g->id);
	e->name = NULL;
}

int sg_export_peft(struct sg_peft_info *out, struct sg_repo *r, const struct sg_export_peft_opts *o,
		   const struct sg_progress *progress)
{
	struct peft e = { .dir = NULL };
	int rc = run(&e, r, o, progress);

	if (rc >= 0)
		answer(out, &e);
	if (e.dir)
		(void)sg_dir_remove(e.dir);	/* gone already when it was moved */
	for (size_t i = 0; e.data && i < e.stride * e.sites; i++)
		free(e.data[i]);
	for (size_t i = 0; e.theirs && i < e.n; i++)
		free(e.theirs[i]);
	free(e.data);
	free(e.theirs);
	free(e.at);
	free(e.put);
	free(e.name);
	free(e.dir);
	free(e.full);
	sg_names_release(&e.modules);
	sg_names_release(&e.keys);
	sg_composed_release(&e.c);
	sg_view_release(&e.view);
	return rc;
}

void sg_peft_info_release(struct sg_peft_info *i)
{
	free(i->name);
	free(i->base_name);
	*i = (struct sg_peft_info){ .name = NULL };
}
