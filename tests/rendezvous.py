#!/usr/bin/env python3
"""rendezvous.py DOCUMENT - the examples of docs/clusters.md, computed from what it says and by nothing else.

Somebody who routes for corm in another language does what this file does.
"""

import re
import sys
import uuid

MASK = (1 << 64) - 1


def fnv_1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def mix(h):
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ h >> 33


def value_bytes(text):
    if text.startswith("'"):
        data = text[1:-1].encode()
        return b"t" + len(data).to_bytes(8, "little") + data
    if re.fullmatch(r"-?\d+", text):
        number = int(text)
        return (b"u" if number >= 1 << 63 else b"i") + (number & MASK).to_bytes(8, "little")
    return b"b" + uuid.UUID(text).bytes


def key_bytes(table, key):
    columns = dict(column.split("=", 1) for column in key.split(", "))
    return table.encode() + b"\0" + b"".join(
        name.encode() + b"\0" + value_bytes(columns[name]) for name in sorted(columns)
    )


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    nodes = re.findall(r"^\| `([^`]+:\d+)` \| `([0-9a-f]{16})` \|$", text, re.MULTILINE)
    keys = re.findall(
        r"^\| `(\w+)` \| `([^`]*=[^`]*)` \| `([0-9a-f]{16})` \| ([\d ]+) \|$", text, re.MULTILINE
    )
    shown = re.search(r"^    ((?:[0-9a-f]{2} ?)+)$", text, re.MULTILINE)
    assert len(nodes) >= 5 and len(keys) >= 11 and shown, "examples are missing"
    assert bytes.fromhex(shown.group(1)) == key_bytes("product", "id=1"), "the bytes of id=1"
    for node, told in nodes:
        assert f"{mix(fnv_1a(node.encode())):016x}" == told, node
    of_keys = [int(told, 16) for node, told in nodes if node.startswith("db")]
    for table, key, told, order in keys:
        h = mix(fnv_1a(key_bytes(table, key)))
        assert f"{h:016x}" == told, (table, key, f"{h:016x}")
        ranked = sorted(range(len(of_keys)), key=lambda i: -mix(of_keys[i] ^ h))
        assert " ".join(str(i + 1) for i in ranked) == order, (table, key, ranked)


main()
