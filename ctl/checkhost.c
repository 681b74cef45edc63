/*
 * This host: the configuration and its secrets, the pools, the disks.
 */
#include "ctl/check.h"
#include "ctl/ping.h"
#include "ctl/service.h"
#include "shared/clock.h"
#include "shared/envfile.h"
#include "shared/file.h"
#include "shared/hmac.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/spool.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	ERROR_MAX_BYTES = VERDICT_TEXT_MAX,
	FILE_MAX_BYTES = 1024 * 1024,
	PING_MS = 2000,
	WAITING_LONG_S = 60,
	INODES_LEAST = 1000,
	MIB = 1024 * 1024,
	SPOOL_FLOOR_MIB = 64,     /* shared/spool.c keeps as much free */
	DATABASE_LOW_MIB = 1024,  /* of PostgreSQL's disk: worth a word */
	DATABASE_LEAST_MIB = 256, /* 16 segments of WAL */
};

static const char local_clusters[] = "/var/lib/postgresql"; /* Debian's */

/* --- the configuration --------------------------------------------------- */

void
check_configuration(struct check *check, int subject, struct verdict *verdict)
{
	struct buf error;

	(void)subject;
	buf_init(&error, ERROR_MAX_BYTES);
	check->secrets = credentials_name(check->file, "");
	check->has_conf = conf_load(&check->conf, check->file, &error);
	if (!check->has_conf) {
		bool is_hidden = check->file != NULL &&
		    access(check->file, R_OK) != 0 && errno == EACCES;

		verdict_set(verdict, VERDICT_FAIL, "%s", error.data);
		verdict_cure(verdict, "%s",
		    is_hidden ? "sudo waybill check"
			      : "editor /etc/waybill/waybill.conf, where each "
				"key is explained; waybill-fcgi -t read");
	} else if (check->file == NULL) {
		verdict_set(verdict, VERDICT_WARN,
		    "there is no file, only the environment");
		verdict_cure(verdict,
		    "waybill -c FILE check, or install waybill.conf as "
		    "/etc/waybill/waybill.conf");
	} else {
		verdict_set(verdict, VERDICT_OK, "%s", check->file);
	}
	buf_free(&error);
}

/* A file that holds a secret: the first one that others may read is told. */
static void
look_at_mode(const char *path, mode_t forbidden, struct verdict *verdict)
{
	struct stat status;

	if (verdict->state == VERDICT_FAIL || stat(path, &status) != 0 ||
	    (status.st_mode & forbidden) == 0)
		return;
	verdict_set(verdict, VERDICT_FAIL, "%s has the mode %04o: %s", path,
	    (unsigned)(status.st_mode & 07777),
	    (status.st_mode & S_IRWXO) != 0
		? "everybody on this machine may use it"
		: "others than its owner may use it");
	verdict_cure(verdict, "chmod %s %s",
	    forbidden == S_IRWXO ? "o=" : "u=rw,go=", path);
}

struct inspection {
	const struct check *check;
	struct verdict *verdict;
	bool has_secret; /* the file itself */
};

/* Each service should get its own secrets and no other; the configuration, and a
 * file that it names, is read by all.  One at a time. */
static void
tell_exposed(const struct inspection *inspection, const char *key,
    const char *value, const char *secret, bool is_file)
{
	static const char restart[] =
	    "systemctl restart waybill-read waybill-webhook waybill-upstream "
	    "waybill-jobs";
	const char *conf = inspection->check->file;
	char path[CREDENTIALS_PATH_MAX];

	if (inspection->check->secrets == CREDENTIALS_NONE ||
	    inspection->verdict->state != VERDICT_OK)
		return;
	credentials_path(conf, secret, path);
	verdict_set(inspection->verdict, VERDICT_WARN,
	    "every service may read the secret of %s in %s", key, conf);
	if (is_file)
		verdict_cure(inspection->verdict,
		    "install -m 600 %s %s && rm %s; sed -i '/^ *%s *=/d' %s; "
		    "%s",
		    value, path, value, key, conf, restart);
	else
		verdict_cure(inspection->verdict,
		    "sed -i -e '/^ *%s *= */{s///;s/^\"\\(.*\\)\"$/\\1/;w "
		    "%s' -e 'd}' %s; %s",
		    key, path, conf, restart);
}

/* Over the socket there is no password in it. */
static bool
is_open_url(const char *key, const char *value)
{
	return strstr(key, "DATABASE_") == key && !db_has_password(value);
}

