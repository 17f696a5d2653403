"""Whatever moves rows or tables, against every kind of statement whose snapshot is older: each row once, or 40001.

A table of cells: EVENTS x KINDS x isolation levels. For each event
  before   transactions at REPEATABLE READ and SERIALIZABLE have their snapshot and have not touched the table;
           the event runs, or goes on as far as it goes while they live; then they say their statements;
  queued   the event waits for its lock behind a reader, and statements at READ COMMITTED wait behind the event, some of
           them (EXECUTE, COPY (SELECT), functions) with a snapshot from before;
  after    a new snapshot sees the same rows.
EVENT='rotate' runs only these events; SNAPSHOTS_ALL=1 queues each kind that writes behind each event, not one of them.
Not in the table: drop_route(rows => 'base'), which drops the children (docs/limits.md).
"""
import os
import re
import threading
import time
from contextlib import closing

import psycopg2

from tap import case, run

PRELOADED = os.environ.get("ROUTER_PRELOADED") == "1"
ONLY = os.environ.get("EVENT", "")
CUTOFF = "2024-03-15"
WHERES = {"all": "true", "old": "d < '2024-02-01'", "young": "d >= '2024-03-15'", "middle": "d >= '2024-02-08' AND d < '2024-03-20'",
          "row": "id = 40 AND d = '2024-02-10'", "early": "d >= '2024-02-01' AND d < '2024-02-07'",
          "late": "d >= '2024-02-01' AND d < '2024-02-03'"}
# what another session changes meanwhile: a row is changed, one deleted, one inserted
CHANGED, DELETED, INSERTED = 35, 36, 200
CHANGE = f"UPDATE t SET note = 'h' WHERE id = {CHANGED}; DELETE FROM t WHERE id = {DELETED}; INSERT INTO t (id, d, k) VALUES ({INSERTED}, '2024-02-05', 3)"

# name: (set-up, the event, its lock waits for a reader of the base)
HOT = "SELECT router.create_route('t', router.by_date('d', 'month'), hot => '100 years', horizon => '300 years', time_zone => 'UTC')"
LIST = "SELECT router.create_route('t', router.by_integer('k', 10))"
DEFAULT = "SELECT router.create_route('t', router.by_list('k'), default_child => true, on_missing => 'default')"
ROWS = "INSERT INTO t (id, d, k) SELECT i, date '2024-01-01' + i, i % 4 FROM generate_series(0, 99) i"
ARCHIVED = f"CALL router.archive('t', cutoff => '{CUTOFF}')"
EVENTS = {
    "archive into new children": ([HOT, ROWS], ARCHIVED),
    "archive into children that have rows": ([HOT, ROWS, "CALL router.archive('t', cutoff => '2024-03-03')"], ARCHIVED),
    "archive_now": ([HOT, ROWS], f"SELECT router.archive_now('t', '{CUTOFF}')"),
    "rotate": ([HOT, ROWS.replace("0, 99", "31, 62")], "CALL router.rotate('t', cutoff => '2024-03-01')"),
    "rotate into a child that has rows": ([HOT, ROWS.replace("0, 99", "20, 62"), "CALL router.archive('t', cutoff => '2024-02-04')"], "CALL router.rotate('t', cutoff => '2024-03-01')"),
    "restore": ([HOT, ROWS, ARCHIVED], "SELECT router.restore('t_y2024m03')"),
    "restore of several": ([HOT, ROWS, ARCHIVED], "SELECT router.restore('t_y2024m02', younger => true)"),
    "end_hot": ([HOT, ROWS, "CALL router.archive('t', cutoff => '2024-02-20')"], "SELECT router.end_hot('t')"),
    "move_child": ([HOT, ROWS, ARCHIVED], "CALL router.move_child('t_y2024m02', tablespace => 'snapshot_space')"),
    "redistribute": ([DEFAULT, ROWS], "CALL router.redistribute('t')"),
    "create_child out of the default child": ([DEFAULT, ROWS], "SELECT router.create_child('t', '1')"),
    "UPDATE into a new child": ([LIST, ROWS], "UPDATE t SET k = 50 WHERE id = 40"),
    "create_route(move_rows)": ([ROWS], LIST.replace("))", "), move_rows => true)")),
}


