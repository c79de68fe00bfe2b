"""Lessons about talk and short office text: the user's name, the language, tone, signature, dates and the clock."""

from __future__ import annotations

from .draws import PEOPLE, Draw
from .lesson_words import Example, said

NAME = [
    "call me {n}", "my name is {n}", "the user is called {n}", "call the user {n}", "the user's name is {n}",
    "address me as {n}", "I am {n}",
    "you can call me {n}", "greet me as {n}", "say {n} to me", "name: {n}", "I go by {n}", "please call me {n}",
    "it's {n}, by the way", "the name is {n}",
    "ich heiße {n}", "nenn mich {n}", "je m'appelle {n}",
]  # fmt: skip
LANGUAGE = {
    "de": ["answer in German", "talk German to me", "speak German", "please answer in German", "German please",
        "greet me in German", "auf Deutsch bitte", "antworte auf Deutsch", "sprich Deutsch"],
    "fr": ["answer in French", "talk French to me", "speak French", "please answer in French", "French please",
        "greet me in French", "en français s'il te plaît", "réponds en français"],
    "es": ["answer in Spanish", "talk Spanish to me", "speak Spanish", "please answer in Spanish", "Spanish please",
        "greet me in Spanish", "en español por favor", "responde en español"],
}  # fmt: skip
PHRASES = [
    (["hello", "hi", "hey", "good morning", "hi there", "good evening", "hello chela", "hey chela", "morning"],
     {"en": "Hello! What can I do for you?", "de": "Hallo! Was kann ich tun?", "fr": "Bonjour ! Que puis-je faire ?",
         "es": "¡Hola! ¿Qué puedo hacer?"}),
    (["thanks", "thank you", "thx", "many thanks", "thanks a lot", "great, thanks", "ty", "cheers"],
     {"en": "You're welcome.", "de": "Gern geschehen.", "fr": "De rien.", "es": "De nada."}),
    (["bye", "goodbye", "see you", "see you later", "good night", "see you tomorrow", "bye bye"],
     {"en": "Bye! See you soon.", "de": "Tschüss! Bis bald.", "fr": "Au revoir ! À bientôt.",
         "es": "¡Adiós! Hasta pronto."}),
]  # fmt: skip
SIGN = [
    "sign mails with {n}",
    "sign my mails as {n}",
    "my signature is {n}",
    "mails end with my name, {n}",
    "put {n} under my mails",
    "I sign with {n}",
    "signature: {n}",
    "letters are signed {n}",
]
FORMAL = [
    "be formal",
    "formal tone in mails",
    "write formally",
    "no first-name style, be formal",
    "use a formal tone",
    "mails must be formal",
    "keep it formal",
    "formal letters please",
    "always the formal greeting",
]
DATES = [
    "write dates as 31.12.2026", "dates like 31.12.2026", "use German dates, 31.12.2026", "date format: 31.12.2026",
    "dates as DD.MM.YYYY", "day first in dates, with dots",
    "I want dates as DD.MM.YYYY", "format dates like 31.12.2026",
]  # fmt: skip
CLOCK = [
    "24-hour clock",
    "use the 24-hour clock",
    "no am or pm",
    "times as 15:00, not 3 pm",
    "write times in 24-hour form",
    "never write am or pm",
    "24h times please",
    "use 24-hour times",
]
MONTHS = "January February March April May June July August September October November December".split()
THINGS = "invoice report rent contract tax form draft offer order payment review survey application".split()
EVENTS = "meeting;call;review;lunch;interview;training;demo;appointment;workshop;team meeting;dentist".split(";")
NEWS = [
    ("I will be late today", "I will be late today."), ("the meeting is cancelled", "the meeting is cancelled."),
    ("the report is done", "the report is done."),
    ("I am ill", "I am ill today."), ("the order has arrived", "the order has arrived."), ("I need the slides by {d}",
        "I need the slides by {d}."),
    ("the call moves to {d}", "the call moves to {d}."), ("the invoice is paid", "the invoice is paid."),
    ("I will call on {d}", "I will call on {d}."),
    ("the server is back", "the server is back."), ("the draft is in {f}", "the draft is in {f}."),
    ("we meet in room {k}", "we meet in room {k}."),
]  # fmt: skip
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday".split()


def _person(draw: Draw) -> str:
    return draw.pick(PEOPLE) if draw.chance(0.4) else draw.word().capitalize()


def _told(draw: Draw, wordings: list[str], **values: str) -> str:
    return said(draw, draw.wording(wordings), values, stop=False)


