/*
 * Signatures: what EasyPost's clients make is accepted, all else is not.
 *
 * The expected digests were made with `openssl dgst -sha256 -hmac SECRET`.
 */
#include "shared/hmac.h"
#include "shared/nfkd.h"
#include "tests/unit/ending.h"

#include <openssl/provider.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char body[] = "{\"id\":\"evt_1\",\"weight\":136.0,"
			   "\"name\":\"Zo\xc3\xab\"}";

enum { BODY_BYTES = sizeof(body) - 1 };

static const char plain_hex[] =
    "6d7beefe3b3598990b6eaa8c49f978f1c5ad9aaf3ba4e89716f439e2f29a7547";
static const char older_hex[] =
    "c496ad7cb5a6f367058e8c0f65279407c58155f61df7cd80a956a9fc4e982d57";
/* Under the NFC and the NFKD form of the same secret. */
static const char nfc_hex[] =
    "518e56351db12539334464086dd311e32a3da70558ccacd1411aaf756cc88b0d";
static const char nfkd_hex[] =
    "7499b59390ebb8adaa1747141c7c88b405c895e3cde5e42ffd2278b1ac3ce820";
/* Under an empty key: what anybody can make. */
static const char empty_key_hex[] =
    "b7b313c1782cdfca262958b70d945b6f8965e338460b501631489a309ed873f8";
/* Of an empty body. */
static const char empty_body_hex[] =
    "4c20a9ccc16861dd6f29f6cc2dbb71b19e32ff0968c392d3df44e36c385828f4";

static bool
verify(const char *secret, const char *signature)
{
	return hmac_verify(&secret, 1, body, BODY_BYTES, signature);
}

static void
the_signature_of_the_body_is_accepted(void **state)
{
	(void)state;
	assert_true(verify("plain-secret", plain_hex));
	assert_false(verify("plain-secret", older_hex));
	assert_false(verify("plain-secret ", plain_hex));
}

