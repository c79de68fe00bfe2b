"""Job: lessons in a chat of several requests. Each request is touched by another lesson, or by none.

One prompt with its lessons gives several answers to learn from, and no answer can be had from the one before: every
request looks up its own lesson. Used by `lessons`; the examples come from `lesson_kinds`, `lesson_facts`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from . import commands, distractors, lesson_facts, lesson_kinds
from .draws import Draw
from .lesson_words import Example, allowed, lesson, typed
from .shell import positions, replaced

# How often each kind of lesson stands in such a chat; `fact` is any of the facts.
KINDS = {"swap": 48, "alternative": 10, "newer": 6, "flag": 12, "sudo": 12, "fact": 12}
TRIES = 60


def _one(draw: Draw, kind: str) -> Example | None:
    """An example of this kind whose command every system has."""
    if kind == "fact":
        return lesson_facts.fact(draw, draw.pick(sorted(lesson_facts.facts())))
    make = swap if kind == "swap" else lesson_kinds.KINDS[kind]
    for _ in range(TRIES):
        found = make(draw, False)
        if found and not found.platform and not found.cwd and len(found.answer) <= 120:
            return found
    return None


def swap(draw: Draw, held: bool = False) -> Example | None:
    """A swap on a command of our own shapes, which a small model can know by heart."""
    task = lesson_kinds.plain_task(draw, synthetic=0.95)
    names = [name for _, _, name in positions(task.command) if name != "xargs" and allowed("swap", name, held)]
    if not names or lesson_kinds.platform(task):
        return None
    new = lesson_kinds.new_tool(draw, names[0])
    answer = task.alternatives.get(new) or replaced(task.command, names[0], new)
    if not answer or new in (names[0], *task.command.split()):
        return None
    told = lesson(draw, "swap", a=names[0], b=new)
    return Example("swap", [told], task.request, answer, task.command, [new], [names[0]])


def words(example: Example) -> set[str]:
    """The tools that an example turns on, in its answers and in its lessons."""
    return {*example.names(), *example.has, *example.lacks}


def touches(one: Example, other: Example) -> bool:
    """Whether a lesson of `one` could matter for what `other` asks."""
    text = f"{other.request} {other.answer} {other.plain}".lower()
    about = distractors.SUBJECTS.get(one.kind)
    return bool(words(one) & words(other)) or bool(about and re.search(about, text))


def apart(one: Example, asked: list[Example]) -> bool:
    return not any(touches(one, other) or touches(other, one) for other in asked)


def same_lesson(draw: Draw, given: Example, others: set[str]) -> Example | None:
    """Another request that the lesson of a swap changes in the same way."""
    old, new = given.lacks[0], given.has[0]
    for _ in range(TRIES):
        task = lesson_kinds.plain_task(draw, synthetic=0.95)
        names = {name for _, _, name in positions(task.command)}
        if old not in names or names & others or lesson_kinds.platform(task) or task.command == given.plain:
            continue
        answer = replaced(task.command, old, new)
        if answer and new not in task.command and len(answer) <= 120:
            return replace(given, request=task.request, answer=answer, plain=task.command)
    return None


def plain(draw: Draw, asked: list[Example]) -> Example | None:
    """A request that none of the lessons is about."""
    for _ in range(TRIES):
        task = lesson_kinds.plain_task(draw, synthetic=0.95)
        found = Example("plain", [], typed(draw, task.request, task.slots), task.command, task.command)
        if apart(found, asked) and not lesson_kinds.platform(task):
            return found
    return None


def with_own_options() -> set[str]:
    """Tools that come with a command of their own for each task: the old command with the new name would be wrong."""
    return {tool for template in commands.templates() for tool in template.alternatives}


def told_ones(draw: Draw) -> list[Example]:
    """Examples that bring a lesson each, and that do not touch one another."""
    told: list[Example] = []
    for _ in range(draw.pick([1, 2, 2, 3, 3, 4])):
        found = _one(draw, draw.weighted(KINDS))
        if found and apart(found, told):
            told.append(found)
    return told


def several(draw: Draw) -> tuple[Example, list[Example]] | None:
    """All that is said in the chat as one example (for what may stand beside it), and the requests in order."""
    told = told_ones(draw)
    asked = list(told)
    for one in told:
        if one.kind == "swap" and one.has[0] not in with_own_options() and draw.chance(0.4):
            others = set().union(*(words(other) for other in told if other is not one))
            asked += [more for more in [same_lesson(draw, one, others)] if more]
    for _ in range(draw.pick([0, 1, 1, 2])):
        asked += [more for more in [plain(draw, told)] if more]
    if not told or len(asked) < 2:
        return None
    lessons = draw.shuffled([lesson for one in told for lesson in one.lessons])
    joined = [" ; ".join(getattr(one, part) for one in asked) for part in ("request", "answer", "plain")]
    taken = sorted(set().union(*(words(one) for one in asked)))
    whole = Example("several", lessons, *joined, lacks=taken)
    for other in distractors.some(draw, whole, draw.pick([0, 0, 1, 1, 2]), 0.2):
        lessons.insert(draw.number(0, len(lessons)), other)
    return whole, draw.shuffled(asked)[:5]
