/*
 * The base of a registry: making the registry around it, finding its weights
 * again, and checking them against the pin.
 *
 * A check of all hashes is remembered in cache/pin-<id16> as the list of the
 * folder's files with size, time and inode; the same list means the same bytes.
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include <sys/stat.h>

#define DEFAULT_WIDTH 256
#define TOKENIZER_MAX ((size_t)256 << 20)

static const char readme[] =
	"# A registry of sg\n\n"
	"Each commit is one step in the growth of a model on a frozen base. Stock git reads all of it:\n\n"
	"    git log --first-parent                                  the steps\n"
	"    git show HEAD:grafts/<id>/graft.json | sha256sum        the id of a graft\n"
	"    git show HEAD:grafts/<id>/accept.json                   why it was let in\n\n"
	"- `sg.json`: the pin of the base, by SHA-256 of every tensor\n"
	"- `base/`: its configuration and tokenizer, and its weights when they are kept here\n"
	"- `policy`: what a graft must pass\n"
	"- `data/`: manifests of the data sets\n"
	"- `grafts/`: the active grafts with their payload and receipts\n";

/* --- binding ---------------------------------------------------------------- */

static char *bind_key(const char *base)
{
	return sg_asprintf("base.%.16s.path", base);
}

static int bound_path(char **out, struct sg_repo *r, const char *base)
{
	char *key = bind_key(base);
	int rc = key ? sg_registry_config_get(out, r->reg, key) : -SG_E_NOMEM;

	free(key);
	return rc;
}

static char *pin_cache(const struct sg_repo *r, const char *base)
{
	return sg_asprintf("%s/pin-%.16s", sg_registry_cache_dir(r->reg), base);
}

static int list_file(struct sg_buf *out, const char *name, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;
	return sg_buf_fmt(out, "%s %lld %lld.%09ld %llu\n", name, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			  st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
}

/* Files of the folder that can hold a part of the base, or the one file that is all
 * of it, with what changes when they do. */
static int list_files(struct sg_buf *out, const char *path)
{
	struct sg_names l = { 0 };
	int rc = sg_buf_fmt(out, "%s\n", path);

	if (rc >= 0 && !sg_dir_exists(path))
		return list_file(out, "", path);
	if (rc >= 0)
		rc = sg_dir_list(&l, path);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *dot = strrchr(l.name[i], '.');
		char *full;

		if (!dot || (strcmp(dot, ".json") && strcmp(dot, ".safetensors")))
			continue;
		full = sg_path_join(path, l.name[i]);
		rc = full ? list_file(out, l.name[i], full) : -SG_E_NOMEM;
		free(full);
	}
	sg_names_release(&l);
	return rc;
}

static bool remembered(struct sg_repo *r, const char *base, const char *path)
{
	struct sg_buf now = { 0 }, then = { 0 };
	char *file = pin_cache(r, base);
	bool same = file && sg_file_exists(file) && list_files(&now, path) >= 0 &&
		    sg_file_read(&then, file, 1 << 20) >= 0 && !strcmp(now.data, then.data);

	free(file);
	sg_buf_release(&now);
	sg_buf_release(&then);
	return same;
}

static int remember(struct sg_repo *r, const char *base, const char *path)
{
	struct sg_buf now = { 0 };
	char *file = pin_cache(r, base);
	int rc = file ? list_files(&now, path) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = sg_file_write(file, now.data, now.len);
	free(file);
	sg_buf_release(&now);
	return rc;
}

/* --- checking --------------------------------------------------------------- */

static const char *text_of(const struct sg_json *o, const char *key)
{
	const char *s = "";

	(void)sg_json_str(o, key, &s);
	return s;
}

static const struct sg_json *tensor_of(const struct sg_json *pin, const char *name)
{
	const struct sg_json *list = sg_json_get(pin, "tensors");

	for (const struct sg_json *t = list ? list->child : NULL; t; t = t->next)
		if (!strcmp(text_of(t, "name"), name))
			return t;
	return NULL;
}

