"""From documents to rows of tokens: renders, marks what is learned, packs, and reads the rows back in batches.

    python packing.py CORPUS TOKENIZER FOLDER

A row holds whole texts, told apart by their segment, in 256, 512, 1024 or 2048 tokens: few shapes, so that each is
compiled once, and short ones for the many short texts, since attention costs by the length of the row. A shard of
documents becomes one `.npz` with, for each length,

    ids N (int16)     segments N (0: filling)     marks N (NEVER, PROMPT, ANSWER)     jobs N (index into jobs.json)
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from tokenizers import Tokenizer

from tokenizer import END, START, STOP

TEMPLATE = Path(__file__).resolve().parents[2] / "assets" / "starter" / "chat_template.jinja"
LENGTHS = (256, 512, 1024, 2048)
OPEN_ROWS = 64
# What of a token is learned: nothing, a little (as text to know about), or in full.
NEVER, PROMPT, ANSWER = 0, 1, 2
FIELDS = ("ids", "segments", "marks", "jobs")


def chat_template() -> jinja2.Template:
    """The chat template, set up to write what the program writes from it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


@dataclass
class Text:
    """A document as tokens with what of them is learned."""

    job: str
    ids: list[int]
    marks: list[int]


class Writer:
    """Turns documents into tokens."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.template = chat_template()
        self.start, self.stop = tokenizer.token_to_id(START), tokenizer.token_to_id(STOP)
        self.answers = tokenizer.encode("assistant\n").ids

    def rendered(self, document: dict) -> str:
        for message in document["messages"]:
            if any(special in message["content"] for special in (START, STOP, END)):
                raise ValueError(f"a special token as text in {document['job']}/{document['kind']}")
        return self.template.render(messages=document["messages"], tools=document["tools"] or None).removesuffix("\n")

    def texts(self, documents: list[dict]) -> list[Text]:
        encoded = self.tokenizer.encode_batch([self.rendered(d) for d in documents], add_special_tokens=False)
        return [Text(d["job"], e.ids, self.marks(e.ids, d)) for d, e in zip(documents, encoded, strict=True)]

    def marks(self, ids: list[int], document: dict) -> list[int]:
        """Answers in full with their end, other messages a little, and the frame around them never."""
        learned = iter([m["learn"] for m in document["messages"] if m["role"] == "assistant"])
        marks = [NEVER] * len(ids)
        starts = [i for i, token in enumerate(ids) if token == self.start]
        for start, after in zip(starts, [*starts[1:], len(ids) + 1], strict=True):
            stop = ids.index(self.stop, start)
            head = start + 1 + len(self.answers)
            if ids[start + 1 : head] != self.answers:
                marks[start + 3 : stop] = [PROMPT] * (stop - start - 3)
            elif next(learned):
                marks[head : stop + 1] = [ANSWER] * (stop + 1 - head)
            assert stop < after, "a message without an end"
        assert next(learned, None) is None, "an answer that is not in the rendered text"
        return marks


def arranged(texts: list[Text], order: np.ndarray) -> dict[int, list[list[int]]]:
    """Rows of each length as lists of indexes: every text into the open row where least is left over."""
    rows: dict[int, list[list[int]]] = {length: [] for length in LENGTHS}
    open_rows: list[list] = []  # [tokens left, length, indexes]
    for i in order:
        need = len(texts[i].ids)
        fitting = min((row for row in open_rows if row[0] >= need), key=lambda row: row[0], default=None)
        if fitting is None:
            if len(open_rows) == OPEN_ROWS:
                fullest = min(range(OPEN_ROWS), key=lambda k: open_rows[k][0] / open_rows[k][1])
                row = open_rows.pop(fullest)
                rows[row[1]].append(row[2])
            length = next(length for length in LENGTHS if length >= need)
            fitting = [length, length, []]
            open_rows.append(fitting)
        fitting[0] -= need
        fitting[2].append(i)
    for _, length, indexes in open_rows:
        rows[length].append(indexes)
    return rows


def packed(texts: list[Text], jobs: list[str], seed: int) -> dict[str, np.ndarray]:
    """The arrays of a shard. Texts longer than the longest row are left out."""
    texts = [t for t in texts if len(t.ids) <= LENGTHS[-1]]
    arrays = {}
    for length, rows in arranged(texts, np.random.default_rng(seed).permutation(len(texts))).items():
        if not rows:
            continue
        shape = (len(rows), length)
        ids, segments = np.zeros(shape, np.int16), np.zeros(shape, np.int16)
        marks, job = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        for r, indexes in enumerate(rows):
            at = 0
            for segment, i in enumerate(indexes):
                there = slice(at, at + len(texts[i].ids))
                ids[r, there], marks[r, there] = texts[i].ids, texts[i].marks
                segments[r, there], job[r, there] = segment + 1, jobs.index(texts[i].job)
                at = there.stop
        arrays |= {f"{name}{length}": array for name, array in zip(FIELDS, (ids, segments, marks, job), strict=True)}
    return arrays


@dataclass
class Batch:
    """Rows of one length that are learned from at once."""

    ids: np.ndarray
    segments: np.ndarray
    marks: np.ndarray
    jobs: np.ndarray


class Rows:
    """The packed shards of a folder, in an order that only depends on a seed."""

    def __init__(self, folder: Path, part: str, tokens: int, seed: int):
        self.paths = sorted(folder.glob(f"{part}*.npz"))
        self.tokens, self.seed = tokens, seed
        self.jobs = json.loads((folder / "jobs.json").read_text())
        if not self.paths:
            raise SystemExit(f"no rows in {folder}")

    def batches(self, number: int) -> list[Batch]:
        """All batches of the shard with this number, counted on through further rounds over all shards."""
        arrays = dict(np.load(self.paths[number % len(self.paths)]))
        chance = np.random.default_rng([self.seed, number])
        found = []
        for length in LENGTHS:
            if f"ids{length}" not in arrays:
                continue
            size, count = self.tokens // length, len(arrays[f"ids{length}"])
            # A row -1 stands for an empty one, so that every batch has the same shape.
            rows = np.append(chance.permutation(count), np.full(-count % size, -1)).reshape(-1, size)
            for some in rows:
                parts = [arrays[f"{name}{length}"][some] for name in FIELDS]
                for array in parts[1:3]:
                    array[some < 0] = 0
                found.append(Batch(*parts))
        return [found[i] for i in chance.permutation(len(found))]


def pack_file(path: Path, out: Path, writer: Writer, jobs: list[str], seed: int) -> Counter:
    """Packs one file of documents; returns the tokens of each job and mark."""
    documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    texts = writer.texts(documents)
    arrays = packed(texts, jobs, seed)
    np.savez(out, **arrays)
    counts: Counter = Counter()
    for text in texts:
        counts[text.job] += len(text.ids)
        counts["answers"] += text.marks.count(ANSWER)
        counts["prompts"] += text.marks.count(PROMPT)
        counts["too long"] += len(text.ids) > LENGTHS[-1]
    counts["all"] = sum(len(text.ids) for text in texts)
    counts["room"] = sum(array.size for name, array in arrays.items() if name.startswith("ids"))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("*.npz"):
        old.unlink()
    writer = Writer(Tokenizer.from_file(str(options.tokenizer)))
    report = json.loads((options.corpus / "corpus.json").read_text())
    jobs = sorted({kind.split("/")[0] for kind in report["kinds"]})
    total: Counter = Counter()
    for seed, path in enumerate(sorted(options.corpus.glob("train-*.jsonl"))):
        total += pack_file(path, options.folder / f"{path.stem}.npz", writer, jobs, seed)
    pack_file(options.corpus / "validation.jsonl", options.folder / "validation.npz", writer, jobs, 0)
    (options.folder / "jobs.json").write_text(json.dumps(jobs))
    (options.folder / "vocabulary.json").write_text(json.dumps(writer.tokenizer.get_vocab_size()))
    (options.folder / "tokens.json").write_text(json.dumps(dict(total), indent=1) + "\n")
    shares = " ".join(f"{job} {100 * total[job] / total['all']:.1f} %" for job in jobs)
    print(f"packed: {total['all']:,} tokens, {100 * total['all'] / total['room']:.1f} % of the rows filled; {shares}")


if __name__ == "__main__":
    main()
