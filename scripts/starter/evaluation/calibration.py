"""Whether the judge's probabilities can be believed: verdicts averaged over the orders in which the options stand.

A small model leans to the option named first or last; asked in every order and averaged, that lean cancels out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, permutations

from .scoring import VERDICTS

ORDERS = tuple(permutations(VERDICTS))
FIXED = VERDICTS
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_OPTIONS = re.compile(r"\b(good|bad|unclear), (good|bad|unclear) or (good|bad|unclear)\b")


@dataclass
class Judgement:
    """The averaged probabilities of one case's verdicts. `agree`: whether every order gave the same verdict."""

    right: str
    probabilities: dict[str, float]
    agree: bool

    @property
    def chosen(self) -> str:
        return max(VERDICTS, key=lambda word: self.probabilities[word])

    @property
    def sure(self) -> float:
        return self.probabilities[self.chosen]


def in_order(messages: list[dict], order: tuple[str, ...]) -> list[dict]:
    """The same question with its options in another order."""
    options = f"{order[0]}, {order[1]} or {order[2]}"
    return [message | {"content": _OPTIONS.sub(options, message["content"])} for message in messages]


def has_options(messages: list[dict]) -> bool:
    return any(_OPTIONS.search(message["content"]) for message in messages)


def of_first_token(first: dict[str, float]) -> dict[str, float]:
    """Probabilities of the three words, from those of the first token: their first letters differ."""
    mass = {word: 1e-9 for word in VERDICTS}
    for token, probability in first.items():
        begun = token.strip().lower()
        for word in VERDICTS:
            if begun and word.startswith(begun):
                mass[word] += probability
    total = sum(mass.values())
    return {word: value / total for word, value in mass.items()}


def judged(right: str, firsts: list[dict[str, float]]) -> Judgement:
    """One case from the first tokens of every order."""
    each = [of_first_token(first) for first in firsts]
    mean = {word: sum(one[word] for one in each) / len(each) for word in VERDICTS}
    return Judgement(right, mean, len({max(one, key=one.get) for one in each}) == 1)


def reliability(judgements: list[Judgement]) -> tuple[list[dict], float]:
    """Bins of the chosen verdict's probability with the share that was right, and the expected calibration error."""
    bins, error = [], 0.0
    for low, high in pairwise(EDGES):
        inside = [j for j in judgements if low <= j.sure < high or j.sure >= high == EDGES[-1]]
        if not inside:
            continue
        confidence = sum(j.sure for j in inside) / len(inside)
        accuracy = sum(j.chosen == j.right for j in inside) / len(inside)
        bins.append({"from": low, "to": high, "n": len(inside), "confidence": confidence, "accuracy": accuracy})
        error += len(inside) / len(judgements) * abs(confidence - accuracy)
    return bins, error


def confusion(pairs: list[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How often each right verdict (row) was answered with each word (column)."""
    columns = (*VERDICTS, "other")
    return {right: {said: pairs.count((right, said)) for said in columns} for right in VERDICTS}
