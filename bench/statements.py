#!/usr/bin/env python3
"""statements.py - single statements with corm beside the same by hand: Connector/C and sqlite3.

    scripts/with-mariadb python3 bench/statements.py [--rounds N] [--quick]

Reads of one row by its key, 100,000 rows into structs, and 100,000 rows inserted in one transaction,
on a table of five columns. All programs do the same work on the same table, with the same durability,
and must come to the same sum over all rows. A round runs each program once, each round beginning with
another one; of the rounds' ratios the median counts, and least and greatest stand beside it.

The instructions are those of the program alone, the server's not counted: callgrind's count of 1,200
reads less that of 200, and the like. Where there is no valgrind they are left out. Nothing here asserts on time.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ.get("CORM_BUILD_DIR", "build")
POINTS, ROWS = 20000, 100000


def fail(why):
    sys.exit(f"statements.py: {why}")


def program(name):
    return os.path.join(BUILD, "bench", name)


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0:
        fail(f"{os.path.basename(command[0])} {' '.join(command[2:])} has failed")
    return json.loads(done.stdout)


def interleaved(rounds, contestants):
    """Seconds of each, round by round."""
    names = list(contestants)
    seconds = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        sums = set()
        for name in names[turn:] + names[:turn]:
            answer = run(contestants[name])
            sums.add((answer["n"], answer["sum"]))
            if number > 0:  # the first round warms up
                seconds[name].append(answer["seconds"])
        if len(sums) != 1:
            fail(f"not all of {names} have done the same")
    return seconds


def show(title, n, seconds):
    print(f"\n{title}")
    for name, all_of in seconds.items():
        line = f"  {name:24}{n / statistics.median(all_of):12,.0f} rows/s"
        if name != "corm":
            ratios = [plain / corm for plain, corm in zip(all_of, seconds["corm"])]
            line += (
                f"    corm is {statistics.median(ratios):.2f} of it"
                f" ({min(ratios):.2f}-{max(ratios):.2f})"
            )
        print(line)


def instructions(command, n):
    counts = []
    for times in (n // 6, n + n // 6):
        whole = command[:3] + [str(times)] + command[4:]
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"] + whole,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
        )
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            fail("callgrind has failed: " + done.stderr[-500:])
        counts.append(int(found.group(1)))
    return (counts[1] - counts[0]) / n


def count_instructions(title, contestants, n):
    print(f"\ninstructions, {title}")
    counts = {name: instructions(command, n) for name, command in contestants.items()}
    for name, count in counts.items():
        line = f"  {name:24}{count:12,.0f}"
        if name != "corm":
            line += f"    corm makes {counts['corm'] / count:.2f} of them"
        print(line)


def scenes(url, target, plain):
    def corm(what, n):
        return [program("corm_statements"), url, what, str(n)]

    def by_hand(what, n, *how):
        return [program(plain), target, what, str(n), *how]

    insert = {"corm": corm("bulk", ROWS)}
    if url.startswith("sqlite:"):
        insert["by hand"] = by_hand("bulk", ROWS)
    else:
        insert["by hand, array"] = by_hand("bulk", ROWS, "array")
        insert["by hand, text"] = by_hand("bulk", ROWS, "text")
    return {
        "point": {"corm": corm("point", POINTS), "by hand": by_hand("point", POINTS)},
        "fetch": {"corm": corm("fetch", ROWS), "by hand": by_hand("fetch", ROWS)},
        "bulk": insert,
    }


def measure(name, url, target, plain, options):
    run([program("corm_statements"), url, "prepare", str(ROWS)])
    all_of = scenes(url, target, plain)
    titles = {
        "point": f"{name}: {POINTS:,} rows, each by its key",
        "fetch": f"{name}: {ROWS:,} rows into structs",
        "bulk": f"{name}: {ROWS:,} rows inserted in one transaction",
    }
    for what, contestants in all_of.items():
        n = POINTS if what == "point" else ROWS
        show(titles[what], n, interleaved(options.rounds, contestants))
    if shutil.which("valgrind"):
        count_instructions(f"{name}: a row by its key", all_of["point"], 1000)
        count_instructions(f"{name}: a row of many", all_of["fetch"], 6000)
        count_instructions(f"{name}: a row inserted, and made", all_of["bulk"], 10200)
    else:
        print("\nno valgrind: instructions are not counted")


def main():
    parser = argparse.ArgumentParser(description="corm beside statements written by hand")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="2 rounds: does it work?")
    parser.add_argument("--only", choices=["sqlite", "mariadb"])
    options = parser.parse_args()
    if options.quick:
        options.rounds = 2
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "bench.db")
        if options.only != "mariadb":
            measure("SQLite", "sqlite:" + file, file, "plain_statements_sqlite", options)
    url = os.environ.get("CORM_TEST_MARIADB_URL")
    if options.only != "sqlite":
        if not url:
            fail("there is no server: run it under scripts/with-mariadb")
        measure("MariaDB", url, url, "plain_statements", options)


main()
