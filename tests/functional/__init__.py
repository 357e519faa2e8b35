# SPDX-License-Identifier: Apache-2.0
"""Tests that `ape test` runs on a real node: anvil, or a fork of an upstream chain."""
