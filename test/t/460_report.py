"""make report: the page that it makes of a database, as text, and, where there is a chromium, as a browser shows it.

Names of tables, values of keys and messages of errors are hostile.
"""
import functools
import html.parser
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading

from tap import case, run, same, skip_all

REPORT = os.path.join(os.path.dirname(__file__), "../../bench/sight/report")
DATABASE = os.environ["PGDATABASE"]
MONITOR = f"{DATABASE}_monitor"
HOSTILE = "<script>alert('table')</script>"
VOID = {"meta", "link", "br", "path", "rect", "circle", "use", "polygon", "polyline", "line"}

if not shutil.which("gnuplot"):
    skip_all("gnuplot is not installed")
place = tempfile.TemporaryDirectory()


def psql(sql, **options):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=sql, text=True, check=True, stdout=subprocess.PIPE, env=dict(os.environ, **options)).stdout


def report(name, **options):
    out = os.path.join(place.name, name + ".html")
    result = subprocess.run([REPORT, "", out], text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **options))
    return result, out


class Page(html.parser.HTMLParser):
    """Elements with their attributes, text by the element that it stands in, and what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open, self.wrong = [], [], [], []
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append("/" + tag)

    def handle_data(self, data):
        if data.strip():
            self.words.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self):
        return " ".join(word for _, word in self.words)


@functools.cache
def page(name):
    with open(os.path.join(place.name, name + ".html"), encoding="utf-8") as file:
        return Page(file.read())


@case("a database with a history")
def _():
    psql(f"""
        SET client_min_messages = warning;
        CREATE ROLE "{MONITOR}" LOGIN;
        GRANT pg_monitor TO "{MONITOR}";
        CREATE TABLE sensor_log (id bigint, read_at timestamptz NOT NULL, note text, PRIMARY KEY (id, read_at));
        SELECT count(*) FROM router.create_route('sensor_log', router.by_date('read_at', 'month'), hot => '30 days', time_zone => 'UTC');
        INSERT INTO sensor_log SELECT i, now() - i * interval '1 hour', CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 100) END FROM generate_series(1, 9000) i;
        CREATE TABLE "{HOSTILE}" (id int, k text);
        SELECT count(*) FROM router.create_route($$"{HOSTILE}"$$, router.by_list('k'));
        INSERT INTO "{HOSTILE}" VALUES (1, '<img src=x onerror=alert(1)>'), (2, E'\\n@plot runs\\n</svg><script>alert(2)</script>'), (3, '"$(exit 3)"`exit 3`''\\');
        CREATE TABLE humidity (id int, d date);
        SELECT count(*) FROM router.create_route('humidity', router.by_date('d', 'year'));
        ANALYZE sensor_log, "{HOSTILE}", humidity;
        CALL router.maintain();
        INSERT INTO router.size_def (base, relation, at, rows, bytes, inserted, updated, deleted)
        SELECT s.base, 0, now() - d * interval '1 day', s.rows, (s.bytes * (1 - d / 100.0))::bigint, s.inserted, 0, 0 FROM router.size_def s, generate_series(1, 60) d WHERE s.relation = 0;
        UPDATE router.size_def SET inserted = inserted + 7000 WHERE relation = 0 AND rows > 0 AND at > now() - interval '10 days';
        INSERT INTO router.event_def (at, base, base_name, action, rows, error)
        SELECT now() - d * interval '1 day', 'sensor_log'::regclass, 'public.sensor_log', 'archive', 4000 + 900 * (d % 7), CASE WHEN d = 3 THEN '<script>alert("event")</script> & so on' END
          FROM generate_series(1, 40) d""")


@case("a superuser has a page made")
def _():
    result, out = report("superuser")
    same((result.returncode, result.stderr, result.stdout), (0, "", out + "\n"))


@case("a monitoring role without a right on a table, too")
def _():
    result, _ = report("monitor", PGUSER=MONITOR)
    same((result.returncode, result.stderr), (0, ""))


@case("each element is closed")
def _():
    for name in "superuser", "monitor":
        same(page(name).wrong, [])


@case("nothing in it runs or is fetched from elsewhere")
def _():
    for name in "superuser", "monitor":
        for tag, attrs in page(name).elements:
            if tag in ("script", "img", "iframe", "object", "embed", "image", "foreignobject", "form", "a") or any(a.startswith("on") for a in attrs):
                raise AssertionError(f"{tag} {attrs}")
            for key in ("href", "src", "xlink:href"):
                if not attrs.get(key, "#").startswith(("#", "data:,")):
                    raise AssertionError(f"{tag} {attrs}")
        with open(os.path.join(place.name, name + ".html"), encoding="utf-8") as file:
            same(re.findall(r"https?://\S+|@import|url\((?!#)", file.read()), [])


@case("hostile names, values and messages are text")
def _():
    text = page("superuser").text()
    for wanted in HOSTILE, "<img src=x onerror=alert(1)>", '<script>alert("event")</script> & so on', "</svg><script>alert(2)</script>", "`exit 3`":
        if wanted not in text:
            raise AssertionError(f"no {wanted} in {text}")


@case("messages of errors are not told to a monitoring role")
def _():
    text = page("monitor").text()
    same(("alert(\"event\")" in text, "<insufficient privilege>" in text), (False, True))


@case("tables, headings and figures")
def _():
    for name in "superuser", "monitor":
        words = page(name).words
        same([text for tag, text in words if tag == "h2" and text != "Findings"], ["Tables", "Health", "public.sensor_log", f'public."{HOSTILE}"', "public.humidity", "Maintenance"])
        same(sum(tag == "h3" and text == "Size of each child" for tag, text in words), 3)
        for wanted in "Rows inserted a day", "How even the children are", "Gini", "Rows archived", "list(k)", "hot for 30 days":
            if not any(wanted in text for _, text in words):
                raise AssertionError(f"no {wanted}")


@case("plots have a role, a title, axes with units, and a table beside them")
def _():
    for name in "superuser", "monitor":
        svgs = page(name).all("svg")
        same(len(svgs), 2 * (2 * 4 + 2))
        ids = [attrs["id"] for _, attrs in page(name).elements if "id" in attrs]
        same(sorted(ids), sorted(set(ids)))
        for svg in svgs:
            same((svg["role"], svg["aria-labelledby"] in ids), ("img", True))
        for wanted in "size (kB)", "rows a day", "rows a run", "time (UTC)", "children, the smallest first (%)", "share of all (%)":
            if ("text", wanted) not in page(name).words:
                raise AssertionError(f"no {wanted}")
        same(len(page(name).all("table")) >= len(page(name).all("figure")), True)


@case("where there is nothing to draw it says so")
def _():
    same(sum(text == "No child yet, or nothing in them." for _, text in page("superuser").words), 1)


@case("figures are those of the database")
def _():
    size = psql("SELECT pg_size_pretty(bytes) FROM router.tables WHERE base = 'sensor_log'::regclass").strip()
    same(("td", size) in page("monitor").words, True)


@case("nothing is written")
def _():
    result, _ = report("readonly", PGOPTIONS="-c default_transaction_read_only=on")
    same(result.returncode, 0)


@case("a page that cannot be made leaves the one that is there")
def _():
    out = os.path.join(place.name, "monitor.html")
    before = os.stat(out).st_mtime_ns
    for options in {"PGUSER": "nobody_there"}, {"REPORT_TABLES": "1; DROP"}, {"PGOPTIONS": "-c statement_timeout=1ms -c jit_above_cost=0"}:
        result, _ = report("monitor", **options)
        same((result.returncode != 0, result.stderr != "", os.stat(out).st_mtime_ns), (True, True, before))


@case("no more tables than asked for")
def _():
    same(report("one", REPORT_TABLES="1")[0].returncode, 0)
    same(sum(tag == "h3" and text == "Size of each child" for tag, text in page("one").words), 1)


@case("a database without a route")
def _():
    psql(f'CREATE DATABASE "{DATABASE}_bare"', PGDATABASE="postgres")
    psql("CREATE EXTENSION router", PGDATABASE=DATABASE + "_bare")
    result, _ = report("bare", PGDATABASE=DATABASE + "_bare")
    same((result.returncode, page("bare").wrong, page("bare").all("svg")), (0, [], []))
    psql("DROP EXTENSION router", PGDATABASE=DATABASE + "_bare")
    same(report("none", PGDATABASE=DATABASE + "_bare")[0].returncode, 1)


# --------------------------------------------------------------------- as a browser shows it
# A page around it measures it in frames as wide as a screen and a phone, and writes down what it finds.
MEASURE = """<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<script>
const told = [];
for (const width of [1200, 360])
{
	const frame = document.createElement('iframe');
	frame.style = `width: ${width}px; height: 900px; border: 0`;
	frame.src = 'superuser.html';
	frame.onload = () => {
		const page = frame.contentDocument, seen = e => e.getBoundingClientRect().width > 0;
		const svgs = [...page.querySelectorAll('svg')].filter(seen);
		const texts = svgs.flatMap(s => [...s.querySelectorAll('text')]);
		told.push(`${width}: overflow ${page.documentElement.scrollWidth - page.documentElement.clientWidth}, plots ${svgs.length},` +
			` small ${texts.filter(t => Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b) * 13 < 9).length},` +
			` out ${texts.filter(t => { const r = t.getBoundingClientRect(), s = t.ownerSVGElement.getBoundingClientRect(); return r.left < s.left - 4 || r.right > s.right + 4; }).length},` +
			` words ${page.body.innerText.includes("alert('table')")}, paper ${getComputedStyle(page.body).backgroundColor}`);
		if (told.length == 2)
			document.body.innerText = told.sort().join(' | ');
	};
	document.body.append(frame);
}
</script>"""


def browse(*options):
    """What the page finds, what the browser complains of, and what it asked the server for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    with open(os.path.join(place.name, "measure.html"), "w", encoding="utf-8") as file:
        file.write(MEASURE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=place.name))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        netlog = os.path.join(profile, "net.json")
        result = subprocess.run([shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}", f"--log-net-log={netlog}", "--window-size=1300,1000",
                                 "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", *options, f"http://127.0.0.1:{server.server_port}/measure.html"],
                                text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, HOME=profile))
    server.shutdown()
    said = re.search(r"<body>(.*?)</body>", result.stdout, re.DOTALL)
    return said[1] if said else result.stdout + result.stderr, re.findall(r".*CONSOLE.*", result.stderr), sorted(set(asked))


if shutil.which("chromium"):
    @case("light: it fits a screen and a phone, plots are seen and can be read, the browser has no complaint and asks for nothing else")
    def _():
        told, complaints, asked = browse("--blink-settings=preferredColorScheme=1")
        same((told, complaints, asked), ("1200: overflow 0, plots 10, small 0, out 0, words true, paper rgb(255, 255, 255) | "
                                         "360: overflow 0, plots 10, small 0, out 0, words true, paper rgb(255, 255, 255)", [], ["/measure.html", "/superuser.html"]))

    @case("dark")
    def _():
        told, complaints, _ = browse("--blink-settings=preferredColorScheme=0")
        same((re.findall(r"paper (.*?\))", told), complaints), (["rgb(17, 22, 29)"] * 2, []))


run()
