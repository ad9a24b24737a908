"""Follows the recipes of docs/extending.md, each in a copy of the sources, from the page itself."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from paths import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()


@dataclass(frozen=True)
class Block:
    """A fenced block with a file name."""

    language: str
    file: str
    text: str


def blocks(text):
    found = re.findall(r'^```(\w+) title="(.+?)"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in found]


INTRODUCTION, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
RECIPES = {section.partition("\n")[0]: blocks(section) for section in SECTIONS}


def edited(text, diff):
    """The text with each part of a diff, between lines `@@`, followed at the one place that it fits."""
    for part in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
        assert text.count(old) == 1, f"is there {text.count(old)} times, not once:\n{old}"
        text = text.replace(old, new)
    return text


def follow(recipe, folder):
    for block in recipe:
        path = folder / block.file
        assert path.exists() == (block.language == "diff"), block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edited(path.read_text(), block.text) if block.language == "diff" else block.text)


def python(folder, *arguments):
    """A Python process that imports the copy in the folder."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'tests'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path):
    """A folder with a copy of the package and the plain codes, and the sweep that all recipes run."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("gpucrust", "tests/twins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    follow(blocks(INTRODUCTION), tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name, copy):
    *edits, trial = RECIPES[name]
    assert trial.file.startswith("try_")
    assert edits
    follow([*edits, trial], copy)
    python(copy, trial.file)


def test_it_is_the_copy_that_is_tried(copy):
    assert python(copy, "-c", "import gpucrust; print(gpucrust.__file__)").startswith(str(copy))


def test_a_trial_fails_where_its_recipe_was_not_followed(copy):
    follow(RECIPES["A mass model by formula"][-1:], copy)
    with pytest.raises(AssertionError, match="BW"):
        python(copy, "try_model.py")


SAME_CHANNELS = """
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS
from twins import reference
for ours, theirs in ((CHANNEL_DZ, reference.DZ), (CHANNEL_K, reference.DK), ([CHANNELS], [reference.FUSION])):
    assert list(ours) == list(theirs)
assert list(CHANNEL_CLASS.argsort(kind="stable")) == list(reference.CLASS.argsort(kind="stable"))
"""
LATTICE = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
from gpucrust.physics.potentials import Potentials, channel_affinities
from gpucrust.physics.reactions import CHANNEL_DZ
g = channel_affinities(np.zeros((len(CHANNEL_DZ), 1)), np.array([26]), Potentials(0.0, 0.0, 1.0))
np.testing.assert_allclose(np.ravel(g), (26.0 + CHANNEL_DZ) ** (5 / 3) - 26 ** (5 / 3), rtol=1e-12, atol=1e-12)
"""


def test_a_new_channel_has_a_place_in_the_plain_code(copy):
    follow(RECIPES["A channel"], copy)
    python(copy, "-c", SAME_CHANNELS)


def test_a_new_channel_feels_the_lattice(copy):
    follow(RECIPES["A channel"], copy)
    python(copy, "-c", LATTICE)
