# SPDX-License-Identifier: Apache-2.0
"""Deployment to a local fork of an upstream chain that has a history of its own."""
