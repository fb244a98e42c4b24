#!/usr/bin/env python3
"""bench.py - corm beside its rivals, on one machine in one run.

    ./run bench                        corm and its rivals: races, a hot row, 1,000 products, one caller alone, reads, bulk
                                       inserts and fetches, on MariaDB and on SQLite; under ten minutes
    ./run bench --quick                the same in under a minute: does it work? (no figures worth keeping)
    ./run bench hot point              these workloads; or sets of them: rivals groups statements trips trouble
    ./run bench list                   what there is
    ./run bench --with-node            also the libraries of Node in bench/node/package.json, which npm installs into build/;
                                       under thirty minutes
    ./run bench --out PATH             also writes PATH.json and PATH.csv

A round runs each contestant of a workload once, one after the other, each round beginning with another one; the first
round warms up. Rates are medians of the rounds. The first contestant of a table is the one that the others are compared with: of the
rounds' ratios the median counts, and least and greatest stand beside it. After each run the tables are read back: where they disagree with
what was told, or a purchase failed, there are no figures at all. Nothing asserts on time. bench/README.md tells more.
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

from measure import (BUILD, answers_of, conditions, fail, print_conditions, print_table, program, server_url, shown,
                     write_results)

POINTS, ROWS = 20000, 100000
IN_NODE = ("tspace-mysql", "mysql2, prepared", "mysql2, text", "sequelize", "typeorm")
PROXY_DELAY_US = 500  # one way
# Their programs, the package they are built with, and how many connections suit a hot row best.
LIBRARIES = {"libzdb": ("zdb", "libzdb-dev", 4), "SOCI": ("soci", "libsoci-dev", 16)}


def was_built(name):
    return os.path.exists(os.path.join(BUILD, "bench", name))


class Contestant:
    def __init__(self, name, command, missing=None):
        self.name, self.command, self.missing = name, command, missing


# ---- Contestants ------------------------------------------------------------------------------------


class Field:
    """Who takes part, and with what; `less` divides the work of a quick run; `node`: what node_rivals() gave."""

    def __init__(self, folder, less, node):
        self.folder, self.less, self.node = folder, less, node

    def url(self, target):
        return server_url() if target == "mariadb" else f"sqlite:{self.folder}/corm.db"

    def purchases(self, name, what, purchases, *options):
        count = max(purchases // self.less, 100)
        return Contestant(name, [program(what), *options, "--purchases", str(count), "--json"])

    def corm(self, target, purchases, *options):
        return self.purchases("corm", "corm_group", purchases, "--url", self.url(target), *options)

    def lock(self, target, purchases, buyers):
        count = max(purchases // self.less, 100)
        return Contestant("corm, each alone", [
            program("corm"), "race", "--mode", "lock", "--url", self.url(target), "--buyers", str(buyers), "--connections",
            str(max(buyers, 2)), "--purchases", str(count), "--stock", str(30 * count), "--replace", "--json"])

    def plain(self, how, connections, purchases, *options):
        return self.purchases(f"Connector/C, {how}", "plain_purchase", purchases, "--url", server_url(), "--how", how,
                              "--connections", str(connections), *options)

    def groups(self, connections, purchases, *options):
        return self.purchases(f"Connector/C, groups by hand, {connections} link{'s'[:connections - 1]}", "plain_group",
                              purchases, "--url", server_url(), "--connections", str(connections), *options)

    def sqlite(self, name, group, purchases, *options):
        return self.purchases(name, "sqlite_group", purchases, "--file", f"{self.folder}/hand.db", "--group", str(group),
                              *options)

    def libraries(self, purchases, connections, *options):
        return [self.purchases(name, what + "_purchase", purchases, "--url", server_url(), "--connections", str(count), *options)
                if was_built(what + "_purchase") else Contestant(name, None, f"{package} was not there when corm was built")
                for name, (what, package, most) in LIBRARIES.items() for count in [min(most, connections)]]

    def in_node(self, purchases, *options):
        folder, missing = self.node
        if missing:
            return [Contestant("what is in Node", None, missing)]
        return [Contestant(name, ["node", os.path.join(folder, "purchase.js"), "--url", server_url(), "--orm", name, *options,
                                  "--purchases", str(max(purchases // self.less, 100)), "--json"]) for name in IN_NODE]

    def statements_in_node(self, what, rows):
        folder, missing = self.node
        if missing:
            return [Contestant("what is in Node", None, missing)]
        return [Contestant(name, ["node", os.path.join(folder, "statements.js"), server_url(), what, str(rows), name])
                for name in IN_NODE]

    def statement(self, name, what, *words):
        if name in LIBRARIES and not was_built(what):
            return Contestant(name, None, f"{LIBRARIES[name][1]} was not there when corm was built")
        return Contestant(name, [program(what), *words])


def node_rivals(wanted):
    """The folder of the programs in Node with what they need, and why there is none; installs it where it is not there."""
    source, folder = os.path.join(os.path.dirname(__file__), "node"), os.path.join(BUILD, "bench", "node")
    if not wanted:
        return None, "./run bench --with-node installs and runs it"
    if not shutil.which("npm") or not shutil.which("node"):
        return None, "node and npm are not there"
    same = os.path.exists(os.path.join(folder, "node_modules")) and manifest(folder) == manifest(source)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if not same:
        print("installing what is in bench/node/package.json", file=sys.stderr, flush=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"], cwd=folder,
                              check=False, timeout=600, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            shutil.rmtree(os.path.join(folder, "node_modules"), ignore_errors=True)
            return None, "npm could not install it"
    return folder, None


def manifest(folder):
    with open(os.path.join(folder, "package.json"), encoding="utf-8") as file:
        return file.read()


# ---- Workloads: each gives its title and its contestants --------------------------------------------------


def with_rivals(field, options, ours, theirs):
    """Many at once on the server; the programs without groups make fewer purchases, or they would take minutes."""
    return [field.corm("mariadb", ours, *options), field.groups(1, ours, *options), field.groups(2, ours, *options),
            field.plain("prepared", 16, theirs, *options), field.plain("text", 16, theirs, *options),
            *field.libraries(theirs, 16, *options), *field.in_node(theirs, *options)]


def race_options(races):
    return ["--products", str(races), "--stock", "5000", "--in-turn"]


def race(field):
    races = 100 if field.less == 1 else 4
    contestants = with_rivals(field, race_options(races), 500 * 100, 500 * 100)
    few = race_options(max(races // 20, 1))  # as many for each product, but fewer products
    for one in contestants[3:]:
        if one.command:
            count = one.command.index("--purchases") + 1
            one.command[count] = str(500 * max(races // 20, 1))
            one.command[one.command.index("--products") + 1] = few[1]
    return "100 races in a row (5 of those without groups): 500 buyers of 1 to 30 pieces, 5,000 in stock", contestants


def hot(field):
    return "one hot row without limit, 500 in flight", with_rivals(field, [], 200000, 2000)


def random(field):
    return "1,000 products at random, 500 in flight", with_rivals(field, ["--products", "1000"], 100000, 3000)


def alone(field):
    return "one caller alone", [
        field.lock("mariadb", 600, 1), field.purchases("corm, with a key", "corm_group", 600, "--url", server_url(),
                                                        "--in-flight", "1"),
        field.plain("prepared", 1, 600), field.plain("text", 1, 600), *field.libraries(600, 1),
        *field.in_node(600, "--in-flight", "1")]


def sqlite_race(field):
    options = race_options(100 if field.less == 1 else 4)
    return "100 races in a row: 500 buyers of 1 to 30 pieces, 5,000 in stock", [
        field.corm("sqlite", 500 * 100, *options), field.sqlite("sqlite3, groups by hand", 256, 500 * 100, *options)]


def sqlite_hot(field):
    return "one hot row without limit, 500 in flight", [
        field.corm("sqlite", 200000), field.sqlite("sqlite3, groups by hand", 256, 200000),
        field.sqlite("sqlite3", 1, 2000)]


def sqlite_random(field):
    options = ["--products", "1000"]
    return "1,000 products at random, 500 in flight", [
        field.corm("sqlite", 100000, *options), field.sqlite("sqlite3, groups by hand", 256, 100000, *options),
        field.sqlite("sqlite3", 1, 2000, *options)]


def sqlite_alone(field):
    return "one caller alone", [field.lock("sqlite", 1000, 1), field.purchases(
        "corm, with a key", "corm_group", 1000, "--url", field.url("sqlite"), "--in-flight", "1"),
        field.sqlite("sqlite3", 1, 1000)]


def statements(target, what, n):
    titles = {"point": f"{n:,} rows, each by its key", "fetch": f"{n:,} rows into structs",
              "bulk": f"{n:,} rows inserted in one transaction"}

    def contestants(field):
        count = max(n // field.less, 1000)
        ours = field.statement("corm", "corm_statements", field.url(target), what, str(count))
        answers_of([program("corm_statements"), field.url(target), "prepare", str(ROWS)])
        if target == "sqlite":  # both on one file
            return titles[what], [ours, field.statement("sqlite3", "plain_statements_sqlite", f"{field.folder}/corm.db", what,
                                                        str(count))]
        by_hand = [program("plain_statements"), server_url(), what, str(count)]
        rivals = [Contestant("Connector/C", by_hand)] if what != "bulk" else [
            Contestant("Connector/C, array", by_hand + ["array"]), Contestant("Connector/C, text", by_hand + ["text"])]
        rows = {"point": count // 4, "fetch": count, "bulk": count // 50}[what]  # it is slower by so much
        return titles[what], [ours, *rivals, field.statement("libzdb", "zdb_statements", server_url(), what, str(rows)),
                              field.statement("SOCI", "soci_statements", server_url(), what,
                                              str(count // 10 if what == "bulk" else count)),
                              *field.statements_in_node(what, {"fetch": count}.get(what, count // 10))]

    return contestants


def ways(target):
    def contestants(field):
        count = max(3000 // field.less, 100)
        return "one buyer alone: without a key, with one, by a ticket, in turn; rates of the median times", [
            Contestant(None, [program("corm_alone"), "--url", field.url(target), "--purchases", str(count)])]

    return contestants


def steps(target):
    def contestants(field):
        return "one hot row, so many in flight", [
            field.purchases(f"{n:,}", "corm_group", min(3000 * n, 200000), "--url", field.url(target), "--in-flight",
                            str(n)) for n in (1000, 1, 10, 100, 10000)]

    return contestants


def trips(buyers, far):
    def contestants(field):
        count = (60 if far else 400) * (3 if buyers > 1 else 1) * 5
        title = "one purchase at a time" if buyers == 1 else f"{buyers} buyers, one hot row"
        return title + (", 1 ms round trips" if far else ""), [
            field.lock("mariadb", count, buyers), field.plain("prepared", buyers, count),
            field.plain("text", buyers, count)]

    return contestants


def refusals(field):
    url = server_url() + "?group_max=256"
    return "1 % are refused by their function, 500 in flight", [
        field.purchases("none", "corm_group", 50000, "--url", url),
        field.purchases("1 %", "corm_group", 50000, "--url", url, "--refused-percent", "1")]


def duplicates(field):
    made = []
    for size in (256, 64):
        url = f"{server_url()}?group_max={size}"
        made += [field.purchases(f"none, groups of {size}", "corm_group", 20000, "--url", url),
                 field.purchases(f"1 %, groups of {size}", "corm_group", 20000, "--url", url, "--duplicate-percent", "1")]
    return "1 % fail by a unique key, 500 in flight", made


WORKLOADS = {
    "race": race, "hot": hot, "random": random, "alone": alone,
    "point": statements("mariadb", "point", POINTS), "fetch": statements("mariadb", "fetch", ROWS),
    "bulk": statements("mariadb", "bulk", ROWS),
    "sqlite-race": sqlite_race, "sqlite-hot": sqlite_hot, "sqlite-random": sqlite_random, "sqlite-alone": sqlite_alone,
    "sqlite-point": statements("sqlite", "point", POINTS), "sqlite-fetch": statements("sqlite", "fetch", ROWS),
    "sqlite-bulk": statements("sqlite", "bulk", ROWS),
    "ways": ways("mariadb"), "sqlite-ways": ways("sqlite"), "steps": steps("mariadb"), "sqlite-steps": steps("sqlite"),
    "near-1": trips(1, False), "near-16": trips(16, False), "far-1": trips(1, True), "far-16": trips(16, True),
    "refusals": refusals, "duplicates": duplicates,
}
SETS = {
    "rivals": list(WORKLOADS)[:14],
    "groups": ["hot", "random", "sqlite-hot", "ways", "sqlite-ways", "steps", "sqlite-steps"],
    "statements": [name for name in WORKLOADS if name.rpartition("-")[2] in ("point", "fetch", "bulk")],
    "trips": ["near-1", "near-16", "far-1", "far-16"],
    "trouble": ["refusals", "duplicates"],
}


# ---- A link that is far: every chunk is late, and turns are counted ----------------------------------------


class Proxy:
    def __init__(self):
        rest = server_url().rpartition("@")[2]
        self.process = subprocess.Popen([os.path.join(BUILD, "tests", "proxy"), "--to", rest.partition("/")[0], "--delay-us",
                                         str(PROXY_DELAY_US)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, _, port = self.process.stdout.readline().partition(" ")
        if word != "port":
            fail("the proxy did not start")
        self.address, self.direct = f"127.0.0.1:{port.strip()}", rest.partition("/")[0]

    def through(self, command):
        return [part.replace(self.direct, self.address) if "://" in part else part for part in command]

    def turns(self):
        """How often the server has answered after a client had spoken."""
        self.process.stdin.write("counts\n")
        self.process.stdin.flush()
        return int(re.search(r"turns (\d+)", self.process.stdout.readline())[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


# ---- Rounds ---------------------------------------------------------------------------------------------


def check(command, answer):
    """No figures of what went wrong."""
    if "invariant" in answer:
        refuses = any(word in command for word in ("--in-turn", "--refused-percent", "--duplicate-percent"))
        right = (answer["invariant"] is True and answer["failed"] == 0 and (refuses or answer["refused"] == 0)
                 and answer["bought"] + answer["refused"] == answer["purchases"])
        if not right:
            fail(f"{shown(command)}: the tables disagree with what was told, or not all were served")


def rate_of(answer):
    return answer["purchases_per_second"] if "purchases_per_second" in answer else answer["n"] / answer["seconds"]


def run_one(contestant, proxy):
    """The rows of one run: most programs give one."""
    command = proxy.through(contestant.command) if proxy else contestant.command
    before = proxy.turns() if proxy else 0
    rows = []
    for answer in answers_of(command):
        check(command, answer)
        row = {"contestant": contestant.name or answer["how"], "rate": round(rate_of(answer), 1),
               "n": answer.get("purchases", answer.get("n"))}
        for name in ("p50_ms", "p99_ms", "sum"):
            if name in answer:
                row[name] = answer[name]
        if proxy:
            row["turns"] = round((proxy.turns() - before) / row["n"], 3)
        rows.append(row)
    return rows


def check_sums(rows):
    """Who has done as much has read, or written, the same."""
    for n in {row["n"] for row in rows}:
        if len({row["sum"] for row in rows if row["n"] == n and "sum" in row}) > 1:
            fail("not all contestants have read, or written, the same")


def measure(name, field, rounds, warm):
    title, contestants = WORKLOADS[name](field)
    present = [one for one in contestants if one.missing is None]
    proxy = Proxy() if name.startswith("far-") else None
    rows = []
    for number in range(1 - warm, rounds + 1):
        turn = number % len(present)
        found = [row for one in present[turn:] + present[:turn] for row in run_one(one, proxy)]
        check_sums(found)
        if number > 0:
            rows += [{"workload": name, "round": number, **row} for row in found]
    if proxy:
        proxy.close()
    order = [one.name for one in contestants]
    rows.sort(key=lambda row: (row["round"], order.index(row["contestant"]) if row["contestant"] in order else 0))
    show(name, title, rows, [one for one in contestants if one.missing])
    return rows


def cell(values, digits):
    return f"{statistics.median(values):,.{digits}f}" if values else "-"


def show(name, title, rows, missing):
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    of = {who: [row for row in rows if row["contestant"] == who] for who in names}
    table = [("", "a second", "least - most", "p50 ms", "p99 ms", "turns", f"{names[0]} is")]
    for who in names:
        rates = [row["rate"] for row in of[who]]
        ratios = [ours["rate"] / row["rate"] for ours, row in zip(of[names[0]], of[who])]
        table.append((who, cell(rates, 0), f"{min(rates):,.0f} - {max(rates):,.0f}",
                      *[cell([row[key] for row in of[who] if key in row], digits)
                        for key, digits in (("p50_ms", 3), ("p99_ms", 3), ("turns", 2))],
                      "" if who == names[0] else
                      f"{statistics.median(ratios):.2f} of it ({min(ratios):.2f} - {max(ratios):.2f})"))
    keep = [i for i in range(len(table[0])) if i == 0 or any(line[i] != "-" for line in table[1:])]
    target = "SQLite" if name.startswith("sqlite-") else "MariaDB"
    print_table(f"{name}: {target}, {title}", [tuple(line[i] for i in keep) for line in table])
    for one in missing:
        print(f"  {one.name} is left out: {one.missing}", flush=True)


def workloads_of(words):
    names = []
    for word in words or ["rivals"]:
        if word not in SETS and word not in WORKLOADS:
            fail(f"there is no workload {word}; ./run bench list tells which there are")
        names += SETS.get(word, [word])
    return list(dict.fromkeys(names))


def list_all():
    for name, members in SETS.items():
        print(f"{name:12} {' '.join(members)}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--with-node", action="store_true")
    parser.add_argument("--out", metavar="PATH")
    parser.add_argument("--only", choices=["sqlite", "mariadb"])
    options = parser.parse_args()
    if options.workloads == ["list"]:
        list_all()
        return
    names = [name for name in workloads_of(options.workloads)
             if options.only in (None, "sqlite" if name.startswith("sqlite-") else "mariadb")]
    if options.rounds < 1 or not names:
        fail("nothing is left to be measured")
    facts, rows = conditions(any(not name.startswith("sqlite-") for name in names)), []
    node = node_rivals(options.with_node)
    if node[0]:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        facts["node"] = {"node": version, **json.loads(manifest(node[0]))["dependencies"]}
    print_conditions(facts)
    with tempfile.TemporaryDirectory() as folder:
        field = Field(folder, 20 if options.quick else 1, node)
        for name in names:
            rows += measure(name, field, 1 if options.quick else options.rounds, 0 if options.quick else 1)
    if options.out:
        write_results(options.out, facts, rows)


main()
