#!/usr/bin/env python3
"""Held-out evaluation of a starter model: scripts/starter/evaluate.py MODEL.gguf --cases FOLDER [--against OTHER.gguf]

Serves the model with a throw-away chela, asks every case of the folder (`cases.py` writes them), scores the answers,
has `chela ask` answer everyday requests, measures speed, and writes to `--out`: `measured.md` for the model card,
`figures.json`, `everyday.txt` for grading by hand, and `answers-*.jsonl`. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from corpus.documents import Case
from evaluation import calibration, everyday, speed, tables
from evaluation.asking import Asked, Record, ask_all, load, write
from evaluation.client import Endpoint

# Answers that are computed together round differently: about one in fifty falls the other way with four.
IN_FLIGHT = "questions on their way at a time; one gives the same answers every time, four are quicker"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--against", type=Path, help="a second model, shown in brackets")
    parser.add_argument("--cases", type=Path, required=True, help="folder of JSON lines")
    parser.add_argument("--chela", type=Path, default=shutil.which("chela") or "target/release/chela")
    parser.add_argument("--out", type=Path, default=Path("evaluated"))
    parser.add_argument("--jobs", nargs="*", help="only these jobs")
    parser.add_argument("--samples", type=int, default=0, metavar="N", help="print N answers of every kind")
    parser.add_argument("--parallel", type=int, default=1, help=IN_FLIGHT)
    parser.add_argument("--threads", type=int, default=1, help="of the engine; one is fastest for so small a model")
    parser.add_argument("--no-speed", action="store_true", help="do not measure speed")
    parser.add_argument(
        "--against-one-order",
        action="store_true",
        help="the other model knows the judge's options only as 'good, bad or unclear'",
    )
    return parser.parse_args()


def evaluate(options: argparse.Namespace, model: Path, cases: list[Case], orders) -> tuple[Asked, dict, list]:
    """One model: its records, its figures, its answers to the everyday requests."""
    with Endpoint(Path(options.chela), model, options.threads) as endpoint:
        card = {name: value for name, value in endpoint.card().items() if name not in ("name", "path")}
        asked, begun = Asked(model.stem, card), time.monotonic()
        print(f"{model.name}: {len(cases)} cases", file=sys.stderr)
        asked.records = list(ask_all(endpoint, cases, options.parallel, orders))
        daily = everyday.answers(endpoint)
        print(f"  answered in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        figures = tables.figures(asked)
        if not options.no_speed:
            figures["speed"] = speed.measure(endpoint, everyday.requests()[:20])
    figures["everyday"] = [list(pair) for pair in daily]
    return asked, figures, daily


def print_samples(records: list[Record], n: int) -> None:
    """Answers of every kind, wrong ones first since they teach most."""
    kinds: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        kinds.setdefault((record.case.job, record.case.kind), []).append(record)
    for (job, kind), of in sorted(kinds.items()):
        print(f"\n== {job}: {kind} (n = {len(of)})")
        shuffled = random.Random(0).sample(of, len(of))
        for record in sorted(shuffled[: 2 * n], key=lambda r: r.measures.get("right", False))[:n]:
            print_one(record)


def print_one(record: Record) -> None:
    right = record.measures.get("right")
    mark = " " if right is None else "+" if right else "-"
    for message in record.case.messages:
        calls = json.dumps(message.tool_calls, ensure_ascii=False) if message.tool_calls else ""
        print(f"    {message.role}: {message.content}{calls}".replace("\n", "\n        "))
    print(f"  {mark} {record.answer.text}".replace("\n", "\n    "))
    if record.own is not None:
        print(f"    without lessons: {record.own}")
    if not right:
        print(f"    check: {json.dumps(record.case.check, ensure_ascii=False)}")
    print()


def main() -> int:
    options = arguments()
    # Ended from outside, too, it leaves no chela behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = [case for case in load(options.cases) if not options.jobs or case.job in options.jobs]
    if not cases:
        print(f"no cases in {options.cases}: write them with cases.py", file=sys.stderr)
        return 1
    asked, ours, daily = evaluate(options, options.model, cases, calibration.ORDERS)
    theirs = other = None
    if options.against:
        orders = (calibration.FIXED,) if options.against_one_order else calibration.ORDERS
        others, theirs, other = evaluate(options, options.against, cases, orders)
    options.out.mkdir(parents=True, exist_ok=True)
    for one in [asked, others] if options.against else [asked]:
        write(one, options.out / f"answers-{one.name}.jsonl")
    text = tables.markdown(ours, theirs)
    (options.out / "measured.md").write_text(text, encoding="utf-8")
    (options.out / "everyday.txt").write_text(everyday.page(daily, other), encoding="utf-8")
    both = {"model": ours, "against": theirs}
    (options.out / "figures.json").write_text(json.dumps(both, indent=1, ensure_ascii=False), encoding="utf-8")
    print(text)
    print(everyday.page(daily, other))
    if options.samples:
        print_samples(asked.records, options.samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
