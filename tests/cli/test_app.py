"""The command line: what it does, and one line with status 2 for what it cannot do."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import typer
import xarray as xr

import gpucrust
from gpucrust.cli.app import ORDER, app
from gpucrust.cli.inspect import KINDS, LETTERS
from gpucrust.results import plots
from gpucrust.results.files import NetcdfSink
from gpucrust.results.summary import INNER_CRUST

SWEEP = """
[axes]
mass_model = ["DZ31"]
[physics]
policy = "mixed"
[stepper]
P_end = 1e28
dlnP = 0.1
chunk = 0.01
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(SWEEP)
    return tmp_path


def test_a_run_writes_dataset_and_figure_and_the_rest_reads_them(folder, command):
    status, out, _ = command("run", "s.toml")
    assert status == 0
    assert "wrote s.nc and s.png" in out
    assert (folder / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert xr.load_dataset(folder / "s.nc").sizes["pressure"] == 25
    status, out, _ = command("info", "s.nc")
    assert status == 0
    assert "mass_model DZ31" in out
    for kind in ("profile", "layers"):
        assert command("plot", "s.nc", "--kind", kind)[0] == 0
        assert (folder / f"s-{kind}.png").exists()
    assert command("plot", "s.nc", "--kind", "map")[0] == 2
    before = (folder / "s.nc").read_bytes()
    status, _, err = command("run", "s.toml")
    assert status == 2
    assert "exists" in err
    assert (folder / "s.nc").read_bytes() == before
    assert command("run", "s.toml", "--overwrite", "--quiet")[0] == 0


def test_a_sweep_without_profiles_gets_the_figure_that_suits_it(folder, command):
    small = ["--set", "output.profiles=false", "--set", "output.ground_state=false", "--quiet"]
    assert command("run", "s.toml", *small)[0] == 0
    assert (folder / "s.png").exists()
    status, _, err = command("plot", "s.nc", "--kind", "profile")
    assert status == 2
    assert "no profiles" in err
    two = ["--set", "axes.g=[1e14,2e14]", "--set", "axes.mdot=[1e3,1e4]", "-o", "map.nc"]
    assert command("run", "s.toml", *small, *two)[0] == 0
    assert "layer out of" in command("plot", "map.nc", "--kind", "map")[2]
    status, out, _ = command("plot", "map.nc")
    assert status == 0
    assert "map-layers.png" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "missing.toml"], "cannot be read"),
        (["run", "."], "cannot be read"),
        (["run", "s.toml", "--set", "axes.gg=1"], "did you mean 'axes.g'"),
        (["run", "s.toml", "--set", "axes.g=[-1.0]"], "greater than 0"),
        (["run", "s.toml", "--set", "axes.g=[]"], "empty"),
        (["run", "s.toml", "--set", "axes.g=[2e14,1e14]"], "increase"),
        (["run", "s.toml", "--set", "axes.g=[nan]"], "finite"),
        (["run", "s.toml", "--set", "ash.fe56={Xx56=1.0}"], "no element"),
        (["run", "s.toml", "--set", "ash.fe56={Fe56=0.9}"], "add up to 0.9"),
        (["run", "s.toml", "--set", "axes.mass_model=DZ3"], "did you mean DZ31"),
        (["run", "s.toml", "--set", "masses.tables={mine='none.csv'}", "--set", "axes.mass_model=mine"], "none.csv"),
        (["run", "s.toml", "-o", "no/x.nc"], "there is no folder"),
        (["run", "s.toml", "-o", "x.dat"], "netCDF"),
        (["run", "s.toml", "--device", "tpu"], "cpu and gpu"),
        (["run", "s.toml", "--frob"], "option"),
        (["frob"], "frob"),
        (
            ["run", "s.toml", "--set", "axes.mdot={start=1,stop=2,num=1000000}", "--set", "axes.sample=1000000"],
            "members",
        ),
        (["plot", "missing.nc"], "no such file"),
        (["plot", "s.toml"], "not a netCDF"),
        (["info", "s.toml"], "not a netCDF"),
        (["plot", "s.toml", "--kind", "pie"], "profile, map, layers"),
        (["plot", "s.toml", "--kind", "Maps"], "did you mean map"),
        (["export", "s.toml", "--format", "dstr"], "did you mean dstar"),
        (["export", "s.toml", "--format", "csv"], "not a netCDF"),
        (["export", "s.toml", "--format", "csv", "--select", "DZ31"], "AXIS=VALUE"),
        (["report", "missing.nc"], "no such file"),
        (["init", "s.toml"], "exists"),
        (["rum", "s.toml"], "Did you mean 'run'"),
        (["masses", "install", "ame2020"], "frdm2012"),
        (["masses", "install", "frdm2012", "--from", "s.toml"], "s.toml"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(folder, command, monkeypatch, arguments, says):
    monkeypatch.setenv("GPUCRUST_DATA", str(folder))
    before = sorted(folder.iterdir())
    status, _, err = command(*arguments)
    assert status == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(folder.iterdir()) == before


def test_a_missing_table_names_the_command_unless_the_model_is_optional(folder, command, monkeypatch):
    monkeypatch.setenv("GPUCRUST_DATA", str(folder / "empty"))
    status, _, err = command("run", "s.toml", "--set", "axes.mass_model=FRDM12+DZ31")
    assert status == 2
    assert "gpucrust masses install frdm2012" in err
    assert len(err.strip().splitlines()) == 1
    optional = ["--set", 'axes.mass_model=["DZ31","FRDM12+DZ31"]', "--set", 'optional_models=["FRDM12+DZ31"]']
    status, out, err = command("run", "s.toml", *optional, "--dry-run")
    assert status == 0
    assert "1 members" in out
    assert "left out" in err


def test_a_full_disk_is_one_line_and_leaves_nothing(folder, command, monkeypatch):
    def full(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(NetcdfSink, "write", full)
    status, _, err = command("run", "s.toml", "--quiet")
    assert status == 2
    assert err.strip() == "gpucrust: No space left on device; nothing was written"
    assert [p.name for p in folder.iterdir()] == ["s.toml"]


def test_dry_run_computes_nothing(folder, command):
    status, out, _ = command("run", "s.toml", "--dry-run", "--set", "axes.mdot=[1e3,1e4]")
    assert status == 0
    assert "2 members, 2 distinct evolutions, 25 pressures" in out
    assert [p.name for p in folder.iterdir()] == ["s.toml"]


def test_every_kind_of_figure_is_on_the_command_line():
    assert set(KINDS) == set(plots.KINDS)


def test_models_lists_them_all(command):
    status, out, _ = command("models")
    assert status == 0
    for name in ("FRDM95+DZ31", "HFB21", "BSkG4+DZ31", "DZ31"):
        assert name in out


def test_version(command):
    assert command("--version")[1] == f"gpucrust {gpucrust.__version__}\n"


@pytest.mark.parametrize("level", ["", *ORDER, "masses install"])
def test_help_at_every_level_has_an_example_and_lines_of_a_terminal(command, level):
    status, out, _ = command(*level.split(), "--help")
    assert status == 0
    text = "".join(c if c.isascii() else " " for c in out)
    assert f"gpucrust {level}" in text.partition("Options")[0].partition("Usage")[2].partition("\n")[2]
    command = typer.main.get_command(app)
    for name in level.split():
        command = command.commands[name]
    examples = [block.splitlines() for block in command.help.split("\b\n")[1:]]
    assert all(len(line.strip()) <= 78 for block in examples for line in block), "or they wrap"


@pytest.mark.parametrize("level", ["", "masses"])
def test_without_a_command_there_is_help_and_no_message(command, level):
    status, out, err = command(*level.split())
    assert status == 2
    assert "--help" in out
    assert err == ""


def test_a_shell_completes_commands_and_values():
    program = "import sys; sys.argv[0] = 'gpucrust'; from gpucrust.cli import main; main()"
    for words, expected in (("gpucrust ex", {"export"}), ("gpucrust plot x.nc --kind ", set(KINDS))):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_GPUCRUST_COMPLETE": "complete_bash"}
        shell = {**os.environ, **asked}
        answer = subprocess.run([sys.executable, "-c", program], env=shell, check=True, capture_output=True, text=True)
        assert set(answer.stdout.split()) == expected


def test_init_writes_a_sweep_that_runs(folder, command):
    assert command("init", "new.toml")[0] == 0
    status, out, _ = command("run", "new.toml", "--dry-run")
    assert status == 0
    assert "3 members" in out
    assert command("init", "new.toml")[0] == 2
    assert command("init", "new.toml", "--overwrite")[0] == 0


def test_info_fits_a_screen_and_says_where_equilibrium_breaks(result, result_file, command):
    status, out, _ = command("info", result_file)
    assert status == 0
    assert len(out.splitlines()) <= 40
    assert "g 2e+14 cm s-2" in out
    strip = next(line for line in out.splitlines() if line.startswith("FRDM95+DZ31  .")).split()[1]
    P = np.geomspace(INNER_CRUST, float(result.pressure[-1]), len(strip))
    at = [int(np.argmin(np.abs(np.log(result.pressure.values / p)))) for p in P]
    expected = "".join(LETTERS[kind] for kind in result.regime.values[0].ravel()[at])
    agree = sum(a == b for a, b in zip(strip, expected, strict=True))
    assert agree >= 0.9 * len(strip), "but for layers too thin to keep, and pressures between two recorded ones"
    assert f"{float(result.broken_thickness[0].squeeze()):.3g}" in out


def test_info_says_of_a_member_without_result_that_it_has_none(folder, command):
    edge = ["--set", "ash.edge={Nd150=1.0}", "--set", "axes.ash=edge", "--set", "output.ground_state=false"]
    command("run", "s.toml", "-q", *edge, "-o", "edge.nc")
    status, out, _ = command("info", "edge.nc")
    assert status == 0
    assert "DZ31  no result" in out
    assert "chart_edge" in out


def test_info_of_an_ensemble_shows_shares(folder, command):
    small = ["--set", "output.ground_state=false", "--set", "stepper.P_start=1e30", "--set", "stepper.P_end=4e30"]
    command("run", "s.toml", "-q", *small, "--set", "axes.g=[1e14,3e14]", "--set", "axes.mdot=[1e3,1e5]", "-o", "e.nc")
    status, out, _ = command("info", "e.nc")
    assert status == 0
    assert "share of members" in out
    assert "mdot (2): 1000, 1e+05" in out


def test_export_and_report_write_files_and_keep_those_there_are(result_file, folder, command):
    status, out, _ = command("export", result_file, "-f", "csv", "--select", "mass_model=DZ31")
    assert (status, out) == (0, "wrote small.csv\n")
    before = (folder / "small.csv").read_bytes()
    status, _, err = command("export", result_file, "-f", "csv")
    assert status == 2
    assert "exists" in err
    assert (folder / "small.csv").read_bytes() == before
    status, _, err = command("export", result_file, "-f", "npz")
    assert status == 2
    assert "--select AXIS=VALUE" in err
    (folder / "small.abuntime.heating").write_text("mine")
    one = ["-f", "dstar", "--select", "mass_model=DZ31"]
    status, _, err = command("export", result_file, *one)
    assert status == 2
    assert "small.abuntime.heating exists" in err
    assert (folder / "small.abuntime.heating").read_text() == "mine"
    assert command("export", result_file, *one, "--overwrite")[0] == 0
    assert command("report", result_file)[:2] == (0, "wrote small.html\n")
    assert command("report", result_file)[0] == 2
    assert command("plot", result_file, "--kind", "composition", "-o", "c.svg")[0] == 0
    assert "<svg" in (folder / "c.svg").read_text()
