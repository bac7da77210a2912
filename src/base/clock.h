#ifndef SG_BASE_CLOCK_H
#define SG_BASE_CLOCK_H
#include "base/base.h"
SG_C_BEGIN
/* Seconds from a moment that is the same as long as the machine runs: only differences
 * mean anything. No change of the date moves it. */
double sg_clock(void);
SG_C_END
#endif
