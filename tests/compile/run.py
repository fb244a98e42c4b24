#!/usr/bin/env python3
"""run.py CC INCLUDE_DIR [CASES] - what must not compile does not, and what is right does.

Each line of cases.txt (its head tells the format) is one test. Its wrong code is compiled as C11
without any flag for warnings and must be refused, with an error that matches the expression of the
line; its right code is compiled with many warnings as errors and must be taken. Prints TAP; without
the compiler all tests are skipped. The names of compilers may have a version: gcc-12.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
REFUSED = ["-fsyntax-only"]
# Code is made of what is right: gcc gives some warnings only then.
TAKEN = ["-O1", "-S", "-o", os.devnull]
TAKEN += "-Wall -Wextra -pedantic -Wshadow -Wconversion -Wcast-qual -Werror".split()
ONLY_WARNS = "warns:"
JOBS = 2


class Case:
    def __init__(self, line):
        fields = [field.strip() for field in line.split(" | ")]
        if len(fields) != 5 or not all(fields):
            raise ValueError(f"this is no case of five fields: {line}")
        self.name, self.wrong, self.right, self.gcc, self.clang = fields
        self.only_warns = self.name.startswith(ONLY_WARNS)
        if self.wrong != "-" and not self.only_warns and "-" in (self.gcc, self.clang):
            raise ValueError(f"this case does not tell the errors: {line}")


def read_cases(path):
    with open(path, encoding="utf-8") as lines:
        cases = [Case(line) for line in map(str.strip, lines) if line and not line.startswith("#")]
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two cases have this name: {', '.join(sorted(twice))}")
    return cases


def source_of(code):
    if code.startswith("file:"):
        body = code[len("file:") :].strip().replace(r"\n", "\n")
    else:
        body = f"CASE(a_case)\n{{\n    CASE_BEGIN\n    {code}\n    return rc;\n}}"
    return f'#include "shop.h"\n{body}\n'


def compile_with(compiler, include_dir, code, flags):
    """Returns the exit code and what the compiler said."""
    command = [compiler, "-std=c11", "-I", include_dir, "-I", HERE]
    command += [*flags, "-x", "c", "-"]
    done = subprocess.run(
        command,
        input=source_of(code),
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    return done.returncode, done.stderr


def lines_with(word, text):
    return [line for line in text.splitlines() if f"{word}:" in line]


def why_wrong_passes(case, compiler, include_dir):
    """None, or the reason why the wrong code is not refused as it should be."""
    code, said = compile_with(compiler, include_dir, case.wrong, REFUSED)
    warnings = lines_with("warning", said)
    if case.only_warns:
        if code == 0 and not warnings:
            return "it compiles, without a word: " + case.wrong
        return None
    if code == 0:
        return "it compiles" + (", with a warning: " if warnings else ": ") + case.wrong
    expected = case.clang if "clang" in os.path.basename(compiler) else case.gcc
    errors = lines_with("error", said)
    if not any(re.search(expected, line) for line in errors):
        return f"no error matches {expected}\n" + "\n".join(errors or said.splitlines())
    return None


def why_right_fails(case, compiler, include_dir):
    code, said = compile_with(compiler, include_dir, case.right, TAKEN)
    if code != 0 or said:
        return f"this should compile: {case.right}\n{said}"
    return None


def check(case, compiler, include_dir):
    reasons = [why_right_fails(case, compiler, include_dir)]
    if case.wrong != "-":
        reasons.append(why_wrong_passes(case, compiler, include_dir))
    return "\n".join(reason for reason in reasons if reason)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    compiler, include_dir = sys.argv[1:3]
    cases = read_cases(sys.argv[3] if len(sys.argv) == 4 else os.path.join(HERE, "cases.txt"))
    missing = shutil.which(compiler) is None
    failed = 0

    print(f"1..{len(cases)}", flush=True)
    with ThreadPoolExecutor(JOBS) as pool:
        reasons = pool.map(
            lambda case: "" if missing else check(case, compiler, include_dir), cases
        )
        for number, (case, reason) in enumerate(zip(cases, reasons), 1):
            if missing:
                print(f"ok {number} - {case.name} # SKIP {compiler} is not there")
                continue
            failed += bool(reason)
            print(f"{'not ok' if reason else 'ok'} {number} - {case.name}", flush=True)
            for line in reason.splitlines():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
