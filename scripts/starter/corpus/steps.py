"""Job: a task of one or more commands, as `chela do` asks for it: a command, how it ended, the next one, or `done`.

Asked with `assets/prompts/next.txt` filled in exactly, after each command that worked. A task of several parts is
several requests in a row; it is done when the last one's command ran, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import outcomes
from .commands import Task, everywhere, first_ones, from_template, system, varied
from .documents import AGENT, Case, Document, Message, conversation, prompt
from .draws import Draw

PROMPT = prompt("next")
DONE = "done"
TWO = [
    "{a} and then {b}", "{a}, then {b}", "{a} and {b}", "first {a}, then {b}", "{a}; {b}", "{a}. Then {b}",
    "{a}. After that {b}", "{a}, and after that {b}", "{a}, next {b}", "{a} and afterwards {b}", "1. {a} 2. {b}",
    "{a}, finally {b}", "{a} before you {b}", "two things: {a}, and {b}", "{a} + {b}", "{a} & then {b}",
]  # fmt: skip
THREE = [
    "{a}, {b} and {c}", "{a}, then {b}, then {c}", "first {a}, then {b}, finally {c}", "1. {a} 2. {b} 3. {c}",
    "{a}; {b}; {c}", "{a} and {b} and {c}", "{a}. Then {b}. Then {c}", "three things: {a}, {b}, {c}",
]  # fmt: skip


def _part(draw: Draw) -> Task:
    """A task that everybody could ask for, in a command that can be told from the others."""
    while True:
        found = from_template(draw, draw.pick(first_ones() if draw.chance(0.6) else everywhere()))
        if len(found.command) <= 80 and "\n" not in found.command and not {"macos", "linux"} & found.tags:
            found.request = varied(found.request, draw, found.command)
            return found


def _clause(request: str) -> str:
    """A request as a part of a longer one; a name at its beginning keeps its letters."""
    text = request.strip().rstrip(".?!")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _task(draw: Draw) -> tuple[str, list[str]]:
    """What is asked, and its commands in order."""
    n = draw.weighted({1: 55, 2: 35, 3: 10})
    parts = [_part(draw) for _ in range(n)]
    if n == 1:
        return parts[0].request, [parts[0].command]
    form = draw.wording(TWO if n == 2 else THREE)
    text = form.format(**{name: _clause(part.request) for name, part in zip("abc", parts, strict=False)})
    return text, [part.command for part in parts]


def asked(command: str, output: str, task: str) -> str:
    """The prompt as the program writes it: without a line for an output that is empty."""
    lines = [line for line in PROMPT.split("\n") if output or line != "{output}"]
    return "\n".join(lines).format(command=command, output=output, task=task)


def _output(draw: Draw) -> str:
    return "" if draw.chance(0.45) else outcomes.normal(draw)


def _chat(draw: Draw) -> tuple[list[Message], int]:
    """The whole conversation, and how many commands it has."""
    task, ran = _task(draw)
    turns = [task]
    for command in ran:
        turns += [command, asked(command, _output(draw), task)]
    return conversation(system(draw) or AGENT, *turns, DONE), len(ran)


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Tasks from the first command to `done`."""
    for _ in range(n):
        messages, commands = _chat(draw)
        yield Document("steps", f"{commands} commands", messages)


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """One question of a task each: whether it is done, or the command that is missing."""
    for _ in range(n):
        messages, commands = _chat(draw)
        at = draw.number(1, commands)
        end = [i for i, message in enumerate(messages) if message.role == "assistant"][at]
        answer = messages[end].content
        kind = "done" if at == commands else "next"
        check = {"exact": [DONE]} if at == commands else {"command": answer}
        yield Case("steps", kind, messages[:end], check)
