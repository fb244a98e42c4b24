#!/usr/bin/env python3
"""check.py CLIENT PLAIN CORM ERROR_H [--thorough] - servers that lie, and what must not come of it. Prints TAP.

CLIENT makes every kind of call of corm's (client.c), PLAIN is a careless client without corm (plain.c),
CORM the command. The server is ours (server.py) and keeps every byte that it is sent.

Whatever it does: no password in clear text and no file leaves, nothing crashes, every call ends by its
deadline with a code of ERROR_H, and no message shows the password or a bound value. Each protection has a
control: the careless client gives away what corm does not.

--thorough cuts every packet at every byte instead of a few.
"""

import base64
import concurrent.futures
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import traceback

from server import OFFERED, SSL, Rogue, counted, failure, handshake, packet, switch_to

USER, PASSWORD = "Potoroo1User", "Wombat9Key"
BOUND = ("Numbat3Bound", "Dunnart4Bytes")  # as in client.c
TIMEOUT_MS = 300
PATIENCE = 20000  # for what is to succeed
SPARE_MS = 30000  # a busy machine may be late, a hanging client is later
SECONDS = 120

# Of what nobody has, malloc() gives NULL; a sanitizer would end the program.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1"}

client, plain, command, header = sys.argv[1:5]
thorough = "--thorough" in sys.argv
folder = ""       # these are set by main()
canary_file = ""
canary = b""
codes = set()
tests = []


def test(function):
    tests.append(function)
    return function


# ---- What must not be seen ----------------------------------------------------------------------------


def disguises(secret):
    """A text as it may be written: as it is, percent-encoded, in hexadecimal digits, in base64."""
    raw = secret.encode()
    encoded = base64.b64encode(raw).decode().rstrip("=")[:-1]  # its last letters depend on what follows
    percent = "".join(f"%{b:02X}" for b in raw)
    return [secret, percent, percent.lower(), raw.hex(), raw.hex().upper(), encoded, secret[::-1]]


def assert_hidden(said, secrets, where):
    for secret in secrets:
        for disguise in disguises(secret):
            assert disguise not in said, f"{where} shows {disguise} ({secret}): {said[:2000]}"


def assert_kept(rogue):
    """Nothing of a file, and no password, is among what the server was sent."""
    got = bytes(rogue.received)
    for secret in disguises(PASSWORD):
        assert secret.encode() not in got, "the server has the password"
    assert canary not in got and b"root:x:0:" not in got, "the server has a file"


# ---- Running ---------------------------------------------------------------------------------------------


class Line:
    def __init__(self, text):
        self.call, self.code, self.server_code, ms, self.message = text.split(" ", 4)
        self.ms, self.server_code = int(ms), int(self.server_code)
        self.failed = self.code.startswith("CORM_")

    def __repr__(self):
        return f"{self.call} {self.code} {self.server_code} {self.ms} ms {self.message}"


def url_of(port, options="", timeout_ms=TIMEOUT_MS):
    return f"mariadb://{USER}:{PASSWORD}@127.0.0.1:{port}/shop?timeout_ms={timeout_ms}&pool=2{options}"


def run_client(url, timeout_ms=TIMEOUT_MS):
    """What the client was told, line by line, after the checks that hold for whatever happened."""
    done = subprocess.run([client, url], capture_output=True, timeout=SECONDS, env=ENVIRONMENT)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0 and said.endswith("done\n") and done.stderr == b"", \
        f"exit code {done.returncode}: {said[-3000:]} {done.stderr.decode(errors='replace')[-6000:]}"
    assert_hidden(said, (PASSWORD, *BOUND), "a message")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said), f"control characters: {said!r}"
    lines = [Line(text) for text in said.splitlines()[:-1]]
    for line in lines:
        assert not line.failed or line.code in codes, f"no documented code: {line}"
        assert not line.failed or line.message not in ("", "-"), f"no message: {line}"
        assert line.ms < timeout_ms + SPARE_MS, f"too late: {line}"
    return lines


