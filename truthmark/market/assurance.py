# SPDX-License-Identifier: Apache-2.0
"""What stands behind the data beside the bond, a sentence each; both are the seller's choice."""

from truthmark.market.records import ZERO_ADDRESS


def guarantee_text(guarantee_bps: int) -> str:
    """Return what the guarantee of terms means for both sides.

    Args:
        guarantee_bps: Of the price, what a buyer may burn, in hundredths of a percent.
    """
    if not guarantee_bps:
        return (
            "guarantee 0%, as the seller chose: a buyer who finds it bad can burn nothing of the "
            "price"
        )
    share = f"{guarantee_bps / 100:g}%"
    return (
        f"guarantee {share}: while a buyer may check it they can have {share} of their price "
        "burned, which nobody gets, the buyer neither"
    )


def arbiter_text(arbiter: str) -> str:
    """Return what the arbiter of terms means for both sides.

    Args:
        arbiter: Address of who may revoke the version; zero for nobody.
    """
    if int(arbiter, 16) == int(ZERO_ADDRESS, 16):
        return "no arbiter, as the seller chose: no person can end the sale of bad data"
    return (
        f"arbiter {arbiter}: may end the sale at their own judgement, which pays open purchases "
        "back and takes the bond; judge for yourself whether they are independent"
    )
