/*
 * The configuration: what is understood, what is refused and in which words.
 */
#include "shared/conf.h"
#include "shared/log.h"
#include "shared/setting.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/waybill-conf-XXXXXX";
static char file[64];
static char secret_file[64];
static struct conf conf;
static struct buf error;

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/w.conf", dir);
	(void)snprintf(secret_file, sizeof(secret_file), "%s/secret", dir);
	buf_init(&error, 4096);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	(void)unlink(file);
	(void)unlink(secret_file);
	buf_free(&error);
	return rmdir(dir);
}

/* Each test begins with an empty environment. */
static int
set_up(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	return clearenv();
}

static void
write_bytes(const char *path, const char *bytes, size_t count)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, count, f), count);
	assert_int_equal(fclose(f), 0);
}

static bool
load_bytes(const char *bytes, size_t count)
{
	write_bytes(file, bytes, count);
	buf_reset(&error, 4096);
	return conf_load(&conf, file, &error);
}

static bool
load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static void
assert_loads(const char *text)
{
	if (!load(text))
		fail_msg("refused: %s", error.data);
}

/* `at` is "" for the environment, else ":LINE". */
static void
assert_refused(const char *text, const char *at, const char *sentence)
{
	char expected[512];

	assert_false(load(text));
	(void)snprintf(expected, sizeof(expected), "%s%s: %s",
	    *at == '\0' ? "environment" : file, at, sentence);
	assert_string_equal(error.data, expected);
}

static void
nothing_given_means_the_defaults(void **state)
{
	(void)state;
	buf_reset(&error, 4096);
	assert_true(conf_load(&conf, NULL, &error));
	assert_string_equal(conf.secrets.database_url, "");
	assert_string_equal(conf.secrets.webhook_secret_previous, "");
	assert_int_equal(conf.environment, CONF_PRODUCTION);
	assert_int_equal(conf.log_priority, LOG_INFO);
	assert_int_equal(conf.activity_addresses, CONF_ADDRESSES_FULL);
	assert_int_equal(conf.workers, 20);
	assert_int_equal(conf.workers_overflow, 30);
	assert_int_equal(conf.worker_requests, 100000);
	assert_int_equal(conf.database_recycle_s, 3600);
	assert_int_equal(conf.database_wait_ms, 2000);
	assert_int_equal(conf.database_connect_ms, 10000);
	assert_int_equal(conf.database_command_ms, 60000);
	assert_false(conf.database_echo);
	assert_false(conf.webhook_allow_unsigned);
	assert_string_equal(conf.easypost_api_base, "https://api.easypost.com");
	assert_string_equal(conf.easypost_ca_file, "");
	assert_string_equal(conf.run_dir, "/run/waybill");
	assert_string_equal(conf.spool_dir, "/var/lib/waybill/spool");
	assert_string_equal(conf.backup_dir, "/var/lib/waybill-backup");
	assert_string_equal(conf.sql_dir, "/usr/share/waybill/sql");
	assert_int_equal(conf.spool_max_bytes, 1073741824);
	assert_int_equal(conf.spool_max_files, 100000);
	assert_int_equal(conf.tracking_fresh_s, 900);
}

static void
the_file_is_read_as_systemd_reads_it(void **state)
{
	(void)state;
	assert_loads("# comment\n"
		     "; another = one\n"
		     "\n"
		     "  WORKERS = 7  \r\n"
		     "DATABASE_URL=\"a\\\"b\\\\c\\$d\\`e\\n \" \n"
		     "DATABASE_READ_URL='a\\n\"b # c'\n"
		     "WAYBILL_RUN_DIR=/a\\ b\\\\c# d\\  \n"
		     "WAYBILL_SQL_DIR=/one\\\n"
		     "/two\n"
		     "WAYBILL_SPOOL_DIR='/x'\"/y\"/z\n"
		     "EASYPOST_API_KEY=\n"
		     "LOG_LEVEL=debug");
	assert_int_equal(conf.workers, 7);
	assert_string_equal(conf.secrets.database_url, "a\"b\\c$d`e\\n ");
	assert_string_equal(conf.secrets.database_read_url, "a\\n\"b # c");
	assert_string_equal(conf.run_dir, "/a b\\c# d ");
	assert_string_equal(conf.sql_dir, "/one/two");
	assert_string_equal(conf.spool_dir, "/x/y/z");
	assert_string_equal(conf.secrets.easypost_api_key, "");
	assert_int_equal(conf.log_priority, LOG_DEBUG);
}