/* Says what the first difference of two pins is. */
static int differ(const struct sg_json *want, const struct sg_json *got, const char *where)
{
	static const char *const parts[] = { "arch", "config", "tokenizer" };
	const struct sg_json *list = sg_json_get(want, "tensors");

	for (size_t i = 0; i < SG_LEN(parts); i++)
		if (strcmp(text_of(want, parts[i]), text_of(got, parts[i])))
			return sg_fail(SG_E_REFUSED, "'%s' is not the pinned base: its %s differs", where, parts[i]);
	for (const struct sg_json *t = list ? list->child : NULL; t; t = t->next) {
		const struct sg_json *g = tensor_of(got, text_of(t, "name"));

		if (!g || strcmp(text_of(g, "sha256"), text_of(t, "sha256")))
			return sg_fail(SG_E_REFUSED, "'%s' is not the pinned base: tensor '%s' %s", where,
				       text_of(t, "name"), g ? "differs" : "is missing");
	}
	return sg_fail(SG_E_REFUSED, "'%s' is not the pinned base: its computed tensors differ", where);
}

static int read_doc(struct sg_json_doc *doc, struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_buf b = { 0 };
	int rc = sg_tree_read(&b, r->reg, commit, "sg.json", (size_t)256 << 20);

	if (rc >= 0)
		rc = sg_json_parse(doc, b.data, b.len, "sg.json");
	sg_buf_release(&b);
	return rc;
}

/* Hashes everything and holds it against the pin of the view's commit. */
static int check_pin(struct sg_view *v, const struct sg_checkpoint *c, const char *where,
		     const struct sg_progress *progress)
{
	struct sg_buf pin = { 0 };
	struct sg_json_doc want = { 0 }, got = { 0 };
	char id[SG_SHA256_HEX];
	int rc = sg_checkpoint_pin(&pin, c, progress);

	if (rc >= 0)
		rc = sg_sha256_hex(id, pin.data, pin.len);
	if (rc >= 0 && strcmp(id, v->base)) {
		rc = read_doc(&want, v->r, &v->commit);
		if (rc >= 0)
			rc = sg_json_parse(&got, pin.data, pin.len, "pin");
		if (rc >= 0)
			rc = differ(sg_json_get(sg_json_root(&want), "base"), sg_json_root(&got), where);
	}
	sg_json_release(&want);
	sg_json_release(&got);
	sg_buf_release(&pin);
	return rc;
}

/* --- embedded weights ------------------------------------------------------- */

static int shape_of(struct sg_tensor_info *t, const struct sg_json *j)
{
	const struct sg_json *shape = sg_json_get(j, "shape");
	size_t n = 1, last = 1;

	t->name = text_of(j, "name");
	t->dtype_name = text_of(j, "dtype");
	t->dtype = sg_dtype_find(t->dtype_name);
	if (t->dtype == SG_DTYPE_COUNT || !shape || shape->type != SG_JSON_ARRAY || shape->n > SG_TENSOR_DIMS)
		return sg_fail(SG_E_CORRUPT, "sg.json: tensor '%s' has no usable type or shape", t->name);
	for (const struct sg_json *d = shape->child; d; d = d->next) {
		if (d->type != SG_JSON_NUMBER || !(d->num >= 0 && d->num < 1e12))
			return sg_fail(SG_E_CORRUPT, "sg.json: tensor '%s' has no usable shape", t->name);
		t->shape[t->ndim++] = last = (size_t)d->num;
		if (!sg_mul(&n, n, (size_t)d->num))
			return sg_fail(SG_E_CORRUPT, "sg.json: tensor '%s' is too large", t->name);
	}
	if (last % sg_dtypes[t->dtype].block)
		return sg_fail(SG_E_CORRUPT, "sg.json: tensor '%s' ends within a block", t->name);
	if (!sg_mul(&t->bytes, n / sg_dtypes[t->dtype].block, sg_dtypes[t->dtype].size))
		return sg_fail(SG_E_CORRUPT, "sg.json: tensor '%s' is too large", t->name);
	return 0;
}