def meet(mischief=None, options="", timeout_ms=TIMEOUT_MS, **rogue):
    """The client meets a rogue: what it was told, and the rogue."""
    with Rogue(mischief or (lambda *_: False), **rogue) as server:
        lines = run_client(url_of(server.port, options, timeout_ms), timeout_ms)
    assert_kept(server)
    return lines, server


def careless(server, how):
    done = subprocess.run([plain, str(server.port), PASSWORD, how], capture_output=True, text=True,
                          timeout=SECONDS)
    assert done.returncode == 0, done
    return done.stdout


# ---- A server as it should be -----------------------------------------------------------------------------


@test
def a_good_server_is_believed():
    lines, server = meet(timeout_ms=PATIENCE)
    assert len(lines) == 12 and not any(line.failed for line in lines), lines
    assert len(server.phases) > 100
    assert any(secret.encode() in bytes(server.received) for secret in BOUND), "it keeps what it is sent"


# ---- TLS ----------------------------------------------------------------------------------------------------


def make_certificate(name):
    """A certificate for a name, signed by itself; the paths of it and of its key."""
    paths = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    kind = "IP" if name[0].isdigit() else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext",
                    f"subjectAltName={kind}:{name}", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True, timeout=SECONDS)
    return paths


def assert_no_login(server):
    assert USER.encode() not in bytes(server.received), "the server was told who asks"
    assert server.phases == ["handshake"], server.phases


@test
def a_server_without_tls_is_refused_where_the_url_wants_it():
    right = make_certificate("127.0.0.1")
    for options in ("&tls=verify", "&tls_ca=" + right[0], "&tls=verify&tls_ca=" + right[0]):
        lines, server = meet(options=options, timeout_ms=PATIENCE)
        assert lines[0].code == "CORM_TLS_FAILED" and len(lines) == 1, lines
        assert_no_login(server)
    with Rogue() as server:  # the control: the library alone takes "enforce" for a wish
        said = careless(server, "enforce")
    assert "fine" in said and b"user" in bytes(server.received), said


@test
def a_wrong_certificate_is_refused():
    right, wrong = make_certificate("127.0.0.1"), make_certificate("example.com")
    for options, certificate in (("&tls=verify", right),                  # nobody has signed it
                                 ("&tls_ca=" + right[0], wrong),          # somebody else has
                                 ("&tls_ca=" + wrong[0], wrong)):         # it is for another host
        lines, server = meet(options=options, timeout_ms=PATIENCE, certificate=certificate)
        assert lines[0].code == "CORM_TLS_FAILED" and len(lines) == 1, (options, lines)
        assert_no_login(server)
    with Rogue(certificate=wrong) as server:  # the control
        said = careless(server, "trust")
    assert "fine" in said and b"user" in bytes(server.received), said


@test
def the_right_certificate_is_taken():
    right = make_certificate("127.0.0.1")
    lines, server = meet(options="&tls_ca=" + right[0], timeout_ms=PATIENCE, certificate=right)
    assert not any(line.failed for line in lines), lines
    assert USER.encode() in bytes(server.received)


@test
def tls_is_not_given_up_when_the_server_hangs_up_on_it():
    right = make_certificate("127.0.0.1")

    def shy(session, phase, _number, _payload, _sequence):
        if phase == "handshake" and session.number == 0:
            session.write(packet(handshake(capabilities=OFFERED | SSL), 0))
            session.receive()
            session.hang_up()
        return False  # and the second time it offers none

    lines, server = meet(shy, options="&tls_ca=" + right[0])
    assert lines[0].failed and USER.encode() not in bytes(server.received), lines


# ---- Who asks for the password --------------------------------------------------------------------------------


def asks_for(plugin, data=b"abcdefghijklmnopqrst\0"):
    def ask(session, phase, _number, _payload, sequence):
        if phase != "auth":
            return False
        session.write(packet(switch_to(plugin, data), sequence))
        session.receive()
        session.hang_up()

    return ask


