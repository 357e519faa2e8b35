# SPDX-License-Identifier: Apache-2.0
"""The parts of the demonstration that `scripts/demo.py` runs."""
