"""Job: tool calls. Which tool, which arguments, what to mend after a refusal, and what to say at the end.

`tool_runs` has the tool `run_command`; `interfaces` the small REST tools; `tool_errors` what services answer;
`tool_repairs` and `tool_lessons` the calls after a refusal and by a lesson.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import tool_errors, tool_runs
from .documents import Case, Document, Message
from .draws import Draw
from .interfaces import arguments, interface, others, request
from .tool_lessons import ignored, lesson
from .tool_repairs import repaired
from .tool_situations import Situation, after, call, definitions, function, irrelevant, opening

NO_TOOL = "I have no tool for that."


def plain(draw: Draw) -> Situation:
    """One tool among up to four, with its arguments from the request."""
    tool = interface(draw)
    given, said = arguments(draw, tool)
    return Situation(
        definitions(draw, tool),
        opening(draw, request(draw, tool, said), irrelevant(draw, 0.25)),
        function(tool, given),
        then=after(draw, tool),
    )


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
        text = draw.pick(["thanks, now {}", "good. {}", "and {}", "great, then {}", "ok, also {}"]).format(
            text[:1].lower() + text[1:]
        )
    messages = [
        *opening(draw, request(draw, tool, said)),
        call(tool.name, given),
        Message("tool", result),
        Message("assistant", sentence),
        Message("user", text),
    ]
    return Situation(
        [t.definition() for t in draw.shuffled(beside)], messages, function(now, new), then=after(draw, now, 0.3)
    )


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
        text = draw.wording(["tell me a joke", "what is the capital of France?", "translate this into Dutch",
            "who won the game?", "write a poem", "draw a cat",
                             "sing a song", "what is 17 * 23?", "how old is the moon?", "recommend a film",
                             "what's the news?", "call my mother"])  # fmt: skip
    return Situation(
        [t.definition() for t in present],
        opening(draw, text, irrelevant(draw, 0.2)),
        words=NO_TOOL,
        check={"exact": [NO_TOOL]},
    )


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
