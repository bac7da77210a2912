#ifndef SG_REGISTRY_AGENT_H
#define SG_REGISTRY_AGENT_H
#include "registry/sshkey.h"
SG_C_BEGIN
/* Keys that ssh-agent holds, by the socket that SSH_AUTH_SOCK names. */

/* 1: there is an agent and it has the key; 0: it has not, or there is none. */
int sg_agent_has(const struct sg_pubkey *k);
/* REFUSED: the agent would not. */
int sg_agent_sign(unsigned char sig[SG_ED25519_SIG], const struct sg_pubkey *k, const void *data, size_t n);
SG_C_END
#endif
