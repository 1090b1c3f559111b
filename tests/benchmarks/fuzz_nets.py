"""Random recipes for random nets, many times: no exception but dcviz's own, and what comes out comes back.

    python tests/benchmarks/fuzz_nets.py [--runs 10000] [--seed 0]

Each number makes one of the fifteen nets of tests/pipeline/some_nets.py, often with something done to it that people do
to nets, and a recipe with odd values among its own. In two runs of five it learns from a batch or two as well.
``compress`` must end in a ``DcvizError`` or in a file that opens into another net of the same kind: the same tensors
bit for bit, every byte charged, no layer denser than asked; what nobody may change is as it was, and so is the net that
was given. Trained twice, it is the same file. Prints what came out; exit status 1 at the first broken promise, with its
number.
"""

import argparse
import copy
import itertools
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

import some_nets
import torch
from torch import nn
from torch.nn.utils import prune

from dcviz import archive, pipeline
from dcviz.errors import DcvizError
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, parameters

ODD = (None, 0, -1, 1.5, float("nan"), float("inf"), "x", 10**30, True, [], b"")
OPTIONS = {
    "init": ("linear", "density", "forgy"),
    "quantizer": ("kmeans", "uniform"),
    "rate": (0.0, 0.05, 1.0),
    "drop_dead": (False, True),
    "reorder": (False, True),
    "dtype": ("float32", "float16"),
    "bias_dtype": ("float32", "float16"),
    "bias_bits": (None, 1, 3, 8),
    "norms_dtype": (None, "float16"),
    "order": ("best", "C", "F"),
    "seed": (0, 7, 2**40),
}
TYPES = (torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float64)


def weights(net):
    return [value for value in net.parameters() if value.dim() > 1 and value.numel()]


def some(rng, net):
    return rng.choice(weights(net) or [torch.zeros(1, 1)])


def frozen(rng, net):
    for parameter in net.parameters():
        parameter.requires_grad_(rng.random() < 0.5)


def not_a_number(rng, net):
    weight = some(rng, net)
    weight.data[(0,) * weight.dim()] = rng.choice([float("nan"), float("inf")])


def zeros(rng, net):
    some(rng, net).data.zero_()


def constant(rng, net):
    some(rng, net).data.fill_(rng.choice([-0.0, 0.25, 1e-30, 6e4]))


def large(rng, net):
    some(rng, net).data.mul_(rng.choice([1e30, 1e-30]))


def transposed(rng, net):
    weight = some(rng, net)
    weight.data = weight.data.transpose(0, 1).contiguous().transpose(0, 1)


def channels_last(rng, net):
    if any(value.dim() == 4 for value in net.parameters()):
        net.to(memory_format=torch.channels_last)


def pruned(rng, net):
    modules = [module for module in net.modules() if isinstance(getattr(module, "weight", None), nn.Parameter)]
    modules = [module for module in modules if module.weight.is_contiguous()]  # torch cannot prune others
    if modules:
        module = rng.choice(modules)
        prune.l1_unstructured(module, "weight", 0.5)
        if rng.random() < 0.7:
            prune.remove(module, "weight")


def on_meta(rng, net):
    net.to("meta")


def one_more(rng, net):
    net.register_parameter("more", nn.Parameter(torch.randn(rng.choice([(), (0,), (3,), (2, 0), (4, 4)]))))


def a_buffer(rng, net):
    kind = rng.choice([torch.int8, torch.bool, torch.complex64, torch.uint16, torch.float8_e5m2])
    net.register_buffer("table", torch.ones(3).to(kind), persistent=rng.random() < 0.8)


def tied(rng, net):
    named = [(module, name) for module in net.modules() for name, _ in module.named_parameters(recurse=False)]
    for (one, first), (two, second) in itertools.pairwise(named):
        if getattr(one, first).shape == getattr(two, second).shape:
            setattr(two, second, getattr(one, first))
            return


CHANGES = [frozen, not_a_number, zeros, constant, large, transposed, channels_last, pruned, on_meta, one_more]
CHANGES += [a_buffer, tied]


def layer_recipe(rng):
    density = rng.choice([1, 0.9, 0.3, 0.05, 1e-6])
    values = [density, rng.choice([1 if density == 1 else 2, 2, 4, 8, 16]), rng.choice([None, 1, 3, 5, 16])]
    if rng.random() < 0.01:
        values[rng.randrange(3)] = rng.choice(ODD)
    return LayerRecipe(*values)


def schedule(rng):
    """A schedule of a few steps, or of none."""
    epochs, lr = rng.choice([0, 0.5, 1, 1, 2]), rng.choice([1e-4, 1e-2, 1e-2, 1.0, 1e6])
    more = {name: rng.choice([0.01, 1.0]) for name in ("l1", "l2", "teacher_weight") if rng.random() < 0.1}
    if rng.random() < 0.02:
        more[rng.choice(["epochs", "lr", "shift", "temperature", "batch_size"])] = rng.choice(ODD)
    return Schedule(**({"epochs": epochs, "lr": lr} | more))


def no_gradient(output, target):
    return output.detach().sum()


def not_finite(output, target):
    return output.sum() / 0


def raises(output, target):
    raise KeyError("a mistake of the learner's")


def lesson(rng, net, example):
    """What a net learns from, as keywords of ``compress``, by the output that it has for an example."""
    with torch.no_grad():
        target = torch.randn_like(net(example))
    batches = [(example, target)] * rng.choice([1, 2])
    if rng.random() < 0.1:
        batches = rng.choice([[], [example], [(example, target[:0])], iter(batches), [(example[:0], target[:0])], 5])
    loss = nn.functional.mse_loss
    if rng.random() < 0.1:
        loss = rng.choice([no_gradient, not_finite, raises, None])
    if rng.random() < 0.2:
        return {
            "data": batches,
            "step": lambda net, batch: (net(batch[0].to(next(net.parameters()).dtype)) ** 2).mean(),
        }
    return {"data": batches, "loss": loss}


