"""Each ```sql block of these pages runs as it stands, page by page in a database of its own that has the extension.

A block without a language behind one is what it gives: each of its lines is among those that psql prints. What a reader has
to do by other means stands in <!-- setup: … -->, as SQL: it runs in its place.
"""
import os
import re
import subprocess

from tap import case, run

PAGES = ["leaving.md", "migrating.md"]
HERE = os.environ["PGDATABASE"]
PRELOADED = os.environ.get("ROUTER_PRELOADED") == "1"


def psql(database, sql, **options):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database], input=sql, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, **options))


def must(database, sql):
    result = psql(database, sql)
    if result.returncode != 0:
        raise AssertionError(f"{sql}\n{result.stdout}")
    return result.stdout


def blocks_of(page):
    """(line, sql, hidden, lines that it gives)"""
    with open(os.path.join(os.path.dirname(__file__), "../../docs", page), encoding="utf-8") as file:
        text = file.read()
    found = []
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```|<!-- setup: [^\n]*\n(.*?)-->", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        if match[4]:
            found.append([line, match[4], True, []])
        elif match[2] == "sql":
            found.append([line, match[3], False, []])
        elif match[2] == "" and found and re.fullmatch(r"\s*", text[end:match.start()]):
            found[-1][3] = [wanted.strip() for wanted in match[3].splitlines() if wanted.strip()]
        end = match.end()
    return found


def run_block(database, sql, wanted):
    got = must(database, sql)
    lines = [re.sub(r"^psql:\S+ ", "", line).strip() for line in got.splitlines()]
    # NOTICEs of what is told by the line, and rows of one column, look alike in the page
    lines += [line.replace("NOTICE:  ", "") for line in lines]
    for line in wanted:
        if line not in lines:
            raise AssertionError(f"no line {line!r} in\n{got}")


for page in PAGES:
    name = f"{HERE}_{page.partition('.')[0]}"

    @case(f"{page}: a database")
    def _(name=name):
        must("postgres", f"DROP DATABASE IF EXISTS {name}")
        must("postgres", f"CREATE DATABASE {name}")
        must(name, "CREATE EXTENSION router")
        if PRELOADED:
            must("postgres", f"ALTER DATABASE {name} SET session_preload_libraries = 'router'")

    for line, sql, hidden, wanted in blocks_of(page):
        @case(f"{page}:{line}: {'setup' if hidden else sql.split(chr(10))[0].strip()[:60]}")
        def _(name=name, sql=sql, wanted=wanted):
            run_block(name, sql, wanted)


@case("a session whose library is gone does not begin, but without it")
def _():
    for setting in ("session_preload_libraries", "local_preload_libraries"):
        result = psql("postgres", "SELECT 1", PGOPTIONS=f"-c {setting}=router_gone")
        if "FATAL:  could not access file" not in result.stdout:
            raise AssertionError(result.stdout)
    must("postgres", f"ALTER DATABASE {HERE} SET session_preload_libraries = 'router_gone'")
    if psql(HERE, "SELECT 1").returncode == 0:
        raise AssertionError("it begins")
    result = psql(HERE, f"ALTER DATABASE {HERE} RESET session_preload_libraries", PGOPTIONS="-c session_preload_libraries=")
    if result.returncode != 0:
        raise AssertionError(result.stdout)


@case("without the file rows are read, and go to children by name only")
def _():
    must(HERE, """CREATE TABLE gone (k int); SELECT router.create_route('gone', router.by_list('k')); INSERT INTO gone VALUES (1);
                  UPDATE pg_proc SET probin = '$libdir/router_gone' WHERE probin = '$libdir/router'""")
    if must(HERE, "SELECT * FROM gone").strip() != "1":
        raise AssertionError("no rows")
    must(HERE, "INSERT INTO gone_1 VALUES (1)")
    for sql in ("INSERT INTO gone VALUES (2)", "UPDATE gone SET k = 1", "ALTER TABLE gone ADD COLUMN v int", "CREATE TABLE t (k int)"):
        result = psql(HERE, sql)
        if not re.search(r'could not access file "(\$libdir/)?router_gone"', result.stdout):
            raise AssertionError(f"{sql}: {result.stdout}")


@case("the databases go")
def _():
    for page in PAGES:
        must("postgres", f"DROP DATABASE {HERE}_{page.partition('.')[0]} WITH (FORCE)")


run()
