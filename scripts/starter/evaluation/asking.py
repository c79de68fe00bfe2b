"""Asks every case, and what belongs to it: the same question without lessons, the judge's in every order of options."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from corpus.documents import Case, Message

from . import calibration
from .calibration import Judgement
from .client import Answer, Endpoint, on_the_wire
from .scoring import PROSE, equal, listed, right_commands, same, score

# Longest answers in tokens. A shell command that is longer is a loop.
LIMIT, LIMIT_OF_PROSE, LIMIT_OF_CALLS = 96, 256, 192
LIKELY_TOKENS = 20


@dataclass
class Record:
    """One case with the answer to it. `own`: the answer to the same question without lessons."""

    case: Case
    answer: Answer
    measures: dict[str, bool]
    own: str | None = None
    judgement: Judgement | None = None

    @property
    def row(self) -> str:
        """The table's row: both halves of a comparison stand in one."""
        return self.case.kind.removesuffix("/with").removesuffix("/without")


@dataclass
class Asked:
    """All records of one model. `card`: what chela says about it."""

    name: str
    card: dict
    records: list[Record] = field(default_factory=list)


def load(folder: Path) -> list[Case]:
    """The cases of a folder's `*.jsonl`, in the order of their names."""
    cases = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            found["messages"] = [Message(**message) for message in found["messages"]]
            cases.append(Case(**found))
    return cases


def ask_all(endpoint: Endpoint, cases: list[Case], parallel: int, orders=calibration.ORDERS) -> Iterator[Record]:
    """Records in the order of the cases; `parallel` questions are on their way at a time."""
    pool = ThreadPoolExecutor(parallel)
    try:
        for i, record in enumerate(pool.map(lambda case: _ask(endpoint, case, orders), cases), 1):
            if i % 200 == 0:
                print(f"  {i} of {len(cases)}", file=sys.stderr)
            yield record
    finally:
        # After an interruption nobody waits for the rest.
        pool.shutdown(cancel_futures=True)


def _ask(endpoint: Endpoint, case: Case, orders) -> Record:
    messages = [on_the_wire({"role": m.role, "content": m.content, "tool_calls": m.tool_calls}) for m in case.messages]
    limit = LIMIT_OF_PROSE if case.job in PROSE else LIMIT_OF_CALLS if case.tools else LIMIT
    # One order only means: the words that the other model was trained with.
    if "verdict" in case.check and len(orders) == 1:
        messages = calibration.in_order(messages, orders[0])
    answer = endpoint.ask(messages, case.tools, limit)
    record = Record(case, answer, score(case, answer))
    if case.kind.endswith("/without"):
        record.measures = without(record.measures)
    elif case.kind.endswith("/with"):
        record.measures.setdefault("obeyed", record.measures.get("right", False))
    if "base" in case.check:
        own = endpoint.ask(unlearned(messages), case.tools, limit)
        record.own = own.text
        record.measures |= compared(case, record.measures, answer, own)
    if "verdict" in case.check and calibration.has_options(messages):
        firsts = [endpoint.ask(calibration.in_order(messages, o), None, 1, LIKELY_TOKENS).first for o in orders]
        record.judgement = calibration.judged(case.check["verdict"], firsts)
        record.measures["averaged"] = record.judgement.chosen == case.check["verdict"]
        record.measures["same in every order"] = record.judgement.agree
    return record


def without(measures: dict[str, bool]) -> dict[str, bool]:
    """The measures of a question whose lesson is missing: doing what it says would be chance, not obedience.

    Its check says what is right without the lesson, so it lacks what the lesson would bring (or has what it removes).
    """
    kept = {name: measures[name] for name in ("valid", "destroys unasked", "cut") if name in measures}
    return {"obeyed without": not measures["obeyed"]} | kept if "obeyed" in measures else kept


def compared(case: Case, measures: dict[str, bool], answer: Answer, own: Answer) -> dict[str, bool]:
    """Measures of a question that is also asked without its lessons, whose right answer then is `base`."""
    base = case.check["base"]
    if isinstance(base, dict):
        wanted = case.check["tool"]
        if equal(base, wanted):
            return {"as base": measures["arguments"], "unchanged": same(answer.text, own.text)}
        # A lesson about the call: with it the call is the wanted one, without it not.
        told = score(case, own)["arguments"]
        return {"obeyed": measures["arguments"], "obeyed without": told}
    found = {"as base": any(same(answer.text, one) for one in listed(base)), "unchanged": same(answer.text, own.text)}
    # With nothing else to check, the right answer is the one without lessons.
    return found if "right" in measures else found | {"right": found["as base"]}


def unlearned(messages: list[dict]) -> list[dict]:
    """The same question without lessons; where there are none, without the turns before it, which teach as well."""
    rest = [message for message in messages if message["role"] != "system"]
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    plain = f"\n{system}".split("\nLessons:\n")[0].removeprefix("\n")
    if plain == system:
        rest = rest[-1:]
    return [{"role": "system", "content": plain}] * bool(plain) + rest


def is_command(record: Record) -> bool:
    """Whether the right answer is a shell command."""
    return bool(right_commands(record.case))


def write(asked: Asked, path: Path) -> None:
    """Every answer with its measures, as JSON lines, for reading and for other counts."""
    with path.open("w", encoding="utf-8") as out:
        for record in asked.records:
            line = {
                "job": record.case.job,
                "kind": record.case.kind,
                "asked": [[m.role, m.content] for m in record.case.messages],
                "check": record.case.check,
                "answer": record.answer.text,
                "measures": record.measures,
            }
            if record.own is not None:
                line["without lessons"] = record.own
            if record.judgement:
                line["probabilities"] = record.judgement.probabilities
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
