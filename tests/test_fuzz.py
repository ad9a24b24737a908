"""Whatever is in a sweep file, on the command line, or in a mass table: a plan, or one line and status 2, and nothing
written. Thousands of examples; the engine does not run."""

import json
import os
import sys
import tomllib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpucrust import cli
from gpucrust.jobs.costs import Calibration
from gpucrust.masses.tables import LAST_N, LAST_Z, MassTable, MassTableError, packaged_table, read_user_table
from gpucrust.sweep.config import Sweep

MANY = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
VALID = """
title = "fuzzed"
optional_models = []
[axes]
mass_model = ["DZ31", "mine"]
ash = ["fe56", "two"]
g = {start = 1e14, stop = 3e14, num = 3}
mdot = {start = 1e3, stop = 1e5, num = 3, spacing = "log"}
pycno_log10_scale = [-1.0, 0.0]
sample = 2
[ash.two]
Fe56 = 0.25
Ni62 = 0.75
[physics]
ame = "AME2016"
policy = "mixed"
pycno = true
t_weak = 1.0
lattice = false
neutron_eos = "mackie-baym"
neutrino_fraction = 0.0
one_component = false
[perturbation]
sigma = 0.5
seed = 1
[stepper]
chunk = 0.01
slots = 16
P_start = 1e27
P_end = 3e31
dlnP = 0.05
batch = 0
[output]
profiles = true
composition = false
layer_cut = 1.0
[masses.tables]
mine = "mine.csv"
"""
TABLE = "# ours\nZ,N,mass_excess\n26,30,-60.6\n28,34,-66.7\n"
HOSTILE = [
    "../../../../etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "/",
    ".",
    "",
    "~",
    "a" * 5000,
    "x\0y",
    "mine.csv/mine.csv",
    "$(reboot)",
    "\u202e.nc",
    "con",
    "-o",
]
KEYS = sorted({*Sweep.model_fields, *(k for f in Sweep.model_fields for k in tomllib.loads(VALID).get(f) or [])})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz")
    (path / "mine.csv").write_text(TABLE)
    return path


