"""Downloads against a server on loopback that cuts, lies and forgets."""

import gzip
import hashlib
import multiprocessing
import resource
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from dcviz.errors import DataError, NetError
from dcviz.nets import datasets, downloads, models
from dcviz.pipeline import pretrained

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 4_000_000


class Server(ThreadingHTTPServer):
    """Serves ``contents`` under any name; sends ``budget`` bytes an answer, then hangs up."""

    contents, budget, ranges, length = CONTENT, None, True, None
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/file-{SHA256[:8]}.bin"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if self.path == "/missing" or start >= len(server.contents) > 0:
            self.send_error(404 if self.path == "/missing" else 416)
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/file")
            self.end_headers()
            return
        rest = server.contents[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.contents) - 1}/{len(server.contents)}")
        if server.length != "":
            self.send_header("Content-Length", str(len(rest)) if server.length is None else server.length)
        self.end_headers()
        self.wfile.write(rest[: server.budget])

    def log_message(self, *arguments):
        pass


def seen(folder):
    """What is left in a folder, its hidden lock apart."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, tmp_path):
    path = downloads.resume(server.url, tmp_path / "a" / "file", downloads.sha256_begins(SHA256[:8]), MOST)
    assert path.read_bytes() == CONTENT
    assert downloads.resume(server.url, path, downloads.sha256_begins(SHA256[:8]), MOST) == path
    assert server.asked == [None]
    assert seen(path.parent) == ["file"]


def test_a_cut_connection_goes_on_where_it_was_cut(server, tmp_path):
    server.budget = 1_100_000
    path = downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1100000-", "bytes=2200000-"]


def test_after_too_many_cuts_the_message_says_what_is_kept_and_the_next_call_goes_on(server, tmp_path):
    server.budget = 500_000
    with pytest.raises(DataError, match=r"1,500,000 bytes have arrived and are kept .* goes on from there"):
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    assert not (tmp_path / "file").exists()
    server.budget = None
    assert (
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST).read_bytes() == CONTENT
    )
    assert server.asked[-1] == "bytes=1500000-"


def test_a_server_that_knows_no_ranges_starts_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert (
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST).read_bytes() == CONTENT
    )


def test_what_had_fully_arrived_only_needs_its_name(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert (
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST).read_bytes() == CONTENT
    )


def test_another_file_than_promised_is_removed(server, tmp_path):
    with pytest.raises(DataError, match="not the file that was promised"):
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins("0123abcd"), MOST)
    assert seen(tmp_path) == []


def test_old_bytes_of_another_file_are_found_out(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"\0" * 1_000_000)
    with pytest.raises(DataError, match="not the file that was promised"):
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    assert (
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST).read_bytes() == CONTENT
    )


@pytest.mark.parametrize("length", ["0", "", "abc", "-1", "9" * 5000, "1e9", "\xb2"])
def test_an_empty_answer_is_a_message_whatever_it_says_of_its_length(server, tmp_path, length):
    server.contents, server.length = b"", length
    with pytest.raises(DataError, match=r"the answer was empty|could not be fetched"):
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    assert seen(tmp_path) == []


@pytest.mark.parametrize("length", ["abc", "-1", "", "9" * 5000, "\xb2", "3000000 "])
def test_a_senseless_length_is_no_reason_not_to_take_the_file(server, tmp_path, length):
    server.length = length
    path = downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [None, "", "abc", "10"])
def test_more_than_was_promised_is_not_taken(server, tmp_path, length):
    server.length = length
    (tmp_path / "file.part").write_bytes(b"old")
    if length == "10":  # then no more than ten are read, and they are not the file
        with pytest.raises(DataError, match="not the file that was promised"):
            downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), 200_000)
    else:
        with pytest.raises(DataError, match="longer than 200,000 bytes"):
            downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), 200_000)
    assert seen(tmp_path) == []


def test_a_server_that_says_nothing_at_all_is_a_message(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up():
            for answer in (b"", b"no http\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Range: bytes x\r\n\r\n"):
                asked, _ = listening.accept()
                with asked:
                    asked.recv(10_000)
                    asked.sendall(answer)

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/file"
        for _ in range(3):
            with pytest.raises(DataError, match=r"could not be fetched|the answer was empty"):
                downloads.resume(url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST, attempts=1)
    assert seen(tmp_path) == []


def test_a_full_disk_is_named_and_loses_nothing(server, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))  # the system refuses to write more
    try:
        with pytest.raises(DataError, match=r"cannot be written .* bytes are free .* make room"):
            downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST).read_bytes() == CONTENT
    )
    assert server.asked[-1].startswith("bytes=")


def test_a_missing_file_and_no_network_give_a_message(server, tmp_path):
    missing = server.url.rsplit("/", 1)[0] + "/missing"
    with pytest.raises(DataError, match="404"):
        downloads.resume(missing, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="with a network, the same call goes on"):
        downloads.resume(server.url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)


@pytest.mark.parametrize("url", ["http://example.invalid/x", "ftp://example.invalid/x", "file:///etc/hostname"])
def test_only_https_is_fetched(url, tmp_path):
    with pytest.raises(DataError, match="only https"):
        downloads.resume(url, tmp_path / "file", downloads.sha256_begins(SHA256), MOST)


def test_a_redirection_cannot_leave_https(server, tmp_path, monkeypatch):
    elsewhere = server.url.rsplit("/", 1)[0] + "/elsewhere"
    with pytest.raises(DataError, match="only https"):
        downloads.resume(elsewhere, tmp_path / "file", downloads.sha256_begins(SHA256), MOST, attempts=1)
    assert not (tmp_path / "file").exists()


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """A small net under an ImageNet name, served on loopback."""
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(models.NETS, "alexnet", Small)

    def publish(contents):
        torch.save(contents, tmp_path / "x.pth")
        server.contents = (tmp_path / "x.pth").read_bytes()
        digits = hashlib.sha256(server.contents).hexdigest()[:8]
        monkeypatch.setitem(pretrained.IMAGENET, "alexnet-imagenet", ("alexnet", f"alexnet-{digits}.pth"))
        return f"http://127.0.0.1:{server.server_port}/"

    return publish


def test_published_weights_load_into_the_net(published):
    net = Small()
    loaded = pretrained.load("alexnet-imagenet", published({**net.state_dict(), "aux1.x": torch.zeros(1)}))
    assert not loaded.training
    for name, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_weights_of_another_net_are_refused(published):
    with pytest.raises(DataError, match="does not hold the weights of alexnet"):
        pretrained.load("alexnet-imagenet", published({"other": torch.zeros(2)}))


def test_a_file_that_would_run_code_is_refused(published):
    with pytest.raises(DataError, match="does not hold the weights"):
        pretrained.load("alexnet-imagenet", published(Small()))  # a whole module: needs the pickled class


def test_names():
    assert "alexnet-imagenet" in pretrained.names()
    assert pretrained.load("lenet-5").name == "lenet-5"
    with pytest.raises(NetError, match="alexnet-cifar10"):
        pretrained.load("resnet")


def test_two_at_once_do_not_write_into_the_same_bytes(server, tmp_path):
    """A class that opens the same chapter: one fetches, the others wait for it."""
    context, path = multiprocessing.get_context("fork"), tmp_path / "file"
    sha256 = downloads.sha256_begins(SHA256)
    together = [context.Process(target=downloads.resume, args=(server.url, path, sha256, MOST)) for _ in range(4)]
    for process in together:
        process.start()
    for process in together:
        process.join(180)
    assert [process.exitcode for process in together] == [0] * 4
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]


def test_mnist_comes_by_the_same_road_and_is_checked_when_it_was_there_before(server, tmp_path, monkeypatch):
    unpacked = bytes(range(250)) * 40
    server.contents, name = gzip.compress(unpacked), "digits"
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path))
    monkeypatch.delenv("DCVIZ_DATA", raising=False)
    monkeypatch.setattr(datasets, "MNIST_URL", server.url.rsplit("/", 1)[0] + "/")
    monkeypatch.setitem(datasets.MNIST_FILES, name, (hashlib.sha256(unpacked).hexdigest(), len(unpacked)))
    assert datasets._content(name) == datasets._download(name) == unpacked  # the second time it lies there
    assert server.asked == [None]
    (tmp_path / "mnist" / "digits.gz").unlink()
    server.contents = gzip.compress(unpacked[:-1] + b"!")
    with pytest.raises(DataError, match=r"(?s)could not be downloaded.*SHA-256 differs"):
        datasets._content(name)
