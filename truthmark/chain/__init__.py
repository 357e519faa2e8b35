# SPDX-License-Identifier: Apache-2.0
"""The EVM chain: connection, contracts, transactions through a journal, deployment."""
