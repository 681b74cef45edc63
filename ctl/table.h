/*
 * Rows of the database as a table for people.
 */
#ifndef WAYBILL_TABLE_H
#define WAYBILL_TABLE_H

#include "shared/db.h"

/* Calls the function and prints its rows under the names of their columns. */
enum db_status table_print(struct db *, const struct db_call *)
    __attribute__((warn_unused_result));

#endif