static void
crlf_joins_lines_as_lf_does(void **state)
{
	(void)state;
	assert_loads(
	    "# c\r\nWAYBILL_SQL_DIR=/one\\\r\n/two\r\n"
	    "WAYBILL_RUN_DIR=\"/three\\\r\n/four\"\r\n\r\nWORKERS=5\r\n");
	assert_string_equal(conf.sql_dir, "/one/two");
	assert_string_equal(conf.run_dir, "/three/four");
	assert_int_equal(conf.workers, 5);
}

static void
what_is_no_assignment_is_refused_with_its_line(void **state)
{
	static const char shape[] = "a line must be KEY=VALUE or a comment";

	(void)state;
	assert_refused("\n\nhunter2\n", ":3", shape);
	assert_refused("=x\n", ":1", shape);
	assert_refused("export WORKERS=5\n", ":1", shape);
	assert_refused("\xef\xbb\xbfWORKERS=5\n", ":1", shape);
	assert_refused("WORKERS=5\n\nDATABASE_URL='x\ny\n", ":3",
	    "a single quote is not closed");
	assert_refused(
	    "DATABASE_URL=\"x\\", ":1", "a double quote is not closed");
	assert_refused("WORKERS=\"5\" # five\n", ":1",
	    "nothing may follow a quoted value, not even a comment");
	assert_false(load_bytes("WORKERS=5\0\n", 11));
	assert_non_null(strstr(error.data, "zero byte"));
}

static void
unknown_names_are_refused_by_name(void **state)
{
	(void)state;
	assert_refused("# x\nWORKER_COUNT=1\n", ":2",
	    "WORKER_COUNT is not a key of Waybill");
	assert_refused("workers=5\n", ":1", "workers is not a key of Waybill");
	assert_refused(
	    "WORKERS_FILE=/x\n", ":1", "WORKERS_FILE is not a key of Waybill");
	assert_int_equal(setenv("EASYPOST_APIKEY", "x", 1), 0);
	assert_refused("", "", "EASYPOST_APIKEY is not a key of Waybill");
	assert_int_equal(clearenv(), 0);
	assert_int_equal(setenv("PATH", "/bin", 1), 0);
	assert_int_equal(setenv("HOME", "/", 1), 0);
	assert_loads("");
}

static void
twice_in_the_file_is_refused(void **state)
{
	char sentence[128];

	(void)state;
	(void)snprintf(sentence, sizeof(sentence),
	    "WORKERS is already given as WORKERS (%s:1)", file);
	assert_refused("WORKERS=5\n\nWORKERS=6\n", ":3", sentence);
	(void)snprintf(sentence, sizeof(sentence),
	    "DATABASE_POOL_SIZE is already given as WORKERS (%s:1)", file);
	assert_refused("WORKERS=5\nDATABASE_POOL_SIZE=5\n", ":2", sentence);
}

static void
older_names_are_understood(void **state)
{
	(void)state;
	assert_loads("DATABASE_POOL_SIZE=8\nDATABASE_MAX_OVERFLOW=9\n");
	assert_int_equal(conf.workers, 8);
	assert_int_equal(conf.workers_overflow, 9);
}

