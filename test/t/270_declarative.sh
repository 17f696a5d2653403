#!/bin/bash
# Writers and readers, also by a view and with statements that they have prepared, while a table becomes a partitioned one
# and a routed one again and again: none fails, no row is lost.
. "$(dirname "$0")/../lib/load.sh"
seconds=${DECLARATIVE_SECONDS:-8}
psql -Xq -v ON_ERROR_STOP=1 <<-'X' >/dev/null || exit 1
	CREATE TABLE ref (r int PRIMARY KEY);
	INSERT INTO ref SELECT generate_series(1, 5);
	CREATE TABLE de (id bigserial, k int NOT NULL REFERENCES ref, at date NOT NULL, v text, PRIMARY KEY (k, at, id));
	SELECT router.create_route('de', ARRAY[router.by_list('k'), router.by_date('at', 'month')], time_zone => 'UTC');
	INSERT INTO de (k, at) SELECT 1 + i % 5, date '2024-01-01' + i % 300 FROM generate_series(1, 1500) i;
	CREATE VIEW seen AS SELECT k, count(*) AS n FROM de GROUP BY k;
X
cat >"$out/script" <<-'X'
	\set k random(1, 5)
	\set n random(0, 299)
	BEGIN;
	UPDATE ref SET r = r WHERE r = :k;
	INSERT INTO de (k, at, v) VALUES (:k, date '2024-01-01' + :n::int, 'w');
	COMMIT;
	SELECT n FROM seen WHERE k = :k;
	UPDATE de SET v = 'u' WHERE k = :k AND at = date '2024-01-01' + :n::int;
X
there_and_back() {
	query "SELECT count(*) FROM router.export_declarative('de', run => true)" "SELECT pg_sleep(0.2)" \
		"SELECT count(*) FROM router.import_declarative('de')" "SELECT pg_sleep(0.2)" >>"$out/turns" 2>>"$out/errors"
}
writers=()
for protocol in simple prepared; do
	pgbench -n -M $protocol -f "$out/script" -c 2 -T $((seconds + 2)) >"$out/$protocol" 2>&1 &
	writers+=($!)
done
sleep 1
until_end there_and_back
wait "${writers[@]}"
ok "$(cat "$out/errors")" '' 'each turn was made'
ok "$(test "$(wc -l <"$out/turns")" -ge 8 && echo several)" several 'there were some'
ok "$(grep -h ERROR "$out/simple" "$out/prepared")" '' 'no statement failed'
written=$(sed -n 's/.*actually processed: //p' "$out/simple" "$out/prepared" | paste -sd+)
ok "$(query "SELECT count(*) FROM de")" $((1500 + written)) 'each row is there'
ok "$(query "SELECT count(*) FROM ONLY de" "SELECT detail FROM router.check('de')")" 0 'and at home'
done_testing
