"""Trains the model, on the processor or on a CUDA device.

    python train.py ROWS CHECKPOINT --size small --tokens 60000000        (or --minutes 240, or both: what ends first)

Goes on from CHECKPOINT where it is there, with the same batches in the same order as if it had never stopped. SIGTERM
or Ctrl+C: writes the checkpoint and ends with exit code 0. Rates rise over the first steps, stay, and fall in a line
over the last part of the tokens (or of the time), `--decay`. One line each N steps: the answers' loss by job, in nats
per token.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from model import SIZES, Model
from optimizer import Optimizer
from packing import ANSWER, LENGTHS, NEVER, PROMPT, Batch, Rows

WARM_UP = 60
LAST_RATE = 0.02
PROMPT_CHANCE = 0.15
SAVE_SECONDS = 300


class Chosen:
    """The rows of a batch that are learned: all answers, and each prompt token with a small chance."""

    def __init__(self, batch: Batch, room: int, chance: np.random.Generator | None):
        targets = np.roll(batch.ids, -1, 1).astype(np.int64)
        marks = np.roll(batch.marks, -1, 1)
        # The next token counts where it belongs to the same text.
        same = np.roll(batch.segments, -1, 1) == batch.segments
        same[:, -1] = False
        marks = np.where(same, marks, NEVER).reshape(-1)
        places = np.flatnonzero(marks == ANSWER)
        if chance is not None:
            others = np.flatnonzero(marks == PROMPT)
            if len(places) > room:
                places = np.sort(chance.choice(places, room, replace=False))
            others = others[chance.random(len(others)) < PROMPT_CHANCE][: room - len(places)]
            self.answers = len(places)
            places = np.concatenate((places, others))
        else:
            places = places[:room]
            self.answers = len(places)
        self.jobs = batch.jobs.reshape(-1)[places[: self.answers]]
        self.places, self.targets = np.zeros(room, np.int64), np.full(room, -100)
        self.places[: len(places)] = places
        self.targets[: len(places)] = targets.reshape(-1)[places]
        self.count = max(1, len(places))


class Tally:
    """Mean loss of each job's answers since the last line."""

    def __init__(self, jobs: list[str]):
        self.jobs = jobs
        self.sums, self.counts = np.zeros(len(jobs)), np.zeros(len(jobs))

    def add(self, chosen: Chosen, losses: np.ndarray) -> None:
        self.sums += np.bincount(chosen.jobs, losses[: chosen.answers], len(self.jobs))
        self.counts += np.bincount(chosen.jobs, minlength=len(self.jobs))

    def mean(self) -> float:
        return float(self.sums.sum() / max(1, self.counts.sum()))

    def text(self) -> str:
        each = zip(self.jobs, self.sums, self.counts, strict=True)
        return f"{self.mean():.4f}  " + " ".join(f"{job} {s / n:.3f}" for job, s, n in each if n)


