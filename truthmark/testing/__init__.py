# SPDX-License-Identifier: Apache-2.0
"""A whole local Truthmark to try things on: a chain, its contracts, funded roles."""
