"""Job: short office text: mails of one paragraph, moved meetings, changes of tone, lists, spelling, stock phrases.

Names, dates and numbers are always copied from the request. Every kind has one form of answer: no preface, no quotes.
Changes of form (dates, file names, ...) are in `office_forms`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from . import lesson_office
from .commands import FOLDER, fill, misspelt, system
from .documents import Case, Document, conversation
from .draws import Draw
from .office_forms import FORMS
from .situations import EVENTS, Said, deed, drawn, grocery, names, some, typed, withheld

MOVES = [
    "move the {e} with {who} from {when} to {when2}", "reschedule the {e} with {who} from {when} to {when2}",
    "the {e} with {who} moves from {when} to {when2}, write a note", "shift {who}'s {e} from {when} to {when2}",
    "push the {e} with {who} from {when} to {when2}", "{e} with {who}: {when2} instead of {when}",
    "postpone the {e} with {who} from {when} to {when2}", "please move my {e} with {who} from {when} to {when2}",
    "can you move the {e} with {who} from {when} to {when2}?", "new time for the {e} with {who}: {when2}, not {when}",
    "reschedule {e} {who} {when} -> {when2}", "change the {e} with {who} from {when} to {when2}",
    "mv {e} with {who} from {when} to {when2}",
    "note that the {e} with {who} is now {when2} rather than {when}",
    "bring the {e} with {who} forward from {when} to {when2}",
]  # fmt: skip
LINES = [
    "change this line to {when2}: {line}", "move this to {when2}: {line}", "{line}\nmove it to {when2}",
    "reschedule to {when2}: {line}",
    "new time {when2} for: {line}", "'{line}' is now {when2}, give me the line", "update the entry to {when2}: {line}",
    "put this on {when2}: {line}", "{line}\nnow {when2}", "shift this entry to {when2}: {line}",
    "make this {when2}: {line}",
    "rewrite with {when2}: {line}", "calendar line to {when2}: {line}",
]  # fmt: skip
RENAMES = [
    "rename {a} to {b} in this sentence: {t}", "replace {a} with {b}: {t}", "change {a} to {b} in: {t}",
    "{t}\nuse {b} instead of {a}",
    "call {a} {b} now: {t}", "{a} is now called {b}, fix this: {t}", "put {b} where it says {a}: {t}",
    "in '{t}' write {b} for {a}",
    "swap {a} for {b}: {t}", "update the name {a} to {b}: {t}", "{t}\nrename {a} to {b}",
    "s/{a}/{b}/ in this text: {t}",
]  # fmt: skip
SENTENCES = [
    "{item} is due on {day}.", "{who} sends {item} on {day}.", "we meet {who} in {place} at {time}.",
    "please send {item} to {who}.",
    "{who} and {who2} work on {item}.", "the {event} on {day} is in {place}.", "I will call {who} on {day} at {time}.",
    "{who} has read {item}.", "{amount} people come to the {event}.", "the {event} with {who} is on {day}.",
    "{item} is ready.",
    "do not forget {item} on {day}.", "{who} leads project {project}.", "project {project} ends on {long_date}.",
]  # fmt: skip
FORMAL = [
    "more formal: {t}", "make this more formal: {t}", "make it formal: {t}", "rewrite formally: {t}",
    "say this politely: {t}", "more polite: {t}",
    "formal version of: {t}", "too casual, make it formal: {t}", "put this in business language: {t}",
    "{t}\nmake that more formal",
    "how would I write this to my boss? {t}", "polish this for a customer: {t}", "write this in a formal tone: {t}",
    "förmlicher: {t}",
]  # fmt: skip
CASUAL = [
    "friendlier: {t}", "make this friendlier: {t}", "less formal: {t}", "make it casual: {t}",
    "say this to a friend: {t}", "too stiff: {t}",
    "casual version of: {t}", "too formal, loosen it: {t}", "relax this: {t}", "{t}\nmake that less formal",
    "informal please: {t}",
    "rewrite for a friend: {t}", "how would I say this in chat? {t}", "more relaxed: {t}",
]  # fmt: skip
SHORTER = [
    "shorter: {t}", "make this shorter: {t}", "shorten: {t}", "cut this down: {t}", "too long: {t}",
    "in fewer words: {t}", "say it briefly: {t}",
    "{t}\nshorter please", "tighten this: {t}", "condense: {t}", "make it brief: {t}", "get to the point: {t}",
    "trim this sentence: {t}",
]  # fmt: skip
SUBJECTS = [
    "subject line for a mail about {item}, due {day}", "subject for a mail to {who}: {item} by {day}",
    "give me a subject: {item}, {day}",
    "mail subject for {item} due on {day}", "what subject for a mail about {item} by {day}?",
    "I need a subject line, {item} until {day}",
    "write only the subject: {who} must send {item} by {day}", "title for a mail about {item} with deadline {day}",
    "subject: {item}? due {day}",
    "suggest a subject for {item} due {day}", "a good subject for asking {who} for {item} by {day}",
    "email subject about {item} ({day})",
]  # fmt: skip
LIST_FRAMES = {
    "todo": ["todo list: {i}", "make a todo list: {i}", "put on a list: {i}", "my todos are {i}",
        "list of tasks: {i}", "I have to {i}; make a list",
        "todo: {i}", "write a to-do list with {i}", "turn into a todo list: {i}", "tasks for today: {i}",
        "checklist: {i}", "remind me to {i} as a list"],
    "shopping": ["shopping list: {i}", "make a shopping list with {i}", "I need {i}, write a shopping list",
        "groceries: {i}", "list for the shop: {i}",
        "we are out of {i}, make a list", "buy list: {i}", "put {i} on a shopping list",
        "write down what to buy: {i}", "shopping: {i}",
        "einkaufsliste: {i}", "grocery list please: {i}"],
    "bullets": ["bullet points: {i}", "as bullet points: we need {i}", "turn into bullets: {i}",
        "make a bulleted list of {i}", "bullets for {i}",
        "split into bullet points: the plan has {i}", "list {i} as points", "one point each: {i}",
        "bullet list: {i}", "itemise {i}",
        "write as a list: {i}", "make points out of this: {i}"],
    "agenda": ["agenda: {i}", "make an agenda with {i}", "agenda for the meeting: {i}", "meeting agenda: {i}",
        "write an agenda: {i}", "the points are {i}, make an agenda",
        "we talk about {i}; agenda please", "numbered agenda of {i}", "agenda items: {i}",
        "put together an agenda from {i}", "numbered list: {i}", "set the agenda: {i}"],
}  # fmt: skip
SLIPS = {
    "the": "teh", "receive": "recieve", "separate": "seperate", "definitely": "definately", "tomorrow": "tommorow",
    "until": "untill",
    "which": "wich", "because": "becuase", "address": "adress", "necessary": "neccessary", "their": "thier",
    "friend": "freind",
    "meeting": "meetting", "environment": "enviroment", "occurred": "occured", "calendar": "calender",
    "success": "sucess",
    "business": "buisness", "believe": "beleive", "different": "diffrent", "please": "plase", "with": "wiht",
    "document": "documnet",
    "really": "realy", "begin": "beginn", "answer": "anwser", "schedule": "shedule", "available": "availible",
    "and": "adn",
}  # fmt: skip
SPELLED = [
    "Please send the address to {who}.", "I definitely receive the document tomorrow.",
    "The meeting with {who} is in the calendar.",
    "We believe that {who} is available on {day}.", "It is necessary to separate the two lists.",
    "I did not answer because I was ill.",
    "Please put the meeting in the schedule until {day}.", "{who} and I begin tomorrow with the new document.",
    "Which business address is it?",
    "Their friend {who} really likes the different plan.", "An error occurred in the test environment.",
    "The project was a success, please tell {who}.",
    "Please answer {who} until {day}.", "I will receive {amount} documents with the schedule.",
    "Do you believe the calendar is necessary?",
]  # fmt: skip
SPELLING = [
    "fix the spelling: {t}", "correct this: {t}", "spelling: {t}", "fix typos: {t}", "correct the typos in: {t}",
    "spell check: {t}", "{t}\nfix the spelling",
    "please correct: {t}", "is this spelled right? {t}", "proofread: {t}", "check my spelling: {t}",
    "remove the typos: {t}", "korrigiere: {t}",
]  # fmt: skip
TO_LANGUAGE = [
    "translate '{t}' to {l}", "how do you say '{t}' in {l}?", "'{t}' in {l}", "{t} in {l}", "what is '{t}' in {l}?",
    "{l} for '{t}'", "translate to {l}: {t}",
    "say '{t}' in {l}", "{l}: {t}", "in {l}, please: {t}", "how would I write '{t}' in {l}?",
    "translate into {l}: {t}", "give me '{t}' in {l}",
]  # fmt: skip
VERBS = {
    "fixed": "Fix", "added": "Add", "removed": "Remove", "renamed": "Rename", "updated": "Update", "moved": "Move",
    "changed": "Change",
    "improved": "Improve", "deleted": "Delete", "split": "Split", "cleaned up": "Clean up", "documented": "Document",
    "replaced": "Replace",
    "tested": "Test", "simplified": "Simplify", "disabled": "Disable", "enabled": "Enable", "extended": "Extend",
    "corrected": "Correct",
}  # fmt: skip
CHANGES = [
    "the crash when {w} is empty", "the {s} page", "a test for {w}", "the {w} option", "the typo in {s}",
    "the parser of {w}", "the {s} of {w}",
    "an error message for a missing {s}", "the login of {w}", "the {w} and {w2} files", "support for {ext} files",
    "the slow {s} query",
    "the default of {w} to {n}", "the name of the {s} table", "the unused {w} function", "the docs of {w}",
    "a check for {w}", "the {w} cache",
]  # fmt: skip
COMMITS = [
    "commit message: {t}", "write a commit message: I {t}", "commit message for: {t}",
    "I {t}, what is the commit message?", "commit msg for {t}",
    "we {t}; commit message please", "message for a commit where I {t}", "a commit message, {t}",
    "subject of the commit: {t}", "git message: {t}",
    "I just {t}. commit message?", "turn into a commit message: {t}", "good commit message for: {t}",
]  # fmt: skip
REPLIES = [
    "reply {y} to {who}: can you come to the {e} on {day} at {time}?",
    "answer {who} with {y}: do you have time for a {e} on {day} at {time}?",
    "{who} asks: {e} on {day} at {time}? say {y}", "{who} wants a {e} on {day} at {time}, reply {y}",
    "tell {who} {y}: {e}, {day}, {time}",
    "write back {y} to {who} about the {e} on {day} at {time}", "my answer to {who}'s {e} on {day} at {time} is {y}",
    "{y} to {who} for the {e} {day} at {time}, write the reply", "short reply to {who}, {y}, {e} on {day} at {time}",
    "respond {y} to {who}: is {day} at {time} ok for a {e}?", "{who}: '{e} {day} {time}?' answer {y}",
]  # fmt: skip
SIGNATURES = [", sign as {me}", ", signed {me}", ", my name is {me}", ", from {me}", ". I am {me}", ", sign it {me}"]
SIGN_LESSONS = [
    "sign mails with {me}", "sign as {me}", "mails are signed {me}", "my signature is {me}", "sign my mails as {me}",
    "end mails with {me}",
    "mails end with my name, {me}", "I sign with {me}",
]  # fmt: skip


def with_names(draw: Draw, text: str, **own: str) -> str:
    return fill(text, names(draw) | own)


def move(draw: Draw) -> tuple[str, str]:
    values = names(draw) | {"e": draw.pick(EVENTS)}
    return fill(draw.wording(MOVES), values), fill("The {e} with {who} moves from {when} to {when2}.", values)


def line(draw: Draw) -> tuple[str, str]:
    values = names(draw)
    entry = draw.pick(["{x}: {event} with {who}", "{x} {event} {who}", "- {x}: {event}, {place}",
        "{event} with {who}, {x}", "{x}: {deed}"])
    old, new = (fill(entry.replace("{x}", values[key]), values) for key in ("when", "when2"))
    return fill(draw.wording(LINES).replace("{line}", "\0"), values).replace("\0", old), new


def rename(draw: Draw) -> tuple[str, str]:
    """A name replaced in a given sentence, everything else kept."""
    old, new = draw.sample([draw.word(2).capitalize() for _ in range(4)] + [draw.person(), draw.person()], 2)
    own = {draw.pick(["who", "project"]): old}
    sentences = [s for s in SENTENCES if "{" + next(iter(own)) + "}" in s]
    text = _capital(with_names(draw, draw.pick(sentences), **own))
    return draw.wording(RENAMES).format(a=old, b=new, t=text), re.sub(rf"\b{re.escape(old)}\b", new, text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def _tones() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Casual and formal, then long and short."""
    text = (FOLDER / "tones.txt").read_text(encoding="utf-8").split("---\n")
    rows = [[row for row in part.splitlines() if " | " in row and row[0] != "#"] for part in text]
    return tuple([tuple(row.split(" | ")) for row in part] for part in rows)


