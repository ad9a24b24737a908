"""Affinities of channels that change the charge by any number."""

import jax.numpy as jnp
import numpy as np

from gpucrust.physics import potentials
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS


def by_definition(dZ, k, dE, Z, at):
    """dE + dZ mu_e + k mu_n + [(Z + dZ)^(5/3) - Z^(5/3)] ell."""
    dZ, k = dZ[:, None].astype(float), k[:, None].astype(float)
    return dE + dZ * at.mu_e + k * at.mu_n + ((Z + dZ) ** (5 / 3) - Z ** (5 / 3)) * at.ell


def test_channels_of_any_change_of_charge(monkeypatch):
    at, Z = potentials.Potentials(*jnp.array([25.0, 9.0, -0.02])), np.array([6, 26, 59])
    own = CHANNEL_DZ, CHANNEL_K
    double = np.resize([-2, 0, 1, -1, -2], CHANNELS), np.resize([1, 1, 0, 3, 0], CHANNELS)  # double captures too
    for dZ, k in (own, double):
        monkeypatch.setattr(potentials, "CHANNEL_DZ", dZ)
        monkeypatch.setattr(potentials, "CHANNEL_K", k)
        dE = np.linspace(-30, 5, 3 * dZ.size).reshape(dZ.size, 3)
        g = potentials.channel_affinities(jnp.asarray(dE), jnp.asarray(Z), at)
        np.testing.assert_allclose(g, by_definition(dZ, k, dE, Z, at), rtol=1e-13)
