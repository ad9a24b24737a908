"""gpucrust: GPU-accelerated ensemble sweeps for the crusts of accreting neutron stars."""

__version__ = "0.1.0.dev0"
