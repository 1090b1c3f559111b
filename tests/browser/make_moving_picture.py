"""The README's moving picture: a real lab in a real JupyterLab, its threshold dragged by a real mouse.

    python tests/browser/make_moving_picture.py docs/pruning-lab.webp

Needs Chromium. Every frame is a screenshot taken after the page has caught up with the mouse.
"""

import io
import sys
import tempfile
from pathlib import Path

from lab_browser import NotebookPage, Server, chromium, write_notebook
from PIL import Image
from playwright.sync_api import expect

CELL = "from dcviz.labs import PruningLab\nPruningLab('lenet-300-100', layer='fc1', threshold=0.02)"
STEPS, REACH = 14, 0.22  # of the drag, there and as many back; how far, as a share of the histogram's width
WIDTH = 720  # pixels of the picture
LIMIT = 1_000_000  # bytes of the file


def frames(folder):
    """Screenshots of the lab along a drag there and back, as Pillow images."""
    for name in ("served", "private"):
        (folder / name).mkdir()
    write_notebook(folder / "served" / "lab.ipynb", CELL)
    server = Server(folder / "served", folder / "private")
    try:
        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1300, "height": 1400})
            notebook = NotebookPage(context, server, "lab.ipynb")
            notebook.run_all()
            yield from drag(notebook.page)
            notebook.close()
    finally:
        server.stop()


def drag(page):
    """Take the threshold with the mouse and carry it outwards and back."""
    lab, canvas = page.locator(".dcviz-lab"), page.locator(".dcviz-histogram canvas")
    handle = page.locator(".dcviz-histogram [role=slider]")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    handle.wait_for()
    box = canvas.bounding_box()
    at = handle.bounding_box()
    x, y = at["x"] + at["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    yield shot(lab)
    for step in [*range(1, STEPS + 1), *range(STEPS - 1, -1, -1)]:
        said = caption.inner_text()
        page.mouse.move(x + step * REACH * box["width"] / STEPS, y)
        expect(caption).not_to_have_text(said, timeout=20_000)
        page.wait_for_timeout(200)  # let the linked picture follow
        yield shot(lab)
    page.mouse.up()


def shot(lab):
    """One screenshot, WIDTH pixels wide."""
    picture = Image.open(io.BytesIO(lab.screenshot())).convert("RGB")
    return picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)


def main(out):
    """Write the animation to ``out``; the quality goes down until it is small enough."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = list(frames(Path(folder)))
    height = min(picture.height for picture in pictures)  # a caption may take one line more
    pictures = [picture.crop((0, 0, WIDTH, height)) for picture in pictures]
    for quality in (60, 45, 30, 20):
        pictures[0].save(
            out, "WEBP", save_all=True, append_images=pictures[1:], duration=160, loop=0, quality=quality, method=3
        )
        size = Path(out).stat().st_size
        if size < LIMIT:
            break
    print(f"{out}: {len(pictures)} frames, {size:,} bytes, quality {quality}")


if __name__ == "__main__":
    main(sys.argv[1])
