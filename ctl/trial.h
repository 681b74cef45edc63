/*
 * waybill webhook test: a delivery of our own, and whether it arrives.
 */
#ifndef WAYBILL_TRIAL_H
#define WAYBILL_TRIAL_H

#include "shared/conf.h"

/* A command (commands.h). */
int trial_run(const struct conf *, int count, char **words);

#endif
