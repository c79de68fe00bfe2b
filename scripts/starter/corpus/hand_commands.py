"""Evaluation only: everyday requests written by hand, apart from the shapes' wordings, each with its right commands.

None of them is ever trained. The table is `templates/hand-commands.txt`: `- request`, then `= command` for each
right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from .commands import FOLDER
from .documents import AGENT, Case, Document, conversation
from .draws import Draw


@cache
def items() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each request with all commands that are right for it."""
    text = (FOLDER / "hand-commands.txt").read_text(encoding="utf-8")
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        requests = [line[2:] for line in lines if line.startswith("- ")]
        commands = tuple(line[2:] for line in lines if line.startswith("= "))
        if len(requests) == 1 and commands:
            found.append((requests[0], commands))
        elif lines:
            raise ValueError(f"hand-commands.txt: not one request with its commands: {block}")
    return tuple(found)


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Nothing: what is written by hand stays for the evaluation."""
    return iter(())


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """The first `n` of the requests in a fixed order, that of the table."""
    for request, commands in items()[:n]:
        yield Case("command", "hand", conversation(AGENT, request), {"exact": list(commands)})
