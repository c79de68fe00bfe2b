"""Steps of torch.optim.AdamW with norm clip, warm-up and cosine: what src/learn/optimizer.rs is compared with.

Writes optimizer.json into the folder that is named.
"""

import json
import math
import pathlib
import sys

# This folder comes last: its peft.py is not the library of that name.
sys.path.sort(key=lambda folder: pathlib.Path(folder).resolve() == pathlib.Path(__file__).resolve().parent)

import torch

SETTINGS = {
    "learning_rate": 0.02,
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.1,
    "max_grad_norm": 1.5,
    "warmup_steps": 2,
    "total_steps": 6,
}


def learning_rate(step):
    """Linear to full at the last step of the warm-up, then cosine to a tenth at the last step."""
    warmup, total = SETTINGS["warmup_steps"], SETTINGS["total_steps"]
    if step < warmup:
        return SETTINGS["learning_rate"] * step / warmup
    progress = min((step - warmup) / (total - warmup), 1.0)
    return SETTINGS["learning_rate"] * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


def main(folder):
    generator = torch.Generator().manual_seed(5)
    parameters = [torch.nn.Parameter(torch.randn(n, generator=generator)) for n in (7, 12)]
    start = [parameter.tolist() for parameter in parameters]
    optimizer = torch.optim.AdamW(
        parameters,
        betas=(SETTINGS["beta1"], SETTINGS["beta2"]),
        eps=SETTINGS["epsilon"],
        weight_decay=SETTINGS["weight_decay"],
    )
    steps = []
    for step in range(1, SETTINGS["total_steps"] + 2):
        size = (1.0, 0.1, 1e-4)[step % 3]
        for parameter in parameters:
            parameter.grad = size * torch.randn(parameter.shape, generator=generator)
        gradients = [parameter.grad.tolist() for parameter in parameters]
        norm = math.sqrt(sum(float((parameter.grad.double() ** 2).sum()) for parameter in parameters))
        torch.nn.utils.clip_grad_norm_(parameters, SETTINGS["max_grad_norm"])
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        steps.append(
            {
                "gradients": gradients,
                "grad_norm": norm,
                "learning_rate": learning_rate(step),
                "parameters": [parameter.tolist() for parameter in parameters],
            }
        )
    lines = ",\n".join(json.dumps(step) for step in steps)
    settings = f'{{"settings": {json.dumps(SETTINGS)},\n"start": {json.dumps(start)},\n'
    (pathlib.Path(folder) / "optimizer.json").write_text(f'{settings}"steps": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
