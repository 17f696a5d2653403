#!/bin/bash
# pgbench on routed tables, four clients: its built-in scripts on routed pgbench_accounts, pgbench_tellers, pgbench_branches
# and pgbench_history, then a mix of single and bulk inserts, upserts, updates, moves, deletes, MERGE, COPY, selects and new
# children. No transaction may fail but for core's 40001 of a moved row, which --max-tries tries again; no deadlock; after
# it the books balance and every row is at home. LOAD_SECONDS (default 14) is the time that all of it takes.
. "$(dirname "$0")/../lib/load.sh"
seconds=${LOAD_SECONDS:-14}
bench() { # NAME SECONDS pgbench's options: a line of what it did, and whether it failed
	local name=$1 time=$2
	shift 2
	pgbench -n -c 4 -j 2 -T "$time" "$@" >"$out/pgbench" 2>&1
	ok $? 0 "$name: pgbench ends well"
	ok "$(grep -cE 'client [0-9]+ (aborted|script [0-9]+ aborted)' "$out/pgbench")" 0 "$name: no client aborted"
	# --max-tries would try again after a deadlock as well
	ok "$(query "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")" 0 "$name: no deadlock"
	ok "$(sed -nE 's/^number of failed transactions: ([0-9]+).*/\1/p' "$out/pgbench")" 0 "$name: no transaction failed"
	[ $failed = 0 ] || sed 's/^/# /' "$out/pgbench" | head -40
	echo "# $name: $(grep -E '^(number of transactions actually|number of transactions retried|tps)' "$out/pgbench" | paste -sd ' ')"
}
strays=$(cat "$(dirname "$0")/../include/helpers.sql")
psql -Xq -v ON_ERROR_STOP=1 -f - <<<"$strays" >"$out/helpers" 2>&1 || { cat "$out/helpers"; exit 1; }
checked() { # BASE...
	local base
	for base; do
		ok "$(query "SELECT test.strays('$base')")" none "$base: every row is at home"
		ok "$(query "SELECT count(*) - count(DISTINCT (tableoid, ctid)) FROM $base")" 0 "$base: no row twice"
		ok "$(query "SELECT * FROM router.check('$base')")" '' "$base: router.check is clean"
	done
}

# ---------------------------------------------------------------- built-in scripts
pgbench -i -s 2 -I dtgvp -q >"$out/init" 2>&1 || { sed 's/^/# /' "$out/init"; ok 1 0 'pgbench -i'; }
query "ALTER TABLE pgbench_history ADD COLUMN hid bigint GENERATED ALWAYS AS IDENTITY" || exit 1
for route in "pgbench_accounts|by_integer('aid', 20000)" "pgbench_tellers|by_list('tid')" "pgbench_branches|by_hash('bid', 2)" "pgbench_history|by_prefix('filler', 1)"; do
	case $route in
		pgbench_history*) key="ARRAY[router.by_list('bid'), router.by_date('mtime', 'hour')]" ;;
		*) key="router.${route#*|}" ;;
	esac
	query "SELECT router.create_route('${route%%|*}', $key, move_rows => true)" >/dev/null || ok 1 0 "create_route of ${route%%|*}"
done
query "VACUUM (ANALYZE, TRUNCATE false)"
ok "$(query 'SELECT count(*), count(DISTINCT tableoid) FROM pgbench_accounts')" '200000|10' 'accounts are routed'
share=$((seconds * 5 / 14))
[ $share -gt 1 ] || share=2
bench 'tpcb-like' $share -b tpcb-like
bench 'simple-update, prepared' $((share / 2 > 0 ? share / 2 : 1)) -b simple-update -M prepared
bench 'select-only, extended' 1 -b select-only -M extended
books="SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history), count(*) > 0 FROM pgbench_history"
ok "$(query "$books")" 't|t' 'accounts and history balance'
ok "$(query "SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers)")" t 'branches and tellers balance'
ok "$(query "SELECT count(*), sum(aid) FROM pgbench_accounts")" '200000|20000100000' 'no account lost or doubled'
checked pgbench_accounts pgbench_tellers pgbench_branches pgbench_history

