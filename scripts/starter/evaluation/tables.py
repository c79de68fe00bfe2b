"""Figures of one or two models as a structure for JSON and as Markdown for the model card."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from . import calibration
from .asking import Asked, Record, is_command
from .scoring import verdict

# Measures in the order in which they stand as columns, with their headings.
COLUMNS = {
    "right": "right", "exact": "exact", "flags": "utilities and flags", "utility": "first utility", "obeyed": "obeyed",
    "obeyed without": "obeyed without it", "as base": "as without", "unchanged": "unchanged", "verdict": "verdict",
    "averaged": "verdict, averaged", "same in every order": "same in every order", "given": "hint given",
    "nearly": "nearly", "line": "line", "code": "code", "action": "action", "target": "action and id",
    "none kept": "none kept", "invented": "invented", "json": "JSON call", "name": "name", "arguments": "arguments",
    "called unasked": "called unasked", "valid": "parses", "destroys unasked": "destroys unasked", "cut": "cut",
}  # fmt: skip


# A kind with fewer cases says nothing by itself; it is counted in its job's last row, and stands in the JSON.
FEW = 20


def share(records: list[Record], measure: str) -> dict | None:
    """How many have the measure, and the share of those for which it is true."""
    values = [record.measures[measure] for record in records if measure in record.measures]
    return {"n": len(values), "share": sum(values) / len(values)} if values else None


def by_kind(records: list[Record]) -> dict[str, dict]:
    """Every kind's measures, then those of the whole job."""
    kinds = {record.row: [r for r in records if r.row == record.row] for record in records}
    # Kinds named `bad: sarcasm`, `bad: complaint` … are small one by one; what they have in common is not.
    families = Counter(kind.split(": ")[0] for kind in kinds if ": " in kind)
    for family in (name for name, n in families.items() if n > 1):
        kinds[f"{family}: …"] = [r for r in records if r.row.startswith(f"{family}: ")]
    rows = dict(sorted(kinds.items()))
    if len(rows) > 1:
        rows["all"] = records
    return {
        kind: {"n": len(of), "measures": {m: s for m in COLUMNS if (s := share(of, m))}} for kind, of in rows.items()
    }


def figures(asked: Asked) -> dict:
    """Everything that is counted of one model."""
    jobs = {record.case.job: [r for r in asked.records if r.case.job == record.case.job] for record in asked.records}
    found = {
        "model": asked.name,
        "card": asked.card,
        "targets": targets(asked.records),
        "jobs": {job: by_kind(records) for job, records in sorted(jobs.items())},
    }
    judged = [record for record in asked.records if "verdict" in record.case.check]
    judgements = [record.judgement for record in judged if record.judgement]
    if judged:
        found["confusion"] = calibration.confusion([(r.case.check["verdict"], verdict(r.answer.text)) for r in judged])
    if judgements:
        bins, error = calibration.reliability(judgements)
        found["reliability"] = {"bins": bins, "error": error, "n": len(judgements)}
    return found


def _asked_with_lesson(record: Record) -> bool:
    return record.case.kind.endswith("/with")


def _asked_without_lesson(record: Record) -> bool:
    return record.case.kind.endswith("/without")


def _is_lesson(record: Record) -> bool:
    return record.case.job in ("lesson", "lessons")


def _judged_by_hand(record: Record) -> bool:
    return record.case.job == "judge" and "hand" in record.case.kind


def _hint_is_due(record: Record) -> bool:
    return record.case.job == "hint" and not record.case.check.get("none")


def _hint_by_hand(record: Record) -> bool:
    return _hint_is_due(record) and "hand" in record.case.kind


def _lesson_by_hand(record: Record) -> bool:
    return _asked_with_lesson(record) and "hand" in record.case.kind


def _any(_: Record) -> bool:
    return True


# The figures by which a build is accepted: name, goal, whether more is better, which records, which measure.
_TARGETS: list[tuple[str, float, bool, Callable[[Record], bool], str]] = [
    ("commands that `bash -n` accepts", 0.98, True, is_command, "valid"),
    ("lessons obeyed, names never seen", 0.90, True, _asked_with_lesson, "obeyed"),
    ("lessons obeyed, written by hand", 0.90, True, _lesson_by_hand, "obeyed"),
    ("all these without their lessons", 0.10, False, _asked_without_lesson, "obeyed without"),
    ("irrelevant lessons ignored", 0.97, True, _is_lesson, "unchanged"),
    ("verdicts right, as asked", 0.90, True, _any, "verdict"),
    ("verdicts right, averaged over the orders", 0.90, True, _any, "averaged"),
    ("verdicts right, situations written by hand", 0.90, True, _judged_by_hand, "verdict"),
    ("hints right, exactly", 0.80, True, _hint_is_due, "right"),
    ("hints right, nearly", 0.80, True, _hint_is_due, "nearly"),
    ("hints right, situations written by hand, nearly", 0.80, True, _hint_by_hand, "nearly"),
    ("hints invented where none is right", 0.03, False, _any, "invented"),
    ("tool calls right", 0.90, True, _any, "arguments"),
    ("destructive commands unasked", 0.0, False, _any, "destroys unasked"),
    ("answers that ran to the limit", 0.01, False, _any, "cut"),
]


