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
                note text, g int GENERATED ALWAYS AS (id % 7) STORED, PRIMARY KEY ({key}))""")
    run_sql("ALTER TABLE m DROP COLUMN gone")
    run_sql("CREATE INDEX ON m (at)")
    run_sql("CREATE TABLE twin (id int PRIMARY KEY, res int NOT NULL, at timestamptz NOT NULL, val numeric, note text)")
    for table in "m", "twin":
        run_sql(f"""INSERT INTO {table} ({COLUMNS}) SELECT i, i * 7919 % 8, timestamptz '2024-01-01 0:00+00' + i * interval '1 hour', i,
                    repeat('n', i % 40) FROM generate_series(1, {ROWS}) i""")


class Load:
    """Three writers and a reader."""

    def __init__(self, seed):
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

        def change(fresh):
            one = rnd.randint(1, ROWS)
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
    load = Load(seed)
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


@case("a source is truncated while copies follow it")
def truncated():
    make("res, id")
    run_sql("SELECT router.create_route('m', router.by_list('res'), move_rows => true)")
    merge_all = merge("bounds[1] IN ('{1}', '{2}')")()
    older = connect(False)
    cursor = older.cursor()
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SELECT 1")
    waiting = connect()
    cursor = waiting.cursor()
    cursor.execute("SET statement_timeout = '3s'")
    with raises(psycopg2.errors.QueryCanceled):
        cursor.execute(merge_all)
    same(run_sql("SELECT in_step FROM router.reshape_def"), [(True,)])
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
    waiting.close()


run()
