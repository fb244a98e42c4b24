#!/usr/bin/env python3
"""instructions.py PROGRAM [--write] - what a purchase and a read cost the client does not grow unseen.

Counts, it does not time: callgrind's instructions of corm and of libc on its behalf, and with those of the client library,
which on SQLite is all of it; corm's allocations, round trips and bytes on the wire; of a row read by its key, of a purchase alone, without a key and with one, and of one of
256 that share a transaction of the server; on SQLite and, where CORM_TEST_MARIADB_URL is set, on MariaDB. PROGRAM is bench/corm_cost. Compares
with instructions.txt: 20 % more instructions or bytes, one more round trip a purchase, or any allocation more, is
a failure. So is a read of SQLite in memory, the shortest there is, that takes 2 % more where operations are timed (stats=on). The libraries are those of Debian 12; another version of them may spend something else. Prints
TAP; --write makes instructions.txt anew instead, for what a change has to cost, or saves.
"""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "instructions.txt")
MORE = 1.20  # so much of what is kept is a failure
TIMED_MORE = 1.02  # so much of a read's, where operations are timed
TIMES = 4
WORKS = ("read", "single", "keyed", "group", "holder")
COLUMNS = ("instructions of corm", "of the client", "allocations", "trips", "bytes")
HEAD = """\
# What one costs the client; tests/instructions.py says what and how. Made by an optimised build of gcc on x86-64
# (debugoptimized), with what the holder costs taken off `group`.
#
# target  work              corm        client allocations    trips    bytes
"""

sys.path.insert(0, os.path.join(HERE, "..", "bench"))
sys.dont_write_bytecode = True
import callgrind  # noqa: E402


def costs_of(program, target, url):
    """{(target, work): [a cost for each of COLUMNS]}"""
    return {(target, work): [cost["corm_instructions"], cost["corm_instructions"] + cost["library_instructions"],
                             cost["corm_allocations"], cost["round_trips"], cost["bytes_up"] + cost["bytes_down"]]
            for work, cost in callgrind.costs(program, url, WORKS, TIMES).items()}


def timed_cost(program, url):
    """Instructions and allocations of a read, without and with stats=on."""
    def client(url):
        cost = callgrind.costs(program, url, ("read",), TIMES)["read"]
        return cost["corm_instructions"] + cost["library_instructions"], cost["corm_allocations"]
    return client(url), client(url + "?stats=on")


def check_timed(number, program):
    """Whether it passes. Where nothing waits: what a server's answers cost varies by more than that."""
    (plain, _), (timed, allocations) = timed_cost(program, "sqlite::memory:")
    passes = plain < timed <= plain * TIMED_MORE and allocations == 0  # a switch that does nothing costs nothing
    print(f"{'ok' if passes else 'not ok'} {number} - a read that is timed costs 2 % more at most")
    print(f"# {plain:.0f} instructions without, {timed:.0f} with: {(timed / plain - 1) * 100:.2f} % more")
    return passes


def read_kept():
    kept = {}
    with open(KEPT, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                target, work, *costs = line.split()
                kept[target, work] = [float(cost) for cost in costs]
    return kept


def text_of(costs):
    lines = [f"{target:9} {work:8} {c[0]:13.1f} {c[1]:13.1f} {c[2]:11.3f} {c[3]:8.4f} {c[4]:8.2f}\n"
             for (target, work), c in costs.items()]
    return HEAD + "".join(lines)


def limits_of(kept):
    """The most that passes."""
    return [kept[0] * MORE, kept[1] * MORE, kept[2] + 0.01, kept[3] + 0.01, kept[4] * MORE]


def judge(kept, found):
    """What is too much, a sentence each."""
    return [f"{column}: {now:.4g}, and {was:.4g} are kept; {limit:.4g} would pass"
            for column, was, now, limit in zip(COLUMNS, kept, found, limits_of(kept)) if now > limit]


def check_judge():
    """A check that lets everything pass would not be seen otherwise."""
    kept = [1000, 3000, 0, 2, 100]
    assert judge(kept, [1199, 3599, 0, 2, 119]) == []
    for column, much in enumerate((1201, 3601, 1, 2.5, 121)):
        worse = [*kept[:column], much, *kept[column + 1:]]
        assert [text.split(":")[0] for text in judge(kept, worse)] == [COLUMNS[column]], worse


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    if len(words) != 1:
        sys.exit(__doc__)
    if not shutil.which("valgrind"):
        sys.exit("instructions.py: valgrind is needed") if "--write" in sys.argv else print("1..0 # SKIP no valgrind")
        return
    server = os.environ.get("CORM_TEST_MARIADB_URL")
    costs = costs_of(words[0], "sqlite", "sqlite::memory:")
    if server:
        costs.update(costs_of(words[0], "mariadb", server))
    if "--write" in sys.argv:
        if not server:
            sys.exit("instructions.py: to write the table it runs under scripts/with-mariadb")
        with open(KEPT, "w", encoding="utf-8") as file:
            file.write(text_of(costs))
        return
    check_judge()
    kept = read_kept()
    failed = 0
    print(f"1..{len(costs) + 1}")
    for number, (name, found) in enumerate(costs.items(), 1):
        wrong = judge(kept[name], found) if name in kept else ["it is not in instructions.txt"]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {' '.join(name)} costs what is kept")
        for text in wrong:
            print(f"# {text}")
        if not wrong and found[0] * MORE < kept[name][0]:
            print(f"# {found[0]:.0f} instructions, far less than the {kept[name][0]:.0f} that are kept")
    failed += not check_timed(len(costs) + 1, words[0])
    print("# " + text_of(costs).replace("\n", "\n# "))
    if failed:
        print("# where it has to cost that: scripts/with-mariadb tests/instructions.py build/bench/corm_cost --write")
        sys.exit(1)


if __name__ == "__main__":
    main()
