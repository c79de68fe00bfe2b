"""Situations: what people say, and the one answer to it, read from the tables `templates/NAME.txt`.

A block of a table, blocks parted by an empty line; lines beginning with # are comments:

    @ greeting                      the kind
    ? chela                         words that a right answer holds (substrings); without it, the whole answer
    = Hello! What can I do?         the answer; `\\n` is a line break
    - hello                         wordings, one of which is said
    de= Hallo!                      the answer in German, French, Spanish
    de: guten Tag                   wordings in that language

Slots in braces are those of `commands.slots` and of `names` below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from .commands import FOLDER, LANGUAGES, fill, misspelt, slots
from .draws import STEMS, Draw, is_for_test

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
GERMAN_DAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag")
FRENCH_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi")
SPANISH_DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
COUNTRIES = (
    "France Germany Spain Italy Brazil Japan Kenya Norway Chile Canada India Egypt Peru Poland Turkey Mexico Sweden "
    "Vietnam Ghana Portugal Australia Iceland Morocco Nepal"
).split()
CITIES = (
    "Berlin Paris London Madrid Rome Tokyo Oslo Lima Cairo Delhi Vienna Prague Boston Dublin Lisbon Seoul Zurich "
    "Hamburg Lyon Sevilla Warsaw Athens"
).split()
TOPICS = (
    "quantum physics,photosynthesis,black holes,the French Revolution,climate change,the stock market,relativity,"
    "dinosaurs,the Roman Empire,inflation,volcanoes,the human brain,bitcoin,philosophy,evolution,the moon landing,"
    "the Cold War,opera,gravity,penguins,the Renaissance,vaccines,solar energy,jazz,chess,football,cooking,love,"
    "the ocean,medieval castles,artificial intelligence,the history of tea,world peace,whales,glaciers"
).split(",")
THINGS = (
    "report,poster,contract,invoice,draft,protocol,budget,schedule,offer,survey,agenda,login,photo,summary,drawing,"
    "test result,sales report,project plan,press release,travel form,expense report,order form,guest list,user list"
).split(",")
PLACES = (
    "room 4,room 12,the big room,the office,the library,the main hall,the café,the lab,building B,the kitchen,Zoom,"
    "room 301,the meeting room,the canteen"
).split(",")
REASONS = (
    "I am ill,my train is late,I am on holiday,I have another meeting,the server is down,I have a doctor's appointment,"
    "I am travelling,I have a deadline,my child is sick,I am moving house,the tests still fail,the data is not ready"
).split(",")
EVENTS = (
    "meeting,call,lunch,workshop,review,party,dinner,standup,demo,training,planning,retro,kickoff,check-in"
).split(",")


@dataclass(frozen=True)
class Situation:
    """One thing that people say, in many wordings, and its answer, by language (`en`, `de`, `fr`, `es`)."""

    kind: str
    has: tuple[str, ...]
    wordings: dict[str, tuple[str, ...]] = field(hash=False)
    answers: dict[str, str] = field(hash=False)

    def languages(self) -> list[str]:
        return [name for name in ("en", *LANGUAGES) if name in self.answers]


@dataclass(frozen=True)
class Said:
    """A situation come to pass: what is said, and the answer."""

    kind: str
    request: str
    answer: str
    has: tuple[str, ...]
    language: str


@cache
def table(name: str) -> tuple[Situation, ...]:
    """The situations of `templates/NAME.txt`, in order."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(_situation(block, name) for block in re.split(r"\n\s*\n", text) if block.strip())


def _situation(block: str, where: str) -> Situation:
    kind, has = "", ()
    wordings: dict[str, list[str]] = {}
    answers: dict[str, str] = {}
    for line in block.strip().splitlines():
        mark, _, text = line.strip().partition(" ")
        if mark == "@":
            kind = text
        elif mark == "?":
            has = tuple(text.split(", "))
        elif mark == "-":
            wordings.setdefault("en", []).append(text)
        elif mark == "=":
            answers["en"] = text.replace("\\n", "\n")
        elif mark[:-1] in LANGUAGES and mark.endswith(":"):
            wordings.setdefault(mark[:-1], []).append(text)
        elif mark[:-1] in LANGUAGES and mark.endswith("="):
            answers[mark[:-1]] = text.replace("\\n", "\n")
        else:
            raise ValueError(f"{where}: a line begins with {mark!r}: {line}")
    if not kind or set(wordings) != set(answers):
        raise ValueError(f"{where}: a block without kind, or wordings without answer: {block}")
    return Situation(kind, has, {k: tuple(v) for k, v in wordings.items()}, answers)


def drawn(situation: Situation, draw: Draw, language: str = "en") -> Said:
    """A situation with fresh names, said as people type."""
    if language not in situation.answers:
        language = situation.languages()[0]
    values = names(draw)
    request = fill(draw.wording(list(situation.wordings[language])), values)
    request = typed(request, draw) if language == "en" else request
    has = tuple(fill(word, values) for word in situation.has)
    return Said(situation.kind, request, fill(situation.answers[language], values), has, language)


