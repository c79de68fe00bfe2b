"""What a job's module gives: a conversation to learn from, or a question with the check of its answer.

Both become plain JSON lines, so that the corpus can be read, counted and compared between two builds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROMPTS = Path(__file__).resolve().parents[3] / "assets" / "prompts"


def prompt(name: str) -> str:
    """The text of `assets/prompts/NAME.txt`, which the program fills in with exactly the same words."""
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")


AGENT = prompt("agent")


@dataclass
class Message:
    """One message. `role`: system, user, assistant or tool. `learn`: whether an assistant's text is to be learned."""

    role: str
    content: str
    tool_calls: list[dict] = field(default_factory=list)
    learn: bool = True


@dataclass
class Document:
    """One conversation to learn from. `kind` names what it exercises inside its job, for counts and tables."""

    job: str
    kind: str
    messages: list[Message]
    tools: list[dict] = field(default_factory=list)


@dataclass
class Case:
    """A question of the held-out evaluation: `messages` end where the answer is due; `check` says what is right.

    Keys of `check`, all optional, all of those present must hold:
    exact: list of right answers (spaces and quote style normalised) · has, lacks: lists of words (as shell words
    or substrings) that the answer must or must not contain · verdict: good|bad|unclear · none: true when the right
    answer is `hint: none` · tool: {"name", "arguments"} of the right call · command: the right shell command, scored
    exactly, by utilities and flags, and by first utility · base: the answer without the lessons, for "unchanged".
    """

    job: str
    kind: str
    messages: list[Message]
    check: dict
    tools: list[dict] = field(default_factory=list)


def dump(items, path: Path) -> int:
    """Writes documents or cases as JSON lines; returns how many."""
    n = 0
    with path.open("w", encoding="utf-8") as out:
        for item in items:
            out.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
            n += 1
    return n


def conversation(system: str | None, *turns: str) -> list[Message]:
    """Messages of a chat: the system's (if any), then the user's and the assistant's in turn."""
    messages = [Message("system", system)] if system else []
    for i, text in enumerate(turns):
        messages.append(Message("user" if i % 2 == 0 else "assistant", text))
    return messages


def lessons_block(lessons: list[str]) -> str:
    """How lessons stand in the system message, below its first lines. The program writes the same."""
    return "Lessons:\n" + "\n".join(f"- {lesson}" for lesson in lessons)
