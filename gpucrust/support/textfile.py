"""Reading text files that a user names, whatever they are."""

from pathlib import Path

LARGEST = 2**26
"""Bytes. Also of what never ends, such as /dev/zero."""


def read_text(path: Path) -> str:
    """The contents of a text file in UTF-8, with or without a byte-order mark.

    Raises ValueError with the reason, a part of a sentence, if there is none.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("cannot be read: no file has a null character in its name") from None
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST // 2**20} MiB")
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a byte-order mark first
    except UnicodeDecodeError:
        raise ValueError("not a text file in UTF-8") from None
    if "\0" in text:
        raise ValueError("not a text file")
    return text
