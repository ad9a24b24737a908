"""What a result is the result of: the sweep, the masses it uses, and this version of gpucrust."""

import hashlib
import json
from typing import Any

import numpy as np

from gpucrust.sweep.plan import Plan
from gpucrust.version import __version__


def identity(plan: Plan) -> dict[str, str]:
    """Text of the sweep, hash of its masses, and version; two plans of one identity have the same dataset."""
    return {
        "sweep": plan.sweep.model_dump_json(),
        "data_hash": data_hash(plan),
        "source": f"gpucrust {__version__}",
    }


def data_hash(plan: Plan) -> str:
    """SHA-256 over all masses that a plan uses."""
    digest = hashlib.sha256()
    for model in plan.models:
        digest.update(model.name.encode())
        for array in (model.mixed, model.sources):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def different(stored: dict[str, str], wanted: dict[str, str]) -> str:
    """What sets two identities apart, for a person."""
    if stored["sweep"] != wanted["sweep"]:
        ours, theirs = (_flat(json.loads(x["sweep"])) for x in (wanted, stored))
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                return f"{key} is {_short(theirs.get(key))} there and {_short(ours.get(key))} here"
    if stored["data_hash"] != wanted["data_hash"]:
        return "the nuclear masses differ"
    return f"it is of {stored['source']}, and this is {wanted['source'].removeprefix('gpucrust ')}"


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix.removesuffix("."): tree}
    return {key: value for name, x in tree.items() for key, value in _flat(x, f"{prefix}{name}.").items()}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
