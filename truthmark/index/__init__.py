# SPDX-License-Identifier: Apache-2.0
"""Event logs as SQL tables that follow the chain through reorganisations."""
