/*
 * An adapter of the PEFT library, LoRA, DoRA or IA3, as a candidate. Whatever of its
 * configuration would change what is computed, and is none of these, is refused by name;
 * so is a tensor that no map of the base takes, and a map that misses one.
 */
#include "sg_peft.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

#define CONFIG_MAX ((size_t)4 << 20)
#define LISTED 8		/* names in one message */

/* A map of the base, and what the adapter has for it. */
struct place {
	char site[64], module[200];
	enum sg_layout layout;
	size_t in, out, rows;		/* rows: outputs of the module, which may be more maps' */
	size_t rank;			/* of its tensors; no more than the graft's */
	double alpha, scale;		/* PEFT's: alpha / rank, or / sqrt(rank) */
	double times;			/* what B is multiplied by, for the graft has one scale */
	bool taken, input;		/* there are tensors for it; IA3: they scale what goes in */
};

struct import {
	struct sg_repo *r;
	const struct sg_import_opts *o;
	struct sg_view view;
	struct sg_composed bare;	/* the base without its stack */
	struct sg_buf config;
	struct sg_json_doc doc;
	struct sg_map map;
	struct sg_tensors t;
	char sha[2][SG_SHA256_HEX];	/* of configuration and tensors */
	const char *type, *parts;	/* of the graft, and what it has for each map (sg_peft_parts) */
	const char *side;		/* IA3: where the factors stand */
	int64_t rank;			/* the configuration's, then the graft's */
	double alpha;
	bool rslora;
	const char *base_name;
	struct place *place;
	size_t n, cap, taken;
	struct sg_names sites;
	struct sg_graft *g;
};

/* --- adapter_config.json --------------------------------------------------------- */

/* Keys that say nothing about what is computed from the tensors, or are read below. */
static const char *const plain[] = {
	"auto_mapping", "base_model_name_or_path", "bias", "exclude_modules", "fan_in_fan_out", "inference_mode",
	"init_ia3_weights", "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout",
	"megatron_core", "peft_type", "peft_version", "qalora_group_size", "r", "revision", "target_modules", "task_type",
	"eva_config", "use_dora", "use_rslora", "rank_pattern", "alpha_pattern",
};

static bool is_plain(const char *key)
{
	for (size_t i = 0; i < SG_LEN(plain); i++)
		if (!strcmp(plain[i], key))
			return true;
	return false;
}

static int check_switches(const struct sg_json *o, bool ia3)
{
	for (const struct sg_json *j = o->child; j; j = j->next) {
		if (is_plain(j->key) || sg_json_empty(j) || (ia3 && !strcmp(j->key, "feedforward_modules")))
			continue;
		return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": '%.100s' is set, so this is no plain LoRA, DoRA or IA3", j->key);
	}
	return 0;
}

/* Starts that change the base's weights too: such an adapter is nothing without them. */
static int check_start(const struct sg_json *o)
{
	static const char *const fine[] = { "gaussian", "eva", "orthogonal" };
	const struct sg_json *j = sg_json_get(o, "init_lora_weights");

	if (!j || j->type == SG_JSON_NULL || j->type == SG_JSON_BOOL)
		return 0;
	for (size_t i = 0; j->type == SG_JSON_STRING && i < SG_LEN(fine); i++)
		if (!strcmp(j->str, fine[i]))
			return 0;
	return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'init_lora_weights' %.40s: such a start changes the base's weights, or "
		       "may; let PEFT convert it to plain LoRA when it saves", j->type == SG_JSON_STRING ? j->str : "is no word");
}

static int check_word(const struct sg_json *o, const char *key, const char *want, bool need)
{
	const char *is = need ? "" : want;

	SG_TRY(sg_json_str(o, key, &is));
	return !strcmp(is, want) ? 0 : sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": '%s' is '%.60s'; only '%s' can be imported", key,
					       is, want);
}

/* Which of the forms it is. */
static int choose_type(struct import *m, const struct sg_json *o)
{
	const char *is = "";
	bool dora = false;

	SG_TRY(sg_json_str(o, "peft_type", &is));
	SG_TRY(sg_json_bool(o, "use_dora", &dora));
	if (!strcmp(is, "IA3"))
		m->type = "ia3";
	else if (!strcmp(is, "LORA"))
		m->type = dora ? "dora" : "lora";
	else
		return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'peft_type' is '%.60s'; only 'LORA' and 'IA3' can be imported",
			       is);
	m->parts = sg_peft_parts(m->type);
	return 0;
}

