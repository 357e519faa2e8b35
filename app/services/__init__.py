# SPDX-License-Identifier: Apache-2.0
"""The one place where the app calls the library; pages get `app.views` from it.

Reads come from the index and are cached for all visitors. Whatever needs a key happens in the
visitor's own session, and only where the app runs on the visitor's own machine (`is_local`).
Everything that others wrote is cleaned here: nothing that leaves this module holds a control
character or more than a page of text.
"""

from app.services.accounts import (
    account,
    account_names,
    choose_account,
    choose_role,
    remember_choice,
    role,
    roles,
    unlock,
)
from app.services.bounties import KINDS, find_bounties
from app.services.bounty import bounty, challenge_of, clock_of, disprove, pay_out, samples
from app.services.browsing import search, tokens
from app.services.buying import (
    credits,
    dispute,
    forget_price,
    may_be_paid_already,
    open_purchase,
    pay,
    prepare,
    prepared,
    purchase_by_key,
    purchase_of,
    purchases,
    save_purchase,
    take_back,
    withdraw,
    wrong_key,
)
from app.services.datasets import custody_of, dataset, silence_of
from app.services.networks import network
from app.services.reading import is_local
from app.services.selling import (
    acceptance,
    back_up,
    deal_again,
    discard,
    list_packed,
    pack,
    sell_options,
    uploaded,
)
from app.services.texts import said_of
from truthmark.errors import TruthmarkError

__all__ = [
    "KINDS",
    "TruthmarkError",
    "acceptance",
    "account",
    "account_names",
    "back_up",
    "bounty",
    "challenge_of",
    "choose_account",
    "choose_role",
    "clock_of",
    "credits",
    "custody_of",
    "dataset",
    "deal_again",
    "discard",
    "disprove",
    "dispute",
    "find_bounties",
    "forget_price",
    "is_local",
    "list_packed",
    "may_be_paid_already",
    "network",
    "open_purchase",
    "pack",
    "pay",
    "pay_out",
    "prepare",
    "prepared",
    "purchase_by_key",
    "purchase_of",
    "purchases",
    "remember_choice",
    "role",
    "roles",
    "said_of",
    "samples",
    "save_purchase",
    "search",
    "sell_options",
    "silence_of",
    "take_back",
    "tokens",
    "unlock",
    "uploaded",
    "withdraw",
    "wrong_key",
]
