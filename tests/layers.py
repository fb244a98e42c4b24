#!/usr/bin/env python3
"""layers.py SOURCE_ROOT - includes go one way.

src/ is cut into layers, a folder each; a file includes from its own layer and from those above it
in LAYERS, never from below. A public header counts as a file of the layer that keeps its promise
(PUBLIC). There is one exception: trx.h, db.h and stats.h belong to api, but driver, pool and trx may include
them for their plain types (an isolation level, an event, numbers), so that these exist once.

The command, the examples and the benches stand on the public headers alone. No file includes
itself, on whatever way. The client libraries of the servers are known to the drivers alone.

Prints TAP. Every rule is also tried on a tree that is made up and breaks it.
"""

import os
import re
import sys

LAYERS = ["base", "schema", "sql", "driver", "pool", "trx", "route", "api"]
PUBLIC = {
    "version.h": "base",
    "error.h": "base",
    "arena.h": "base",
    "model.h": "schema",
    "value.h": "schema",
    "retry.h": "driver",
    "on.h": "sql",
    "condition.h": "sql",
    "statement.h": "sql",
    "read.h": "sql",
    "trx.h": "api",
    "lane.h": "api",
    "ledger.h": "api",
    "db.h": "api",
    "stats.h": "api",
    "corm.h": "api",
}
LENT = {"trx.h", "db.h", "stats.h"}  # the exception ...
LENT_TO = {"driver", "pool", "trx"}  # ... and for whom
CLIENTS = ["cli"]  # folders of src/ that are programs
OUTSIDE = ["examples", "bench"]  # folders beside src/ that hold programs
CLIENT_LIBRARIES = {"mysql.h", "mysqld_error.h", "errmsg.h", "ma_common.h", "sqlite3.h"}

INCLUDE = re.compile(
    r'^[ \t]*#[ \t]*(?:include|import|include_next)[ \t]*(<[^>\n]+>|"[^"\n]+"|\S+)', re.MULTILINE
)
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def without_comments(text):
    """Comments as blanks, line for line; what looks like one inside a text stays."""

    def blank(match):
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    return COMMENT.sub(blank, text.replace("\\\n", " "))


def includes_of(text):
    return [match.group(1) for match in INCLUDE.finditer(without_comments(text))]


# ---- The rules: each yields what breaks it, in a tree that is {path: text} -----------------------


def layer_of(path):
    """The layer of a file of src/ or include/corm/; None for other files and unknown folders."""
    parts = path.split("/")
    if parts[:2] == ["include", "corm"] and len(parts) == 3:
        return PUBLIC.get(parts[2])
    if parts[0] == "src" and len(parts) == 3 and parts[1] in LAYERS:
        return parts[1]
    return None


def target_of(path, include):
    """The file of the tree that an include names, or None where it is not ours."""
    name = include.strip('<>"')
    if include.startswith("<"):
        return f"include/{name}" if name.startswith("corm/") else None
    if "/" in name and not path.startswith(tuple(f"{folder}/" for folder in OUTSIDE)):
        return f"src/{name}"
    return f"{os.path.dirname(path)}/{name}"


def known_folders(tree):
    """src/ holds the layers and the command; include/corm/ holds headers of a known layer."""
    for path in sorted(tree):
        parts = path.split("/")
        if parts[0] == "src" and (len(parts) != 3 or parts[1] not in LAYERS + CLIENTS):
            yield f"{path} is in no layer"
        if parts[0] == "include" and layer_of(path) is None:
            yield f"{path} is no header of a known layer"


def plain_includes(tree):
    """An include tells its file: no macros, no ../, and what it names is there."""
    for path in sorted(tree):
        for include in includes_of(tree[path]):
            if include[0] not in '<"' or ".." in include.split("/"):
                yield f"{path} includes {include}, which does not tell what"
                continue
            target = target_of(path, include)
            if target is not None and target not in tree:
                yield f"{path} includes {include}, which is not there"


def may_include(path, layer, target):
    lent = os.path.basename(target) in LENT and target.startswith("include/")
    if lent and layer in LENT_TO and path.startswith("src/"):
        return True
    above = layer_of(target)
    return above is not None and LAYERS.index(above) <= LAYERS.index(layer)


