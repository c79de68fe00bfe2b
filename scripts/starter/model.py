"""The model: a small qwen3 transformer, and its loss on rows that hold several texts.

Weights stay in float32; every product is computed in the type given (bfloat16 in training).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 64
EPSILON = 1e-6
CONTEXT = 2048
# The slowest of the 32 turning pairs has a wave of 47,000 positions, so none turns fully within the context, and
# nearby positions stay far apart for the fast ones: no reason for a larger base.
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Size:
    """Shape of a model. Widths are multiples of 256 where it can be had, so that every K-quant applies."""

    width: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int


SIZES = {
    "tiny": Size(128, 2, 256, 2, 1),  # the pipeline's test, 0.8 M parameters
    "small": Size(256, 8, 768, 4, 2),  # 7.3 M, 7.9 MB at Q8_0
    "medium": Size(384, 7, 1024, 6, 2),  # 12.6 M, 13.5 MB
    "large": Size(512, 9, 1024, 8, 2),  # 22.1 M, 23.6 MB
}


class Norm(nn.Module):
    """Scaling to length one, then by a learned weight."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.size(-1),), self.weight.to(x.dtype), EPSILON)


def matrix(rows: int, columns: int, *, zero: bool = False) -> nn.Parameter:
    """A weight `rows` × `columns`. Those that write into the residual start at zero: the model begins as identity."""
    weight = torch.zeros(rows, columns)
    return nn.Parameter(weight if zero else weight.normal_(std=1 / math.sqrt(columns)))


class Block(nn.Module):
    """One layer: attention, then the gated feed-forward part."""

    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        width, query, key = size.width, size.heads * HEAD, size.kv_heads * HEAD
        self.attention_norm, self.hidden_norm = Norm(width), Norm(width)
        self.query_norm, self.key_norm = Norm(HEAD), Norm(HEAD)
        self.query, self.key, self.value = matrix(query, width), matrix(key, width), matrix(key, width)
        self.output = matrix(width, query, zero=True)
        self.gate, self.up = matrix(size.hidden, width), matrix(size.hidden, width)
        self.down = matrix(width, size.hidden, zero=True)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attend(self.attention_norm(x), cosine, sine, mask)
        # Two products as one: larger matrices keep the processor's units busier.
        both = F.linear(self.hidden_norm(x), torch.cat((self.gate, self.up)).to(x.dtype))
        gate, up = both.split(self.size.hidden, -1)
        return x + F.linear(F.silu(gate) * up, self.down.to(x.dtype))

    def attend(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None) -> Tensor:
        rows, length, _ = x.shape
        heads, kv_heads = self.size.heads, self.size.kv_heads
        all_three = F.linear(x, torch.cat((self.query, self.key, self.value)).to(x.dtype))
        query, key, value = all_three.view(rows, length, -1, HEAD).split((heads, kv_heads, kv_heads), 2)
        query = turned(self.query_norm(query), cosine, sine).transpose(1, 2)
        key = turned(self.key_norm(key), cosine, sine).transpose(1, 2)
        value = value.transpose(1, 2)
        if mask is not None and not x.is_cuda and length <= 512:
            seen = attention_in_products(query, key, value, mask)
        else:
            # Spread by hand: the fused kernels for a mask want as many key heads as query heads.
            key = key.repeat_interleave(heads // kv_heads, 1)
            value = value.repeat_interleave(heads // kv_heads, 1)
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        return F.linear(seen.transpose(1, 2).reshape(rows, length, -1), self.output.to(x.dtype))


def attention_in_products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Attention in plain products: on a processor, for short rows, much faster than the fused kernel's backward."""
    rows, heads, length, _ = query.shape
    shared = key.size(1)
    grouped = (query * HEAD**-0.5).reshape(rows, shared, -1, HEAD)
    scores = (grouped @ key.transpose(-2, -1)).view(rows, heads, length, length) + mask
    weights = scores.softmax(-1).view(rows, shared, -1, length)
    return (weights @ value).view(rows, heads, length, HEAD)


def turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position: the two halves of a head are pairs of coordinates."""
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


class Model(nn.Module):
    """Token ids to hidden states; the embedding is also the output's matrix."""

    def __init__(self, size: Size, vocabulary: int):
        super().__init__()
        self.size = size
        self.embedding = nn.Parameter(torch.zeros(vocabulary, size.width).normal_(std=0.02))
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = Norm(size.width)
        speeds = ROPE_BASE ** (-torch.arange(0, HEAD, 2).float() / HEAD)
        angles = torch.outer(torch.arange(CONTEXT).float(), speeds).repeat(1, 2)[:, None, :]
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def forward(self, ids: Tensor, segments: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """Hidden states of `ids`. With `segments`, a token sees only those of its own segment."""
        length = ids.size(1)
        mask = None if segments is None else within_segments(segments, dtype)
        cosine, sine = self.cosine[:length].to(dtype), self.sine[:length].to(dtype)
        x = F.embedding(ids, self.embedding).to(dtype)
        for block in self.blocks:
            x = block(x, cosine, sine, mask)
        return self.norm(x)

    def losses(self, ids: Tensor, segments: Tensor, places: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        """Loss at each of `places` (indexes into all tokens of the batch), 0 where the target is -100.

        Only these rows meet the vocabulary: that product would else be the largest of all.
        """
        hidden = self.forward(ids, segments, dtype).flatten(0, 1)[places]
        logits = F.linear(hidden, self.embedding.to(dtype)).float()
        return F.cross_entropy(logits, targets, ignore_index=-100, reduction="none")

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def within_segments(segments: Tensor, dtype: torch.dtype) -> Tensor:
    """What to add to attention scores: 0 for earlier tokens of the same segment, a very low number elsewhere."""
    at = torch.arange(segments.size(1), device=segments.device)
    seen = (segments[:, None, :, None] == segments[:, None, None, :]) & (at[:, None] >= at[None, :])
    return torch.zeros(seen.shape, dtype=dtype, device=segments.device).masked_fill(~seen, -1e9)
