#!/usr/bin/env python3
"""readme.py ROOT BUILD SANITIZE COMPILER... - what README.md says can be done. Prints TAP.

Its programs (the blocks of C with a main()) compile without a warning, link with the library in the
folder BUILD and, where they need no server, run and print what the text behind them says; the verbs
of ./run and the files that it names exist. SANITIZE is how the library was built: "none", or what
stands behind -fsanitize=.
"""

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


def the_programs_of_the_readme_do_what_it_says():
    for program, behind in programs(readme):
        with tempfile.TemporaryDirectory() as folder:
            check_program(program, behind, folder)


def the_verbs_of_run_that_are_named_exist():
    usage = subprocess.run([os.path.join(root, "run"), "help"], capture_output=True, text=True,
                           check=True, timeout=SECONDS).stdout
    verbs = re.findall(r"^  ([a-z]+)", usage, re.MULTILINE)
    for verb in re.findall(r"\./run ([a-z]+)", readme):
        assert verb in verbs, f"./run {verb} is named, and there are {verbs}"


def the_files_that_are_named_exist():
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", readme)
    code = [word for span in re.findall(r"`([^`\n]+)`", readme) for word in span.split()]
    own = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    paths = [word for word in code if word.split("/")[0] in own and "/" in word]
    for path in links + paths:
        if path.startswith("build/"):
            there = os.path.join(build, path[len("build/"):])
        else:
            there = os.path.join(root, path)
        assert os.path.exists(there), f"{path} is named and does not exist"


def main():
    tests = [the_programs_of_the_readme_do_what_it_says, the_verbs_of_run_that_are_named_exist,
             the_files_that_are_named_exist]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except (AssertionError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("# " + str(error).replace("\n", "\n# "))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    sanitize, compiler = sys.argv[3], sys.argv[4:]
    if not os.path.exists(os.path.join(root, "README.md")):
        print("1..0 # SKIP there is no README.md")
        sys.exit(0)
    with open(os.path.join(root, "README.md"), encoding="utf-8") as readme_file:
        readme = readme_file.read()
    main()