/* An envfile_function. */
static bool
look_at_line(void *context, const char *name, const char *value, int line)
{
	struct inspection *inspection = context;
	bool is_file;
	const char *secret = credentials_of(name, &is_file);

	(void)line; /* conf_load() has told what is wrong with it */
	/* What is no file may be a secret that stands in the wrong key. */
	if (*value == '\0' || secret == NULL ||
	    (is_file && access(value, F_OK) != 0))
		return true;
	if (is_file)
		look_at_mode(value, S_IRWXO, inspection->verdict);
	else
		inspection->has_secret = true;
	if (is_file || !is_open_url(name, value))
		tell_exposed(inspection, name, value, secret, is_file);
	return true;
}

static void
look_at_file(const struct check *check, struct verdict *verdict)
{
	struct inspection inspection = { .check = check, .verdict = verdict };
	struct envfile_problem problem;
	struct buf text;

	buf_init(&text, FILE_MAX_BYTES);
	if (file_read(check->file, &text) &&
	    envfile_parse(
		text.data, text.len, look_at_line, &inspection, &problem) &&
	    inspection.has_secret)
		look_at_mode(check->file, S_IRWXO, verdict);
	buf_free(&text);
}

static void
look_at_directory(const char *dir, struct verdict *verdict)
{
	DIR *directory = opendir(dir);
	const struct dirent *entry;
	char path[PATH_MAX];

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (*entry->d_name != '.' &&
		    snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) <
			(int)sizeof(path))
			look_at_mode(path, S_IRWXG | S_IRWXO, verdict);
	(void)closedir(directory); /* was only read */
}

/* Also when one of them cannot be read. */
static bool
hold_the_same(const char *path, const char *other_path)
{
	struct buf text, other;
	bool is_same = true;

	buf_init(&text, FILE_MAX_BYTES);
	buf_init(&other, FILE_MAX_BYTES);
	if (file_read(path, &text) && file_read(other_path, &other))
		is_same = hmac_equal(text.len == 0 ? "" : text.data,
		    other.len == 0 ? "" : other.data);
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	if (other.data != NULL)
		explicit_bzero(other.data, other.size);
	buf_free(&text);
	buf_free(&other);
	return is_same;
}

/* systemd gives a service its secrets when it starts, and not what they are changed
 * to later. */
static void
look_at_given(
    const struct check *check, const char *service, struct verdict *verdict)
{
	char dir[PATH_MAX], given[PATH_MAX], path[CREDENTIALS_PATH_MAX];
	const struct dirent *entry;
	DIR *directory;

	(void)snprintf(dir, sizeof(dir), "/run/credentials/waybill-%s.service",
	    service); /* fits */
	directory = opendir(dir);
	if (directory == NULL)
		return;
	while (verdict->state == VERDICT_OK &&
	    (entry = readdir(directory)) != NULL) {
		credentials_path(check->file, entry->d_name, path);
		if (*entry->d_name == '.' ||
		    snprintf(given, sizeof(given), "%s/%s", dir,
			entry->d_name) >= (int)sizeof(given) ||
		    hold_the_same(given, path))
			continue;
		verdict_set(verdict, VERDICT_WARN,
		    "waybill-%s goes on with what %s was when it started",
		    service, entry->d_name);
		verdict_cure(verdict, "systemctl restart waybill-%s", service);
	}
	(void)closedir(directory); /* was only read */
}

void
check_secrets(struct check *check, int subject, struct verdict *verdict)
{
	static const char *const services[] = { "read", "webhook", "upstream",
		"jobs" };
	char dir[CREDENTIALS_PATH_MAX];

	(void)subject;
	credentials_path(check->file, "", dir);
	if (check->file != NULL)
		look_at_file(check, verdict);
	if (check->secrets == CREDENTIALS_NAMED)
		look_at_directory(dir, verdict);
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
		look_at_given(check, services[i], verdict);
	if (verdict->state != VERDICT_OK)
		return;
	if (check->secrets == CREDENTIALS_HIDDEN) {
		verdict_set(
		    verdict, VERDICT_SKIP, "only root may look into %s", dir);
		verdict_cure(verdict, "sudo waybill check");
	} else {
		verdict_set(verdict, VERDICT_OK, "nobody else may read them");
	}
}

