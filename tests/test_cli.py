import functools
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_odd_machines import WITHOUT_PRIVILEGES

from dcviz import archive
from dcviz.__main__ import main
from dcviz.classroom import editions
from dcviz.files import ROOT
from dcviz.pipeline import shipped


@pytest.fixture(scope="module")
def measured():
    """`shipped.measure` that measures a net once, for all tests of the table."""
    return functools.cache(shipped.measure)


@pytest.fixture
def measured_once(monkeypatch, measured, no_data):
    monkeypatch.setattr(shipped, "measure", measured)


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_table1_puts_the_papers_rows_beside_ours(capsys, measured_once):
    status, out, _ = run(capsys, "table1")
    assert status == 0
    assert "paper (quoted)" in out
    assert "this workbook (measured now)" in out
    assert "1070 KB" in out
    assert "5,000 bundled digits" in out


def test_table1_as_json_is_recomputed_from_the_shipped_files(capsys, measured_once):
    rows = json.loads(run(capsys, "table1", "--json")[1])
    assert [row["net"] for row in rows] == list(shipped.TABLE1)
    for row in rows:
        path = shipped.compressed_path(row["net"])
        assert row["file_bytes"] == path.stat().st_size
        assert row["ratio"] == pytest.approx(row["dense_bytes"] / path.stat().st_size)
        assert 0 < row["error_percent"] < 3
        assert row["images"] == "5,000 bundled digits"
    assert {row["net"]: row["dense_bytes"] for row in rows} == {"lenet-300-100": 1_066_440, "lenet-5": 1_724_320}


def test_table1_shows_the_smaller_files_on_request(capsys, measured_once):
    rows = json.loads(run(capsys, "table1", "--all", "--json")[1])
    ratios = {row["net"]: row["ratio"] for row in rows}
    assert list(ratios) == [*shipped.REFERENCES, *shipped.BLOCKS]
    assert ratios["lenet-5-micro"] > 1000, "README says so"
    assert ratios["lenet-5-small"] > 2 * ratios["lenet-5"]
    assert "lenet-300-100-small" in run(capsys, "table1", "--all")[1]


def test_inspect_accounts_for_every_byte(capsys):
    path = shipped.compressed_path("lenet-5")
    shown = json.loads(run(capsys, "inspect", str(path), "--json")[1])
    assert shown["file_bytes"] == path.stat().st_size == sum(shown["parts"].values())
    text = run(capsys, "inspect", str(path))[1]
    for part in archive.PARTS:
        assert part in text
    assert f"{path.stat().st_size:,}" in text


def test_inspect_accounts_for_every_byte_of_version_2(capsys):
    path = ROOT / "tests" / "archive" / "golden" / "version-2.dcz"
    shown = json.loads(run(capsys, "inspect", str(path), "--json")[1])
    assert shown["file_bytes"] == path.stat().st_size == sum(shown["parts"].values())
    assert {layer["kind"] for layer in shown["layers"]} >= {"coded", "kept", "lossless", "tie"}
    assert shown["dense_bytes"] == sum(layer["dense_bytes"] for layer in shown["layers"])
    text = run(capsys, "inspect", str(path))[1]
    assert "float8_e5m2" in text
    assert f"{'kept':20}" in text
    assert re.search(r"^  again .* tie$", text, re.M)


def test_a_wrong_file_is_a_message_and_a_status_not_a_traceback(capsys, tmp_path):
    path = tmp_path / "notes.dcz"
    path.write_text("not a net")
    status, out, err = run(capsys, "inspect", str(path))
    assert (status, out) == (1, "")
    assert err.startswith("dcviz: ")
    assert "notes.dcz: not a .dcz file" in err
    assert "known are lenet-300-100, lenet-5" in run(capsys, "reproduce", "lenet-7", "--out", str(tmp_path))[2]


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "dcviz", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("dcviz ")


def test_inspect_shows_names_as_data_and_json_keeps_them(capsys, tmp_path):
    names = ["\x1b[2J\x1b]52;c;b3duZWQ=\x07", "fc1\rfc2\n  forged    1", "\u202eevil\u2066", "<b>$x$</b>", "x" * 400]
    layers = tuple(archive.Layer(name, np.ones((2, 3), np.float32)) for name in names)
    archive.save(tmp_path / "a.dcz", archive.StoredNet("\x1b[31mnet", layers))
    status, out, _ = run(capsys, "inspect", str(tmp_path / "a.dcz"))
    assert status == 0
    assert all(line.isprintable() for line in out.splitlines())
    assert all(len(line) < 200 for line in out.split("\n"))
    assert r"\x1b[31mnet" in out
    assert sum(line.startswith("  fc1") for line in out.splitlines()) == 1
    said = json.loads(run(capsys, "inspect", str(tmp_path / "a.dcz"), "--json")[1])
    assert [layer["layer"] for layer in said["layers"]] == names


