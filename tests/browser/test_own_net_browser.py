"""A file of the learner's own in a real JupyterLab: chosen, looked at, compressed, taken home."""

import pytest
import torch
from lab_browser import write_notebook
from playwright.sync_api import expect
from safetensors.torch import save_file

from dcviz import archive


@pytest.fixture(scope="module")
def name(served):
    cell = "from dcviz.labs import OwnNetLab\nOwnNetLab(density=20)"
    return write_notebook(served / "test_own_net.ipynb", cell).name


@pytest.fixture
def page(name, open_notebook):
    notebook = open_notebook(name)
    notebook.run_all()
    return notebook


def choose(page, path):
    with page.page.expect_file_chooser() as chooser:
        page.page.locator(".dcviz-OwnNetLab").get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(path)


def test_a_chosen_file_is_compressed_and_downloaded(page, tmp_path, shots):
    torch.manual_seed(0)
    state = {"encoder.weight": torch.randn(60, 50), "encoder.bias": torch.randn(60), "head.weight": torch.randn(40, 60)}
    save_file(state, tmp_path / "mine & yours.safetensors")
    lab = page.page.locator(".dcviz-OwnNetLab")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    download = lab.get_by_role("button", name="Download my .dcz")
    expect(caption).to_contain_text("lenet-300-100")
    expect(download).to_be_disabled()
    choose(page, tmp_path / "mine & yours.safetensors")
    expect(caption).to_contain_text("mine & yours.safetensors: 21,840 bytes. 2 tensors with 5,400 weights")
    expect(caption).to_contain_text("expect about")
    picture = lab.locator("img.dcviz-figure")
    before = picture.get_attribute("src")
    lab.get_by_role("button", name="Run the pipeline").click()
    expect(caption).to_contain_text("smaller than 21,840 bytes of float32")
    expect(caption).to_contain_text("Kept as they are: 0 bytes")
    expect(picture).not_to_have_attribute("src", before)
    expect(download).to_be_enabled()
    with page.page.expect_download() as handed:
        download.click()
    assert handed.value.suggested_filename == "my-net.dcz"
    handed.value.save_as(tmp_path / "my-net.dcz")
    made = archive.load(tmp_path / "my-net.dcz").state_dict()
    assert made["encoder.bias"].tobytes() == state["encoder.bias"].numpy().tobytes()
    assert (made["encoder.weight"] != 0).sum() == 600
    expect(caption).to_contain_text(f"{(tmp_path / 'my-net.dcz').stat().st_size:,} bytes")
    lab.screenshot(path=shots / "own_net.png")
    assert page.problems() == []


def test_a_file_that_is_no_net_is_said_and_the_lab_goes_on(page, tmp_path):
    (tmp_path / "notes.safetensors").write_bytes(bytes(11_000_000))  # Jupyter's server takes no message of this size
    lab = page.page.locator(".dcviz-OwnNetLab")
    choose(page, tmp_path / "notes.safetensors")
    expect(lab.locator(".dcviz-text[role=alert]")).to_contain_text("DataError")
    expect(lab.locator(".dcviz-caption .dcviz-text")).to_contain_text("lenet-300-100")
