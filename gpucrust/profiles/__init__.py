"""Where diffusion equilibrium breaks: slopes of mu_e(P), regimes, layers, and what is kept of an evolution.

`ragged` does for many lists at once what NumPy does for one. `curves` puts mu_e(P) together from what an engine has
recorded, and `layers` finds R and its regimes along it; `equilibrium` does both for all evolutions of a plan.
`reduction` turns evolutions into `reduced` ones, which are all that results are made from; `ground_states` are those of
a plan's mass models.
"""

from gpucrust.support.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "curves": "Pieces join_pieces",
        "equilibrium": "Analysis analyse",
        "layers": "BAND BOUNDS Layers find_layers regime_of",
        "reduced": "ReducedEvolutions",
        "reduction": "reduce_evolutions",
    },
)
