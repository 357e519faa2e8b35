# SPDX-License-Identifier: Apache-2.0
"""The Streamlit app: `truthmark app`; a wheel carries it as `truthmark/_app/app`."""
