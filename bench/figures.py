#!/usr/bin/env python3
"""figures.py RESULT.json [DOCUMENT] - the rates of one result of ./run bench as a table of Markdown.

With DOCUMENT: whether that is what stands there between "<!-- figures: ... -->" and "<!-- end of figures -->"; else 1.
"""

import json
import re
import statistics
import sys

WORK = {
    "race": "races of 500 buyers for 5,000 pieces, purchases", "hot": "one hot row, purchases",
    "random": "1,000 rows at random, purchases", "alone": "one caller alone, purchases",
    "point": "rows, each by its key", "fetch": "rows into structs", "bulk": "rows inserted",
}
# Columns, each with the contestants of whom the fastest counts. Groups by hand are a bound, not a rival: bench/README.md.
COLUMNS = {
    "corm": ["corm", "corm, each alone", "corm, with a key"],
    "Connector/C by hand": ["Connector/C", "Connector/C, prepared", "Connector/C, text", "Connector/C, array"],
    "libzdb": ["libzdb"], "SOCI": ["SOCI"], "tspace-mysql": ["tspace-mysql"],
    "mysql2": ["mysql2, prepared", "mysql2, text"], "Sequelize": ["sequelize"], "TypeORM": ["typeorm"],
}


def short(rate):
    """Three digits that count."""
    digits = len(str(int(rate)))
    return f"{round(rate, 3 - digits):,.0f}"


def table(result):
    rates = {}
    for row in result["results"]:
        rates.setdefault((row["workload"], row["contestant"]), []).append(row["rate"])
    medians = {key: statistics.median(found) for key, found in rates.items()}

    def best(workload, names):
        found = [medians[workload, name] for name in names if (workload, name) in medians]
        return short(max(found)) if found else "-"

    present = [column for column, names in COLUMNS.items() if any(best(work, names) != "-" for work in WORK)]
    lines = ["| a second | " + " | ".join(present) + " |", "|---|" + "---:|" * len(present)]
    for work, title in WORK.items():
        cells = [best(work, COLUMNS[column]) for column in present]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        figures = table(json.load(file))
    if len(sys.argv) < 3:
        print(figures, end="")
        return
    with open(sys.argv[2], encoding="utf-8") as file:
        blocks = re.findall(r"<!-- figures: .*? -->\n\n(.*?)\n<!-- end of figures -->", file.read(), re.DOTALL)
    if blocks != [figures]:
        sys.exit(f"{sys.argv[2]} does not have the figures of {sys.argv[1]}; they are:\n\n{figures}")


main()
