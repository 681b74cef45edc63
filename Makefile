# Waybill.  make run: try it.  make test: prove it.  make deb: the package.  The
# rest is for those who work on it: check, unit, test-asan, coverage, test-boot,
# accept, bench, drill, figures, attack, man, install, clean.

BUILD = build
CC = gcc
PYTHON = /usr/bin/python3
JOBS = 2
PYTEST_FLAGS = -q -n $(JOBS) --dist loadfile
VERSION := $(shell cat VERSION)

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla -Werror
HARDENING = -fstack-protector-strong -fstack-clash-protection \
	-ftrivial-auto-var-init=zero -fcf-protection -D_FORTIFY_SOURCE=3
SANITIZE =
WRAP =
PQ_INCLUDE := $(shell pg_config --includedir 2>/dev/null)
CPPFLAGS = -I. -isystem $(PQ_INCLUDE) \
	-D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"'
# The same bytes wherever it is built.
CFLAGS = -std=c11 -O2 -g -ffile-prefix-map=$(CURDIR)=. -fPIE $(WARNINGS) $(HARDENING) $(SANITIZE)
LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	-Wl,--as-needed $(SANITIZE)

SOURCES = $(wildcard shared/*.c fcgi/*.c ctl/*.c)
SHARED = $(patsubst %.c,$(BUILD)/%.o,$(wildcard shared/*.c))
FCGI = $(patsubst %.c,$(BUILD)/%.o,$(wildcard fcgi/*.c))
CTL = $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c))

all: $(BUILD)/waybill-fcgi $(BUILD)/waybill web
	@:

$(BUILD)/waybill-fcgi: $(FCGI) $(SHARED)
	@echo link $@
	@$(CC) $(LDFLAGS) -o $@ $^ -lfcgi -lpq -lcurl -lcrypto -lutf8proc -ljansson -lxxhash

$(BUILD)/waybill: $(CTL) $(SHARED)
	@echo link $@
	@$(CC) $(LDFLAGS) -o $@ $^ -lpq -lcurl -lcrypto -lutf8proc -ljansson

$(BUILD)/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	@echo compile $<
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(SHARED:.o=.d) $(FCGI:.o=.d) $(CTL:.o=.d)

# What nginx serves by itself, in one directory, the same for every build.
PAGE = $(shell find web/dashboard -type f)
FILES = $(patsubst %,build/%,$(wildcard web/docs/*) $(PAGE)) build/web/openapi.json
WEB = $(FILES) $(patsubst %,%.gz,$(filter %.json %.js %.css,$(FILES)))

web: $(WEB)

build/web/openapi.json: web/openapi.yaml web/build_openapi.py VERSION
	@mkdir -p $(@D)
	@echo build $@
	@$(PYTHON) web/build_openapi.py $< $(VERSION) $@

# Once here instead of for each request.
build/web/%.gz: build/web/%
	@gzip -9 -n -c $< >$@

build/web/docs/%: web/docs/%
	@mkdir -p $(@D)
	@cp $< $@

build/web/dashboard/%: web/dashboard/%
	@mkdir -p $(@D)
	@cp $< $@

# --- try it -------------------------------------------------------------------

# Everything on this machine, in ./run, until Ctrl-C.  PORT=, DATABASE_URL= and
# EASYPOST_API_KEY= choose other than the defaults.
run:
	@tests/env/packages.sh run
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@exec $(PYTHON) tests/env/run.py

# --- prove it -----------------------------------------------------------------

test: packages
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory unit
	$(PYTHON) -m pytest tests $(PYTEST_FLAGS)

# The whole suite once more, where every wrong byte is seen.  Without warnings:
# the sanitizers' own code causes false ones.
ASAN = BUILD=build-asan \
	SANITIZE="-w -fsanitize=address,undefined -fno-omit-frame-pointer" \
	HARDENING="$(filter-out -D_FORTIFY_SOURCE=%,$(HARDENING))"
test-asan: packages
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) all
	@$(MAKE) --no-print-directory $(ASAN) unit
	$(PYTHON) -m pytest tests --build build-asan $(PYTEST_FLAGS)

# Which lines and branches of the C code the whole suite runs through; the report
# is in build-coverage/report too.  With less than COVERAGE_MIN % of the branches it
# fails.  COVERAGE_TESTS= chooses other tests.
#
# Not counted are branches that only the compiler made: those of lines without
# code, and of exceptions, which C does not have.  The files of counters are there
# before, for everybody: the service's user writes them as root does.
COVERED = build-coverage
COVERAGE_TESTS = tests
COVERAGE_MIN = 90
COVERAGE = BUILD=$(COVERED) SANITIZE="-w -O0 --coverage" HARDENING= \
	LDFLAGS="--coverage -Wl,--wrap=abort,--wrap=_exit,--wrap=execvp $(COVERED)/flush.o"
COVERAGE_REPORT = gcovr --root . --object-directory $(COVERED) \
	--filter shared/ --filter fcgi/ --filter ctl/ \
	--exclude-throw-branches --exclude-unreachable-branches \
	--html-details $(COVERED)/report/index.html \
	--json $(COVERED)/report/coverage.json \
	--csv $(COVERED)/report/coverage.csv --print-summary $(COVERED)

coverage: packages
	@mkdir -p $(COVERED)
	@$(CC) -c -o $(COVERED)/flush.o tests/coverage/flush.c
	@$(MAKE) --no-print-directory -j$(JOBS) $(COVERAGE) all
	@find $(COVERED) -name '*.gcda' -delete
	@find $(COVERED) -name '*.gcno' | sed 's/gcno$$/gcda/' | xargs touch
	@find $(COVERED) -name '*.gcda' -exec chmod 666 {} +
	@$(MAKE) --no-print-directory $(COVERAGE) unit
	@$(PYTHON) -m pytest $(COVERAGE_TESTS) --build $(COVERED) $(PYTEST_FLAGS); \
		result=$$?; $(MAKE) --no-print-directory coverage-report && \
		exit $$result

coverage-report:
	@mkdir -p $(COVERED)/report
	@find $(COVERED) -name '*.gcda' -empty -delete
	@$(COVERAGE_REPORT) >$(COVERED)/report/summary.txt
	@$(PYTHON) tests/coverage/table.py $(COVERED)/report/coverage.csv \
		$(COVERAGE_MIN) >$(COVERED)/report/coverage.txt; \
		result=$$?; cat $(COVERED)/report/coverage.txt; exit $$result

# The parts by themselves.  An archive, so that a test is linked with what it
# needs and with no other main(); two of them have one name (ar q).
UNIT = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))

unit: $(UNIT)
	@for test in $(UNIT); do $$test || exit 1; done

$(BUILD)/unit/parts.a: $(SHARED) $(FCGI) $(filter-out %/main.o,$(CTL))
	@mkdir -p $(@D)
	@rm -f $@
	@ar qcs $@ $^

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/unit/parts.a
	@echo link $@
	@$(CC) $(LDFLAGS) $(WRAP) -o $@ $^ -lcmocka -lfcgi -lpq -lcurl -lcrypto -lutf8proc -ljansson -lxxhash

# Calls that tests/unit/faults.h lets fail.
FAULTS = calloc clock_gettime close faccessat fdopendir flock fstat fstatat fstatvfs fsync malloc \
	mkdirat mmap openat posix_fallocate pread pwrite read readdir realloc rename \
	renameat unlink unlinkat write
FAULTY = $(shell grep -l faults.h tests/unit/test_*.c)
$(FAULTY:tests/%.c=$(BUILD)/%): WRAP = $(FAULTS:%=-Wl,--wrap=%)

# The same in the tests themselves.
$(BUILD)/unit/test_db: FAULTS += poll PQconnectStartParams PQconsumeInput PQflush \
	PQsendPrepare PQsendQuery PQsendQueryParams PQsendQueryPrepared \
	PQsetnonblocking PQsocket

$(BUILD)/unit/test_throttle: FAULTS += clock_us

$(BUILD)/unit/test_crew: WRAP = -Wl,--wrap=fork,--wrap=kill,--wrap=waitpid \
	-Wl,--wrap=clock_ms,--wrap=fopen

-include $(UNIT:$(BUILD)/%=$(BUILD)/tests/%.d)

# Linters of the contract, Prometheus, the official client for Node.js, an authority
# for certificates, a scanner of TLS; needs npm, apt, git and the network.
accept:
	@tests/env/packages.sh accept
	@$(MAKE) --no-print-directory -j$(JOBS) all $(TESTSSL)
	TESTSSL=$(TESTSSL) $(PYTHON) tests/accept/run.py

# One commit of it, because another one may find something else; Debian's gives no
# grade.  TESTSSL= names another one.
TESTSSL_COMMIT = 9fdf8028baba86d83218db294a5776384ec8c332
TESTSSL = $(CURDIR)/build/testssl-$(TESTSSL_COMMIT)/testssl.sh
$(CURDIR)/build/testssl-%/testssl.sh:
	@echo fetch testssl.sh
	@rm -rf $(@D) && git init --quiet $(@D)
	@git -C $(@D) fetch --quiet --depth 1 https://github.com/testssl/testssl.sh $*
	@git -C $(@D) checkout --quiet FETCH_HEAD

# What each path costs beside its parts; figures in $(BUILD)/bench.json.
bench:
	@tests/env/packages.sh bench
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(PYTHON) tests/bench/bench.py --build $(BUILD) $(BENCH_FLAGS)

# The database is lost while labels are bought, and restored; DRILL_TIMEOUT=60 is
# the archive_timeout of backup/postgresql.conf.
drill: packages
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(PYTHON) -m pytest tests/drill.py -q -s

# Right to the cent whatever becomes of CHANGES shipments, in random order and by many
# workers, with a crash in the middle; make test has 4,000 of them.
CHANGES = 100000
figures: packages
	@$(MAKE) --no-print-directory -j$(JOBS) all
	TEST_CHANGES=$(CHANGES) $(PYTHON) -m pytest tests/test_figures.py -q -s \
		-k test_whatever_changes

# Slow clients and floods, and what others notice of them; on a machine that has
# nothing else to do.  ATTACK_COUNT= and ATTACK_P99_MS= are in its head.
attack: packages
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(PYTHON) -m pytest tests/attack.py -q -s

packages:
	@tests/env/packages.sh test

# --- check: what can be seen without running it ---------------------------------
# What has passed leaves a stamp and is not looked at again until it changes.

STAMPS = $(BUILD)/check
FORMATTED = $(wildcard shared/*.[ch] fcgi/*.[ch] ctl/*.[ch] tests/unit/*.[ch] \
	tests/fuzz/*.[ch])
SHELL_FILES = $(wildcard tests/*.sh tests/*/*.sh) .ci/run ctl/completion.bash \
	debian/preinst debian/postinst debian/postrm
