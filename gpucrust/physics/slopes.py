"""Exact slopes dmu_e/dP of the accreted crust between its events, in the limit of fine reaction chunks.

Along the profile either one reaction stays marginal (its affinity stays zero while it goes on as fast as compression
asks) or nothing reacts. In both cases dmu_e/dP is a function of the state alone, needing no differences. So is the
slope of diffusion equilibrium that they are compared with.

Units: densities fm^-3, energies MeV, slopes fm^3 (MeV per MeV fm^-3). Elementwise and differentiable.
"""

import jax.numpy as jnp

from gpucrust.physics import diffusion, eos
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers


@needs_x64
def marginal_slope(dZ: Numbers, k: Numbers, n_e: Numbers, n_n: Numbers) -> Floats:
    """dmu_e/dP = k/(k n_e - dZ n_n) while the reaction (dZ, k) is marginal, without the lattice.

    From dZ dmu_e + k dmu_n = 0 and the Gibbs-Duhem relation n_e dmu_e + n_n dmu_n = dP: 0 for a capture without
    neutrons, 1/n_e for emission or capture of neutrons alone (and for any reaction where n_n = 0 and k is not 0).

    With the lattice the two relations become, with l = -MADELUNG e^2 n_e^(1/3), S = sum_i n_i Z_i^(5/3) and
    mu_e* = mu_e + l S/(3 n_e),
        dZ dmu_e* + k dmu_n + d(Z^(5/3)) dl = 0,    n_e dmu_e* + n_n dmu_n + S dl = dP.
    dmu_e* has a term (l/3) d(S/n_e), so that the slope depends on how the composition changes, not on the state
    alone, and mu_e is not quite constant while a capture without neutrons is marginal.
    """
    k = jnp.asarray(k, float)
    return k / (k * n_e - jnp.asarray(dZ, float) * n_n)


@needs_x64
def frozen_slope(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """dmu_e/dP = (dmu_e/dln n_b)/(dP/dln n_b) at frozen composition: nothing reacts. Exact with the lattice too."""
    return eos.electron_stiffness(n_b * jnp.asarray(mixture.Y_e)) / eos.pressure_slope(n_b, mixture, matter)


@needs_x64
def nodiff_slope(n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """dmu_e/dP in diffusion equilibrium at this composition: eq. 7, and with the lattice what becomes of it.

    No friction on the nuclei means dP_ei/dP = rho_ei/rho (eq. 8). Without the lattice n_e dmu_e = dP_ei, and eq. 7
    follows; with it electrons make up for the lattice's negative pressure: dP_e = `eos.electron_share` dP_ei.
    """
    share = eos.electron_share(n_b, mixture, matter)
    return share * diffusion.nodiff_slope(1 - jnp.asarray(mixture.Y_n), mixture.Y_e, n_b)