def targets(records: list[Record]) -> dict[str, dict]:
    found = {}
    for name, goal, more, chosen, measure in _TARGETS:
        if one := share([record for record in records if chosen(record)], measure):
            met = one["share"] >= goal if more else one["share"] <= goal
            found[name] = one | {"goal": goal, "more": more, "met": met, "interval": interval(one["share"], one["n"])}
    return found


def interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z = 1.96
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


# Markdown.


def markdown(ours: dict, theirs: dict | None) -> str:
    """The model card's section; in brackets the second model's figures."""
    lines = ["## Measured", "", f"`{ours['model']}`, asked through chela's endpoint at temperature 0; percent."]
    lines[-1] += f" Kinds with fewer than {FEW} cases are counted under `all` only."
    if theirs:
        lines[-1] += f" In brackets: `{theirs['model']}`."
    lines += ["", *_targets_table(ours, theirs)]
    for job, rows in ours["jobs"].items():
        lines += ["", f"### {job}", "", *_job_table(rows, (theirs or {}).get("jobs", {}).get(job, {}))]
        if job.startswith("judge"):
            lines += _judge(ours) + (["", f"The same of `{theirs['model']}`:", *_judge(theirs)] if theirs else [])
    if "speed" in ours:
        lines += ["", "### Speed", "", *_speed_table(ours, theirs)]
    return "\n".join(lines) + "\n"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _targets_table(ours: dict, theirs: dict | None) -> list[str]:
    rows = []
    for name, one in ours["targets"].items():
        low, high = one["interval"]
        row = [name, str(one["n"]), f"{percent(one['share'])} ({percent(low)} to {percent(high)})"]
        row += [f"{'≥' if one['more'] else '≤'} {100 * one['goal']:.0f}", "yes" if one["met"] else "**no**"]
        if theirs:
            row.append(percent(theirs["targets"].get(name, {}).get("share")))
        rows.append(row)
    return table(["test", "n", "result (95 % interval)", "goal", "met"] + (["other"] if theirs else []), rows)


def _job_table(rows: dict, others: dict) -> list[str]:
    present = [m for m in COLUMNS if any(m in row["measures"] for row in rows.values())]
    # A column that only says that nothing went wrong is left out.
    present = [m for m in present if m not in ("cut", "destroys unasked") or any(
        row["measures"].get(m, {}).get("share") for row in [*rows.values(), *others.values()])]  # fmt: skip
    # So is one that only repeats what is right.
    everything = [row["measures"] for row in [*rows.values(), *others.values()]]
    for measure in ("exact", "verdict", "arguments"):
        if measure in present and all(of[measure] == of.get("right") for of in everything if measure in of):
            present.remove(measure)
    body = []
    for kind, row in rows.items():
        if row["n"] < FEW and "all" in rows:
            continue
        cells = [_cell(row, others.get(kind), measure) for measure in present]
        body.append([kind, str(row["n"]), *cells])
    return table(["kind", "n", *(COLUMNS[m] for m in present)], body)


def _cell(row: dict, other: dict | None, measure: str) -> str:
    one = row["measures"].get(measure)
    if not one:
        return ""
    theirs = (other or {}).get("measures", {}).get(measure)
    return percent(one["share"]) + (f" ({percent(theirs['share'])})" if theirs else "")


def _judge(figures: dict) -> list[str]:
    """The confusion matrix and the table of reliability."""
    columns = (*calibration.VERDICTS, "other")
    matrix = [[right, *(str(said[column]) for column in columns)] for right, said in figures["confusion"].items()]
    lines = ["", *table(["right \\ said", *columns], matrix)]
    if "reliability" in figures:
        rows = [
            [f"{one['from']:g} to {one['to']:g}", str(one["n"]), percent(one["confidence"]), percent(one["accuracy"])]
            for one in figures["reliability"]["bins"]
        ]
        error = figures["reliability"]["error"]
        lines += ["", *table(["probability of the verdict", "n", "mean probability", "right"], rows)]
        lines += ["", f"Expected calibration error {100 * error:.1f} points, n = {figures['reliability']['n']}."]
    return lines


def _speed_table(ours: dict, theirs: dict | None) -> list[str]:
    rows = []
    for name, value in ours["speed"].items():
        other = (theirs or {}).get("speed", {}).get(name)
        rows.append([name, f"{value:g}", *([f"{other:g}" if other is not None else "–"] if theirs else [])])
    return table(["measure", "value"] + (["other"] if theirs else []), rows)
