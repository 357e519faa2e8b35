# SPDX-License-Identifier: Apache-2.0
"""The relay of bounties: what labelers and requesters give it over HTTP, and what it posts."""