def recipe(rng, net, trains):
    modules = [
        name for name, module in net.named_modules() if isinstance(getattr(module, "weight", None), nn.Parameter)
    ]
    names = rng.sample(modules, rng.randint(0, len(modules)))
    if rng.random() < 0.3:
        names += rng.sample(list(net.state_dict()), 1)
    if rng.random() < 0.03:
        names.append(rng.choice(["fc9", "", 3, None, "weight", "x" * 2000, "\ud800"]))
    options = {name: rng.choice(values) for name, values in OPTIONS.items() if rng.random() < 0.3}
    if rng.random() < 0.05:
        options[rng.choice(list(OPTIONS))] = rng.choice(ODD)
    if not trains:
        return Recipe({name: layer_recipe(rng) for name in names}, Schedule(0), Schedule(0), **options)
    options |= {"cuts": rng.choice([1, 1, 3]), "ramp": rng.choice([0.5, 1.0]), "regrow": rng.random() < 0.3}
    return Recipe({name: layer_recipe(rng) for name in names}, schedule(rng), schedule(rng), **options)


def bits(state):
    """{key: (type, shape, bytes)}; of tensors without numbers None."""
    return {
        key: None if value.is_meta else (str(value.dtype), tuple(value.shape), parameters.array(value).tobytes())
        for key, value in state.items()
    }


def promise(true, what):
    """AssertionError unless a promise is kept."""
    if not true:
        raise AssertionError(what)


def as_given(net):
    """All of a net that ``compress`` must leave as it is."""
    parameters_ = [(p.requires_grad, p.grad is None) for p in net.parameters()]
    return bits(net.state_dict()), parameters_, [module.training for module in net.modules()]


def reachable(net, said, trains):
    """Keys of the tensors that a recipe may change."""
    state = net.state_dict(keep_vars=True)
    if said.drop_dead or said.reorder:
        return set(state)
    named = {key for target in parameters.named(net, said.layers).values() for key in (target.key, target.bias_key)}
    if said.norms_dtype:
        named |= {key for key, value in state.items() if value.dim() == 1}
    if trains:
        named |= {key for key, value in state.items() if value.requires_grad or not isinstance(value, nn.Parameter)}
    same = {id(state[key]) for key in named if key in state}
    return {key for key, value in state.items() if id(value) in same}


def run(rng):
    """One net and one recipe -> what came out: "refused: ...", "compressed" or "trained".

    AssertionError for a broken promise.
    """
    kind, number = rng.choice(list(some_nets.NETS)), rng.randrange(1000)
    net, example = some_nets.build(kind, number)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        learnt = lesson(rng, net, example) if rng.random() < 0.4 else {}
        net = net.to(rng.choice(TYPES))
        for change in rng.sample(CHANGES, rng.choice([0, 0, 1, 1, 2])):
            change(rng, net)
    before, made = as_given(net), None
    try:
        said = recipe(rng, net, bool(learnt))
        example = example.double() if example.dtype == torch.float32 and rng.random() < 0.05 else example
        made = pipeline.compress(net, said, example=(example,), progress=lambda *_: None, **learnt)
    except DcvizError as error:
        refused = error
    promise(as_given(net) == before, "the net that was given has changed")
    if made is None:
        promise(str(refused), "an error without a message")
        return f"refused: {type(refused).__name__}"
    data, (before, _, _) = made.stages[-1].source, before
    report = archive.describe_bytes(data)
    promise(sum(report.parts.values()) == len(data) == report.file_bytes, "the report does not add up")
    promise(report.dense_bytes == made.dense_bytes == parameters.dense_bytes(net), "dense bytes")
    back = copy.deepcopy(net)
    for value in back.state_dict().values():
        value.zero_()
    pipeline.restore(archive.loads(data), into=back)
    stored = made.stored.state_dict()
    promise(back.state_dict().keys() == before.keys(), "other keys")
    trains = bool(learnt) and said.retrain.epochs + said.finetune.epochs > 0
    changed = reachable(net, said, trains)
    for key, value in back.state_dict().items():
        found = parameters.array(value).tobytes()
        promise(found == stored[key].tobytes(), f"{key} is another tensor")
        promise(str(value.dtype) == before[key][0], f"{key} has another type")
        promise(key in changed or found == before[key][2], f"{key} was changed, though nothing allows that")
    for name, target in parameters.named(back, said.layers).items():
        weight = target.weight
        most = max(1, round(said.layers[name].density * weight.numel()))
        promise(int(torch.count_nonzero(weight)) <= most, f"{name} is denser than asked")
    if trains and rng.random() < 0.2:
        again = pipeline.compress(net, said, example=(example,), progress=lambda *_: None, **learnt)
        promise(again.stages[-1].source == data, "the same run made another file")
    return "trained" if trains else "compressed"


def main():
    """Many runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seen = Counter()
    for number in range(options.runs):
        try:
            seen[run(random.Random(f"{options.seed}/{number}"))] += 1
        except BaseException as error:
            print(f"run {number}: {type(error).__name__}: {error}", flush=True)
            raise
        if number % 500 == 499:
            print(f"{number + 1:,} runs: {dict(seen)}", flush=True)
    print(f"{options.runs:,} runs: {dict(seen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
