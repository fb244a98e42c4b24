#!/usr/bin/env python3
"""shop_test.py [--browser] [SHOP BUYERS] - examples/shop before a server of its own (scripts/with-mariadb), which it
stops and kills.

What buyers are told, and what is in the database then, is compared by BUYERS (examples/shop/buyers.c). --browser looks at
the page instead, in Chromium, as ./run test --report does. Without SHOP and BUYERS all is skipped: the shop was not
built. Prints TAP.
"""

import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid

sys.dont_write_bytecode = True
import browser  # noqa: E402
import tap  # noqa: E402

SECONDS = 120  # nothing takes that long; it is against hanging
FORM = "application/x-www-form-urlencoded"

wants_browser = sys.argv[1:2] == ["--browser"]
programs = sys.argv[2 if wants_browser else 1:]
if len(programs) != 2:
    print("1..0 # SKIP examples/shop was not built: libh2o-evloop-dev is not there")
    sys.exit()
program, buyers = programs
url = os.environ["CORM_TEST_MARIADB_URL"]
running = []  # to be ended whatever happens


def limit(files):
    """Limits the files of a process that is about to run."""
    return files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))


class Shop:
    """A shop that runs; at a port of its own, or at the one given, with as many files as given."""

    def __init__(self, port=0, options="", files=None):
        self.process = subprocess.Popen([program, "--port", str(port)], stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "DATABASE_URL": url + options}, preexec_fn=limit(files))
        running.append(self.process)
        line = self.process.stdout.readline()
        assert line.startswith("shop: http://127.0.0.1:"), f"the shop said: {line!r}"
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])

    def call(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def ask(self, method, path, body=None, **headers):
        """Status, headers and the JSON of one request."""
        call = self.call()
        call.request(method, path, body, {"Content-Type": FORM, **headers} if body is not None else headers)
        answer = call.getresponse()
        text = answer.read()
        call.close()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, answer, json.loads(text) if is_json else text.decode()

    def buy(self, product, pieces=1, buyer=1, order=None):
        status, answer, told = self.ask("POST", "/buy", form(product, pieces, buyer, order or new_number()))
        return status, told["result"], told, answer

    def stock(self):
        status, _, told = self.ask("GET", "/stock")
        assert status == 200, told
        return told

    def product(self, name):
        return [product for product in self.stock()["products"] if product["name"] == name][-1]

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(SECONDS)


def form(product, pieces, buyer, order):
    return urllib.parse.urlencode({"product": product, "pieces": pieces, "buyer": buyer, "order": order})


def new_number():
    return str(uuid.uuid4())


def send_buyers(shop, *options):
    process = subprocess.Popen([buyers, "--shop", f"127.0.0.1:{shop.port}", *options], stdout=subprocess.PIPE,
                               text=True, env={**os.environ, "DATABASE_URL": url})
    running.append(process)
    return process


def report_of(process):
    """What buyers were told and what was there: all of it is true."""
    line = process.communicate(timeout=SECONDS)[0]
    assert line, "the buyers have failed"
    report = json.loads(line)
    assert process.returncode == 0 and report["holds"], report
    assert report["bought"] == report["order_rows"] and report["stock_after"] >= 0, report
    assert report["stock_before"] - report["stock_after"] == report["order_pieces"], report
    return report


def server_pid():
    with open(os.environ["CORM_TEST_MARIADB_PIDFILE"], encoding="ascii") as file:
        return int(file.read())


def start_server():
    subprocess.run([os.environ["CORM_TEST_MARIADB_START"]], check=True, timeout=SECONDS)


def mariadb():
    return ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--unbuffered",
            "--socket=" + os.environ["CORM_TEST_MARIADB_SOCKET"], "--user=" + os.environ["CORM_TEST_MARIADB_USER"],
            "--password=" + os.environ["CORM_TEST_MARIADB_PASSWORD"], os.environ["CORM_TEST_MARIADB_DATABASE"]]


def sql(text):
    """What another client of the server reads."""
    return subprocess.run(mariadb(), input=text, stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True).stdout


def wait_until(holds, what):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "in vain: " + what
        time.sleep(0.005)


def bought_by_buyers(shop):
    return shop.product("for buyers")["orders"]


# ---- What it answers ----------------------------------------------------------------------------


