"""The measured column of the validation page is what the code gives."""

import json

import numpy as np
import pytest

from cs20_statements import TABULATED
from measured import FILE, MEASURES
from paths import SHARED_DATA
from published import CS20_STATEMENTS, PROFILES

RECORDED = json.loads(FILE.read_text())


def numbers(value):
    """All numbers in nested lists and dictionaries, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    return [x for v in value for x in numbers(v)] if isinstance(value, list | tuple) else [value]


def without_absent(recorded, now):
    """What is recorded, without FRDM12 where its table, which must not be packaged, is not installed."""
    if not isinstance(recorded, dict):
        return recorded
    absent = {"FRDM12+DZ31"} - set(now)
    return {key: without_absent(value, now[key]) for key, value in recorded.items() if key not in absent}


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "one component"])  # that: test_one_component
def test_the_file_is_what_the_code_gives(name, monkeypatch):
    if SHARED_DATA.exists():
        monkeypatch.setenv("GPUCRUST_DATA", str(SHARED_DATA))
    now = MEASURES[name]()
    now, then = numbers(now), numbers(without_absent(RECORDED[name], now))
    assert [x for x in now if isinstance(x, str)] == [x for x in then if isinstance(x, str)]
    now, then = ([x for x in values if not isinstance(x, str)] for values in (now, then))
    np.testing.assert_allclose(now, then, rtol=1e-5, atol=1e-7, err_msg="run python tests/measured.py")


def test_nothing_is_recorded_that_is_not_measured():
    assert list(RECORDED) == list(MEASURES)


def test_every_statement_of_cs20_has_its_number_for_every_model():
    assert list(RECORDED["CS20"]) == list(CS20_STATEMENTS)
    for value in RECORDED["CS20"].values():
        assert list(value) == list(TABULATED) if isinstance(value, dict) else np.isfinite(value)


@pytest.mark.parametrize("model", PROFILES)
def test_profiles_agree_with_the_scalar_code(model):
    recorded, expected = np.array(RECORDED["profiles"][model]), np.array(PROFILES[model])
    np.testing.assert_allclose(recorded[:, 1:3], expected[:, 1:3], rtol=3e-3)
    np.testing.assert_allclose(recorded[:, 3:5], expected[:, 3:5], rtol=3e-3, atol=3e-3)  # mu_n and X_n begin at 0
    np.testing.assert_allclose(recorded[:, 5], expected[:, 5], rtol=0, atol=0.05)
