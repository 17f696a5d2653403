#!/bin/bash
# What locks a base and all its children comes to its turn while transactions that write
# never leave the table alone, overlapping and longer than anybody's patience with a lock in hand.
set -u
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
echo 1..3
sql <<-'X' >/dev/null || exit 1
	CREATE TABLE ls (id bigserial, d date, PRIMARY KEY (id, d));
	SELECT router.create_route('ls', router.by_date('d', 'week'), time_zone => 'UTC');
	INSERT INTO ls (d) SELECT date '2024-01-01' + i FROM generate_series(1, 90) i;
X
script=$(mktemp)
cat >"$script" <<-'X'
	\set n random(1, 90)
	BEGIN;
	INSERT INTO ls (d) VALUES (date '2024-01-01' + :n);
	SELECT pg_sleep(0.2);
	INSERT INTO ls (d) VALUES (date '2024-01-01' + 91 - :n);
	COMMIT;
X
pgbench -n -f "$script" -c 5 -j 1 -T 8 >"$script.log" 2>&1 &
sleep 1
n=0
try() {
	n=$((n + 1))
	if sql -c "SET lock_timeout = '6s'" -c "$2" >/dev/null; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
try "add_global_key" "SELECT router.add_global_key('ls', '{id}')"
try "drop_global_key" "SELECT router.drop_global_key('ls', '{id}')"
wait
if ! grep -q ERROR "$script.log"; then echo "ok 3 - no writer failed"; else
	echo "not ok 3 - no writer failed"
	sed 's/^/# /' "$script.log"
fi
rm -f "$script" "$script.log"
