"""A table gets other shapes, one after the other, while it is read and written; calls are cancelled and killed at random.

An ordinary twin is written to in the same transactions: whoever looks, by one snapshot, finds the same rows in both, and
writers get no errors but 40001 and 40P01. SEED=… repeats the choices (not the times); KILLS=30 is how many calls a table sees die.
"""
import os
import random
import threading
import time

import psycopg2

from tap import case, raises, run, same

SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "6"))
ROWS = 6000
COLUMNS = "id, res, at, val, note"
MAY_FAIL = ("40001", "40P01")


def connect(autocommit=True):
    connection = psycopg2.connect("", application_name="reshape", options="-c statement_timeout=60s")
    connection.autocommit = autocommit
    return connection


def run_sql(statement, *args):
    connection = connect()
    cursor = connection.cursor()
    cursor.execute(statement, args or None)
    found = cursor.fetchall() if cursor.description else None
    connection.close()
    return found


def make(key):
    for base, in run_sql("SELECT base::text FROM router.reshape_def"):
        run_sql(f"CALL router.cancel_reshape('{base}')")
    run_sql("DROP TABLE IF EXISTS m, twin, residence CASCADE")
    run_sql("CREATE TABLE residence (res int PRIMARY KEY)")
    run_sql("INSERT INTO residence SELECT generate_series(0, 9)")
    run_sql(f"""CREATE TABLE m (id int NOT NULL, gone int, res int NOT NULL REFERENCES residence, at timestamptz NOT NULL, val numeric,
                note text, g int GENERATED ALWAYS AS (id % 7) STORED{f", PRIMARY KEY ({key})" if key else ""})""")
    run_sql("ALTER TABLE m DROP COLUMN gone")
    run_sql("CREATE INDEX ON m (at)")
    run_sql("CREATE TABLE twin (id int NOT NULL, res int NOT NULL, at timestamptz NOT NULL, val numeric, note text)")
    run_sql("CREATE INDEX ON twin (id)" if key is None else "ALTER TABLE twin ADD PRIMARY KEY (id)")
    for table in "m", "twin":
        run_sql(f"""INSERT INTO {table} ({COLUMNS}) SELECT i, i * 7919 % 8, timestamptz '2024-01-01 0:00+00' + i * interval '1 hour', i,
                    repeat('n', i % 40) FROM generate_series(1, {ROWS}) i""")
    if key is None:
        add_equal_rows()


def add_equal_rows():
    """Up to four rows of a kind; values that know no equality; a trigger that changes rows of which router has not been told yet."""
    run_sql("""CREATE OR REPLACE FUNCTION change_again() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN EXECUTE format('UPDATE %I SET val = val + 1 WHERE id = $1', TG_ARGV[0]) USING NEW.id; RETURN NULL; END $$""")
    run_sql("CREATE INDEX ON m (id)")
    for table in "m", "twin":
        run_sql(f"INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {table}, generate_series(1, id % 4)")
        run_sql(f"ALTER TABLE {table} ADD COLUMN shape point DEFAULT '(1,2)', ADD COLUMN doc json DEFAULT '{{}}'")
        run_sql(f"""CREATE TRIGGER " again" AFTER INSERT ON {table} FOR EACH ROW WHEN (NEW.note = 'again')
                    EXECUTE FUNCTION change_again('{table}')""")


