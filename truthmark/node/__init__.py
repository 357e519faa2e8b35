# SPDX-License-Identifier: Apache-2.0
"""The daemon that validators run: keeps shares and bytes, and delivers to buyers."""
