#!/usr/bin/env python3
"""install.py ROOT BUILD COMPILER... - what `meson install` gives, as somebody uses it who has not the tree.

Installs the build into a temporary folder; builds and runs programs outside of the tree with what is
there: by pkg-config, by CMake, statically, and as C++; looks at the exports, the soname, the headers, the
man pages and the completions; and uninstalls. Prints TAP. What a tool is missing for is skipped.
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

import headers
import layers

SECONDS = 120  # nothing takes that long; it is against hanging

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
sys.dont_write_bytecode = True
import command_help  # noqa: E402

CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(outside C CXX)
find_package(corm {version} REQUIRED {components})
add_executable(shared program.c)
target_link_libraries(shared corm::corm)
add_executable(cpp main.cpp shop.c)
target_link_libraries(cpp corm::corm)
if(TARGET corm::static)
  add_executable(static program.c)
  target_link_libraries(static corm::static)
endif()
"""


class Skip(Exception):
    """What is needed for a test is not there."""


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skip(f"{tool} is not there")


def run(command, code=0, **options):
    """Stdout, of what must end with `code`."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                          check=False, **options)
    assert done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr if code else done.stdout


class Place:
    """The folder that corm is installed in, and one outside of the tree to build in."""

    def __init__(self, root, build, folder, compiler):
        self.root, self.build, self.compiler = root, build, compiler
        self.dest = os.path.join(folder, "dest")
        self.outside = os.path.join(folder, "outside")
        os.mkdir(self.outside)
        self.log = os.path.join(build, "meson-logs", "install-log.txt")
        self.cxx = "clang++" if "clang" in compiler[-1] else "g++"

    def install(self):
        run(["meson", "install", "-C", self.build, "--no-rebuild", "--quiet", "--destdir", self.dest])
        self.prefix = os.path.dirname(os.path.dirname(self.find("corm", "bin")))
        self.libdir = os.path.dirname(self.find("libcorm.so"))
        self.env = {
            **os.environ,
            "LD_LIBRARY_PATH": self.libdir,
            "CMAKE_PREFIX_PATH": self.prefix,
        }
        for name, text in (("shop.h", headers.SHARED_H), ("shop.c", headers.DEFINITION_C),
                           ("main.cpp", headers.PROGRAM_CPP), ("program.c", self.program())):
            with open(os.path.join(self.outside, name), "w", encoding="utf-8") as file:
                file.write(text)

    def program(self):
        """The first one of the README."""
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        return next(block for block in blocks if "main(" in block)

    def files(self):
        """All that is installed, below the prefix."""
        found = []
        for folder, _, names in os.walk(self.dest):
            found += [os.path.relpath(os.path.join(folder, name), self.prefix) for name in names]
        return sorted(found)

    def find(self, name, parent=""):
        for folder, _, names in os.walk(self.dest):
            if name in names and os.path.basename(folder).endswith(parent):
                return os.path.join(folder, name)
        raise AssertionError(f"{name} is not installed")

    def flags(self, *options):
        env = {**self.env, "PKG_CONFIG_SYSROOT_DIR": self.dest,
               "PKG_CONFIG_PATH": os.path.dirname(self.find("corm.pc"))}
        return run(["pkg-config", *options, "corm"], env=env).split()

    def compile(self, compiler, sources, flags, name):
        run([*compiler, "-Wall", "-Wextra", "-Werror", *sources, *flags, "-o", name], cwd=self.outside)
        return os.path.join(self.outside, name)

    def says(self, program, expected, **env):
        said = run([program], env={**self.env, **env}, cwd=self.outside)
        assert said == expected, f"it says:\n{said}instead of:\n{expected}"


PROGRAM_SAYS = "bought\nnothing left of bolt\n"
NO_LIBRARY = {"LD_LIBRARY_PATH": ""}


# ---- Programs outside of the tree ----------------------------------------------------------------


def a_program_builds_with_pkg_config(place):
    need("pkg-config")
    program = place.compile(place.compiler, ["program.c"], place.flags("--cflags", "--libs"), "by-pkg-config")
    place.says(program, PROGRAM_SAYS)
    assert "libcorm.so." in run(["ldd", program], env=place.env)


def the_client_libraries_are_named_for_static_linking_alone(place):
    need("pkg-config")
    assert [flag for flag in place.flags("--libs") if flag.startswith("-l")] == ["-lcorm"], place.flags("--libs")
    static = place.flags("--static", "--libs")
    assert {"-lmariadb", "-lsqlite3"} <= set(static), static


def a_program_links_statically_with_pkg_config(place):
    need("pkg-config")
    flags = ["-l:libcorm.a" if flag == "-lcorm" else flag for flag in place.flags("--static", "--cflags", "--libs")]
    program = place.compile(place.compiler, ["program.c"], flags, "statically")
    assert "libcorm" not in run(["ldd", program], env=place.env)
    place.says(program, PROGRAM_SAYS, **NO_LIBRARY)


def a_program_in_cpp_builds_with_pkg_config(place):
    need("pkg-config", place.cxx)
    cflags = place.flags("--cflags")
    run([*place.compiler, *cflags, "-c", "shop.c", "-o", "shop.o"], cwd=place.outside)
    program = place.compile([place.cxx, "-std=c++11"], ["main.cpp", "shop.o"],
                            cflags + place.flags("--libs"), "in-cpp")
    place.says(program, headers.PROGRAM_SAYS.format(version=headers.version_of(f"{place.root}/include")))


def the_shop_builds_outside_of_the_tree(place):
    need("pkg-config", "make")
    if subprocess.run(["pkg-config", "--exists", "libh2o-evloop"], check=False).returncode != 0:
        raise Skip("libh2o-evloop-dev is not there")
    shop = shutil.copytree(os.path.join(place.root, "examples", "shop"), os.path.join(place.outside, "shop"))
    run(["make", "-C", shop, f"CC={' '.join(place.compiler)}", "CFLAGS=-Wall -Wextra -Werror",
         f"LDFLAGS=-L{place.libdir} -I{place.prefix}/include"],
        env={**place.env, "PKG_CONFIG_PATH": os.path.dirname(place.find("corm.pc"))})
    for program in ("shop", "buyers"):
        assert "libcorm.so." in run(["ldd", f"{shop}/{program}"], env=place.env)
        run([f"{shop}/{program}", "--help"], code=2, env=place.env)


def configure(place, folder, version, components="", code=0):
    with open(os.path.join(place.outside, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write(CMAKE.format(version=version, components=components))
    return run(["cmake", "-S", place.outside, "-B", os.path.join(place.outside, folder)], code, env=place.env)


def programs_build_with_cmake(place):
    need("cmake", "make", place.cxx, "pkg-config")
    version = headers.version_of(f"{place.root}/include")
    configure(place, "cmake", version, "COMPONENTS static")
    run(["cmake", "--build", os.path.join(place.outside, "cmake")], env=place.env)

    def built(name):
        return os.path.join(place.outside, "cmake", name)

    place.says(built("shared"), PROGRAM_SAYS, **NO_LIBRARY)  # CMake writes an rpath
    place.says(built("static"), PROGRAM_SAYS, **NO_LIBRARY)
    assert "libcorm" not in run(["ldd", built("static")])
    place.says(built("cpp"), headers.PROGRAM_SAYS.format(version=version), **NO_LIBRARY)


def cmake_is_refused_what_is_not_there(place):
    need("cmake", "make", place.cxx)
    major, minor, _ = headers.version_of(f"{place.root}/include").split(".")
    for version, components in ((f"{major}.{int(minor) + 1}", ""), (f"{int(major) + 1}", ""),
                                ("", "COMPONENTS spare")):
        said = configure(place, "refused", version, components, code=1)
        assert "corm" in said, said


def the_command_runs(place):
    said = run([os.path.join(place.prefix, "bin", "corm"), "version"], env=place.env)
    assert said == f"corm {headers.version_of(f'{place.root}/include')}\n", said


# ---- What is there, and what is not --------------------------------------------------------------

EXPECTED = [
    r"bin/corm",
    r"include/corm/\w+\.h",
    r"lib/(.+/)?libcorm\.(a|so|so\.\d+|so\.\d+\.\d+\.\d+)",
    r"lib/(.+/)?pkgconfig/corm\.pc",
    r"lib/(.+/)?cmake/corm/corm-config(-version)?\.cmake",
    r"share/man/man1/corm\.1",
    r"share/man/man3/(corm|CORM)_\w+\.3",
    r"share/man/man7/corm(-\w+)?\.7",
    r"share/bash-completion/completions/corm",
    r"share/zsh/site-functions/_corm",
    r"share/fish/vendor_completions\.d/corm\.fish",
]


def nothing_else_is_installed(place):
    files = place.files()
    foreign = [name for name in files if not any(re.fullmatch(pattern, name) for pattern in EXPECTED)]
    assert not foreign, foreign
    missing = [pattern for pattern in EXPECTED if not any(re.fullmatch(pattern, name) for name in files)]
    assert not missing, missing


def by_itself_the_library_goes_where_linkers_look(place):
    """Below /usr/local; meson alone takes lib64 on a Debian without dpkg-dev, where neither ld.so nor pkg-config looks."""
    said = run(["meson", "introspect", "--buildoptions", os.path.join(place.root, "meson.build")])
    defaults = {option["name"]: option["value"] for option in json.loads(said)}
    assert defaults["libdir"] == "lib", defaults["libdir"]


def the_headers_are_the_public_ones(place):
    installed = {os.path.basename(name) for name in place.files() if name.endswith(".h")}
    assert installed == set(layers.PUBLIC), installed ^ set(layers.PUBLIC)


def major_of(place):
    return headers.version_of(f"{place.root}/include").split(".")[0]


def the_soname_has_the_major_version(place):
    said = run(["readelf", "-d", os.path.join(place.libdir, "libcorm.so")])
    assert re.search(r"soname: \[(.*)\]", said)[1] == f"libcorm.so.{major_of(place)}", said
    for path in (os.path.join(place.libdir, "libcorm.so"), os.path.join(place.prefix, "bin", "corm")):
        said = run(["readelf", "-d", path])
        assert not re.search("RPATH|RUNPATH", said), said


def exported_are_the_public_symbols(place):
    said = run(["nm", "-D", "--defined-only", os.path.join(place.libdir, "libcorm.so")])
    found = sorted(line.split()[-1] for line in said.splitlines() if line.split()[-2] != "A")
    node = f"@@CORM_{major_of(place)}"
    expected = sorted(name + node for name in headers.expected_exports())
    assert expected and found == expected, set(found) ^ set(expected)


def the_archive_takes_no_names_of_others(place):
    said = run(["nm", "-g", "--defined-only", os.path.join(place.libdir, "libcorm.a")])
    names = {line.split()[2] for line in said.splitlines() if len(line.split()) == 3}
    assert set(headers.expected_exports()) <= names
    foreign = sorted(name for name in names if not name.startswith("corm_"))
    assert not foreign, foreign


def nothing_names_the_tree(place):
    for name in place.files():
        path = os.path.join(place.prefix, name)
        if not name.endswith((".a", "/corm")) and ".so" not in name:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for folder in (place.root, place.build, place.dest):
                assert folder not in text, f"{name} names {folder}"


def debian_knows_the_symbols(place):
    path = os.path.join(place.root, "debian", f"libcorm{major_of(place)}.symbols")
    with open(path, encoding="utf-8") as file:
        listed = set(re.findall(rf"^ (\w+)@CORM_{major_of(place)} ", file.read(), re.MULTILINE))
    difference = listed ^ {*headers.expected_exports(), f"CORM_{major_of(place)}"}
    assert not difference, f"{sorted(difference)}; to mend: tests/headers.py --write-exports include"


# ---- Man pages -----------------------------------------------------------------------------------


def pages(place):
    return [os.path.join(place.prefix, name) for name in place.files() if name.startswith("share/man/")]


def is_link(path):
    with open(path, encoding="utf-8") as file:
        return file.read().startswith(".so ")


def every_public_symbol_has_a_page(place):
    there = {os.path.basename(page) for page in pages(place)}
    lacking = [name for name in headers.expected_exports() if name + ".3" not in there]
    assert not lacking, lacking
    # And so has what stands in front of it: corm_first for corm_first_.
    macros = set()
    for header in layers.PUBLIC:
        with open(os.path.join(place.root, "include", "corm", header), encoding="utf-8") as file:
            text = file.read()
        macros.update(re.findall(r"^#define (corm_\w+)\(", text, re.MULTILINE))
        # A name that ends in _ stands behind a macro.
        macros.update(re.findall(r"^static inline [^(]*?\b(corm_\w*[a-z])\(", text, re.MULTILINE))
    assert {"corm_first", "corm_is_user"} <= macros
    macros.update(["CORM_MODEL", "CORM_MODEL_AS", "CORM_DEFINE", "CORM_INDEX", "CORM_UNIQUE", "CORM_COLUMN_OF", "CORM_ALIAS"])
    lacking = [name for name in macros if name + ".3" not in there]
    assert not lacking, lacking


def pages_lead_somewhere(place):
    there = {os.path.join(*page.split("/")[-2:]) for page in pages(place)}
    for page in pages(place):
        with open(page, encoding="utf-8") as file:
            text = file.read()
        links = re.findall(r"^\.so (.*)", text)
        links += [f"man{section}/{name}.{section}".replace("\\-", "-")
                  for name, section in re.findall(r"^\.BR (\S+) \((\d)\)", text, re.MULTILINE)]
        assert links, f"{page} refers to nothing"
        lost = [link for link in links if link not in there]
        assert not lost, (page, lost)


def calls_with_options_list_them(place):
    """The fields that may be set as .field = value in the call."""
    found = 0
    for page in pages(place):
        with open(page, encoding="utf-8") as file:
            text = file.read()
        # Of sub-queries the text names both that there are.
        if "options...)" in text.partition(".SH DESCRIPTION")[0] and not page.endswith("/corm_in_query.3"):
            found += 1
            assert ".SH OPTIONS" in text, f"{page} lists no options"
    assert found > 10, found


def groff_finds_nothing_to_warn_of(place):
    need("groff")
    real = [page for page in pages(place) if not is_link(page)]
    done = subprocess.run(["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-z", *real], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    assert done.returncode == 0 and not done.stdout, done.stdout


def man_renders_pages_without_warnings(place):
    need("man")
    real = [page for page in pages(place) if not is_link(page)]
    assert len(real) > 50, real
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", *real], check=False, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MAN_KEEP_STDERR": "1"})
    assert done.returncode == 0 and not done.stderr, done.stderr


def mandoc_finds_nothing_to_warn_of(place):
    need("mandoc")
    run(["mandoc", "-T", "lint", "-W", "warning", *(page for page in pages(place) if not is_link(page))])


def man_shows(place, *words):
    return run(["man", "-M", os.path.join(place.prefix, "share", "man"), *words],
               env={**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "200", "MAN_KEEP_FORMATTING": ""})


def code_on_a_page_is_as_it_was_written(place):
    need("man")
    lines = {line.strip() for line in man_shows(place, "7", "corm").splitlines()}
    changed = [line for line in place.program().splitlines() if line.strip() not in lines]
    assert not changed, changed


def man_finds_a_call_and_the_command(place):
    need("man")
    for name, words in (("corm_insert_row", "corm_insert_row"), ("corm_first_", "corm_first"),
                        ("CORM_DEFINE", "CORM_DEFINE"), ("corm", "corm race")):
        said = man_shows(place, name)
        assert words.lower() in said.lower(), said


# ---- Completions: they offer what the command takes, and nothing else ----------------------------


def command_of(place):
    return command_help.read(os.path.join(place.build, "corm"))


def takes(place):
    """What there is to type behind `corm`: (line, what is offered there)."""
    command = command_of(place)
    assert {"race", "doctor"} <= {verb.name for verb in command.verbs}
    yield "corm ", {verb.name for verb in command.verbs}
    for verb in command.verbs:
        if verb.options:
            yield f"corm {verb.name} --", {f"--{option.name}" for option in verb.options}
        for option in verb.options:
            if option.words:
                yield f"corm {verb.name} --{option.name} ", set(option.words)


def modes_of_the_race_are_those_that_it_takes(place):
    """What stands in the help is what an error says: the words come from there."""
    said = run([os.path.join(place.build, "corm"), "race", "--mode", "?"], code=2)
    told = set(re.findall(r"\w+", said.split("one of")[1])) - {"and"}
    race = next(verb for verb in command_of(place).verbs if verb.name == "race")
    mode = next(option for option in race.options if option.name == "mode")
    assert set(mode.words) == told, (mode.words, told)


def bash_completes(place):
    need("bash")
    script = place.find("corm", "completions")
    for line, expected in takes(place):
        words = line.split(" ")
        program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _corm; printf "%s\\n" '
                   '"${COMPREPLY[@]}"')
        said = set(run(["bash", "-uc", program, "bash", script, *words]).split())
        said = {word.rstrip("=") for word in said} - ({"--help", "--version"} if line == "corm " else set())
        assert said == expected, (line, said ^ expected)
        # bash breaks words at "=".
        if line.endswith(" ") and "--" in line:
            words[-1:] = ["=", ""]
            said = set(run(["bash", "-uc", program, "bash", script, *words]).split())
            assert said == expected, (words, said ^ expected)


def fish_completes(place):
    need("fish")
    script = place.find("corm.fish")
    for line, expected in takes(place):
        said = run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
                   env={**os.environ, "HOME": place.outside})
        said = {entry.split("\t")[0] for entry in said.splitlines()}
        assert said == expected, (line, said ^ expected)


def typed(command, lines, env):
    """What a shell on a terminal shows while the lines are typed; each ends in what it waits for."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 400, 400, 0, 0))
    shell = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    shown = []
    end = time.monotonic() + SECONDS
    try:
        for text, awaited in lines:
            os.write(master, text.encode())
            said = ""
            while awaited not in said:
                if not select.select([master], [], [], end - time.monotonic())[0]:
                    raise AssertionError(f"{command[0]} does not answer {text!r}: {said!r}")
                said += os.read(master, 65536).decode(errors="replace")
            shown.append(said)
    finally:
        shell.kill()
        shell.wait()
        os.close(master)
    return shown


