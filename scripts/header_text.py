"""header_text.py - the public headers as data: what they declare, and the comment that tells of it.

A comment belongs to what follows it up to the next blank line; what stands alone belongs to its
section, if that has a text: a comment that begins with /* ---- Title ----. Text for clang-format is
not seen.
"""

import os
import re
import textwrap
from dataclasses import dataclass, field


@dataclass
class Item:
    """A declaration or a macro."""

    kind: str  # "function", "inline", "macro", "constant" (a macro without arguments), "type"
    name: str
    text: str  # as it is written, without the body of a macro or an inline function
    body: str = ""  # of a macro


@dataclass
class Block:
    """A comment and what belongs to it."""

    header: str
    text: str  # of the comment, without its stars; "" where there is none
    items: list = field(default_factory=list)
    section: "Section" = None

    def names(self, *kinds):
        return [item.name for item in self.items if item.kind in kinds]


@dataclass
class Section:
    title: str
    text: str


@dataclass
class Header:
    name: str  # "trx.h"
    text: str  # of the comment at its head
    summary: str  # its first line
    blocks: list = field(default_factory=list)


TOKEN = re.compile(
    r"(?P<blank>\n[ \t]*(?=\n))|(?P<comment>/\*.*?\*/)|(?P<directive>^[ \t]*#(?:[^\n]*\\\n)*[^\n]*)"
    r"|(?P<code>[^\s][^\n]*)|\s",
    re.DOTALL | re.MULTILINE,
)


def without_stars(comment):
    lines = re.sub(r"^/\*|\*/$", "", comment).split("\n")
    lines = [re.sub(r"^[ \t]*\* ?", "", line) if i else line.lstrip() for i, line in enumerate(lines)]
    return "\n".join(lines).strip("\n").rstrip()


def declaration_end(text, start):
    """Behind the declaration that begins at `start`: its `;`, or the } of a function's body."""
    depth = 0
    at = start
    while at < len(text):
        comment = re.compile(r"/\*.*?\*/", re.DOTALL).match(text, at)
        if comment:
            at = comment.end()
            continue
        char = text[at]
        at += 1
        depth += char in "({"
        depth -= char in ")}"
        if depth == 0 and char == ";":
            return at
        if depth == 0 and char == "}" and text[start:at].startswith("static inline"):
            return at
    raise SystemExit(f"a declaration has no end: {text[start:start + 60]}")


def item_of_declaration(text):
    tag = re.match(r"(struct|enum|union) (\w+) {", text)
    if tag:
        return Item("type", tag[2], text)
    if text.startswith("enum {"):
        return Item("type", "", text)
    if text.startswith("typedef"):
        return Item("type", re.search(r"(\w+)\(", text)[1], text)
    if re.match(r"struct \w+;", text):
        return None
    name = re.search(r"(\w+)\s*\(", text)[1]
    if text.startswith("static inline"):
        head = text[: text.index("{")].replace("static inline ", "").rstrip() + ";"
        return Item("inline", name, head)
    text = " ".join(text.removeprefix("CORM_API").split())
    return Item("function", name, "\n".join(textwrap.wrap(text, 78, subsequent_indent=" " * 8)))


def item_of_macro(text):
    match = re.match(r"[ \t]*#define (\w+)(\([^)]*\))?(.*)", text, re.DOTALL)
    if match is None:
        return None
    name, arguments, body = match.groups()
    if arguments is None:
        return Item("constant", name, re.sub(r"\s*/\*.*", "", text), body)
    return Item("macro", name, f"{name}{arguments}", body)


def read_header(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    name = os.path.basename(path)
    head = without_stars(re.match(r"/\*.*?\*/", text, re.DOTALL)[0])
    first, _, rest = head.partition("\n")
    summary = first.split(" -- ", 1)[1]
    if not first.endswith(".") and "." in rest:  # the sentence goes on
        more, _, rest = rest.partition(".")
        summary += " " + " ".join(more.split()) + "."
    header = Header(name, rest.strip("\n"), summary.split(". ")[0].rstrip("."))
    section = Section("", "")
    block = None
    at = text.index("*/") + 2
    while at < len(text):
        match = TOKEN.match(text, at)
        at = match.end()
        if match["blank"] is not None:
            block = None
        elif match["comment"] is not None:
            comment = without_stars(match["comment"])
            if comment.startswith("clang-format"):
                continue
            title = re.match(r"---- (.*?) -+", comment)
            if title:
                section = Section(title[1], comment[title.end():].strip("\n"))
                block = None
            else:
                block = Block(name, comment, [], section)
                header.blocks.append(block)
        elif match["directive"] is not None or match["code"] is not None:
            start = match.start()
            if match["directive"] is not None:
                item = item_of_macro(match["directive"])
            elif match["code"].startswith(("extern \"C\"", "}")):
                item = None
            else:
                at = declaration_end(text, start)
                item = item_of_declaration(text[start:at])
            if item is None:
                continue
            if block is None:
                block = Block(name, "", [], section)
                header.blocks.append(block)
            block.items.append(item)
    return header


def codes_of(path):
    """Of error.h: {name: (number, what happened, what to do about it)}."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = text[text.index("#define CORM_ERROR_MAP"):]
    text = text[: re.search(r"[^\\]\n", text).end()].replace("\\\n", " ")
    count = len(re.findall(r"\bX\(", text))
    codes = {}
    for name, number, texts in re.findall(r"\bX\((\w+), (-\d+),((?:\s*\"[^\"]*\"\s*,?)+)\)", text):
        what, cure = re.split(r"\"\s*,\s*\"", texts.strip().strip('"'))
        codes[f"CORM_{name}"] = (number, *(re.sub(r"\"\s*\"", "", part) for part in (what, cure)))
    if len(codes) != count:
        raise SystemExit(f"{path}: {count} codes, of which {len(codes)} are understood")
    return codes
