"""What a person does after an answer: praises, refuses, corrects with a lesson in it, asks, edits the command."""

from __future__ import annotations

from .answered import Answered, any_answer, command
from .commands import misspelt
from .directives import directive, flag, sudo, tool, value
from .draws import Draw
from .failures import failure
from .scenario import Scenario
from .shell import first, replaced
from .wordings import lists

TEXTS = lists("replies")

# Words that two requests may share and still be about different things.
COMMON = {"the", "a", "in", "of", "to", "all", "and", "for", "with"}
AFTER = ["", "", "", "", "", ".", "!", " please", " pls", ", thanks", ", please", " ok?", " thx"]


def plain(kind: str):
    """A reply of one of the lists, whose key ends with the verdict; it has no lesson."""
    key = next(key for key in TEXTS if key.rpartition(" ")[0] == kind)
    verdict = key.rpartition(" ")[2]

    def made(draw: Draw) -> Scenario:
        found = any_answer(draw)
        text = draw.wording(TEXTS[key])
        if "{more}" in text:
            other = command(draw).request.rstrip("?. ")
            text = text.replace("{more}", other[:1].lower() + other[1:])
        text = text.replace("{who}", draw.person()).replace("{w}", draw.word()).replace("{f}", draw.file())
        return Scenario(kind, found.request, found.answer, "user", _typed(draw, text), verdict)

    return made


def _typed(draw: Draw, text: str) -> str:
    """How the same words are typed: small letters, no full stop, a slip, more marks."""
    form = draw.weighted({"as is": 62, "lower": 14, "upper": 2, "marks": 8, "slip": 4, "capital": 10})
    if form == "lower" and " " in text and not any(mark in text for mark in "/_`-"):
        return text[:1].lower() + text[1:].rstrip(".")
    if form == "upper" and len(text) < 14:
        return text.upper()
    if form == "marks" and text[-1:].isalpha() and len(text) < 40:
        return text + draw.pick(["!", "!!", ".", "...", "!!!", " :)"] if not text.endswith("?") else ["?"])
    if form == "slip":
        return misspelt(text, draw)
    return text[:1].upper() + text[1:] if form == "capital" and text[:1].isalpha() else text


def corrected(draw: Draw) -> Scenario:
    """A correction that says what to do: bare, behind a "no", behind praise, or deep inside politeness."""
    while True:
        found = any_answer(draw)
        made = directive(draw, found)
        if made:
            break
    kind, text, lesson = made
    way = draw.weighted({"bare": 38, "no": 28, "but": 20, "polite": 14})
    if way == "bare":
        text = text + draw.pick(AFTER) if not text.endswith("?") else text
        text = text[:1].upper() + text[1:] if draw.chance(0.25) and kind == "fixed" else text
    elif way == "no":
        text = _framed(draw, "no frame", text) + (draw.pick(AFTER) if not text.endswith("?") else "")
    elif way == "but":
        text = _framed(draw, "but frame", text)
    else:
        text = _framed(draw, "polite frame", text).replace("?.", "?").replace("??", "?")
    return Scenario(f"{kind}, {way}", found.request, found.answer, "user", text, "bad", lesson)


def _framed(draw: Draw, frames: str, text: str) -> str:
    frame = draw.wording(TEXTS[frames]).replace("{p}", draw.person())
    return frame.replace("{c}", text)


def asked_again(draw: Draw) -> Scenario:
    """The same request once more, as it stood or in other words."""
    found = any_answer(draw)
    again = draw.pick(found.again) if found.again and draw.chance(0.6) else found.request
    text = draw.wording(TEXTS["again frame"]).replace("{r}", again.rstrip("!"))
    return Scenario("asked again", found.request, found.answer, "user", text, "bad")


def unrelated(draw: Draw) -> Scenario:
    """A request about something else: it says nothing about the answer."""
    found = any_answer(draw)
    while True:
        other = any_answer(draw)
        shared = set(other.request.lower().split()) & set(found.request.lower().split())
        if other.answer != found.answer and not shared - COMMON:
            return Scenario("unrelated", found.request, found.answer, "user", other.request, "unclear")


def quoted_error(draw: Draw) -> Scenario:
    """A person pastes what the command printed when it failed."""
    while True:
        found = failure(draw)
        if found.request and len(found.output) < 160:
            text = draw.wording(TEXTS["quoted frame"]).replace("{e}", found.output)
            return Scenario("quoted error", found.request, found.command, "user", text, "bad", found.lesson)


def kept(draw: Draw) -> Scenario:
    """The user runs the command as it was suggested."""
    found = command(draw)
    return Scenario("kept", found.request, found.answer, "edit", found.answer, "good")


def edited(draw: Draw) -> Scenario:
    """The user runs the command with one change: another program, another value, an option, sudo."""
    while True:
        found = command(draw)
        kind = draw.weighted({"tool": 35, "value": 30, "flag": 20, "sudo": 15})
        made = {"tool": tool, "value": value, "flag": flag, "sudo": sudo}[kind](draw, found)
        text = _applied(found, kind, made[1]) if made else None
        if text and text != found.answer:
            return Scenario(f"edited {kind}", found.request, found.answer, "edit", text, "bad", made[1])


def _applied(found: Answered, kind: str, lesson: str) -> str | None:
    """The answer changed as a lesson says."""
    answer, program = found.answer, first(found.answer)
    if lesson == "do not use sudo":
        return answer.removeprefix("sudo ")
    if kind == "sudo":
        return f"sudo {answer}" if answer.split()[0] == program else None
    if kind == "flag":
        option = lesson.removeprefix("do not ").split()[1]
        if lesson.startswith("do not"):
            return answer.replace(f" {option}", "", 1)
        return answer.replace(program, f"{program} {option}", 1)
    new, old = lesson.removeprefix("use ").split(" instead of ")
    if kind == "tool":
        return replaced(answer, old, new)
    return answer.replace(old, new, 1) if answer.count(old) == 1 else None


def ran_other(draw: Draw) -> Scenario:
    """The user runs a command that has nothing to do with the suggested one."""
    while True:
        found, other = command(draw), command(draw)
        if first(found.answer) != first(other.answer) and not set(found.answer.split()) & set(other.answer.split()):
            return Scenario("ran other", found.request, found.answer, "edit", other.answer, "unclear")