def some(name: str, draw: Draw, foreign: float = 0.12, kinds: frozenset[str] | None = None) -> Said:
    """A situation of a table: the kind is drawn first, so that kinds with many situations do not crowd out others."""
    found = [s for s in table(name) if kinds is None or s.kind in kinds]
    if draw.chance(foreign):
        language = draw.pick(LANGUAGES)
        found = [s for s in found if language in s.answers] or found
    else:
        language = "en"
    kind = draw.pick(list(dict.fromkeys(s.kind for s in found)))
    return drawn(draw.pick([s for s in found if s.kind == kind]), draw, language)


def withheld(name: str) -> list[Situation]:
    """The situations with at least one English wording that training never says."""
    return [
        s for s in table(name)
        if len(s.wordings.get("en", ())) >= 4 and any(is_for_test(w) for w in s.wordings["en"])
    ]  # fmt: skip


def typed(text: str, draw: Draw) -> str:
    """A sentence as people type it: capital or not, final stop or not, now and then a slip."""
    if draw.chance(0.45) and not text.startswith("I "):
        text = text[:1].lower() + text[1:]
    elif draw.chance(0.2) and re.match(r"[a-z]{3,} [a-z]+\b(?![./])", text) and not re.match(r"git|chmod|sudo", text):
        text = text[:1].upper() + text[1:]
    if draw.chance(0.35):
        text = text.rstrip(".?!") or text
    elif draw.chance(0.1) and text[-1:].isalpha() and not re.search(r"[./~\n]", text):
        text += draw.pick([".", "!", ".", " please"]) if not text.endswith(("thanks", "please")) else "."
    return misspelt(text, draw) if draw.chance(0.05) and not re.search(r"[:'\"`]", text) else text


def names(draw: Draw) -> dict[str, str]:
    """The slots of commands, and those of sentences."""
    week, foreign = draw.sample(range(7), 2), draw.number(0, 5)
    thing, thing2 = (_thing(draw) for _ in range(2))
    who, who2 = draw.person(), draw.person()
    topic, topic2 = draw.sample(TOPICS, 2)
    return slots(draw) | {
        "who": who, "who2": who2, "me": draw.person(), "day": DAYS[week[0]], "day2": DAYS[week[1]],
        "when": _moment(draw, week[0]), "when2": _moment(draw, week[1]), "time": clock(draw), "time2": clock(draw),
        "tag_de": GERMAN_DAYS[foreign], "jour": FRENCH_DAYS[foreign], "dia": SPANISH_DAYS[foreign],
        "uhr": str(draw.number(8, 18)), "item": thing, "Item": thing[:1].upper() + thing[1:],
        "item2": thing2, "place": draw.pick(PLACES),
        "reason": draw.pick(REASONS), "event": draw.pick(EVENTS), "country": draw.pick(COUNTRIES),
        "country2": draw.pick(COUNTRIES), "city": draw.pick(CITIES), "city2": draw.pick(CITIES),
        "topic": topic, "topic2": topic2, "project": draw.word(2).capitalize(),
        "long_date": f"{draw.number(1, 28)} {draw.pick(MONTHS)}", "year": str(draw.number(1400, 2025)),
        "amount": str(draw.number(2, 40)), "deed": deed(draw),
    }  # fmt: skip


def _thing(draw: Draw) -> str:
    form = draw.weighted({"the {a}": 40, "the {w} {a}": 30, "the {a} of {w}": 10, "the {s} {a}": 20})
    return form.format(a=draw.pick(THINGS), w=draw.word(2).capitalize(), s=draw.pick(STEMS))


def clock(draw: Draw) -> str:
    """A time of day in one of the usual forms."""
    hour, minute = draw.number(1, 12), draw.pick([0, 15, 30, 45, draw.number(1, 59)])
    forms = [f"{hour}{draw.pick(['am', 'pm'])}", f"{hour}:{minute:02}{draw.pick(['am', 'pm'])}",
        f"{hour + 7}:{minute:02}"]
    return draw.pick(forms)


def _moment(draw: Draw, day: int) -> str:
    return f"{draw.pick([DAYS[day], SHORT_DAYS[day]])} {clock(draw)}"


def deed(draw: Draw) -> str:
    """Something to do, as on a list of things to do."""
    return draw.pick([
        "call {p}", "buy {i}", "write to {p}", "clean the {r}", "pay the rent", "fix the {w} bug",
        "send the {t} to {p}",
        "water the plants", "print the {t}", "review the {t}", "book a flight to {c}", "renew the passport", "test {w}",
        "order {i}", "wash the car", "back up {w}", "update the {t}", "meet {p}", "read the {t}", "pick up the parcel",
    ]).format(
        p=draw.person(), i=grocery(draw), r=draw.pick(["kitchen", "desk", "garage", "fridge", "bath"]), w=draw.word(2),
        t=draw.pick(THINGS), c=draw.pick(CITIES),
    )  # fmt: skip


GROCERIES = (
    "milk,bread,eggs,butter,apples,rice,coffee,tea,cheese,tomatoes,onions,pasta,salt,sugar,flour,soap,bananas,yogurt,"
    "potatoes,garlic,olive oil,honey,lemons,paper towels,toothpaste,batteries,carrots,oat milk,beans,spinach"
).split(",")


def grocery(draw: Draw) -> str:
    return draw.pick(GROCERIES)
