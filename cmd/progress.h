#ifndef SG_CMD_PROGRESS_H
#define SG_CMD_PROGRESS_H
#include "base/log.h"
/*
 * How commands show progress: one bar on stderr when it is a terminal, a plain
 * line every few seconds when it is not, nothing with quiet.
 *
 * The first report also takes over SIGINT and SIGTERM: the next signal makes
 * reports ask the work to stop, one more kills the process.
 */
void sg_progress_setup(struct sg_progress *out, bool quiet);

/* Finish the line in hand, so that other text can follow. Safe at any time. */
void sg_progress_end(void);

/* Was the work asked to stop? */
bool sg_progress_stopped(void);
#endif
