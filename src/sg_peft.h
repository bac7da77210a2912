#ifndef SG_SG_PEFT_H
#define SG_SG_PEFT_H
/* The folder of a PEFT adapter (LoRA, DoRA, IA3), both ways. Not installed. */
#include "sg_repo.h"
#include "model/arch.h"
SG_C_BEGIN
#define SG_PEFT_CONFIG "adapter_config.json"
#define SG_PEFT_MODEL "adapter_model.safetensors"
#define SG_PEFT_PREFIX "base_model.model."

/* Does the base have this map, one of its own or a tied head? */
bool sg_peft_has(const struct sg_desc *d, const char *site);
/* Name of a site of the base as a module of its transformers model, and how the map
 * stands in it. NOTFOUND when the base has no such map. */
int sg_peft_module(char *out, size_t size, enum sg_layout *layout, const struct sg_desc *d, const char *site);
/* 0 when a graft with these parts (sg_peft_parts) can stand on the module; REFUSED says
 * what it would need. */
int sg_peft_check(const char *module, enum sg_layout layout, const char *site, const char *parts);
/* Is the module one map for query, key and value, of which the site is a part? */
bool sg_peft_fused(enum sg_layout layout);
/* Which of its outputs is output i of the site; how many there are, when the site has out. */
size_t sg_peft_row(const struct sg_desc *d, enum sg_layout layout, size_t i);
size_t sg_peft_rows(const struct sg_desc *d, enum sg_layout layout, size_t out);
/* REFUSED when transformers has no model like the base. */
int sg_peft_base(const struct sg_desc *d);
/* The tensors that a type has there, a letter each as its own are called: "AB", "ABm" or
 * "l"; NULL: none of the forms. */
const char *sg_peft_parts(const char *type);
/* Name of one of them, "<module>.lora_A.weight" behind the prefix for A. */
void sg_peft_key(char *out, size_t size, const char *module, char part);
/* 1 and *v: what `list` ("rank_pattern" or "alpha_pattern") of an adapter's configuration
 * gives to the module; 0: nothing, *v as it was. REFUSED for a pattern that is not
 * understood. */
int sg_peft_pattern(double *v, const struct sg_json *config, const char *list, const char *module);
SG_C_END
#endif
