/* waybill check, of this host: files and their modes, users, pools that answer or
 * do not, disks. */
#include "shared/clock.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/spool.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* --- libc's calls, as the tests want them ------------------------------------- */

/* Zeroed: all goes well. */
static struct {
	int statvfs_error;
	long free_mib;
	unsigned long inodes_left; /* 0: the file system counts none */
	bool has_user;
	int leaves_root_error;
	int leaves_root_calls; /* that go well before */
	const char *hidden;    /* a part of paths that nobody may read */
	int connect_error;
	int send_error;
	int poll_errors; /* so many EINTR, and then one EIO */
	bool is_silent;
	int receive_error;
	unsigned char answer_type; /* 0: none, an end */
} world;

int
statvfs(const char *path, struct statvfs *disk)
{
	(void)path;
	*disk = (struct statvfs){ .f_bavail = (unsigned long)world.free_mib,
		.f_frsize = 1024 * 1024,
		.f_files = world.inodes_left == 0 ? 0 : 100000,
		.f_favail = world.inodes_left };
	errno = world.statvfs_error;
	return errno == 0 ? 0 : -1;
}

int
access(const char *path, int mode)
{
	struct stat status;

	(void)mode;
	errno = world.hidden != NULL && strstr(path, world.hidden) != NULL
	    ? EACCES
	    : ENOENT;
	return errno == EACCES || stat(path, &status) != 0 ? -1 : 0;
}

uid_t
geteuid(void)
{
	return 0;
}

struct passwd *
getpwnam(const char *name)
{
	static char login[] = "waybill", home[] = "/home/made";
	static struct passwd user = { .pw_name = login, .pw_dir = home };

	assert_string_equal(name, "waybill");
	return world.has_user ? &user : NULL;
}

static int
leave_root(void)
{
	if (world.leaves_root_error == 0 || world.leaves_root_calls-- > 0)
		return 0;
	errno = world.leaves_root_error;
	return -1;
}

int
initgroups(const char *name, gid_t group)
{
	(void)name, (void)group;
	return leave_root();
}

int
setgid(gid_t group)
{
	(void)group;
	return leave_root();
}

int
setuid(uid_t user)
{
	(void)user;
	return leave_root();
}

int
connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
	(void)fd, (void)to, (void)bytes;
	errno = world.connect_error;
	return errno == 0 ? 0 : -1;
}

ssize_t
send(int fd, const void *data, size_t bytes, int flags)
{
	(void)fd, (void)data, (void)flags;
	errno = world.send_error;
	return errno == 0 ? (ssize_t)bytes : -1;
}

int
poll(struct pollfd *fds, nfds_t count, int limit_ms)
{
	(void)count, (void)limit_ms;
	if (world.poll_errors > 0) {
		errno = --world.poll_errors > 0 ? EINTR : EIO;
		return -1;
	}
	fds->revents = world.is_silent ? 0 : POLLIN;
	return world.is_silent ? 0 : 1;
}

ssize_t
recv(int fd, void *data, size_t bytes, int flags)
{
	const unsigned char head[8] = { 1, world.answer_type };

	(void)fd, (void)flags;
	errno = world.receive_error;
	if (errno != 0)
		return -1;
	assert_int_equal(bytes, sizeof(head));
	memcpy(data, head, sizeof(head));
	return world.answer_type == 0 ? 0 : (ssize_t)bytes;
}

/* --- files -------------------------------------------------------------------- */

static char path[128];

static int
begin(void **state)
{
	memset(&world, 0, sizeof(world));
	world.free_mib = 100000;
	world.answer_type = 10;
	command_file = NULL;
	return check_begin(state);
}

static const char *
place(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", check_dir, name);
	return path;
}

