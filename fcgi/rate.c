/*
 * The cheapest rate, or the one that was named.
 */
#include "fcgi/rate.h"
#include "fcgi/decimal.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

static const char *
text_of(const struct json *rate, const char *name)
{
	const char *text = json_text(json_member(rate, name));

	return text == NULL ? "" : text;
}

static bool
is_wished(const struct json *rate, const struct rate_wish *wish)
{
	const char *id = text_of(rate, "id");

	if (*id == '\0' || !decimal_is_valid(text_of(rate, "rate")))
		return false;
	if (wish->id != NULL)
		return strcmp(id, wish->id) == 0;
	return wish->carrier == NULL ||
	    (strcmp(text_of(rate, "carrier"), wish->carrier) == 0 &&
		strcmp(text_of(rate, "service"), wish->service) == 0);
}

/* Nothing promised is later than all that is. */
static double
days_of(const struct json *rate)
{
	const struct json *days = json_member(rate, "delivery_days");

	return json_kind(days) == JSON_KIND_NUMBER ? json_number(days)
						   : (double)INT_MAX;
}

static bool
is_better(const struct json *rate, const struct json *than)
{
	int difference =
	    decimal_compare(text_of(rate, "rate"), text_of(than, "rate"));

	return difference < 0 ||
	    (difference == 0 && days_of(rate) < days_of(than));
}

const struct json *
rate_choose(const struct json *rates, const struct rate_wish *wish)
{
	const struct json *best = NULL;

	for (size_t i = 0; i < json_count(rates); i++) {
		const struct json *rate = json_element(rates, i);

		if (is_wished(rate, wish) &&
		    (best == NULL || is_better(rate, best)))
			best = rate;
	}
	return best;
}

bool
rate_is_comparable(const struct json *rates, const struct rate_wish *wish)
{
	const char *currency = NULL;

	for (size_t i = 0; i < json_count(rates); i++) {
		const struct json *rate = json_element(rates, i);

		if (!is_wished(rate, wish))
			continue;
		if (currency == NULL)
			currency = text_of(rate, "currency");
		else if (strcmp(currency, text_of(rate, "currency")) != 0)
			return false;
	}
	return true;
}

bool
rate_is_too_dear(const struct json *rate, const struct rate_wish *wish)
{
	return wish->max_price != NULL &&
	    decimal_compare(text_of(rate, "rate"), wish->max_price) > 0;
}
