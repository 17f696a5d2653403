#!/bin/bash
# What locks a base and all its children comes to its turn while transactions that write
# never leave the table alone, overlapping and longer than anybody's patience with a lock in hand.
. "$(dirname "$0")/../lib/load.sh"
psql -Xq -v ON_ERROR_STOP=1 <<-'X' >/dev/null || exit 1
	CREATE TABLE ls (id bigserial, d date, PRIMARY KEY (id, d));
	SELECT router.create_route('ls', router.by_date('d', 'week'), time_zone => 'UTC');
	INSERT INTO ls (d) SELECT date '2024-01-01' + i FROM generate_series(1, 90) i;
X
cat >"$out/script" <<-'X'
	\set n random(1, 90)
	BEGIN;
	INSERT INTO ls (d) VALUES (date '2024-01-01' + :n);
	SELECT pg_sleep(0.2);
	INSERT INTO ls (d) VALUES (date '2024-01-01' + 91 - :n);
	COMMIT;
X
pgbench -n -f "$out/script" -c 5 -j 1 -T 60 >"$out/log" 2>&1 &
writers=$!
sleep 1
for call in "add_global_key('ls', '{id}')" "drop_global_key('ls', '{id}')"; do
	query "SET lock_timeout = '6s'" "SELECT router.$call" >/dev/null
	ok $? 0 "${call%%(*}"
	kill -0 $writers
	ok $? 0 "while the writers are at it"
done
kill $writers
wait $writers 2>/dev/null
ok "$(grep ERROR "$out/log")" '' 'no writer failed'
done_testing
