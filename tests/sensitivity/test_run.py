"""The command `gpucrust sensitivity`."""

import importlib.util

import pytest
import xarray as xr

from paths import ROOT
from recorded_crusts import SWEEP


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(SWEEP)
    return tmp_path


def test_the_command_writes_dataset_figure_and_tables(folder, command):
    status, out, _ = command("sensitivity", "s.toml", "--of", "total_heat,mu_e@1e31", "-o", "x.nc")
    assert status == 0
    assert "total_heat" in out
    assert "margin" in out
    assert xr.load_dataset("x.nc").attrs["with_respect_to"] == "masses"
    assert (folder / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert command("sensitivity", "s.toml", "-o", "x.nc")[0] == 2
    for reader in (["info"], ["plot"], ["report"], ["export", "-f", "csv"]):
        status, _, err = command(*reader, "x.nc")
        assert (status, err.count("\n")) == (2, 1)
        assert "derivatives" in err
    status, out, _ = command("sensitivity", "s.toml", "--wrt", "pycno", "-o", "y.nc")
    assert status == 0
    assert "pycno_log10_scale" in out
    assert not (folder / "y.png").exists()
    assert "gpucrust sensitivity sweeps" in command("sensitivity", "--help")[1]


def test_the_benchmark_runs():
    path = ROOT / "benchmarks" / "sensitivity.py"
    spec = importlib.util.spec_from_file_location("benchmark_sensitivity", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rows = benchmark.main(["--members", "1", "--P-end", "1e28"])
    assert [row["what"] for row in rows] == ["forward", "reverse", "tangent"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--of", "heta"], "did you mean heat"),
        (["--of", ","], "at least one output"),
        (["--of", "mu_e"], "at which pressure"),
        (["--of", "mu_e@x"], "no pressure"),
        (["--of", "mu_e@1e33"], "go from"),
        (["--of", "total_heat@1e30"], "did you mean heat"),
        (["--wrt", "mass"], "did you mean masses"),
        (["--wrt", "liquid_drop"], "no liquid drop"),
        (["--set", "physics.policy=unmixed"], "function of state"),
        (["--set", "physics.neutrino_fraction=0.1"], "neutrino_fraction"),
        (["-o", "x.dat"], "netCDF"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(folder, command, arguments, says):
    status, _, err = command("sensitivity", "s.toml", *arguments)
    assert status == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert [p.name for p in folder.iterdir()] == ["s.toml"]
