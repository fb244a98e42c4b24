#!/usr/bin/env python3
"""abi.py INCLUDE_DIR COMPILER... [--write] - what programs that are built already rely on.

Compares the layout of every struct of the public headers (size, and the place of each member) and the
number of every enumerator with abi.txt, so that none changes without being seen: docs/compatibility.md says
what may. Prints TAP; --write makes abi.txt anew instead. For machines with long and pointers of 64 bits.
"""

import difflib
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "abi.txt")
SECONDS = 120  # nothing takes that long; it is against hanging

sys.path.insert(0, os.path.join(HERE, "..", "scripts"))
sys.dont_write_bytecode = True
import header_text  # noqa: E402


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def members_of(text):
    """The names of the members of a struct, outermost ones alone."""
    body = without_comments(text)
    body = body[body.index("{") + 1: body.rindex("}")]
    while "{" in body:  # a union within: its name stands behind it
        body = re.sub(r"\{[^{}]*\}", " ", body)
    for line in body.split(";"):
        for one in line.split(","):
            one = re.sub(r"\[[^\]]*\]", "", one).strip()
            if one:
                yield re.search(r"(\w+)$", one)[1]


def enumerators_of(text):
    body = without_comments(text)
    if "#define" in body:  # enum corm_code: from its list
        return []
    return re.findall(r"(\w+)\s*(?:=[^,}]*)?[,}]", body[body.index("{") + 1:])


def program_of(include_dir):
    lines = ["#include <corm/corm.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]

    def number(name, format, value):
        lines.append(f'printf("{name} {format}\\n", {value});')

    for path in sorted(glob.glob(os.path.join(include_dir, "corm", "*.h"))):
        items = [item for block in header_text.read_header(path).blocks for item in block.items if item.kind == "type"]
        lines.append(f'puts("# {os.path.basename(path)}");')
        for item in items:
            if item.text.startswith("struct"):
                number(f"struct {item.name}", "%zu", f"sizeof(struct {item.name})")
                for member in members_of(item.text):
                    number(f"    {member}", "%zu", f"offsetof(struct {item.name}, {member})")
            elif item.text.startswith("enum"):
                for name in enumerators_of(item.text):
                    number(name, "%d", f"(int){name}")
        if path.endswith("/error.h"):
            for name in header_text.codes_of(path):
                number(name, "%d", f"(int){name}")
    return "\n".join([*lines, "return 0;", "}", ""])


def layout(include_dir, compiler):
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "layout")
        subprocess.run([*compiler, "-x", "c", "-", "-I", include_dir, "-o", binary], check=True, text=True,
                       input=program_of(include_dir), timeout=SECONDS)
        return subprocess.run([binary], check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def main():
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    found = layout(arguments[0], arguments[1:])
    if "--write" in sys.argv:
        with open(KEPT, "w", encoding="utf-8") as file:
            file.write(found)
        return
    print("1..1")
    if sys.maxsize < 2**32:
        print("ok 1 - layouts and numbers are those of abi.txt # SKIP not a machine of 64 bits")
        return
    with open(KEPT, encoding="utf-8") as file:
        kept = file.read()
    difference = list(difflib.unified_diff(kept.splitlines(), found.splitlines(), "tests/abi.txt", "the headers",
                                           lineterm="", n=3))
    print(f"{'not ok' if difference else 'ok'} 1 - layouts and numbers are those of abi.txt")
    for line in difference:
        print(f"# {line}")
    if difference:
        print("# where docs/compatibility.md allows it: tests/abi.py include cc --write")
        sys.exit(1)


if __name__ == "__main__":
    main()
