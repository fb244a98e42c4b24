#!/usr/bin/env python3
"""documents.py ROOT BUILD SANITIZE COMPILER... - what the documents say can be done. Prints TAP.

Of README.md, CONTRIBUTING.md and docs/*.md: the programs (the blocks of C with a main()) compile without
a warning, link with the library in the folder BUILD and, where they need no server, run and print what
the text behind them says; the verbs of ./run and the files that are named exist. SANITIZE is how the
library was built: "none", or what stands behind -fsanitize=.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

SECONDS = 120  # nothing takes that long; it is against hanging


def programs(text):
    """Each block of C with a main(), with the text behind it up to the next heading."""
    for match in re.finditer(r"^```c\n(.*?)^```\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        if re.search(r"\bmain\s*\(", match.group(1)):
            yield match.group(1), match.group(2)


def promised_output(behind):
    """What "It prints `a`, then `b`." promises."""
    match = re.search(r"\bIt prints\b([^.]*)\.", behind)
    return re.findall(r"`([^`]+)`", match.group(1)) if match else []


def check_program(program, behind, folder):
    source, binary = os.path.join(folder, "program.c"), os.path.join(folder, "program")
    with open(source, "w", encoding="utf-8") as f:
        f.write(program)
    sanitizers = [] if sanitize == "none" else ["-fsanitize=" + sanitize]
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", *sanitizers, source,
                    "-I" + os.path.join(root, "include"), "-L" + build, "-Wl,-rpath," + build,
                    "-lcorm", "-pthread", "-o", binary], check=True, timeout=SECONDS)
    if "mariadb://" in program:
        return
    done = subprocess.run([binary], cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done
    promised = promised_output(behind)
    assert done.stdout.split("\n")[:len(promised)] == promised, (promised, done)


def the_programs_do_what_their_text_says(_, text):
    for program, behind in programs(text):
        with tempfile.TemporaryDirectory() as folder:
            check_program(program, behind, folder)


def the_verbs_of_run_that_are_named_exist(_, text):
    usage = subprocess.run([os.path.join(root, "run"), "help"], capture_output=True, text=True,
                           check=True, timeout=SECONDS).stdout
    verbs = re.findall(r"^  ([a-z]+)", usage, re.MULTILINE)
    for verb in re.findall(r"\./run ([a-z]+)", text):
        assert verb in verbs, f"./run {verb} is named, and there are {verbs}"


def the_files_that_are_named_exist(document, text):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    code = [word for span in re.findall(r"`([^`\n]+)`", text) for word in span.split()]
    own = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    paths = [os.path.join(root, word) for word in code if word.split("/")[0] in own and "/" in word]
    for path in [os.path.join(os.path.dirname(document), link) for link in links] + paths:
        in_build = os.path.join(root, "build/")
        if path.startswith(in_build):
            path = os.path.join(build, path[len(in_build):])
        for one in expand(path):
            assert glob.glob(one), f"{path} is named and does not exist"


def expand(path):
    """a/{b,c}.h is a/b.h and a/c.h, a/b.[ch] is a/b.c and a/b.h."""
    match = re.fullmatch(r"([^{]*){([^}]*)}(.*)", path)
    if match:
        return [one for word in match.group(2).split(",")
                for one in expand(match.group(1) + word + match.group(3))]
    return [path]


def main():
    checks = [the_programs_do_what_their_text_says, the_verbs_of_run_that_are_named_exist,
              the_files_that_are_named_exist]
    documents = [os.path.join(root, "README.md"), os.path.join(root, "CONTRIBUTING.md"),
                 *sorted(glob.glob(os.path.join(root, "docs", "*.md")))]
    failed = number = 0
    print(f"1..{len(checks) * len(documents)}")
    for document in documents:
        with open(document, encoding="utf-8") as file:
            text = file.read()
        for check in checks:
            number += 1
            name = f"{os.path.relpath(document, root)}: {check.__name__}"
            try:
                check(document, text)
                print(f"ok {number} - {name}")
            except (AssertionError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {number} - {name}")
                print("# " + str(error).replace("\n", "\n# "))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    sanitize, compiler = sys.argv[3], sys.argv[4:]
    main()
