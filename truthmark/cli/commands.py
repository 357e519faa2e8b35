# SPDX-License-Identifier: Apache-2.0
"""All commands by topic: where each is, and its help in a line.

So `truthmark --help` loads none of them. A test holds each line against the command's docstring.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is: a module of this package and the name of its function."""

    module: str
    function: str
    help: str


TOPICS: dict[str, dict[str, Entry]] = {
    "Set up": {
        "init": Entry("setup", "init", "Choose a network, and remember the choice."),
        "app": Entry(
            "app",
            "app",
            "Open the app in a browser: the market, labeling, asking for labels, stake.",
        ),
        "certificate": Entry(
            "certificate",
            "certificate",
            "Make a certificate for HOST, by which labelers' browsers reach this machine.",
        ),
        "doctor": Entry("setup", "doctor", "Check that everything works, and say what to do."),
        "wallet": Entry("wallet", "wallet", "Accounts, and backups of all secrets."),
        "balance": Entry(
            "money", "balance", "Show what ACCOUNT has, and what the contracts hold for it."
        ),
        "withdraw": Entry(
            "money", "withdraw", "Pay out all that the contracts hold for the account."
        ),
    },
    "Pack": {
        "dataset": Entry(
            "dataset", "dataset", "Pack and open data on this machine, without a chain."
        ),
    },
    "Sell": {
        "list": Entry("sell", "list_dataset", "Put data up for sale."),
        "reprice": Entry(
            "manage", "reprice", 'Set the PRICE of DATASET for later buyers, such as "30 TUSD".'
        ),
        "pause": Entry("manage", "pause", "Stop selling DATASET for a while."),
        "resume": Entry("manage", "resume", "Sell a paused DATASET again."),
        "retire": Entry(
            "manage", "retire", "Stop selling DATASET for ever; what was sold is still delivered."
        ),
        "close": Entry("manage", "close", "Take the bond back after the end of DATASET."),
        "top-up": Entry("manage", "top_up", "Pay custodians of DATASET for staying longer."),
        "renew": Entry("sell", "renew", "Give the key of DATASET to custodians again."),
        "voucher": Entry("vouchers", "voucher", "Offer DATASET to BUYER at a special price, once."),
        "admit": Entry(
            "vouchers", "admit", "Admit the account BUYER to DATASET, whose gate you are."
        ),
        "sales": Entry("sales", "sales", "Show what you sell, and the state of each sale."),
        "deliver": Entry("sales", "deliver", "Deliver what was bought from you in direct mode."),
        "settle": Entry("sales", "settle", "Settle sales whose inspection window is over."),
        "royalties": Entry(
            "royalties", "royalties", "What sales of labeled data owe those who labeled it."
        ),
    },
    "Buy": {
        "search": Entry("browse", "search", "Find what is for sale."),
        "show": Entry("browse", "show", "Show everything about DATASET."),
        "preview": Entry(
            "preview", "preview", "Look at parts of DATASET that chance picked, before you pay."
        ),
        "fetch": Entry("buy", "fetch", "Download DATASET, encrypted, and check it."),
        "buy": Entry("buy", "buy", "Fetch, check and pay for DATASET."),
        "get": Entry("buy", "get", "Buy DATASET and open it in the new FOLDER."),
        "purchases": Entry("purchases", "purchases", "Show what you bought, and what to do next."),
        "keys": Entry("keys", "keys", "Keys of what you bought, to open it elsewhere."),
        "refund": Entry("after", "refund", "Get money back for keys that did not come."),
        "dispute": Entry(
            "remedies",
            "dispute",
            "Find out what is wrong with DATASET, and have the contract judge what it can.",
        ),
        "expose": Entry(
            "remedies", "expose", "Show everybody what is rotten in DATASET, which you bought."
        ),
        "confirm": Entry(
            "remedies", "confirm", "Have the seller of DATASET paid now, as it is what you wanted."
        ),
        "reject": Entry(
            "remedies",
            "reject",
            "Have the guaranteed share of your price for DATASET burned, as it is not what was"
            " offered.",
        ),
        "rule": Entry("remedies", "rule", "End the sale of DATASET, whose arbiter you are."),
        "review": Entry(
            "remedies",
            "review",
            "Say what DATASET, which you bought, was worth: SCORE from 1, bad, to 5, good, and"
            " TEXT.",
        ),
    },
    "Keep keys for others": {
        "stake": Entry(
            "node", "stake", "Stake, register and offer: what a validator's owner does."
        ),
        "node": Entry(
            "node",
            "node",
            "The daemon that keeps shares and bytes for sellers, and delivers to buyers.",
        ),
    },
    "Label": {
        "bounty": Entry(
            "bounty", "bounty", "Have items labeled, or label them, and be paid by a rule."
        ),
        "agent": Entry("agent", "agent", "Programs that label."),
        "labels": Entry(
            "labels",
            "labels",
            "Turn many people's labels into one for each item, and see how good they are.",
        ),
    },
    "Try and look into": {
        "devnet": Entry("devnet", "devnet", "A network on this machine, to try everything out."),
        "attack": Entry(
            "attack",
            "attack",
            "Try to be paid without working: what STRATEGY would earn on recorded crowds.",
        ),
        "index": Entry("indexing", "index", "All events of the market as tables."),
        "storage": Entry(
            "storage", "storage", "What data sets take on this disk, and how to free it."
        ),
    },
}

