"""Lessons that change a call: a value, a field, which tool; and lessons that change nothing."""

from __future__ import annotations

from .draws import Draw
from .interfaces import Field, Interface, arguments, interface, others, request, value
from .tool_situations import KNOWS, PREFER, WHEN, Situation, after, definitions, function, irrelevant, opening, unlisted

SET = [
    "always set {f} to {v}", "{f} is always {v}", "use {v} as {f}", "use {f} {v}", "set {f} to {v}",
    "my default {f} is {v}", "{f} should be {v} unless I say otherwise",
    "when I give no {f}, take {v}", "for {t} use {f} {v}", "{t}: {f} = {v}", "in {t} set {f} to {v}",
    "every {n} gets {f} {v}", "pass {f} {v} with {t}",
    "for a {n}, {f} is {v}", "if {f} is not given it is {v}", "add {f} {v} to each {n}", "we always use {v} for {f}",
    "don't forget {f}: {v}", "fill {f} with {v}",
]  # fmt: skip
INCLUDE = [
    "include the {f} field", "always include {f}", "pass {f} to {t}", "{t} needs {f}", "do not forget {f}",
    "send {f} too", "add the {f} field", "{f} is required",
    "a {n} needs {f}", "give {t} the {f}",
]  # fmt: skip


def _lesson_field(draw: Draw, f: Field) -> tuple[object, str]:
    exact, _ = value(draw, f)
    return exact, str(exact).lower() if isinstance(exact, bool) else str(exact)


def lesson(draw: Draw) -> Situation:
    """A lesson that changes the call, among others that do not."""
    while True:
        tool = interface(draw)
        found = draw.pick([_set, _set, _when, _include, _prefer, _knows])(draw, tool)
        if found:
            return found


def _taught(
    draw: Draw,
    tool: Interface,
    text: str,
    relevant: str,
    right: dict,
    base: dict | None = None,
    tools: list[dict] | None = None,
) -> Situation:
    lessons = draw.shuffled([relevant, *(irrelevant(draw, 0.5, tool) or [])])
    check = {"base": function(tool, base)} if base is not None else {}
    return Situation(
        tools or definitions(draw, tool, 0, 2),
        opening(draw, text, lessons),
        function(tool, right),
        then=after(draw, tool, 0.2),
        check=check,
    )


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
    text = draw.wording(SET).format(
        f=f.name if draw.chance(0.7) else f.name.replace("_", " "), v=shown, t=tool.name, n=tool.noun
    )
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
    text = draw.wording(WHEN).format(
        f=f.name, v=shown, w=topic if holds else draw.pick([draw.word(2), "billing", "sales", draw.person()])
    )
    return _taught(
        draw, tool, request(draw, tool, said), text, _sorted(tool, given | {f.name: exact}) if holds else given, given
    )


def _include(draw: Draw, tool: Interface) -> Situation | None:
    found = unlisted(draw, tool)
    if not found:
        return None
    f, exact, phrase = found
    given, said = arguments(draw, tool)
    text = draw.wording(INCLUDE).format(f=f.name, t=tool.name, n=tool.noun)
    return _taught(draw, tool, request(draw, tool, said, [phrase]), text, given | {f.name: exact}, given)


def _prefer(draw: Draw, tool: Interface) -> Situation | None:
    """Two tools for the same; the lesson says which."""
    twin = Interface(
        draw.pick([f"{draw.word(1)}_{tool.noun}", draw.word(2), f"{tool.verb}_{tool.noun}_v2", f"new_{tool.noun}"]),
        tool.verb,
        tool.noun,
        tool.fields,
    )
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
    check = {"base": function(tool, given)}
    return Situation(
        definitions(draw, tool, 0, 2),
        opening(draw, request(draw, tool, said), irrelevant(draw, tool=tool)),
        function(tool, given),
        check=check,
    )
