"""The end of the pipeline's test: is the loss the one that was committed, and is the exported file whole?

    python check.py FOLDER [--renew]

While the corpus is the same as when `check.json` was written, the loss must be the same but for rounding; after a
change of the corpus it must be near it, and `--renew` writes the new one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf

EXPECTED = Path(__file__).with_name("check.json")
SAME_CORPUS, OTHER_CORPUS = 0.02, 0.4


def compare(loss: float, digest: str) -> None:
    expected = json.loads(EXPECTED.read_text())
    same = expected["corpus"] == digest
    tolerance = SAME_CORPUS if same else OTHER_CORPUS
    print(f"check: loss {loss:.4f}, expected {expected['loss']:.4f} within {tolerance}")
    if not same:
        print("check: the corpus has changed; `scripts/starter/make --check --renew` writes the loss to expect")
    if abs(loss - expected["loss"]) > tolerance:
        raise SystemExit("check: the loss is not the one expected")


def whole(path: Path) -> None:
    """The exported file can be read and has every tensor that its header promises."""
    reader = gguf.GGUFReader(path)
    layers = reader.fields["qwen3.block_count"].contents()
    if len(reader.tensors) != 2 + 11 * layers:
        raise SystemExit(f"check: {path} has {len(reader.tensors)} tensors for {layers} layers")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--renew", action="store_true")
    options = parser.parse_args()
    result = json.loads((options.folder / "checkpoint.json").read_text())
    digest = json.loads((options.folder / "corpus" / "corpus.json").read_text())["digest"]
    for path in sorted(options.folder.glob("*.gguf")):
        whole(path)
    if options.renew:
        EXPECTED.write_text(json.dumps({"corpus": digest, "loss": round(result["loss"], 4)}) + "\n")
    compare(result["loss"], digest)
    print("check: all is well")


if __name__ == "__main__":
    main()