@test
def no_plugin_gets_the_password_as_it_is():
    for plugin in (b"mysql_clear_password", b"dialog", b"sha256_password", b"mysql_old_password",
                   b"auth_gssapi_client", b"../../../tmp/evil", b"", b"A" * 3000, b"%s%n%s"):
        lines, _ = meet(asks_for(plugin), timeout_ms=PATIENCE)
        # the library's list has room for no name at all, for which there is no file then
        assert lines[0].code == ("CORM_ACCESS_DENIED" if plugin else "CORM_DISCONNECTED"), (plugin, lines)
        lines, _ = meet(plugin=plugin.replace(b"\0", b""))  # in the handshake
        assert lines[0].failed or not plugin.startswith(b"mysql_clear"), (plugin, lines)
    with Rogue(asks_for(b"mysql_clear_password")) as server:  # the control
        careless(server, "auth")
    assert PASSWORD.encode() in bytes(server.received), "a careless client gives it away"


@test
def a_switch_that_is_cut_or_comes_again_and_again_is_survived():
    def again(session, phase, _number, _payload, sequence):
        if phase == "auth":
            for n in range(2000):
                session.write(packet(switch_to(b"mysql_native_password"), sequence + 2 * n))
                session.receive()
        return False

    meet(again)
    for payload in (b"\xfe", b"\xfe\0", b"\xfemysql_native_password", b"\xfemysql_native_password\0",
                    b"\xfemysql_native_password\0short", b"\x01\x04", b"\x01\x02", b"\x02" * 40):
        for plugin in (b"mysql_native_password", b"caching_sha2_password", b"client_ed25519"):
            def cut(session, phase, _number, _payload, sequence, payload=payload):
                if phase == "auth":
                    session.write(packet(payload, sequence))
                    session.receive()
                    session.hang_up()
                return False

            lines, _ = meet(cut, plugin=plugin)
            assert lines[0].failed, (payload, plugin, lines)


@test
def a_key_of_the_servers_own_does_not_buy_the_password():
    """caching_sha2_password sends it as it is over TLS only, else under the server's key."""
    def full(session, phase, _number, _payload, sequence):
        if phase != "auth":
            return False
        session.write(packet(switch_to(b"caching_sha2_password"), sequence))
        session.receive()
        session.write(packet(b"\x01\x04", session.sequence))  # "perform full authentication"
        session.listen_on()

    lines, _ = meet(full)
    assert lines[0].failed, lines


# ---- Who asks for a file ---------------------------------------------------------------------------------------


def wants_file(path, at):
    """Answers packet number `at` with the request for a file."""
    def ask(session, _phase, number, _payload, sequence):
        if number != at:
            return False
        session.write(packet(b"\xfb" + path, sequence))
        session.listen_on()

    return ask


@test
def no_file_is_sent_whatever_the_question():
    _, good = meet(timeout_ms=PATIENCE)
    asked = 0
    for at, phase in enumerate(good.phases):
        if phase in good.phases[:at] or not (phase.endswith((":ok", ":count")) or ":" not in phase):
            continue
        for path in (canary_file.encode(), b"/etc/passwd"):
            lines, _ = meet(wants_file(path, at))
            # one whose session cannot be reset is replaced in silence
            assert any(line.failed for line in lines) or phase == "reset:ok", (phase, lines)
            asked += 1
    assert asked == 16, asked


@test
def a_careless_client_sends_the_file():
    with Rogue(lambda session, phase, number, payload, sequence:
               phase == "query:ok" and wants_file(canary_file.encode(), number)(
                   session, phase, number, payload, sequence)) as server:
        # it waits for our answer, and we listen: hung up on, it ends
        with subprocess.Popen([plain, str(server.port), PASSWORD, "infile"],
                              stdout=subprocess.DEVNULL) as process:
            end = time.monotonic() + SECONDS
            while canary not in bytes(server.received) and time.monotonic() < end:
                time.sleep(0.01)
            process.kill()
    assert canary in bytes(server.received), "the control did not work: the rogue asks in vain"


# ---- Packets that lie --------------------------------------------------------------------------------------------


