/*
 * Normalisation form KD: what a webhook secret becomes.
 */
#include "shared/nfkd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Forms live as long as the process: kept here, so that none is a leak. */
static const char *kept[64];
static size_t kept_count;

static const char *
normalise(const char *text)
{
	const char *form = nfkd_normalise(text);

	assert_true(kept_count < sizeof(kept) / sizeof(kept[0]));
	kept[kept_count++] = form;
	return form;
}

static void
ascii_stays_as_it_is(void **state)
{
	char text[0x80];
	int i;

	(void)state;
	for (i = 0; i < 0x7f; i++)
		text[i] = (char)(i + 1);
	text[0x7f] = '\0';
	assert_string_equal(normalise(text), text);
	assert_string_equal(normalise(""), "");
}

static void
composed_letters_come_apart(void **state)
{
	(void)state;
	assert_string_equal(normalise("W\xc3\xab"), "We\xcc\x88");
	assert_string_equal(normalise("We\xcc\x88"), "We\xcc\x88");
	/* Two marks of different classes come into canonical order. */
	assert_string_equal(
	    normalise("q\xcc\x87\xcc\xa3"), "q\xcc\xa3\xcc\x87");
	/* A Hangul syllable. */
	assert_string_equal(
	    normalise("\xea\xb0\x81"), "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8");
}

static void
compatibility_forms_are_replaced(void **state)
{
	(void)state;
	assert_string_equal(normalise("\xef\xac\x81"), "fi");
	assert_string_equal(normalise("\xe2\x91\xa0"), "1");
	assert_string_equal(normalise("\xef\xbc\xa1"), "A");
	assert_string_equal(normalise("\xc2\xa0"), " ");
}

static void
nothing_is_folded_or_removed(void **state)
{
	(void)state;
	assert_string_equal(normalise("Ab \xc3\x9f"), "Ab \xc3\x9f");
	assert_string_equal(normalise("\xf0\x9f\x93\xa6"), "\xf0\x9f\x93\xa6");
	assert_string_equal(normalise("a\xe2\x80\x8b"), "a\xe2\x80\x8b");
}

static void
the_form_of_a_form_is_itself(void **state)
{
	const char *form;

	(void)state;
	form = normalise("W\xc3\xab\xef\xac\x81\xe2\x91\xa0\xea\xb0\x81");
	assert_string_equal(normalise(form), form);
}

static void
what_is_not_utf8_is_refused(void **state)
{
	(void)state;
	assert_null(nfkd_normalise("caf\xe9"));
	assert_null(nfkd_normalise("\xc3"));
	assert_null(nfkd_normalise("\xed\xa0\x80"));
	assert_null(nfkd_normalise("\xc0\xaf"));
	assert_null(nfkd_normalise("\xf4\x90\x80\x80"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascii_stays_as_it_is),
		cmocka_unit_test(composed_letters_come_apart),
		cmocka_unit_test(compatibility_forms_are_replaced),
		cmocka_unit_test(nothing_is_folded_or_removed),
		cmocka_unit_test(the_form_of_a_form_is_itself),
		cmocka_unit_test(what_is_not_utf8_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