static void
the_environment_goes_before_the_file(void **state)
{
	(void)state;
	assert_int_equal(setenv("DATABASE_POOL_SIZE", "11", 1), 0);
	assert_int_equal(setenv("DATABASE_URL", "", 1), 0);
	assert_int_equal(setenv("LOG_LEVEL", "", 1), 0);
	assert_loads("WORKERS=5\nDATABASE_URL=abc\nLOG_LEVEL=debug\n");
	assert_int_equal(conf.workers, 11);
	assert_string_equal(conf.secrets.database_url, "");
	assert_int_equal(conf.log_priority, LOG_INFO); /* empty: default */
	assert_int_equal(setenv("WORKERS", "12", 1), 0);
	assert_false(load(""));
	assert_non_null(strstr(error.data, "is already given as"));
}

static void
numbers_are_whole_and_in_range(void **state)
{
	static const char *const bad[] = { "2", "501", "-5", "+5", "5.0", "5 5",
		"0x10", "five", "99999999999999999999", "\"5\\n\"" };
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "WORKERS=%s\n", bad[i]);
		assert_refused(
		    text, ":1", "WORKERS must be a whole number from 3 to 500");
	}
	assert_loads("WORKERS=3\nWORKERS_OVERFLOW=0\n");
	assert_loads("WORKERS=500\nWORKERS_OVERFLOW=500\n");
	assert_loads("WORKERS=007\n");
	assert_int_equal(conf.workers, 7);
	assert_loads("STALE_READS=false\n");
	assert_false(conf.stale_reads);
	assert_loads("TRACKING_FRESH=0\n");
	assert_int_equal(conf.tracking_fresh_s, 0);
	assert_refused("TRACKING_FRESH=604801\n", ":1",
	    "TRACKING_FRESH must be a whole number from 0 to 604800");
	assert_loads("SPOOL_MAX_BYTES=9223372036854775807\n");
	assert_refused("SPOOL_MAX_BYTES=9223372036854775808\n", ":1",
	    "SPOOL_MAX_BYTES must be a whole number from 1048576 to "
	    "9223372036854775807");
	assert_refused("DATABASE_POOL_TIMEOUT=0\n", ":1",
	    "DATABASE_POOL_TIMEOUT must be a whole number of seconds from 1 "
	    "to 60");
	assert_loads("DATABASE_POOL_TIMEOUT=30\n");
	assert_int_equal(conf.database_wait_ms, 30000);
}

static void
choices_are_words_of_a_list(void **state)
{
	(void)state;
	assert_loads("ENVIRONMENT=test\nLOG_LEVEL=critical\n"
		     "ACTIVITY_ADDRESSES=truncated\n"
		     "DATABASE_ECHO=true\n"
		     "EASYPOST_WEBHOOK_ALLOW_UNSIGNED=true\n");
	assert_int_equal(conf.environment, CONF_TEST);
	assert_int_equal(conf.log_priority, LOG_CRITICAL);
	assert_int_equal(conf.activity_addresses, CONF_ADDRESSES_TRUNCATED);
	assert_true(conf.database_echo);
	assert_true(conf.webhook_allow_unsigned);
	assert_refused("ENVIRONMENT=staging\n", ":1",
	    "ENVIRONMENT must be one of production, development, test");
	assert_refused("LOG_LEVEL=INFO\n", ":1",
	    "LOG_LEVEL must be one of critical, error, warning, notice, info, "
	    "debug");
	assert_refused(
	    "DATABASE_ECHO=1\n", ":1", "DATABASE_ECHO must be true or false");
}

static void
paths_are_absolute_and_bounded(void **state)
{
	char text[256] = "WAYBILL_RUN_DIR=/";

	(void)state;
	assert_refused("WAYBILL_SQL_DIR=sql\n", ":1",
	    "WAYBILL_SQL_DIR must be an absolute path of at most 1024 bytes");
	memset(text + strlen(text), 'x', 90);
	assert_refused(text, ":1",
	    "WAYBILL_RUN_DIR must be an absolute path of at most 90 bytes");
	text[strlen(text) - 1] = '\0';
	assert_loads(text);
}

