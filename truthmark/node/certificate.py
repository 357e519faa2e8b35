# SPDX-License-Identifier: Apache-2.0
"""Certificates with which a relay and a receiver answer over HTTPS themselves.

Browsers let a page keep anything, or use cryptography, only where it came over HTTPS or from the
machine itself: so labelers on other machines need it. A certificate that an authority signed is
best; one that this machine signs for itself has each visitor told so once.
"""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError

CERTIFICATE: Final = "certificate.pem"
KEY: Final = "certificate.key"
DAYS: Final = 397
"""For longer browsers take none."""
_OURS: Final = "made by truthmark on this machine"


def make_certificate(folder: Path, host: str) -> str:
    """Make a key, and a certificate for a host that it signs itself, in a folder.

    An earlier one of this kind is replaced.

    Args:
        folder: The home folder.
        host: A name, or an IP address.

    Returns:
        The SHA-256 of the certificate, as browsers show it.

    Raises:
        ConfigError: That is no host, somebody else's certificate or key is there, or nothing can
            be written.
    """
    name = _general_name(host)
    path = folder / CERTIFICATE
    if path.exists() and not _is_ours(_read(path)):
        raise ConfigError(f"{path} was signed by somebody else, and stays; move it away first")
    if not path.exists() and (folder / KEY).exists():
        raise ConfigError(
            f"{folder / KEY} is of a certificate that is not here, and stays; move it away first"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _OURS)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A key alone would be taken for somebody else's, if this were ended between the two.
        write_atomically(path, made.public_bytes(serialization.Encoding.PEM))
        write_atomically(folder / KEY, private)  # for its owner alone, as all that it writes
    except OSError as error:
        raise ConfigError(
            f"cannot write {path} ({error.strerror}); give rights to the home folder"
        ) from error
    return made.fingerprint(hashes.SHA256()).hex(":").upper()


def find_certificate(folder: Path, host: str) -> tuple[str, str] | None:
    """Return the files of a folder's certificate and its key; None where it has none for a host.

    Raises:
        ConfigError: It is over, or it cannot be read.
    """
    path, key = folder / CERTIFICATE, folder / KEY
    if not path.exists() or not key.exists():
        return None
    found = _read(path)
    if not _covers(found, host):
        return None
    if found.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        again = f"`truthmark certificate {host}`" if _is_ours(found) else "its authority"
        raise ConfigError(f"{path} is valid no more; get another from {again}")
    return str(path), str(key)


def require_certificate(certificate: str, key: str) -> None:
    """Check that a server can use a certificate and its key.

    Raises:
        ConfigError: It cannot.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error.strerror or "not PEM"
        raise ConfigError(
            f"certificate {certificate} with key {key} cannot be used ({why}); name two files in "
            "PEM that belong together, the key without a passphrase"
        ) from error


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    labels = host.split(".")
    if not all(label.isascii() and label.replace("-", "").isalnum() for label in labels):
        raise ConfigError(
            f"{host!r} is no host; name the IP address of this machine, or its name, without a port"
        )
    return x509.DNSName(host.lower())


def _covers(found: x509.Certificate, host: str) -> bool:
    wanted = _general_name(host)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    above = "*." + host.lower().partition(".")[2]
    return wanted in names or x509.DNSName(above) in names


def _is_ours(found: x509.Certificate) -> bool:
    named = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [name.value for name in named] == [_OURS]


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not PEM"
        raise ConfigError(f"cannot read {path} ({why}); move it away, or correct it") from error