def one_way(tree):
    """A layer includes from itself and from those above it."""
    for path in sorted(tree):
        layer = layer_of(path)
        if layer is None:
            continue
        for include in includes_of(tree[path]):
            target = target_of(path, include)
            if target is not None and not may_include(path, layer, target):
                yield f"{path} ({layer}) includes {include} ({layer_of(target) or 'no layer'})"


def public_alone(tree):
    """Public headers include public ones, as <corm/...>."""
    for path in sorted(tree):
        if path.startswith("include/"):
            for include in includes_of(tree[path]):
                if not include.startswith("<"):
                    yield f"{path} includes {include}"


def programs_outside(tree):
    """Programs include <corm/...>, headers of their own folder, and those of the system."""
    places = tuple([f"src/{name}/" for name in CLIENTS] + [f"{name}/" for name in OUTSIDE])
    for path in sorted(tree):
        if not path.startswith(places):
            continue
        for include in includes_of(tree[path]):
            if include.startswith('"') and "/" in include:
                yield f"{path} includes {include}"
            if include.strip('<>"').startswith(tuple(f"{layer}/" for layer in LAYERS)):
                yield f"{path} includes {include}"


def libraries_in_drivers(tree):
    """Headers of the servers' client libraries are included in src/driver/ alone."""
    for path in sorted(tree):
        if path.startswith(("src/", "include/")) and not path.startswith("src/driver/"):
            for include in includes_of(tree[path]):
                if os.path.basename(include.strip('<>"')) in CLIENT_LIBRARIES:
                    yield f"{path} includes {include}"


def no_cycles(tree):
    """No file includes itself, on whatever way."""
    graph = {
        path: [t for t in (target_of(path, i) for i in includes_of(tree[path])) if t in tree]
        for path in tree
    }
    done, trail = set(), []

    def walk(path):
        if path in trail:
            yield " -> ".join([*trail[trail.index(path) :], path])
            return
        if path in done:
            return
        trail.append(path)
        for target in graph[path]:
            yield from walk(target)
        trail.pop()
        done.add(path)

    for path in sorted(tree):
        yield from walk(path)


RULES = [
    known_folders,
    plain_includes,
    one_way,
    public_alone,
    programs_outside,
    libraries_in_drivers,
    no_cycles,
]

# ---- Trees that are made up: what is added to a good one, and the rule that it breaks ------------

