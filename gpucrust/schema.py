"""TODO."""

from enum import IntEnum

AXES = ("mass_model", "ash", "pycno_log10_scale", "sample", "g", "mdot")
"""Dimensions of a sweep, in the order of the dataset."""


class Regime(IntEnum):
    """Kinds of slope: equilibrium 0.5 <= R <= 1.5, decreasing R < 0, flat 0 <= R < 0.5, steep R > 1.5."""

    EQUILIBRIUM = 0
    DECREASING = 1
    FLAT = 2
    STEEP = 3


NO_RESULT = -1


SUMMARY = ("n_steps", "max_active", "table_mismatch", "total_heat")


LAYER = ("regime", "P_start", "P_end", "thickness_times_g", "J_n_over_g", "mean_J_n_over_g")
"""Columns of a layer; the last two are the largest size of J_n/g at the recorded pressures within, and its mean."""


PROFILE = (
    "n_b Y_e X_n Z_mean A_mean Q_imp heat mu_e mu_n P_e P_n dmu_e_dP_nodiff equilibrium_ratio regime depth_times_g "
    "residual_ei residual_n f_in_over_g J_n_over_g".split()
)


MEMBER_AXES = AXES
