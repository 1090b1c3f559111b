"""Tables of docs that come out of records: each page says what its record says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import pages
import pitch
from docs_tables import TABLES

from dcviz.evidence import recordings


@pytest.mark.parametrize("made_by", TABLES, ids=lambda module: module.NAME)
def test_a_table_is_what_its_record_makes(made_by):
    recorded = recordings.load(made_by.NAME)
    assert pages.shown(made_by.PAGE, made_by.NAME) == [*made_by.table(recorded)]
    assert recorded.date in "\n".join(made_by.table(recorded))


def test_the_page_of_published_nets_is_what_its_record_makes():
    assert pitch.PAGE.read_text("utf-8") == pitch.page(recordings.load(pitch.NAME))


def test_a_table_is_put_where_it_stood_and_a_page_without_a_place_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- recorded beads -->\n\n<!-- end of beads -->\nb\n")
    for lines in (["| 1 |", "", "text"], ["other"]):
        pages.put(page, "beads", lines)
        assert pages.shown(page, "beads") == lines
        assert page.read_text().startswith("a\n<!-- recorded beads -->\n")
        assert page.read_text().endswith("\n<!-- end of beads -->\nb\n")
    with pytest.raises(ValueError, match=r"page\.md needs one place"):
        pages.put(page, "shells", [])
