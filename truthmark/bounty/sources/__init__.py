# SPDX-License-Identifier: Apache-2.0
"""What can be labeled: tables of texts, paths, pairs or numbers, and folders of files."""