GOOD = {
    "include/corm/version.h": "#include <stddef.h>",
    "include/corm/error.h": "#include <corm/version.h>",
    "include/corm/trx.h": "#include <corm/error.h>",
    "include/corm/condition.h": "#include <corm/error.h>",
    "include/corm/corm.h": "#include <corm/trx.h>\n#include <corm/condition.h>",
    "src/base/list.h": "#include <corm/error.h>",
    "src/base/list.c": '#include "base/list.h"\n#include <string.h>',
    "src/sql/text.h": '#include "base/list.h"\n#include <corm/condition.h>',
    "src/driver/driver.h": '#include "sql/text.h"\n#include <corm/trx.h>\n#include <mysql.h>',
    "src/api/calls.c": '#include "driver/driver.h"\n#include <corm/corm.h>',
    "src/cli/cli.h": "#include <corm/corm.h>",
    "src/cli/main.c": '#include "cli.h"\n#include <popt.h>',
    "examples/race.c": "#include <corm/corm.h>\n#include <stdio.h>",
    "bench/plain.c": "#include <mysql.h>",
}
BAD = [
    ("a folder that is no layer", known_folders, {"src/util/x.c": ""}),
    ("a file in no folder", known_folders, {"src/x.c": ""}),
    ("a folder inside a layer", known_folders, {"src/base/list/x.c": ""}),
    ("a public header of no layer", known_folders, {"include/corm/unheard_of.h": ""}),
    ("a header beside the public ones", known_folders, {"include/corm_lane.h": ""}),
    ("a header that is not there", plain_includes, {"src/sql/x.c": '#include "base/none.h"'}),
    ("a public header that is not there", plain_includes, {"bench/x.c": "#include <corm/none.h>"}),
    ("a way round by ..", plain_includes, {"src/cli/x.c": '#include "../base/list.h"'}),
    ("a header named by a macro", plain_includes, {"src/base/x.c": "#include HEADER"}),
    ("a layer below", one_way, {"src/base/x.c": '#include "sql/text.h"'}),
    ("a layer below, with blanks", one_way, {"src/base/x.c": '  #  include\t"sql/text.h"'}),
    ("a layer below, on a line of two", one_way, {"src/base/x.c": '#include \\\n "sql/text.h"'}),
    ("a layer below, in comments", one_way, {"src/base/x.c": '/**/ #include "sql/text.h" //'}),
    ("the layer next below", one_way, {"src/sql/x.c": '#include "driver/driver.h"'}),
    ("a public header of a layer below", one_way, {"src/base/x.c": "#include <corm/condition.h>"}),
    ("corm.h in a layer", one_way, {"src/trx/x.c": "#include <corm/corm.h>"}),
    ("trx.h where it is not lent", one_way, {"src/sql/x.c": "#include <corm/trx.h>"}),
    ("the command in a layer", one_way, {"src/api/x.c": '#include "cli/cli.h"'}),
    ("a public header of a lower one", one_way, {"include/corm/arena.h": "#include <corm/trx.h>"}),
    ("insides in a public header", public_alone, {"include/corm/db.h": '#include "base/list.h"'}),
    ("insides in the command", programs_outside, {"src/cli/x.c": '#include "base/list.h"'}),
    ("insides in the command, as <>", programs_outside, {"src/cli/x.c": "#include <base/list.h>"}),
    ("insides in an example", programs_outside, {"examples/x.c": '#include "base/list.h"'}),
    ("insides in a bench", programs_outside, {"bench/x.c": '#include "src/base/list.h"'}),
    ("a server's library in a layer", libraries_in_drivers, {"src/pool/x.c": "#include <mysql.h>"}),
    (
        "a server's library in a public header",
        libraries_in_drivers,
        {"include/corm/db.h": "#include <mysql/mysql.h>"},
    ),
    (
        "a circle of three",
        no_cycles,
        {
            "src/base/a.h": '#include "base/b.h"',
            "src/base/b.h": '#include "base/c.h"',
            "src/base/c.h": '#include "base/a.h"',
        },
    ),
    ("a file that includes itself", no_cycles, {"src/base/a.h": '#include "a.h"'}),
    ("a public circle", no_cycles, {"include/corm/version.h": "#include <corm/trx.h>"}),
]
HARMLESS = {
    "src/base/x.c": '/* #include "sql/text.h" */\n// #include "sql/text.h"\n'
    'char text[] = "/*";\n#include "base/list.h"\nchar more[] = "*/ #include <mysql.h>";\n',
}


def self_tests():
    """Pairs of a name and the reason why the rules do not see what they should; "" if they do."""
    harmless = {**GOOD, **HARMLESS}
    found = [f"{rule.__name__}: {what}" for rule in RULES for what in rule(harmless)]
    yield "a good tree breaks no rule", "\n".join(found)
    for name, broken, files in BAD:
        seen = any(True for _ in broken({**GOOD, **files}))
        yield f"{name} is seen", "" if seen else f"{broken.__name__} does not see it: {files}"


# --------------------------------------------------------------------------------------------------


def read_tree(root):
    tree = {}
    for top in ["include", "src", *OUTSIDE]:
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in files:
                if name.endswith((".c", ".h", ".cpp", ".hpp", ".inc", ".def")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        tree[os.path.relpath(path, root).replace(os.sep, "/")] = file.read()
    return tree


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tree = read_tree(sys.argv[1])
    points = [(rule.__doc__.split("\n")[0].rstrip("."), "\n".join(rule(tree))) for rule in RULES]
    empty = [layer for layer in LAYERS if not any(layer_of(path) == layer for path in tree)]
    points.append(("every layer has files", f"none in {', '.join(empty)}" if empty else ""))
    points += self_tests()
    print(f"1..{len(points)}")
    for number, (name, reason) in enumerate(points, 1):
        print(f"{'not ok' if reason else 'ok'} {number} - {name}")
        for line in reason.splitlines():
            print(f"# {line}")
    sys.exit(1 if any(reason for _, reason in points) else 0)


if __name__ == "__main__":
    main()
