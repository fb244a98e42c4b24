"""callgrind.py - runs a program under callgrind, and says who has spent what.

The program does works one after the other, each in a call of its function measured() (corm_cost.c); callgrind
begins to count when it is entered and writes a file when it is left. What libc does is counted for who has called it: so an
allocation is of the library that wanted it. Nothing here depends on time, or on what else the machine does.
"""

import collections
import glob
import json
import os
import re
import subprocess
import tempfile

LIBC = re.compile(r"/(libc|ld|ld-linux[^/]*|libm|libpthread)(-[\d.]+)?\.so")
OWNERS = (("corm", re.compile(r"/libcorm\.so")), ("client library", re.compile(r"/lib(mariadb|mysqlclient|sqlite3)\.so")))
ALLOCATING = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")


class Failed(Exception):
    pass


def owner_of(binary):
    return next((name for name, pattern in OWNERS if pattern.search(binary)), "the program")


class Spent:
    """What was spent between two points: instructions and allocations, by owner."""

    def __init__(self):
        self.instructions = collections.Counter()
        self.allocations = collections.Counter()
        self.functions = collections.Counter()  # of corm's own, by name: where it goes


class Names:
    """The format writes a name once, and later its number alone."""

    def __init__(self):
        self.known = {"ob": {}, "fn": {}}

    def read(self, kind, text):
        number, name = re.match(r"\((\d+)\)(?: (.*))?$", text).groups()
        if name is not None:
            self.known[kind][number] = name
        return self.known[kind][number]


def read(path):
    """One file of callgrind's (https://valgrind.org/docs/manual/cl-format.html), with one kind of event."""
    spent, names = Spent(), Names()
    binary = function = called_binary = called = ""
    call, calls = False, 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, equals, value = line.rstrip("\n").partition("=")
            if equals and key == "ob":
                binary = names.read("ob", value)
            elif equals and key == "fn":
                function, called_binary = names.read("fn", value), binary
            elif equals and key == "cob":
                called_binary = names.read("ob", value)
            elif equals and key == "cfn":
                called = names.read("fn", value)
            elif equals and key == "calls":
                call, calls = True, int(value.split()[0])
                if not LIBC.search(binary) and called.split("'")[0] in ALLOCATING:
                    spent.allocations[owner_of(binary)] += calls
            elif line[:1] in "0123456789+-*":
                cost = 0 if call and calls == 0 else int(line.split()[-1])  # not returned: it is in its parts
                if not LIBC.search(binary) and (not call or LIBC.search(called_binary)):
                    spent.instructions[owner_of(binary)] += cost
                    if owner_of(binary) == "corm":
                        spent.functions[called if call else function] += cost
                if call:
                    call, called_binary = False, binary
    return spent


def plain_environment():
    """meson has tests fill what they allocate, which would be counted."""
    return {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}


def count(command, seconds=600):
    """What the program has printed, and what was spent in each call of measured(), in order."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--zero-before=measured",
             "--dump-after=measured", "--compress-pos=no", *command],
            capture_output=True, text=True, timeout=seconds, env=plain_environment())
        if done.returncode != 0:
            raise Failed(f"{os.path.basename(command[0])} under callgrind ended with {done.returncode}: "
                         f"{done.stderr[-800:]}")
        files = sorted(glob.glob(glob.escape(out) + ".*"), key=lambda name: int(name.rpartition(".")[2]))
        return done.stdout, [read(name) for name in files]


def costs(program, url, works, times, *options):
    """{work: what one costs} of corm_cost; the holder, which is one of the works then, is taken off the group."""
    out, spent = count([program, "--url", url, "--times", str(times), "--works", ",".join(works), *options])
    found, made = {}, {}
    for line, one in zip(out.splitlines(), spent[1::2]):  # each work runs once before, to prepare
        row = json.loads(line)
        made[row["work"]] = row["n"], row["rounds"]
        found[row["work"]] = {
            "corm_instructions": one.instructions["corm"], "library_instructions": one.instructions["client library"],
            "corm_allocations": one.allocations["corm"], "library_allocations": one.allocations["client library"],
            "bytes_up": row["bytes_up"], "bytes_down": row["bytes_down"],
            "round_trips": row["round_trips"], "commits": row["commits"]}
    holder = found.pop("holder", None)
    for work, cost in found.items():
        n, rounds = made[work]
        for name in cost:
            less = holder[name] * rounds / made["holder"][1] if work == "group" else 0
            cost[name] = round(max(cost[name] - less, 0) / n, 4)
    return found


def by_difference(command, place, n):
    """Instructions of the whole program for one of n: what it takes for more of them, less what it takes for fewer. The
    number stands at `place` in the command."""
    counts = []
    for times in (n // 6, n + n // 6):
        whole = command[:place] + [str(times)] + command[place + 1:]
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *whole],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=600,
                              env=plain_environment())
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            raise Failed(f"{os.path.basename(command[0])} under callgrind: {done.stderr[-500:]}")
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / n