BOUNTY: dict[str, Entry] = {
    "estimate": Entry(
        "bounty_estimate", "estimate_", "Show what labeling SOURCE would cost, take and pay."
    ),
    "gold": Entry(
        "bounty_gold",
        "gold",
        "Label some of SOURCE yourself: people are judged by it, and nobody is told which ones.",
    ),
    "pilot": Entry(
        "bounty_gold",
        "pilot",
        "Label some of SOURCE to learn what an item takes, and get labels an item and a price for"
        " it.",
    ),
    "create": Entry("bounty_create", "create", "Have SOURCE labeled, and pay for it."),
    "run": Entry(
        "bounty_run",
        "run_bounty",
        "Run your bounties until everybody is paid: BOUNTY, or all of this home.",
    ),
    "status": Entry(
        "bounty_status", "status", "Show how BOUNTY stands, what comes next, and what you earn."
    ),
    "list": Entry(
        "bounty_offers", "list_bounties", "Show which bounties can be joined, and what they pay."
    ),
    "show": Entry(
        "bounty_offers",
        "show",
        "Show all about BOUNTY: what is asked, how it pays, and who is behind it.",
    ),
    "practice": Entry(
        "bounty_practice",
        "practice",
        "Try BOUNTY on items with known answers; nobody learns how it went.",
    ),
    "join": Entry("bounty_join", "join", "Ask for a place in BOUNTY."),
    "label": Entry("bounty_label", "label", "Label BOUNTY, which you have joined, in one sitting."),
    "gate": Entry(
        "bounty_gate",
        "gate",
        "Contracts that say who may join: name one by `truthmark bounty create --gate`.",
    ),
    "cite": Entry(
        "bounty_cite",
        "cite",
        "Let SELLER list what your BOUNTY made, with a royalty for labelers.",
    ),
    "result": Entry(
        "bounty_result",
        "result",
        "Show what BOUNTY brought so far, checked against the chain, and write it as tables.",
    ),
    "verify": Entry("bounty_result", "verify", "Check any finished bounty from scratch."),
    "prove": Entry(
        "bounty_prove",
        "prove",
        "Prove that a score is wrong, by a FILE that a label page saved; anyone may.",
    ),
    "payout": Entry(
        "bounty_payout", "payout", "Pay everyone in BOUNTY after it has ended; anyone may."
    ),
}
"""`truthmark bounty …`: requesters first, then who runs it, labelers, anyone."""

AGENT: dict[str, Entry] = {
    "run": Entry("agent_run", "run", "Label with a program."),
}
"""`truthmark agent …`."""
