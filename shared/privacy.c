/*
 * prctl(2), once; exec(2) forgets it, fork(2) does not.
 *
 * LimitCORE=0 in the units is not enough: the kernel does not look at it when
 * cores go to a program (core(5)).
 */
#include "shared/privacy.h"

#include "shared/log.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

void
privacy_begin(const struct conf *conf)
{
	if (conf->environment == CONF_PRODUCTION &&
	    prctl(PR_SET_DUMPABLE, 0) != 0)
		log_fatal("privacy.begin", strerror(errno));
}
