"""Prune, share, Huffman-code: a recipe turns a trained net into a file, stage by stage (Fig. 1 of the paper)."""

import functools
import hashlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dcviz import archive
from dcviz.archive import Coding, Kept, Layer, StoredNet, Tie
from dcviz.errors import DataError, NetError, RecipeError, Stopped
from dcviz.files import atomic_write, check_writable
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.pruning import check_weights
from dcviz.nets import models, resuming, training
from dcviz.nets.batches import Batches
from dcviz.nets.training import check_split, classes_of
from dcviz.pipeline import chains, parameters, reordering, running, trained_quantization
from dcviz.pipeline.recipe import Recipe
from dcviz.pipeline.report import Report
from dcviz.pipeline.retraining import Gradual
from dcviz.pipeline.trained_quantization import SharedWeights

STAGES = ("dense", "pruned", "shared", "coded")
GAP_WIDTHS = range(2, 11)
"""Bits of a gap that are tried where a recipe leaves them open."""


@dataclass(frozen=True)
class Stage:
    """The net after one stage: ``source`` (its file's bytes, or the net given), the file's length, error or None.

    ``measured``: what ``evaluate`` gave for it; with a test split the same as ``error_percent``.
    """

    name: str
    source: bytes | StoredNet
    file_bytes: int
    error_percent: float | None
    measured: float | None = None

    @property
    def stored(self):
        """The ``StoredNet`` of this stage, decoded from its file anew each time."""
        return archive.loads(self.source) if isinstance(self.source, bytes) else self.source


@dataclass(frozen=True, eq=False)
class Compressed:
    """Result of ``compress``: the four stages; the last one is the compressed net.

    All but the first are kept as the bytes of their files: a large net is not in memory five times. The first is the
    net that was given, not a copy.
    """

    stages: tuple[Stage, ...]
    dense_bytes: int

    @property
    def stored(self):
        """The compressed net, decoded, ready for ``archive.save``."""
        return self.stages[-1].stored

    @property
    def ratio(self):
        """Bytes of the net's tensors in their own types, tied ones once / bytes of the last stage's file."""
        return self.dense_bytes / self.stages[-1].file_bytes

    @functools.cached_property
    def report(self):
        """The ``Report`` of the last stage's file, an ``archive.Breakdown``: every byte, layer by layer."""
        return Report.of(archive.describe_bytes(self.stages[-1].source))

    def save(self, path):
        """Write the compressed net's file to ``path`` in one step; returns its length in bytes."""
        return atomic_write(path, lambda file: file.write(self.stages[-1].source))


class Bars:
    """Progress as a bar a stage on stderr, for ``compress(progress=...)``; silent where stderr is no terminal."""

    def __init__(self):
        self._bars = {}

    def __call__(self, stage, done, total):
        from tqdm import tqdm

        if stage not in self._bars:
            self._bars[stage] = tqdm(total=total, desc=stage, file=sys.stderr, disable=None)
        bar = self._bars[stage]
        bar.update(done - bar.n)
        if done == total:
            bar.close()


