"""docs/orms.md shows code that the suites run: a block after <!-- test/FILE --> is part of that file."""
import os
import re
import textwrap

from tap import case, run, same

root = os.path.join(os.path.dirname(__file__), "../../..")


def text_of(name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


blocks = re.findall(r"<!-- (test/\S+) -->\n+```\w*\n(.*?)```", text_of("docs/orms.md"), re.DOTALL)


def stands_in(block, text):
    lines, wanted = text.splitlines(), block.rstrip("\n").splitlines()
    return any(textwrap.dedent("\n".join(lines[i:i + len(wanted)])).splitlines() == wanted
               for i in range(len(lines) - len(wanted) + 1) if lines[i].strip() == wanted[0].strip())


@case("there are such blocks")
def _():
    same(len(blocks) >= 10, True)


for number, (name, block) in enumerate(blocks, 1):
    @case(f"block {number} is part of {name}")
    def _(name=name, block=block):
        if not stands_in(block, text_of(name)):
            raise AssertionError(f"not in {name}:\n{block}")


@case("Django's CreateRoute and Alembic's hook are shown whole")
def _():
    for name in ("test/orm/django/energy/routes.py", "test/orm/sqlalchemy/migrations/children.py",
                 "test/orm/sequelize/route.js"):
        same((name, text_of(name)) in blocks, True)


run()
