/*
 * A whole list, streamed, as CSV or as one JSON object a line.
 */
#ifndef WAYBILL_EXPORT_H
#define WAYBILL_EXPORT_H

#include "fcgi/list.h"

/* Answers with all rows of the list that the parameters leave, whatever their
 * number, in bounded memory.  `taken` are its parameters, format being csv or
 * ndjson; the cursor in it moves on. */
void export_list(
    struct request *, const struct list *, struct parameter_values *taken);

#endif
