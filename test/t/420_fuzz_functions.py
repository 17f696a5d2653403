"""Every function and procedure of router, called with whatever there is, by whoever may connect.

Functions are read from pg_proc, so new ones are called too: with NULLs, extremes, relations of every kind and oids of none,
arrays (empty, of arrays, with NULLs, of 1,000), long strings, odd intervals; in transactions of their own, procedures also
outside of blocks; trigger functions as triggers of any name on any relation. No call may lose the server, end with XX000, or outlast its
timeout; and what belongs to nobody who calls stays as it is.

  FUZZ_CALLS    how many (default 3000; make fuzz-functions: 100000)
  SEED          plays the same calls again
"""
import os
import random
import re
import signal
import sys
import time

import psycopg2

CALLS = int(os.environ.get("FUZZ_CALLS") or 3000)
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
TIMEOUT = 3
PER_FIXTURE = 400
OWNER, STRANGER, READER, VICTIM = ("router_fz_%s_%d" % (name, os.getpid()) for name in ("owner", "stranger", "reader", "victim"))
# what a call may not end with; none is known that must
NEVER = ("XX000", "XX001", "XX002")

FIXTURE = """
CREATE TABLE {s}.t (k int, d date NOT NULL, id int, note text);
SELECT router.create_route('{s}.t', ARRAY[router.by_integer('k', 10), router.by_date('d', 'month')], default_child => true);
INSERT INTO {s}.t SELECT 1 + g % 12, date '2024-01-01' + g, g, 'n' || g FROM generate_series(1, 40) g;
SELECT router.add_global_key('{s}.t', '{{id}}', 't_keys');
SELECT router.set_maintenance('{s}.t', keep => '3000 years', seal => '{{id}}');
CREATE TABLE {s}.h (k int, d timestamptz NOT NULL, id int, note text);
SELECT router.create_route('{s}.h', router.by_date('d', 'year'), time_zone => 'UTC', hot => '3 days');
INSERT INTO {s}.h SELECT g, now() - g * interval '10 days', g, 'n' || g FROM generate_series(0, 40) g;
SELECT router.add_tier('{s}.h', '10 years', access_method => 'heap');
CREATE TABLE {s}.l (k int, d date, id int, note text);
SELECT router.create_route('{s}.l', router.by_list('k', groups => '{{"{{1,2}}","{{3}}"}}'), on_missing => 'error');
SELECT router.premake('{s}.l');
INSERT INTO {s}.l SELECT 1 + g % 3, NULL, g FROM generate_series(1, 9) g;
CREATE TABLE {s}.p (k int, d date, id int, note text);
SELECT router.create_route('{s}.p', ARRAY[router.by_prefix('note', 2), router.by_hash('id', 2)]);
INSERT INTO {s}.p SELECT g, NULL, g, 'ab' || g FROM generate_series(1, 9) g;
CREATE TABLE {s}.plain (k int PRIMARY KEY, d date, id int, note text);
CREATE VIEW {s}.view AS SELECT * FROM {s}.plain;
CREATE MATERIALIZED VIEW {s}.kept AS SELECT * FROM {s}.plain;
CREATE SEQUENCE {s}.seq;
CREATE TYPE {s}.composite AS (k int, d date);
CREATE TABLE {s}.parted (k int, d date, id int, note text) PARTITION BY LIST (k);
CREATE INDEX parted_idx ON {s}.parted (k);
CREATE TABLE {s}.part PARTITION OF {s}.parted DEFAULT;
CREATE FOREIGN TABLE {s}.far (k int, d date, id int, note text) SERVER router_fz;
CREATE TABLE {s}.parent (k int, d date);
CREATE TABLE {s}.heir (id int, note text) INHERITS ({s}.parent);
"""
RELATIONS = ["t", "h", "l", "p", "plain", "t_keys", "view", "kept", "seq", "composite", "parted", "parted_idx", "part", "far", "parent",
             "heir", "plain_pkey", "t_1_10_y2024m01", "t_default", "l_1_2", "t_11_20_y2024m02", "h_y2025"]
OIDS = ["0", "1", "4294967295", "2147483648", "1259", "2619", "2608", "2662", "16383"]
COLUMNS = ["k", "d", "id", "note"]
INTERVALS = ["1 second", "0", "1 day", "-1 day", "1 month", "3 days", "1 month -30 days", "-1 month 40 days", "0.000001 s", "178000000 years",
             "-178000000 years", "infinity", "-infinity", "10 years", "36:00", "1 mon 1 day 00:00:01"]
