#!/usr/bin/env python3
"""race_page.py COMMAND [--browser] [--pictures FOLDER] - the page of `corm race --report`. Prints TAP.

Without a browser: the page is well-formed and loads nothing, and the data in it are the lines that --json prints. With
one (--browser, Chromium; ./run test --report): it draws without a complaint, in light and dark and on a phone, and each number that it
shows, pointed at ones too, is that of the JSON. --pictures keeps how it looked.
"""

import argparse
import functools
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import browser  # noqa: E402
import tap  # noqa: E402

SECONDS = 300  # nothing takes that long; it is against hanging
VOID = {"meta", "link", "br"}
MODES = ["naive", "lock", "guarded", "optimistic", "group"]
# What shows that all is drawn: some are refused, and the group has groups.
RACE = ("--mode", "all", "--buyers", "40", "--purchases", "500", "--stock", "5000")

command = folder = keep = ""
wants_browser = False
tests, browser_tests = [], []


def test(function):
    tests.append(function)
    return function


def browser_test(function):
    browser_tests.append(function)
    return function


def corm(*words, **more):
    names = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DB_DRIVER")}
    return subprocess.run([command, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS, env=dict(names, TMPDIR=folder), check=False, **more)


def raced(name, *options):
    """The path of a page, and the lines of JSON of the same race."""
    path = os.path.join(folder, name)
    done = corm("race", "--json", "--report", path, *options)
    assert done.returncode == 0 and done.stderr == "", done
    return path, [json.loads(line) for line in done.stdout.splitlines()]


@functools.cache
def raced_in_all_modes():
    return raced("all.html", *RACE)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# ---- Without a browser ----------------------------------------------------------------------------


class Structure(html.parser.HTMLParser):
    """Sees that what is opened is closed, in order, and that an id is there once; keeps the scripts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.scripts, self.links = [], [], {}, []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), (tag, attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("src", "href", "data", "srcset", "action") if name in attributes]
        if tag not in VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, (tag, self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script":
            self.scripts[self.open[-1][1]] = data


def structure_of(path):
    structure = Structure()
    structure.feed(text_of(path))
    structure.close()
    assert structure.open == [], structure.open
    assert len(set(structure.ids)) == len(structure.ids), structure.ids
    return structure


def data_of(path):
    return json.loads(structure_of(path).scripts["data"])


@test
def it_is_well_formed_and_loads_nothing():
    path, _ = raced("formed.html", "--buyers", "20")
    structure = structure_of(path)
    text = text_of(path)
    assert text.startswith("<!doctype html>"), text[:80]
    assert structure.links == ["data:,"], structure.links
    assert "default-src 'none'" in text
    for word in ("https:", "//cdn", "@import", "url(", "fetch(", "XMLHttpRequest", "import(", "@DATA@", "innerHTML"):
        assert word not in text, word
    assert re.findall(r"http:[^\s\"']*", text) == ["http://www.w3.org/2000/svg"]  # a name, not an address


@test
def its_data_are_the_lines_of_json():
    path, lines = raced_in_all_modes()
    data = data_of(path)
    assert [line["mode"] for line in lines] == MODES, lines
    assert data["modes"] == lines
    assert (data["database"], data["seed"], data["qty_min"], data["qty_max"]) == ("SQLite", "1", 1, 30), data
    assert data["corm"] == corm("version").stdout.split()[1], data


@test
def what_came_when_adds_up_to_what_came():
    _, lines = raced_in_all_modes()
    for line in lines:
        timeline = line["timeline"]
        slices = {len(values) for name, values in timeline.items() if name != "slice_ms"}
        assert len(slices) == 1 and 0 < slices.pop() <= 120, timeline
        for name in ("bought", "refused", "failed"):
            assert sum(timeline[name]) == line[name], (name, line)
        assert sum(timeline["pieces"]) == line["pieces_bought"], line
        assert sum(timeline["groups"]) == line["groups"], line
        assert min(timeline["groups"] + timeline["members"]) >= 0, line
        if line["groups"] > 0:
            assert round(sum(timeline["members"]) / line["groups"], 3) == line["group_size_mean"], line
        assert timeline["slice_ms"] * (len(timeline["bought"]) - 1) <= line["seconds"] * 1000, line
        assert line["p50_ms"] <= line["p90_ms"] <= line["p99_ms"] <= line["max_ms"], line


@test
def waits_are_counted_where_they_belong():
    _, lines = raced_in_all_modes()
    for line in lines:
        limits = [limit for limit, _ in line["waits"]]
        assert limits == sorted(set(limits)) and limits[0] > 0, line["waits"]
        assert sum(count for _, count in line["waits"]) == line["purchases"], line
        for percent, name in ((50, "p50_ms"), (90, "p90_ms"), (99, "p99_ms"), (100, "max_ms")):
            rank, seen = -(-line["purchases"] * percent // 100), 0
            for limit, count in line["waits"]:
                seen += count
                if seen >= rank:
                    break
            assert line[name] < limit + 0.001 and line[name] >= limit * 8 / 9 - 0.002, (name, line[name], limit)


@test
def sizes_of_groups_add_up_to_the_groups():
    _, lines = raced_in_all_modes()
    for line in lines:
        sizes = line["group_sizes"]
        assert sum(count for _, count in sizes) == line["groups"], line
        members = sum(line["timeline"]["members"])
        least = sum((most // 2 + 1 if most > 1 else 1) * count for most, count in sizes)
        assert least <= members <= sum(most * count for most, count in sizes), (members, sizes)
        assert [most for most, _ in sizes] == sorted({most for most, _ in sizes}), sizes


@test
def a_race_that_outlasts_its_slices_folds_them():
    _, lines = raced("long.html", "--buyers", "1", "--purchases", "1000", "--stock", "100000")
    timeline = lines[0]["timeline"]
    assert timeline["slice_ms"] > 0.05 and 60 <= len(timeline["bought"]) <= 120, timeline
    assert sum(timeline["bought"]) == 1000, timeline


@test
def it_takes_the_place_of_an_older_one_and_of_nothing_else():
    path, _ = raced("again.html", "--buyers", "5", "--seed", "1")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~current_umask(), oct(os.stat(path).st_mode)
    os.symlink(path, os.path.join(folder, "link.html"))
    raced("link.html", "--buyers", "5", "--seed", "18446744073709551615")
    assert os.path.islink(os.path.join(folder, "link.html"))
    assert data_of(path)["seed"] == "18446744073709551615"
    os.unlink(os.path.join(folder, "link.html"))
    assert [name for name in os.listdir(folder) if name.startswith("again.html.")] == []


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@test
def a_place_that_cannot_be_written_is_said_before_anybody_races():
    places = [os.path.join(folder, "missing", "page.html"), folder, "/dev/full", os.path.join(folder, "again.html", "x"), ""]
    for place in places:
        done = corm("race", "--json", "--report", place)
        assert done.returncode == 2 and done.stdout == "", (place, done)
        assert "--report" in done.stderr, (place, done)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@test
def a_race_that_could_not_be_run_leaves_the_older_page():
    path, _ = raced("kept.html", "--buyers", "5")
    before = text_of(path)
    done = corm("race", "--json", "--report", path, "--url", "sqlite:" + os.path.join(folder, "missing", "x.db"))
    assert done.returncode == 3, done
    assert text_of(path) == before
    assert sorted(name for name in os.listdir(folder) if name.startswith("kept.html")) == ["kept.html"]


# ---- With a browser -------------------------------------------------------------------------------


def span(ms):
    """As the page writes a time."""
    if ms < 1000:
        return f"{ms:,.2f} ms" if ms < 10 else f"{ms:,.1f} ms"
    return f"{ms / 1000:,.2f} s"


def shown_of(line):
    """What the page has to show of a mode, by data-key."""
    verdict = "✓ holds" if line["invariant"] else "✗ oversold" if line["oversold"] else "✗ broken"
    return {"invariant": verdict, "purchases_per_second": f"{line['purchases_per_second']:,.0f}",
            "bought": f"{line['bought']:,}", "refused": f"{line['refused']:,}", "failed": f"{line['failed']:,}",
            "oversold": f"{line['oversold']:,}", "retries": f"{line['attempts'] - line['purchases']:,}",
            "p50_ms": span(line["p50_ms"]), "p99_ms": span(line["p99_ms"]),
            "group_size_mean": f"{line['group_size_mean']:,.1f}" if line["groups"] else "–",
            "round_trips": f"{line['round_trips'] / line['purchases']:,.2f}" if line["round_trips"] else "–"}


def near(shown, wanted, rounded=False):
    """The same text, or of a number that was rounded a last digit in which two ways of rounding may differ."""
    if shown == wanted or ("." not in wanted and not rounded):
        return shown == wanted
    numbers = [re.fullmatch(r"([\d,]+)(?:\.(\d+))?(.*)", text) for text in (shown, wanted)]
    if None in numbers or numbers[0][3] != numbers[1][3] or len(numbers[0][2] or "") != len(numbers[1][2] or ""):
        return False
    whole = [int((number[1] + (number[2] or "")).replace(",", "")) for number in numbers]
    return abs(whole[0] - whole[1]) <= 1


CARDS = """Object.fromEntries([...document.querySelectorAll("[data-mode]")].map(
    (e) => [e.dataset.mode + " " + e.dataset.key, e.textContent]))"""
PANELS = """[...document.querySelectorAll(".panel")].map((p) => [p.querySelector("h2").textContent,
    [...p.querySelectorAll("svg rect, svg polyline")].length])"""
TILES = """Object.fromEntries([...document.querySelectorAll(".tiles strong")].map((e) => [e.dataset.key, e.textContent]))"""


def check_page(page, lines):
    cards = page.value(CARDS)
    for line in lines:
        for key, wanted in shown_of(line).items():
            shown = cards.pop(f"{line['mode']} {key}")
            assert near(shown, wanted, key == "purchases_per_second"), (line["mode"], key, shown, wanted)
    assert cards == {}, cards
    for line in lines:
        page.value(f"document.getElementById('mode-{line['mode']}').click()")
        page.settle()
        check_mode(page, line)
    assert page.complaints == [], page.complaints
    assert len(page.requests) == 1, page.requests
    assert page.value("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"


def check_mode(page, line):
    panels = dict(page.value(PANELS))
    wanted = ["Stock", "Waiting", "Answers"] + (["Groups", "Sizes of groups"] if line["groups"] else [])
    assert list(panels) == wanted and all(panels.values()), panels
    for key, text in page.value(TILES).items():
        assert near(text, span(line[key])), (key, text, line[key])
    proof = page.value("document.getElementById('proof').textContent")
    for number in (line["stock_before"], line["stock_after"], line["order_pieces"], line["order_rows"]):
        assert f"{number:,}" in proof, (proof, number)
    selected = page.value("[...document.querySelectorAll('.mode[aria-selected=true]')].map((e) => e.id)")
    assert selected == [f"mode-{line['mode']}"], selected


def tip_at(page, panel, part):
    """What is told where one points at: so far along the chart of a panel."""
    if page.shown != panel:
        page.value(f"document.querySelectorAll('.panel svg')[{panel}].scrollIntoView({{block: 'center'}})")
        page.settle()
        page.shown = panel
    x, y = page.value(f"""(() => {{ const svg = document.querySelectorAll(".panel svg")[{panel}];
        const r = svg.getBoundingClientRect(), wide = svg.viewBox.baseVal.width;
        return [r.left + (46 + (wide - 56) * {part}) * r.width / wide, r.top + r.height / 2]; }})()""")
    page.point(x, y)
    return page.value("document.getElementById('tip').hidden ? null : document.getElementById('tip').textContent")


def bars_of(line):
    """Four to a doubling: {(from, to): purchases}, in ms."""
    bars = {}
    for limit, count in line["waits"]:
        low = 0.0005  # half a microsecond, and doubled until the limit lies in it
        while limit > low * 2 + 1e-9:
            low *= 2
        quarter = next(n for n in range(4) if limit <= low * (5 + n) / 4 + 1e-9)
        edges = (low * (4 + quarter) / 4, low * (5 + quarter) / 4)
        bars[edges] = bars.get(edges, 0) + count
    return bars


def sizes_of(line):
    """A bar for each doubling: what it is called, how many groups, and where it stands along the chart."""
    found = dict(line["group_sizes"])
    mosts = [2 ** i for i in range(13) if min(found) <= 2 ** i <= max(found)]
    return [{"name": "1" if most == 1 else f"{most // 2 + 1}–{most}" if most > 2 else "2", "count": found.get(most, 0),
             "at": (i + 0.5) / len(mosts)} for i, most in enumerate(mosts)]


def near_ms(told, ms):
    number, unit = told.split()
    return abs(float(number) * {"ms": 1, "s": 1000}[unit] - ms) <= ms * 0.006


def check_pointing(page, line):
    """Pointing at each slice, and along the waits, tells all numbers there are."""
    page.value(f"document.getElementById('mode-{line['mode']}').click()")
    page.settle()
    page.shown = None
    timeline = line["timeline"]
    n = len(timeline["bought"])
    some = sorted({*range(0, n, 7), n - 1})
    for i in some:
        left = line["stock_before"] - sum(timeline["pieces"][:i + 1])
        told = tip_at(page, 0, (i + 0.5) / n)
        assert f"\n{left:,} left\n" in told, (i, n, left, told)
    for i in some:
        told = tip_at(page, 2, (i + 0.5) / n)
        assert told.split("\n")[1:] == [f"{timeline[kind][i]:,} {kind}" for kind in ("bought", "refused", "failed")], (
            i, told)
    for i in some if line["groups"] else []:
        assert tip_at(page, 3, (i + 0.5) / n).split("\n")[1].startswith(f"{timeline['groups'][i]:,} group"), i
    for size in (sizes_of(line) if line["groups"] else []):
        told = tip_at(page, 4, size["at"]).split("\n")
        assert told[:2] == [f"groups of {size['name']}", f"{size['count']:,} group{'s' * (size['count'] != 1)}"], told
    found = {}
    for i in range(160):
        told = tip_at(page, 1, (i + 0.5) / 160)
        if told:
            where, purchases, _ = told.split("\n")
            found[where] = int(purchases.split()[0].replace(",", ""))
    wanted = bars_of(line)
    assert sorted(found.values()) == sorted(wanted.values()), (found, wanted)
    for (low, high), count in wanted.items():
        assert any(told == count and near_ms(where.split(" to ")[0], low) and near_ms(where.split(" to ")[1], high)
                   for where, told in found.items()), (low, high, count, found)
    page.point(1, 1)
    assert page.value("document.getElementById('tip').hidden"), "it stays"


@browser_test
def it_draws_the_numbers_of_the_json_light_and_dark_and_on_a_phone():
    path, lines = raced_in_all_modes()
    with browser.Browser() as chromium:
        for name, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 390, False),
                                  ("narrow", 320, True)):
            page = chromium.open("file://" + path, width, 900, dark)
            check_page(page, lines)
            background = page.value("getComputedStyle(document.body).backgroundColor")
            shade = sum(map(int, re.findall(r"\d+", background)[:3]))
            assert (shade < 200) == dark and (shade > 600) != dark, background
            if keep:
                page.picture(os.path.join(keep, name + ".png"))


@browser_test
def pointing_tells_the_numbers():
    path, lines = raced_in_all_modes()
    with browser.Browser() as chromium:
        page = chromium.open("file://" + path, 1280, 900)
        for line in lines:
            if line["mode"] in ("naive", "group"):
                check_pointing(page, line)
        assert page.complaints == [], page.complaints


@browser_test
def small_and_odd_races_are_drawn_too():
    odd = [("--buyers", "1"), ("--buyers", "10", "--stock", "0"), ("--buyers", "3", "--products", "7", "--qty", "5"),
           ("--mode", "naive", "--buyers", "2", "--stock", "1000000000")]
    with browser.Browser() as chromium:
        for number, options in enumerate(odd):
            path, lines = raced(f"odd-{number}.html", *options)
            check_page(chromium.open("file://" + path, 800, 700), lines)


@browser_test
def what_is_wrong_with_a_page_is_found():
    """The control: a number that is changed, a script that fails, and an address that is loaded."""
    path, lines = raced("control.html", "--buyers", "30")
    text = text_of(path)
    shown = f'"bought": {lines[0]["bought"]}'
    with browser.Browser() as chromium:
        for name, changed in (("number", text.replace(shown, f'"bought": {lines[0]["bought"] + 1}', 1)),
                              ("script", text.replace('"use strict";', '"use strict"; console.error("x");', 1)),
                              ("address", text.replace("</main>", '<img src="x.png" alt=""></main>', 1))):
            assert changed != text, name
            bad = os.path.join(folder, name + ".html")
            with open(bad, "w", encoding="utf-8") as file:
                file.write(changed)
            try:
                check_page(chromium.open("file://" + bad, 1280, 900), lines)
            except AssertionError:
                continue
            raise AssertionError(f"a wrong {name} was not found")


# ---------------------------------------------------------------------------------------------------


def main():
    global command, folder, keep
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--pictures", default="")
    options = parser.parse_args()
    command, keep = os.path.abspath(options.command), options.pictures
    if options.browser and browser.path() is None:
        sys.exit("race_page.py: there is no Chromium; ./run test --report installs it where that is possible")
    chosen = tests + (browser_tests if options.browser else [])
    folder = tempfile.mkdtemp(prefix="corm-race-page-")
    try:
        failed = tap.run_all(chosen)
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
