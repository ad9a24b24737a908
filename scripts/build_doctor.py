"""Make gpucrust/data/doctor.json: eight crusts of the plain code in tests/twins/slide.py, for `gpucrust doctor`.

    python scripts/build_doctor.py

The plain code is scalar and knows no JAX, so that a wrong compiler cannot make its own expected numbers.
"""

import json
import sys
from pathlib import Path

import numpy as np

from gpucrust.masses import load_model

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from twins import slide  # noqa: E402

MODELS = ["FRDM95+DZ31", "HFB21+DZ31", "BSkG4+DZ31", "DZ31"]
ASHES = [[(26, 30, 1.0)], [(46, 60, 1.0)]]
PRESSURES = np.geomspace(1e27, 3e31, 104)
G_MDOT = 6e18


def main() -> None:
    """Write the file."""
    members = [(m, a) for m in range(len(MODELS)) for a in range(len(ASHES))]
    crusts = [
        slide.evolve(
            load_model(MODELS[m], policy="mixed").mixed,
            {(z, n): x for z, n, x in ASHES[a]},
            pressures=PRESSURES,
            g_mdot=G_MDOT,
        )
        for m, a in members
    ]
    values = {name: [getattr(crust, name).tolist() for crust in crusts] for name in ("mu_e", "n_b", "Y_e")}
    content = {
        "mass_models": MODELS,
        "ashes": ASHES,
        "members": members,
        "g_mdot": G_MDOT,
        "pressures": PRESSURES.tolist(),
    }
    (ROOT / "gpucrust" / "data" / "doctor.json").write_text(json.dumps(content | values) + "\n")


if __name__ == "__main__":
    main()
