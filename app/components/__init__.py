# SPDX-License-Identifier: Apache-2.0
"""How things look: small functions that draw what `app.views` holds."""
