# SPDX-License-Identifier: Apache-2.0
"""`contracts/modules/secp256k1.vy` against `truthmark.keys`, case by case, and what it refuses."""

from dataclasses import replace
from random import Random

import boa
import pytest
from boa.contracts.vyper.vyper_contract import VyperContract

from tests.utils.compiled import deployer
from tests.utils.forgery import (
    MARKET,
    forge_with_free_witness,
    forge_with_wrong_y,
    forge_without_commitment,
    mutate_delivery,
    wrong_y,
)
from tests.utils.proof_checks import verify_delivery, verify_knowledge
from truthmark.keys import curve
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import INFINITY, G, N, P
from truthmark.keys.proofs import (
    DeliveryStatement,
    KnowledgeProof,
    Proof,
    complete_proof,
    prove_delivery,
    prove_knowledge,
)
from truthmark.types import Point

# How many random cases; the long campaign has twenty times as many.
CASES = pytest.mark.parametrize(
    "count",
    [2_000, pytest.param(40_000, marks=[pytest.mark.assure, pytest.mark.timeout(3_600)])],
)

# k * G from the test vectors for secp256k1 that the Bitcoin community published in 2011.
VECTORS = [
    (
        2,
        0xC6047F9441ED7D6D3045406E95C07CD85C778E4B8CEF3CA7ABAC09B95C709EE5,
        0x1AE168FEA63DC339A3C58419466CEAEEF7F632653266D0E1236431A950CFE52A,
    ),
    (
        3,
        0xF9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9,
        0x388F7B0F632DE8140FE337E62A37F3566500A99934C2231B6CB9FD7584B8E672,
    ),
    (
        20,
        0x4CE119C96E2FA357200B559B2F7DD5A5F02D5290AFF74B03F3E471B273211C97,
        0x12BA26DCB10EC1625DA61FA10A844C676162948271D96967450288EE9233DC3A,
    ),
    (
        112233445566778899,
        0xA90CC3D3F3E146DAADFC74CA1372207CB4B725AE708CEF713A98EDD73D99EF29,
        0x5A79D6B289610C68BC3B47F3D72F9788A26A06868B4D8E433E1E2AD76FB7DC76,
    ),
    (
        N - 1,
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0xB7C52588D95C3B9AA25B0403F1EEF75702E84BB7597AABE663B82F6F04EF2777,
    ),
]


@pytest.fixture(scope="module")
def harness() -> VyperContract:
    return deployer("test/CurveHarness").deploy()


@pytest.fixture(scope="module")
def chain_id() -> int:
    return int(boa.env.evm.patch.chain_id)


def random_point(random: Random) -> Point:
    return curve.multiply(random.randrange(1, N))


def point_with_large_x() -> Point:
    """A point of the curve with N <= x < P."""
    return next(q for x in range(N, P) if (q := curve.lift_x(x)) is not None)


def statement_of(random: Random, chain_id: int) -> tuple[DeliveryStatement, int]:
    share = random.randrange(1, N)
    return (
        DeliveryStatement(
            chain_id=chain_id,
            market=MARKET,
            purchase_id=random.randbytes(32),
            custodian=random.randrange(1, 17),
            share_key=curve.multiply(share),
            base=random_point(random),
        ),
        share,
    )


def is_delivery(harness, statement: DeliveryStatement, part: Point, proof: Proof) -> bool:
    """What the contract says; a revert for the reason of a wrong witness is a no."""
    try:
        return harness.verify_delivery(
            statement.market,
            statement.purchase_id,
            statement.custodian,
            statement.share_key,
            statement.base,
            part,
            proof,
        )
    except boa.BoaError as error:
        reason = str(error)
        assert "curve: equal x" in reason or "curve: wrong slope" in reason
        return False


# ------------------------------------------------------------------------ points


def test_generator__always__is_that_of_the_standard(harness):
    assert tuple(harness.generator()) == G


