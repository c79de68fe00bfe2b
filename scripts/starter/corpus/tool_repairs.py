"""Calls that were refused: mended from what the refusal says, asked about, tried again, or given up."""

from __future__ import annotations

from . import tool_errors
from .documents import Message
from .draws import Draw
from .interfaces import MAKING, Interface, arguments, interface, request
from .tool_situations import Situation, after, call, definitions, function, irrelevant, opening, unlisted


def repaired(draw: Draw) -> Situation:
    """The call again after a refusal, with what the refusal asks for."""
    while True:
        tool = interface(draw)
        given, said = arguments(draw, tool, 0.9)
        mend = draw.pick(
            [_forgotten, _not_in_definition, _type, _choice, _date, _renamed, _token, _again, _given_up, _asks]
        )
        found = mend(draw, tool, given, said)
        if found:
            return found


def _refused(
    draw: Draw,
    tool: Interface,
    text: str,
    sent: dict,
    error: str,
    right: dict | None,
    words: str = "",
    lessons: list[str] | None = None,
) -> Situation:
    messages = [*opening(draw, text, lessons), call(tool.name, sent, learn=False), Message("tool", error)]
    check = {} if right is not None else {"exact": [words]}
    return Situation(definitions(draw, tool, 0, 1), messages, None if right is None else function(tool, right), words,
                     after(draw, tool, 0.3) if right is not None else [], check)  # fmt: skip


def _forgotten(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """A field was left out though the request has its value."""
    name = draw.pick(list(given))
    sent = {k: v for k, v in given.items() if k != name}
    return _refused(draw, tool, request(draw, tool, said), sent, tool_errors.missing(draw, name, tool.noun), given)


def _not_in_definition(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """The service wants a field that its definition does not list; the request has it."""
    found = unlisted(draw, tool)
    if not found:
        return None
    f, exact, phrase = found
    return _refused(
        draw,
        tool,
        request(draw, tool, said, [phrase]),
        given,
        tool_errors.missing(draw, f.name, tool.noun),
        given | {f.name: exact},
    )


def _asks(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """The service wants a value that nobody gave."""
    found = unlisted(draw, tool)
    if not found:
        return None
    name = found[0].name
    return _refused(
        draw, tool, request(draw, tool, said), given, tool_errors.missing(draw, name, tool.noun), None, f"Which {name}?"
    )


def _type(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    numbers = [f for f in tool.fields if f.name in given and f.type in ("integer", "number", "boolean")]
    if not numbers:
        return None
    f = draw.pick(numbers)
    wrong: object = str(given[f.name]).lower() if draw.chance(0.7) else [given[f.name]]
    got = "string" if isinstance(wrong, str) else "array"
    return _refused(
        draw, tool, request(draw, tool, said), given | {f.name: wrong}, tool_errors.wrong_type(draw, f, got), given
    )


def _choice(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    choices = [f for f in tool.fields if f.name in given and f.values]
    if not choices:
        return None
    f = draw.pick(choices)
    wrong = (
        said[f.name]
        if said[f.name] not in f.values
        else draw.pick([str(given[f.name]) + "s", str(given[f.name]).swapcase(), "very " + str(given[f.name])])
    )
    return (
        _refused(
            draw,
            tool,
            request(draw, tool, said),
            given | {f.name: wrong},
            tool_errors.wrong_value(draw, f, wrong),
            given,
        )
        if wrong not in f.values
        else None
    )


def _date(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    dates = [f for f in tool.fields if f.name in given and f.holds == "date"]
    if not dates:
        return None
    name = draw.pick(dates).name
    year, month, day = str(given[name]).split("-")
    wrong = draw.pick(
        [f"{day}.{month}.{year}", f"{month}/{day}/{year}", f"{day}/{month}/{year}", f"{year}{month}{day}"]
    )
    return _refused(
        draw,
        tool,
        request(draw, tool, said),
        given | {name: wrong},
        draw.wording(tool_errors.WRONG_DATE).format(f=name, v=wrong),
        given,
    )


def _renamed(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    name = draw.pick(list(given))
    wrong = draw.pick([name + "s", name.replace("_", ""), name + "_name", name.upper(), draw.word(2)])
    if wrong in given:
        return None
    sent = {(wrong if k == name else k): v for k, v in given.items()}
    return _refused(
        draw, tool, request(draw, tool, said), sent, draw.wording(tool_errors.UNKNOWN).format(f=name, w=wrong), given
    )


def _token(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """A token is wanted: a lesson or the request has it, or nobody has."""
    token = draw.word(3) + str(draw.number(10, 999))
    error = draw.wording(tool_errors.NO_TOKEN).replace("{{", "{").replace("}}", "}")
    where = draw.pick(["lesson", "lesson", "request", "nowhere"])
    if where == "nowhere":
        return _refused(
            draw, tool, request(draw, tool, said), given, error, None, "Which token?", irrelevant(draw, 0.3)
        )
    lesson = draw.wording(["the token for {t} is {k}", "the api token is {k}", "use token {k}", "token: {k}",
        "when a token is asked for, pass {k}", "my token is {k}",
                           "{t} needs token {k}", "our access token is {k}",
                           "log in to the api with token {k}"]).format(t=tool.name, k=token)  # fmt: skip
    lessons = draw.shuffled([lesson, *(irrelevant(draw, 0.4) or [])]) if where == "lesson" else None
    text = request(
        draw,
        tool,
        said,
        None
        if where == "lesson"
        else [draw.pick(["token {k}", "with token {k}", "(token: {k})", "my token is {k}"]).format(k=token)],
    )
    return _refused(draw, tool, text, given, error, given | {"token": token}, lessons=lessons)


def _again(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """A failure that passes: the same call once more; the second time it is reported."""
    error = draw.wording(tool_errors.PASSING).replace("{{", "{").replace("}}", "}")
    found = _refused(draw, tool, request(draw, tool, said), given, error, given)
    if draw.chance(0.3):
        found.messages += [call(tool.name, given), Message("tool", error)]
        found.call, found.words, found.then = None, f"Failed twice: {error}", []
        found.check = {"exact": [found.words]}
    return found


def _given_up(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    values = {"n": tool.noun, "v": next(iter(said.values())).strip("\"'"), "b": tool.verb}
    # What is only being made cannot be missing.
    fitting = [pair for pair in tool_errors.FINAL if tool.verb not in MAKING or "{v}" not in pair[1]]
    error, reason = (text.format(**values) for text in draw.pick(fitting))
    return _refused(draw, tool, request(draw, tool, said), given, error, None, f"Failed: {reason}.")