opened = []


def connect(application, preload=PRELOADED):
    connection = psycopg2.connect("", application_name=application,
                                  options="-c lock_timeout=20s -c statement_timeout=20s -c session_preload_libraries=" + ("router" if preload else ""))
    connection.autocommit = True
    opened.append(connection)
    return connection


def close_all():
    while opened:
        opened.pop().close()


def ids(where):
    """The rows that hold: of all events' tables, but for those that have none from before."""
    with closing(connect("oracle")) as c:
        k = c.cursor()
        k.execute(f"SELECT id FROM twin WHERE {where} ORDER BY id")
        return [row[0] for row in k.fetchall()]


# ---------------------------------------------------------------- kinds of statements
class Kind:
    """prepare runs before the snapshot is old, run gives the ids that the statement saw or changed."""

    def __init__(self, name, prepare, run):
        self.name, self.prepare, self.run = name, prepare, run


def asked(sql):
    def run_it(cursor, where, name):
        cursor.execute(sql.format(where=where, quoted=where.replace("'", "''"), name=name))
        return sorted(row[0] for row in cursor.fetchall())
    return run_it


def copied(cursor, where, name):
    class Lines(list):
        write = list.append
    lines = Lines()
    cursor.copy_expert(f"COPY (SELECT id FROM t WHERE {where}) TO STDOUT", lines)
    return sorted(int(x) for x in b"".join(line if isinstance(line, bytes) else line.encode() for line in lines).split())


def nothing(cursor, where, name):
    pass


def prepared(cursor, where, name):
    cursor.execute(f"PREPARE {name} AS SELECT id FROM t WHERE {where}")


def generic(cursor, where, name):
    cursor.execute("SET plan_cache_mode = force_generic_plan")
    prepared(cursor, where, name)


def executed_before(cursor, where, name):
    generic(cursor, where, name)
    cursor.execute(f"EXECUTE {name}")


def by_cursor(cursor, where, name):
    cursor.execute("CLOSE ALL")
    cursor.execute(f"DECLARE c CURSOR FOR SELECT id FROM t WHERE {where}")
    cursor.execute("FETCH ALL FROM c")
    return sorted(row[0] for row in cursor.fetchall())


KINDS = [
    Kind("SELECT", nothing, asked("SELECT id FROM t WHERE {where}")),
    Kind("EXECUTE", prepared, asked("EXECUTE {name}")),
    Kind("EXECUTE, generic", generic, asked("EXECUTE {name}")),
    Kind("EXECUTE, planned before", executed_before, asked("EXECUTE {name}")),
    Kind("cursor", nothing, by_cursor),
    Kind("COPY", nothing, copied),
    Kind("STABLE function", nothing, asked("SELECT unnest(stable_ids('{quoted}'))")),
    Kind("IMMUTABLE function", nothing, asked("SELECT unnest(immutable_ids('{quoted}'))")),
    Kind("VOLATILE function", nothing, asked("SELECT unnest(volatile_ids('{quoted}'))")),
    Kind("FOR UPDATE", nothing, asked("SELECT id FROM t WHERE {where} FOR UPDATE")),
    Kind("UPDATE", nothing, asked("UPDATE t SET v = v + 1 WHERE {where} RETURNING id")),
    Kind("UPDATE of a key", nothing, asked("UPDATE t SET d = d + 40, k = k + 1 WHERE {where} RETURNING id")),
    Kind("DELETE", nothing, asked("DELETE FROM t WHERE {where} RETURNING id")),
    Kind("MERGE", nothing, None),
]

WRITERS = 9