def an_order_is_bought_once_however_often_it_is_sent():
    shop = Shop()
    number = new_number()
    before = shop.product("nut")
    for _ in range(3):
        status, result, told, _ = shop.buy(before["id"], 2, 17, number)
        assert (status, result) == (200, "bought"), told
        assert (told["order"], told["pieces"], told["buyer"]) == (number, 2, 17), told
    after = shop.product("nut")
    assert (after["stock"], after["sold"], after["orders"]) == (
        before["stock"] - 2, before["sold"] + 2, before["orders"] + 1), after
    latest = shop.stock()["latest"][0]
    assert (latest["number"], latest["buyer"], latest["pieces"]) == (number, 17, 2), latest
    for other in ({"pieces": 3}, {"buyer": 18}, {"product": 1}):
        status, _, told, _ = shop.buy(**{"product": before["id"], "pieces": 2, "buyer": 17, "order": number, **other})
        assert status == 422, told
    assert shop.product("nut") == after
    assert shop.end() == 0


def who_has_bought_the_last_is_not_told_that_they_are_sold_out():
    shop = Shop()
    last = shop.product("the last washers")
    number = new_number()
    assert shop.buy(last["id"], last["stock"], 1, number)[:2] == (200, "bought")
    assert shop.buy(last["id"], 1, 2)[:2] == (409, "sold out")
    assert shop.buy(last["id"], last["stock"], 1, number)[:2] == (200, "bought")
    assert shop.buy(last["id"], 1, 1, number)[0] == 422
    assert shop.product("the last washers")["stock"] == 0
    assert shop.end() == 0


def a_bad_request_is_told_what_is_wrong_with_it():
    shop = Shop()
    good = form(1, 1, 1, new_number())
    before = shop.stock()
    for body, word in (
            ("", "all four"), ("product=1&pieces=1&buyer=1", "all four"), (good + "&pieces=1", "twice"),
            (good + "&colour=red", "no other"), (good + "&", None), (good.replace("pieces=1", "pieces=0"), "pieces"),
            (good.replace("pieces=1", "pieces=1001"), "pieces"), (good.replace("pieces=1", "pieces=-1"), "pieces"),
            (good.replace("pieces=1", "pieces=1e3"), "pieces"), (good.replace("pieces=1", "pieces=%31"), "pieces"),
            (good.replace("pieces=1", "pieces"), "pieces"), (good.replace("product=1", "product=4294967297"), "product"),
            (good.replace("buyer=1", "buyer=99999999999999999999"), "buyer"), (good[:-1], "order"), (good + "0", "order"),
            (good.replace("&", ";"), "product"), ("&&", "no other"), ("=", "no other"), ("\0", "no other")):
        path = "/nothing" if word is None else "/buy"
        status, _, told = shop.ask("POST", path, body)
        assert status == (200 if word is None else 400) and (word is None or word in told["message"]), (body, told)
    assert shop.ask("POST", "/buy", form(99, 1, 1, new_number()))[0] == 404
    for form_type, status in (("application/json", 415), (FORM + "ed", 415), (FORM.upper() + ";charset=utf-8", 200)):
        assert shop.ask("POST", "/nothing", good, **{"Content-Type": form_type})[0] == status, form_type
    assert shop.ask("POST", "/buy", good, **{"Content-Type": "application/json"})[0] == 415
    assert shop.ask("POST", "/buy", "x" * 5000)[0] == 413
    assert shop.ask("GET", "/nowhere")[0] == 404
    for method, path, allowed in (("GET", "/buy", "POST"), ("DELETE", "/stock", "GET"), ("POST", "/health", "GET")):
        status, answer, _ = shop.ask(method, path, "" if method == "POST" else None)
        assert status == 405 and answer.getheader("Allow") == allowed, (method, path, status)
    call = socket.create_connection(("127.0.0.1", shop.port), timeout=SECONDS)
    call.sendall(b"no HTTP at all\r\n\r\n")
    call.recv(100)
    call.close()
    assert shop.stock() == before, "a bad request has bought something"
    assert shop.end() == 0


def who_asks_for_the_stock_while_it_is_read_is_told_as_well():
    shop = Shop()
    calls = [shop.call() for _ in range(3)]
    os.kill(server_pid(), signal.SIGSTOP)
    try:
        for call in calls:
            call.request("GET", "/stock")
            assert shop.ask("GET", "/health")[0] == 200  # by then the request was read
        gone = calls.pop()
        gone.close()
    finally:
        os.kill(server_pid(), signal.SIGCONT)
    for call in calls:
        assert len(json.loads(call.getresponse().read())["products"]) >= 3
    assert shop.end() == 0


