# SPDX-License-Identifier: Apache-2.0
"""What pages show of bad data: what is wrong, what can be done about it, what others said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Review:
    """What one buyer said of a data set.

    Attributes:
        score: From 1, bad, to 5, good.
        text: Anything.
        by: Whose address, what they paid and when, in words.
        cost: What faking it costs at least, in words.
    """

    score: int
    text: str
    by: str
    cost: str


@dataclass(frozen=True, slots=True)
class Said:
    """What buyers said of a data set.

    Attributes:
        reviews: The newest ones.
        total: How many there are.
        rejected: How often it was rejected, and what that burned; empty if never.
    """

    reviews: tuple[Review, ...]
    total: int
    rejected: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found when every part of a purchase was opened and read on this machine.

    Attributes:
        wrong: What is wrong; empty where all of it is right.
        dispute: What a dispute does and brings; empty where no contract can judge it.
        expose: What showing it to everybody does; empty where that shows nothing new.
        note: Why one of them is not possible; or nothing.
    """

    wrong: str
    dispute: str = ""
    expose: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What else the buyer of a purchase may do; a sentence each, empty where it cannot be done.

    Attributes:
        reject: What rejecting does.
        reject_until: When that ends.
        confirm: What paying the seller at once does.
        review: What a review shows of its writer.
        review_later: Why it cannot be reviewed yet.
        own: What the account has said of it.
        arbiter: Whose address may end its sale.
    """

    reject: str = ""
    reject_until: str = ""
    confirm: str = ""
    review: str = ""
    review_later: str = ""
    own: Review | None = None
    arbiter: str = ""


@dataclass(frozen=True, slots=True)
class Judging:
    """What the account may do about a data set that it need not have bought.

    Attributes:
        can_dispute: Whether a part that is public may be one that a contract can judge.
        is_arbiter: Whether it may end the sale.
    """

    can_dispute: bool = False
    is_arbiter: bool = False