def merged(cursor, where, name):
    cursor.execute(f"MERGE INTO t USING (SELECT id AS i FROM twin WHERE {where}) s ON t.id = s.i WHEN MATCHED THEN UPDATE SET v = v + 1 "
                   "WHEN NOT MATCHED THEN INSERT (id, d, k) VALUES (-s.i, '2024-01-01', 0)")
    cursor.execute("SELECT id FROM t WHERE v = 1 OR id < 0")
    return sorted(row[0] for row in cursor.fetchall())


KINDS[-1].run = merged


class Reader:
    """A session that says one kind of statement about parts of the table, one after the other in one transaction."""

    def __init__(self, kind, level, parts):
        self.kind, self.level, self.parts = kind, level, parts
        self.connection = connect("reader")
        self.cursor = self.connection.cursor()
        self.got = {}
        for what in parts:
            self.kind.prepare(self.cursor, WHERES[what], "q_" + what)

    def snapshot(self):
        self.cursor.execute(f"BEGIN ISOLATION LEVEL {self.level}")
        self.cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'no such table'")

    def say(self):
        for what in self.parts:
            try:
                self.cursor.execute("SAVEPOINT s")
                self.got[what] = self.kind.run(self.cursor, WHERES[what], "q_" + what)
                self.cursor.execute("ROLLBACK TO s")
            except psycopg2.Error as error:
                self.got[what] = f"{error.pgcode} {error}".strip()
                if self.connection.closed:
                    break
                self.cursor.execute("ROLLBACK TO s")
        self.connection.close()

    def begin_and_say(self):
        self.cursor.execute(f"BEGIN ISOLATION LEVEL {self.level}")
        self.say()


def waits_for_lock(application, number, admin, seconds=1):
    """Waits until so many sessions of that name wait for a lock; false if they never do."""
    for _ in range(int(seconds * 50)):
        admin.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s AND wait_event_type = 'Lock'",
                      (application,))
        if admin.fetchone()[0] >= number:
            return True
        time.sleep(0.02)
    return False


def set_up(statements):
    with closing(connect("setup")) as c:
        k = c.cursor()
        k.execute("SET allow_in_place_tablespaces = on")
        k.execute("SELECT count(*) FROM pg_tablespace WHERE spcname = 'snapshot_space'")
        if k.fetchone()[0] == 0:
            k.execute("CREATE TABLESPACE snapshot_space LOCATION ''")
        k.execute("DROP TABLE IF EXISTS t, twin CASCADE")
        k.execute("CREATE TABLE t (id int, d date NOT NULL, k int, v int DEFAULT 0, note text, PRIMARY KEY (id, d, k)); CREATE INDEX ON t (d)")
        for volatility in ("stable", "immutable", "volatile"):
            k.execute(f"""CREATE OR REPLACE FUNCTION {volatility}_ids(wanted text) RETURNS int[] {volatility} LANGUAGE plpgsql AS
                $$ DECLARE found int[]; BEGIN EXECUTE 'SELECT array_agg(id) FROM t WHERE ' || wanted INTO found; RETURN coalesce(found, '{{}}'); END $$""")
        for statement in statements:
            k.execute(statement)
        k.execute("CREATE TABLE twin AS SELECT * FROM t")


class Event(threading.Thread):
    def __init__(self, sql):
        super().__init__()
        self.sql, self.error = sql, None
        self.connection = connect("event")
        self.connection.cursor().execute("SET router.prune = on" if PRELOADED else "SELECT 1")

    def run(self):
        try:
            self.connection.cursor().execute(self.sql)
        except psycopg2.Error as error:
            self.error = f"{error.pgcode} {error}"
        self.connection.close()


def alike(got, wanted, old):
    """The rows from before, and those of the other session as one snapshot shows them: an old one, or either."""
    if not isinstance(got, list):
        return False
    if old:
        return got == wanted
    odd = {DELETED, INSERTED}
    if sorted(set(got) - odd) != sorted(set(wanted) - odd) or len(got) != len(set(got)):
        return False
    return DELETED not in wanted or (DELETED in got) != (INSERTED in got)


