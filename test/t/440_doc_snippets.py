"""Every block of code in README.md and docs/ runs as it stands, and gives what stands below it.

The ```sql blocks of a page are one session of psql, in a database "readings" that has the extension; README makes the
extension itself, and pages that need tables a database of their own. A block without a language behind one is what it gives: all that psql prints, but for tags
without a number (CREATE TABLE), the context of an error, blank lines and "(n rows)", unless the block has some; what stands in it without a
heading is compared with tuples only. A line "…" stands for lines that are left out.

What legitimately differs is said in the page, before the output, in <!-- output: … -->:
  times differ      dates and times of any form, also in names of children
  numbers differ    all numbers
  some lines        each line shown is there, in this order
What a reader has to do by other means stands in <!-- setup: … -->, as SQL: it runs in its place.

What is not run stands in NOT_RUN, with the reason. Of ```sh, calls of psql run. Signatures in reference.md are compared by
pgtap/admin/documented.sql, code after <!-- test/FILE --> by orm/docs.
"""
import os
import re
import subprocess

from tap import case, run

ROOT = os.path.join(os.path.dirname(__file__), "../..")
HERE = os.environ["PGDATABASE"]
PRELOADED = os.environ.get("ROUTER_PRELOADED") == "1"

# page, how the block begins, why
NOT_RUN = [
    ("README.md", "sudo apt-get install", "takes root"),
    ("README.md", "make demo", "is this suite, and runs beside it"),
    ("docs/developing.md", "./configure --prefix=$HOME/pg15", "builds PostgreSQL, and is this suite"),
    ("docs/migrating.md", "leave its row", "a line more where pg_partman is installed: pgtap/admin/adopt.sql"),
    ("docs/operations.md", "MAILTO=", "cron's; t/070_nightly.pl runs its command"),
    ("docs/operations.md", "[Unit]", "systemd's; t/070_nightly.pl runs its command"),
    ("docs/operations.md", "sudo systemctl", "takes root and systemd"),
    ("docs/operations.md", "shared_preload_libraries = 'pg_cron'", "takes a restart: t/080_pg_cron.pl"),
    ("docs/operations.md", "CREATE EXTENSION pg_cron", "takes a restart: t/080_pg_cron.pl"),
    ("docs/operations.md", "shared_preload_libraries = 'router'", "takes a restart: t/060_worker.pl"),
    ("docs/operations.md", "CREATE TABLESPACE slow", "takes a disk and a second server: t/090_tiers.pl"),
    ("docs/operations.md", "DATA_SOURCE_NAME=", "t/280_monitoring.sh runs it"),
    ("docs/operations.md", "groups:", "a Prometheus server's; t/280_monitoring.sh has the metrics"),
    ("docs/operations.md", "#!/bin/sh", "t/280_monitoring.sh runs it"),
    ("docs/operations.md", "sensor_log: bytes by month", "a picture of other rows: pgtap/sight/chart.sql compares some"),
    ("docs/security.md", "psql -X -d readings -v schema=energy -f roles.sql", "t/030_roles.pl runs the script"),
    ("docs/security.md", "\\set ON_ERROR_STOP on", "t/030_roles.pl runs the script"),
    ("docs/security.md", "CREATE ROLE web", "t/030_roles.pl has such roles"),
    ("docs/security.md", "BEGIN;\nCREATE FUNCTION energy.archive_readings", "t/030_roles.pl runs it, as the role that makes it"),
    ("docs/testing.md", "pg_prove", "t/470_install.sh runs it"),
    ("docs/orms.md", "python manage.py inspectdb", "orm/django/suite.py runs it"),
    ("docs/orms.md", "export class RouteConsumption", "TypeORM: not tested, as the page says"),
    ("docs/orms.md", "class RouteConsumption", "ActiveRecord: not tested, as the page says"),
    ("docs/orms.md", "@Entity", "Hibernate: not tested, as the page says"),
]