static int read_config(struct import *m)
{
	char *path = sg_path_join(m->o->dir, SG_PEFT_CONFIG);
	const struct sg_json *o;
	int rc = path ? sg_file_read(&m->config, path, CONFIG_MAX) : -SG_E_NOMEM;

	free(path);
	SG_TRY(rc);
	SG_TRY(sg_sha256_hex(m->sha[0], m->config.data, m->config.len));
	SG_TRY(sg_json_parse(&m->doc, m->config.data, m->config.len, SG_PEFT_CONFIG));
	o = sg_json_root(&m->doc);
	if (o->type != SG_JSON_OBJECT)
		return sg_fail(SG_E_CORRUPT, SG_PEFT_CONFIG ": not an object");
	SG_TRY(choose_type(m, o));
	SG_TRY(check_word(o, "task_type", "CAUSAL_LM", false));
	SG_TRY(check_word(o, "bias", "none", false));
	SG_TRY(check_start(o));
	SG_TRY(check_switches(o, *m->parts == 'l'));
	m->rank = 8;			/* as PEFT has them when they are not there */
	m->alpha = 8;
	if (*m->parts == 'l')
		return sg_json_str(o, "base_model_name_or_path", &m->base_name);
	SG_TRY(sg_json_i64(o, "r", 1, 1 << 20, &m->rank));
	SG_TRY(sg_json_f64(o, "lora_alpha", &m->alpha));
	SG_TRY(sg_json_bool(o, "use_rslora", &m->rslora));
	if (!isfinite(m->alpha) || !(m->alpha > 0))
		return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'lora_alpha' must be a positive number");
	return sg_json_str(o, "base_model_name_or_path", &m->base_name);
}

/* --- the base's maps --------------------------------------------------------------- */

static int add_place(struct import *m, const char *site)
{
	const struct sg_desc *d = sg_checkpoint_desc(m->view.ckpt);
	struct place *p;
	struct sg_site at;

	if (!sg_peft_has(d, site))
		return 0;
	SG_TRY(SG_GROW(m->place, m->n, m->cap));
	p = &m->place[m->n++];
	*p = (struct place){ .in = 0 };
	snprintf(p->site, sizeof(p->site), "%s", site);
	SG_TRY(sg_peft_module(p->module, sizeof(p->module), &p->layout, d, site));
	SG_TRY(sg_site_find(&at, &m->bare.model, site));
	p->in = at.in;
	p->out = at.out;
	p->rows = sg_peft_rows(d, p->layout, p->out);
	return 0;
}

static int list_places(struct import *m)
{
	const struct sg_desc *d = sg_checkpoint_desc(m->view.ckpt);
	char site[64];

	/* in the order that a lora trained here has, attention first: the same graft is to have the same id */
	for (int mlp = 0; mlp < 2; mlp++)
		for (size_t l = 0; l < d->layers; l++)
			for (int i = mlp ? SG_GATE : 0; i < (mlp ? SG_LINEARS : SG_GATE); i++) {
				snprintf(site, sizeof(site), "layers.%zu.%s", l, sg_linear_names[i]);
				SG_TRY(add_place(m, site));
			}
	return add_place(m, "head");
}

/* --- ranks and scales ------------------------------------------------------------ */

/* What PEFT multiplies each place's change by. */
static int set_ranks(struct import *m)
{
	const struct sg_json *o = sg_json_root(&m->doc);

	for (size_t i = 0; *m->parts == 'A' && i < m->n; i++) {
		struct place *p = &m->place[i];
		double rank = (double)m->rank;

		p->alpha = m->alpha;
		SG_TRY(sg_peft_pattern(&rank, o, "rank_pattern", p->module));
		SG_TRY(sg_peft_pattern(&p->alpha, o, "alpha_pattern", p->module));
		if (!(rank >= 1 && rank <= 1 << 20) || rank != floor(rank))
			return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'rank_pattern' gives '%s' no positive whole number",
				       p->module);
		if (!isfinite(p->alpha) || !(p->alpha > 0))
			return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'alpha_pattern' gives '%s' no positive number", p->module);
		p->rank = (size_t)rank;
		p->scale = p->alpha / (m->rslora ? sqrt(rank) : rank);
	}
	return 0;
}

/*
 * A graft has one rank and one alpha: those of the first place of the largest rank. Zeros
 * fill the factors of the others, and B takes what their scales are more or less.
 */
