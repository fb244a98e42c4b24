#!/usr/bin/env python3
"""Turns the raw lines of bench/run into a table a scene: report.py RAW_FILE

A line is {"scene", "title", "round", "program", "by", "turns", "run"}, where "run" is what the
program printed, "by" the figure that is compared, and "turns" what the proxy counted on the wire
(null without a proxy). Nothing is said about speed unless every run is whole: no purchase failed,
none was refused that had not to be, and the invariant holds. Ends with 1 otherwise.
"""
import json
import sys
from statistics import median

PLAIN = ("text", "prepared")
BY_HAND = ("by-hand:1", "by-hand:2")
FLIGHT = ("group:1", "group:10", "group:100", "group:1000", "group:10000")
NAMES = {"by-hand:1": "groups by hand, 1 connection", "by-hand:2": "groups by hand, 2 connections",
         "by-hand-sqlite": "groups by hand", "group-sqlite:500": "corm group", "lock:1": "corm lock",
         "clean:256": "corm, none, group_max=256", "clean:64": "corm, none, group_max=64",
         "refused:256": "corm, 1 % refused", "duplicate:256": "corm, 1 %, group_max=256",
         "duplicate:64": "corm, 1 %, group_max=64"}
REFUSING = ("refused:", "duplicate:")  # corm_group itself knows whom it has to refuse

# (how the others are called, the others): a program is compared to the best of them in its round.
TO_PLAIN = ("the better plain", PLAIN)
TO_GROUPS = [("plain", PLAIN), ("by hand", BY_HAND)]
RIVALS = {"lock": [TO_PLAIN], "guarded": [TO_PLAIN], "group:500": TO_GROUPS,
          "group-sqlite:500": [("by hand", ("by-hand-sqlite",))],
          "refused:256": [("none", ("clean:256",))], "duplicate:256": [("none", ("clean:256",))],
          "duplicate:64": [("none", ("clean:64",))]}


def rivals(scene, name):
    if scene == "alone":
        return [("lock", ("lock:1",))] if name == "group:1" else []
    if scene == "flight":
        before = FLIGHT[:FLIGHT.index(name)]
        return [("the best before", before)] if before else []
    return RIVALS.get(name, [])


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
    some_are_refused = line["program"].startswith(REFUSING)
    if (run["failed"] != 0 or (run["refused"] != 0) != some_are_refused
            or run["bought"] + run["refused"] != run["purchases"]):
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


def figures(rounds):
    return {r: line["run"][line["by"]] for r, line in rounds.items()}


def ratios(programs, name, others):
    """Of each round: this program's figure / that of the best of the others in the same round."""
    there = [figures(programs[p]) for p in others if p in programs]
    if not there:
        return []
    return [figure / max(p[r] for p in there) for r, figure in figures(programs[name]).items()
            if all(r in p for p in there)]


def against(scene, programs, name):
    texts = []
    for title, others in rivals(scene, name):
        ratio = ratios(programs, name, others)
        if ratio:
            texts.append(f"{median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f}) of {title}")
    return ", ".join(texts) or "-"


def per_purchase(rounds, get):
    values = [get(line) / line["run"]["purchases"] for line in rounds.values()
              if get(line) is not None]
    return f"{median(values):.2f}" if values else "-"


def shown(scene, name):
    if name in NAMES:
        return NAMES[name]
    if scene == "flight":
        return "corm group, " + name.split(":")[1] + " in flight"
    return ("plain " if name in PLAIN else "corm ") + name.split(":")[0]


def a_run(rounds, key):
    values = [line["run"].get(key) or 0 for line in rounds.values()]
    return f"{median(values):.1f}" if median(values) > 0 else "-"


def row(scene, programs, name):
    rounds = programs[name]
    rate = [line["run"]["purchases_per_second"] for line in rounds.values()]
    return (shown(scene, name), f"{median(rate):.0f}", f"{min(rate):.0f}-{max(rate):.0f}",
            f"{median(line['run']['p50_ms'] for line in rounds.values()):.3f}",
            f"{median(line['run']['p99_ms'] for line in rounds.values()):.3f}",
            per_purchase(rounds, lambda line: line["run"].get("round_trips")),
            per_purchase(rounds, lambda line: line["turns"]), a_run(rounds, "group_size_mean"),
            a_run(rounds, "runs_mean"), against(scene, programs, name))


def print_scene(lines):
    scene = lines[0]["scene"]
    purchases = sorted({line["run"]["purchases"] for line in lines})
    if len(scene) == 1 and len(purchases) != 1:
        fail(f"scene {scene}: not all runs made the same number of purchases")
    programs = by_program(lines)
    rounds = len({line["round"] for line in lines})
    table = [("program", "purchases/s", "min-max", "p50 ms", "p99 ms", "trips", "turns", "group",
              "runs", "ratio")]
    table += [row(scene, programs, name) for name in programs]
    keep = [i for i in range(len(table[0])) if any(line[i] != "-" for line in table[1:])]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    print(f"\n({scene}) {lines[0]['title']}: {' or '.join(map(str, purchases))} purchases a run, "
          f"{rounds} rounds")
    for line in table:
        cells = [line[i].ljust(widths[i]) if i in (0, 9) else line[i].rjust(widths[i])
                 for i in keep]
        print(("  " + "  ".join(cells)).rstrip())


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
