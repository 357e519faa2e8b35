# SPDX-License-Identifier: Apache-2.0
"""Settings of a node: flags above environment above file above defaults."""

from pathlib import Path

import pytest

from truthmark.config.profile import ChainProfile, TokenInfo
from truthmark.errors import ConfigError
from truthmark.node.settings import custodian_policy, load_node_settings

USDC = "0x" + "aA" * 20
PROFILE = ChainProfile("live", 1, tokens=(TokenInfo("USDC", USDC, 6),))


def test_load_node_settings__nothing_said__follows_the_chain(tmp_path: Path) -> None:
    settings = load_node_settings(tmp_path, PROFILE)
    assert custodian_policy(settings, PROFILE).margin_seconds == 60
    assert custodian_policy(settings, PROFILE).gas_reserve == 10**16
    assert custodian_policy(settings, PROFILE).extends
    assert (settings.validator, settings.poll, settings.notify) == (None, None, None)
    assert (settings.status_port, settings.blocks_port, settings.dry_run) == (None, None, False)
    quick = ChainProfile("devnet", 31337, block_time=0.5)
    assert custodian_policy(load_node_settings(tmp_path, quick), quick).margin_seconds == 3


def test_load_node_settings__file_environment_flag__the_nearest_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node.toml").write_text(
        'margin = 7\npoll = 2\nextend = false\nmin_bond = ["10 USDC"]\n'
        'confirmations = ["1000 USDC=30"]\ngas_reserve = "0.5"\n'
    )
    settings = load_node_settings(tmp_path, PROFILE)
    assert (custodian_policy(settings, PROFILE).margin_seconds, settings.poll) == (7, 2)
    assert not custodian_policy(settings, PROFILE).extends
    assert custodian_policy(settings, PROFILE).gas_reserve == 5 * 10**17
    assert custodian_policy(settings, PROFILE).min_bond(USDC.lower()) == 10 * 10**6
    assert custodian_policy(settings, PROFILE).confirmations_for(USDC, 1_000 * 10**6, 12) == 30
    monkeypatch.setenv("TRUTHMARK_NODE_MARGIN", "8")
    monkeypatch.setenv("TRUTHMARK_NODE_CONFIRMATIONS", "1 USDC=2, 5 USDC=3")
    settings = load_node_settings(tmp_path, PROFILE, margin=None, confirmations=())
    assert custodian_policy(settings, PROFILE).margin_seconds == 8
    assert custodian_policy(settings, PROFILE).confirmations_for(USDC, 5 * 10**6, 12) == 3
    settings = load_node_settings(tmp_path, PROFILE, margin=9, extend=True)
    assert custodian_policy(settings, PROFILE).margin_seconds == 9
    assert custodian_policy(settings, PROFILE).extends


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("margin = 0", "margin"),
        ("margin = 'soon'", "margin"),
        ("poll = 0", "poll"),
        ("colour = 'red'", "colour"),
        ("gas_reserve = 'much'", "gas_reserve"),
        ("gas_reserve = '-1'", "gas_reserve"),
        ("min_bond = ['10']", "amount"),
        ("min_bond = ['10 DAI']", "DAI"),
        ("confirmations = ['10 USDC']", "confirmations"),
        ("confirmations = ['10 USDC=0']", "confirmations"),
        ("confirmations = ['10 USDC=many']", "confirmations"),
        ("max_waiting = 0", "max_waiting"),
        ("settle_wait = -1", "settle_wait"),
        ("validator = 'me'", "me"),
        ("roles = 'cook'", "roles"),
        ("margin = ", "node.toml"),
    ],
)
def test_load_node_settings__unusable__is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_node_settings(tmp_path, PROFILE)
