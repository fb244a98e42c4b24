"""server.py - a server that speaks as much of the MySQL protocol as corm needs, and lies on demand.

Left alone it is a well-behaved MariaDB with one table, `item`, of one row: it takes any password, answers
what corm asks when it connects, prepares and executes. A Rogue is told what to do otherwise by a
`mischief`, which sees every packet before it is sent (its phase, its number, its payload) and may send
something else, stop, or hang up. Every byte that a client sends is kept, also those inside TLS.
"""

import re
import socket
import ssl
import struct
import threading

# Capabilities; MariaDB's own are not offered.
MYSQL, LONG_FLAG, WITH_DB, LOCAL_FILES, PROTOCOL_41, SSL = 1, 4, 8, 0x80, 0x200, 0x800
TRANSACTIONS, SECURE, MULTI_STATEMENTS, MULTI_RESULTS = 0x2000, 0x8000, 0x10000, 0x20000
PS_MULTI, PLUGIN_AUTH, ATTRIBUTES, SESSION_TRACK = 0x40000, 0x80000, 0x100000, 0x800000
OFFERED = (MYSQL | LONG_FLAG | WITH_DB | LOCAL_FILES | PROTOCOL_41 | TRANSACTIONS | SECURE | MULTI_STATEMENTS
           | MULTI_RESULTS | PS_MULTI | PLUGIN_AUTH | ATTRIBUTES | SESSION_TRACK)
IN_TRX, AUTOCOMMIT = 1, 2
QUIT, INIT_DB, QUERY, PREPARE, EXECUTE, CLOSE, RESET, RESET_CONNECTION = 1, 2, 3, 22, 23, 25, 26, 31
TINY, LONG, BLOB, VAR_STRING = 1, 3, 252, 253
UTF8MB4, BINARY = 45, 63
ITEM = (("id", LONG, BINARY), ("name", VAR_STRING, UTF8MB4), ("body", BLOB, BINARY))
SALT = b"abcdefgh" + b"ijklmnopqrst"


class Gone(Exception):
    """The client has hung up, or the mischief has."""


def counted(n):
    if n < 251:
        return bytes([n])
    return b"\xfc" + struct.pack("<H", n) if n < 65536 else b"\xfd" + struct.pack("<I", n)[:3]


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return counted(len(s)) + s


def packet(payload, sequence):
    return struct.pack("<I", len(payload))[:3] + bytes([sequence % 256]) + payload


def handshake(version="5.5.5-10.11.19-MariaDB", capabilities=OFFERED, plugin=b"mysql_native_password"):
    return (b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
            + struct.pack("<HBHHB", capabilities & 0xFFFF, UTF8MB4, AUTOCOMMIT, capabilities >> 16, 21)
            + bytes(10) + SALT[8:] + b"\0" + plugin + b"\0")


def ok(status, rows=0):
    return b"\0" + counted(rows) + b"\0" + struct.pack("<HH", status, 0)


def failure(code, state, message):
    return b"\xff" + struct.pack("<H", code) + b"#" + state + message


def end(status):
    return b"\xfe" + struct.pack("<HH", 0, status)


def column(name, kind, charset):
    return (text("def") + text("shop") + text("item") + text("item") + text(name) + text(name) + b"\x0c"
            + struct.pack("<HIBHB", charset, 11 if kind == LONG else 1024, kind, 0, 0) + b"\0\0")


def switch_to(plugin, data=SALT + b"\0"):
    """An authentication switch request."""
    return b"\xfe" + plugin + b"\0" + data


