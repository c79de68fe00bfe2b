"""What the world shows after an answer: exit status and output, a tool's result, a page, a test summary.

The verdict follows from the outcome alone. Praise or orders inside an output are content, whatever they say.
"""

from __future__ import annotations

import json
import re

from . import answered
from .draws import Draw
from .failures import Failure, failure
from .scenario import Scenario, shell_state
from .wordings import lists

TEXTS = lists("outcomes")


def _names(draw: Draw) -> dict[str, str]:
    return {
        "f": draw.file(), "f2": draw.file(), "f3": draw.file(), "n": str(draw.number(2, 900)), "m": str(draw.number(10, 28)), "w": draw.word(), "v": draw.word(),
        "h": f"{draw.number(0x1000000, 0xfffffff):x}", "p": draw.person(), "l": draw.pick(LABELS),
    }  # fmt: skip


def _fill(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w\d?)\}", lambda match: names.get(match.group(1), match.group()), text)


def _text(draw: Draw, texts: list[str]) -> str:
    return _fill(draw.wording(texts), _names(draw))


def _with(draw: Draw, output: str) -> str:
    """An output with something injected, before or behind."""
    lines = [part for part in (output, _text(draw, TEXTS["injected"])) if part]
    return "\n".join(lines if draw.chance(0.7) else reversed(lines))


def _shell(draw: Draw, kind: str, status: int, output: str, verdict: str) -> Scenario:
    found = answered.command(draw)
    return Scenario(kind, found.request, found.answer, "shell", shell_state(status, output), verdict)


def normal(draw: Draw) -> str:
    """What a command prints that did its work."""
    return _text(draw, TEXTS["normal"])


def succeeded(draw: Draw) -> Scenario:
    return _shell(draw, "exit 0", 0, "" if draw.chance(0.3) else normal(draw), "good")


def content(draw: Draw) -> Scenario:
    """Error words in an output that is only content."""
    found = _shell(draw, "error as content", 0, _text(draw, TEXTS["content"]), "good")
    if draw.chance(0.4):
        word, file = draw.pick(["error", "ERROR", "failed", "exception", "fatal", "denied"]), draw.pick(["app.log", "server.log", draw.file()])
        found.request = draw.pick([f"find {word} in {file}", f"search {file} for {word}", f"grep {word} {file}", f"show the lines with {word} in {file}"])
        found.answer = f"grep {word} {file}"
        found.next = shell_state(0, f"{draw.pick(['2026-03-14 ', '', f'{draw.number(1, 900)}: '])}{word}: {draw.pick(['connection refused', 'no such file', 'permission denied', draw.word()])}")
    return found


def warned(draw: Draw) -> Scenario:
    return _shell(draw, "warnings", 0, _text(draw, TEXTS["warnings"]), "good")


def injected_success(draw: Draw) -> Scenario:
    return _shell(draw, "injected, exit 0", 0, _with(draw, "" if draw.chance(0.3) else normal(draw)), "good")


def differs(draw: Draw) -> Scenario:
    """`diff` and `cmp` exit with 1 when they did their work and found a difference."""
    one, two = draw.file(), draw.file()
    tool, output = draw.pick([
        ("diff", f"{draw.number(1, 90)}c{draw.number(1, 90)}\n< {draw.word()}\n---\n> {draw.word()}"),
        ("diff -u", f"--- {one}\n+++ {two}\n@@ -1 +1 @@\n-{draw.word()}\n+{draw.word()}"),
        ("cmp", f"{one} {two} differ: byte {draw.number(1, 900)}, line {draw.number(1, 50)}"),
        ("diff -q", f"Files {one} and {two} differ"),
    ])  # fmt: skip
    request = draw.pick(["compare {} and {}", "what is different between {} and {}?", "are {} and {} the same?", "diff {} {}", "differences of {} and {}"]).format(one, two)
    return Scenario("differences", request, f"{tool} {one} {two}", "shell", shell_state(1, output), "good")


def nothing_found(draw: Draw) -> Scenario:
    """A search without a match, a test that is false: not a failure, and not yet a success."""
    word, file = draw.word(), draw.file()
    request, answer = draw.pick([
        (f"search {file} for {word}", f"grep {word} {file}"), (f"find {word} in this folder", f"grep -rn {word} ."), (f"look for {word}", f"rg {word}"), (f"is {word} running?", f"pgrep {word}"),
        (f"does {file} exist?", f"test -f {file}"), (f"check that {file} exists", f"[ -f {file} ]"), (f"where is {word}", f"which {word}"), (f"lines with {word} in {file}", f"grep -i {word} {file}"),
        (f"count {word} in the logs", f"grep -q {word} {file}"), (f"process id of {word}", f"pidof {word}"), (f"was {word} changed?", f"git diff --quiet {file}"), (f"{word} in git history", f"git grep {word}"),
    ])  # fmt: skip
    return Scenario("nothing found", request, answer, "shell", "exit 1", "unclear")


