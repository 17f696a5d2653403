#!/bin/bash
# Four clients insert, change and delete rows of few keys in a routed table with a
# global key, and rows that refer to it, while a maintenance session detaches and
# attaches a child. Two rows never share a key, and entries match the rows in the end.
. "$(dirname "$0")/../lib/load.sh"
seconds=${STRESS_SECONDS:-6}

query "CREATE TABLE t (id int NOT NULL, k int NOT NULL, v text);
       CREATE TABLE ended (state text)" || exit 1
query "SELECT router.create_route('t', router.by_integer('k', 10))" >/dev/null || exit 1
query "SELECT router.add_global_key('t', '{id}')" >/dev/null || exit 1
query "CREATE TABLE ref (id int REFERENCES t_id_keys ON DELETE CASCADE ON UPDATE CASCADE);
       CREATE INDEX ON ref (id);
       CREATE FUNCTION attempt(command text) RETURNS void LANGUAGE plpgsql AS \$\$
       BEGIN
           EXECUTE command;
           INSERT INTO ended VALUES ('done');
       EXCEPTION WHEN unique_violation OR foreign_key_violation OR deadlock_detected THEN
           INSERT INTO ended VALUES (SQLSTATE);
       END \$\$" || exit 1

cat >"$out/script.sql" <<-'EOF'
	\set id random(1, 200)
	\set k random(1, 80)
	\set what random(1, 12)
	\if :what <= 5
		SELECT attempt(format('INSERT INTO t VALUES (%s, %s)', :id, :k));
	\elif :what <= 6
		SELECT attempt(format('INSERT INTO t SELECT i, i %% 90 FROM generate_series(%s, %s) i', 300 + :id, 315 + :id));
	\elif :what <= 7
		SELECT attempt(format('DELETE FROM t WHERE id = %s', :id));
	\elif :what <= 8
		SELECT attempt(format('DELETE FROM t WHERE id > %s', 400));
	\elif :what <= 9
		SELECT attempt(format('UPDATE t SET id = id + 1 WHERE id = %s', :id));
	\elif :what <= 10
		SELECT attempt(format('INSERT INTO ref VALUES (%s)', :id));
	\elif :what <= 11
		SELECT attempt(format('WITH d AS (DELETE FROM t WHERE id = %s RETURNING *) INSERT INTO t SELECT id, 81 - k / 2, v FROM d', :id));
	\else
		BEGIN;
		SAVEPOINT p;
		SELECT attempt(format('DELETE FROM t WHERE id = %s', :id));
		ROLLBACK TO p;
		UPDATE t SET v = 'kept' WHERE id = :id;
		COMMIT;
	\endif
EOF
maintain() {
	query "SELECT router.detach_child('t_21_30')" 2>&1 | grep -vE '^detach|foreign key|still referenced|deadlock|DETAIL|HINT|CONTEXT|not a child'
	query "SELECT router.attach_child('t', 't_21_30', '{\"[21,30]\"}')" 2>&1 | grep -vE '^attach|unique|already|overlap|deadlock|DETAIL|HINT|CONTEXT|child'
	query "VACUUM t_id_keys"
}
query "SELECT router.create_child('t', '25')" >/dev/null
until_end maintain >"$out/maintain" 2>&1 &
pgbench -n -c 4 -j 2 -T "$seconds" -f "$out/script.sql" >"$out/pgbench" 2>&1
status=$?
wait

ok $status 0 'no transaction fails in another way'
[ $status = 0 ] || sed 's/^/# /' "$out/pgbench"
ok "$(cat "$out/maintain")" '' 'nor does maintenance'
ok "$(query "SELECT missing, orphans, duplicates FROM router.check_global_key('t')")" '0|0|0' 'entries match the rows'
ok "$(query "SELECT count(*) FROM ref WHERE id NOT IN (SELECT id FROM t)")" 0 'no row refers to one that is gone'
ok "$(query "SELECT count(*) FROM ONLY t")" 0 'the base is empty'
echo "# $(query "SELECT string_agg(state || ': ' || n, ', ') FROM (SELECT state, count(*) AS n FROM ended GROUP BY 1 ORDER BY 1) s"), $(query 'SELECT count(*) FROM t') rows"
done_testing
