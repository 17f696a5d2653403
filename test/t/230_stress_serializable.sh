#!/bin/bash
# Eight SERIALIZABLE clients keep a month of a routed table to one row: they look how many there are, and put one
# there, or move one there, if there is none. Children come all the time; of a hot base rows are archived and restored.
. "$(dirname "$0")/../lib/load.sh"
seconds=${STRESS_SECONDS:-5}

query "CREATE FUNCTION month(m int) RETURNS date IMMUTABLE RETURN date '2010-01-01' + m * interval '1 month';
       CREATE FUNCTION put(t regclass, m int, x int) RETURNS void LANGUAGE plpgsql AS \$\$
       DECLARE n int;
       BEGIN
           EXECUTE format('SELECT count(*) FROM %s WHERE d >= \$1 AND d < \$2', t) INTO n USING month(m), month(m + 1);
           IF n = 0 THEN EXECUTE format('INSERT INTO %s (d) VALUES (\$1)', t) USING month(m) + x; END IF;
       END \$\$;
       CREATE FUNCTION move(t regclass, m int, other int, x int) RETURNS void LANGUAGE plpgsql AS \$\$
       DECLARE n int;
       BEGIN
           EXECUTE format('SELECT count(*) FROM %s WHERE d >= \$1 AND d < \$2', t) INTO n USING month(other), month(other + 1);
           IF n = 0 THEN EXECUTE format('UPDATE %s SET d = \$3 WHERE d >= \$1 AND d < \$2', t) USING month(m), month(m + 1), month(other) + x; END IF;
       END \$\$;
       CREATE TABLE plain (id serial, d date, PRIMARY KEY (id, d)); CREATE INDEX ON plain (d);
       CREATE TABLE hot (id serial, d date, PRIMARY KEY (id, d)); CREATE INDEX ON hot (d)" || exit 1
query "SELECT router.create_route('plain', router.by_date('d', 'month'), horizon => '1000 years');
       SELECT router.create_route('hot', router.by_date('d', 'month'), hot => '20000 days', horizon => '1000 years')" >/dev/null || exit 1
cat >"$out/script.sql" <<-'EOF'
	\set m random(0, 40)
	\set other random(0, 40)
	\set x random(0, 27)
	SELECT put('TABLE', :m, :x);
	SELECT move('TABLE', :m, :other, :x);
EOF
maintain() {
	query "CALL router.archive('hot', batch_rows => 3, cutoff => (month($((RANDOM % 40))) + 15)::text)" 2>&1 | grep -vE '^NOTICE|^$'
	query "SELECT router.restore((SELECT child FROM router.child_def WHERE base = 'hot'::regclass ORDER BY random() LIMIT 1), younger => true)" >/dev/null 2>"$out/restore" ||
		grep -vE 'lock timeout|deadlock|no child|CONTEXT|DETAIL|HINT|null' "$out/restore"
}
until_end maintain >"$out/maintain" &
for table in plain hot; do
	sed "s/TABLE/$table/" "$out/script.sql" >"$out/$table.sql"
	PGOPTIONS='-c default_transaction_isolation=serializable' pgbench -n -c 4 -T "$seconds" -f "$out/$table.sql" >"$out/$table" 2>&1 &
done
wait
for table in plain hot; do
	grep -qE 'processed: [1-9]' "$out/$table" && ! grep -qE 'aborted|FATAL' "$out/$table"
	ok $? 0 "$table: clients went on to the end"
	[ $failed = 0 ] || sed 's/^/# /' "$out/$table"
	ok "$(query "SELECT count(*) FROM (SELECT FROM $table GROUP BY date_trunc('month', d) HAVING count(*) > 1) x")" 0 "$table: no month has two rows"
done
sed 's/^/# /' "$out/maintain"
done_testing