def verdict(readers, wanted, event):
    wrong = []
    cells = refused = 0
    for reader in readers:
        for what in reader.parts:
            cells += 1
            got = reader.got.get(what)
            if isinstance(got, str) and got.startswith("40001"):
                refused += 1
            elif not alike(got, wanted[what], reader.level != "READ COMMITTED"):
                if isinstance(got, list):
                    got = (f"{len(got)} rows, missing {sorted(set(wanted[what]) - set(got))[:8]}, more {sorted(set(got) - set(wanted[what]))[:8]}, "
                           f"doubled {sorted({x for x in got if got.count(x) > 1})[:8]}")
                wrong.append(f"{reader.level}, {reader.kind.name}, {what}: {got}")
    if event.error:
        wrong.append(f"the event itself: {event.error}")
    if wrong:
        raise AssertionError(f"{len(wrong)} of {cells} wrong ({refused} times 40001):\n" + "\n".join(wrong[:int(os.environ.get("SHOW", 12))]))


def before(name, statements, sql):
    set_up(statements)
    wanted = {what: ids(where) for what, where in WHERES.items()}
    readers = [Reader(kind, level, list(WHERES)) for kind in KINDS for level in ("REPEATABLE READ", "SERIALIZABLE")]
    for reader in readers:
        reader.snapshot()
    with closing(connect("holder")) as holder:
        holder.cursor().execute(CHANGE)
    event = Event(sql)
    event.start()
    event.join(0.5)
    for reader in readers:
        reader.say()
    event.join()
    verdict(readers, wanted, event)
    after(wanted)


def queued(name, statements, sql):
    # who writes would wait for others who write, so one at a time
    writers = KINDS[WRITERS:]
    if not os.environ.get("SNAPSHOTS_ALL"):
        writers = [writers[(list(EVENTS).index(name) + PRELOADED) % len(writers)]]
    for writer in writers:
        set_up(statements)
        wanted = {what: ids(where) for what, where in WHERES.items()}
        readers = [Reader(kind, "READ COMMITTED", [what]) for kind in KINDS[:WRITERS] for what in ("middle", "early")]
        readers.append(Reader(writer, "READ COMMITTED", ["middle"]))
        with closing(connect("holder")) as holder, closing(connect("admin")) as watcher:
            admin = watcher.cursor()
            h = holder.cursor()
            h.execute("BEGIN")
            h.execute("LOCK TABLE t IN ACCESS SHARE MODE")
            h.execute(CHANGE)
            event = Event(sql)
            event.start()
            waits = waits_for_lock("event", 1, admin)
            threads = [threading.Thread(target=reader.begin_and_say) for reader in readers]
            for thread in threads:
                thread.start()
            if waits:
                waits_for_lock("reader", len(readers) // 2, admin, 0.3)
            h.execute("COMMIT")
            for thread in threads:
                thread.join()
            event.join()
        verdict(readers, wanted, event)
        after(wanted)


def after(wanted):
    for preload in {PRELOADED, False}:
        with closing(connect("after", preload)) as c:
            k = c.cursor()
            for what, where in WHERES.items():
                k.execute(f"SELECT id FROM t WHERE {where} ORDER BY id")
                got = [row[0] for row in k.fetchall()]
                if got != sorted(set(wanted[what]) - {DELETED} | ({INSERTED} if DELETED in wanted[what] else set())):
                    raise AssertionError(f"afterwards, {what}: {got}, wanted {wanted[what]}")


def make(name, way):
    statements, sql = EVENTS[name]

    @case(f"{name}: {way.__name__}")
    def cell():
        way(name, statements, sql)


for event_name in EVENTS:
    if re.search(ONLY, event_name):
        make(event_name, before)
        make(event_name, queued)
run(close_all)
