# SPDX-License-Identifier: Apache-2.0
"""The `truthmark` command: thin; what is heavy is imported inside commands."""
