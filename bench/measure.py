"""measure.py - what the benches in Python share: running programs, the machine, tables, and files of results."""

import csv
import json
import os
import platform
import re
import subprocess
import sys

BUILD = os.environ.get("CORM_BUILD_DIR", "build")
SECONDS = 600  # no program takes that long; it is against hanging


def fail(why):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {why}")


def program(name):
    """The path of a program that was built: `corm`, or one of bench."""
    path = os.path.join(BUILD, name) if name == "corm" else os.path.join(BUILD, "bench", name)
    if not os.access(path, os.X_OK):
        fail(f"{path} is not built (CORM_BUILD_DIR names the folder)")
    return path


def shown(command):
    """A command as a person may see it: a URL may hold a password."""
    return " ".join([os.path.basename(command[0])] + [part for part in command[1:] if "://" not in part])


def answers_of(command):
    """What a program prints: JSON, a line each."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    if done.returncode != 0:
        fail(f"{shown(command)} has failed")
    return [json.loads(line) for line in done.stdout.splitlines()]


def server_url():
    url = os.environ.get("CORM_TEST_MARIADB_URL")
    if not url:
        fail("there is no server: run it under scripts/with-mariadb, as ./run bench does")
    return url


# ---- Where it was measured --------------------------------------------------------------------------


def first_match(pattern, path):
    try:
        with open(path, encoding="utf-8") as file:
            match = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return None
    return match[1] if match else None


def build_options():
    done = subprocess.run(["meson", "introspect", BUILD, "--buildoptions"], capture_output=True, text=True, check=False)
    options = {o["name"]: o["value"] for o in json.loads(done.stdout)} if done.returncode == 0 else {}
    return {name: options.get(name) for name in ("buildtype", "optimization", "b_ndebug", "b_sanitize")}


def module_version(name):
    done = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def conditions(with_server=True):
    """Machine, versions, settings: what figures depend on."""
    corm = subprocess.run([program("corm"), "version"], capture_output=True, text=True, check=True).stdout.strip()
    facts = {"machine": first_match(r"^model name\s*:\s*(.*)", "/proc/cpuinfo") or platform.machine(),
             "cores": len(os.sched_getaffinity(0)),
             "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
             "system": f"{platform.system()} {platform.release()}", "load": round(os.getloadavg()[0], 2),
             "corm": corm, "build": build_options(),
             "libmariadb": module_version("libmariadb"), "sqlite": module_version("sqlite3")}
    if with_server:
        line = subprocess.run([program("plain_purchase"), "--url", server_url(), "--show-server"],
                              capture_output=True, text=True, check=True).stdout
        facts["server"] = dict(part.split("=", 1) for part in line.split() if "=" in part)
    return facts


def print_conditions(facts):
    build = " ".join(f"{name}={value}" for name, value in facts["build"].items())
    print(f"{facts['machine']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, "
          f"load {facts['load']}")
    print(f"{facts['corm']} ({build}), Connector/C {facts['libmariadb']}, SQLite {facts['sqlite']}")
    if "server" in facts:
        print("server: " + " ".join(f"{name}={value}" for name, value in facts["server"].items()))
    if "node" in facts:
        print("Node: " + " ".join(f"{name}={value}" for name, value in facts["node"].items()))


# ---- Tables and files -------------------------------------------------------------------------------


def print_table(title, rows, left=1):
    """Rows of texts, the first one the head; so many columns from the left are words."""
    print(f"\n{title}")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print(("  " + "  ".join(cells)).rstrip(), flush=True)


def write_results(path, facts, rows):
    """PATH.json with the conditions, and PATH.csv with the rows alone."""
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump({"command": ["./run", "bench", *os.environ.get("CORM_BENCH_VERB", "").split(), *sys.argv[1:]],
                   "conditions": facts, "results": rows}, file, indent=1)
        file.write("\n")
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path + ".csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    print(f"\nwritten: {path}.json and {path}.csv")
