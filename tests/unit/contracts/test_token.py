# SPDX-License-Identifier: Apache-2.0
"""The protocol token and the test token: supply, transfers, permits, and nobody's powers."""

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.utils.contracts import events, reasons, reverts
from tests.utils.tokens import deploy_test_token, deployer

ZERO = "0x" + "00" * 20
SUPPLY = 10**9 * 10**18
WALLET = Account.from_key(b"\x07" * 32)


@pytest.fixture(autouse=True)
def isolation() -> Iterator[None]:
    with boa.env.anchor():
        boa.env.timestamp = 2_000_000_000
        yield


@pytest.fixture
def protocol_token() -> Any:
    return deployer("ProtocolToken").deploy(WALLET.address, SUPPLY)


@pytest.fixture
def dollar() -> Any:
    token = deploy_test_token()
    token.mint(WALLET.address, SUPPLY)
    return token


@pytest.fixture(params=["protocol_token", "dollar"])
def token(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def spender() -> str:
    return boa.env.generate_address("spender")


@pytest.fixture
def stranger() -> str:
    return boa.env.generate_address("stranger")


def sign_permit(token: Any, spender: str, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
    """Sign as a wallet does: EIP-2612 over the domain that the token says of itself."""
    domain = token.eip712Domain()
    signed = Account.sign_message(
        encode_typed_data(
            {
                "name": domain[1],
                "version": domain[2],
                "chainId": domain[3],
                "verifyingContract": domain[4],
            },
            {
                "Permit": [
                    {"name": "owner", "type": "address"},
                    {"name": "spender", "type": "address"},
                    {"name": "value", "type": "uint256"},
                    {"name": "nonce", "type": "uint256"},
                    {"name": "deadline", "type": "uint256"},
                ]
            },
            {
                "owner": WALLET.address,
                "spender": spender,
                "value": amount,
                "nonce": token.nonces(WALLET.address),
                "deadline": deadline,
            },
        ),
        WALLET.key,
    )
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def test_init__protocol_token__gives_the_whole_supply_to_the_holder(protocol_token: Any) -> None:
    assert (protocol_token.name(), protocol_token.symbol()) == ("Truthmark", "TMK")
    assert protocol_token.decimals() == 18
    assert protocol_token.totalSupply() == SUPPLY
    assert protocol_token.balanceOf(WALLET.address) == SUPPLY
    domain = protocol_token.eip712Domain()
    assert (domain[1], domain[2], domain[4]) == ("Truthmark", "1", protocol_token.address)


def test_init__no_supply_or_no_holder__is_refused() -> None:
    assert reasons("ProtocolToken.vy") == {"token: supply is zero"}
    with boa.reverts(vm_error="token: supply is zero"):
        deployer("ProtocolToken").deploy(WALLET.address, 0)
    with boa.reverts(vm_error="erc20: mint to the zero address"):
        deployer("ProtocolToken").deploy(ZERO, 1)


def test_abi__protocol_token__holds_exactly_an_erc20_with_permits(protocol_token: Any) -> None:
    """No minting, no burning, no owner: nobody can change the supply or stop a transfer."""
    functions = {entry["name"] for entry in protocol_token.abi if entry["type"] == "function"}
    assert functions == {
        *("name", "symbol", "decimals", "totalSupply", "balanceOf", "allowance"),
        *("transfer", "approve", "transferFrom"),
        *("permit", "nonces", "DOMAIN_SEPARATOR", "eip712Domain"),
    }


def test_init__protocol_token__leaves_neither_owner_nor_minter(protocol_token: Any) -> None:
    logs = events(protocol_token)
    assert logs[-2] == (
        "OwnershipTransferred",
        {"previous_owner": boa.env.eoa, "new_owner": ZERO},
    )
    minters = [fields for name, fields in logs if name == "RoleMinterChanged"]
    assert minters == [
        {"minter": boa.env.eoa, "status": True},
        {"minter": boa.env.eoa, "status": False},
    ]
    assert logs[-1] == (
        "Transfer",
        {"sender": ZERO, "receiver": WALLET.address, "value": SUPPLY},
    )


def test_transfer__covered__moves_and_more__is_refused(
    token: Any, spender: str, stranger: str
) -> None:
    token.transfer(spender, 30, sender=WALLET.address)
    assert events(token) == [
        ("Transfer", {"sender": WALLET.address, "receiver": spender, "value": 30})
    ]
    assert (token.balanceOf(spender), token.balanceOf(WALLET.address)) == (30, SUPPLY - 30)
    with reverts(token, "erc20: transfer amount exceeds balance"):
        token.transfer(stranger, 31, sender=spender)


def test_transfer_from__allowance__is_used_up(token: Any, spender: str) -> None:
    token.approve(spender, 30, sender=WALLET.address)
    token.transferFrom(WALLET.address, spender, 20, sender=spender)
    assert token.allowance(WALLET.address, spender) == 10
    with reverts(token, "erc20: insufficient allowance"):
        token.transferFrom(WALLET.address, spender, 11, sender=spender)


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_permit__around_its_deadline__approves_until_it(
    token: Any, spender: str, stranger: str, shift: int
) -> None:
    deadline = boa.env.timestamp + 100
    signature = sign_permit(token, spender, 500, deadline)
    boa.env.timestamp = deadline + shift
    arguments = (WALLET.address, spender, 500, deadline, *signature)
    if shift > 0:
        with reverts(token, "erc20: expired deadline"):
            token.permit(*arguments, sender=stranger)
        assert token.allowance(WALLET.address, spender) == 0
        return
    token.permit(*arguments, sender=stranger)
    assert token.allowance(WALLET.address, spender) == 500
    assert token.nonces(WALLET.address) == 1
    with reverts(token, "erc20: invalid signature"):  # the nonce is used up
        token.permit(*arguments, sender=stranger)


@pytest.mark.parametrize("change", ["amount", "spender", "deadline", "token"])
def test_permit__for_something_else__is_refused(
    token: Any, spender: str, stranger: str, change: str
) -> None:
    deadline = boa.env.timestamp + 100
    signed_for = deploy_test_token() if change == "token" else token
    signature = sign_permit(signed_for, spender, 500, deadline)
    with reverts(token, "erc20: invalid signature"):
        token.permit(
            WALLET.address,
            stranger if change == "spender" else spender,
            500 + (change == "amount"),
            deadline + (change == "deadline"),
            *signature,
        )


@pytest.mark.parametrize("decimals", [0, 6, 8, 18])
def test_mint__test_token__by_anyone(stranger: str, decimals: int) -> None:
    token = deploy_test_token("Test Dollar", "TUSD", decimals)
    assert (token.name(), token.symbol(), token.decimals()) == ("Test Dollar", "TUSD", decimals)
    token.mint(stranger, 5, sender=stranger)
    assert events(token) == [("Transfer", {"sender": ZERO, "receiver": stranger, "value": 5})]
    assert token.balanceOf(stranger) == token.totalSupply() == 5
