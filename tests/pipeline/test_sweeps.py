import dataclasses
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from dcviz import archive
from dcviz.errors import RecipeError
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import recipes, sweeps

SHORT = dataclasses.replace(
    recipes.simple("lenet-300-100"), retrain=Schedule(epochs=0.1), finetune=Schedule(epochs=0.05), cuts=2
)


def job(name="try", **changes):
    return sweeps.Job(name, "lenet-300-100", dataclasses.replace(SHORT, **changes), data="bundled")


def die(*_):
    os._exit(1)


def test_a_sweep_leaves_rows_and_files_that_decode(tmp_path):
    jobs = sweeps.over_seeds(job(), (0, 1))
    rows, errors = sweeps.sweep(jobs, tmp_path)
    assert errors == {}
    assert [row["seed"] for row in rows] == [0, 1]
    for row in rows:
        path = tmp_path / row["file"]
        assert path.stat().st_size == row["file_bytes"] == archive.describe(path).file_bytes
        assert row["errors_on"] == "bundled digits, held-out part"


def test_what_is_finished_is_not_run_again(tmp_path, monkeypatch):
    first, _ = sweeps.sweep([job()], tmp_path)
    monkeypatch.setattr(sweeps, "run", die)
    seen = []
    again, errors = sweeps.sweep([job()], tmp_path, report=lambda *step: seen.append(step))
    assert again == first
    assert errors == {}
    assert seen == []


def test_another_recipe_or_a_lost_file_is_run(tmp_path):
    assert job().stem != job(seed=3).stem
    (row,), _ = sweeps.sweep([job()], tmp_path)
    (tmp_path / row["file"]).unlink()
    assert sweeps.finished(job(), tmp_path) is None
    (tmp_path / f"{job().stem}.json").write_text("{")
    assert sweeps.finished(job(), tmp_path) is None
    assert sweeps.sweep([job()], tmp_path)[0] == [row]


def test_a_failing_job_loses_no_other(tmp_path):
    bad = dataclasses.replace(job("bad"), net="lenet-5")  # the recipe has other layers
    rows, errors = sweeps.sweep([job(), bad, job(seed=1)], tmp_path)
    assert rows[1] is None
    assert rows[0]["seed"] == 0
    assert rows[2]["seed"] == 1
    assert isinstance(errors[bad.stem], RecipeError)


def test_the_same_call_runs_in_a_process_pool_and_survives_a_dead_worker(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows, errors = sweeps.sweep([job(), job(seed=1)], tmp_path / "pool", pool)
    assert errors == {}
    here, _ = sweeps.sweep([job(), job(seed=1)], tmp_path / "here")
    assert rows == here, "the same bytes wherever it runs"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(die)
        rows, errors = sweeps.sweep([job(), job(seed=1), job(seed=2)], tmp_path / "pool", pool)
    assert rows[:2] == here
    assert rows[2] is None
    assert len(errors) == 1


def test_the_same_call_runs_on_a_dask_cluster(tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    patience = {"distributed.comm.timeouts.connect": "180s", "distributed.comm.timeouts.tcp": "180s"}
    options = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1", "local_directory": tmp_path}
    with (
        dask.config.set(patience),
        distributed.LocalCluster(1, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        rows, errors = sweeps.sweep([job(), job(seed=1)], tmp_path / "dask", client.get_executor())
    assert errors == {}
    assert rows == sweeps.sweep([job(), job(seed=1)], tmp_path / "here")[0]


def test_names_that_are_no_file_names_are_refused():
    for name in ("", "../up", ".hidden", "a b"):
        with pytest.raises(RecipeError, match="name becomes a file's"):
            job(name)
