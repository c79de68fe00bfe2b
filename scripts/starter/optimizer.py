"""How weights are changed: Muon for the matrices of the layers, AdamW for the embedding and the norms.

Muon makes the momentum of a matrix orthogonal before it is applied, so that every direction moves alike; on these
sizes it needs about half of the steps of AdamW alone, for a tenth more time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MATRIX_RATE = 0.02
OTHER_RATE = 3e-3
DECAY = 0.02


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of the stacked matrices with its singular values brought near one (five Newton-Schulz steps)."""
    x = matrices.bfloat16()
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return (x.mT if tall else x).float()


class Muon:
    """Matrices of one shape are stepped as one stack."""

    def __init__(self, matrices: list[nn.Parameter], momentum: float = 0.95):
        self.momentum = momentum
        self.groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for p in matrices:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.moving = {s: torch.zeros(len(ps), *s, device=ps[0].device) for s, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, parameters in self.groups.items():
            gradient = torch.stack([p.grad for p in parameters])
            moving = self.moving[shape].lerp_(gradient, 1 - self.momentum)
            change = orthogonal(gradient.lerp_(moving, self.momentum))
            scale = rate * max(1, shape[0] / shape[1]) ** 0.5
            for p, update in zip(parameters, change, strict=True):
                p.mul_(1 - rate * DECAY).add_(update, alpha=-scale)


class Optimizer:
    """Both, stepped with one factor of their rates."""

    def __init__(self, model: nn.Module):
        layers = [p for name, p in model.named_parameters() if p.ndim == 2 and name != "embedding"]
        others = [p for name, p in model.named_parameters() if p.ndim == 1 or name == "embedding"]
        self.muon = Muon(layers)
        self.adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)

    def step(self, factor: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = OTHER_RATE * factor
        self.muon.step(MATRIX_RATE * factor)
        self.adam.step()

    def state(self) -> dict:
        return {"muon": self.muon.moving, "adam": self.adam.state_dict()}

    def restore(self, state: dict) -> None:
        for shape, moving in state["muon"].items():
            self.muon.moving[shape].copy_(moving)
        self.adam.load_state_dict(state["adam"])
