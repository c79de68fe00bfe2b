"""What a command prints when it fails: error texts by family from `templates/failures.txt`, with the way out.

`failure` gives one: command, exit status, output, and where they can be known the next command and the lesson.
The jobs that fix, judge and hint share it, so the same failure always has the same way out and the same lesson.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .commands import fill, slots, task
from .draws import STEMS, Draw
from .shell import first, quoted, utilities

FILE = Path(__file__).parent / "templates" / "failures.txt"

SHELLS = ["bash: ", "bash: line 1: ", "-bash: ", "zsh: ", "sh: 1: ", "sh: "]
OPTIONS = (
    "recursive verbose quiet force all output color dry-run exclude include ignore-case follow hidden version parallel "
    "release depth limit config format sort reverse archive compress delete update interactive filter timeout"
).split()
SUBCOMMANDS = (
    "commit status checkout branch build install update list remove start stop restart deploy logs push pull test "
    "serve create delete describe get apply init clone fetch merge rebase watch format lint search publish"
).split()
GIT = "commit status checkout branch push pull merge rebase fetch clone stash switch restore remote reset".split()
# Programs whose names people mistype; each is on nearly every machine.
MISTYPED = (
    "git grep find python3 docker systemctl ls cat mkdir touch chmod chown tail head sort curl wget sudo make cargo npm "
    "ssh scp rsync tar less clear kill echo diff sed awk node pip du df mv cp rm man ping nano vim history which"
).split()


@dataclass(frozen=True)
class Family:
    """One block of the file. `commands`: command, the next one or None, requests."""

    name: str
    commands: tuple[tuple[str, str | None, tuple[str, ...]], ...]
    statuses: tuple[int, ...]
    outputs: tuple[str, ...]
    lesson: str | None


@dataclass
class Failure:
    """A command that failed. `next`: the command to run now; `lesson`: what to do another time; None where unknown."""

    family: str
    request: str
    command: str
    status: int
    output: str
    next: str | None = None
    lesson: str | None = None


@cache
def families() -> tuple[Family, ...]:
    groups: dict[str, list[str]] = {}
    found = []
    lines = FILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line != "#" and not re.match(r"# (?!\d)", line))
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").splitlines()
        if not lines:
            continue
        if lines[0].startswith("@ "):
            groups[lines[0][2:]] = [line[2:] for line in lines[1:]]
        else:
            found.append(_family(lines, groups))
    return tuple(found)


def _family(lines: list[str], groups: dict[str, list[str]]) -> Family:
    name, lesson, statuses, outputs, commands = "", None, (1,), [], []
    for line in lines:
        mark, text = line[:1], line[2:]
        if mark == "=":
            name = text
        elif mark == "$":
            command, _, following = text.partition(" => ")
            commands.append((command, following or None, []))
        elif mark == ">":
            commands[-1][2].append(text)
        elif mark == "#":
            statuses = tuple(int(number) for number in text.split())
        elif mark == "!":
            outputs += groups.get(text[1:], [text])
        elif mark == "?":
            lesson = text
        else:
            raise ValueError(f"{FILE.name}: {line!r}")
    return Family(name, tuple((c, n, tuple(r)) for c, n, r in commands), statuses, tuple(outputs), lesson)


@cache
def _by_name() -> dict[str, tuple[Family, ...]]:
    names: dict[str, list[Family]] = {}
    for family in families():
        names.setdefault(family.name, []).append(family)
    return {name: tuple(found) for name, found in names.items()}


# Families that are met more often than the others, and such that stand on some task's command.
WEIGHTS = {
    "missing program": 3, "permission": 3, "missing file": 2.5, "similar command": 2, "similar option": 2, "bad option": 2,
    "module missing": 2, "quoting": 2, "is a directory": 1.5, "missing folder": 1.5, "similar file": 2, "crash": 1.5, "network": 1.2,
    "unknown program": 1.5, "install named": 1.2, "port in use": 1.5, "file exists": 1.2, "dubious ownership": 0.5,
    "git lock": 0.5, "sed on macOS": 0.5, "process": 0.5, "database": 0.5, "unrelated histories": 0.4,
}  # fmt: skip
ON_TASKS = {"mistyped": 4.0, "task permission": 2.0, "task missing file": 1.5, "task option": 1.5, "task missing program": 1.5}


def failure(draw: Draw, family: str | None = None) -> Failure:
    """A failure of one family, or of any: the family is drawn first, then a command and an error text in it."""
    if family is None:
        family = draw.weighted({**{name: WEIGHTS.get(name, 1) for name in _by_name()}, **ON_TASKS})
    if family in ON_TASKS:
        return _on_task(draw, family)
    block = draw.pick(_by_name()[family])
    command, following, requests = draw.pick(block.commands)
    values = {**slots(draw), **_values(draw)}
    # A script has its language's ending, and the error text speaks of that file.
    for slot, ending in (("py", "py"), ("js", "js"), ("pl", "pl"), ("shf", "sh")):
        values[slot] = f"{draw.name()}.{ending}" if draw.chance(0.7) else f"{draw.folder()}/{draw.name()}.{ending}"
        if f"{{{slot}}}" in command:
            values["f"] = values[slot]
    values["cmd"] = fill(command, values)
    values["first"] = first(values["cmd"]) or values["cmd"].split()[0]
    values["first2"] = " ".join(values["cmd"].split()[:2])
    option = re.search(r"\s(--?[a-zA-Z][\w-]*)(?!.*\s--?[a-zA-Z])", values["cmd"])
    values["opt"] = option.group(1) if option else ""
    values["next"] = fill(following, values) if following else ""
    if values["next"] == "ls" and "/" in values["f"] and family == "missing file":
        values["next"] = "ls " + values["f"].rpartition("/")[0]
    values["new"] = _changed_program(values["cmd"], values["next"])
    output = fill(_own_output(draw, command, block.outputs), values).replace("\\n", "\n").replace("\\t", "\t")
    lesson = fill(block.lesson, values) if block.lesson else None
    request = fill(draw.pick(requests), values) if requests else ""
    return Failure(block.name, request, values["cmd"], draw.pick(block.statuses), output, values["next"] or None, lesson)


def _own_output(draw: Draw, command: str, outputs: tuple[str, ...]) -> str:
    """An error text that fits the command: one that names `{first}` of a make run, say, may be any; git's is git's."""
    program = command.split()[0]
    own = [text for text in outputs if _fits(program, text)]
    return draw.wording(own or list(outputs))


# Words by which a text belongs to certain programs only.
_BELONGS = {
    "git": r"^(fatal: (unable to access|repository|write)|! |error: (failed|src|your local))", "curl": r"^curl:", "wget": r"^(wget:|HTTP request)", "ping": r"^(ping:|connect:)",
    "npm": r"^(npm|ENOSPC|FATAL ERROR|src/|TypeError|Module not found)", "pip": r"^ERROR: (Could|unknown)", "cargo": r"^(error\[E|thread|error: no such command)", "go": r"^(\./|panic:)",
    "make": r"^\{sub\}\.c", "python3": r"^(Traceback|MemoryError|FileNotFoundError|ModuleNotFoundError|/usr/bin/python3)", "node": r"^(Error: ENOENT|Error \[ERR)",
    "docker": r"^(write /var|docker:|Error response|fatal: no tracking)", "find": r"^find:", "mkdir": r"^mkdir:", "psql": r"^psql:", "perl": r"^perl:",
}  # fmt: skip


def _fits(program: str, text: str) -> bool:
    owners = [owner for owner, pattern in _BELONGS.items() if re.search(pattern, text)]
    return not owners or program in owners or (program.startswith("{") and owners[0] in ("python3", "node"))


def _changed_program(command: str, following: str) -> str:
    """The program that stands in the next command in place of the command's own (`docker compose` is one)."""
    if following.startswith("docker compose"):
        return "docker compose"
    for before, after in zip(utilities(command), utilities(following), strict=False):
        if before != after:
            return after
    return first(following)


