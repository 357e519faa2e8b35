# SPDX-License-Identifier: Apache-2.0
"""`python -m truthmark.cli`, for where the script is not on the path."""

from truthmark.cli.start import main

main()
