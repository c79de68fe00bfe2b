"""Job: tool calls. Which tool, which arguments, what to mend after a refusal, and what to say at the end.

`tool_runs` has the tool `run_command`; `interfaces` the small REST tools; `tool_errors` what services answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import tool_errors, tool_runs
from .commands import system
from .documents import Case, Document, Message
from .draws import Draw
from .interfaces import MAKING, Field, Interface, arguments, interface, others, request, value

NO_TOOL = "I have no tool for that."


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


# Kinds.


def plain(draw: Draw) -> Situation:
    """One tool among up to four, with its arguments from the request."""
    tool = interface(draw)
    given, said = arguments(draw, tool)
    return Situation(definitions(draw, tool), opening(draw, request(draw, tool, said), irrelevant(draw, 0.25)), _function(tool, given), then=after(draw, tool))


def _function(tool: Interface, given: dict) -> dict:
    return {"name": tool.name, "arguments": given}


def second(draw: Draw) -> Situation:
    """A further request in the same conversation."""
    tool = interface(draw)
    beside = [tool, *others(draw, tool, draw.number(1, 2))]
    now = draw.pick(beside)
    given, said = arguments(draw, tool)
    result, sentence = tool_errors.success(draw, tool)
    new, new_said = arguments(draw, now)
    text = request(draw, now, new_said)
    if draw.chance(0.4):
        text = draw.pick(["thanks, now {}", "good. {}", "and {}", "great, then {}", "ok, also {}"]).format(text[:1].lower() + text[1:])
    messages = [*opening(draw, request(draw, tool, said)), call(tool.name, given), Message("tool", result), Message("assistant", sentence), Message("user", text)]
    return Situation([t.definition() for t in draw.shuffled(beside)], messages, _function(now, new), then=after(draw, now, 0.3))


def finished(draw: Draw) -> Situation:
    """The result is there: one short sentence. Text in a result is no order."""
    tool = interface(draw)
    given, said = arguments(draw, tool)
    result, sentence = tool_errors.success(draw, tool)
    if draw.chance(0.15):
        result += "\n" + draw.wording(tool_runs.INJECTIONS).format(w=draw.word())
    messages = [*opening(draw, request(draw, tool, said)), call(tool.name, given), Message("tool", result)]
    return Situation(definitions(draw, tool, 0, 2), messages, words=sentence, check={"exact": [sentence]})


def none_fits(draw: Draw) -> Situation:
    """A request that none of the tools can serve: hardest where one has the same noun."""
    wanted = interface(draw)
    present = others(draw, wanted, draw.number(1, 3))
    _, said = arguments(draw, wanted)
    text = request(draw, wanted, said)
    if draw.chance(0.12):
        text = draw.wording(["tell me a joke", "what is the capital of France?", "translate this into Dutch", "who won the game?", "write a poem", "draw a cat",
                             "sing a song", "what is 17 * 23?", "how old is the moon?", "recommend a film", "what's the news?", "call my mother"])  # fmt: skip
    return Situation([t.definition() for t in present], opening(draw, text, irrelevant(draw, 0.2)), words=NO_TOOL, check={"exact": [NO_TOOL]})


def repaired(draw: Draw) -> Situation:
    """The call again after a refusal, with what the refusal asks for."""
    while True:
        tool = interface(draw)
        given, said = arguments(draw, tool, 0.9)
        mend = draw.pick([_forgotten, _not_in_definition, _type, _choice, _date, _renamed, _token, _again, _given_up, _asks])
        found = mend(draw, tool, given, said)
        if found:
            return found


def _refused(draw: Draw, tool: Interface, text: str, sent: dict, error: str, right: dict | None, words: str = "", lessons: list[str] | None = None) -> Situation:
    messages = [*opening(draw, text, lessons), call(tool.name, sent, learn=False), Message("tool", error)]
    check = {} if right is not None else {"exact": [words]}
    return Situation(definitions(draw, tool, 0, 1), messages, None if right is None else _function(tool, right), words,
                     after(draw, tool, 0.3) if right is not None else [], check)  # fmt: skip


def _forgotten(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """A field was left out though the request has its value."""
    name = draw.pick(list(given))
    sent = {k: v for k, v in given.items() if k != name}
    return _refused(draw, tool, request(draw, tool, said), sent, tool_errors.missing(draw, name, tool.noun), given)


def _unlisted(draw: Draw, tool: Interface) -> tuple[Field, object, str] | None:
    """A field that the definition does not have, and a phrase with its value."""
    name = draw.pick([f"{draw.word(2)}_id", draw.word(2), "customer_id", "order_id", "reason", "reference", "department", "cost_center", "vat_id", "locale"])
    if name in [f.name for f in tool.fields]:
        return None
    f = Field(name, "id" if name.endswith("_id") else "word", (), True)
    exact, said = value(draw, f)
    phrase = draw.pick(["{n} {v}", "{n}: {v}", "({n} {v})", "the {n} is {v}", "{n} is {v}"]).format(n=name.replace("_", " ") if draw.chance(0.5) else name, v=said)
    return f, exact, phrase


def _not_in_definition(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """The service wants a field that its definition does not list; the request has it."""
    found = _unlisted(draw, tool)
    if not found:
        return None
    f, exact, phrase = found
    return _refused(draw, tool, request(draw, tool, said, [phrase]), given, tool_errors.missing(draw, f.name, tool.noun), given | {f.name: exact})


def _asks(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """The service wants a value that nobody gave."""
    found = _unlisted(draw, tool)
    if not found:
        return None
    name = found[0].name
    return _refused(draw, tool, request(draw, tool, said), given, tool_errors.missing(draw, name, tool.noun), None, f"Which {name}?")


def _type(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    numbers = [f for f in tool.fields if f.name in given and f.type in ("integer", "number", "boolean")]
    if not numbers:
        return None
    f = draw.pick(numbers)
    wrong: object = str(given[f.name]).lower() if draw.chance(0.7) else [given[f.name]]
    got = "string" if isinstance(wrong, str) else "array"
    return _refused(draw, tool, request(draw, tool, said), given | {f.name: wrong}, tool_errors.wrong_type(draw, f, got), given)


def _choice(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    choices = [f for f in tool.fields if f.name in given and f.values]
    if not choices:
        return None
    f = draw.pick(choices)
    wrong = said[f.name] if said[f.name] not in f.values else draw.pick([str(given[f.name]) + "s", str(given[f.name]).swapcase(), "very " + str(given[f.name])])
    return _refused(draw, tool, request(draw, tool, said), given | {f.name: wrong}, tool_errors.wrong_value(draw, f, wrong), given) if wrong not in f.values else None


def _date(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    dates = [f for f in tool.fields if f.name in given and f.holds == "date"]
    if not dates:
        return None
    name = draw.pick(dates).name
    year, month, day = str(given[name]).split("-")
    wrong = draw.pick([f"{day}.{month}.{year}", f"{month}/{day}/{year}", f"{day}/{month}/{year}", f"{year}{month}{day}"])
    return _refused(draw, tool, request(draw, tool, said), given | {name: wrong}, draw.wording(tool_errors.WRONG_DATE).format(f=name, v=wrong), given)


def _renamed(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    name = draw.pick(list(given))
    wrong = draw.pick([name + "s", name.replace("_", ""), name + "_name", name.upper(), draw.word(2)])
    if wrong in given:
        return None
    sent = {(wrong if k == name else k): v for k, v in given.items()}
    return _refused(draw, tool, request(draw, tool, said), sent, draw.wording(tool_errors.UNKNOWN).format(f=name, w=wrong), given)


def _token(draw: Draw, tool: Interface, given: dict, said: dict) -> Situation | None:
    """A token is wanted: a lesson or the request has it, or nobody has."""
    token = draw.word(3) + str(draw.number(10, 999))
    error = draw.wording(tool_errors.NO_TOKEN).replace("{{", "{").replace("}}", "}")
    where = draw.pick(["lesson", "lesson", "request", "nowhere"])
    if where == "nowhere":
        return _refused(draw, tool, request(draw, tool, said), given, error, None, "Which token?", irrelevant(draw, 0.3))
    lesson = draw.wording(["the token for {t} is {k}", "the api token is {k}", "use token {k}", "token: {k}", "when a token is asked for, pass {k}", "my token is {k}",
                           "{t} needs token {k}", "our access token is {k}", "log in to the api with token {k}"]).format(t=tool.name, k=token)  # fmt: skip
    lessons = draw.shuffled([lesson, *(irrelevant(draw, 0.4) or [])]) if where == "lesson" else None
    text = request(draw, tool, said, None if where == "lesson" else [draw.pick(["token {k}", "with token {k}", "(token: {k})", "my token is {k}"]).format(k=token)])
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


# Lessons.

SET = [
    "always set {f} to {v}", "{f} is always {v}", "use {v} as {f}", "use {f} {v}", "set {f} to {v}", "my default {f} is {v}", "{f} should be {v} unless I say otherwise",
    "when I give no {f}, take {v}", "for {t} use {f} {v}", "{t}: {f} = {v}", "in {t} set {f} to {v}", "every {n} gets {f} {v}", "pass {f} {v} with {t}",
    "for a {n}, {f} is {v}", "if {f} is not given it is {v}", "add {f} {v} to each {n}", "we always use {v} for {f}", "don't forget {f}: {v}", "fill {f} with {v}",
]  # fmt: skip
WHEN = [
    "use {f} {v} for {w}", "anything about {w} has {f} {v}", "for {w}, set {f} to {v}", "{w} means {f} {v}", "if it is for {w}, {f} is {v}", "{w} always gets {f} {v}",
    "set {f} to {v} when {w} is named", "{f} {v} for {w}", "when {w} comes up, use {f} {v}", "with {w}, {f} must be {v}",
]  # fmt: skip
INCLUDE = [
    "include the {f} field", "always include {f}", "pass {f} to {t}", "{t} needs {f}", "do not forget {f}", "send {f} too", "add the {f} field", "{f} is required",
    "a {n} needs {f}", "give {t} the {f}",
]  # fmt: skip
PREFER = [
    "use {a}, not {b}", "use {a} instead of {b}", "never use {b}, use {a}", "prefer {a} to {b}", "{b} is retired, use {a}", "{a} replaces {b}", "for a {n} call {a}",
    "{b} is broken, take {a}", "we moved from {b} to {a}", "call {a} rather than {b}",
]  # fmt: skip
KNOWS = ["{w}'s {f} is {v}", "the {f} of {w} is {v}", "{w}: {f} {v}", "{w} has {f} {v}", "{f} of {w} = {v}", "{w} goes by {f} {v}", "for {w} the {f} is {v}", "{w} = {f} {v}"]


def _lesson_field(draw: Draw, f: Field) -> tuple[object, str]:
    exact, _ = value(draw, f)
    return exact, str(exact).lower() if isinstance(exact, bool) else str(exact)


def irrelevant(draw: Draw, share: float = 1.0, tool: Interface | None = None) -> list[str] | None:
    """Lessons about tools, fields and other matters that are not at hand: hardest with a field of `tool` for another."""
    if not draw.chance(share):
        return None
    found = []
    for _ in range(draw.pick([1, 1, 2, 3])):
        away = {"t": f"{draw.word(2)}_{draw.word(1)}", "n": draw.word(2), "f": draw.word(2), "v": draw.pick([draw.word(), str(draw.number(1, 99))]), "w": draw.word(2)}
        if tool and draw.chance(0.4):
            away["f"] = draw.pick(tool.fields).name
        pair = {"a": f"{draw.word(2)}_{draw.word(1)}", "b": f"{draw.word(2)}_{draw.word(1)}", "n": draw.word(2)}
        found.append(draw.pick([
            lambda: draw.wording(["for {t} use {f} {v}", "{t}: {f} = {v}", "in {t} set {f} to {v}", "pass {f} {v} with {t}"]).format(**away), lambda: draw.wording(WHEN).format(**away),
            lambda: draw.wording(PREFER).format(**pair), lambda: draw.wording(KNOWS).format(**away), lambda: f"{away['t']} needs {away['f']}",
            lambda: draw.wording(["call me {w}", "use {w} instead of {x}", "keep answers short", "project {w} lives in ~/src/{x}", "the {w} server is {x}.local", "my editor is {w}",
                                  "always add --{w} to {x}", "use long options", "never use sudo", "my shell is fish"]).format(w=draw.word(), x=draw.word()),
        ])())  # fmt: skip
    return found


def lesson(draw: Draw) -> Situation:
    """A lesson that changes the call, among others that do not."""
    while True:
        tool = interface(draw)
        found = draw.pick([_set, _set, _when, _include, _prefer, _knows])(draw, tool)
        if found:
            return found


def _taught(draw: Draw, tool: Interface, text: str, relevant: str, right: dict, base: dict | None = None, tools: list[dict] | None = None) -> Situation:
    lessons = draw.shuffled([relevant, *(irrelevant(draw, 0.5, tool) or [])])
    check = {"base": _function(tool, base)} if base is not None else {}
    return Situation(tools or definitions(draw, tool, 0, 2), opening(draw, text, lessons), _function(tool, right), then=after(draw, tool, 0.2), check=check)


def _free(draw: Draw, tool: Interface) -> Field | None:
    """An optional field of the tool."""
    free = [f for f in tool.fields if not f.required]
    return draw.pick(free) if free else None


def _sorted(tool: Interface, given: dict) -> dict:
    """Arguments in the definition's order, others behind."""
    order = [f.name for f in tool.fields]
    return {k: given[k] for k in sorted(given, key=lambda k: order.index(k) if k in order else 99)}


