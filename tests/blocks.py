#!/usr/bin/env python3
"""blocks.py - the blocks of code in a document: what they are, and that they do what they say.
blocks.py --script DOCUMENT - prints its files and consoles, but those that want a server, as a script for sh.

    ```c        a program, if it has a main(): it compiles without a warning, runs, and prints what the text
                behind it says ("It prints `a`, then `b`."). Else a piece, compiled and run together with
                the other pieces of the document (documents.h): declarations stand as they are, statements in
                a function of their own. A comment that is a value, behind a call, is what that call comes to:
                    rc = corm_delete(db, product, corm_eq(product.id, 9));   /* 0 */
                    n = corm_all(db, product, &rows, ...);                   /* 3: all of them */
                    ...                                                      /* rows[0].name is "bolt" */
    ```console  lines that begin with $ are run by bash, one after the other, in one folder of the document; the
                lines behind one are what it prints (... is any number of lines).
    ```sh       commands to choose from: not run. Each is one of those that documents.py knows.
    ```sql      run on a server.

A text in front of a block that ends in "`NAME`:" keeps it as that file in the folder, for ```console. What is
not done with a block is said in its first line, with the reason:

    /* Not run: ... */           compiled
    /* Not run on SQLite: ... */ run on a server alone; and the other way round
    /* Does not compile: ... */  which is so
    # Not run: ...   -- Not run: ...   // Not run: ...
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

SECONDS = 120  # nothing takes that long; it is against hanging
LANGUAGES = ("c", "sh", "console", "sql", "ts", "ini", "")
VALUE = r"-?\d+(?:\.\d+)?|CORM_[A-Z_]+|NOT_FOUND|SOLD_OUT|\"[^\"]*\""
EXPECTED = re.compile(rf"/\* (?:(?P<what>[\w.\[\]>-]+) is )?(?P<value>{VALUE})(?:: [^*]*)? \*/")
# What stands at the head of a declaration; anything else is a statement.
DECLARATION = re.compile(r"(#|static |typedef |extern |CORM_(MODEL|DEFINE)|(struct|enum|union)( \w+)? {)")
REASON = re.compile(r"(?:/\*|//|#|--) (Not run on SQLite|Not run on MariaDB|Not run|Does not compile): \S")
SERVER = "mariadb://shop:secret@127.0.0.1/shop"  # what a document calls the reader's own


@dataclass
class Block:
    language: str
    text: str
    line: int  # of its first line in the document
    before: str  # the text in front of it
    behind: str  # the text behind it, up to the next heading

    @property
    def first(self):
        return self.text.lstrip("\n").split("\n")[0]

    @property
    def mark(self):
        found = REASON.match(self.first)
        return found[1] if found else ""

    @property
    def is_program(self):
        return self.language == "c" and re.search(r"\bmain\s*\(", self.text) is not None

    @property
    def name(self):
        """Of the file that it is kept as, or ""."""
        found = re.search(r"`([\w.-]+\.\w+)`:\s*\Z", self.before)
        return found[1] if found and self.language == "c" else ""

    @property
    def is_declaration(self):
        code = re.sub(r"/\*.*?\*/", "", self.text, flags=re.DOTALL)
        line = next((line for line in code.split("\n") if line.strip()), "")
        return DECLARATION.match(line) is not None


def blocks_of(text):
    for match in re.finditer(r"^```(\w*)\n(.*?)^```\n", text, re.MULTILINE | re.DOTALL):
        behind = re.split(r"^#", text[match.end():], maxsplit=1, flags=re.MULTILINE)[0]
        yield Block(match[1], match[2], text[:match.start()].count("\n") + 2, text[:match.start()],
                    re.sub(r"^```.*?^```\n", "", behind, flags=re.MULTILINE | re.DOTALL))


def without_blocks(text):
    """The prose, with as many lines."""
    return re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)


def fences_of(text):
    """The lines that begin or end a block, in whatever form and wherever on the line."""
    return re.findall(r"^ *(?:```|~~~).*", text, re.MULTILINE)


def pieces_of(blocks):
    return [b for b in blocks if b.language == "c" and not b.is_program and not b.name]


# ---- Programs of pieces --------------------------------------------------------------------------


def with_expectations(piece, place):
    """Behind each comment that is a value a check that it is so."""

    def check(match):
        what = match["what"]
        if what is None:
            front = re.sub(r"/\*.*?\*/", "", piece[:match.start()], flags=re.DOTALL)
            assigned = re.findall(r"(?<![\w.])([a-z_][\w.\[\]>-]*) = corm_\w+\(", front)
            assert assigned, f"{place}: {match[0]} stands behind no call"
            what = assigned[-1]
        kind = "text" if match["value"].startswith('"') else "number"
        return f"{match[0]} must_be_{kind}(\"{what.replace(chr(34), '')}\", {what}, {match['value']});"

    for comment in re.findall(r"/\* (?:-?\d|CORM_[A-Z]+\b|NOT_FOUND|SOLD_OUT|[\w.\[\]>-]+ is [\dC\"-]).*?\*/", piece):
        assert EXPECTED.fullmatch(comment), f"{place}: {comment} looks like a value, and is not compared"
    return EXPECTED.sub(check, piece)


def may_end_with(piece):
    """Whether the last value of rc that the piece tells of is a failure."""
    told = [match["value"] for match in EXPECTED.finditer(piece) if match["what"] is None]
    return bool(told) and bool(re.match(r"CORM_|NOT_FOUND|SOLD_OUT|-", told[-1]))


def function_of(block, number, document):
    place = f"{document}:{block.line}"
    text = block.text
    uses_trx = re.search(r"\btrx\b", text) is not None
    begins = "corm_begin(" in text
    lines = [f"static void piece_{number}(void)", "{", f'    document_place = "{place}";',
             "    struct corm_trx *trx = NULL; struct product p = {0}, *rows = NULL; struct order *orders = NULL;",
             "    int rc = 0, n = 0; int64_t id = 0; int64_t count = 0; (void)rc, (void)n, (void)id, (void)count;",
             "    (void)p, (void)rows, (void)orders, (void)trx;"]
    if uses_trx and not begins:
        lines.append("    must_have_worked(corm_begin(db, &trx, .error = &e));")
    lines += ["    {", f'#line {block.line} "{document}"', with_expectations(text, place), "#line 1 \"documents.c\""]
    if not may_end_with(text):
        lines.append("    must_have_worked(rc); must_have_worked(n);")
    lines.append("    }")
    if uses_trx and not begins and not may_end_with(text):
        lines.append("    must_have_worked(corm_commit(trx));")
    if uses_trx and "corm_end(" not in text:
        lines.append("    corm_end(trx);")
    return lines + ["}"]


def program_of(tools, document, blocks, shop, on_server):
    lines = ["#include <corm/corm.h>", f'#line {shop.line} "docs/README.md"', shop.text, '#include "documents.h"']
    runs = []
    for number, block in enumerate(pieces_of(blocks)):
        if block.text == shop.text or block.mark == "Does not compile" or tools.flags_of(block.text) is None:
            continue
        if block.is_declaration:
            lines += [f'#line {block.line} "{document}"', block.text]
            continue
        lines += function_of(block, number, document)
        if block.mark in ("Not run", "Not run on MariaDB" if on_server else "Not run on SQLite"):
            lines.append(f"void *const not_run_{number} = (void *)piece_{number};")
        else:
            runs += ["    fill_shop();", f"    piece_{number}();"]
    if on_server:
        # Purchases without corm want a connection of their own.
        beside = {"BESIDE_MYSQL": ("purchase_by_hand(", "run_by_hand"), "BESIDE_ZDB": ("purchase_by_zdb(", "run_by_zdb")}
        beside = {name: run for name, (function, run) in beside.items() if any(function in line for line in lines)}
        lines += [f"#define {name}" for name in beside] + ['#include "documents_beside.h"'] * bool(beside)
        runs += [line for run in beside.values() for line in ("    fill_shop();", f"    {run}(argv[1]);")]
    lines += ["int main(int argc, char **argv)", "{", "    (void)argc;", "    open_shop(argv[1]);", *runs,
              "    close_shop();", "    return 0;", "}"]
    return "\n".join(lines) + "\n"


# ---- Compiling and running -----------------------------------------------------------------------


# And their modules of pkg-config.
HEADERS_OF_OTHERS = {"mysql.h": "libmariadb", "zdb.h": "zdb"}


def headers_of_others(text):
    return [header for header in HEADERS_OF_OTHERS if f"#include <{header}>" in text]


class Tools:
    """The library that was built, and how a program is made with it."""

    def __init__(self, root, build, sanitize, compiler):
        self.root, self.build = root, build
        self.sanitizers = [] if sanitize == "none" else ["-fsanitize=" + sanitize]
        self.compiler = compiler

    def flags_of(self, text):
        """What the headers of others that it includes want; None where they are not here."""
        flags = []
        for header in headers_of_others(text):
            done = subprocess.run(["pkg-config", "--cflags", "--libs", HEADERS_OF_OTHERS[header]], capture_output=True,
                                  text=True, check=False)
            if done.returncode != 0:
                return None
            flags += done.stdout.replace("-I", "-isystem").split()
        return flags

    def compile(self, text, folder, *options, warnings="-Werror"):
        """The program's path; AssertionError with what the compiler says."""
        source, binary = os.path.join(folder, "program.c"), os.path.join(folder, "program")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(
            [*self.compiler, "-Wall", "-Wextra", warnings, *options, *self.sanitizers, source,
             "-I" + os.path.join(self.root, "include"), "-I" + os.path.join(self.root, "tests"), "-L" + self.build,
             "-Wl,-rpath," + self.build, "-lcorm", "-pthread", *self.flags_of(text), "-o", binary],
            capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return binary

    def run(self, command, folder, **more):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False, **more)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


