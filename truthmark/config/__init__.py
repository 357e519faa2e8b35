# SPDX-License-Identifier: Apache-2.0
"""What a person chose, what is true of a network, and how amounts, times and files are written.

Nothing here talks to anything.
"""