def _values(draw: Draw) -> dict[str, str]:
    """The slots that only failures have."""
    option, sub, git, file = draw.pick(OPTIONS), draw.pick(SUBCOMMANDS), draw.pick(GIT), draw.file()
    if draw.chance(0.35):
        option, sub = draw.word(3), draw.word(2)
    stem, _, ending = file.partition(".")
    other = {"mistyped": f"{slip(stem, draw)}.{ending}", "case": f"{stem.capitalize()}.{ending}", "number": f"{stem}{draw.number(1, 9)}.{ending}"}
    wrong = draw.pick(list(other.values()))
    return {
        "sh": draw.pick(SHELLS), "tool": draw.tool(), "tool2": draw.word(), "sub": draw.name(), "x": draw.pick("yYqQzZjJKX"),
        "opt1": slip(option, draw), "opt2": option, "sub1": slip(sub, draw), "sub2": sub, "file1": wrong, "file2": file,
        "git1": slip(git, draw), "git2": git,
    }  # fmt: skip


def slip(word: str, draw: Draw) -> str:
    """A word with one slip of the fingers: two letters exchanged, one lost or one twice. Never the word itself."""
    if len(word) < 3:
        return word[::-1] if word[::-1] != word else word + word[-1]
    for _ in range(20):
        i = draw.number(0, len(word) - 2)
        wrong = draw.pick([word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[: i + 1] + word[i + 2 :], word[:i] + word[i] + word[i:]])
        if wrong != word and re.match(r"\w", wrong):
            return wrong
    return word + word[-1]