# -------------------------------------------------------------------------- a mix
# each row that was put in is told to "told" in the same transaction, with the sum of what it should have
psql -Xq -v ON_ERROR_STOP=1 <<'EOF' || exit 1
CREATE TABLE m (id bigint, k int, v bigint NOT NULL DEFAULT 0, txt text, PRIMARY KEY (id, k));
CREATE TABLE told (id bigint, change bigint, rows int);
CREATE SEQUENCE ids;
SELECT router.create_route('m', router.by_integer('k', 100)) \g /dev/null
INSERT INTO m SELECT nextval('ids'), i % 1000, 0, 'first' FROM generate_series(1, 5000) i;
INSERT INTO told SELECT id, 0, 1 FROM m;
EOF
cat >"$out/single.sql" <<'EOF'
\set k random(0, 1000)
BEGIN;
SELECT nextval('ids') AS id \gset
INSERT INTO m VALUES (:id, :k, 1, 'single');
INSERT INTO told VALUES (:id, 1, 1);
COMMIT;
EOF
cat >"$out/bulk.sql" <<'EOF'
\set k random(0, 900)
WITH i AS (INSERT INTO m SELECT nextval('ids'), :k + i, i, 'bulk' FROM generate_series(1, 50) i RETURNING id, v) INSERT INTO told SELECT id, v, 1 FROM i;
EOF
cat >"$out/upsert.sql" <<'EOF'
\set id random(1, 6000)
\set k random(0, 1000)
BEGIN;
WITH u AS (INSERT INTO m AS old VALUES (100000000 + :id, :id % 1000, 1, 'upsert') ON CONFLICT (id, k) DO UPDATE SET v = old.v + 1 RETURNING id, v) INSERT INTO told SELECT id, 1, CASE v WHEN 1 THEN 1 ELSE 0 END FROM u;
COMMIT;
EOF
cat >"$out/update.sql" <<'EOF'
\set id random_exponential(1, 5000, 300)
WITH u AS (UPDATE m SET v = v + 3 WHERE id = :id RETURNING id) INSERT INTO told SELECT id, 3, 0 FROM u;
EOF
cat >"$out/move.sql" <<'EOF'
\set id random_exponential(1, 5000, 300)
\set k random(0, 1200)
WITH u AS (UPDATE m SET k = :k, v = v + 5 WHERE id = :id RETURNING id) INSERT INTO told SELECT id, 5, 0 FROM u;
EOF
cat >"$out/delete.sql" <<'EOF'
\set id random(5001, 20000)
WITH d AS (DELETE FROM m WHERE id = :id RETURNING id, v) INSERT INTO told SELECT id, -v, -1 FROM d;
EOF
cat >"$out/merge.sql" <<'EOF'
\set id random(1, 500)
BEGIN;
SELECT pg_advisory_xact_lock(:id);
SELECT count(*) AS there FROM m WHERE id = 200000000 + :id \gset
MERGE INTO m USING (VALUES (200000000 + :id::int, :id::int)) s (id, k) ON m.id = s.id AND m.k = s.k WHEN MATCHED THEN UPDATE SET v = m.v + 2 WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k, 2, 'merge');
INSERT INTO told VALUES (200000000 + :id, 2, 1 - :there);
COMMIT;
EOF
cat >"$out/child.sql" <<'EOF'
\set k random(1, 400)
BEGIN;
SELECT nextval('ids') AS id \gset
INSERT INTO m VALUES (:id, 10000 + :k * 100, 7, 'child') RETURNING id \gset
INSERT INTO told VALUES (:id, 7, 1);
COMMIT;
EOF
cat >"$out/select.sql" <<'EOF'
\set k random(0, 1000)
SELECT count(*), sum(v) FROM m WHERE k BETWEEN :k AND :k + 20;
SELECT * FROM m WHERE k = :k ORDER BY id LIMIT 5;
SELECT * FROM m WHERE k = :k AND id < 1000 FOR UPDATE SKIP LOCKED;
EOF
cat >"$out/rollback.sql" <<'EOF'
\set k random(0, 60000)
BEGIN;
INSERT INTO m VALUES (-1, :k, 1, 'gone');
UPDATE m SET k = k + 1, txt = 'gone' WHERE id = -1;
ROLLBACK;
EOF
mix=()
for script in single@6 bulk@1 upsert@5 update@5 move@5 delete@2 merge@2 child@1 select@4 rollback@1; do mix+=(-f "$out/${script%@*}.sql@${script#*@}"); done
rest=$((seconds - share - share / 2 - 1))
[ $rest -gt 3 ] || rest=4
bench 'the mix' $((rest / 2)) --max-tries=50 "${mix[@]}"
bench 'the mix, prepared' $((rest - rest / 2)) --max-tries=50 -M prepared "${mix[@]}"
sums="SELECT count(*) FROM (SELECT id, sum(change) AS v, sum(rows) AS n FROM told GROUP BY id HAVING sum(rows) <> 0) a FULL JOIN (SELECT id, sum(v) AS v, count(*) AS n FROM m GROUP BY id) b USING (id)
       WHERE a.v IS DISTINCT FROM b.v OR a.n IS DISTINCT FROM b.n"
ok "$(query "$sums")" 0 'every row is there once, with every change'
ok "$(query "SELECT count(*) FROM m WHERE txt = 'gone'")" 0 'nothing of what was rolled back'
checked m
ok "$(query "SELECT count(*) FROM pg_inherits i FULL JOIN router.child_def c ON c.child = i.inhrelid WHERE (i.inhrelid IS NULL OR c.child IS NULL) AND (i.inhparent IS NULL OR i.inhparent IN (SELECT base FROM router.route_def))")" 0 'inheritance and catalog agree'
echo "# $(query 'SELECT count(*) FROM m') rows, $(query 'SELECT count(*) FROM router.children') children"
done_testing
