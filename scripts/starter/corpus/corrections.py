"""Job: corrections. After an answer the user says what is wrong, and the next answer is right.

A tool once corrected is used for later requests of the same chat as well; for all others the correction does not count.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import commands, distractors, lesson_kinds, lesson_tools
from .commands import Task
from .correction_kinds import KINDS, Exchange, tool
from .documents import Case, Document, Message, conversation
from .draws import Draw
from .lesson_words import Example
from .shell import first, positions, replaced

PASSING = [
    ("thanks", "You're welcome."), ("thank you", "You're welcome."), ("thx", "You're welcome."), ("perfect, thank you",
        "You're welcome."), ("great, thanks", "You're welcome."),
    ("thanks a lot", "You're welcome."),
]  # fmt: skip
NEXT = ["now {}", "next: {}", "then {}", "ok, {}", "great. {}", "thanks, now {}", "and {}", "perfect, {}"]


def exchange(draw: Draw, kind: str, held: bool = False) -> Exchange | None:
    """An exchange of this kind; None where the templates have none."""
    for _ in range(400):
        found = KINDS[kind][1](draw, held)
        if found and found.first != found.answer and len(found.answer) <= 170:
            return found
    return None


def system(draw: Draw, given: Exchange) -> str | None:
    """The system message, at times with lessons that do not matter here."""
    lessons: list[str] = []
    if draw.chance(0.2):
        example = Example(
            given.kind, [], f"{given.request} {given.correction}", given.answer, given.first, shell=given.shell
        )
        lessons = distractors.some(draw, example, draw.pick([1, 1, 2, 3]), 0.3)
    return commands.system(draw, lessons, given.platform)


def turns(draw: Draw, given: Exchange) -> list[Message]:
    messages = conversation(system(draw, given), given.request, given.first, given.correction, given.answer)
    messages[-3].learn = given.learn
    return messages


def _asked(draw: Draw, task: Task) -> str:
    request = task.request
    return draw.pick(NEXT).format(request[:1].lower() + request[1:]) if draw.chance(0.25) else request


def holding(draw: Draw, given: Exchange) -> tuple[str, str, str] | None:
    """A later request for which the corrected tool counts: the request, the answer, what it would be without."""
    for _ in range(300):
        task = lesson_kinds.plain_task(draw)
        # A tool with other options: only where its command is known.
        own = task.alternatives.get(given.new)
        answer = own or (replaced(task.command, given.old, given.new) if given.drop_in else None)
        if own and first(task.command) != given.old:
            continue
        if (
            answer
            and task.command not in (given.first, given.answer)
            and len(answer) < 130
            and not other_platform(task, given)
        ):
            return _asked(draw, task), answer, task.command
    return None


def other_platform(task: Task, given: Exchange) -> bool:
    """Whether the later task needs another system than the chat names."""
    wanted = lesson_kinds.platform(task)
    return wanted is not None and wanted != (given.platform or "Linux")


def unrelated(draw: Draw, given: Exchange) -> tuple[str, str]:
    """A later request for which the correction does not count."""
    used = {name for text in (given.first, given.answer) for _, _, name in positions(text)} if given.shell else set()
    while True:
        task = lesson_kinds.plain_task(draw)
        names = {name for _, _, name in positions(task.command)}
        if not names & used and not names & {"sudo", "rm", "ls", "du", "df"} and not other_platform(task, given):
            return _asked(draw, task), task.command


def followed(draw: Draw, given: Exchange) -> tuple[str, list[Message]]:
    """The chat with what comes after the correction, if anything, and its kind."""
    messages, kind = turns(draw, given), given.kind
    form = draw.weighted({"end": 50, "hold": 35, "other": 22}) if given.old else draw.weighted({"end": 70, "other": 30})
    # After long options, limits and the like a later command might be meant as well: no doubtful examples.
    if (
        form == "other"
        and given.kind in ("long", "limit", "human", "ask", "verbose", "no sudo", "office time", "german", "name")
        or form == "end"
    ):
        return kind, messages
    if draw.chance(0.12):
        messages += conversation(None, *draw.pick(PASSING))
    if form == "hold":
        later = holding(draw, given)
        return (f"{kind} holds", messages + conversation(None, *later[:2])) if later else (kind, messages)
    messages += conversation(None, *unrelated(draw, given))
    if given.old and draw.chance(0.4):
        later = holding(draw, given)
        if later:
            return f"{kind} holds", messages + conversation(None, *later[:2])
    return f"{kind} then other", messages


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Chats of a request, a correction and the right answer; a third of the tool's go on."""
    table = {kind: weight for kind, (weight, _) in KINDS.items()}
    made = 0
    while made < n:
        given = exchange(draw, draw.weighted(table))
        if given:
            made += 1
            kind, messages = followed(draw, given)
            yield Document("corrections", kind, messages)


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Every kind with unseen names; tools never seen, unseen combinations; later requests in the same chat."""
    for kind in KINDS:
        for _ in range(max(4, n // 4)):
            given = exchange(draw, kind)
            if given:
                yield Case("corrections", given.kind, turns(draw, given)[:-1], given.check())
    for _ in range(n):
        given = _new_tool(draw)
        yield Case("corrections", "unseen tool", turns(draw, given)[:-1], given.check())
    for _ in range(n // 2):
        given = exchange(draw, "tool", held=True)
        if given:
            yield Case("corrections", "unseen combination", turns(draw, given)[:-1], given.check())
    for _ in range(n // 2):
        given = _new_tool(draw)
        later = holding(draw, given)
        if later:
            request, answer, _ = later
            yield Case(
                "corrections",
                "holds",
                turns(draw, given) + conversation(None, request),
                {"has": [given.new], "command": answer},
            )
        request, answer = unrelated(draw, given)
        yield Case(
            "corrections",
            "then other",
            turns(draw, given) + conversation(None, request),
            {"base": answer, "exact": [answer]},
        )


def _new_tool(draw: Draw) -> Exchange:
    """A correction to a tool whose name was never trained."""
    while True:
        given = tool(draw)
        if (
            given
            and given.new not in {name for names in lesson_tools.DROP_IN.values() for name in names.split()}
            and " " not in given.new
            and given.answer == replaced(given.first, given.old, given.new)
        ):
            return given
