"""Job: was the answer good? From the request, the answer and what came of it; one word: good, bad or unclear.

The prompt names the three words in any order, so that no word is favoured by its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from .documents import Case, Document, Message, conversation, prompt
from .draws import Draw
from .feedback import Scenario, body, scenario

PROMPT = prompt("judge")
ORDERS = [f"{a}, {b} or {c}" for a, b, c in permutations(("good", "bad", "unclear"))]
SHARES = {"good": 40, "bad": 40, "unclear": 20}


def asked(found: Scenario, draw: Draw) -> list[Message]:
    return conversation(PROMPT.format(options=draw.pick(ORDERS)), body(found))


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Scenarios with their verdicts."""
    for _ in range(n):
        found = scenario(draw, draw.weighted(SHARES))
        yield Document("judge", found.kind, [*asked(found, draw), Message("assistant", found.verdict)])


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Scenarios with names and wordings never trained, as many of each verdict; then those written by hand."""
    from .hand_feedback import scenarios

    for i in range(n):
        found = scenario(draw, ("good", "bad", "unclear")[i % 3])
        yield Case("judge", f"{found.verdict}: {found.kind}", asked(found, draw), {"verdict": found.verdict})
    for found in scenarios():
        yield Case("judge", f"by hand: {found.verdict}", asked(found, draw), {"verdict": found.verdict})
