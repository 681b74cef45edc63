/*
 * The types of PostgreSQL that are not simply text, by their number.
 *
 * The numbers of built-in types (pg_type.dat) never change.
 */
#include "shared/kind.h"

#include <stddef.h>

/* clang-format off */
static const struct {
	unsigned type;
	enum db_kind kind;
} kinds[] = {
	{   16, DB_BOOL },
	{   20, DB_NUMBER }, /* int8 */
	{   21, DB_NUMBER }, /* int2 */
	{   23, DB_NUMBER }, /* int4 */
	{   26, DB_NUMBER }, /* oid */
	{  114, DB_JSON },
	{  700, DB_NUMBER }, /* float4 */
	{  701, DB_NUMBER }, /* float8 */
	{ 1114, DB_TIME },   /* timestamp */
	{ 1184, DB_TIME },   /* timestamptz */
	{ 1700, DB_NUMBER }, /* numeric */
	{ 3802, DB_JSON },   /* jsonb */
};

/* clang-format on */

enum db_kind
kind_of_type(unsigned type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].kind;
	return DB_TEXT;
}

bool
kind_is_finite(enum db_kind kind, const char *text)
{
	if (kind != DB_NUMBER && kind != DB_TIME)
		return true;
	if (*text == '-')
		text++;
	/* NaN; Infinity of numbers; infinity of times. */
	return *text != 'N' && *text != 'I' && *text != 'i';
}
