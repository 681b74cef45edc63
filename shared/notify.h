/*
 * Tells systemd how this process is: sd_notify(3) without libsystemd.
 */
#ifndef WAYBILL_NOTIFY_H
#define WAYBILL_NOTIFY_H

#include <stdint.h>

/* Sends `state` ("READY=1", "WATCHDOG=1", "STOPPING=1", several separated by
 * newlines) to the socket in $NOTIFY_SOCKET.  Does nothing when there is none;
 * a message that cannot be sent is lost, because nothing would be better for
 * it.  Never blocks; keeps errno. */
void notify_send(const char *state);

/* How often WATCHDOG=1 should be sent, in milliseconds (a third of what
 * systemd allows, $WATCHDOG_USEC); 0 when nobody watches this process. */
int64_t notify_watchdog_ms(void);

#endif
