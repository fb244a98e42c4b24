#!/usr/bin/env python3
"""planted.py [--sample N] [--times N] [--list | --applies] [NAME...] - faults that the tests of groups, and the
simulation, must find.

Copies the tree to a temporary folder, and for each fault: plants it, builds, runs the test that has to
find it several times, each time with another seed, and takes it out again. A fault that is not found
every time, one that does not apply any more, and one that does not build are failures. What is run is what
CI runs, on a machine that is idle: neither more programs nor other tests.

A fault is a list of places: a file, a line that the place begins with (the head of a function: the change
is made in front of its closing brace), a text in it, and what stands there instead. The text must be there
exactly once. Keep it short: whoever changes the code has to move the fault along, and is told so.

--sample N takes N of those that SQLite is enough for, others each day, and takes it that the tests pass
without them; --times N is how often each must be found (3). Needs the environment of scripts/with-mariadb, but
for a sample. --applies only sees that all can still be planted: a test of its own. Exit code 0: all is well.
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
API = "src/api/transaction.c"
LEDGER = "src/trx/ledger.c"
GROUP = "src/route/group.c"
LANE = "src/route/lane.c"
FACTS = "src/route/table_facts.c"
KEY = "src/sql/key.c"
SQL = "src/sql/group_sql.c"

PROGRAMS = "10000"  # fewer than CI runs in its seconds, and the same on a slow machine
SCHEDULES = "10000"  # what CI runs in its five seconds
SECONDS = 100  # for one run of a test; what hangs is found out
SECONDS_OF = {"simulation": 200}
MODEL = ("group_model", "sqlite", "*")
SIMULATION = ("simulation", "alone", "*")
HISTORY_SERVER = ("history", "mariadb", "recorded_*")

def early(function, text, instead):
    """The edits by which `function` of group.c tells its member before the group is over."""
    return [
        (LANE, "static bool give_back(", "if (e->member.state == CORM__MEMBER_DONE)",
         "if (e->state != RUNS)\n            continue;\n"
         "        if (e->member.state == CORM__MEMBER_DONE)"),
        (LANE, "static bool give_back(", "again = again ||",
         "if (e->state != RUNS)\n            continue;\n        again = again ||"),
        (LANE, "/* Gives a group back that began", "/* Gives a group back that began",
         "void corm__planted_tell(struct corm__member *m);\n"
         "void corm__planted_tell(struct corm__member *m)\n{\n"
         "    struct entry *e = (struct entry *)m;\n\n"
         "    pthread_mutex_lock(&e->lane->lanes->mutex);\n"
         "    if (e->state == RUNS)\n        end_entry(e->lane->lanes, e);\n"
         "    pthread_mutex_unlock(&e->lane->lanes->mutex);\n}\n\n"
         "/* Gives a group back that began"),
        (GROUP, "struct corm__group {", "struct corm__group {",
         "void corm__planted_tell(struct corm__member *m);\nstruct corm__group {"),
        (GROUP, function, text, instead),
    ]


def lane(target, pattern):
    return ("lane", target, pattern)


def verdicts(code, right, wrong):
    """Another row in the table of failures: first, middle, flush, commit, and so on."""
    return [(ERRORS, "const struct corm__own_error", f'{{{code}, "{right}"}}', f'{{{code}, "{wrong}"}}')]


# name, edits, the test that finds it each time: program, target, those of its tests
FAULTS = [
    ("a refused member's write stays",
     [(GROUP, "static void take_back(", "c->held->row = c->row;", "(void)c->row;")], MODEL),
    ("a refused member's inserts stay",
     [(GROUP, "static void take_back(", "c->batch->count = c->at;", "(void)c->at;")], MODEL),
    ("the writes of a refused member that was direct stay",
     [(GROUP, "static void end_direct(", "trx->waited ? CORM_LOCKED : told",
       "trx->waited ? CORM_LOCKED : corm_is_user(told) ? (corm__trx_mend(trx), 0) : told")], MODEL),
    ("what a member did that starts anew stays",
     [(GROUP, "static void run_member(", "        take_back(g, g->at);\n", "")], MODEL),
    ("what a member left in memory is sent before it has ended",
     [(GROUP, "static int leave(", "if (has_changes(g))", "if (false)")], MODEL),
    ("a commit that failed is told as one that was made",
     [(GROUP, "void corm__group_run(", "rc = corm__trx_commit(g->trx);",
       "rc = corm__trx_commit(g->trx);\n        rc = 0;")], lane("mariadb", "killed_connections_*")),
    ("a refusal is told before the commit",
     early("static void tell(", "*m->error = *error;",
           "*m->error = *error;\n        corm__planted_tell(m);"), lane("sqlite", "nobody_is_told_before_*")),
    ("a success is told before the commit",
     early("static void end_served(", "m->rc = told;",
           "m->rc = told;\n        m->state = CORM__MEMBER_DONE;\n"
           "        corm__planted_tell(m);"), lane("sqlite", "nobody_is_told_before_*")),
    ("a refusal of a group that was lost stands",
     [(GROUP, "static void conclude(", "m->rc != CORM_TIMEOUT", "m->rc == 1")], lane("mariadb", "refusal_that_rests_*")),
    ("what may have been committed runs again",
     [(GROUP, "static void conclude(", "else if (ran)\n            settle(g, m, error);",
       "else if (ran && error->code == CORM_UNKNOWN)\n"
       "            m->state = CORM__MEMBER_AGAIN;\n"
       "        else if (ran)\n            settle(g, m, error);")], ("history", "mariadb", "commit_whose_answer_*")),
    ("who runs again does so in another order",
     [(LANE, "static bool give_back(", "for (size_t i = n; i-- > 0;) {",
       "for (size_t i = 0; i < n; i++) {")], lane("mariadb", "group_that_is_lost_*")),
    ("the last one to come runs first",
     [(LANE, "static struct entry *enqueue(", "append(&e->lane->queue, e);",
       "prepend(&e->lane->queue, e);")], MODEL),
    ("a key has another lane now and then",
     [(LANE, "static struct lane *lane_at(", "hash_of(key) %", "(hash_of(key) + l->groups) %")],
     HISTORY_SERVER),
    ("those behind a row that is locked overtake",
     [(LANE, "static bool wants_blocked_key(", "return true;", "return false;")], lane("mariadb", "*locked*")),
    ("rows are not locked",
     [(SQL, "static void put_lock_select(", "\" FOR UPDATE\"", "\"\""),
      (GROUP, "static void begin(", "members[0]->isolation,", "CORM_READ_COMMITTED,")],
     HISTORY_SERVER),
    ("locks are given up when a flush is refused",
     [(SQL, "int corm__make_lock(", "corm__put(&w, \"BEGIN NOT ATOMIC \");",
       "corm__put(&w, \"BEGIN NOT ATOMIC \"), corm__put_statement(&w, behind), corm__put(&w, \"; \");"),
      (SQL, "int corm__make_lock(", "for (size_t i = 0; i < behind_count", "for (size_t i = 1; i < behind_count")], lane("mariadb", "locks_are_kept_*")),
    ("a group runs at REPEATABLE READ",
     [(GROUP, "static void begin(", "members[0]->isolation,",
       "members[0]->isolation == CORM_SERIALIZABLE ? CORM_REPEATABLE_READ "
       ": members[0]->isolation,")], HISTORY_SERVER),
    ("those of REPEATABLE READ share a group",
     [(LANE, "static uint32_t limit_of(", "e->member.isolation == CORM_REPEATABLE_READ || ", "")],
     lane("sqlite", "repeatable_read_*")),
    ("those of different isolation share a group",
     [(LANE, "static size_t take_group(",
       "e->member.isolation != first->member.isolation || ", "")], lane("mariadb", "members_of_another_isolation_*")),
    ("a column with a CHECK is changed in memory",
     [(FACTS, "static bool may_update(", "!found->bound", "true")], MODEL),
    ("a column of a unique key is changed in memory",
     [(FACTS, "static void take_key(", "c->bound || (unique && !primary);", "c->bound;")], MODEL),
    ("what a trigger changes is overwritten",
     [(FACTS, "static void conclude(", "bool alone = !r->has_triggers &&", "bool alone =")], MODEL),
    ("rows are held although a statement may have changed them",
     [(GROUP, "static void end_direct(", "forget_held(g);", "(void)0;")], MODEL),
    ("a row that was inserted in memory is not seen",
     [(GROUP, "static bool hides(", "if (b->count > 0 &&", "if (false &&")], MODEL),
    ("a statement does not see what waits in memory",
     [(GROUP, "static int leave(", "&& !is_waiting(g)", "")], MODEL),
    ("only the last change of a row is sent",
     [(GROUP, "static int apply(", "h->changed |= columns;", "h->changed = columns;")], MODEL),
    ("a number grows beyond its column",
     [(GROUP, "static bool add(", "whole <= corm__greatest(column)", "true")], MODEL),
    ("a version is not counted up",
     [(GROUP, "static bool is_versioned(", "|| version != NULL", "")], MODEL),
    ("an insert overtakes one of its table",
     [(GROUP, "static struct batch *find_batch(", "found = NULL;\n    }", "(void)facts;\n    }")],
     MODEL),
    ("keys are told apart by the beginning of their text",
     [(KEY, "bool corm__key_part(",
       "tail_size = value.size != 0 ? value.size : strlen(value.as.s);",
       "tail_size = value.size != 0 ? value.size : strlen(value.as.s);\n"
       "        part->tail_size = part->tail_size > 2 ? 2 : part->tail_size;")], MODEL),
    ("what waited is not taken back before it runs again",
     [(GROUP, "static int back_to_savepoint(", "if (!g->intact)", "if (lifted.code != 0)")],
     MODEL),
    ("generated keys reach somebody else",
     [(GROUP, "static int id_row(", "*id = values[0].as.i;", "*id = values[0].as.i + 1;")], lane("sqlite", "generated_keys_*")),

    ("the row behind the one that was refused is guilty",
     [(GROUP, "static int send_told(", "&b->origins[sink->next]", "&b->origins[(sink->next + 1) % b->count]")],
     lane("sqlite", "refusal_behind_*")),
    ("what was sent in front of a batch is its first row's fault",
     [(GROUP, "static int send_told(", "        return rc;\n    statement->file", "        return g->guilty = b->origins, rc;\n    statement->file")],
     lane("sqlite", "what_is_sent_in_front_*")),
    ("who inserts more rows is judged by the one that was refused in the group",
     [(GROUP, "static uint32_t guilty_member(", "return inserts == 1 ?", "return inserts > 0 ?")],
     lane("sqlite", "who_inserts_more_*")),
    ("rows of the next groups do not tell that they went in",
     [(GROUP, "static bool recover(", "g->telling = TELLING;", "")], lane("sqlite", "refusal_behind_*")),
    ("a refusal that was found at once is told of another call",
     [(GROUP, "static bool recover(", "corm__error_place(&refused, g->guilty->file, g->guilty->line);", "(void)0;")],
     lane("sqlite", "guilty_ones_run_again*")),

    ("a lost commit runs again", verdicts("CORM_UNKNOWN", "RRRRRX", "AAAAAX"), SIMULATION),
    ("a lost commit is told as a lost connection",
     [(TRX, "static int judge_commit(", "if (trx->place != CORM_AT_COMMIT ||",
       "if (trx->place >= CORM_AT_CONNECT ||")], SIMULATION),
    ("a single write whose answer was lost is told as not done",
     [(TRX, "static int64_t send(", "trx->single && statement->verb != CORM__READ", "false")], SIMULATION),
    ("a commit that was stopped is told as not done", verdicts("CORM_INTERRUPTED", "CFFFRX", "CFFFFX"), SIMULATION),
    ("an error of storage at a commit is told as not done",
     [(ERRORS, "const struct corm__server_error corm__mariadb_errors",
       '{1180, "ER_ERROR_DURING_COMMIT", CORM_SERVER_ERROR, "CFFFRX"}',
       '{1180, "ER_ERROR_DURING_COMMIT", CORM_SERVER_ERROR, NULL}')], SIMULATION),
    ("a commit that the server refused is told as unknown",
     [(TRX, "static bool may_have_committed(", "return trx->error.server_code == 0 ||",
       "return trx->error.server_code != 0 ||")], SIMULATION),
    ("what failed on the way to its commit is told as done",
     [(TRX, "static int send_commit(", "NULL, true, NULL);\n    if (rc < 0)\n        return trx->state == CORM__TRX_DOOMED ? rc",
       "NULL, true, NULL);\n    if (rc < 0)\n        return trx->state == CORM__TRX_DOOMED ? 0")], SIMULATION),
    ("a deadlock is not run again", verdicts("CORM_DEADLOCK", "AAAAAX", "FFFFFX"), SIMULATION),
    ("a lock timeout is not run again", verdicts("CORM_LOCK_TIMEOUT", "AAAAAX", "FFFFFX"), SIMULATION),
    ("a lost connection is not run again", verdicts("CORM_DISCONNECTED", "AAAARX", "CCCCRX"), SIMULATION),
    ("a server that is down is not waited for", verdicts("CORM_UNREACHABLE", "AAAAAX", "CAAAAX"), SIMULATION),
    ("a deadlock is run again by its statement alone",
     [(CONNECTION, "static int execute_cached(", "if (rc != CORM__STALE_STATEMENT)",
       "if (rc == CORM_DEADLOCK && tries == 0) {\n            *error = (struct corm_error){0};\n"
       "            continue;\n        }\n        if (rc != CORM__STALE_STATEMENT)")], SIMULATION),
    ("a doomed transaction is committed",
     [(TRX, "int corm__trx_commit(", "if (rc == 0)", "if (rc == 0 || !trx->connection->link->lost)")], SIMULATION),
    ("what was buffered goes out in the next attempt, too",
     [(TRX, "void corm__trx_ready(", "trx->pending_count = trx->pending_bytes = 0;", ""),
      (TRX, "static void end(", "trx->pending_count = 0;", "")], SIMULATION),
    ("savepoints stay from attempt to attempt",
     [(TRX, "void corm__trx_ready(", "trx->base = trx->floor = trx->depth =", "trx->base = trx->floor =")], SIMULATION),
    ("the argument of a savepoint's rollback is forgotten: what was sent stays",
     [(TRX, "static int undo(", "if (last->sent) {", "if (false) {")], SIMULATION),
    ("what was buffered behind a savepoint stays",
     [(TRX, "static int undo(", "trx->pending_count = last->at + 1;", "(void)last;"),
      (TRX, "int corm__trx_savepoint_rollback(", "trx->pending_count--;", "(void)0;")], SIMULATION),
    ("a failure is laid to the wrong statement",
     [(CONNECTION, "static int run_compound(", "ask_failed(c, run) : run->count - 1", "0 : run->count - 1")], SIMULATION),
    ("what is buffered is overtaken by the next write",
     [(TRX, "static int64_t send(", "        rc = flush(trx);\n", "        rc = 0;\n")], SIMULATION),
    ("rows that are not locked are written behind",
     [(TRX, "bool corm__trx_holds(", "if (held == NULL)\n        return false;",
       "if (held == NULL)\n        return true;")], SIMULATION),
    ("locks are not given back when a transaction is rolled back",
     [(TRX, "void corm__trx_rollback(",
       "(void)corm__connection_control(trx->connection, \"ROLLBACK\", trx->attempt,\n"
       "                                       deadline_of_rollback(trx, CORM__ROLLBACK_MS), &ignored);",
       "link->in_trx = false;")], SIMULATION),
    ("a function is not isolated",
     [(API, "static enum corm_isolation isolation_of(", "return function ? CORM_SERIALIZABLE",
       "return function ? CORM_READ_COMMITTED")], SIMULATION),
    ("a reader has no snapshot",
     [(API, "static enum corm_isolation isolation_of(", "return CORM_REPEATABLE_READ;",
       "return CORM_READ_COMMITTED;")], SIMULATION),
    ("a session is not set up for transactions",
     [(TRX, "static int take_connection(", "if (rc == 0)\n        rc = corm__connection_enter(",
       "if (rc == 0 && trx->attempt < 2)\n        rc = corm__connection_enter(")], SIMULATION),
    ("a lost link is handed out again",
     [(POOL, "void corm__pool_release(", "c->link->lost || ", "")], SIMULATION),
    ("one connection is given to two",
     [(POOL, "static struct corm__connection *take_idle(",
       "    if (best != NULL) {\n        take_out(&pool->idle, best);",
       "    if (best != NULL) {\n        if (pool->idle.first->next == NULL)\n"
       "            take_out(&pool->idle, best);\n        else\n"
       "            best = pool->idle.first;")], SIMULATION),
    ("a waiter is not woken when a connection comes back",
     [(POOL, "static void serve(", "if (w->waits)", "if (w->waits && pool->max != 2)")], SIMULATION),
    ("I/O under the mutex of the pool",
     [(POOL, "static void close_used(", "(void)pthread_mutex_unlock(&pool->mutex);\n    corm__connection_close(c);",
       "corm__connection_close(c);\n    (void)pthread_mutex_unlock(&pool->mutex);")], SIMULATION),
    ("a generated key goes to another row",
     [(CONNECTION, "static int keys_row(", "= values[0].as.i;", "= values[0].as.i + 1;")], SIMULATION),
    ("a group's refused member leaves its write",
     [(GROUP, "static void take_back(", "c->held->row = c->row;", "(void)c->row;")], SIMULATION),
    ("a group that was lost is told as done",
     [(GROUP, "void corm__group_run(", "rc = corm__trx_commit(g->trx);",
       "rc = corm__trx_commit(g->trx);\n        rc = 0;")], SIMULATION),
    ("a group whose commit was lost runs again",
     [(GROUP, "static void conclude(", "settle(g, m, error);", "m->state = CORM__MEMBER_AGAIN;")], SIMULATION),
    ("a member's success is told although its group runs again",
     [(GROUP, "static void settle(", "run_again(g, m, error->code);", "tell(m, 1, error);")], SIMULATION),
    ("a batch that arrives late finds no fence",
     [(LEDGER, "#define CORM__LEDGER_FENCE", "IF(epoch = VALUES(epoch), 0, 9223372036854775807)", "0")], SIMULATION),
    ("who asks the ledger does not count the epoch up",
     [(LEDGER, "#define CORM__LEDGER_CLAIM", "UPDATE epoch = epoch + 1", "UPDATE epoch = epoch")], SIMULATION),
    ("the ledger's answer counts before it is committed",
     [(LEDGER, "static int ask(", "rc = corm__connection_control(c, \"COMMIT\", 0, until, error);",
       "rc = corm__connection_control(c, \"ROLLBACK\", 0, until, error);")], SIMULATION),
    ("the slot of a lost commit is used again",
     [(LEDGER, "struct corm__doubt corm__ledger_doubt(", "c->slot = (struct corm__slot){0};", "(void)0;")], SIMULATION),
    ("all commits have one sequence",
     [(LEDGER, "int corm__ledger_enter(", "c->slot.sequence++;", "c->slot.sequence = 1;")], SIMULATION),
    ("what the ledger has not is told as done",
     [(LEDGER, "static int ask(", "sink.sequence == d->slot.sequence", "sink.sequence <= d->slot.sequence")], SIMULATION),
    ("what the ledger has is told as never done",
     [(LEDGER, "static int ask(", "answer->committed = sink.sequence == d->slot.sequence",
       "answer->committed = sink.sequence > d->slot.sequence")], SIMULATION),
    ("the ledger is not entered by groups",
     [(TRX, "static int enter(", "if (!corm__trx_is_entered(trx)) {", "if (trx->group != NULL || !corm__trx_is_entered(trx)) {")], SIMULATION),
    ("keys that were made are not told after a lost commit",
     [(TRX, "static void take_keys(", "*statements[i].id = key;", "(void)key;")], SIMULATION),
    ("a lane forgets who is blocked",
     [(LANE, "static void look_again(", "prepend(&lane->queue, e);\n    }\n    for",
       "if (e->member.attempt < 2)\n            prepend(&lane->queue, e);\n    }\n    for")], SIMULATION),
]


class Misfit(Exception):
    pass


def place_of(text, head):
    """Where the part begins and ends that `head` opens."""
    if text.count("\n" + head) != 1:
        raise Misfit(f"\"{head}\" begins {text.count(chr(10) + head)} lines, not one")
    start = text.index("\n" + head) + 1
    ends = [at for at in (text.find(end, start) for end in ("\n}\n", "\n};\n")) if at >= 0]
    return start, min(ends) + 1 if ends else len(text)


def planted(tree, edits):
    """The files with the changes made, and as they were."""
    before, after = {}, {}
    for name, head, find, instead in edits:
        path = os.path.join(tree, name)
        if path not in after:
            with open(path, encoding="utf-8") as file:
                before[path] = after[path] = file.read()
        text = after[path]
        start, end = place_of(text, head)
        part = text[start:end]
        if part.count(find) != 1:
            raise Misfit(f"{name}: \"{find}\" is {part.count(find)} times in \"{head}\", not once")
        after[path] = text[:start] + part.replace(find, instead) + text[end:]
    return after, before


def name_of(test):
    program, target, pattern = test
    return f"{program}-{target}" + ("" if pattern == "*" else f" {pattern}")


def write_files(texts):
    for path, text in texts.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def programs_of(faults):
    return ["tests/proxy"] + sorted({f"tests/{test[0]}_test" for _, _, test in faults})


def build(tree, programs):
    done = subprocess.run(["ninja", "-C", os.path.join(tree, "build"), *programs],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Misfit("it does not build:\n" + done.stdout[-3000:])


def copy_tree(root, tree):
    for name in ("include", "src", "tests", "bench", "examples", "scripts", "docs", "install", "debian", "README.md",
                 "meson.build"):
        path = os.path.join(root, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(tree, name))
        elif os.path.exists(path):
            shutil.copy(path, tree)
    env = dict(os.environ)
    if shutil.which("ccache") and "CC" not in env:
        env["CC"] = "ccache cc"
    subprocess.run(["meson", "setup", os.path.join(tree, "build"), tree, "--buildtype=debugoptimized"],
                   env=env, stdout=subprocess.DEVNULL, check=True)


def run(tree, test, seed):
    """How a test ends: its code and what it has said; None where it hangs."""
    program, target, pattern = test
    env = dict(os.environ, CORM_MODEL_SEED=str(seed), CORM_HISTORY_SEED=str(seed),
               CORM_MODEL_PROGRAMS=PROGRAMS, CORM_MODEL_SHRINK_MS="0", CORM_TEST_ONLY=pattern,
               CORM_SIMULATION_SEED=str(seed), CORM_SIMULATION_SCHEDULES=SCHEDULES,
               CORM_TEST_PROXY=os.path.join(tree, "build", "tests", "proxy"))
    try:
        done = subprocess.run([os.path.join(tree, "build", "tests", program + "_test"), target],
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS_OF.get(program, SECONDS), check=False)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def reason_in(output):
    """The line by which a test says what is wrong."""
    lines = ["\n" + line for line in output.splitlines()]
    for mark in ("# program ", "ERROR: ", "\nseed ", "Assertion", "Failure!", "not ok"):
        for line in lines:
            if mark in line:
                return line.strip()[:150]
    return output.strip()[-150:]


def try_fault(tree, fault, times, seed):
    """Whether it was found each time; says so."""
    name, edits, test = fault
    start = time.monotonic()
    found, reason = 0, ""
    after, before = planted(tree, edits)
    try:
        write_files(after)
        build(tree, programs_of([fault]))
        for i in range(times):
            code, output = run(tree, test, seed + i * 1000003)
            if code == 99:
                raise Misfit("the test cannot run: " + output[-300:])
            if code != 0:
                found += 1
                reason = "it hangs" if code is None else reason_in(output)
    finally:
        write_files(before)
    print(f"{'found' if found == times else 'NOT FOUND'} {found} of {times}: {name} "
          f"({name_of(test)}, {time.monotonic() - start:.0f} s): {reason}", flush=True)
    return found == times


def check_sound(tree, faults, seed):
    """Without a fault the tests pass, or finding one says nothing."""
    good = True
    for test in sorted({fault[2] for fault in faults}):
        code, output = run(tree, test, seed)
        if code != 0:
            print(f"NOT SOUND: {name_of(test)} fails without a fault: {reason_in(output)}")
            good = False
    return good


def choose(arguments):
    faults = [f for f in FAULTS if not arguments.names or any(n in f[0] for n in arguments.names)]
    if not faults:
        sys.exit("planted.py: no fault has such a name; --list prints them")
    if arguments.sample:
        faults = [f for f in faults if f[2][1] != "mariadb"]
        day = int(time.time() // 86400)
        faults = [faults[(day * arguments.sample + i) % len(faults)]
                  for i in range(min(arguments.sample, len(faults)))]
    return faults


def try_all(tree, faults, arguments, seed):
    failed = 0
    build(tree, programs_of(faults))
    if not arguments.sample and not check_sound(tree, faults, seed):
        failed += 1
    for fault in faults:
        try:
            failed += not try_fault(tree, fault, arguments.times, seed)
        except Misfit as error:
            print(f"DOES NOT APPLY: {fault[0]}: {error}", flush=True)
            failed += 1
    return failed


def check_applies(tree, faults):
    failed = 0
    for name, edits, _ in faults:
        try:
            planted(tree, edits)
        except Misfit as error:
            print(f"does not apply: {name}: {error}; move it along in tests/planted.py")
            failed += 1
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--applies", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    faults = choose(arguments)
    if arguments.list:
        for name, _, test in faults:
            print(f"{'-'.join(test):20} {name}")
        return 0
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if arguments.applies:
        return check_applies(root, faults)
    if not arguments.sample and "CORM_TEST_MARIADB_URL" not in os.environ:
        sys.exit("planted.py: it runs under scripts/with-mariadb, as ./run test --planted does")
    seed = int(time.time())
    with tempfile.TemporaryDirectory(prefix="corm-planted-") as tree:
        copy_tree(root, tree)
        failed = try_all(tree, faults, arguments, seed)
    print(f"{len(faults)} faults, seed {seed}: "
          f"{'each was found each time' if failed == 0 else f'{failed} failures'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