def tone(draw: Draw) -> tuple[str, str]:
    pairs, shorter = _tones()
    values = names(draw)
    way = draw.pick(["formal", "formal", "casual", "shorter"])
    first, second = draw.pick(shorter if way == "shorter" else pairs)
    frames = {"formal": FORMAL, "casual": CASUAL, "shorter": SHORTER}[way]
    given, answer = (second, first) if way == "casual" else (first, second)
    given, answer = fill(given, values), fill(answer, values)
    return draw.wording(frames).format(t=given), answer if way == "casual" else _capital(answer)


def subject(draw: Draw) -> tuple[str, str]:
    values = names(draw)
    values["item"] = re.sub("^the ", draw.pick(["the ", ""]), values["item"])
    topic = _capital(values["item"].removeprefix("the "))
    return fill(draw.wording(SUBJECTS), values), fill("Subject: " + topic + " due {day}", values)


def listed(draw: Draw) -> tuple[str, str]:
    kind = draw.pick(list(LIST_FRAMES))
    items = []
    for _ in range(draw.number(2, 5)):
        item = {"todo": deed, "shopping": _bought}.get(kind, _point)(draw)
        items += [item] if item not in items else []
    last = draw.pick([" and ", ", ", ", and "])
    given = ", ".join(items[:-1]) + last + items[-1] if len(items) > 1 else items[0]
    marks = [f"{i}. " if kind == "agenda" else "- " for i in range(1, len(items) + 1)]
    return draw.wording(LIST_FRAMES[kind]).format(i=given), "\n".join(m + i for m, i in zip(marks, items, strict=True))


