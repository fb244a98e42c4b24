#!/usr/bin/env python3
"""documents.py TARGET ROOT BUILD SANITIZE COMPILER... - what the documents say can be done. Prints TAP.
documents.py --write ROOT BUILD - writes the table of docs/errors.md anew.

Of README.md, CONTRIBUTING.md and docs/*.md, with TARGET `sqlite`: the programs and the pieces of C compile
without a warning, run, and come to what the text says (blocks.py); so do the consoles; the commands exist, with
their options, and the files and headings that are linked; every chapter is in the table of contents, every
code in docs/errors.md. With `mariadb` (scripts/with-mariadb): the pieces, the consoles and the SQL that want a
server. SANITIZE is how the library was built: "none", or what stands behind -fsanitize=.
"""

import concurrent.futures
import functools
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

import blocks

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
sys.dont_write_bytecode = True
import command_help  # noqa: E402
import header_text  # noqa: E402

SECONDS = blocks.SECONDS
BOOK = os.path.join("docs", "README.md")
ERRORS = os.path.join("docs", "errors.md")
# Documents that are linked and link, but hold no chapter of the book.
BESIDE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", os.path.join("bench", "README.md")]


class Nothing(Exception):
    """There is nothing of it in this document."""


class Skip(Exception):
    """It cannot be done here; why is printed."""


class Document:
    def __init__(self, name):
        self.name = name
        self.folder = os.path.dirname(os.path.join(root, name))
        with open(os.path.join(root, name), encoding="utf-8") as file:
            self.text = file.read()
        self.blocks = list(blocks.blocks_of(self.text))
        self.prose = blocks.without_blocks(self.text)

    def need(self, found):
        if not found:
            raise Nothing


def documents():
    names = BESIDE + sorted(os.path.relpath(path, root) for path in glob.glob(os.path.join(root, "docs", "*.md")))
    return [Document(name) for name in names]


def shop():
    """The first block of the book's table of contents: the models that all pieces use."""
    return Document(BOOK).blocks[0]


# ---- Code ----------------------------------------------------------------------------------------


def programs_do_what_their_text_says(document):
    programs = [b for b in document.blocks if b.is_program and not b.name]
    document.need(programs)
    for block in programs:
        with tempfile.TemporaryDirectory() as folder:
            blocks.run_program(tools, block, folder)


def has_pieces(document):
    return bool(blocks.pieces_of(document.blocks))


def pieces_do_what_they_say(document):
    document.need(has_pieces(document))
    with tempfile.TemporaryDirectory() as folder:
        blocks.run_pieces(tools, document.name, document.blocks, shop(), folder, "sqlite:shop.db")


def what_must_not_compile_does_not(document):
    document.need([b for b in document.blocks if b.mark == "Does not compile"])
    with tempfile.TemporaryDirectory() as folder:
        blocks.see_what_does_not_compile(tools, document.name, document.blocks, shop(), folder)


def consoles_of(document, on_server):
    found = [b for b in document.blocks if b.language == "console"]
    return [b for b in found if not b.mark and (on_server or not blocks.names_server(b))]


def consoles_show_what_happens(document, url=blocks.SERVER):
    found = consoles_of(document, url != blocks.SERVER)
    document.need(found)
    with tempfile.TemporaryDirectory() as folder:
        blocks.keep_files(document.blocks, folder)
        for block in found:
            blocks.run_console(tools, document.name, block, folder, url)


def blocks_are_of_a_known_kind(document):
    document.need(document.blocks)
    for block in document.blocks:
        where = f"{document.name}:{block.line}"
        assert block.language in blocks.LANGUAGES, f"{where}: blocks of {block.language} are not tested"
        if block.language in ("ts", "ini"):
            assert block.mark == "Not run", f"{where}: says nowhere that it is not run"
        if block.language == "":
            assert not re.search(r"corm_\w+\(|^\$ ", block.text, re.MULTILINE), f"{where}: is code without a language"
    fences = blocks.fences_of(document.text)
    assert len(fences) == 2 * len(document.blocks), f"a block has no end, is indented, or is not seen: {fences}"


def named_files_are_compiled(document):
    """A file that a reader saves is compiled by the commands behind it, or included by one that is."""
    named = [b for b in document.blocks if b.name]
    document.need(named)
    used = "".join(b.text for b in document.blocks if b.name or b.language == "console" and not b.mark)
    for block in named:
        assert f'#include "{block.name}"' in used or f"$ cc {block.name} " in used, \
            f"{document.name}:{block.line}: nothing compiles {block.name}"


