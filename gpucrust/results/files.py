"""Datasets to files, netCDF-4 or Zarr, by one writer, a block of members at a time: never all of it in memory.

What is written goes under another name and is renamed when it is whole, so that a file of the final name is whole. The
two formats hold the same variables, types and attributes.
"""

import errno
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import netCDF4
import numpy as np
import xarray as xr
import zarr

from gpucrust.support.compression import LEVEL, zarr_codecs

LAYERS_TOGETHER = 65_536
"""Layers in a compressed piece of a variable along the dimension `layer`."""

Region = tuple[slice, ...]
"""The part of a variable that is written at a time, a range of each of its dimensions."""


class Sink(Protocol):
    """A file under way."""

    def create(self, name: str, like: xr.Variable, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        """A variable of that shape (0: grows) in pieces of `chunks`; type, dimensions and attributes as `like`."""

    def write(self, name: str, region: Region, values: np.ndarray) -> None:
        """Part of a variable."""

    def close(self, attributes: Mapping[str, Any]) -> None:
        """Complete the file; attributes: of the dataset."""


class NetcdfSink:
    """netCDF-4, compressed."""

    def __init__(self, path: Path, sizes: Mapping[str, int]) -> None:
        self.file = netCDF4.Dataset(path, "w", format="NETCDF4", clobber=True)
        for name, size in sizes.items():
            self.file.createDimension(name, size)  # of size 0: grows

    def create(self, name: str, like: xr.Variable, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        """See Sink."""
        is_text = like.dtype.kind not in "fi"
        coordinate = name in like.dims or is_text or like.dtype.kind != "f"
        options: dict[str, Any] = {"fill_value": False if coordinate else np.nan}
        if not is_text and like.ndim:
            options |= {"zlib": True, "complevel": LEVEL, "shuffle": True, "chunksizes": chunks}
        dims = [str(d) for d in like.dims]
        dtype = str if is_text else like.dtype.newbyteorder("=")  # Zarr's say which, and netCDF4 warns
        variable = self.file.createVariable(name, dtype, dims, **options)
        variable.setncatts(like.attrs)

    def write(self, name: str, region: Region, values: np.ndarray) -> None:
        """See Sink."""
        self.file[name][region] = values

    def close(self, attributes: Mapping[str, Any]) -> None:
        """See Sink."""
        self.file.setncatts(attributes)
        self.file.close()


class ZarrSink:
    """Zarr format 3, compressed, every chunk with a checksum."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.group = zarr.create_group(path, overwrite=True, zarr_format=3)

    def create(self, name: str, like: xr.Variable, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        """See Sink."""
        is_text = like.dtype.kind not in "fi"
        self.group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype="string" if is_text else like.dtype,
            compressors=None if is_text else zarr_codecs(),
            fill_value="" if is_text else np.nan if like.dtype.kind == "f" else 0,
            dimension_names=[str(d) for d in like.dims],
            attributes=_plain(like.attrs),
        )

    def write(self, name: str, region: Region, values: np.ndarray) -> None:
        """See Sink."""
        array = self.group[name]
        assert isinstance(array, zarr.Array)
        needed = tuple(max(n, s.stop or 0) for n, s in zip(array.shape, region, strict=True))
        if needed != array.shape:
            array.resize(needed)
        array[region] = values

    def close(self, attributes: Mapping[str, Any]) -> None:
        """See Sink."""
        self.group.attrs.update(_plain(attributes))
        with warnings.catch_warnings():
            # consolidated metadata, which xarray asks for, is an extension of format 3
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(self.path)


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as JSON can hold them."""
    return {k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v for k, v in attributes.items()}


def write_blocks(
    path: Path,
    suffix: str,
    shared: xr.Dataset,
    sizes: Mapping[str, int],
    blocks: Iterable[tuple[Mapping[str, slice], xr.Dataset]],
) -> None:
    """Write what is shared by all members, and their variables a block at a time.

    sizes: of all dimensions, 0 for one that grows. blocks: where each lies along its dimensions, and its variables;
    none is larger than the first.
    """
    try:
        _write(ZarrSink(path) if suffix == ".zarr" else NetcdfSink(path, sizes), shared, sizes, blocks)
    except RuntimeError as error:
        if "NetCDF" not in str(error):
            raise
        # the library does not say more than this
        raise OSError(errno.EIO, f"{error}; is the disk full, or a quota reached?", str(path)) from error


def _write(
    sink: Sink,
    shared: xr.Dataset,
    sizes: Mapping[str, int],
    blocks: Iterable[tuple[Mapping[str, slice], xr.Dataset]],
) -> None:
    for name, variable in shared.variables.items():
        _create(sink, str(name), _with_coordinates(str(name), variable, shared), variable.shape, {})
        if variable.size:
            sink.write(str(name), (slice(None),) * variable.ndim, variable.values)
    created = False
    for region, block in blocks:
        for key, values in block.data_vars.items():
            name, variable = str(key), values.variable
            if not created:
                like = _with_coordinates(name, variable, shared)
                chunks = {**block.sizes, "layer": LAYERS_TOGETHER}
                _create(sink, name, like, tuple(sizes[str(d)] for d in variable.dims), chunks)
            if variable.size:
                sink.write(name, tuple(region.get(str(d), slice(None)) for d in variable.dims), variable.values)
        created = True
    sink.close(shared.attrs)


def _create(sink: Sink, name: str, like: xr.Variable, shape: tuple[int, ...], chunks: Mapping[Any, int]) -> None:
    whole = dict(zip(like.dims, shape, strict=True))
    sink.create(name, like, shape, tuple(max(1, min(n or LAYERS_TOGETHER, chunks.get(d, n))) for d, n in whole.items()))


def _with_coordinates(name: str, variable: xr.Variable, shared: xr.Dataset) -> xr.Variable:
    """The variable, naming in its attributes those coordinates of its dimensions that are no dimensions (CF)."""
    extra = [str(c) for c, x in shared.coords.items() if c not in shared.dims and set(x.dims) <= set(variable.dims)]
    if name in shared.coords or not extra:
        return variable
    marked = variable.copy(deep=False)
    marked.attrs = {**variable.attrs, "coordinates": " ".join(extra)}
    return marked


def write_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Write netCDF-4, compressed, under a temporary name in the same folder, then rename: never a partial file."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        write_blocks(Path(temporary), ".nc", ds, {str(d): n for d, n in ds.sizes.items()}, ())
        os.chmod(temporary, 0o666 & ~_umask())
        to_disk(Path(temporary))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def move_into_place(written: Path, target: Path, aside: Path) -> None:
    """Rename what has been written to its final name; `aside`: where a folder that it replaces goes first.

    It is on the disk before, so that what it was made from may go.
    """
    to_disk(written)
    if target.is_dir():
        os.replace(target, aside)
    os.replace(written, target)
    to_disk(target.parent, within=False)
    shutil.rmtree(aside, ignore_errors=True)


def to_disk(path: Path, within: bool = True) -> None:
    """Have a file, or a folder and all that is within, outlive a loss of power."""
    for part in (*(path.rglob("*") if within else ()), path):
        handle = os.open(part, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError:
            if not part.is_dir():  # not every file system does it for folders
                raise
        finally:
            os.close(handle)


def open_result(path: Path | str) -> xr.Dataset:
    """A result, netCDF or Zarr, read when it is used. Raises OSError or ValueError for what is neither."""
    path = Path(path)
    if not path.is_dir():
        return xr.open_dataset(path, engine="netcdf4")
    ds = xr.open_dataset(path, engine="zarr", chunks=None)
    for name, variable in ds.variables.items():
        if "flag_values" in variable.attrs:
            variable.attrs["flag_values"] = np.array(variable.attrs["flag_values"], np.int8)
        if variable.dtype.kind not in "fi":
            ds[name] = (variable.dims, np.array(variable.values.tolist()), variable.attrs)
    return ds
