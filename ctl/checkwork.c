/*
 * What happens in the background, seen by what it leaves in the database: so it
 * does not matter on which host it runs.  Of a timer systemd tells sooner that it is
 * off here.
 */
#include "ctl/check.h"
#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	PULSE_MS = 5000,
	/* waybill jobs writes a line every minute. */
	HEARTBEAT_LATE_S = 300,
	OVERDUE_LATE_S = 300,
	/* Its timer is hourly, give or take two minutes; it may take 30. */
	REFRESH_LATE_S = 2 * 3600,
	/* Its timer is daily, give or take half an hour; it may take 6 h. */
	RECONCILE_LATE_S = 32 * 3600,
	TIMER_BYTES = 64,
	CLOCK_WARN_S = 5,
	CLOCK_FAIL_S = 60,
};

static const char ntp[] =
    "timedatectl set-ntp true (apt install systemd-timesyncd)";

static double
now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* there is one */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool
check_pulse(struct check *check)
{
	const struct db_call call = { .function = "admin.pulse",
		.deadline_ms = check_until_ms(check, PULSE_MS) };
	double before_s = now_s();
	double there_s, after_s;
	const char *epoch;

	if (check->has_pulse)
		return true;
	if (facts_add_call(&check->facts, "pulse", check->jobs, &call) !=
	    DB_OK) {
		check->jobs = NULL; /* it would hang for the others, too */
		return false;
	}
	after_s = now_s();
	epoch = facts_text(&check->facts, "pulse", "epoch");
	there_s = epoch == NULL ? before_s : strtod(epoch, NULL);
	/* Anywhere between sending and receiving is as it should be. */
	check->database_ahead_s = there_s > after_s ? there_s - after_s
	    : there_s < before_s                    ? there_s - before_s
						    : 0;
	check->has_pulse = true;
	return true;
}

static long long
pulse(const struct check *check, const char *name)
{
	return facts_number(&check->facts, "pulse", name);
}

static void
judge_clock(double ahead_s, const char *whose, struct verdict *verdict)
{
	double off_s = ahead_s < 0 ? -ahead_s : ahead_s;

	if (off_s < 1) {
		verdict_set(verdict, VERDICT_OK, "ours agrees with %s", whose);
		return;
	}
	verdict_set(verdict,
	    off_s > CLOCK_FAIL_S       ? VERDICT_FAIL
		: off_s > CLOCK_WARN_S ? VERDICT_WARN
				       : VERDICT_OK,
	    "ours is %.1f s %s %s", off_s, ahead_s > 0 ? "behind" : "ahead of",
	    whose);
	if (off_s > CLOCK_WARN_S)
		verdict_cure(verdict, "%s", ntp);
}

void
check_clock(struct check *check, int subject, struct verdict *verdict)
{
	(void)subject;
	judge_clock(check->database_ahead_s, "PostgreSQL's", verdict);
}

void
check_easypost_clock(struct check *check, int subject, struct verdict *verdict)
{
	(void)subject;
	if (!check->has_date)
		verdict_set(
		    verdict, VERDICT_SKIP, "EasyPost told no time of its own");
	else
		judge_clock(check->easypost_ahead_s, "EasyPost's", verdict);
}

void
check_jobs(struct check *check, int subject, struct verdict *verdict)
{
	long long beat_s = pulse(check, "heartbeat_s");
	bool is_connected =
	    facts_number(&check->facts, "connections", "jobs") > 0;

	(void)subject;
	if (!is_connected && (beat_s < 0 || beat_s > HEARTBEAT_LATE_S)) {
		verdict_set(verdict, VERDICT_FAIL,
		    beat_s < 0 ? "waybill jobs does not run"
			       : "waybill jobs was last seen %s ago",
		    facts_age(beat_s));
		verdict_cure(verdict, "systemctl enable --now waybill-jobs");
	} else if (beat_s > HEARTBEAT_LATE_S) {
		verdict_set(verdict, VERDICT_FAIL,
		    "waybill jobs is connected, and has done nothing for %s",
		    facts_age(beat_s));
		verdict_cure(verdict,
		    "journalctl -u waybill-jobs -n 20; systemctl restart "
		    "waybill-jobs");
	} else if (beat_s < 0) {
		verdict_set(verdict, VERDICT_OK,
		    "waybill jobs is connected; its first minute");
	} else {
		verdict_set(
		    verdict, VERDICT_OK, "seen %s ago", facts_age(beat_s));
	}
}

void
check_queue(struct check *check, int subject, struct verdict *verdict)
{
	long long failed = pulse(check, "failed");
	long long events = pulse(check, "failed_events");
	long long overdue_s = pulse(check, "overdue_s");

	(void)subject;
	if (failed > 0) {
		verdict_set(
		    verdict, VERDICT_FAIL, "failed for good: %lld", failed);
		verdict_cure(verdict,
		    "waybill jobs list says why; then waybill jobs retry all");
	} else if (overdue_s > OVERDUE_LATE_S) {
		verdict_set(verdict, VERDICT_FAIL,
		    "queued: %lld, one is due since %s", pulse(check, "queued"),
		    facts_age(overdue_s));
		verdict_cure(verdict,
		    "journalctl -u waybill-jobs -n 20; systemctl restart "
		    "waybill-jobs");
	} else if (events > 0) {
		verdict_set(verdict, VERDICT_WARN,
		    "webhooks that could not be applied yet: %lld", events);
		verdict_cure(verdict,
		    "waybill jobs list; POST /db/webhooks/ID/replay applies "
		    "one again");
	} else {
		verdict_set(verdict, VERDICT_OK, "queued: %lld",
		    pulse(check, "queued"));
	}
}

