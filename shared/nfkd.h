/*
 * Unicode normalisation form KD, with libutf8proc.
 *
 * EasyPost's clients sign with the NFKD form of the webhook secret; it is made
 * once, when the configuration is read, never while a request waits.
 */
#ifndef WAYBILL_NFKD_H
#define WAYBILL_NFKD_H

/* The NFKD form of a UTF-8 string in memory of the process's life, or NULL
 * when the string is not UTF-8. */
const char *nfkd_normalise(const char *);

#endif