RULE = re.compile(r"-+(\+-+)*")
TAG = re.compile(r"(INSERT 0|UPDATE|DELETE|COPY|MERGE|SELECT) \d+")
BARE_TAG = re.compile(r"(CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE|SET|RESET|CALL|DO|BEGIN|COMMIT|ROLLBACK|ANALYZE|VACUUM|PREPARE|TRUNCATE|LOCK|IMPORT)\b[A-Z ]*"
                      r'|You are now connected to database .*|\w+ is "?\w+"?\.|Tuples only is (on|off)\.')
ASIDE = re.compile("CONTEXT:  |NOTICE:  .* does not exist, skipping$|LINE \\d+: | *\\^$")
TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?([+-]\d\d(:\d\d)?)?|(?<=y)\d{4}((m|w|d)\d+)?(h\d\d)?(m\d\d)?|\d{4}-\d\d\b")


def pages():
    names = [os.path.join("docs", name) for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md")]
    return ["README.md"] + sorted(names)


def psql(database, sql, **options):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database], input=sql, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, **options))


def must(database, sql):
    result = psql(database, sql)
    if result.returncode != 0:
        raise AssertionError(f"{sql}\n{result.stdout}")
    return result.stdout


class Block:
    """language, text, what it gives and how that may differ; setup: it is not shown"""
    def __init__(self, page, line, language, text, setup=False):
        self.page, self.line, self.language, self.text, self.setup = page, line, language, text, setup
        self.wanted, self.differs, self.got = None, "", None
        self.first = text.strip().split("\n")[0].strip()[:60]

    def not_run(self):
        return any(self.page.endswith(page) and self.text.lstrip().startswith(start) for page, start, _ in NOT_RUN)


