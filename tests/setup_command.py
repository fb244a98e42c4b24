#!/usr/bin/env python3
"""setup_command.py CORM TARGET - `corm setup` as a user meets it, on "sqlite" or "mariadb" (the server of
scripts/with-mariadb). Prints TAP."""

import json
import os
import subprocess
import sys
import tempfile

corm, target = sys.argv[1], sys.argv[2]
folder = tempfile.TemporaryDirectory()
if target == "sqlite":
    url, secret = f"sqlite:{folder.name}/shop.db", None
else:
    url, secret = os.environ["CORM_TEST_MARIADB_URL"], os.environ["CORM_TEST_MARIADB_PASSWORD"]


def run(*words, **variables):
    environment = {**os.environ, **variables}
    done = subprocess.run([corm, *words], capture_output=True, text=True, timeout=60, env=environment)
    assert secret is None or secret not in done.stdout + done.stderr, "the password is shown"
    return done


def it_may_be_repeated():
    for _ in range(2):
        done = run("setup", "--url", url)
        assert done.returncode == 0 and done.stderr == "", done
        assert done.stdout.count("\n") == 1 and "ledger" in done.stdout, done


def json_is_one_object():
    done = run("setup", "--json", "--url", url)
    assert json.loads(done.stdout) == {"ledger": "not needed" if target == "sqlite" else "ready"}, done


def the_url_may_be_in_the_environment():
    done = run("setup", "--url", "env", DATABASE_URL=url)
    assert done.returncode == 0, done


def wrong_use_is_refused():
    for words in (["setup"], ["setup", url], ["setup", "--url"], ["setup", "--ulr", url], ["setup", "--url", "x"]):
        done = run(*words)
        assert done.returncode == 2 and done.stdout == "" and "corm setup: " in done.stderr, (words, done)


def a_database_that_is_not_there_is_told():
    where = "sqlite:/nowhere/shop.db" if target == "sqlite" else "mariadb://a:b@127.0.0.1:1/shop"
    done = run("setup", "--url", where)
    assert done.returncode == 3 and done.stdout == "" and "opening the database" in done.stderr, done


def help_is_printed():
    for words in (["help", "setup"], ["setup", "--help"], ["setup", "-h"]):
        done = run(*words)
        assert done.returncode == 0 and "corm_ledger" in done.stdout and done.stderr == "", done


tests = [it_may_be_repeated, json_is_one_object, the_url_may_be_in_the_environment, wrong_use_is_refused,
         a_database_that_is_not_there_is_told, help_is_printed]
print(f"1..{len(tests)}")
failed = 0
for number, test in enumerate(tests, 1):
    try:
        test()
        print(f"ok {number} - {test.__name__}")
    except Exception as problem:  # whatever it is, it is told
        failed += 1
        print(f"not ok {number} - {test.__name__}")
        print("\n".join("# " + line for line in str(problem).splitlines()))
sys.exit(1 if failed else 0)