def _bought(draw: Draw) -> str:
    return f"{draw.number(2, 12)} {grocery(draw)}" if draw.chance(0.25) else grocery(draw)


def _point(draw: Draw) -> str:
    return with_names(draw, draw.pick(["{item}", "{w}", "{w} {w2}", "{amount} {w}", "{project}", "the plan for {day}",
        "news from {who}", "{topic}", "the {event}"]))


def spelling(draw: Draw) -> tuple[str, str]:
    """One or two of the usual slips put into a right sentence."""
    right = with_names(draw, draw.pick(SPELLED))
    found = [w for w in SLIPS if re.search(rf"\b{w}\b", right)]
    wrong = right
    for word in draw.sample(found, draw.number(1, 2)):
        wrong = re.sub(rf"\b{word}\b", SLIPS[word], wrong)
    wrong = misspelt(wrong, draw) if draw.chance(0.4) or wrong == right else wrong
    return draw.wording(SPELLING).format(t=wrong.rstrip(".") if draw.chance(0.2) else wrong), right


LANGUAGE_NAMES = (("English", "english", "en"), ("German", "german", "de"), ("French", "french", "fr"), ("Spanish",
    "spanish", "es"))


@cache
def _phrases() -> list[list[str]]:
    return [row.split(" | ") for row in (FOLDER / "phrases.txt").read_text(encoding="utf-8").splitlines() if row]


