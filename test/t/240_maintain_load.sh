#!/bin/bash
# Inserts, late ones too, updates, selects and router.maintain together, on two hot tables: one by day below residences
# that it refers to, one by day with a global key that others refer to. Windows shrink from night to night, so that every
# night has rows to archive and children to retire. No client may meet a deadlock or fail otherwise (core's 40001 of a row
# that moved is tried again), and after it each row that was to be kept is there, once, with all its updates. Checklist C12.
# LOAD_SECONDS (default 8).
. "$(dirname "$0")/../lib/load.sh"
seconds=${LOAD_SECONDS:-8}

psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<-'EOF' || exit 1
	CREATE TABLE residence (id int PRIMARY KEY);
	INSERT INTO residence SELECT generate_series(1, 4);
	CREATE TABLE told (t text, id bigint, d timestamptz, v int, PRIMARY KEY (t, id));
	CREATE SEQUENCE s;
	CREATE TABLE a (id bigint, r int REFERENCES residence, d timestamptz, v int DEFAULT 0, PRIMARY KEY (id, r, d));
	CREATE TABLE b (LIKE a INCLUDING ALL);
	CREATE INDEX ON a (d);
	CREATE INDEX ON b (d);
	SELECT router.create_route('a', ARRAY[router.by_list('r'), router.by_date('d', 'day')], hot => '20 days', time_zone => 'UTC');
	SELECT router.create_route('b', router.by_date('d', 'day'), hot => '20 days', time_zone => 'UTC');
	SELECT router.add_global_key('b', '{id}');
	CREATE TABLE alarm (id bigint REFERENCES b_id_keys ON DELETE CASCADE);
	SELECT router.set_maintenance('a', keep => '25 days'), router.set_maintenance('b', keep => '25 days');
EOF
# up to 30 days late; the rows of alarms are young ones, that are kept
cat >"$out/insert" <<-'EOF'
	\set age random(0, 720)
	\set age2 random(0, 100)
	\set r random(1, 4)
	BEGIN;
	SELECT nextval('s') AS id \gset
	INSERT INTO a VALUES (:id, :r, now() - :age * interval '1 hour');
	INSERT INTO b VALUES (:id, :r, now() - :age2 * interval '1 hour');
	INSERT INTO alarm VALUES (:id);
	INSERT INTO told VALUES ('a', :id, now() - :age * interval '1 hour', 0), ('b', :id, now() - :age2 * interval '1 hour', 0);
	COMMIT;
EOF
cat >"$out/bulk" <<-'EOF'
	\set r random(1, 4)
	\set age random(0, 720)
	BEGIN;
	SELECT nextval('s') * 1000000 AS id \gset
	INSERT INTO b SELECT :id + i, :r, now() - (:age * interval '1 hour' + i * interval '1 minute') FROM generate_series(1, 20) i;
	INSERT INTO a SELECT :id + i, :r, now() - i * interval '1 hour' FROM generate_series(1, 20) i;
	INSERT INTO told SELECT 'b', :id + i, now() - (:age * interval '1 hour' + i * interval '1 minute'), 0 FROM generate_series(1, 20) i;
	INSERT INTO told SELECT 'a', :id + i, now() - i * interval '1 hour', 0 FROM generate_series(1, 20) i;
	COMMIT;
EOF
# counts rows that retention has not taken
cat >"$out/update" <<-'EOF'
	\set n random(1, 100)
	SELECT coalesce(max(id), 0) AS id FROM (SELECT id FROM told WHERE t = 'a' AND d > now() - interval '4 days' OFFSET :n LIMIT 1) x \gset
	BEGIN;
	UPDATE a SET v = v + 1 WHERE id = :id;
	UPDATE told SET v = v + 1 WHERE t = 'a' AND id = :id;
	COMMIT;
EOF
cat >"$out/select" <<-'EOF'
	SELECT count(*) FROM ONLY a WHERE d > now() - interval '2 days';
	SELECT count(*), sum(v) FROM b WHERE d > now() - interval '10 days';
	BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT count(*) FROM a;
	SELECT count(*) FROM b;
	COMMIT;
EOF

nights=0 failures=0
pgbench -n -c 4 -j 2 -T "$seconds" --max-tries=100 --verbose-errors -f "$out/insert@4" -f "$out/bulk@1" -f "$out/update@4" \
	-f "$out/select@2" >"$out/pgbench" 2>&1 &
load=$!
night() {
	local hot=$((480 - nights * 20)) keep=$((600 - nights * 20))
	[ $hot -gt 48 ] || hot=48
	[ $keep -gt 168 ] || keep=168
	query "UPDATE router.route_def SET hot = '$hot hours'; UPDATE router.maintain_def SET keep = '$keep hours'" || exit 1
	query "CALL router.maintain(batch_rows => 100, lock_timeout => '500 ms')" 2>>"$out/nights" || failures=$((failures + 1))
	nights=$((nights + 1))
}
until_end night
wait $load
ok $? 0 'pgbench ends well'
ok "$(grep -c 'deadlock detected' "$out/pgbench")" 0 'no client met a deadlock'
ok "$(sed -nE 's/^number of failed transactions: ([0-9]+).*/\1/p' "$out/pgbench")" 0 'no transaction failed'
ok "$failures" 0 'no night failed'
[ -s "$out/nights" ] && sed 's/^/# /' "$out/nights" | head -20
echo "# $nights nights, $(query "SELECT string_agg(n, ', ') FROM (SELECT action || ' ' || sum(rows) AS n FROM router.events WHERE action IN ('archive', 'premake', 'retention') GROUP BY action ORDER BY 1) x"), deadlocks that maintenance lost: $(query "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")"
echo "# $(grep -E '^(number of transactions actually|number of transactions retried|tps)' "$out/pgbench" | paste -sd ' ')"
ok "$(query "SELECT count(*) > 0 FROM router.events WHERE action ~ '^drop'") $(query "SELECT count(*) > 0 FROM router.events WHERE action = 'archive' AND rows > 0")" 't t' 'children were retired, and rows archived'
for t in a b; do
	ok "$(query "SELECT count(*) FROM told LEFT JOIN $t USING (id) WHERE t = '$t' AND told.d > now() - interval '7 days' AND $t.id IS NULL")" 0 "$t: no row is lost that was to be kept"
	ok "$(query "SELECT count(*) - count(DISTINCT id) FROM $t")" 0 "$t: no row is there twice"
	ok "$(query "SELECT count(*) FROM $t LEFT JOIN told ON t = '$t' AND told.id = $t.id WHERE told.v IS DISTINCT FROM $t.v OR told.d <> $t.d")" 0 "$t: each as it was written and updated"
	ok "$(query "SELECT * FROM router.check('$t')")" '' "$t: router.check is clean"
done
ok "$(query "SELECT count(*) FROM alarm WHERE NOT EXISTS (SELECT FROM b WHERE b.id = alarm.id)")" 0 'no referring row lost what it refers to, nor was it deleted with it'
ok "$(query "SELECT count(*) FROM alarm") " "$(query "SELECT count(*) FROM told x WHERE t = 'a' AND id < 1000000 AND EXISTS (SELECT FROM told y WHERE t = 'b' AND y.id = x.id)") " 'all referring rows are there'
done_testing