def _outputs_of(group: str) -> list[str]:
    """The error texts of a whole group, taken from the family that uses it."""
    names = {"notfound": "missing program", "denied": "permission", "file": "missing file", "option": "bad option"}
    return list(_by_name()[names[group]][0].outputs)


def _on_task(draw: Draw, family: str) -> Failure:
    """A failure of any task's command: its program mistyped or missing, no rights, a file that is not there."""
    for _ in range(200):
        found = task(draw)
        program = first(found.command)
        simple = len(utilities(found.command)) == 1 and found.command.split()[0] == program and "\n" not in found.command
        if not simple or len(found.command) > 90 or not re.fullmatch(r"[a-z][\w.-]+", program):
            continue
        made = _MAKERS[family](draw, found.command, program)
        if made:
            command, status, output, following, lesson = made
            return Failure(family, found.request, command, status, output, following, lesson)
    return failure(draw, "missing file")


def _say(draw: Draw, group: str, **values: str) -> str:
    texts = [text for text in _outputs_of(group) if _fits("", text) and "{port}" not in text]
    return fill(draw.wording(texts), {"sh": draw.pick(SHELLS), **values}).replace("\\n", "\n")


def _mistyped(draw: Draw, command: str, program: str):
    if program not in MISTYPED:
        return None
    wrong = slip(program, draw)
    if wrong in MISTYPED:
        return None
    output = _say(draw, "notfound", first=wrong)
    if draw.chance(0.2):
        output = f"Command '{wrong}' not found, did you mean:\n  command '{program}' from deb {program}"
    return wrong + command[len(program) :], 127, output, command, f"use {program} instead of {wrong}"


def _task_program(draw: Draw, command: str, program: str):
    """A well-known tool that may be missing; the shell's own and the core programs never are."""
    if program in MISTYPED or program in CORE:
        return None
    return command, 127, _say(draw, "notfound", first=program), f"sudo apt install {program}", f"{program} is not installed"


CORE = set(
    "cd echo test true false pwd export alias source set unset type read printf exit eval ls cat cp mv rm mkdir rmdir ln "
    "find grep sed awk sort uniq cut tr head tail wc date sleep kill ps id who whoami uname env bash sh tee xargs du df "
    "chmod chown touch basename dirname expr seq split paste join comm fold nl od tac stat mount umount sudo su passwd "
    "hostname history jobs bg fg ulimit umask wait trap let declare shopt time command for while if case ip ssh scp apt "
    "apt-get systemctl npx pip pip3 perl ruby node npm go cargo javac ssh-keygen fdisk ifconfig rev cal shutdown reboot "
    "crontab at bc dd diff cmp file md5sum sha256sum readlink realpath mktemp pgrep pkill killall free uptime top less more".split()
)


def _task_permission(draw: Draw, command: str, program: str):
    path = re.search(r"(?<=\s)[~/.\w][\w./-]*[/.]\w[\w./-]*", command)
    if program in ("cd", "echo", "pwd", "export", "alias", "date", "history", "sleep", "seq", "cal", "whoami", "source") or ">" in command:
        return None
    if not path:
        return None
    output = _say(draw, "denied", first=program, d=path.group())
    return command, draw.pick([1, 1, 2]), output, f"sudo {command}", f"use sudo with {program}"


def _task_file(draw: Draw, command: str, program: str):
    files = re.findall(r"(?<=\s)[\w./~-]*\w\.[a-z]\w{0,4}(?=\s|$)", command)
    if len(files) != 1 or program in ("touch", "mkdir", "echo", "find", "git", "curl", "wget", "tar", "zip", "apt", "ssh", "ping"):
        return None
    folder = files[0].rpartition("/")[0]
    output = _say(draw, "file", first=program, f=files[0])
    return command, draw.pick([1, 1, 2]), output, f"ls {quoted(folder)}" if folder else "ls", f"check that {files[0]} exists first"


def _task_option(draw: Draw, command: str, program: str):
    if program in ("cd", "echo", "export", "alias", "source", "find", "awk", "test") or command.startswith(("git ", "docker ")):
        return None
    option = f"--{draw.word()}" if draw.chance(0.7) else f"-{draw.pick('yYqQzZjJKX')}"
    if f" {option}" in command:
        return None
    wrong = f"{program} {option}{command[len(program) :]}"
    output = _say(draw, "option", first=program, opt=option)
    return wrong, draw.pick([1, 2, 2]), output, command, f"do not use {option} with {program}"


_MAKERS = {
    "mistyped": _mistyped, "task permission": _task_permission, "task missing file": _task_file, "task option": _task_option,
    "task missing program": _task_program,
}  # fmt: skip
