"""Roots agree with the reference; right proofs verify, and forged ones never do."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floor.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)

# The eight inputs and their trees that Certificate Transparency's tests share.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
LEAVES = [leaf_hash(data) for data in INPUTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
L1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
L2 = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"
L3 = "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"
N456 = "837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e"


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    assert tree.size == size
    assert tree.root().hex() == ROOTS[size]
    assert root_of(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "hashes"),
    [
        (0, 1, []),
        (0, 8, [L1, N23, N4567]),
        (5, 8, [L4, N67, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [ROOTS[1], N23, L4]),
    ],
)
def test_inclusion_proofs_are_those_of_the_reference(
    index: int, size: int, hashes: list[str]
) -> None:
    proof = inclusion_proof(LEAVES[:size], index)
    assert [hash.hex() for hash in proof] == hashes
    assert includes(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(
    ("earlier", "later", "hashes"),
    [
        (1, 1, []),
        (1, 8, [L1, N23, N4567]),
        (6, 8, [N45, N67, ROOTS[4]]),
        (2, 5, [N23, L4]),
        (3, 7, [L2, L3, ROOTS[2], N456]),
    ],
)
def test_consistency_proofs_are_those_of_the_reference(
    earlier: int, later: int, hashes: list[str]
) -> None:
    proof = consistency_proof(LEAVES[:later], earlier)
    roots = bytes.fromhex(ROOTS[earlier]), bytes.fromhex(ROOTS[later])
    assert [hash.hex() for hash in proof] == hashes
    assert extends(earlier, later, proof, *roots)


def trees(size_max: int = 70) -> st.SearchStrategy[list[bytes]]:
    """Trees of different leaves."""
    sizes = st.integers(1, size_max)
    return sizes.map(lambda n: [leaf_hash(i.to_bytes(4, "big")) for i in range(n)])


def as_defined(leaves: list[bytes]) -> bytes:
    """The definition itself, RFC 9162 2.1.1, by halves."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    full = 1
    while full * 2 < len(leaves):
        full *= 2
    return node_hash(as_defined(leaves[:full]), as_defined(leaves[full:]))


@given(trees(300))
def test_the_frontier_is_the_tree_of_the_definition(leaves: list[bytes]) -> None:
    assert root_of(leaves) == as_defined(leaves)


def forgeries(hashes: list[bytes]) -> list[list[bytes]]:
    """Other hashes than these: changed, missing, one too many, in another order."""
    other = sha256(b"other").digest()
    forged = [
        [*hashes, other],
        [other, *hashes],
        [*hashes, hashes[-1]] if hashes else [other],
    ]
    for i, hash in enumerate(hashes):
        bent = bytes([hash[0] ^ 1]) + hash[1:]
        forged += [
            [*hashes[:i], bent, *hashes[i + 1 :]],
            [*hashes[:i], hash[:-1], *hashes[i + 1 :]],
            [*hashes[:i], *hashes[i + 1 :]],
            [*hashes[:i], hash, *hashes[i:]],
        ]
        if i:
            swapped = list(hashes)
            swapped[i - 1], swapped[i] = swapped[i], swapped[i - 1]
            forged.append(swapped)
    return forged


@settings(deadline=None)
@given(trees(), st.data())
def test_a_leaf_is_proven_and_nothing_else_is(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size, root = len(leaves), root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    leaf = leaves[index]
    assert includes(leaf, index, size, proof, root)
    assert len(proof) <= size.bit_length()

    assert not includes(leaf_hash(b"other"), index, size, proof, root)
    assert not includes(leaf, index, size, proof, leaf_hash(b"root"))
    assert not includes(leaf[:-1], index, size, proof, root)
    for wrong in {*range(-1, size + 2)} - {index}:
        assert not includes(leaf, wrong, size, proof, root)
    for forged in forgeries(proof):
        assert not includes(leaf, index, size, forged, root)


@settings(deadline=None)
@given(trees(), st.data())
def test_an_inclusion_proof_is_for_trees_of_its_own_shape(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """Another size never has this root: sizes are sealed together with roots.

    The hashes alone fix only the path from the leaf, so that a size with the same path
    is told apart by its own root and not by the proof.
    """
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    for other in range(1, 2 * size + 2):
        if other == size:
            continue
        longer = [*leaves, *(leaf_hash(b"+%d" % i) for i in range(size + 2))][:other]
        assert not includes(leaves[index], index, other, proof, root_of(longer))


@settings(deadline=None)
@given(trees(), st.data())
def test_a_tree_extends_its_own_past_and_no_other(
    leaves: list[bytes], data: st.DataObject
) -> None:
    later = len(leaves)
    earlier = data.draw(st.integers(1, later))
    proof = consistency_proof(leaves, earlier)
    old, new = root_of(leaves[:earlier]), root_of(leaves)
    other = leaf_hash(b"other")
    assert extends(earlier, later, proof, old, new)

    assert not extends(earlier, later, proof, other, new)
    assert not extends(earlier, later, proof, old, other)
    for forged in forgeries(proof):
        assert not extends(earlier, later, forged, old, new)
    for wrong in {*range(-1, later + 2)} - {earlier}:
        assert not extends(wrong, later, proof, old, new)


@given(trees(), st.data())
def test_a_changed_past_has_no_proof(leaves: list[bytes], data: st.DataObject) -> None:
    earlier = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, earlier - 1))
    changed = [*leaves[:index], leaf_hash(b"changed"), *leaves[index + 1 :]]
    old, new = root_of(leaves[:earlier]), root_of(changed)
    for hashes in (
        consistency_proof(leaves, earlier),
        consistency_proof(changed, earlier),
    ):
        assert not extends(earlier, len(leaves), hashes, old, new)


def test_the_empty_tree_is_the_past_of_every_tree() -> None:
    root = root_of(LEAVES)
    assert extends(0, 8, [], EMPTY_ROOT, root)
    assert not extends(0, 8, [LEAVES[0]], EMPTY_ROOT, root)
    assert not extends(0, 8, [], root, root)
    assert not extends(5, 8, [], root, root)


def test_a_node_is_never_taken_for_a_leaf() -> None:
    """The tree over two nodes as leaves' bytes is not the tree over their leaves."""
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])
