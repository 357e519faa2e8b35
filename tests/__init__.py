# SPDX-License-Identifier: Apache-2.0
"""The tests; a package, for some dependency leaves another `tests` in site-packages."""
