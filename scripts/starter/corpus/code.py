"""Job: one line of code to mend, from a short function with numbered lines and a failing test.

The user's text is the file, the lines as `3|     return a - b` (number, bar, blank, then the line as it stands), the
test and its message; the answer is the corrected line in the same form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .commands import FOLDER
from .documents import Case, Document, conversation, prompt
from .draws import STEMS, Draw, is_for_test
from .faults import Fault, Values, faults, run

SYSTEM = prompt("code")
LONGEST = 90
ENDING = {"python": "py", "js": "js", "rust": "rs", "go": "go"}


@dataclass(frozen=True)
class Function:
    """A template: its language, the kinds of its arguments, its text and, for other languages, the same in Python."""

    language: str
    letters: str
    text: str
    twin: str = ""


@dataclass
class Example:
    """A faulty function with what its test says: `right` replaces line `line` (from 0) of `lines`."""

    language: str
    kind: str
    lines: list[str]
    line: int
    right: str
    test: str


@cache
def functions() -> tuple[list[Function], list[Function]]:
    """Templates in Python, and in the other languages."""
    python, others = [], []
    for block in (FOLDER / "code-python.txt").read_text(encoding="utf-8").split("\n\n")[1:]:
        letters, _, text = block.strip("\n").partition("\n")
        python.append(Function("python", letters.removeprefix("# "), text))
    for block in (FOLDER / "code-others.txt").read_text(encoding="utf-8").split("\n\n")[1:]:
        head, _, text = block.strip("\n").partition("\n")
        language, _, letters = head.partition(" ")
        code, _, twin = text.partition("\n===\n")
        others.append(Function(language, letters, code, twin))
    return python, others


@cache
def _possible(function: Function) -> tuple[list[str], dict[str, dict[str, list[Fault]]]]:
    """A function's names, and its faults by side and kind. A tenth of them is for the test."""
    names = _names(function.text)
    sides: dict[str, dict[str, list[Fault]]] = {"train": {}, "test": {}}
    for fault in faults(function.text, names[1:]):
        side = "test" if is_for_test(f"{names[0]}:{fault.line}:{fault.text}") else "train"
        sides[side].setdefault(fault.kind, []).append(fault)
    return names, sides


def _names(source: str) -> list[str]:
    """The function's name, then those of its arguments and variables."""
    tree = ast.parse(source)
    found = [tree.body[0].name]
    for node in ast.walk(tree):
        name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else ""
        stored = isinstance(node, ast.arg) or isinstance(getattr(node, "ctx", None), ast.Store)
        if stored and name not in found:
            found.append(name)
    return found


def _renaming(draw: Draw, names: list[str]) -> dict[str, str]:
    """Other names for some: mostly the function's, often the variables'."""
    new = {}
    for i, name in enumerate(names):
        if draw.chance(0.6 if i == 0 else 0.35) and name != "_":
            word = draw.word(draw.pick([1, 2])) if draw.chance(0.7) else draw.pick(STEMS)
            word = f"{name}_{word}" if i == 0 and draw.chance(0.3) else word
            if word.isidentifier() and word not in _TAKEN and word not in new.values() and word not in names:
                new[name] = word
    return new


_TAKEN = {"is", "in", "if", "do", "go", "fn", "let", "for", "def", "del", "len", "max", "min", "sum", "set", "import",
    "export", "list",
          "input", "map", "mod", "ref", "use", "var", "type", "range", "true", "false", "zip", "bin", "index", "print",
          "table"}  # fmt: skip


def _renamed(text: str, new: dict[str, str]) -> str:
    if not new:
        return text
    return re.sub(rf"(?<![\"'.\w])({'|'.join(map(re.escape, new))})(?!\w)", lambda m: new[m.group(1)], text)


def example(draw: Draw) -> Example:
    """A faulty function of this side: mostly Python."""
    while True:
        found = _python(draw) if draw.chance(0.75) else _other(draw)
        if found:
            return found


def _python(draw: Draw) -> Example | None:
    function = draw.pick(functions()[0])
    names, sides = _possible(function)
    kinds = sides[draw.side]
    if not kinds:
        return None
    # These two faults fit nearly every function: without this they would crowd out the others.
    kind = draw.weighted({k: 0.5 if k in ("variable", "return") else 1 for k in kinds})
    fault = draw.pick(kinds[kind])
    new = _renaming(draw, names)
    right = _renamed(function.text, new)
    lines = right.split("\n")
    broken = list(lines)
    broken[fault.line] = _renamed(fault.text, new)
    name = new.get(names[0], names[0])
    shown = _failing(draw, right, "\n".join(broken), name, function)
    return Example("python", kind, broken, fault.line, lines[fault.line], shown) if shown else None


