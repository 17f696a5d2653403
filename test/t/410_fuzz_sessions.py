"""Random transactions of several sessions on a routed table, with an ordinary twin beside it as the oracle.

Each transaction does the same to the routed table and to its twin, row by row of its own, at an isolation level of its
own, in a session that preloads the library or does not. Beside them runs what moves rows and tables: archive, rotate,
restore, move_child, redistribute, new children, seals, DDL on both tables. Sessions are killed. Every query compares
both tables under one snapshot: they have the same rows at any time, whatever moves. A statement may say 40001, 40P01 or
55P03 where the twin's went well, nothing else.

  FUZZ_SECONDS   how long (default 8; make fuzz: 600)
  SEED           the first round's shape and statements (sessions interleave as they like)
  FUZZ_SESSIONS  how many sessions write (default 4)
  FUZZ_SHAPE     only this shape
  FUZZ_KILL      a command that kills the server and starts it again, run now and then
"""
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from contextlib import closing

import psycopg2

SECONDS = float(os.environ.get("FUZZ_SECONDS", 8))
SESSIONS = int(os.environ.get("FUZZ_SESSIONS", 4))
SEED = int(os.environ.get("SEED", random.randrange(10 ** 6)))
SHAPE = os.environ.get("FUZZ_SHAPE")
KILL = os.environ.get("FUZZ_KILL")
PRELOADED = os.environ.get("ROUTER_PRELOADED") == "1"

# concurrency: serialization, deadlock, lock timeout; cancel and termination by the killer or by recovery
PASSING = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "08006"}
# what maintenance may answer besides: it found something else there than a moment ago, or this shape has not got it
REFUSALS = {"42P01", "55000", "55006", "0A000", "22023", "42704", "42710", "42P07", "55P02", "23514", "42809", "53000"}

COLUMNS = "id bigint, d timestamptz NOT NULL, r int, v int DEFAULT 0, m int, note text DEFAULT 'x', twice bigint GENERATED ALWAYS AS (id * 2) STORED"
KEY = "id, d, r"
SHAPES = {
    "month": "router.by_date('d', 'month'), time_zone => 'UTC'",
    "list_year": "ARRAY[router.by_list('r'), router.by_date('d', 'year')], time_zone => 'UTC'",
    "integer": "router.by_integer('r', 4)",
    "hash": "router.by_hash('r', 3)",
    "default": "router.by_list('r'), default_child => true, on_missing => 'default'",
    "unique": "router.by_integer('r', 4)",
    "hot": "router.by_date('d', 'month'), hot => '100 years', horizon => '300 years', time_zone => 'UTC'",
    "hot_day": "router.by_date('d', 'day'), hot => '100 years', horizon => '300 years', time_zone => 'UTC', max_new_children => 1000",
    "hot_list": "ARRAY[router.by_date('d', 'year'), router.by_list('r')], hot => '100 years', horizon => '300 years', time_zone => 'UTC'",
}
FIRST, DAYS = "timestamptz '2023-01-01 00:00+00'", 500
problems = []
stop = threading.Event()
counts = {}
guard = threading.Lock()


def tell(kind, text):
    with guard:
        counts[kind] = counts.get(kind, 0) + 1
        if kind.startswith("!"):
            problems.append(f"{kind} {text}")
            print(f"# {kind} {text}".replace("\n", "\n#   "), flush=True)
            stop.set()


def connect(preload=None, **settings):
    options = "-c lock_timeout=20s -c deadlock_timeout=100ms"
    if preload is not None:
        options += " -c session_preload_libraries=" + ("router" if preload else "")
    for name, value in settings.items():
        options += f" -c {name}={value}"
    while True:
        try:
            connection = psycopg2.connect("", options=options)
            connection.autocommit = True
            return connection
        except psycopg2.OperationalError:
            if stop.is_set():
                raise
            time.sleep(0.1)


def state(error):
    return error.pgcode or "08006"


class Lost(Exception):
    """The session was ended."""


