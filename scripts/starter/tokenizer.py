"""Trains the tokenizer: byte-level BPE on a sample of the corpus, with the pre-tokenizer llama.cpp calls `qwen2`.

    python tokenizer.py CORPUS FILE --size 4096
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (END, START, STOP)
# One digit is one token: numbers and dates are then copied digit by digit, and never seen ones as well as known ones.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def texts(corpus: Path, documents: int) -> Iterator[str]:
    """What the sample's messages say, their tool calls as the template writes them, and the roles' names."""
    left = documents
    for path in sorted(corpus.glob("train-*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if left == 0:
                    return
                left -= 1
                document = json.loads(line)
                for message in document["messages"]:
                    yield f"{message['role']}\n"
                    yield message["content"]
                    for call in message["tool_calls"]:
                        yield json.dumps(call.get("function", call), ensure_ascii=False)
                for tool in document["tools"]:
                    yield json.dumps(tool, ensure_ascii=False)


def train(corpus: Path, size: int, documents: int) -> Tokenizer:
    """A tokenizer of exactly `size` entries, the special ones last; a small corpus leaves unused entries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL), min_frequency=3, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts(corpus, documents), trainer)
    unused = [f"<|unused_{i}|>" for i in range(size - len(SPECIAL) - tokenizer.get_vocab_size())]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*unused, *SPECIAL)])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=4096, help="entries, with the special ones")
    parser.add_argument("--documents", type=int, default=60_000, help="size of the sample")
    options = parser.parse_args()
    tokenizer = train(options.corpus, options.size, options.documents)
    tokenizer.save(str(options.file))
    sample = "find . -name '*.py' -mtime -7"
    print(f"tokenizer: {tokenizer.get_vocab_size()} entries; {sample} = {tokenizer.encode(sample).tokens}")


if __name__ == "__main__":
    main()
