"""Job: the lesson for next time in what came of an answer, worded as lessons stand in the context, or none."""

from __future__ import annotations

from collections.abc import Iterator

from .documents import Case, Document, Message, conversation, prompt
from .draws import Draw
from .feedback import Scenario, body, scenario, with_lesson

PROMPT = prompt("hint")
MAX = 160
# Where no lesson is in it: most of the bad ones look much like corrections, so they come often.
WITHOUT = {"good": 35, "bad": 40, "unclear": 25}


def asked(found: Scenario) -> list[Message]:
    return conversation(PROMPT, body(found))


def answer(lesson: str | None) -> str:
    return f"hint: {lesson or 'none'}"


def _without(draw: Draw) -> Scenario:
    verdict = draw.weighted(WITHOUT)
    while True:
        found = scenario(draw, verdict)
        if not found.lesson:
            return found


def _drawn(draw: Draw, lesson: bool) -> Scenario:
    """A scenario with or without a lesson, whose lesson is short enough."""
    while True:
        found = with_lesson(draw) if lesson else _without(draw)
        if len(answer(found.lesson)) <= MAX:
            return found


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Scenarios with their lessons; a little under half have none."""
    for _ in range(n):
        found = _drawn(draw, draw.chance(0.56))
        kind = found.kind if found.lesson else f"none: {found.kind}"
        yield Document("hint", kind, [*asked(found), Message("assistant", answer(found.lesson))])


def _case(found: Scenario, kind: str) -> Case:
    right = [answer(lesson) for lesson in (found.lesson, *found.also) if lesson]
    return Case("hint", kind, asked(found), {"exact": right} if right else {"none": True})


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Scenarios with names and wordings that were never trained, half of them without a lesson; then those by hand."""
    from .hand_feedback import scenarios

    for i in range(n):
        found = _drawn(draw, i % 2 == 0)
        yield _case(found, found.kind if found.lesson else f"none: {found.kind}")
    for found in scenarios():
        yield _case(found, "by hand" if found.lesson else "by hand: none")
