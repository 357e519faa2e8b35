# SPDX-License-Identifier: Apache-2.0
"""What is said of a file that cannot be read as a table, to people with a terminal or a page."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from truthmark.errors import CodecError

AS_RAW_FILE: Final = "pack it byte for byte with --raw"
AS_RAW_FILE_ON_PAGE: Final = "have it packed byte for byte"


def no_table(text: str) -> CodecError:
    """Return an error that ends with the way out: to sell the file as it is.

    Args:
        text: What is wrong and what else can be done, up to `, or` or `;`.
    """
    return CodecError(f"{text} {AS_RAW_FILE}", page=f"{text} {AS_RAW_FILE_ON_PAGE}")


@contextlib.contextmanager
def to_be_read() -> Iterator[None]:
    """Leave that way out of what is refused: who has rows labeled needs a table."""
    try:
        yield
    except CodecError as error:
        problem = re.sub(rf"(, or|;) {AS_RAW_FILE}$", "", str(error))
        if problem == str(error):
            raise
        raise CodecError(problem) from error
