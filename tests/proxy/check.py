#!/usr/bin/env python3
"""Checks the proxy itself: check.py PATH_TO_PROXY

Every case starts a proxy in front of a small server of its own on the loopback, and looks at
what a client or that server sees: all bytes, in order, not early, ends and resets passed on,
turns counted. Times are only checked from below: a chunk may never come before it is due.
Ends with 1 at the first case that fails.
"""
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

DELAY_US = 20000
SECONDS = 20


class Proxy:
    def __init__(self, port, delay_us=DELAY_US, *more):
        self.process = subprocess.Popen(
            [sys.argv[1], "--to", f"127.0.0.1:{port}", "--delay-us", str(delay_us), *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return self.read_counts()

    def read_counts(self):
        words = self.process.stdout.readline().split()
        return dict(zip(words[0::2], map(int, words[1::2])))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.close()
        counts = self.read_counts()
        assert self.process.wait(SECONDS) == 0, self.process.returncode
        return counts


def listen():
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(SECONDS)
    return server


def pair(delay_us=DELAY_US, *more):
    """A proxy with one connection through it: (proxy, client, server)."""
    with listen() as listener:
        proxy = Proxy(listener.getsockname()[1], delay_us, *more)
        client = socket.create_connection(("127.0.0.1", proxy.port), SECONDS)
        server, _ = listener.accept()
    server.settimeout(SECONDS)
    return proxy, client, server


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_all(sock):
    digest, size = hashlib.sha256(), 0
    while data := sock.recv(1 << 20):
        digest.update(data)
        size += len(data)
    return size, digest.digest()


def is_reset(sock):
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def check_delay_and_turns():
    proxy, client, server = pair()
    for _ in range(5):
        start = time.monotonic()
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        assert time.monotonic() - start >= DELAY_US / 1e6
        server.sendall(b"answer")
        assert client.recv(100) == b"answer"
        assert time.monotonic() - start >= 2 * DELAY_US / 1e6
    counts = proxy.stop()
    assert counts == {"connections": 1, "bytes_up": 40, "bytes_down": 30, "turns": 5}, counts


def check_chunks_overlap():
    """A hundred chunks sent one after the other are late by one delay, not by a hundred."""
    proxy, client, server = pair(200000)
    start = time.monotonic()
    for _ in range(100):
        client.sendall(b"x")
        time.sleep(0.001)
    got = 0
    while got < 100:
        got += len(server.recv(1000))
    assert 0.2 <= time.monotonic() - start < 10
    assert proxy.stop()["turns"] == 0


def check_bulk(window):
    """32 MiB each way at the same time, read slowly at first, with both ends passed on."""
    proxy, client, server = pair(1000, "--window-kib", str(window))
    blob = os.urandom(1 << 20)
    want = (32 << 20, hashlib.sha256(blob * 32).digest())
    got = {}

    def talk(sock):
        for _ in range(32):
            sock.sendall(blob)
        sock.shutdown(socket.SHUT_WR)

    def hear(name, sock):
        time.sleep(0.2)
        got[name] = read_all(sock)

    threads = [threading.Thread(target=talk, args=(s,)) for s in (client, server)]
    threads += [threading.Thread(target=hear, args=("c", client)),
                threading.Thread(target=hear, args=("s", server))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert got == {"c": want, "s": want}, got
    counts = proxy.stop()
    assert counts["bytes_up"] == counts["bytes_down"] == 32 << 20, counts


def check_half_close():
    proxy, client, server = pair()
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server)[0] == 10
    time.sleep(0.1)
    server.sendall(b"still here")
    server.close()
    assert read_all(client)[0] == 10
    client.close()
    proxy.stop()


def check_reset_follows_data():
    for client_first in (True, False):
        proxy, client, server = pair()
        source, sink = (client, server) if client_first else (server, client)
        start = time.monotonic()
        source.sendall(b"x" * 1000)
        time.sleep(0.005)
        reset(source)
        got = sink.recv(2000)
        assert got == b"x" * 1000 and time.monotonic() - start >= DELAY_US / 1e6
        assert is_reset(sink)
        proxy.stop()


def check_reset_after_close():
    """A server that speaks to a client long gone is reset, as it would be without the proxy."""
    proxy, client, server = pair()
    client.close()
    assert server.recv(10) == b""
    server.sendall(b"anyone?")
    time.sleep(0.2)
    try:
        server.sendall(b"anyone?")
        raise AssertionError("no reset came back")
    except BrokenPipeError:
        pass
    proxy.stop()


def check_refused():
    with listen() as listener:
        port = listener.getsockname()[1]
    proxy = Proxy(port)
    with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client:
        assert is_reset(client)
    proxy.stop()


def check_idle_costs_nothing():
    """Connections in every odd state: half closed, reset while the other does not read."""
    proxy, client, server = pair(2000, "--window-kib", "16")
    server.shutdown(socket.SHUT_WR)
    assert client.recv(10) == b""
    client.setblocking(False)
    try:
        while client.send(b"x" * 65536):
            pass
    except BlockingIOError:
        pass
    time.sleep(0.3)
    before = proxy.cpu_seconds()
    time.sleep(0.5)
    reset(client)
    time.sleep(0.5)
    assert proxy.cpu_seconds() - before < 0.2
    assert is_reset(server)
    proxy.stop()


def check_many():
    with listen() as listener:
        proxy = Proxy(listener.getsockname()[1], 1000)
        for _ in range(10):
            clients = [socket.create_connection(("127.0.0.1", proxy.port), SECONDS)
                       for _ in range(100)]
            servers = [listener.accept()[0] for _ in clients]
            for i, client in enumerate(clients):
                client.sendall(b"%d" % i)
            heard = sorted(int(server.recv(10)) for server in servers)
            assert heard == list(range(100)), heard
            for i, (client, server) in enumerate(zip(clients, servers)):
                (reset if i % 3 == 0 else socket.socket.close)(client)
                (reset if i % 5 == 0 else socket.socket.close)(server)
            time.sleep(0.1)
        assert proxy.stop()["connections"] == 1000


def check_sigterm():
    proxy, client, _ = pair()
    assert proxy.counts()["connections"] == 1
    proxy.process.send_signal(signal.SIGTERM)
    assert is_reset(client)
    assert proxy.read_counts()["connections"] == 1
    assert proxy.process.wait(SECONDS) == 0


def hears(sock, seconds=0.2):
    """All that comes until nothing does for so long."""
    got = b""
    sock.settimeout(seconds)
    try:
        while data := sock.recv(65536):
            got += data
    except TimeoutError:
        pass
    sock.settimeout(SECONDS)
    return got


def check_hold():
    proxy, client, server = pair(0)
    assert proxy.tell("hold up after 3") == "ok"
    client.sendall(b"abc")
    client.sendall(b"def")
    client.shutdown(socket.SHUT_WR)
    assert hears(server) == b"abc"
    server.sendall(b"the other way is open")
    assert hears(client) == b"the other way is open"
    assert proxy.tell("pass") == "ok"
    assert read_all(server)[0] == 3
    proxy.stop()


def check_hold_of_a_new_connection():
    with listen() as listener:
        proxy = Proxy(listener.getsockname()[1], 0)
        assert proxy.tell("hold down after 2") == "ok"
        client = socket.create_connection(("127.0.0.1", proxy.port), SECONDS)
        server, _ = listener.accept()
        server.sendall(b"greeting")
        assert hears(client) == b"gr"
        assert proxy.tell("pass down") == "ok"
        assert client.recv(100) == b"eeting"
        proxy.stop()


def check_stall_blocks_the_sender():
    proxy, client, server = pair(0)
    assert proxy.tell("stall up after 10") == "ok"
    client.setblocking(False)
    sent = 0
    for _ in range(100):
        try:
            while True:
                sent += client.send(b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.005)
    assert hears(server) == b"x" * 10
    assert proxy.counts()["bytes_up"] < 200000, "it went on reading"
    assert proxy.tell("pass") == "ok"
    client.shutdown(socket.SHUT_WR)
    assert read_all(server)[0] == sent - 10
    proxy.stop()


def check_swallow():
    proxy, client, server = pair(0)
    assert proxy.tell("swallow up after 1") == "ok"
    client.sendall(b"abc")
    client.sendall(b"def")
    assert hears(server) == b"a"
    reset(client)
    server.sendall(b"nobody tells this side")
    assert hears(server) == b""
    assert proxy.tell("pass") == "ok"
    assert is_reset(server)
    proxy.stop()


def check_drip():
    proxy, client, server = pair(0)
    assert proxy.tell("drip 100 down") == "ok"
    start = time.monotonic()
    server.sendall(b"abcdef")
    client.sendall(b"at once")
    assert server.recv(100) == b"at once"
    for i in range(3):
        assert client.recv(100) == b"abcdef"[i:i + 1]
        assert time.monotonic() - start >= i * 0.1
    assert proxy.tell("pass") == "ok"
    assert hears(client) == b"def"
    proxy.stop()


def check_cut_and_reset():
    for command, ends in (("cut up after 4", b""), ("reset up after 4", None)):
        proxy, client, server = pair(0)
        assert proxy.tell(command) == "ok"
        client.sendall(b"abcdefgh")
        if ends is None:
            assert is_reset(client) and is_reset(server)
        else:
            assert read_all(server)[0] == 4 and not is_reset(client)
        proxy.stop()


def two_pairs():
    """A proxy with two connections through it: (proxy, clients, servers)."""
    with listen() as listener:
        proxy = Proxy(listener.getsockname()[1], 0)
        clients, servers = [], []
        for _ in range(2):
            clients.append(socket.create_connection(("127.0.0.1", proxy.port), SECONDS))
            servers.append(listener.accept()[0])
            servers[-1].settimeout(SECONDS)
    return proxy, clients, servers


def check_one_of_two():
    """A fault of one connection, by its number, leaves the other one and those to come alone."""
    for number in (1, 2):
        proxy, clients, servers = two_pairs()
        assert proxy.tell(f"cut up after 2 on {number}") == "ok"
        for client in clients:
            client.sendall(b"abcd")
        assert read_all(servers[number - 1])[0] == 2
        assert hears(servers[2 - number]) == b"abcd"
        assert proxy.tell(f"pass on {number}").startswith("no:"), "it is over"
        assert proxy.tell("counts 3").startswith("no:")
        proxy.stop()


def check_counts_of_one():
    proxy, clients, servers = two_pairs()
    assert proxy.tell("hold up after 3 on 2") == "ok"
    clients[1].sendall(b"abcde")
    assert hears(servers[1]) == b"abc"
    servers[1].sendall(b"1234567")
    assert hears(clients[1]) == b"1234567"
    port = servers[1].getpeername()[1]
    assert proxy.tell("counts 2") == f"connection 2 up 3 waiting 2 down 7 waiting 0 port {port}"
    port = servers[0].getpeername()[1]
    assert proxy.tell("counts 1") == f"connection 1 up 0 waiting 0 down 0 waiting 0 port {port}"
    proxy.stop()


def check_delivered_late():
    """What was held reaches the server after its client has gone, and so does the end."""
    proxy, clients, servers = two_pairs()
    assert proxy.tell("hold up after 3 on 1") == "ok"
    clients[0].sendall(b"abcdef")
    clients[0].close()
    assert hears(servers[0]) == b"abc"
    assert proxy.tell("pass on 1") == "ok"
    assert read_all(servers[0])[0] == 3
    clients[1].sendall(b"x")
    assert servers[1].recv(10) == b"x"
    proxy.stop()


def check_commands():
    proxy, client, server = pair(0)
    for wrong in ("", "holds", "hold left", "hold up after", "hold up after x", "drip", "drip x",
                  "delay", "delay -1", "hold up down", "pass now", "cut on", "cut on x",
                  "cut on 2", "counts 2", "counts x", "pass on 1 up"):
        assert proxy.tell(wrong).startswith("no:"), wrong
    assert proxy.tell("counts").startswith("connections 1 ")
    assert proxy.tell(f"delay {DELAY_US}") == "ok"
    start = time.monotonic()
    client.sendall(b"x")
    assert server.recv(10) == b"x" and time.monotonic() - start >= DELAY_US / 1e6
    proxy.stop()


def main():
    cases = [check_delay_and_turns, check_chunks_overlap, check_half_close,
             check_reset_follows_data, check_reset_after_close, check_refused,
             check_idle_costs_nothing, check_many, check_sigterm, check_hold,
             check_hold_of_a_new_connection, check_stall_blocks_the_sender, check_swallow,
             check_drip, check_cut_and_reset, check_one_of_two, check_counts_of_one,
             check_delivered_late, check_commands]
    for case in cases:
        case()
        print("ok", case.__name__, flush=True)
    for window in (1, 1024):
        check_bulk(window)
        print("ok check_bulk", window, flush=True)


main()
