"""What every conversation about tools shares: its situation, its opening, and lessons that do not matter in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import tool_errors
from .commands import system
from .documents import Message
from .draws import Draw
from .interfaces import Field, Interface, others, value


@dataclass
class Situation:
    """A conversation about tools, up to the answer that is due, and that answer: a call, or words."""

    tools: list[dict]
    messages: list[Message]
    call: dict | None = None
    words: str = ""
    then: list[Message] = field(default_factory=list)
    check: dict = field(default_factory=dict)


def call(name: str, given: dict, learn: bool = True) -> Message:
    return Message("assistant", "", [{"type": "function", "function": {"name": name, "arguments": given}}], learn)


def opening(draw: Draw, text: str, lessons: list[str] | None = None) -> list[Message]:
    """The system's message, if any, and the user's."""
    first = system(draw, lessons)
    return [*([Message("system", first)] if first else []), Message("user", text)]


def definitions(draw: Draw, tool: Interface, low: int = 0, high: int = 3) -> list[dict]:
    """The tool among others, in any order."""
    return [t.definition() for t in draw.shuffled([tool, *others(draw, tool, draw.number(low, high))])]


def after(draw: Draw, tool: Interface, share: float = 0.4) -> list[Message]:
    """A success and the short sentence for it, now and then with thanks between."""
    if not draw.chance(share):
        return []
    result, sentence = tool_errors.success(draw, tool)
    return [Message("tool", result), Message("assistant", sentence)]


def function(tool: Interface, given: dict) -> dict:
    return {"name": tool.name, "arguments": given}


def unlisted(draw: Draw, tool: Interface) -> tuple[Field, object, str] | None:
    """A field that the definition does not have, and a phrase with its value."""
    name = draw.pick(
        [
            f"{draw.word(2)}_id",
            draw.word(2),
            "customer_id",
            "order_id",
            "reason",
            "reference",
            "department",
            "cost_center",
            "vat_id",
            "locale",
        ]
    )
    if name in [f.name for f in tool.fields]:
        return None
    f = Field(name, "id" if name.endswith("_id") else "word", (), True)
    exact, said = value(draw, f)
    phrase = draw.pick(["{n} {v}", "{n}: {v}", "({n} {v})", "the {n} is {v}", "{n} is {v}"]).format(
        n=name.replace("_", " ") if draw.chance(0.5) else name, v=said
    )
    return f, exact, phrase


# Lessons, here because they also stand where they do not apply.

WHEN = [
    "use {f} {v} for {w}", "anything about {w} has {f} {v}", "for {w}, set {f} to {v}", "{w} means {f} {v}",
    "if it is for {w}, {f} is {v}", "{w} always gets {f} {v}",
    "set {f} to {v} when {w} is named", "{f} {v} for {w}", "when {w} comes up, use {f} {v}",
    "with {w}, {f} must be {v}",
]  # fmt: skip
PREFER = [
    "use {a}, not {b}", "use {a} instead of {b}", "never use {b}, use {a}", "prefer {a} to {b}",
    "{b} is retired, use {a}", "{a} replaces {b}", "for a {n} call {a}",
    "{b} is broken, take {a}", "we moved from {b} to {a}", "call {a} rather than {b}",
]  # fmt: skip
KNOWS = [
    "{w}'s {f} is {v}",
    "the {f} of {w} is {v}",
    "{w}: {f} {v}",
    "{w} has {f} {v}",
    "{f} of {w} = {v}",
    "{w} goes by {f} {v}",
    "for {w} the {f} is {v}",
    "{w} = {f} {v}",
]


ELSEWHERE = ["for {t} use {f} {v}", "{t}: {f} = {v}", "in {t} set {f} to {v}", "pass {f} {v} with {t}"]
ORDINARY = [
    "call me {w}", "use {w} instead of {x}", "keep answers short", "project {w} lives in ~/src/{x}",
    "the {w} server is {x}.local", "my editor is {w}", "always add --{w} to {x}", "use long options", "never use sudo",
    "my shell is fish",
]  # fmt: skip


def irrelevant(draw: Draw, share: float = 1.0, tool: Interface | None = None) -> list[str] | None:
    """Lessons about tools, fields and matters that are not at hand: hardest with a field of `tool` for another."""
    if not draw.chance(share):
        return None
    return [_unrelated(draw, tool) for _ in range(draw.pick([1, 1, 2, 3]))]


def _unrelated(draw: Draw, tool: Interface | None) -> str:
    """One such lesson."""
    field_name = draw.pick(tool.fields).name if tool and draw.chance(0.4) else draw.word(2)
    names = {
        "t": f"{draw.word(2)}_{draw.word(1)}",
        "f": field_name,
        "v": draw.pick([draw.word(), str(draw.number(1, 99))]),
        "a": f"{draw.word(2)}_{draw.word(1)}",
        "b": f"{draw.word(2)}_{draw.word(1)}",
        "n": draw.word(2),
        "w": draw.word(2),
        "x": draw.word(),
    }
    return draw.wording(draw.pick([ELSEWHERE, WHEN, PREFER, KNOWS, ["{t} needs {f}"], ORDINARY])).format(**names)
