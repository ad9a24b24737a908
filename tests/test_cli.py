"""The command line: what it does, and one line with status 2 for what it cannot do."""

import errno
import sys

import pytest
import xarray as xr

from gpucrust import cli, output

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


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command with arguments: (exit status, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["gpucrust", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return call


def test_a_run_writes_dataset_and_figure_and_the_rest_reads_them(folder, run):
    status, out, _ = run("run", "s.toml")
    assert status == 0
    assert "wrote s.nc and s.png" in out
    assert (folder / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert xr.load_dataset(folder / "s.nc").sizes["pressure"] == 25
    status, out, _ = run("info", "s.nc")
    assert status == 0
    assert "mass_model (1): DZ31" in out
    for kind in ("profile", "layers"):
        assert run("plot", "s.nc", "--kind", kind)[0] == 0
        assert (folder / f"s-{kind}.png").exists()
    assert run("plot", "s.nc", "--kind", "map")[0] == 2
    before = (folder / "s.nc").read_bytes()
    status, _, err = run("run", "s.toml")
    assert status == 2
    assert "exists" in err
    assert (folder / "s.nc").read_bytes() == before
    assert run("run", "s.toml", "--overwrite", "--quiet")[0] == 0


def test_a_sweep_without_profiles_gets_the_figure_that_suits_it(folder, run):
    small = ["--set", "output.profiles=false", "--set", "output.ground_state=false", "--quiet"]
    assert run("run", "s.toml", *small)[0] == 0
    assert (folder / "s.png").exists()
    status, _, err = run("plot", "s.nc", "--kind", "profile")
    assert status == 2
    assert "no profiles" in err
    two = ["--set", "axes.g=[1e14,2e14]", "--set", "axes.mdot=[1e3,1e4]", "-o", "map.nc"]
    assert run("run", "s.toml", *small, *two)[0] == 0
    assert "layer out of" in run("plot", "map.nc", "--kind", "map")[2]
    status, out, _ = run("plot", "map.nc")
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
        (["masses", "install", "ame2020"], "frdm2012"),
        (["masses", "install", "frdm2012", "--from", "s.toml"], "s.toml"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(folder, run, monkeypatch, arguments, says):
    monkeypatch.setenv("GPUCRUST_DATA", str(folder))
    before = sorted(folder.iterdir())
    status, _, err = run(*arguments)
    assert status == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(folder.iterdir()) == before


def test_a_missing_table_names_the_command_unless_the_model_is_optional(folder, run, monkeypatch):
    monkeypatch.setenv("GPUCRUST_DATA", str(folder / "empty"))
    status, _, err = run("run", "s.toml", "--set", "axes.mass_model=FRDM12+DZ31")
    assert status == 2
    assert "gpucrust masses install frdm2012" in err
    assert len(err.strip().splitlines()) == 1
    optional = ["--set", 'axes.mass_model=["DZ31","FRDM12+DZ31"]', "--set", 'optional_models=["FRDM12+DZ31"]']
    status, out, err = run("run", "s.toml", *optional, "--dry-run")
    assert status == 0
    assert "1 members" in out
    assert "left out" in err


def test_a_full_disk_is_one_line_and_leaves_nothing(folder, run, monkeypatch):
    def full(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.NetcdfSink, "write", full)
    status, _, err = run("run", "s.toml", "--quiet")
    assert status == 2
    assert err.strip() == "gpucrust: No space left on device; nothing was written"
    assert [p.name for p in folder.iterdir()] == ["s.toml"]


def test_dry_run_computes_nothing(folder, run):
    status, out, _ = run("run", "s.toml", "--dry-run", "--set", "axes.mdot=[1e3,1e4]")
    assert status == 0
    assert "2 members, 2 distinct evolutions, 25 pressures" in out
    assert [p.name for p in folder.iterdir()] == ["s.toml"]


def test_models_lists_them_all(run):
    status, out, _ = run("models")
    assert status == 0
    for name in ("FRDM95+DZ31", "HFB21", "BSkG4+DZ31", "DZ31"):
        assert name in out


def test_help_and_version(run):
    assert "run" in run("--help")[1]
    assert run("--version")[1].startswith("gpucrust 0.")
