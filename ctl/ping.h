/*
 * Asks a pool, at its socket, whether a worker is there.
 */
#ifndef WAYBILL_PING_H
#define WAYBILL_PING_H

#include <stdint.h>

/* 0 when a worker has answered; else an errno: ETIMEDOUT when none did so in time,
 * EACCES when the socket is not for us, EPROTO when it was no worker. */
int ping_pool(const char *socket_path, int64_t deadline_ms)
    __attribute__((warn_unused_result));

#endif
