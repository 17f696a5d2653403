"""Pruning loses no row: random routes, data and queries, each asked with router.prune on and off.

A round makes one or two routed tables, asks them some hundred questions, and changes them in between. Each question is
asked in a session that prunes and in one that does not (without preloading: one that has not even loaded the library).
The answers have to be the same rows, or errors of the same SQLSTATE.

  FUZZ_SECONDS  how long (default 10; make fuzz: 600)
  SEED          plays one round again
  FUZZ_LOG      a file for all that a failed round did, as a script for psql
  FUZZ_SETUP    a command for both sessions when the tables are there, such as SET debug_discard_caches = 1
"""
import os
import random
import sys
import time

import psycopg2
import psycopg2.extensions

# values as the server writes them: NaN is NaN, and no date is out of Python's range
psycopg2.extensions.register_type(psycopg2.extensions.new_type((1082, 1114, 1184, 114), "TEXT", lambda value, cursor: value))


def number(value, cursor):
    """Equal numbers alike: which of 1 and 1.0 stands for a group, or is the greatest, depends on the plan."""
    if value is None or not value[-1:].isdigit():
        return value
    if "." in value and "e" not in value:
        value = value.rstrip("0").rstrip(".")
    return "0" if value == "-0" else value


psycopg2.extensions.register_type(psycopg2.extensions.new_type((700, 701, 1700), "NUMBER", number))

PRELOADED = os.environ.get("ROUTER_PRELOADED") == "1"
SECONDS = float(os.environ.get("FUZZ_SECONDS", 10))
LOG = os.environ.get("FUZZ_LOG")
SETUP = os.environ.get("FUZZ_SETUP")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu",
         "XYZ+15:59", "XYZ-15:59", "XYZ+167", "XYZ-167"]


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


# ---------------------------------------------------------------------- columns
class Column:
    """A column: its values (texts), and what it is compared with: (type, texts)."""
    groups = None
    keys = ["by_list('{}')"]
    near = []
    weird = []

    def __init__(self, r, name, sqltype, values):
        self.r, self.name, self.type, self.values = r, name, sqltype, values

    def key(self):
        return "router." + self.r.choice(self.keys).replace("{}", self.name)

    def value(self):
        return None if self.r.random() < 0.08 else self.r.choice(self.values)

    def other(self):
        """A type to compare with, and texts of it."""
        return self.type, self.values + self.weird

    def expressions(self):
        return []


class Integer(Column):
    def __init__(self, r, name):
        sqltype = r.choice(["smallint", "integer", "integer", "bigint"])
        top = {"smallint": 2 ** 15, "integer": 2 ** 31, "bigint": 2 ** 63}[sqltype]
        self.width = width = r.choice([1, 3, 10, 100])
        self.base = base = r.choice([0, 0, -5 * width, 1000])
        values = {base + r.randint(-4 * width, 4 * width) for _ in range(r.choice([4, 12, 40]))}
        if r.random() < 0.4:
            values |= {top - 1, -top, 0}
        super().__init__(r, name, sqltype, sorted(values))
        self.weird = [v + d for v in values for d in (-1, 1) if -top <= v + d < top] + [0]
        few = sorted(values)[:6]
        groups = "ARRAY['{%s}','{%s,NULL}']" % (",".join(map(str, few[:2])), ",".join(map(str, few[2:5]))) if len(few) > 4 else "NULL"
        self.groups = groups
        pivot = r.choice(["NULL", "NULL", str(base)])
        self.keys = ["by_list('{}')", "by_list('{}', %s)" % groups, "by_hash('{}', %d)" % r.choice([1, 2, 3, 7]),
                     "by_integer('{}', %d, %s)" % (width * 2, pivot), "by_integer('{}', %d, %s)" % (width, pivot), "by_integer('{}', %d, %d, from_pivot => true)" % (width, base)]
        self.bounds = ["(,%d)" % (base - 2 * width), "[%d,)" % (base + 2 * width), "[%d,%d]" % (base - width, base + width), "null"]

    def other(self):
        sqltype = self.r.choice([self.type, self.type, "smallint", "integer", "bigint", "numeric", "float8"])
        pool = self.values + self.weird
        if sqltype in ("smallint", "integer"):
            top = 2 ** 15 if sqltype == "smallint" else 2 ** 31
            pool = [v for v in pool if -top <= v < top] + [top - 1, -top]
        elif sqltype == "bigint":
            pool = pool + [2 ** 63 - 1, -2 ** 63, 2 ** 31, 2 ** 15]
        else:
            pool = pool + ["0.5", "NaN"]
        return sqltype, pool

    def expressions(self):
        return [("(%s + 1)", "bigint"), ("abs(%s::bigint)", "bigint"), ("(%s::numeric)", "numeric"), ("coalesce(%s, 0)", "bigint")]


WORDS = ["foobar", "FOObarbaz", "foo", "yadayada", "Éclair", "éclair", "ÉCLAIRS", "a'b", 'q"uote', "back\\slash", "", " ", " lead",
         "naïveté", "İstanbul", "straße", "STRASSE", "😀smile", "😀s", "ab\ncd", "x", "xyzzy", "foobar ", "barfoo", "oobar", "null", "{a}", "%", "_"]


class Text(Column):
    def __init__(self, r, name):
        sqltype = r.choice(["text", "text", "varchar", "varchar(20)", 'text COLLATE "C"'])
        super().__init__(r, name, sqltype.split(" COLLATE")[0], r.sample(WORDS, r.choice([4, 9, 16])))
        self.declared = sqltype
        self.n = n = r.choice([1, 2, 3, 5])
        few = self.values[:3]
        quoted = "{%s}" % ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in few)
        self.keys = ["by_list('{}')", "by_list('{}', ARRAY[%s])" % literal(quoted), "by_hash('{}', %d)" % r.choice([1, 3, 4]),
                     "by_prefix('{}', %d)" % n, "by_prefix('{}', %d)" % n, "by_suffix('{}', %d)" % n, "by_suffix('{}', %d)" % n]
        self.weird = [v + "s" for v in self.values] + [v.upper() for v in self.values] + [v[:n].lower() for v in self.values]
        self.weird = [w for w in self.weird if len(w) <= 18]
        self.bounds = ["null", literal(self.values[0])[1:-1]]

    def other(self):
        return self.r.choice(["text", "varchar", self.type, "bpchar", "name"]), self.values + self.weird

    def expressions(self):
        n = self.n
        return [("lower(substr(%%s, 1, %d))" % n, "text"), ("lower(right(%%s, %d))" % n, "text"), ("lower(substr(%s, 1, 2))", "text"),
                ("lower(substring(%%s from 1 for %d))" % n, "text"), ("upper(%s)", "text"), ("(%s || 'x')", "text"), ("substr(%%s, 1, %d)" % n, "text"),
                ('(%s COLLATE "C")', "text"), ("(%s::bpchar)", "bpchar"), ('lower(substr(%%s, 1, %d) COLLATE "C")' % n, "text")]