static void
keys_of_easypost_are_bounded(void **state)
{
	char text[512] = "EASYPOST_API_KEY=";

	(void)state;
	memset(text + strlen(text), 'k', 256);
	assert_refused(text, ":1",
	    "EASYPOST_API_KEY must consist of at most 255 visible ASCII "
	    "characters without a colon");
	text[strlen(text) - 1] = '\0';
	assert_loads(text);
}

static void
keys_of_easypost_belong_to_their_modes(void **state)
{
	(void)state;
	assert_loads("EASYPOST_API_KEY=EZAKx\nEASYPOST_TEST_API_KEY=EZTKx\n");
	assert_refused("EASYPOST_API_KEY=EZTKx\n", ":1",
	    "EASYPOST_API_KEY must not begin with EZTK: that is a key of the "
	    "other mode");
	assert_refused("EASYPOST_TEST_API_KEY=EZAKx\n", ":1",
	    "EASYPOST_TEST_API_KEY must not begin with EZAK: that is a key of "
	    "the other mode");
}

static void
databases_are_those_of_libpq(void **state)
{
	static const char allowed[] =
	    "must begin with postgresql:// or be of the form \"host=... "
	    "dbname=...\"";
	char sentence[160];

	(void)state;
	assert_loads("DATABASE_URL=postgresql://u@h/d\n");
	assert_loads("DATABASE_URL=postgres://u@h/d\n");
	assert_loads("DATABASE_URL=\"host=/run dbname=d password=a://b\"\n");
	(void)snprintf(sentence, sizeof(sentence), "DATABASE_URL %s", allowed);
	assert_refused("DATABASE_URL=mysql://h/d\n", ":1", sentence);
	assert_refused(
	    "DATABASE_URL=postgresql+asyncpg://u@h/d\n", ":1", sentence);
}

static bool
allows_base(const char *base)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "EASYPOST_API_BASE=%s\n", base);
	return load(text);
}

static void
the_api_base_is_https_or_loopback(void **state)
{
	static char longer[8 + 255 + 2];
	static const char *const good[] = { "https://api.easypost.com",
		"https://127.0.0.1:8443", "https://[2001:db8::1]:1",
		"http://localhost", "http://localhost:65535",
		"http://127.0.0.1:1", "http://127.255.0.9", "http://[::1]",
		"http://[::1]:80" };
	static const char *const bad[] = { "api.easypost.com",
		"http://api.easypost.com", "http://128.0.0.1",
		"http://127.0.0.1.evil.example", "http://localhost.evil",
		"http://127.1", "http://0.0.0.0", "http://[::2]", "http://[::1",
		"http://::1", "http://[::1]x", "http://[::1%25lo]", "https://",
		"https:///", "https://:443", "https://user@host",
		"https://user:word@host", "https://host/v2", "https://host//",
		"https://host/?a", "https://host?a", "https://host#a",
		"https://host:0", "https://host:65536",
		"https://host:", "https://host:1x", "https://host:000001",
		"https://ho st", "https://h\\\\o", "https://h_o",
		"HTTPS://host", "ftp://host", "http://[fe80::1]", "https://[]",
		"https://[1.2.3.4]", "https://h%41" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(allows_base(good[i]));
		assert_string_equal(conf.easypost_api_base, good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (allows_base(bad[i]))
			fail_msg("allowed: %s", bad[i]);
		assert_non_null(strstr(
		    error.data, ":1: EASYPOST_API_BASE must be https://"));
		assert_null(strstr(error.data, "word"));
	}
	memcpy(longer, "https://", 8);
	memset(longer + 8, 'h', sizeof(longer) - 9);
	assert_false(allows_base(longer));
	longer[sizeof(longer) - 2] = '\0';
	assert_true(allows_base(longer));
	assert_true(allows_base("https://host:8443/"));
	assert_string_equal(conf.easypost_api_base, "https://host:8443");
}

static void
a_secret_may_be_in_a_file(void **state)
{
	char text[128];

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "DATABASE_URL=\nDATABASE_URL_FILE=%s\n", secret_file);
	write_bytes(secret_file, " s3cret \n", 9);
	assert_loads(text);
	assert_string_equal(conf.secrets.database_url, " s3cret ");
	write_bytes(secret_file, "s3cret", 6);
	assert_loads(text);
	assert_string_equal(conf.secrets.database_url, "s3cret");
	write_bytes(secret_file, "", 0);
	assert_loads(text);
	assert_string_equal(conf.secrets.database_url, "");
	assert_loads("DATABASE_URL_FILE=\n");
	assert_string_equal(conf.secrets.database_url, "");
	assert_loads("DATABASE_URL=\"\"\nDATABASE_URL_FILE=\n");
	assert_string_equal(conf.secrets.database_url, "");
	assert_loads("DATABASE_URL=s3cret\nDATABASE_URL_FILE=\n");
	assert_string_equal(conf.secrets.database_url, "s3cret");
	assert_int_equal(setenv("DATABASE_URL", "other", 1), 0);
	assert_loads(text);
	assert_string_equal(conf.secrets.database_url, "other");
}

