"""Job: the next command after a failure, from the command, its exit status and what it printed.

Asked with `assets/prompts/fix.txt` filled in exactly, or in the chat: a request, the answer, then the pasted error.
"""

from __future__ import annotations

from collections.abc import Iterator

from .commands import LANGUAGES, misspelt, system
from .documents import AGENT, Case, Document, Message, conversation, prompt
from .draws import Draw
from .failures import Failure, failure
from .wordings import lists

PROMPT = prompt("fix")

TEXTS = lists("pasted")


def asked(found: Failure) -> str:
    """The prompt as the program writes it."""
    return PROMPT.format(command=found.command, status=found.status, output=found.output).replace("\n\nGive", "\nGive")


def _failure(draw: Draw) -> Failure:
    """A failure whose next command can be known."""
    while True:
        found = failure(draw)
        if found.next:
            return found


def pasted(draw: Draw, found: Failure) -> str:
    """What a person types after an answer failed."""
    language = draw.pick(LANGUAGES) if draw.chance(0.08) else None
    form = draw.wording(TEXTS[f"pasted {language}" if language else "pasted"])
    # A long error is seldom pasted whole.
    error = found.output if draw.chance(0.7) else found.output.splitlines()[-1].strip() or found.output
    text = form.format(e=error if _tells(error, found) else found.output, c=found.command, s=found.status)
    return misspelt(text, draw) if draw.chance(0.02) else text


def _tells(error: str, found: Failure) -> bool:
    """Whether a shortened error still names what the next command takes from it."""
    known = f"{found.command} {error}"
    return all(word in known or word not in found.output for word in found.next.split())


def _system(draw: Draw, found: Failure) -> str | None:
    """The system message; on macOS a missing package is installed with brew."""
    if found.next.startswith("sudo apt install") and "apt" not in found.output and draw.chance(0.25):
        found.next = found.next.replace("sudo apt install", "brew install")
        return system(draw, platform="macOS")
    if found.family == "sed on macOS":
        return system(draw, platform="macOS")
    return system(draw)


def _asked(draw: Draw) -> tuple[str, list[Message], Failure]:
    """A failure put in one of the two ways, without the answer."""
    found = _failure(draw)
    first_lines = _system(draw, found)
    if found.request and draw.chance(0.4):
        messages = conversation(first_lines or AGENT, found.request, found.command, pasted(draw, found))
        # The failed command is not to be learned again, least of all a mistyped one.
        messages[-2].learn = False
        return f"chat {found.family}", messages, found
    messages = conversation(first_lines, asked(found))
    if found.request and draw.chance(0.12):
        messages = conversation(first_lines, found.request, found.command, asked(found))
        messages[-2].learn = False
    return found.family, messages, found


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Failures with their next commands."""
    for _ in range(n):
        kind, messages, found = _asked(draw)
        yield Document("fix", kind, [*messages, Message("assistant", found.next)])


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Failures with names and error texts that were never trained."""
    for _ in range(n):
        kind, messages, found = _asked(draw)
        yield Case("fix", kind, messages, {"exact": [found.next], "command": found.next})