static int join_ranks(struct import *m)
{
	const struct place *top = NULL;

	for (size_t i = 0; *m->parts == 'A' && i < m->n; i++)
		if (m->place[i].taken && (!top || m->place[i].rank > top->rank))
			top = &m->place[i];
	if (!top)
		return 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->place[i].taken && top->rank > SG_MIN(m->place[i].in, m->place[i].out))
			return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": rank %zu of '%s' is more than '%s' can have (%zu), and "
				       "a graft has one rank; import them as two adapters", top->rank, top->module,
				       m->place[i].module, SG_MIN(m->place[i].in, m->place[i].out));
	for (size_t i = 0; i < m->n; i++)
		m->place[i].times = m->place[i].scale / top->scale;
	m->rank = (int64_t)top->rank;
	m->alpha = m->rslora ? top->alpha * sqrt((double)top->rank) : top->alpha;
	return 0;
}

/* --- adapter_model.safetensors ------------------------------------------------------ */

static int open_model(struct import *m)
{
	char *path = sg_path_join(m->o->dir, SG_PEFT_MODEL), *pickle = sg_path_join(m->o->dir, "adapter_model.bin");
	int rc = path && pickle ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && !sg_file_exists(path) && sg_file_exists(pickle))
		rc = sg_fail(SG_E_UNSUPPORTED, "'%s' is a pickle, which is a program; save the adapter as safetensors", pickle);
	if (rc >= 0)
		rc = sg_map_open(&m->map, path);
	if (rc >= 0)
		rc = sg_sha256_hex(m->sha[1], m->map.data, m->map.size);
	if (rc >= 0)
		rc = sg_tensors_parse(&m->t, m->map.data, m->map.size, SG_PEFT_MODEL);
	free(path);
	free(pickle);
	return rc;
}

/* An adapter that sg wrote says which base it is for. */
static int check_base(const struct import *m)
{
	const char *base = NULL;

	SG_TRY(sg_json_str(m->t.meta, "sg.base", &base));
	if (base && strcmp(base, m->view.base))
		return sg_fail(SG_E_REFUSED, "the adapter was made for base %.16s, this one is %.16s", base, m->view.base);
	return 0;
}

static const struct sg_tensor_info *factor(const struct import *m, const struct place *p, char name)
{
	char key[300];

	sg_peft_key(key, sizeof(key), p->module, name);
	return sg_tensors_get(&m->t, key);
}

/* The shape that a tensor of the place must have, PEFT's and the graft's. */
static unsigned shape_of(size_t *theirs, size_t *ours, unsigned *our_ndim, const struct import *m, const struct place *p,
			 char part)
{
	*our_ndim = part == 'm' || part == 'l' ? 1 : 2;
	theirs[1] = ours[1] = 0;
	switch (part) {
	case 'A':
		theirs[0] = p->rank;
		ours[0] = (size_t)m->rank;
		theirs[1] = ours[1] = p->in;
		return 2;
	case 'B':
		theirs[0] = p->rows;
		ours[0] = p->out;
		theirs[1] = p->rank;
		ours[1] = (size_t)m->rank;
		return 2;
	case 'm':
		theirs[0] = ours[0] = p->out;
		return 1;
	default:
		ours[0] = p->input ? p->in : p->out;
		theirs[0] = p->input ? 1 : p->out;
		theirs[1] = p->input ? p->in : 1;
		return 2;
	}
}

static int check_factor(const struct import *m, const struct place *p, char part)
{
	const struct sg_tensor_info *i = factor(m, p, part);
	size_t want[2], ours[2];
	unsigned ndim, n = shape_of(want, ours, &ndim, m, p, part);

	SG_TRY(sg_tensor_usable(i));
	if (i->dtype != SG_F32 && i->dtype != SG_F16 && i->dtype != SG_BF16)
		return sg_fail(SG_E_UNSUPPORTED, SG_PEFT_MODEL ": '%.200s' is %s; a factor is F32, F16 or BF16", i->name,
			       i->dtype_name);
	if (i->ndim == n && i->shape[0] == want[0] && (n < 2 || i->shape[1] == want[1]))
		return 0;
	if (part != 'A' && part != 'B')
		return sg_fail(SG_E_REFUSED, SG_PEFT_MODEL ": '%.200s' has not the shape that the base's map makes it", i->name);
	return sg_fail(SG_E_REFUSED, SG_PEFT_MODEL ": '%.200s' is no %zu x %zu, as base and rank %zu make it", i->name,
		       want[0], want[1], p->rank);
}