LOOSE = ["-Wno-misleading-indentation", "-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-unused-function",
         "-Wno-missing-field-initializers", "-Wno-unused-const-variable"]


def run_pieces(tools, document, blocks, shop, folder, url):
    program = program_of(tools, document, blocks, shop, url.startswith("mariadb:"))
    tools.run([tools.compile(program, folder, *LOOSE), url], folder)


def see_what_does_not_compile(tools, document, blocks, shop, folder):
    for block in pieces_of(blocks):
        if block.mark == "Does not compile":
            # One statement at a time: each is an example of its own.
            for statement in re.findall(r"[^;]+;", re.sub(r"/\*.*?\*/", "", block.text, flags=re.DOTALL)):
                one = Block("c", statement + "\n", block.line, "", "")
                said = ""
                try:
                    # A warning is not enough.
                    tools.compile(program_of(tools, document, [one], shop, False), folder, "-fsyntax-only",
                                  warnings="-Wno-error")
                except AssertionError as error:
                    said = str(error)
                assert said, f"{document}:{block.line}: this compiles: {statement.strip()}"
                assert "undeclared" not in said, f"{document}:{block.line}: for another reason than it shows: {said}"


def promised_output(behind):
    """What "It prints `a`, then `b`." promises."""
    match = re.search(r"\bIt prints\b((?:`[^`]+`|[^.`])*)\.", behind)
    return re.findall(r"`([^`]+)`", match[1]) if match else []


