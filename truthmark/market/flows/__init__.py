# SPDX-License-Identifier: Apache-2.0
"""The only sequences in which a sale is made: list and renew, buy and open.

Library, command line and app call these with callbacks (agree, say, bar) and differ in nothing
else.
"""