def phrase(draw: Draw) -> tuple[str, str]:
    """A stock phrase in another language, mostly from English."""
    row = draw.pick(_phrases())
    start = 0 if draw.chance(0.75) else draw.number(1, 3)
    if sum(other[start] == row[start] for other in _phrases()) > 1:  # "bonjour" is two phrases in English
        start = 0
    end = draw.pick([i for i in range(4) if i != start])
    return draw.wording(TO_LANGUAGE).format(t=row[start], l=draw.pick(LANGUAGE_NAMES[end][:2])), row[end]


def commit(draw: Draw) -> tuple[str, str]:
    verb = draw.pick(list(VERBS))
    change = with_names(draw, draw.pick(CHANGES), s=draw.pick(["start", "search", "user", "report", "order", "setup",
        "error"]))
    change = change.replace("a check", "the check") if verb != "added" else change
    return draw.wording(COMMITS).format(t=f"{verb} {change}"), f"{VERBS[verb]} {change}"


def reply(draw: Draw) -> tuple[str, str]:
    values = names(draw) | {"e": draw.pick(EVENTS), "y": draw.pick(["yes", "no"])}
    answers = {
        "yes": "Hi {who},\nYes, {day} at {time} suits me for the {e}.\nBest regards",
        "no": "Hi {who},\nI am sorry, but I have no time for the {e} on {day} at {time}.\nBest regards",
    }
    return fill(draw.wording(REPLIES), values), fill(answers[values["y"]], values)