class Training:
    """A run: the model, where it stands in the data, and how to go on."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() and not options.cpu else "cpu"
        self.batch = options.batch or (4096 if self.device == "cpu" else 32768)
        torch.manual_seed(options.seed)
        vocabulary = json.loads((options.rows / "vocabulary.json").read_text())
        self.model = Model(SIZES[options.size], vocabulary).to(self.device)
        self.optimizer = Optimizer(self.model)
        self.rows = Rows(options.rows, "train", self.batch, options.seed)
        self.room = self.learned_room()
        self.losses = self.compiled()
        self.step = self.shard = self.position = 0
        self.seconds, self.stop = 0.0, False

    def learned_room(self) -> int:
        """How many rows of a batch meet the vocabulary: what is learned on average, and a fifth more."""
        counts = json.loads((self.options.rows / "tokens.json").read_text())
        share = (counts["answers"] + PROMPT_CHANCE * counts["prompts"]) / counts["all"]
        return min(self.batch, int(1.2 * share * self.batch) // 256 * 256 + 256)

    def compiled(self):
        if self.options.eager:
            return self.model.losses
        torch._dynamo.config.automatic_dynamic_shapes = False
        torch._dynamo.config.recompile_limit = 2 * len(LENGTHS)
        return torch.compile(self.model.losses, dynamic=False)

    def run_losses(self, function, batch: Batch, chosen: Chosen) -> torch.Tensor:
        arrays = (batch.ids.astype(np.int64), batch.segments, chosen.places, chosen.targets)
        tensors = [torch.from_numpy(array).to(self.device, non_blocking=True) for array in arrays]
        return function(*tensors, torch.float32 if self.options.float32 else torch.bfloat16)

    def progress(self) -> float:
        """How much of the run is done, by tokens or by time, whichever is nearer to its end."""
        parts = []
        if self.options.tokens:
            parts.append(self.step * self.batch / self.options.tokens)
        if self.options.minutes:
            parts.append(self.seconds / 60 / self.options.minutes)
        return max(parts)

    def factor(self) -> float:
        left = (1 - self.progress()) / self.options.decay
        return max(LAST_RATE, min(1, left)) * min(1, (self.step + 1) / WARM_UP)

    def one_step(self, batch: Batch, tally: Tally) -> None:
        chosen = Chosen(batch, self.room, np.random.default_rng([self.options.seed, self.step]))
        losses = self.run_losses(self.losses, batch, chosen)
        (losses.sum() / chosen.count).backward()
        self.optimizer.step(self.factor())
        self.model.zero_grad(set_to_none=True)
        tally.add(chosen, losses.detach().float().cpu().numpy())
        self.step += 1
        self.position += 1

    def run(self) -> None:
        """Until the tokens or the time are used up, or a signal came."""
        tally, began, said, saved = Tally(self.rows.jobs), time.monotonic(), time.monotonic(), time.monotonic()
        before = self.seconds
        while not self.ended():
            for batch in self.rows.batches(self.shard)[self.position :]:
                self.one_step(batch, tally)
                now = time.monotonic()
                self.seconds = before + now - began
                if self.step % self.options.say == 0:
                    speed = self.options.say * self.batch / (now - said)
                    where = f"step {self.step} {self.step * self.batch / 1e6:.2f} M tokens {self.seconds / 60:.1f} min"
                    print(f"{where} {speed:.0f}/s rate {self.factor():.2f} loss {tally.text()}", flush=True)
                    tally, said = Tally(self.rows.jobs), now
                if now - saved > SAVE_SECONDS:
                    self.save()
                    saved = now
                if self.ended():
                    break
            else:
                self.shard, self.position = self.shard + 1, 0
        self.save()

    def ended(self) -> bool:
        return self.stop or self.progress() >= 1 or (self.options.steps and self.step >= self.options.steps)

    @torch.no_grad()
    def validate(self) -> Tally:
        """Loss of the answers on texts of the test side, without compiling: it runs once."""
        rows = Rows(self.options.rows, "validation", 4096, 0)
        tally = Tally(rows.jobs)
        for batch in rows.batches(0)[: self.options.validate]:
            chosen = Chosen(batch, 4096, None)
            tally.add(chosen, self.run_losses(self.model.losses, batch, chosen).float().cpu().numpy())
        return tally

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state(), "size": self.options.size,
            "step": self.step, "shard": self.shard, "position": self.position, "seconds": self.seconds,
            "tokens": self.step * self.batch, "batch": self.batch, "seed": self.options.seed,
        }  # fmt: skip
        unfinished = self.options.checkpoint.with_suffix(".unfinished")
        torch.save(state, unfinished)
        os.replace(unfinished, self.options.checkpoint)

    def restore(self) -> None:
        state = torch.load(self.options.checkpoint, map_location=self.device)
        for name in ("size", "seed"):
            if state[name] != getattr(self.options, name):
                raise SystemExit(f"{self.options.checkpoint} was made with another {name}: {state[name]}")
        if state["batch"] != self.batch:
            raise SystemExit(f"{self.options.checkpoint} was made with --batch {state['batch']}")
        self.model.load_state_dict(state["model"])
        self.optimizer.restore(state["optimizer"])
        self.step, self.shard, self.position = state["step"], state["shard"], state["position"]
        self.seconds = state["seconds"]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--tokens", type=int, help="end after so many tokens")
    parser.add_argument("--minutes", type=float, help="end after so many minutes, those before a stop counted in")
    parser.add_argument("--decay", type=float, default=0.4, help="the part of the run in which rates fall")
    parser.add_argument("--steps", type=int, help="stop early, as if a signal had come, after so many steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, help="tokens in a step, a multiple of 2048")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cpu", action="store_true", help="the processor even where there is a CUDA device")
    parser.add_argument("--eager", action="store_true", help="without compiling")
    parser.add_argument("--float32", action="store_true", help="products in float32, not bfloat16")
    parser.add_argument("--say", type=int, default=50, help="steps between two lines")
    parser.add_argument("--validate", type=int, default=60, help="batches to validate on at the end")
    found = parser.parse_args()
    if not found.tokens and not found.minutes:
        parser.error("one of --tokens and --minutes is needed")
    return found


def main() -> None:
    chosen = options()
    os.nice(10)
    torch.set_num_threads(chosen.threads)
    training = Training(chosen)
    if chosen.checkpoint.exists():
        training.restore()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(training, "stop", True))
    where = f"{training.device}, {training.room} of {training.batch} rows learned, from step {training.step}"
    print(f"training {chosen.size}: {training.model.parameter_count():,} parameters on {where}", flush=True)
    training.run()
    if training.progress() >= 1:
        tally = training.validate()
        print(f"validation {tally.text()}", flush=True)
        result = {"loss": tally.mean(), "tokens": training.step * training.batch, "minutes": training.seconds / 60}
        chosen.checkpoint.with_suffix(".json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