def headers_of_others_are_here(document):
    """Pieces beside corm's want them, and are left out elsewhere."""
    found = [b for b in document.blocks if blocks.headers_of_others(b.text)]
    document.need(found)
    lacking = [b for b in found if tools.flags_of(b.text) is None]
    # corm itself is built with that one.
    assert not [b for b in lacking if "mysql.h" in b.text], "mysql.h is not found"
    if lacking:
        raise Skip("; ".join(f"the piece in line {b.line} is left out, {blocks.headers_of_others(b.text)} is not here"
                             for b in lacking))


# ---- Commands ------------------------------------------------------------------------------------


@functools.lru_cache
def usage_of_run():
    return subprocess.run([os.path.join(root, "run"), "help"], capture_output=True, text=True, check=True,
                          timeout=SECONDS).stdout


@functools.lru_cache
def verbs_of_corm():
    return {verb.name: verb for verb in command_help.read(os.path.join(build, "corm")).verbs}


def check_run(words):
    usage = usage_of_run()
    assert words, "./run alone"
    assert re.search(rf"^  {words[0]}\b", usage, re.MULTILINE), f"./run {words[0]} is named, and there is no such verb"
    for word in words[1:]:
        if word.startswith("--") and words[0] in ("test",):
            assert re.search(rf"(?<!\S){word}(?![\w-])", usage), f"./run {words[0]} has no {word}"


def check_corm(words):
    verbs = verbs_of_corm()
    assert words and words[0] in verbs, f"corm {' '.join(words)}: there are {sorted(verbs)}"
    options = {option.name for option in verbs[words[0]].options}
    for word in words[1:]:
        if word.startswith("--"):
            name = word[2:].split("=")[0]
            assert name in options | {"help"}, f"corm {words[0]} has no --{name}, but {sorted(options)}"


def check_packages(words):
    """apt-get install NAME...: packages that scripts/dependencies or debian/control know."""
    if words[:1] != ["install"]:
        return
    known = {"sudo", "pkg-config", "gcc", "git", "mariadb-server", "poppler-utils"}
    with open(os.path.join(root, "scripts", "dependencies"), encoding="utf-8") as file:
        known.update(re.findall(r"[\w.+-]+", file.read()))
    for word in words[1:]:
        assert word.startswith(("-", "./")) or word in known, f"the package {word} is not known here"


def check_file(words):
    assert os.path.exists(os.path.join(root, words[0])) or words[0].startswith("build"), f"{words[0]} does not exist"


# What a command may begin with, and what is looked at behind it.
COMMANDS = {
    "./run": check_run, "corm": check_corm, "build/corm": check_corm, "apt-get": check_packages,
    "apt": check_packages, "scripts/with-mariadb": None, "scripts/with-galera": None, "python3": check_file,
    "meson": None, "ninja": None,
    "cc": None, "man": None, "cd": None, "mariadb": None, "ldconfig": None, "service": None, "export": None,
    "bash": None, "gdb": None, "tests/headers.py": None,
}


def commands_in(document):
    for block in document.blocks:
        if block.language == "sh" and not block.mark:
            for line in re.sub(r"\\\n", " ", block.text).split("\n"):
                words = shlex.split(line, comments=True)
                one = []
                for word in words + ["&&"]:
                    if word in ("&&", "||", ";", "|"):
                        yield f"{document.name}:{block.line}", one
                        one = []
                    else:
                        one.append(word)
        if block.language == "console" and not block.mark:
            for command, _ in blocks.commands_of(block):
                first = command.split()[0]
                if first in ("corm", "./run"):
                    yield f"{document.name}:{block.line}", shlex.split(command, comments=True)
    for span in re.findall(r"`(\./run [^`]*|corm (?:race|doctor|setup|help|version)\b[^`]*)`", document.prose):
        yield document.name, re.sub(r"\[[^\]]*\]|\.\.\.", " ", span).split()


def commands_exist(document):
    commands = list(commands_in(document))
    document.need(commands)
    for where, words in commands:
        while words and (re.match(r"\w+=", words[0]) or words[0] == "sudo"):
            words = words[1:]
        if not words:
            continue
        name = words[0]
        assert name in COMMANDS, f"{where}: {name} is no command that is known here"
        if COMMANDS[name] is not None:
            try:
                COMMANDS[name](words[1:])
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from error


