"""Lessons that change the command of any task: another tool, a flag, root rights, no deleting, sizes, limits."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import commands
from .commands import Task
from .draws import Draw
from .lesson_tools import BANKS, DROP_IN, FLAGS, LISTING, NO_FLAG, NO_ROOT
from .lesson_words import Example, allowed, lesson, typed
from .shell import first, positions, replaced


def platform(task: Task) -> str | None:
    return "macOS" if "macos" in task.tags else "Linux" if "linux" in task.tags else None


def plain_task(draw: Draw, bank: str = "", synthetic: float = 0.75) -> Task:
    """A task whose command can be changed safely: short, its utilities plain words, found without doubt."""
    while True:
        if bank and draw.chance(0.6):
            task = commands.from_template(draw, draw.pick(BANKS[bank]))
            task.request = typed(draw, task.request, task.slots)
        else:
            task = commands.task(draw, synthetic)
        command, names = task.command, [name for _, _, name in positions(task.command)]
        if not names or len(command) > 120 or "\n" in command or names[0] == "find" and draw.chance(0.4):
            continue
        # Behind an option of these, a word may be the option's value and no utility.
        if re.search(
            r"\b(sudo|doas|env|nice|nohup|command|exec|time)\s+-|xargs.* -\w*[IdEsa]\s*[\w]|[<=]\("
            r"|\bfor\b|\bwhile\b|\bif\b",
            command,
        ):
            continue
        if all(re.fullmatch(r"[A-Za-z][\w+.-]*", name) for name in names):
            return task


def new_tool(draw: Draw, old: str) -> str:
    """The new tool: mostly a name never heard, so that only copying it from the lesson is right."""
    return draw.pick(DROP_IN[old].split()) if old in DROP_IN and draw.chance(0.3) else draw.tool()


def _target(draw: Draw, command: str, kind: str, held: bool, never: set[str] = frozenset()) -> str | None:
    """A utility of the command that this kind may change: mostly the first."""
    names = [
        name for _, _, name in positions(command) if name not in never and name != "xargs" and allowed(kind, name, held)
    ]
    return (names[0] if draw.chance(0.75) else draw.pick(names)) if names else None


def swap(draw: Draw, held: bool = False, new: str = "") -> Example | None:
    task = plain_task(draw)
    old = _target(draw, task.command, "swap", held)
    if not old:
        return None
    new = new or new_tool(draw, old)
    answer = task.alternatives.get(new) or replaced(task.command, old, new)
    if not answer or new == old or new in task.command:
        return None
    return Example(
        "swap",
        [lesson(draw, "swap", a=old, b=new)],
        task.request,
        answer,
        task.command,
        [new],
        [old],
        platform=platform(task),
    )


def scoped_swap(draw: Draw, held: bool = False) -> Example | None:
    """A swap that holds in one project only, which the request or the folder names."""
    found = swap(draw, held)
    if not found:
        return None
    project = draw.word() if draw.chance(0.7) else draw.pick(["atlas", "orion", "shop", "website", "backend", "thesis"])
    found.kind, found.lessons = (
        "scoped swap",
        [lesson(draw, "scoped swap", p=project, a=found.lacks[0], b=found.has[0])],
    )
    if draw.chance(0.55):
        found.cwd = draw.pick(
            ["~/src/{}", "~/work/{}", "~/{}", "/srv/{}", "~/code/{}", "/home/anna/{}", "~/src/{}/src"]
        ).format(project)
    else:
        request = found.request[:1].lower() + found.request[1:]
        frames = [
            "in {p}: {r}",
            "for {p}: {r}",
            "in project {p}, {r}",
            "{p}: {r}",
            "{r} (project {p})",
            "I am in {p}. {r}",
            "working on {p}: {r}",
            "now in {p}, {r}",
        ]
        found.request = draw.wording(frames).format(p=project, r=request)
    return found


def again(draw: Draw, held: bool = False) -> Example | None:
    """A newer lesson that takes an older one back: the plain command is right again."""
    found = swap(draw, held)
    if not found:
        return None
    old, new = found.lacks[0], found.has[0]
    return Example(
        "again",
        [lesson(draw, "again", a=old, b=new), found.lessons[0]],
        found.request,
        found.plain,
        found.plain,
        [old],
        [new],
        platform=found.platform,
    )


def newer(draw: Draw, held: bool = False) -> Example | None:
    """Two lessons that contradict each other: the first in the list is the newer, and wins."""
    found = swap(draw, held)
    if not found:
        return None
    other = draw.tool()
    found.kind = "newer"
    found.lessons.append(lesson(draw, "swap", a=found.lacks[0], b=other))
    found.lacks.append(other)
    return found


def alternative(draw: Draw, held: bool = False) -> Example | None:
    """Another tool whose options differ, as the templates know it."""
    fitting = [template for template in commands.templates() if template.alternatives]
    if not fitting:
        return None
    task = commands.from_template(draw, draw.pick(fitting))
    new = draw.pick(sorted(task.alternatives))
    old = first(task.command)
    if not allowed("alternative", old, held) or task.alternatives[new] == task.command:
        return None
    # `git checkout` for `git switch`: the tool stays, so that "instead of git" would be nonsense.
    within = first(task.alternatives[new]) == old or " " in new
    told = lesson(draw, "swap", a=old, b=new) if not within and draw.chance(0.7) else lesson(draw, "alternative", b=new)
    has = [new if new in task.alternatives[new] else first(task.alternatives[new])]
    return Example(
        "alternative",
        [told],
        typed(draw, task.request, task.slots),
        task.alternatives[new],
        task.command,
        has,
        [old],
        platform=platform(task),
    )


def long(draw: Draw, held: bool = False) -> Example | None:
    fitting = [template for template in commands.templates() if template.long]
    if not fitting:
        return None
    task = commands.from_template(draw, draw.pick(fitting))
    if not task.long or task.long == task.command or not allowed("long", first(task.command), held):
        return None
    added = [word.split("=")[0] for word in task.long.split() if word.startswith("--") and word not in task.command]
    if not added:
        return None
    return Example(
        "long",
        [lesson(draw, "long")],
        typed(draw, task.request, task.slots),
        task.long,
        task.command,
        added,
        platform=platform(task),
    )


def put_before(command: str, name: str, text: str) -> str:
    start = next(start for start, _, found in positions(command) if found == name)
    return command[:start] + text + " " + command[start:]


def put_behind(command: str, name: str, text: str) -> str:
    end = next(end for _, end, found in positions(command) if found == name)
    return command[:end] + " " + text + command[end:]


def flag(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw)
    tool = _target(draw, task.command, "flag", held, NO_FLAG)
    if not tool or [name for _, _, name in positions(task.command)].count(tool) > 1:
        return None
    known = FLAGS.get(tool, "").split()
    added = (
        draw.pick(known)
        if known and draw.chance(0.35)
        else draw.pick(["--{}", "--{}", "--{}", "--no-{}", "--{}=" + draw.word()]).format(draw.word())
    )
    if (
        added in task.command.split()
        or added.startswith("-")
        and not added.startswith("--")
        and re.search(rf"(^|\s)-[A-Za-z]*{added[1]}", task.command)
    ):
        return None
    answer = put_behind(task.command, tool, added)
    return Example(
        "flag",
        [lesson(draw, "flag", a=tool, x=added)],
        task.request,
        answer,
        task.command,
        [added],
        platform=platform(task),
    )


def sudo(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw)
    tool = _target(draw, task.command, "sudo", held, NO_ROOT)
    if not tool or "sudo" in task.command or [name for _, _, name in positions(task.command)].count(tool) > 1:
        return None
    root = draw.weighted({"sudo": 45, "doas": 15, "": 40}) or draw.tool()
    answer = put_before(task.command, tool, root)
    return Example(
        "sudo",
        [lesson(draw, "sudo", a=tool, s=root)],
        task.request,
        answer,
        task.command,
        [f"{root} {tool}"],
        platform=platform(task),
    )


def nosudo(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "root")
    if not re.match(r"sudo [a-z]", task.command):
        return None
    answer = re.sub(r"\bsudo (?=[a-z])", "", task.command)
    return Example(
        "no sudo", [lesson(draw, "nosudo")], task.request, answer, task.command, lacks=["sudo"], platform=platform(task)
    )


def trash(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "delete")
    match = re.fullmatch(r"rm((?: -[a-zA-Z]+)*) ([^|;&<>$`]+)", task.command)
    if not match:
        return None
    new = draw.pick(["trash", "trash-put", "gio trash", "rip", "gtrash put"]) if draw.chance(0.4) else draw.tool()
    return Example(
        "trash",
        [lesson(draw, "trash", b=new)],
        task.request,
        f"{new} {match[2]}",
        task.command,
        [new],
        ["rm"],
        platform=platform(task),
    )


def ask(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "delete")
    match = re.fullmatch(r"rm((?: -[a-zA-Z]+)*) ([^|;&<>$`]+)", task.command)
    if not match or "i" in match[1]:
        return None
    # With -f no question would be asked.
    kept = "".join(f" {word}" for word in match[1].replace("f", "").split() if word != "-")
    return Example(
        "ask",
        [lesson(draw, "ask")],
        task.request,
        f"rm -i{kept} {match[2]}",
        task.command,
        ["rm -i"],
        platform=platform(task),
    )


def human(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "sizes")
    match = re.match(r"(ls|du|df|free)((?: -[a-zA-Z]+)?)(?= [^-]|$)", task.command)
    if not match or "h" in match[2] or match[1] == "ls" and "l" not in match[2] or re.search(r"[|;]", task.command):
        return None
    head = f"{match[1]}{match[2] or ' -'}h"
    return Example(
        "human",
        [lesson(draw, "human")],
        task.request,
        head + task.command[match.end() :],
        task.command,
        [head],
        platform=platform(task),
    )


def limit(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "list")
    if first(task.command) not in LISTING or re.search(
        r"[|;&<>]|-exec|-delete|-ok|-quit| -c\b| -q\b|head|tail", task.command
    ):
        return None
    n = str(draw.pick([5, 10, 15, 20, 25, 30, 40, 50, 100, draw.number(3, 200)]))
    return Example(
        "limit",
        [lesson(draw, "limit", n=n)],
        task.request,
        f"{task.command} | head -n {n}",
        task.command,
        [f"head -n {n}"],
        platform=platform(task),
    )


def verbose(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, draw.pick(["move", "delete"]))
    if not re.match(r"(cp|mv|rm) ", task.command) or re.search(r"[|;&]| -\w*v", task.command):
        return None
    answer = put_behind(task.command, task.command[:2], "-v")
    return Example(
        "verbose", [lesson(draw, "verbose")], task.request, answer, task.command, ["-v"], platform=platform(task)
    )


KINDS: dict[str, Callable[..., Example | None]] = {
    "swap": swap, "scoped swap": scoped_swap, "again": again, "newer": newer, "alternative": alternative, "long": long,
    "flag": flag,
    "sudo": sudo, "no sudo": nosudo, "trash": trash, "ask": ask, "human": human, "limit": limit, "verbose": verbose,
}  # fmt: skip