def mail(draw: Draw) -> tuple[str | None, str, str]:
    """Lesson with the writer's signature (or none), request and mail."""
    if draw.chance(0.15):
        request, who, body = lesson_office.mail(draw)
        return None, request, lesson_office.letter(who, body)
    return signed(some("mails", draw), draw)


def signed(said: Said, draw: Draw) -> tuple[str | None, str, str]:
    way = draw.weighted({"plain": 70, "request": 20, "lesson": 10}) if said.language == "en" else "plain"
    me, close = draw.person(), "\nBest regards"
    if way == "plain":
        return None, said.request, said.answer.replace("{sign}", close)
    answer = said.answer.replace("{sign}", f"{close}\n{me}")
    if way == "lesson":
        return draw.wording(SIGN_LESSONS).format(me=me), said.request, answer
    return None, said.request.rstrip(".?! ") + draw.pick(SIGNATURES).format(me=me), answer


TEXTS = {
    "move": (move, 10), "line": (line, 6), "rename": (rename, 8), "tone": (tone, 12), "subject": (subject, 5),
    "list": (listed, 12),
    "spelling": (spelling, 8), "phrase": (phrase, 8), "commit": (commit, 7), "reply": (reply, 4),
}  # fmt: skip
KINDS = {"mail": 24} | {name: weight for name, (_, weight) in TEXTS.items()} | dict.fromkeys(FORMS, 4)


def written(draw: Draw, kind: str) -> tuple[str | None, str, str]:
    """A lesson (or none), a request and its answer of one kind."""
    if kind == "mail":
        return mail(draw)
    request, answer = FORMS[kind](draw) if kind in FORMS else TEXTS[kind][0](draw)
    plain = not re.search(r"[:'\n]|[-/]>", request)
    as_is = not plain or kind in ("sum", "phrase", "file name", "date form")
    return None, request if as_is else typed(request, draw), answer


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Office text of every kind."""
    for _ in range(n):
        kind = draw.weighted(KINDS)
        lesson, request, answer = written(draw, kind)
        yield Document("office", kind, conversation(system(draw, [lesson] if lesson else None), request, answer))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Unseen names in unseen wordings, kinds in turn. Mails need their names and numbers, the rest is word for word."""
    kinds, mails = list(KINDS), withheld("mails")
    for i in range(n):
        kind = kinds[i % len(kinds)]
        if kind == "mail":
            lesson, request, answer = signed(drawn(mails[i // len(kinds) % len(mails)], draw), draw)
        else:
            lesson, request, answer = written(draw, kind)
        lead = system(draw, [lesson] if lesson else None)
        check = {"command": answer} if kind == "sum" else {"exact": [answer]}
        check = {"has": _names_in(answer)} if kind == "mail" else check
        yield Case("office", kind, conversation(lead, request), check)


def _names_in(answer: str) -> list[str]:
    """The capitalised words and numbers of a mail, which it had to copy, and its close."""
    found = re.findall(r"(?<![.!?] )\b(?:[A-Z][a-z]{2,}|\d[\w:]*)", answer)
    return list(dict.fromkeys(word for word in found if word not in ("Hi", "Hello", "Thank", "Best", "You")))
