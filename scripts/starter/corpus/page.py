"""Job: one step on a page, from a goal and the page's elements: `click 12`, `type 7 "text"`, or `done`.

The first user text is `Goal: ...` and the page; after each step comes the next page. Half of the conversations begin
in the middle, where only the state of the page tells what is still to be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .documents import Case, Document, Message, lessons_block, prompt
from .draws import Draw
from .page_kinds import (
    buy,
    complaint,
    delete,
    form,
    guarded,
    log_in,
    menu,
    navigate,
    option,
    pages,
    search,
    toggle,
)
from .page_lessons import choice, irrelevant
from .screens import Element, Flow

SYSTEM = prompt("page")


def _cookies(draw: Draw, flow: Flow) -> None:
    """A dialog that stands before the first page. It is declined where that can be done."""
    first, _ = flow.steps[0]
    accept = draw.pick(["Accept all", "Accept", "Agree", "Allow all", "OK"])
    decline = draw.pick(["Decline", "Reject all", "Only necessary", "No thanks", "Refuse"]) if draw.chance(0.75) else ""
    dialog = Element("dialog", draw.pick(["We use cookies", "Cookies", "Your privacy", "This site uses cookies"]))
    buttons = [Element("button", text) for text in (accept, decline) if text]
    listed = [dialog, *draw.shuffled([*buttons, *([Element("link", "Cookie settings")] if draw.chance(0.5) else [])])]
    at = max(map(int, re.findall(r"^\[(\d+)\]", first, re.M)), default=0) + draw.number(1, 500)
    for i, element in enumerate(listed):
        element.id = at + i
    title, *lines = first.split("\n")
    step = f"click {buttons[-1].id}"
    flow.steps.insert(0, ("\n".join([title, *(e.line() for e in listed), *lines]), step))


KINDS = {
    navigate: 18,
    log_in: 9,
    search: 10,
    form: 14,
    guarded: 7,
    complaint: 8,
    option: 10,
    toggle: 7,
    pages: 6,
    delete: 7,
    menu: 6,
    buy: 5,
}


def _drawn(draw: Draw) -> tuple[str, Flow, list[str], str]:
    """A kind's name, a flow, its lessons, and the answer that would be given without them."""
    if draw.chance(0.13):
        flow, lesson, base = choice(draw)
        if draw.chance(0.3):
            # With no lesson for it, the first of the two.
            flow.steps[0] = (flow.steps[0][0], base)
            return "choice", flow, irrelevant(draw) if draw.chance(0.5) else [], ""
        return "lesson", flow, draw.shuffled([lesson, *(irrelevant(draw) if draw.chance(0.4) else [])]), base
    kind = draw.weighted(KINDS)
    flow = kind(draw)
    if draw.chance(0.1):
        _cookies(draw, flow)
    lessons = irrelevant(draw) if draw.chance(0.12) else []
    return kind.__name__, flow, lessons, ""


def _messages(flow: Flow, steps: list[tuple[str, str]], lessons: list[str]) -> list[Message]:
    found = [Message("system", "\n".join([SYSTEM, lessons_block(lessons)]) if lessons else SYSTEM)]
    for i, (page, answer) in enumerate(steps):
        found += [Message("user", page if i else f"Goal: {flow.goal}\n{page}"), Message("assistant", answer)]
    return found


LONGEST = 2800


def _part(draw: Draw, flow: Flow) -> list[tuple[str, str]]:
    """The whole way, or one step of it."""
    if draw.chance(0.4) and sum(len(page) for page, _ in flow.steps) < LONGEST:
        return flow.steps
    # The last step is `done`: a fifth of the single steps is enough of it.
    inner = flow.steps[:-1] if draw.chance(0.8) and len(flow.steps) > 1 else flow.steps[-1:]
    return [draw.pick(inner)]


def documents(draw: Draw, n: int) -> Iterator[Document]:
    for _ in range(n):
        kind, flow, lessons, _ = _drawn(draw)
        yield Document("page", kind, _messages(flow, _part(draw, flow), lessons))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """One step, from the goal and the state of the page alone."""
    for _ in range(n):
        kind, flow, lessons, base = _drawn(draw)
        inner = flow.steps[:-1] if draw.chance(0.8) and len(flow.steps) > 1 else flow.steps[-1:]
        *question, answer = _messages(flow, [draw.pick(inner)], lessons)
        check = {"exact": [answer.content]} | ({"base": base} if base and base != answer.content else {})
        yield Case("page", kind, question, check)
