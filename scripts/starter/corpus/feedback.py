"""The scenarios that the judge and the hint share: what came of an answer, drawn by verdict and kind.

Their form is in `scenario.py`, the replies in `replies.py`, the outcomes of commands, tools, pages and tests in
`outcomes.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from . import outcomes, replies
from .draws import Draw
from .scenario import Scenario, body, shell_state

__all__ = ["Scenario", "body", "scenario", "shell_state"]

Maker = Callable[[Draw], Scenario]


def _of(verdict: str, maker: Maker) -> Maker:
    """A maker of several verdicts, held to one."""

    def made(draw: Draw) -> Scenario:
        while True:
            found = maker(draw)
            if found.verdict == verdict:
                return found

    return made


# Makers with their weights, by verdict.
MAKERS: dict[str, dict[Maker, float]] = {
    "good": {
        replies.plain("thanks"): 7, replies.plain("praise"): 9, replies.plain("accept"): 6, replies.plain("not bad"): 10, replies.plain("thanks next"): 8,
        replies.plain("long praise"): 6, replies.kept: 5, outcomes.succeeded: 10, outcomes.content: 9, outcomes.warned: 5, outcomes.injected_success: 8,
        outcomes.differs: 3, _of("good", outcomes.tool_result): 6, _of("good", outcomes.page_state): 5, _of("good", outcomes.test_summary): 5,
    },
    "bad": {
        replies.plain("negative"): 11, replies.plain("sarcasm"): 6, replies.plain("complaint"): 7, replies.asked_again: 7, replies.corrected: 26,
        replies.quoted_error: 4, replies.edited: 7, outcomes.failed: 20, outcomes.injected_failure: 8, _of("bad", outcomes.tool_result): 7,
        _of("bad", outcomes.page_state): 6, _of("bad", outcomes.test_summary): 5,
    },
    "unclear": {
        replies.plain("question"): 15, replies.plain("waiting"): 14, replies.plain("stop"): 10, replies.unrelated: 18, replies.ran_other: 8, outcomes.nothing_found: 10,
        outcomes.interrupted: 13, _of("unclear", outcomes.tool_result): 5, _of("unclear", outcomes.page_state): 5, _of("unclear", outcomes.test_summary): 4,
    },
}  # fmt: skip


def scenario(draw: Draw, verdict: str) -> Scenario:
    """A scenario of one verdict; the maker is drawn first, so rare kinds keep their share."""
    return draw.weighted(MAKERS[verdict])(draw)


def with_lesson(draw: Draw) -> Scenario:
    """A scenario that has a lesson in it: a correction, an edit or a failure that says what to do."""
    makers = {
        replies.corrected: 46, replies.edited: 10, outcomes.failed: 22, replies.quoted_error: 5,
        outcomes.injected_failure: 6, outcomes.tool_result: 7, outcomes.page_state: 4,
    }  # fmt: skip
    maker = draw.weighted(makers)
    while True:
        found = maker(draw)
        if found.lesson:
            return found
