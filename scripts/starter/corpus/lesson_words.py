"""How lessons are worded, and the shape of an example: a request whose answer some lessons change.

The wordings stand in `templates/lesson-words.txt` (about commands) and `templates/lesson-facts.txt` (facts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from .commands import FOLDER, fill, misspelt, varied
from .draws import Draw, is_for_test
from .shell import utilities

# Said so often that they must be learned: no combination of these is withheld.
KEPT = {"sudo:systemctl", "long:git", "swap:ls"}
LEADS = [
    "note: {}",
    "remember: {}",
    "important: {}",
    "btw {}",
    "please {}",
    "rule: {}",
    "{} please",
    "{} (since monday)",
    "for the record: {}",
    "as I said, {}",
    "hint: {}",
    "{}, thanks",
]


@dataclass
class Example:
    """A request, the lessons that matter for it (in their order), the answer with them and without.

    `plain` is empty where no answer is right without the lesson. `has`: words that the lessons put into the answer.
    """

    kind: str
    lessons: list[str]
    request: str
    answer: str
    plain: str = ""
    has: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    cwd: str = ""
    platform: str | None = None
    shell: bool = True

    def check(self) -> dict:
        """What an answer that obeys must have. A word that stands in the right answer anyway is not forbidden."""
        lacks = [word for word in self.lacks if word not in self.answer]
        check: dict = {"has": self.has, "lacks": lacks}
        return {**check, "command": self.answer} if self.shell else {**check, "exact": [self.answer]}

    def check_without(self) -> dict:
        """What the answer must have where the lessons are left out: nothing that only they could bring."""
        check: dict = {"lacks": self.has} if self.has else {"has": self.lacks}
        return {**check, "command": self.plain} if self.shell and self.plain else check

    def names(self) -> set[str]:
        """The utilities of both answers, which no distracting lesson may touch."""
        return {*utilities(self.answer), *utilities(self.plain)} if self.shell else set()


@dataclass
class Section:
    """One kind's wordings; for facts also the slots that its answers need and what can be asked."""

    lessons: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    asks: list[tuple[str, str, list[str]]] = field(default_factory=list)


@cache
def sections(file: str) -> dict[str, Section]:
    """The kinds of one file of wordings."""
    found: dict[str, Section] = {}
    current = Section()
    for number, line in enumerate((FOLDER / file).read_text(encoding="utf-8").splitlines(), 1):
        mark, _, text = line.strip().partition(" ")
        if not mark or mark == "#":
            continue
        if mark == "=":
            current = found.setdefault(text, Section())
        elif mark == "!":
            current.lessons.append(text)
        elif mark == "+":
            current.needs += text.split()
        elif mark == "?":
            answer, _, plain = text.partition(" <- ")
            current.asks.append((answer, plain, []))
        elif mark == "-":
            current.asks[-1][2].append(text)
        else:
            raise ValueError(f"{file}:{number}: a line begins with {mark!r}")
    return found


def typed(draw: Draw, request: str, names: dict[str, str]) -> str:
    """A request as people type it, but never with a slip in a name: names are to be copied exactly."""
    text = varied(request, draw)
    whole = all(name in text for name in names.values() if name in request)
    return text if whole else request


def words(kind: str) -> list[str]:
    return sections("lesson-words.txt")[kind].lessons


def said(draw: Draw, wording: str, values: dict[str, str], stop: bool = True) -> str:
    """A lesson as someone writes it: capital and full stop now and then, names in backquotes at times."""
    # A wording that begins with a name keeps it as it is: a capital would make it another name.
    if draw.chance(0.03):
        wording = misspelt(wording, draw)
    if stop and draw.chance(0.05) and not wording.startswith("please"):
        wording = draw.wording(LEADS).replace("{}", wording)
    elif wording[:1].islower() and draw.chance(0.25):
        wording = wording[:1].upper() + wording[1:]
    if stop and draw.chance(0.15) and not wording.endswith(("}", "!")):
        wording += "."
    if stop and draw.chance(0.06) and '"' not in wording:
        values = {key: f"`{value}`" for key, value in values.items()}
    return fill(wording, values)


def lesson(draw: Draw, kind: str, **values: str) -> str:
    """A lesson about commands in one of its kind's wordings."""
    return said(draw, draw.wording(words(kind)), values)


def allowed(kind: str, utility: str, held: bool) -> bool:
    """Whether this kind may meet this utility: one combination in ten is kept for the evaluation."""
    combination = f"{kind}:{utility}"
    return (is_for_test(combination) and combination not in KEPT) == held
