# SPDX-License-Identifier: Apache-2.0
"""Selling and buying: everything between the chain, storage, the codec and keys."""
