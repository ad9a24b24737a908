"""The reaction network as arrays on the device: channel energies, masses and fusion constants by nuclide.

A nuclide is a code (`gpucrust.nuclide`), so that rows of all mass models of a sweep lie in arrays (model, code, ...).
Mass errors of single members are not kept: they are drawn, from a counter-based key and the code, when a member
starts, and added to what the arrays have.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.constants import DYN_PER_CM2
from gpucrust.masses.registry import MassModel, Origin
from gpucrust.nuclide import N_MAX, N_STRIDE, Z_MAX, daughter_code, nuclide_code, nuclide_N, nuclide_Z
from gpucrust.physics import pycno, reactions
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K
from gpucrust.support.minimum import first_minimum
from gpucrust.support.persistent_jit import kept

FUSION_N = 64
"""Number of neutron numbers for which pairs of fusing nuclei are tabulated; a nucleus that is light enough to fuse but
has more neutrons is at the edge of the chart."""
THEORY_Z = 8
"""Charge number at which theory tables begin; lighter nuclides exist only where measured or within DZ31."""


class MassErrors(NamedTuple):
    """Gaussian errors of one member's theory masses."""

    key: Array
    """(2,) uint32 key data, of `member_key`."""
    sigma: ArrayLike
    """Standard deviation, MeV; 0 gives the unperturbed member."""


class Network(NamedTuple):
    """Arrays of all mass models of a sweep; a pytree."""

    E: Array
    """(model, code) nuclear mass less A m_u, MeV; inf where there is none."""
    dE: Array
    """(model, code, channels) energies of the channels by the sweep's policy, MeV; inf where there is none."""
    dE_mixed: Array | None
    """(model, code, channels) the same from one table; None but for the policy `unmixed`."""
    theory: Array
    """(model, code) 1 where the mass is theoretical, else 0."""
    theory_row: Array
    """(model, code, channels) whose errors enter a channel's energy, as bits: 1 the parent's, 2 the daughter's."""
    edge: Array
    """(model, code) whether the nuclide is at the edge of what the model knows."""
    pairs: Array | None
    """(fusing, fusing, 3) `pycno.PairConstants` of nuclei in the order of `fusion_index`; None without fusion."""
    pressures: Array
    """(pressures,) to be recorded, MeV fm^-3."""


def build_network(models: Sequence[MassModel], pressures: np.ndarray, *, pycnonuclear: bool) -> Network:
    """Network of the mass models (all of one policy); pressures in dyn cm^-2."""
    unmixed = models[0].policy == "unmixed"
    rows, mixed_rows, theory_rows = [], [], []
    for model in models:
        dE_mixed = reactions.channel_energies(model.mixed)
        theory = (model.origin > Origin.MEASURED).astype(np.int8)
        errors_mixed = theory + 2 * reactions.daughters(theory, 0)
        if unmixed:
            dE, table = reactions.same_table_energies(model.sources)
            rows.append(dE)
            theory_rows.append(np.where(table == reactions.Source.MEASURED, 0, 3))
        else:
            rows.append(dE_mixed)
            theory_rows.append(errors_mixed)
        mixed_rows.append(dE_mixed)

    def by_code(chart: np.ndarray) -> Array:
        """(model, [channels,] nZ, nN) -> (model, code[, channels])."""
        flat = chart.reshape(*chart.shape[:-2], -1)
        return jnp.asarray(np.ascontiguousarray(np.moveaxis(flat, 1, -1) if flat.ndim == 3 else flat))

    return Network(
        E=by_code(np.stack([np.where(np.isnan(m.mixed), np.inf, m.mixed) for m in models])),
        dE=by_code(np.stack(rows)),
        dE_mixed=by_code(np.stack(mixed_rows)) if unmixed else None,
        theory=by_code(np.stack([(m.origin > Origin.MEASURED).astype(float) for m in models])),
        theory_row=by_code(np.stack(theory_rows).astype(np.int8)),
        edge=by_code(np.stack([_edge(m.mixed) for m in models])),
        pairs=_pair_table(*_fusing()) if pycnonuclear else None,
        pressures=jnp.asarray(pressures / DYN_PER_CM2),
    )


