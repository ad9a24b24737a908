"""A report is one file that needs nothing else, holds what the dataset says, and is drawn by a browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from gpucrust.results import html_report

VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Text, tables and addresses of a document; checks that elements close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.addresses, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def document(result):
    return html_report.report_html(result)


@pytest.fixture(scope="module")
def read(document):
    reader = Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


def test_it_is_well_formed_and_takes_nothing_from_elsewhere(document, read):
    assert document.startswith("<!doctype html>")
    assert len(read.addresses) == 3  # profile, layers, composition
    assert all(address.startswith("data:image/png;base64,") for address in read.addresses)
    assert not re.search(r"https?://|@import|<script|url\(", document)
    assert all("alt=" in image for image in re.findall(r"<img[^>]*>", document))


def test_it_says_what_the_dataset_says(read, result):
    rows = {row[0]: row for row in read.rows if row}
    assert rows["g"] == ["g", "cm s-2", "2e+14"]
    for i, model in enumerate(result.mass_model.values):
        summary = next(row for row in read.rows if row[0] == model and len(row) == 6)
        assert float(summary[3]) == pytest.approx(float(result.broken_thickness[i].squeeze()), rel=5e-3)
        assert float(summary[5]) == pytest.approx(float(result.total_heat[i].squeeze()), rel=5e-3)
    layers = [row for row in read.rows if len(row) == 5 and row[0] in result.mass_model.values]
    assert len(layers) == result.sizes["layer"]
    np.testing.assert_allclose([float(row[4]) for row in layers], result.layer_thickness, rtol=5e-3)
    assert any("Every member reached" in text for text in read.text)
    assert any(result.attrs["data_hash"] in text for text in read.text)


def test_names_cannot_break_it(result):
    title = "<script>alert('x')</script> & more"
    document = html_report.report_html(result.assign_attrs(title=title))
    assert "<script" not in document
    assert "&lt;script&gt;" in document


def test_failures_and_missing_variables_are_no_obstacle(result):
    lost = result.assign(status=result.status + 3).drop_vars(["composition", "mu_e"])
    document = html_report.report_html(lost.isel(layer=slice(0)))
    assert "chart_edge" in document
    assert "There are none." in document
    assert document.count("<img") == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_draws_it(result, tmp_path):
    html_report.write_report(result, tmp_path / "r.html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    shot = tmp_path / "r.png"
    subprocess.run(
        ["chromium", *flags, "--window-size=1000,3000", f"--screenshot={shot}", (tmp_path / "r.html").as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = matplotlib.image.imread(shot)[..., :3]
    assert pixels.shape[:2] == (3000, 1000)
    colourful = np.ptp(pixels, axis=2) > 0.2
    # figures stand one below the other: rows with the colours of layers and nuclides, apart
    rows = np.flatnonzero(colourful[:, 100:900].sum(axis=1) > 20)
    assert rows.size > 300
    assert np.sum(np.diff(rows) > 40) >= 2
    assert Path(shot).stat().st_size > 50_000
