#!/usr/bin/env python3
"""planted_simulation.py [--times N] [--list] [NAME...] - faults that the simulation must find.

Copies the tree to a temporary folder, and for each fault: plants it, builds, runs simulation_test several
times, each time from another seed on, with as many schedules as CI runs, and takes it out again. A fault
that is not found every time, one that does not apply any more, and one that does not build are failures.

A fault is a list of places: a file, a line that the place begins with (the head of a function: the change
is made in front of its closing brace), a text in it, and what stands there instead. The text must be there
exactly once. Keep it short: whoever changes the code has to move the fault along, and is told so.

--times N is how often each must be found (3). Exit code 0: all were found.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

TRX = "src/trx/trx.c"
ERRORS = "src/driver/error_table.c"
CONNECTION = "src/pool/connection.c"
POOL = "src/pool/pool.c"
GROUP = "src/route/group.c"
LANE = "src/route/lane.c"
API = "src/api/transaction.c"
LEDGER = "src/trx/ledger.c"

SCHEDULES = 10000  # what CI runs in its five seconds
SECONDS = 200  # for one run; what hangs is found out


def verdicts(code, right, wrong):
    """Another row in the table of failures: first, middle, flush, commit, and so on."""
    return [(ERRORS, "const struct corm__own_error", f'{{{code}, "{right}"}}', f'{{{code}, "{wrong}"}}')]


# name, edits
FAULTS = [
    ("a lost commit runs again", verdicts("CORM_UNKNOWN", "RRRRRX", "AAAAAX")),
    ("a lost commit is told as a lost connection",
     [(TRX, "static void judge_commit(", "if (trx->place != CORM_AT_COMMIT ||",
       "if (trx->place >= CORM_AT_CONNECT ||")]),
    ("a single write whose answer was lost is told as not done",
     [(TRX, "static int64_t send(", "trx->single && statement->verb != CORM__READ", "false")]),
    ("a commit that was stopped is told as not done", verdicts("CORM_INTERRUPTED", "CFFFRX", "CFFFFX")),
    ("an error of storage at a commit is told as not done",
     [(ERRORS, "const struct corm__server_error corm__mariadb_errors",
       '{1180, "ER_ERROR_DURING_COMMIT", CORM_SERVER_ERROR, "CFFFRX"}',
       '{1180, "ER_ERROR_DURING_COMMIT", CORM_SERVER_ERROR, NULL}')]),
    ("a commit that the server refused is told as unknown",
     [(TRX, "static bool may_have_committed(", "return trx->error.server_code == 0 ||",
       "return trx->error.server_code != 0 ||")]),
    ("what failed on the way to its commit is told as done",
     [(TRX, "static int send_commit(", "return trx->state == CORM__TRX_DOOMED ? rc",
       "return trx->state == CORM__TRX_DOOMED ? 0")]),
    ("a deadlock is not run again", verdicts("CORM_DEADLOCK", "AAAAAX", "FFFFFX")),
    ("a lock timeout is not run again", verdicts("CORM_LOCK_TIMEOUT", "AAAAAX", "FFFFFX")),
    ("a lost connection is not run again", verdicts("CORM_DISCONNECTED", "AAAARX", "CCCCRX")),
    ("a server that is down is not waited for", verdicts("CORM_UNREACHABLE", "AAAAAX", "CAAAAX")),
    ("a deadlock is run again by its statement alone",
     [(CONNECTION, "static int execute_cached(", "if (rc != CORM__STALE_STATEMENT)",
       "if (rc == CORM_DEADLOCK && tries == 0) {\n            *error = (struct corm_error){0};\n"
       "            continue;\n        }\n        if (rc != CORM__STALE_STATEMENT)")]),
    ("a doomed transaction is committed",
     [(TRX, "int corm__trx_commit(", "if (rc == 0)", "if (rc == 0 || !trx->connection->link->lost)")]),
    ("what was buffered goes out in the next attempt, too",
     [(TRX, "void corm__trx_ready(", "trx->pending_count = trx->pending_bytes = 0;", ""),
      (TRX, "static void end(", "trx->pending_count = 0;", "")]),
    ("savepoints stay from attempt to attempt",
     [(TRX, "void corm__trx_ready(", "trx->base = trx->floor = trx->depth =", "trx->base = trx->floor =")]),
    ("the argument of a savepoint's rollback is forgotten: what was sent stays",
     [(TRX, "static int undo(", "if (last->sent) {", "if (false) {")]),
    ("what was buffered behind a savepoint stays",
     [(TRX, "static int undo(", "trx->pending_count = last->at;", "(void)last;")]),
    ("a failure is laid to the wrong statement",
     [(CONNECTION, "static int run_compound(", "ask_failed(c, run, error) : run->count - 1", "0 : run->count - 1")]),
    ("what is buffered is overtaken by the next write",
     [(TRX, "static int64_t send(", "        rc = flush(trx);\n", "        rc = 0;\n")]),
    ("rows that are not locked are written behind",
     [(TRX, "bool corm__trx_holds(", "if (held == NULL)\n        return false;",
       "if (held == NULL)\n        return true;")]),
    ("locks are not given back when a transaction is rolled back",
     [(TRX, "void corm__trx_rollback(",
       "(void)corm__connection_control(trx->connection, \"ROLLBACK\", trx->attempt,\n"
       "                                       deadline_of_rollback(trx, CORM__ROLLBACK_MS), &ignored);",
       "link->in_trx = false;")]),
    ("a function is not isolated",
     [(API, "static enum corm_isolation isolation_of(", "return function ? CORM_SERIALIZABLE",
       "return function ? CORM_READ_COMMITTED")]),
    ("a reader has no snapshot",
     [(API, "static enum corm_isolation isolation_of(", "return CORM_REPEATABLE_READ;",
       "return CORM_READ_COMMITTED;")]),
    ("a session is not set up for transactions",
     [(TRX, "static int open_trx(", "if (rc == 0) {\n        trx->place = CORM_AT_FIRST;",
       "if (rc == 0 && trx->attempt < 2) {\n        trx->place = CORM_AT_FIRST;")]),
    ("a lost link is handed out again",
     [(POOL, "void corm__pool_release(", "c->link->lost || ", "")]),
    ("one connection is given to two",
     [(POOL, "static struct corm__connection *take_idle(",
       "    if (best != NULL) {\n        take_out(&pool->idle, best);",
       "    if (best != NULL) {\n        if (pool->idle.first->next == NULL)\n"
       "            take_out(&pool->idle, best);\n        else\n"
       "            best = pool->idle.first;")]),
    ("a waiter is not woken when a connection comes back",
     [(POOL, "static void serve(", "if (w->waits)", "if (w->waits && pool->max != 2)")]),
    ("I/O under the mutex of the pool",
     [(POOL, "static void close_used(", "(void)pthread_mutex_unlock(&pool->mutex);\n    corm__connection_close(c);",
       "corm__connection_close(c);\n    (void)pthread_mutex_unlock(&pool->mutex);")]),
    ("a generated key goes to another row",
     [(CONNECTION, "static int keys_row(", "= values[0].as.i;", "= values[0].as.i + 1;")]),
    ("a group's refused member leaves its write",
     [(GROUP, "static void take_back(", "u->held->row = u->row;", "(void)u->row;")]),
    ("a group that was lost is told as done",
     [(GROUP, "void corm__group_run(", "rc = corm__trx_commit(g->trx);",
       "rc = corm__trx_commit(g->trx);\n        rc = 0;")]),
    ("a group whose commit was lost runs again",
     [(GROUP, "static void conclude(", "settle(g, m, error);", "m->state = CORM__MEMBER_AGAIN;")]),
    ("a member's success is told although its group runs again",
     [(GROUP, "static void settle(", "m->state = CORM__MEMBER_AGAIN;", "tell(m, 1, error);")]),
    ("a batch that arrives late finds no fence",
     [(LEDGER, "#define CORM__LEDGER_FENCE", "IF(epoch = VALUES(epoch), 0, 9223372036854775807)", "0")]),
    ("who asks the ledger does not count the epoch up",
     [(LEDGER, "#define CORM__LEDGER_CLAIM", "UPDATE epoch = epoch + 1", "UPDATE epoch = epoch")]),
    ("the ledger's answer counts before it is committed",
     [(LEDGER, "static int ask(", "rc = corm__connection_control(c, \"COMMIT\", 0, until, error);",
       "rc = corm__connection_control(c, \"ROLLBACK\", 0, until, error);")]),
    ("the slot of a lost commit is used again",
     [(LEDGER, "struct corm__doubt corm__ledger_doubt(", "c->slot = (struct corm__slot){0};", "(void)0;")]),
    ("all commits have one sequence",
     [(LEDGER, "int corm__ledger_enter(", "c->slot.sequence++;", "c->slot.sequence = 1;")]),
    ("what the ledger has not is told as done",
     [(LEDGER, "static int ask(", "sink.sequence == d->slot.sequence", "sink.sequence <= d->slot.sequence")]),
    ("what the ledger has is told as never done",
     [(LEDGER, "static int ask(", "answer->committed = sink.sequence == d->slot.sequence",
       "answer->committed = sink.sequence > d->slot.sequence")]),
    ("the ledger is not entered by groups",
     [(TRX, "static int enter(", "if (!corm__trx_is_entered(trx)) {", "if (trx->group != NULL || !corm__trx_is_entered(trx)) {")]),
    ("keys that were made are not told after a lost commit",
     [(TRX, "static void take_keys(", "*statements[i].id = key;", "(void)key;")]),
    ("a lane forgets who is blocked",
     [(LANE, "static void look_again(", "prepend(&lane->queue, e);\n    }\n    for",
       "if (e->member.attempt < 2)\n            prepend(&lane->queue, e);\n    }\n    for")]),
]


class Misfit(Exception):
    pass


def place_of(text, head):
    """Where the part begins and ends that `head` opens."""
    if text.count("\n" + head) != 1:
        raise Misfit(f'"{head}" begins {text.count(chr(10) + head)} lines, not one')
    start = text.index("\n" + head) + 1
    ends = [at for at in (text.find(end, start) for end in ("\n}\n", "\n};\n")) if at >= 0]
    return start, min(ends) + 1 if ends else len(text)


def plant(tree, edits):
    """Changes files; returns what they were."""
    before = {}
    for name, head, find, instead in edits:
        path = os.path.join(tree, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        before.setdefault(path, text)
        start, end = place_of(text, head)
        part = text[start:end]
        if part.count(find) != 1:
            raise Misfit(f'{name}: "{find}" is {part.count(find)} times in "{head}", not once')
        with open(path, "w", encoding="utf-8") as file:
            file.write(text[:start] + part.replace(find, instead) + text[end:])
    return before


def restore(before):
    for path, text in before.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def build(tree):
    done = subprocess.run(
        ["ninja", "-j2", "-C", os.path.join(tree, "build"), "tests/simulation_test"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Misfit("it does not build:\n" + done.stdout[-3000:])


def copy_tree(root, tree):
    for name in ("include", "src", "tests", "bench", "examples", "scripts", "docs", "install", "debian", "README.md",
                 "meson.build"):
        path = os.path.join(root, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(tree, name))
        else:
            shutil.copy(path, tree)
    env = dict(os.environ)
    if shutil.which("ccache") and "CC" not in env:
        env["CC"] = "ccache cc"
    subprocess.run(["meson", "setup", os.path.join(tree, "build"), tree, "--buildtype=debugoptimized"],
                   env=env, stdout=subprocess.DEVNULL, check=True)


def run(tree, seed):
    """Why the test fails; "" where it does not."""
    env = dict(os.environ, CORM_SIMULATION_SEED=str(seed), CORM_SIMULATION_SCHEDULES=str(SCHEDULES))
    try:
        done = subprocess.run([os.path.join(tree, "build", "tests", "simulation_test")], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                              check=False)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.startswith("seed ") or "Assertion" in line]
    return (told or lines or ["?"])[-1][:150]


def try_fault(tree, fault, times, seed):
    """Whether it was found each time; says so."""
    name, edits = fault
    start = time.monotonic()
    try:
        before = plant(tree, edits)
    except Misfit as error:
        print(f"DOES NOT APPLY: {name}: {error}", flush=True)
        return False
    try:
        build(tree)
        reasons = [run(tree, seed + i * 1000003) for i in range(times)]
    except Misfit as error:
        print(f"{name}: {error}", flush=True)
        return False
    finally:
        restore(before)
    found = sum(1 for reason in reasons if reason)
    print(f"{'found' if found == times else 'NOT FOUND'} {found} of {times}: {name} "
          f"({time.monotonic() - start:.0f} s): {max(reasons)}", flush=True)
    return found == times


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    faults = [f for f in FAULTS if not arguments.names or any(n in f[0] for n in arguments.names)]
    if not faults:
        sys.exit("planted_simulation.py: no fault has such a name; --list prints them")
    if arguments.list:
        print("\n".join(name for name, _ in faults))
        return 0
    seed = int(time.time())
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory(prefix="corm-planted-") as tree:
        copy_tree(root, tree)
        build(tree)
        reason = run(tree, seed)
        if reason:
            sys.exit(f"planted_simulation.py: the test fails without a fault: {reason}")
        failed = sum(not try_fault(tree, fault, arguments.times, seed) for fault in faults)
    print(f"{len(faults)} faults, seed {seed}: "
          f"{'each was found each time' if failed == 0 else f'{failed} failures'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
