"""The numbers that are kept of an evolution, by name: what of its members' results does not depend on g and mdot apart.

g enters results as a factor, so lengths are kept times g, and fluxes over g. Rows of one kind are the second dimension
of an array, (evolutions, columns, ...) or (layers, columns); a NamedTuple names them.
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np

Columns = TypeVar("Columns", bound=NamedTuple)


class SummaryColumns(NamedTuple):
    """An evolution in a few numbers."""

    n_steps: Any
    """Micro-steps taken."""
    max_active: Any
    """Most nuclides at a time."""
    table_mismatch: Any
    """Energy by reading masses from several tables beyond one table's, MeV per initial nucleus."""
    total_heat: Any
    """Heat released up to the last pressure, MeV per baryon; NaN without a result."""


class LayerColumns(NamedTuple):
    """A layer out of diffusion equilibrium."""

    regime: Any
    """A `Regime`."""
    P_start: Any
    """Pressure at the top, dyn cm^-2."""
    P_end: Any
    """Pressure at the bottom, dyn cm^-2."""
    thickness_times_g: Any
    """Thickness times g, cm^2 s^-2."""
    J_n_over_g: Any
    """Largest size of J_n/g at the recorded pressures within, cm^-2 s^-1 over cm s^-2; 0 without any."""
    mean_J_n_over_g: Any
    """Mean of J_n/g by depth over the recorded pressures within; 0 without any."""


class ProfileColumns(NamedTuple):
    """An evolution at a recorded pressure; names that a result has too mean the same there."""

    n_b: Any
    """Baryon density, fm^-3."""
    Y_e: Any
    """Electrons per baryon."""
    X_n: Any
    """Fraction of baryons that are free neutrons."""
    Z_mean: Any
    """Mean charge number of nuclei, by number."""
    A_mean: Any
    """Mean mass number of nuclei, by number."""
    Q_imp: Any
    """Variance of the charge number of nuclei."""
    heat: Any
    """Heat released since the first pressure, MeV per baryon."""
    mu_e: Any
    """Electron chemical potential, rest mass included, MeV."""
    mu_n: Any
    """Neutron chemical potential, rest mass not included, MeV."""
    P_e: Any
    """Pressure of electrons, dyn cm^-2."""
    P_n: Any
    """Pressure of free neutrons, dyn cm^-2."""
    dmu_e_dP_nodiff: Any
    """Slope of mu_e in diffusion equilibrium (CS20 eq. 7), MeV/(dyn cm^-2)."""
    equilibrium_ratio: Any
    """R, the slope of mu_e over that of diffusion equilibrium."""
    regime: Any
    """A `Regime`, or NO_RESULT."""
    depth_times_g: Any
    """Depth below the first pressure times g, cm^2 s^-2."""
    residual_ei: Any
    """Relative residual of eq. 8, electrons and nuclei."""
    residual_n: Any
    """Relative residual of eq. 9, free neutrons."""
    f_in_over_g: Any
    """Friction per nucleus over g (eq. 6), outwards, g."""
    J_n_over_g: Any
    """Neutron flux that would hold the nuclei up (eq. 10), outwards, over g: cm^-2 s^-1 over cm s^-2."""


def columns_of(kind: type[Columns], values: np.ndarray) -> Columns:
    """Columns by name, (n, ...) each. values: (n, columns, ...)."""
    return kind(*np.moveaxis(values, 1, 0))


class ArrayOf(NamedTuple):
    """An array that is kept of evolutions."""

    shape: tuple[int, ...]
    """Its shape for one of them."""
    dtype: type[np.generic]
    """Type of its entries."""

    @property
    def nbytes(self) -> int:
        """Bytes of one evolution."""
        return int(np.prod(self.shape, dtype=int)) * np.dtype(self.dtype).itemsize


LAYER = ArrayOf((len(LayerColumns._fields),), np.float64)
"""The columns of one layer, of which evolutions have different numbers."""


def reduced_arrays(points: int, slots: int, *, profiles: bool, composition: bool) -> dict[str, ArrayOf]:
    """Arrays that are kept of an evolution, but for its layers.

    points: recorded pressures; slots: nuclides at a time. profiles, composition: whether they are wanted.
    """
    arrays = {
        "status": ArrayOf((), np.int8),
        "summary": ArrayOf((len(SummaryColumns._fields),), np.float64),
        "layer_count": ArrayOf((), np.int32),
    }
    if profiles:
        arrays["profiles"] = ArrayOf((len(ProfileColumns._fields), points), np.float64)
    if composition:
        arrays["nuclides"] = ArrayOf((points, slots), np.int32)
        arrays["abundances"] = ArrayOf((points, slots), np.float64)
    return arrays