TIMES = ["now", "infinity", "-infinity", "294276-12-31 UTC", "4713-01-01 BC", "2024-01-01"]
TEXTS = ["", " ", "x", "null", "NULL", "default", "create", "error", "drop", "detach", "schema", "day", "month", "year", "week", "hour", "1", "0", "-1",
         "10", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "1.5", "NaN", "2024-01-10", "2024-13-45", "infinity", "-infinity",
         "[1,10)", "[1,11)", "[10,1)", "[,)", "(,)", "[2024-01-01,2024-02-01)", "[2025-01-01,2025-02-01)", "[2024-02-01,2024-02-15)",
         "[-infinity,infinity)", "[4713-01-01 BC,294276-12-31)", "{1,2}", "{}", "{{1,2},{3,4}}", "{NULL}", "{", "}", "[", "{1}_{2}", "{base}_{1}_{2}", "{1}",
         "UTC", "Europe/Berlin", "Nowhere/Land", "XYZ+15", "SELECT 'a'", "SELECT $1", "SELECT 1/0", "DROP TABLE app.plain", "'; --", '"', "\\", "%s%n%d",
         "\x01\x02\x1b", "\n\t", "é", "\U0001f600", "x" * 63, "x" * 64, "y" * 10000, "{" * 10000, "[" + "1," * 5000, "pg_default", "pg_global", "heap",
         "brin", "router_fz", "app", "pg_catalog", "pg_temp", "information_schema", "2 mons", "1 month", "-1 day", "178000000 years"]
NUMBERS = ["0", "1", "2", "-1", "3", "10", "9", "100", "32767", "2147483647", "-2147483648"]
BIG = NUMBERS + ["9223372036854775807", "-9223372036854775808", "10000000000"]
NAMES = ["~router_route", "~router_settle", "!router_flush", "~router_move", "~router_key", "~router_key_truncate", "!router_step",
         "!router_step_truncate", "config_changed", "marks_changed", "a", "~~"]

current = "setting up"
found = {}      # what ended as it must not: each message once


def literal(value, cast):
    text = value.replace("\\", "\\\\").replace("'", "''")
    return "E'%s'::%s" % (text, cast)