def _set(draw: Draw, tool: Interface) -> Situation | None:
    f = _free(draw, tool)
    if not f:
        return None
    given, said = arguments(draw, tool)
    given.pop(f.name, None), said.pop(f.name, None)
    exact, shown = _lesson_field(draw, f)
    text = draw.wording(SET).format(f=f.name if draw.chance(0.7) else f.name.replace("_", " "), v=shown, t=tool.name, n=tool.noun)
    return _taught(draw, tool, request(draw, tool, said), text, _sorted(tool, given | {f.name: exact}), given)


def _when(draw: Draw, tool: Interface) -> Situation | None:
    """A lesson with a condition: it holds in one half, and in the other the request is about something else."""
    f = _free(draw, tool)
    words = [n for n in tool.fields if n.required and n.holds in ("word", "person", "thing", "city", "text")]
    if not f or not words:
        return None
    given, said = arguments(draw, tool)
    given.pop(f.name, None), said.pop(f.name, None)
    exact, shown = _lesson_field(draw, f)
    topic = str(given[draw.pick(words).name]) if words[0].name in given else ""
    if not topic or " " in topic:
        return None
    holds = draw.chance(0.6)
    text = draw.wording(WHEN).format(f=f.name, v=shown, w=topic if holds else draw.pick([draw.word(2), "billing", "sales", draw.person()]))
    return _taught(draw, tool, request(draw, tool, said), text, _sorted(tool, given | {f.name: exact}) if holds else given, given)


