# SPDX-License-Identifier: Apache-2.0
"""Settings of a node: flags above environment above file above defaults."""

from pathlib import Path

import pytest

from truthmark.config.profile import ChainProfile, TokenInfo
from truthmark.errors import ConfigError
from truthmark.node.settings import load_node_settings

USDC = "0x" + "aA" * 20
PROFILE = ChainProfile("live", 1, tokens=(TokenInfo("USDC", USDC, 6),))


def test_load_node_settings__nothing_said__follows_the_chain(tmp_path: Path) -> None:
    settings = load_node_settings(tmp_path, PROFILE)
    assert settings.policy.margin_seconds == 60
    assert settings.policy.gas_reserve == 10**16
    assert settings.policy.extends
    assert (settings.validator, settings.poll_seconds, settings.notify_url) == (None, None, None)
    assert (settings.status_port, settings.blocks_port, settings.dry_run) == (None, None, False)
    quick = ChainProfile("devnet", 31337, block_time=0.5)
    assert load_node_settings(tmp_path, quick).policy.margin_seconds == 3


def test_load_node_settings__file_environment_flag__the_nearest_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node.toml").write_text(
        'margin = 7\npoll = 2\nextend = false\nmin_bond = ["10 USDC"]\n'
        'confirmations = ["1000 USDC=30"]\ngas_reserve = "0.5"\n'
    )
    settings = load_node_settings(tmp_path, PROFILE)
    assert (settings.policy.margin_seconds, settings.poll_seconds) == (7, 2)
    assert not settings.policy.extends
    assert settings.policy.gas_reserve == 5 * 10**17
    assert settings.policy.min_bond(USDC.lower()) == 10 * 10**6
    assert settings.policy.confirmations_for(USDC, 1_000 * 10**6, 12) == 30
    monkeypatch.setenv("TRUTHMARK_NODE_MARGIN", "8")
    monkeypatch.setenv("TRUTHMARK_NODE_CONFIRMATIONS", "1 USDC=2, 5 USDC=3")
    settings = load_node_settings(tmp_path, PROFILE, margin=None, confirmations=())
    assert settings.policy.margin_seconds == 8
    assert settings.policy.confirmations_for(USDC, 5 * 10**6, 12) == 3
    settings = load_node_settings(tmp_path, PROFILE, margin=9, extend=True)
    assert settings.policy.margin_seconds == 9
    assert settings.policy.extends


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
        ("margin = ", "node.toml"),
    ],
)
def test_load_node_settings__unusable__is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_node_settings(tmp_path, PROFILE)
