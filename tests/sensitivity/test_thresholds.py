"""Thresholds and decisions do not depend on which channels there are: one more is a channel like the others."""

import sys
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.masses import load_model
from gpucrust.nuclide import nuclide_code, nuclide_Z
from gpucrust.physics import reactions
from gpucrust.physics.eos import Matter
from gpucrust.physics.potentials import potentials_of
from gpucrust.sensitivity import decisions, labels, tape, thresholds
from gpucrust.sensitivity.parameters import NO_MASS, Parameters

FE56, CR56, MG44 = nuclide_code(26, 30), nuclide_code(24, 32), nuclide_code(12, 32)


@pytest.fixture
def two_electrons(monkeypatch):
    """A thirteenth channel: the capture of two electrons at once."""
    tables = {
        "CHANNEL_DZ": np.append(reactions.CHANNEL_DZ, -2),
        "CHANNEL_K": np.append(reactions.CHANNEL_K, 0),
        "CHANNEL_CLASS": np.append(reactions.CHANNEL_CLASS, reactions.WEAK),
        "CHANNELS": reactions.CHANNELS + 1,
        "PRODUCT": tape.PRODUCT + 1,
    }
    for name, module in list(sys.modules.items()):
        if name.startswith("gpucrust."):
            for table in tables.keys() & vars(module).keys():
                monkeypatch.setattr(module, table, tables[table])
    return SimpleNamespace(number=reactions.CHANNELS - 1, **tables)


@pytest.fixture
def here():
    """A state of iron matter at the threshold of nothing."""
    Y = jnp.array([1 / 56, 0.0])
    nuclide = jnp.array([FE56, CR56])
    return SimpleNamespace(
        n_b=jnp.array(1e-6), Y=Y, nuclide=nuclide, sums=thresholds.sums_along(nuclide_Z(nuclide), Y, 0.0)
    )


@pytest.fixture
def parameters():
    mixed = load_model("FRDM95+DZ31").mixed.ravel()
    E = jnp.asarray(np.where(np.isnan(mixed), NO_MASS, mixed))
    return Parameters(E, jnp.array(0.0), jnp.array(2e14), jnp.array(3e4), jnp.asarray(Matter().neutron), jnp.array(1.0))


def value_of(event, here, parameters):
    threshold = thresholds.threshold_of(tape.Event(*map(jnp.array, event)), here.nuclide, here.Y)
    dE = thresholds.energy_change(threshold, parameters)
    return thresholds.threshold_value(threshold, dE, here.n_b, jnp.array(1e-3), here.Y, here.sums, parameters)


def test_a_thirteenth_channel_has_a_threshold(two_electrons, here, parameters):
    """g = E(Cr56) - E(Fe56) - 2 mu_e + (24^(5/3) - 26^(5/3)) ell."""
    at = potentials_of(here.n_b, here.sums, parameters.matter)
    expected = parameters.E[CR56] - parameters.E[FE56] - 2 * at.mu_e + (24 ** (5 / 3) - 26 ** (5 / 3)) * at.ell
    value = value_of((FE56, FE56, two_electrons.number, tape.NONE), here, parameters)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_rivals_are_equally_urgent_where_their_affinities_meet(two_electrons, here, parameters):
    capture = int(np.flatnonzero((two_electrons.CHANNEL_DZ == -1) & (two_electrons.CHANNEL_K == 0))[0])
    channels = capture, two_electrons.number
    each = [value_of((FE56, FE56, channel, tape.NONE), here, parameters) for channel in channels]
    between = value_of((FE56, FE56, two_electrons.number, capture), here, parameters)
    np.testing.assert_allclose(between, each[1] - each[0], rtol=1e-10)


def test_fusions_and_products_are_no_channels(two_electrons, here, parameters):
    """A fusion knows no masses; another product of one nothing but masses and mu_n."""
    heavier = parameters._replace(E=parameters.E.at[MG44].add(0.5))
    fusion = (MG44, MG44, two_electrons.CHANNELS, tape.NONE)
    assert value_of(fusion, here, heavier) == value_of(fusion, here, parameters)
    product = (MG44, MG44 - 2, two_electrons.PRODUCT, tape.NONE)
    at = potentials_of(here.n_b, here.sums, parameters.matter)
    expected = parameters.E[MG44 - 2] - parameters.E[MG44] + 2 * at.mu_n
    np.testing.assert_allclose(value_of(product, here, parameters), expected, rtol=1e-12)


def test_a_thirteenth_channel_has_a_name_and_is_decided_on(two_electrons, parameters):
    assert labels.reaction_label(tape.Reaction(MG44, MG44, two_electrons.number)) == "Mg44+2e -> Ne44"
    masses = np.asarray(parameters.E)
    chart = decisions.Chart(np.where(masses == NO_MASS, np.nan, masses))
    deep = decisions.Surroundings(mu_e=50.0, mu_n=8.0, ell=-0.1, neutrons=False)
    g = chart.affinities(FE56, deep)
    assert g.shape == (two_electrons.CHANNELS,)
    key = decisions.ChannelKey(FE56, two_electrons.number)
    assert decisions.most_urgent(g) == two_electrons.number
    assert key in [x.key for x in decisions.decisions_of(decisions.Visit(FE56, g, tape.NONE))]
    assert decisions.daughter_of(*key) == CR56
    assert decisions.reverse_of(key) is None
    assert decisions.key_label(key) == "Fe56+2e -> Cr56"
