#include "model/rotary.h"
#include "base/error.h"
#include <math.h>

static int positive(const struct sg_json *o, const char *key, double *out)
{
	SG_TRY(sg_json_f64(o, key, out));
	if (!(*out > 0) || !isfinite(*out))
		return sg_fail(SG_E_CORRUPT, "config.json: '%s' of the rotary positions is missing or no positive number", key);
	return 0;
}

static int llama3(struct sg_desc *d, const struct sg_json *o)
{
	struct sg_rope *r = &d->rope;

	SG_TRY(positive(o, "low_freq_factor", &r->low));
	SG_TRY(positive(o, "high_freq_factor", &r->high));
	if (r->high <= r->low)
		return sg_fail(SG_E_CORRUPT, "config.json: 'high_freq_factor' is not above 'low_freq_factor'");
	r->kind = SG_ROPE_LLAMA3;
	return 0;
}

static double gain(double factor, double m)
{
	return factor <= 1 ? 1 : 0.1 * m * log(factor) + 1;
}

static int yarn(struct sg_desc *d, const struct sg_json *o)
{
	struct sg_rope *r = &d->rope;
	double m = 0, all = 0, g;

	r->low = 1;
	r->high = 32;
	r->whole = true;
	SG_TRY(positive(o, "beta_slow", &r->low));
	SG_TRY(positive(o, "beta_fast", &r->high));
	SG_TRY(sg_json_bool(o, "truncate", &r->whole));
	SG_TRY(sg_json_f64(o, "mscale", &m));
	SG_TRY(sg_json_f64(o, "mscale_all_dim", &all));
	g = m != 0 && all != 0 ? gain(r->factor, m) / gain(r->factor, all) : gain(r->factor, 1);
	SG_TRY(positive(o, "attention_factor", &g));
	r->kind = SG_ROPE_YARN;
	d->rope_gain = (float)g;
	return 0;
}

static int scaling(struct sg_desc *d, const struct sg_json *o, const char *type)
{
	struct sg_rope *r = &d->rope;

	if (!strcmp(type, "default"))
		return 0;
	SG_TRY(positive(o, "factor", &r->factor));
	r->original = (double)d->max_pos;
	SG_TRY(positive(o, "original_max_position_embeddings", &r->original));
	if (!strcmp(type, "linear")) {
		r->kind = SG_ROPE_LINEAR;
		return 0;
	}
	if (!strcmp(type, "dynamic"))
		return 0;
	if (!strcmp(type, "llama3"))
		return llama3(d, o);
	if (!strcmp(type, "yarn"))
		return yarn(d, o);
	return sg_fail(SG_E_UNSUPPORTED, "config.json: rope type '%s' is not supported%s (known: default, linear, dynamic, "
		       "llama3, yarn)", type, !strcmp(type, "longrope") || !strcmp(type, "su") ?
		       ": its frequencies change with the length of the text" : "");
}

static int share(struct sg_desc *d, const struct sg_json *cfg, const struct sg_json *o, double *part)
{
	double p = part ? *part : 1;

	SG_TRY(sg_json_f64(cfg, "partial_rotary_factor", &p));
	SG_TRY(sg_json_f64(o, "partial_rotary_factor", &p));
	if (!part && p != 1)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: 'partial_rotary_factor' is not supported for '%s'", d->arch);
	if (!(p > 0 && p <= 1))
		return sg_fail(SG_E_CORRUPT, "config.json: the rotary share of a head is not in (0, 1]");
	d->rotary = (size_t)((double)d->head_dim * p);
	if (d->rotary % 2 || !d->rotary)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: rotary positions over %zu numbers of a head, not an even count",
			       d->rotary);
	if (d->rope_gain != 1 && d->rotary != d->head_dim)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: rope type 'yarn' over a part of each head is not supported");
	if (part)
		*part = p;
	return 0;
}

int sg_rotary_config(struct sg_desc *d, const struct sg_json *cfg, const char *theta_key, double *part)
{
	const struct sg_json *o = sg_json_get(cfg, "rope_parameters");
	const char *type = "default";

	if (!o || o->type != SG_JSON_OBJECT)
		o = sg_json_get(cfg, "rope_scaling");
	if (o && o->type == SG_JSON_NULL)
		o = NULL;
	if (o && o->type != SG_JSON_OBJECT)
		return sg_fail(SG_E_CORRUPT, "config.json: the parameters of rotary positions are no object");
	for (const struct sg_json *j = o ? o->child : NULL; j; j = j->next)
		if (j->type == SG_JSON_OBJECT)
			return sg_fail(SG_E_UNSUPPORTED, "config.json: rotary positions that differ between layers ('%s') are "
				       "not supported", j->key);
	d->rope = (struct sg_rope){ .kind = SG_ROPE_PLAIN };
	d->rope_gain = 1;
	d->rope_theta = 10000;
	SG_TRY(sg_json_f64(cfg, theta_key, &d->rope_theta));
	SG_TRY(positive(o, "rope_theta", &d->rope_theta));
	SG_TRY(sg_json_str(o, "type", &type));
	SG_TRY(sg_json_str(o, "rope_type", &type));
	SG_TRY(scaling(d, o, type));
	return share(d, cfg, o, part);
}

static double llama3_frequency(const struct sg_rope *r, double f)
{
	double turns = r->original * f / (2 * M_PI), s;

	if (turns < r->low)
		return f / r->factor;
	if (turns > r->high)
		return f;
	s = (turns - r->low) / (r->high - r->low);
	return (1 - s) * f / r->factor + s * f;
}

/* Index of the pair that turns `turns` times over the original positions. */
static double pair_of(const struct sg_desc *d, double turns)
{
	return (double)d->rotary * log(d->rope.original / (turns * 2 * M_PI)) / (2 * log(d->rope_theta));
}

static double yarn_frequency(const struct sg_desc *d, double f, size_t i)
{
	const struct sg_rope *r = &d->rope;
	double lo = pair_of(d, r->high), hi = pair_of(d, r->low), ramp;

	if (r->whole) {
		lo = floor(lo);
		hi = ceil(hi);
	}
	lo = SG_MAX(lo, 0);
	hi = SG_MIN(hi, (double)d->rotary - 1);
	if (lo == hi)
		hi += 0.001;
	ramp = ((double)i - lo) / (hi - lo);
	ramp = SG_MIN(SG_MAX(ramp, 0), 1);
	return f / r->factor * ramp + f * (1 - ramp);
}

void sg_rotary_table(const struct sg_desc *d, float *out)
{
	for (size_t i = 0; i < d->rotary / 2; i++) {
		double f = pow(d->rope_theta, -2.0 * (double)i / (double)d->rotary);

		switch (d->rope.kind) {
		case SG_ROPE_PLAIN:
			break;
		case SG_ROPE_LINEAR:
			f = f / d->rope.factor;
			break;
		case SG_ROPE_LLAMA3:
			f = llama3_frequency(&d->rope, f);
			break;
		case SG_ROPE_YARN:
			f = yarn_frequency(d, f, i);
			break;
		}
		out[i] = (float)f;
	}
}
