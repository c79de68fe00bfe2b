"""Job: the small changes of form in office text: dates, times, numbers, capitals, file names, sums.

Each function draws a request with its answer. Sums are not done in the head: they become a command.
"""

from __future__ import annotations

from .draws import EXTENSIONS, STEMS, Draw
from .situations import MONTHS

DATE_FRAMES = [
    "write {a} as {b}", "change {a} to the form {b}", "{a} in the form {b}", "convert the date {a} to {b}",
    "format {a} like {b}",
    "turn {a} into {b}", "date {a} as {b}", "rewrite {a} as {b}", "put {a} in {b} form", "make {a} look like {b}",
    "please write the date {a} as {b}", "reformat {a}: {b}", "how do I write {a} as {b}?", "{a} to {b}",
    "can you write {a} as {b}?",
]  # fmt: skip
DATE_FORMS = {
    "YYYY-MM-DD": "{y}-{m:02}-{d:02}", "DD.MM.YYYY": "{d:02}.{m:02}.{y}", "MM/DD/YYYY": "{m:02}/{d:02}/{y}",
    "DD/MM/YYYY": "{d:02}/{m:02}/{y}", "day month year": "{d} {name} {y}", "month day, year": "{name} {d}, {y}",
}  # fmt: skip
FORM_NAMES = {
    "YYYY-MM-DD": ["YYYY-MM-DD", "ISO", "ISO date"], "DD.MM.YYYY": ["DD.MM.YYYY", "German", "dd.mm.yyyy"],
    "MM/DD/YYYY": ["MM/DD/YYYY", "US", "mm/dd/yyyy"], "DD/MM/YYYY": ["DD/MM/YYYY", "dd/mm/yyyy"],
    "day month year": ["day month year", "14 March 2026"], "month day, year": ["month day, year", "March 14, 2026"],
}  # fmt: skip
TIME_FRAMES = [
    "{a} in {b}", "write {a} in {b}", "convert {a} to {b}", "what is {a} in {b}?", "change {a} to {b}",
    "{a} as {b} time",
    "put {a} in {b}", "{a} to {b}", "turn {a} into {b} time", "how do you write {a} in {b}?", "rewrite {a} in {b} form",
    "please give {a} in {b}",
]  # fmt: skip
NUMBER_FRAMES = [
    "write {a} with thousands separators", "{a} with commas", "format {a} with thousands commas",
    "add thousands separators to {a}",
    "make {a} easier to read", "put commas into {a}", "group the digits of {a}", "{a} with separators",
    "separate the thousands in {a}",
    "number format with commas: {a}", "insert thousands commas in {a}", "print {a} with commas",
]  # fmt: skip
CASES = {
    "upper case": (["upper case", "uppercase", "capitals", "all caps", "capital letters"], str.upper),
    "lower case": (["lower case", "lowercase", "small letters"], str.lower),
    "title case": (["title case", "capitalised words", "Title Case"],
    lambda s: " ".join(w[:1].upper() + w[1:] for w in s.lower().split())),
}  # fmt: skip
CASE_FRAMES = [
    "put this in {c}: {t}", "{t} in {c}", "write '{t}' in {c}", "convert to {c}: {t}", "{c}: {t}", "make this {c}: {t}",
    "change '{t}' to {c}", "turn '{t}' into {c}", "'{t}' in {c} please", "rewrite in {c}: {t}", "text to {c}: {t}",
    "i need '{t}' in {c}",
]  # fmt: skip
FILE_RULES = ["kebab-case", "snake_case", "camelCase", "date prefix", "no spaces", "lower case"]
FILE_FRAMES = [
    "what would '{f}' be in {r}?", "{r} name for '{f}'", "'{f}' in {r}", "give me a {r} file name for '{f}'",
    "file name '{f}' in {r}",
    "name '{f}' by our rule: {r}", "how is '{f}' called in {r}?", "{r}: '{f}'", "turn the name '{f}' into {r}",
    "new name for '{f}', rule: {r}",
    "name only, no command: '{f}' in {r}", "a {r} version of the name '{f}'", "suggest a {r} name for '{f}'",
    "our names are in {r}; what about '{f}'?",
]  # fmt: skip
PREFIX_FRAMES = [
    "name '{f}' with the date prefix {d}", "put the date {d} in front of '{f}'",
    "'{f}' with YYYY-MM-DD prefix, date {d}",
    "file name rule YYYY-MM-DD prefix: '{f}', {d}", "prefix the name '{f}' with {d}", "date prefix {d} for '{f}'",
    "what is '{f}' called with the prefix {d}?", "add {d} to the front of the name '{f}'",
    "our names begin with the date: '{f}' of {d}",
    "give '{f}' the date {d} in its name", "name for '{f}' dated {d}", "dated name: {d}, '{f}'",
]  # fmt: skip
SUM_FRAMES = [
    "what is {x}?", "how much is {x}?", "calculate {x}", "{x}", "compute {x}", "what's {x}", "{x} = ?", "tell me {x}",
    "work out {x}",
    "can you calculate {x}?", "solve {x}", "what does {x} make?", "how much does {x} make", "result of {x}",
    "quick maths: {x}", "was ist {x}?",
]  # fmt: skip