def _failing(draw: Draw, right: str, broken: str, name: str, function: Function) -> str | None:
    """A test that the right text passes and the broken one does not, with its message."""
    for _ in range(25):
        arguments = Values(draw, right).all(function.letters)
        expected, error = run(right, name, arguments)
        if error:
            continue
        got, failure = run(broken, name, arguments)
        if isinstance(failure, TimeoutError | SyntaxError):
            return None
        if failure is None and (got == expected and type(got) is type(expected)):
            continue
        if max(len(repr(v)) for v in (arguments, expected, got)) > LONGEST:
            continue
        if function.language == "python":
            return _python_message(draw, name, arguments, expected, got, failure)
        # What another language does in the same trouble is not known from here.
        if not failure and not (isinstance(got, float) or isinstance(expected, float)):
            return _other_message(function.language, name, arguments, expected, got)
    return None


def _python_message(draw: Draw, name: str, arguments: list, expected, got, failure: Exception | None) -> str:
    call = f"{name}({', '.join(map(repr, arguments))})"
    test = f"assert {call} {'is' if isinstance(expected, bool) or expected is None else '=='} {expected!r}"
    if failure:
        return f"Test: {test}\n{type(failure).__name__}: {failure}"
    return draw.pick([
        f"Test: {test}\nAssertionError: {got!r} != {expected!r}", f"Test: {test}\nE   assert {got!r} == {expected!r}",
        f"Test: {call}\nexpected {expected!r}, got {got!r}", f"Test: {test}\nAssertionError: got {got!r}",
    ])  # fmt: skip


def _literal(language: str, value) -> str:
    """A value as the language writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "undefined" if language == "js" else "nil"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        inside = ", ".join(_literal(language, v) for v in value)
        opening = {"rust": "&[", "go": "[]int{", "js": "["}[language]
        return opening + inside + ("}" if language == "go" else "]")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k}: {_literal(language, v)}" for k, v in value.items()) + " }"
    return repr(value)


def _other_message(language: str, name: str, arguments: list, expected, got) -> str:
    call = f"{name}({', '.join(_literal(language, a) for a in arguments)})"
    want, have = _literal(language, expected), _literal(language, got)
    if language == "rust":
        left, right = have.replace("&[", "["), want.replace("&[", "[")
        return f"Test: assert_eq!({call}, {want})\nassertion `left == right` failed\n  left: {left}\n right: {right}"
    if language == "go":
        return f"Test: {call}\n{name} = {have}, want {want}"
    return f"Test: expect({call}).toEqual({want})\nExpected: {want}\nReceived: {have}"


def _other(draw: Draw) -> Example | None:
    number = draw.number(0, len(functions()[1]) - 1)
    function = functions()[1][number]
    marks = re.findall(r"«(.*?)»", function.text)
    choice = draw.number(1, len(marks[0].split("|")) - 1)
    if is_for_test(f"{function.text}:{choice}") != (draw.side == "test"):
        return None
    names = _slots(draw)
    right, broken = _chosen(function.text, 0, names).split("\n"), _chosen(function.text, choice, names).split("\n")
    shown = _failing(
        draw, _chosen(function.twin, 0, names), _chosen(function.twin, choice, names), names["F"], function
    )
    line = next(i for i, (a, b) in enumerate(zip(right, broken, strict=True)) if a != b)
    return Example(function.language, function.language, broken, line, right[line], shown) if shown else None


def _slots(draw: Draw) -> dict[str, str]:
    """Names for a function of another language and for what is in it."""
    plain = {"F": STEMS, "A": ["a", "x", "items", "values", "data", "input0"], "B": ["b", "y", "n", "total", "key"],
             "C": ["c", "v", "item", "z", "high"], "D": ["d", "sum0", "count", "acc"]}  # fmt: skip
    while True:
        names = {}
        for slot, common in plain.items():
            made_up = draw.chance(0.75 if slot == "F" else 0.4)
            names[slot] = draw.word(draw.pick([1, 2])) if made_up else draw.pick(common)
        if len(set(names.values())) == len(names) and not set(names.values()) & _TAKEN:
            return names


def _chosen(text: str, choice: int, names: dict[str, str]) -> str:
    """A template with one alternative of each mark and its names filled in."""
    text = re.sub(r"«(.*?)»", lambda m: m.group(1).split("|")[choice], text).replace("II", "||")
    return re.sub(r"(?<![\w'])[FABCD](?!\w)", lambda m: names[m.group()], text)


def messages(draw: Draw, found: Example):
    """The chat of one example. The function need not stand at the top of its file."""
    start = 1 if draw.chance(0.6) else draw.number(2, 240)
    name = draw.pick([*STEMS, draw.word()])
    folder = draw.pick(["", "", "src/", "lib/", f"{draw.word()}/"])
    numbered = [f"{start + i}| {line}" for i, line in enumerate(found.lines)]
    question = "\n".join([f"File: {folder}{name}.{ENDING[found.language]}", *numbered, found.test])
    return conversation(SYSTEM, question, f"{start + found.line}| {found.right}")


def documents(draw: Draw, n: int) -> Iterator[Document]:
    for _ in range(n):
        found = example(draw)
        yield Document("code", found.kind, messages(draw, found))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Faults and names that were never trained."""
    for _ in range(n):
        found = example(draw)
        *question, answer = messages(draw, found)
        yield Case("code", found.kind, question, {"exact": [answer.content]})
