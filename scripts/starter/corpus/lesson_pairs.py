"""Examples for which two lessons matter at once."""

from __future__ import annotations

from . import lesson_facts, lesson_kinds, lesson_tools
from .commands import fill
from .draws import Draw
from .lesson_words import Example, allowed, lesson, typed
from .shell import positions, replaced

# Two facts of `lesson-facts.txt`, what they give together, what is right without them, and the requests.
FACTS = [
    (("host", "ssh port"), "ssh -p {N} {H}", "ssh {R}", ["connect to {R}", "ssh to {R}", "log in to the {R} server",
        "open a shell on {R}"]),
    (("host", "ssh user"), "ssh {U}@{H}", "ssh {R}", ["connect to {R}", "ssh to {R}", "log in to the {R} server",
        "get me on {R}"]),
    (("host", "ssh key"), "ssh -i {K} {H}", "ssh {R}", ["connect to {R}", "ssh to {R}", "log in to {R}",
        "ssh into the {R} server"]),
    (("project", "editor"), "{T} {D}/{w}.{ext}", "nano {P}/{w}.{ext}", ["edit {w}.{ext} of {P}",
        "open {w}.{ext} in {P} in my editor", "edit {w}.{ext} in project {P}", "edit the file {w}.{ext} of {P}"]),
    (("project", "backup"), "cp -r {D} {D2}/", "cp -r {P} {P}.bak", ["back up {P}", "make a backup of {P}",
        "save a backup copy of project {P}", "back up the project {P}"]),
    (("project", "host"), "rsync -av {D}/ {H}:{P}/", "rsync -av {P}/ {R}:{P}/", ["sync {P} to {R}",
        "mirror {P} to the {R} server", "rsync {P} to {R}", "bring {P} to {R} with rsync"]),
    (("remote", "branch"), "git push {X} {B}", "git push origin main", ["push to the default branch",
        "push the main branch to the remote", "push the default branch", "push my commits to the main branch"]),
]  # fmt: skip


def facts(draw: Draw) -> Example:
    kinds, answer, plain, requests = draw.pick(FACTS)
    names = lesson_facts.values(draw, "editor" if "editor" in kinds else "branch")
    names |= {"D2": lesson_facts.folder(draw, "backup"), "X": draw.word()}
    own = {"backup": names | {"D": names["D2"]}, "remote": names | {"B": names["X"]}}
    told = [lesson_facts.told(draw, kind, own.get(kind, names)) for kind in kinds]
    has = [own.get(kind, names)[slot] for kind in kinds for slot in lesson_facts.facts()[kind].needs]
    asked = typed(draw, fill(draw.wording(requests), names), names)
    return Example("two", draw.shuffled(told), asked, fill(answer, names), fill(plain, names), has)


def commands(draw: Draw, held: bool = False) -> Example | None:
    """A swap with a second lesson about the same command: another swap, a flag, root rights, a limit."""
    first = lesson_kinds.swap(draw, held)
    if not first:
        return None
    others = [
        name for _, _, name in positions(first.answer) if name != first.has[0] and name not in lesson_tools.NO_FLAG
    ]
    second = draw.pick(["swap", "flag", "sudo"]) if others else draw.pick(["sudo new", "flag new"])
    other = draw.pick(others) if others else first.has[0]
    if others and not allowed(second, other, False):
        return None
    if [name for _, _, name in positions(first.answer)].count(other) != 1 or "sudo" in first.answer:
        return None
    if second == "swap":
        new = draw.tool()
        answer, told, has = replaced(first.answer, other, new), lesson(draw, "swap", a=other, b=new), new
    elif second.startswith("flag"):
        has = f"--{draw.word()}"
        answer, told = lesson_kinds.put_behind(first.answer, other, has), lesson(draw, "flag", a=other, x=has)
    else:
        has = draw.pick(["sudo", "sudo", "doas", draw.tool()])
        answer, told = lesson_kinds.put_before(first.answer, other, has), lesson(draw, "sudo", a=other, s=has)
    if not answer:
        return None
    return Example(
        "two",
        draw.shuffled([first.lessons[0], told]),
        first.request,
        answer,
        first.plain,
        [first.has[0], has],
        first.lacks,
        platform=first.platform,
    )


def both(draw: Draw, held: bool = False) -> Example | None:
    return facts(draw) if draw.chance(0.4) else commands(draw, held)