class Bool(Column):
    def __init__(self, r, name):
        super().__init__(r, name, "boolean", ["t", "f"])
        self.keys = ["by_list('{}')", "by_list('{}')", "by_list('{}', ARRAY['{t,NULL}'])"]
        self.bounds = ["null", "t"]


class Date(Column):
    def __init__(self, r, name, hot=False):
        sqltype = r.choice(["date", "timestamp", "timestamptz", "timestamptz"])
        every, unit = r.choice([("day", 1), ("week", 7), ("month", 30), ("year", 365), ("3 months", 90), ("10 years", 3650), ("7 days", 7)])
        if sqltype != "date" and r.random() < 0.3:
            every, unit = r.choice([("hour", 1 / 24), ("6 hours", 1 / 4), ("15 minutes", 1 / 96)])
        if hot:
            every, unit = r.choice([("day", 1), ("week", 7), ("month", 30)])
        self.hot = hot
        start = time.time() - 8 * unit * 86400 if hot or r.random() < 0.3 else r.choice([0, 1709164800, -62135596800 + 86400 * 400, 1735603200])
        points = {start + r.randint(-4, 9) * unit * 86400 + r.choice([0, 0, -1, 1, 3600 * r.randint(-14, 14), r.randint(-864000, 864000) * min(unit, 1)]) for _ in range(r.choice([5, 15, 40]))}
        values = [self.show(p, sqltype) for p in sorted(points)]
        super().__init__(r, name, sqltype, values)
        self.points = sorted(points)
        if r.random() < 0.5:
            self.values = self.values + ["infinity", "-infinity"]
        pivot = r.choice(["NULL", "NULL", literal(self.show(start, "date"))]) if not hot else "NULL"
        self.keys = ["by_date('{}', '%s', %s)" % (every, pivot)] if hot or sqltype != "date" or r.random() < 0.8 else ["by_hash('{}', 3)", "by_list('{}')"]
        at = self.show(start + 3 * unit * 86400, "date")
        self.bounds = ["(,%s)" % self.show(start - 2 * unit * 86400, "date"), "[%s,)" % at, "null"]
        self.weird = ["infinity", "-infinity"]

    @staticmethod
    def show(point, sqltype):
        day, second = divmod(int(point), 86400)
        year, month, date = civil(day)
        text = "%04d-%02d-%02d" % (year if year > 0 else 1 - year, month, date)
        if sqltype != "date":
            text += " %02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
            if sqltype == "timestamptz":
                text += "+00"
        return text + (" BC" if year <= 0 else "")

    def other(self):
        sqltype = self.r.choice([self.type, self.type, "date", "timestamp", "timestamptz"])
        shift = self.r.choice([0, 0, 1, -1, 3600, 86400, -86400])
        pool = [self.show(p + shift, sqltype) for p in self.points] + self.weird
        if self.r.random() < 0.1:
            pool = ["5874897-12-31", "4714-11-24 BC"] if sqltype == "date" else ["294276-12-31 23:59:59", "4713-01-01 BC"]
        return sqltype, pool

    def clock(self):
        """An expression of the clock that is near the values of a hot column."""
        r = self.r
        text = r.choice(["now()", "now()", "current_date", "localtimestamp", "statement_timestamp()", "date_trunc('day', now())", "clock_timestamp()",
                         "now()::date", "now()::timestamp", "date_trunc('month', now())", "current_timestamp(0)", "now()::timestamptz(0)"])
        for _ in range(r.randint(0, 2)):
            text = "(%s %s %s)" % (text, r.choice("-+"), "interval '%d %s'" % (r.randint(0, 9), r.choice(["days", "hours", "weeks", "months"])))
        return text

    def expressions(self):
        return [("date_trunc('month', %s)", "timestamptz"), ("(%s::date)", "date"), ("(%s + interval '1 day')", "timestamptz"), ("coalesce(%s, '2024-01-01')", self.type),
                ("(%s::timestamp)", "timestamp")]


