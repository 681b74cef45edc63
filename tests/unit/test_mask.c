/*
 * Keys are found wherever they stand, and nothing else is touched.
 */
#include "fcgi/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECRET "j8sBMzKAziIgcmqHsfJVMsIeCfCGo--ZtywJMkF8_74"

static struct arena *arena;

static void
check(const char *text, const char *expected)
{
	const char *masked = mask_keys(arena, text);

	assert_string_equal(masked, expected);
	assert_int_equal(mask_finds_key(text), masked != text);
}

static void
keys_are_cut_to_their_beginning(void **state)
{
	(void)state;
	check("wb_" SECRET, "wb_***");
	check("/v2/x/wb_" SECRET "/buy", "/v2/x/wb_***/buy");
	check("EZAK0123456789abcdef", "EZAK***");
	check("a EZTK0123456789abcdef.", "a EZTK***.");
	check("xwb_" SECRET, "xwb_***");
	check("wb_" SECRET " and EZAK" SECRET "!", "wb_*** and EZAK***!");
	check("EEZAKwb_" SECRET, "EEZAK***");
	check("wb_EZAK0123456789ab", "wb_***");
	check("wb_0123456789a/wb_0123456789ab", "wb_0123456789a/wb_***");
}

static void
all_else_stays(void **state)
{
	(void)state;
	check("", "");
	check("wb_", "wb_");
	check("/db/shipments/EZAK", "/db/shipments/EZAK");
	check("wb_0123456789", "wb_0123456789");
	check("EZBK0123456789abcdef", "EZBK0123456789abcdef");
	check("www.example.com/EZ", "www.example.com/EZ");
	check("shp_0123456789abcdef0123456789abcdef",
	    "shp_0123456789abcdef0123456789abcdef");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_cut_to_their_beginning),
		cmocka_unit_test(all_else_stays),
	};

	arena = arena_new(64 * 1024);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
