# SPDX-License-Identifier: Apache-2.0
"""A folder of files that nobody else reads, each written whole or not at all."""

from pathlib import Path

from truthmark.config.files import write_atomically
from truthmark.errors import StorageError
from truthmark.keys.files import make_private_folder, read_limited


class PrivateFolder:
    """Reads and writes the files of one folder.

    Args:
        folder: Where it is, or comes to be.
    """

    def __init__(self, folder: Path) -> None:
        """Take a folder; nothing is read yet, and it need not be there."""
        self.folder = folder

    def _read(self, name: str, limit: int) -> bytes | None:
        """Return a file of at most `limit` bytes; None where there is none."""
        try:
            return read_limited(self.folder / name, limit)
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        try:
            make_private_folder(path.parent)
            write_atomically(path, data)
        except OSError as error:
            raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> StorageError:
    """Return what to say where something could not be written.

    Args:
        path: What was to be written.
        error: Why it was not.
    """
    return StorageError(f"{path} cannot be written ({error.strerror}); free space or give rights")