UNITS = $(wildcard systemd/*.service systemd/*.socket systemd/*.timer)

check: packages
	@$(MAKE) --no-print-directory -k -j$(JOBS) checks

checks: $(FORMATTED:%=$(STAMPS)/%.format) \
	$(SOURCES:%.c=$(STAMPS)/%.tidy) $(SOURCES:%.c=$(STAMPS)/%.analyzer) \
	$(STAMPS)/cppcheck $(STAMPS)/floors $(STAMPS)/shell $(STAMPS)/sql \
	$(STAMPS)/units $(STAMPS)/nginx $(STAMPS)/alerts

$(STAMPS)/%.format: % .clang-format
	@mkdir -p $(@D)
	@echo format $<
	@clang-format --dry-run -Werror $<
	@touch $@

# An object is newer than all the headers it was made of.
$(STAMPS)/%.tidy: $(BUILD)/%.o .clang-tidy
	@mkdir -p $(@D)
	@echo tidy $*.c
	@clang-tidy --quiet $*.c -- -std=c11 $(CPPFLAGS) 2>$@.log || \
		{ cat $@.log; exit 1; }
	@touch $@

$(STAMPS)/%.analyzer: $(BUILD)/%.o
	@mkdir -p $(@D)
	@echo analyze $*.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) -fanalyzer -c -o $@.o $*.c
	@rm -f $@.o
	@touch $@

# Not "style": it wants declarations where the house style has none.
CPPCHECK = --std=c11 --language=c --quiet --error-exitcode=1 --inline-suppr \
	--enable=warning,performance,portability \
	--suppress=missingIncludeSystem
$(STAMPS)/cppcheck: $(FORMATTED) Makefile
	@mkdir -p $(@D)
	@mkdir -p $@.d
	@echo cppcheck
	@cppcheck $(CPPCHECK) --cppcheck-build-dir=$@.d -I. $(SOURCES)
	@touch $@

$(STAMPS)/floors: tests/floors.py $(FORMATTED)
	@mkdir -p $(@D)
	@echo floors
	@$(PYTHON) tests/floors.py
	@touch $@

$(STAMPS)/shell: $(SHELL_FILES)
	@mkdir -p $(@D)
	@echo shellcheck $^
	@shellcheck $^
	@touch $@

# In a cluster of its own, with plpgsql_check.
$(STAMPS)/sql: tests/check_sql.py $(BUILD)/waybill $(shell find sql -name '*.sql')
	@mkdir -p $(@D)
	@echo sql
	@$(PYTHON) tests/check_sql.py
	@touch $@

# The programs need not be installed: copies of the units name those built here.
# The most that may be exposed of each service, in the tenths of systemd-analyze; a
# service that is not here fails.  tests/boot measures nginx, PostgreSQL, php-fpm and
# Redis beside them.
EXPOSURE_MAX = read=4 webhook=4 jobs=4 refresh=4 upstream=12 reconcile=12 backup@=12
$(STAMPS)/units: $(UNITS) $(wildcard systemd/*/*) \
		$(BUILD)/waybill-fcgi $(BUILD)/waybill
	@rm -rf $@.d && mkdir -p $@.d && cp -r systemd/. $@.d
	@sed -i 's,/usr/bin/waybill,$(abspath $(BUILD))/waybill,g' $@.d/*.service
	@echo units
	@cd $@.d && systemd-analyze verify --man=no --recursive-errors=no \
		./*.service ./*.socket ./*.timer >verified 2>&1 && \
		[ ! -s verified ] || { cat verified; exit 1; }
	@cd $@.d && for unit in *.service; do \
		name=$${unit#waybill-}; name=$${name%.service}; most=; \
		for pair in $(EXPOSURE_MAX); do \
			[ $${pair%=*} != $$name ] || most=$${pair#*=}; done; \
		[ -n "$$most" ] || { echo "$$unit is not in EXPOSURE_MAX"; exit 1; }; \
		systemd-analyze security --offline=true --no-pager \
		--threshold=$$most ./$$unit >security || \
		{ cat security; exit 1; }; done
	@touch $@

$(STAMPS)/nginx: $(wildcard nginx/*) tests/env/nginx.py
	@mkdir -p $(@D)
	@echo nginx
	@cd tests && $(PYTHON) -m env.nginx
	@touch $@

# That each alert has a test is seen by tests/test_monitoring.py.
ALERT_TESTS = $(wildcard tests/monitoring/*.test.yml)
$(STAMPS)/alerts: monitoring/waybill.rules.yml $(ALERT_TESTS)
	@mkdir -p $(@D)
	@echo alerts
	@promtool check rules $< >$@.log && promtool test rules $(ALERT_TESTS) \
		>>$@.log || { cat $@.log; exit 1; }
	@touch $@

# --- install ------------------------------------------------------------------
# For packagers: debian/rules calls it, with DESTDIR.

DESTDIR =
PREFIX = /usr/local
SYSCONFDIR = /etc
UNITDIR = $(PREFIX)/lib/systemd/system
STRIP = -s
SHARE = $(PREFIX)/share

MAN = $(patsubst man/%.scd,build/man/%,$(wildcard man/*.scd)) \
	build/man/waybill.conf.5

man: $(MAN)

build/man/%: man/%.scd
	@mkdir -p $(@D)
	@echo build $@
	@scdoc <$< >$@

build/man/waybill.conf.5: man/conf.awk systemd/waybill.conf
	@mkdir -p $(@D)
	@echo build $@
	@awk -f $^ | scdoc >$@

# The words between @ signs, as an installed system has them.
SITE = sed -e 's,@LISTEN@,443,' -e 's,@LISTEN6@,[::]:443,' \
	-e 's,@LISTEN_PLAIN@,80,' -e 's,@LISTEN_PLAIN6@,[::]:80,' \
	-e 's,@ACME_DIR@,/var/www/html,' \
	-e 's,@SERVER_NAME@,ship.example.com,' \
	-e 's,@CERTIFICATE@,/etc/ssl/certs/ssl-cert-snakeoil.pem,' \
	-e 's,@KEY@,/etc/ssl/private/ssl-cert-snakeoil.key,' \
	-e 's,@NGINX_DIR@,$(SHARE)/waybill/nginx,' \
	-e 's,@WEB_DIR@,$(SHARE)/waybill/web,' \
	-e 's,@RUN_DIR@,/run/waybill,' -e 's,@LOG_DIR@,/var/log/nginx,'
# The program's own default needs not be said.
SQL_DIR_LINE = $(if $(filter-out /usr,$(PREFIX)),WAYBILL_SQL_DIR=$(SHARE),&)

install: all man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR)/waybill-.service.d \
		$(DESTDIR)$(UNITDIR)/waybill-backup@.service.d \
		$(DESTDIR)$(SHARE)/waybill/nginx
	install $(STRIP) $(BUILD)/waybill $(BUILD)/waybill-fcgi $(DESTDIR)$(PREFIX)/bin
	# The files of the version before would be loaded with those of this one.
	rm -rf $(DESTDIR)$(SHARE)/waybill/sql
	cp -R sql $(DESTDIR)$(SHARE)/waybill/
	chmod -R u=rwX,go=rX $(DESTDIR)$(SHARE)/waybill/sql
	for unit in $(UNITS) $(wildcard systemd/*.service.d/*.conf); do \
		sed 's,/usr/bin/waybill,$(PREFIX)/bin/waybill,g' $$unit \
		>$(DESTDIR)$(UNITDIR)/$${unit#systemd/} || exit 1; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${unit#systemd/} || exit 1; \
	done
	install -D -m 644 systemd/sysusers.d/waybill.conf \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/waybill.conf
	install -D -m 644 systemd/tmpfiles.d/waybill.conf \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/waybill.conf
	for file in $(WEB); do \
		install -D -m 644 $$file \
		$(DESTDIR)$(SHARE)/waybill/$${file#build/} || exit 1; \
	done
	for file in http common server plain; do \
		$(SITE) nginx/waybill-$$file.conf.in \
		>$(DESTDIR)$(SHARE)/waybill/nginx/waybill-$$file.conf || exit 1; \
	done
	install -m 644 nginx/waybill-fastcgi.conf $(DESTDIR)$(SHARE)/waybill/nginx/
	for page in $(MAN); do \
		install -D -m 644 $$page \
		$(DESTDIR)$(SHARE)/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	install -D -m 644 ctl/completion.bash \
		$(DESTDIR)$(SHARE)/bash-completion/completions/waybill
	install -d $(DESTDIR)$(SHARE)/waybill/monitoring
	install -m 644 $(wildcard monitoring/*) \
		$(DESTDIR)$(SHARE)/waybill/monitoring/
	install -D -m 644 systemd/database-network.conf \
		$(DESTDIR)$(SHARE)/waybill/systemd/database-network.conf
	install -d $(DESTDIR)$(SHARE)/waybill/backup
	install -m 644 $(wildcard backup/*) $(DESTDIR)$(SHARE)/waybill/backup/
	# What somebody may have changed is not overwritten.
	install -d $(DESTDIR)$(SYSCONFDIR)/waybill \
		$(DESTDIR)$(SYSCONFDIR)/nginx/sites-available
	test -e $(DESTDIR)$(SYSCONFDIR)/waybill/waybill.conf || \
		sed 's,^#WAYBILL_SQL_DIR=/usr/share,$(SQL_DIR_LINE),' \
		systemd/waybill.conf \
		>$(DESTDIR)$(SYSCONFDIR)/waybill/waybill.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/nginx/sites-available/waybill || \
		$(SITE) nginx/waybill.in \
		>$(DESTDIR)$(SYSCONFDIR)/nginx/sites-available/waybill

# The Debian package, out of a copy, so that nothing that lies about gets into it;
# the same files give the same bytes.
DEB_SOURCES = Makefile README.md SECURITY.md VERSION backup ctl debian docs fcgi man \
	monitoring nginx shared sql systemd web
DEB_DIR = build/deb/waybill-$(VERSION)

deb:
	@tests/env/packages.sh deb
	@rm -rf build/deb
	@mkdir -p $(DEB_DIR)
	@cp -R $(DEB_SOURCES) $(DEB_DIR)
	@cd $(DEB_DIR) && dpkg-buildpackage --build=binary --no-sign --jobs=$(JOBS)
	@mv build/deb/*.deb build
	@echo built build/waybill_$(VERSION)_*.deb

# The package on a Debian that systemd has booted; as root, and some minutes.  Needs
# the network, for npm.
test-boot: deb
	@tests/env/packages.sh boot
	$(PYTHON) -m pytest -q tests/boot/boot.py

clean:
	rm -rf build build-asan build-coverage
	@$(PYTHON) tests/env/run.py --clean

.PHONY: all web run test test-asan coverage coverage-report test-boot unit accept bench drill figures attack packages check checks man install deb clean
.PRECIOUS: $(BUILD)/%.o
