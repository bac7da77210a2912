#ifndef SG_CMD_LOOK_H
#define SG_CMD_LOOK_H
/* What the commands that look print alike: grafts, steps, measurements. */
#include "cmd/cmd.h"
#include "cmd/print.h"
#include "sg.h"

#define SG_ID_SHOWN 16		/* digits of a graft's or state's id */
#define SG_COMMIT_SHOWN 10	/* digits of a commit's */

/* Text that may be anything, as JSON: bytes that are no UTF-8 become U+FFFD. */
void sg_look_put(struct sg_jsonw *w, const char *key, const char *v);
/* An id, or null when it is "". */
void sg_look_put_id(struct sg_jsonw *w, const char *key, const char *hex);
void sg_look_put_names(struct sg_jsonw *w, const char *key, const struct sg_names *l);

/* Members of the object that is open. */
void sg_look_graft_json(struct sg_jsonw *w, const struct sg_graft_info *g);
/* Gates with numbers as rows: gate, set, before -> after, gain and its bounds, n,
 * verdict; the others as lines. */
void sg_look_gates(const struct sg_verdict_info *v, FILE *to);

/* What a gain of nats per token cost, as members of the open object: parameters, payload,
 * seconds and tokens of training, and the gain for each; what is 0 is left out. */
struct sg_look_cost { uint64_t parameters, payload, tokens; double seconds; };
void sg_look_cost_json(struct sg_jsonw *w, const double *gain, const struct sg_look_cost *c);

/* A step as an object; stat: what it gained for its size and training. */
void sg_look_step_json(struct sg_jsonw *w, const struct sg_step *s, bool stat);
/* As one line, and as a paragraph with its commit, author and numbers. */
void sg_look_step_line(const struct sg_step *s, FILE *to);
int sg_look_step(const struct sg_step *s, bool stat, FILE *to);

/* Notes as a member of the open object, and as lines. */
void sg_look_notes_json(struct sg_jsonw *w, const struct sg_note *note, size_t n);
void sg_look_notes(const struct sg_note *note, size_t n, const char *lead, FILE *to);

/* What differs, as an object; and as lines "- graft", "+ data", ...; gates: with
 * what the gates said of each graft. */
void sg_look_diff_json(struct sg_jsonw *w, const struct sg_diff *d);
void sg_look_changes(const struct sg_diff *d, bool gates, FILE *to);

/* What a command did to a name, as JSON: {"<did>":name,"commit":hex}. */
int sg_look_said(const char *did, const char *name, const char *commit);

/* "1,234,567" */
const char *sg_look_number(uint64_t n);
/* "3 sites", "1 site" */
const char *sg_look_sites(size_t n);
enum sg_color sg_look_verdict_color(const char *verdict);
#endif
