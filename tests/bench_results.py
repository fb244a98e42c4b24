#!/usr/bin/env python3
"""bench_results.py BENCH BUILD - the bench runs, and gives no figures of what went wrong. Prints TAP.

BENCH is the folder of bench.py, BUILD the one with the programs. Programs that lie stand in for them: the bench has to find that out.
"""

import csv
import json
import os
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import tap  # noqa: E402

SECONDS = 120  # nothing takes that long; it is against hanging
FINE = {"how": "x", "purchases": 2500, "bought": 2500, "refused": 0, "failed": 0, "purchases_per_second": 100.0,
        "p50_ms": 1.0, "p99_ms": 2.0, "invariant": True}
LIES = [{"invariant": False}, {"failed": 1, "bought": 2499}, {"refused": 1, "bought": 2499}, {"bought": 2499}]

bench, build = "", ""


def run(folder, *words):
    return subprocess.run([sys.executable, os.path.join(bench, "bench.py"), *words], capture_output=True, text=True,
                          timeout=SECONDS, check=False, env=dict(os.environ, CORM_BUILD_DIR=folder))


def pretend(folder, name, text, code=0):
    """A program that prints this and does nothing."""
    path = os.path.join(folder, "bench", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


def stage(folder):
    os.symlink(os.path.join(build, "corm"), os.path.join(folder, "corm"))


def a_quick_run_gives_the_same_rows_as_json_and_csv():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        done = run(build, "sqlite-race", "sqlite-hot", "sqlite-alone", "sqlite-point", "sqlite-bulk", "sqlite-ways", "--quick", "--out", out)
        assert done.returncode == 0 and done.stderr == "", done
        with open(out + ".json", encoding="utf-8") as file:
            results = json.load(file)
        with open(out + ".csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(results["results"]) == 2 + 3 + 3 + 2 + 2 + 3, (len(rows), done.stdout)
        for row, result in zip(rows, results["results"]):
            assert {name: row[name] for name in result} == {name: str(value) for name, value in result.items()}, row
            assert result["rate"] > 0, result
        for name in ("machine", "cores", "corm", "build", "sqlite"):
            assert results["conditions"][name], results["conditions"]
        for name in {row["workload"] for row in rows}:
            assert f"\n{name}: SQLite, " in done.stdout, (name, done.stdout)


def what_went_wrong_has_no_figures():
    for lie in [{}, *LIES]:
        with tempfile.TemporaryDirectory() as folder:
            stage(folder)
            for name in ("corm_group", "sqlite_group"):
                pretend(folder, name, json.dumps(FINE if name == "sqlite_group" else {**FINE, **lie}))
            done = run(folder, "sqlite-hot", "--quick")
            assert (done.returncode == 0) == (lie == {}), (lie, done)
            assert ("a second" in done.stdout) == (lie == {}), (lie, done)
            assert lie == {} or "corm_group" in done.stderr, (lie, done)


def a_program_that_fails_ends_the_bench():
    with tempfile.TemporaryDirectory() as folder:
        stage(folder)
        pretend(folder, "corm_group", json.dumps(FINE), code=1)
        pretend(folder, "sqlite_group", json.dumps(FINE))
        done = run(folder, "sqlite-hot", "--quick")
        assert done.returncode == 1 and "has failed" in done.stderr and "a second" not in done.stdout, done


def who_has_read_something_else_is_found():
    for other in (7, 8):
        with tempfile.TemporaryDirectory() as folder:
            stage(folder)
            pretend(folder, "corm_statements", '{"seconds": 1, "n": 1000, "sum": 7}')
            pretend(folder, "plain_statements_sqlite", f'{{"seconds": 2, "n": 1000, "sum": {other}}}')
            done = run(folder, "sqlite-point", "--quick")
            assert (done.returncode == 0) == (other == 7), done
            assert ("2.00 of it" in done.stdout) == (other == 7), done


def a_plot_is_well_formed_and_tells_each_value():
    sys.path.insert(0, bench)
    import plot
    values = {"one & all": [1, 250, 31000], "two <b>": [None, 4, 8]}
    tree = xml.etree.ElementTree.fromstring(plot.picture("a <title>", [("p", ["1", "2", "3"], values)] * 3))
    told = [title.text for title in tree.iter("{http://www.w3.org/2000/svg}title")]
    for name, numbers in values.items():
        for number in numbers:
            assert number is None or told.count(f"{name}: {number:,.0f}") == 3, (name, number, told)
    for high in (1, 9, 10, 99, 4001, 26000, 99999):
        marks = plot.steps(high)
        assert marks[0] == 0 and high <= marks[-1] <= 4.5 * high and len(marks) == 5, (high, marks)


def the_readme_has_the_figures_of_the_result():
    root = os.path.dirname(bench)
    result, readme = os.path.join(root, "docs", "rivals.json"), os.path.join(root, "README.md")

    def differs(result, document):
        return subprocess.run([sys.executable, os.path.join(bench, "figures.py"), result, document], capture_output=True,
                              timeout=SECONDS, check=False).returncode

    assert differs(result, readme) == 0
    with tempfile.TemporaryDirectory() as folder:  # and it sees one that is not
        other = os.path.join(folder, "other.json")
        with open(result, encoding="utf-8") as file, open(other, "w", encoding="utf-8") as copy:
            rows = json.load(file)
            for row in rows["results"]:
                row["rate"] *= 1.1
            json.dump(rows, copy)
        assert differs(other, readme) == 1
        assert differs(result, os.path.join(root, "CONTRIBUTING.md")) == 1


def main():
    global bench, build
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    bench, build = map(os.path.abspath, sys.argv[1:])
    failed = tap.run_all([a_quick_run_gives_the_same_rows_as_json_and_csv, what_went_wrong_has_no_figures,
                          a_program_that_fails_ends_the_bench, who_has_read_something_else_is_found,
                          a_plot_is_well_formed_and_tells_each_value, the_readme_has_the_figures_of_the_result])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
