#!/usr/bin/env python3
"""coverage.py FOLDER - say how much of src/ the tests have run.

FOLDER is a build folder with -Db_coverage=true in which tests have run. Counts lines and branches of
src/ by gcovr: of all of it, of each layer, and of the table that says what runs again; then the ten
worst files, and where the details are. Branches that only an assert() has do not count: they cannot be
taken.
"""

import json
import os
import subprocess
import sys

PARTS = ("src/", "src/base/", "src/schema/", "src/sql/", "src/driver/", "src/pool/", "src/trx/",
         "src/trx/retry.c", "src/route/", "src/api/", "src/cli/")
WORST = 10


def ask_gcovr(folder):
    details = os.path.join(folder, "coverage", "index.html")
    os.makedirs(os.path.dirname(details), exist_ok=True)
    output = subprocess.run(
        ["gcovr", "--root", ".", "--object-directory", folder, "--filter", "src/",
         "--exclude-branches-by-pattern", r".*\bassert\(.*", "--json-summary", "-",
         "--html-details", details, folder],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)["files"], details


def share(covered, total):
    return f"{covered:6d} of {total:6d} {100 * covered / total if total else 100:6.1f} %"


def line(name, files):
    def total(field):
        return sum(f[field] for f in files)

    return (f"{name:32s} lines {share(total('line_covered'), total('line_total'))}"
            f"   branches {share(total('branch_covered'), total('branch_total'))}")


def main():
    files, details = ask_gcovr(sys.argv[1])
    for part in PARTS:
        print(line(part, [f for f in files if f["filename"].startswith(part)]))
    print(f"\nthe {WORST} files with the smallest share of branches:")
    with_branches = [f for f in files if f["branch_total"] > 0]
    with_branches.sort(key=lambda f: f["branch_covered"] / f["branch_total"])
    for f in with_branches[:WORST]:
        print(line(f["filename"], [f]))
    print(f"\nline by line: {details}")


if len(sys.argv) != 2:
    sys.exit(__doc__)
main()