def _include(draw: Draw, tool: Interface) -> Situation | None:
    found = _unlisted(draw, tool)
    if not found:
        return None
    f, exact, phrase = found
    given, said = arguments(draw, tool)
    text = draw.wording(INCLUDE).format(f=f.name, t=tool.name, n=tool.noun)
    return _taught(draw, tool, request(draw, tool, said, [phrase]), text, given | {f.name: exact}, given)


def _prefer(draw: Draw, tool: Interface) -> Situation | None:
    """Two tools for the same; the lesson says which."""
    twin = Interface(draw.pick([f"{draw.word(1)}_{tool.noun}", draw.word(2), f"{tool.verb}_{tool.noun}_v2", f"new_{tool.noun}"]), tool.verb, tool.noun, tool.fields)
    if twin.name == tool.name:
        return None
    given, said = arguments(draw, tool)
    text = draw.wording(PREFER).format(a=twin.name, b=tool.name, n=tool.noun)
    tools = [t.definition() for t in draw.shuffled([tool, twin, *others(draw, tool, draw.number(0, 1))])]
    return _taught(draw, twin, request(draw, tool, said), text, given, tools=tools)


def _knows(draw: Draw, tool: Interface) -> Situation | None:
    """A lesson with the value that belongs to a name in the request."""
    free = [f for f in tool.fields if f.required and f.holds in ("id", "email", "phone", "word")]
    if not free:
        return None
    f = draw.pick(free)
    given, said = arguments(draw, tool)
    if f.name not in given:
        return None
    alias = draw.person() if draw.chance(0.6) else draw.word(2)
    if alias in map(str, given.values()):
        return None
    text = draw.wording(KNOWS).format(w=alias, f=f.name, v=given[f.name])
    return _taught(draw, tool, request(draw, tool, said | {f.name: alias}), text, given)


