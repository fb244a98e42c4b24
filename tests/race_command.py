#!/usr/bin/env python3
"""race_command.py COMMAND sqlite|mariadb [--seeds N]

Tests `corm race` as its user sees it: lines, exit codes, messages, what is left behind. COMMAND is
the path of `corm`; for mariadb the environment names the server (scripts/with-mariadb), in whose
database nobody else may race at the same time. Prints TAP.

The command gets a temporary folder of its own, which must be empty after every run.
"""

import argparse
import errno
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True
import tap  # noqa: E402

KEYS = ["mode", "buyers", "purchases", "products", "stock_before", "stock_after", "bought",
        "refused", "failed", "pieces_bought", "order_rows", "order_pieces", "oversold", "invariant",
        "seconds", "purchases_per_second", "p50_ms", "p99_ms", "round_trips", "attempts",
        "group_size_mean", "p90_ms", "max_ms", "groups", "failures", "waits", "timeline",
        "group_sizes"]
MODES = ["naive", "lock", "guarded", "optimistic", "group"]
STRICT = MODES[1:]
FRACTIONS = ["seconds", "purchases_per_second", "p50_ms", "p90_ms", "p99_ms", "max_ms", "group_size_mean"]
TYPES = {"mode": str, "invariant": bool, "failures": list, "waits": list, "timeline": dict, "group_sizes": list}
TIMELINE = ["slice_ms", "bought", "refused", "failed", "pieces", "groups", "members"]
SECONDS = 300  # nothing takes that long; it is against hanging
PASSWORD = "Wombat9Key"
LOGIN = "Quokka7Usr:" + PASSWORD

command = ""  # these are set by main()
target = ""
seeds = 0
place = ""    # a folder for the databases of this program
started = []  # races that last, to be ended whatever happens

tests = []


def test(function):
    tests.append((function, ("sqlite", "mariadb")))
    return function


def test_on(target):
    def add(function):
        tests.append((function, (target,)))
        return function
    return add


# ---- Running ------------------------------------------------------------------------------------

class Result:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def __str__(self):
        return f"exit code {self.code}\nstdout: {self.out}\nstderr: {self.err}"


def temporary():
    return os.path.join(place, "tmp")


def environment(**more):
    names = dict(os.environ, TMPDIR=temporary(), **more)
    for name in ("DATABASE_URL", "DB_DRIVER"):
        if name not in more:
            names.pop(name, None)
    return names


def assert_nothing_left(result):
    left = os.listdir(temporary())
    assert left == [], f"left in the temporary folder: {left}\n{result}"


