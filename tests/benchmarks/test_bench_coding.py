"""The Huffman works of side_by_side for pytest-benchmark: pytest tests/benchmarks --benchmark-only."""

import json

import pytest
import side_by_side

SIZE = 400_000
CODING = ["huffman_encode", "huffman_decode"]
PEERS = ["ours", "bitarray", "constriction"]


@pytest.mark.parametrize("who", PEERS)
@pytest.mark.parametrize("name", CODING)
def test_coding_speed(benchmark, name, who):
    benchmark.group = name
    work = side_by_side.WORKS[name](SIZE)
    run = {"ours": work.ours, **work.peers}[who]
    result = benchmark.pedantic(run.call, rounds=5, warmup_rounds=1)
    assert run.check(result)


@pytest.mark.parametrize("name", CODING)
def test_all_contestants_do_the_same_work(name):
    row = side_by_side.compare(name, size=3000, repetitions=1)  # raises when results differ
    assert {"bitarray", "constriction"} < set(row["peers"])
    for who, seconds in row["peers"].items():
        assert row["ratio"][who] == pytest.approx(seconds / row["ours_s"])


def test_json_output(capsys):
    side_by_side.main(["huffman_encode", "--json", "--size", "2000", "--repetitions", "2"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["work"] == "huffman_encode"
    assert set(row["peers"]) == set(row["ratio"])
    assert row["spread"]["ours"][0] <= row["ours_s"] <= row["spread"]["ours"][1]


def test_a_wrong_result_is_not_timed_silently(monkeypatch):
    wrong = side_by_side.Work(1, "symbols", side_by_side.Run(lambda: 1, lambda result: result == 2))
    monkeypatch.setitem(side_by_side.WORKS, "wrong", lambda n: wrong)
    with pytest.raises(RuntimeError, match="wrong: ours"):
        side_by_side.compare("wrong")
