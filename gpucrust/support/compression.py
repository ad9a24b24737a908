"""How arrays of numbers are compressed in the files that are written."""

from typing import Any

from zarr.codecs import BloscCodec, Crc32cCodec

LEVEL = 4
"""Level of compression, of zstd in Zarr and of zlib in netCDF: higher ones take longer and save little."""


def zarr_codecs() -> list[Any]:
    """Codecs of a Zarr array of numbers: bytes of one weight together, compressed, with a checksum."""
    return [BloscCodec(cname="zstd", clevel=LEVEL, shuffle="shuffle"), Crc32cCodec()]
