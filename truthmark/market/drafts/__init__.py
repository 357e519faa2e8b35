# SPDX-License-Identifier: Apache-2.0
"""What each role hands to the contracts, computed without chain, file or storage."""
