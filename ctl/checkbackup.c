/*
 * What is left when the disk of PostgreSQL is lost: its backups, and the archive of
 * what was written since.
 */
#include "ctl/check.h"
#include "shared/backup.h"

#include <string.h>
#include <time.h>

enum {
	DAY_S = 24 * 3600,
	/* One a day, which may take 18 hours. */
	BACKUP_LATE_S = 2 * DAY_S,
	/* One a week. */
	FULL_LATE_S = 9 * DAY_S,
	/* archive_timeout is a minute; PostgreSQL tries again each minute. */
	ARCHIVE_LATE_S = 300,
};

static const char set_up[] =
    "apt install pgbackrest; zless /usr/share/doc/waybill/docs/backup.md.gz "
    "has the commands";

static const char *const timers[] = { "waybill-backup-full.timer",
	"waybill-backup-diff.timer" };

#define TIMERS (sizeof(timers) / sizeof(timers[0]))

static const char cure[] =
    "journalctl -u 'waybill-backup@*' -n 20; systemctl enable --now "
    "waybill-backup-full.timer waybill-backup-diff.timer; systemctl start "
    "waybill-backup@full";

static void
judge_ages(struct check *check, const time_t ended[BACKUP_KINDS],
    struct verdict *verdict)
{
	time_t full = ended[BACKUP_FULL];
	time_t last = ended[BACKUP_DIFF] > full ? ended[BACKUP_DIFF] : full;
	long long last_s = (long long)(time(NULL) - last);
	long long full_s = (long long)(time(NULL) - full);

	verdict_set(verdict, VERDICT_OK, "the last one ended %s ago",
	    facts_age(last_s < 0 ? 0 : last_s));
	if (last == 0)
		verdict_set(verdict, VERDICT_FAIL, "none has succeeded yet");
	else if (last_s > BACKUP_LATE_S)
		verdict_set(verdict, VERDICT_FAIL,
		    "the last one that succeeded ended %s ago",
		    facts_age(last_s));
	/* pgBackRest makes the first one full, whatever it was asked for. */
	else if (full != 0 && full_s > FULL_LATE_S)
		verdict_set(verdict, VERDICT_FAIL,
		    "the last full one that succeeded ended %s ago",
		    facts_age(full_s));
	if (verdict->state == VERDICT_FAIL)
		verdict_cure(verdict, "%s", cure);
	for (size_t i = 0; i < TIMERS; i++)
		check_timer(check, timers[i], verdict);
}

void
check_backup(struct check *check, int subject, struct verdict *verdict)
{
	time_t ended[BACKUP_KINDS];

	(void)subject;
	if (*check->conf.secrets.database_url == '\0') {
		verdict_set(verdict, VERDICT_SKIP, "no database is configured");
	} else if (backup_look(check->conf.backup_dir, ended)) {
		judge_ages(check, ended, verdict);
	} else if (check->is_remote) {
		verdict_set(verdict, VERDICT_SKIP,
		    "PostgreSQL is reached over the network: its backups are "
		    "made, and watched, on its own host");
	} else {
		verdict_set(verdict, VERDICT_WARN,
		    "no backups are set up: a lost disk would take all with "
		    "it");
		verdict_cure(verdict, "%s", set_up);
	}
}

void
check_archive(struct check *check, int subject, struct verdict *verdict)
{
	const struct facts *facts = &check->facts;
	const char *mode = facts_text(facts, "pulse", "archive_mode");
	const char *failing = facts_text(facts, "pulse", "is_archive_failing");
	long long late_s = facts_number(facts, "pulse", "archive_late_s");

	(void)subject;
	verdict_set(verdict, VERDICT_OK, "nothing waits to be archived");
	if (mode != NULL && strcmp(mode, "off") == 0) {
		verdict_set(verdict, VERDICT_WARN,
		    "archive_mode is off: what was written since the last "
		    "backup would be lost with the disk");
		verdict_cure(verdict, "%s", set_up);
	} else if (failing != NULL && *failing == 't') {
		verdict_set(verdict, VERDICT_FAIL,
		    "archiving fails, and nothing was archived for %s: pg_wal "
		    "grows, and backups lack what was written since",
		    facts_age(late_s));
	} else if (late_s > ARCHIVE_LATE_S) {
		verdict_set(verdict, VERDICT_FAIL,
		    "WAL waits, and nothing was archived for %s",
		    facts_age(late_s));
	}
	if (verdict->state == VERDICT_FAIL)
		verdict_cure(verdict,
		    "sudo -u postgres pgbackrest --stanza=waybill check; tail "
		    "/var/log/postgresql/*.log");
}
