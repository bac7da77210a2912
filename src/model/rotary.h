#ifndef SG_MODEL_ROTARY_H
#define SG_MODEL_ROTARY_H
#include "base/json.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * Rotary positions of a configuration, in the words of both generations of
 * config.json: rope_theta and rope_scaling, or rope_parameters.
 *
 * With i < R / 2 and f = theta^(-2i/R), the angle of a pair is its position times
 *   default  f
 *   linear   f / factor
 *   dynamic  f for segments within max_position_embeddings, and none are longer here
 *   llama3   f / factor for wavelengths above original / low, f below original / high,
 *            between them (1 - s) f / factor + s f, s = (original / wavelength - low) / (high - low)
 *   yarn     f / factor ramp + f (1 - ramp) (Peng and others 2023), queries and keys also
 *            multiplied by 1 + log(factor) / 10
 */

/*
 * Sets theta, scaling and the rotary width, all of head_dim, of d from a configuration,
 * whose max_pos and head_dim are set. theta_key: where older files of this kind
 * have theta. part: NULL, or the share of each head that is turned, with its
 * default; a file that states one where NULL stands is refused.
 */
int sg_rotary_config(struct sg_desc *d, const struct sg_json *cfg, const char *theta_key, double *part);
/* f [d->rotary / 2]. Doubles rounded once: C libraries agree on pow to far more
 * digits than an f32 keeps, so the table is the same everywhere. */
void sg_rotary_table(const struct sg_desc *d, float *f);
SG_C_END
#endif
