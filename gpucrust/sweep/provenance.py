"""TODO."""

import hashlib

import numpy as np

import gpucrust
from gpucrust.sweep.plan import Plan


def identity(plan: "Plan") -> dict[str, str]:
    """What a result is the result of: two plans of one identity have the same dataset."""
    return {
        "sweep": plan.sweep.model_dump_json(),
        "data_hash": data_hash(plan),
        "source": f"gpucrust {gpucrust.__version__}",
    }


def data_hash(plan: "Plan") -> str:
    """SHA-256 over all masses that a plan uses."""
    digest = hashlib.sha256()
    for model in plan.models:
        digest.update(model.name.encode())
        for array in (model.mixed, model.sources):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