def zsh_completes(place):
    need("zsh")
    folder = os.path.dirname(place.find("_corm"))
    # Said by its line editor: only then it reads keys. ^T comes behind the list.
    begin = (f"PS1=; fpath=({folder} $fpath); autoload -U compinit; compinit -D -u; LISTMAX=1000; "
             "zle-line-init() { print -n RE''ADY }; zle -N zle-line-init; "
             "listed() { print -n DO''NE }; zle -N listed; bindkey '^T' listed '^I' list-choices\n")
    for line, expected in takes(place):
        shown = typed(["zsh", "-f", "-i"], [(begin, "READY"), (f"{line}\t\x14", "DONE")],
                      {**os.environ, "TERM": "dumb", "HOME": place.outside, "LC_ALL": "C.UTF-8"})[1]
        listed = shown.split("\n", 1)[1] if "\n" in shown else ""
        if line.endswith(" ") and "--" in line:  # words alone, in columns
            said = set(re.findall(r"[a-z]+", listed.split("\ncorm ")[0].replace("DONE", "")))
        else:
            said = set(re.findall(r"^\s*(--[\w-]+|[a-z]+) +-- ", listed, re.MULTILINE))
        assert said == expected, (line, said ^ expected, shown)


# ---- Away again ----------------------------------------------------------------------------------


