"""The terms of a token's loss, in PyTorch and in the plainest form: what src/learn/loss is compared with.

As a program, writes losses.json into the folder that is named: rows of logits, terms, and autograd's gradients.
Terms are written as in src/learn/loss/mod.rs: {"CrossEntropy": {"weight": 0.5}}.
"""

import json
import pathlib
import sys

# This folder comes last: its peft.py is not the library of that name.
sys.path.sort(key=lambda folder: pathlib.Path(folder).resolve() == pathlib.Path(__file__).resolve().parent)

import numpy
import torch

# Added to both tails, as TAIL_SMOOTHING in src/learn/loss/forward_kl.rs.
TAIL_SMOOTHING = 1e-5


def f32(value):
    """The nearest number that the trainer can be given, as a float."""
    return float(numpy.float32(value))


def cross_entropy(logp, _reference, token, weight):
    return -weight * logp[token], None


def policy_gradient(logp, _reference, token, weight, advantage, old_logprob, clip_low, clip_high):
    """PPO, arXiv 1707.06347, eq. 7; the loss is its negative."""
    ratio = torch.exp(logp[token] - old_logprob)
    clipped = torch.clamp(ratio, 1 - clip_low, 1 + clip_high)
    return -weight * torch.minimum(ratio * advantage, clipped * advantage), None


def forward_kl(logp, _reference, _token, weight, top):
    """Over the teacher's most probable tokens and one bin for the others."""
    tokens = [token for token, _ in top]
    log_q = torch.tensor([logprob for _, logprob in top], dtype=logp.dtype)
    q, log_p = log_q.exp(), logp[tokens]
    q_tail = 1 - q.sum() + TAIL_SMOOTHING
    p_tail = 1 - log_p.exp().sum() + TAIL_SMOOTHING
    kl = (q * (log_q - log_p)).sum() + q_tail * (q_tail.log() - p_tail.log())
    return weight * kl, kl


def reverse_kl(logp, _reference, _token, weight, support, gap):
    """The clipped gap is a constant: a policy gradient whose advantage is minus the gap."""
    tokens = [token for token, _ in support]
    teacher = torch.tensor([logprob for _, logprob in support], dtype=logp.dtype)
    log_p = logp[tokens]
    kl = (log_p.exp() * torch.clamp(log_p - teacher, -gap, gap).detach()).sum()
    return weight * kl, kl


def reference_kl(logp, reference, _token, weight):
    kl = (logp.exp() * (logp - reference)).sum()
    return weight * kl, kl


TERMS = {
    "CrossEntropy": cross_entropy,
    "PolicyGradient": policy_gradient,
    "ForwardKl": forward_kl,
    "ReverseKl": reverse_kl,
    "ReferenceKl": reference_kl,
}


def row_loss(logits, reference_logits, row):
    """Weighted sum of a row's terms, and its KL terms' unweighted sum or None."""
    logp = torch.log_softmax(logits, -1)
    reference = torch.log_softmax(reference_logits, -1)
    loss, kls = logits.new_zeros(()), []
    for term in row["terms"]:
        ((name, settings),) = term.items()
        value, kl = TERMS[name](logp, reference, row["token"], **settings)
        loss = loss + value
        kls += [kl.detach()] if kl is not None else []
    return loss, sum(kls) if kls else None


def largest(logits, count):
    """Token and log-probability (as f32) of the most probable tokens."""
    logp, tokens = torch.log_softmax(logits, -1).topk(count)
    return [[int(token), f32(value)] for token, value in zip(tokens, logp)]


def cases(vocab, draw):
    """One row of logits for each kind of term and each side of each bound, then rows with several terms."""
    kinds = [
        {"CrossEntropy": {"weight": 0.7}},
        *(
            {"PolicyGradient": {"weight": 0.5, "advantage": a, "offset": o, "clip_low": 0.2, "clip_high": 0.28}}
            for a in (-1.5, 2.0)
            for o in (-0.6, -0.1, 0.1, 0.6)
        ),
        {"ForwardKl": {"weight": 1.0, "count": 8}},
        {"ForwardKl": {"weight": 0.25, "count": vocab}},
        {"ForwardKl": {"weight": 1.0, "count": 1}},
        {"ReverseKl": {"weight": 1.0, "count": 4, "gap": 1.0}},
        {"ReverseKl": {"weight": 0.5, "count": 4, "gap": 100.0}},
        {"ReferenceKl": {"weight": 0.3}},
    ]
    for number, terms in enumerate([[kind] for kind in kinds] + [kinds[:3] + kinds[9:10], kinds[9:]]):
        sharpness = (1.0, 6.0)[number % 2]
        logits = (sharpness * draw(vocab)).float()
        reference = (logits + 0.5 * draw(vocab)).float()
        teacher = (logits + 0.7 * draw(vocab)).float()
        logp = torch.log_softmax(logits.double(), -1)
        token = int(logp.argsort(descending=True)[number % 5])
        row = {"token": token, "terms": []}
        for term in terms:
            ((name, settings),) = term.items()
            settings = {key: f32(value) if isinstance(value, float) else value for key, value in settings.items()}
            count = settings.pop("count", None)
            if name == "PolicyGradient":
                settings["old_logprob"] = f32(min(logp[token] + settings.pop("offset"), -1e-3))
            elif name == "ForwardKl":
                settings["top"] = largest(teacher.double(), count)
            elif name == "ReverseKl":
                teacher_logp = torch.log_softmax(teacher.double(), -1)
                settings["support"] = [[t, f32(teacher_logp[t])] for t, _ in largest(logits.double(), count)]
            row["terms"].append({name: settings})
        yield row, logits, reference


def main(folder):
    generator = torch.Generator().manual_seed(3)
    rows = []
    for row, logits, reference in cases(40, lambda n: torch.randn(n, generator=generator, dtype=torch.float64)):
        z = logits.double().requires_grad_()
        loss, kl = row_loss(z, reference.double(), row)
        (gradient,) = torch.autograd.grad(loss, z)
        expected = {"loss": loss.item(), "kl": None if kl is None else kl.item(), "gradient": gradient.tolist()}
        row["reference"] = reference.tolist() if any("ReferenceKl" in term for term in row["terms"]) else None
        rows.append({**row, "logits": logits.tolist(), "expected": expected})
    lines = ",\n".join(json.dumps(row) for row in rows)
    (pathlib.Path(folder) / "losses.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
