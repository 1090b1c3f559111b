"""Train VGG-16 on CIFAR-10 on a CPU, in instalments: ``python -m dcviz vgg train``.

The form that published records of compression use (``models_imagenet.VGG16CIFAR``). It can be stopped at any moment
(SIGTERM, Ctrl-C, a power cut); the same command goes on from the last checkpoint. Pictures grow from phase to phase:
``--phases 16:6,24:7,32:6`` is 6 epochs at 16 pixels and so on; ``--start FILE`` begins with the weights of an earlier
run instead of random ones, ``--optimizer sgd`` takes momentum instead of AdamW. Choices are made on 5,000 held-out
training pictures; the test pictures are read only by ``--report``.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from dcviz.nets import models, picture_training
from dcviz.nets.alexnet_training import program
from dcviz.nets.cifar import cifar10, tuning_pictures
from dcviz.nets.models_imagenet import he_init
from dcviz.nets.picture_training import PictureSchedule, Trainer, adamw, sgd, stop_signals
from dcviz.nets.resuming import replace_file

NET = "vgg-16-cifar"
PIXELS = 32
"""The size that errors are measured at: that of the pictures as they are published."""

OPTIMIZERS = {"adamw": (adamw, 0.05), "sgd": (sgd, 5e-4)}
"""{name: (function that makes it, weight decay)}."""

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "vgg-16-cifar10.safetensors"


def run(options):
    """Train until the schedule is over, then write and measure the net; True when done, False after a stop."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    net = he_init(models.build(NET))
    if options.start:
        net.load_state_dict(load_file(options.start))
    train, held_out = tuning_pictures()
    optimizer, decay = OPTIMIZERS[options.optimizer]
    phases, seed = tuple(options.phases), options.seed
    schedule = PictureSchedule(phases, options.lr, options.batch, options.warmup, decay, seed=seed)
    trainer = Trainer(net, train, schedule, optimizer=optimizer)
    with stop_signals() as stop:
        trainer.run(
            checkpoint=out / CHECKPOINT,
            every=options.every,
            report=picture_training.printed(NET),
            stop=lambda: bool(stop),
        )
    if trainer.step < trainer.total:
        return False
    notes = {
        "net": NET,
        "data": "CIFAR-10",
        "seed": options.seed,
        "start": options.start and Path(options.start).name,
        "phases": options.phases,
        "optimizer": options.optimizer,
        "lr": options.lr,
        "batch": options.batch,
        "held_out_error_percent": picture_training.error_percent(net, held_out, PIXELS),
    }
    replace_file(out / WEIGHTS, net.state_dict(), notes)
    print(json.dumps(notes), flush=True)
    return True


def report(options):
    """Measure the finished net on the 10,000 test pictures and print its error."""
    net = models.build(NET)
    net.load_state_dict(load_file(Path(options.out) / WEIGHTS))
    print(json.dumps({"test_error_percent": picture_training.error_percent(net, cifar10("test"), PIXELS)}))


def main(arguments=None):
    """The command line; see the top of this module."""
    p = program("vgg train", __doc__.split("\n\n")[0], "vgg", "16:6,24:7,32:6", 16, lr=1.5e-3, warmup=200, every=120)
    p.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="adamw")
    p.add_argument("--start", help="safetensors file of an earlier run; default: random weights")
    options = p.parse_args(arguments)
    report(options) if options.report else run(options)


if __name__ == "__main__":
    main()
