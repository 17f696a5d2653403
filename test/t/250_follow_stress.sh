#!/bin/bash
# Clients insert into a routed table, mostly into children that are not there yet, while one session
# runs DDL on the base and another calls router.sync both ways. Nothing may fail, nothing deadlock;
# in the end every child is like its base.
. "$(dirname "$0")/../lib/load.sh"
seconds=${STRESS_SECONDS:-8}

query "CREATE TABLE place (id int PRIMARY KEY)" "INSERT INTO place SELECT generate_series(1, 100)" \
	"CREATE TABLE t (id bigint, place_id int, k int, v text)" "CREATE SEQUENCE s" \
	"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'" || exit 1
query "SELECT router.create_route('t', router.by_integer('k', 10))" >/dev/null || exit 1

cat >"$out/insert.sql" <<-'EOF'
	\set k random(1, 1500)
	\set other random(1, 1500)
	\set place random(1, 100)
	BEGIN;
	INSERT INTO t VALUES (nextval('s'), :place, :k, 'x'), (nextval('s'), :place, :other, 'y');
	INSERT INTO t VALUES (nextval('s'), :place, :other, 'z');
	COMMIT;
EOF
ddl() {
	query "CREATE INDEX t_v ON t (v)" "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (place_id) REFERENCES place" \
		"GRANT SELECT ON t TO PUBLIC" "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()" \
		"ALTER TABLE t ADD UNIQUE (k, id) DEFERRABLE" "COMMENT ON TABLE t IS 'x'" "ALTER INDEX t_v RENAME TO t_w" \
		"REVOKE ALL ON t FROM PUBLIC" "ALTER TABLE t DROP CONSTRAINT fk" "DROP TRIGGER tr ON t" "DROP INDEX t_w" \
		"ALTER TABLE t DROP CONSTRAINT t_k_id_key" || echo ddl
}
sync() {
	query "CALL router.sync('t', concurrently => true)" || echo call
	query "SELECT router.sync('t')" >/dev/null || echo sync
}
until_end ddl >"$out/ddl" 2>&1 &
until_end sync >"$out/sync" 2>&1 &
pgbench -n -c 3 -T "$seconds" -f "$out/insert.sql" >"$out/pgbench" 2>&1
status=$?
wait

ok "$status" 0 "no transaction failed"
ok "$(cat "$out/ddl")" "" "no DDL failed"
ok "$(cat "$out/sync")" "" "router.sync did not fail"
ok "$(query "SELECT count(*) - count(DISTINCT id) || ' ' || (SELECT count(*) FROM ONLY t) FROM t")" "0 0" "no row is doubled or in the base"
ok "$(query "SELECT * FROM router.check()")" "" "every child is like its base"
[ "$status" = 0 ] || sed 's/^/# /' "$out/pgbench"
echo "# $(query "SELECT count(*) FROM t") rows, $(query "SELECT count(*) FROM router.children") children"
done_testing
