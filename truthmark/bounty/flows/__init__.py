# SPDX-License-Identifier: Apache-2.0
"""The sequences of a bounty: one for the command line, the library, programs and pages alike."""