/* Names for a message, the first of them. */
struct listed { struct sg_buf b; size_t n; };

static void list(struct listed *l, const char *name)
{
	if (l->n++ < LISTED)
		(void)sg_buf_fmt(&l->b, "%s%.120s", l->n > 1 ? ", " : "", name);
	else if (l->n == LISTED + 1)
		(void)sg_buf_str(&l->b, " ...");
}

static int refuse_list(struct listed *l, const char *what)
{
	int rc = l->n ? sg_fail(SG_E_REFUSED, SG_PEFT_MODEL ": %s (%zu): %s", what, l->n, l->b.data ? l->b.data : "") : 0;

	sg_buf_release(&l->b);
	return rc;
}

/* How many of the place's tensors are there; the first that is not to *gone. */
static size_t present(char *gone, const struct import *m, const struct place *p)
{
	size_t n = 0;

	*gone = '\0';
	for (const char *c = m->parts; *c; c++)
		if (factor(m, p, *c))
			n++;
		else if (!*gone)
			*gone = *c;
	return n;
}

static int take_tensors(struct import *m)
{
	struct listed missing = { .n = 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < m->n; i++) {
		struct place *p = &m->place[i];
		char key[300], gone;

		if (!present(&gone, m, p))
			continue;
		if (gone) {
			sg_peft_key(key, sizeof(key), p->module, gone);
			list(&missing, key);
			continue;
		}
		rc = sg_peft_check(p->module, p->layout, p->site, m->parts);
		for (const char *c = m->parts; rc >= 0 && *c; c++)
			rc = check_factor(m, p, *c);
		p->taken = true;
		if (!i || strcmp(m->place[i - 1].module, p->module))
			m->taken += strlen(m->parts);
	}
	if (rc < 0) {
		sg_buf_release(&missing.b);
		return rc;
	}
	return refuse_list(&missing, "a factor is missing");
}

static bool is_factor(const struct import *m, const char *name)
{
	char key[300];

	for (size_t i = 0; i < m->n; i++)
		for (const char *f = m->parts; m->place[i].taken && *f; f++) {
			sg_peft_key(key, sizeof(key), m->place[i].module, *f);
			if (!strcmp(key, name))
				return true;
		}
	return false;
}

static int check_left(const struct import *m)
{
	struct listed left = { .n = 0 };

	if (m->taken != m->t.n)
		for (size_t i = 0; i < m->t.n && left.n <= LISTED; i++)
			if (!is_factor(m, m->t.t[i].name))
				list(&left, m->t.t[i].name);
	left.n = SG_MIN(left.n, m->t.n) ? m->t.n - m->taken : 0;
	SG_TRY(refuse_list(&left, "no factor of a map of this base"));
	return m->taken ? 0 : sg_fail(SG_E_REFUSED, SG_PEFT_MODEL ": it holds no tensors");
}

/* --- target_modules ------------------------------------------------------------------ */

static bool names_module(const struct sg_json *list, const char *module)
{
	size_t n = strlen(module);

	for (const struct sg_json *j = list->child; j; j = j->next) {
		if (j->type != SG_JSON_STRING || j->len > n || strcmp(module + n - j->len, j->str))
			continue;
		if (j->len == n || module[n - j->len - 1] == '.')
			return true;
	}
	return false;
}

/*
 * What PEFT would adapt is what there must be tensors for, and the other way round. A
 * pattern or a choice of layers is not followed: there the tensors alone tell.
 */
static int check_targets(const struct import *m)
{
	const struct sg_json *o = sg_json_root(&m->doc), *want = sg_json_get(o, "target_modules");
	const struct sg_json *not = sg_json_get(o, "exclude_modules"), *some = sg_json_get(o, "layers_to_transform");
	struct listed missing = { .n = 0 }, left = { .n = 0 };

	if (!want || want->type != SG_JSON_ARRAY)
		return 0;
	for (size_t i = 0; i < m->n; i++) {
		const struct place *p = &m->place[i];
		bool named = names_module(want, p->module);

		if (named && !p->taken && (!not || sg_json_empty(not)) && (!some || some->type == SG_JSON_NULL))
			list(&missing, p->module);
		if (!named && p->taken)
			list(&left, p->module);
	}
	if (missing.n) {
		sg_buf_release(&left.b);
		return refuse_list(&missing, "no factors for modules that 'target_modules' names");
	}
	return refuse_list(&left, "factors of modules that 'target_modules' does not name");
}

