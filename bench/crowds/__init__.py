# SPDX-License-Identifier: Apache-2.0
"""Real crowds replayed through the pay rule and the labels, with and without attackers."""
