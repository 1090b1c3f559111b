"""kill -9 at random moments while something is written: the old file or the new one is there and whole.

    python tests/kill_writers.py {saving,downloading,unpacking} FOLDER [--kills 200]

A forked child writes in a loop. It is killed a random moment after it began, up to the time that three writes take, or
before a random line of dcviz, up to as many as three writes run: a third of the kills come after the second file is in
place. Then its parent looks at what it left. Scratch files of the dead must not pile up. A program of its own, as
forking is cheap without torch. Exit status 1 and a traceback if something was lost.
"""

import argparse
import contextlib
import hashlib
import http.server
import io
import os
import random
import signal
import statistics
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet
from dcviz.nets import cifar, downloads


def forked(work, telling):
    """Call ``work(round)`` for round 0, 1, 2, ... in a child process until it is killed; returns its id."""
    pid = os.fork()
    if pid == 0:
        try:
            os.write(telling, b"!")
            number = 0
            while True:
                work(number)
                number += 1
                os.write(telling, b".")
        except BaseException as error:
            os.write(telling, f"{type(error).__name__}: {error}".encode()[:1000])
        finally:
            os._exit(1)
    return pid


@contextlib.contextmanager
def child(work):
    """A child process that works until it is killed at the end of the block; gives a function to wait for a round."""
    told, telling = os.pipe()
    pid = forked(work, telling)
    os.close(telling)
    os.read(told, 1)
    try:
        yield lambda: os.read(told, 1)
    finally:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        said = os.read(told, 100_000).decode().lstrip(".")
        os.close(told)
    assert os.WIFSIGNALED(status), f"the writer stopped by itself: {said}"


def counting(work, limit=None):
    """``work``, but the process kills itself before the ``limit``-th line of dcviz; ``.lines`` have been run."""

    def trace(frame, event, argument):
        if event == "call" and "dcviz" not in frame.f_code.co_filename and frame.f_code is not work.__code__:
            return None  # the lines of other packages are left to the clock
        if event == "line":
            counted.lines += 1
            if counted.lines == limit:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def counted(number):
        sys.settrace(trace)
        try:
            work(number)
        finally:
            sys.settrace(None)

    counted.lines = 0
    return counted


def kill_often(work, check, kills, seed=0):
    """Kill a writer ``kills`` times, half of them by the clock, half after so many lines; then ``check()``."""
    rng, took = random.Random(seed), []
    with child(work) as wait:
        for _ in range(3):
            start = time.perf_counter()
            wait()
            took.append(time.perf_counter() - start)
    counted = counting(work)
    counted(0)
    for number in range(kills):
        if number % 2:
            with child(work):
                time.sleep(rng.uniform(0, 3 * statistics.median(took)))
        else:
            told, telling = os.pipe()
            pid = forked(counting(work, rng.randint(1, 3 * counted.lines)), telling)
            os.close(telling)
            status = os.waitpid(pid, 0)[1]
            said = os.read(told, 100_000).decode()
            os.close(told)
            assert os.WIFSIGNALED(status), f"the writer stopped by itself: {said}"
        check()


def scratch(folder):
    """Files of writes that did not come to their end."""
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


def saving(folder, kills):
    """Two nets take turns in one .dcz file."""
    rng = np.random.default_rng(0)
    nets = []
    for name in ("old", "new"):
        weights = rng.normal(size=(40, 50)).astype(np.float32) * (rng.random((40, 50)) < 0.2)
        nets.append(StoredNet(name, (Layer("fc", weights, None, Coding(4)),)))
    path, whole = folder / "net.dcz", {net.name: archive.dumps(net) for net in nets}
    archive.save(path, nets[0])
    seen, cut = set(), 0

    def check():
        nonlocal cut
        seen.add(archive.load(path).name)
        assert path.read_bytes() in whole.values()
        assert len(scratch(folder)) <= 1
        cut += len(scratch(folder))

    kill_often(lambda number: archive.save(path, nets[number % 2]), check, kills)
    assert seen == {"old", "new"}
    assert cut, "no kill came in the middle of a write"
    archive.save(path, nets[0])
    assert os.listdir(folder) == ["net.dcz"]


@contextlib.contextmanager
def slow_server(content):
    """The address of a server, for this machine alone, that sends ``content`` in four pieces."""

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):  # whoever asked may be dead by now
                self.answer(int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1]))

        def answer(self, begin):
            if begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            for start in range(begin, len(content), len(content) // 4):
                self.wfile.write(content[start : start + len(content) // 4])
                self.wfile.flush()
                time.sleep(0.001)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def downloading(folder, kills):
    """A large file comes from the network in pieces; what has arrived before a kill is not asked for again."""
    import tqdm  # once, not in every child

    # its own lock is shared by all forked processes: a child killed while it holds it would stop every later one
    tqdm.tqdm.set_lock(threading.RLock())
    content = np.random.default_rng(0).bytes(50_000)
    sha256, path, part = hashlib.sha256(content).hexdigest(), folder / "file", folder / "file.part"
    lock = f".{path.name}.lock"
    downloads.PIECE, cut = 5_000, 0
    os.environ["no_proxy"] = "127.0.0.1"

    def work(number):
        path.unlink(missing_ok=True)
        downloads.resume(url, path, downloads.sha256_begins(sha256), len(content), progress=False)

    def check():
        nonlocal cut
        assert set(os.listdir(folder)) <= {path.name, part.name, lock}
        assert not path.exists() or path.read_bytes() == content
        if part.exists():
            assert content.startswith(part.read_bytes())
            cut += 0 < part.stat().st_size < len(content)

    with slow_server(content) as url:
        kill_often(work, check, kills)
        assert cut, "no kill came in the middle of a download"
        work(0)
    assert set(os.listdir(folder)) == {path.name, lock}
    assert path.read_bytes() == content


def unpacking(folder, kills):
    """The six files of CIFAR-10 come out of their archive."""
    os.environ["DCVIZ_CACHE"] = str(folder)
    os.environ.pop("DCVIZ_DATA", None)
    records, rng = 20, np.random.default_rng(0)
    cifar.read_records.__defaults__ = cifar.extract.__defaults__ = (records,)
    content, packed = {}, folder / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        for name in (*cifar.FILES["train"], *cifar.FILES["test"]):
            data = rng.integers(0, 10, (records, cifar.RECORD), dtype=np.uint8)
            info = tarfile.TarInfo(f"{cifar.FOLDER}/{name}")
            content[name], info.size = data.tobytes(), data.size
            tar.addfile(info, io.BytesIO(content[name]))
    cifar._download = lambda folder: packed
    place, counts = folder / cifar.FOLDER, set()

    def work(number):
        for name in content:
            (place / name).unlink(missing_ok=True)
        assert len(cifar.cifar10("train")) == 5 * records

    def check():
        there = [name for name in content if (place / name).is_file()]
        counts.add(len(there))
        for name in there:
            assert (place / name).read_bytes() == content[name]
        assert len(scratch(folder)) <= len(content)

    kill_often(work, check, kills)
    assert counts - {0, 6}, "no kill came between two files"
    work(0)
    assert sorted(os.listdir(place)) == sorted([*content, cifar.SUMS])


SCENES = {"saving": saving, "downloading": downloading, "unpacking": unpacking}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    signal.alarm(900)  # whatever hangs, ends
    SCENES[options.scene](options.folder, options.kills)


if __name__ == "__main__":
    main()