/* A file of the test's own directory. */
static void
write_file(const char *name, mode_t mode, const char *text)
{
	int fd;

	(void)unlink(place(name));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_configuration_that_cannot_be(void **state)
{
	(void)state;
	check_expect("check", "configuration", "warn",
	    "there is no file, only the environment", "waybill -c FILE check");
	check_set("WORKERS", "none");
	check_expect("check", "configuration", "FAIL", "WORKERS",
	    "editor /etc/waybill/waybill.conf");
	check_expect(
	    "check", "secrets", "skip", "there is no configuration", "");
	command_file = "/no/such/file";
	check_expect("check", "configuration", "FAIL", "/no/such/file",
	    "where each key is explained");
	world.hidden = "/no/such";
	check_expect("check", "configuration", "FAIL", "/no/such/file",
	    "sudo waybill check");
}

static void
secrets_that_others_may_read(void **state)
{
	char file[128], conf[256];

	(void)state;
	write_file("waybill.conf", 0644, "EASYPOST_API_KEY=EZAKa\n");
	(void)snprintf(file, sizeof(file), "%s", path);
	command_file = file;
	check_expect("check", "configuration", "ok", file, "");
	check_expect("check", "secrets", "FAIL",
	    "has the mode 0644: everybody on this machine may use it",
	    "chmod o= ");
	write_file("waybill.conf", 0640, "EASYPOST_API_KEY=EZAKa\n");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	/* No secret in it. */
	write_file("waybill.conf", 0644, "EASYPOST_API_KEY=\nWORKERS=9\n");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	/* It names a file. */
	write_file("key", 0644, "EZAKa\n");
	(void)snprintf(
	    conf, sizeof(conf), "EASYPOST_API_KEY_FILE=%s\n", path); /* fits */
	write_file("waybill.conf", 0644, conf);
	check_expect(
	    "check", "secrets", "FAIL", "/key has the mode 0644", "chmod o= ");
	assert_int_equal(unlink(place("key")), 0);
	write_file("waybill.conf", 0600, "# nothing\n");
	/* The directory beside it. */
	assert_int_equal(mkdir(place("secrets"), 0700), 0);
	write_file("secrets/.hidden", 0644, "");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	write_file("secrets/easypost-api-key", 0640, "EZAKa");
	check_expect("check", "secrets", "FAIL",
	    "has the mode 0640: others than its owner may use it",
	    "chmod u=rw,go= ");
	write_file("secrets/easypost-api-key", 0600, "EZAKa");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	/* What all services may read beside it. */
	write_file("waybill.conf", 0640, "DATABASE_URL=postgresql:///x\n");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	write_file("waybill.conf", 0640, "DATABASE_READ_URL=s3cret\n");
	check_expect("check", "secrets", "warn",
	    "every service may read the secret of DATABASE_READ_URL in ",
	    "sed -i -e '/^ *DATABASE_READ_URL *= */{");
	write_file("waybill.conf", 0640, "EASYPOST_API_KEY=EZAKa\n");
	check_expect("check", "secrets", "warn", "of EASYPOST_API_KEY in ",
	    "/secrets/easypost-api-key' -e 'd}' ");
	write_file("key", 0640, "EZAKa\n");
	write_file("waybill.conf", 0640, conf);
	check_expect("check", "secrets", "warn", "of EASYPOST_API_KEY_FILE in ",
	    "install -m 600 ");
	assert_int_equal(chmod(place("key"), 0644), 0);
	check_expect(
	    "check", "secrets", "FAIL", "/key has the mode 0644", "chmod o= ");
	assert_int_equal(unlink(place("key")), 0);
	write_file("waybill.conf", 0600, "EASYPOST_API_KEY_FILE=EZAKa\n");
	check_expect("check", "secrets", "ok", "nobody else may read", "");
	write_file("waybill.conf", 0600, "# nothing\n");
	world.hidden = "/secrets";
	check_expect("check", "secrets", "skip", "only root may look into",
	    "sudo waybill check");
	check_expect("check", "webhook secret", "skip",
	    "only root may look into", "sudo waybill check");
	check_expect("check", "key production", "skip",
	    "only root may look into", "sudo waybill check");
	check_set("DATABASE_URL", "");
	check_expect("check", "database", "skip",
	    "DATABASE_URL is not set, or where only root may see it",
	    "sudo waybill check");
	assert_int_equal(unlink(place("secrets/.hidden")), 0);
	assert_int_equal(unlink(place("secrets/easypost-api-key")), 0);
	assert_int_equal(rmdir(place("secrets")), 0);
	assert_int_equal(unlink(place("waybill.conf")), 0);
}

static void
users_that_root_becomes(void **state)
{
	(void)state;
	check_expect("check", "user", "ok", "uid 0", "");
	world.has_user = true;
	check_expect("check", "user", "ok",
	    "from here on as waybill, as the services", "");
	world.leaves_root_error = EPERM;
	for (int calls = 0; calls < 3; calls++) {
		world.leaves_root_calls = calls;
		check_expect("check", "user", "FAIL",
		    "cannot become waybill: Operation not permitted",
		    "sudo -u waybill waybill check");
	}
}

/* --- pools -------------------------------------------------------------------- */

static void
pools_that_do_not_answer(void **state)
{
	(void)state;
	check_expect("check", "pool read", "FAIL", "nobody answers at ",
	    "systemctl enable --now waybill-read.socket waybill-read");
	write_file("read.sock", 0660, "");
	check_expect("check", "pool read", "ok", "a worker answers", "");
	write_file("read.sock", 0666, "");
	check_expect("check", "pool read", "FAIL",
	    "has the mode 0666: anybody may stop workers",
	    "systemctl restart waybill-read.socket");
	world.answer_type = 3;
	check_expect("check", "pool read", "FAIL", ": Protocol error", "");
	world.answer_type = 0;
	check_expect("check", "pool read", "FAIL", ": Protocol error", "");
	world.receive_error = ECONNRESET;
	check_expect("check", "pool read", "FAIL", ": Connection reset", "");
	world.poll_errors = 3;
	check_expect("check", "pool read", "FAIL", ": Input/output error", "");
	world.send_error = EPIPE;
	check_expect("check", "pool read", "FAIL", ": Broken pipe", "");
	world.connect_error = ECONNREFUSED;
	check_expect("check", "pool read", "FAIL", ": Connection refused", "");
	world.connect_error = EACCES;
	check_expect("check", "pool read", "skip", "is for root and the group",
	    "sudo waybill check");
	world.connect_error = EAGAIN;
	check_expect("check", "pool read", "FAIL",
	    "no worker answers within 2 s", "systemctl restart waybill-read");
	world.connect_error = world.send_error = world.poll_errors = 0;
	world.is_silent = true;
	check_expect("check", "pool read", "FAIL",
	    "no worker answers within 2 s", "journalctl -u waybill-read");
	assert_int_equal(unlink(place("read.sock")), 0);
}

static void
what_the_scoreboard_tells_of_a_pool(void **state)
{
	const struct conf conf = { .run_dir = check_dir };
	struct scoreboard *board = scoreboard_create(
	    pool_scoreboard_path(&pools[POOL_READ], &conf), 2);

	(void)state;
	scoreboard_set_size(board, 2, 2);
	write_file("read.sock", 0660, "");
	scoreboard_slot(board, 0)->state = SLOT_BUSY;
	scoreboard_slot(board, 1)->state = SLOT_IDLE;
	check_expect(
	    "check", "pool read", "ok", "workers 2, busy 1, at most 2", "");
	world.is_silent = true;
	check_expect("check", "pool read", "FAIL", "no worker answers", "");
	scoreboard_slot(board, 1)->state = SLOT_FREE;
	check_expect("check", "pool read", "FAIL", "no worker answers", "");
	scoreboard_slot(board, 1)->state = SLOT_BUSY;
	check_expect("check", "pool read", "warn",
	    "all 2 workers are busy; requests wait",
	    "a larger WORKERS_OVERFLOW");
	world.is_silent = false;
	(void)fuse_note_failure(&scoreboard_fuses(board)->easypost, 1, 1000000);
	check_expect("check", "pool read", "warn",
	    "workers 2, which take EasyPost for away", "");
	(void)fuse_note_failure(&scoreboard_fuses(board)->database, 1, 1000000);
	check_expect("check", "pool read", "warn",
	    "workers 2, which take the database for away", "");
	scoreboard_close(board);
	assert_int_equal(
	    unlink(pool_scoreboard_path(&pools[POOL_READ], &conf)), 0);
	assert_int_equal(unlink(place("read.sock")), 0);
}

/* --- disks -------------------------------------------------------------------- */

static void
disks_that_are_full(void **state)
{
	(void)state;
	check_expect("check", "disk of the spool", "ok", "100000 MiB are", "");
	world.free_mib = 1000;
	check_expect("check", "disk of the spool", "warn",
	    "1000 MiB are free in", "SPOOL_MAX_BYTES");
	check_expect("check", "disk of PostgreSQL", "warn",
	    "1000 MiB are free in", "make room");
	world.free_mib = 50;
	check_expect("check", "disk of the spool", "FAIL",
	    "while the database is away, webhooks are refused", "make room");
	check_expect("check", "disk of PostgreSQL", "FAIL",
	    "50 MiB are free in", "make room");
	world.inodes_left = 7;
	check_expect("check", "disk of the spool", "FAIL", "inodes left: 7",
	    "remove small files");
	check_expect("check", "disk of PostgreSQL", "FAIL", "inodes left: 7",
	    "remove small files");
	world.inodes_left = 5000;
	world.free_mib = 100000;
	check_expect("check", "disk of PostgreSQL", "ok", "100000 MiB", "");
	world.statvfs_error = ENOENT;
	check_expect("check", "disk of the spool", "skip",
	    "No such file or directory", "sudo waybill check");
	check_expect("check", "disk of PostgreSQL", "skip",
	    "only the server's own user knows its directory", "");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_configuration_that_cannot_be),
		TEST(secrets_that_others_may_read),
		TEST(users_that_root_becomes),
		TEST(pools_that_do_not_answer),
		TEST(what_the_scoreboard_tells_of_a_pool),
		TEST(disks_that_are_full),
	};

	return cmocka_run_group_tests(tests, NULL, check_end);
}
