# SPDX-License-Identifier: Apache-2.0
"""All commands by topic: where each is, and its help in a line.

So `truthmark --help` loads none of them. A test holds each line against the command's docstring.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is: a module of this package, and its function, if not called like it."""

    module: str
    help: str
    function: str = ""


TOPICS: dict[str, dict[str, Entry]] = {
    "Set up": {
        "init": Entry("setup", "Choose a network, and remember the choice."),
        "app": Entry(
            "app", "Open the app in a browser: the market, labeling, asking for labels, stake."
        ),
        "certificate": Entry(
            "certificate",
            "Make a certificate for HOST, by which labelers' browsers reach this machine.",
        ),
        "doctor": Entry("doctor", "Check that everything works, and say what to do."),
        "wallet": Entry("wallet", "Accounts, and backups of all secrets."),
        "balance": Entry("money", "Show what ACCOUNT has, and what the contracts hold for it."),
        "withdraw": Entry("money", "Pay out all that the contracts hold for the account."),
    },
    "Pack": {
        "dataset": Entry("dataset", "Pack and open data on this machine, without a chain."),
    },
    "Sell": {
        "list": Entry("sell", "Put data up for sale.", function="list_dataset"),
        "reprice": Entry("manage", 'Set the PRICE of DATASET for later buyers, such as "30 TUSD".'),
        "pause": Entry("manage", "Stop selling DATASET for a while."),
        "resume": Entry("manage", "Sell a paused DATASET again."),
        "retire": Entry(
            "manage", "Stop selling DATASET for ever; what was sold is still delivered."
        ),
        "close": Entry("manage", "Take the bond back after the end of DATASET."),
        "top-up": Entry("manage", "Pay custodians of DATASET for staying longer."),
        "renew": Entry("sell", "Give the key of DATASET to custodians again."),
        "voucher": Entry("vouchers", "Offer DATASET to BUYER at a special price, once."),
        "admit": Entry("vouchers", "Admit the account BUYER to DATASET, whose gate you are."),
        "sales": Entry("sales", "Show what you sell, and the state of each sale."),
        "deliver": Entry("sales", "Deliver what was bought from you in direct mode."),
        "settle": Entry("sales", "Settle sales whose inspection window is over."),
        "royalties": Entry("royalties", "What sales of labeled data owe those who labeled it."),
    },
    "Buy": {
        "search": Entry("browse", "Find what is for sale."),
        "show": Entry("show", "Show everything about DATASET."),
        "preview": Entry("preview", "Look at parts of DATASET that chance picked, before you pay."),
        "fetch": Entry("buy", "Download DATASET, encrypted, and check it."),
        "buy": Entry("buy", "Fetch, check and pay for DATASET."),
        "get": Entry("buy", "Buy DATASET and open it in the new FOLDER."),
        "purchases": Entry("purchases", "Show what you bought, and what to do next."),
        "keys": Entry("keys", "Keys of what you bought, to open it elsewhere."),
        "refund": Entry("after", "Get money back for keys that did not come."),
        "dispute": Entry(
            "remedies",
            "Find out what is wrong with DATASET, and have the contract judge what it can.",
        ),
        "expose": Entry("remedies", "Show everybody what is rotten in DATASET, which you bought."),
        "confirm": Entry(
            "remedies", "Have the seller of DATASET paid now, as it is what you wanted."
        ),
        "reject": Entry(
            "remedies",
            "Have the guaranteed share of your price for DATASET burned, as it is not what was"
            " offered.",
        ),
        "rule": Entry("remedies", "End the sale of DATASET, whose arbiter you are."),
        "review": Entry(
            "remedies",
            "Say what DATASET, which you bought, was worth: SCORE from 1, bad, to 5, good, and"
            " TEXT.",
        ),
    },
    "Keep keys for others": {
        "stake": Entry("node", "Stake, register and offer: what a validator's owner does."),
        "node": Entry(
            "node", "The daemon that keeps shares and bytes for sellers, and delivers to buyers."
        ),
    },
    "Label": {
        "bounty": Entry("bounty", "Have items labeled, or label them, and be paid by a rule."),
        "agent": Entry("agent", "Programs that label."),
        "labels": Entry(
            "labels", "Turn many people's labels into one for each item, and see how good they are."
        ),
    },
    "Try and look into": {
        "devnet": Entry("devnet", "A network on this machine, to try everything out."),
        "attack": Entry(
            "attack", "Try to be paid without working: what STRATEGY would earn on recorded crowds."
        ),
        "index": Entry("indexing", "All events of the market as tables."),
        "storage": Entry("storage", "What data sets take on this disk, and how to free it."),
    },
}

BOUNTY: dict[str, Entry] = {
    "estimate": Entry(
        "bounty_estimate",
        "Show what labeling SOURCE would cost, take and pay.",
        function="estimate_",
    ),
    "gold": Entry(
        "bounty_gold",
        "Label some of SOURCE yourself: people are judged by it, and nobody is told which ones.",
    ),
    "pilot": Entry(
        "bounty_gold",
        "Label some of SOURCE to learn what an item takes, and get labels an item and a price for"
        " it.",
    ),
    "create": Entry("bounty_create", "Have SOURCE labeled, and pay for it."),
    "run": Entry(
        "bounty_run",
        "Run your bounties until everybody is paid: BOUNTY, or all of this home.",
        function="run_bounty",
    ),
    "status": Entry("bounty_status", "Show how BOUNTY stands, what comes next, and what you earn."),
    "list": Entry(
        "bounty_offers",
        "Show which bounties can be joined, and what they pay.",
        function="list_bounties",
    ),
    "show": Entry(
        "bounty_offers", "Show all about BOUNTY: what is asked, how it pays, and who is behind it."
    ),
    "practice": Entry(
        "bounty_practice", "Try BOUNTY on items with known answers; nobody learns how it went."
    ),
    "join": Entry("bounty_join", "Ask for a place in BOUNTY."),
    "label": Entry("bounty_label", "Label BOUNTY, which you have joined, in one sitting."),
    "gate": Entry(
        "bounty_gate",
        "Contracts that say who may join: name one by `truthmark bounty create --gate`.",
    ),
    "cite": Entry(
        "bounty_cite", "Let SELLER list what your BOUNTY made, with a royalty for labelers."
    ),
    "result": Entry(
        "bounty_result",
        "Show what BOUNTY brought so far, checked against the chain, and write it as tables.",
    ),
    "verify": Entry("bounty_result", "Check any finished bounty from scratch."),
    "prove": Entry(
        "bounty_prove",
        "Prove that a score is wrong, by a FILE that a label page saved; anyone may.",
    ),
    "payout": Entry("bounty_payout", "Pay everyone in BOUNTY after it has ended; anyone may."),
}
"""`truthmark bounty …`: requesters first, then who runs it, labelers, anyone."""

AGENT: dict[str, Entry] = {
    "run": Entry("agent_run", "Label with a program."),
}
"""`truthmark agent …`."""
