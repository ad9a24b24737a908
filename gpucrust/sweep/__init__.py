"""What is asked for: sweep files, and what they mean for the engine.

`errors` has the one error of sweeps. `axis_values` reads what is varied and `messages` says what is wrong; with them
`config` has the sections of a sweep file, and `template` writes a file of all keys. `portions` cuts a sweep into parts.
`plan` loads the masses of a sweep and finds its distinct evolutions; `provenance` tells two plans apart.
"""

from gpucrust.support.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "config": "Sweep check_sweep load_sweep",
        "errors": "SweepError",
        "plan": "Plan make_plan make_portions",
        "portions": "Portions",
        "provenance": "data_hash different identity",
        "template": "sweep_template",
    },
)
