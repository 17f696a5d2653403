#!/bin/bash
# make install brings the extension, its library and the functions for pgTAP; make uninstall takes away all of it. The
# test file of docs/testing.md runs by pg_prove.
. "$CHECK_TESTS/lib/load.sh"

there=$out/there
installation() { make -s -C "$CHECK_TESTS/.." "$1" DESTDIR="$there" PG_CONFIG="$(command -v pg_config)" with_llvm=no >"$out/log" 2>&1 && echo done || cat "$out/log"; }
files() { (cd "$there" && find . -type f -printf '%f\n' | LC_ALL=C sort | tr '\n' ' '); }

ok "$(installation install)" done "make install"
ok "$(files)" "router--1.0.sql router.control router.so router_tap.sql " "brings these files"
ok "$([ -e "$there$(pg_config --sharedir)/extension/router_tap.sql" ] && echo there)" there "the functions for pgTAP lie below pg_config --sharedir"
ok "$(grep -c router_tap "$there$(pg_config --sharedir)/extension/router--1.0.sql")" 0 "and are no part of the extension"
awk '/^```$/ { go = 0 } go { print } /^```sql$/ { go = 1 } /^A file `readings.sql`/ { exit }' "$CHECK_TESTS/../docs/testing.md" >"$out/tables.sql"
awk '/^BEGIN;$/ { go = 1 } go { print } /^ROLLBACK;$/ { exit }' "$CHECK_TESTS/../docs/testing.md" >"$out/readings.sql"
ok "$(psql -Xqq -v ON_ERROR_STOP=1 -f "$out/tables.sql" >"$out/log" 2>&1 && echo made || cat "$out/log")" made "the tables of docs/testing.md"
ok "$(pg_prove -d "$PGDATABASE" "$out/readings.sql" 2>&1 | sed -n 's/^\(All tests successful\|Result: PASS\|Files=1, Tests=12\).*/\1/p' | tr '\n' ' ')" \
	"All tests successful Files=1, Tests=12 Result: PASS " "and its test file, by pg_prove"

ok "$(installation uninstall)" done "make uninstall"
ok "$(files)" "" "leaves none"
done_testing
