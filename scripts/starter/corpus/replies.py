"""What a person does after an answer: praise, refusal, a correction with a lesson in it, a question, an edited command."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .answered import Answered, any_answer, command
from .commands import misspelt
from .directives import directive, flag, sudo, tool, value
from .draws import Draw
from .failures import failure
from .scenario import Scenario
from .shell import first, parses, replaced

FILE = Path(__file__).parent / "templates" / "replies.txt"

NO = ["no, ", "no, ", "nope, ", "no - ", "No, ", "no. ", "wrong, ", "wrong. ", "not that, ", "nah, ", "sorry, ", "hm, no: ", "no!! ", "that's wrong, ", "not quite, ", "almost, but ", "close, but ", "nein, ", "non, ", "no no, ", "stop, ", "ugh, "]
BUT = [
    "great, but ", "thanks, but ", "nice, but ", "good, but ", "perfect, but ", "ok but ", "thank you, but ", "looks good, but ", "well done, but ", "almost perfect, but ", "I like it, but ",
    "works, but ", "good start, but ", "cool, just ", "thanks! only one thing: ", "nice work. one thing: ", "great, one change: ", "lovely, except: ", "not bad, but ", "yes, but ", "danke, aber ", "merci, mais ", "gracias, pero ",
    "sehr gut, nur ", "good job, however ", "exactly, but next time ", "awesome, but in future ", "fine, but from now on ", "great work, next time ", "it works, still: ",
]  # fmt: skip
POLITE = [
    ("Thank you so much for your help, I really appreciate it. One small thing: ", ". Have a lovely day!"),
    ("This is very good work and I am quite happy with it overall. Just one wish for next time: ", ". Thanks a lot!"),
    ("Hi! I hope that you don't mind my asking, you have been wonderful so far: ", "."),
    ("I know that you mean well and you are usually right, so please don't take this the wrong way. ", ". Thank you very much."),
    ("That was quick, impressive! I showed it to {p} and we both liked it. We would only ask you for this: ", "."),
    ("Sorry for being so picky, it is nearly perfect and I like the rest very much. ", ". Many thanks in advance!"),
    ("Great, thank you! You really saved my day with this. For the future, though: ", ". Best, {p}"),
    ("First of all, thanks for all the good answers today. About this one: ", ". Otherwise it is wonderful."),
    ("Vielen Dank, das ist wirklich toll und hat mir sehr geholfen. Nur eine Kleinigkeit: ", ". Liebe Grüße"),
    ("Merci beaucoup pour votre aide, c'est vraiment très gentil. Juste une chose : ", ". Bonne journée !"),
    ("Muchas gracias por la ayuda, es estupendo. Solo una cosa: ", ". ¡Un saludo!"),
    ("I really like where this is going. Would you be so kind and note this: ", "? Thank you!"),
    ("You are doing a great job, honestly. My colleague {p} only pointed out the following: ", ". Cheers"),
    ("Lovely, as always. If it is not too much trouble, ", ". Thanks so much."),
]
AFTER = ["", "", "", "", "", ".", "!", " please", " pls", ", thanks", ", please", " ok?", " thx"]
AGAIN = ["{r}", "{r}", "I said: {r}", "again: {r}", "{r}!", "{r}!!", "I asked: {r}", "no, {r}", "please, {r}", "once more: {r}", "my question was: {r}", "I repeat: {r}", "{r}, that was the question", "what I asked: {r}", "try again: {r}", "nochmal: {r}", "let me say it again: {r}", "you did not answer. {r}", "just {r}", "hello? {r}"]
QUOTED = ["{e}", "it says: {e}", "I get {e}", "that gives {e}", "didn't work: {e}", "error: {e}", "no: {e}", "fails: {e}", "I got this: {e}", "thanks, but now: {e}", "hm, {e}", "{e}\n??", "my terminal says {e}", "does not work, {e}", "da kommt {e}", "j'obtiens : {e}", "me sale: {e}"]


@cache
def _lists() -> dict[str, tuple[str, list[str]]]:
    """The lists of the file: verdict and texts by kind."""
    found, texts = {}, []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            kind, verdict = line[2:].rsplit(" ", 1)
            texts = []
            found[kind] = (verdict, texts)
        elif line and not line.startswith("#"):
            texts.append(line)
    return found


def plain(kind: str):
    """A reply of one of the lists; it has no lesson."""

    def made(draw: Draw) -> Scenario:
        found = any_answer(draw)
        verdict, texts = _lists()[kind]
        text = draw.wording(texts)
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
        text = draw.wording(NO) + text + (draw.pick(AFTER) if not text.endswith("?") else "")
    elif way == "but":
        text = draw.wording(BUT) + text
    else:
        before, after = draw.pick(POLITE)
        text = f"{before}{text}{after}".replace("{p}", draw.person()).replace("?.", "?").replace("??", "?")
    return Scenario(f"{kind}, {way}", found.request, found.answer, "user", text, "bad", lesson)


def asked_again(draw: Draw) -> Scenario:
    """The same request once more, as it stood or in other words."""
    found = any_answer(draw)
    again = draw.pick(found.again) if found.again and draw.chance(0.6) else found.request
    text = draw.wording(AGAIN).format(r=again.rstrip("!")) if "{" not in again else again
    return Scenario("asked again", found.request, found.answer, "user", text, "bad")


def unrelated(draw: Draw) -> Scenario:
    """A request about something else: it says nothing about the answer."""
    found = any_answer(draw)
    while True:
        other = any_answer(draw)
        if other.answer != found.answer and not set(other.request.lower().split()) & (set(found.request.lower().split()) - {"the", "a", "in", "of", "to", "all"}):
            return Scenario("unrelated", found.request, found.answer, "user", other.request, "unclear")


def quoted_error(draw: Draw) -> Scenario:
    """A person pastes what the command printed when it failed."""
    while True:
        found = failure(draw)
        if found.request and len(found.output) < 160:
            text = draw.wording(QUOTED).format(e=found.output)
            return Scenario("quoted error", found.request, found.command, "user", text, "bad", found.lesson)


def kept(draw: Draw) -> Scenario:
    """The user runs the command as it was suggested."""
    found = command(draw)
    text = found.answer if draw.chance(0.8) else found.answer.replace('"', "'") if "'" not in found.answer else found.answer + " "
    return Scenario("kept", found.request, found.answer, "edit", text.rstrip(), "good")


def edited(draw: Draw) -> Scenario:
    """The user runs the command with one change: another program, another value, an option, sudo."""
    while True:
        found = command(draw)
        kind = draw.weighted({"tool": 35, "value": 30, "flag": 20, "sudo": 15})
        made = {"tool": tool, "value": value, "flag": flag, "sudo": sudo}[kind](draw, found)
        text = _applied(found, kind, made[1]) if made else None
        if text and text != found.answer and parses(text):
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
