import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from dcviz import archive, pipeline
from dcviz.errors import DataError, NetError, RecipeError, WeightError
from dcviz.evidence import paper
from dcviz.nets import datasets, models, training
from dcviz.nets.datasets import Split
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, recipes, retraining, shipped

NONE = Schedule(epochs=0)
RECIPE = Recipe(
    layers={"fc1": LayerRecipe(0.08, bits=5), "fc2": LayerRecipe(0.09, bits=5), "fc3": LayerRecipe(0.26, bits=5)},
    retrain=Schedule(epochs=0.5, lr=1e-3),
    finetune=Schedule(epochs=0.2, lr=1e-4),
    cuts=3,
)


@pytest.fixture(scope="module")
def digits():
    return datasets.digits()


@pytest.fixture(scope="module")
def result(digits):
    torch.set_num_threads(1)
    return pipeline.compress(shipped.dense("lenet-300-100"), RECIPE, digits.train, test=digits.test)


def test_stages_shrink_and_say_what_their_files_hold(result, digits, tmp_path):
    assert [stage.name for stage in result.stages] == list(pipeline.STAGES)
    sizes = [stage.file_bytes for stage in result.stages]
    assert sizes == sorted(sizes, reverse=True)
    for stage in result.stages:
        path = tmp_path / f"{stage.name}.dcz"
        assert archive.save(path, stage.stored) == stage.file_bytes
        read = archive.load(path)
        for key, value in stage.stored.state_dict().items():
            assert value.tobytes() == read.state_dict()[key].tobytes(), "not the same net bit for bit"
        assert training.error_percent(pipeline.restore(read), digits.test) == stage.error_percent
    assert result.dense_bytes == 1_066_440
    assert result.ratio == result.dense_bytes / sizes[-1]


def test_huffman_changes_no_weight(result):
    shared, coded = (stage.stored.state_dict() for stage in result.stages[-2:])
    for key in shared:
        assert shared[key].tobytes() == coded[key].tobytes()


def test_layers_keep_to_the_recipe(result):
    for layer in result.stored.layers:
        asked = RECIPE.layers[layer.name]
        assert np.count_nonzero(layer.weight) <= round(asked.density * layer.weight.size)
        assert len(np.unique(layer.weight[layer.weight != 0])) <= 2**asked.bits - 1


def test_the_net_given_is_left_alone(digits):
    net = shipped.dense("lenet-300-100")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    pipeline.compress(net, RECIPE, digits.train.take(slice(0, 256)))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_same_seed_same_bytes(digits):
    files = []
    for seed in (0, 0, 1):
        recipe = dataclasses.replace(RECIPE, seed=seed)
        compressed = pipeline.compress(shipped.dense("lenet-300-100"), recipe, digits.train.take(slice(0, 512)))
        files.append(archive.dumps(compressed.stored))
    assert files[0] == files[1] != files[2]


def test_progress_reaches_the_end_of_each_trained_stage(digits):
    seen = {}
    pipeline.compress(
        shipped.dense("lenet-300-100"),
        RECIPE,
        digits.train.take(slice(0, 512)),
        progress=lambda stage, done, total: seen.update({stage: (done, total)}),
    )
    assert seen == {"pruned": (2, 2), "shared": (1, 1), "coded": (1, 1)}


def test_stopping_ends_the_run_without_a_result(digits):
    calls = []
    with pytest.raises(pipeline.Stopped):
        pipeline.compress(
            shipped.dense("lenet-300-100"),
            RECIPE,
            digits.train,
            progress=lambda *step: calls.append(step),
            stop=lambda: len(calls) >= 2,
        )
    assert len(calls) == 2


def test_quantization_alone_stores_every_position(digits):
    layers = {name: LayerRecipe(1.0, bits=3) for name in RECIPE.layers}
    recipe = dataclasses.replace(RECIPE, layers=layers)
    compressed = pipeline.compress(shipped.dense("lenet-300-100"), recipe, digits.train.take(slice(0, 256)))
    for layer in compressed.stored.layers:
        assert layer.coding.index_bits is None
        assert len(np.unique(layer.weight)) <= 8


