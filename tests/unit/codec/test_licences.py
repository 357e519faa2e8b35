# SPDX-License-Identifier: Apache-2.0
"""Licences are SPDX's, spelled as SPDX does, or named as one's own."""

import pytest

from truthmark.codec.licences import spdx
from truthmark.errors import ConfigError, MalformedError


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        (" mit or apache-2.0 ", "MIT OR Apache-2.0"),
        ("MIT AND (Apache-2.0 OR BSD-3-Clause)", "MIT AND (Apache-2.0 OR BSD-3-Clause)"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        (
            "GPL-3.0-only WITH Classpath-exception-2.0",
            "GPL-3.0-only WITH Classpath-exception-2.0",
        ),
        ("LicenseRef-research-only", "LicenseRef-research-only"),
        ("DocumentRef-x:LicenseRef-y", "DocumentRef-x:LicenseRef-y"),
    ],
)
def test_spdx__known_or_ones_own__is_spelled_as_there(written, spelled):
    assert spdx(written) == spelled


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("CC-BY-4", "did you mean CC-BY-4.0"),
        ("CC BY 4.0", "did you mean CC-BY-4.0"),
        ("proprietary", "LicenseRef-proprietary"),
        ("LicenseRef-a b", "LicenseRef-a-b"),
        ("licenseref-mine", "LicenseRef-mine"),
        ("MIT OR", "is not an SPDX expression"),
        ("(MIT", "is not an SPDX expression"),
        ("LicenseRef-<b>", "is not an SPDX expression"),
        ("MIT WITH nothing", "SPDX knows no 'nothing'"),
    ],
)
def test_spdx__neither__says_what_to_write(written, told):
    with pytest.raises(ConfigError, match="licence") as caught:
        spdx(written)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("written", ["", "MIT" * 100, "MIT\n", "Lizenz für alle", 7, None])
def test_spdx__no_short_printable_text__is_refused(written):
    with pytest.raises(MalformedError, match="licence"):
        spdx(written)