class Session:
    """A connection of a role."""

    def __init__(self, role):
        self.role = role
        self.connection = psycopg2.connect("dbname=%s" % os.environ["PGDATABASE"],
                                           options="-c client_min_messages=error -c statement_timeout=%ds" % TIMEOUT)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        if role:
            self.cursor.execute("SET SESSION AUTHORIZATION %s" % role)

    def query(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def outcome(self, error):
        if self.connection.closed:
            raise error
        if error.pgcode in NEVER:
            found.setdefault(re.sub("[0-9]+", "0", str(error).split("\n")[0]), (error.pgcode, str(error), current))
        return error.pgcode or "08006"

    def run(self, *commands):
        """The SQLSTATE of the first command that fails, or 00000; no transaction is left open."""
        try:
            for command in commands:
                self.cursor.execute(command)
            return "00000"
        except psycopg2.Error as error:
            return self.outcome(error)
        finally:
            if not self.connection.closed and self.connection.info.transaction_status != 0:
                self.cursor.execute("ROLLBACK")


class Wrong(Exception):
    pass


class Fuzz:
    def __init__(self):
        self.r = random.Random(SEED)
        self.outcomes = {}
        self.admin = Session(None)
        self.setup()
        self.functions = self.admin.query("""
            SELECT proname, prokind = 'p', prorettype::regtype::text, provariadic <> 0, pronargs - pronargdefaults,
                   ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY a(t, n) ORDER BY n),
                   proargnames::text[]
              FROM pg_proc WHERE pronamespace = 'router'::regnamespace ORDER BY oid""")

    def setup(self):
        """What stays for the whole run: roles, and the tables of somebody who calls nothing."""
        a = self.admin
        for role in (OWNER, STRANGER, READER, VICTIM):
            a.cursor.execute("CREATE ROLE %s" % role)
        a.cursor.execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER router_fz FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nonexistent');"
                         "GRANT USAGE ON FOREIGN SERVER router_fz TO PUBLIC; CREATE SCHEMA safe AUTHORIZATION %s; GRANT USAGE ON SCHEMA safe TO PUBLIC" % VICTIM)
        a.cursor.execute("CREATE TABLE gone (); SELECT 'gone'::regclass::oid")
        self.dropped = str(a.cursor.fetchone()[0])
        a.cursor.execute("DROP TABLE gone")
        self.other = Session(VICTIM)
        self.other.cursor.execute("CREATE TEMP TABLE plain (k int, d date, id int, note text); CREATE TEMP TABLE h (k int, d date NOT NULL, id int, note text);"
                                  "SELECT router.create_route('h', router.by_date('d', 'month'), hot => '3 days'); SELECT router.add_global_key('h', '{id}');"
                                  "INSERT INTO h VALUES (1, '2024-01-01', 1), (2, now(), 2)")
        self.others = [str(row[0]) for row in self.other.query("SELECT oid FROM pg_class WHERE relnamespace = pg_my_temp_schema()")]
        self.fixture("safe", VICTIM)
        a.cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA safe TO %s" % READER)
        self.sessions = {}

    def fixture(self, schema, owner):
        session = Session(owner)
        session.cursor.execute("SET statement_timeout = 0")
        session.cursor.execute(FIXTURE.format(s=schema))
        session.cursor.execute("CALL router.archive('%s.h')" % schema)
        session.cursor.execute("CALL router.seal('%s.t_1_10_y2024m01', '{id}')" % schema)
        session.connection.close()

    def renew(self):
        """The tables of who calls, and sessions, anew."""
        a = self.admin
        pids = [session.connection.info.backend_pid for session in self.sessions.values()]
        for session in self.sessions.values():
            session.connection.close()
        self.sessions = {}
        # REASSIGN OWNED fails on a temporary table that its session drops just then, as it ends
        while pids and a.query("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (ARRAY[%s])" % ", ".join(map(str, pids)))[0][0]:
            time.sleep(0.01)
        a.cursor.execute("DROP SCHEMA IF EXISTS app CASCADE")
        for role in (OWNER, STRANGER, READER):
            a.cursor.execute("REASSIGN OWNED BY %s TO %s; DROP OWNED BY %s" % (role, OWNER, role))
        a.cursor.execute("DROP OWNED BY %s" % OWNER)
        a.cursor.execute("CREATE SCHEMA app AUTHORIZATION %s; GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA safe TO %s"
                         % (OWNER, READER))
        self.fixture("app", OWNER)
        self.oids = {"%s.%s" % row[:2]: str(row[2]) for row in a.query(
            "SELECT nspname, relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('app', 'safe', 'router')")}
        self.oids["toast"] = str(a.query("SELECT reltoastrelid FROM pg_class WHERE oid = 'app.t'::regclass")[0][0])
        self.catalog = sorted(name for name in self.oids if name.startswith("router."))

    def session(self, role):
        if role not in self.sessions:
            self.sessions[role] = session = Session(role)
            if role == STRANGER:
                session.cursor.execute("CREATE TEMP TABLE mine (k int, d date, id int, note text);"
                                       "SELECT router.create_route('mine', router.by_integer('k', 10)); INSERT INTO mine VALUES (1), (11)")
        return self.sessions[role]

    # ----------------------------------------------------------------- arguments
    def relation(self):
        r = self.r
        what = r.random()
        if what < 0.7:
            return self.oids.get("%s.%s" % (r.choice(["app", "app", "app", "safe"]), r.choice(RELATIONS)), self.dropped)
        if what < 0.8:
            return self.oids[r.choice(self.catalog)]
        return r.choice(self.others if r.random() < 0.4 else OIDS + [self.dropped, self.oids["toast"]])

    def key(self):
        r = self.r
        if r.random() < 0.1:
            return "NULL::router.key"
        if r.random() < 0.2:
            return "ROW(%s)::router.key" % ", ".join([self.value("text"), self.value("name"), self.value("text"), self.value("integer"),
                                                       self.value("text[]"), self.value("text"), self.value("boolean"), self.value("text")])
        return r.choice(["router.by_list('%s')", "router.by_integer('%s', 10)", "router.by_integer('%s', 10, 3, from_pivot => true)", "router.by_date('%s', 'month')", "router.by_hash('%s', 3)",
                         "router.by_prefix('%s', 2)"]) % r.choice(COLUMNS)

    def array(self, cast, element):
        r = self.r
        kind = r.random()
        if kind < 0.1:
            return literal("{}", cast)
        if kind < 0.15:
            return literal("[5:6]={a,b}", cast) if cast != "router.key[]" else literal("{}", cast)
        if kind < 0.2:
            return "ARRAY[ARRAY[%s, %s], ARRAY[%s, NULL]]::%s" % (element(), element(), element(), cast)
        if kind < 0.23:
            return "array_fill(%s, ARRAY[%d])" % (element(), r.choice([100, 1000]))
        return "ARRAY[%s]::%s" % (", ".join(element() for _ in range(r.choice([1, 1, 2, 2, 3, 9]))), cast)

    def value(self, kind):
        r = self.r
        if r.random() < 0.1 and kind != '"any"':
            return "NULL::%s" % kind
        if kind in ("regclass", "oid"):
            return "%s::oid::%s" % (self.relation(), kind)
        if kind == "router.key":
            return self.key()
        if kind == "name":
            return literal(r.choice(COLUMNS) if r.random() < 0.6 else r.choice(TEXTS), "name")
        if kind == "text":
            return literal(r.choice(TEXTS), "text")
        if kind.endswith("[]"):
            return self.array(kind, lambda: self.value(kind[:-2]))
        if kind == "interval":
            return literal(r.choice(INTERVALS), "interval")
        if kind.startswith("timestamp"):
            return literal(r.choice(TIMES), kind)
        if kind == "boolean":
            return r.choice(["true", "false"])
        if kind == "bigint":
            return "'%s'::bigint" % r.choice(BIG)
        if kind in ("integer", "smallint"):
            return "'%s'::integer" % r.choice(NUMBERS)
        if kind == '"any"':
            return self.value(r.choice(["bigint", "text", "integer", "timestamptz", "interval", "name[]"]))
        return "NULL::%s" % kind

    def sensible(self, function, name, kind):
        """What a call may well be given, so that it comes to look at its other arguments; or None."""
        r = self.r
        hot = function in ("archive", "archive_now", "rotate", "end_hot", "restore", "add_tier", "drop_tier", "tier")
        if kind in ("regclass", "oid"):
            names = (["plain", "heir", "parent"] if function in ("create_route", "adopt") or (function == "attach_child" and name == "child") else
                     [child for child in RELATIONS if child[:2] in (("h_",) if hot else ("t_", "l_", "p_", "h_"))] if name == "child" else
                     ["h"] if hot else ["t", "t", "h", "l", "p"])
            return "%s::oid::%s" % (self.oids.get("%s.%s" % (r.choice(["app", "app", "app", "safe"]), r.choice(names)), self.dropped), kind)
        values = {("text[]", "bounds"): ["{5,2025-01-01}", '{"[41,51)","[2025-01-01,2025-02-01)"}', "{2027-01-01}", "{3}", "{ab,1}", "{default,default}"],
                  ("text[]", "values"): ["{5,2025-01-01}", "{2027-01-01}", "{3}", "{zz,1}"], ("text[]", "groups"): ['{"{1,2}"}'],
                  ("name[]", "columns"): ["{id}", "{id}", "{k,d}"], ("name[]", "seal"): ["{id}"], ("interval", "lock_timeout"): ["1 second"],
                  ("interval", "after"): ["10 years"], ("interval", "keep"): ["3000 years"], ("text", "every"): ["month", "10"],
                  ("text", "retire"): ["drop", "detach", "schema"], ("name", "retire_schema"): ["app"], ("name", "child_schema"): ["app", "safe"], ("name", "access_method"): ["heap"],
                  ("name", "server"): ["router_fz"], ("name", "tablespace"): ["pg_default"], ("integer", "n"): ["1"], ("integer", "batch_rows"): ["5"],
                  ("integer", "premake"): ["2"], ("text", "on_missing"): ["create", "default", "error"], ("text", "time_zone"): ["UTC"]}.get((kind, name))
        return literal(r.choice(values), kind) if values else self.key() if kind == "router.key" else None

    def call(self, function):
        name, procedure, _, variadic, required, types, names = function
        odd = self.r.choice([0.1, 0.3, 1])
        given = []
        for i, kind in enumerate(types):
            if i >= required and self.r.random() < 0.5:
                continue
            value = self.sensible(name, names[i], kind) if self.r.random() > odd else None
            word = "VARIADIC " if variadic and kind != '"any"' and i == len(types) - 1 else ""
            named = '' if '"any"' in types else '"%s" => ' % names[i]    # which has no names
            given.append(word + named + (value or self.value(kind)))
        return "%s router.%s(%s)" % ("CALL" if procedure else "SELECT * FROM", name, ", ".join(given))

    def trigger(self, name):
        """A trigger function on some relation, and something that fires it."""
        r = self.r
        relation = "%s.%s" % (r.choice(["app", "app", "safe"]), r.choice(RELATIONS))
        event = r.choice(["INSERT", "UPDATE", "DELETE", "TRUNCATE", "INSERT OR UPDATE OR DELETE", "UPDATE OF k"])
        own = r.choice(NAMES)
        rest = r.choice(["", "", "", " WHEN (pg_trigger_depth() < 9)"])
        arguments = r.choice(["", "", "'x', 'y'"])
        if r.random() < 0.2:
            head = 'CREATE CONSTRAINT TRIGGER "%s" AFTER %s ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW' % (own, event, relation)
        else:
            head = 'CREATE OR REPLACE TRIGGER "%s" %s %s ON %s FOR EACH %s' % (own, r.choice(["BEFORE", "AFTER", "INSTEAD OF"]), event, relation,
                                                                               r.choice(["ROW", "ROW", "STATEMENT"]))
        fire = ["INSERT INTO %s (k, d, id, note) VALUES (1, '2024-01-05', %d, 'abc')" % (relation, r.randrange(10 ** 6)),
                "UPDATE %s SET k = k + 10" % relation, "UPDATE %s SET d = d + interval '40 days'" % relation, "DELETE FROM %s WHERE k = 1" % relation,
                "TRUNCATE %s" % relation]
        r.shuffle(fire)
        return [head + rest + " EXECUTE FUNCTION router.%s(%s)" % (name, arguments)] + fire + ["SET CONSTRAINTS ALL IMMEDIATE"]

    def event_trigger(self, name):
        event = self.r.choice(["ddl_command_start", "ddl_command_end", "sql_drop", "table_rewrite"])
        return ["CREATE EVENT TRIGGER router_fz ON %s EXECUTE FUNCTION router.%s()" % (event, name),
                self.r.choice(["CREATE TABLE app.made ()", "ALTER TABLE app.t ADD x int", "ALTER TABLE app.plain ALTER id TYPE text", "DROP TABLE app.part",
                               "COMMENT ON TABLE app.t IS 'x'", "GRANT SELECT ON app.t TO PUBLIC", "ALTER TABLE app.p RENAME id TO y"])]

    # ---------------------------------------------------------------------- calls
    def one(self, role):
        global current
        r = self.r
        function = r.choice(self.functions)
        session = self.session(role)
        if function[2] == "trigger" and r.random() < 0.9:
            commands = ["BEGIN"] + self.trigger(function[0])
        elif function[2] == "event_trigger" and role is None and r.random() < 0.9:
            commands = ["BEGIN"] + self.event_trigger(function[0])
        else:
            commands = [self.call(function)]
            if r.random() < (0.5 if function[1] else 0.9):
                commands.insert(0, r.choice(["BEGIN", "BEGIN", "BEGIN READ ONLY", "BEGIN ISOLATION LEVEL SERIALIZABLE"]))
            elif function[1]:
                # where a procedure cannot commit, or not as it likes
                commands[0] = r.choice(["%s", "%s", "DO $do$ BEGIN %s; END $do$", "DO $do$ BEGIN %s; EXCEPTION WHEN division_by_zero THEN NULL; END $do$"]) % commands[0]
        current = "as %s: %s" % (role or "superuser", "; ".join(c if len(c) < 2000 else c[:2000] + "..." for c in commands))
        signal.alarm(TIMEOUT * 10)
        start = time.monotonic()
        outcome = self.savepoints(session, commands) if len(commands) > 2 else session.run(*commands)
        took = time.monotonic() - start
        signal.alarm(0)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if took > TIMEOUT * len(commands) + 5:
            raise Wrong("took %.1f seconds" % took)

    def savepoints(self, session, commands):
        """Commands that go on where one fails: the first that fails as it must not, or the last outcome."""
        session.cursor.execute(commands[0])
        outcome = "00000"
        for command in commands[1:]:
            session.cursor.execute("SAVEPOINT s")
            try:
                session.cursor.execute(command)
            except psycopg2.Error as error:
                outcome = session.outcome(error)
                session.cursor.execute("ROLLBACK TO s")
                if outcome in NEVER or command is commands[1]:
                    break
        session.cursor.execute("ROLLBACK")
        return outcome

    # ------------------------------------------------------------ what must stay
    def untouched(self):
        """All that nobody who calls owns: rows, definitions, catalogs."""
        a = self.admin
        relations = a.query("SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'safe'::regnamespace AND relkind IN ('r', 'm') ORDER BY 1")
        rows = [(name, a.query("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ONLY %s t" % name)[0]) for name, in relations]
        classes = a.query("""SELECT c.oid, relname, relowner, relacl::text, relkind, relfilenode, relchecks, relhastriggers, relrowsecurity
                               FROM pg_class c WHERE relowner NOT IN ('%s'::regrole, '%s'::regrole, '%s'::regrole) ORDER BY 1""" % (OWNER, STRANGER, READER))
        rest = [a.query("SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM (%s) x" % query)[0][0] for query in [
            "SELECT tgrelid, tgname, tgfoid, tgtype, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'safe.%'",
            "SELECT conrelid, conname, convalidated, conbin FROM pg_constraint WHERE connamespace = 'safe'::regnamespace",
            "SELECT proname, proowner, prosrc, proacl FROM pg_proc WHERE proowner NOT IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'router_fz_%')",
            "SELECT evtname, evtenabled, evtfoid FROM pg_event_trigger",
            "SELECT nspname, nspowner FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'app'",
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolsuper OR rolname LIKE 'router_fz_%%_%d'" % os.getpid(),
            "SELECT roleid, member FROM pg_auth_members WHERE member::regrole::text LIKE 'router_fz_%%_%d'" % os.getpid(), "SELECT * FROM router.seals WHERE base::text LIKE 'safe.%'",
            "SELECT * FROM router.children WHERE base::text LIKE 'safe.%'", "SELECT * FROM router.routes WHERE base::text LIKE 'safe.%'",
            "SELECT * FROM router.maintain_def WHERE base::text LIKE 'safe.%'", "SELECT * FROM router.tier_def WHERE base::text LIKE 'safe.%'",
            "SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend WHERE objid::regclass::text LIKE 'safe.%' AND classid = 'pg_class'::regclass"]]
        return dict(rows), classes, rest

    def run(self):
        global current
        self.renew()
        before = self.untouched()
        for i in range(CALLS):
            others = CALLS * 7 // 10
            if i % PER_FIXTURE == PER_FIXTURE - 1:
                current = "renewing"
                self.renew()
            if i == others:
                current = "what has changed"
                after = self.untouched()
                for name, was, now in zip(("rows", "relations", "definitions"), before, after):
                    if was != now:
                        raise Wrong("%s of others were changed: %r" % (name, [x for x in now if x not in was][:5] if name == "relations" else
                                                                       [(x, now[x]) for x in now if was.get(x) != now[x]][:5] if name == "rows" else
                                                                       [n for n, x in enumerate(now) if x != was[n]]))
            self.one(self.r.choice([OWNER, OWNER, OWNER, STRANGER, READER]) if i < others else None)

    def clean(self):
        for session in list(self.sessions.values()) + [self.other]:
            session.connection.close()
        self.admin.cursor.execute("DROP SCHEMA IF EXISTS app, safe CASCADE; DROP SERVER router_fz CASCADE")
        for role in (OWNER, STRANGER, READER, VICTIM):
            self.admin.run("DROP OWNED BY %s CASCADE" % role)
            self.admin.run("DROP ROLE %s" % role)


