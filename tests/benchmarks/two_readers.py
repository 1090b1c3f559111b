"""Let two readers judge the same files: dcviz's, and tests/archive/second_reader.py, written from the page alone.

    python tests/benchmarks/two_readers.py [--files 20000] [--seed 0]

Each number makes four files by tests/archive/random_files.py: a valid one that dcviz would not write, one that breaks
a rule of docs/format.md, one with bytes changed under a right checksum, and one of live blocks whose arithmetic code
is chance. Both readers must give the arrays that the maker meant; both must refuse the second; of the others they must
say the same. What dcviz reads it must write again, and the new file must hold the same. Prints what came out; exit
status 1 at the first disagreement.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))

import random_files
import second_reader

from dcviz import archive
from dcviz.errors import ArchiveError


def ours(data):
    """What dcviz reads: {key: array}, or None if it refuses."""
    try:
        net = archive.loads(data)
    except ArchiveError:
        return None
    return net.state_dict()


def theirs(data):
    """What the second reader reads."""
    try:
        return second_reader.read(data)
    except second_reader.Refused:
        return None


def same(first, second):
    """Whether both refuse, or read the same arrays bit for bit."""
    if first is None or second is None:
        return first is second
    return first.keys() == second.keys() and all(
        first[key].shape == second[key].shape and first[key].tobytes() == second[key].tobytes() for key in first
    )


def judge(rng):
    """Make three files and compare: -> (what is wrong or "", whether the changed one was read)."""
    valid, truth = random_files.make(rng)
    if not same(ours(valid), truth) or not same(theirs(valid), truth):
        return "a valid file is not read as it was meant", False
    again = archive.dumps(archive.loads(valid))
    if not same(ours(again), truth) or not same(theirs(again), truth):
        return "a valid file is not written again as it was", False
    breakdown = archive.describe_bytes(valid)
    dense = sum(array.nbytes for array in {id(array): array for array in truth.values()}.values())  # tied ones once
    if sum(breakdown.parts.values()) != len(valid) or breakdown.dense_bytes != dense:
        return "the breakdown of a valid file does not add up", False
    lie = rng.choice(random_files.LIES)
    lying = random_files.make(rng, lie)[0]
    if ours(lying) is not None or theirs(lying) is not None:
        return f"a file with {lie} is read", False
    changed = random_files.broken(valid, rng)
    if not same(ours(changed), theirs(changed)):
        return "the readers differ over a changed file", False
    block = random_files.block(rng)
    read = ours(block)
    if not same(read, theirs(block)):
        return "the readers differ over a live block", False
    if read is not None and not same(ours(archive.dumps(archive.loads(block))), read):
        return "a live block is not written again as it was", False
    if read is not None and sum(archive.describe_bytes(block).parts.values()) != len(block):
        return "the breakdown of a live block does not add up", False
    return "", ours(changed) is not None


def main():
    """Judge many files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seen = Counter()
    for number in range(options.files):
        wrong, read = judge(random.Random(f"{options.seed}/{number}"))
        if wrong:
            print(f"file {number}: {wrong}")
            return 1
        seen["changed and read by both" if read else "changed and refused by both"] += 1
        if number % 1000 == 999:
            print(f"{number + 1:,} files: {dict(seen)}", flush=True)
    print(f"{options.files:,} valid files and as many false ones judged alike, and {dict(seen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