/* Reads base/data/... into one block that the checkpoint then owns. */
static int open_embedded(struct sg_view *v, const struct sg_json *pin, const struct sg_buf *config,
			 const struct sg_buf *tokenizer)
{
	const struct sg_json *list = sg_json_get(pin, "tensors");
	size_t n = list ? list->n : 0, bytes = 0, names = 0, i = 0;
	struct sg_tensor_info *t;
	char *own = NULL, *at, *name;
	int rc;

	SG_TRY(SG_NEW(t, n));
	rc = 0;
	for (const struct sg_json *j = list ? list->child : NULL; rc >= 0 && j; j = j->next, i++) {
		rc = shape_of(&t[i], j);
		names += strlen(t[i].name) + 1;
		if (rc >= 0 && !sg_sum(&bytes, bytes, (t[i].bytes + 63) & ~(size_t)63))
			rc = sg_fail(SG_E_CORRUPT, "sg.json: the base is too large");
	}
	if (rc >= 0)
		rc = SG_NEW(own, n * sizeof(*t) + 64 + bytes + names);
	if (rc < 0)
		goto out;
	at = own + ((n * sizeof(*t) + 63) & ~(size_t)63);
	name = at + bytes;
	for (i = 0; rc >= 0 && i < n; i++) {
		char folder[300];

		snprintf(folder, sizeof(folder), "base/data/%s", t[i].name);
		rc = sg_payload_read(at, t[i].bytes, v->r->reg, &v->commit, folder,
				     text_of(tensor_of(pin, t[i].name), "sha256"));
		t[i].data = (unsigned char *)at;
		t[i].name = strcpy(name, t[i].name);
		t[i].dtype_name = sg_dtypes[t[i].dtype].name;
		at += (t[i].bytes + 63) & ~(size_t)63;
		name += strlen(name) + 1;
	}
	if (rc >= 0) {
		memcpy(own, t, n * sizeof(*t));
		rc = sg_checkpoint_make(&v->ckpt, config->data, config->len, tokenizer->data, tokenizer->len,
					(struct sg_tensor_info *)own, n, own);
	}
	if (rc >= 0)
		own = NULL;
out:
	free(own);
	free(t);
	return rc;
}

static bool is_embedded(struct sg_repo *r, const struct sg_oid *commit)
{
	struct sg_oid oid;

	return sg_tree_find(&oid, NULL, r->reg, commit, "base/data") >= 0;
}

/* Has the pin stored tensors at all? A substrate without blocks has none. */
static bool has_tensors(const struct sg_json *pin)
{
	const struct sg_json *list = sg_json_get(pin, "tensors");

	return list && list->n;
}

static int open_bound(struct sg_view *v, const struct sg_progress *progress)
{
	struct sg_checkpoint *c = NULL;
	char *path = NULL;
	int rc = bound_path(&path, v->r, v->base);

	if (rc == -SG_E_NOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "the weights of base %.16s are not in the registry; "
			       "say where they are with 'sg base bind PATH'", v->base);
	if (rc >= 0 && !sg_dir_exists(path) && !sg_file_exists(path))
		rc = sg_fail(SG_E_NOTFOUND, "the weights of base %.16s are no longer in '%s'; "
			     "say where they are with 'sg base bind PATH'", v->base, path);
	if (rc >= 0)
		rc = sg_checkpoint_open(&c, path);
	if (rc >= 0 && !remembered(v->r, v->base, path)) {
		rc = check_pin(v, c, path, progress);
		if (rc >= 0)
			rc = remember(v->r, v->base, path);
	}
	free(path);
	if (rc < 0)
		sg_checkpoint_free(c);
	else
		v->ckpt = c;
	return rc;
}