class Load:
    """Three writers and a reader."""

    def __init__(self, seed, equal_rows):
        self.equal_rows = equal_rows
        self.stop = False
        self.errors = []
        self.written = 0
        self.threads = [threading.Thread(target=self.write, args=(seed * 10 + n, n + 1)) for n in range(3)]
        self.threads.append(threading.Thread(target=self.read))
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()

    def attempt(self, connection, work):
        try:
            work(connection.cursor())
        except psycopg2.Error as error:
            connection.rollback()
            if error.pgcode not in MAY_FAIL:
                self.errors.append(f"{error.pgcode} {error}")

    def write(self, seed, number):
        rnd = random.Random(seed)
        connection = connect(False)
        fresh = number * 1000000

        def change_equal(fresh):
            one = rnd.randint(1, ROWS)
            return rnd.choice([
                ("INSERT INTO {0} (id, res, at, val, note) SELECT %s, %s, '2024-03-03', 1, %s FROM generate_series(1, %s)",
                 (fresh, rnd.randint(0, 7), rnd.choice(["new", "again"]), rnd.randint(1, 4))),
                # locked by a statement of their own: the next one sees the versions that it has waited for
                ("SELECT FROM {0} WHERE id = %s FOR UPDATE;"
                 " DELETE FROM {0} WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {0} WHERE id = %s LIMIT 1)", (one, one)),
                ("UPDATE {0} SET doc = '{{\"x\": 1}}', shape = '(3,4)' WHERE id BETWEEN %s AND %s", (one, one + 4)),
                ("UPDATE {0} SET val = val WHERE id = %s", (one,))])

        def change(fresh):
            one = rnd.randint(1, ROWS)
            if self.equal_rows and rnd.random() < .5:
                return change_equal(fresh)
            return rnd.choice([
                ("INSERT INTO {} (id, res, at, val, note) VALUES (%s, %s, timestamptz '2024-01-01 0:00+00' + %s * interval '1 day', %s, 'new')",
                 (fresh, rnd.randint(0, 7), rnd.randint(0, 240), rnd.random())),
                ("UPDATE {} SET val = %s, note = %s WHERE id = %s", (rnd.random(), "y" * rnd.randint(0, 300), one)),
                ("UPDATE {} SET res = %s WHERE id = %s", (rnd.randint(0, 7), one)),
                ("UPDATE {} SET at = at + %s * interval '1 day' WHERE id = %s", (rnd.randint(-20, 20), one)),
                ("UPDATE {} SET id = id + 10000000 WHERE id = %s", (one,)),
                ("UPDATE {} SET res = (res + 1) %% 8, val = val + 1 WHERE id BETWEEN %s AND %s", (one, one + 9)),
                ("DELETE FROM {} WHERE id = %s", (one,)),
                ("DELETE FROM {} WHERE id BETWEEN %s AND %s", (one, one + 3))])

        def work(cursor):
            nonlocal fresh
            if rnd.random() < .25:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for _ in range(rnd.randint(1, 4)):
                fresh += 1
                statement, args = change(fresh)
                partly = rnd.random() < .2
                if partly:
                    cursor.execute("SAVEPOINT partly")
                for table in "m", "twin":
                    cursor.execute(statement.format(table), args)
                if partly and rnd.random() < .5:
                    cursor.execute("ROLLBACK TO partly")
            connection.rollback() if rnd.random() < .1 else connection.commit()
            self.written += 1

        while not self.stop:
            self.attempt(connection, work)
            time.sleep(rnd.random() * .01)
        connection.close()

    def read(self):
        connection = connect(False)
        query = f"SELECT count(*), sum(hashtextextended(row({COLUMNS})::text, 0)::numeric) FROM "

        def look(cursor, table):
            cursor.execute(query + table)
            return cursor.fetchone()

        def work(cursor):
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            seen = [look(cursor, "twin")]
            time.sleep(.1)
            seen += [look(cursor, "m"), look(cursor, "twin")]
            if len(set(seen)) > 1:
                self.errors.append(f"a reader saw {seen}")
            connection.commit()

        while not self.stop:
            self.attempt(connection, work)
        connection.close()


def children(condition):
    return [row[0] for row in run_sql(f"SELECT child::text FROM router.children WHERE base = 'm'::regclass AND {condition} ORDER BY bounds")]


def die_and_succeed(rnd, statement, kills):
    """Calls it until it has come to its end: first so often with a session that is cancelled or killed."""
    died = False
    while True:
        connection = connect()
        killer = None
        if kills > 0:
            kills -= 1
            how = rnd.choice(["pg_cancel_backend", "pg_terminate_backend"])
            killer = threading.Timer(rnd.random() * .7, run_sql, (f"SELECT {how}({connection.info.backend_pid})",))
            killer.start()
        try:
            connection.cursor().execute(statement)
            return
        except psycopg2.Error as error:
            if died and error.pgcode in ("42P01", "55000") and not run_sql("SELECT base FROM router.reshape_def"):
                return              # the last one died when all was done
            if error.pgcode not in ("57014", "57P01", None):
                raise
            died = True
        finally:
            if killer:
                killer.join()
            connection.close()