# ---- Files, links and headings -------------------------------------------------------------------


def files_that_are_named_exist(document):
    code = [word for span in re.findall(r"`([^`\n]+)`", document.prose) for word in span.split()]
    own = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    paths = [os.path.join(root, word) for word in code if word.split("/")[0] in own and "/" in word]
    for path in paths:
        in_build = os.path.join(root, "build/")
        if path.startswith(in_build):
            path = os.path.join(build, path[len(in_build):])
        for one in expand(path):
            assert glob.glob(one), f"{path} is named and does not exist"


def expand(path):
    """a/{b,c}.h is a/b.h and a/c.h, a/b.[ch] is a/b.c and a/b.h."""
    match = re.fullmatch(r"([^{]*){([^}]*)}(.*)", path)
    if match:
        return [one for word in match.group(2).split(",")
                for one in expand(match.group(1) + word + match.group(3))]
    return [path]


def anchors_of(text):
    """As GitHub and GitLab make them of headings."""
    seen = {}
    for heading in re.findall(r"^#+ (.*)", blocks.without_blocks(text), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        yield slug if count == 0 else f"{slug}-{count}"


def links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", document.prose))
    document.need(links)
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(document.folder, path)) if path else os.path.join(root, document.name)
        assert os.path.exists(target), f"{link} leads nowhere"
        assert target.startswith(root + os.sep), f"{link} leads out of the project"
        if anchor:
            with open(target, encoding="utf-8") as file:
                there = list(anchors_of(file.read()))
            assert anchor in there, f"{link}: {path or 'the document'} has no such heading, but {there}"


# ---- The book as a whole -------------------------------------------------------------------------


def chapters_are_in_the_contents(document):
    document.need(document.name == BOOK)
    linked = set(re.findall(r"\]\(([\w-]+\.md)", document.prose))
    chapters = {os.path.basename(path) for path in glob.glob(os.path.join(root, "docs", "*.md"))} - {"README.md"}
    assert linked == chapters, linked ^ chapters


def verdicts():
    """{code: what corm_transact() does about it behind its first statement}, as the command says it."""
    said = subprocess.run([os.path.join(build, "corm"), "doctor", "--errors"], capture_output=True, text=True, check=True,
                          timeout=SECONDS).stdout
    words = {"again": "runs again", "function": "told, the function may mend it", "caller": "told", "fatal": "told",
             "resolve": "told"}
    found = {}
    for code, _, _, middle, _, commit, _ in re.findall(r"^(CORM_\w+)" + r" +(\w+)" * 6 + "$", said, re.MULTILINE):
        asks = "; in COMMIT the ledger is asked" if commit == "resolve" else ""
        found.setdefault(code, words[middle] + asks)
    return found


def rows_of_errors():
    done = verdicts()
    codes = header_text.codes_of(os.path.join(root, "include", "corm", "error.h"))
    rows = []
    for code, (number, what, cure) in sorted(codes.items(), key=lambda item: -int(item[1][0])):
        row = [f"`{code}`", number, what, cure, done[code]]
        rows.append("| " + " | ".join(word.replace("|", "\\|") for word in row) + " |")
    return rows


def every_code_is_told_of(document):
    document.need(document.name == ERRORS)
    told = re.findall(r"^\| `CORM_\w+` \| -\d+ .*", document.text, re.MULTILINE)
    assert told == rows_of_errors(), f"to mend: tests/documents.py --write ROOT BUILD; {set(told) ^ set(rows_of_errors())}"


def codes_that_are_named_exist(document):
    with open(os.path.join(root, "include", "corm", "error.h"), encoding="utf-8") as file:
        known = set(re.findall(r"CORM_\w+", file.read()))
    known |= set(header_text.codes_of(os.path.join(root, "include", "corm", "error.h")))
    for path in glob.glob(os.path.join(root, "include", "corm", "*.h")):
        with open(path, encoding="utf-8") as file:
            known |= set(re.findall(r"\b(?:CORM|corm)_\w+", file.read()))
    named = set(re.findall(r"`(CORM_[A-Z_]{3,}|corm_\w+\(\))`", document.prose))
    document.need(named)
    lacking = sorted(name for name in named if name.removesuffix("()") not in known)
    # The changelog and the decisions tell of what was.
    if document.name in ("CHANGELOG.md", os.path.join("docs", "decisions.md"), "CONTRIBUTING.md"):
        return
    assert not lacking, f"no header knows {lacking}"