def name(draw: Draw) -> Example:
    who = _person(draw)
    told, form = _told(draw, NAME, n=who), draw.pick(["hello", "thanks", "bye", "question"])
    if form == "question":
        asked = draw.wording(
            [
                "what is my name?",
                "who am I?",
                "do you know my name?",
                "what's my name?",
                "how am I called?",
                "say my name",
            ]
        )
        return Example("name", [told], asked, f"You are {who}.", has=[who], shell=False)
    requests, answers = PHRASES[["hello", "thanks", "bye"].index(form)]
    plain = answers["en"]
    answer = {
        "hello": f"Hello {who}! What can I do for you?",
        "thanks": f"You're welcome, {who}.",
        "bye": f"Bye, {who}! See you soon.",
    }[form]
    return Example("name", [told], _typed(draw, draw.wording(requests)), answer, plain, [who], shell=False)


def _typed(draw: Draw, text: str) -> str:
    return text.capitalize() if draw.chance(0.3) else text + draw.pick(["", "", "!", "."])


def language(draw: Draw) -> Example:
    tongue = draw.pick(sorted(LANGUAGE))
    requests, answers = draw.pick(PHRASES)
    return Example(
        "language",
        [_told(draw, LANGUAGE[tongue])],
        _typed(draw, draw.wording(requests)),
        answers[tongue],
        answers["en"],
        [answers[tongue]],
        shell=False,
    )


def mail(draw: Draw) -> tuple[str, str, str]:
    """A request for a mail, whom it goes to, and the sentence in it."""
    who, (asked, sentence) = _person(draw), draw.pick(NEWS)
    values = {"d": draw.pick(WEEKDAYS), "f": draw.file(), "k": str(draw.number(1, 40))}
    frames = [
        "write {n} a mail that {a}",
        "mail {n} that {a}",
        "tell {n} by mail that {a}",
        "a short mail to {n}: {a}",
        "write to {n}: {a}",
        "mail to {n}, {a}",
        "draft a mail to {n}: {a}",
        "let {n} know by mail that {a}",
    ]
    body = sentence.format(**values)
    return draw.wording(frames).format(n=who, a=asked.format(**values)), who, body[:1].upper() + body[1:]


def letter(who: str, body: str, formal: bool = False, signed: str = "") -> str:
    """The one form of mail that is written: greeting, a sentence, the end."""
    end = "Kind regards" if formal else "Best regards"
    return f"{'Dear' if formal else 'Hi'} {who},\n{body}\n{end}" + (f"\n{signed}" if signed else "")


def signature(draw: Draw) -> Example:
    asked, who, body = mail(draw)
    me = _person(draw)
    return Example(
        "signature",
        [_told(draw, SIGN, n=me)],
        asked,
        letter(who, body, signed=me),
        letter(who, body),
        [me],
        shell=False,
    )


def tone(draw: Draw) -> Example:
    asked, who, body = mail(draw)
    return Example(
        "tone",
        [_told(draw, FORMAL)],
        asked,
        letter(who, body, formal=True),
        letter(who, body),
        [f"Dear {who}"],
        shell=False,
    )


def dates(draw: Draw) -> Example:
    day, month, year, thing = draw.number(1, 28), draw.number(1, 12), draw.number(2024, 2029), draw.pick(THINGS)
    given = draw.pick(
        [f"{year}-{month:02}-{day:02}", f"{MONTHS[month - 1]} {day}, {year}", f"{day} {MONTHS[month - 1]} {year}"]
    )
    asked = draw.wording(
        [
            "note that the {t} is due on {g}",
            "write a note: {t} due {g}",
            "reminder: the {t} is due on {g}",
            "one sentence: the {t} is due {g}",
            "write down that the {t} is due on {g}",
            "note: {t} due {g}",
        ]
    )
    wanted = f"{day:02}.{month:02}.{year}"
    return Example(
        "dates",
        [_told(draw, DATES)],
        asked.format(t=thing, g=given),
        f"The {thing} is due on {wanted}.",
        f"The {thing} is due on {given}.",
        [wanted],
        shell=False,
    )


def clock(draw: Draw) -> Example:
    hour, minute, event, day = (
        draw.number(1, 11),
        draw.pick(["", "", ":15", ":30", ":45"]),
        draw.pick(EVENTS),
        draw.pick(WEEKDAYS),
    )
    half = draw.pick(["am", "pm"])
    given = f"{hour}{minute} {half}"
    asked = draw.wording(
        [
            "note: {e} on {w} at {g}",
            "write a note that the {e} is on {w} at {g}",
            "reminder for the {e}, {w} {g}",
            "one line for the calendar: {e} {w} {g}",
            "write down: {e}, {w} at {g}",
            "remind the team of the {e} on {w} at {g}",
        ]
    )
    wanted = f"{hour + (12 if half == 'pm' else 0):02}{minute or ':00'}"
    event = event[:1].upper() + event[1:]
    return Example(
        "clock",
        [_told(draw, CLOCK)],
        asked.format(e=event.lower(), w=day, g=given),
        f"{event} on {day} at {wanted}.",
        f"{event} on {day} at {given}.",
        [wanted],
        shell=False,
    )


KINDS = {"name": name, "language": language, "signature": signature, "tone": tone, "dates": dates, "clock": clock}
