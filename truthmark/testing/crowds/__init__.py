# SPDX-License-Identifier: Apache-2.0
"""Recorded crowds: sets of real answers dealt into bounties, on arrays and on a local chain."""
