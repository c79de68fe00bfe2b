"""Writes the corpus: every job's documents in their shares, mixed, as JSON lines.

    python mix.py FOLDER --documents 1000000 --seed 1 --data DIR

FOLDER then holds `train-0000.jsonl` and on (one shard each 50,000 documents, each a full mix), `validation.jsonl`
(the test side's wordings and names), `cases.jsonl` (the held-out evaluation) and `corpus.json` (what was asked for,
the counts, and a digest of the training text). The same seed and sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from corpus import commands
from corpus.documents import Case, Document, dump
from corpus.draws import Draw

# The share of each module in the documents. Commands are the base of all others, lessons the heart of the program; an
# interface's or a page's text is long, so that a few documents of them are many tokens.
SHARES = {
    "commands": 22, "lessons": 42, "corrections": 8, "judge": 14, "hint": 10, "fix": 3.5, "tools": 2,
    "explain": 1, "page": 1, "office": 2, "code": 1, "talk": 2.5, "chats": 1.5, "safety": 1.5, "steps": 2.5,
}  # fmt: skip
SHARD = 50_000
CASES = 200


def modules() -> dict:
    """The jobs' modules by name. Those that are not there are named on stderr and left out of the mix."""
    found = {}
    for name in SHARES:
        try:
            found[name] = importlib.import_module(f"corpus.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"corpus.{name}":
                raise
    missing = [name for name in SHARES if name not in found]
    if missing:
        print(f"mix: not written, left out: {', '.join(missing)}", file=sys.stderr)
    return found


def draw_for(seed: int, purpose: str, side: str) -> Draw:
    """A draw of its own for each job and shard, so that a change in one job leaves the others' texts as they were."""
    return Draw(int.from_bytes(hashlib.md5(f"{seed}/{purpose}".encode()).digest()[:6]), side)


def mixed(jobs: dict, n: int, seed: int, part: str, side: str) -> list[Document]:
    """About `n` documents of all jobs in their shares, in random order."""
    total = sum(SHARES[name] for name in jobs)
    documents = []
    for name, job in jobs.items():
        wanted = max(1, round(n * SHARES[name] / total))
        documents += job.documents(draw_for(seed, f"{part}/{name}", side), wanted)
    return draw_for(seed, f"{part}/order", side).shuffled(documents)


def mark(messages: list) -> bytes:
    """What stands for the messages before an answer, to find a question again."""
    return hashlib.md5("\0".join(f"{m.role}\1{m.content}" for m in messages).encode()).digest()[:8]


def questions(document: Document) -> list[bytes]:
    """The marks of all beginnings of a document that end where a learned answer begins."""
    messages = document.messages
    return [mark(messages[:i]) for i, m in enumerate(messages) if m.role == "assistant" and m.learn]


def held_out(jobs: dict, seed: int, per_job: int, trained: set[bytes]) -> list[Case]:
    """Cases of all jobs; one whose very question is in the training text by chance is none, and is left out."""
    cases, dropped = [], Counter()
    for name, job in jobs.items():
        for case in job.cases(draw_for(seed, f"cases/{name}", "test"), per_job):
            if mark(case.messages) in trained:
                dropped[name] += 1
            else:
                cases.append(case)
    if dropped:
        print("mix: cases left out since they are trained:", dict(dropped), file=sys.stderr)
    return cases


def counted(documents: list[Document], counts: Counter) -> None:
    for document in documents:
        counts[f"{document.job}/{document.kind}"] += 1


def write(folder: Path, n: int, seed: int, cases: int, validation: int) -> None:
    jobs = modules()
    counts: Counter = Counter()
    trained: set[bytes] = set()
    digest = hashlib.sha256()
    shards = max(1, round(n / SHARD))
    for shard in range(shards):
        documents = mixed(jobs, n // shards, seed, f"train/{shard}", "train")
        counted(documents, counts)
        for document in documents:
            trained.update(questions(document))
            digest.update(json.dumps(asdict(document), ensure_ascii=False).encode())
        dump(documents, folder / f"train-{shard:04}.jsonl")
        print(f"mix: shard {shard + 1} of {shards}, {len(documents)} documents", flush=True)
    dump(mixed(jobs, validation, seed, "validation", "test"), folder / "validation.jsonl")
    held = held_out(jobs, seed, cases, trained)
    dump(held, folder / "cases.jsonl")
    report = {
        "documents": sum(counts.values()), "shards": shards, "seed": seed, "digest": digest.hexdigest()[:16],
        "kinds": dict(sorted(counts.items())), "cases": dict(sorted(Counter(c.job for c in held).items())),
    }  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=SHARD, help="training documents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of the public sets (tldr, nl2bash, nlc2cmd)")
    parser.add_argument("--cases", type=int, default=CASES, help="cases asked of each job")
    parser.add_argument("--validation", type=int, default=3000, help="documents to watch the loss on")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("*.jsonl"):
        old.unlink()
    if options.data:
        commands.use_public(options.data)
    write(options.folder, options.documents, options.seed, options.cases, options.validation)


if __name__ == "__main__":
    main()
