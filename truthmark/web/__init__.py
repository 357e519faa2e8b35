# SPDX-License-Identifier: Apache-2.0
"""What Truthmark does in browsers: sources, their bundles, and the routes that serve them."""
