# SPDX-License-Identifier: Apache-2.0
"""A network that breaks in every way: storages recover when it mends, or say clearly that not.

Whatever passes through the proxy, no wrong byte may reach the target file, no call may hang, and
within 60 seconds of the fault's end a fetch succeeds.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.utils.fault_proxy import Fault, FaultProxy, heal_after
from tests.utils.kubo_daemon import KuboProcess
from truthmark.cid import CID
from truthmark.errors import StorageError, TruthmarkError
from truthmark.storage import LocalStore, MultiStore, Storage
from truthmark.storage.gateway import GatewayStore
from truthmark.storage.kubo import KuboStore
from truthmark.storage.serve import GatewayServer

pytestmark = pytest.mark.filterwarnings("ignore:The 'strict' parameter is no longer")

DATA = random.Random(7).randbytes(6 * 65536 + 5)
FAULT_SECONDS = 1.5
RECOVERY_SECONDS = 60.0
EVERY_DAY = [
    Fault.REFUSE,
    Fault.RESET_IN_BODY,
    Fault.STALL,
    Fault.DRIP_HEAD,
    Fault.FLIP_BIT,
    Fault.HTTP_429,
]
FAULTS = [
    fault if fault in EVERY_DAY else pytest.param(fault, marks=pytest.mark.assure)
    for fault in Fault
]


class Target:
    """A storage behind a proxy, and the file that stands at the other side."""

    def __init__(self, proxy: FaultProxy, store: Storage, cid: CID) -> None:
        self.proxy = proxy
        self.store = store
        self.cid = cid


@pytest.fixture(params=["gateway", pytest.param("kubo", marks=pytest.mark.kubo)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "kubo":
        daemon: KuboProcess = request.getfixturevalue("kubo")
        with KuboStore(daemon.api) as direct:
            cid = direct.put(DATA, chunk=65536)
        with (
            FaultProxy(int(daemon.api.rsplit("/", 1)[1])) as proxy,
            KuboStore(f"/ip4/127.0.0.1/tcp/{proxy.port}", timeout=2) as store,
        ):
            yield Target(proxy, store, cid)
        return
    local = LocalStore(tmp_path / "origin")
    cid = local.put(DATA, chunk=65536)
    with (
        GatewayServer(local) as server,
        FaultProxy(int(server.url.rsplit(":", 1)[1])) as proxy,
        GatewayStore([proxy.url], timeout=2) as store,
    ):
        yield Target(proxy, store, cid)


def within(seconds: float, action: Callable[[], object]) -> TruthmarkError | None:
    """Run `action`; return the error that it raised on purpose. Fail if it hangs or crashes."""
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            action()
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"hangs for over {seconds:g} s"
    error = outcome[0]
    if error is not None and not isinstance(error, TruthmarkError):
        raise error
    return error


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_get__fault_that_ends__recovers_or_says_clearly_and_then_recovers(
    target: Target, tmp_path: Path, fault: Fault
) -> None:
    dest = tmp_path / "out" / "file"
    target.proxy.fault = fault
    healing = heal_after(target.proxy, FAULT_SECONDS)
    error = within(FAULT_SECONDS + RECOVERY_SECONDS, lambda: target.store.get(target.cid, dest))
    healing.join()
    if error is not None:
        assert "\n" not in str(error)
        assert not dest.exists()
        ended = time.monotonic()
        error = within(RECOVERY_SECONDS, lambda: target.store.get(target.cid, dest))
        assert error is None, f"not recovered {time.monotonic() - ended:.0f} s after its end"
    assert dest.read_bytes() == DATA
    assert [path.name for path in dest.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_get__fault_that_stays__clear_exit_and_nothing_wrong_on_disk(
    target: Target, tmp_path: Path, fault: Fault
) -> None:
    dest = tmp_path / "out" / "file"
    target.proxy.fault = fault
    error = within(RECOVERY_SECONDS, lambda: target.store.get(target.cid, dest))
    # A length that is too long or a duplicate may be cut to the right bytes; nothing else may.
    if error is None:
        assert dest.read_bytes() == DATA
        assert fault in (Fault.LONG_LENGTH, Fault.SHORT_LENGTH, Fault.DUPLICATE_BODY)
        return
    assert isinstance(error, StorageError) or fault is Fault.HUGE_BODY
    assert "\n" not in str(error)
    assert not dest.exists()
    # An endless body is cut off, not swallowed.
    assert target.proxy.sent < 64 << 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_get__one_of_two_gateways_broken__the_other_serves(tmp_path: Path, fault: Fault) -> None:
    local = LocalStore(tmp_path / "origin")
    cid = local.put(DATA, chunk=65536)
    with (
        GatewayServer(local) as server,
        FaultProxy(int(server.url.rsplit(":", 1)[1])) as proxy,
        GatewayStore([proxy.url, server.url], timeout=5) as store,
    ):
        proxy.fault = fault
        assert within(RECOVERY_SECONDS, lambda: store.get(cid, tmp_path / "file")) is None
    assert (tmp_path / "file").read_bytes() == DATA


@pytest.mark.kubo
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_put__fault_that_ends__stored_or_says_clearly(
    kubo: KuboProcess, tmp_path: Path, fault: Fault
) -> None:
    data = random.Random(fault.name).randbytes(300_000)
    with (
        FaultProxy(int(kubo.api.rsplit("/", 1)[1])) as proxy,
        KuboStore(f"/ip4/127.0.0.1/tcp/{proxy.port}", timeout=2) as store,
    ):
        proxy.fault = fault
        healing = heal_after(proxy, FAULT_SECONDS)
        error = within(RECOVERY_SECONDS, lambda: store.put(data, chunk=65536))
        healing.join()
        if error is not None:
            assert "\n" not in str(error)
        ended = time.monotonic()
        while True:
            try:
                cid = store.put(data, chunk=65536)
                break
            except StorageError as slow:
                # A busy disk may make one answer late; the network as a whole must recover.
                assert time.monotonic() - ended < RECOVERY_SECONDS, slow
        store.get(cid, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data


def test_get__kubo_gone__next_storage_serves(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "origin")
    cid = local.put(DATA, chunk=65536)
    with FaultProxy(9) as nobody, GatewayServer(local) as server:
        nobody.fault = Fault.REFUSE
        stores: list[Storage] = [
            KuboStore(f"/ip4/127.0.0.1/tcp/{nobody.port}", timeout=2),
            GatewayStore([server.url]),
        ]
        with MultiStore(stores) as joined:
            joined.get(cid, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