@torch.inference_mode(False)
@torch.enable_grad()
def compress(
    net,
    recipe,
    data=None,
    *,
    loss=None,
    step=None,
    test=None,
    evaluate=None,
    teacher=None,
    example=None,
    checkpoint=None,
    device="cpu",
    progress=None,
    stop=None,
):
    """Run the whole pipeline on a copy of ``net``: ``Compressed``.

    The copy's floats are float32 while it is worked on; files hold each tensor in the type that it has in ``net``.

    data: what to retrain and fine-tune on: a DataLoader or another iterable of batches, with a ``loss(output, target)``
    or a ``step(net, batch)`` (``nets.batches.Batches``); or a ``Split`` of digits, which needs neither; or None where
    both schedules have no epochs (one-shot).
    evaluate: function of a net (a copy in evaluation mode, of float32) -> a number, asked after each stage; or test: a
    ``Split`` whose error is measured. teacher: net whose outputs the schedules' ``teacher_weight`` refers to (default:
    ``net`` itself). example: what the net is called with, for ``drop_dead`` and ``reorder``; by default of the data.
    checkpoint: folder from which an interrupted run of the same net and recipe goes on, empty again after it.
    progress(stage, done, total) is called often (by default bars on a terminal); stop() is asked often and ends the
    run with ``Stopped``.
    Before any work: RecipeError if the recipe names what the net has not, if it trains and there are no data, or for a
    device that is not there; DataError for data that the net cannot learn from, and for a split that is empty, lacks
    labels, or has labels that the net does not; NetError for a net that no file could give back
    (``parameters.tensors``); WeightError for NaN among what is named.
    """
    _check(net, recipe, device)
    given, net = net, parameters.working_copy(net)
    if any(schedule.epochs and schedule.teacher_weight for schedule in (recipe.retrain, recipe.finetune)):
        teacher = parameters.copied(given if teacher is None else teacher).to(device)  # it may count its calls
    with training.dropout_from(recipe.seed, device):
        lesson = _lesson(net, recipe, data, loss, step, test, device, teacher)
        if example is None and lesson is not None and (recipe.drop_dead or recipe.reorder):
            example = lesson.example()
        if not any(p.requires_grad for p in net.parameters()):
            lesson = None  # all of it is frozen
        stages_of = (("pruned", recipe.retrain), ("shared", recipe.finetune))
        steps = {stage: _steps(lesson, schedule) for stage, schedule in stages_of}
    kept = None if checkpoint is None else _Kept(checkpoint, net, recipe)
    progress = progress or Bars()
    stages = []

    def finish(name, stored):
        error = measured = None
        if test is not None or evaluate is not None:
            twin = restore(stored, into=parameters.working_copy(given)).float().to(device)
            error = measured = None if test is None else training.error_percent(twin, test, device)
            measured = measured if evaluate is None else measure(evaluate, twin)
        source = archive.dumps(stored) if stages else stored
        size = len(source) if stages else archive.file_bytes(stored)
        stages.append(Stage(name, source, size, error, measured))

    def train(stage, schedule, constraint):
        if steps[stage]:
            training.fit(
                net,
                lesson,
                schedule,
                constraint=constraint,
                teacher=teacher,
                seed=recipe.seed,
                device=device,
                stop=stop,
                report=lambda done, total, loss: progress(stage, done, total),
                checkpoint=None if kept is None else kept.running(stage),
            )
        if stop is not None and stop():
            raise Stopped(f"stopped in the stage {stage!r}")

    finish("dense", stored_net(given, copied=False))

    if kept is None or not kept.pruned(net):
        densities = {name: layer.density for name, layer in recipe.layers.items() if layer.sparse}
        gradual = Gradual(net, densities, steps["pruned"], recipe.cuts, recipe.ramp, recipe.regrow)
        train("pruned", recipe.retrain, gradual)
        if recipe.drop_dead:
            chains.drop_dead(net, example)
        if kept is not None:
            kept.keep(net)
    finish("pruned", stored_net(net, recipe, "pruned", copied=False, like=given))

    books = codebooks(net, recipe)
    shared = SharedWeights(net, books, recipe.rate, still=[name for name in recipe.layers if name not in books])
    train("shared", recipe.finetune, shared)
    shared.round_to(recipe.dtype)
    round_biases(net, recipe)
    if recipe.reorder:
        reorder(net, recipe, example)
    finish("shared", stored_net(net, recipe, "shared", copied=False, like=given))
    progress("coded", 0, 1)
    finish("coded", stored_net(net, recipe, "coded", copied=False, like=given))
    progress("coded", 1, 1)
    if kept is not None:
        kept.clear()
    return Compressed(tuple(stages), parameters.dense_bytes(given))


def _steps(lesson, schedule):
    return round(schedule.epochs * lesson.steps_per_epoch(schedule)) if lesson is not None and schedule.epochs else 0


def measure(evaluate, net):
    """What a function of a net says, as a float; DataError if that is no number."""
    value = evaluate(net)
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except Exception as error:  # as many kinds as there are things that are no numbers
        raise DataError(f"evaluate(net) must give a number, not {type(value).__name__}") from error


