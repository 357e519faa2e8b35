# SPDX-License-Identifier: Apache-2.0
"""`truthmark init`: which network a home uses."""

import json
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import echo_json, info, print_fields
from truthmark.cli.param_types import FOLDER, NEW_FILE
from truthmark.config.profile import ChainProfile, home_folder, load_profile, profile_names
from truthmark.config.settings import load_settings, save_settings
from truthmark.errors import ConfigError


@command()
@click.option(
    "--devnet",
    "net_folder",
    type=FOLDER,
    help="Use the local network of this folder.",
)
@click.option(
    "--profile-file",
    type=NEW_FILE,
    help="Copy this chain profile into the home, and use it.",
)
@click.option(
    "--private-host",
    "private_hosts",
    multiple=True,
    metavar="ADDRESS",
    help="IP address or network of your own that bounties' documents may name; all that may.",
)
@json_option
def init(
    state: State,
    net_folder: Path | None,
    profile_file: Path | None,
    private_hosts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Choose a network, and remember the choice.

    Writes --profile, --account, --rpc, --storage and --private-host into config.toml of the home
    folder; what is not given stays unchanged.

    A relay or receiver in your office is asked, though documents of strangers name it, once
    --private-host 192.168.1.7 or a network such as 192.168.1.0/24 allows that.
    """
    home = (state.home or home_folder()).expanduser().absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    chosen: dict[str, Any] = dict(state.given)
    if private_hosts:
        chosen["private_hosts"] = private_hosts
    if net_folder is not None and profile_file is not None:
        raise click.UsageError("give --devnet or --profile-file, not both")
    if net_folder is not None:
        # No other setting up needs what networks are made of.
        from truthmark.testing.network import Devnet

        net = Devnet.open(net_folder)
        net.profile.save(home / "profiles")
        chosen.setdefault("profile", net.profile.name)
        chosen.setdefault("storage", (f"local:{net.folder / 'store'}",))
    elif profile_file is not None:
        profile = _read_profile(profile_file)
        profile.save(home / "profiles")
        chosen.setdefault("profile", profile.name)
    settings = load_settings(home, **chosen)
    known = profile_names(home)
    is_named = "profile" in settings.named
    if is_named or settings.profile in known:
        load_profile(settings.profile, home)
    save_settings(home, chosen)
    settings = load_settings(home)
    if as_json:
        echo_json(
            {
                "home": str(home),
                "profile": settings.profile,
                "account": settings.account,
                "storage": list(settings.storage),
                "rpc": list(settings.rpc),
                "private_hosts": list(settings.private_hosts),
            }
        )
        return
    print_fields(
        [
            ("home", home),
            ("profile", settings.profile if settings.profile in known else "none yet"),
            ("account", settings.account or "none yet: `truthmark wallet new NAME`"),
            ("storage", ", ".join(settings.storage)),
            ("endpoints", ", ".join(settings.rpc)),
            ("private hosts", ", ".join(settings.private_hosts)),
        ]
    )
    if settings.profile not in known:
        info(
            f"choose a network: one of {', '.join(known) or 'your own'} with --profile, or a "
            "local one with `truthmark devnet up FOLDER` and --devnet FOLDER"
        )
    info("written to config.toml; `truthmark doctor` tells whether all is well")


def _read_profile(path: Path) -> Any:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read chain profile {path}: {error}; get it again") from error
    return ChainProfile.from_dict(data if isinstance(data, dict) else {})