int sg_view_base(struct sg_view *v, const struct sg_progress *progress)
{
	struct sg_buf config = { 0 }, tokenizer = { 0 };
	struct sg_json_doc doc = { 0 };
	const struct sg_json *pin;
	int rc;

	if (v->ckpt)
		return 0;
	rc = read_doc(&doc, v->r, &v->commit);
	if (rc < 0)
		return rc;
	pin = sg_json_get(sg_json_root(&doc), "base");
	if (has_tensors(pin) && !is_embedded(v->r, &v->commit)) {
		sg_json_release(&doc);
		return open_bound(v, progress);
	}
	rc = sg_tree_read(&config, v->r->reg, &v->commit, "base/config.json", 16 << 20);
	if (rc >= 0)
		rc = sg_tree_read(&tokenizer, v->r->reg, &v->commit, "base/tokenizer.json", TOKENIZER_MAX);
	if (rc == -SG_E_NOTFOUND && config.data)
		rc = 0;
	if (rc >= 0)
		rc = open_embedded(v, pin, &config, &tokenizer);
	/* payload hashes were checked while reading; the rest is small */
	if (rc >= 0)
		rc = check_pin(v, v->ckpt, "the registry", progress);
	if (rc < 0) {
		sg_checkpoint_free(v->ckpt);
		v->ckpt = NULL;
	}
	sg_json_release(&doc);
	sg_buf_release(&config);
	sg_buf_release(&tokenizer);
	return rc;
}

int sg_base_found(struct sg_repo *r, const char *base, const char *path)
{
	char *key = bind_key(base);
	int rc = key ? sg_registry_config_set(r->reg, key, path) : -SG_E_NOMEM;

	free(key);
	return rc < 0 ? rc : remember(r, base, path);
}

int sg_view_check_pin(struct sg_view *v, const struct sg_progress *progress)
{
	return check_pin(v, v->ckpt, "the base", progress);
}

int sg_base_bind(struct sg_repo *r, const char *path, const struct sg_progress *progress)
{
	struct sg_view v = { 0 };
	struct sg_checkpoint *c = NULL;
	char *full = realpath(path, NULL);
	int rc;

	if (!full)
		return sg_fail_errno(SG_E_NOTFOUND, "cannot find '%s'", path);
	rc = sg_view_open(&v, r, NULL);
	if (rc >= 0)
		rc = sg_checkpoint_open(&c, full);
	if (rc >= 0)
		rc = check_pin(&v, c, path, progress);
	if (rc >= 0)
		rc = sg_base_found(r, v.base, full);
	free(full);
	sg_checkpoint_free(c);
	sg_view_release(&v);
	return rc;
}

int sg_base_verify(struct sg_repo *r, const struct sg_progress *progress)
{
	struct sg_view v = { 0 };
	int rc;

	SG_TRY(sg_view_open(&v, r, NULL));
	rc = sg_view_base(&v, progress);
	if (rc >= 0)
		rc = sg_view_check_pin(&v, progress);
	sg_view_release(&v);
	return rc;
}