/* IA3: which maps have their input scaled, and the graft's word for that. */
static int choose_sides(struct import *m)
{
	const struct sg_json *ff = sg_json_get(sg_json_root(&m->doc), "feedforward_modules");
	size_t in = 0, out = 0, usual = 0, all = 0;
	char gone;

	if (*m->parts != 'l')
		return 0;
	if (ff && ff->type != SG_JSON_ARRAY && !sg_json_empty(ff))
		return sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'feedforward_modules' is no list of names");
	for (size_t i = 0; i < m->n; i++) {
		struct place *p = &m->place[i];
		const char *tail = strrchr(p->site, '.');
		bool down = tail && !strcmp(tail, ".down");

		p->input = ff && ff->type == SG_JSON_ARRAY && names_module(ff, p->module);
		if (!present(&gone, m, p))
			continue;
		all++;
		in += p->input;
		out += !p->input;
		usual += p->input == down;
	}
	m->side = usual == all ? "auto" : in == all ? "in" : out == all ? "out" : NULL;
	return m->side ? 0 : sg_fail(SG_E_REFUSED, SG_PEFT_CONFIG ": 'feedforward_modules' are some maps of a mixture that an "
				     "ia3 graft has no word for: the inputs of all, of none, or of mlp.down alone");
}

static int add_site(struct import *m, const char *module)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->place[i].taken && (!module || !strcmp(m->place[i].module, module)))
			SG_TRY(sg_names_add(&m->sites, m->place[i].site));
	return 0;
}

/* The sites in the order of a list that names each by its whole name, as sg writes it. */
static int order_sites(struct import *m)
{
	const struct sg_json *want = sg_json_get(sg_json_root(&m->doc), "target_modules");
	bool whole = want && want->type == SG_JSON_ARRAY && want->n == m->taken / strlen(m->parts);

	for (const struct sg_json *j = whole ? want->child : NULL; j; j = j->next)
		if (j->type == SG_JSON_STRING)
			SG_TRY(add_site(m, j->str));
	for (size_t i = 1; i < m->sites.n; i++)
		for (size_t k = 0; k < i; k++)
			whole &= strcmp(m->sites.name[i], m->sites.name[k]) != 0;
	if (whole && m->sites.n == m->taken / strlen(m->parts))
		return 0;
	sg_names_release(&m->sites);
	return add_site(m, NULL);
}

/* --- the graft ------------------------------------------------------------------------ */

/* A part of the place, yours, as the graft has it: widened, finite, zeros where it has less. */
static int values(float **out, size_t *ours, unsigned *ndim, const struct import *m, const struct place *p, char part)
{
	const struct sg_tensor_info *t = factor(m, p, part);
	struct sg_mat v = { .data = t->data, .dtype = t->dtype, .rows = t->shape[0],
			     .cols = t->ndim > 1 ? t->shape[1] : 1 };
	size_t theirs[2], stride, rows;
	float *w;

	(void)shape_of(theirs, ours, ndim, m, p, part);
	stride = *ndim > 1 ? ours[1] : 1;
	rows = part == 'B' ? p->out : v.rows;	/* of a module that is more maps, those of this one */
	SG_TRY(SG_NEW(w, ours[0] * stride));
	for (size_t k = 0; k < rows * v.cols; k++) {
		size_t row = part == 'B' ? sg_peft_row(sg_checkpoint_desc(m->view.ckpt), p->layout, k / v.cols) : k / v.cols;
		float x = sg_mat_at(&v, row * v.cols + k % v.cols);

		x = part == 'B' ? (float)(p->times * x) : x;
		if (!isfinite(x)) {
			free(w);
			return sg_fail(SG_E_REFUSED, SG_PEFT_MODEL ": '%.200s' holds a number that is not finite", t->name);
		}
		w[k / v.cols * stride + k % v.cols] = x;
	}
	*out = w;
	return 0;
}

