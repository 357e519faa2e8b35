# SPDX-License-Identifier: Apache-2.0
"""What Truthmark costs and how fast it is: one command a table, each with its floor."""