def corm(*arguments, stdout=subprocess.PIPE, **more):
    """Runs the command to its end, with pipes, and looks at what every run must hold to."""
    done = subprocess.run([command, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                          env=environment(**more))
    result = Result(done.returncode, done.stdout, done.stderr)
    assert_nothing_left(result)
    assert_no_password(result)
    return result


def assert_no_password(result):
    server = os.environ.get("CORM_TEST_MARIADB_PASSWORD")
    for secret in (PASSWORD, server):
        if secret:
            assert secret not in (result.out or "") + result.err, f"a password is shown\n{result}"


def database():
    """The options that name the database of the target."""
    return ["--url", os.environ["CORM_TEST_MARIADB_URL"]] if target == "mariadb" else []


def lines_of(result, code=0):
    """The lines of JSON of a run, each as a list of pairs."""
    assert result.code == code, result
    assert result.out.endswith("\n"), result
    return [json.loads(line, object_pairs_hook=list) for line in result.out.splitlines()]


def race(mode, *options, code=0):
    """One mode of a race on the target, as a dictionary."""
    result = corm("race", *database(), "--json", "--mode", mode, *options)
    lines = lines_of(result, code)
    assert len(lines) == 1, result
    assert result.err == "", result
    return dict(lines[0])


def check_strict(r):
    """What the numbers of a right mode must be, whatever the command itself says of them."""
    assert r["invariant"] is True and r["oversold"] == 0 and r["failed"] == 0, r
    assert r["bought"] + r["refused"] == r["purchases"], r
    assert r["stock_before"] - r["stock_after"] == r["order_pieces"] == r["pieces_bought"], r
    assert r["order_rows"] == r["bought"] and r["stock_after"] >= 0, r
    assert r["attempts"] >= r["purchases"], r
    assert (r["round_trips"] > 0) == (target == "mariadb"), r


# ---- What it prints -----------------------------------------------------------------------------

@test
def json_is_one_line_for_each_mode_with_these_keys_in_this_order():
    result = corm("race", *database(), "--json", "--mode", "all", "--buyers", "20",
                  "--purchases", "60")
    lines = lines_of(result)
    assert [dict(line)["mode"] for line in lines] == MODES, result
    for line in lines:
        assert [key for key, _ in line] == KEYS, line
        for key, value in line:
            wanted = float if key in FRACTIONS else TYPES.get(key, int)
            assert type(dict(value) if key == "timeline" else value) is wanted, (key, value)
        r = dict(line)
        assert [key for key, _ in r["timeline"]] == TIMELINE, r["timeline"]
        assert r["failures"] == [], r
        assert (r["buyers"], r["purchases"], r["products"]) == (20, 60, 1), r
        assert r["stock_before"] == 200, r
        assert r["seconds"] > 0 and 0 < r["p50_ms"] <= r["p99_ms"], r
        assert r["purchases_per_second"] > 0, r
        assert (r["group_size_mean"] >= 1) == (r["mode"] == "group"), r
        assert r["group_size_mean"] >= 1 or r["group_size_mean"] == 0, r


@test
def without_a_mode_it_is_group():
    lines = lines_of(corm("race", *database(), "--json", "--buyers", "20"))
    assert [dict(line)["mode"] for line in lines] == ["group"], lines


@test
def in_a_pipe_there_is_no_progress_and_nothing_beside_the_result():
    for json_or_not in ([], ["--json"]):
        result = corm("race", *database(), "--mode", "all", "--buyers", "50", "--purchases",
                      "1000", *json_or_not)
        assert result.code == 0, result
        assert result.err == "", result
        assert "\r" not in result.out, result
    for line in result.out.splitlines():
        json.loads(line)


@test
def a_person_is_told_the_proof_of_each_mode():
    result = corm("race", *database(), "--mode", "all", "--buyers", "40")
    assert result.code == 0, result
    blocks = result.out.split("\n\n")
    assert "40 buyers" in blocks[0] and "seed 1" in blocks[0], result
    assert [block.split(":")[0] for block in blocks[1:]] == MODES, result
    for block in blocks[2:]:
        assert ": holds" in block, block
        assert "OVERSOLD" not in block, block
        assert ("purchases in each" in block) == block.startswith("group:"), block


def read_terminal(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        assert error.errno == errno.EIO  # how Linux says that the other side is gone
        return b""


def on_terminal(columns, mode, **names):
    """What a race shows on a terminal of so many columns, line by line as it was written over, and its JSON."""
    purchases, shown = 1000, b""
    while b"\r" not in shown and purchases < 10000000:  # a run that is over at once shows none
        purchases *= 4
        terminal, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([command, "race", "--mode", mode, "--json", "--purchases",
                                    str(purchases)], stdout=subprocess.PIPE, stderr=side,
                                   env=environment(**{"TERM": "xterm", "NO_COLOR": "", **names}))
        os.close(side)
        shown = b""
        while part := read_terminal(terminal):
            shown += part
        os.close(terminal)
        out = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == 0, (out, shown)
        assert len(out.splitlines()) == 1 and json.loads(out)["purchases"] == purchases, out
    return shown.decode().split("\r"), json.loads(out)


PROGRESS = re.compile(r"(\S+) +(?:([#-]+)| +)? +(\d+) %  ([\d,]+)/s  p99 ([\d.]+) ms(?:  ([\d.]+) in a group)?")


@test_on("sqlite")
def on_a_terminal_progress_is_written_over_and_cleared():
    for mode in ("guarded", "group"):
        lines, _ = on_terminal(100, mode)
        assert lines[0] == "" and lines[-1] == "\033[K", lines
        for line in lines[1:-1]:
            assert line.endswith("\033[K") and "\033[42m" in line, line
            found = PROGRESS.fullmatch(re.sub(r"\033\[\d*[mK]", "", line))
            assert found and found[1] == mode, line
            assert int(found[3]) <= 100 and (found[6] is not None) == (mode == "group"), line


@test_on("sqlite")
def progress_has_no_colours_where_none_are_wanted():
    for names in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        lines, _ = on_terminal(100, "group", **names)
        for line in lines[1:-1]:
            found = PROGRESS.fullmatch(line.replace("\033[K", ""))
            assert found, line
            bar = found[2]
            assert len(bar) * int(found[3]) // 100 - 1 <= bar.count("#") <= len(bar) * int(found[3]) // 100 + 1, line


@test_on("sqlite")
def progress_does_not_wrap_on_a_narrow_terminal():
    for columns in (80, 60, 40, 20):
        lines, _ = on_terminal(columns, "group")
        for line in lines[1:]:
            seen = re.sub(r"\033\[\d*[mK]", "", line)
            assert len(seen) < columns, (columns, line)
        assert all(line.startswith("group") for line in lines[1:-1]), lines


@test
def a_full_disk_behind_stdout_is_a_failure():
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = corm("race", *database(), "--json", "--buyers", "5", stdout=full)
    assert result.code == 1, result
    assert "stdout" in result.err, result


# ---- The race -----------------------------------------------------------------------------------

@test
def all_modes_but_naive_tell_all_buyers_the_truth():
    for seed in range(1, seeds + 1):
        for mode in STRICT:
            r = race(mode, "--buyers", "500", "--stock", "5000", "--seed", str(seed))
            check_strict(r)
            assert r["stock_before"] == 5000 and r["purchases"] == 500, r
            assert r["refused"] > 0, r  # 500 times 1 to 30 is more than 5,000


@test
def naive_oversells_and_is_no_failure_of_the_command():
    for _ in range(20):
        r = race("naive", "--buyers", "100", "--stock", "1000")
        assert r["bought"] + r["refused"] == r["purchases"] and r["failed"] == 0, r
        if r["oversold"] > 0:
            assert r["invariant"] is False, r
            assert r["oversold"] == r["order_pieces"] - (r["stock_before"] - r["stock_after"]), r
            return
    raise AssertionError("it did not oversell in 20 tries")


@test
def optimistic_purchases_run_again_where_others_were_faster():
    r = race("optimistic", "--buyers", "100", "--stock", "100000")
    check_strict(r)
    assert r["bought"] == 100, r
    if target == "sqlite":  # a transaction that may write holds the file: nobody can be faster
        assert r["attempts"] == 100, r
    else:
        assert r["attempts"] > 100, r


@test
def who_waits_for_a_row_shares_a_transaction():
    r = race("group", "--buyers", "500", "--purchases", "5000", "--stock", "1000000")
    check_strict(r)
    assert r["bought"] == 5000, r
    assert 10 < r["group_size_mean"] <= 256, r  # 500 under way, 256 at most together
    if target == "mariadb":
        assert r["round_trips"] < 1000, r
    r = race("group", "--buyers", "1", "--purchases", "20", "--stock", "1000")
    check_strict(r)
    assert r["group_size_mean"] == 1, r  # nobody else was there


@test
def more_buyers_than_the_queue_holds_wait_for_room():
    url = database()[1] if target == "mariadb" else "sqlite:" + os.path.join(place, "queue.db")
    url += ("&" if "?" in url else "?") + "lane_queue=7"
    result = corm("race", "--url", url, "--json", "--buyers", "100", "--purchases", "300")
    r = dict(lines_of(result)[0])
    check_strict(r)
    assert r["group_size_mean"] <= 7, r


@test
def several_products_more_purchases_than_buyers_and_a_fixed_quantity():
    for mode in STRICT:
        r = race(mode, "--buyers", "30", "--purchases", "200", "--products", "3", "--qty", "2",
                 "--stock", "100")
        check_strict(r)
        assert (r["products"], r["purchases"], r["stock_before"]) == (3, 200, 300), r
        assert r["pieces_bought"] == 2 * r["bought"] == 300, r
        r = race(mode, "--buyers", "10", "--products", "2", "--stock", "0")
        check_strict(r)
        assert r["bought"] == 0 and r["refused"] == 10, r


@test
def the_same_seed_gives_the_same_demand_and_another_one_does_not():
    plenty = ["--buyers", "50", "--purchases", "300", "--stock", "1000000"]
    pieces = [race("lock", *plenty, "--seed", seed)["pieces_bought"] for seed in "7789"]
    assert pieces[0] == pieces[1], pieces
    assert len(set(pieces[1:])) > 1, pieces


def rows_of(file, text):
    connection = sqlite3.connect(file)
    rows = connection.execute(text).fetchall()
    connection.close()
    return rows


@test_on("sqlite")
def what_it_says_is_what_the_database_holds():
    orders = []
    for mode in STRICT:
        file = os.path.join(place, mode + " %.db")
        url = "sqlite:" + file.replace("%", "%25")
        result = corm("race", "--url", url, "--json", "--mode", mode, "--products", "3",
                      "--buyers", "60", "--stock", "200", "--seed", "5")
        r = dict(lines_of(result)[0])
        check_strict(r)
        assert rows_of(file, "SELECT COUNT(*), SUM(qty) FROM `order`") == [
            (r["order_rows"], r["order_pieces"])], r
        assert rows_of(file, "SELECT COUNT(*), SUM(stock) FROM product") == [
            (3, r["stock_after"])], r
        if mode == "optimistic":
            assert rows_of(file, "SELECT SUM(version) FROM product") == [(r["bought"],)], r
        assert rows_of(file, "SELECT COUNT(*) FROM product p WHERE 200 - stock <> (SELECT "
                       "COALESCE(SUM(qty), 0) FROM `order` WHERE product_id = p.id)") == [(0,)], r

        # With enough for all, who wants what is in the orders.
        corm("race", "--url", url, "--json", "--mode", mode, "--products", "3", "--buyers", "60",
             "--purchases", "200", "--stock", "1000000", "--seed", "5")
        orders.append(rows_of(file, "SELECT user_id, product_id, qty FROM `order` "
                              "ORDER BY user_id, product_id, qty"))
    assert len(orders[0]) == 200, orders
    assert orders[0] == orders[1] == orders[2], orders
    assert {product for _, product, _ in orders[0]} == {1, 2, 3}, orders
    assert {qty for _, _, qty in orders[0]} <= set(range(1, 31)), orders


# ---- What it refuses ----------------------------------------------------------------------------

BAD_OPTIONS = [
    (["--buyers", "0"], "--buyers"),
    (["--buyers", "10001"], "--buyers"),
    (["--buyers", "ten"], "--buyers"),
    (["--buyers", "-5"], "--buyers"),
    (["--buyers", "5x"], "--buyers"),
    (["--buyers", ""], "--buyers"),
    (["--buyers", "99999999999999999999"], "--buyers"),
    (["--purchases", "0"], "--purchases"),
    (["--products", "0"], "--products"),
    (["--products", "1.5"], "--products"),
    (["--stock", "-1"], "--stock"),
    (["--stock", "1000000001"], "--stock"),
    (["--qty", "0"], "--qty"),
    (["--qty", "5-1"], "--qty"),
    (["--qty", "1-"], "--qty"),
    (["--qty", "1-2-3"], "--qty"),
    (["--qty", "some"], "--qty"),
    (["--seed", "-1"], "--seed"),
    (["--seed", "18446744073709551616"], "--seed"),
    (["--connections", "0"], "--connections"),
    (["--connections", "1001"], "--connections"),
    (["--connections", "3", "--url", "sqlite:x.db?pool=4"], "--connections"),
    (["--mode", "fast"], "--mode"),
    (["--mode", ""], "--mode"),
    (["--frobnicate"], "--frobnicate"),
    (["--buyers"], "--buyers"),
    (["--url"], "--url"),
    (["sqlite:shop.db"], "--url"),
    (["guarded"], "guarded"),
]


@test
def a_wrong_option_is_named_and_nothing_is_done():
    for options, name in BAD_OPTIONS:
        result = corm("race", *options)
        assert result.code == 2, (options, str(result))
        assert name in result.err, (options, str(result))
        assert result.out == "", (options, str(result))
    result = corm("rice")
    assert result.code == 2 and "rice" in result.err and "race" in result.err, result


SECRET_PLACES = [  # (arguments, exit code)
    (["race", "--url", f"mariadb://{LOGIN}@127.0.0.1:70000/shop"], 2),
    (["race", "--url", f"mariadb://{LOGIN}@127.0.0.1/shop?frob=1"], 2),
    (["race", "--url", f"mariadb//{LOGIN}@127.0.0.1/shop"], 2),
    (["race", "--url", f"oracle://{LOGIN}@127.0.0.1/shop"], 2),
    (["race", f"mariadb://{LOGIN}@127.0.0.1/shop"], 2),
    (["race", f"--ulr=mariadb://{LOGIN}@127.0.0.1/shop"], 2),
    (["race", "--mode", f"mariadb://{LOGIN}@127.0.0.1/shop"], 2),
    (["race", "--seed", f"mariadb://{LOGIN}@127.0.0.1/shop"], 2),
    (["help", f"mariadb://{LOGIN}@127.0.0.1/shop"], 2),
    ([f"mariadb://{LOGIN}@127.0.0.1/shop"], 2),
]


@test
def no_password_is_shown_wherever_a_url_was_put():
    for arguments, code in SECRET_PLACES:
        result = corm(*arguments)  # which looks for the password
        assert result.code == code and result.err != "", (arguments, str(result))
        assert result.out == "", (arguments, str(result))
    result = corm("race", "--url", "env", DATABASE_URL=f"mariadb://{LOGIN}@127.0.0.1:0/shop")
    assert result.code == 2, result


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def a_database_that_cannot_be_reached_is_said_clearly():
    port = closed_port()
    result = corm("race", "--url", f"mariadb://{LOGIN}@127.0.0.1:{port}/shop")
    assert result.code == 3, result
    assert f"127.0.0.1:{port}" in result.err and "CORM_UNREACHABLE" in result.err, result
    assert result.out == "", result
    missing = os.path.join(place, "missing", "shop.db")
    result = corm("race", "--url", "sqlite:" + missing)
    assert result.code == 3 and missing in result.err and result.out == "", result


@test_on("sqlite")
def without_a_temporary_folder_it_says_what_helps():
    done = subprocess.run([command, "race"], capture_output=True, text=True, timeout=SECONDS,
                          env=dict(environment(), TMPDIR=os.path.join(place, "missing")))
    assert done.returncode == 3 and "TMPDIR" in done.stderr and done.stdout == "", done


@test_on("mariadb")
def a_wrong_password_and_an_unknown_database_are_said_clearly():
    name = {key: os.environ["CORM_TEST_MARIADB_" + key]
            for key in ("USER", "PASSWORD", "HOST", "PORT")}
    at = f"@{name['HOST']}:{name['PORT']}"
    result = corm("race", "--url", f"mariadb://{name['USER']}:{PASSWORD}{at}/shop")
    assert result.code == 3 and "CORM_ACCESS_DENIED" in result.err and result.out == "", result
    result = corm("race", "--url", f"mariadb://{name['USER']}:{name['PASSWORD']}{at}/no_such_shop")
    assert result.code == 3 and "CORM_NO_DATABASE" in result.err and result.out == "", result


@test_on("sqlite")
def tables_of_others_are_not_dropped_unless_that_is_asked_for():
    file = os.path.join(place, "shop.db")
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER)")
    connection.execute("INSERT INTO product VALUES (1, 'chair', 7)")
    connection.commit()
    connection.close()
    result = corm("race", "--url", "sqlite:" + file, "--json", "--buyers", "3")
    assert result.code == 2 and "--replace" in result.err and result.out == "", result
    assert rows_of(file, "SELECT name, stock FROM product") == [("chair", 7)]
    result = corm("race", "--url", "sqlite:" + file, "--json", "--buyers", "3", "--replace")
    assert result.code == 0 and len(lines_of(result)) == 1, result
    assert rows_of(file, "SELECT name FROM product") == [("product 1",)]


@test
def help_names_every_option_and_version_is_a_number():
    result = corm("race", "--help")
    assert result.code == 0 and result.err == "", result
    assert corm("help", "race").out == result.out
    for option in ("url", "mode", "buyers", "purchases", "products", "stock", "qty", "seed",
                   "connections", "replace", "json", "report", "verbose", "help"):
        assert "--" + option in result.out, (option, str(result))
    for key in KEYS:
        assert key in re.split(r"[\s.,;]+", result.out), (key, str(result))
    result = corm("--version")
    assert result.code == 0, result
    assert [part.isdigit() for part in result.out.split()[1].split(".")] == [True] * 3, result


# ---- Interrupted --------------------------------------------------------------------------------

def wait_for(what):
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.002)