/* Parameters by the graft's names, "<site>.A" and "<site>.B". */
static int give(void *arg, void *out, size_t n, const char *name, const char *sha256)
{
	const struct import *m = arg;
	size_t len = strlen(name), ours[2];
	unsigned ndim;
	float *v;

	(void)sha256;
	for (size_t i = 0; i < m->n; i++) {
		const struct place *p = &m->place[i];
		bool fits;

		if (!p->taken || len < 3 || strlen(p->site) != len - 2 || strncmp(p->site, name, len - 2) ||
		    !factor(m, p, name[len - 1]))
			continue;
		SG_TRY(values(&v, ours, &ndim, m, p, name[len - 1]));
		fits = ours[0] * (ndim > 1 ? ours[1] : 1) * sizeof(*v) == n;
		if (fits)
			memcpy(out, v, n);
		free(v);
		if (fits)
			return 0;
	}
	return sg_fail(SG_E_CORRUPT, "no values for '%s'", name);
}

/* Manifest entries of a place, from the very values that are loaded. */
static int add_tensors(struct import *m, const struct place *p)
{
	for (const char *f = m->parts; *f; f++) {
		size_t ours[2];
		unsigned ndim;
		char name[80];
		float *v;
		int rc;

		snprintf(name, sizeof(name), "%s.%c", p->site, *f);
		SG_TRY(values(&v, ours, &ndim, m, p, *f));
		rc = sg_graftfile_add_tensor(&m->g->file, name, SG_F32, ndim, ours, v);
		free(v);
		SG_TRY(rc);
	}
	return 0;
}

static int hypers(struct sg_names *out, const struct import *m)
{
	struct sg_buf b = { 0 };
	struct sg_jsonw w;
	char text[64];
	int rc;

	if (m->side) {
		snprintf(text, sizeof(text), "side=%s", m->side);
		return sg_names_add(out, text);
	}
	snprintf(text, sizeof(text), "rank=%lld", (long long)m->rank);
	SG_TRY(sg_names_add(out, text));
	sg_jsonw_init(&w, &b);
	sg_jsonw_f64(&w, m->alpha);
	rc = sg_jsonw_done(&w);
	if (rc >= 0) {
		snprintf(text, sizeof(text), "alpha=%.40s", b.data);
		rc = sg_names_add(out, text);
	}
	sg_buf_release(&b);
	return rc;
}

static int make_graft(struct import *m)
{
	struct sg_graft_source src = { give, m };
	struct sg_names hyper = { 0 };
	int rc = hypers(&hyper, m);

	if (rc >= 0)
		rc = sg_graft_new(&m->g, m->type, &m->sites, &hyper, m->view.base);
	for (size_t i = 0; rc >= 0 && i < m->n; i++)
		if (m->place[i].taken)
			rc = add_tensors(m, &m->place[i]);
	if (rc >= 0)
		rc = sg_graftfile_id(m->g->id, &m->g->file);
	if (rc >= 0)
		rc = sg_graft_attach(m->g, &m->bare.model, 1, false, 0, &src);
	sg_names_release(&hyper);
	return rc;
}

/* --- the candidate --------------------------------------------------------------------- */

static int train_json(struct sg_buf *out, const struct import *m)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "format");
	sg_jsonw_str(&w, "sg-train-1");
	sg_jsonw_key(&w, "imported");
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, SG_PEFT_CONFIG);
	sg_jsonw_str(&w, m->sha[0]);
	sg_jsonw_key(&w, SG_PEFT_MODEL);
	sg_jsonw_str(&w, m->sha[1]);
	if (m->base_name) {
		sg_jsonw_key(&w, "base_model_name_or_path");
		sg_jsonw_str(&w, m->base_name);
	}
	sg_jsonw_key(&w, "from");
	sg_jsonw_str(&w, "peft");
	sg_jsonw_end(&w, '}');
	if (m->o->name) {
		sg_jsonw_key(&w, "name");
		sg_jsonw_str(&w, m->o->name);
	}
	sg_jsonw_key(&w, "tool");
	sg_jsonw_str(&w, SG_TOOL);
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static int message(struct sg_buf *b, const struct import *m)
{
	char subject[256];

	snprintf(subject, sizeof(subject), "candidate %.64s: %s on %zu %s, imported from an adapter of PEFT",
		 m->o->name ? m->o->name : m->g->id, m->type, m->sites.n, m->sites.n == 1 ? "site" : "sites");
	SG_TRY(sg_message(b, subject, NULL));
	SG_TRY(sg_message_trailer(b, "Sg-Op", "candidate"));
	SG_TRY(sg_message_trailer(b, "Sg-Graft", "sha256:%s", m->g->id));
	SG_TRY(sg_message_trailer(b, "Sg-Base", "sha256:%s", m->view.base));
	return sg_message_trailer(b, "Sg-Prev-State", "sha256:%s", m->view.state);
}

