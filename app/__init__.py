# SPDX-License-Identifier: Apache-2.0
"""The Streamlit app: `make app`. Not part of the installed library."""
