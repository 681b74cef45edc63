/*
 * Rows of the database as a table for people.
 */
#ifndef WAYBILL_TABLE_H
#define WAYBILL_TABLE_H

#include "shared/db.h"

/* Replaces control bytes by "?", so that nothing that came from outside can play
 * with the terminal. */
void table_make_plain(char *text);

/* Calls the function and prints its rows under the names of their columns.  A first
 * column "title" is the same in all rows, never null and of our own words: it stands
 * above the table. */
enum db_status table_print(struct db *, const struct db_call *)
    __attribute__((warn_unused_result));

#endif