class _Kept:
    """What a run keeps in its folder: the pruned net, once it is there, and the stage in which it stands."""

    def __init__(self, folder, net, recipe):
        self._folder = Path(folder)
        check_writable(self._folder)
        digest = hashlib.sha256(repr(recipe).encode())
        for key, value in net.state_dict().items():
            digest.update(f"{key} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        self._identity = digest.hexdigest()
        self._pruned = self._folder / "pruned.safetensors"

    def running(self, stage):
        """The ``Checkpoint`` of a stage."""
        return resuming.Checkpoint(self._folder / f"running-{stage}.safetensors", f"{stage} {self._identity}")

    def keep(self, net):
        """Keep the net as it is after pruning."""
        tensors = {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}
        resuming.replace_file(self._pruned, tensors, {"identity": self._identity})

    def pruned(self, net):
        """True after ``net`` was brought to what ``keep`` kept; False if it kept nothing."""
        state = resuming.read_file(self._pruned, self._identity)
        if state is None:
            return False
        net.load_state_dict(state)
        return True

    def clear(self):
        """The run is over: leave nothing."""
        for path in (self._pruned, *(self._folder / f"running-{stage}.safetensors" for stage in STAGES)):
            path.unlink(missing_ok=True)


def _check(net, recipe, device):
    """The ``Target``s of a recipe; NetError for a net that no file can hold, RecipeError for what the net has not."""
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"a Recipe says what becomes of a net, not {type(recipe).__name__}")
    parameters.tensors(net)
    try:
        torch.empty(0, device=torch.device(device))
    except Exception as error:  # torch raises all kinds of things for a device that it has not
        raise RecipeError(f"device {device!r} cannot be used here: {error}") from error
    try:
        targets = parameters.named(net, recipe.layers)
    except NetError as error:
        raise RecipeError(f"the recipe does not fit the net: {error}") from error
    for name, target in targets.items():
        check_weights(target.weight, name)
        if target.bias is not None and target.bias.numel():
            check_weights(target.bias, f"the bias of {name}")
    return targets


def _lesson(net, recipe, data, loss, step, test, device, teacher):
    """What the recipe's schedules learn from, looked at before any work; None where they have no epochs."""
    trains = recipe.retrain.epochs > 0 or recipe.finetune.epochs > 0
    if trains and data is None:
        raise RecipeError("the recipe trains, but there are no data: give some, or schedules of 0 epochs")
    lesson = None
    if trains:
        own = not (hasattr(data, "images") and loss is None and step is None)
        lesson = Batches(data, loss, step) if own else training.Digits(data)
        for schedule in (recipe.retrain, recipe.finetune):
            if schedule.epochs:
                with training.evaluating(teacher):
                    lesson.check(net, schedule, device, teacher)
    if test is not None:
        check_split(test)
        check_split(test, classes_of(net, test, device))
    return lesson


def codebooks(net, recipe):
    """{layer name: centroids (k,)} as a recipe asks for them; see ``trained_quantization.codebooks``."""
    k = {name: layer.k for name, layer in recipe.layers.items()}
    if recipe.quantizer == "uniform":  # k-means that starts on a linear grid and takes no step
        return trained_quantization.codebooks(net, k, "linear", recipe.seed, max_iterations=0)
    return trained_quantization.codebooks(net, k, recipe.init, recipe.seed)


def round_biases(net, recipe):
    """Bring the biases, in place, to what the recipe's file will hold: its dtype, and shared values if it asks so.

    With ``norms_dtype`` also what has one dimension and is not named; what float16 cannot hold stays as it is.
    """
    targets = parameters.named(net, recipe.layers)
    for target in targets.values():
        if target.bias is None:
            continue
        bias = target.bias.detach().float().cpu().numpy().copy()
        if recipe.bias_bits is not None:
            used = bias != 0  # a dropped neuron's bias stays zero
            k = min(2**recipe.bias_bits - 1, len(np.unique(bias[used])))
            if k:
                centroids = kmeans(bias[used], k, init="density", seed=recipe.seed).centroids
                bias[used] = centroids[assign(bias[used], centroids)]
        with np.errstate(over="ignore"):  # too large a bias is refused as infinite
            _fill(target.bias, bias.astype(recipe.bias_dtype))
    if recipe.norms_dtype:
        done = {key for target in targets.values() for key in (target.key, target.bias_key)}
        for key, value in parameters.tensors(net).items():
            if key not in done and _is_norm(value):
                _fill(value, value.detach().float().cpu().numpy().astype(recipe.norms_dtype))


def _is_norm(value):
    """Whether a tensor is one of those that ``norms_dtype`` is about: a float32 parameter of one dimension in reach."""
    if not isinstance(value, torch.nn.Parameter) or value.dim() != 1 or value.dtype != torch.float32:
        return False
    return bool(value.numel() and (value.detach().abs() < 65504).all())


def _fill(tensor, numbers):
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(numbers.astype(np.float32)))


def reorder(net, recipe, example=None):
    """Bring the hidden neurons, in place, in the order that makes the recipe's file smallest (``reordering``).

    example: what the net is called with, and NetError where it cannot be proved what feeds what: ``chains.hidden``.
    """
    orders = ("C", "F") if recipe.order == "best" else (recipe.order,)
    state = reordering.shortest(stored_net(net, recipe, "coded"), chains.hidden(net, example), orders).state_dict()
    net.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})


