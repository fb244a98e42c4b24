#!/usr/bin/env python3
"""doctor_command.py CORM [mariadb|bad|galera|--write] - `corm doctor` as a user meets it. Prints TAP.

Without a target: the table of failures, the command line, and files of SQLite. With `mariadb` a server is
asked, with each bad setting in turn and without it; with `bad` one that was started with settings that
cannot be changed while it runs. Both have a server of their own, because they change its settings. With
`galera` a cluster is asked, under scripts/with-galera.

The table of failures is kept in errors.txt, so that whoever changes a verdict sees it in the diff:
after a change that is meant, doctor_command.py CORM --write makes the file anew.
"""

import hashlib
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "errors.txt")
WORDS = {"run again": "again", "run elsewhere": "elsewhere", "resolve": "resolve",
         "function's own": "function", "caller's own": "caller", "fatal": "fatal"}
CODES = {"ok": 0, "note": 0, "warning": 4, "error": 1}
SECONDS = 60

command = sys.argv[1]
target = sys.argv[2] if len(sys.argv) > 2 else "none"
tests = []


def test_on(where):
    def add(function):
        if where == target:
            tests.append(function)
        return function
    return add


# ---- Running ----------------------------------------------------------------------------------------


def run(*words, **more):
    environment = {name: value for name, value in os.environ.items()
                   if name != "DATABASE_URL" and not name.startswith("DB_")}
    environment.update(more)
    return subprocess.run([command, *words], capture_output=True, text=True, timeout=SECONDS,
                          env=environment)


def examine(url):
    """What --json says: {check: finding}, the whole, and what the exit code says is checked."""
    result = run("doctor", "--json", url)
    assert result.stderr == "" and result.returncode in (0, 1, 4), result
    whole = json.loads(result.stdout)
    assert CODES[whole["worst"]] == result.returncode, result
    findings = {f["check"]: f for f in whole["findings"]}
    assert len(findings) == len(whole["findings"]), "a check is there twice"
    for severity, key in (("error", "errors"), ("warning", "warnings"), ("note", "notes"), ("ok", "ok")):
        assert whole[key] == sum(f["severity"] == severity for f in findings.values()), whole
    for f in findings.values():
        assert f["found"] and f["means"], f
        assert f["severity"] in ("ok", "note") or f["cure"], f
        assert not f["protected_by_corm"] or f["severity"] == "ok", f
    return findings


def server_url(options="", user=None, host="127.0.0.1"):
    login = user or os.environ["CORM_TEST_MARIADB_USER"] + ":" + os.environ["CORM_TEST_MARIADB_PASSWORD"]
    return (f"mariadb://{login}@{host}:{os.environ['CORM_TEST_MARIADB_PORT']}/"
            f"{os.environ['CORM_TEST_MARIADB_DATABASE']}{options}")


def sql(text):
    """Runs SQL beside corm; the lines that come back."""
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4",
         "--host=127.0.0.1", "--port=" + os.environ["CORM_TEST_MARIADB_PORT"],
         "--user=" + os.environ["CORM_TEST_MARIADB_USER"], os.environ["CORM_TEST_MARIADB_DATABASE"]],
        input=text, capture_output=True, text=True, timeout=SECONDS,
        env={**os.environ, "MYSQL_PWD": os.environ["CORM_TEST_MARIADB_PASSWORD"]})
    assert done.returncode == 0, (text, done.stderr)
    return done.stdout.splitlines()


