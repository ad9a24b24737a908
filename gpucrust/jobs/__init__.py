"""Doing it: sweeps computed in memory or to files, here or on a cluster.

`devices` says what JAX computes on, `costs` what a plan needs and whether it is there, and `progress` where a run
stands. `store` keeps reduced evolutions on disk, in the `partial_folder` of a run. `computing` computes portions of
evolutions; with it `in_memory` makes a dataset, and `to_file` a file, if asked on the processes of a `cluster`, by way
of a store and of `writing`. `doctor` looks whether an installation is sound.
"""

from gpucrust.support.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "costs": "check_memory",
        "devices": "Device",
        "doctor": "examine",
        "in_memory": "compute run",
        "progress": "Standing",
        "store": "Store StoreError",
        "to_file": "run_to_file",
    },
)
