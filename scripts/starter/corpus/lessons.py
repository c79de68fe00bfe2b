"""Job: lessons in the context. The relevant ones are obeyed, on names never seen; the others change nothing.

Kinds that change a command are in `lesson_kinds`, facts in `lesson_facts`, talk and office text in `lesson_office`,
two at once in `lesson_pairs`, lessons that do not matter in `distractors`. In the list the newest lesson is first.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import commands, distractors, lesson_chats, lesson_facts, lesson_kinds, lesson_office, lesson_pairs
from .documents import AGENT, Case, Document, Message, conversation, lessons_block
from .draws import Draw
from .hand_lessons import hand_cases
from .lesson_words import Example, lesson

WEIGHTS = {
    "swap": 320, "scoped swap": 70, "again": 30, "newer": 60, "alternative": 60, "long": 80, "flag": 90, "sudo": 100,
    "no sudo": 24,
    "trash": 28, "ask": 16, "human": 16, "limit": 24, "verbose": 10, "two": 80, "name": 14, "language": 8,
    "signature": 8, "tone": 8,
    "dates": 8, "clock": 8, "project": 34, "host": 34, "macro": 34, "role": 24, "editor": 18, "ssh port": 14,
    "tests": 10, "build": 10,
    "deploy": 8, "branch": 14, "logs": 14, "temp": 10, "dev port": 12,
}  # fmt: skip
# Facts not named above are drawn this often each.
OTHER_FACT = 4
# Chats of several requests under the same lessons, beside those of one.
SEVERAL = 0.3
NONE = {"irrelevant": 46, "near": 24, "tool name": 9, "scoped off": 9, "fact off": 7, "talk": 5}
HELD_KINDS = ("swap", "flag", "sudo", "long")


def weights() -> dict[str, int]:
    return {**dict.fromkeys(lesson_facts.facts(), OTHER_FACT), **WEIGHTS}


def example(draw: Draw, kind: str, held: bool = False) -> Example | None:
    """An example of this kind; None where the templates have none. The kind was drawn before: retry inside it."""
    if kind in lesson_office.KINDS:
        return lesson_office.KINDS[kind](draw)
    if kind in lesson_facts.facts():
        return lesson_facts.fact(draw, kind)
    make = lesson_pairs.both if kind == "two" else lesson_kinds.KINDS[kind]
    for _ in range(400):
        found = make(draw, held)
        if found and len(found.answer) <= 170:
            return found
    return None


def unchanged(draw: Draw, kind: str) -> Example | None:
    """An example whose lessons, if it has any, do not apply: the answer is the plain one."""
    if kind == "tool name":
        return distractors.about_a_tool_name(draw)
    if kind == "talk":
        found = example(draw, draw.pick(sorted(lesson_office.KINDS)))
        return (
            Example(kind, [], found.request, found.plain, found.plain, shell=False) if found and found.plain else None
        )
    if kind == "scoped off":
        found = example(draw, "scoped swap")
        told = lesson(draw, "scoped swap", p=draw.word(), a=found.lacks[0], b=found.has[0]) if found else ""
        return (
            Example(kind, [told], found.request, found.plain, found.plain, cwd=found.cwd, platform=found.platform)
            if found
            else None
        )
    if kind == "fact off":
        found = lesson_facts.fact(draw, draw.pick(["project", "host", "host", "container", "mail address"]))
        told = lesson_facts.another(draw, found, found.plain)
        return Example(kind, [told], found.request, found.plain, found.plain) if told else None
    task = lesson_kinds.plain_task(draw) if draw.chance(0.8) else commands.task(draw)
    return Example(kind, [], task.request, task.command, task.command, platform=lesson_kinds.platform(task))


def system(draw: Draw, given: Example, lessons: list[str]) -> str | None:
    """The system message; where the folder decides, it is this example's."""
    if not given.cwd:
        return commands.system(draw, lessons, given.platform)
    lines = (
        [AGENT]
        + ([f"OS: {given.platform or 'Linux'}"] if given.platform or draw.chance(0.3) else [])
        + [f"Cwd: {given.cwd}"]
    )
    return "\n".join([*lines, lessons_block(lessons)] if lessons else lines)