def raw(data, then="close"):
    """Sends these bytes instead of a packet, and then hangs up, listens, or goes on."""
    def act(session, _payload, sequence):
        session.write(data(_payload, sequence) if callable(data) else data)
        if then == "close":
            session.hang_up()
        if then == "listen":
            session.listen_on()

    return act


def instead(payload_of):
    return raw(lambda payload, sequence: packet(payload_of(payload), sequence), "go on")


def flood(payload_of):
    """The packet for ever, in chunks that are faster than any reader."""
    def act(session, payload, sequence):
        one = payload_of(payload)
        chunk = b"".join(packet(one, sequence + n) for n in range(256 * max(1, 40 * 64 // (len(one) + 4))))
        while True:
            session.write(chunk)

    return act


def endless_packet(session, _payload, sequence):
    """One packet of many parts, of 16 MiB each, which never ends."""
    for n in range(200):
        session.write(b"\xff\xff\xff" + bytes([(sequence + n) % 256]) + b"\x41" * 0xFFFFFF)
    session.listen_on()


MISCHIEF = {
    "hang up": raw(b""),
    "half a head": raw(b"\x05\0"),
    "half a packet": raw(lambda p, s: packet(p, s)[:4 + len(p) // 2]),
    "half a packet, and silence": raw(lambda p, s: packet(p, s)[:4 + len(p) // 2], "listen"),
    "silence": raw(b"", "listen"),
    "out of sequence": raw(lambda p, s: packet(p, s + 1), "go on"),
    "far out of sequence": raw(lambda p, s: packet(p, s + 100), "go on"),
    "longer than it is": raw(lambda p, s: struct.pack("<I", len(p) + 1000)[:3] + bytes([s % 256]) + p, "listen"),
    "shorter than it is": raw(lambda p, s: struct.pack("<I", len(p) // 2)[:3] + bytes([s % 256]) + p, "go on"),
    "the greatest length": raw(lambda p, s: b"\xff\xff\xff" + bytes([s % 256]) + p),
    "empty": instead(lambda p: b""),
    "twice": raw(lambda p, s: packet(p, s) + packet(p, s + 1), "go on"),
    "zeros": instead(lambda p: bytes(len(p))),
    "ones": instead(lambda p: b"\xff" * len(p)),
    "a failure, cut": instead(lambda p: b"\xff"),
    "a failure without a text": instead(lambda p: b"\xff\x15\x04"),
    "a failure without a state": instead(lambda p: b"\xff\x15\x04#"),
    "a failure with a long text": instead(lambda p: failure(1105, b"HY000", b"%s%n%x" * 9000)),
    "a failure that is no text": instead(lambda p: failure(1045, b"28000", bytes(range(1, 256)) * 3)),
    "a failure that paints": instead(lambda p: failure(1045, b"28000", b"\x1b]0;x\x07\x1b[31mred\r\nCORM_OK")),
    "a failure of code 0": instead(lambda p: failure(0, b"00000", b"nothing")),
    "a progress report": instead(lambda p: b"\xff\xff\xff" + b"\1\2\3" + bytes(40)),
    "an end": instead(lambda p: b"\xfe\0\0\2\0"),
    "an end, cut": instead(lambda p: b"\xfe"),
    "no column": instead(lambda p: b"\0"),
    "one column too many": instead(lambda p: bytes([(p[0] + 1) % 250]) + p[1:] if p else b"\1"),
    "one column too few": instead(lambda p: bytes([(p[0] - 1) % 250]) + p[1:] if p else b"\1"),
    "65535 columns": instead(lambda p: b"\xfc\xff\xff"),
    "many columns": instead(lambda p: b"\xfd\xff\xff\xff"),
    "a hundred million columns": instead(lambda p: b"\xfe" + (10**8).to_bytes(8, "little")),
    "more columns than numbers": instead(lambda p: b"\xfe" + b"\xff" * 8),
    "NULL": instead(lambda p: b"\xfb"),
    "a length that lies": instead(lambda p: b"\xfc\xff\xff" + p),
    "a length that lies by far": instead(lambda p: b"\xfe" + b"\xff" * 7 + b"\x7f" + p),
    "a row of lengths that lie": instead(lambda p: b"\0\0" + struct.pack("<i", 7) + b"\xfd\xff\xff\xff" + p),
    "garbage behind it": instead(lambda p: p + bytes(range(256))),
    "a change of session, cut": instead(lambda p: b"\0\0\0\2\x40\0\0\0\xfc\xff\xff\0"),
    "a change of session of no known kind": instead(
        lambda p: b"\0\0\0" + struct.pack("<HH", 0x4002, 0) + b"\0" + counted(4) + b"\x63\2ab"),
    "an end with more behind it": instead(lambda p: b"\xfe\0\0\x0a\0"),
    "an end with a cursor": instead(lambda p: b"\xfe\0\0\x42\0"),
    "more results, for ever": flood(lambda p: b"\0\0\0" + struct.pack("<HH", 10, 0)),
}

FLOODS = {
    "the same for ever": flood(lambda p: p),
    "one packet without end": endless_packet,
}


def struck(actions):
    """Each mischief at the first packet of each phase: (number, phase, name, act)."""
    _, good = meet(timeout_ms=PATIENCE)
    seen, chosen = {}, []
    for number, phase in enumerate(good.phases):
        seen[phase] = seen.get(phase, 0) + 1
        if seen[phase] <= (3 if thorough else 1):
            chosen.append((number, phase))
    return [(number, phase, name, act) for number, phase in chosen for name, act in actions.items()]


def at(number, act):
    def mischief(session, _phase, this, payload, sequence):
        if this != number:
            return False
        act(session, payload, sequence)
        return True

    return mischief


def strike(cases):
    """Meets each case; how many calls failed, by code."""
    told = {}

    def one(case):
        number, phase, name, act = case
        try:
            return case, meet(at(number, act))[0]
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            raise AssertionError(f"packet {number}, {phase}: {name}: {problem}") from problem

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _, lines in pool.map(one, cases):
            for line in lines:
                if line.failed:
                    told[line.code] = told.get(line.code, 0) + 1
    return told


@test
def packets_that_lie_are_survived_in_every_phase():
    cases = struck(MISCHIEF)
    told = strike(cases)
    print(f"# {len(cases)} cases; failures told: {dict(sorted(told.items()))}")
    assert len(cases) > 450 and len(told) > 5, told


@test
def floods_end_by_the_deadline():
    cases = [case for case in struck(FLOODS)
             if not (case[1] in ("handshake", "auth") and case[2] == "the same for ever")]
    told = strike(cases)
    print(f"# {len(cases)} cases; failures told: {dict(sorted(told.items()))}")


@test
def a_count_below_zero_is_no_code():
    _, good = meet(timeout_ms=PATIENCE)
    rows = [number for number, phase in enumerate(good.phases) if phase == "fetch:row"]
    for number in rows:
        lines, _ = meet(at(number, instead(lambda p: b"\0\0" + struct.pack("<i", -1007) + p[6:])),
                        timeout_ms=PATIENCE)
        told = [line for line in lines if line.call == "count" and line.failed]
        assert not told or told[0].code == "CORM_BAD_VALUE", told


@test
def packets_that_are_cut_anywhere_are_survived():
    _, good = meet(timeout_ms=PATIENCE)
    cases, seen = [], set()
    lengths = {}

    def measure(_session, _phase, number, payload, _sequence):
        lengths[number] = len(payload)
        return False

    meet(measure, timeout_ms=PATIENCE)
    for number, phase in enumerate(good.phases):
        if phase in seen or number not in lengths:
            continue
        seen.add(phase)
        step = 1 if thorough else max(1, lengths[number] // 8)
        for size in range(0, lengths[number], step):
            cases.append((number, phase, f"its first {size} bytes", instead(lambda p, size=size: p[:size])))
    told = strike(cases)
    print(f"# {len(cases)} cases; failures told: {dict(sorted(told.items()))}")
    assert len(cases) > 80, cases


@test
def bytes_that_are_changed_are_survived():
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"# seed {seed}")
    choose = random.Random(seed)
    cases = []
    _, good = meet(timeout_ms=PATIENCE)
    for _ in range(1000 if thorough else 120):
        number = choose.randrange(len(good.phases))
        changes = [(choose.random(), choose.choice((0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
                                                    choose.randrange(256)))) for _ in range(choose.randint(1, 3))]

        def change(payload, changes=changes):
            changed = bytearray(payload)
            for where, value in changes:
                if changed:
                    changed[int(where * len(changed))] = value
            return bytes(changed)

        cases.append((number, good.phases[number], f"{changes}", instead(change)))
    told = strike(cases)
    print(f"# failures told: {dict(sorted(told.items()))}")


# ---- What is said -----------------------------------------------------------------------------------------------------


ECHOES = (
    (1062, b"23000", b"Duplicate entry '%s' for key 'name'"),
    (1586, b"23000", b"Duplicate entry '%s' for key 'name'"),
    (1292, b"22007", b"Truncated incorrect DOUBLE value: '%s'"),
    (1366, b"22007", b"Incorrect integer value: '%s' for column `shop`.`item`.`id` at row 1"),
    (1411, b"HY000", b"Incorrect datetime value: '%s' for function str_to_date"),
    (1526, b"HY000", b"Table has no partition for value %s"),
    (1644, b"45000", b"no %s today"),
    (1690, b"22003", b"BIGINT value is out of range in '(\"%s\" + 1)'"),
    (1064, b"42000", b"You have an error in your SQL syntax near '%s' at line 1"),
    (1105, b"HY000", b"'%s' and '%s'"),
    (9999, b"HY000", b'what is "%s"'),
)


@test
def a_failure_that_quotes_a_value_is_told_without_it():
    _, good = meet(timeout_ms=PATIENCE)
    writes = [number for number, phase in enumerate(good.phases) if phase == "execute:ok"]
    for code, state, words in ECHOES:
        for secret in BOUND:
            said = words.replace(b"%s", secret.encode())
            lines, _ = meet(at(writes[0], instead(lambda p, said=said: failure(code, state, said))),
                            timeout_ms=PATIENCE)
            assert [line.server_code for line in lines if line.failed] == [code], (code, lines)
    shown, _ = meet(at(writes[0], instead(lambda p: failure(1146, b"42S02", b"no table 'Kowari6Table'"))),
                    timeout_ms=PATIENCE)
    assert any("Kowari6Table" in line.message for line in shown), "what is no value is shown, so the search can find"


def run_command(words, environment=None):
    clean = {name: value for name, value in ENVIRONMENT.items()
             if name != "DATABASE_URL" and not name.startswith("DB_")}
    done = subprocess.run([command, *words], capture_output=True, timeout=SECONDS,
                          env={**clean, **(environment or {})})
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode in (0, 1, 2, 3, 4), (words, done)
    assert_hidden(said, (PASSWORD, "Wombat"), f"corm {words[0]}")
    return done.returncode, said


def ways(url):
    """All commands that take a URL, with it on the line and in the environment."""
    few = ["--buyers", "2"]
    yield ["doctor", url], {}
    yield ["doctor", "--json", url], {}
    yield ["doctor"], {"DATABASE_URL": url}
    yield ["race", *few, "--url", url], {}
    yield ["race", *few, "--url", url, "--json", "--verbose"], {}
    yield ["race", *few, "--url", "env", "--mode", "all", "--verbose"], {"DATABASE_URL": url}
    yield ["race", *few, "--connections", "3", "--url", url], {}
    for verb in ("doctor", "race"):  # where no URL belongs
        yield [verb, url, url], {}
        yield [verb, "--json=" + url], {}
        yield [verb, "--" + url], {}
    yield ["race", "--buyers", url], {}
    yield ["help", url], {}
    yield [url], {}


def spellings(port):
    """The password as people write it, and as they get it wrong."""
    where = f"@127.0.0.1:{port}/shop?timeout_ms=200"
    percent = "".join(f"%{b:02X}" for b in PASSWORD.encode())
    for password in (PASSWORD, percent, PASSWORD + "%40", PASSWORD + "@x", PASSWORD + ":x", PASSWORD + "%zz",
                     PASSWORD + "/x", PASSWORD + "?x=1", PASSWORD + "?" + PASSWORD + "=1", PASSWORD + "#x",
                     PASSWORD + "%00", PASSWORD + "\n", percent + "%"):
        yield f"mariadb://{USER}:{password}{where}"
    yield f"mariadb://{USER}:{PASSWORD}{where}&tls=verify"
    yield f"mariadb://{USER}:{PASSWORD}{where}&pool={PASSWORD}"
    yield f"mariadb://{USER}:{PASSWORD}{where},h2:3306/shop"
    yield f"mariadb:/{USER}:{PASSWORD}{where}"
    yield f"mysq://{USER}:{PASSWORD}{where}"
    yield f"{USER}:{PASSWORD}{where}"


@test
def no_command_shows_the_password():
    told = {}
    refuse = failure(1045, b"28000", f"Access denied for user '{USER}' (using password: YES)".encode())
    with Rogue(lambda session, phase, _number, _payload, sequence:
               phase == "auth" and raw(packet(refuse, sequence))(session, b"", 0)) as server:
        urls = list(spellings(server.port)) + list(spellings(1))
        cases = [case for url in urls for case in ways(url)]
        cases += [([verb, *words], {"DB_HOST": "127.0.0.1", "DB_PORT": str(server.port), "DB_USERNAME": USER,
                                   "DB_PASSWORD": PASSWORD, "DB_DATABASE": "shop", **more})
                  for verb, *words in (["doctor"], ["race", "--url", "env", "--verbose"])
                  for more in ({}, {"DB_PORT": PASSWORD}, {"DB_DRIVER": PASSWORD}, {"DB_HOST": PASSWORD + "@h"},
                               {"DB_CONNECTION_LIMIT": PASSWORD}, {"DB_CLUSTER": PASSWORD},
                               {"DATABASE_URL": PASSWORD})]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for code, said in pool.map(lambda case: run_command(*case), cases):
                told[code] = told.get(code, 0) + 1
                told["user"] = told.get("user", 0) + (USER in said)
    assert_kept(server)
    print(f"# {len(cases)} lines; by exit code: {told}")
    assert told[2] > 50 and told[3] > 50, told
    assert told["user"] > 5, "the server's own words name the user, so the search can find"


@test
def commands_survive_servers_that_lie():
    _, good = meet(timeout_ms=PATIENCE)
    first = {phase: number for number, phase in reversed(list(enumerate(good.phases)))}
    for phase, number in first.items():
        for name in ("half a packet", "ones", "a failure that paints", "many columns", "a length that lies by far"):
            with Rogue(at(number, MISCHIEF[name])) as server:
                for words, environment in list(ways(url_of(server.port)))[:5]:
                    _, said = run_command(words, environment)
                    assert "\x1b" not in said, (phase, name, said)
            assert_kept(server)


# ---- All ---------------------------------------------------------------------------------------------------------------


def main():
    global folder, canary_file, canary
    with open(header, encoding="utf-8") as file:
        codes.update("CORM_" + name for name in re.findall(r"^ *X\((\w+), -\d", file.read(), re.M))
    assert len(codes) > 40, codes
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        canary = b"Bilby5File" + os.urandom(8).hex().encode()
        canary_file = os.path.join(folder, "canary")
        with open(canary_file, "wb") as file:
            file.write(canary * 100)
        for number, one in enumerate(tests, 1):
            started = time.monotonic()
            try:
                one()
                print(f"ok {number} - {one.__name__}")
            except Exception:  # whatever it is, it is told
                failed += 1
                print(f"not ok {number} - {one.__name__}")
                print("\n".join("# " + line for line in traceback.format_exc()[-9000:].splitlines()))
            print(f"# {time.monotonic() - started:.1f} s", flush=True)
    sys.exit(1 if failed else 0)


main()