def civil(day):
    """Days since 1970 to a date of the proleptic calendar, whatever the year."""
    day += 719468
    era, doe = divmod(day, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    month = (5 * doy + 2) // 153
    return yoe + era * 400 + (month >= 10), month + (3 if month < 10 else -9), doy - (153 * month + 2) // 5 + 1


class Enum(Column):
    def __init__(self, r, name):
        super().__init__(r, name, "fuzz_mood", ["sad", "ok", "happy", "HAPPY"])
        self.keys = ["by_list('{}')", "by_list('{}', ARRAY['{sad,ok}', '{NULL}'])"]
        self.bounds = ["null", "{ok}"]


class Uuid(Column):
    def __init__(self, r, name):
        super().__init__(r, name, "uuid", ["00000000-0000-0000-0000-%012d" % r.randint(0, 40) for _ in range(8)])
        self.keys = ["by_list('{}')", "by_hash('{}', 4)"]
        self.bounds = ["null"]


class Numeric(Column):
    def __init__(self, r, name):
        super().__init__(r, name, r.choice(["numeric", "float8"]), ["1", "1.0", "1.00", "0", "-0", "2.5", "NaN", "-7"])
        self.keys = ["by_list('{}')"]
        self.bounds = ["null"]

    def other(self):
        return self.r.choice([(self.type, self.values), ("integer", [0, 1, 2]), ("float4", ["2.5", "1", "NaN"])])


KINDS = [Integer, Integer, Integer, Text, Text, Text, Date, Date, Date, Bool, Enum, Uuid, Numeric]


# ----------------------------------------------------------------------- tables
class Table:
    def __init__(self, f, name):
        r = self.r = f.r
        self.f, self.name = f, name
        self.stray, self.strays, self.id = 0, [], 0
        self.hot = r.random() < 0.3
        levels = r.choice([1, 1, 1, 2, 2, 3])
        self.columns = [r.choice(KINDS)(r, "k%d" % i) for i in range(max(levels, 2))]
        if self.hot:
            self.columns[r.randrange(levels)] = Date(r, "", True)
            for i, c in enumerate(self.columns):
                c.name = "k%d" % i
        self.levels = levels
        for c in self.columns:
            c.values = c.values[:{1: 30, 2: 6, 3: 3}[levels]] + c.values[-2:]
        cols = ["id integer NOT NULL", "v integer", "note text"] + ["%s %s" % (c.name, getattr(c, "declared", c.type)) for c in self.columns]
        r.shuffle(cols)
        gone = ["gone%d %s" % (i, r.choice(["integer", "text"])) for i in range(r.choice([0, 0, 1, 2]))]
        for g in gone:
            cols.insert(r.randrange(len(cols)), g)
        f.both("CREATE TABLE %s (%s)" % (name, ", ".join(cols)))
        early = [g for g in gone if r.random() < 0.6]
        for g in early:
            f.both("ALTER TABLE %s DROP COLUMN %s" % (name, g.split()[0]))
        for c in self.columns + [None]:
            if r.random() < 0.5:
                f.both("CREATE INDEX ON %s (%s)" % (name, ", ".join([c.name if c else "id"] + r.sample(["v", "id", "note"], r.randint(0, 1)))))
        if r.random() < 0.2:
            f.attempt("CREATE INDEX ON %s (v) WHERE %s" % (name, self.predicate("", 1, plain=True)))
        keys = ", ".join(c.key() for c in self.columns[:levels])
        options = ["max_new_children => 100000", "horizon => '20000 years'", "time_zone => '%s'" % r.choice(ZONES[:6])]
        self.default = r.random() < 0.3
        if self.default:
            options += ["default_child => true", "on_reject => 'default'"]
        if self.hot:
            options.append("hot => '%d days'" % r.choice([1, 3, 20]))
        f.both("SELECT router.create_route('%s', ARRAY[%s], %s)" % (name, keys, ", ".join(options)))
        for _ in range(r.choice([0, 1, 2])):
            f.attempt(self.bounded_child())
        self.fill(r.choice({1: [30, 120, 250], 2: [20, 60, 120], 3: [15, 40]}[levels]))
        for g in gone:
            if g not in early:
                f.both("ALTER TABLE %s DROP COLUMN %s" % (name, g.split()[0]))
        if r.random() < 0.3:
            self.change()
        f.both("ANALYZE %s" % name)

    def bounded_child(self):
        bounds = [c.r.choice(c.bounds) for c in self.columns[:self.levels]]
        return "SELECT router.create_child('%s', ARRAY[%s])" % (self.name, ", ".join(literal(b) for b in bounds))

    def row(self):
        self.id += 1
        return "(%d, %s, %s, %s)" % (self.id, self.r.choice([self.r.randint(0, 9), self.r.randint(0, 9), "NULL"]), literal(self.r.choice(["a", "b", None])), ", ".join(literal(c.value()) for c in self.columns))

    def insert(self, rows, into=None):
        return "INSERT INTO %s (id, v, note, %s) VALUES %s" % (into or self.name, ", ".join(c.name for c in self.columns), ", ".join(rows))

    def fill(self, n):
        rows = [self.row() for _ in range(n)]
        if not self.f.attempt(self.insert(rows)):
            for row in rows:
                self.f.attempt(self.insert([row]))

    def children(self):
        return self.f.query("SELECT child::text FROM router.children WHERE base = '%s'::regclass ORDER BY child::text COLLATE \"C\"" % self.name)

    def change(self):
        """Something happens to the table while queries go on."""
        r, f = self.r, self.f
        children = [c for c, in self.children()]
        if not children:
            return
        child = r.choice(children)
        what = r.randrange(14)
        if what == 0:
            self.fill(r.choice([1, 5, 20]))
        elif what == 1:
            f.attempt(self.bounded_child())
        elif what == 2 and self.hot:
            f.attempt("CALL router.archive('%s', cutoff => (now() - interval '%d hours')::text)" % (self.name, r.choice([0, 5, 30, 200, 1000])))
        elif what == 3:
            f.attempt("SELECT router.detach_child(%s)" % literal(child))
        elif what == 4:
            f.attempt("ALTER TABLE %s NO INHERIT %s" % (child, self.name))
        elif what == 5:
            self.stray += 1
            stray = "%s_stray%d" % (self.name, self.stray)
            parent = r.choice([child, self.name, child + ", " + self.name, ", ".join(r.sample(children, 2)) if len(children) > 1 else child] + self.strays)
            if f.attempt("CREATE TABLE %s () INHERITS (%s)" % (stray, parent)):
                self.strays.append(stray)
                for _ in range(4):
                    f.attempt(self.insert([self.row()], stray))
                f.attempt("INSERT INTO %s (%s) SELECT %s FROM ONLY %s LIMIT 3" % (stray, self.names(), self.names(), child))
        elif what == 6:
            out = f.query("SELECT child::text, bounds::text FROM router.children WHERE child = %s::regclass" % literal(child))[0]
            cols = ["id integer NOT NULL", "v integer", "note text"] + ["%s %s" % (c.name, getattr(c, "declared", c.type)) for c in self.columns]
            r.shuffle(cols)
            self.stray += 1
            other = "%s_other%d" % (self.name, self.stray)
            f.attempt("BEGIN", "CREATE TABLE %s (%s)" % (other, ", ".join(cols)), "INSERT INTO %s (%s) SELECT %s FROM ONLY %s" % (other, self.names(), self.names(), child),
                      "SELECT router.detach_child(%s)" % literal(child), "DROP TABLE %s" % child,
                      "SELECT router.attach_child('%s', '%s', %s)" % (self.name, other, literal(out[1])), "COMMIT")
        elif what == 7:
            f.attempt("DROP TABLE %s" % child)
        elif what == 8:
            f.attempt("ALTER TABLE %s ADD COLUMN extra%d integer DEFAULT 7" % (self.name, self.stray))
            self.stray += 1
        elif what == 9:
            f.attempt("CALL router.redistribute('%s')" % self.name)
        elif what == 10:
            c = r.choice(self.columns)
            f.attempt("UPDATE %s SET %s = %s WHERE id %% 7 = %d" % (self.name, c.name, literal(c.value()), r.randint(0, 6)))
        elif what == 11:
            f.attempt("TRUNCATE ONLY %s" % child)
        elif what >= 12:
            columns = r.sample(["id", "v"] + [c.name for c in self.columns[self.levels:]], r.choice([1, 1, 2]))
            for child in children if r.random() < 0.6 else [child]:
                f.attempt("CALL router.seal(%s, ARRAY[%s])" % (literal(child), ", ".join(map(literal, columns))))

    def names(self):
        return ", ".join(["id", "v", "note"] + [c.name for c in self.columns])

    # ------------------------------------------------------------- predicates
    def operand(self, column, plain=False, array=False):
        """Something of the column's type or near it, as text."""
        r, f = self.r, self.f
        sqltype, pool = column.other()
        if isinstance(column, Date) and not array and not plain and r.random() < (0.5 if column.hot else 0.1):
            return column.clock()
        if array:
            values = [r.choice(pool) if r.random() < 0.93 else None for _ in range(r.choice([0, 1, 2, 2, 3, 5]))]
            text = "{%s}" % ",".join("NULL" if v is None else '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
            if r.random() < 0.04:
                text = None
            sqltype += "[]"
        else:
            text = r.choice(pool) if r.random() < 0.97 else None
        constant = "%s::%s" % (literal(text), sqltype)
        if plain:
            return constant
        return r.choice([lambda: constant] * 5 + [lambda: f.param(sqltype, text)] * 5 + [
            lambda: "(SELECT %s)" % constant, lambda: "fuzz_stable(%s)" % constant, lambda: "fuzz_immutable(%s)" % constant,
            lambda: "fuzz_volatile(%s)" % constant, lambda: "(SELECT max(x) FROM unnest(ARRAY[%s]) x)" % constant if not array and sqltype not in ("boolean", "uuid", "name") else constant,
            lambda: "coalesce(%s, %s)" % (constant, constant)])()

    def atom(self, prefix, plain=False):
        r = self.r
        column = r.choice(self.columns[:self.levels] * 3 + self.columns)
        name = prefix + column.name
        kind = r.randrange(16)
        if kind == 0:
            return "%s IS %sNULL" % (name, r.choice(["", "NOT "]))
        if isinstance(column, Bool) and kind < 8:
            return r.choice(["%s", "NOT %s", "%s IS TRUE", "%s IS NOT TRUE", "%s IS FALSE", "%s IS NOT FALSE", "%s IS UNKNOWN", "%s = true", "%s <> true", "(%s = false) IS NOT FALSE"]) % name
        if kind == 1:
            return "%s IS %sDISTINCT FROM %s" % (name, r.choice(["", "NOT "]), self.operand(column, plain))
        if kind == 2:
            return "%s %s %s AND %s" % (name, r.choice(["BETWEEN", "BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"]), self.operand(column, plain), self.operand(column, plain))
        if kind == 3:
            return "%s %sIN (%s)" % (name, r.choice(["", "", "NOT "]), ", ".join(self.operand(column, plain) for _ in range(r.randint(1, 4))))
        if kind in (4, 5):
            return "%s %s %s (%s)" % (name, r.choice(["=", "=", "=", "<", ">=", "<>"]), r.choice(["ANY", "ANY", "ALL"]), self.operand(column, plain, True))
        if kind == 6:
            expressions = column.expressions()
            if expressions:
                text, sqltype = r.choice(expressions)
                pool = [v for v in column.values + column.weird if v is not None]
                value = str(r.choice(pool))
                if text.startswith("lower"):
                    value = r.choice([value[:column.n].lower(), value[-column.n:].lower(), value])
                return "%s %s %s::%s" % (text % name, r.choice(["=", "=", "<", ">="]), literal(value), sqltype)
        if kind == 7 and not plain:
            other = r.choice(self.columns)
            if other.type == column.type:
                return "%s %s %s" % (name, r.choice(["=", "<", ">="]), prefix + other.name)
        if kind == 8 and isinstance(column, Text):
            return "%s %s %s" % (name, r.choice(["LIKE", "~", "ILIKE", "~>=~", "^@"]), literal(str(r.choice(column.values))[:3] + r.choice(["", "%"])) )
        op = r.choice(["=", "=", "=", "<", "<=", ">", ">=", "<>"])
        operand = self.operand(column, plain)
        if isinstance(column, (Bool, Uuid)) or r.random() < 0.8:
            return "%s %s %s" % (name, op, operand)
        return "%s %s %s" % (operand, op, name)

    def sealed_atom(self, prefix, plain):
        """About a column that children may be sealed by."""
        r = self.r
        name = prefix + r.choice(["id", "id", "v"])
        low = r.randint(0, self.id if name.endswith("id") else 9)
        high = low + r.choice([0, 1, 10, 100])
        if not plain and r.random() < 0.3:
            return r.choice(["%s = (SELECT %d)" % (name, low), "%s = ANY ((SELECT ARRAY[%d, NULL, %d])::integer[])" % (name, low, high), "%s < fuzz_stable(%d)" % (name, low)])
        return r.choice([
            "%s = %d" % (name, low), "%s IN (%d, %d)" % (name, low, high), "%s BETWEEN %d AND %d" % (name, low, high),
            "%s >= %d::bigint" % (name, low), "%s < %d::smallint" % (name, low % 30000),
            "%s IS NULL" % name, "%s IS NOT NULL" % name, "%d > %s" % (low, name), "%s <> %d" % (name, low)])

    def predicate(self, prefix, depth=None, plain=False):
        r = self.r
        depth = r.choice([0, 0, 1, 2, 3]) if depth is None else depth
        if depth == 0 or r.random() < 0.3:
            if r.random() < 0.12:
                return self.sealed_atom(prefix, plain)
            if r.random() < 0.08:
                return r.choice(["%sv < 5" % prefix, "true", "%sid %% 2 = 0" % prefix, "%snote IS NULL" % prefix])
            return self.atom(prefix, plain)
        kind = r.randrange(9)
        if kind == 0:
            return "NOT (%s)" % self.predicate(prefix, depth - 1, plain)
        if kind == 1:
            return "(%s) IS %sTRUE" % (self.predicate(prefix, depth - 1, plain), r.choice(["", "NOT "]))
        word = " AND " if kind < 6 else " OR "
        return "(%s)" % word.join(self.predicate(prefix, depth - 1, plain) for _ in range(r.choice([2, 2, 3])))


# ---------------------------------------------------------------------- queries
class Mismatch(Exception):
    pass


class Fuzz:
    def __init__(self):
        self.pruned, self.whole = self.connect(), self.connect()
        self.asked = self.errors = self.same_error = 0

    def connect(self):
        connection = psycopg2.connect("")
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SET client_min_messages = error; SET jit = off; SET statement_timeout = '60s'; SET extra_float_digits = 1; SET deadlock_timeout = '100ms'")
        return cursor

    # ------------------------------------------------------------ running SQL
    def run(self, cursor, sql):
        self.log.append((cursor is self.whole, sql))
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount

    def query(self, sql):
        self.pruned.execute(sql)
        return self.pruned.fetchall()

    def both(self, sql):
        """A change, which both sessions see. It is made in the one that prunes."""
        self.run(self.pruned, sql)

    def attempt(self, *commands):
        try:
            for sql in commands:
                self.run(self.pruned, sql)
            return True
        except psycopg2.Error as error:
            self.check_error(error)
            self.pruned.execute("ROLLBACK")
            return False

    @staticmethod
    def check_error(error):
        """Some errors are nobody's intention."""
        if error.pgcode is None or error.pgcode[:2] in ("XX", "57", "53"):
            raise error

    def param(self, sqltype, text):
        """A parameter if the query that is being made can have some."""
        if self.params is None:
            return "%s::%s" % (literal(text), sqltype)
        self.params.append((sqltype, text))
        return "$%d" % len(self.params)

    def outcome(self, cursor, commands):
        """What some commands end with: rows of the last that has some, or the error."""
        rows = None
        try:
            for sql in commands:
                result = self.run(cursor, sql)
                if isinstance(result, list) or rows is None:
                    rows = result
        except psycopg2.Error as error:
            self.check_error(error)
            return "error " + error.pgcode, str(error)
        finally:
            if cursor.connection.info.transaction_status != 0:
                cursor.execute("ROLLBACK")
        return rows

    def ask(self, commands, ordered=False):
        """The same answer from both?"""
        self.asked += 1
        answers = [self.outcome(cursor, commands) for cursor in (self.pruned, self.whole)]
        errors = [isinstance(a, tuple) for a in answers]
        if any(errors):
            # rows that are not read cannot raise what is wrong with them; a value that a key is compared with is
            # computed when the plan starts, even if no row would ask for it
            self.errors += 1
            error = answers[errors.index(True)]
            if all(errors) or error[0].startswith("error 22"):
                return
            # a side that is proved to be empty is not joined at all
            if errors[1] and "FULL JOIN is only supported" in error[1]:
                return
        else:
            if not ordered and isinstance(answers[0], list):
                answers = [sorted(a, key=repr) if isinstance(a, list) else a for a in answers]
            if answers[0] == answers[1]:
                return
        raise Mismatch(commands, answers)

    # ---------------------------------------------------------- making queries
    def settings(self):
        r = self.r
        sets = ["SET TimeZone = '%s'" % r.choice(ZONES if r.random() < 0.3 else ZONES[:2]), "SET plan_cache_mode = %s" % r.choice(["auto", "force_generic_plan", "force_custom_plan"])]
        for name in ["hashjoin", "mergejoin", "nestloop", "seqscan", "indexscan", "bitmapscan", "indexonlyscan", "material", "memoize", "sort", "hashagg"]:
            sets.append("SET enable_%s = %s" % (name, "on" if r.random() < 0.8 else "off"))
        parallel = r.random() < 0.15
        for name in ["parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size", "min_parallel_index_scan_size"]:
            sets.append("SET %s = 0" % name if parallel else "RESET %s" % name)
        sets.append("SET constraint_exclusion = %s" % r.choice(["partition", "partition", "on", "off"]))
        for cursor in (self.pruned, self.whole):
            self.run(cursor, "; ".join(sets))

    def select(self, t, u):
        """A SELECT whose rows do not depend on a plan: (text, ordered)."""
        r, p = self.r, t.predicate
        name = t.name
        names = ", ".join("a." + c.name for c in t.columns)
        some = r.choice(["a.id", "a.*", "a.id, a.v, " + names, "a.id, a.tableoid::regclass", "a.id, a", "count(*)", "a.id"])
        c, d = r.choice(t.columns), r.choice(u.columns)
        if c.type != d.type and r.random() < 0.8:
            d = next((x for x in u.columns if x.type == c.type), d)
        on = "a.%s = b.%s" % (c.name, d.name) if c.type.split("(")[0] == d.type.split("(")[0] else "a.v = b.v"
        if isinstance(c, Integer) and isinstance(d, Integer) or isinstance(c, Date) and isinstance(d, Date):
            on = "a.%s %s b.%s" % (c.name, r.choice(["=", "=", "=", "<", ">="]), d.name)
        if r.random() < 0.3:
            on += " AND a.v = b.v"
        if r.random() < 0.2:
            on += " AND " + u.predicate("b.", 0)
        join = r.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        shapes = [
            lambda: "SELECT %s FROM %s a WHERE %s" % (some, name, p("a.")),
            lambda: "SELECT %s FROM %s a WHERE %s" % (some, name, p("a.")),
            lambda: "SELECT %s FROM %s a WHERE %s" % (some, name, p("a.")),
            lambda: "SELECT %s FROM %s a WHERE %s" % (some, name, p("a.")),
            lambda: "SELECT a.id, b.id FROM %s a %s %s b ON %s WHERE %s" % (name, join, u.name, on, p("a.")),
            lambda: "SELECT a.id, b.id FROM %s a %s %s b ON %s AND %s" % (name, join, u.name, on, p("a.", 0)),
            lambda: "SELECT a.id, b.id FROM %s a %s %s b ON %s WHERE %s AND %s" % (name, join, u.name, on, p("a.", 0), u.predicate("b.", 1)),
            lambda: "SELECT a.id, d.x FROM %s a %s fuzz_dim_%s d ON a.%s = d.x WHERE %s" % (name, join, t.name, t.columns[0].name, p("a.", 1)),
            lambda: "SELECT a.id, d.x FROM fuzz_dim_%s d %s %s a ON a.%s = d.x AND d.i < 3" % (t.name, join, name, t.columns[0].name),
            lambda: "SELECT d.i, s.id FROM fuzz_dim_%s d LEFT JOIN LATERAL (SELECT a.id FROM %s a WHERE a.%s %s d.x ORDER BY a.id LIMIT 2) s ON true" % (t.name, name, t.columns[0].name, r.choice(["=", ">=", "<"]) if not isinstance(t.columns[0], (Bool, Uuid)) else "="),
            lambda: "SELECT d.i, (SELECT %s(a.id) FROM %s a WHERE a.%s = d.x AND %s) FROM fuzz_dim_%s d" % (r.choice(["count", "max", "min"]), name, t.columns[0].name, p("a.", 0), t.name),
            lambda: "SELECT b.id FROM %s b WHERE %sEXISTS (SELECT 1 FROM %s a WHERE %s AND %s)" % (u.name, r.choice(["", "NOT "]), name, on, p("a.", 1)),
            lambda: "SELECT a.id FROM %s a WHERE a.%s %sIN (SELECT x FROM fuzz_dim_%s WHERE i < %d) AND %s" % (name, t.columns[0].name, r.choice(["", "NOT "]), t.name, r.randint(0, 5), p("a.", 1)),
            lambda: "SELECT b.id FROM %s b LEFT JOIN (SELECT DISTINCT %s AS k FROM %s a WHERE %s) s ON s.k = b.%s" % (u.name, c.name, name, p("a.", 1), d.name) if c.type == d.type else "SELECT 1",
            lambda: "SELECT count(*), min(%s), max(%s), count(DISTINCT v) FROM %s WHERE %s" % (c.name, c.name, name, p("")) if not isinstance(c, (Bool, Uuid)) else "SELECT count(*) FROM %s" % name,
            lambda: "SELECT max(%s) FROM %s WHERE %s" % (c.name, name, p("", 1)) if not isinstance(c, (Bool, Uuid)) else "SELECT 1",
            lambda: "SELECT %s, count(*) FROM %s WHERE %s GROUP BY 1" % (c.name, name, p("")),
            lambda: "SELECT upper(%s::text) || v, count(*), max(id %% 7) FROM %s WHERE %s GROUP BY 1" % (c.name, name, p("")),
            lambda: "SELECT DISTINCT id %% 5, coalesce(%s::text, '-'), tableoid::regclass FROM %s WHERE %s" % (c.name, name, p("")),
            lambda: "SELECT id %% 3, sum(id + v) OVER (PARTITION BY id %% 3) FROM %s WHERE %s" % (name, p("")),
            lambda: "SELECT md5(%s::text) AS m, fuzz_count('SELECT ' || id), (SELECT max(x) FROM (VALUES (v), (id)) s(x)) FROM %s WHERE %s ORDER BY 1" % (c.name, name, p("")),
            lambda: "SELECT id, row_number() OVER (PARTITION BY v ORDER BY id) FROM %s WHERE %s" % (name, p("")),
            lambda: "SELECT * FROM (SELECT id, k0, count(*) OVER (PARTITION BY k0) FROM %s) s WHERE %s" % (name, self.only_k0(t)),
            lambda: "SELECT * FROM (SELECT k0, count(*) FROM %s GROUP BY k0) s WHERE %s" % (name, self.only_k0(t)),
            lambda: "SELECT id FROM (SELECT id, %s FROM %s UNION ALL SELECT id, %s FROM %s) a WHERE %s" % (names.replace("a.", ""), name, names.replace("a.", ""), name, p("a.")),
            lambda: "SELECT id FROM %s WHERE %s UNION ALL SELECT id FROM %s WHERE %s" % (name, p(""), u.name, u.predicate("")),
            lambda: "SELECT id FROM %s WHERE %s %s SELECT id FROM %s WHERE %s" % (name, p(""), r.choice(["UNION", "EXCEPT", "INTERSECT"]), u.name, u.predicate("")),
            lambda: "WITH c AS %s(SELECT * FROM %s WHERE %s) SELECT a.id FROM c a WHERE %s" % (r.choice(["", "MATERIALIZED ", "NOT MATERIALIZED "]), name, p(""), p("a.", 0)),
            lambda: "SELECT a.id FROM %s_view a WHERE %s" % (name, p("a.")),
            lambda: "SELECT a.id FROM %s_barrier a WHERE fuzz_leak(a.id) AND %s" % (name, p("a.")),
            lambda: "SELECT a.id, b.id FROM %s_view a JOIN %s b ON %s" % (name, u.name, on),
            lambda: "SELECT a.id FROM %s a LEFT JOIN (%s b JOIN %s e ON b.id = e.id) ON %s WHERE %s" % (name, u.name, name, on, p("e.", 1)),
            lambda: "SELECT a.id FROM ONLY %s a WHERE %s" % (name, p("a.")),
            lambda: "SELECT a.id, x.* FROM %s a, LATERAL (SELECT count(*), min(e.id) FROM %s e WHERE e.%s = a.%s AND e.v = a.v) x WHERE %s" % (name, name, c.name, c.name, p("a.", 0)),
            lambda: "SELECT a.id FROM %s a WHERE a.%s = (SELECT %s FROM %s WHERE id = %d LIMIT 1)" % (name, c.name, c.name, name, r.randint(1, 50)),
            lambda: "SELECT a.id FROM %s a WHERE a.%s = ANY (ARRAY(SELECT %s FROM %s WHERE v = %d))" % (name, c.name, c.name, name, r.randint(0, 9)),
            lambda: "SELECT count(*) FROM %s a JOIN %s b USING (k0, v) WHERE %s" % (name, name, p("a.", 1)),
            lambda: "SELECT k0, count(*) FROM %s a FULL JOIN %s b USING (k0) WHERE k0 IS NOT NULL GROUP BY k0" % (name, name),
            lambda: "SELECT a.id FROM %s a TABLESAMPLE BERNOULLI (100) WHERE %s" % (name, p("a.")),
            lambda: "SELECT fuzz_count(%s)" % literal("SELECT count(*) FROM %s a WHERE %s" % (name, self.plain(lambda: p("a.")))),
        ]
        text = r.choice(shapes)()
        ordered = False
        if text.startswith("SELECT a.id") and " UNION" not in text and "DISTINCT a" not in text and r.random() < 0.2:
            word = "a.%s%s, " % (c.name, r.choice(["", " DESC", " NULLS FIRST"])) if r.random() < 0.6 else ""
            every = "a.id, b.id" if "b.id" in text.split(" FROM ")[0] else "a.id, d.x" if "d.x" in text.split(" FROM ")[0] else "a.id, a.tableoid" if "_view" not in text and "_barrier" not in text and not text.startswith("WITH") else "a.id"
            text += " ORDER BY %s%s" % (word, every)
            ordered = text.endswith("a.tableoid") or every.startswith("a.id, b")
            if r.random() < 0.5 and ordered:
                text += " LIMIT %d OFFSET %d" % (r.randint(0, 9), r.randint(0, 2))
        elif text.startswith("SELECT a.id") and text.count(" FROM ") == 1 and "JOIN" not in text and "_view" not in text and r.random() < 0.15:
            text += r.choice([" FOR UPDATE", " FOR SHARE", " FOR UPDATE SKIP LOCKED", " FOR KEY SHARE"])
        return text, ordered

    def plain(self, make):
        """Made without parameters."""
        saved, self.params = self.params, None
        try:
            return make()
        finally:
            self.params = saved

    def only_k0(self, t):
        column = t.columns[0]
        return "k0 %s %s" % (self.r.choice(["=", "="] if isinstance(column, (Bool, Uuid)) else ["=", "<", ">="]), t.operand(column))

    def write(self, t, u):
        r, p, name = self.r, t.predicate, t.name
        c = r.choice(t.columns)
        value = literal(c.value())
        on = "a.v = b.v"
        returning = r.choice(["", " RETURNING *", " RETURNING id"])
        shapes = [
            lambda: "UPDATE %s a SET v = v + 1 WHERE %s RETURNING a.*" % (name, p("a.")),
            lambda: "UPDATE %s SET v = v + 1 WHERE %s%s" % (name, p(""), returning),
            lambda: "UPDATE %s SET %s = %s WHERE %s%s" % (name, c.name, value, p(""), returning),
            lambda: "DELETE FROM %s WHERE %s%s" % (name, p(""), returning),
            lambda: "DELETE FROM %s a WHERE %s RETURNING a.*" % (name, p("a.")),
            lambda: "UPDATE %s a SET note = 'j' FROM %s b WHERE %s AND %s RETURNING a.id" % (name, u.name, on, p("a.", 1)),
            lambda: "DELETE FROM %s a USING %s b WHERE %s AND %s RETURNING a.id" % (name, u.name, on, p("a.", 1)),
            lambda: "UPDATE %s_view SET v = 3 WHERE %s RETURNING id" % (name, p("")),
            lambda: "WITH w AS (DELETE FROM %s WHERE %s RETURNING *) SELECT id FROM w WHERE %s" % (name, p(""), p("", 0)),
            lambda: "WITH w AS (UPDATE %s SET v = 0 WHERE %s RETURNING id) SELECT a.id FROM %s a WHERE %s AND a.id IN (SELECT id FROM w)" % (name, p(""), name, p("a.", 1)),
            lambda: "MERGE INTO %s a USING fuzz_dim_%s d ON a.k0 = d.x AND %s WHEN MATCHED AND a.v < 5 THEN UPDATE SET note = 'm' WHEN MATCHED THEN DELETE" % (name, t.name, p("a.", 1)),
            lambda: "MERGE INTO %s a USING (SELECT generate_series(1, 60) AS g) d ON a.id = d.g AND %s WHEN MATCHED THEN UPDATE SET v = v + 1 WHEN NOT MATCHED THEN DO NOTHING" % (name, p("a.", 1)),
            lambda: "UPDATE %s SET v = 8 WHERE id IN (SELECT id FROM %s a WHERE %s)" % (name, name, p("a.")),
            lambda: "INSERT INTO fuzz_sink SELECT id FROM %s WHERE %s RETURNING id" % (name, p("")),
        ]
        return r.choice(shapes)()

    def cursor(self, t):
        r = self.r
        text = "SELECT a.id, a.v FROM %s a WHERE %s" % (t.name, self.plain(lambda: t.predicate("a.")))
        steps = []
        kind = r.randrange(3)
        if kind == 0:
            text += " ORDER BY a.id, a.tableoid"
            moves = ["NEXT", "FORWARD 3", "BACKWARD 2", "LAST", "FIRST", "PRIOR", "ABSOLUTE 4", "RELATIVE -1", "ALL", "BACKWARD ALL", "ABSOLUTE -2"]
            steps = ["DECLARE c SCROLL CURSOR FOR " + text] + ["FETCH %s FROM c" % r.choice(moves) for _ in range(r.randint(1, 6))]
        elif kind == 1:
            # forth, back and forth again: the rows are the same, whatever their order
            steps = ["DECLARE c SCROLL CURSOR FOR " + text, "MOVE FORWARD ALL FROM c", "MOVE BACKWARD ALL FROM c"] + r.choice([["FETCH ALL FROM c"], ["MOVE FORWARD ALL FROM c", "FETCH BACKWARD ALL FROM c"]])
        else:
            steps = ["DECLARE c CURSOR FOR %s%s" % (text, r.choice([" FOR UPDATE", ""])), "MOVE %s FROM c" % r.choice(["ALL", "1", "3"]), "SELECT 1"]
        return ["BEGIN"] + steps, kind == 0

    def current_of(self, t):
        """The rows that a cursor is on are changed one by one: all of them, as the plan may have any order.

        Without FOR UPDATE core finds no row of a child that constraint exclusion left out, and it depends on the plan.
        """
        predicate = self.plain(lambda: t.predicate("a."))
        return ["BEGIN", "SELECT fuzz_each(%s, %s)" % (literal("SELECT a.id FROM %s a WHERE %s FOR UPDATE" % (t.name, predicate)),
                                                    literal(self.r.choice(["UPDATE %s SET v = 77 WHERE CURRENT OF c" % t.name, "DELETE FROM %s WHERE CURRENT OF c" % t.name]))),
                "SELECT id, v FROM %s" % t.name]

    def question(self):
        r = self.r
        t = r.choice(self.tables)
        u = r.choice(self.tables)
        self.params = [] if r.random() < 0.5 else None
        kind = r.random()
        if kind < 0.04:
            commands, ordered = self.cursor(t)
            self.ask(commands, ordered)
            return
        if kind < 0.06:
            self.ask(self.current_of(t))
            return
        if kind < 0.25:
            text, ordered = self.write(t, u), False
        else:
            text, ordered = self.select(t, u)
        locks = kind < 0.25 or " FOR " in text
        rls = r.random() < 0.06
        before = (["BEGIN"] if locks or rls else []) + (["SET LOCAL ROLE fuzz_reader"] if rls else [])
        if self.params:
            types = ", ".join(s for s, _ in self.params)
            prepare = "PREPARE q(%s) AS %s" % (types, text)
            values = ", ".join(literal(v) for _, v in self.params)
            # once more with other values, as a plan may be kept
            executions = [values]
            for _ in range(r.choice([0, 0, 1, 2])):
                executions.append(", ".join(literal(r.choice([v for s, v in self.params if s == sqltype])) for sqltype, _ in self.params))
            name = "q%d" % self.asked
            prepare = prepare.replace("PREPARE q", "PREPARE " + name)
            for i, values in enumerate(executions):
                self.ask(before + ([prepare] if i == 0 else []) + ["EXECUTE %s(%s)" % (name, values)], ordered)
                if i == 0 and not self.prepared_in(name):
                    return
                before = ["BEGIN"] if locks else []
            if r.random() < 0.3 and not locks:
                self.kept.append((name, values, ordered))
            else:
                self.drop_prepared(name)
        else:
            self.ask(before + [text], ordered)
        if r.random() < 0.08:
            self.explain(text if not self.params else None)

    def prepared_in(self, name):
        self.whole.execute("SELECT count(*) FROM pg_prepared_statements WHERE name = '%s'" % name)
        return self.whole.fetchone()[0]

    def drop_prepared(self, name):
        for cursor in (self.pruned, self.whole):
            self.run(cursor, "DEALLOCATE " + name)

    def explain(self, text):
        if text:
            for options in ("VERBOSE, COSTS OFF", "ANALYZE, VERBOSE, FORMAT JSON"):
                commands = ["BEGIN", "EXPLAIN (%s) %s" % (options, text)]
                answers = [self.outcome(cursor, commands) for cursor in (self.pruned, self.whole)]
                codes = [a[0] if isinstance(a, tuple) else "" for a in answers]
                # ANALYZE reads rows: see ask
                if codes[0] == codes[1] or any(code.startswith("error 22") for code in codes):
                    continue
                if not (codes[0] == "" and "FULL JOIN is only supported" in answers[1][1]):
                    raise Mismatch(commands, answers)

    def again(self):
        """Plans that were kept, after what happened meanwhile."""
        for name, values, ordered in self.kept:
            self.ask(["EXECUTE %s(%s)" % (name, values)], ordered)

    def old_snapshot(self):
        """A snapshot taken before a change, with rows of one's own after it: pruned and not, in one transaction."""
        r = self.r
        t = r.choice(self.tables)
        reader = self.pruned
        self.params = None
        for sql in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class"]:
            self.run(reader, sql)
        swapped = self.pruned, self.whole
        self.pruned, self.whole = self.whole, self.whole
        try:
            # what needs AccessExclusive would wait for the reader
            self.run(self.pruned, "SET lock_timeout = '50ms'")
            if t.hot:
                self.attempt("CALL router.archive('%s', cutoff => (now() - interval '%d hours')::text, lock_timeout => '20ms')" % (t.name, r.choice([0, 5, 30, 200])))
            t.change()
            self.run(self.pruned, "RESET lock_timeout")
        finally:
            self.pruned, self.whole = swapped
        try:
            if r.random() < 0.6:
                self.run(reader, "SAVEPOINT own")
                try:
                    self.run(reader, t.insert([t.row() for _ in range(20)]))
                except psycopg2.Error as error:
                    self.check_error(error)
                    self.run(reader, "ROLLBACK TO own")
            for _ in range(8):
                text = "SELECT a.id FROM %s a WHERE %s" % (t.name, t.predicate("a."))
                self.ask_in(reader, text)
        finally:
            reader.execute("ROLLBACK")

    def ask_in(self, cursor, text):
        answers = []
        self.asked += 1
        for prune in ("on", "off"):
            self.run(cursor, "SAVEPOINT s; SET LOCAL router.prune = %s" % prune)
            try:
                answers.append(sorted(self.run(cursor, text), key=repr))
            except psycopg2.Error as error:
                self.check_error(error)
                answers.append("error " + error.pgcode)
            self.run(cursor, "ROLLBACK TO s")
        if answers[0] != answers[1]:
            raise Mismatch([text], answers)

    # ------------------------------------------------------------------ rounds
    def begin(self, seed):
        self.r = random.Random(seed)
        self.log = []
        self.kept = []
        self.params = None
        self.pruned.execute("ROLLBACK; RESET ALL; DISCARD PLANS; DEALLOCATE ALL; RESET ROLE")
        self.whole.connection.close()
        self.whole = self.connect()
        self.pruned.connection.close()
        self.pruned = self.connect()
        if not PRELOADED:
            self.run(self.pruned, "LOAD 'router'")
        self.run(self.whole, "SET router.prune = off")
        self.both("DROP SCHEMA IF EXISTS fuzz CASCADE; CREATE SCHEMA fuzz; GRANT USAGE ON SCHEMA fuzz TO PUBLIC")
        for cursor in (self.pruned, self.whole):
            self.run(cursor, "SET search_path = fuzz, public")
        self.both(OBJECTS)
        self.tables = []
        for i in range(self.r.choice([1, 1, 2])):
            t = Table(self, "t%d" % i)
            self.tables.append(t)
            self.both("CREATE TABLE fuzz_dim_%s AS SELECT row_number() OVER ()::int AS i, k0 AS x FROM (SELECT DISTINCT k0 FROM %s) s; ANALYZE fuzz_dim_%s"
                      % (t.name, t.name, t.name))
            predicate = self.plain(lambda: t.predicate("", plain=True))
            self.both("CREATE VIEW %s_view AS SELECT * FROM %s WHERE %s" % (t.name, t.name, predicate))
            self.both("CREATE VIEW %s_barrier WITH (security_barrier) AS SELECT * FROM %s WHERE %s" % (t.name, t.name, self.plain(lambda: t.predicate("", plain=True))))
            self.both("ALTER TABLE %s ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON %s USING (%s); CREATE POLICY q ON %s AS RESTRICTIVE USING (fuzz_leak(v) AND %s)"
                      % (t.name, t.name, self.plain(lambda: t.predicate("", plain=True)), t.name, self.plain(lambda: t.predicate("", 0, plain=True))))
        self.both("GRANT ALL ON ALL TABLES IN SCHEMA fuzz TO fuzz_reader")
        for cursor in (self.pruned, self.whole):
            if SETUP:
                self.run(cursor, SETUP)

    def round(self, seed, end):
        self.begin(seed)
        for i in range(self.r.choice([80, 200])):
            if end < time.time():
                break
            if i % 12 == 0:
                self.settings()
            if i % 15 == 14:
                self.r.choice(self.tables).change()
                self.again()
            if i % 40 == 39:
                self.old_snapshot()
            self.question()


OBJECTS = """
CREATE TYPE fuzz_mood AS ENUM ('sad', 'ok', 'happy', 'HAPPY');
CREATE FUNCTION fuzz_stable(anyelement) RETURNS anyelement STABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION fuzz_immutable(anyelement) RETURNS anyelement IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION fuzz_volatile(anyelement) RETURNS anyelement VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION fuzz_leak(int) RETURNS boolean STABLE COST 1 LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE FUNCTION fuzz_count(text) RETURNS bigint STABLE LANGUAGE plpgsql AS 'DECLARE n bigint; BEGIN EXECUTE $1 INTO n; RETURN n; END';
CREATE FUNCTION fuzz_each(text, text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE c refcursor := 'c'; row record; n bigint := 0;
BEGIN
    EXECUTE 'DECLARE c NO SCROLL CURSOR FOR ' || $1;
    LOOP FETCH c INTO row; EXIT WHEN NOT FOUND; EXECUTE $2; n := n + 1; END LOOP;
    RETURN n;
END $$;
CREATE TABLE fuzz_sink (id int);
"""


def report(fuzz, seed, error):
    print("not ok 1 - pruned and whole agree")
    print("# SEED=%d FUZZ_SECONDS=0 plays it again" % seed)
    if isinstance(error, Mismatch):
        commands, answers = error.args
        print("# time zone %s" % fuzz.query("SHOW TimeZone")[0][0] if fuzz.pruned.connection.info.transaction_status == 0 else "#")
        for sql in commands:
            print("#   " + sql.replace("\n", "\n# "))
        for word, answer in zip(("pruned", "whole "), answers):
            other = answers[1] if answer is answers[0] else answers[0]
            if isinstance(answer, list) and isinstance(other, list):
                print("# %s: %d rows, without the other's: %s" % (word, len(answer), [row for row in answer if row not in other][:10]))
            else:
                print("# %s: %s" % (word, str(answer)[:600].replace("\n", "\n# ")))
    else:
        print("# %s: %s" % (type(error).__name__, str(error).replace("\n", "\n# ")))
        print("#   " + (fuzz.log[-1][1] if fuzz.log else "").replace("\n", "\n# "))
    print("# ---- the tables")
    for whole, sql in fuzz.log:
        if sql.startswith(("CREATE TABLE t", "CREATE INDEX", "SELECT router.", "ALTER TABLE", "CREATE TABLE", "CALL", "CREATE VIEW", "CREATE POLICY")):
            print("#   " + sql.replace("\n", "\n# ") + ";")
    if LOG:
        with open(LOG, "w") as out:
            for whole, sql in fuzz.log:
                out.write("%s%s;\n" % ("-- whole: " if whole else "", sql.replace("\n", "\n-- " if whole else "\n")))


def main():
    print("1..1", flush=True)
    fuzz = Fuzz()
    fuzz.log = []
    fuzz.pruned.execute("DO $$ BEGIN CREATE ROLE fuzz_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
    first = seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    print("# seeds from %d" % first, flush=True)
    one = "SEED" in os.environ and SECONDS == 0
    end = time.time() + (10 ** 6 if one else SECONDS)
    while True:
        try:
            fuzz.round(seed, end)
        except (Mismatch, psycopg2.Error) as error:
            report(fuzz, seed, error)
            sys.exit(1)
        seed += 1
        if one or time.time() > end:
            break
    fuzz.pruned.execute("DROP SCHEMA fuzz CASCADE")
    print("# %d queries, %d of them errors, seeds %d to %d" % (fuzz.asked, fuzz.errors, first, seed - 1))
    print("ok 1 - pruned and whole agree")


main()
