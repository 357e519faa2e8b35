# SPDX-License-Identifier: Apache-2.0
"""The `truthmark` command: thin; a command is loaded when it is run."""