int sg_base_info(struct sg_base_info *out, struct sg_repo *r, const char *rev)
{
	struct sg_base_info b = { 0 };
	struct sg_json_doc doc = { 0 };
	struct sg_view v = { 0 };
	struct sg_buf text = { 0 };
	const struct sg_json *pin, *list;
	int rc;

	SG_TRY(sg_view_open(&v, r, rev));
	rc = read_doc(&doc, r, &v.commit);
	pin = rc >= 0 ? sg_json_get(sg_json_root(&doc), "base") : NULL;
	list = sg_json_get(pin, "tensors");
	if (rc >= 0)
		rc = sg_tree_read(&text, r->reg, &v.commit, "base/config.json", 16 << 20);
	if (rc >= 0)
		rc = (b.config = sg_buf_detach(&text)) ? 0 : -SG_E_NOMEM;
	if (rc >= 0 && bound_path(&b.path, r, v.base) < 0)
		b.path = NULL;
	for (const struct sg_json *t = list ? list->child : NULL; rc >= 0 && t; t = t->next) {
		struct sg_tensor_info i = { 0 };

		rc = shape_of(&i, t);
		if (rc >= 0)
			b.parameters += i.bytes / sg_dtypes[i.dtype].size * sg_dtypes[i.dtype].block;
	}
	if (rc >= 0) {
		strcpy(b.id, v.base);
		snprintf(b.arch, sizeof(b.arch), "%s", text_of(pin, "arch"));
		b.tensors = list ? list->n : 0;
		b.embedded = is_embedded(r, &v.commit);
		b.made = !b.tensors;
		*out = b;
	} else {
		sg_base_info_release(&b);
	}
	sg_json_release(&doc);
	sg_buf_release(&text);
	sg_view_release(&v);
	return rc;
}

void sg_base_info_release(struct sg_base_info *b)
{
	free(b->config);
	free(b->path);
	*b = (struct sg_base_info){ 0 };
}

/* --- init ------------------------------------------------------------------- */

static int open_new(struct sg_checkpoint **out, const struct sg_init_opts *o)
{
	struct sg_buf config = { 0 };
	int rc;

	if (o->base)
		return sg_checkpoint_open(out, o->base);
	rc = sg_substrate_config(&config, o->seed, o->width ? o->width : DEFAULT_WIDTH);
	if (rc >= 0)
		rc = sg_checkpoint_make(out, config.data, config.len, NULL, 0, NULL, 0, NULL);
	sg_buf_release(&config);
	return rc;
}

/* A base whose text sg cannot cut is of no use: found out before anything is made. */
static int try_tokenizer(const struct sg_checkpoint *c)
{
	const struct sg_buf *b = sg_checkpoint_tokenizer(c);
	size_t vocab = sg_checkpoint_desc(c)->vocab;
	struct sg_tokenizer *t;
	int rc;

	SG_TRY(b ? sg_tokenizer_parse(&t, b->data, b->len, "tokenizer.json") : sg_tokenizer_byte(&t));
	rc = sg_tokenizer_vocab(t) <= vocab ? 0 :
	     sg_fail(SG_E_CORRUPT, "tokenizer.json has %zu tokens, the model's vocabulary %zu", sg_tokenizer_vocab(t),
		     vocab);
	sg_tokenizer_free(t);
	return rc;
}

int sg_base_put(struct sg_change *c, const struct sg_checkpoint *ckpt, const struct sg_buf *pin, bool embed)
{
	const struct sg_buf *config = sg_checkpoint_config(ckpt), *tok = sg_checkpoint_tokenizer(ckpt);
	struct sg_buf sg = { 0 };
	int rc = sg_buf_fmt(&sg, "{\"base\":");

	if (rc >= 0)
		rc = sg_buf_add(&sg, pin->data, pin->len);
	if (rc >= 0)
		rc = sg_buf_str(&sg, ",\"format\":\"sg-1\"}");
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, "sg.json", sg.data, sg.len);
	sg_buf_release(&sg);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, "base/config.json", config->data, config->len);
	if (rc >= 0 && tok)
		rc = sg_tree_put_data(c->tree, c->pack, "base/tokenizer.json", tok->data, tok->len);
	for (size_t i = 0; rc >= 0 && embed && i < sg_checkpoint_count(ckpt); i++) {
		const struct sg_tensor_info *t = sg_checkpoint_tensor(ckpt, i, NULL);
		char folder[300];

		snprintf(folder, sizeof(folder), "base/data/%s", t->name);
		/* blocks hold numbers of several widths: they are not split into planes */
		rc = sg_payload_write(c->pack, c->tree, folder, t->data, t->bytes,
				      sg_dtype_quantised(t->dtype) ? 1 : (unsigned)sg_dtypes[t->dtype].size);
	}
	return rc;
}

