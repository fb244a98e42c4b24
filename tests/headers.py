#!/usr/bin/env python3
"""headers.py - the public headers stand alone, in C and in C++, and the library exports just them.

  headers.py INCLUDE_DIR [LIBRARY [--sanitize=WHAT]]   the tests, as TAP; those of the library only
                                                       where it is given
  headers.py --exports LIBRARY                         print how the exports of a library differ
                                                       from exports.txt; exit code 1 if they do
  headers.py --write-exports INCLUDE_DIR               make exports.txt from what the headers declare,
                                                       and add what is new to Debian's list of symbols

A library that was built with sanitizers is only linked by compilers that are told so: gcc's.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXPORTS = os.path.join(HERE, "exports.txt")
STRICT = "-Wall -Wextra -pedantic -Werror".split()
LANGUAGES = [
    ("gcc", "c", "c11"),
    ("clang", "c", "c11"),
    ("g++", "c++", "c++11"),
    ("g++", "c++", "c++17"),
    ("clang++", "c++", "c++11"),
    ("clang++", "c++", "c++17"),
]

# A model that C and C++ share, its definition in C, and a program in C++ that reads with it.
SHARED_H = """
#ifndef SHOP_H
#define SHOP_H
#include <corm/corm.h>
#ifdef __cplusplus
extern "C" {
#endif
#define PRODUCT(X)                                                  \\
    X(id, int, .pk = 1, .autoinc = 1)                               \\
    X(name, varchar(20))                                            \\
    X(stock, bigint, .deflt = "0")                                  \\
    X(price, nullable(double))                                      \\
    X(fragile, bool)                                                \\
    X(old, nullable(bool))                                          \\
    X(note, nullable(text))                                         \\
    X(added, datetime)
CORM_MODEL(product, PRODUCT);
#define LINE(X) X(id, bigint, .pk = 1) X(product_id, nullable(int))
CORM_MODEL_AS(line, "order line", LINE);
#ifdef __cplusplus
}
#endif
#endif
"""
DEFINITION_C = """
#include "shop.h"
CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(line, LINE);
"""
PROGRAM_CPP = """
#include "shop.h"
#include <cstdio>
#include <cstring>

int main()
{
    struct product p = {};
    struct line    l = {};
    corm_error     e = {};
    corm_sql_of    of = {};
    corm_query     q = {};

    of.dialect = CORM_DIALECT_SQLITE;
    of.arena = corm_arena_new();
    q.size = sizeof(q);
    q.error = &e;
    q.where = corm_cmp_(product.name.column, CORM_EQ, corm_v_text_("bolt"));
    q.limit = 1;
    if (corm_first_(corm_on_sql_of_(&of), product.corm_table, &p, &q) != 0)
        return std::printf("%s\\n", e.message), 1;
    std::printf("%s\\n%s\\n%s\\n", corm_version(), of.text, of.binds[0].as.s);
    std::printf("%s %u\\n", line.corm_table->name, unsigned(line.corm_table->column_count));
    corm_arena_free(of.arena);
    p.price.has = l.product_id.has = p.old.value = true;
    return corm_is_user(CORM_USER) && !corm_is_user(CORM_DEADLOCK) ? 0 : 2;
}
"""
PROGRAM_SAYS = """{version}
SELECT "id", "name", "stock", "price", "fragile", "old", "note", "added" FROM "product" \
WHERE "name" = ? LIMIT 1
bolt
order line 2
"""


# ---- TAP -----------------------------------------------------------------------------------------


class Tap:
    def __init__(self):
        self.number = 0
        self.failed = 0

    def point(self, name, reason="", skip=""):
        """One test: good, unless there is a reason why not."""
        self.number += 1
        self.failed += bool(reason)
        good = "not ok" if reason else "ok"
        print(f"{good} {self.number} - {name}" + (f" # SKIP {skip}" if skip else ""))
        for line in reason.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def end(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0


def run(command, text=None, **more):
    environment = {**os.environ, "LC_ALL": "C", **more}
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, done.stdout, done.stderr


# ---- The headers ---------------------------------------------------------------------------------


def public_headers(include_dir):
    folder = os.path.join(include_dir, "corm")
    return sorted(name for name in os.listdir(folder) if name.endswith(".h"))


def test_alone(tap, include_dir):
    """Each header as the only include of a file, once and twice."""
    for header in public_headers(include_dir):
        for compiler, language, standard in LANGUAGES:
            name = f"{header} alone, {compiler} as {standard}"
            if shutil.which(compiler) is None:
                tap.point(name, skip=f"{compiler} is not there")
                continue
            command = [compiler, f"-std={standard}", *STRICT, "-I", include_dir]
            said = ""
            for text in (f"#include <corm/{header}>\n", f"#include <corm/{header}>\n" * 2):
                code, _, errors = run([*command, "-S", "-o", os.devnull, "-x", language, "-"], text)
                if code != 0 or errors:
                    said = said or errors or f"exit code {code}"
            tap.point(name, said)


def test_everything(tap, include_dir):
    """corm.h brings every other header."""
    with open(os.path.join(include_dir, "corm", "corm.h"), encoding="utf-8") as text:
        brought = set(re.findall(r"^#include <corm/(\w+\.h)>", text.read(), re.MULTILINE))
    missing = set(public_headers(include_dir)) - brought - {"corm.h"}
    tap.point("corm.h brings all the others", ", ".join(sorted(missing)))


# ---- The library ---------------------------------------------------------------------------------


def exports_of(library):
    code, out, errors = run(["nm", "-D", "--defined-only", library])
    if code != 0:
        raise OSError(f"nm {library}: {errors}")
    # Absolute is the name of the version alone.
    return sorted(line.split()[-1].split("@")[0] for line in out.splitlines() if line.split()[-2:-1] != ["A"])


def expected_exports():
    if not os.path.exists(EXPORTS):
        return []
    with open(EXPORTS, encoding="utf-8") as lines:
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def exports_diff(library):
    lines = difflib.unified_diff(
        expected_exports(), exports_of(library), "tests/exports.txt", library, lineterm="", n=0
    )
    return "\n".join(lines)


def write_exports(include_dir):
    names = sorted(declared_functions(include_dir))
    with open(EXPORTS, "w", encoding="utf-8") as file:
        file.write("# What the shared library exports, all of it: it is linked by this list.\n")
        file.writelines(f"{name}\n" for name in names)
    write_symbols(names, version_of(include_dir))


def write_symbols(names, version):
    """Debian's list says in which version each came; that of those which are there already stays."""
    major = version.split(".")[0]
    path = os.path.join(HERE, "..", "debian", f"libcorm{major}.symbols")
    since = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            since = dict(re.findall(r"^ (\w+)@\S+ (\S+)", file.read(), re.MULTILINE))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"libcorm.so.{major} libcorm{major} #MINVER#\n* Build-Depends-Package: libcorm-dev\n")
        for name in sorted([f"CORM_{major}", *names]):
            file.write(f" {name}@CORM_{major} {since.get(name, version)}\n")