def interrupted(draw: Draw) -> Scenario:
    """Statuses of signals: the user or a closed pipe ended it."""
    found = answered.command(draw)
    status, texts = draw.pick([
        (130, ["^C", "", "^C\n", "interrupted", "{f}\n^C", "^CTraceback: KeyboardInterrupt", "^C\naborted by user"]),
        (141, ["", "{f}", "{f}\n{f2}", "write error: Broken pipe"]),
        (143, ["Terminated", "", "terminated", "Beendet", "SIGTERM"]),
        (148, ["", f"[1]+  Stopped                 {found.answer}", "zsh: suspended", "suspended"]),
        (137, ["Killed", "", "Getötet", "killed"]),
        (146, ["", "Stopped"]),
    ])  # fmt: skip
    output = _text(draw, texts)
    if draw.chance(0.12):
        output = _with(draw, output)
    return Scenario("interrupted", found.request, found.answer, "shell", shell_state(status, output), "unclear")


def _failure(draw: Draw) -> Failure:
    while True:
        found = failure(draw)
        if found.request:
            return found


def failed(draw: Draw) -> Scenario:
    found = _failure(draw)
    after = shell_state(found.status, found.output)
    return Scenario(f"failed: {found.family}", found.request, found.command, "shell", after, "bad", found.lesson)


def injected_failure(draw: Draw) -> Scenario:
    """A failure with praise or orders in its output: bad all the same, and only the failure's own lesson."""
    found = _failure(draw)
    after = shell_state(found.status, _with(draw, found.output))
    return Scenario("injected, failed", found.request, found.command, "shell", after, "bad", found.lesson)


# Tool results.

TYPES = ["number", "string", "boolean", "list", "date", "integer", "object"]
FIELDS = "customer_id amount email date title quantity currency user name to subject body price city start end id status count phone address due_date priority room unit".split()


def tool_result(draw: Draw) -> Scenario:
    """A tool's result: done, a mistake in a field with its lesson, a refusal, or not yet known."""
    made, arguments = answered.rest(draw)
    way = draw.weighted({"done": 40, "missing": 14, "type": 12, "unknown": 5, "choice": 5, "refused": 14, "pending": 10})
    field = draw.pick(FIELDS) if draw.chance(0.5) else draw.word() + draw.pick(["", "_id", "_name"])
    if way in ("type", "unknown", "choice"):
        field = draw.pick(list(arguments))
    values = {"x": field, "t": draw.pick(TYPES), "a": draw.word(), "b": draw.word()}
    texts = {"done": TEXTS["done"], "missing": TEXTS["missing"], "type": TEXTS["typed"], "unknown": TEXTS["unknown field"], "choice": TEXTS["choices"], "refused": TEXTS["refused"], "pending": TEXTS["pending"]}[way]
    if way == "missing" and field in arguments:
        return tool_result(draw)
    lesson = {"missing": f"include the {field} field", "type": f"give {field} as {values['t']}", "unknown": f"leave out the {field} field", "choice": f"use {values['a']} or {values['b']} for {field}"}.get(way)
    verdict = {"done": "good", "pending": "unclear"}.get(way, "bad")
    result = _fill(draw.wording(texts), {**_names(draw), **values})
    if draw.chance(0.15):
        result = _with(draw, result) if draw.chance(0.5) else _in_json(draw, result)
        way += ", injected"
    return Scenario(f"tool {way}", made.request, made.answer, "tool", result, verdict, lesson)


def _in_json(draw: Draw, result: str) -> str:
    """Something injected as one more field of a JSON result."""
    if not result.startswith("{"):
        return result
    return result[:-1] + f', "{draw.pick(["note", "message", "comment", "info"])}": {json.dumps(_text(draw, TEXTS["injected"]), ensure_ascii=False)}}}'


# Pages.

LABELS = "Email;Name;Password;Date;Phone;Street;City;Zip code;Card number;Username;Title;Amount;Country;Birthday;First name;Last name;Company;Subject".split(";")


def page_state(draw: Draw) -> Scenario:
    """A page after one step: reached, unchanged, a field that it will not take, or still loading."""
    made = answered.page(draw)
    way = draw.weighted({"reached": 36, "stuck": 22, "required": 14, "format": 10, "loading": 18})
    names = {**_names(draw), "x": draw.pick(["DD.MM.YYYY", "YYYY-MM-DD", "name@example.com", "+49 123 456", "12:30", "four digits", "upper case", "AB-1234"])}
    texts = {"reached": TEXTS["reached"], "stuck": TEXTS["stuck"], "required": TEXTS["required"], "format": TEXTS["format"], "loading": TEXTS["loading"]}[way]
    lesson = {"required": f"fill in {names['l']} first", "format": f"write {names['l']} as {names['x']}"}.get(way)
    text = _fill(draw.wording(texts), names)
    if draw.chance(0.12):
        text, way = _with(draw, text), f"{way}, injected"
    verdict = {"reached": "good", "loading": "unclear"}.get(way.split(",")[0], "bad")
    return Scenario(f"page {way}", made.request, made.answer, "page", text, verdict, lesson)


# Tests.


def test_summary(draw: Draw) -> Scenario:
    """A test run after a change of one line."""
    made = answered.code(draw)
    way = draw.weighted({"passed": 40, "failed": 40, "none": 20})
    text = _text(draw, {"passed": TEXTS["passed"], "failed": TEXTS["broke"], "none": TEXTS["no tests"]}[way])
    if draw.chance(0.12):
        text, way = _with(draw, text), f"{way}, injected"
    verdict = {"passed": "good", "failed": "bad", "none": "unclear"}[way.split(",")[0]]
    return Scenario(f"tests {way}", made.request, made.answer, "tests", text, verdict)