def stored_net(net, recipe=None, stage="dense", copied=True, like=None):
    """The ``StoredNet`` of a torch net as it stands after ``stage``: exactly its tensors, coded as that stage does.

    What the recipe does not name is kept as it is. like: the net that ``net`` is a ``working_copy`` of; its types and
    ties are stored. ``copied`` False saves memory where the net lies still for as long as the result is used.
    NetError for a net that no file can hold, or that has not what the recipe names.
    """
    if stage not in STAGES or (recipe is None and stage != "dense"):
        raise RecipeError(f"stage must be one of {', '.join(STAGES)}, and all but the first need a recipe")
    like = net if like is None else like
    given, state = parameters.tensors(like), parameters.tensors(net)
    tied = parameters.ties(given)
    targets = {} if recipe is None else parameters.named(like, recipe.layers)
    plans = {target.key: recipe.layers[name] for name, target in targets.items() if stage != "dense"}
    pairs = _pairs(like, given, tied) | {target.key: target for target in targets.values() if target.key in plans}
    layers = []
    along = {target.bias_key for target in pairs.values()}
    for key in given:
        if key in along:
            continue
        if key in tied:
            layers.append(Tie(key, tied[key]))
            continue
        target = pairs.get(key)
        if target is None:
            layers.append(_kept(key, given[key], state[key], copied, recipe, stage))
            continue
        layer = _layer(target, given, state, copied)
        if key in plans:
            layer = _coded(layer, recipe, plans[key], stage)
        elif not all(np.isfinite(numbers).all() for numbers in layer.arrays().values()):
            layers += [Kept(key, numbers) for key, numbers in layer.arrays().items()]
            continue
        layers.append(layer)
    return StoredNet(_name(net), tuple(layers))


def _name(net):
    try:
        name = net.name
    except Exception:  # the module's own code, or none
        name = None
    return name if isinstance(name, str) else type(net).__name__


def _pairs(net, given, tied):
    """{key of a weight: ``Target``} of a net that is ``weight_layers`` of float32 and nothing else, or {}."""
    if tied or any(value.dtype != torch.float32 for value in given.values()):
        return {}
    try:
        targets = parameters.named(net, models.weight_layers(net)).values()
    except NetError:
        return {}
    keys = {key for target in targets for key in (target.key, target.bias_key)}
    return {target.key: target for target in targets} if keys >= given.keys() else {}


def _layer(target, given, state, copied):
    """A ``Layer`` of a target's tensors with the numbers that they have by now."""
    dtype = parameters.dtype_name(given[target.key])

    def numbers(key):
        if key is None:
            return None
        found = parameters.array(state[key].to(given[key].dtype))
        return archive.widened(found.copy() if copied else found, dtype)

    bare = not target.key.endswith(".weight")
    name = target.key if bare else target.key.removesuffix(".weight")
    exact = Coding(dtype=dtype, bias_dtype=dtype)
    return Layer(name, numbers(target.key), numbers(target.bias_key), exact, bare, dtype)


def _kept(key, given, value, copied, recipe, stage):
    """The record of a tensor that no recipe names: exactly as it was given, if its numbers still are the same."""
    if value.dtype != given.dtype:
        before, now = given.to(value.dtype), value.to(given.device)
        still = bool(((before == now) | (before.isnan() & now.isnan())).all())
        value = given if still else value.to(given.dtype)
    numbers = parameters.array(value)
    if recipe is not None and recipe.norms_dtype and stage in ("shared", "coded") and _is_norm(value):
        return Layer(key, numbers, None, Coding(dtype=recipe.norms_dtype), bare=True)
    return Kept(key, numbers.copy() if copied else numbers, parameters.dtype_name(value))


def _coded(layer, recipe, layer_recipe, stage):
    shared_bias = layer.bias is not None and recipe.bias_bits is not None
    layer = replace(
        layer, weight=_positive_zeros(layer.weight), bias=_positive_zeros(layer.bias) if shared_bias else layer.bias
    )
    widths = (None,)
    if layer_recipe.sparse:
        widths = GAP_WIDTHS if layer_recipe.index_bits is None else (layer_recipe.index_bits,)
    coding = layer.coding
    if stage in ("shared", "coded"):
        used = layer.weight[layer.weight != 0] if layer_recipe.sparse else layer.weight
        codebook = np.unique(used)
        coding = replace(
            coding,
            codebook=codebook,
            bias_codebook=np.unique(layer.bias) if shared_bias else None,
            huffman=stage == "coded",
            dtype=_narrowest(recipe.dtype, codebook, layer),
            bias_dtype=coding.bias_dtype if layer.bias is None else _narrowest(recipe.bias_dtype, layer.bias, layer),
        )
    orders = ("C", "F") if recipe.order == "best" and layer_recipe.sparse else (recipe.order.replace("best", "C"),)
    codings = [replace(coding, index_bits=bits, order=order) for bits in widths for order in orders]
    return archive.shortest(layer, codings)