def declared_functions(include_dir):
    """What the headers declare with CORM_API."""
    names = set()
    for header in public_headers(include_dir):
        with open(os.path.join(include_dir, "corm", header), encoding="utf-8") as text:
            code = re.sub(r"/\*.*?\*/", " ", text.read(), flags=re.DOTALL)
        code = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", code, flags=re.MULTILINE)
        for declaration in re.findall(r"\bCORM_API\b([^;{]*)", code):
            names.add(re.search(r"(\w+)\s*\(", declaration).group(1))
    return names


def test_exports(tap, include_dir, library):
    exports = exports_of(library)
    declared = declared_functions(include_dir)
    foreign = [n for n in exports if not n.startswith("corm_") or n.startswith("corm__")]
    tap.point("every exported name begins with corm_, none with corm__", "\n".join(foreign))
    tap.point("the exports are those of exports.txt", exports_diff(library))
    tap.point(
        "what is declared with CORM_API is exported, and nothing else",
        "\n".join(
            [f"declared only: {name}" for name in sorted(declared - set(exports))]
            + [f"exported only: {name}" for name in sorted(set(exports) - declared)]
        ),
    )


def version_of(include_dir):
    with open(os.path.join(include_dir, "corm", "version.h"), encoding="utf-8") as text:
        found = dict(re.findall(r"#define CORM_VERSION_(\w+) (\d+)", text.read()))
    return ".".join(found[part] for part in ("MAJOR", "MINOR", "PATCH"))


def build_and_run(cc, cxx, standard, include_dir, library, sanitize):
    """The reason why a program in C++ does not work with a model defined in C; "" if it does."""
    flags = [f"-fsanitize={sanitize}"] if sanitize else []
    strict = [*STRICT, *flags, "-I", include_dir]
    folder = os.path.dirname(os.path.abspath(library))
    with tempfile.TemporaryDirectory(prefix="corm-headers-") as place:

        def path(name):
            return os.path.join(place, name)

        for name, text in (
            ("shop.h", SHARED_H),
            ("shop.c", DEFINITION_C),
            ("main.cpp", PROGRAM_CPP),
        ):
            with open(path(name), "w", encoding="utf-8") as file:
                file.write(text)
        commands = (
            [cc, "-std=c11", *strict, "-c", path("shop.c"), "-o", path("shop.o")],
            [cxx, f"-std={standard}", *strict, "-c", path("main.cpp"), "-o", path("main.o")],
            [cxx, *flags, path("main.o"), path("shop.o"), library]
            + [f"-Wl,-rpath,{folder}", "-o", path("main")],
        )
        for command in commands:
            code, _, errors = run(command)
            if code != 0 or errors:
                return f"{' '.join(command)}\n{errors}"
        code, out, errors = run([path("main")])
        expected = PROGRAM_SAYS.format(version=version_of(include_dir))
        if code != 0 or out != expected:
            return f"exit code {code}\n{errors}said:\n{out}expected:\n{expected}"
    return ""


def test_cpp(tap, include_dir, library, sanitize):
    for cc, cxx in (("gcc", "g++"), ("clang", "clang++")):
        for standard in ("c++11", "c++17"):
            name = f"a program of {cxx} as {standard} reads with a model of {cc}"
            if shutil.which(cc) is None or shutil.which(cxx) is None:
                tap.point(name, skip=f"{cc} or {cxx} is not there")
            elif sanitize and cxx != "g++":
                tap.point(name, skip="the library has another compiler's sanitizers")
            else:
                tap.point(
                    name, build_and_run(cc, cxx, standard, include_dir, library, sanitize)
                )


# --------------------------------------------------------------------------------------------------


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--exports":
        difference = exports_diff(arguments[1])
        if difference:
            print(difference)
        return 1 if difference else 0
    if len(arguments) == 2 and arguments[0] == "--write-exports":
        if not os.path.isdir(arguments[1]):
            sys.exit(f"headers.py: {arguments[1]} is no folder of headers: it is `include` that is wanted")
        return write_exports(arguments[1])
    sanitize = ""
    if arguments and arguments[-1].startswith("--sanitize="):
        sanitize = arguments.pop().split("=", 1)[1].replace("none", "")
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        sys.exit(__doc__)
    tap = Tap()
    test_alone(tap, arguments[0])
    test_everything(tap, arguments[0])
    if len(arguments) == 2:
        test_exports(tap, *arguments)
        test_cpp(tap, *arguments, sanitize)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
