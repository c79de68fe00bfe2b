"""Answers greedily with PyTorch: for a look at a checkpoint, and to compare an exported file with.

    python generate.py CHECKPOINT TOKENIZER "list all files"             one request, with the agent's system message
    python generate.py CHECKPOINT TOKENIZER --file cases.jsonl --some 20    of a file of documents or cases

Writes JSON lines: job, kind, the rendered prompt, the answer.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

from corpus.documents import AGENT
from model import CONTEXT, SIZES, Model
from packing import chat_template
from tokenizer import STOP


class Answers:
    """A checkpoint with its tokenizer."""

    def __init__(self, checkpoint: Path, tokenizer: Path):
        saved = torch.load(checkpoint, map_location="cpu")
        self.model = Model(SIZES[saved["size"]], len(saved["model"]["embedding"]))
        self.model.load_state_dict(saved["model"])
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.stop = self.tokenizer.token_to_id(STOP)
        self.template = chat_template()

    def prompt(self, messages: list[dict], tools: list[dict]) -> str:
        return self.template.render(messages=messages, tools=tools or None, add_generation_prompt=True)

    @torch.no_grad()
    def answer(self, prompt: str, most: int = 64) -> str:
        """The likeliest next token again and again. Without a cache: texts and model are small."""
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        start = len(ids)
        while len(ids) < min(CONTEXT, start + most):
            hidden = self.model(torch.tensor([ids]))[0, -1]
            token = int((self.model.embedding @ hidden).argmax())
            if token == self.stop:
                break
            ids.append(token)
        return self.tokenizer.decode(ids[start:])


def questions(path: Path, some: int, seed: int) -> list[dict]:
    """Lines of a file, cut before the last answer where they end with one."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    entries = random.Random(seed).sample(entries, min(some, len(entries)))
    for entry in entries:
        if entry["messages"][-1]["role"] == "assistant":
            entry["expected"] = entry["messages"].pop()["content"]
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("request", nargs="?")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--some", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.file:
        entries = questions(options.file, options.some, options.seed)
    else:
        messages = [{"role": "system", "content": AGENT}, {"role": "user", "content": options.request or "hello"}]
        entries = [{"job": "request", "kind": "", "messages": messages, "tools": []}]
    answers = Answers(options.checkpoint, options.tokenizer)
    for entry in entries:
        prompt = answers.prompt(entry["messages"], entry["tools"])
        line = {"job": entry["job"], "kind": entry["kind"], "prompt": prompt, "answer": answers.answer(prompt)}
        line |= {name: entry[name] for name in ("expected", "check") if name in entry}
        print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
