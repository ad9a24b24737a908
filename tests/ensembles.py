"""The ensembles that tests evolve."""

import numpy as np

from gpucrust.engine.inputs import Members

ASHES = {
    "Fe56": {(26, 30): 1.0},
    "Pd106": {(46, 60): 1.0},
    "four": {(14, 14): 0.1, (26, 30): 0.4, (34, 40): 0.2, (46, 58): 0.3},
}
G_MDOT = 2e14 * 3e4


def members(models, ashes, **changes):
    """Every model with every ash."""
    model, ash = (x.ravel() for x in np.meshgrid(np.arange(models), np.arange(ashes), indexing="ij"))
    n = len(model)
    default = {"pycno_log10_scale": np.zeros(n), "sample": np.zeros(n, int), "g_mdot": np.full(n, G_MDOT)}
    return Members(model, ash, **{**default, **changes})


def take(everyone, order):
    return Members(**{name: getattr(everyone, name)[order] for name in Members.__dataclass_fields__})
