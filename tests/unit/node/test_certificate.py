# SPDX-License-Identifier: Apache-2.0
"""Certificates of relays: whose are replaced, and for which hosts they count."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.utils.cli import Person
from truthmark.errors import ConfigError
from truthmark.node.certificate import CERTIFICATE, KEY, find_certificate, make_certificate


def put_foreign(folder: Path, *names: str, days: int = 90) -> None:
    """Write a certificate as an authority would have signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string("CN=An authority")
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=200))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / CERTIFICATE).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / KEY).write_bytes(b"its key")


def test_certificate__none_in_the_folder__is_none(tmp_path: Path):
    assert find_certificate(tmp_path, "localhost") is None


@pytest.mark.parametrize("host", ["192.168.1.5", "fd00::5", "My-Laptop.local", "relay.example"])
def test_certificate__made__is_for_that_host_alone_and_its_key_for_its_owner(tmp_path: Path, host):
    make_certificate(tmp_path, host)
    found = find_certificate(tmp_path, host.lower())
    assert found == (str(tmp_path / CERTIFICATE), str(tmp_path / KEY))
    assert (tmp_path / KEY).stat().st_mode & 0o077 == 0
    assert find_certificate(tmp_path, "10.0.0.1") is None
    make_certificate(tmp_path, "10.0.0.1")
    assert find_certificate(tmp_path, "10.0.0.1")


@pytest.mark.parametrize("host", ["", "https://me", "me:8645", "a b", "me/x", "a..b", "ü.example"])
def test_certificate__no_host__is_refused(tmp_path: Path, host):
    with pytest.raises(ConfigError, match="is no host"):
        make_certificate(tmp_path, host)
    assert not list(tmp_path.iterdir())


def test_certificate__of_an_authority__is_used_and_never_replaced(tmp_path: Path):
    put_foreign(tmp_path, "relay.example", "*.home.example")
    before = (tmp_path / CERTIFICATE).read_bytes()
    assert find_certificate(tmp_path, "RELAY.example")
    assert find_certificate(tmp_path, "a.home.example")
    for other in ("home.example", "b.a.home.example", "example"):
        assert find_certificate(tmp_path, other) is None
    with pytest.raises(ConfigError, match="signed by somebody else, and stays"):
        make_certificate(tmp_path, "relay.example")
    assert (tmp_path / CERTIFICATE).read_bytes() == before


def test_certificate__key_that_waits_for_its_certificate__is_not_replaced(tmp_path: Path):
    (tmp_path / KEY).write_bytes(b"sent to an authority")
    with pytest.raises(ConfigError, match="of a certificate that is not here, and stays"):
        make_certificate(tmp_path, "relay.example")
    assert (tmp_path / KEY).read_bytes() == b"sent to an authority"


def test_certificate__over_or_no_certificate__is_refused(tmp_path: Path):
    put_foreign(tmp_path, "relay.example", days=-1)
    with pytest.raises(ConfigError, match="valid no more; get another from its authority"):
        find_certificate(tmp_path, "relay.example")
    (tmp_path / CERTIFICATE).write_bytes(b"no PEM")
    with pytest.raises(ConfigError, match=r"cannot read .*not PEM"):
        find_certificate(tmp_path, "relay.example")


def test_certificate_command__says_where_it_is_and_what_browsers_show(tmp_path: Path):
    done = Person(tmp_path)("certificate", "192.168.1.5").ok()
    assert done.out.strip() == str(tmp_path / CERTIFICATE)
    made = x509.load_pem_x509_certificate((tmp_path / CERTIFICATE).read_bytes())
    assert made.fingerprint(hashes.SHA256()).hex(":").upper() in done.err.replace("\n", " ")
