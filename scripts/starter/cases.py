#!/usr/bin/env python3
"""Writes the held-out cases of every job: scripts/starter/cases.py FOLDER [--n 200] [--seed 1] [--data PUBLIC_SETS]

One file `JOB.jsonl` each. All wordings and names are of the test side, which the corpus never trains on, and the same
seed writes the same files. Each job has a draw of its own, so one job's cases do not change when another's do.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from corpus import commands
from corpus.documents import Case, dump
from corpus.draws import Draw

JOBS = (
    "commands", "explain", "lessons", "corrections", "fix", "judge", "hint", "tools", "page", "code", "office", "talk",
    "safety", "chats", "steps", "hand_commands",
)  # fmt: skip


def job_cases(job: str, seed: int, n: int) -> list[Case]:
    """About n cases of one job, or n of each of its parts, as its module sees fit."""
    module = importlib.import_module(f"corpus.{job}")
    return distinct(module.cases(Draw(seed, "test"), n)) if hasattr(module, "cases") else []


def distinct(cases: Iterable[Case]) -> list[Case]:
    """Each question once. Where the public sets answer it with several commands, each of these is right."""
    seen: dict[str, Case] = {}
    for case in cases:
        mark = json.dumps([case.kind, case.tools, [(m.role, m.content, m.tool_calls) for m in case.messages]])
        first = seen.setdefault(mark, case)
        if first is not case and "command" in case.check and "command" in first.check:
            ours, more = (
                one if isinstance(one, list) else [one] for one in (first.check["command"], case.check["command"])
            )
            first.check["command"] = ours + [one for one in more if one not in ours]
    return [*seen.values()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200, help="cases of each job")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of the public sets (tldr, nl2bash, nlc2cmd)")
    parser.add_argument("--jobs", nargs="*", default=JOBS, choices=JOBS)
    options = parser.parse_args()
    if options.data:
        commands.use_public(options.data)
    failed = 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for job in options.jobs:
        if importlib.util.find_spec(f"corpus.{job}") is None:
            print(f"{job}: no such module yet", file=sys.stderr)
            continue
        path = options.folder / f"{job}.jsonl"
        path.unlink(missing_ok=True)
        try:
            found = job_cases(job, options.seed, options.n)
        except Exception as error:  # One job's fault must not cost the others their cases.
            print(f"{job}: {type(error).__name__}: {error}", file=sys.stderr)
            failed = 1
            continue
        if found:
            dump(found, path)
        print(f"{job:12} {len(found):5}  {dict(sorted(Counter(case.kind for case in found).items()))}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
