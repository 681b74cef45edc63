# Waybill.  make run: try it.  make test: prove it.  The rest is for those who
# work on it: check, test-asan, accept, bench, install, clean.

BUILD = build
CC = gcc
VERSION := $(shell cat VERSION)

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla -Werror
HARDENING = -fstack-protector-strong -fstack-clash-protection \
	-ftrivial-auto-var-init=zero -fcf-protection -D_FORTIFY_SOURCE=3
SANITIZE =
CPPFLAGS = -I. -isystem $(shell pg_config --includedir 2>/dev/null) \
	-D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"'
CFLAGS = -std=c11 -O2 -g -fPIE $(WARNINGS) $(HARDENING) $(SANITIZE)
LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	-Wl,--as-needed $(SANITIZE)

SHARED = $(patsubst %.c,$(BUILD)/%.o,$(wildcard shared/*.c))
FCGI = $(patsubst %.c,$(BUILD)/%.o,$(wildcard fcgi/*.c))
CTL = $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c))
UNIT = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))

all: $(BUILD)/waybill-fcgi $(BUILD)/waybill

$(BUILD)/waybill-fcgi: $(FCGI) $(SHARED)
	$(CC) $(LDFLAGS) -o $@ $^ -lfcgi -lpq -lcurl -lcrypto -lutf8proc

$(BUILD)/waybill: $(CTL) $(SHARED)
	$(CC) $(LDFLAGS) -o $@ $^ -lpq -lcurl -lcrypto -lutf8proc

$(BUILD)/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# An archive, so that a test is linked with what it needs and no other main().
$(BUILD)/unit/parts.a: $(SHARED) $(FCGI)
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/unit/parts.a
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -lfcgi -lpq -lcurl -lcrypto -lutf8proc

unit: $(UNIT)
	@for test in $(UNIT); do $$test || exit 1; done

-include $(SHARED:.o=.d) $(FCGI:.o=.d) $(CTL:.o=.d)
-include $(UNIT:$(BUILD)/%=$(BUILD)/tests/%.d)

clean:
	rm -rf build build-asan

.PHONY: all clean unit
.PRECIOUS: $(BUILD)/%.o