class Session:
    """One that writes rows of its own: those whose id is its number, modulo all sessions."""

    def __init__(self, round_, number):
        self.round, self.number = round_, number
        self.r = random.Random(f"{SEED}.{round_.number}.{number}")
        self.next_id = number
        self.log = []
        self.connection = None

    # ------------------------------------------------------------ running
    def open(self):
        self.preload = self.r.random() < 0.7 if PRELOADED else False
        settings = {}
        if self.r.random() < 0.2:
            settings["plan_cache_mode"] = self.r.choice(["force_generic_plan", "force_custom_plan"])
        if self.r.random() < 0.2:
            settings["enable_seqscan"] = "off"
        self.connection = connect(self.preload, **settings)
        self.cursor = self.connection.cursor()
        self.prepared = {}
        self.log = [f"-- preloaded: {self.preload} {settings}"]

    def run(self, sql, rows=True):
        self.log.append(sql)
        try:
            self.cursor.execute(sql)
            return (self.cursor.rowcount, sorted(map(repr, self.cursor.fetchall())) if rows and self.cursor.description else None)
        except psycopg2.Error as error:
            self.log.append(f"-- {state(error)} {error}".rstrip())
            if self.connection.closed:
                raise Lost() from error
            raise

    def both(self, sql):
        """The same on the routed table and on its twin; false where it did not go through."""
        outcome = []
        for table in ("t", "p"):
            self.run("SAVEPOINT s")
            try:
                outcome.append(self.run(sql.replace("TABLE", table)))
            except psycopg2.Error as error:
                code = state(error)
                self.run("ROLLBACK TO s")
                if code in PASSING:
                    tell("t " + code if table == "t" else "p " + code, sql)
                    raise
                outcome.append(code)
        if outcome[0] != outcome[1]:
            tell("!statement", f"{sql}\nrouted: {outcome[0]}\ntwin:   {outcome[1]}\n" + "\n".join(self.log[-40:]))
        counts["statements"] = counts.get("statements", 0) + 1
        return outcome[0] == outcome[1]

    # ------------------------------------------------------------ what they say
    def date(self):
        return f"{FIRST} + interval '{self.r.randrange(DAYS)} days {self.r.randrange(24)} hours'"

    def where(self, own=True):
        r = self.r
        parts = [f"id % {SESSIONS} = {self.number}"] if own else []
        kind = r.randrange(7)
        if kind < 2:
            parts.append(f"d >= {self.date()}" if kind else f"d < {self.date()}")
        elif kind == 2:
            start = r.randrange(DAYS)
            parts.append(f"d >= {FIRST} + interval '{start} days' AND d < {FIRST} + interval '{start + r.choice([1, 7, 40])} days'")
        elif kind == 3:
            parts.append(f"r = {r.randrange(12)}")
        elif kind == 4:
            parts.append(f"id = {self.some_id()}")
        elif kind == 5:
            parts.append(f"v > {r.randrange(6)}")
        return " AND ".join(parts) or "true"

    def some_id(self):
        return self.number + SESSIONS * self.r.randrange(max(1, self.next_id // SESSIONS + 1))

    def values(self, n):
        rows = []
        for _ in range(n):
            if self.r.random() < 0.1:
                rows.append(f"({self.some_id()}, {self.date()}, {self.r.randrange(12)}, 1, {self.r.randrange(6)})")
                continue
            rows.append(f"({self.next_id}, {self.date()}, {self.r.randrange(12)}, 0, {self.r.randrange(6)})")
            self.next_id += SESSIONS
        return ", ".join(rows)

    def insert(self):
        n = self.r.choice([1, 1, 1, 3, 15])
        returning = self.r.choice(["", "", " RETURNING id, v, twice"])
        return f"INSERT INTO TABLE (id, d, r, v, m) VALUES {self.values(n)}{returning}"

    def insert_select(self):
        first, n = self.next_id, self.r.choice([5, 30, 200])
        self.next_id += n * SESSIONS
        return (f"INSERT INTO TABLE (id, d, r, v, m) SELECT {first} + i * {SESSIONS}, {self.date()} + i * interval '{self.r.choice([1, 6, 40])} hours', "
                f"(i * 7) % 12, i % 5, i % 6 FROM generate_series(0, {n - 1}) i")

    def on_conflict(self):
        action = self.r.choice(["NOTHING", f"UPDATE SET v = x.v + 10, note = EXCLUDED.note WHERE x.id % {SESSIONS} = {self.number}"])
        return f"INSERT INTO TABLE AS x (id, d, r, v, m) VALUES {self.values(2)} ON CONFLICT ({KEY}) DO {action}"

    def update(self):
        change = self.r.choice(["v = v + 1", "note = note || 'y'", "v = v * 2, m = (m + 1) % 6"])
        returning = self.r.choice(["", " RETURNING id, d, v"])
        return f"UPDATE TABLE SET {change} WHERE {self.where()}{returning}"

    def move(self):
        change = self.r.choice([f"d = d + interval '{self.r.choice([-40, -1, 1, 33, 400])} days'", "r = (r + 1) % 12", f"r = {self.r.randrange(12)}, v = v + 1"])
        return f"UPDATE TABLE SET {change} WHERE {self.where()} AND v < 8{self.r.choice(['', ' RETURNING id, d, r'])}"

    def delete(self):
        return f"DELETE FROM TABLE WHERE {self.where()} AND id % 5 = {self.r.randrange(5)}{self.r.choice(['', ' RETURNING id'])}"

    def lock(self):
        return f"SELECT id, d, r, v FROM TABLE WHERE {self.where()} ORDER BY id, d, r FOR {self.r.choice(['UPDATE', 'SHARE', 'NO KEY UPDATE'])}"

    def merge(self):
        return (f"MERGE INTO TABLE USING (VALUES {self.values(3)}) s(id, d, r, v, m) ON TABLE.id = s.id AND TABLE.d = s.d AND TABLE.r = s.r "
                "WHEN MATCHED THEN UPDATE SET v = TABLE.v + 1 WHEN NOT MATCHED THEN INSERT (id, d, r, v, m) VALUES (s.id, s.d, s.r, s.v, s.m)")

    def function(self):
        return f"SELECT bump_TABLE({self.number}, {self.r.randrange(12)})"

    # ------------------------------------------------------------ both tables under one snapshot
    def compare(self):
        columns = self.r.choice(["id, d, r, v, m, note, twice", "id, v", "x::text"])
        where = self.where(own=self.r.random() < 0.3)
        query = (f"SELECT 'routed', * FROM ((SELECT {columns} FROM t x WHERE {where}) EXCEPT ALL (SELECT {columns} FROM p x WHERE {where})) a "
                 f"UNION ALL SELECT 'twin', * FROM ((SELECT {columns} FROM p x WHERE {where}) EXCEPT ALL (SELECT {columns} FROM t x WHERE {where})) b")
        how = self.r.randrange(6)
        if how == 0:
            query = f"SELECT same_rows($w${query}$w$)"
        elif how == 1:
            name = f"q{len(self.prepared)}"
            if self.prepared and self.r.random() < 0.7:
                name = self.r.choice(list(self.prepared))
            else:
                # prepared in a session that may live long; run now and later
                self.run(f"PREPARE {name} AS {query}")
                self.prepared[name] = query
            query = f"EXECUTE {name}"
        elif how == 2:
            count = f"SELECT count(*) || ' ' || coalesce(sum(v), 0) || ' ' || coalesce(max(id), 0) FROM TABLE WHERE {where}"
            query = f"SELECT a, b FROM ({count}) a(a), ({count.replace('TABLE', 'p')}) b(b) WHERE a <> b".replace("TABLE", "t")
        elif how == 3 and self.inside:
            self.run("CLOSE ALL")
            self.run(f"DECLARE c CURSOR FOR {query}")
            query = "FETCH ALL FROM c"
        _, rows = self.run(query)
        counts["comparisons"] = counts.get("comparisons", 0) + 1
        if rows and rows not in (["(True,)"], ["(None,)"]):
            tell("!comparison", f"{query}\n" + "\n".join(rows[:20]) + "\n---- the session\n" + "\n".join(self.log[-60:]))

    # ------------------------------------------------------------ a transaction
    def transaction(self):
        r = self.r
        self.inside = False
        if r.random() < 0.25:
            self.compare()
            return
        level = r.choice(["READ COMMITTED"] * 3 + ["REPEATABLE READ"] * 2 + ["SERIALIZABLE"])
        self.log = self.log[-80:]
        self.run(f"BEGIN ISOLATION LEVEL {level}")
        self.inside = True
        if r.random() < 0.3:
            self.compare()
            if r.random() < 0.3:
                time.sleep(r.random() * 0.3)
        for _ in range(r.choice([0, 1, 1, 2, 4])):
            nested = r.random() < 0.2
            if nested:
                self.run("SAVEPOINT n")
            statement = r.choice([self.insert, self.insert, self.insert_select, self.on_conflict, self.update, self.update, self.move, self.move,
                                  self.delete, self.lock, self.merge, self.function])
            if not self.both(statement()):
                return
            if nested:
                self.run(r.choice(["RELEASE n", "ROLLBACK TO n"]))
            if r.random() < 0.3:
                self.compare()
        if r.random() < 0.3:
            time.sleep(r.random() * 0.05)
            self.compare()
        self.run(r.choice(["COMMIT"] * 5 + ["ROLLBACK"]))
        counts["transactions"] = counts.get("transactions", 0) + 1

    def work(self):
        try:
            while not stop.is_set() and not self.round.over.is_set():
                if self.connection is None or self.r.random() < 0.05:
                    if self.connection:
                        self.connection.close()
                    self.open()
                try:
                    self.transaction()
                except Lost:
                    self.connection = None
                except psycopg2.Error as error:
                    code = state(error)
                    if code not in PASSING:
                        tell("!error", f"{code} {error}\n" + "\n".join(self.log[-40:]))
                    try:
                        self.run("ROLLBACK")
                    except (Lost, psycopg2.Error):
                        self.connection = None
        except Exception:
            tell("!harness", traceback.format_exc())
        finally:
            if self.connection:
                self.connection.close()


class Round:
    def __init__(self, number):
        self.number = number
        self.r = random.Random(f"{SEED}.{number}")
        self.shape = SHAPE or self.r.choice(sorted(SHAPES))
        self.over = threading.Event()
        self.added = 0

    def set_up(self):
        r = self.r
        with closing(connect(PRELOADED)) as c:
            k = c.cursor()
            k.execute("DROP TABLE IF EXISTS t, p, m CASCADE")
            # the layouts differ: a dropped column, and one that was added with a default
            before, after = ("gone int, ", "ALTER TABLE %s DROP COLUMN gone") if r.random() < 0.5 else ("", "")
            for table in ("t", "p"):
                k.execute(f"CREATE TABLE {table} ({before}{COLUMNS}, PRIMARY KEY ({KEY}))")
                if after:
                    k.execute(after % table)
            k.execute("CREATE TABLE m (m int PRIMARY KEY); INSERT INTO m SELECT generate_series(0, 5)")
            extra = r.sample(["ALTER TABLE %s ADD FOREIGN KEY (m) REFERENCES m" + r.choice(["", " DEFERRABLE INITIALLY DEFERRED"]),
                              "ALTER TABLE %s ADD CHECK (v >= 0)", "CREATE INDEX ON %s (v)", "CREATE INDEX ON %s (d)",
                              "ALTER TABLE %s ADD COLUMN later int NOT NULL DEFAULT 7"], 2)
            if self.shape.startswith("hot"):
                extra.append("CREATE INDEX ON %s (d DESC)")
            rows = (f"INSERT INTO %s (id, d, r, v, m) SELECT -i * {SESSIONS} - 1, {FIRST} + i * interval '7 hours', i % 12, i % 4, i % 6 FROM generate_series(1, 300) i")
            early = r.random() < 0.5
            if early:
                for table in ("t", "p"):
                    k.execute(rows.replace("%s", table))
            for sql in extra:
                for table in ("t", "p"):
                    k.execute(sql % table)
            k.execute(f"SELECT router.create_route('t', {SHAPES[self.shape]}, move_rows => {early})")
            if not early:
                for table in ("t", "p"):
                    k.execute(rows.replace("%s", table))
            if self.shape == "unique":
                k.execute("ALTER TABLE p ADD UNIQUE (id); SELECT router.add_global_key('t', '{id}')")
            for table in ("t", "p"):
                k.execute(f"""CREATE OR REPLACE FUNCTION bump_{table}(session int, key int) RETURNS bigint LANGUAGE plpgsql AS $$
                    DECLARE n bigint; BEGIN UPDATE {table} SET v = v + 1 WHERE id % {SESSIONS} = session AND r = key; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$""")
            k.execute("""CREATE OR REPLACE FUNCTION same_rows(query text) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
                DECLARE found record; BEGIN FOR found IN EXECUTE query LOOP RETURN false; END LOOP; RETURN true; END $$""")
            print(f"# round {self.number}: {self.shape}, {', '.join(extra)}, {'rows before' if early else 'rows after'}, {before}", flush=True)

    # ------------------------------------------------------------ what moves rows and tables
    def upkeep(self, k):
        r = self.r
        day = f"({FIRST} + interval '{r.randrange(DAYS)} days')"
        k.execute("SELECT child::text FROM router.children WHERE base = 't'::regclass ORDER BY random() LIMIT 1")
        found = k.fetchone()
        child = found[0] if found else "t"
        hot = [f"CALL router.archive('t', batch_rows => {r.choice([7, 50, 1000])}, cutoff => {day}::text)"] * 4 + [
            f"CALL router.rotate('t', cutoff => {day}::text)", f"SELECT router.archive_now('t', {day}::text)",
            f"SELECT router.restore('{child}', younger => true)"]
        ordinary = [f"CALL router.move_child('{child}', tablespace => '{r.choice(['fuzz_space', 'pg_default'])}')",
                    f"CALL router.seal('{child}', '{{id}}')", "CALL router.maintain('t')", "ANALYZE t", "VACUUM t", "SELECT router.premake('t')",
                    "SELECT router.sync('t')", f"SELECT router.create_child('t', {self.key(day)})", "CALL router.redistribute('t')",
                    "REINDEX TABLE t", "SELECT count(*) FROM router.check('t') WHERE kind <> 'x'",
                    "BEGIN; LOCK TABLE t; LOCK TABLE p; ALTER TABLE t ADD COLUMN c{n} int DEFAULT {n}; ALTER TABLE p ADD COLUMN c{n} int DEFAULT {n}; COMMIT",
                    "BEGIN; LOCK TABLE t; LOCK TABLE p; ALTER TABLE t DROP COLUMN IF EXISTS c{o}; ALTER TABLE p DROP COLUMN IF EXISTS c{o}; COMMIT",
                    "CREATE INDEX IF NOT EXISTS t_more ON t (m)", "DROP INDEX IF EXISTS t_more"]
        sql = r.choice(hot if self.shape.startswith("hot") and r.random() < 0.6 else ordinary)
        self.added += 1
        sql = sql.replace("{n}", str(self.added)).replace("{o}", str(r.randrange(self.added)))
        return sql

    def key(self, day):
        return {"month": f"{day}::text", "list_year": f"'{self.r.randrange(14)}', {day}::text", "integer": f"'{self.r.randrange(40)}'", "hash": "'1'",
                "default": f"'{self.r.randrange(14)}'", "unique": f"'{self.r.randrange(40)}'", "hot": f"{day}::text", "hot_day": f"{day}::text",
                "hot_list": f"{day}::text, '{self.r.randrange(14)}'"}[self.shape]

    def maintain(self):
        try:
            connection = None
            while not stop.is_set() and not self.over.is_set():
                try:
                    if connection is None or connection.closed or self.r.random() < 0.1:
                        connection = connect(PRELOADED and self.r.random() < 0.7, statement_timeout="20s")
                        k = connection.cursor()
                    sql = self.upkeep(k)
                    k.execute(sql)
                    tell("ok " + sql.split("(")[0][:32], "")
                except psycopg2.Error as error:
                    code = state(error)
                    if code not in PASSING | REFUSALS:
                        tell("!upkeep", f"{sql}\n{code} {error}")
                    tell(f"{code} " + sql.split("(")[0][:32], "")
                    if connection is not None and not connection.closed:
                        connection.rollback()
                        try:
                            k.execute("ROLLBACK")
                        except psycopg2.Error:
                            pass
                time.sleep(self.r.random() * 0.1)
        except Exception:
            tell("!harness", traceback.format_exc())

    def kill(self):
        try:
            while not self.over.wait(0.5 + self.r.random()) and not stop.is_set():
                if KILL and self.r.random() < 0.1:
                    subprocess.run(KILL, shell=True, check=True)
                    tell("server killed", "")
                    continue
                try:
                    with closing(connect()) as c:
                        c.cursor().execute(f"SELECT pg_{self.r.choice(['terminate', 'cancel'])}_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                                           " AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 1")
                except psycopg2.Error:
                    pass
        except Exception:
            tell("!harness", traceback.format_exc())

    def verify(self):
        with closing(connect(PRELOADED)) as c:
            k = c.cursor()
            for load in ("SELECT 1", "LOAD 'router'; SET router.prune = off"):
                k.execute(load)
                k.execute("SELECT 'routed', * FROM (SELECT x::text FROM t x EXCEPT ALL SELECT x::text FROM p x) a"
                          " UNION ALL SELECT 'twin', * FROM (SELECT x::text FROM p x EXCEPT ALL SELECT x::text FROM t x) b LIMIT 20")
                rows = k.fetchall()
                if rows:
                    tell("!end", f"{self.shape}: after '{load}' the tables differ\n" + "\n".join(map(repr, rows)))
            if not KILL:
                k.execute("SELECT router.sync('t')")
            k.execute("SELECT kind, child::text, detail FROM router.check('t') WHERE kind <> 'copy' AND child::text !~ 'router_bridge'")
            rows = k.fetchall()
            if rows:
                tell("!check", "\n".join(map(repr, rows)))

    def go(self, seconds):
        self.set_up()
        sessions = [Session(self, n) for n in range(SESSIONS)]
        threads = [threading.Thread(target=s.work) for s in sessions] + [threading.Thread(target=self.maintain), threading.Thread(target=self.kill)]
        for thread in threads:
            thread.start()
        end = time.time() + seconds
        while time.time() < end and not stop.is_set():
            time.sleep(0.1)
        self.over.set()
        for thread in threads:
            thread.join()
        self.verify()


def main():
    print(f"# SEED={SEED}")
    with closing(connect()) as c:
        k = c.cursor()
        k.execute("SELECT count(*) FROM pg_tablespace WHERE spcname = 'fuzz_space'")
        if k.fetchone()[0] == 0:
            k.execute("SET allow_in_place_tablespaces = on")
            k.execute("CREATE TABLESPACE fuzz_space LOCATION ''")
    end = time.time() + SECONDS
    number = 0
    while time.time() < end and not stop.is_set():
        Round(number).go(min(max(SECONDS / 3, 2), 20))
        number += 1
    for what in sorted(counts):
        print(f"# {counts[what]:6} {what}")
    print("1..1")
    print("ok 1 - both tables were alike at any time" if not problems else f"not ok 1 - {len(problems)} problems")
    sys.exit(bool(problems))


main()
