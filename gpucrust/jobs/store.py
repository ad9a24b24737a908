"""Reduced evolutions of a sweep under way, in a Zarr group: one region a portion of evolutions.

Each portion is written by whoever computed it into its own region, which no other portion's pieces of the arrays
touch; its checksum follows, its status last. A portion without status has not been computed, whatever else of it is
there.
"""

import math
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from gpucrust.profiles.reduced import ReducedEvolutions
from gpucrust.schema import LAYER, ArrayOf
from gpucrust.support.compression import zarr_codecs
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.portions import Portions

PENDING = -1
"""Status of an evolution that has not been computed."""
PIECE_BYTES = 2**23
"""Bytes of a piece (a Zarr chunk) of an array, at most, where a portion of evolutions can be divided."""
LAYER_SLOTS = 65_536
"""Layers of an evolution for which there is room; pieces that no layer reaches are not written."""
LAYERS_A_PIECE = 16
"""Layers of an evolution in a piece of the array of layers."""


class StoreError(SweepError):
    """A store that cannot be used; the message is one line."""


class Store:
    """The portions of a sweep, those computed and those pending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            group = zarr.open_group(path, mode="r+")
            attributes: dict[str, Any] = group.attrs.asdict()
            self.arrays = {name: group[name] for name in attributes["arrays"]}
            self.identity = {key: str(attributes[key]) for key in ("sweep", "data_hash", "source")}
            self.portions = Portions(int(attributes["evolutions"]), int(attributes["save_every"]))
        except (OSError, KeyError, ValueError) as error:
            raise StoreError(f"{path}: not a store that can be read; --overwrite starts afresh") from error

    @staticmethod
    def create(path: Path, arrays: Mapping[str, ArrayOf], identity: Mapping[str, str], portions: Portions) -> "Store":
        """An empty store, which appears under its name when it is whole.

        arrays: what is kept of an evolution, but for its layers; identity: what tells its sweep from others.
        """
        new = path.with_name("new")
        shutil.rmtree(new, ignore_errors=True)
        group = zarr.create_group(new, zarr_format=3)
        shapes = {name: (one.shape, one.shape, one.dtype) for name, one in arrays.items() if name != "status"}
        shapes["layers"] = (LAYER_SLOTS, *LAYER.shape), (LAYERS_A_PIECE, *LAYER.shape), LAYER.dtype
        for name, (shape, piece, dtype) in shapes.items():
            rows = rows_of_a_piece(portions.size, 8 * math.prod(piece))
            group.create_array(
                name,
                shape=(portions.n, *shape),
                chunks=(rows, *piece),
                dtype=dtype,
                fill_value=np.nan if dtype is np.float64 else 0,
                compressors=zarr_codecs(),
            )
        for name, length, rows, code, fill in (
            ("checksum", len(portions), 1, "u4", 0),
            ("status", portions.n, portions.size, "i1", PENDING),
        ):
            group.create_array(name, shape=(length,), chunks=(rows,), dtype=code, fill_value=fill, compressors=None)
        about: dict[str, Any] = {"evolutions": portions.n, "save_every": portions.size, "arrays": sorted(group)}
        group.attrs.update({**identity, **about})
        os.replace(new, path)
        return Store(path)

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self.arrays[name]
        assert isinstance(array, zarr.Array)
        return array

    def _rows(self, k: int) -> slice:
        numbers = self.portions[k]
        return slice(int(numbers[0]), int(numbers[-1]) + 1)

    def _all_status(self) -> np.ndarray:
        """Of all evolutions; PENDING where it cannot be read."""
        try:
            return np.asarray(self._array("status")[:])
        except ValueError:
            parts = [self._status_of(k) for k in range(len(self.portions))]
            return np.concatenate(parts)

    def _status_of(self, k: int) -> np.ndarray:
        try:
            return np.asarray(self._array("status")[self._rows(k)])
        except ValueError:
            return np.full(len(self.portions[k]), PENDING, np.int8)

    def pending(self) -> list[int]:
        """Portions that have not been computed."""
        return np.flatnonzero(self._all_status()[:: self.portions.size] == PENDING).tolist()

    def write(self, k: int, reduced: ReducedEvolutions) -> None:
        """Put portion k in its region, status last."""
        rows = self._rows(k)
        most = int(reduced.layer_count.max())
        if most > LAYER_SLOTS:
            raise StoreError(f"a member has {most} layers, and there is room for {LAYER_SLOTS}: raise output.layer_cut")
        for name in ("profiles", "nuclides", "abundances", "summary", "layer_count"):
            values = getattr(reduced, name)
            if values is not None:
                self._array(name)[rows] = values
        if most:
            whole = -(-most // LAYERS_A_PIECE) * LAYERS_A_PIECE  # pieces are written without being read
            self._array("layers")[rows, :whole] = _padded(reduced, whole)
        self._array("checksum")[k] = checksum(reduced)
        self._array("status")[rows] = reduced.status

    def read(self, first: int, last: int) -> ReducedEvolutions:
        """Evolutions first..last-1. Raises StoreError for what is damaged."""
        rows = slice(first, last)
        try:
            count = np.asarray(self._array("layer_count")[rows])
            most = int(count.max())
            padded = np.asarray(self._array("layers")[rows, :most])
            optional = ("profiles", "nuclides", "abundances")
            return ReducedEvolutions(
                status=np.asarray(self._array("status")[rows]),
                summary=np.asarray(self._array("summary")[rows]),
                layer_count=count,
                layers=padded[np.arange(most) < count[:, None]],
                **{name: np.asarray(self._array(name)[rows]) for name in optional if name in self.arrays},
            )
        except (ValueError, RuntimeError) as error:  # of the checksum, or of the decompression
            raise StoreError(f"{self.path}: evolutions {first} to {last - 1} are damaged") from error

    def damaged(self) -> list[int]:
        """Read everything, and make pending again what is not as it was written: the numbers of those portions."""
        found = []
        for k in sorted(set(range(len(self.portions))) - set(self.pending())):
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
    """Evolutions in a piece of an array: a divisor of the size of a portion, a power of two."""
    rows = size
    while rows > 1 and rows * row_bytes > PIECE_BYTES:
        rows //= 2
    return rows


def _padded(reduced: ReducedEvolutions, slots: int) -> np.ndarray:
    """(n, slots, columns) layers, NaN beyond an evolution's last."""
    padded = np.full((len(reduced), slots, *LAYER.shape), np.nan)
    padded[np.arange(slots) < reduced.layer_count[:, None]] = reduced.layers
    return padded


def checksum(reduced: ReducedEvolutions) -> int:
    """CRC-32 of everything that is kept of evolutions."""
    value = 0
    for f in fields(ReducedEvolutions):
        array = getattr(reduced, f.name)
        if array is not None:
            value = zlib.crc32(np.ascontiguousarray(array).tobytes(), value)
    return value
