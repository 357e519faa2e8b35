# SPDX-License-Identifier: Apache-2.0
"""What the protocol's contracts are to one another, by their roles in a profile."""

SLASHERS = ("registry",)
"""The contracts that may lock and burn stake; staking names all of them once, for good."""
