#!/usr/bin/env python3
"""Turns the raw lines of bench/run into a table a scene: report.py RAW_FILE

A line is {"scene", "title", "round", "program", "turns", "run"}, where "run" is what the program
printed and "turns" what the proxy counted on the wire (null without a proxy). Nothing is said
about speed unless every run is whole: no purchase failed or was refused, the invariant holds,
and all programs of a scene made the same number of purchases. Ends with 1 otherwise.
"""
import json
import sys
from statistics import median

PLAIN = ("text", "prepared")


def fail(message):
    sys.exit(f"report: {message}")


def read_lines(path):
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                lines.append(json.loads(text))
            except ValueError as error:
                fail(f"line {number} is not JSON: {error}")
    if not lines:
        fail("there are no runs")
    return lines


def check(line):
    run = line["run"]
    where = f"scene {line['scene']}, round {line['round']}, {line['program']}"
    if run["invariant"] is not True:
        fail(f"{where}: the invariant does not hold")
    if run["failed"] != 0 or run["refused"] != 0 or run["bought"] != run["purchases"]:
        fail(f"{where}: of {run['purchases']} purchases {run['bought']} were made, "
             f"{run['refused']} refused, {run['failed']} failed")
    if run.get("oversold", 0) != 0:
        fail(f"{where}: {run['oversold']} pieces oversold")


def by_program(lines):
    """{program: {round: line}} in the order in which the programs first ran."""
    programs = {}
    for line in lines:
        programs.setdefault(line["program"], {})[line["round"]] = line
    return programs


def rates(rounds):
    return {r: line["run"]["purchases_per_second"] for r, line in rounds.items()}


def ratios(programs, name):
    """Of each round: this program's rate / that of the better plain program of the same round."""
    plain = [rates(programs[p]) for p in PLAIN if p in programs]
    if name in PLAIN or not plain:
        return []
    return [rate / max(p[r] for p in plain) for r, rate in rates(programs[name]).items()
            if all(r in p for p in plain)]


def per_purchase(rounds, get):
    values = [get(line) / line["run"]["purchases"] for line in rounds.values()
              if get(line) is not None]
    return f"{median(values):.2f}" if values else "-"


def row(programs, name):
    rounds = programs[name]
    rate = list(rates(rounds).values())
    ratio = ratios(programs, name)
    spread = f"{median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f})" if ratio else "-"
    return (("corm " if name not in PLAIN else "plain ") + name, f"{median(rate):.0f}",
            f"{min(rate):.0f}-{max(rate):.0f}",
            f"{median(line['run']['p50_ms'] for line in rounds.values()):.2f}",
            f"{median(line['run']['p99_ms'] for line in rounds.values()):.2f}",
            per_purchase(rounds, lambda line: line["run"].get("round_trips")),
            per_purchase(rounds, lambda line: line["turns"]), spread)


def print_scene(lines):
    purchases = {line["run"]["purchases"] for line in lines}
    if len(purchases) != 1:
        fail(f"scene {lines[0]['scene']}: not all runs made the same number of purchases")
    programs = by_program(lines)
    rounds = len({line["round"] for line in lines})
    table = [("program", "purchases/s", "min-max", "p50 ms", "p99 ms", "trips", "turns",
              "to the better plain")]
    table += [row(programs, name) for name in programs]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    print(f"\n({lines[0]['scene']}) {lines[0]['title']}: {purchases.pop()} purchases a run, "
          f"{rounds} rounds")
    for line in table:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  " + "  ".join(cells))


def main():
    if len(sys.argv) != 2:
        fail("usage: report.py RAW_FILE")
    lines = read_lines(sys.argv[1])
    try:
        for line in lines:
            check(line)
        for scene in dict.fromkeys(line["scene"] for line in lines):
            print_scene([line for line in lines if line["scene"] == scene])
    except KeyError as error:
        fail(f"a run lacks the key {error}")


main()
