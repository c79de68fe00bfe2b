"""Requests of everyday work as a new user types them, answered by `chela ask`, for a person to grade by reading.

They were written by hand and come from no template; nobody may tune the corpus to them.
"""

from __future__ import annotations

from pathlib import Path

from .client import Endpoint
from .danger import destroys
from .scoring import bash_accepts

REQUESTS = Path(__file__).with_name("everyday.txt")


def requests() -> list[str]:
    lines = REQUESTS.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def answers(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [(request, endpoint.ask_as_user(request)) for request in requests()]


def marks(answer: str) -> str:
    """What a machine can say of an answer: that it does not parse, or destroys."""
    found = [] if answer and bash_accepts(answer) else ["does not parse"]
    return ", ".join(found + (["destroys"] if destroys(answer) else []))


def page(ours: list[tuple[str, str]], theirs: list[tuple[str, str]] | None) -> str:
    """All requests with the answers below each other, and room for a grade."""
    lines = ["# Everyday requests", "", "Grade: + runs and is right, ~ nearly, - wrong.", ""]
    for i, (request, answer) in enumerate(ours):
        lines += [f"{i + 1:2}. {request}", f"      [ ] {_shown(answer)}"]
        if theirs:
            lines.append(f"      (other) {_shown(theirs[i][1])}")
    return "\n".join(lines) + "\n"


def _shown(answer: str) -> str:
    note = marks(answer)
    return answer.replace("\n", " ⏎ ") + (f"    ← {note}" if note else "")
