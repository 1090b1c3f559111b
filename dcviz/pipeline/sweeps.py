"""Many recipes at once: in this process, on all cores, or on a cluster, and no finished run is ever lost.

A job is a net, a recipe and a seed. ``sweep`` hands jobs to any ``concurrent.futures.Executor`` (a process pool, or
``dask.distributed.Client.get_executor()``); every finished run leaves a .json row and a .dcz file in a folder,
each put in place in one step, and a sweep that is started again goes on with what is missing.
"""

import dataclasses
import hashlib
import json
from concurrent.futures import CancelledError, Executor, Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from dcviz import archive, pipeline
from dcviz.errors import RecipeError
from dcviz.evidence import resumed
from dcviz.files import read_json
from dcviz.nets import datasets
from dcviz.pipeline import Recipe, shipped


@dataclass(frozen=True)
class Job:
    """One run: compress the shipped dense ``net`` by ``recipe``; ``name`` says what is tried.

    teacher: shipped net to learn from while retraining (default: the dense net itself). data: "full" for the
    55,000 training digits, measured on all 5,000 bundled ones; "bundled" for 4,000 and 1,000 of these.
    """

    name: str
    net: str
    recipe: Recipe
    teacher: str | None = None
    data: str = "full"

    def __post_init__(self):
        if self.data not in ("full", "bundled"):
            raise RecipeError(f"data must be full or bundled, not {self.data!r}")
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name) or self.name.startswith("."):
            raise RecipeError(f"a job's name becomes a file's: letters, digits and -_. only, not {self.name!r}")

    @property
    def stem(self):
        """File name of the job's results: its name and a digest of everything that decides them."""
        settings = json.dumps(dataclasses.asdict(self), sort_keys=True, default=str)
        return f"{self.name}-{hashlib.sha256(settings.encode()).hexdigest()[:10]}"


def over_seeds(job, seeds):
    """The job once for each seed."""
    return [replace(job, recipe=replace(job.recipe, seed=seed)) for seed in seeds]


def run(job, folder):
    """Do one job now and keep its results in ``folder``; returns its row, a dict of plain values."""
    full = job.data == "full"
    train = datasets.mnist_without_bundled() if full else datasets.digits().train
    held_out = datasets.unseen() if full else datasets.digits().test
    teacher = shipped.dense(job.teacher) if job.teacher else None
    result = pipeline.compress(
        shipped.dense(job.net), job.recipe, train, test=held_out, teacher=teacher, progress=lambda *step: None
    )
    row = {
        "name": job.name,
        "net": job.net,
        "seed": job.recipe.seed,
        "teacher": job.teacher,
        "trained_on": train.name,
        "errors_on": held_out.name,
        "file_bytes": result.stages[-1].file_bytes,
        "ratio": result.ratio,
        "error_percent": result.stages[-1].error_percent,
        "stages": {s.name: [s.file_bytes, s.error_percent] for s in result.stages},
        "parts": result.report.parts,
        "nonzeros": {layer.name: layer.nonzeros for layer in result.report.layers},
        "recipe": dataclasses.asdict(job.recipe),
        "file": f"{job.stem}.dcz",
    }
    archive.save(Path(folder) / f"{job.stem}.dcz", result.stored)
    resumed.keep(Path(folder) / f"{job.stem}.json", row)
    return row


def finished(job, folder):
    """The row that a job left in ``folder`` before, or None."""
    try:
        row = read_json(Path(folder) / f"{job.stem}.json")
        return row if (Path(folder) / row["file"]).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Here(Executor):
    """An executor that does everything at once in this process: no threads, no surprises."""

    def submit(self, function, /, *args, **kwargs):
        """Call the function now; returns a finished Future."""
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # a Future carries it, as every executor's does
            future.set_exception(error)
        return future


def sweep(jobs, folder, executor=None, report=None):
    """Run jobs on an executor (default: here, one by one); returns (rows in the jobs' order, {name: error}).

    Jobs whose results are in ``folder`` already are not run again. A job that fails, or whose worker dies, has None
    for its row and its exception among the errors; all others are kept. report(done, of) is called as jobs end.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    executor = executor or Here()
    rows = [finished(job, folder) for job in jobs]
    waiting = {executor.submit(run, job, folder): at for at, job in enumerate(jobs) if rows[at] is None}
    errors = {}
    for done, future in enumerate(as_completed(waiting), len(jobs) - len(waiting) + 1):
        at = waiting[future]
        try:
            rows[at] = future.result()
        except (Exception, CancelledError) as error:  # one dead worker must not take the others' results along
            rows[at] = finished(jobs[at], folder)  # it may have died after the work was done
            if rows[at] is None:
                errors[jobs[at].stem] = error
        if report is not None:
            report(done, len(jobs))
    return rows, errors