def _edge(masses: np.ndarray) -> np.ndarray:
    """Nuclides from which the next capture leads off the chart or off the mass tables: (nZ, nN) bool.

    Electron capture must be known down to the first element of the theory tables; below it nuclides exist only where
    they were measured, and a missing daughter is a fact of nature.
    """
    Z, N = np.mgrid[: Z_MAX + 1, : N_MAX + 1]
    capture = np.full(masses.shape, np.nan)
    capture[1:, :-1] = masses[:-1, 1:]
    off_tables = (THEORY_Z <= Z - 1) & np.isnan(capture)
    off_fusion = (pycno.Z_LIGHTEST <= Z) & (pycno.Z_HEAVIEST >= Z) & (FUSION_N <= N)
    return ~np.isnan(masses) & (off_tables | off_fusion | (N > N_MAX - 2) | (Z == Z_MAX))


@kept
def _pair_table(Z: np.ndarray, A: np.ndarray) -> Array:
    """Pair constants of nuclei, (nuclei, nuclei, 3)."""
    return jnp.stack(pycno.pair_constants(Z[:, None], A[:, None], Z, A), axis=-1)


def _fusing() -> tuple[np.ndarray, np.ndarray]:
    """Z and A of all nuclei that may fuse, in the order of `fusion_index`."""
    Z = np.repeat(np.arange(pycno.Z_LIGHTEST, pycno.Z_HEAVIEST + 1), FUSION_N)
    return Z, Z + np.tile(np.arange(FUSION_N), pycno.Z_HEAVIEST - pycno.Z_LIGHTEST + 1)


def fusion_index(code: ArrayLike) -> tuple[Array, Array]:
    """Row of a nuclide in the pair table, and whether it has one."""
    Z, N = nuclide_Z(code), nuclide_N(jnp.asarray(code))
    fuses = (Z >= pycno.Z_LIGHTEST) & (Z <= pycno.Z_HEAVIEST) & (N < FUSION_N)
    return jnp.where(fuses, (Z - pycno.Z_LIGHTEST) * FUSION_N + N, 0), fuses


def member_key(seed: int, sample: ArrayLike) -> Array:
    """Key data of a sample's mass errors, (2,) uint32: depends on nothing but seed and sample."""
    return jax.random.key_data(jax.random.fold_in(jax.random.key(seed), sample))


def drawn_errors(errors: MassErrors, n_codes: int) -> Array:
    """Errors of one member's theoretical masses by code, MeV: (n_codes,). Each depends on its key and code alone."""
    key = jax.random.wrap_key_data(errors.key)
    keys = jax.vmap(lambda code: jax.random.fold_in(key, code))(jnp.arange(n_codes))
    return jnp.asarray(errors.sigma) * jax.vmap(jax.random.normal)(keys)


def mass_error(code: ArrayLike, drawn: Array) -> Array:
    """Error of the nuclide's theoretical mass, MeV: shape of `code`."""
    return drawn.at[jnp.asarray(code)].get(mode="clip")


def channel_row(code: Array, model: Array, network: Network, errors: Array | None) -> tuple[Array, Array]:
    """Energies of a nuclide's channels, (channels,) MeV each: by the policy, and from one table."""
    row = network.dE[model, code]
    mixed = row if network.dE_mixed is None else network.dE_mixed[model, code]
    if errors is None:
        return row, mixed
    daughters = daughter_code(code, CHANNEL_DZ, CHANNEL_K)
    of_parent, of_daughters = mass_error(code, errors), mass_error(daughters, errors)
    bits = network.theory_row[model, code]
    row = row + (bits // 2) * of_daughters - (bits % 2) * of_parent
    if network.dE_mixed is None:
        return row, row
    theory = network.theory[model]
    return row, mixed + theory.at[daughters].get(mode="clip") * of_daughters - theory[code] * of_parent


def nuclide_energy(code: Array, model: Array, network: Network, errors: Array | None) -> Array:
    """E of nuclides from one table, MeV: shape of `code`."""
    E = network.E[model, code]
    return E if errors is None else E + network.theory[model, code] * mass_error(code, errors)


def fusion_product(
    Z: Array, N: Array, mu_n: Array, model: Array, network: Network, errors: Array | None
) -> tuple[Array, Array]:
    """What a compound nucleus (Z, N) becomes: the number of neutrons it keeps, and the energy of all products, MeV.

    It sets free the number of neutrons that makes M(Z, A - k) + k mu_n least. mu_n is counted from m_u.
    """
    N_product = jnp.arange(N_STRIDE)
    E = nuclide_energy(nuclide_code(Z, N_product), model, network, errors)
    total = jnp.where(N_product <= N, E + (N - N_product) * mu_n, jnp.inf)
    return first_minimum(total)
