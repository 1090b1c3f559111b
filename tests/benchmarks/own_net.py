"""A net that nobody ships, compressed at several densities: sizes, and errors with and without retraining.

    python tests/benchmarks/own_net.py

The net of chapter 07's last section learns 3,500 of the bundled digits; 500 more say how sensitive its layers are, and
the 1,000 held-out ones are asked for each file. Keeps the rows in data/recorded and puts them into docs.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pages
import torch
from torch import nn
from torch.nn import functional as F

from dcviz import pipeline
from dcviz.nets import datasets, training
from dcviz.pipeline import choosing, parameters

NAME, PAGE = "own_net", pages.DOCS / "your-own-net.md"
SETTINGS = ((0.5, False), (0.2, False), (0.1, False), (0.1, True), (0.05, False), (0.05, True))
"""(share of the weights that is kept, by sensitivity?)."""
BITS, EPOCHS, LEARNT = 4, 2, 3_500


class OwnNet(nn.Module):
    """Batch normalisation, a skip, a layer that widens and one that narrows."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.deep = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 16, 1))
        self.head = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.max_pool2d(x + self.deep(x), 2).flatten(1))


def batches(pictures, labels, **options):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(pictures, labels), batch_size=64, **options)


def rows():
    """The dense net first, then a dict for each setting: bytes and percent of errors, one shot and retrained."""
    digits = datasets.digits()
    (pictures, labels), held_out = (
        (training.to_input(split.images), torch.tensor(split.labels)) for split in (digits.train, digits.test)
    )
    learnt = batches(pictures[:LEARNT], labels[:LEARNT], shuffle=True)
    chosen_by = {"data": batches(pictures[LEARNT:], labels[LEARNT:]), "loss": F.cross_entropy}

    @torch.no_grad()
    def error(net):
        return round(100 * float((net(held_out[0]).argmax(1) != held_out[1]).float().mean()), 2)

    torch.manual_seed(0)
    net = OwnNet()
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(EPOCHS):
        for images, classes in learnt:
            optimizer.zero_grad()
            F.cross_entropy(net(images), classes).backward()
            optimizer.step()
    net.eval()
    weights = sum(parameter.numel() for parameter in net.parameters())
    yield {"weights": weights, "dense_bytes": parameters.dense_bytes(net), "error": error(net)}
    for density, sensitive in SETTINGS:
        asked = chosen_by if sensitive else {}
        once, again = (choosing.recipe_for(net, density, BITS, epochs=epochs, **asked) for epochs in (0, EPOCHS))
        torch.manual_seed(0)
        shot = pipeline.compress(net, once, evaluate=error)
        retrained = pipeline.compress(net, again, learnt, loss=F.cross_entropy, evaluate=error)
        yield {
            "density": density,
            "by_sensitivity": sensitive,
            "bytes": shot.stages[-1].file_bytes,
            "ratio": round(shot.ratio, 1),
            "error": shot.stages[-1].measured,
            "retrained_bytes": retrained.stages[-1].file_bytes,
            "retrained_error": retrained.stages[-1].measured,
        }


def table(recorded):
    """The lines of docs/your-own-net.md that a record makes."""
    dense, *found = recorded.rows
    larger = max(row["retrained_bytes"] / row["bytes"] - 1 for row in found)
    lines = [
        "A small net of ours that nobody ships, with batch normalisation and a skip (chapter 07's last section has it:",
        f"{dense['weights']:,} weights, {dense['dense_bytes']:,} bytes), learnt {LEARNT:,} digits and makes "
        f"{dense['error']:.1f}% errors on 1,000 others.",
        f"{BITS} bits a weight; retraining is {EPOCHS} passes over the same digits, fine-tuning half a pass:",
        "",
        "| weights kept | file | times smaller | errors, one shot | errors, retrained |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        kept = f"{row['density']:.0%}" + (", by sensitivity" if row["by_sensitivity"] else "")
        errors = f"{row['error']:.1f}% | {row['retrained_error']:.1f}%"
        lines.append(f"| {kept} | {row['bytes']:,} bytes | {row['ratio']} | {errors} |")
    return [
        *lines,
        "",
        f"(One run, one seed; the files that were retrained are at most {max(1, round(100 * larger))}% larger.",
        "Two more passes would have made the dense net better, too, so this is no gain of pruning.",
        f"{pages.origin(recorded)})",
    ]


def main():
    """Measure, keep, and write the page's table."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    torch.set_num_threads(1)
    pages.put(PAGE, NAME, table(pages.kept(NAME, rows())))


if __name__ == "__main__":
    main()
