"""Sweep files: what is allowed, and one line for everything else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucrust.sweep.config import SweepError, check_sweep, load_sweep
from paths import ROOT

SWEEPS = sorted((ROOT / "sweeps").glob("*.toml"))
LEAST = {"axes": {"mass_model": ["DZ31"]}}


def with_key(dotted, value):
    data = {"axes": {"mass_model": ["DZ31"]}}
    *path, last = dotted.split(".")
    target = data
    for part in path:
        target = target.setdefault(part, {})
    target[last] = value
    return data


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweeps_that_come_with_the_package_are_valid(path):
    assert load_sweep(path).title


def test_defaults_are_those_of_the_specification():
    sweep = check_sweep(LEAST)
    assert sweep.axes.g == (2e14,)
    assert sweep.axes.mdot == (3e4,)
    assert sweep.ash_fractions() == [{(26, 30): 1.0}]
    assert (sweep.physics.policy, sweep.physics.ame, sweep.physics.pycno) == ("unmixed", "AME2016", True)
    assert (sweep.stepper.chunk, sweep.stepper.slots, sweep.stepper.P_end) == (0.002, 16, 3e31)


def test_ranges_and_single_numbers():
    sweep = check_sweep(with_key("axes.g", {"start": 1e14, "stop": 4e14, "num": 3, "spacing": "log"}))
    np.testing.assert_allclose(sweep.axes.g, [1e14, 2e14, 4e14])
    assert check_sweep(with_key("axes.mdot", {"start": 1, "stop": 3, "num": 3})).axes.mdot == (1, 2, 3)
    assert check_sweep(with_key("axes.g", 3e14)).axes.g == (3e14,)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("axes.mass_model", [], "empty"),
        ("axes.mass_model", ["DZ31", "DZ31"], "twice"),
        ("axes.g", [], "empty"),
        ("axes.g", [2e14, 1e14], "increase"),
        ("axes.g", [1e14, 1e14], "increase"),
        ("axes.g", [-1e14], "greater than 0"),
        ("axes.g", [0.0], "greater than 0"),
        ("axes.g", [1e-200, 1e14], "between 1e-30 and 1e30"),
        ("axes.mdot", [1e3, 1e200], "between 1e-30 and 1e30"),
        ("axes.g", [float("nan")], "finite"),
        ("axes.mdot", [float("inf")], "finite"),
        ("axes.g", ["2e14"], "number"),
        ("axes.g", True, "number"),
        ("axes.g", {"start": 1, "stop": 2}, "range"),
        ("axes.g", {"start": -1, "stop": 2, "num": 3, "spacing": "log"}, "positive"),
        ("axes.g", {"start": 1, "stop": 2, "num": 10**12}, "num"),
        ("axes.sample", 0, "greater"),
        ("axes.ash", ["nothing"], r"\[ash.nothing\]; did you mean fe56"),
        ("axes.gg", [1e14], "did you mean 'axes.g'"),
        ("stepper.chnk", 0.1, "did you mean 'stepper.chunk'"),
        ("physiks", {}, "did you mean 'physics'"),
        ("stepper.chunk", 0.0, "greater than 0"),
        ("stepper.chunk", 0.5, "less than or equal to 0.1"),
        ("stepper.slots", 1, "greater than or equal to 2"),
        ("stepper.P_end", 1e26, "larger than P_start"),
        ("physics.policy", "mixd", "'mixed', 'unmixed'.*did you mean 'mixed'"),
        ("physics.neutron_eos", "makie", "did you mean mackie-baym"),
        ("stepper.P_end", 1.0000001e27, "larger than P_start"),
        ("title", "two\nlines", "one line"),
        ("title", "null\0", "one line"),
        ("ash.a$b", {"Fe56": 1.0}, "no name"),
        ("ash.a\0b", {"Fe56": 1.0}, "no name"),
        ("masses.tables", {"$x": "x.csv"}, "no name"),
        ("physics.pycno", 1, "boolean"),
        ("ash.fe56", {"Fe56": 0.5}, "add up to 0.5"),
        ("ash.fe56", {"Fx56": 1.0}, "did you mean"),
        ("ash.fe56", {"Fe56": 0.5, "56Fe": 0.5}, "twice"),
        ("ash.fe56", {"Fe56": 1.5, "Ni62": -0.5}, "between 0 and 1"),
        ("optional_models", ["HFB21"], "not among"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_allowed(key, value, says):
    with pytest.raises(SweepError, match=says) as error:
        check_sweep(with_key(key, value), "file.toml")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("file.toml: ")


def test_overrides(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('[axes]\nmass_model = ["DZ31"]\n')
    sweep = load_sweep(path, ["axis.g=[1e14,2e14]", "physics.policy=mixed", "stepper.chunk = 0.01"])
    assert sweep.axes.g == (1e14, 2e14)
    assert sweep.physics.policy == "mixed"
    assert sweep.stepper.chunk == 0.01
    for bad in ("axes.g", "=3", "axes.mass_model.x=1", "..=1"):
        with pytest.raises(SweepError):
            load_sweep(path, [bad])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[axes", b"x = [" + b"[" * 3000, b""])
def test_files_that_are_no_sweeps(tmp_path, content):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(SweepError, match=r"s\.toml"):
        load_sweep(path)


def test_a_folder_or_nothing_is_no_sweep(tmp_path):
    for path in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(SweepError, match="cannot be read"):
            load_sweep(path)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
keys = st.sampled_from(
    "title optional_models axes ash physics perturbation stepper output masses mass_model g mdot sample chunk slots "
    "P_start P_end dlnP sigma seed policy pycno tables fe56 start stop num spacing x".split()
)


@settings(max_examples=2000, deadline=None)
@given(st.dictionaries(keys, st.dictionaries(keys, values, max_size=3) | values, max_size=5))
def test_any_mapping_is_a_sweep_or_one_line(data):
    try:
        check_sweep(data)
    except SweepError as error:
        assert "\n" not in str(error)


@settings(max_examples=500, deadline=None)
@given(keys, keys, values)
def test_any_value_of_a_known_key_is_accepted_or_one_line(section, key, value):
    data = {"axes": {"mass_model": ["DZ31"]}}
    data.setdefault(section, {})
    if isinstance(data[section], dict):
        data[section][key] = value
    try:
        check_sweep(data)
    except SweepError as error:
        assert "\n" not in str(error)


def test_the_example_in_the_readme_is_valid(tmp_path):
    readme = (ROOT / "README.md").read_text()
    path = tmp_path / "readme.toml"
    path.write_text(readme.split("```toml\n")[1].split("```")[0])
    sweep = load_sweep(path)
    assert len(sweep.axes.mdot) == 7
