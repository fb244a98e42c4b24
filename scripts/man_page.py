"""man_page.py - comments and help as text of man(7) pages.

A comment is prose in paragraphs; what is indented in it, or set in columns, stays as it is.
"""

import os
import re
import textwrap
import time


def date_of(paths):
    """Of a page: what SOURCE_DATE_EPOCH says, for builds that can be repeated; else of its sources."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or max(os.path.getmtime(path) for path in paths)
    return time.strftime("%Y-%m-%d", time.gmtime(int(float(epoch))))


def escaped(text):
    """As it is: roff would make other characters of these."""
    for char, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(char, roff)
    return text


def line_of(text):
    """A line of its own: one that begins with a dot is no request."""
    return "\\&" + text if text.startswith((".", "'")) else text


CODE = re.compile(r"`([^`]+)`|\b(corm_\w+\(\)|CORM_[A-Z_]+\b(?:\(\))?|corm_\w+\b)")


def prose(text):
    """A paragraph, its code in bold, in lines of at most 80 bytes."""

    def bold(match):
        return "\0" + (match[1] or match[2]).replace(" ", "\1") + "\2"

    marked = CODE.sub(bold, " ".join(text.split()))
    lines = textwrap.wrap(marked, 68, break_long_words=False, break_on_hyphens=False)
    out = []
    for line in lines:
        line = escaped(line).replace("\1", " ").replace("\0", "\\fB").replace("\2", "\\fR")
        out.append(line_of(line))
    return out


def literal(lines):
    """Code, and what is set in columns."""
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return [".RS 4", ".EX", *(line_of(escaped(line[indent:].rstrip())) for line in lines), ".EE", ".RE"]


def in_columns(lines):
    return sum(bool(re.search(r"\S {3,}\S", line)) for line in lines) * 2 > len(lines)


def body(text):
    """Paragraphs and code of a comment, which is without its stars."""
    out = []
    chunks = []  # (is literal, lines)
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = paragraph.split("\n")
        # Within a paragraph code may follow prose without a blank line, and the other way round.
        for line in lines:
            is_literal = line.startswith("    ") or in_columns(lines)
            if chunks and chunks[-1][0] == is_literal and line is not lines[0]:
                chunks[-1][1].append(line)
            elif chunks and chunks[-1][0] and is_literal:
                chunks[-1][1].extend(["", line])
            else:
                chunks.append((is_literal, [line]))
    for is_literal, lines in chunks:
        if out:
            out.append(".PP")
        out += literal(lines) if is_literal else prose("\n".join(lines))
    # .PP in front of .RS is not wanted, only some space.
    return [".sp" if a == ".PP" and b == ".RS 4" else a for a, b in zip(out, out[1:] + [""])]


def code(text):
    return [".EX", *(line_of(escaped(line.rstrip())) for line in text.split("\n")), ".EE"]


def page(name, section, date, version, title, parts):
    """`parts`: (heading, lines), those without lines are left out."""
    out = [f'.TH {name} {section} {date} "corm {version}" "{title}"']
    for heading, lines in parts:
        if lines:
            out += [f".SH {heading}" if " " not in heading else f'.SH "{heading}"', *lines]
    return "\n".join(out) + "\n"


def name_line(names, summary):
    """For NAME: also what apropos finds; one line."""
    return [f"{', '.join(escaped(name) for name in names)} \\- {escaped(summary)}"]


def references(pages):
    """For SEE ALSO: (name, section) of each."""
    lines = [f".BR {escaped(name)} ({section})" for name, section in sorted(pages, key=lambda p: (p[1], p[0]))]
    return [line + " ," for line in lines[:-1]] + lines[-1:]


def write(folder, name, section, text):
    folder = os.path.join(folder, f"man{section}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{name}.{section}"), "w", encoding="utf-8") as file:
        file.write(text)
