#!/usr/bin/env python3
"""cost.py - what one purchase costs: instructions and allocations of the client, bytes on the wire, round trips, commits.

    ./run bench cost [--only sqlite|mariadb] [--quick | --statements] [--out PATH]

Beside it, what a statement costs with corm and by hand, where all of the client counts ("statements" alone: --statements).

Counted, not timed: by callgrind, by the server (bytes), by corm (round trips, commits); so the figures are the same on a machine that
is busy. Of a read by key, a purchase alone, one with a key, and one in a group; and how it grows with the members of a
group, with those in flight, and with the columns and the width of the row that is inserted. --out writes PATH.json, PATH.csv and
a plot of that growth, PATH.svg.
"""

import argparse
import os
import shutil
import tempfile

import callgrind
import plot
from measure import answers_of, conditions, fail, print_conditions, print_table, program, server_url, write_results

WORKS = {"read": "a row by its key", "single": "a purchase alone", "keyed": "alone, with a key",
         "group": "one of 256 in a group"}


def with_group_max(url, members):
    return f"{url}{'&' if '?' in url else '?'}group_max={members}"


class Cost:
    def __init__(self, target, url, file, quick):
        self.target, self.url, self.file, self.times = target, url, file, 2 if quick else 6
        self.rows, self.beside = [], []  # of purchases; of statements, beside those by hand

    def add(self, section, what, cost, **of):
        self.rows.append({"target": self.target, "section": section, "what": what, **of, **cost})

    def works(self):
        for work, cost in callgrind.costs(program("corm_cost"), self.url, [*WORKS, "holder"], self.times).items():
            self.add("each", WORKS[work], cost)

    def group_size(self):
        for size in (1, 4, 16, 64, 256, 1024):
            costs = callgrind.costs(program("corm_cost"), with_group_max(self.url, size), ["group", "holder"], self.times, "--members", str(size))
            self.add("group size", f"{size} in a group", costs["group"], members=size)

    def in_flight(self):
        for members in (1, 10, 100, 1000, 10000):
            times = 1 if members > 1000 else self.times
            costs = callgrind.costs(program("corm_cost"), self.url, ["group", "holder"], times, "--members", str(members))
            self.add("in flight", f"{members} in flight, groups of 256", costs["group"], members=members)

    def columns(self):
        for columns in (4, 8, 16, 32):
            costs = callgrind.costs(program("corm_cost"), self.url, ["single", "group", "holder"], self.times, "--columns", str(columns))
            for work, cost in costs.items():
                self.add("columns", f"{columns} columns, {WORKS[work]}", cost, columns=columns)

    def width(self):
        for width in (1, 20, 200, 2000):
            costs = callgrind.costs(program("corm_cost"), self.url, ["single", "group", "holder"], self.times, "--width", str(width))
            for work, cost in costs.items():
                self.add("width", f"a text of {width} bytes, {WORKS[work]}", cost, width=width)

    def statements(self):
        """All instructions of the program, beside the same by hand."""
        target = self.url if self.target == "MariaDB" else self.file
        plain = program("plain_statements" if self.target == "MariaDB" else "plain_statements_sqlite")
        ours = f"sqlite:{self.file}" if self.target == "SQLite" else self.url
        answers_of([program("corm_statements"), ours, "prepare", "100000"])
        ways = [] if self.target == "SQLite" else [["array"], ["text"]]
        for what, about, n in (("point", "a row by its key", 1000), ("fetch", "a row of many", 6000),
                               ("bulk", "a row inserted, and made", 10200)):
            count = callgrind.by_difference([program("corm_statements"), ours, what, "0"], 3, n)
            self.beside.append((about, "corm", count, count))
            for way in ways if what == "bulk" and ways else [[]]:
                by_hand = callgrind.by_difference([plain, target, what, "0", *way], 3, n)
                self.beside.append((about, " ".join(["by hand", *way]), by_hand, count))

    def show_beside(self):
        print_table(f"{self.target}: instructions of the whole client", [("", "", "instructions", "corm makes")] + [
            (about, who, f"{count:,.0f}", "" if who == "corm" else f"{ours / count:.2f} of them")
            for about, who, count, ours in self.beside], 2)

    def show(self):
        head = ("", "instructions of corm", "of the library", "allocations", "of the library", "bytes up", "down", "trips",
                "commits")
        for section in dict.fromkeys(row["section"] for row in self.rows):
            rows = [row for row in self.rows if row["section"] == section]
            print_table(f"{self.target}: {section}", [head] + [
                (row["what"], f"{row['corm_instructions']:,.0f}", f"{row['library_instructions']:,.0f}",
                 f"{row['corm_allocations']:.2f}", f"{row['library_allocations']:.2f}", f"{row['bytes_up']:.1f}",
                 f"{row['bytes_down']:.1f}", f"{row['round_trips']:.3f}", f"{row['commits']:.4f}") for row in rows])


def growth(rows):
    """The instructions of corm and of the client library, over what they may grow with: for plot.picture()."""
    panels = []
    for section, key, title in (("group size", "members", "members of a group"), ("in flight", "members", "in flight"),
                                ("columns", "columns", "columns of the row"), ("width", "width", "bytes of a text")):
        some = [row for row in rows if row["section"] == section]
        labels, series = sorted({row[key] for row in some}), {}
        for row in some:
            alone = row["what"].endswith(WORKS["single"])
            values = series.setdefault(f"{row['target']}, {'alone' if alone else 'in a group'}", [None] * len(labels))
            values[labels.index(row[key])] = row["corm_instructions"]
        if series:
            panels.append((title, [f"{label:,}" for label in labels], series))
    return panels


def measure_purchases(cost, quick):
    cost.works()
    if not quick:
        cost.group_size()
        cost.in_flight()
        cost.columns()
        cost.width()


def main():
    parser = argparse.ArgumentParser(description="what one purchase costs, counted")
    parser.add_argument("--only", choices=["sqlite", "mariadb"])
    parser.add_argument("--quick", action="store_true", help="the first table alone")
    parser.add_argument("--statements", action="store_true", help="statements beside those by hand alone")
    parser.add_argument("--out", help="also write PATH.json and PATH.csv", metavar="PATH")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        fail("valgrind is needed: it counts")
    urls = {"SQLite": "sqlite::memory:"} if options.only != "mariadb" else {}
    if options.only != "sqlite":
        urls["MariaDB"] = server_url()
    facts, rows = conditions("MariaDB" in urls), []
    print_conditions(facts)
    with tempfile.TemporaryDirectory() as folder:
        for target, url in urls.items():
            cost = Cost(target, url, os.path.join(folder, "cost.db"), options.quick)
            if not options.statements:
                measure_purchases(cost, options.quick)
                cost.show()
            if not options.quick:
                cost.statements()
                cost.show_beside()
            rows += cost.rows + [{"target": target, "section": "statements", "what": f"{about}, {who}",
                                  "client_instructions": count} for about, who, count, _ in cost.beside]
    if options.out:
        write_results(options.out, facts, rows)
        if panels := growth(rows):
            with open(options.out + ".svg", "w", encoding="utf-8") as file:
                file.write(plot.picture("corm's instructions for a purchase", panels))


main()