def live(seed, key, steps, after_first=None):
    """steps: functions that give the statement of each call, when its turn comes."""
    rnd = random.Random(seed)
    make(key)
    load = Load(seed, key is None)
    try:
        for number, step in enumerate(steps):
            call = f"{step()[:-1]}, batch_rows => {rnd.choice([300, 2000, 20000])})"
            die_and_succeed(rnd, call, KILLS // len(steps) + 1)
            if number == 0 and after_first:
                run_sql(after_first)
    finally:
        load.end()
    assert not load.errors, load.errors[:3]
    assert load.written > 20, "hardly anything was written"
    compare()


def compare():
    """The table is as its twin, and nothing is left of what made it so."""
    lost = run_sql(f"SELECT count(*) FROM (SELECT {COLUMNS} FROM twin EXCEPT ALL SELECT {COLUMNS} FROM m) x")[0][0]
    more = run_sql(f"SELECT count(*) FROM (SELECT {COLUMNS} FROM m EXCEPT ALL SELECT {COLUMNS} FROM twin) x")[0][0]
    assert (lost, more) == (0, 0), f"{lost} rows are missing, {more} too many"
    if run_sql("SELECT hot IS NULL FROM router.routes WHERE base = 'm'::regclass")[0][0]:
        same(run_sql(f"SELECT {COLUMNS} FROM ONLY m"), [])
    same(run_sql("SELECT * FROM router.check('m')"), [])
    same(run_sql("SELECT relname FROM pg_class WHERE relrewrite <> 0"), [])


def merge(condition):
    return lambda: "CALL router.merge_children('{%s}')" % ",".join(children(condition))


def split(condition, parts):
    return lambda: "CALL router.split_child('%s', '%s')" % (children(condition)[0], parts)


CONVERT_LIST = "CALL router.convert('m', router.by_list('res'))"
CONVERT_MONTH = "CALL router.convert('m', router.by_date('at', 'month'), time_zone => 'UTC')"
REGROUP = [merge("bounds[1] IN ('{1}', '{2}', '{3}')"), split("bounds[1] = '{1,2,3}'", '{"{2}"}'), merge("bounds[1] IN ('{1,3}', '{0}')")]


@case("by residence, whose rows go from child to child")
def by_residence():
    live(SEED, "res, id", [lambda: CONVERT_LIST] + REGROUP)


@case("by residence, with a global key")
def global_key():
    live(SEED + 1, "id", [lambda: CONVERT_LIST] + REGROUP, "SELECT router.add_global_key('m', '{id}')")


@case("with an id as the only key, which tells rows of a child from each other")
def id_key():
    live(SEED + 9, "id", [lambda: CONVERT_LIST] + REGROUP + [rekey("router.by_date('at', 'month')"), lambda: UNROUTE, lambda: CONVERT_LIST])


@case("by month")
def by_month():
    live(SEED + 2, "id, at", [lambda: CONVERT_MONTH,
                              merge("bounds[1] >= '[2024-02' AND bounds[1] < '[2024-05'"),
                              split("bounds[1] LIKE '[2024-02%'", "{2024-02-20,2024-03-01,2024-04-11}"),
                              merge("bounds[1] >= '[2024-04' AND bounds[1] < '[2024-07'")])


def rekey(keys, template=None):
    return lambda: "CALL router.rekey('m', %s, template => %s)" % (keys, f"'{template}'" if template else "NULL")


UNROUTE = "CALL router.unroute('m')"


@case("other keys: by residence, none, by month, by both, by hash")
def other_keys():
    live(SEED + 3, "res, at, id", [lambda: CONVERT_LIST, lambda: UNROUTE, lambda: CONVERT_LIST, rekey("router.by_date('at', 'month')"),
                                   rekey("ARRAY[router.by_list('res'), router.by_date('at', 'month')]"),
                                   rekey("router.by_hash('id', 7)"), rekey("router.by_date('at', 'week')")])


def regroup(members, joining="NULL"):
    return lambda: "CALL router.regroup('m', '{%s}', joining => %s)" % (members, joining)


@case("by residence and month, in groups")
def groups():
    live(SEED + 4, "res, at, id", [lambda: "CALL router.convert('m', ARRAY[router.by_list('res'), router.by_date('at', 'month')], time_zone => 'UTC')",
                                   regroup("1,2"), regroup("3,9", "'1'"), regroup("2"), regroup("0,2,NULL")])
    same(run_sql("SELECT groups FROM router.key_def WHERE base = 'm'::regclass AND groups IS NOT NULL"), [(["{1,3,9}", "{0,2,NULL}"],)])
    same(run_sql("SELECT count(DISTINCT bounds[1]) FROM router.children WHERE base = 'm'::regclass AND bounds[1] ~ '[01239]'"), [(2,)])


@case("by residence, with a default child")
def default_child():
    live(SEED + 5, "res, id", [lambda: "CALL router.convert('m', router.by_list('res'), default_child => true, on_missing => 'default')", regroup("1,2"),
                               regroup("3,4,5"), regroup("6,7")],
         "SELECT router.create_child('m', ARRAY[n::text]) FROM generate_series(0, 3) n")
    same(children("true"), ["m_default", "m_0", "m_1_2", "m_3_4_5"])


@case("a default child is redistributed")
def redistribute():
    live(SEED + 8, "res, id", [lambda: "CALL router.convert('m', router.by_list('res'), default_child => true, on_missing => 'default')",
                               lambda: "CALL router.redistribute('m', online => true)"], "SELECT router.create_child('m', '2')")
    same(len(children("bounds[1] ~ '[0-7]'")), 8)


@case("buckets are parted and put together")
def buckets():
    live(SEED + 6, "id", [lambda: "CALL router.convert('m', router.by_hash('id', 3))", lambda: "CALL router.add_hash_child('m', 'm_2')",
                          lambda: "CALL router.add_hash_child('m', 'm_5')", merge("bounds[1] !~ '/3$'")])
    same(children("bounds[1] !~ '/3$'"), [])


@case("a hot base, which is archived meanwhile")
def hot_base():
    days = run_sql("SELECT (now()::date - date '2024-06-15')")[0][0]
    stop = threading.Event()

    def archive():
        for day in range(200):
            if stop.wait(.3):
                return
            try:
                run_sql(f"CALL router.archive('m', cutoff => (timestamptz '2024-06-15 0:00+00' + {day} * interval '1 day')::text, batch_rows => 100)")
            except psycopg2.Error as error:
                assert error.pgcode in MAY_FAIL + ("55P03", "55006"), error

    archiver = threading.Thread(target=archive)

    def first():
        return "CALL router.convert('m', router.by_date('at', 'month'), time_zone => 'UTC', hot => '%s days')" % days

    def begin():
        archiver.start()
        return merge("bounds[1] >= '[2024-02' AND bounds[1] < '[2024-05'")()

    try:
        live(SEED + 7, "id, at", [first, begin, split("bounds[1] LIKE '[2024-02%'", "{2024-02-20,2024-03-01,2024-04-11}"),
                                  merge("bounds[1] >= '[2024-04' AND bounds[1] < '[2024-06'")])
    finally:
        stop.set()
        archiver.join()


@case("without a key")
def without_key():
    live(SEED + 8, None, [lambda: CONVERT_LIST, lambda: UNROUTE, lambda: CONVERT_LIST] + REGROUP + [rekey("router.by_date('at', 'month')")])


def give_up(statement):
    """Calls it for three seconds."""
    waiting = connect()
    cursor = waiting.cursor()
    cursor.execute("SET statement_timeout = '3s'")
    with raises(psycopg2.errors.QueryCanceled):
        cursor.execute(statement)
    waiting.close()


def stop_in_step(statement):
    """Calls it until copies are in step. Returns the session whose snapshot is waited for."""
    older = connect(False)
    cursor = older.cursor()
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SELECT 1")
    give_up(statement)
    same(run_sql("SELECT in_step FROM router.reshape_def"), [(True,)])
    return older


@case("a source is truncated while copies follow it")
def truncated():
    for key in "res, id", None:
        make(key)
        run_sql("SELECT router.create_route('m', router.by_list('res'), move_rows => true)")
        merge_all = merge("bounds[1] IN ('{1}', '{2}')")()
        older = stop_in_step(merge_all)
        run_sql("TRUNCATE m_1")
        run_sql("DELETE FROM twin WHERE res = 1")
        for table in "m", "twin":
            run_sql(f"INSERT INTO {table} ({COLUMNS}) VALUES (100000, 1, '2024-01-01', 1, 'new')")
            run_sql(f"UPDATE {table} SET res = res + 1 WHERE res IN (1, 2) AND id % 5 = 0")
        older.rollback()
        run_sql(merge_all)
        compare()
        same(children("bounds[1] = '{1,2}'"), ["m_1_2"])
        older.close()


def unlike_copies():
    """How many rows of the table its copies have not, and the other way round."""
    columns = f"{COLUMNS}, shape::text, doc::text"
    shadow = run_sql("SELECT shadow::text FROM router.reshape_def")[0][0]
    return [run_sql(f"SELECT count(*) FROM (SELECT {columns} FROM {a} EXCEPT ALL SELECT {columns} FROM {b}) x")[0][0]
            for a, b in (("m", shadow), (shadow, "m"))]


IN_STEP = [
    ["INSERT INTO m (id, res, at, val, note) SELECT 1, 1, '2024-01-01', 1, 'new' FROM generate_series(1, 3)"],
    # rows go of which router is told later that they came
    ["INSERT INTO m (id, res, at, val, note) SELECT 100001, 1, '2024-01-01', 1, 'again' FROM generate_series(1, 3)"],
    ["SAVEPOINT a", "INSERT INTO m (id, res, at, val, note) SELECT 100002, 1, '2024-01-01', 1, 'again' FROM generate_series(1, 3)",
     "ROLLBACK TO a", "INSERT INTO m (id, res, at, val, note) SELECT 100002, 1, '2024-01-01', 1, 'again' FROM generate_series(1, 2)"],
    ["DELETE FROM m WHERE id = 1", "INSERT INTO m (id, res, at) VALUES (1, 2, '2024-01-02'), (1, 2, '2024-01-02')",
     "SAVEPOINT a", "DELETE FROM m WHERE id = 1", "ROLLBACK TO a", "UPDATE m SET id = id WHERE id = 1"],
    ["UPDATE m SET res = (res + 1) % 8, shape = NULL WHERE id BETWEEN 10 AND 30"],
    ["UPDATE m SET doc = '{\"b\":  2}' WHERE id BETWEEN 20 AND 40", "DELETE FROM m WHERE id BETWEEN 30 AND 50"],
    # values beyond a page
    ["UPDATE m SET note = (SELECT string_agg(sha512(i::text::bytea)::text, '') FROM generate_series(1, 300) i) WHERE id IN (60, 61, 62)"],
    ["UPDATE m SET val = 0 WHERE id IN (60, 61, 62)", "DELETE FROM m WHERE id = 61"],
    # referential actions
    ["UPDATE residence SET res = 18 WHERE res = 3"],
    ["DELETE FROM residence WHERE res = 5"],
    ["UPDATE m SET res = 18 WHERE id % 50 = 0", "UPDATE residence SET res = 3 WHERE res = 18", "DELETE FROM m WHERE res = 3 AND id % 3 = 0"],
]


@case("in step, without a key")
def in_step_without_key():
    make(None)
    run_sql("ALTER TABLE m DROP CONSTRAINT m_res_fkey, ADD FOREIGN KEY (res) REFERENCES residence ON UPDATE CASCADE ON DELETE CASCADE")
    older = stop_in_step(CONVERT_LIST)
    older.rollback()
    older.close()
    waiting = connect()
    waiting.cursor().execute("BEGIN; LOCK TABLE m IN ACCESS SHARE MODE")
    give_up(CONVERT_LIST)           # at the swap: copies have foreign keys now
    waiting.close()
    for statements in IN_STEP:
        connection = connect(False)
        for statement in statements:
            connection.cursor().execute(statement)
        connection.commit()
        connection.close()
        same(unlike_copies(), [0, 0])
    two_take_equal_rows()
    missing_copy()
    run_sql(CONVERT_LIST)
    same(run_sql("SELECT * FROM router.check('m')"), [])
    same(run_sql("SELECT relname FROM pg_class WHERE relrewrite <> 0"), [])
    run_sql("UPDATE residence SET res = 28 WHERE res = 1")
    assert run_sql("SELECT count(*) FROM m_28")[0][0] > 0, "referential actions reach children afterwards"
    same(run_sql("SELECT count(*) FROM m WHERE res = 1"), [(0,)])


def two_take_equal_rows():
    """Neither waits, unless it has to."""
    run_sql("INSERT INTO m (id, res, at) SELECT 7, 7, '2024-01-01' FROM generate_series(1, 4)")
    one, other = connect(False), connect(False)
    take = "DELETE FROM m WHERE (tableoid, ctid) = ANY (ARRAY(SELECT (tableoid, ctid) FROM m WHERE id = 7 AND val IS NULL LIMIT 2 FOR UPDATE SKIP LOCKED))"
    for connection in one, other:
        connection.cursor().execute("SET lock_timeout = '5s'")
        connection.cursor().execute(take)
    other.rollback()
    other.cursor().execute(take)
    one.commit()
    other.commit()
    one.close()
    other.close()
    same(run_sql("SELECT count(*) FROM m WHERE id = 7 AND val IS NULL"), [(0,)])
    same(unlike_copies(), [0, 0])


def missing_copy():
    """That a copy is not there is told, and not passed over."""
    shadow = run_sql("SELECT shadow::text FROM router.reshape_def")[0][0]
    run_sql("INSERT INTO m (id, res, at) VALUES (0, 0, '2024-01-01')")
    connection = connect(False)
    connection.cursor().execute(f"DELETE FROM {shadow} WHERE id = 0")
    connection.cursor().execute("DELETE FROM m WHERE id = 0")
    with raises(psycopg2.errors.DataCorrupted):
        connection.commit()
    connection.close()
    run_sql("DELETE FROM m WHERE id = 0")
    same(unlike_copies(), [0, 0])


def beside_merge(*statements):
    """Calls merge_children, which waits for a writer; what the statements and the call raise, in this order."""
    raised = [None] * (len(statements) + 1)

    def work(number, statement):
        try:
            run_sql(statement)
        except psycopg2.Error as error:
            raised[number] = error.pgcode

    writer = connect(False)
    writer.cursor().execute("INSERT INTO m_1 (id, res, at) VALUES (200000, 1, '2024-01-01')")
    threads = [threading.Thread(target=work, args=(len(statements), "CALL router.merge_children('{m_1,m_2}', lock_timeout => '20s')"))]
    threads += [threading.Thread(target=work, args=(number, statement)) for number, statement in enumerate(statements)]
    for thread in threads:
        thread.start()
        time.sleep(.7)
    writer.rollback()
    writer.close()
    for thread in threads:
        thread.join()
    return raised


def nothing_left():
    same(run_sql("SELECT relname FROM pg_class WHERE relrewrite <> 0"), [])
    same(run_sql("SELECT base FROM router.reshape_def"), [])


@case("DDL that begins before router's triggers are there")
def early_ddl():
    for key in None, "res, id":
        make(key)
        run_sql("SELECT router.create_route('m', router.by_list('res'), move_rows => true)")
        run_sql("DROP TRIGGER IF EXISTS \" again\" ON m")
        # refused, or the call ends before it follows anything; writers never fail
        for ddl in "ALTER TABLE m ALTER note TYPE varchar", "ALTER TABLE m RENAME note TO noted":
            same([error for error in beside_merge(ddl) if error], ["55000"])
            run_sql("UPDATE m SET val = 0 WHERE id % 5 = 0")
            run_sql("CALL router.cancel_reshape('m')")
        run_sql("ALTER TABLE m RENAME noted TO note")
        same(beside_merge("DROP TABLE m CASCADE"), ["55006", None])
        same(children("bounds[1] = '{1,2}'"), ["m_1_2"])
        nothing_left()


@case("what a table goes with that gets another shape, and what takes a column")
def late_drop():
    for key in None, "res, id":
        make(key)
        run_sql("DROP TYPE IF EXISTS way CASCADE; CREATE TYPE way AS ENUM ('in', 'out'); ALTER TABLE m ADD way way")
        older = stop_in_step(CONVERT_LIST)
        with raises(psycopg2.errors.ObjectInUse):
            run_sql("DROP TYPE way CASCADE")
        run_sql("UPDATE m SET way = 'out' WHERE id % 5 = 0")
        older.rollback()
        older.close()
        run_sql(CONVERT_LIST)
        nothing_left()
        make(key)
        run_sql("DROP SCHEMA IF EXISTS going CASCADE; CREATE SCHEMA going; ALTER TABLE m SET SCHEMA going")
        stop_in_step("CALL router.convert('going.m', router.by_list('res'))").close()
        run_sql("DROP SCHEMA going CASCADE")
        nothing_left()


run()