@pytest.fixture
def command(folder, monkeypatch, capsys):
    """Run `gpucrust run` with arguments: exit status. It must be 0, or 2 with one line, and change no file."""
    monkeypatch.chdir(folder)
    # neither may a plan be refused by what this machine has, nor take the time of a calibration
    monkeypatch.setattr("gpucrust.jobs.costs.calibrate", lambda *_: Calibration(1.0, 1.0, True))

    def call(*arguments):
        before = sorted(folder.rglob("*"))
        monkeypatch.setattr(sys, "argv", ["gpucrust", "run", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        assert stop.value.code in (0, 2)
        if stop.value.code == 2:
            assert len(err.splitlines()) == 1, err
            assert err.startswith("gpucrust: ")
            assert err.isprintable() or err.strip().isprintable(), err
        else:
            assert "members" in out
        assert sorted(folder.rglob("*")) == before
        return stop.value.code

    return call


def toml(value):
    """A value as TOML writes it in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return str(value)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.floats(1e13, 1e15),
    text,
    st.sampled_from([*HOSTILE, "DZ31", "HFB21", "mine", "fe56", "two", "log", "mixed", "unmixed"]),
)
ranges = st.fixed_dictionaries(
    {"start": scalars, "stop": scalars, "num": st.integers(-3, 10**7) | scalars},
    optional={"spacing": st.sampled_from(["log", "linear"]) | scalars},
)
values = st.recursive(
    scalars | ranges, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | text, inner)
)


@settings(max_examples=1000, **MANY)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["", *KEYS]) | text, values), min_size=1, max_size=3))
def test_a_sweep_with_anything_in_some_places(command, folder, changes):
    data = tomllib.loads(VALID)
    for section, key, value in changes:
        if key and isinstance(data.setdefault(section, {}), dict):
            data[section][key] = value
        else:
            data[section] = value
    (folder / "s.toml").write_text("".join(f"{toml(k)} = {toml(v)}\n" for k, v in data.items()), encoding="utf-8")
    command("s.toml", "--dry-run")


@settings(max_examples=600, **MANY)
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 30), st.binary(max_size=12)), max_size=6))
def test_a_sweep_file_with_bytes_replaced(command, folder, edits):
    data = VALID.encode()
    for start, length, new in edits:
        data = data[:start] + new + data[start + length :]
    (folder / "s.toml").write_bytes(data)
    command("s.toml", "--dry-run")


@settings(max_examples=400, **MANY)
@given(st.binary(max_size=300))
def test_any_bytes_for_a_sweep_file(command, folder, data):
    (folder / "s.toml").write_bytes(data)
    command("s.toml", "--dry-run")


def argument(characters):
    """What a shell can hand over: no null characters."""
    return characters.filter(lambda x: "\0" not in x)


@settings(max_examples=400, **MANY)
@given(argument(st.sampled_from(KEYS) | text), argument(text), values)
def test_any_setting_over_the_files(command, folder, section, key, value):
    (folder / "s.toml").write_text(VALID)
    shown = toml(value).replace("\0", "")
    command("s.toml", "--dry-run", "--set", f"{section}.{key}={shown}")


@settings(max_examples=300, **MANY)
@given(argument(st.sampled_from([*HOSTILE, "x"]) | text), st.sampled_from(["", ".nc", ".zarr", "/x.nc", "/"]))
def test_hostile_names_of_outputs(command, folder, name, suffix):
    (folder / "s.toml").write_text(VALID)
    command("s.toml", "--dry-run", "-o", name.replace("\0", "") + suffix)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_paths(command, folder, name):
    (folder / "s.toml").write_text(VALID.replace('"mine.csv"', toml(name)))
    assert command("s.toml", "--dry-run") == 2
    (folder / "s.toml").write_text(VALID.replace("[masses", f"[masses]\nliquid_drop = {toml(name)}\n[masses"))
    assert command("s.toml", "--dry-run", "--set", "axes.mass_model=MB-refit") == 2
    if "\0" not in name:
        assert command("--dry-run", "--", name) == 2


@pytest.mark.parametrize(
    "axes",
    [
        {"g": {"start": 1, "stop": 2, "num": 1_000_000}, "mdot": {"start": 1, "stop": 2, "num": 1_000_000}},
        {"g": {"start": 1, "stop": 2, "num": 4000}, "mdot": {"start": 1, "stop": 2, "num": 4000}, "sample": 1_000_000},
        {"sample": 1_000_000, "pycno_log10_scale": {"start": 0, "stop": 1, "num": 1_000_000}},
        {"sample": 10**30},
        {"g": {"start": 1, "stop": 2, "num": 10**30}},
    ],
)
def test_huge_axes_are_refused_at_once(command, folder, axes):
    settings = [x for name, value in axes.items() for x in ("--set", f"axes.{name}={toml(value)}")]
    (folder / "s.toml").write_text(VALID)
    assert command("s.toml", "--dry-run", *settings) == 2


def test_a_folder_of_yours_is_not_replaced(command, folder):
    (folder / "s.toml").write_text(VALID)
    for name in ("mine.zarr", "mine.nc"):
        (folder / name).mkdir()
        (folder / name / "precious").touch()
        assert command("s.toml", "--overwrite", "-o", name) == 2
        assert (folder / name / "precious").exists()


def test_a_name_that_is_no_utf8_is_refused_before_anything_is_computed(command, folder):
    (folder / "s.toml").write_text(VALID)
    assert command("s.toml", "-o", os.fsdecode(b"\xff.nc")) == 2


def test_a_folder_that_may_not_be_written(command, folder):
    (folder / "s.toml").write_text(VALID)
    (folder / "closed").mkdir(mode=0o500)
    if os.access(folder / "closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    assert command("s.toml", "--dry-run", "-o", "closed/x.nc") == 2


# --- mass tables

HEADER = "Z,N,mass_excess"
numbers = st.one_of(
    st.integers(-2, 400).map(str),
    st.floats().map(str),
    st.sampled_from(["", " ", "nan", "inf", "-inf", "1e999", "26", "30", "-60.6", "0x1A", "1_000", "٢٦", "six", "-0"]),
    text,
)
rows = st.lists(numbers, min_size=0, max_size=5).map(",".join)


def is_sound_or_one_line(path):
    """A table is finite, sorted, without doubles, on the chart; or MassTableError has one line."""
    try:
        table = read_user_table(path, "mine")
    except MassTableError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
        return None
    assert len(table) > 0
    assert np.all(np.isfinite(table.mass_excess))
    keys = table.Z * (LAST_N + 1) + table.N
    assert np.all(np.diff(keys) > 0)
    assert 0 <= table.Z.min() <= table.Z.max() <= LAST_Z
    assert 0 <= table.N.min() <= table.N.max() <= LAST_N
    return table


@settings(max_examples=2000, **MANY)
@given(st.sampled_from([HEADER, "N,Z,mass_excess", "Z,N,A,mass_excess", "Z,A,mass", ""]) | text, st.lists(rows))
def test_any_rows_of_a_mass_table(tmp_path, header, lines):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    is_sound_or_one_line(path)


@settings(max_examples=1000, **MANY)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), st.binary(max_size=6)), max_size=5))
def test_a_mass_table_with_bytes_replaced(tmp_path, edits):
    table = packaged_table("AME2016")
    data = f"{HEADER}\n".encode()
    data += b"".join(f"{table.Z[i]},{table.N[i]},{table.mass_excess[i]}\n".encode() for i in range(300, 330))
    for start, length, new in edits:
        data = data[:start] + new + data[start + length :]
    (tmp_path / "mine.csv").write_bytes(data)
    is_sound_or_one_line(tmp_path / "mine.csv")


def write(path, table, chosen, factor=1.0, shift=0.0):
    lines = [f"{table.Z[i]},{table.N[i]},{float(table.mass_excess[i]) * factor + shift!r}" for i in chosen]
    path.write_text("\n".join([HEADER, *lines]) + "\n")


some_nuclides = st.sets(st.integers(0, len(packaged_table("AME2016")) - 1), min_size=1, max_size=40)


@settings(max_examples=500, **MANY)
@given(some_nuclides, st.floats(-1, 1))
def test_a_table_near_measured_masses_is_read_as_it_stands(tmp_path, chosen, shift):
    table = packaged_table("AME2016")
    write(tmp_path / "mine.csv", table, chosen, shift=shift)
    read = is_sound_or_one_line(tmp_path / "mine.csv")
    assert isinstance(read, MassTable)
    np.testing.assert_array_equal(read.mass_excess, [float(table.mass_excess[i]) + shift for i in sorted(chosen)])


@settings(max_examples=500, **MANY)
@given(some_nuclides.filter(lambda x: len(x) >= 5), st.floats(-0.5, 0.5))
def test_kev_are_recognised(tmp_path, chosen, shift):
    """Of five or more measured nuclides, whichever: the median excess is then some MeV."""
    table = packaged_table("AME2016")
    sizes = np.abs(table.mass_excess[list(chosen)])
    write(tmp_path / "mine.csv", table, chosen, factor=1000.0, shift=1000 * shift)
    if np.median(sizes) > 1:
        with pytest.raises(MassTableError, match="in keV; MeV are needed"):
            read_user_table(tmp_path / "mine.csv", "mine")


def nuclides(name):
    table = packaged_table(name)
    return list(zip(table.Z.tolist(), table.N.tolist(), strict=True))


measured, known = set(nuclides("AME2016")), set(nuclides("FRDM95"))
unmeasured = [i for i, zn in enumerate(nuclides("HFB21")) if zn in known - measured and zn[0] <= 60]


@settings(max_examples=200, **MANY)
@given(st.sets(st.sampled_from(unmeasured), min_size=5, max_size=40))
def test_kev_are_recognised_where_nothing_is_measured(tmp_path, chosen):
    """Of nuclides that crusts go through, out to the drip line."""
    table = packaged_table("HFB21")
    write(tmp_path / "mine.csv", table, chosen)
    assert is_sound_or_one_line(tmp_path / "mine.csv") is not None
    write(tmp_path / "mine.csv", table, chosen, factor=1000.0)
    with pytest.raises(MassTableError, match="in keV; MeV are needed"):
        read_user_table(tmp_path / "mine.csv", "mine")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Z,N,energy\n26,30,-60.6\n", "no column mass_excess"),
        (f"{HEADER}\n26,30,NaN\n", "not finite"),
        (f"{HEADER}\n26,30,-60.6\n26,30,-60.6\n", "there twice"),
        (f"{HEADER}\n26,30,-60605.35\n28,34,-66746.1\n", "in keV; MeV are needed"),
        ("Z,N,mass_excess_keV\n26,30,-60605.35\n", "no column mass_excess"),
    ],
)
def test_the_command_line_says_what_is_wrong_with_a_table(folder, monkeypatch, capsys, text, says):
    monkeypatch.chdir(folder)
    (folder / "bad.csv").write_text(text)
    (folder / "s.toml").write_text(VALID.replace("mine.csv", "bad.csv"))
    monkeypatch.setattr(sys, "argv", ["gpucrust", "run", "s.toml"])
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as stop:
        cli.main()
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert len(err.splitlines()) == 1
    assert "bad.csv" in err
    assert says in err
    assert sorted(folder.iterdir()) == before
    (folder / "bad.csv").unlink()
