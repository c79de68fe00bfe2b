"""Writes the trained model as GGUF, in F16 and in Q8_0.

    python export.py CHECKPOINT TOKENIZER FOLDER --name chela-starter
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch

from model import CONTEXT, EPSILON, HEAD, ROPE_BASE, SIZES, Size
from packing import TEMPLATE
from tokenizer import END, SPECIAL, STOP

DESCRIPTION = (
    "Very small starter model of the terminal agent chela: one shell command per request, lessons in context, "
    "corrections, verdicts, hints, tool calls."
)
SOURCES = (
    "Weights trained from scratch on tldr-pages (CC BY 4.0, the tldr-pages team and contributors; reworded, filled in, "
    "turned into chats), NL2Bash data (MIT, 2020 NL2Bash dataset), NLC2CMD data (MIT) and text generated for this model."
)
LANGUAGES = ("en", "de", "fr", "es")
# Our names of a layer's weights, and GGUF's.
MATRICES = {
    "query": "attn_q", "key": "attn_k", "value": "attn_v", "output": "attn_output",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}  # fmt: skip
NORMS = {
    "attention_norm": "attn_norm", "hidden_norm": "ffn_norm", "query_norm": "attn_q_norm", "key_norm": "attn_k_norm",
}  # fmt: skip


def describe(writer: gguf.GGUFWriter, parameters: int) -> None:
    """What people and registries read."""
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("chela starter")
    writer.add_basename("chela-starter")
    writer.add_size_label(f"{parameters / 1e6:.1f}M")
    writer.add_description(DESCRIPTION)
    writer.add_license("CC-BY-4.0")
    writer.add_string("general.license.note", SOURCES)
    writer.add_languages(list(LANGUAGES))
    writer.add_tags(["shell", "text-generation"])


def shape(writer: gguf.GGUFWriter, size: Size, vocabulary: int) -> None:
    """What an engine needs to compute with the weights."""
    writer.add_block_count(size.layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(size.width)
    writer.add_feed_forward_length(size.hidden)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.kv_heads)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(vocabulary)


def vocabulary(writer: gguf.GGUFWriter, file: Path) -> None:
    """The tokenizer, its special tokens and the chat template."""
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    entries = {i: text for text, i in tokenizer["model"]["vocab"].items()}
    entries |= {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    texts = [entries[i] for i in range(len(entries))]
    added = {token["id"] for token in tokenizer["added_tokens"]}
    kinds = [gguf.TokenType.NORMAL if i not in added else gguf.TokenType.UNUSED for i in range(len(texts))]
    for text in SPECIAL:
        kinds[texts.index(text)] = gguf.TokenType.CONTROL
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(texts.index(END))
    writer.add_add_bos_token(False)
    writer.add_eos_token_id(texts.index(STOP))
    writer.add_eot_token_id(texts.index(STOP))
    writer.add_pad_token_id(texts.index(END))
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8").rstrip("\n"))


def weights(writer: gguf.GGUFWriter, state: dict[str, torch.Tensor], size: Size, kind: str) -> None:
    """Matrices in the kind asked for; norms, which are few, in float32."""

    def matrix(name: str, ours: str) -> None:
        values = state[ours].float().cpu().numpy()
        if kind == "q8_0":
            packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, values.astype(np.float16))

    def norm(name: str, ours: str) -> None:
        writer.add_tensor(name, state[ours].float().cpu().numpy())

    matrix("token_embd.weight", "embedding")
    norm("output_norm.weight", "norm.weight")
    for layer in range(size.layers):
        for ours, theirs in NORMS.items():
            norm(f"blk.{layer}.{theirs}.weight", f"blocks.{layer}.{ours}.weight")
        for ours, theirs in MATRICES.items():
            matrix(f"blk.{layer}.{theirs}.weight", f"blocks.{layer}.{ours}")


def export(checkpoint: Path, tokenizer: Path, out: Path, kind: str) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    state, size = saved["model"], SIZES[saved["size"]]
    writer = gguf.GGUFWriter(out, "qwen3")
    describe(writer, sum(t.numel() for t in state.values()))
    shape(writer, size, len(state["embedding"]))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if kind == "q8_0" else gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vocabulary(writer, tokenizer)
    weights(writer, state, size, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"exported {out}: {out.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="chela-starter")
    options = parser.parse_args()
    for kind in ("q8_0", "f16"):
        export(options.checkpoint, options.tokenizer, options.folder / f"{options.name}-{kind}.gguf", kind)


if __name__ == "__main__":
    main()