void
check_bulk(struct check *check, int subject, struct verdict *verdict)
{
	long long items = pulse(check, "bulk_items");
	long long overdue_s = pulse(check, "bulk_overdue_s");

	(void)subject;
	if (overdue_s > OVERDUE_LATE_S) {
		verdict_set(verdict, VERDICT_FAIL,
		    "items to be sent: %lld, and nobody has gone on for %s",
		    items, facts_age(overdue_s));
		verdict_cure(verdict,
		    "journalctl -u waybill-upstream -n 20; systemctl restart "
		    "waybill-upstream");
	} else {
		verdict_set(
		    verdict, VERDICT_OK, "items to be sent: %lld", items);
	}
}

/* What a timer has to have done lately. */
static void
judge_timer(struct check *check, long long age_s, long long late_s,
    const char *name, struct verdict *verdict)
{
	char timer[TIMER_BYTES];

	if (age_s < 0) {
		verdict_set(verdict, VERDICT_WARN, "it has never run");
		verdict_cure(verdict,
		    "systemctl enable --now waybill-%s.timer; systemctl start "
		    "waybill-%s",
		    name, name);
	} else if (age_s > late_s) {
		verdict_set(verdict, VERDICT_FAIL, "it last ran %s ago",
		    facts_age(age_s));
		verdict_cure(verdict,
		    "systemctl enable --now waybill-%s.timer; journalctl -u "
		    "waybill-%s -n 20",
		    name, name);
	} else {
		verdict_set(
		    verdict, VERDICT_OK, "it ran %s ago", facts_age(age_s));
		(void)snprintf(
		    timer, sizeof(timer), "waybill-%s.timer", name); /* fits */
		check_timer(check, timer, verdict);
	}
}

void
check_refresh(struct check *check, int subject, struct verdict *verdict)
{
	(void)subject;
	judge_timer(check, pulse(check, "refreshed_s"), REFRESH_LATE_S,
	    "refresh", verdict);
}

void
check_drift(struct check *check, int subject, struct verdict *verdict)
{
	long long last = pulse(check, "drift");
	long long day = pulse(check, "drift_day");

	(void)subject;
	verdict_set(verdict, VERDICT_OK, "no figure was wrong");
	if (pulse(check, "refreshed_s") < 0)
		verdict_set(verdict, VERDICT_SKIP, "nothing was compared yet");
	else if (last > 0)
		verdict_set(verdict, VERDICT_FAIL,
		    "sums that the last refresh found wrong, and repaired: "
		    "%lld",
		    last);
	else if (day > 0)
		verdict_set(verdict, VERDICT_WARN,
		    "sums that were wrong in the last day, and repaired: %lld",
		    day);
	if (verdict->state == VERDICT_FAIL || verdict->state == VERDICT_WARN)
		verdict_cure(verdict,
		    "waybill refresh compares again; with --since DAY all from "
		    "then on; if it stays: journalctl -u waybill-refresh");
}

void
check_reconcile(struct check *check, int subject, struct verdict *verdict)
{
	const struct conf_secrets *secrets = &check->conf.secrets;
	long long age_s = pulse(check, "reconciled_s");

	(void)subject;
	if (age_s < 0 && *secrets->easypost_api_key == '\0' &&
	    *secrets->easypost_test_api_key == '\0')
		verdict_set(verdict, VERDICT_SKIP,
		    "there is no key of EasyPost's to ask with");
	else
		judge_timer(
		    check, age_s, RECONCILE_LATE_S, "reconcile", verdict);
}

void
check_ledger(struct check *check, int subject, struct verdict *verdict)
{
	long long incomplete = pulse(check, "incomplete");
	long long unsent = pulse(check, "unsent");

	(void)subject;
	verdict_set(verdict, VERDICT_OK, "no day is incomplete");
	if (unsent > 0) {
		verdict_set(verdict, VERDICT_WARN,
		    "days with events that EasyPost had nobody to send to, and "
		    "cannot give: %lld",
		    unsent);
		verdict_cure(verdict,
		    "nothing brings them back; from now on: waybill webhook "
		    "register URL");
	}
	if (pulse(check, "reconciled_s") < 0)
		verdict_set(
		    verdict, VERDICT_SKIP, "nothing was reconciled yet");
	if (incomplete <= 0)
		return;
	verdict_set(verdict, VERDICT_FAIL,
	    "lists of a day that are not complete here "
	    "(/db/completeness): %lld",
	    incomplete);
	verdict_cure(verdict, "waybill reconcile --days %lld",
	    pulse(check, "incomplete_days"));
}

/* Nothing is wrong without. */
void
check_statements(struct check *check, int subject, struct verdict *verdict)
{
	const char *counting =
	    facts_text(&check->facts, "pulse", "is_counting");

	(void)subject;
	verdict_set(verdict, VERDICT_OK, "pg_stat_statements counts them");
	if (counting != NULL && *counting == 't')
		return;
	verdict_set(verdict, VERDICT_OK,
	    "nothing counts them: waybill.slow_statements stays empty");
	verdict_cure(verdict,
	    "after the settings of waybill tune: sudo -u postgres psql waybill "
	    "-c 'create extension pg_stat_statements schema public'");
}
