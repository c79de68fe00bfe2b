"""Requests with answers that may be praised or corrected: commands, short office answers, tool calls, page steps, code.

Each comes with the values in its answer that may be wrong, and how another value of the same kind is drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .commands import fill, task, varied
from .draws import EXTENSIONS, FOLDERS, STEMS, Draw
from .shell import first, utilities

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
TIMES = "8am 9am 10am 11am 3am 3pm 2pm 4pm 5pm 8:30 9:15 10:45 14:00 15:30 16:00 18:00 noon".split()
CITIES = "Bern Oslo Paris Rome Berlin Madrid Lima Dublin Vienna Lisbon Prague Cairo Zurich Delhi".split()


@dataclass
class Answered:
    """A request and its answer. `values`: those in the answer that a correction may change, each with a new one."""

    request: str
    answer: str
    area: str
    values: list[tuple[str, str]] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


OFFICE_SLOTS: dict[str, Callable[[Draw], str]] = {
    "P": lambda d: d.person(), "T": lambda d: d.pick(TIMES), "D": lambda d: d.pick(DAYS), "Q": lambda d: f"Q{d.number(1, 4)}",
    "N": lambda d: str(d.number(2, 99)), "R": lambda d: f"{d.pick('ABCDEF')}{d.number(1, 40)}", "F": lambda d: d.file(),
    "W": lambda d: d.word(), "C": lambda d: d.pick(CITIES),
}  # fmt: skip
OFFICE = [
    ("move the meeting with {P} to {T}", "The meeting with {P} is now at {T}."),
    ("reschedule the call with {P} to {D}", "The call with {P} is now on {D}."),
    ("book room {R} for {D} {T}", "Room {R} is booked for {D}, {T}."),
    ("write a short mail to {P}: the {W} invoice is late", "Hi {P},\nthe {W} invoice is late.\nBest regards"),
    ("mail {P} that I will be there at {T}", "Hi {P},\nI will be there at {T}.\nBest regards"),
    ("tell {P} that the report comes on {D}", "Hi {P},\nthe report comes on {D}.\nBest regards"),
    ("title for the {Q} report", "Report {Q}"),
    ("rename {F} so that it says {Q}", "mv {F} {Q}-{F}"),
    ("a name for the file with the {Q} figures", "{Q}-figures.csv"),
    ("remind me on {D} to call {P}", "Reminder: call {P} on {D}."),
    ("remind me at {T} to pay the {W} bill", "Reminder at {T}: pay the {W} bill."),
    ("order {N} chairs for {C}", "Ordered: {N} chairs for {C}."),
    ("invite {P} to lunch on {D}", "Hi {P},\nwould you like to have lunch on {D}?\nBest regards"),
    ("say thanks to {P} for the {W} slides", "Hi {P},\nthank you for the {W} slides.\nBest regards"),
    ("summarize {F} in one sentence", "{F} lists the {W} sales of {Q}."),
    ("what is in {F}?", "{F} holds the {W} figures for {Q}."),
    ("apologize to {P} for the delay", "Hi {P},\nsorry for the delay.\nBest regards"),
    ("translate 'good morning' for {P}", "Good morning, {P}."),
    ("plan a trip to {C} on {D}", "Trip to {C} on {D}, departure at {T}."),
    ("invoice {P} for {N} hours", "Invoice for {P}: {N} hours."),
    ("Termin mit {P} auf {T} verschieben", "Der Termin mit {P} ist jetzt um {T}."),
    ("déplace le rendez-vous avec {P} à {T}", "Le rendez-vous avec {P} est à {T}."),
    ("mueve la reunión con {P} a las {T}", "La reunión con {P} es a las {T}."),
    ("how do I see hidden files?", "Use ls -a, it also lists names that begin with a dot."),
    ("explain {W} to me", "{W} is a small program that sorts lines."),
]
REST = [
    ("create_invoice", {"customer": "P", "amount": "N"}, "invoice {P} over {N} euros"),
    ("book_room", {"room": "R", "day": "D"}, "book room {R} on {D}"),
    ("send_message", {"to": "P", "text": "W"}, "send {W} to {P}"),
    ("get_weather", {"city": "C"}, "weather in {C}"),
    ("create_ticket", {"title": "W", "assignee": "P"}, "open a ticket {W} for {P}"),
    ("add_event", {"title": "W", "day": "D", "time": "T"}, "add {W} on {D} at {T}"),
    ("order_items", {"item": "W", "count": "N"}, "order {N} {W}"),
    ("{W}_create", {"name": "P", "{W}_id": "N"}, "create {W} number {N} for {P}"),
    ("{W}_update", {"id": "N", "status": "W"}, "set {N} to {W}"),
]  # fmt: skip
PAGE = [
    ("log in", 'click {i}'), ("send the form", 'click {i}'), ("accept the terms", 'click {i}'), ("search for {W}", 'type {i} "{W}"'),
    ("enter {P} as the name", 'type {i} "{P}"'), ("open the settings", "click {i}"), ("go to checkout", "click {i}"),
    ("set the date to {D}", 'type {i} "{D}"'), ("book a table for {N}", 'type {i} "{N}"'), ("subscribe with {P}@example.com", 'type {i} "{P}@example.com"'),
    ("delete the draft {W}", "click {i}"), ("put {W} into the basket", "click {i}"), ("sign up as {P}", 'type {i} "{P}"'),
]  # fmt: skip
CODE = [
    ("make test_{w} pass", "{k}:     return a + b"), ("fix the off-by-one in {w}", "{k}:     for i in range(n):"),
    ("fix {w}", "{k}:     if not {w}:"), ("{w} crashes on an empty list", "{k}:     return items[0] if items else None"),
    ("repair the failing test of {w}", "{k}:     return {w}.strip()"), ("test_{w} fails, fix it", "{k}:     total += {w}"),
    ("fix the comparison in {w}", "{k}:     if {w} >= limit:"), ("{w}() returns the wrong sign", "{k}:     return -{w}"),
]  # fmt: skip


def command(draw: Draw) -> Answered:
    """A command task with the names in it that also stand in the request."""
    for _ in range(50):
        found = task(draw)
        if len(found.command) < 110 and "\n" not in found.command and first(found.command):
            break
    again = []
    if found.template:
        again = [fill(text, found.slots) for text in found.template.wordings]
    request = varied(found.request, draw) if found.template else found.request
    return Answered(request, found.command, "command", _values(draw, found.request, found.command), again)


def _values(draw: Draw, request: str, text: str) -> list[tuple[str, str]]:
    """Words of the command that the request names, each with another of its kind."""
    found, programs = [], set(utilities(text))
    for word in dict.fromkeys(re.findall(r"(?<![\w./~*'\"{$-])[\w./~][\w./~-]*(?![\w*/\"'}])", text)):
        if word in programs or word.startswith("-") or len(word) < 2 and not word.isdigit() or not re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w/-])", request):
            continue
        new = _other(draw, word)
        if new and new != word and not (text.count(word) > 1 and len(word) < 4):
            found.append((word, new))
    return found


def _other(draw: Draw, word: str) -> str | None:
    """Another value of the same kind: a number, a file, a folder, a name."""
    if word.isdigit():
        return str(draw.number(1, 99)) if len(word) < 3 else str(draw.number(100, 9999))
    ending = word.rpartition(".")[2]
    if "." in word[1:] and ending in EXTENSIONS:
        return f"{draw.name()}.{ending if draw.chance(0.7) else draw.pick(EXTENSIONS)}"
    if "/" in word or word in FOLDERS:
        return draw.folder()
    if ending == word and re.fullmatch(r"[a-z][\w-]+", word) and (word in STEMS or draw.chance(0.5)):
        return draw.word()
    return None


def _office_values(draw: Draw, shown: dict[str, str], text: str) -> list[tuple[str, str]]:
    found = []
    for slot, value in shown.items():
        new = OFFICE_SLOTS[slot](draw)
        if slot != "W" and value in text and new != value:
            found.append((value, new))
    return found


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w)\}", lambda match: values.get(match.group(1), match.group()), text)


def office(draw: Draw) -> Answered:
    request, answer = draw.pick(OFFICE)
    shown = {slot: make(draw) for slot, make in OFFICE_SLOTS.items()}
    used = {slot: value for slot, value in shown.items() if f"{{{slot}}}" in answer}
    return Answered(_filled(request, shown), _filled(answer, shown), "office", _office_values(draw, used, _filled(answer, shown)))


def rest(draw: Draw) -> tuple[Answered, dict[str, str]]:
    """A tool call as the model writes it, and its arguments."""
    name, fields, request = draw.pick(REST)
    shown = {slot: make(draw) for slot, make in OFFICE_SLOTS.items()}
    arguments = {_filled(key, shown): shown[slot] for key, slot in fields.items()}
    used = {slot: shown[slot] for slot in fields.values()}
    typed = {key: int(value) if value.isdigit() and draw.chance(0.7) else value for key, value in arguments.items()}
    answer = json.dumps({"name": _filled(name, shown), "arguments": typed}, ensure_ascii=False)
    return Answered(_filled(request, shown), answer, "tool", _office_values(draw, used, answer)), arguments


def page(draw: Draw) -> Answered:
    request, step = draw.pick(PAGE)
    shown = {slot: make(draw) for slot, make in OFFICE_SLOTS.items()} | {"i": str(draw.number(1, 60))}
    return Answered(_filled(request, shown), _filled(step, shown), "page")


def code(draw: Draw) -> Answered:
    request, line = draw.pick(CODE)
    shown = {"w": draw.word(), "k": str(draw.number(1, 14))}
    return Answered(_filled(request, shown), _filled(line, shown), "code")


def any_answer(draw: Draw) -> Answered:
    """Something that a person would reply to: mostly a command."""
    area = draw.weighted({"command": 66, "office": 22, "tool": 5, "page": 3, "code": 4})
    if area == "tool":
        return rest(draw)[0]
    return {"command": command, "office": office, "page": page, "code": code}[area](draw)
