# SPDX-License-Identifier: Apache-2.0
"""What visitors may do with a wallet of their own browser: their keys never come here."""

from app import views
from app.services.reading import shared_session
from app.services.texts import amount_of
from truthmark.config.units import to_checksum_address
from truthmark.market.settlement import Settlement
from truthmark.web.hosting import open_endpoints


def payout_offer(account: str) -> views.WalletOffer:
    """Return the transactions that pay an account what the contracts hold for it.

    Args:
        account: Address; empty where no wallet is connected yet.

    Raises:
        ConfigError: This is no address.
        ChainError: The chain cannot be read.
    """
    session = shared_session()
    profile = session.profile
    calls: list[views.WalletCall] = []
    if account:
        account = to_checksum_address(account)
        for token in profile.tokens:
            for call, units in Settlement(session).plan_withdraw(token.address, account):
                amount = amount_of(session, units, token.address)
                contract = call.contract
                calls.append(
                    views.WalletCall(
                        key=f"{contract.address}-{token.address}",
                        title=f"Take out {amount}",
                        action=f"Withdraw {amount}",
                        details=(
                            ("Paid to", account),
                            ("By contract", contract.address),
                            ("On network", f"{profile.name} (chain {profile.chain_id})"),
                            ("Costs you", f"gas alone, in {profile.native_symbol}"),
                        ),
                        to=contract.address,
                        data="0x" + call.data.hex(),
                    )
                )
    return views.WalletOffer(
        chain_id=profile.chain_id,
        network=profile.name,
        currency=profile.native_symbol,
        confirmations=profile.confirmations,
        endpoints=tuple(open_endpoints(profile)),
        account=account,
        calls=tuple(calls),
    )
