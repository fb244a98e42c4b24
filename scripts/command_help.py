"""command_help.py - what the command `corm` says of itself, as data.

The one source of its man page and its completions, so that neither can say anything else than
`corm help`. read(COMMAND) runs it: `corm help` lists the verbs, `corm help VERB` the options of one.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Option:
    name: str  # without the dashes
    short: str  # one letter, or ""
    argument: str  # as "N"; "" where it takes none
    about: str  # one line
    words: list = field(default_factory=list)  # what the argument may be, where that is a few words


@dataclass
class Verb:
    name: str
    about: str
    text: str = ""  # `corm help VERB`, whole; "" where there is none
    options: list = field(default_factory=list)


@dataclass
class Command:
    text: str  # `corm help`, whole
    verbs: list


ENTRY = re.compile(r"^ {2,8}(?:-(?P<short>\w), )? *--(?P<name>[\w-]+)(?:=(?P<argument>\S+))?(?: +(?P<about>.*))?$")
VERB = re.compile(r"^  (?P<name>[a-z][a-z-]*) {2,}(?P<about>\S.*)$")
# "naive, lock (default), or all, ...": some words, and what follows them
WORDS = re.compile(r"^((?:[a-z]+(?: \(default\))?, )+)or ([a-z]+)\b")


def words_of(about):
    match = WORDS.match(about)
    if match is None:
        return []
    return re.findall(r"[a-z]+", match[1].replace("(default)", "")) + [match[2]]


def options_of(text):
    """The options as popt prints them: an entry, and lines that are indented further."""
    options = []
    within = False
    for line in text.splitlines():
        match = ENTRY.match(line)
        if match:
            options.append(Option(match["name"], match["short"] or "", match["argument"] or "", match["about"] or ""))
            within = True
        elif within and line.startswith(" " * 12):
            options[-1].about = f"{options[-1].about} {line.strip()}".strip()
        else:
            within = False
    for option in options:
        option.words = words_of(option.about)
    return options


def verbs_of(text):
    verbs = []
    for line in text.split("\n\n")[1].splitlines():
        match = VERB.match(line)
        if match:
            verbs.append(Verb(match["name"], match["about"]))
        else:
            verbs[-1].about += " " + line.strip()
    return verbs


def said(command, *words):
    """Stdout of `corm help ...`, or None where it knows no such help."""
    environment = {**os.environ, "LC_ALL": "C", "COLUMNS": "80"}
    done = subprocess.run([command, "help", *words], capture_output=True, text=True, env=environment, check=False)
    return done.stdout if done.returncode == 0 else None


def read(command):
    text = said(command)
    if text is None:
        raise SystemExit(f"{command} help: failed")
    verbs = verbs_of(text)
    if not verbs:
        raise SystemExit(f"{command} help: lists no verbs")
    for verb in verbs:
        verb.text = said(command, verb.name) or ""
        verb.options = options_of(verb.text)
        # A help with options that are not understood would be a completion that lacks them.
        for name in re.findall(r"^ +(?:-\w, )?--([\w-]+)", verb.text, re.MULTILINE):
            if name not in [option.name for option in verb.options]:
                raise SystemExit(f"{command} help {verb.name}: --{name} is not understood")
    return Command(text, verbs)
