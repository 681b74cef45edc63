/*
 * Signatures, digests and random bytes, with OpenSSL.
 *
 * The only file that includes OpenSSL.  A failure inside the library is a
 * panic: there is no answer to give without it.
 */
#ifndef WAYBILL_HMAC_H
#define WAYBILL_HMAC_H

#include <stdbool.h>
#include <stddef.h>

enum {
	SHA256_BYTES = 32,
	SHA256_HEX_BYTES = 64,
	HMAC_SIGNATURE_BYTES = 16 + SHA256_HEX_BYTES, /* with its prefix */
};

/* SHA-256 of `bytes` bytes (FIPS 180-4). */
void hmac_sha256(
    const void *data, size_t bytes, unsigned char digest[SHA256_BYTES]);

/* Lower-case hexadecimal and a zero byte. */
void hmac_hex(
    const unsigned char digest[SHA256_BYTES], char hex[SHA256_HEX_BYTES + 1]);

/* True when `signature` (64 hexadecimal digits, with or without the prefix
 * "hmac-sha256-hex=") is the HMAC-SHA256 (RFC 2104) of the body under one of
 * the `count` secrets.  An empty or NULL secret matches nothing.  All secrets
 * are always tried and compared in constant time. */
bool hmac_verify(const char *const secrets[], size_t count, const void *body,
    size_t bytes, const char *signature);

/* The signature of the body under the secret, as EasyPost writes it:
 * "hmac-sha256-hex=" and 64 lower-case digits, and a zero byte. */
void hmac_sign(const char *secret, const void *body, size_t bytes,
    char signature[HMAC_SIGNATURE_BYTES + 1]);

/* True when both strings are equal; its time depends on their lengths only. */
bool hmac_equal(const char *, const char *);

/* Fills `data` with random bytes fit for keys. */
void hmac_random(void *data, size_t bytes);

#endif