static int init_tree(struct sg_change *c, const struct sg_checkpoint *ckpt, const struct sg_buf *pin, bool embed)
{
	static const char attributes[] = "grafts/*/data/** -text -diff -delta\nbase/data/** -text -diff -delta\n";
	struct sg_buf policy = { 0 };
	int rc = sg_policy_default(&policy);

	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, "policy", policy.data, policy.len);
	sg_buf_release(&policy);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, ".gitattributes", attributes, strlen(attributes));
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, "README.md", readme, strlen(readme));
	return rc < 0 ? rc : sg_base_put(c, ckpt, pin, embed);
}

static int first_commit(struct sg_repo *r, const struct sg_checkpoint *ckpt, const struct sg_buf *pin, const char *id,
			const struct sg_init_opts *o)
{
	const char *arch = sg_checkpoint_desc(ckpt)->arch;
	char state[SG_SHA256_HEX], subject[80];
	struct sg_change c = { 0 };
	struct sg_buf m = { 0 };
	int rc = sg_stack_state(state, id, NULL, 0);

	snprintf(subject, sizeof(subject), "init: %s base %.16s", arch, id);
	if (rc >= 0)
		rc = sg_message(&m, subject, NULL);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Op", "init");
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-Base", "sha256:%s", id);
	if (rc >= 0)
		rc = sg_message_trailer(&m, "Sg-State", "sha256:%s", state);
	if (rc >= 0)
		rc = sg_change_begin(&c, r);
	if (rc >= 0 && !sg_oid_is_zero(&c.head))
		rc = sg_fail(SG_E_EXISTS, "there is a registry with history in '%s' already", sg_repo_dir(r));
	if (rc >= 0)
		rc = init_tree(&c, ckpt, pin, o->embed);
	if (rc >= 0)
		rc = sg_change_done(&c, NULL, NULL, m.data);
	sg_change_release(&c);
	sg_buf_release(&m);
	return rc;
}

/* The registry of dir: a new one, or one whose init was cut short. */
static int open_or_create(struct sg_repo *r, const char *dir, bool *created)
{
	char *path = sg_path_join(dir, ".sg");
	int rc = path ? 0 : -SG_E_NOMEM;

	if (rc >= 0) {
		*created = !sg_dir_exists(path);
		rc = *created ? sg_registry_create(&r->reg, dir) : sg_registry_open(&r->reg, dir);
	}
	free(path);
	return rc;
}

int sg_init(const char *dir, const struct sg_init_opts *o, char base_id[SG_SHA256_HEX],
	    const struct sg_progress *progress)
{
	struct sg_checkpoint *ckpt = NULL;
	struct sg_buf pin = { 0 };
	struct sg_repo *r = NULL;
	bool created = false;
	int rc = SG_NEW(r, 1);

	if (rc >= 0)
		rc = open_new(&ckpt, o);
	if (rc >= 0)
		rc = try_tokenizer(ckpt);
	if (rc >= 0)
		rc = sg_checkpoint_pin(&pin, ckpt, progress);
	if (rc >= 0)
		rc = sg_sha256_hex(base_id, pin.data, pin.len);
	if (rc >= 0)
		rc = open_or_create(r, dir, &created);
	if (rc >= 0)
		rc = sg_repo_signing(r, o->signing);
	if (rc >= 0) {
		rc = first_commit(r, ckpt, &pin, base_id, o);
		if (rc >= 0 && o->base && !o->embed)
			rc = sg_base_bind(r, o->base, NULL);
		if (rc < 0 && created)
			(void)sg_dir_remove(sg_repo_dir(r));
	}
	sg_checkpoint_free(ckpt);
	sg_buf_release(&pin);
	sg_close(r);
	return rc;
}
