# SPDX-License-Identifier: Apache-2.0
"""Labels of many people made one label an item."""
