"""What a reply asks to be done differently, with the lesson in it: tool, value, flag, tone, language, names, safety.

A directive is worded so that it can stand alone or behind "no," or "great, but"; its lesson has the wording in which
lessons stand in the context.
"""

from __future__ import annotations

import re

from .answered import Answered
from .commands import LANGUAGES
from .draws import Draw
from .shell import first, utilities
from .wordings import lists

TEXTS = lists("directives")
# Lessons with their wordings, by table.
FIXED = {
    table: [(name.partition(": ")[2], texts) for name, texts in TEXTS.items() if name.startswith(f"{table}: ")]
    for table in ("commands", "office", "facts")
}

KNOWN = {
    "find": ["fd", "locate"], "grep": ["rg", "ag", "ack"], "ls": ["eza", "exa", "lsd"], "cat": ["bat", "less"], "rm": ["trash", "trash-put", "gio trash"],
    "du": ["dust", "ncdu"], "df": ["duf"], "ps": ["procs"], "top": ["htop", "btop"], "vim": ["nvim", "nano", "hx"], "nano": ["vim", "micro"], "npm": ["pnpm", "yarn", "bun"],
    "pip": ["uv pip", "pipx", "pip3"], "python": ["python3", "uv run"], "python3": ["uv run", "pypy3"], "curl": ["wget", "http", "xh"], "wget": ["curl", "aria2c"],
    "docker": ["podman", "nerdctl"], "apt": ["apt-get", "nala", "dnf"], "cp": ["rsync"], "scp": ["rsync"], "make": ["just", "ninja"], "sed": ["sd", "perl"], "tar": ["bsdtar"],
    "man": ["tldr"], "ping": ["fping", "gping"], "diff": ["delta", "colordiff"], "ssh": ["mosh"], "awk": ["gawk", "mawk"], "cd": ["z"], "tree": ["broot"], "sort": ["gsort"],
}  # fmt: skip

NAMINGS = ["snake_case", "kebab-case", "camelCase", "lower case", "PascalCase"]
TONGUES = "German French Spanish Italian Dutch Polish Portuguese Turkish Czech Danish Swedish Finnish Greek".split()


def tool(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """Another program than the one that the answer runs."""
    old = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", old) or len(set(utilities(found.answer)) - {"sudo"}) > 2:
        return None
    new = draw.pick(KNOWN[old]) if old in KNOWN and draw.chance(0.45) else draw.tool()
    language = draw.pick(LANGUAGES) if draw.chance(0.08) else None
    text = draw.wording(TEXTS[f"tool {language}" if language else "tool"])
    if len(set(utilities(found.answer)) - {"sudo"}) > 1 and "{a}" not in text:
        text = "use {b} instead of {a}"
    return text.format(a=old, b=new), f"use {new} instead of {old}"


def value(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """Another value than one in the answer. With several of a kind, the old one is named."""
    if not found.values:
        return None
    old, new = draw.pick(found.values)
    language = draw.pick(LANGUAGES) if draw.chance(0.08) else None
    text = draw.wording(TEXTS[f"value {language}" if language else "value"])
    if "{o}" not in text and sum(_alike(old, other) for other, _ in found.values) > 1:
        text = draw.pick(["{n}, not {o}", "{n} instead of {o}", "not {o} but {n}"])
    if "{o}" not in text and _kind(new) == "word":
        text = draw.pick(["I meant {n}, not {o}", "{o} should be {n}", "change {o} to {n}"])
    return text.format(o=old, n=new), f"use {new} instead of {old}"


def _kind(word: str) -> str:
    forms = {"number": r"\d+", "time": r"\d+(:\d\d)?(am|pm)|\d+:\d\d|noon", "day": r"[A-Z]\w+day", "quarter": r"Q\d", "file": r".*\.\w+", "folder": r".*/.*", "room": r"[A-F]\d+", "name": r"[A-Z]\w+"}
    return next((name for name, form in forms.items() if re.fullmatch(form, word)), "word")


def _alike(one: str, other: str) -> bool:
    return _kind(one) == _kind(other)


def flag(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """An option more, or one less."""
    program = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", program) or len(utilities(found.answer)) > 1 + ("sudo" in found.answer):
        return None
    there = re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*(?=\s|$)", found.answer)
    if there and draw.chance(0.35):
        option = draw.pick(there)
        return draw.wording(TEXTS["no flag"]).format(x=option, a=program), f"do not use {option} with {program}"
    option = draw.pick(["-v", "-i", "-n", "-h", "-a", "-l", "-r", "-f", "--color", "--verbose", "--dry-run", "--quiet", "--force", "--all", f"--{draw.word()}", f"--{draw.word()}", f"-{draw.pick('abcdegklmpqstuwxyzABCDE')}"])
    if option in there:
        return None
    return draw.wording(TEXTS["flag"]).format(x=option, a=program), f"use {option} with {program}"


def sudo(draw: Draw, found: Answered) -> tuple[str, str] | None:
    program = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", program):
        return None
    if found.answer.startswith("sudo "):
        return draw.wording(TEXTS["no sudo"]), "do not use sudo"
    return draw.wording(TEXTS["sudo"]).format(a=program), f"use sudo with {program}"


def fixed(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """One that does not depend on the answer."""
    table = draw.pick(["commands", "commands", "facts", "office"] if found.area == "command" else ["office"])
    lesson, wordings = draw.pick(FIXED[table])
    values = {
        "d": draw.folder(), "l": draw.pick(TONGUES), "n": draw.person(), "w": draw.tool() if "editor" in lesson else draw.word(), "c": draw.pick(NAMINGS),
        "r": draw.pick(["staging", "backup", "mail", "test", "build", "database", draw.word()]), "h": draw.host(), "p": str(draw.number(1024, 9999)),
    }  # fmt: skip
    return draw.wording(wordings).format(**values), lesson.format(**values)


KINDS = {"tool": (tool, 26), "value": (value, 24), "flag": (flag, 14), "sudo": (sudo, 8), "fixed": (fixed, 32)}


def directive(draw: Draw, found: Answered) -> tuple[str, str, str] | None:
    """Kind, wording and lesson of a directive that fits the answer; None where none of the drawn kind does."""
    name = draw.weighted({name: weight for name, (_, weight) in KINDS.items()})
    made = KINDS[name][0](draw, found)
    return (name, *made) if made else None
