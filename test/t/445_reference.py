"""docs/reference.md and the catalog say the same of each object.

Its table "All objects" has the COMMENT of each function, procedure, view, table, type and event trigger, and the
description of each setting, word for word; and each function is shown with all its arguments, their types and defaults, and its result.
A comment that begins with "internal:", or that sends to "the other" function of the name, is not shown.
"""
import os
import re
import subprocess

from tap import case, run, same

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/reference.md")
DATABASE = os.environ["PGDATABASE"]


def query(sql):
    result = subprocess.run(["psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-c", "LOAD 'router'", "-c", sql], text=True, check=True, stdout=subprocess.PIPE)
    return [line.split("\t") for line in result.stdout.splitlines()]


OBJECTS = """
SELECT DISTINCT CASE prokind WHEN 'p' THEN 1 ELSE 0 END, proname, CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, obj_description(oid, 'pg_proc')
  FROM pg_proc WHERE pronamespace = 'router'::regnamespace
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 2 ELSE 3 END, relname, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, obj_description(oid, 'pg_class')
  FROM pg_class WHERE relnamespace = 'router'::regnamespace AND relkind IN ('v', 'r')
UNION ALL
SELECT 4, typname, 'type', obj_description(t.oid, 'pg_type')
  FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
 WHERE typnamespace = 'router'::regnamespace AND (typtype IN ('e', 'd', 'r') OR relkind = 'c')
UNION ALL
SELECT 5, name, 'setting', short_desc FROM pg_settings WHERE name LIKE 'router.%' AND name <> 'router.waitpoints'
UNION ALL
SELECT 6, evtname, 'event trigger', obj_description(oid, 'pg_event_trigger') FROM pg_event_trigger WHERE evtname LIKE 'router%'
ORDER BY 1, 2, 4"""

FUNCTIONS = """
SELECT proname, prokind, pg_get_function_arguments(oid), pg_get_function_result(oid)
  FROM pg_proc WHERE pronamespace = 'router'::regnamespace AND obj_description(oid, 'pg_proc') !~ '^internal:'
   AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
 ORDER BY 1"""


def text_of_page():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def wanted_lines():
    return [f"| `{name}` | {kind} | {comment.replace('|', chr(92) + '|')} |" for _, name, kind, comment in query(OBJECTS)
            if not comment.startswith("internal:") and "see the other" not in comment]


def plain(signature):
    """One way to write arguments: no line breaks, no casts of defaults."""
    signature = re.sub(r"\s+", " ", signature).strip().replace("( ", "(").replace(" )", ")")
    signature = re.sub(r"::[a-z. ]+(\[\])?(?=[,)]|$)", "", signature)
    signature = re.sub(r"(^|, )IN ", r"\1", signature).replace('"', "")
    return signature.replace("'00:00:01'", "'1 second'").replace("timestamp with time zone", "timestamptz")


RESULT = re.compile(r"(?:\s+RETURNS ((?:SETOF )?TABLE \([^()]*\)|(?:SETOF )?[\w.\" ]+(?:\[\])?))?")


def shown():
    """(name, arguments, CALL or what it returns) of each signature in the page; of "key … | keys …" both."""
    found = set()
    page = text_of_page()
    blocks = [block for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE) if language == ""]
    text = "\n".join(blocks + re.findall(r"`(router\.\w+\([^`]*\)[^`\n]*)`", page))
    for match in re.finditer(r"(CALL )?router\.(\w+)\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        arguments = plain(text[match.end():end - 1])
        either = re.search(r"(\w+ [\w.]+) \| (\w+ [\w.\[\]]+( DEFAULT NULL)?)", arguments)
        for one in ([arguments.replace(either[0], either[1]), arguments.replace(either[0], either[2])] if either else [arguments]):
            # of keys the page says once what they return
            found.add((match[2], one, "CALL" if match[1] else plain(RESULT.match(text, end)[1] or "router.key")))
    return found


@case("every object has a comment")
def _():
    same([(kind, name) for _, name, kind, comment in query(OBJECTS) if not comment], [])


@case("the table of all objects has what the comments say")
def _():
    table = re.search(r"^## All objects$.*?^## ", text_of_page(), re.DOTALL | re.MULTILINE)[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    wanted = wanted_lines()
    if lines != wanted:
        raise AssertionError("\n".join(["not in the page:"] + [line for line in wanted if line not in lines] + ["not in the catalog:"] + [line for line in lines if line not in wanted] +
                                       ["or in another order: functions, procedures, views, tables, types, settings, event triggers, each by name"]))


@case("each function is shown as it is: CALL for procedures, arguments, types, defaults, result")
def _():
    there = shown()
    missing = [f"router.{name}({plain(arguments)}) {result}" for name, kind, arguments, result in query(FUNCTIONS)
               if (name, plain(arguments), "CALL" if kind == "p" else plain(result).replace("TABLE(", "TABLE (")) not in there]
    if missing:
        raise AssertionError("\n".join(["not in the page:"] + missing))


run()