def date(draw: Draw) -> tuple[str, str]:
    """A date in another form, never between two that a reader could confuse."""
    values = {"y": draw.number(1990, 2035), "m": draw.number(1, 12), "d": draw.number(1, 28)}
    values["name"] = MONTHS[values["m"] - 1]
    start = draw.pick(["YYYY-MM-DD", "DD.MM.YYYY", "day month year", "month day, year"])
    end = draw.pick([form for form in DATE_FORMS if form != start])
    request = draw.wording(DATE_FRAMES).format(a=DATE_FORMS[start].format(**values), b=draw.pick(FORM_NAMES[end]))
    return request, DATE_FORMS[end].format(**values)


def time(draw: Draw) -> tuple[str, str]:
    hour, minute = draw.number(0, 23), draw.pick([0, 0, 15, 30, 45, draw.number(1, 59)])
    long = f"{hour:02}:{minute:02}"
    half = f"{(hour + 11) % 12 + 1}" + (f":{minute:02}" if minute else "") + ("am" if hour < 12 else "pm")
    if draw.chance(0.5):
        return draw.wording(TIME_FRAMES).format(a=half, b=draw.pick(["24-hour", "24h", "24 hours"])), long
    return draw.wording(TIME_FRAMES).format(a=long, b=draw.pick(["12-hour", "12h", "am/pm"])), half


def number(draw: Draw) -> tuple[str, str]:
    value = draw.number(1000, 10 ** draw.number(4, 9))
    return draw.wording(NUMBER_FRAMES).format(a=value), f"{value:,}"


def capitals(draw: Draw) -> tuple[str, str]:
    text = " ".join(draw.pick(STEMS) if draw.chance(0.5) else draw.word() for _ in range(draw.number(1, 4)))
    name = draw.pick(list(CASES))
    words, change = CASES[name]
    if name == "lower case":
        text = text.upper() if draw.chance(0.5) else text.title()
    return draw.wording(CASE_FRAMES).format(c=draw.pick(words), t=text), change(text)


def file_name(draw: Draw) -> tuple[str, str]:
    """A file's name by a rule; the extension stays."""
    words = [draw.pick(STEMS) if draw.chance(0.5) else draw.word() for _ in range(draw.number(2, 4))]
    words += [str(draw.number(1, 12))] if draw.chance(0.2) else []
    shown = " ".join(w.capitalize() if draw.chance(0.7) else w for w in words)
    extension = draw.pick(EXTENSIONS[:40])
    rule = draw.pick(FILE_RULES)
    low = [w.lower() for w in words]
    if rule == "date prefix":
        day = f"{draw.number(2020, 2030)}-{draw.number(1, 12):02}-{draw.number(1, 28):02}"
        name = f"{draw.pick(low[:1])}.{extension}"
        return draw.wording(PREFIX_FRAMES).format(f=name, d=day), f"{day}-{name}"
    named = {
        "kebab-case": "-".join(low), "snake_case": "_".join(low),
        "camelCase": low[0] + "".join(w.capitalize() for w in low[1:]),
        "no spaces": shown.replace(" ", ""), "lower case": shown.lower(),
    }[rule]  # fmt: skip
    return draw.wording(FILE_FRAMES).format(f=f"{shown}.{extension}", r=rule), f"{named}.{extension}"


def total(draw: Draw) -> tuple[str, str]:
    """Whole numbers go to the shell's own arithmetic, division and decimals to bc."""
    a, b = draw.number(2, draw.pick([20, 200, 5000])), draw.number(2, draw.pick([20, 99, 900]))
    sign = draw.pick("+-*/%.")
    if sign == "%":
        said = draw.pick(["{a}% of {b}", "{a} % of {b}", "{a} percent of {b}"]).format(a=a, b=b)
        command = f"echo '{b}*{a}/100' | bc -l"
    elif sign == ".":
        x = f"{a}.{draw.number(1, 9)}"
        said, command = draw.pick([(f"{x} + {b}", f"echo '{x}+{b}' | bc -l"), (f"{x} times {b}",
            f"echo '{x}*{b}' | bc -l")])
    else:
        words = {"+": ["+", "plus"], "-": ["-", "minus"], "*": ["*", "times", "x"], "/": ["/", "divided by"]}[sign]
        said = f"{a} {draw.pick(words)} {b}" if draw.chance(0.8) or len(words) < 2 else f"{a}{sign}{b}"
        command = f"echo '{a}/{b}' | bc -l" if sign == "/" else f"echo $(({a}{sign}{b}))"
    return draw.wording(SUM_FRAMES).format(x=said), command


FORMS = {
    "date form": date, "time form": time, "number form": number, "capitals": capitals, "file name": file_name, "sum": total,
}  # fmt: skip