/* 1: it waits already. */
static int is_known(const struct import *m, const char *ref)
{
	struct sg_oid old;

	for (size_t i = 0; i < m->view.ids.n; i++)
		if (!strcmp(m->view.ids.name[i], m->g->id))
			return sg_fail(SG_E_EXISTS, "graft %.16s is this adapter, and in the stack already", m->g->id);
	return sg_ref_get(&old, m->r->reg, ref) >= 0;
}

static int keep(struct import *m)
{
	struct sg_change c = { 0 };
	struct sg_buf text = { 0 }, json = { 0 };
	char path[64], ref[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/train.json", m->g->id);
	snprintf(ref, sizeof(ref), "refs/sg/cand/%.16s", m->g->id);
	rc = is_known(m, ref);
	if (rc)
		return rc;
	rc = sg_change_begin_at(&c, m->r, &m->view.commit);
	if (rc >= 0)
		rc = sg_put_graft(&c, m->g);
	if (rc >= 0)
		rc = train_json(&json, m);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, path, json.data, json.len);
	if (rc >= 0)
		rc = message(&text, m);
	if (rc >= 0)
		rc = sg_change_done_ref(&c, NULL, ref, NULL, &m->view.commit, 1, text.data);
	sg_change_release(&c);
	sg_buf_release(&text);
	sg_buf_release(&json);
	return rc < 0 ? rc : 0;
}

/* --- the whole --------------------------------------------------------------------------- */

static int prepare(struct import *m, const struct sg_progress *progress)
{
	if (m->o->name && !sg_dataset_name_ok(m->o->name))
		return sg_fail(SG_E_USAGE, "'%.100s' is no name for a graft (letters, digits, '.', '_', '-', at most 64)",
			       m->o->name);
	SG_TRY(read_config(m));
	SG_TRY(open_model(m));
	SG_TRY(sg_view_open(&m->view, m->r, NULL));
	SG_TRY(check_base(m));
	SG_TRY(sg_view_base(&m->view, progress));
	SG_TRY(sg_peft_base(sg_checkpoint_desc(m->view.ckpt)));
	SG_TRY(sg_view_compose(&m->bare, &m->view, NULL, 0, &m->view.ids, 1));
	SG_TRY(list_places(m));
	SG_TRY(choose_sides(m));
	SG_TRY(set_ranks(m));
	SG_TRY(take_tensors(m));
	SG_TRY(check_left(m));
	SG_TRY(check_targets(m));
	SG_TRY(join_ranks(m));
	SG_TRY(order_sites(m));
	return make_graft(m);
}

static int answer(struct sg_peft_info *out, const struct import *m)
{
	struct sg_peft_info i = {
		.type = m->g->type->name, .modules = m->sites.n, .rank = m->side ? 0 : (uint64_t)m->rank,
		.alpha = m->side ? 0 : m->alpha,
		.bytes = m->g->params.floats * sizeof(float),
	};
	int rc = 0;

	strcpy(i.id, m->g->id);
	if (m->o->name)
		rc = (i.name = sg_strdup(m->o->name)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && m->base_name)
		rc = (i.base_name = sg_strdup(m->base_name)) ? 0 : -SG_E_NOMEM;
	if (rc < 0)
		sg_peft_info_release(&i);
	else
		*out = i;
	return rc;
}

int sg_import_peft(struct sg_peft_info *out, struct sg_repo *r, const struct sg_import_opts *o,
		   const struct sg_progress *progress)
{
	struct import m = { .r = r, .o = o };
	struct sg_peft_info i = { .name = NULL };
	int rc = prepare(&m, progress);

	/* the change comes last: nothing may fail once it is made */
	if (rc >= 0)
		rc = answer(&i, &m);
	if (rc >= 0)
		rc = keep(&m);
	if (rc >= 0) {
		i.known = rc == 1;
		*out = i;
		rc = 0;
	} else {
		sg_peft_info_release(&i);
	}
	sg_composed_release(&m.bare);
	sg_graft_free(m.g);
	sg_tensors_release(&m.t);
	sg_map_release(&m.map);
	sg_json_release(&m.doc);
	sg_buf_release(&m.config);
	sg_names_release(&m.sites);
	sg_view_release(&m.view);
	free(m.place);
	return rc;
}
