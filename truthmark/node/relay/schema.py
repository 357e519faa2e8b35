# SPDX-License-Identifier: Apache-2.0
"""The tables of a relay."""

import sqlalchemy as sa

metadata = sa.MetaData()

_BIG = sa.BigInteger()
# SQLite numbers rows by themselves only where the type is INTEGER.
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

facts = sa.Table(
    "relay_facts",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Whose database this is."""

bounties = sa.Table(
    "relay_bounties",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("terms_hash", sa.LargeBinary, nullable=False),
    sa.Column("number", _BIG, nullable=False),
    sa.Column("offer", sa.Text, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("is_over", sa.Boolean, nullable=False, default=False),
)
"""What is served, by the requester's newest offer."""

guests = sa.Table(
    "relay_guests",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("guest", sa.String(66), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("signer", sa.String(42)),
)
"""Who is invited: an address, or the hash of a code and the key that showed it first."""

joins = sa.Table(
    "relay_joins",
    metadata,
    sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("bounty_id", _BIG, nullable=False),
    sa.Column("signer", sa.String(42), nullable=False),
    sa.Column("payee", sa.String(42), nullable=False),
    sa.Column("seats", sa.Integer, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("guest", sa.String(66)),
    sa.Column("batch", sa.Integer),
    sa.Column("reason", sa.Text),
    sa.UniqueConstraint("bounty_id", "signer"),
)
"""Who wants seats, in order; with the batch that brings them to the chain, or why none does."""

readers = sa.Table(
    "relay_readers",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("signer", sa.String(42), primary_key=True),
    sa.Column("reader", sa.String(42), nullable=False),
)
"""Keys that may ask for the items of a signer beside the signer, named when they joined."""

commits = sa.Table(
    "relay_commits",
    metadata,
    sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("bounty_id", _BIG, nullable=False),
    sa.Column("seed", sa.LargeBinary, nullable=False),
    sa.Column("worker", sa.Integer, nullable=False),
    sa.Column("seats", sa.Integer, nullable=False),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("batch", sa.Integer),
    sa.UniqueConstraint("bounty_id", "seed", "worker"),
)
"""Signed commits, likewise."""

batches = sa.Table(
    "relay_batches",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rows", sa.LargeBinary, nullable=False),
    sa.Column("is_last", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
)
"""Exactly what one call brings; on disk before it is sent, so that no other takes its place."""

files = sa.Table(
    "relay_files",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("worker", sa.Integer, primary_key=True),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
)
"""Sealed labels."""

acknowledgements = sa.Table(
    "relay_acknowledgements",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("worker", sa.Integer, primary_key=True),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
)
"""The receiver's word that it has them."""

deposits = sa.Table(
    "relay_deposits",
    metadata,
    sa.Column("bounty_id", _BIG, primary_key=True),
    sa.Column("seed", sa.LargeBinary(32), primary_key=True),
    sa.Column("worker", sa.Integer, primary_key=True),
    sa.Column("seats", sa.Integer, nullable=False),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("file", sa.LargeBinary, nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary),
    sa.Column("state", sa.String(40), nullable=False),
)
"""What labelers left with this node as a watch node; what was signed under one seed is nothing
under another, which a reorganisation may bring."""

notices = sa.Table(
    "relay_notices",
    metadata,
    sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("bounty_id", _BIG, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("due_at", _BIG, nullable=False),
)
"""What is still to be posted to requesters."""