void
check_user(struct check *check, int subject, struct verdict *verdict)
{
	struct buf said;

	(void)subject;
	buf_init(&said, ERROR_MAX_BYTES);
	if (!service_become_user(&check->conf, &said)) {
		verdict_set(verdict, VERDICT_FAIL, "%s", said.data);
		verdict_cure(verdict, "sudo -u waybill waybill check");
	} else if (said.len > 0) {
		verdict_set(verdict, VERDICT_OK,
		    "from here on as %s, as the services", said.data);
	} else {
		verdict_set(verdict, VERDICT_OK, "uid %ld", (long)geteuid());
	}
	buf_free(&said);
}

/* --- the pools ----------------------------------------------------------- */

static const char *
group_of(const struct stat *status)
{
	const struct group *group = getgrgid(status->st_gid);

	return group == NULL ? "its owner" : group->gr_name;
}

/* All zero when there is no scoreboard, or not for us. */
static struct scoreboard_sum
read_scoreboard(const char *path)
{
	const struct scoreboard *board = scoreboard_open(path);
	struct scoreboard_sum sum = { .limit = 0 };

	if (board == NULL)
		return sum;
	sum = scoreboard_sum(board);
	scoreboard_close(board);
	return sum;
}

/* A worker has answered. */
static void
tell_workers(const struct scoreboard_sum *sum, struct verdict *verdict)
{
	int workers = sum->idle + sum->busy;

	if (sum->is_breaker_open)
		verdict_set(verdict, VERDICT_WARN,
		    "workers %d, which take the database for away", workers);
	else if (sum->is_easypost_down)
		verdict_set(verdict, VERDICT_WARN,
		    "workers %d, which take EasyPost for away", workers);
	else if (workers == 0)
		verdict_set(verdict, VERDICT_OK, "a worker answers");
	else
		verdict_set(verdict, VERDICT_OK,
		    "workers %d, busy %d, at most %d", workers, sum->busy,
		    sum->limit);
}

/* Nobody answered in time. */
static void
tell_silence(
    const struct scoreboard_sum *sum, const char *name, struct verdict *verdict)
{
	if (sum->busy > 0 && sum->idle == 0 && sum->busy >= sum->limit) {
		verdict_set(verdict, VERDICT_WARN,
		    "all %d workers are busy; requests wait", sum->busy);
		verdict_cure(verdict,
		    "waybill status; if it lasts a larger WORKERS_OVERFLOW, "
		    "then: systemctl reload waybill-%s",
		    name);
		return;
	}
	verdict_set(verdict, VERDICT_FAIL, "no worker answers within %d s",
	    PING_MS / 1000);
	verdict_cure(verdict,
	    "journalctl -u waybill-%s -n 20; systemctl restart waybill-%s",
	    name, name);
}

void
check_pool(struct check *check, int subject, struct verdict *verdict)
{
	const struct pool *pool = &pools[subject];
	const char *path = pool_socket_path(pool, &check->conf);
	/* Before we make one of them busy. */
	const struct scoreboard_sum sum =
	    read_scoreboard(pool_scoreboard_path(pool, &check->conf));
	struct stat status;
	int result = ENOENT;

	if (lstat(path, &status) == 0)
		result = ping_pool(path, check_until_ms(check, PING_MS));
	if (result == EACCES) {
		verdict_set(verdict, VERDICT_SKIP,
		    "%s is for root and the group %s", path, group_of(&status));
		verdict_cure(verdict, "sudo waybill check");
	} else if (result == ETIMEDOUT) {
		tell_silence(&sum, pool->name, verdict);
	} else if (result != 0) {
		verdict_set(verdict, VERDICT_FAIL, "nobody answers at %s: %s",
		    path, strerror(result));
		verdict_cure(verdict,
		    "systemctl enable --now waybill-%s.socket waybill-%s",
		    pool->name, pool->name);
	} else if ((status.st_mode & S_IRWXO) != 0) {
		verdict_set(verdict, VERDICT_FAIL,
		    "%s has the mode %04o: anybody may stop workers", path,
		    (unsigned)(status.st_mode & 07777));
		verdict_cure(
		    verdict, "systemctl restart waybill-%s.socket", pool->name);
	} else {
		tell_workers(&sum, verdict);
	}
}

/* --- the spool and the disks --------------------------------------------- */

static void
tell_waiting(const struct spool_survey *spool, struct verdict *verdict)
{
	long long age_s =
	    (long long)time(NULL) - (long long)(spool->oldest_us / 1000000);

	verdict_set(verdict,
	    age_s > WAITING_LONG_S ? VERDICT_FAIL : VERDICT_WARN,
	    "waiting for the database: %ld, the oldest for %s", spool->records,
	    facts_age(age_s < 0 ? 0 : age_s));
	if (age_s > WAITING_LONG_S)
		verdict_cure(verdict,
		    "systemctl enable --now waybill-jobs; journalctl -u "
		    "waybill-jobs -n 20");
}

