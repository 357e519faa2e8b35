# SPDX-License-Identifier: Apache-2.0
"""Labeling bounties: sealed labels, judged on gold that was fixed beforehand (docs/bounties.md)."""
