/*
 * waybill webhook new-secret: what EasyPost shall sign with.
 */
#ifndef WAYBILL_SECRET_H
#define WAYBILL_SECRET_H

#include "shared/conf.h"

/* A command (commands.h). */
int secret_run(const struct conf *, int count, char **words);

#endif