def blocks_of(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        text = file.read()
    found, end, note = [], 0, ""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```|<!-- setup: [^\n]*\n(.*?)-->", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        between, end = text[end:match.start()], match.end()
        note = re.findall(r"<!-- (.*?) -->", between, re.DOTALL)
        apart = re.sub(r"<!-- output: .*? -->", "", between).strip()
        if match[4]:
            found.append(Block(page, line, "sql", match[4], True))
        elif match[2] == "" and not re.match(r"(CALL |SELECT )?router\.", match[3]) and found and found[-1].language == "sql" and found[-1].wanted is None and not apart:
            found[-1].wanted = [wanted.rstrip() for wanted in match[3].splitlines() if wanted.strip()]
            found[-1].differs = " ".join(part for part in note if part.startswith("output:"))
        elif not (note and note[-1].startswith("test/") and between.rstrip().endswith("-->")):
            found.append(Block(page, line, match[2], match[3]))
    return found


def run_page(page, blocks):
    """All blocks of SQL in one session; what each prints goes to block.got."""
    script = []
    for number, block in enumerate(blocks):
        wanted = block.wanted or []
        tuples = wanted and not any(RULE.fullmatch(line.strip()) for line in wanted)
        script += [f"\\echo <<<{number}>>>", "\\pset format " + ("unaligned" if tuples else "aligned"), "\\pset tuples_only " + ("on" if tuples else "off"),
                   "\\set ON_ERROR_STOP " + ("0" if any(line.startswith("ERROR:") for line in wanted) else "1"),
                   "\\set QUIET off" if wanted else "", block.text.rstrip("\n"), "" if block.text.endswith("\\.\n") else ";", "\\set QUIET on"]
    result = subprocess.run(["psql", "-Xq", "-d", "readings"], input="\n".join(script), text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=dict(os.environ, PGTZ="UTC"))
    parts = re.split(r"<<<(\d+)>>>\n", result.stdout)
    for number, got in zip(parts[1::2], parts[2::2]):
        blocks[int(number)].got = got
    for block in blocks:
        block.failed = block.got is None or (result.returncode != 0 and block is blocks[int(parts[-2])])


def lines_of(text, wanted, differs):
    """What psql printed, without what the page does not show, and with what may differ masked."""
    tags = any(TAG.fullmatch(line) for line in wanted)
    rows = any(re.fullmatch(r"\(\d+ rows?\)", line) for line in wanted)
    lines = []
    for line in text.splitlines():
        line = re.sub(r"^psql:\S+ ", "", line.rstrip())
        bare = line.strip()
        if not bare or (not tags and TAG.fullmatch(bare)) or (not rows and re.fullmatch(r"\(\d+ rows?\)", bare)):
            continue
        if (BARE_TAG.fullmatch(bare) or ASIDE.match(bare)) and line not in wanted:
            continue
        lines.append(mask(line, differs))
    return lines


def mask(line, differs):
    line = line.strip()
    if "times differ" in differs:
        line = TIME.sub("T", line)
    if "numbers differ" in differs:
        line = re.sub(r"\d+(\.\d+)?", "N", line)
    if "differ" in differs:
        line = "-" if RULE.fullmatch(line) else re.sub(r"\s+", " ", line)
    return line


def compare(block):
    if block.failed:
        raise AssertionError(f"{block.text}\n{block.got}" if block.got is not None else "an earlier block ended the session")
    if block.wanted is None:
        if re.search(r"^(psql:\S+ )?ERROR:", block.got, re.MULTILINE):
            raise AssertionError(block.got)
        return
    wanted = [mask(line, block.differs) for line in block.wanted]
    got = lines_of(block.got, block.wanted, block.differs)
    if "some lines" in block.differs or "…" in wanted:
        rest = iter(got)
        missing = [line for line in wanted if line != "…" and line not in rest]
        if missing:
            raise AssertionError(f"no line {missing[0]!r}, or not in this order, in\n{block.got}")
    elif got != wanted:
        raise AssertionError("\n".join(["shown:"] + wanted + ["printed:"] + got))


def start(page):
    finish()
    must("postgres", "CREATE DATABASE readings")
    if page != "README.md":
        must("readings", "CREATE EXTENSION router")
    if PRELOADED:
        must("postgres", "ALTER DATABASE readings SET session_preload_libraries = 'router'")


def finish():
    for database in set(re.findall(r"CREATE DATABASE (\w+)", "".join(block.text for page in pages() for block in blocks_of(page)))) | {"readings"}:
        must("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


for page in pages():
    blocks = blocks_of(page)
    for block in blocks:
        if block.language not in ("sql", "sh") and not block.not_run():
            @case(f"{page}:{block.line}: {block.first}")
            def _(block=block):
                if block.page == "docs/reference.md" and block.language == "":
                    return      # a signature
                raise AssertionError("it is not run, and not named in NOT_RUN")
    shown = [block for block in blocks if block.language == "sql" and not block.not_run()]
    if shown:
        @case(f"{page}: runs")
        def _(page=page, shown=shown):
            start(page)
            run_page(page, shown)

    for block in shown:
        @case(f"{page}:{block.line}: {'setup' if block.setup else block.first}")
        def _(block=block):
            compare(block)

    for block in [block for block in blocks if block.language == "sh" and not block.not_run()]:
        @case(f"{page}:{block.line}: {block.first}")
        def _(block=block):
            others = [line for line in block.text.splitlines() if not re.match(r"psql |PGOPTIONS=.* psql |#", line)]
            if others:
                raise AssertionError(f"no call of psql, and not named in NOT_RUN: {others[0]}")
            result = subprocess.run(["bash", "-e"], input=block.text, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if result.returncode != 0:
                raise AssertionError(result.stdout)


@case("what is not run is in the pages")
def _():
    gone = [(page, start) for page, start, _ in NOT_RUN
            if not any(block.text.lstrip().startswith(start) for name in pages() if name.endswith(page) for block in blocks_of(name))]
    if gone:
        raise AssertionError(gone)


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


case("the databases go")(finish)


run()
