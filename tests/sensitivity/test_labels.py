"""Names of nuclides and reactions."""

import numpy as np
import pytest

from gpucrust.nuclide import nuclide_code
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.sensitivity.labels import nuclide_label, reaction_label
from gpucrust.sensitivity.tape import PRODUCT, Reaction

MG44 = nuclide_code(12, 32)


def channel(dZ, k):
    """Index of a channel."""
    return int(np.flatnonzero((CHANNEL_DZ == dZ) & (CHANNEL_K == k))[0])


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (channel(-1, 2), "Mg44+e -> Na42+2n"),
        (channel(-1, 0), "Mg44+e -> Na44"),
        (channel(0, 1), "Mg44 -> Mg43+1n"),
        (channel(0, -2), "Mg44+2n -> Mg46"),
        (channel(1, 0), "Mg44 -> Al44+e"),
        (CHANNELS, "Mg44+Mg44"),
    ],
)
def test_names_of_reactions(of, name):
    assert nuclide_label(MG44) == "Mg44"
    assert reaction_label(Reaction(MG44, MG44, of)) == name


def test_name_of_another_product_of_a_fusion():
    made = Reaction(nuclide_code(24, 62), nuclide_code(24, 60), PRODUCT)
    assert reaction_label(made) == "fusion to Cr84+2n, not Cr86"
