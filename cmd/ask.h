#ifndef SG_CMD_ASK_H
#define SG_CMD_ASK_H
#include "base/base.h"
/*
 * Asks for a passphrase: the program that SG_ASKPASS names; else the terminal, with
 * nothing shown of what is typed; else the program that SSH_ASKPASS names, which goes
 * first when SSH_ASKPASS_REQUIRE is "prefer" or "force". A sg_ask function (sg.h).
 */
int sg_ask_passphrase(void *arg, char *out, size_t n, const char *prompt);
#endif
