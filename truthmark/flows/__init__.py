# SPDX-License-Identifier: Apache-2.0
"""What takes both market and bounties: data that a bounty made, sold for its labelers too."""
