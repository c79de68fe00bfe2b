"""Faults in a line of Python, and the failing test that shows one: every expected value comes from running the code."""

from __future__ import annotations

import copy
import re
import sys
from dataclasses import dataclass

from .draws import Draw

# What is put in place of what, by the name of the fault.
_EXCHANGES = [
    ("operator", r" \+ ", [" - "]), ("operator", r" - ", [" + "]), ("operator", r" \* ", [" + ", " - "]),
    ("operator", r" \+= ", [" -= ", " = "]), ("operator", r" -= ", [" += "]), ("operator", r" \*= ", [" += "]),
    ("operator", r" % ", [" // "]), ("division", r" // ", [" / "]), ("division", r" / ", [" // "]),
    ("division", r" //= ", [" %= "]), ("boundary", r" <= ", [" < "]), ("boundary", r" >= ", [" > "]),
    ("boundary", r" < ", [" <= "]), ("boundary", r" > ", [" >= "]), ("comparison", r" <=? ", [" > "]),
    ("comparison", r" >=? ", [" < "]), ("comparison", r" == ", [" != "]), ("comparison", r" != ", [" == "]),
    ("logic", r" and ", [" or "]), ("logic", r" or ", [" and "]), ("logic", r" not in ", [" in "]),
    ("logic", r"(?<=if \w) in |(?<=letter) in ", [" not in "]), ("logic", r"is None", ["is not None"]),
    ("constant", r"\bTrue\b", ["False"]), ("constant", r"\bFalse\b", ["True"]),
    ("constant", r"(?<=\[)-1(?=\])", ["0", "1"]),
    ("constant", r"(?<=\[)0(?=\])", ["1", "-1"]), ("constant", r"(?<=\[)1(?=\])", ["0"]),
    ("start value", r"= 0$", ["= 1"]), ("start value", r"= 1$", ["= 0"]), ("start value", r"= \w+\[0\]$", ["= 0"]),
    ("start value", r'= ""$', ['= " "']), ("default", r", 0\)", [", 1)", ")"]), ("default", r"return -1", ["return 0"]),
    ("default", r"return None", ["return 0"]), ("default", r"return 0", ["return 1", "return None"]),
    ("off by one", r" \+ 1\b", ["", " + 2"]), ("off by one", r" - 1\b", ["", " - 2"]),
    ("off by one", r"range\(1, ", ["range(", "range(2, "]),
    ("off by one", r"range\(len", ["range(1, len"]), ("off by one", r"\[1:\]", ["[2:]"]),
    ("off by one", r"(?<=[<>=] )(\d+)", ["1", "17", "51"]),
    ("method", r"\.append\(", [".extend(", ".remove("]), ("method", r"\.extend\(", [".append("]),
    ("method", r"\.strip\(\)", [".lstrip()", ".rstrip()", ""]),
    ("method", r"\.rstrip\(\)", [".lstrip()"]), ("method", r"\.upper\(\)", [".lower()"]),
    ("method", r"\.lower\(\)", [".upper()", ""]),
    ("method", r"\.title\(\)", [".upper()", ".capitalize()"]), ("method", r"\.values\(\)", [".keys()"]),
    ("method", r"\.items\(\)", ["", ".keys()"]),
    ("method", r"\.isalpha\(\)", [".isdigit()"]), ("method", r"\.rjust\(", [".ljust("]),
    ("method", r"\.split\(\)", [".split(',')"]),
    ("method", r"\.index\(", [".count("]), ("method", r"\.update\(", [".get("]), ("function", r"\bmax\(", ["min("]),
    ("function", r"\bmin\(", ["max("]),
    ("function", r"\bsum\(", ["max(", "len("]), ("function", r"\bsorted\(", ["list("]),
    ("function", r"\blen\(", ["max("]), ("function", r"\bint\(", ["str("]),
    ("function", r"\bstr\(", ["int("]), ("return", r"return (?=\w)", [""]),
    ("key", r'"price"', ['"count"', '"prices"']),
    ("key", r'"count"', ['"price"', '"cnt"']), ("key", r'"name"', ['"price"', '"title"']),
    ("text", r'", "', ['","', '" "']), ("text", r'","', ['";"']),
    ("text", r'"\."', ['"-"', '" "']), ("text", r'"-"', ['"_"']), ("text", r'"="', ['":"']), ("text", r"from", ["of"]),
    ("text", r'"!"', ['"?"']),
    ("text", r":02\}", ["}"]), ("text", r"\.\.\.", [".."]), ("slice", r"\[::-1\]", ["[::1]", "[1::-1]"]),
    ("slice", r"\[:(\w+)\]", [r"[\1:]"]),
    ("slice", r"\[(\w+):\]", [r"[:\1]"]), ("slice", r"\[-(\w+):\]", [r"[\1:]"]),
    ("missing part", r", reverse=True", [""]), ("missing part", r", key=\w+", [""]),
    ("missing part", r" \+ \w+(?=$)", [""]), ("missing part", r"abs\(([^()]*)\)", [r"(\1)"]),
    ("swapped", r"\((\w+), (\w+)\)", [r"(\2, \1)"]),
    ("swapped", r"\{(\w+)\}(.*)\{(\w+)\}", [r"{\3}\2{\1}"]), ("swapped", r"(\w+)(?= - (\w+))(?: - \w+)", [r"\2 - \1"]),
    ("swapped", r"(\w+): (\w+) for", [r"\2: \1 for"]),
]  # fmt: skip

STEPS = 3000


@dataclass
class Fault:
    """Line `line` (from 0) became `text`."""

    kind: str
    line: int
    text: str


