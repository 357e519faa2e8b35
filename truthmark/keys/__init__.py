# SPDX-License-Identifier: Apache-2.0
"""Secrets: sharing, proofs of delivery, sealing, wallets and where they are kept."""
