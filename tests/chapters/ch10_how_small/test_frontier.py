import pytest

from dcviz import archive, pipeline
from dcviz.chapters.ch10_how_small import frontier
from dcviz.errors import RecipeError
from dcviz.nets import datasets
from dcviz.pipeline import shipped


def test_every_part_changes_the_plain_recipe_and_nothing_is_on_by_default():
    plain = frontier.recipe(3.0)
    assert plain == frontier.recipe(3.0, ())
    changed = [frontier.recipe(3.0, (part,)) for part in frontier.PARTS]
    assert plain not in changed
    assert len({repr(recipe) for recipe in changed}) == len(frontier.PARTS)
    assert (plain.cuts, plain.regrow, plain.rate, plain.reorder, plain.dtype) == (1, False, 0.0, False, "float32")


def test_unknown_parts_and_densities_are_refused():
    with pytest.raises(RecipeError, match="magic"):
        frontier.recipe(3.0, ("magic",))
    with pytest.raises(RecipeError, match=r"4\.0"):
        frontier.recipe(4.0)


def test_subsets_are_all_sets():
    assert frontier.subsets(("a", "b")) == [(), ("a",), ("b",), ("a", "b")]
    assert len(frontier.subsets(tuple(frontier.CODING))) == 32


def test_the_grid_gives_what_the_pipeline_gives():
    digits, dense = datasets.digits(), shipped.dense(frontier.NET)
    data, held_out = digits.train.take(slice(0, 384)), digits.test.take(slice(0, 300))
    short = {"epochs": 0.5, "finetune": 0.5}
    training = ("gradual", "teacher")
    pruned = pipeline.compress(dense, frontier.recipe(3.0, training, **short), data).stages[1].stored
    found = frontier.coded(pipeline.restore(pruned), frontier.recipe(3.0, training, **short), data, held_out, dense)
    assert set(found) == set(frontier.subsets(tuple(frontier.CODING)))
    for parts in ((), ("rate", "tables"), tuple(frontier.CODING)):
        whole = pipeline.compress(dense, frontier.recipe(3.0, training + parts, **short), data, test=held_out)
        assert found[parts] == (whole.stages[-1].file_bytes, whole.stages[-1].error_percent)
    sizes = {parts: size for parts, (size, _) in found.items()}
    assert sizes[tuple(frontier.CODING)] < 0.6 * sizes[()]
    assert sizes[()] == max(sizes.values())


def test_the_grid_leaves_the_net_alone():
    digits, net = datasets.digits(), shipped.dense(frontier.NET)
    before = archive.dumps(pipeline.stored_net(net))
    made_by = frontier.recipe(8.0, finetune=0.1)
    frontier.coded(net, made_by, digits.train.take(slice(0, 128)), digits.test.take(slice(0, 50)), sets=[("tables",)])
    assert archive.dumps(pipeline.stored_net(net)) == before