def faults(source: str, names: list[str]) -> list[Fault]:
    """Every fault that can be put into a function, whether it changes anything or not."""
    found = []
    lines = source.split("\n")
    for i, line in enumerate(lines[1:], 1):
        for kind, pattern, texts in _EXCHANGES:
            for match in re.finditer(pattern, line):
                found += [
                    Fault(kind, i, line[: match.start()] + match.expand(text) + line[match.end() :]) for text in texts
                ]
        found += _other_names(i, line, names)
        if line.lstrip().startswith("return") and lines[i - 1].startswith(" " * 8):
            found.append(Fault("indentation", i, "    " + line))
    return [fault for fault in found if fault.text != lines[fault.line]]


def _other_names(i: int, line: str, names: list[str]) -> list[Fault]:
    """The line with one name in place of another."""
    found = []
    for name in names:
        for match in re.finditer(rf"(?<![\"'.\w]){name}(?!\w)", line):
            if line[match.end() :].startswith(" =") or " for " in line[: match.start()][-8:]:
                continue
            found += [Fault("variable", i, line[: match.start()] + o + line[match.end() :]) for o in names if o != name]
    return found


def _is_huge(value: object) -> bool:
    """Whether a faulty loop is blowing up a value, long before its steps run out."""
    if isinstance(value, int):
        return value.bit_length() > 1000
    return isinstance(value, str | list | dict | set | tuple) and len(value) > 1000


def run(source: str, function: str, arguments: list) -> tuple[object, Exception | None]:
    """What a function gives, or what it raises; stops endless loops."""
    steps = 0

    def watch(frame, event, argument):
        nonlocal steps
        steps += 1
        if steps > STEPS or any(map(_is_huge, frame.f_locals.values())):
            raise TimeoutError
        return watch

    space: dict = {}
    before = sys.gettrace()
    try:
        exec(compile(source, "fault", "exec"), space)
        sys.settrace(watch)
        return space[function](*copy.deepcopy(arguments)), None
    except Exception as error:  # whatever a faulty line raises is the material
        return None, error
    finally:
        sys.settrace(before)


class Values:
    """Arguments of a test, by the letters above a template."""

    def __init__(self, draw: Draw, source: str):
        self.draw = draw
        self.constants = [int(n) for n in re.findall(r"\b\d+\b", source)] or [0]
        self.words = [draw.word(draw.pick([1, 2])) for _ in range(draw.number(3, 4))]

    def all(self, letters: str) -> list:
        values: list = []
        for letter in letters.split():
            values.append(self._one(letter, values))
        return values

    def _one(self, letter: str, before: list):
        draw = self.draw
        if letter == "i":
            held = [x for v in before if isinstance(v, list) for x in v if isinstance(x, int)]
            held += [x for v in before if isinstance(v, dict) for x in v.values()]
            return draw.pick(held) if held and draw.chance(0.6) else self._near(-6, 20)
        if letter == "w":
            keys = [x for v in before if isinstance(v, dict | list) for x in v if isinstance(x, str)]
            keys += [x["name"] for v in before if isinstance(v, list) for x in v if isinstance(x, dict)]
            keys += [v for v in before if isinstance(v, str)] if draw.chance(0.1) else []
            return draw.pick(keys) if keys and draw.chance(0.75) else draw.pick([*self.words, draw.word(1)])
        return getattr(self, f"_{letter}")()

    def _near(self, low: int, high: int) -> int:
        draw = self.draw
        return draw.pick(self.constants) + draw.number(-1, 1) if draw.chance(0.3) else draw.number(low, high)

    def _n(self) -> int:
        return self.draw.number(1, 9)

    def _N(self) -> int:  # noqa: N802, the letter is the template's
        draw = self.draw
        return (
            abs(draw.pick(self.constants) * draw.number(1, 3) + draw.number(0, 1))
            if draw.chance(0.6)
            else draw.number(1, 99)
        )

    def _m(self) -> int:
        return self.draw.number(2, 4)

    def _b(self) -> bool:
        return self.draw.chance(0.5)

    def _o(self) -> int | None:
        return None if self.draw.chance(0.5) else self._n()

    def _l(self) -> list:
        values = [self.draw.number(-3, 12) for _ in range(self.draw.number(1, 4))]
        return [*values, self.draw.pick(values)] if self.draw.chance(0.3) else values

    def _L(self) -> list:  # noqa: N802
        return [self.draw.number(1, 20) for _ in range(self.draw.number(2, 4))]

    def _S(self) -> list:  # noqa: N802
        return [self.draw.pick(self.words) for _ in range(self.draw.number(2, 3))]

    def _t(self) -> str:
        return " ".join(self.words[: self.draw.number(2, 4)])

    def _x(self) -> str:
        blanks = ["", " ", "  "]
        return (
            self.draw.pick(blanks[1:]) + self.words[0].capitalize() + " " + self.words[1] + self.draw.pick(blanks[1:])
        )

    def _d(self) -> dict:
        return {word: self.draw.number(1, 30) for word in self.words[: self.draw.number(2, 3)]}

    def _r(self) -> list:
        numbers = self.draw.number
        return [{"name": word, "price": numbers(1, 20), "count": numbers(2, 5)} for word in self.words[: numbers(1, 2)]]

    def _p(self) -> list:
        return [(word, self.draw.number(1, 9)) for word in self.words[:2]]

    def _g(self) -> list:
        return [[self.draw.number(0, 9) for _ in range(2)] for _ in range(2)]

    def _u(self) -> str:
        return f"{self.words[0]}={self.draw.number(1, 99)}"

    def _v(self) -> str:
        return ",".join(str(self.draw.number(0, 30)) for _ in range(self.draw.number(2, 4)))
