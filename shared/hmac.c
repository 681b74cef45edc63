/*
 * Signatures, digests and random bytes: see hmac.h for the promises.
 *
 * The only file that includes OpenSSL.  Knows nothing of HTTP but the prefix
 * that EasyPost puts before a signature; secrets come normalised (nfkd.h).
 * What must stay true: no branch and no early end depends on a secret's bytes.
 */
#include "shared/hmac.h"

#include "shared/log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

static const char signature_prefix[] = "hmac-sha256-hex=";

void
hmac_sha256(const void *data, size_t bytes, unsigned char digest[SHA256_BYTES])
{
	/* For the life of the process: to find it each time costs more than a
	 * digest. */
	static EVP_MD *algorithm;

	if (algorithm == NULL)
		algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (algorithm == NULL ||
	    EVP_Digest(data, bytes, digest, NULL, algorithm, NULL) != 1)
		log_panic("hmac.sha256", "OpenSSL failed");
}

void
hmac_hex(
    const unsigned char digest[SHA256_BYTES], char hex[SHA256_HEX_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < SHA256_BYTES; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[SHA256_HEX_BYTES] = '\0';
}

/* The value of a hexadecimal digit of either case, or -1. */
static int
digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The bytes of a signature header; false when it is none. */
static bool
decode(const char *signature, unsigned char digest[SHA256_BYTES])
{
	const size_t prefix_bytes = sizeof(signature_prefix) - 1;
	size_t i;

	if (strncmp(signature, signature_prefix, prefix_bytes) == 0)
		signature += prefix_bytes;
	if (strlen(signature) != SHA256_HEX_BYTES)
		return false;
	for (i = 0; i < SHA256_BYTES; i++) {
		int high = digit_value(signature[2 * i]);
		int low = digit_value(signature[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest[i] = (unsigned char)(high * 16 + low);
	}
	return true;
}

static void
sign(const char *secret, const void *body, size_t bytes,
    unsigned char digest[SHA256_BYTES])
{
	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret,
		strlen(secret), body, bytes, digest, SHA256_BYTES,
		NULL) == NULL)
		log_panic("hmac.sign", "OpenSSL failed");
}

bool
hmac_verify(const char *const secrets[], size_t count, const void *body,
    size_t bytes, const char *signature)
{
	unsigned char given[SHA256_BYTES];
	unsigned char ours[SHA256_BYTES];
	bool is_valid = false;
	size_t i;

	if (signature == NULL || !decode(signature, given))
		return false;
	for (i = 0; i < count; i++) {
		bool is_set = secrets[i] != NULL && secrets[i][0] != '\0';

		/* An unset secret costs the same work: time tells nothing. */
		sign(is_set ? secrets[i] : "unset", body, bytes, ours);
		is_valid |=
		    (CRYPTO_memcmp(given, ours, SHA256_BYTES) == 0) & is_set;
	}
	OPENSSL_cleanse(ours, sizeof(ours));
	return is_valid;
}

void
hmac_sign(const char *secret, const void *body, size_t bytes,
    char signature[HMAC_SIGNATURE_BYTES + 1])
{
	unsigned char digest[SHA256_BYTES];

	sign(secret, body, bytes, digest);
	memcpy(signature, signature_prefix, sizeof(signature_prefix) - 1);
	hmac_hex(digest, signature + sizeof(signature_prefix) - 1);
}

bool
hmac_equal(const char *a, const char *b)
{
	size_t bytes = strlen(a);

	return bytes == strlen(b) && CRYPTO_memcmp(a, b, bytes) == 0;
}

void
hmac_random(void *data, size_t bytes)
{
	if (RAND_priv_bytes_ex(NULL, data, bytes, 0) != 1)
		log_panic("hmac.random", "OpenSSL has no random bytes");
}