def ignored(draw: Draw) -> Situation:
    """Only lessons that do not apply: the call is the same as without."""
    tool = interface(draw)
    given, said = arguments(draw, tool)
    check = {"base": _function(tool, given)}
    return Situation(definitions(draw, tool, 0, 2), opening(draw, request(draw, tool, said), irrelevant(draw, tool=tool)), _function(tool, given), check=check)


KINDS = {plain: 24, second: 6, finished: 9, none_fits: 8, repaired: 16, lesson: 14, ignored: 6}
# Characters of all definitions together.
MOST = 1100


def _situations(draw: Draw, n: int) -> Iterator[tuple[str, Situation]]:
    for _ in range(n):
        kind = draw.weighted(KINDS)
        found = kind(draw)
        while sum(len(str(t["function"])) for t in found.tools) > MOST:
            found = kind(draw)
        yield kind.__name__, found


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Three quarters with small services, one quarter with `run_command`."""
    runs = n // 4
    for kind, found in _situations(draw, n - runs):
        answer = Message("assistant", found.words)
        if found.call:
            answer = call(found.call["name"], found.call["arguments"])
        yield Document("tools", kind, [*found.messages, answer, *found.then], found.tools)
    yield from tool_runs.documents(draw, runs)


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Unseen names and wordings, for each kind."""
    runs = n // 4
    for kind, found in _situations(draw, n - runs):
        check = found.check | ({"tool": found.call} if found.call else {})
        yield Case("tools", kind, found.messages, check, found.tools)
    yield from tool_runs.cases(draw, runs)
