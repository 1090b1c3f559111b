"""``python -m dcviz.nets.transformer_training``: the shipped language model, from nothing; can be stopped any time.

Every step draws its places in the text from a generator seeded by (seed, step), so the same command goes on where a
stopped run was, with the same steps. The matrices of the blocks are moved by Muon, the table of pieces by AdamW. The
net computes in bfloat16, its master weights are float32; what ships is their running average, rounded to bfloat16.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from dcviz.files import cache_dir, replacing
from dcviz.nets.novels import novels, pieces
from dcviz.nets.picture_training import seed_at, stop_signals
from dcviz.nets.training import threads
from dcviz.nets.transformer import Decoder, bits_per_character, write


@dataclass(frozen=True)
class Plan:
    """How long and how hard: steps of ``batch`` windows; rates of Muon (matrices) and AdamW (table).

    The rates rise for ``warmup`` steps, stay, and fall to nothing in the last ``cooling`` share of the steps: so a plan
    with other steps begins with the same run.
    """

    steps: int = 1400
    batch: int = 16
    warmup: int = 100
    cooling: float = 0.25
    matrices: float = 0.015
    table: float = 3e-3
    decay: float = 0.05
    average: float = 0.99

    def share(self, step):
        """The part of the full rate that a step gets, in 0..1."""
        return min(1, (step + 1) / self.warmup, (self.steps - step) / (self.cooling * self.steps))


class Run:
    """One training run: net, optimisers, running average, and the step it is at."""

    def __init__(self, plan, seed=0):
        self.plan, self.seed, self.step = plan, seed, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = Decoder()
        blocks = list(self.net.blocks.parameters())
        self.optimisers = [
            torch.optim.Muon(blocks, lr=plan.matrices, weight_decay=plan.decay),
            torch.optim.AdamW([self.net.head.weight], lr=plan.table, betas=(0.9, 0.95), weight_decay=plan.decay),
        ]
        self.average = {name: weight.detach().clone() for name, weight in self.net.named_parameters()}
        self.text = torch.from_numpy(pieces().encode(novels().training))

    def advance(self):
        """One step -> its loss in nats a piece."""
        plan, context = self.plan, self.net.context
        generator = torch.Generator().manual_seed(seed_at(self.seed, self.step))
        begin = torch.randint(len(self.text) - context - 1, (plan.batch, 1), generator=generator)
        rows = self.text[begin + torch.arange(context + 1)]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(rows[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        for optimiser, peak in zip(self.optimisers, (plan.matrices, plan.table), strict=True):
            optimiser.param_groups[0]["lr"] = peak * plan.share(self.step)
            optimiser.step()
            optimiser.zero_grad()
        for name, weight in self.net.named_parameters():
            self.average[name].lerp_(weight.detach(), 1 - plan.average)
        self.step += 1
        return loss.item()

    def averaged(self):
        """The net with the running average as its weights, rounded to bfloat16, in evaluation mode."""
        net = Decoder()
        net.load_state_dict({name: weight.bfloat16().float() for name, weight in self.average.items()})
        return net.eval()

    def _tensors(self):
        """{name: tensor} of everything that a resumed run needs."""
        tensors = {f"net.{name}": weight for name, weight in self.net.state_dict().items()}
        tensors |= {f"average.{name}": weight for name, weight in self.average.items()}
        for number, optimiser in enumerate(self.optimisers):
            for place, state in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{place}.{name}": torch.as_tensor(v) for name, v in state.items()}
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    def save(self, path):
        """Write a checkpoint in one piece."""
        with replacing(path) as scratch:
            save_file({**self._tensors(), "step": torch.tensor(self.step)}, scratch)

    def load(self, path):
        """Go on from a checkpoint."""
        stored = load_file(path)
        self.step = int(stored.pop("step"))
        parts = {"net": {}, "average": {}, "optimiser": {}}
        for name, tensor in stored.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.net.load_state_dict(parts["net"])
        self.average = parts["average"]
        for number, optimiser in enumerate(self.optimisers):
            state = {}
            for name, tensor in parts["optimiser"].items():
                which, place, key = name.split(".")
                if int(which) == number:
                    state.setdefault(int(place), {})[key] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def train(checkpoint, plan, seed=0, report=print, every=200):
    """Train, or go on from ``checkpoint``, to the end of the plan or to a stop signal -> the ``Run``."""
    run = Run(plan, seed)
    if checkpoint.exists():
        run.load(checkpoint)
    choosing = novels().choosing[:30_000]
    begin, first, losses = time.perf_counter(), run.step, []
    with stop_signals() as stop, threads(1):
        while run.step < plan.steps and not stop:
            losses.append(run.advance())
            if run.step % every == 0 or run.step == plan.steps:
                run.save(checkpoint)
                seconds = (time.perf_counter() - begin) / (run.step - first)
                bits = bits_per_character(run.averaged(), choosing)
                mean = sum(losses[-every:]) / len(losses[-every:])
                report(
                    f"step {run.step}: loss {mean:.3f}, held out {bits:.3f} bits a character, {seconds:.2f} s a step"
                )
    run.save(checkpoint)
    return run


def export(run, path):
    """Write the averaged weights as bfloat16: what ships."""
    weights = {name: weight.bfloat16().contiguous() for name, weight in run.average.items()}
    with replacing(path) as scratch:
        save_file(weights, scratch)


def main(arguments=None):
    """Command line: train and export."""
    parser = argparse.ArgumentParser(description="Train the language model of chapter 12.")
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--checkpoint", type=Path, default=cache_dir() / "austen-run.safetensors")
    parser.add_argument("--out", type=Path, default=Path("build/austen.safetensors"))
    options = parser.parse_args(arguments)
    run = train(options.checkpoint, Plan(steps=options.steps), report=lambda line: print(line, flush=True))
    export(run, options.out)
    print(write(run.averaged(), "It was", 80), flush=True)


if __name__ == "__main__":
    main()
