/* The files of the schema: one that is missing, named otherwise or no text is told,
 * and nothing is left out silently. */
#include "ctl/sqlfiles.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/sqlfiles.XXXXXX";
static char kept[64]; /* a file that is away */
static struct sqlfiles files;

static const char *
place(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
write_bytes(const char *name, const char *text, size_t bytes)
{
	int fd = open(place(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	assert_int_equal(close(fd), 0);
}

static void
write_file(const char *name)
{
	write_bytes(name, "select 1;\n", 10);
}

/* What the smallest schema is made of. */
static int
begin(void **state)
{
	static const char *const folders[] = { "", "migrations", "internal",
		"views", "api", "admin" };

	(void)state;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdir(place(folders[i]), 0700) != 0)
			return -1;
	write_file("bootstrap.sql");
	write_file("migrations/0001_first.up.sql");
	write_file("migrations/0001_first.down.sql");
	write_file("api/one.sql");
	return 0;
}

static int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	return remove(path);
}

static int
end(void **state)
{
	(void)state;
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The program never frees them. */
static void
release(const char *text)
{
	void *memory;

	memcpy(&memory, &text, sizeof(memory));
	free(memory);
}

static bool
read_all(struct buf *error)
{
	bool is_good;

	buf_init(error, 4096);
	is_good = sqlfiles_read(top, &files, error);
	release(files.bootstrap.text);
	for (int i = 0; i < SQLFILES_MAX; i++) {
		release(files.migrations[i].up.text);
		release(files.migrations[i].down.text);
		release(files.replaced[i].text);
	}
	return is_good;
}

static void
expect(const char *says)
{
	struct buf error;

	assert_false(read_all(&error));
	if (strstr(error.data, says) == NULL)
		fail_msg("%s, not %s", error.data, says);
	buf_free(&error);
}

static void
takes_them_in_their_order(void **state)
{
	struct buf error;
	char sum[sizeof(files.sha256)];

	(void)state;
	write_file("views/.hidden");
	write_file("admin/b.sql");
	write_file("admin/a.sql");
	assert_true(read_all(&error));
	assert_int_equal(files.migration_count, 1);
	assert_string_equal(files.migrations[0].name, "0001_first");
	assert_int_equal(files.replaced_count, 3);
	assert_string_equal(files.replaced[0].name, "api/one.sql");
	assert_string_equal(files.replaced[2].name, "admin/b.sql");
	memcpy(sum, files.sha256, sizeof(sum));
	write_bytes("admin/b.sql", "select 2;\n", 10);
	assert_true(read_all(&error));
	assert_string_not_equal(sum, files.sha256);
	buf_free(&error);
}

static void
names_that_are_none(void **state)
{
	static const char *const migrations[] = { "1_a.up.sql", "notes.txt",
		"0002-a.up.sql", "00002_a.up.sql", "0002_a.sql",
		"0002_a.side.sql", "0002_a.'.down.sql", "0002_A.up.sql",
		"0002_a.b.down.sql",
		"0002_an_endless_name_that_would_not_fit_into_the_books_of_the_"
		"database.down.sql" };

	(void)state;
	for (size_t i = 0; i < sizeof(migrations) / sizeof(*migrations); i++) {
		char name[200];

		(void)snprintf(name, sizeof(name), "migrations/%s",
		    migrations[i]); /* fits */
		write_file(name);
		expect(migrations[i]);
		expect(": not the name of a migration");
		assert_int_equal(unlink(place(name)), 0);
	}
	write_file("internal/a'b.sql");
	expect("a'b.sql: not the name of an SQL file");
	assert_int_equal(unlink(place("internal/a'b.sql")), 0);
	write_file("internal/notes.txt");
	expect("notes.txt: not the name of an SQL file");
	assert_int_equal(unlink(place("internal/notes.txt")), 0);
	write_file("internal/.sql");
	write_file("internal/"
		   "an_endless_name_that_would_not_fit_into_the_table_of_files_"
		   "that_is_kept_of_all_that_are_deployed_every_time_when_"
		   "somebody_migrates.sql");
	expect(": the name is too long");
}

static void
migrations_that_are_missing(void **state)
{
	(void)state;
	assert_int_equal(
	    rename(place("migrations/0001_first.up.sql"), kept), 0);
	expect("the last migration has no way up");
	assert_int_equal(
	    rename(kept, place("migrations/0001_first.up.sql")), 0);
	write_file("migrations/0003_third.down.sql");
	expect("0003_third.down.sql: a file before it is missing");
	assert_int_equal(unlink(place("migrations/0003_third.down.sql")), 0);
	write_file("migrations/0001_second.up.sql");
	expect("0001_second.up.sql: it has no way down");
	assert_int_equal(unlink(place("migrations/0001_second.up.sql")), 0);
	write_file("migrations/0002_second.up.sql");
	expect("0002_second.up.sql: a file before it is missing");
	assert_int_equal(unlink(place("migrations/0002_second.up.sql")), 0);
	assert_int_equal(unlink(place("migrations/0001_first.down.sql")), 0);
	expect("0001_first.up.sql: a file before it is missing");
	assert_int_equal(unlink(place("migrations/0001_first.up.sql")), 0);
	expect("the last migration has no way up");
}

static void
files_that_are_no_text(void **state)
{
	(void)state;
	write_bytes("api/one.sql", "", 0);
	expect("api/one.sql: it is empty or no text");
	write_bytes("api/one.sql", "a\0b", 3);
	expect("api/one.sql: it is empty or no text");
	write_file("api/one.sql");
	assert_int_equal(mkdir(place("api/two.sql"), 0700), 0);
	expect("api/two.sql: ");
	assert_int_equal(rmdir(place("api/two.sql")), 0);
	assert_int_equal(rmdir(place("views")), 0);
	expect("/views: No such file or directory");
	assert_int_equal(unlink(place("bootstrap.sql")), 0);
	expect("bootstrap.sql: No such file or directory");
}

static void
too_many_of_them(void **state)
{
	char name[64];

	(void)state;
	for (int i = 0; i < SQLFILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "api/a%04d.sql", i);
		write_file(name);
	}
	expect("one.sql: too many files");
}

static void
a_directory_with_an_endless_name(void **state)
{
	static char dir[5000];
	struct buf error;

	(void)state;
	memset(dir, 'a', sizeof(dir) - 1);
	buf_init(&error, 16 * 1024);
	assert_false(sqlfiles_read(dir, &files, &error));
	assert_non_null(strstr(error.data, "the name is too long"));
	buf_free(&error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_them_in_their_order),
		TEST(names_that_are_none),
		TEST(migrations_that_are_missing),
		TEST(files_that_are_no_text),
		TEST(too_many_of_them),
		TEST(a_directory_with_an_endless_name),
	};

	if (mkdtemp(top) == NULL || rmdir(top) != 0)
		return 1;
	(void)snprintf(kept, sizeof(kept), "%s.kept", top); /* fits */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