def the_page_needs_nothing_from_elsewhere():
    shop = Shop()
    status, answer, page = shop.ask("GET", "/")
    assert status == 200 and answer.getheader("Content-Type").startswith("text/html"), answer
    for path in ("stock", "buy"):
        assert f'fetch("{path}"' in page, path
    assert not re.search(r"(https?:)?//[a-z]|@import|src=", page), "the page has resources of others"
    assert shop.ask("GET", "/health")[2] == {"result": "well"}
    assert shop.end() == 0


def wrong_use_is_refused():
    for words in (["--port", "x"], ["--port", "65536"], ["--colour"], ["a", "b"]):
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 2 and "usage: shop" in done.stderr, (words, done)
    done = subprocess.run([program, "--port", "0"], capture_output=True, text=True, timeout=SECONDS, preexec_fn=limit(100))
    assert done.returncode == 1 and "ulimit -n" in done.stderr, done
    done = subprocess.run([program, "--port", "0", "mariadb://a:Wombat9Key@127.0.0.1:1/shop"], capture_output=True,
                          text=True, timeout=SECONDS)
    assert done.returncode == 1 and "127.0.0.1" in done.stderr and "Wombat9Key" not in done.stderr, done


def who_finds_the_shop_full_is_served_when_another_one_leaves():
    shop = Shop(files=130)  # room for two
    calls = [shop.call() for _ in range(4)]
    for call in calls:
        call.connect()
    for call in calls:
        call.request("GET", "/health")

    def ready():
        sockets = [call.sock for call in calls]
        return [sockets.index(one) for one in select.select(sockets, [], [], 0)[0]]

    def is_served(call):
        return call.getresponse().read() == b'{"result":"well"}\n'

    for _ in range(20):  # meanwhile the shop has seen that others are at the door
        assert is_served(calls[0])
        calls[0].request("GET", "/health")
    wait_until(lambda: ready() == [0, 1], "two are served")
    for call in calls:
        assert is_served(call)
        call.close()
    assert shop.end() == 0


# ---- A sale -------------------------------------------------------------------------------------


def a_product_is_bought_out():
    shop = Shop()
    report = report_of(send_buyers(shop, "--connections", "48", "--orders", "4000", "--stock", "5000", "--again", "5"))
    assert report["sold_out"] > 500 and report["stock_after"] == 0, report
    assert report["once_more"] == 200 and report["sent"] == 4200, report
    assert report["failed"] + report["unknown"] + report["lost"] + report["late"] == 0, report
    assert bought_by_buyers(shop) == report["bought"]
    assert shop.end() == 0


def in_mid_sale(shop, happens, *options):
    """Lets something happen when some orders are bought, and says what came of it."""
    process = send_buyers(shop, "--connections", "32", "--orders", "6000", "--stock", "11000", "--again", "10", *options)
    wait_until(lambda: shop.product("for buyers")["stock"] not in (0, 11000), "the sale begins")
    shop = happens() or shop
    report = report_of(process)
    assert report["bought"] > 0 and report["sold_out"] > 0, report
    assert shop.end() == 0
    return report


def no_purchase_is_doubled_or_forgotten_when_the_server_dies():
    shop = Shop()
    stock = []

    def dies():
        stock.append(shop.product("for buyers")["stock"])
        os.kill(server_pid(), signal.SIGKILL)
        start_server()

    report = in_mid_sale(shop, dies, "--patience-ms", "150")  # who sends again meets what is under way
    assert report["late"] > 0 and stock[0] > report["stock_after"], (stock, report)


def nor_when_the_shop_gives_up_meanwhile():
    shop = Shop(options="?timeout_ms=300")

    def dies():
        os.kill(server_pid(), signal.SIGKILL)
        wait_until(lambda: shop.buy(1)[0] == 503, "purchases fail")
        start_server()

    report = in_mid_sale(shop, dies)
    assert report["failed"] + report["unknown"] > 0, report


def nor_when_the_shop_dies():
    shop = Shop()

    def dies():
        shop.end(signal.SIGKILL)
        return Shop(shop.port)

    report = in_mid_sale(shop, dies)
    assert report["lost"] > 0, report