/* A unit names the files of all its secrets in the environment. */
static void
an_empty_file_of_a_unit_leaves_only_urls_to_the_configuration(void **state)
{
	static const char lines[] = "DATABASE_URL=postgresql:///x\n"
				    "EASYPOST_API_KEY=EZAKx\n";

	(void)state;
	write_bytes(secret_file, "\n", 1);
	assert_int_equal(setenv("DATABASE_URL_FILE", secret_file, 1), 0);
	assert_int_equal(setenv("EASYPOST_API_KEY_FILE", secret_file, 1), 0);
	assert_loads(lines);
	assert_string_equal(conf.secrets.database_url, "postgresql:///x");
	assert_string_equal(conf.secrets.easypost_api_key, "");
	assert_loads("# nothing\n");
	assert_string_equal(conf.secrets.database_url, "");
	write_bytes(secret_file, "s3cret\n", 7);
	assert_loads(lines);
	assert_string_equal(conf.secrets.database_url, "s3cret");
	assert_string_equal(conf.secrets.easypost_api_key, "s3cret");
}

static void
a_bad_secret_file_is_refused_without_its_text(void **state)
{
	static const char *const bad[] = { "s3cret\n\n", "s3cret\r\n",
		"s3\tcret", "\x7fs3cret" };
	char text[128];
	size_t i;

	(void)state;
	(void)snprintf(text, sizeof(text), "EASYPOST_WEBHOOK_SECRET_FILE=%s\n",
	    secret_file);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_bytes(secret_file, bad[i], strlen(bad[i]));
		assert_refused(text, ":1",
		    "EASYPOST_WEBHOOK_SECRET_FILE must not hold a control "
		    "byte, such as a line end");
	}
	write_bytes(secret_file, "s3\0cret", 7);
	assert_refused(text, ":1",
	    "EASYPOST_WEBHOOK_SECRET_FILE names a file that holds a zero "
	    "byte");
	assert_refused("EASYPOST_API_KEY_FILE=/s3cret\n", ":1",
	    "EASYPOST_API_KEY_FILE names a file that cannot be read: No such "
	    "file or directory");
}

static void
a_secret_and_its_file_exclude_each_other(void **state)
{
	char sentence[128];

	(void)state;
	(void)snprintf(sentence, sizeof(sentence),
	    "DATABASE_URL_FILE and DATABASE_URL exclude each other (%s:1)",
	    file);
	assert_refused(
	    "DATABASE_URL=a\nDATABASE_URL_FILE=/b\n", ":2", sentence);
}

