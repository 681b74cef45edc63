/*
 * Reason phrases of HTTP: "Not Found" for 404.
 */
#ifndef WAYBILL_PHRASE_H
#define WAYBILL_PHRASE_H

/* The phrase of RFC 9110 (or 6585, 8470); "Status" for a status that is not
 * listed.  nginx writes it into the status line as it is. */
const char *phrase_find(int status);

#endif
