/*
 * What may go to EasyPost: paths, queries, and which writes spend money.
 */
#ifndef WAYBILL_TARGET_H
#define WAYBILL_TARGET_H

#include <stdbool.h>

/* True when the path consists of segments of [A-Za-z0-9_.~:@-] that are
 * neither "." nor ".."; the last one may be empty. */
bool target_path_is_valid(const char *path);

/* True when the raw query holds visible ASCII only, and no '#'. */
bool target_query_is_valid(const char *query);

/* True when doing it twice may cost money or undo a purchase: every POST but
 * those known to be harmless. */
bool target_spends_money(const char *method, const char *path);

#endif