@CASES
def test_is_valid__points_and_pairs__agrees_with_python(harness, count):
    random = Random(f"is_valid {count}")
    for case in range(count):
        q = random_point(random)
        if case % 3 == 1:
            q = wrong_y(q)
        elif case % 3 == 2:
            q = Point(random.randrange(2**256), random.randrange(2**256))
        assert harness.is_valid(q) == curve.is_valid(q) == (case % 3 == 0)


def test_is_valid__edges__are_refused(harness):
    large = point_with_large_x()
    assert curve.is_on_curve(large)
    small = next(q for x in range(1, 100) if (q := curve.lift_x(x)) is not None)
    assert harness.is_valid(small)
    assert harness.is_valid(curve.negate(small))
    at_the_edge = Point(N, pow(N**3 + 7, (P + 1) // 4, P))
    assert curve.is_on_curve(at_the_edge)
    for q in (
        INFINITY,
        large,
        at_the_edge,
        Point(small.x + P, small.y),
        Point(small.x, small.y + P) if small.y + P < 2**256 else Point(small.x, small.y - 1),
        Point(0, 7),
        Point(G.x, 0),
        Point(2**256 - 1, 2**256 - 1),
    ):
        assert not harness.is_valid(q)
        assert not curve.is_valid(q)


def test_is_valid__y_not_reduced__is_refused(harness):
    # (x, y) with y below 2^256 - P has a second encoding that fits a word; only y < P keeps it out.
    # Cube roots of y^2 - 7 exist for a third of all y.
    found = 0
    for y in range(1, 60):
        cube = (y * y - 7) % P
        root = pow(cube, (P + 2) // 9, P)
        if pow(root, 3, P) == cube and 0 < root < N:
            found += 1
            assert harness.is_valid(Point(root, y))
            assert not harness.is_valid(Point(root, y + P))
            assert not curve.is_valid(Point(root, y + P))
    assert found > 5


@CASES
def test_address_of_and_negate__random_points__agree_with_python(harness, count):
    random = Random(f"address {count}")
    for _ in range(count):
        q = random_point(random)
        assert harness.address_of(q).lower() == curve.address_of(q)
        assert tuple(harness.negate(q)) == curve.negate(q)


def test_negate__infinity__is_infinity(harness):
    assert tuple(harness.negate(INFINITY)) == INFINITY


@CASES
def test_add_distinct__random_points__agrees_with_python(harness, count):
    random = Random(f"add_distinct {count}")
    for _ in range(count):
        a, b = random_point(random), random_point(random)
        assert tuple(harness.add_distinct(a, b, curve.slope(a, b))) == curve.add(a, b)


def test_add_distinct__equal_or_opposite_points__reverts(harness):
    for b in (G, curve.negate(G)):
        for slope in (0, curve.slope(G, G)):
            with boa.reverts("curve: equal x"):
                harness.add_distinct(G, b, slope)


@CASES
def test_add__any_points__agrees_with_python(harness, count):
    random = Random(f"add {count}")
    for case in range(count):
        a = random_point(random)
        b = [random_point(random), a, curve.negate(a), INFINITY][case % 4]
        if case % 8 > 3:
            a, b = b, a
        # Where no slope is needed, any will do.
        needs_none = case % 4 > 1
        slope = random.randrange(2**256) if needs_none else curve.slope(a, b)
        assert tuple(harness.add(a, b, slope)) == curve.add(a, b)


def test_add__infinity_twice__is_infinity(harness):
    assert tuple(harness.add(INFINITY, INFINITY, 0)) == INFINITY


def test_add__wrong_slope__reverts(harness):
    random = Random("wrong slope")
    for _ in range(200):
        a, b = random_point(random), random_point(random)
        good = curve.slope(a, b)
        for slope in (0, good + 1, P - good, random.randrange(P)):
            with boa.reverts("curve: wrong slope"):
                harness.add(a, b, slope)
        tangent = curve.slope(a, a)
        for slope in (0, tangent + 1, P - tangent, random.randrange(P)):
            with boa.reverts("curve: wrong tangent"):
                harness.add(a, a, slope)


# --------------------------------------------------------------------- multiples


@pytest.mark.parametrize(("k", "x", "y"), VECTORS)
def test_is_multiple__published_vectors__hold(harness, k, x, y):
    assert curve.multiply(k) == (x, y)
    assert harness.is_multiple(k, G, (x, y))
    assert not harness.is_multiple(k, G, (x, P - y))
    assert not harness.is_multiple(k + 1, G, (x, y))


@CASES
def test_is_multiple__random_cases__agrees_with_python(harness, count):
    random = Random(f"is_multiple {count}")
    for case in range(count):
        k, q = random.randrange(1, N), random_point(random)
        result = curve.multiply(k, q)
        assert harness.is_multiple(k, q, result)
        wrong = [
            (k, q, curve.negate(result)),
            (k, q, curve.add(result, G)),
            (N - k, q, result),
            (k, curve.negate(q), result),
            (k ^ 1 << random.randrange(256), q, result),
            (k, wrong_y(q), result),
            (k, q, wrong_y(result)),
        ][case % 7]
        if wrong[0] % N == k and wrong[1:] == (q, result):  # k + N below 2^256
            continue
        assert not harness.is_multiple(*wrong)


def test_is_multiple__scalar_not_reduced__counts_mod_n(harness):
    for k in (1, 2, 2**256 - 1 - N):
        assert harness.is_multiple(k + N, G, curve.multiply(k))


@pytest.mark.parametrize("k", [0, N])
def test_is_multiple__scalar_zero__is_refused(harness, k):
    for result in (INFINITY, G, curve.negate(G)):
        assert not harness.is_multiple(k, G, result)


def test_is_multiple__points_that_ecrecover_cannot_take__are_refused(harness):
    large = point_with_large_x()
    for q in (INFINITY, large, Point(N, 1), Point(P, G.y), Point(5, 1)):
        for result in (q, G, INFINITY):
            assert not harness.is_multiple(1, q, result)
    # As a result too: k * q with an x from N up has no second comparison.
    inverse = pow(7, -1, N)
    assert curve.multiply(inverse, curve.multiply(7, large)) == large
    assert not harness.is_multiple(inverse, curve.multiply(7, large), large)


@CASES
def test_commitment__random_cases__is_the_address_of_the_difference(harness, count):
    random = Random(f"commitment {count}")
    for _ in range(count):
        q, c, z = random_point(random), random.randrange(1, N), random.randrange(N)
        point = curve.subtract(curve.multiply(z), curve.multiply(c, q))
        assert harness.commitment(q, c, z).lower() == curve.address_of(point)


def test_commitment__nothing_to_recover__is_zero(harness):
    zero = "0x" + "00" * 20
    k, c = 12345, 678
    # No challenge; at infinity (z = c * k); an x that is no r; no point at this x.
    for q, challenge, response in [
        (curve.multiply(k), 0, 5),
        (curve.multiply(k), N, 5),
        (curve.multiply(k), c, c * k % N),
        (point_with_large_x(), c, 5),
        (INFINITY, c, 5),
        (Point(5, 1), c, 5),
    ]:
        assert harness.commitment(q, challenge, response) == zero


# ------------------------------------------------------------ proofs of knowledge


@CASES
def test_knows__random_proofs__agrees_with_python(harness, count):
    random = Random(f"knows {count}")
    for case in range(count):
        secret, context = random.randrange(1, N), random.randbytes(32)
        q = curve.multiply(secret)
        proof = prove_knowledge(secret, context)
        assert harness.knows(context, q, *proof)
        wrong = [
            (random.randbytes(32), q, *proof),
            (context, curve.negate(q), *proof),
            (context, curve.add(q, G), *proof),
            (context, wrong_y(q), *proof),
            (context, q, proof.challenge ^ 1 << random.randrange(256), proof.response),
            (context, q, proof.challenge, proof.response ^ 1 << random.randrange(256)),
            (context, q, proof.response, proof.challenge),
        ][case % 7]
        assert not harness.knows(*wrong)
        assert not verify_knowledge(wrong[1], wrong[0], KnowledgeProof(*wrong[2:]))


def test_knows__commitment_at_infinity__is_refused(harness):
    # z = c * k says k aloud, and no address stands for infinity.
    context, k = bytes(32), 99
    challenge = int.from_bytes(hash_words(context, curve.multiply(k), "0x" + "00" * 20), "big") % N
    assert not harness.knows(context, curve.multiply(k), challenge, challenge * k % N)


def test_knows__key_off_the_curve__is_refused(harness):
    # Who knows the logarithm of (x, y) can prove it for any (x, y') of the same parity.
    context, k, nonce = bytes(32), 99, 77
    q = wrong_y(curve.multiply(k))
    commitment = curve.address_of(curve.multiply(nonce))
    challenge = int.from_bytes(hash_words(context, q, commitment), "big") % N
    response = (nonce + challenge * k) % N
    assert harness.commitment(q, challenge, response).lower() == commitment
    assert not harness.knows(context, q, challenge, response)
    assert not verify_knowledge(q, context, KnowledgeProof(challenge, response))


def test_knows__degenerate_numbers__are_refused(harness):
    for q in (G, INFINITY, point_with_large_x()):
        for challenge in (0, 1, N - 1, N, 2**256 - 1):
            for response in (0, 1, N - 1, N, 2**256 - 1):
                assert not harness.knows(bytes(32), q, challenge, response)
                proof = KnowledgeProof(challenge, response)
                assert not verify_knowledge(q, bytes(32), proof)


# ------------------------------------------------------------------------- bases


@CASES
def test_is_base__random_keys__agrees_with_python(harness, count):
    random = Random(f"is_base {count}")
    counters = set()
    for case in range(count):
        key = random_point(random)
        base, counter = curve.base_of(key)
        counters.add(counter)
        assert harness.is_base(key, base, counter)
        wrong = [
            (key, base, counter + 1),
            (key, curve.negate(base), counter),
            (key, wrong_y(base), counter),
            (curve.negate(key), base, counter),
            (key, curve.multiply(2, base), counter),
            (key, random_point(random), counter),
        ][case % 6]
        assert not harness.is_base(*wrong)
    assert counters > {0, 1, 2, 3}


# ---------------------------------------------------------------------- deliveries


@CASES
def test_verify_delivery__random_deliveries__agrees_with_python(harness, chain_id, count):
    random = Random(f"verify_delivery {count}")
    for _ in range(count):
        statement, share = statement_of(random, chain_id)
        part, proof = prove_delivery(statement, share)
        assert is_delivery(harness, statement, part, proof)
        assert verify_delivery(statement, part, proof)


@CASES
def test_verify_delivery__mutated__is_refused_by_both(harness, chain_id, count):
    random = Random(f"mutated {count}")
    kinds = set()
    deliveries = []
    for _ in range(8):
        statement, share = statement_of(random, chain_id)
        deliveries.append((statement, *prove_delivery(statement, share)))
    for _ in range(count):
        kind, statement, part, proof = mutate_delivery(random, deliveries)
        kinds.add(kind)
        # The contract takes its own chain's id, so here a wrong one cannot be brought.
        if statement.chain_id == chain_id:
            assert not is_delivery(harness, statement, part, proof), kind
        assert not verify_delivery(statement, part, proof), kind
    assert len(kinds) > 20


def test_verify_delivery__other_chain__is_refused(harness, chain_id):
    statement, share = statement_of(Random("chain"), chain_id + 1)
    part, proof = prove_delivery(statement, share)
    assert verify_delivery(statement, part, proof)
    assert not is_delivery(harness, statement, part, proof)


def test_verify_delivery__part_of_another_share__is_refused(harness, chain_id):
    random = Random("another share")
    for _ in range(100):
        statement, share = statement_of(random, chain_id)
        # An honest transcript for s + 1, shown for the share key of s.
        other = replace(statement, share_key=curve.multiply(share + 1))
        part, proof = prove_delivery(other, share + 1)
        assert is_delivery(harness, other, part, proof)
        assert not is_delivery(harness, statement, part, proof)
        # The right part with that transcript, and the wrong part with the right one.
        right, right_proof = prove_delivery(statement, share)
        assert not is_delivery(harness, statement, right, proof)
        assert not is_delivery(harness, statement, part, right_proof)


def test_verify_delivery__part_off_the_curve__is_refused(harness, chain_id):
    # `ecrecover` looks at x and parity alone: c * (x, y') is c * (x, y). All else in this forgery
    # holds, so it is the check of the part itself that refuses it.
    random = Random("off the curve")
    for _ in range(50):
        statement, share = statement_of(random, chain_id)
        part, proof = forge_with_wrong_y(statement, share, random)
        assert not curve.is_on_curve(part)
        assert not is_delivery(harness, statement, part, proof)
        assert not verify_delivery(statement, part, proof)


@pytest.mark.parametrize("free", ["scaled_base", "scaled_part"])
def test_verify_delivery__witness_chosen_to_fit__is_refused(harness, chain_id, free):
    random = Random(f"free {free}")
    for _ in range(50):
        statement, share = statement_of(random, chain_id)
        part, proof = forge_with_free_witness(statement, share, random, free)
        assert not is_delivery(harness, statement, part, proof)
        assert not verify_delivery(statement, part, proof)


def test_verify_delivery__share_key_that_is_no_point__is_refused(harness, chain_id):
    # Then no commitment can be recovered: with a zero address in its place anyone could prove
    # anything. The markets compare share keys with committed ones; this must not rest on that.
    random = Random("no point")
    for share_key in (INFINITY, point_with_large_x(), Point(5, 1), Point(N, 1)):
        statement = replace(statement_of(random, chain_id)[0], share_key=share_key)
        part, proof = forge_without_commitment(statement, random)
        assert not is_delivery(harness, statement, part, proof)
        assert not verify_delivery(statement, part, proof)


def test_verify_delivery__base_that_is_no_point__is_refused(harness, chain_id):
    statement, share = statement_of(Random("no base"), chain_id)
    part, proof = prove_delivery(statement, share)
    for base in (INFINITY, point_with_large_x(), Point(5, 1), wrong_y(statement.base)):
        assert not is_delivery(harness, replace(statement, base=base), part, proof)
        assert not verify_delivery(replace(statement, base=base), part, proof)


def test_verify_delivery__degenerate_numbers__are_refused(harness, chain_id):
    statement, share = statement_of(Random("degenerate"), chain_id)
    part, proof = prove_delivery(statement, share)
    large = point_with_large_x()
    for challenge in (0, proof.challenge, N, 2**256 - 1):
        for response in (0, proof.response, N, 2**256 - 1):
            if (challenge, response) != (proof.challenge, proof.response):
                forged = proof._replace(challenge=challenge, response=response)
                assert not is_delivery(harness, statement, part, forged)
                assert not verify_delivery(statement, part, forged)
    for point in (INFINITY, large, G, curve.negate(part)):
        assert not is_delivery(harness, statement, point, proof)
        for name in ("scaled_base", "scaled_part"):
            assert not is_delivery(harness, statement, part, proof._replace(**{name: point}))


def test_verify_delivery__witnesses_of_the_event__are_those_of_the_prover(harness, chain_id):
    statement, share = statement_of(Random("witnesses"), chain_id)
    part, proof = prove_delivery(statement, share)
    again = complete_proof(statement, part, proof.challenge, proof.response)
    assert again == proof
    assert is_delivery(harness, statement, part, again)
