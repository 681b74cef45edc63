/*
 * Sessions of the page: a key that may read becomes a cookie.
 *
 * The cookie is HttpOnly and SameSite=Strict, so that no script and no other site
 * can use it, and stands for reading only.  What it holds is random; the database
 * keeps its SHA-256.
 */
#ifndef WAYBILL_SESSION_H
#define WAYBILL_SESSION_H

#include "fcgi/request.h"

/* Handlers for the route table; they take no data. */
void session_begin(struct request *, const void *unused);
void session_show(struct request *, const void *unused);
void session_end(struct request *, const void *unused);

#endif
