# SPDX-License-Identifier: Apache-2.0
"""`truthmark certificate`: HTTPS for labelers on other machines."""

import click

from truthmark.cli.command import State, command
from truthmark.cli.output import echo, info
from truthmark.node.certificate import CERTIFICATE, make_certificate


@command()
@click.argument("host")
def certificate(state: State, host: str) -> None:
    """Make a certificate for HOST, by which labelers' browsers reach this machine.

    HOST is this machine's address in your network, such as 192.168.1.5, or its name. Then give your
    bounties the address https://HOST:PORT, and `truthmark bounty run` answers there. No
    authority signed it, so each browser warns once, and keeps the page for no reload without a
    network. Better ones go to the same place: certificate.pem and certificate.key in the home
    folder.
    """
    folder = state.settings.home
    fingerprint = make_certificate(folder, host)
    echo(str(folder / CERTIFICATE))
    info(f"browsers show this as its SHA-256: {fingerprint}")