def on_terminal(*words, **more):
    """What it prints where stdout is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([command, *words], stdin=subprocess.DEVNULL, stdout=theirs,
                          env={**os.environ, "TERM": "xterm", **more}) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
        process.wait(SECONDS)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


# ---- The table of failures --------------------------------------------------------------------------


@test_on("none")
def the_table_is_that_of_errors_txt():
    result = run("doctor", "--errors")
    assert result.returncode == 0 and result.stderr == "", result
    with open(GOLDEN, encoding="utf-8") as file:
        assert result.stdout == file.read(), "the table differs from tests/errors.txt"


@test_on("none")
def json_says_the_same():
    result = run("doctor", "--errors", "--json")
    assert result.returncode == 0 and result.stderr == "", result
    rows = []
    for driver, rules in json.loads(result.stdout).items():
        for rule in rules:
            first = [str(rule["server_code"]), rule["server_name"]] if driver != "corm" else []
            rows.append(first + [rule["code"]] + [WORDS[v] for v in rule["verdicts"].values()])
    with open(GOLDEN, encoding="utf-8") as file:
        golden = [line.split() for line in file if " CORM_" in line or line.startswith("CORM_")]
    golden = [words for words in golden if words[-1] == "fatal"]
    assert rows == golden and len(rows) > 150, [pair for pair in zip(rows, golden) if pair[0] != pair[1]]


# ---- The command line --------------------------------------------------------------------------------


@test_on("none")
def wrong_use_is_refused():
    for words in (["doctor"], ["doctor", "--json"], ["doctor", "--errors", "x"], ["doctor", "--erors"],
                  ["doctor", "sqlite::memory:", "more"], ["doctor", "shop.db"],
                  ["doctor", "sqlite:"], ["doctor", "mariadb://u@h/db?tsl=off"]):
        result = run(*words)
        assert result.returncode == 2 and result.stdout == "" and "corm doctor: " in result.stderr, result


@test_on("none")
def help_is_printed():
    for words in (["help", "doctor"], ["doctor", "--help"], ["doctor", "-h"]):
        result = run(*words)
        assert result.returncode == 0 and "--errors" in result.stdout, result
        assert "Exit codes: 0 nothing worse" in result.stdout and "DATABASE_URL" in result.stdout, result


@test_on("none")
def what_cannot_be_reached_is_an_exit_code_of_its_own():
    result = run("doctor", "mariadb://u:pw@127.0.0.1:1/shop?timeout_ms=2000")
    assert result.returncode == 3 and result.stdout == "", result
    assert "CORM_UNREACHABLE" in result.stderr, result


# ---- SQLite ------------------------------------------------------------------------------------------



def make_file(folder, mode):
    path = os.path.join(folder, mode + " %1.db")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=" + mode)
    connection.execute("CREATE TABLE t(x)")
    connection.commit()
    connection.close()
    return path, "sqlite:" + path.replace("%", "%25")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@test_on("none")
def a_file_in_wal_mode_is_read_about_and_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        path, url = make_file(folder, "wal")
        before = digest(path)
        findings = examine(url)
        assert findings["journal_mode"]["found"] == "journal_mode = wal", findings
        assert findings["journal_mode"]["severity"] == "ok", findings
        assert findings["synchronous"]["found"] == "synchronous = FULL", findings
        assert findings["synchronous"]["protected_by_corm"], findings
        assert findings["ledger"]["severity"] == "ok", findings
        assert digest(path) == before


@test_on("none")
def a_file_that_is_not_in_wal_mode_is_not_changed():
    with tempfile.TemporaryDirectory() as folder:
        path, url = make_file(folder, "delete")
        before = digest(path)
        finding = examine(url)["journal_mode"]
        assert finding["severity"] == "ok" and finding["protected_by_corm"], finding
        assert "not in WAL mode" in finding["found"], finding
        assert digest(path) == before and os.listdir(folder) == [os.path.basename(path)]


@test_on("none")
def a_file_that_is_not_there_is_not_made():
    with tempfile.TemporaryDirectory() as folder:
        result = run("doctor", "sqlite:" + os.path.join(folder, "none.db"))
        assert result.returncode == 3 and "CORM_NOT_A_DATABASE" in result.stderr, result
        with open(os.path.join(folder, "text"), "w", encoding="utf-8") as file:
            file.write("This is no database, and long enough to have a header if it were one. " * 20)
        result = run("doctor", "sqlite:" + os.path.join(folder, "text"))
        assert result.returncode == 3 and "CORM_NOT_A_DATABASE" in result.stderr, result
        assert os.listdir(folder) == ["text"]


@test_on("none")
def a_library_with_the_bug_is_named():
    with tempfile.TemporaryDirectory() as folder:
        finding = examine(make_file(folder, "wal")[1])["wal_reset_bug"]
    # the library of the command is the system's, as a rule that of python, too; its version is shown
    version = tuple(int(n) for n in re.search(r"SQLite ([\d.]+)", finding["found"]).group(1).split("."))
    damaged = (version < (3, 44, 6) or (3, 45) <= version < (3, 50, 7) or (3, 51) <= version < (3, 51, 3))
    assert finding["severity"] == ("warning" if damaged else "ok"), finding
    assert ("3.51.3" in (finding["cure"] or "")) == damaged, finding


@test_on("none")
def a_database_in_memory_ends_with_the_process():
    findings = examine("sqlite::memory:")
    assert findings["journal_mode"]["severity"] == "note", findings
    assert run("doctor", "sqlite::memory:").returncode == 0


@test_on("none")
def the_environment_names_the_database():
    for environment in ({"DATABASE_URL": "sqlite::memory:"},
                        {"DB_DRIVER": "sqlite", "DB_DATABASE": ":memory:"}):
        result = run("doctor", **environment)
        assert result.returncode == 0 and "a database in memory" in result.stdout, result


@test_on("none")
def lines_in_a_pipe_are_plain_and_a_terminal_has_colours():
    plain = run("doctor", "sqlite::memory:").stdout.splitlines()
    findings = examine("sqlite::memory:")
    assert len(plain) == len(findings) + 1, plain
    for finding in findings.values():
        line = (f"{finding['severity']} {finding['check']}: {finding['found']}: {finding['means']}"
                + (f"; cure: {finding['cure']}" if finding["cure"] else ""))
        assert line in plain, (line, plain)
    assert re.fullmatch(r"SQLite [\d.]+: 0 errors, 0 warnings, 1 note, 3 ok", plain[-1]), plain
    coloured = on_terminal("doctor", "sqlite::memory:", NO_COLOR="")
    assert "\033[36mnote" in coloured and "\033[0m" in coloured, coloured
    for quiet in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "dumb"}):
        bare = on_terminal("doctor", "sqlite::memory:", **quiet)
        assert "\033" not in bare and re.search(r"^note {5}journal_mode {9}a database", bare, re.M), bare
        assert all(len(line) <= 110 for line in bare.splitlines()), bare
    assert re.sub(r"\033\[[\d;]*m", "", coloured) == bare


# ---- A server ------------------------------------------------------------------------------------------


class Bad:
    """A setting of the server while the block runs: `bad` makes it, `good` takes it back."""

    def __init__(self, bad, good):
        self.bad, self.good = bad, good

    def __enter__(self):
        sql(self.bad)

    def __exit__(self, *_):
        sql(self.good)


def setting(name, value):
    before = sql(f"SELECT @@GLOBAL.{name}")
    before = before[0] if before else ""
    quoted = before if before.isdigit() else "'" + before.replace("'", "''") + "'"
    return Bad(f"SET GLOBAL {name} = {value}", f"SET GLOBAL {name} = {quoted}")


# check, name of the setting, the bad value, what is found, its severity; None: corm itself sees to it
DYNAMIC = [
    ("flush_at_commit", "innodb_flush_log_at_trx_commit", "0", "a crash of the server", "error"),
    ("flush_at_commit", "innodb_flush_log_at_trx_commit", "2", "a loss of power", "error"),
    ("autocommit", "autocommit", "0", "corm switches it on", None),
    ("sql_mode", "sql_mode", "''", "corm's sessions are strict", None),
    ("snapshot_isolation", "innodb_snapshot_isolation", "0", "no update is lost", None),
    ("local_infile", "local_infile", "1", "never sends a file", None),
    ("isolation", "tx_isolation", "'READ-UNCOMMITTED'", "have not committed", "warning"),
    ("isolation", "tx_isolation", "'READ-COMMITTED'", "find two values", "note"),
    ("read_only", "read_only", "1", "writes are refused", "warning"),
    ("packet", "max_allowed_packet", "65536", "refuses a larger statement", "warning"),
    ("packet", "max_allowed_packet", "2097152", "refuses a larger statement", "note"),
    ("wait_timeout", "wait_timeout", "5", "that pauses for longer", "warning"),
    ("wait_timeout", "wait_timeout", "600", "connects again", "note"),
    ("prepared_statements", "max_prepared_stmt_count", "20", "may find no room", "warning"),
    ("prepared_statements", "max_prepared_stmt_count", "1000", "keeps fewer", "note"),
    ("connections", "max_connections", "12", "nobody else gets in", "warning"),
    ("init_connect", "init_connect", "'SET @a=1'", "it runs in every new session", "note"),
]


def good_settings():
    """What is as it should be; the defaults of this server are not, for some."""
    return [setting("innodb_snapshot_isolation", "1"), setting("local_infile", "0")]


@test_on("mariadb")
def nothing_is_found_of_a_good_server():
    with good_settings()[0], good_settings()[1]:
        findings = examine(server_url())
    assert findings["ledger"]["severity"] == "warning", findings["ledger"]
    del findings["ledger"]
    others = [f for f in findings.values() if f["severity"] != "ok" or f["protected_by_corm"]]
    assert not others and len(findings) == 17, others


@test_on("mariadb")
def every_bad_setting_is_found_and_its_absence_too():
    good = good_settings()
    with good[0], good[1]:
        for check, name, value, text, severity in DYNAMIC:
            before = examine(server_url())[check]
            assert before["severity"] == "ok" and not before["protected_by_corm"], before
            with setting(name, value):
                found = examine(server_url())[check]
            assert text in found["means"], (name, value, found)
            assert found["severity"] == (severity or "ok"), (name, value, found)
            assert found["protected_by_corm"] == (severity is None), (name, value, found)
            after = examine(server_url())[check]
            assert after == before, (before, after)


@test_on("mariadb")
def a_cure_that_can_be_copied_cures():
    cured = set()
    for check, name, value, _, severity in DYNAMIC:
        with setting(name, value):
            cure = examine(server_url())[check]["cure"]
            statement = re.match(r"(?:.*, or (?:here )?)?(SET GLOBAL [^;]*);", cure or "")
            if statement is None:
                assert severity in (None, "note"), cure
                continue
            sql(statement.group(1))
            after = examine(server_url())[check]
            assert after["severity"] == "ok", (cure, after)
            cured.add(name)
    assert len(cured) == 7, cured


@test_on("mariadb")
def without_room_for_statements_it_says_so():
    with setting("max_prepared_stmt_count", "0"):
        findings = examine(server_url("?timeout_ms=500"))  # it waits so long for room
    assert list(findings) == ["prepared_statements"], findings
    assert findings["prepared_statements"]["severity"] == "error", findings


@test_on("mariadb")
def a_users_own_limit_of_connections_counts():
    make = ("CREATE USER few@'127.0.0.1' IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 4; "
            "GRANT SELECT ON *.* TO few@'127.0.0.1'")
    with Bad(make, "DROP USER few@'127.0.0.1'"):
        found = examine(server_url(user="few:pw"))["connections"]
        assert found["severity"] == "warning" and "max_user_connections = 4" in found["found"], found
        found = examine(server_url("?pool=3", user="few:pw"))["connections"]
        assert found["severity"] == "ok", found


@test_on("mariadb")
def init_connect_may_switch_autocommit_off_and_corm_is_not_impressed():
    make = ("CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'pw'; "
            "GRANT SELECT ON *.* TO plain@'127.0.0.1'")
    with Bad(make, "DROP USER plain@'127.0.0.1'"), setting("init_connect", "'SET autocommit=0, sql_mode=\"\"'"):
        findings = examine(server_url(user="plain:pw"))
    assert findings["autocommit"]["protected_by_corm"], findings["autocommit"]
    assert "init_connect sets it" in findings["autocommit"]["found"], findings["autocommit"]
    assert findings["init_connect"]["severity"] == "note", findings["init_connect"]
    assert findings["sql_mode"]["severity"] == "ok", findings["sql_mode"]


@test_on("mariadb")
def tables_without_transactions_are_named_and_their_cure_works():
    names = ["a", "odd`na'me\"", "memory", "ok"]
    engines = ["MyISAM", "Aria", "MEMORY", "InnoDB"]
    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    make = "; ".join(f"CREATE TABLE {name}(x INT) ENGINE={engine}" for name, engine in zip(quoted, engines))
    make += "; CREATE VIEW seen AS SELECT * FROM a; CREATE SEQUENCE counted ENGINE=MyISAM"
    with Bad(make, "DROP VIEW seen; DROP SEQUENCE counted; DROP TABLE " + ", ".join(quoted)):
        found = examine(server_url())["tables"]
        assert found["severity"] == "error" and found["found"].startswith("3 without"), found
        for name, engine in list(zip(names, engines))[:3]:
            assert f"{name} ({engine})" in found["found"], found
        assert "ok (" not in found["found"], found
        sql(found["cure"])
        assert examine(server_url())["tables"]["severity"] == "ok"


@test_on("mariadb")
def the_list_of_tables_is_bounded_and_shows_no_control_characters():
    names = [f"`t{n:02}`" for n in range(12)] + ["`a\x1b[31mred`"]
    make = "; ".join(f"CREATE TABLE {name}(x INT) ENGINE=MyISAM" for name in names)
    with Bad(make, "DROP TABLE " + ", ".join(names)):
        found = examine(server_url())["tables"]
        plain = run("doctor", server_url()).stdout
    assert found["found"].startswith("13 without") and found["found"].endswith(" and 3 more"), found
    assert "t08" in found["found"] and "t09" not in found["found"], found
    assert "a?[31mred" in plain and "\033" not in plain, plain


@test_on("mariadb")
def a_ledger_is_found():
    found = examine(server_url())["ledger"]
    assert found["severity"] == "warning" and "CORM_UNKNOWN" in found["means"], found
    assert found["cure"].startswith("corm setup --url URL"), found
    with Bad("SELECT 1", "DROP TABLE corm_ledger"):
        assert run("setup", "--url", server_url()).returncode == 0
        assert examine(server_url())["ledger"]["severity"] == "ok"


@test_on("mariadb")
def a_link_in_clear_text_to_another_machine_is_an_error():
    # for corm a host is this machine only where it is written as one, and this is 127.0.0.1, too
    found = examine(server_url("?tls=off", host="127.1"))["tls"]
    assert found["severity"] == "error" and "tls=off" in found["cure"], found
    found = examine(server_url())["tls"]
    assert found["severity"] == "ok" and "on this machine" in found["found"], found


@test_on("mariadb")
def a_link_that_is_verified_is_fine():
    authority = os.environ.get("CORM_TEST_MARIADB_TLS_CA")
    if authority is None:
        return "openssl is not there"
    found = examine(server_url("?tls_ca=" + authority))["tls"]
    assert found["severity"] == "ok" and "has proved who it is" in found["found"], found
    result = run("doctor", server_url(host="127.1"))
    assert result.returncode == 3 and "CORM_TLS_FAILED" in result.stderr, result


@test_on("mariadb")
def pool_and_age_are_those_of_the_url():
    found = examine(server_url("?pool=700"))["connections"]
    assert found["severity"] == "warning" and "pool = 700" in found["found"], found
    with setting("wait_timeout", "600"):
        assert examine(server_url("?max_age_s=300"))["wait_timeout"]["severity"] == "ok"
        assert examine(server_url("?timeout_ms=601000"))["wait_timeout"]["severity"] == "warning"


@test_on("mariadb")
def nothing_is_changed():
    sql("CREATE TABLE held(x INT) ENGINE=InnoDB")
    def commands():
        return {name: int(count) for name, count in
                (line.split("\t") for line in sql("SHOW GLOBAL STATUS LIKE 'Com\\_%'"))}
    tables = "SELECT table_name, update_time, create_time FROM information_schema.tables WHERE table_schema = DATABASE()"
    settings = "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE 'gtid%' AND Variable_name NOT LIKE '%timestamp%'"
    try:
        before, tables_before, settings_before = commands(), sql(tables), sql(settings)
        examine(server_url())
        after = commands()
        ran = {name for name in after if after[name] != before[name]}
        fine = {"Com_select", "Com_show_variables", "Com_show_status", "Com_set_option", "Com_rollback",
                "Com_stmt_prepare", "Com_stmt_execute", "Com_stmt_close", "Com_stmt_reset",
                "Com_show_slave_status", "Com_admin_commands"}  # the last is a reset
        assert "Com_select" in ran and not ran - fine, ran - fine
        assert sql(tables) == tables_before and sql(settings) == settings_before
    finally:
        sql("DROP TABLE held")


@test_on("bad")
def settings_of_the_start_are_found():
    findings = examine(server_url())
    found = findings["binlog_flush"]
    assert found["severity"] == "error" and "sync_binlog = 0" in found["found"], found
    found = findings["rollback_on_timeout"]
    assert found["severity"] == "warning" and "CORM_LOCKED" in found["means"], found
    sql(findings["binlog_flush"]["cure"].split(";")[0])
    assert examine(server_url())["binlog_flush"]["severity"] == "ok"


@test_on("bad")
def a_line_tells_all_and_the_exit_code_the_worst():
    result = run("doctor", server_url())
    assert result.returncode == 4 and result.stderr == "", result  # the error of the other test is cured
    sql("SET GLOBAL sync_binlog = 7")
    result = run("doctor", server_url())
    assert result.returncode == 1, result
    lines = result.stdout.splitlines()
    assert lines[0].startswith("error binlog_flush: log_bin = ON, sync_binlog = 7: "), lines
    assert re.fullmatch(r"MariaDB \S+: 1 error, \d+ warnings, \d+ notes?, \d+ ok", lines[-1]), lines


# ---- A cluster -------------------------------------------------------------------------------------------


def cluster_url():
    return os.environ["CORM_TEST_GALERA_URL"]


def sql_on(node, text):
    os.environ.update({f"CORM_TEST_MARIADB_{part}": os.environ[f"CORM_TEST_GALERA_{part}"]
                       for part in ("USER", "PASSWORD", "DATABASE")})
    os.environ["CORM_TEST_MARIADB_PORT"] = os.environ[f"CORM_TEST_GALERA_{node}_PORT"]
    return sql(text)


def examine_cluster(url=None):
    """The findings, a list for each check."""
    result = run("doctor", "--json", url or cluster_url())
    assert result.stderr == "" and result.returncode in (0, 1, 4), result
    whole = json.loads(result.stdout)
    assert CODES[whole["worst"]] == result.returncode, result
    findings = {}
    for finding in whole["findings"]:
        findings.setdefault(finding["check"], []).append(finding)
    return findings


def until_synced(node):
    for _ in range(600):
        state = sql_on(node, "SHOW STATUS LIKE 'wsrep_local_state_comment'")
        if state == ["wsrep_local_state_comment\tSynced"]:
            return
        time.sleep(0.1)
    raise AssertionError(f"node {node} is {state}")


@test_on("galera")
def a_good_cluster_is_one_list():
    assert run("setup", "--url", cluster_url()).returncode == 0
    findings = examine_cluster()
    assert all(len(same) == 1 and same[0]["node"] is None for same in findings.values()), findings
    bad = [f for same in findings.values() for f in same if f["severity"] != "ok"]
    assert not bad, bad
    for check in ("cluster", "cluster_state", "guard", "generated_keys", "text_keys"):
        assert check in findings, findings
    last = run("doctor", cluster_url()).stdout.splitlines()[-1]
    assert re.fullmatch(r"MariaDB \S+, 3 nodes: 0 errors, 0 warnings, 0 notes, \d+ ok", last), last


@test_on("galera")
def who_names_one_node_is_warned():
    findings = examine_cluster(os.environ["CORM_TEST_GALERA_2_URL"])
    assert findings["cluster"][0]["severity"] == "warning", findings["cluster"]


@test_on("galera")
def without_guards_it_is_an_error():
    sql_on(1, "DROP TABLE corm_guard")
    assert examine_cluster()["guard"][0]["severity"] == "error"
    assert run("setup", "--url", cluster_url()).returncode == 0
    assert examine_cluster()["guard"][0]["severity"] == "ok"


@test_on("galera")
def what_is_wrong_with_one_node_is_said_of_that_one():
    step = sql_on(2, "SELECT @@GLOBAL.auto_increment_increment")[0]
    cases = [("flush_at_commit", "innodb_flush_log_at_trx_commit = 0", "innodb_flush_log_at_trx_commit = 1"),
             ("generated_keys", "wsrep_auto_increment_control = 0; SET GLOBAL auto_increment_increment = 1",
              f"wsrep_auto_increment_control = 1; SET GLOBAL auto_increment_increment = {step}")]
    for check, bad, good in cases:
        sql_on(2, "SET GLOBAL " + bad)
        try:
            found = examine_cluster()[check]
        finally:
            sql_on(2, "SET GLOBAL " + good)
        assert [f["node"] for f in found if f["severity"] != "ok"] == [2] and len(found) == 3, found
        assert len(examine_cluster()[check]) == 1


@test_on("galera")
def a_node_that_was_taken_out_is_named():
    sql_on(3, "SET GLOBAL wsrep_desync = 1")
    try:
        found = [f for f in examine_cluster()["cluster_state"] if f["severity"] != "ok"]
        assert [f["node"] for f in found] == [3] and found[0]["severity"] == "warning", found
    finally:
        sql_on(3, "SET GLOBAL wsrep_desync = 0")
    until_synced(3)
    assert examine_cluster()["cluster_state"][0]["severity"] == "ok"


@test_on("galera")
def a_text_key_that_is_not_binary_is_found_and_its_cure_works():
    sql_on(1, "CREATE TABLE loose (k VARCHAR(20) CHARACTER SET utf8mb4 PRIMARY KEY, v VARCHAR(9))")
    try:
        found = examine_cluster()["text_keys"]
        assert len(found) == 1 and found[0]["severity"] == "warning", found
        assert "loose.k" in found[0]["found"], found
        sql_on(1, found[0]["cure"])
        assert examine_cluster()["text_keys"][0]["severity"] == "ok"
    finally:
        sql_on(1, "DROP TABLE loose")


@test_on("galera")
def a_node_that_is_dead_does_not_hide_the_others():
    with open(os.environ["CORM_TEST_GALERA_1_PIDFILE"], encoding="utf-8") as file:
        os.kill(int(file.read()), signal.SIGKILL)
    try:
        until_synced(2)  # they take no work until they know that it is gone
        findings = examine_cluster()
        assert [f["node"] for f in findings["reached"]] == [1], findings["reached"]
        assert findings["tables"][0]["severity"] == "ok", findings["tables"]
    finally:
        subprocess.run([os.environ["CORM_TEST_GALERA_1_START"]], check=True, timeout=SECONDS * 2)
    assert "reached" not in examine_cluster()


# ---- All --------------------------------------------------------------------------------------------------


def main():
    if target == "--write":
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.write(run("doctor", "--errors").stdout)
        return
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            skipped = test()
            print(f"ok {number} - {test.__name__}" + (f" # SKIP {skipped}" if skipped else ""))
        except Exception:  # whatever it is, it is told
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
    sys.exit(1 if failed else 0)


main()
