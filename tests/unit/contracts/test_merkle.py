# SPDX-License-Identifier: Apache-2.0
"""`contracts/modules/merkle.vy` against `truthmark.codec.tree`, and against its own definition."""

import hashlib
from random import Random

import boa
import pytest
from boa.contracts.vyper.vyper_contract import VyperContract
from eth_utils import keccak

from tests.utils.compiled import deployer
from truthmark.codec.tree import Tree, verify

CASES = pytest.mark.parametrize(
    "count",
    [2_000, pytest.param(40_000, marks=[pytest.mark.assure, pytest.mark.timeout(3_600)])],
)


@pytest.fixture(scope="module")
def harness() -> VyperContract:
    return deployer("test/MerkleHarness").deploy()


def node(left: bytes, right: bytes) -> bytes:
    return keccak(b"\x02" + left + right)


def top_of(count: int, leaf_at: dict[int, bytes], depth: int, start: int = 0) -> bytes:
    """The definition, by recursion: padded with zero leaves to a power of two."""
    if depth == 0:
        return leaf_at.get(start, bytes(32))
    half = 1 << depth - 1
    return node(
        top_of(count, leaf_at, depth - 1, start), top_of(count, leaf_at, depth - 1, start + half)
    )


def random_tree(random: Random) -> Tree:
    # Sizes around powers of two are where trees go wrong.
    size = max(1, (1 << random.randrange(8)) + random.randrange(-1, 2))
    return Tree([random.randbytes(32) for _ in range(size)])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_verify__every_leaf_of_small_trees__holds_by_the_definition(harness, count):
    leaves = {i: keccak(bytes([i])) for i in range(count)}
    depth = (count - 1).bit_length()
    root = keccak(b"\x03" + count.to_bytes(4, "big") + top_of(count, leaves, depth))
    tree = Tree(list(leaves.values()))
    assert tree.root == root
    for i, leaf in leaves.items():
        assert harness.verify(root, count, i, leaf, tree.path(i))


@CASES
def test_shard_leaf__random_shards__is_the_hash_of_the_format(harness, count):
    random = Random(f"shard_leaf {count}")
    for _ in range(count):
        i = random.randrange(2 ** random.randrange(1, 33))
        ciphertext_hash, key_hash, wrap = (random.randbytes(32) for _ in range(3))
        expected = keccak(b"\x01" + i.to_bytes(4, "big") + ciphertext_hash + key_hash + wrap)
        assert harness.shard_leaf(i, ciphertext_hash, key_hash, wrap) == expected


def test_shard_leaf__published_hash_inputs__is_reproduced(harness):
    # sha256 of "" and "abc" (FIPS 180-4), hashed by an implementation that is not ours.
    ciphertext_hash, key_hash = (hashlib.sha256(m).digest() for m in (b"", b"abc"))
    leaf = harness.shard_leaf(2**32 - 1, ciphertext_hash, key_hash, bytes(32))
    assert leaf == keccak(b"\x01\xff\xff\xff\xff" + ciphertext_hash + key_hash + bytes(32))


def test_shard_leaf__index_beyond_u32__reverts(harness):
    with boa.reverts():
        harness.shard_leaf(2**32, bytes(32), bytes(32), bytes(32))


@CASES
def test_verify__random_trees__agrees_with_python(harness, count):
    random = Random(f"verify {count}")
    for _ in range(count):
        tree = random_tree(random)
        i = random.randrange(tree.count)
        path = tree.path(i)
        assert harness.verify(tree.root, tree.count, i, tree._levels[0][i], path)


@CASES
def test_verify__mutated_proofs__are_refused_by_both(harness, count):
    random = Random(f"mutated {count}")
    kinds = set()
    for _ in range(count):
        tree = random_tree(random)
        i = random.randrange(tree.count)
        kind, proof = mutate(random, tree, i)
        kinds.add(kind)
        assert not harness.verify(*proof), kind
        assert not verify(*proof), kind
    assert len(kinds) == 9


def mutate(random: Random, tree: Tree, i: int):
    leaf, path = tree._levels[0][i], tree.path(i)
    kinds = ["root", "leaf", "count", "index", "longer", "node", "padding"]
    kinds += ["shorter", "sibling"] if path else []
    kind = random.choice(kinds)
    root, count = tree.root, tree.count
    if kind == "root":
        root = flip(random, root)
    elif kind == "leaf":
        leaf = flip(random, leaf)
    elif kind == "count":
        count = random.choice([0, count - 1, count + 1, 2 * count, 2**32, 2**256 - 1])
    elif kind == "index":
        i = random.choice([i + 1, i ^ 1, i + count, i + 2**32, 2**256 - 1])
    elif kind == "longer":
        path = [*path, random.choice([bytes(32), random.randbytes(32)])][:32]
    elif kind == "node":
        # An inner node, or the top, shown as a leaf of a shorter tree.
        leaf, path = (node(leaf, path[0]), path[1:]) if path else (node(leaf, leaf), [])
        i >>= 1
    elif kind == "padding":
        i, leaf = count, bytes(32)
    elif kind == "shorter":
        path = path[:-1]
    else:
        level = random.randrange(len(path))
        path[level] = flip(random, path[level])
    return kind, (root, count, i, leaf, path)


def flip(random: Random, value: bytes) -> bytes:
    bit = 1 << random.randrange(256)
    return (int.from_bytes(value, "big") ^ bit).to_bytes(32, "big")


@pytest.mark.parametrize("count", [2**31, 2**31 + 1, 2**32 - 1])
def test_verify__largest_trees__need_the_full_path(harness, count):
    # All leaves but the last are zero, so that the tree need not be built.
    depth = (count - 1).bit_length()
    leaf, index, path = keccak(b"leaf"), count - 1, []
    zero, top = bytes(32), leaf
    for level in range(depth):
        path.append(zero)
        top = node(zero, top) if index >> level & 1 else node(top, zero)
        zero = node(zero, zero)
    root = keccak(b"\x03" + count.to_bytes(4, "big") + top)
    assert harness.verify(root, count, index, leaf, path)
    assert verify(root, count, index, leaf, path)
    assert not harness.verify(root, count, index, leaf, path[:-1])
    assert not harness.verify(root, count, index - 1, leaf, path)
    assert not harness.verify(root, count + 1, index, leaf, path)


@pytest.mark.parametrize(
    ("count", "depth"), [(1, 1), (2, 2), (3, 3), (4, 3), (2, 0), (3, 1), (5, 2)]
)
def test_verify__tree_of_another_depth__is_refused(harness, count, depth):
    # Made by a committer who binds a number of leaves to a top that is too high or too low.
    leaves = {i: keccak(bytes([i])) for i in range(count)}
    top = top_of(count, leaves, depth)
    root = keccak(b"\x03" + count.to_bytes(4, "big") + top)
    path = [top_of(count, leaves, level, 1 << level) for level in range(depth)]
    assert keccak(b"\x03" + count.to_bytes(4, "big") + fold(leaves[0], path)) == root
    assert not harness.verify(root, count, 0, leaves[0], path)
    assert not verify(root, count, 0, leaves[0], path)


def fold(leaf: bytes, path: list[bytes]) -> bytes:
    for sibling in path:
        leaf = node(leaf, sibling)
    return leaf


def test_verify__no_leaves__is_refused(harness):
    root = keccak(b"\x03" + bytes(4) + bytes(32))
    assert not harness.verify(root, 0, 0, bytes(32), [])
    assert not verify(root, 0, 0, bytes(32), [])
