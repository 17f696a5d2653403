#!/bin/bash
# Four clients insert into two routed tables in opposite orders, most of them into
# children that are not there yet, while a maintenance session premakes, vacuums and
# drops children. No transaction may fail, no row be lost, doubled or left in a base.
. "$(dirname "$0")/../lib/load.sh"
seconds=${STRESS_SECONDS:-6}

query "CREATE TABLE a (id bigint, d date NOT NULL, v text, PRIMARY KEY (id, d));
       CREATE TABLE b (id bigint, r int, k int, v text);
       CREATE TABLE told (id bigint PRIMARY KEY);
       CREATE SEQUENCE s" || exit 1
query "SELECT router.create_route('a', router.by_date('d', 'month'))" >/dev/null || exit 1
query "SELECT router.create_route('b', ARRAY[router.by_list('r'), router.by_integer('k', 10)])" >/dev/null || exit 1

cat >"$out/forth.sql" <<-'EOF'
	\set day random(0, 3000)
	\set r random(1, 20)
	\set k random(1, 60)
	BEGIN;
	SELECT nextval('s') AS id \gset
	INSERT INTO told VALUES (:id);
	INSERT INTO a VALUES (:id, date '2020-01-01' + :day, 'forth');
	INSERT INTO b VALUES (:id, :r, :k, 'forth');
	COMMIT;
EOF
cat >"$out/back.sql" <<-'EOF'
	\set day random(0, 3000)
	\set r random(1, 20)
	\set k random(1, 60)
	BEGIN;
	SELECT nextval('s') AS id \gset
	INSERT INTO told VALUES (:id);
	INSERT INTO b VALUES (:id, :r, :k, 'back');
	SAVEPOINT p;
	INSERT INTO a VALUES (:id, date '2020-01-01' + :day, 'undone');
	ROLLBACK TO p;
	INSERT INTO a VALUES (:id, date '2020-01-01' + :day, 'back');
	COMMIT;
EOF
n=0
maintain() {
	n=$((n + 1))
	query "SELECT router.premake('a', $n)" >/dev/null || echo premake
	query "VACUUM (ANALYZE, TRUNCATE false) a" || echo vacuum
	query "SELECT router.create_child('a', '1950-01-01')" >/dev/null || echo create
	query "DROP TABLE a_y1950m01" || echo drop
}
until_end maintain >"$out/maintain" 2>&1 &
pgbench -n -c 4 -j 2 -T "$seconds" -f "$out/forth.sql" -f "$out/back.sql" >"$out/pgbench" 2>&1
status=$?
wait

ok $status 0 'no transaction fails'
[ $status = 0 ] || sed 's/^/# /' "$out/pgbench"
ok "$(cat "$out/maintain")" '' 'nor does maintenance'
for t in a b; do
	ok "$(query "SELECT count(*) FROM ONLY $t")" 0 "$t: the base is empty"
	ok "$(query "SELECT count(*), count(DISTINCT id) FROM $t")" "$(query "SELECT count(*), count(*) FROM told")" "$t: every row once"
	ok "$(query "SELECT count(*) FROM told WHERE NOT EXISTS (SELECT FROM $t x WHERE x.id = told.id)")" 0 "$t: none lost"
done
ok "$(query "SELECT count(*) FROM a WHERE v = 'undone'")" 0 'nothing that was undone'
ok "$(query "SELECT count(*) FROM pg_inherits i FULL JOIN router.children c ON c.child = i.inhrelid
              WHERE (i.inhparent IN ('a'::regclass, 'b'::regclass) OR i.inhparent IS NULL) AND (c.child IS NULL OR i.inhrelid IS NULL)")" 0 'inheritance and catalog agree'
echo "# $(query 'SELECT count(*) FROM told') rows each, $(query 'SELECT count(*) FROM router.children') children"
done_testing
