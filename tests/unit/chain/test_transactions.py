# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from truthmark.chain.transactions import TransactionReceipt
from truthmark.errors import MalformedReplyError


def reply(**changes: Any) -> dict[str, Any]:
    return {
        "transactionHash": "0x" + "00" * 32,
        "blockNumber": "0x1",
        "blockHash": "0x" + "00" * 32,
        "status": "0x1",
        "gasUsed": "0x1",
        "logs": [],
        **changes,
    }


@pytest.mark.parametrize("address", ["0x" + "ab" * 20, "0x" + "AB" * 20])
def test_receipt__of_a_deployment__names_the_contract(address: str) -> None:
    receipt = TransactionReceipt.from_rpc(reply(contractAddress=address))
    assert receipt is not None and receipt.contract_address is not None
    assert receipt.contract_address.lower() == address.lower()


@pytest.mark.parametrize("address", [None, ""])
def test_receipt__of_a_call__names_none(address: Any) -> None:
    receipt = TransactionReceipt.from_rpc(reply(contractAddress=address))
    assert receipt is not None and receipt.contract_address is None


@pytest.mark.parametrize("address", [["x"], {"a": 1}, 7, "x", "0x12", "0x" + "zz" * 20])
def test_receipt__damaged_address__is_malformed(address: Any) -> None:
    with pytest.raises(MalformedReplyError, match="try another one"):
        TransactionReceipt.from_rpc(reply(contractAddress=address))
