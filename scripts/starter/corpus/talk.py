"""Job: small talk, questions about chela itself, and the polite refusal of what lies outside a small model's range.

What is said and answered stands in `templates/talk.txt` and `templates/refusals.txt`: one situation, one answer, so
that the little room there is goes into recognising the situation, not into choosing between forms of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from .commands import system
from .documents import AGENT, Case, Document, conversation
from .draws import Draw
from .situations import Said, drawn, some, typed, withheld

NAME_QUESTIONS = [
    "what is my name?", "who am I?", "do you know my name?", "what's my name?", "do you remember my name?",
    "what did I say my name is?", "how am I called?", "say my name", "remember my name?", "and who am I?",
    "tell me my name", "what am I called?",
]  # fmt: skip
NAME_LESSONS = [
    "call me {who}", "my name is {who}", "the user's name is {who}", "the user is called {who}", "address me as {who}",
    "I am {who}", "call the user {who}",
]  # fmt: skip
GREETINGS = ["hello", "hi", "hey", "good morning", "hi there", "hey chela", "hello chela", "morning", "good evening",
    "howdy"]
THANKS = ["thanks", "thank you", "thx", "great, thanks", "perfect, thank you", "thanks a lot", "cheers",
    "many thanks", "ty"]


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Half talk and half refusals; some with the user's name in a lesson or said before."""
    for _ in range(n):
        source = draw.weighted({"talk": 45, "refuse": 35, "named": 8, "two turns": 12})
        if source == "named":
            yield _named(draw, draw.person())
        elif source == "two turns":
            yield _two_turns(draw)
        else:
            said = some("talk" if source == "talk" else "refusals", draw)
            yield Document("talk", _kind(source, said), conversation(system(draw), said.request, said.answer))


def _kind(source: str, said: Said) -> str:
    kind = said.kind if source == "talk" else f"refuse {said.kind}"
    return kind if said.language == "en" else f"{kind} {said.language}"


def _named(draw: Draw, who: str) -> Document:
    """The name stands in a lesson; greeting, thanks and the question after it use it."""
    lesson = draw.wording(NAME_LESSONS).format(who=who)
    question, answer = about_name(draw, who)
    return Document("talk", "name in lesson", conversation(system(draw, [lesson]), question, answer))


def about_name(draw: Draw, who: str) -> tuple[str, str]:
    """Something that is answered with the user's name."""
    form = draw.pick(["greeting", "thanks", "question", "question"])
    if form == "greeting":
        return typed(draw.wording(GREETINGS), draw), f"Hello {who}! What can I do for you?"
    if form == "thanks":
        return typed(draw.wording(THANKS), draw), f"You're welcome, {who}."
    return typed(draw.wording(NAME_QUESTIONS), draw), f"You are {who}."


def _two_turns(draw: Draw) -> Document:
    """Two things said one after the other, each answered as if it stood alone, but for the name."""
    if draw.chance(0.3):
        first = some("talk", draw, foreign=0, kinds=frozenset({"introduction"}))
        question, answer = draw.wording(NAME_QUESTIONS), f"You are {first.has[0]}."
        return Document("talk", "name said", conversation(system(draw),
            first.request, first.answer, typed(question, draw), answer))
    first, second = some("talk", draw), some(draw.pick(["talk", "talk", "refusals"]), draw)
    return Document("talk", "two turns", conversation(system(draw),
        first.request, first.answer, second.request, second.answer))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Wordings that training never says, kinds in turn; then the user's name."""
    situations = [("talk", s) for s in withheld("talk")] + [("refuse", s) for s in withheld("refusals")]
    for i in range(n - n // 8):
        source, situation = situations[i % len(situations)]
        said = drawn(situation, draw)
        messages = conversation(system(draw) or AGENT, said.request)
        yield Case("talk", _kind(source, said), messages, {"has": list(said.has) or [said.answer]})
    for _ in range(n // 8):
        who = draw.person()
        document = _named(draw, who)
        yield Case("talk", "name in lesson", document.messages[:-1], {"has": [who]})