def folder_is_there():
    return os.listdir(temporary()) != []


def much_is_written():
    for folder in os.listdir(temporary()):
        try:
            if os.path.getsize(os.path.join(temporary(), folder, "race.db-wal")) > 300000:
                return True
        except FileNotFoundError:
            pass
    return False


def set_signals(ignored):
    """For the child: what ends a program is as it is in a terminal, whatever it is here."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)


def start(*options, mode="lock", ignored=None):
    """A race that lasts until it is told to end."""
    # The thread sanitizer would call it a leak that threads run when a second signal ends it.
    tsan = os.environ.get("TSAN_OPTIONS", "") + " report_thread_leaks=0"
    purchases = "10000000" if mode == "group" else "1000000"
    process = subprocess.Popen([command, "race", *options, "--mode", mode, "--buyers", "20",
                                "--purchases", purchases, "--stock", "1000000000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(TSAN_OPTIONS=tsan),
                               preexec_fn=lambda: set_signals(ignored))
    started.append(process)
    return process


def end_of(process):
    out, err = process.communicate(timeout=SECONDS)
    result = Result(process.returncode, out, err)
    assert_nothing_left(result)
    assert_no_password(result)
    return result


@test_on("sqlite")
def a_signal_ends_it_and_leaves_nothing_behind():
    for mode in ("lock", "group"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for ready in (folder_is_there, much_is_written):
                process = start("--json", mode=mode)
                wait_for(ready)
                process.send_signal(number)
                result = end_of(process)
                assert result.code == 128 + number, result
                assert "interrupted" in result.err and result.out == "", result


@test_on("sqlite")
def a_second_signal_ends_it_at_once_and_leaves_nothing_behind():
    for mode in ("lock", "group") * 3:
        process = start("--json", mode=mode)
        wait_for(much_is_written)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        result = end_of(process)
        assert result.code == 130 and result.out == "", result


@test_on("sqlite")
def a_signal_that_is_ignored_stays_ignored():
    process = start("--json", ignored=signal.SIGHUP)  # as nohup does it
    wait_for(much_is_written)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    result = end_of(process)
    assert result.code == 130 and "once more" in result.err, result


@test_on("mariadb")
def a_signal_ends_a_race_on_a_server():
    for mode in ("lock", "group"):
        process = start(*database(), mode=mode)
        assert "20 buyers" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        result = end_of(process)
        assert result.code == 130 and "interrupted" in result.err, result
        check_strict(race(mode, "--buyers", "20"))  # the server is as good as before


# ---- All of them --------------------------------------------------------------------------------

def main():
    global command, seeds, place, target
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("target", choices=("sqlite", "mariadb"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    command, target, seeds = os.path.abspath(options.command), options.target, options.seeds
    place = tempfile.mkdtemp(prefix="corm-race-command-")
    os.mkdir(temporary())
    try:
        failed = tap.run_all([function for function, targets in tests if target in targets])
    finally:
        for process in started:
            process.kill()
        shutil.rmtree(place)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