class Session:
    """One connection. Phases are named as they are in `send`."""

    def __init__(self, rogue, connection, number):
        self.rogue, self.link, self.number = rogue, connection, number
        self.sequence = 0
        self.autocommit, self.in_trx = True, False
        self.statements = {}

    # ---- Packets

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                some = self.link.recv(size - len(data))
            except OSError as problem:
                raise Gone from problem
            if not some:
                raise Gone
            self.rogue.keep(some)
            data += some
        return data

    def receive(self):
        """The payload of the next packet."""
        head = self.read(4)
        self.sequence = head[3] + 1
        return self.read(int.from_bytes(head[:3], "little")) or b"\0"

    def write(self, data):
        try:
            self.link.sendall(data)
        except OSError as problem:
            raise Gone from problem

    def send(self, phase, payload):
        """The packet, or what the mischief makes of it."""
        mine, self.sequence = self.sequence, (self.sequence + 1) % 256
        number = self.rogue.count(phase)
        if not self.rogue.mischief(self, phase, number, payload, mine):
            self.write(packet(payload, mine))

    def hang_up(self):
        raise Gone

    def listen_on(self):
        """Keeps what the client still has to say, until it hangs up."""
        while True:
            self.read(1)

    # ---- Connecting

    def upgrade(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.rogue.certificate)
        try:
            self.link = context.wrap_socket(self.link, server_side=True)
        except (OSError, ssl.SSLError) as problem:
            self.rogue.refused_tls = True
            raise Gone from problem

    def greet(self):
        offered = OFFERED | (SSL if self.rogue.certificate else 0)
        self.send("handshake", handshake(self.rogue.version, offered, self.rogue.plugin))
        answer = self.receive()
        if len(answer) == 32 and self.rogue.certificate:
            self.upgrade()
            self.receive()
        self.send("auth", ok(AUTOCOMMIT))

    # ---- Statements

    def status(self):
        return (IN_TRX if self.in_trx else 0) | (AUTOCOMMIT if self.autocommit else 0)

    def note(self, statement):
        if "autocommit=0" in statement:
            self.autocommit = False
        elif "autocommit=1" in statement:
            self.autocommit = True
        if re.match(r"COMMIT|ROLLBACK(?! TO)|SET SESSION", statement):
            self.in_trx = False
        else:
            self.in_trx = not self.autocommit

    def send_columns(self, phase, columns):
        for one in columns:
            self.send(phase + ":column", column(*one))
        self.send(phase + ":end", end(self.status()))

    def answer_query(self, statement):
        self.note(statement)
        if not statement.startswith("SELECT"):
            self.send("query:ok", ok(self.status()))
            return
        values = ["REPEATABLE-READ", "0", "1", "16777216", "16382", "home"]
        self.send("query:count", counted(len(values)))
        self.send_columns("query", [(f"c{i}", VAR_STRING, UTF8MB4) for i in range(len(values))])
        self.send("query:row", b"".join(text(v) for v in values))
        self.send("query:end", end(self.status()))

    def columns_of(self, statement):
        if not re.match(r"SELECT|SHOW|WITH", statement):
            return ()
        return ITEM if "item" in statement and "`body`" in statement else ITEM[:1]

    def prepare(self, statement):
        number, parameters = len(self.statements) + 1, statement.count("?")
        columns = self.columns_of(statement)
        self.statements[number] = (statement, columns)
        self.send("prepare:ok", b"\0" + struct.pack("<IHHBH", number, len(columns), parameters, 0, 0))
        if parameters:
            self.send_columns("prepare", [("?", VAR_STRING, UTF8MB4)] * parameters)
        if columns:
            self.send_columns("prepare", columns)

    def execute(self, number):
        statement, columns = self.statements.get(number, ("", None))
        if columns is None:  # somebody has changed its number on the way
            self.send("execute:error", failure(1243, b"HY000", b"Unknown prepared statement handler"))
            return
        self.note(statement)
        if not columns:
            self.send("execute:ok", ok(self.status(), 1))
            return
        self.send("execute:count", counted(len(columns)))
        self.send_columns("execute", columns)
        values = struct.pack("<i", 7) + text("bolt") + text(b"raw")
        self.send("fetch:row", b"\0\0" + (values if columns == ITEM else values[:4]))
        self.send("fetch:end", end(self.status()))

    def serve_one(self):
        command = self.receive()
        kind, body = command[0], command[1:]
        if kind == QUIT:
            raise Gone
        if kind == QUERY:
            self.answer_query(body.decode(errors="replace"))
        elif kind == PREPARE:
            self.prepare(body.decode(errors="replace"))
        elif kind == EXECUTE:
            self.execute(int.from_bytes(body[:4], "little"))
        elif kind == RESET_CONNECTION:
            self.statements, self.autocommit, self.in_trx = {}, True, False
            self.send("reset:ok", ok(self.status()))
        elif kind in (INIT_DB, RESET):
            self.send("other:ok", ok(self.status()))
        elif kind != CLOSE:
            self.send("other:error", failure(1047, b"08S01", b"unknown command"))

    def run(self):
        try:
            self.greet()
            while True:
                self.serve_one()
        except Gone:
            pass
        finally:
            self.link.close()


def no_mischief(*_):
    return False


class Rogue:
    """A server on a port of its own while the block runs."""

    def __init__(self, mischief=no_mischief, certificate=None, version="5.5.5-10.11.19-MariaDB",
                 plugin=b"mysql_native_password"):
        self.mischief, self.certificate, self.version, self.plugin = mischief, certificate, version, plugin
        self.received = bytearray()
        self.phases = []          # of all packets that were to be sent
        self.refused_tls = False  # by the client
        self.lock = threading.Lock()
        self.links = []

    def keep(self, data):
        with self.lock:
            self.received += data

    def count(self, phase):
        with self.lock:
            self.phases.append(phase)
            return len(self.phases) - 1

    def accept(self):
        number = 0
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.settimeout(60)
            self.links.append(link)
            thread = threading.Thread(target=Session(self, link, number).run, daemon=True)
            thread.start()
            number += 1

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for link in self.links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