static void
webhook_secrets_are_normalised(void **state)
{
	(void)state;
	assert_loads("EASYPOST_WEBHOOK_SECRET=W\xc3\xab\n"
		     "EASYPOST_WEBHOOK_SECRET_PREVIOUS=\"\xef\xac\x81\"\n");
	assert_string_equal(conf.secrets.webhook_secret, "We\xcc\x88");
	assert_string_equal(conf.secrets.webhook_secret_previous, "fi");
	assert_refused("EASYPOST_WEBHOOK_SECRET=caf\xe9\n", ":1",
	    "EASYPOST_WEBHOOK_SECRET must be UTF-8");
}

static void
no_sentence_and_no_listing_tells_a_secret(void **state)
{
	static const char *const bad[] = { "EASYPOST_API_KEY=s3cret:x\n",
		"EASYPOST_API_KEY=\"s3cret\nx\"\n",
		"EASYPOST_WEBHOOK_SECRET=s3cret\xff\n",
		"DATABASE_URL=s3cret\001\n", "WORKERS=s3cret\n",
		"DATABASE_URL='s3cret' s3cret\n", "DATABASE_URL 's3cret'\n",
		"DATABASE_URL_FILE=s3cret\n", "EASYPOST_API_BASE=s3cret\n",
		"EASYPOST_CA_FILE=s3cret\n", "ENVIRONMENT=s3cret\n" };
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(load(bad[i]));
		assert_null(strstr(error.data, "s3cret"));
	}
	assert_loads("DATABASE_URL=s3cret\nEASYPOST_API_KEY=s3cret\n"
		     "EASYPOST_TEST_API_KEY=s3cret\n"
		     "EASYPOST_WEBHOOK_SECRET=s3cret\n");
	buf_init(&out, 100000);
	conf_print(&conf, &out);
	assert_null(strstr(out.data, "s3cret"));
	assert_non_null(strstr(out.data, "DATABASE_URL=******** # "));
	buf_free(&out);
}

static void
the_listing_tells_values_and_their_origin(void **state)
{
	struct buf out;
	char line[256];

	(void)state;
	assert_int_equal(setenv("WORKERS_OVERFLOW", "4", 1), 0);
	assert_loads("DATABASE_POOL_SIZE=8\nDATABASE_POOL_TIMEOUT=3\n");
	buf_init(&out, 100000);
	conf_print(&conf, &out);
	(void)snprintf(line, sizeof(line),
	    "\nWORKERS=8 # %s:1, DATABASE_POOL_SIZE\n", file);
	assert_non_null(strstr(out.data, line));
	(void)snprintf(
	    line, sizeof(line), "\nDATABASE_POOL_TIMEOUT=3 # %s:2\n", file);
	assert_non_null(strstr(out.data, line));
	assert_non_null(
	    strstr(out.data, "\nWORKERS_OVERFLOW=4 # environment\n"));
	assert_non_null(strstr(out.data, "\nDATABASE_URL= # default\n"));
	assert_non_null(strstr(out.data, "\nLOG_LEVEL=info # default\n"));
	assert_non_null(strstr(out.data, "\nDATABASE_ECHO=false # default\n"));
	buf_free(&out);
}

static void
a_failure_leaves_the_configuration_as_it_was(void **state)
{
	(void)state;
	assert_loads("WORKERS=9\n");
	assert_false(load("WORKERS=10\nLOG_LEVEL=loud\n"));
	assert_int_equal(conf.workers, 9);
}

static void
files_that_cannot_be_read_are_refused(void **state)
{
	(void)state;
	buf_reset(&error, 4096);
	assert_false(conf_load(&conf, "/nonexistent/w.conf", &error));
	assert_string_equal(error.data,
	    "/nonexistent/w.conf: cannot be read: No such file or directory");
	buf_reset(&error, 4096);
	assert_false(conf_load(&conf, dir, &error));
	buf_reset(&error, 4096);
	assert_false(conf_load(&conf, "/dev/zero", &error));
	assert_string_equal(
	    error.data, "/dev/zero: cannot be read: File too large");
}

