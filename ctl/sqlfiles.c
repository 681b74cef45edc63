/*
 * migrations/NNNN_name.up.sql and .down.sql, numbered from 1 without a gap; and
 * what is replaced at every deployment: internal/, views/, api/, admin/, in this
 * order, the files of each in the order of their names' bytes.
 *
 * A file whose name has another form is an error: it would silently be left out.
 */
#include "ctl/sqlfiles.h"
#include "shared/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 4 * 1024 * 1024, PATH_BYTES = 4096, DIGITS = 4 };

static const char *const folders[] = { "internal", "views", "api", "admin" };

typedef bool take_function(struct sqlfiles *, const char *dir,
    const char *folder, const char *name, struct buf *error);

static bool
fail(struct buf *error, const char *name, const char *why)
{
	/* A sentence that is cut is still one. */
	(void)buf_addf(error, "%s: %s", name, why);
	return false;
}

static bool
read_file(
    const char *dir, const char *name, struct sqlfile *file, struct buf *error)
{
	char path[PATH_BYTES];
	unsigned char digest[SHA256_BYTES];
	struct buf text;

	buf_init(&text, FILE_MAX_BYTES);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		sizeof(path) ||
	    (size_t)snprintf(file->name, sizeof(file->name), "%s", name) >=
		sizeof(file->name))
		return fail(error, name, "the name is too long");
	if (!file_read(path, &text))
		return fail(error, path, strerror(errno));
	if (text.len == 0 || strlen(text.data) != text.len) {
		buf_free(&text);
		return fail(error, path, "it is empty or no text");
	}
	hmac_sha256(text.data, text.len, digest);
	hmac_hex(digest, file->sha256);
	file->text = text.data;
	return true;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t bytes = strlen(name);

	return bytes > strlen(end) &&
	    strcmp(name + bytes - strlen(end), end) == 0;
}

/* The first bytes of a name: nothing that would mean anything in a script. */
static bool
is_plain(const char *name, size_t bytes)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == bytes;
}

/* Files come in the order of their names: of each migration first the way down,
 * then the way up. */
static bool
take_migration(struct sqlfiles *files, const char *dir, const char *folder,
    const char *name, struct buf *error)
{
	struct sqlfiles_migration *migration;
	bool is_down = ends_with(name, ".down.sql");
	size_t bytes = strlen(name) - strlen(is_down ? ".down.sql" : ".up.sql");
	char path[PATH_BYTES];
	int version = files->migration_count + (is_down ? 1 : 0);

	if (strspn(name, "0123456789") != DIGITS || name[DIGITS] != '_' ||
	    (!is_down && !ends_with(name, ".up.sql")) ||
	    bytes >= sizeof(migration->name) || !is_plain(name, bytes))
		return fail(error, name, "not the name of a migration");
	if (version < 1 || version > SQLFILES_MAX ||
	    strtol(name, NULL, 10) != version ||
	    (is_down && version > 1 &&
		files->migrations[version - 2].up.text == NULL))
		return fail(error, name, "a file before it is missing");
	migration = &files->migrations[version - 1];
	if (!is_down && strncmp(migration->name, name, bytes) != 0)
		return fail(error, name, "it has no way down");
	memcpy(migration->name, name, bytes);
	files->migration_count = version;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* fits */
	return read_file(
	    dir, path, is_down ? &migration->down : &migration->up, error);
}

static bool
take_replaced(struct sqlfiles *files, const char *dir, const char *folder,
    const char *name, struct buf *error)
{
	char path[PATH_BYTES];

	if (!ends_with(name, ".sql") ||
	    !is_plain(name, strlen(name) - strlen(".sql")))
		return fail(error, name, "not the name of an SQL file");
	if (files->replaced_count == SQLFILES_MAX)
		return fail(error, name, "too many files");
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* fits */
	return read_file(
	    dir, path, &files->replaced[files->replaced_count++], error);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool
read_folder(struct sqlfiles *files, const char *dir, const char *folder,
    take_function *take, struct buf *error)
{
	char path[PATH_BYTES];
	struct dirent **entries;
	bool is_good = true;
	int count;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, folder) >=
	    sizeof(path))
		return fail(error, dir, "the name is too long");
	count = scandir(path, &entries, is_visible, compare);
	if (count < 0)
		return fail(error, path, strerror(errno));
	for (int i = 0; i < count; i++) {
		is_good = is_good &&
		    take(files, dir, folder, entries[i]->d_name, error);
		free(entries[i]);
	}
	free(entries);
	return is_good;
}

static void
sum_up(struct sqlfiles *files)
{
	unsigned char digest[SHA256_BYTES];
	struct buf sums;

	buf_init(&sums, SQLFILES_MAX * sizeof(struct sqlfile));
	/* SQLFILES_MAX of them fit. */
	(void)buf_addf(&sums, "%s\n", files->bootstrap.sha256);
	for (int i = 0; i < files->replaced_count; i++)
		(void)buf_addf(&sums, "%s %s\n", files->replaced[i].sha256,
		    files->replaced[i].name);
	hmac_sha256(sums.data, sums.len, digest);
	hmac_hex(digest, files->sha256);
	buf_free(&sums);
}

bool
sqlfiles_read(const char *dir, struct sqlfiles *files, struct buf *error)
{
	int last;

	memset(files, 0, sizeof(*files));
	if (!read_file(dir, "bootstrap.sql", &files->bootstrap, error) ||
	    !read_folder(files, dir, "migrations", take_migration, error))
		return false;
	last = files->migration_count - 1;
	if (last < 0 || files->migrations[last].up.text == NULL)
		return fail(error, dir, "the last migration has no way up");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (!read_folder(files, dir, folders[i], take_replaced, error))
			return false;
	sum_up(files);
	return true;
}
