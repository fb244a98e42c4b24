#!/usr/bin/env python3
"""doctor_command.py CORM - `corm doctor` as a user meets it.

The table of failures is kept in errors.txt, so that whoever changes a verdict sees it in the diff:
after a change that is meant, doctor_command.py CORM --write makes the file anew. Prints TAP.
"""

import json
import os
import subprocess
import sys

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "errors.txt")
WORDS = {"run again": "again", "run elsewhere": "elsewhere", "resolve": "resolve",
         "function's own": "function", "caller's own": "caller", "fatal": "fatal"}

command = sys.argv[1]


def run(*words):
    return subprocess.run([command, *words], capture_output=True, text=True, timeout=60)


def the_table_is_that_of_errors_txt():
    result = run("doctor", "--errors")
    assert result.returncode == 0 and result.stderr == "", result
    with open(GOLDEN, encoding="utf-8") as file:
        assert result.stdout == file.read(), "the table differs from tests/errors.txt"


def json_says_the_same():
    result = run("doctor", "--errors", "--json")
    assert result.returncode == 0 and result.stderr == "", result
    rows = []
    for driver, rules in json.loads(result.stdout).items():
        for rule in rules:
            first = [str(rule["server_code"]), rule["server_name"]] if driver != "corm" else []
            rows.append(first + [rule["code"]] + [WORDS[v] for v in rule["verdicts"].values()])
    with open(GOLDEN, encoding="utf-8") as file:
        golden = [line.split() for line in file if " CORM_" in line or line.startswith("CORM_")]
    golden = [words for words in golden if words[-1] == "fatal"]
    assert rows == golden and len(rows) > 150, [pair for pair in zip(rows, golden) if pair[0] != pair[1]]


def wrong_use_is_refused():
    for words in (["doctor"], ["doctor", "--errors", "x"], ["doctor", "--erors"], ["doctor", "--json"]):
        result = run(*words)
        assert result.returncode == 2 and result.stdout == "" and "corm doctor: " in result.stderr, result


def help_is_printed():
    for words in (["help", "doctor"], ["doctor", "--help"], ["doctor", "-h"]):
        result = run(*words)
        assert result.returncode == 0 and "--errors" in result.stdout, result


def main():
    if sys.argv[2:] == ["--write"]:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.write(run("doctor", "--errors").stdout)
        return
    tests = [the_table_is_that_of_errors_txt, json_says_the_same, wrong_use_is_refused, help_is_printed]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except Exception as problem:  # whatever it is, it is told
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("\n".join("# " + line for line in str(problem).splitlines()))
    sys.exit(1 if failed else 0)


main()