def uninstalling_leaves_nothing(place):
    assert place.files()
    run(["ninja", "-C", place.build, "uninstall"])
    left = [os.path.join(folder, name) for folder, folders, names in os.walk(place.dest) for name in folders + names]
    assert not left, left


TESTS = [
    a_program_builds_with_pkg_config,
    the_client_libraries_are_named_for_static_linking_alone,
    a_program_links_statically_with_pkg_config,
    a_program_in_cpp_builds_with_pkg_config, the_shop_builds_outside_of_the_tree,
    programs_build_with_cmake,
    cmake_is_refused_what_is_not_there,
    the_command_runs,
    nothing_else_is_installed,
    by_itself_the_library_goes_where_linkers_look,
    the_headers_are_the_public_ones,
    the_soname_has_the_major_version,
    exported_are_the_public_symbols,
    the_archive_takes_no_names_of_others,
    nothing_names_the_tree,
    debian_knows_the_symbols,
    every_public_symbol_has_a_page,
    pages_lead_somewhere,
    calls_with_options_list_them,
    man_renders_pages_without_warnings,
    groff_finds_nothing_to_warn_of,
    mandoc_finds_nothing_to_warn_of,
    code_on_a_page_is_as_it_was_written,
    man_finds_a_call_and_the_command,
    modes_of_the_race_are_those_that_it_takes,
    bash_completes,
    fish_completes,
    zsh_completes,
    uninstalling_leaves_nothing,
]


@contextlib.contextmanager
def kept(path):
    """What `ninja uninstall` goes by, of an installation that somebody may have made from this folder."""
    before = None
    if os.path.exists(path):
        with open(path, "rb") as file:
            before = file.read()
    try:
        yield
    finally:
        if before is not None:
            with open(path, "wb") as file:
                file.write(before)
        elif os.path.exists(path):
            os.remove(path)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="corm-install-") as folder:
        place = Place(root, build, folder, sys.argv[3:])
        with kept(place.log):
            place.install()
            for number, test in enumerate(TESTS, 1):
                reason = skip = ""
                try:
                    test(place)
                except Skip as missing:
                    skip = f" # SKIP {missing}"
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    reason = str(error) or repr(error)
                failed += bool(reason)
                print(f"{'not ok' if reason else 'ok'} {number} - {test.__name__}{skip}")
                for line in reason.splitlines():
                    print(f"# {line}")
                sys.stdout.flush()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
