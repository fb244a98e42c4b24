#!/usr/bin/env python3
"""count-tests.py LOG - count the single tests of one "meson test" run.

LOG is meson-logs/testlog.json: one JSON object per line and test program. A program that speaks TAP
counts once per test point, any other program once. A program counts one failure more when it went
wrong without saying so: it crashed, hung, ended with an error although every test point was good,
or did not run all the tests of its plan.

Prints "PASSED FAILED SKIPPED" on standard output and a line for each failure on standard error.
"""

import json
import re
import sys

TEST_POINT = re.compile(r"(not )?ok\b\s*\d*\s*(?:-\s*)?([^#]*)(?:#\s*((?i:skip|todo))\b.*)?")
PLAN = re.compile(r"1\.\.(\d+)\b")
GOOD_RESULTS = ("OK", "SKIP", "EXPECTEDFAIL")
SKIPPED_EXIT_CODE = 77


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures = []

    def fail(self, program, what):
        self.failed += 1
        self.failures.append(f"{program}: {what}")


def how_it_ended(entry):
    code = entry.get("returncode")
    if entry["result"] == "TIMEOUT":
        return "timed out"
    if entry["result"] == "INTERRUPT":
        return "interrupted"
    if isinstance(code, int) and code < 0:
        return f"killed by signal {-code}"
    return f"ended with exit code {code}"


def count_program(entry, count):
    program = entry["name"]
    result = entry["result"]
    code = entry.get("returncode")
    lines = (entry.get("stdout") or "").splitlines()
    points = [m for m in map(TEST_POINT.match, lines) if m]
    plans = [int(m.group(1)) for m in map(PLAN.match, lines) if m]
    failed_before = count.failed
    skipped_with_not_ok = False

    for point in points:
        not_ok, name, directive = point.groups()
        if directive:
            # Some versions of cmocka print "not ok N # SKIP", which meson takes for a failure.
            count.skipped += 1
            skipped_with_not_ok = skipped_with_not_ok or bool(not_ok)
        elif not_ok:
            count.fail(program, name.strip())
        else:
            count.passed += 1

    killed = result in ("TIMEOUT", "INTERRUPT") or (isinstance(code, int) and (code < 0 or code > 128))
    if killed and result not in GOOD_RESULTS:
        count.fail(program, how_it_ended(entry))
    elif count.failed > failed_before:
        pass  # it has said itself what went wrong
    elif plans and plans[0] != len(points):
        count.fail(program, f"ran {len(points)} of {plans[0]} tests, {how_it_ended(entry)}")
    elif result not in GOOD_RESULTS:
        if not (skipped_with_not_ok and code == 0):
            count.fail(program, how_it_ended(entry))
    elif points:
        pass
    elif plans or code == SKIPPED_EXIT_CODE:
        count.skipped += 1
    elif result == "SKIP":
        count.fail(program, "ran no tests")  # that is how meson sees TAP without a test point
    else:
        count.passed += 1  # not TAP: the exit code is all there is


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: count-tests.py build/meson-logs/testlog.json")
    count = Count()
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            for line in log:
                if line.strip():
                    count_program(json.loads(line), count)
    except OSError as error:
        print(f"no record of the tests: {error}", file=sys.stderr)
    except (ValueError, KeyError) as error:
        count.fail(sys.argv[1], f"is not understood: {error!r}")

    for failure in count.failures:
        print(f"failed: {failure}", file=sys.stderr)
    print(count.passed, count.failed, count.skipped)


if __name__ == "__main__":
    main()
