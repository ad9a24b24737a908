"""The records of a sweep under way, in a Zarr group: one region a chunk of evolutions.

Each chunk is written by whoever computed it into its own region, which no other chunk's pieces of the arrays touch;
its checksum follows, its status last. A chunk without status has not been computed, whatever else of it is there.
"""

import json
import os
import shutil
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from gpucrust.profiles.reduced import Records
from gpucrust.results.files import compressors
from gpucrust.schema import LAYER, PROFILE, SUMMARY
from gpucrust.sweep.config import SweepError
from gpucrust.sweep.plan import Chunks, Plan
from gpucrust.sweep.provenance import identity

PENDING = -1
"""Status of an evolution that has not been computed."""
PIECE_BYTES = 2**23
"""Of a piece (a Zarr chunk) of an array, at most, where a chunk of evolutions can be divided."""
LAYER_SLOTS, LAYERS_A_PIECE = 65_536, 16
"""Room for layers of an evolution; pieces that no layer reaches are not written."""


class StoreError(SweepError):
    """A store that cannot be used; the message is one line."""


class Store:
    """The chunks of a sweep, those computed and those pending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            group = zarr.open_group(path, mode="r+")
            attributes: dict[str, Any] = group.attrs.asdict()
            self.arrays = {name: group[name] for name in attributes["arrays"]}
            self.identity = {key: str(attributes[key]) for key in ("sweep", "data_hash", "source")}
            self.chunks = Chunks(int(attributes["evolutions"]), int(attributes["save_every"]))
        except (OSError, KeyError, ValueError) as error:
            raise StoreError(f"{path}: not a store that can be read; --overwrite starts afresh") from error

    @staticmethod
    def create(path: Path, plan: Plan, chunks: Chunks) -> "Store":
        """An empty store, which appears under its name when it is whole."""
        new = path.with_name("new")
        shutil.rmtree(new, ignore_errors=True)
        group = zarr.create_group(new, zarr_format=3)
        n, output, points = chunks.n, plan.sweep.output, len(plan.pressures)
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "summary": ((n, len(SUMMARY)), "f8"),
            "layer_count": ((n,), "i4"),
            "layers": ((n, LAYER_SLOTS, len(LAYER)), "f8"),
        }
        if output.profiles:
            shapes["profiles"] = ((n, len(PROFILE), points), "f8")
        if output.composition:
            slots = plan.sweep.stepper.slots
            shapes |= {"nuclides": ((n, points, slots), "i4"), "abundances": ((n, points, slots), "f8")}
        for name, (shape, dtype) in shapes.items():
            inner = (LAYERS_A_PIECE, len(LAYER)) if name == "layers" else shape[1:]
            fill = np.nan if dtype == "f8" else 0
            pieces = (rows_of_a_piece(chunks.size, 8 * int(np.prod(inner))), *inner)
            group.create_array(
                name, shape=shape, chunks=pieces, dtype=dtype, fill_value=fill, compressors=compressors()
            )
        for name, length, piece, dtype, fill in (
            ("checksum", len(chunks), 1, "u4", 0),
            ("status", n, chunks.size, "i1", PENDING),
        ):
            group.create_array(name, shape=(length,), chunks=(piece,), dtype=dtype, fill_value=fill, compressors=None)
        about: dict[str, Any] = {"evolutions": chunks.n, "save_every": chunks.size, "arrays": sorted(group)}
        group.attrs.update({**identity(plan), **about})
        os.replace(new, path)
        return Store(path)

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self.arrays[name]
        assert isinstance(array, zarr.Array)
        return array

    def _rows(self, k: int) -> slice:
        numbers = self.chunks[k]
        return slice(int(numbers[0]), int(numbers[-1]) + 1)

    def _all_status(self) -> np.ndarray:
        """Of all evolutions; PENDING where it cannot be read."""
        try:
            return np.asarray(self._array("status")[:])
        except ValueError:
            parts = [self._status_of(k) for k in range(len(self.chunks))]
            return np.concatenate(parts)

    def _status_of(self, k: int) -> np.ndarray:
        try:
            return np.asarray(self._array("status")[self._rows(k)])
        except ValueError:
            return np.full(len(self.chunks[k]), PENDING, np.int8)

    def pending(self) -> list[int]:
        """Chunks that have not been computed."""
        return np.flatnonzero(self._all_status()[:: self.chunks.size] == PENDING).tolist()

    def write(self, k: int, records: Records) -> None:
        """Put chunk k in its region, status last."""
        rows = self._rows(k)
        most = int(records.layer_count.max())
        if most > LAYER_SLOTS:
            raise StoreError(f"a member has {most} layers, and there is room for {LAYER_SLOTS}: raise output.layer_cut")
        for name in ("profiles", "nuclides", "abundances", "summary", "layer_count"):
            values = getattr(records, name)
            if values is not None:
                self._array(name)[rows] = values
        if most:
            whole = -(-most // LAYERS_A_PIECE) * LAYERS_A_PIECE  # pieces are written without being read
            self._array("layers")[rows, :whole] = _padded(records, whole)
        self._array("checksum")[k] = checksum(records)
        self._array("status")[rows] = records.status

    def read(self, first: int, last: int) -> Records:
        """The records of evolutions first..last-1. Raises StoreError for what is damaged."""
        rows = slice(first, last)
        try:
            count = np.asarray(self._array("layer_count")[rows])
            most = int(count.max())
            padded = np.asarray(self._array("layers")[rows, :most])
            optional = ("profiles", "nuclides", "abundances")
            return Records(
                status=np.asarray(self._array("status")[rows]),
                summary=np.asarray(self._array("summary")[rows]),
                layer_count=count,
                layers=padded[np.arange(most) < count[:, None]],
                **{name: np.asarray(self._array(name)[rows]) for name in optional if name in self.arrays},
            )
        except (ValueError, RuntimeError) as error:  # of the checksum, or of the decompression
            raise StoreError(f"{self.path}: evolutions {first} to {last - 1} are damaged") from error

    def damaged(self) -> list[int]:
        """Read everything, and make pending again what is not as it was written: the numbers of those chunks."""
        found = []
        for k in sorted(set(range(len(self.chunks))) - set(self.pending())):
            rows = self._rows(k)
            try:
                sound = checksum(self.read(rows.start, rows.stop)) == int(np.asarray(self._array("checksum")[k]))
            except ValueError:  # StoreError is one
                sound = False
            if not sound:
                self._array("status")[rows] = PENDING
                found.append(k)
        return found

    def status(self) -> np.ndarray:
        """Of all evolutions computed so far."""
        status = self._all_status()
        return status[status != PENDING]


def rows_of_a_piece(size: int, row_bytes: int) -> int:
    """Evolutions in a piece of an array: a divisor of the size of a chunk, a power of two."""
    rows = size
    while rows > 1 and rows * row_bytes > PIECE_BYTES:
        rows //= 2
    return rows


def _padded(records: Records, slots: int) -> np.ndarray:
    """(n, slots, len(LAYER)) layers, NaN beyond an evolution's last."""
    padded = np.full((len(records), slots, len(LAYER)), np.nan)
    padded[np.arange(slots) < records.layer_count[:, None]] = records.layers
    return padded


def checksum(records: Records) -> int:
    """CRC-32 of everything in the records."""
    value = 0
    for f in fields(Records):
        array = getattr(records, f.name)
        if array is not None:
            value = zlib.crc32(np.ascontiguousarray(array).tobytes(), value)
    return value


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