def fail(error):
    print("not ok 1 - functions bear whatever they are called with")
    print("# SEED=%d FUZZ_CALLS=%d plays it again" % (SEED, CALLS))
    print("# %s: %s" % (type(error).__name__, str(error).replace("\n", "\n# ")))
    for code, message, call in list(found.values()) or [("", "", current)]:
        print("# %s: %s" % (code, message.strip().replace("\n", "\n# ")))
        print("# " + call.replace("\n", "\n# "), flush=True)
    os._exit(1)


def main():
    print("1..1\n# SEED=%d" % SEED, flush=True)
    signal.signal(signal.SIGALRM, lambda *_: fail(Wrong("does not end")))
    start = time.monotonic()
    try:
        fuzz = Fuzz()
        fuzz.run()
        if found:
            raise Wrong("%d kinds of errors that must not be" % len(found))
    except (Wrong, psycopg2.Error) as error:
        fail(error)
    current_outcomes = ", ".join("%s: %d" % pair for pair in sorted(fuzz.outcomes.items(), key=lambda pair: -pair[1]))
    print("# %d calls of %d functions in %.0f seconds; %s" % (CALLS, len(fuzz.functions), time.monotonic() - start, current_outcomes))
    fuzz.clean()
    print("ok 1 - functions bear whatever they are called with")


main()