def who_is_told_unknown_has_one_order_after_sending_again():
    shop = Shop(options="?timeout_ms=1500")
    number, before = new_number(), shop.product("nut")
    with subprocess.Popen(mariadb(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as other:
        print("".join(f"backup stage {stage};" for stage in ("start", "flush", "block_ddl", "block_commit")),
              "select 1;", file=other.stdin, flush=True)
        assert other.stdout.readline() == "1\n"  # nobody can commit from here on
        call = shop.call()
        call.request("POST", "/buy", form(before["id"], 1, 1, number), {"Content-Type": FORM})
        wait_until(lambda: "commit\n" in sql("select lower(info) from information_schema.processlist;"), "a COMMIT waits")
        os.kill(server_pid(), signal.SIGKILL)
    answer = call.getresponse()
    told = json.loads(answer.read())
    assert (answer.status, told["result"], told.get("order")) == (503, "unknown", number), told
    assert answer.getheader("Retry-After") == "1", answer
    start_server()
    for _ in range(2):
        status, result, told, _ = shop.buy(before["id"], 1, 1, number)
        assert (status, result) == (200, "bought"), told
    after = shop.product("nut")
    assert (after["stock"], after["orders"]) == (before["stock"] - 1, before["orders"] + 1), after
    assert shop.end() == 0


def nobody_is_told_sold_out_before_the_orders_were_looked_through():
    shop = Shop(options="?timeout_ms=700")
    sql("insert into product (name, stock, orders, sold) values ('one piece', 1, 0, 0);")
    one, number = shop.product("one piece")["id"], new_number()
    assert shop.buy(one, 1, 1, number)[:2] == (200, "bought")
    with subprocess.Popen(mariadb(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        print("lock tables `order` write; select 1;", file=other.stdin, flush=True)
        assert other.stdout.readline() == "1\n"  # nobody can read orders from here on
        assert shop.buy(one, 1, 1, number)[:2] == (503, "unknown")
    assert shop.buy(one, 1, 1, number)[:2] == (200, "bought")
    assert shop.end() == 0


# ---- Closing ------------------------------------------------------------------------------------


def door_is_closed(shop):
    try:
        shop.call().connect()
        return False
    except ConnectionRefusedError:
        return True


def what_is_under_way_is_finished_when_the_shop_closes():
    shop = Shop()
    before = shop.product("nut")
    idle = shop.call()
    idle.connect()
    os.kill(server_pid(), signal.SIGSTOP)
    try:
        call = shop.call()
        call.request("POST", "/buy", form(before["id"], 1, 1, new_number()), {"Content-Type": FORM})
        gone = shop.call()  # a client that does not wait for the answer
        gone.request("POST", "/buy", form(before["id"], 1, 1, new_number()), {"Content-Type": FORM})
        # Both are read: an answer that came later is there.
        assert shop.ask("GET", "/health")[0] == 200
        gone.close()
        shop.process.terminate()
        wait_until(lambda: door_is_closed(shop), "the door closes")
        assert shop.process.poll() is None
    finally:
        os.kill(server_pid(), signal.SIGCONT)
    answer = call.getresponse()
    assert answer.status == 200 and answer.getheader("Connection") == "close", answer
    assert json.loads(answer.read())["result"] == "bought"
    assert shop.process.wait(SECONDS) == 0
    again = Shop()
    assert again.product("nut")["stock"] == before["stock"] - 2
    assert again.end(signal.SIGINT) == 0


def http2_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def http2_purchase(body):
    """A POST of a form as HTTP/2 sends it: preface, SETTINGS, HEADERS, DATA."""
    def literal(index, value):
        return index + bytes((len(value),)) + value.encode()

    head = b"\x83\x86" + literal(b"\x04", "/buy") + literal(b"\x01", "shop") + literal(b"\x0f\x10", FORM)
    return (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"") + http2_frame(1, 4, 1, head) +
            http2_frame(0, 1, 1, body.encode()))


def a_purchase_goes_on_without_the_client_who_has_left():
    # Of HTTP/2, as the library looks for the end of a connection of HTTP/1 only when it answers. What is used after
    # it was freed is found by the sanitizer.
    shop = Shop()
    before = shop.product("nut")
    os.kill(server_pid(), signal.SIGSTOP)
    try:
        with socket.create_connection(("127.0.0.1", shop.port), timeout=SECONDS) as call:
            call.sendall(http2_purchase(form(before["id"], 1, 1, new_number())))
            assert call.recv(1)
            assert shop.ask("GET", "/health")[0] == 200  # by then the request was read
        assert shop.ask("GET", "/health")[0] == 200  # and by then its end
    finally:
        os.kill(server_pid(), signal.SIGCONT)
    wait_until(lambda: shop.product("nut")["stock"] == before["stock"] - 1, "it is bought")
    assert shop.end() == 0


def a_second_signal_ends_the_shop_at_once():
    shop = Shop()
    os.kill(server_pid(), signal.SIGSTOP)
    try:
        call = shop.call()
        call.request("POST", "/buy", form(1, 1, 1, new_number()), {"Content-Type": FORM})
        assert shop.ask("GET", "/health")[0] == 200
        shop.process.terminate()
        wait_until(lambda: door_is_closed(shop), "the door closes")
        assert shop.end() == 1
    finally:
        os.kill(server_pid(), signal.SIGCONT)


# ---- The page -----------------------------------------------------------------------------------


def the_page_sells_and_shows_it_in_a_browser():
    shop = Shop()
    name = '<img src=x onerror="alert(1)">&amp;'
    sql(f"insert into product (name, stock, orders, sold) values ('{name}', 1, 0, 0);")
    number = shop.product(name)["id"]
    row = f"[...document.querySelectorAll('#products tr')].find(row => row.cells[0].textContent === {json.dumps(name)})"
    with browser.Browser() as chromium:
        for stock, told, width, dark in ((1, "bought", 1200, False), (0, "sold out", 360, True)):
            page = chromium.open(f"http://127.0.0.1:{shop.port}/", width=width, height=800, dark=dark)
            wait_until(lambda: page.value(f"{row} !== undefined"), "the product is on the page")
            assert page.value(f"{row}.cells[1].textContent") == str(stock)
            page.value(f"{row}.querySelector('button').click()")
            wait_until(lambda: page.value("document.getElementById('told').textContent") == f"{name}: {told}", told)
            wait_until(lambda: page.value(f"{row}.cells[1].textContent") == "0", "the page shows the stock")
            wait_until(lambda: page.value("document.getElementById('latest').rows[0].cells[2].textContent") == str(number),
                       "the page shows the order")
            assert page.value("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
            ink = page.value("getComputedStyle(document.body).color")
            assert ink == ("rgb(255, 255, 255)" if dark else "rgb(0, 0, 0)"), ink
            if folder := os.environ.get("CORM_TEST_PICTURES"):
                page.picture(os.path.join(folder, f"shop-{width}.png"))
            assert {urllib.parse.urlsplit(address).netloc for address in page.requests} <= {f"127.0.0.1:{shop.port}", ""}
            # A refusal is no mistake, though browsers complain of its status.
            assert [text for text in page.complaints if "409" not in text] == [], page.complaints
    latest = shop.stock()["latest"][0]
    assert (latest["product"], latest["number"][14]) == (number, "7"), latest
    assert shop.product(name)["orders"] == 1
    assert shop.end() == 0


tests = [
    an_order_is_bought_once_however_often_it_is_sent,
    who_has_bought_the_last_is_not_told_that_they_are_sold_out,
    a_bad_request_is_told_what_is_wrong_with_it,
    who_asks_for_the_stock_while_it_is_read_is_told_as_well,
    the_page_needs_nothing_from_elsewhere,
    wrong_use_is_refused,
    who_finds_the_shop_full_is_served_when_another_one_leaves,
    a_product_is_bought_out,
    no_purchase_is_doubled_or_forgotten_when_the_server_dies,
    nor_when_the_shop_gives_up_meanwhile,
    nor_when_the_shop_dies,
    who_is_told_unknown_has_one_order_after_sending_again,
    nobody_is_told_sold_out_before_the_orders_were_looked_through,
    what_is_under_way_is_finished_when_the_shop_closes,
    a_purchase_goes_on_without_the_client_who_has_left,
    a_second_signal_ends_the_shop_at_once,
]
browser_tests = [the_page_sells_and_shows_it_in_a_browser]
try:
    failed = tap.run_all(browser_tests if wants_browser else tests)
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
sys.exit(1 if failed else 0)