static void
values_are_bounded(void **state)
{
	static char text[9000] = "DATABASE_URL=";

	(void)state;
	memset(text + 13, 'x', 8193);
	assert_refused(text, ":1", "DATABASE_URL must have at most 8192 bytes");
	text[13 + 8192] = '\0';
	assert_loads(text);
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

/* Whoever starts us may put anything there. */
static void
what_is_no_variable_is_passed_over(void **state)
{
	static char longer[4096] = "WAYBILL_";
	static char odd[] = "WORKERS";
	static char good[] = "WORKERS=7";
	char *entries[] = { odd, longer, good, NULL };
	char **before = environ;

	(void)state;
	memset(longer + 8, 'X', sizeof(longer) - 10);
	longer[sizeof(longer) - 2] = '=';
	environ = entries;
	assert_loads("");
	assert_int_equal(conf.workers, 7);
	environ = NULL;
	assert_loads("");
	assert_int_equal(conf.workers, 20);
	environ = before;
}

/* Of a setting that nothing of ours is like. */
static void
each_kind_refuses_what_it_cannot_be(void **state)
{
	const struct setting number = { .kind = SETTING_NUMBER, .most = 9 };
	const struct setting most = { .kind = SETTING_LONG, .most = LONG_MAX };
	const struct setting path = {
		.kind = SETTING_PATH, .initial = "/x", .most = 9
	};
	const struct setting token = { .kind = SETTING_TOKEN, .most = 9 };
	static struct arena *arena; /* reachable: no leak */
	const char *text;
	long value;

	(void)state;
	arena = arena_new(4096);
	assert_string_equal(setting_store(&number, "", &value, arena),
	    "must be a whole number from 0 to 9");
	assert_non_null(
	    setting_store(&most, "99999999999999999999", &value, arena));
	assert_null(setting_store(&most, "7", &value, arena));
	assert_int_equal(value, 7);
	assert_string_equal(setting_store(&path, "", &text, arena),
	    "must be an absolute path of at most 9 bytes");
	assert_null(setting_store(&path, "/y", &text, arena));
	assert_string_equal(text, "/y");
	assert_non_null(setting_store(&token, "a\xc3\xab", &text, arena));
	assert_non_null(setting_store(&token, "a:b", &text, arena));
	assert_null(setting_store(&token, "a~b", &text, arena));
	assert_string_equal(text, "a~b");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    what_is_no_variable_is_passed_over, set_up),
		cmocka_unit_test_setup(
		    each_kind_refuses_what_it_cannot_be, set_up),
		CASE(nothing_given_means_the_defaults),
		CASE(the_file_is_read_as_systemd_reads_it),
		CASE(crlf_joins_lines_as_lf_does),
		CASE(what_is_no_assignment_is_refused_with_its_line),
		CASE(unknown_names_are_refused_by_name),
		CASE(twice_in_the_file_is_refused),
		CASE(older_names_are_understood),
		CASE(the_environment_goes_before_the_file),
		CASE(numbers_are_whole_and_in_range),
		CASE(choices_are_words_of_a_list),
		CASE(paths_are_absolute_and_bounded),
		CASE(keys_of_easypost_are_bounded),
		CASE(keys_of_easypost_belong_to_their_modes),
		CASE(databases_are_those_of_libpq),
		CASE(the_api_base_is_https_or_loopback),
		CASE(a_secret_may_be_in_a_file),
		CASE(
		    an_empty_file_of_a_unit_leaves_only_urls_to_the_configuration),
		CASE(a_bad_secret_file_is_refused_without_its_text),
		CASE(a_secret_and_its_file_exclude_each_other),
		CASE(webhook_secrets_are_normalised),
		CASE(no_sentence_and_no_listing_tells_a_secret),
		CASE(the_listing_tells_values_and_their_origin),
		CASE(a_failure_leaves_the_configuration_as_it_was),
		CASE(files_that_cannot_be_read_are_refused),
		CASE(values_are_bounded),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