def write_errors():
    path = os.path.join(root, ERRORS)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    table = "\n".join(rows_of_errors()) + "\n"
    start = text.index("|---|---|---|---|---|\n") + len("|---|---|---|---|---|\n")
    end = re.compile(r"^(?!\|)", re.MULTILINE).search(text, start).start()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:start] + table + text[end:])


# ---- With a server -------------------------------------------------------------------------------


def sql(text, database=None):
    """Beside corm; the lines that come back."""
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--host=127.0.0.1",
         "--port=" + os.environ["CORM_TEST_MARIADB_PORT"], "--user=" + os.environ["CORM_TEST_MARIADB_USER"],
         *([database] if database else [])],
        input=text, capture_output=True, text=True, timeout=SECONDS, check=False,
        env={**os.environ, "MYSQL_PWD": os.environ["CORM_TEST_MARIADB_PASSWORD"]})
    assert done.returncode == 0, (text, done.stderr)
    return done.stdout


class Database:
    """One of its own, for one document."""

    made = 0

    def __enter__(self):
        Database.made += 1
        self.name = f"corm_documents_{os.getpid()}_{Database.made}"
        sql(f"CREATE DATABASE {self.name}")
        self.url = (f"mariadb://{os.environ['CORM_TEST_MARIADB_USER']}:{os.environ['CORM_TEST_MARIADB_PASSWORD']}"
                    f"@127.0.0.1:{os.environ['CORM_TEST_MARIADB_PORT']}/{self.name}")
        return self

    def __exit__(self, *_):
        sql(f"DROP DATABASE IF EXISTS {self.name}; DROP USER IF EXISTS {self.name}@localhost, {self.name}@'%'")


def pieces_do_what_they_say_on_a_server(document):
    document.need(has_pieces(document))
    with tempfile.TemporaryDirectory() as folder, Database() as database:
        blocks.run_pieces(tools, document.name, document.blocks, shop(), folder, database.url)


def consoles_show_what_happens_on_a_server(document):
    document.need(any(blocks.names_server(b) for b in consoles_of(document, True)))
    with Database() as database:
        consoles_show_what_happens(document, database.url)


def sql_is_understood(document):
    found = [b for b in document.blocks if b.language == "sql" and not b.mark]
    document.need(found)
    with Database() as database:
        for block in found:
            # The database and the user of the document become ours.
            sql(re.sub(r"\bshop(?=[.;])", database.name, block.text.replace("'shop'@", f"'{database.name}'@")),
                database.name)


# --------------------------------------------------------------------------------------------------

CHECKS = {
    "sqlite": [blocks_are_of_a_known_kind, named_files_are_compiled, headers_of_others_are_here,
               programs_do_what_their_text_says, pieces_do_what_they_say, what_must_not_compile_does_not,
               consoles_show_what_happens, commands_exist, files_that_are_named_exist, links_lead_somewhere,
               chapters_are_in_the_contents, every_code_is_told_of, codes_that_are_named_exist],
    "mariadb": [pieces_do_what_they_say_on_a_server, consoles_show_what_happens_on_a_server, sql_is_understood],
}


def outcome_of(check, document):
    """(True, what stands behind the name), (False, why not), or (None, "") where there is nothing to look at."""
    try:
        check(document)
        return True, ""
    except Nothing:
        return None, ""
    except Skip as reason:
        return True, f" # SKIP {reason}"
    except (AssertionError, subprocess.SubprocessError, OSError) as error:
        return False, str(error) or repr(error)


def main(target):
    work = [(check, document) for document in documents() for check in CHECKS[target]]
    failed = number = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for (check, document), (good, said) in zip(work, pool.map(lambda one: outcome_of(*one), work)):
            if good is None:
                continue
            number += 1
            name = f"{document.name}: {check.__name__}"
            if good:
                print(f"ok {number} - {name}{said}")
            else:
                failed += 1
                print(f"not ok {number} - {name}\n# " + said.rstrip("\n").replace("\n", "\n# "))
    print(f"1..{number}")
    sys.exit(1 if failed or number == 0 else 0)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--write":
        root, build = os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
        write_errors()
        sys.exit()
    if len(sys.argv) < 6 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    root, build = os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
    tools = blocks.Tools(root, build, sys.argv[4], sys.argv[5:])
    main(sys.argv[1])
