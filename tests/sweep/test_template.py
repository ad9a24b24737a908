"""The sweep file that `gpucrust init` writes is the schema's, and so is the reference of its keys."""

import tomllib

import pytest

from gpucrust.sweep import template
from gpucrust.sweep.config import Sweep, check_sweep


def test_the_template_is_a_sweep_of_defaults():
    text = template.sweep_template()
    assert check_sweep(tomllib.loads(text)) == check_sweep({"axes": {"mass_model": template.MODELS}})


def test_the_template_names_and_explains_every_key():
    text = template.sweep_template()
    keys = template.settings()
    dumped = check_sweep({"axes": {"mass_model": template.MODELS}}).model_dump()
    for name, section in dumped.items():
        names = {k.name for k in keys if k.section == name} if isinstance(section, dict) and name != "ash" else {name}
        assert names == (set(section) if isinstance(section, dict) and name != "ash" else {name})
    for key in keys:
        if key.section != "ash.NAME":
            assert f"{key.name} = " in text, key
            assert key.description.partition(",")[0] in text, key
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("key", [k for k in template.settings() if k.default is not None], ids=lambda k: k.name)
def test_defaults_are_written_as_toml_reads_them(key):
    value = tomllib.loads(f"x = {key.default}")["x"]
    sections = {key.section: {key.name: value}} if key.section else {key.name: value}
    sections.setdefault("axes", {})["mass_model"] = template.MODELS
    assert check_sweep(sections) == check_sweep({"axes": {"mass_model": template.MODELS}})


def test_bounds_of_the_reference_are_those_of_the_schema():
    bounds = {(k.section, k.name): k.allowed for k in template.settings()}
    assert bounds["stepper", "chunk"] == "> 0, <= 0.1"
    assert bounds["axes", "g"] == "> 0"
    assert bounds["physics", "ame"] == "AME2016, AME2020"
    for value in (0.0, 0.11):
        with pytest.raises(ValueError, match="chunk"):
            check_sweep({"axes": {"mass_model": ["DZ31"]}, "stepper": {"chunk": value}})
    assert set(template.sections()) == set(Sweep.model_fields) - {"title", "optional_models", "ash"}