def run_program(tools, block, folder):
    binary = tools.compile(block.text, folder)
    if block.mark == "Not run":
        return
    said = tools.run([binary], folder)
    promised = promised_output(block.behind)
    assert said.splitlines() == promised, f"it prints\n{said}and the text says {promised}"


# ---- Consoles ------------------------------------------------------------------------------------


def commands_of(block):
    """(command, lines that it prints)."""
    found = []
    for line in block.text.rstrip("\n").split("\n"):
        if found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def matches(said, shown):
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in shown)
    return re.fullmatch(pattern, said) is not None


def names_server(block):
    return SERVER in block.text


def run_console(tools, document, block, folder, url):
    """`url`: what stands for the reader's server."""
    bin_folder = os.path.join(folder, ".bin")
    os.makedirs(bin_folder, exist_ok=True)
    for name, text in (("cc", f"exec {' '.join(tools.compiler + tools.sanitizers)} \"$@\""),
                       ("corm", f"exec {tools.build}/corm \"$@\"")):
        path = os.path.join(bin_folder, name)
        with open(path, "w", encoding="utf-8") as file:
            # With the PATH from before, or else `cc` would be this one again.
            file.write(f"#!/bin/sh\nPATH='{os.environ['PATH']}'\n{text}\n")
        os.chmod(path, 0o755)
    env = {**os.environ, "PATH": bin_folder + ":" + os.environ["PATH"], "LD_LIBRARY_PATH": tools.build,
           "PKG_CONFIG_PATH": os.path.join(tools.build, "meson-uninstalled"), "LC_ALL": "C.UTF-8",
           "C_INCLUDE_PATH": os.path.join(tools.root, "include")}
    for command, shown in commands_of(block):
        done = subprocess.run(["bash", "-euc", command.replace(SERVER, url)], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False, env=env)
        assert done.returncode == 0 or "$?" in command, f"{document}: $ {command}\n{done.stdout}"
        assert matches(done.stdout, shown), \
            f"{document}: $ {command}\nprints\n{done.stdout}and the document says\n" + "\n".join(shown)


def keep_files(blocks, folder):
    for block in blocks:
        if block.name:
            with open(os.path.join(folder, block.name), "w", encoding="utf-8") as file:
                file.write(block.text)


def script_of(blocks):
    lines = ["set -eux"]
    for block in blocks:
        if block.name:
            lines += [f"cat >{block.name} <<'END'", block.text + "END"]
        elif block.language == "console" and not block.mark and not names_server(block):
            lines += [command for command, _ in commands_of(block)]
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--script":
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8") as document:
        print(script_of(list(blocks_of(document.read()))))