static void
a_published_vector_holds(void **state)
{
	/* RFC 4231, test case 2. */
	const char *key = "Jefe";
	const char *text = "what do ya want for nothing?";

	(void)state;
	assert_true(hmac_verify(&key, 1, text, strlen(text),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843"));
}

static void
the_prefix_is_optional(void **state)
{
	char signature[128];

	(void)state;
	(void)snprintf(
	    signature, sizeof(signature), "hmac-sha256-hex=%s", plain_hex);
	assert_true(verify("plain-secret", signature));
	(void)snprintf(signature, sizeof(signature),
	    "hmac-sha256-hex=hmac-sha256-hex=%s", plain_hex);
	assert_false(verify("plain-secret", signature));
	(void)snprintf(
	    signature, sizeof(signature), "hmac-sha1-hex=%s", plain_hex);
	assert_false(verify("plain-secret", signature));
}

static void
upper_case_digits_are_accepted(void **state)
{
	(void)state;
	assert_true(verify("plain-secret",
	    "6D7BEEFE3B3598990B6EAA8C49F978F1C5AD9AAF3BA4E89716F439E2F29A754"
	    "7"));
}

static void
what_is_no_digit_is_no_signature(void **state)
{
	static const char near[] = "/:@GZ[`gz \n\x7f\xff";
	char signature[SHA256_HEX_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(near) - 1; i++)
		for (int at = 0; at < 2; at++) {
			memcpy(signature, plain_hex, sizeof(signature));
			signature[at] = near[i];
			assert_false(verify("plain-secret", signature));
		}
}

static void
composed_and_decomposed_secrets_are_one_secret(void **state)
{
	/* The same text in NFC, and in NFD, which keeps the ligature. */
	static const char *forms[2];

	(void)state;
	forms[0] = nfkd_normalise("W\xc3\xab"
				  "bh\xc3\xb6ok-\xef\xac\x81-\xe2\x91\xa0");
	forms[1] = nfkd_normalise("We\xcc\x88"
				  "bho\xcc\x88ok-\xef\xac\x81-\xe2\x91\xa0");
	assert_string_equal(forms[0], forms[1]);
	assert_true(verify(forms[0], nfkd_hex));
	assert_false(verify(forms[0], nfc_hex));
}

static void
either_of_two_secrets_is_enough(void **state)
{
	const char *secrets[] = { "plain-secret", "older-secret" };

	(void)state;
	assert_true(hmac_verify(secrets, 2, body, BODY_BYTES, plain_hex));
	assert_true(hmac_verify(secrets, 2, body, BODY_BYTES, older_hex));
	assert_false(hmac_verify(secrets, 2, body, BODY_BYTES, nfkd_hex));
	assert_false(hmac_verify(secrets, 1, body, BODY_BYTES, older_hex));
	assert_false(hmac_verify(secrets, 0, body, BODY_BYTES, plain_hex));
}

static void
an_empty_secret_matches_nothing(void **state)
{
	const char *secrets[] = { "", NULL };
	const char *with_one[] = { "", "plain-secret" };

	(void)state;
	assert_false(hmac_verify(secrets, 2, body, BODY_BYTES, empty_key_hex));
	assert_false(hmac_verify(secrets, 2, body, BODY_BYTES, plain_hex));
	assert_true(hmac_verify(with_one, 2, body, BODY_BYTES, plain_hex));
	assert_false(hmac_verify(with_one, 2, body, BODY_BYTES, empty_key_hex));
}

static void
an_unset_secret_has_no_stand_in(void **state)
{
	const char *none = "";
	const char *unset = "unset";
	char hex[SHA256_HEX_BYTES + 1];
	int digit;

	(void)state;
	/* No signature is good for both, whatever stands in for "". */
	for (digit = 0; digit < 16; digit++) {
		memset(hex, "0123456789abcdef"[digit], SHA256_HEX_BYTES);
		hex[SHA256_HEX_BYTES] = '\0';
		assert_false(hmac_verify(&none, 1, body, BODY_BYTES, hex));
	}
	assert_true(hmac_verify(&unset, 1, body, BODY_BYTES,
	    "647f7b278b16402dadb104e83e896bbf334d550be79107bc8da4f1f351528e9"
	    "2"));
	assert_false(hmac_verify(&none, 1, body, BODY_BYTES,
	    "647f7b278b16402dadb104e83e896bbf334d550be79107bc8da4f1f351528e9"
	    "2"));
}

static void
malformed_signatures_are_refused(void **state)
{
	char text[SHA256_HEX_BYTES + 8];
	size_t i;

	(void)state;
	assert_false(verify("plain-secret", NULL));
	assert_false(verify("plain-secret", ""));
	assert_false(verify("plain-secret", "hmac-sha256-hex="));
	(void)snprintf(text, sizeof(text), "%s0", plain_hex);
	assert_false(verify("plain-secret", text));
	(void)snprintf(text, sizeof(text), "%.63s", plain_hex);
	assert_false(verify("plain-secret", text));
	(void)snprintf(text, sizeof(text), " %s", plain_hex);
	assert_false(verify("plain-secret", text));
	for (i = 0; i < SHA256_HEX_BYTES; i++) {
		(void)snprintf(text, sizeof(text), "%s", plain_hex);
		text[i] = 'g';
		assert_false(verify("plain-secret", text));
	}
}

static void
one_changed_bit_is_noticed(void **state)
{
	char changed[BODY_BYTES];
	const char *secret = "plain-secret";
	size_t i;

	(void)state;
	for (i = 0; i < BODY_BYTES; i++) {
		memcpy(changed, body, BODY_BYTES);
		changed[i] ^= 1;
		assert_false(
		    hmac_verify(&secret, 1, changed, BODY_BYTES, plain_hex));
	}
	assert_false(hmac_verify(&secret, 1, body, BODY_BYTES - 1, plain_hex));
}

static void
an_empty_body_has_a_signature(void **state)
{
	const char *secret = "plain-secret";

	(void)state;
	assert_true(hmac_verify(&secret, 1, "", 0, empty_body_hex));
	assert_true(hmac_verify(&secret, 1, NULL, 0, empty_body_hex));
}

static void
what_is_signed_is_accepted(void **state)
{
	const char *secret = "plain-secret";
	char signature[HMAC_SIGNATURE_BYTES + 1];
	char expected[HMAC_SIGNATURE_BYTES + 1];

	(void)state;
	hmac_sign(secret, body, BODY_BYTES, signature);
	(void)snprintf(
	    expected, sizeof(expected), "hmac-sha256-hex=%s", plain_hex);
	assert_string_equal(signature, expected);
	assert_true(hmac_verify(&secret, 1, body, BODY_BYTES, signature));
}

static void
digests_are_sha256(void **state)
{
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES + 1];

	(void)state;
	hmac_sha256("abc", 3, digest);
	hmac_hex(digest, hex);
	assert_string_equal(hex,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	hmac_sha256(NULL, 0, digest);
	hmac_hex(digest, hex);
	assert_string_equal(hex,
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
}

static void
equal_means_every_byte_and_the_length(void **state)
{
	(void)state;
	assert_true(hmac_equal("", ""));
	assert_true(hmac_equal("abc", "abc"));
	assert_false(hmac_equal("abc", "abd"));
	assert_false(hmac_equal("abc", "ab"));
	assert_false(hmac_equal("", "a"));
}

static void
random_bytes_differ(void **state)
{
	unsigned char first[32] = { 0 };
	unsigned char second[32] = { 0 };

	(void)state;
	hmac_random(first, sizeof(first));
	hmac_random(second, sizeof(second));
	assert_memory_not_equal(first, second, sizeof(first));
	hmac_random(first, 0);
}

/* OpenSSL with a provider that has nothing. */
static void
take_openssl_away(void)
{
	assert_non_null(OSSL_PROVIDER_load(NULL, "null"));
}

static void
digest(void *context)
{
	unsigned char unused[SHA256_BYTES];

	(void)context;
	take_openssl_away();
	hmac_sha256("abc", 3, unused);
}

static void
check_signature(void *context)
{
	(void)context;
	take_openssl_away();
	(void)verify("plain-secret", plain_hex);
}

static void
draw(void *context)
{
	unsigned char unused[32];

	(void)context;
	take_openssl_away();
	hmac_random(unused, sizeof(unused));
}

/* Before all others: what OpenSSL has found is kept. */
static void
without_openssl_nothing_is_signed_or_accepted(void **state)
{
	(void)state;
	assert_ends(digest, NULL, true, "<2>hmac.sha256 ");
	assert_ends(check_signature, NULL, true, "<2>hmac.sign ");
	assert_ends(draw, NULL, true, "<2>hmac.random ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_openssl_nothing_is_signed_or_accepted),
		cmocka_unit_test(what_is_no_digit_is_no_signature),
		cmocka_unit_test(the_signature_of_the_body_is_accepted),
		cmocka_unit_test(a_published_vector_holds),
		cmocka_unit_test(the_prefix_is_optional),
		cmocka_unit_test(upper_case_digits_are_accepted),
		cmocka_unit_test(
		    composed_and_decomposed_secrets_are_one_secret),
		cmocka_unit_test(either_of_two_secrets_is_enough),
		cmocka_unit_test(an_empty_secret_matches_nothing),
		cmocka_unit_test(an_unset_secret_has_no_stand_in),
		cmocka_unit_test(malformed_signatures_are_refused),
		cmocka_unit_test(one_changed_bit_is_noticed),
		cmocka_unit_test(an_empty_body_has_a_signature),
		cmocka_unit_test(what_is_signed_is_accepted),
		cmocka_unit_test(digests_are_sha256),
		cmocka_unit_test(equal_means_every_byte_and_the_length),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