def test_shared_biases_rates_and_dropped_neurons_make_smaller_files_that_decode(digits):
    few = digits.train.take(slice(0, 512))
    sizes = []
    shared = {"bias_bits": 4}
    for more in ({}, shared, {**shared, "rate": 0.05}, {**shared, "rate": 0.05, "drop_dead": True}):
        recipe = dataclasses.replace(RECIPE, dtype="float16", bias_dtype="float16", **more)
        stored = pipeline.compress(shipped.dense("lenet-300-100"), recipe, few).stored
        read = archive.loads(archive.dumps(stored))
        for key, value in stored.state_dict().items():
            assert value.tobytes() == read.state_dict()[key].tobytes()
        for layer in stored.layers:
            if "bias_bits" in more:
                assert len(np.unique(layer.bias)) <= 16
        sizes.append(len(archive.dumps(stored)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.1 * sizes[2]


def test_gap_widths_that_fit_and_reordering_make_smaller_files_of_the_same_net(digits):
    few = digits.train.take(slice(0, 512))
    fitted = {name: dataclasses.replace(layer, index_bits=None) for name, layer in RECIPE.layers.items()}
    sizes, errors, sums = [], [], []
    for more in ({}, {"layers": fitted}, {"layers": fitted, "reorder": True}):
        recipe = dataclasses.replace(RECIPE, **more)
        result = pipeline.compress(shipped.dense("lenet-300-100"), recipe, few, test=digits.test)
        shared, coded = (stage.stored.state_dict() for stage in result.stages[-2:])
        assert all(shared[key].tobytes() == coded[key].tobytes() for key in shared)
        sizes.append(result.stages[-1].file_bytes)
        errors.append(result.stages[-1].error_percent)
        sums.append(np.concatenate([np.sort(layer.weight.ravel()) for layer in result.stored.layers]))
    assert sizes[0] > sizes[1] > sizes[2]
    assert np.array_equal(sums[0], sums[1])
    assert np.array_equal(sums[1], sums[2])
    assert max(errors) - min(errors) <= 0.1, "the same function up to float rounding"


def test_uniform_bins_are_equally_wide(digits):
    net = shipped.dense("lenet-300-100")
    books = pipeline.codebooks(net, dataclasses.replace(RECIPE, quantizer="uniform"))
    weights = net.fc1.weight.detach().numpy()
    assert np.allclose(np.diff(books["fc1"]), np.ptp(weights) / 30)
    assert books["fc1"][[0, -1]].tolist() == [weights.min(), weights.max()]
    few = digits.train.take(slice(0, 256))
    recipe = dataclasses.replace(RECIPE, quantizer="uniform", finetune=Schedule(epochs=0))
    stored = pipeline.compress(shipped.dense("lenet-300-100"), recipe, few).stored
    values = np.unique(stored.layers[0].weight[stored.layers[0].weight != 0]).astype(float)
    steps = np.diff(values) / np.diff(values).min()
    assert np.allclose(steps, np.round(steps), atol=1e-3), "empty bins are left out, the grid stays"


def test_a_layer_with_few_distinct_weights_keeps_them():
    net = models.build("lenet-300-100", seed=0)
    with torch.no_grad():
        net.fc3.weight.copy_(torch.where(net.fc3.weight > 0, 0.5, -0.25))
    books = pipeline.codebooks(net, RECIPE)
    assert books["fc3"].tolist() == [-0.25, 0.5]
    assert len(books["fc1"]) == 31


def test_a_layer_pruned_to_nothing_can_be_stored(tmp_path):
    net = models.build("lenet-300-100", seed=0)
    with torch.no_grad():
        net.fc2.weight.zero_()
    assert "fc2" not in pipeline.codebooks(net, RECIPE)
    for stage in pipeline.STAGES[1:]:
        archive.save(tmp_path / "net.dcz", pipeline.stored_net(net, RECIPE, stage))
        read = archive.load(tmp_path / "net.dcz").state_dict()["fc2.weight"]
        assert read.shape == (100, 300)
        assert not read.any()


@pytest.mark.parametrize(
    "bad",
    [
        lambda: LayerRecipe(0.0, 5),
        lambda: LayerRecipe(1.2, 5),
        lambda: LayerRecipe(0.5, 0),
        lambda: LayerRecipe(0.5, 1),
        lambda: LayerRecipe(0.5, 5, index_bits=17),
        lambda: dataclasses.replace(RECIPE, init="magic"),
        lambda: dataclasses.replace(RECIPE, dtype="float8"),
        lambda: dataclasses.replace(RECIPE, order="Z"),
        lambda: dataclasses.replace(RECIPE, quantizer="magic"),
        lambda: dataclasses.replace(RECIPE, rate=-0.1),
        lambda: dataclasses.replace(RECIPE, bias_bits=0),
    ],
)
def test_impossible_recipes_are_refused(bad):
    with pytest.raises(RecipeError):
        bad()


def test_bad_nets_are_refused_by_layer(digits):
    net = models.build("lenet-300-100", seed=0)
    with pytest.raises(RecipeError, match="does not fit the net: no layer called fc3; did you mean fc2, fc1"):
        pipeline.compress(models.build("lenet-5", seed=0), RECIPE, digits.train)
    with pytest.raises(RecipeError, match=r"no layer called fc1, fc2, fc3; there are 0, 1, 0\.bias, 1\.bias"):
        pipeline.compress(nn.Sequential(nn.Linear(784, 10), nn.BatchNorm1d(10)), RECIPE, digits.train)
    with torch.no_grad():
        net.fc2.weight[3, 4] = float("inf")
    with pytest.raises(WeightError, match="fc2"):
        pipeline.compress(net, RECIPE, digits.train)


def test_files_of_unknown_nets_open_as_arrays_but_not_as_nets():
    layer = archive.Layer("fc1", np.ones((2, 2), np.float32))
    with pytest.raises(NetError, match="no net called 'my-net'"):
        pipeline.restore(archive.StoredNet("my-net", (layer,)))
    with pytest.raises(NetError, match="do not fit the net 'lenet-5'"):
        pipeline.restore(archive.StoredNet("lenet-5", (layer,)))


def test_one_shot_at_the_papers_densities_needs_no_data():
    net = shipped.dense("lenet-5")
    result = pipeline.compress(net, recipes.as_printed("lenet-5"), None, progress=lambda *_: None)
    rows = paper.layers("lenet-5")
    for layer in result.stored.layers:
        kept = round(rows[layer.name]["weights_pct_P"] / 100 * layer.weight.size)
        assert np.count_nonzero(layer.weight) == kept
        assert layer.coding.codebook.size <= 2 ** rows[layer.name]["weight_bits_PQ"]
    assert result.ratio > 20


def one_layer(weight, bias=None):
    net = nn.Sequential(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None))
    with torch.no_grad():
        net[0].weight.copy_(torch.as_tensor(weight))
        if bias is not None:
            net[0].bias.copy_(torch.as_tensor(bias))
    return net


def signs_of_zeros(array):
    return set(np.signbit(array[array == 0]).tolist())


@pytest.mark.parametrize("density", [0.05, 0.3, 0.9, 1])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_net_pruned_by_torch_is_compressed(density, dtype):
    net = one_layer(np.random.default_rng(0).normal(size=(60, 50)).astype(np.float32))
    prune.l1_unstructured(net[0], "weight", amount=0.7)
    prune.remove(net[0], "weight")
    assert True in signs_of_zeros(net[0].weight.detach().numpy())
    recipe = Recipe(retrain=NONE, finetune=NONE, layers={"0": LayerRecipe(density, 4)}, dtype=dtype)
    result = pipeline.compress(net, recipe, None, progress=lambda *_: None)
    for stage in result.stages[1:]:
        weight = stage.stored.layers[0].weight
        assert np.count_nonzero(weight) == min(round(density * 3000), 900)
        if density < 1 or stage.name != "pruned":
            assert signs_of_zeros(weight) == {False}


def test_weights_times_a_mask_take_no_more_bytes_than_weights_that_are_left_out():
    weight = np.random.default_rng(0).normal(size=(100, 80)).astype(np.float32)
    mask = np.abs(weight) > 1.5
    assert True in signs_of_zeros(weight * mask)
    recipe = Recipe(retrain=NONE, finetune=NONE, layers={"0": LayerRecipe(0.5, 4)})
    for stage in pipeline.STAGES[1:]:
        sizes = [
            archive.file_bytes(pipeline.stored_net(one_layer(pruned), recipe, stage))
            for pruned in (weight * mask, np.where(mask, weight, 0))
        ]
        assert sizes[0] == sizes[1]
    layers = [archive.Layer("w", pruned, None, archive.Coding(4)) for pruned in (weight * mask, weight * mask + 0)]
    exact = [archive.loads(archive.dumps(archive.StoredNet("net", (layer,)))).layers[0].weight for layer in layers]
    assert [signs_of_zeros(weight) for weight in exact] == [{True, False}, {False}], "the archive itself is exact"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("bias", [[0.0, -0.0, 0.5, -0.5], [1e-9, -1e-9, 0.5, 0.25], [-0.0] * 4, [-1e-9] * 4])
def test_biases_of_both_zeros_share_one(bias, dtype):
    bias = np.array(bias, np.float32)
    net = one_layer(np.ones((4, 6), np.float32), bias)
    recipe = Recipe(retrain=NONE, finetune=NONE, layers={"0": LayerRecipe(1, 2)}, bias_bits=2, bias_dtype=dtype)
    stored = pipeline.compress(net, recipe, None, progress=lambda *_: None).stored.layers[0]
    assert np.allclose(stored.bias, bias, atol=1e-8)
    assert signs_of_zeros(stored.bias) <= {False}


@pytest.mark.parametrize("density", [0.5, 1])
def test_weights_that_float16_rounds_to_zero_are_zero(density):
    weight = np.random.default_rng(0).choice([-1e-8, 1e-8, -2e-8, 0.5, 0, -0.0], (20, 30)).astype(np.float32)
    recipe = Recipe(retrain=NONE, finetune=NONE, layers={"0": LayerRecipe(density, 3)}, dtype="float16")
    result = pipeline.compress(one_layer(weight), recipe, None, progress=lambda *_: None)
    assert np.unique(result.stored.layers[0].weight).tolist() == [0, 0.5]
    assert signs_of_zeros(result.stored.layers[0].weight) == {False}
    assert set(result.stored.layers[0].coding.codebook.tolist()) <= {0, 0.5}


@pytest.mark.parametrize(
    "bad",
    [
        *({"cuts": value} for value in (0, 10**6, 2.5, "x")),
        *({"ramp": value} for value in (-0.1, float("nan"), "x")),
        *({"seed": value} for value in ("x", -1, 1.5, 2**70)),
        *({"rate": value} for value in (-1, float("nan"), float("inf"), "x")),
        *({"bias_bits": value} for value in (0, 17, 2.5)),
    ],
)
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(RecipeError):
        dataclasses.replace(RECIPE, **bad)


@pytest.mark.parametrize("bad", [{"density": "x"}, {"density": float("nan")}, {"bits": 4.5}, {"index_bits": 2.5}])
def test_impossible_layers_are_refused(bad):
    with pytest.raises(RecipeError):
        LayerRecipe(**{"density": 0.1, "bits": 5, **bad})


@pytest.mark.parametrize("bad", [{"scale": 0}, {"scale": float("nan")}, {"scale": "x"}, {"epochs": "x"}])
def test_impossible_simple_recipes_are_refused(bad):
    with pytest.raises(RecipeError):
        recipes.simple("lenet-5", **bad)


def never(*_):
    raise AssertionError("the work began")


def test_a_recipe_that_trains_needs_data():
    net = shipped.dense("lenet-300-100")
    with pytest.raises(RecipeError, match="no data"):
        pipeline.compress(net, RECIPE, None, progress=never)


@pytest.mark.parametrize("which", ["data", "test"])
@pytest.mark.parametrize(
    ("images", "labels"),
    [(0, []), (5, [1, 2]), (3, [1, 2, 10]), (3, [1, 2, -1])],
    ids=["empty", "fewer labels", "out of range", "negative"],
)
def test_odd_data_are_refused_before_any_work(digits, which, images, labels):
    odd = Split("odd", np.zeros((images, 28, 28), np.uint8), np.array(labels, np.int64))
    given = {"data": digits.train, "test": digits.test} | {which: odd}
    with pytest.raises(DataError, match="label"):
        pipeline.compress(shipped.dense("lenet-300-100"), RECIPE, **given, progress=never)


def test_a_file_without_layers_cannot_be_restored():
    for name in ("lenet-300-100", "alexnet"):
        with pytest.raises(NetError, match="no layers"):
            pipeline.restore(archive.StoredNet(name, ()))


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.drop, self.fc2 = nn.Linear(784, 40), nn.Dropout(0.5), nn.Linear(40, 10)

    def forward(self, x):
        return self.fc2(self.drop(torch.relu(self.fc1(x.flatten(1)))))


def test_a_net_with_dropout_makes_the_same_bytes_twice(digits):
    schedule = Schedule(epochs=1, teacher_weight=0.5)
    layers = {name: LayerRecipe(0.2, bits=4) for name in ("fc1", "fc2")}
    recipe, files = Recipe(layers=layers, retrain=schedule, finetune=schedule), []
    torch.manual_seed(0)
    net = Dropping().train()
    for noise in (1, 2):
        torch.manual_seed(noise)
        files.append(pipeline.compress(net, recipe, digits.train.take(slice(0, 512))).stages[-1].source)
    assert files[0] == files[1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_net_of_another_float_type_keeps_its_type(dtype):
    net = models.build("lenet-300-100", seed=0).to(dtype)
    recipe = Recipe({name: LayerRecipe(0.05, 3) for name in models.weight_layers(net)}, Schedule(0), Schedule(0))
    made = pipeline.compress(net, recipe, None)
    same = pipeline.compress(models.build("lenet-300-100", seed=0).to(dtype).float(), recipe, None)
    ours, theirs = pipeline.restore(made.stored).state_dict(), pipeline.restore(same.stored).state_dict()
    for key, value in ours.items():
        assert value.dtype == dtype
        assert torch.equal(value, theirs[key].to(dtype))
    assert made.dense_bytes == 266_610 * dtype.itemsize
    assert dtype == torch.float64 or len(made.stages[-1].source) <= len(same.stages[-1].source)
    assert next(net.parameters()).dtype == dtype


def test_a_net_without_numbers_is_refused():
    with torch.device("meta"):
        net = models.build("lenet-300-100")
    recipe = Recipe({name: LayerRecipe(0.05, 3) for name in models.weight_layers(net)}, Schedule(0), Schedule(0))
    with pytest.raises(NetError, match="no numbers"):
        pipeline.compress(net, recipe, None)
    with pytest.raises(WeightError, match="fc1"):
        retraining.weights_of(net)


@pytest.mark.parametrize("which", ["data", "test"])
@pytest.mark.parametrize(
    ("images", "labels"),
    [(np.zeros((3, 5, 5), np.uint8), np.arange(3)), (np.zeros((3, 3, 28, 28), np.uint8), np.arange(3)), ("abc", "abc")],
    ids=["small", "in colour", "no arrays"],
)
def test_images_that_the_net_cannot_take_are_refused_before_any_work(digits, which, images, labels):
    given = {"data": digits.train, "test": digits.test} | {which: Split("odd", images, labels)}
    with pytest.raises(DataError):
        pipeline.compress(shipped.dense("lenet-300-100"), RECIPE, **given, progress=never)
