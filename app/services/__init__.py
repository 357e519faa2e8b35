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
    acting_as,
    choose_account,
    choose_role,
    remember_choice,
    role,
    roles,
    unlock,
)
from app.services.bounties import KINDS, find_bounties
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
from app.services.earning import draw_royalties, earnings
from app.services.networks import can_warp, network, warp_past
from app.services.one_bounty import bounty, challenge_of, clock_of, disprove, pay_out, samples
from app.services.reading import is_local
from app.services.sampled import sample_of_dataset
from app.services.selling import (
    acceptance,
    back_up,
    deal_again,
    discard,
    list_packed,
    open_sample,
    pack,
    sell_options,
    uploaded,
)
from app.services.staking import (
    MOST_TICKETS,
    add_stake,
    challengeable,
    my_validator,
    publish_offer,
    register,
    set_available,
    take_stake_out,
    top_up_stake,
    validators,
    withdraw_offer,
    withdraw_stake,
)
from app.services.texts import said_of
from app.services.wallets import taking_out, topping_up, wallet_offer
from truthmark.errors import TruthmarkError
from truthmark.web.assets import source as web_source

__all__ = [
    "KINDS",
    "MOST_TICKETS",
    "TruthmarkError",
    "acceptance",
    "account",
    "account_names",
    "acting_as",
    "add_stake",
    "back_up",
    "bounty",
    "can_warp",
    "challenge_of",
    "challengeable",
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
    "draw_royalties",
    "earnings",
    "find_bounties",
    "forget_price",
    "is_local",
    "list_packed",
    "may_be_paid_already",
    "my_validator",
    "network",
    "open_purchase",
    "open_sample",
    "pack",
    "pay",
    "pay_out",
    "prepare",
    "prepared",
    "publish_offer",
    "purchase_by_key",
    "purchase_of",
    "purchases",
    "register",
    "remember_choice",
    "role",
    "roles",
    "said_of",
    "sample_of_dataset",
    "samples",
    "save_purchase",
    "search",
    "sell_options",
    "set_available",
    "silence_of",
    "take_back",
    "take_stake_out",
    "taking_out",
    "tokens",
    "top_up_stake",
    "topping_up",
    "unlock",
    "uploaded",
    "validators",
    "wallet_offer",
    "warp_past",
    "web_source",
    "withdraw",
    "withdraw_offer",
    "withdraw_stake",
    "wrong_key",
]