void
check_spool(struct check *check, int subject, struct verdict *verdict)
{
	const char *dir = check->conf.spool_dir;
	struct spool_survey spool;

	(void)subject;
	if (!spool_look(dir, &spool)) {
		bool is_missing = errno == ENOENT;

		verdict_set(verdict,
		    errno == EACCES ? VERDICT_SKIP : VERDICT_FAIL, "%s: %s",
		    dir, strerror(errno));
		verdict_cure(verdict, "%s",
		    is_missing ? "systemd-tmpfiles --create"
			       : "sudo waybill check");
	} else if (spool.bad > 0) {
		verdict_set(verdict, VERDICT_FAIL,
		    "refused by the database: %ld", spool.bad);
		verdict_cure(verdict,
		    "waybill spool list says why; then waybill spool retry "
		    "all");
	} else if (spool.records > 0) {
		tell_waiting(&spool, verdict);
	} else {
		verdict_set(verdict, VERDICT_OK, "nothing waits in %s", dir);
	}
}

static long long
free_mib(const struct statvfs *disk)
{
	return (long long)(disk->f_bavail * disk->f_frsize / MIB);
}

/* False when there are none to count (btrfs) or enough. */
static bool
lacks_inodes(
    const struct statvfs *disk, const char *path, struct verdict *verdict)
{
	if (disk->f_files == 0 || disk->f_favail >= INODES_LEAST)
		return false;
	verdict_set(verdict, VERDICT_FAIL, "%s: inodes left: %llu", path,
	    (unsigned long long)disk->f_favail);
	verdict_cure(verdict, "df -i %s; remove small files", path);
	return true;
}

void
check_spool_disk(struct check *check, int subject, struct verdict *verdict)
{
	const char *dir = check->conf.spool_dir;
	long long wanted = check->conf.spool_max_bytes / MIB + SPOOL_FLOOR_MIB;
	struct statvfs disk;
	long long left;

	(void)subject;
	if (statvfs(dir, &disk) != 0) {
		verdict_set(
		    verdict, VERDICT_SKIP, "%s: %s", dir, strerror(errno));
		verdict_cure(verdict, "sudo waybill check");
		return;
	}
	if (lacks_inodes(&disk, dir, verdict))
		return;
	left = free_mib(&disk);
	verdict_set(verdict, VERDICT_OK, "%lld MiB are free in %s", left, dir);
	if (left < SPOOL_FLOOR_MIB) {
		verdict_set(verdict, VERDICT_FAIL,
		    "%lld MiB are free in %s: while the database is away, "
		    "webhooks are refused",
		    left, dir);
		verdict_cure(verdict, "df -h %s; make room", dir);
	} else if (left < wanted) {
		verdict_set(verdict, VERDICT_WARN,
		    "%lld MiB are free in %s, less than the %lld that the "
		    "spool may need",
		    left, dir, wanted);
		verdict_cure(verdict,
		    "df -h %s; make room, or give the spool a "
		    "smaller SPOOL_MAX_BYTES",
		    dir);
	}
}

void
check_database_disk(struct check *check, int subject, struct verdict *verdict)
{
	struct statvfs disk;
	long long left;

	(void)subject;
	if (*check->conf.secrets.database_url == '\0') {
		verdict_set(verdict, VERDICT_SKIP, "no database is configured");
		return;
	}
	/* Also when the database does not answer: this may be why. */
	if (statvfs(local_clusters, &disk) != 0) {
		verdict_set(verdict, VERDICT_SKIP,
		    "there is no %s here; only the server's own user knows its "
		    "directory",
		    local_clusters);
		return;
	}
	if (lacks_inodes(&disk, local_clusters, verdict))
		return;
	left = free_mib(&disk);
	verdict_set(verdict,
	    left < DATABASE_LEAST_MIB     ? VERDICT_FAIL
		: left < DATABASE_LOW_MIB ? VERDICT_WARN
					  : VERDICT_OK,
	    "%lld MiB are free in %s (where Debian's PostgreSQL has its data)",
	    left, local_clusters);
	if (left < DATABASE_LOW_MIB)
		verdict_cure(verdict, "df -h %s; make room", local_clusters);
}
