# SPDX-License-Identifier: Apache-2.0
"""Mutated nodes, trees, part files, indexes and answers: refused or right, never worse.

Run in a warm child process with a watch over time and memory: no crash, nothing over 10 seconds,
at most 512 MiB, one-line errors of our own, never a wrong byte.
"""

import multiprocessing
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.utils.dags import MemoryStore, leaf_cid, node
from truthmark.cid import CID
from truthmark.errors import TruthmarkError
from truthmark.storage import LocalStore, gateway, kubo
from truthmark.storage.dag import leaf_bytes, parse_node, visit, walk
from truthmark.storage.fetch import fetch_file

HANG_SECONDS = 10
MAX_RSS = 512 << 20
TEST, ASSURE = 10_000, 100_000
SHARES = {  # of a hundred mutants
    "node": 45,
    "tree": 40,
    "part": 8,
    "index": 2,
    "gateway": 3,
    "kubo": 2,
}

CONTEXT = multiprocessing.get_context("forkserver")
Check = Callable[[random.Random], None]


class HangError(BaseException):
    """A mutant took too long."""


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Return `data` changed in one to four of the ways in which bytes go wrong."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(8)
        if kind == 0 and changed:
            changed[at % len(changed)] ^= 1 << rng.randrange(8)
        elif kind == 1 and changed:
            changed[at % len(changed)] = rng.choice(b"\x00\x01\x7f\x80\xff")
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.randint(1, 40))
        elif kind == 3:
            del changed[at : at + rng.randint(1, 40)]
        elif kind == 4:
            del changed[at:]
        elif kind == 5:
            end = at + rng.randint(1, 200)
            changed[at:at] = changed[at:end] * rng.randint(1, 30)
        elif kind == 6:
            changed[at:at] = b"\xff" * rng.randint(1, 12)  # varints that do not end
        else:
            other = rng.randrange(len(changed) + 1)
            changed[at : at + 30] = changed[other : other + 30]
    return bytes(changed)


# ---------------------------------------------------------------------- what is mutated