def test_a_path_in_a_message_is_one_line(capsys, tmp_path):
    status, _, err = run(capsys, "inspect", str(tmp_path / "a\nb\x1b[2J"))
    assert status == 1
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.parametrize("program", ["block"])
def test_a_program_gets_its_own_options_whichever_comes_first(program, capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        main([program, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m dcviz {program} ")
    with pytest.raises(SystemExit) as end:
        main([program, "--seed", "1", "--no-such-option"])
    assert end.value.code == 2
    assert "unrecognized arguments: --no-such-option" in capsys.readouterr().err


def test_other_commands_take_no_unknown_option(capsys):
    with pytest.raises(SystemExit) as end:
        main(["table1", "--no-such-option"])
    assert end.value.code == 2
    assert "unrecognized arguments: --no-such-option" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["train", "compress", "measure"])
@pytest.mark.parametrize("net", ["alexnet", "vgg"])
def test_each_step_of_a_net_of_pictures_has_its_options(net, step, capsys):
    with pytest.raises(SystemExit) as stop:
        main([net, step, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m dcviz {net} {step} ")


@pytest.fixture
def no_training(monkeypatch):
    """Training that would begin is an error of the test."""

    def begun(*_, **__):
        raise AssertionError("training has begun")

    monkeypatch.setattr(shipped.training, "fit", begun)
    monkeypatch.setattr(shipped.pipeline, "compress", begun)


def quick(out):
    return ("reproduce", "lenet-300-100", "--quick", "--out", str(out))


def commands(out):
    yield quick(out)
    yield ("edition", "student", str(out), "--only", "00")
    yield ("export", "html", str(out), "--only", "00")
    yield ("api", str(out))


def test_an_out_that_is_a_file_is_a_message_before_any_work(capsys, tmp_path, no_training):
    (tmp_path / "file").write_text("mine")
    for arguments in [*commands(tmp_path / "file"), *commands(tmp_path / "file" / "below")]:
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (1, ""), arguments
        assert err.startswith("dcviz: ")
        assert "files cannot be written there" in err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="takes rights away the Linux way")
def test_a_read_only_out_is_a_message(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o555)
    code = WITHOUT_PRIVILEGES + "from dcviz.__main__ import main\nprint([main(a.split('|')) for a in sys.argv[1:]])"
    called = ["|".join(arguments) for out in ("out", "out/below") for arguments in commands(tmp_path / out)]
    done = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code, *called], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "[1, 1, 1, 1, 1, 1, 1, 1]\n", done.stderr
    assert done.stderr.count("Permission denied") == done.stderr.count("\n") == 8


def test_a_full_disk_is_found_before_any_training(capsys, tmp_path, no_training, monkeypatch):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))  # the net's weights alone would fit
    try:
        status, _, err = run(capsys, *quick(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert status == 1
    assert "files cannot be written there (File too large)" in err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AssertionError, match="training has begun"):
        run(capsys, *quick(tmp_path))


def test_a_disk_that_fills_up_later_is_a_message_too(capsys, tmp_path, monkeypatch):
    def fill(*_, **__):
        raise OSError(28, "No space left on device", str(tmp_path / "a"))

    monkeypatch.setattr(shipped, "reproduce", fill)
    assert run(capsys, *quick(tmp_path)) == (1, "", f"dcviz: {tmp_path / 'a'}: No space left on device\n")


@pytest.mark.parametrize("only", [("99",), ("00", "99"), ("2",), ("\x1b[2J",), ("../../x",)])
def test_a_chapter_that_is_not_there_is_said(capsys, tmp_path, only):
    for arguments in (("edition", "student"), ("export", "html"), ("export", "slides")):
        status, out, err = run(capsys, *arguments, str(tmp_path / "out"), "--only", *only)
        assert (status, out) == (1, "")
        assert "no chapter begins with" in err
        assert "02_pruning" in err
    assert not (tmp_path / "out").exists()


def test_without_any_sources_nothing_is_not_called_done(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "SOURCES", tmp_path / "nowhere")
    status, _, err = run(capsys, "edition", "student", str(tmp_path / "out"), "--no-run")
    assert status == 1
    assert "no chapters lie in" in err


def called(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "dcviz", *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def named(tmp_path):
    """A file with names that no ASCII terminal can show."""
    layer = archive.Layer("couche é ×", np.ones((2, 3), np.float32))
    archive.save(tmp_path / "netz 網.dcz", archive.StoredNet("Gewichte ünd 権重", (layer,)))
    return tmp_path / "netz 網.dcz"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_knows_few_letters_gets_escapes(named, encoding, tmp_path):
    for arguments in (("inspect", named), ("inspect", named, "--json"), ("inspect", tmp_path / "fehlt 無.dcz")):
        process = called(*arguments, stdout=subprocess.PIPE, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
        out, err = process.communicate()
        assert "Traceback" not in err
        assert process.returncode == (0 if arguments[1] == named else 1)
        assert "\\u6a29" in out or "\\u7121" in err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_goes_away_is_no_error(named, unbuffered):
    for arguments in (("inspect", named), ("--help",)):
        process = called(*arguments, stdout=subprocess.PIPE, env={"PYTHONUNBUFFERED": unbuffered})
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() in (141, 0 if arguments == ("--help",) else 141)  # argparse itself may swallow it


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_is_full_is_a_message(named):
    with open("/dev/full", "w") as full:
        process = called("inspect", named, stdout=full)
    assert process.stderr.read() == "dcviz: No space left on device\n"
    assert process.wait() == 1


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupt_is_one_line(tmp_path):
    def heard():  # a run in the background may have inherited that interrupts are ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    options = {"env": {"OMP_NUM_THREADS": "1"}, "preexec_fn": heard}
    process = called(*quick(tmp_path / "out"), stdout=subprocess.PIPE, **options)
    while not (tmp_path / "out").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.endswith("dcviz: interrupted\n")
    assert "Traceback" not in err
    assert list((tmp_path / "out").iterdir()) == []
