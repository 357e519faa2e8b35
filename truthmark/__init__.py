# SPDX-License-Identifier: Apache-2.0
"""Truthmark: buy labels you can check and sell data nobody can cheat on."""