def _narrowest(asked, values, layer):
    """The float type for a layer's values in a file: what the recipe asks for; where that is not exact, the layer's."""
    if layer.dtype in ("float32", asked):
        return asked
    exact = np.array_equal(archive.widened(archive.narrowed(values, asked), asked), values)
    return asked if exact and layer.dtype == "float64" else layer.dtype


def _positive_zeros(values):
    """``values`` with +0.0 for each -0.0, the one place that decides what a zero is; the same array if it has none.

    Pruning by a product with a mask leaves -0.0 where a negative weight was, and so does rounding to float16. For the
    file that is another number than 0.0: a weight to be stored, and one that no codebook made by value has.
    """
    return values + np.float32(0) if (np.signbit(values) & (values == 0)).any() else values


def as_after(stage, stored):
    """A compressed ``StoredNet``, the same weights, in the coding of an earlier stage of the pipeline.

    "dense": float32, every position; "pruned": float32 and gaps; "shared": codes and gaps of fixed length; "coded": as
    it is. RecipeError for another stage.
    """
    changes = {
        "dense": lambda layer: Coding(dtype=layer.dtype, bias_dtype=layer.dtype),
        "pruned": lambda layer: replace(layer.coding, codebook=None, huffman=False, dtype=layer.dtype),
        "shared": lambda layer: replace(layer.coding, huffman=False),
        "coded": lambda layer: layer.coding,
    }
    if stage not in changes:
        raise RecipeError(f"stage must be one of {', '.join(STAGES)}, not {stage!r}")

    def changed(record):
        return replace(record, coding=changes[stage](record)) if isinstance(record, Layer) else record

    return replace(stored, layers=tuple(map(changed, stored.layers)))


def restore(stored, into=None, compressed=False):
    """The torch net that a ``StoredNet`` holds, in evaluation mode: every tensor, its type, and what is tied.

    into: a module of your own, which is changed in place and given back; without one the stored net's name must be one
    of ``models.NETS``. compressed: let its Linear layers, or only those named, multiply from codes and gaps without a
    tensor of weights (``running``): the same outputs within float32 rounding, in less memory, and for answers only.
    NetError if the name is unknown, tensors are missing, unexpected or of another shape, or nothing can run
    compressed; then nothing was changed.
    """
    compressed = running.chosen(compressed)
    if not stored.layers:
        raise NetError(f"the stored net {stored.name!r} has no layers")
    net = into
    if net is None:
        net = _built(stored.name, [array.shape for array in stored.state_dict().values()])
    with _fits(stored.name, into):
        if compressed:
            return running.load_into(net, stored.name, running.read(stored.layers), compressed)
        return parameters.load_into(net, stored).eval()


def _built(name, shapes):
    """The net of ``models.NETS`` with tensors of these shapes, on the meta device."""
    options = {}
    if name not in ("lenet-300-100", "lenet-5"):
        options["num_classes"] = next((shape[0] for shape in reversed(shapes) if len(shape) > 1), 1)
    with torch.device("meta"):  # no memory, and no random weights that are thrown away
        return models.build(name, **options)


@contextmanager
def _fits(name, into):
    """A NetError says which net the stored layers do not fit."""
    try:
        yield
    except NetError as error:
        which = f"the net {name!r}" if into is None else f"the {type(into).__name__} given"
        raise NetError(f"the stored layers do not fit {which}: {error}") from error


def open_net(path, into=None, *, max_bytes=None, compressed=False):
    """The torch net in the .dcz file at ``path``, in evaluation mode: ``dcviz.open("mine.dcz", into=MyNet())``.

    into: the module that the tensors are for, as for ``restore``; a net of ``models.NETS`` needs none. compressed: as
    for ``restore``, and weights that stay compressed are not expanded while the file is read, either. ArchiveError for
    a damaged file and for one that takes more than ``max_bytes``; NetError as ``restore``.
    """
    compressed = running.chosen(compressed)
    if not compressed:
        return restore(archive.load(path, max_bytes=max_bytes), into)
    with archive.open_records(path, max_bytes=max_bytes, entries=True) as records:
        found = running.read(records)
        name = records.name
    net = into
    if net is None:
        shapes = [
            shape
            for record, packed in found
            for shape in ([array.shape for array in record.tensors().values()] if packed is None else [packed.shape])
        ]
        net = _built(name, shapes)
    with _fits(name, into):
        return running.load_into(net, name, found, compressed)
