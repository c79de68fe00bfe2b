"""The form in which an answer and what came of it are shown, to judge it and to draw a lesson from it."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = ("user", "edit", "shell", "tool", "page", "tests")


@dataclass
class Scenario:
    """An answer and its next state. `verdict`: good, bad or unclear; `lesson`: None where nothing is to be learned.

    `source`: user (a reply), edit (the command run instead), shell (exit status and output), tool (a result), page
    (what is shown now), tests (a summary). `also`: other lessons that would be right; "none" may be one of them.
    """

    kind: str
    request: str
    answer: str
    source: str
    next: str
    verdict: str
    lesson: str | None = None
    also: tuple[str, ...] = ()


def body(found: Scenario) -> str:
    """The user's text for both jobs. The program writes the same."""
    return f"Request: {found.request}\nAnswer: {found.answer}\nNext ({found.source}): {found.next}"


def shell_state(status: int, output: str) -> str:
    """The next state of a command: its exit status, then what it printed on the following lines."""
    return f"exit {status}\n{output}".rstrip("\n")
