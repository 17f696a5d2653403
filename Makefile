# router: see README.md. `make check` and `make demo` need nothing but make and
# root or sudo: they install what is missing, build a private copy with -Werror
# and run it in a private cluster. PG_CONFIG=... chooses another PostgreSQL.

EXTENSION  = router
MODULE_big = router
OBJS       = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA_built = router--1.0.sql
# Functions for tests of users, which they load by themselves: docs/testing.md.
DATA       = sql/router_tap.sql
PGFILEDESC = "router - routed tables"
# What the files of router call of each other is bound here, and not looked up by name when a session loads it.
SHLIB_LINK = $(if $(filter linux,$(PORTNAME)),-Xlinker -Bsymbolic)

# A file includes another one by its room: "route/cache.h".
override PG_CPPFLAGS += -I$(srcdir)/src

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# These run scripts, which find or install a PostgreSQL by themselves. PGXS is
# left out for them: it may not be there yet, and it has a `check` of its own.
SCRIPTED        = check check-all check-core check-asan check-valgrind installcheck demo fuzz fuzz-functions lint bench bench-insert bench-global_key bench-archive \
	bench-read bench-reshape bench-instructions report
NO_INSTALLCHECK = 1

all:

ifneq ($(filter-out $(SCRIPTED),$(or $(MAKECMDGOALS),all)),)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install uninstall:
	@echo "No server headers found by $(PG_CONFIG): apt-get install postgresql-server-dev-15, or set PG_CONFIG." >&2
	@false
clean:
	rm -f src/*.o src/*/*.o src/*.bc src/*/*.bc *.so router--1.0.sql
endif
endif

router--1.0.sql: sql/router.sql sql/sight.sql sql/grants.sql
	cat $^ >$@

$(OBJS): $(wildcard src/*.h src/*/*.h)

# Only a PG_CONFIG that was asked for binds the scripts.
ifneq ($(origin PG_CONFIG),file)
export PG_CONFIG
endif

.PHONY: $(SCRIPTED)

# TESTS='insert isolation' runs what has one of the words in its name, KEEP=1 keeps the cluster's files.
ifneq ($(filter check,$(MAKECMDGOALS)),)
check:
	@test/run
endif

# check with every other PostgreSQL that Debian's layout or PG_CONFIGS names.
check-all: export CHECK_BROWSER = 1
check-all:
	@for pg in $(or $(PG_CONFIGS),$(wildcard /usr/lib/postgresql/*/bin/pg_config)); do \
		echo "== $$pg" && PG_CONFIG=$$pg test/run || exit 1; done

# pgTAP and isolation with the server under AddressSanitizer and UBSan, or valgrind: PG_CONFIG names a server built
# from source, for valgrind with -DUSE_VALGRIND, and SERVER_SUPPRESSIONS its valgrind.supp. TESTS chooses: valgrind takes hours.
check-asan:
	@SERVER_UNDER=asan TEST_TIMEOUT=900 test/run $(or $(TESTS),pgtap isolation)
check-valgrind:
	@SERVER_UNDER=valgrind TEST_TIMEOUT=3600 test/run $(or $(TESTS),pgtap isolation)

# PostgreSQL's own tests with router preloaded, and with every inheritance tree planned
# by it. POSTGRES_SOURCE names a source tree where none can be fetched. Ten minutes.
check-core:
	@test/core/run

# The pgTAP files on a running server (PGHOST, PGPORT, PGUSER) with router installed.
installcheck:
	@test/run --installcheck

demo:
	@test/demo/run

# Queries that prune against those that do not, and sessions that write beside an ordinary twin; each FUZZ_SECONDS
# preloaded and as long not; SEED=... plays a round again.
fuzz: export FUZZ_SECONDS ?= 600
fuzz: export TEST_TIMEOUT ?= $(shell expr $(FUZZ_SECONDS) + 120)
fuzz:
	@PROVE_FLAGS=-v test/run fuzz_prune fuzz_sessions

# Every function with whatever there is, by whoever may connect; SEED=... plays the same calls again.
fuzz-functions: export FUZZ_CALLS ?= 100000
fuzz-functions: export TEST_TIMEOUT ?= $(shell expr $(FUZZ_CALLS) / 50 + 120)
fuzz-functions:
	@PROVE_FLAGS=-v test/run fuzz_functions

lint:
	@test/lib/lint.sh

bench bench-insert bench-global_key bench-archive bench-read bench-reshape:
	@bench/run $(filter-out bench,$(@:bench-%=%))

# The instructions of the hot paths in two trees, each a revision or a directory: BEFORE (HEAD) and AFTER (this tree).
bench-instructions:
	@bench/instructions "$(or $(BEFORE),HEAD)" "$(or $(AFTER),.)"

# A page with plots of the routed tables of a running server's database DB, in OUT (report.html), by libpq's settings.
report:
	@bench/sight/report "$(DB)" "$(OUT)"
