"""A training run in a file, so that one that was stopped goes on as if nothing had been.

Everything that decides what comes next is in it: the net, the optimiser, the rates, and the random numbers, those
of the epoch's beginning too, from which its batches are drawn once more. A data set that draws from NumPy's or
Python's generators is walked with other numbers after a stop.
"""

import json
import time

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dcviz.errors import DataError
from dcviz.files import replacing

MOMENTS = ("exp_avg", "exp_avg_sq")


def replace_file(path, tensors, notes):
    """Write a safetensors file in one step: whatever happens, ``path`` is the old file or the new one."""
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with replacing(path) as scratch:
        save_file(tensors, scratch, metadata={key: str(value) for key, value in notes.items()})


def read_file(path, identity):
    """{name: tensor} of a file that says to be of the run ``identity``; None if there is none. DataError for others."""
    tensors = _read(path, identity)
    return None if tensors is None else tensors[0]


def _read(path, identity):
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("identity") != identity:
                raise DataError(f"{path}: kept by another run; remove it, or give another place")
            return {key: file.get_tensor(key) for key in file.keys()}, notes  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a whole checkpoint ({error})") from error


class Run:
    """The moving parts of one ``fit``: all that a checkpoint holds. ``parameters``: those that the optimiser moves."""

    def __init__(self, net, parameters, optimizer, decay, generator, device):
        self.net, self.parameters, self.optimizer, self.decay = net, parameters, optimizer, decay
        self.generator, self.device = generator, torch.device(device)
        self.step, self.losses, self.running = 0, [], []
        self.begun = self.drawn()

    def drawn(self):
        """The state of every generator that this run draws from: {name: uint8 tensor}."""
        states = {"own": self.generator.get_state(), "torch": torch.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else {})

    def draw_from(self, states):
        """Bring the generators to these states."""
        self.generator.set_state(states["own"])
        torch.set_rng_state(states["torch"])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def epoch_begins(self):
        """Remember what the batches of this epoch are drawn from."""
        self.begun = self.drawn()

    def again(self, walk, done):
        """The batches of the epoch in which the run was interrupted, after the ``done`` that were learnt from."""
        now = self.drawn()
        self.draw_from(self.begun)
        batches = walk()
        for _ in range(done):
            next(batches)
        self.draw_from(now)  # dropout has drawn since
        return batches

    def tensors(self):
        """{name: tensor}."""
        state = {f"net/{key}": value for key, value in self.net.state_dict(keep_vars=True).items()}
        state |= {f"moved/{i}": parameter for i, parameter in enumerate(self.parameters)}
        for i, parameter in enumerate(self.parameters):
            held = self.optimizer.state.get(parameter, {})
            state |= {f"{name}/{i}": held[name] for name in MOMENTS if name in held}
        for when, drawn in (("begun", self.begun), ("now", self.drawn())):
            state |= {f"{when}/{name}": value for name, value in drawn.items()}
        return {key: value.detach().cpu().clone() for key, value in state.items()}

    def notes(self):
        """The plain values."""
        steps = [int(self.optimizer.state[p]["step"]) if p in self.optimizer.state else 0 for p in self.parameters]
        rate = self.optimizer.param_groups[0]["lr"]
        return {"step": self.step, "losses": self.losses, "running": self.running, "steps": steps, "rate": rate}

    @torch.no_grad()
    def take(self, tensors, notes):
        """Be what a file says; KeyError, RuntimeError or TypeError if it is of another run."""
        for key, value in self.net.state_dict(keep_vars=True).items():
            value.copy_(tensors[f"net/{key}"])
        for i, parameter in enumerate(self.parameters):
            parameter.copy_(tensors[f"moved/{i}"])
            if f"exp_avg/{i}" in tensors:
                moments = {m: torch.empty_like(parameter).copy_(tensors[f"{m}/{i}"]) for m in MOMENTS}
                self.optimizer.state[parameter] = {"step": torch.tensor(float(notes["steps"][i])), **moments}
        self.step, self.losses, self.running = notes["step"], notes["losses"], notes["running"]
        self.optimizer.param_groups[0]["lr"] = notes["rate"]
        self.decay.last_epoch, self.decay._last_lr = self.step, [notes["rate"]]
        begun, now = (
            {k.split("/")[1]: v for k, v in tensors.items() if k.startswith(f"{when}/")} for when in ("begun", "now")
        )
        self.begun = begun
        self.draw_from(now)


class Checkpoint:
    """A file that keeps a run up to date: written every so many seconds and at a stop, and taken up by the next run.

    identity: plain text that says which run it is; the file of another is refused.
    """

    def __init__(self, path, identity, every=60.0):
        self.path, self.identity, self.every = path, identity, every
        self._kept = time.monotonic()

    def keep(self, run, now=False):
        """Write the file if it is time."""
        if now or time.monotonic() - self._kept >= self.every:
            notes = {"identity": self.identity, "run": json.dumps(run.notes())}
            replace_file(self.path, run.tensors(), notes)
            self._kept = time.monotonic()

    def resume(self, run):
        """True after ``run`` was brought to where the file says; False if there is none. DataError for another's."""
        found = _read(self.path, self.identity)
        if found is None:
            return False
        try:
            run.take(found[0], json.loads(found[1]["run"]))
        except (KeyError, RuntimeError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{self.path}: not a whole checkpoint of this run ({error})") from error
        return True