def among(draw: Draw, given: Example, low: int, high: int, nearness: float = 0.45) -> list[str]:
    """The example's lessons in their order, with distracting ones anywhere between them."""
    lessons = list(given.lessons)
    # The same kind of fact about something else: only the name tells which one is asked for.
    twins = (
        [lesson_facts.another(draw, given, given.answer)]
        if given.kind in lesson_facts.KEYS and draw.chance(0.5)
        else []
    )
    for told in [twin for twin in twins if twin] + distractors.some(draw, given, draw.number(low, high), nearness):
        lessons.insert(draw.number(0, len(lessons)), told)
    return lessons


def with_lessons(draw: Draw, given: Example) -> list[Message]:
    low, high = draw.pick([(0, 0), (0, 1), (1, 2), (2, 4), (3, 5)])
    return conversation(system(draw, given, among(draw, given, low, high)), given.request, given.answer)


def without(draw: Draw, given: Example) -> list[Message]:
    """The same request where nobody gave the lesson: no lessons at all, or only others."""
    others = distractors.some(draw, given, draw.pick([0, 1, 1, 2, 3]), 0.5)
    return conversation(system(draw, given, others), given.request, given.plain)


def ignoring(draw: Draw, given: Example, kind: str) -> list[Message]:
    nearness = {"irrelevant": 0.25, "near": 1.0}.get(kind, 0.4)
    lessons = among(draw, given, 0 if given.lessons else 1, draw.pick([1, 2, 3, 4, 6]), nearness)
    return conversation(system(draw, given, lessons), given.request, given.answer)


def in_a_row(draw: Draw, whole: Example, asked: list[Example]) -> list[Message]:
    turns = [text for one in asked for text in (one.request, one.answer)]
    return conversation(system(draw, whole, whole.lessons), *turns)


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Three in ten are chats of several requests. Of the others about two in five have no lesson that matters; one in twelve is the plain half of a pair."""
    made, table = 0, weights()
    while made < n:
        if draw.chance(SEVERAL):
            found = lesson_chats.several(draw)
            if found:
                made += 1
                yield Document("lessons", "several", in_a_row(draw, *found))
            continue
        if draw.chance(0.40):
            kind = draw.weighted(NONE)
            given = unchanged(draw, kind)
            if given:
                made += 1
                yield Document("lessons", kind, ignoring(draw, given, kind))
            continue
        kind = draw.weighted(table)
        given = example(draw, kind)
        if not given:
            continue
        made += 1
        yield Document("lessons", kind, with_lessons(draw, given))
        # What a size or a limit would be without the lesson is a matter of taste: no example for that.
        if given.plain and kind not in ("human", "limit", "again") and draw.chance(0.14):
            made += 1
            yield Document("lessons", "without", without(draw, given))


def _pair(draw: Draw, name: str, given: Example, low: int = 0, high: int = 3) -> Iterator[Case]:
    """The question with the lesson, and the same without: only the first may be answered with what it brings."""
    yield Case(
        "lessons",
        f"{name}/with",
        conversation(system(draw, given, among(draw, given, low, high)), given.request),
        given.check(),
    )
    if given.kind != "again":
        bare = conversation(system(draw, given, []), given.request)
        yield Case("lessons", f"{name}/without", bare, given.check_without())


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Unseen tools, unseen combinations, every kind, lessons that do not matter, and those written by hand."""
    for _ in range(n):
        given = example_with_new_tool(draw)
        yield from _pair(draw, "unseen-tool", given)
    for i in range(n):
        given = example(draw, HELD_KINDS[i % len(HELD_KINDS)], held=True)
        if given:
            yield from _pair(draw, f"combination {given.kind}", given)
    for kind in sorted(weights()):
        for _ in range(max(2, n // 8)):
            given = example(draw, kind)
            if given:
                yield from _pair(draw, kind, given)
    for kind in NONE:
        made = 0
        while made < (n if kind in ("irrelevant", "near") else n // 2):
            given = unchanged(draw, kind)
            if given:
                made += 1
                messages = ignoring(draw, given, kind)[:-1]
                yield Case("lessons", f"none {kind}", messages, {"base": given.answer, "exact": [given.answer]})
    yield from hand_cases()


def example_with_new_tool(draw: Draw) -> Example:
    """A swap to a tool whose name was never trained."""
    while True:
        given = lesson_kinds.swap(draw, new=draw.tool())
        if given and len(given.answer) <= 170:
            return given
