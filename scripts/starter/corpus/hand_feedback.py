"""Answers and what came of them, written by hand in nobody's frames, for the evaluation of judge and hint alone."""

from __future__ import annotations

from .scenario import Scenario


def scenarios() -> list[Scenario]:
    return []