@contextmanager
def prepared(kind: str) -> Iterator[Check]:
    """Yield the function that makes and tries one mutant of `kind`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = random.Random(1).randbytes(4096 * 12 - 5)
        origin = LocalStore(folder / "origin")
        store = MemoryStore()
        cid = store.take(origin, origin.put(data, chunk=4096))
        small = node([(leaf_cid(b"abcd"), 4), (leaf_cid(b"ef"), 2)])
        yield {
            "node": lambda rng: try_node(rng, [small, store.held[cid]]),
            "tree": lambda rng: try_tree(rng, store, cid),
            "part": lambda rng: try_part(rng, store, cid, data, folder),
            "index": lambda rng: try_index(rng, origin, cid),
            "gateway": lambda rng: try_gateway(rng, stack),
            "kubo": lambda rng: try_kubo(rng, stack),
        }[kind]


def try_node(rng: random.Random, samples: list[bytes]) -> None:
    parsed = parse_node(mutate(rng, rng.choice(samples)))
    assert parsed.size == sum(link.size for link in parsed.links) > 0


def try_tree(rng: random.Random, store: MemoryStore, cid: CID) -> None:
    """Follow a node whose hash nobody checked: what the sizes and depths alone must hold off."""
    changed = mutate(rng, store.held[cid])

    def read(wanted: CID) -> bytes:
        # A child may be anything, also the parent again.
        return changed if wanted.codec != 0x55 else store.held.get(wanted, b"\x00" * 4096)

    total = 0
    for leaf in walk(read, cid, max_size=1 << 20).leaves:
        total += len(leaf_bytes(read, leaf))
    assert total <= 1 << 20
    list(visit(read, cid, max_size=1 << 20))


def try_part(rng: random.Random, store: MemoryStore, cid: CID, data: bytes, folder: Path) -> None:
    """Whatever an earlier attempt left behind, the fetch ends with the right bytes."""
    dest = folder / "fetched"
    nodes = cid.to_bytes() + len(store.held[cid]).to_bytes(4, "big") + store.held[cid]
    dest.with_name("fetched.part").write_bytes(mutate(rng, data))
    dest.with_name("fetched.part.nodes").write_bytes(mutate(rng, nodes))
    if rng.random() < 0.3:
        dest.write_bytes(mutate(rng, data))
    fetch_file(store, cid, dest)
    assert dest.read_bytes() == data
    dest.unlink()


def try_index(rng: random.Random, origin: LocalStore, cid: CID) -> None:
    """The index is made again, or at worst disputed; the bytes are never wrong."""
    path = origin.root / "index.sqlite"
    whole = path.read_bytes()
    try:
        path.write_bytes(mutate(rng, whole))
        assert all(hash(block) for block in origin.blocks(cid))
    finally:
        path.write_bytes(whole)


BLOCK = b"the block that is asked for" * 40


def try_gateway(rng: random.Random, stack: ExitStack) -> None:
    from truthmark.storage.gateway import GatewayStore

    gateway._PAUSE_SECONDS = 0.0
    server = raw_server(stack)
    server.answer = mutate(
        rng,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ipld.raw\r\nContent-Length: %d\r\n"
        b"Retry-After: 1\r\nLocation: /ipfs/other\r\n\r\n" % len(BLOCK) + BLOCK,
    )
    with GatewayStore([server.url], timeout=1) as store:
        assert store.read_block(leaf_cid(BLOCK)) == BLOCK


def try_kubo(rng: random.Random, stack: ExitStack) -> None:
    from truthmark.storage.kubo import KuboStore

    kubo._PAUSE_SECONDS = 0.0
    server = raw_server(stack)
    body = b'{"Keys":{"%b":{"Type":"recursive"}},"Hash":"%b"}' % (
        (str(leaf_cid(BLOCK)).encode(),) * 2
    )
    server.answer = mutate(
        rng,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body,
    )
    with KuboStore(f"/ip4/127.0.0.1/tcp/{server.port}", timeout=0.5) as store:
        call = rng.choice([store.pins, lambda: store.put(BLOCK)])
        call()


class RawServer:
    """Sends the same bytes to every client."""

    def __init__(self) -> None:
        self.answer = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(1 << 16)
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


SERVERS: dict[int, RawServer] = {}


def raw_server(stack: ExitStack) -> RawServer:
    """Return the one server of this campaign."""
    if id(stack) not in SERVERS:
        SERVERS[id(stack)] = RawServer()
        stack.callback(SERVERS[id(stack)].close)
    return SERVERS[id(stack)]


# ---------------------------------------------------------------------- the campaign


def campaign(pipe: Connection, kind: str, count: int, seed: int) -> None:
    """Try `count` mutants; report what went wrong, how many were refused, and peak memory."""
    warnings.simplefilter("ignore")

    def hang(*_: object) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, hang)
    refused = 0
    failures: list[str] = []
    with prepared(kind) as check:
        for number in range(count):
            signal.alarm(HANG_SECONDS)
            try:
                check(random.Random(f"{seed} {kind} {number}"))
            except TruthmarkError as error:
                refused += 1
                if "\n" in str(error) or not str(error):
                    failures.append(f"mutant {number}: not one line: {error!r}")
            except BaseException as error:
                failures.append(f"mutant {number}: {error!r}")
            finally:
                signal.alarm(0)
            if number % 20 == 0:
                pipe.send(None)  # alive
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send((refused, failures, peak))


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize(
    "total",
    [TEST, pytest.param(ASSURE, marks=[pytest.mark.assure, pytest.mark.timeout(3600)])],
)
def test_mutants__all_refused_or_right(kind: str, total: int) -> None:
    count = total * SHARES[kind] // 100
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=campaign, args=(theirs, kind, count, total))
    child.start()
    theirs.close()
    report = None
    try:
        while report is None:
            # Twenty mutants between two signs of life.
            assert ours.poll(20 * HANG_SECONDS), f"{kind}: hangs"
            try:
                report = ours.recv()
            except EOFError:
                child.join()
                pytest.fail(f"{kind}: the child died with {child.exitcode}")
    finally:
        child.kill()
        child.join()
    refused, failures, peak = report
    assert not failures, f"{len(failures)} of {count}: {failures[:5]}"
    assert peak <= MAX_RSS, f"{kind}: {peak >> 20} MiB"
    # Else the mutants are too tame to mean anything, or everything is refused.
    if kind != "part":
        assert refused > 0
    sys.stdout.write(f"{kind}: {count} mutants, {refused} refused, {peak >> 20} MiB\n")
