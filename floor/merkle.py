"""RFC 9162 Merkle trees over SHA-256: roots, and proofs that need no log.

A root stands for every leaf before it and for their order. An inclusion proof shows
one leaf under a root, a consistency proof that a later tree begins with an earlier
one; both are some 15 hashes for a whole day, and whoever checks them needs nothing
else. Pure: bytes in, bytes out. Source: RFC 9162, section 2.1.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
#: The root of a tree without leaves.
EMPTY_ROOT = sha256().digest()

# Leaves and nodes are told apart by their first byte, so that no node of a tree can be
# passed off as a leaf of a smaller one.
LEAF = b"\x00"
NODE = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The leaf that stands for these bytes."""
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two others."""
    return sha256(NODE + left + right).digest()


class Frontier:
    """A tree that only grows: its size, and the roots of its full subtrees.

    log2(size) hashes, whatever the size; two hashes an append on average.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        peaks, odd = self._peaks, self.size
        self.size = odd + 1
        while odd & 1:  # Every full pair becomes the node above it.
            leaf = sha256(NODE + peaks.pop() + leaf).digest()
            odd >>= 1
        peaks.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the hashes of the next leaves; as one by one, but faster."""
        peaks, size = self._peaks, self.size
        for leaf in leaves:
            odd = size
            size += 1
            while odd & 1:
                leaf = sha256(NODE + peaks.pop() + leaf).digest()
                odd >>= 1
            peaks.append(leaf)
        self.size = size

    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from one leaf to the root, from the bottom up.

    Args:
        leaves: the hashes of all leaves of the tree.
        index: which of them, from 0.
    """
    assert 0 <= index < len(leaves), "Only a leaf of the tree can be proven."
    if len(leaves) == 1:
        return []
    left, right = _halves(leaves)
    if index < len(left):
        return [*inclusion_proof(left, index), root_of(right)]
    return [*inclusion_proof(right, index - len(left)), root_of(left)]


def includes(
    leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes
) -> bool:
    """Whether the hashes prove that the leaf is at this index under the root.

    Source: RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(leaf, *hashes, root):
        return False
    at, last = index, size - 1
    for hash in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            leaf = node_hash(hash, leaf)
            while not at & 1 and at:  # A last leaf without a sibling climbs as it is.
                at >>= 1
                last >>= 1
        else:
            leaf = node_hash(leaf, hash)
        at >>= 1
        last >>= 1
    return last == 0 and leaf == root


def consistency_proof(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """The hashes that show that this tree begins with an earlier one.

    Args:
        leaves: the hashes of all leaves of the later tree.
        earlier: the size of the earlier one; 0 and the same size need no hashes.
    """
    assert 0 <= earlier <= len(leaves), "The earlier tree is not the larger one."
    return _subproof(leaves, earlier, True) if earlier else []


def extends(
    earlier: int, later: int, hashes: Sequence[bytes], root: bytes, later_root: bytes
) -> bool:
    """Whether the hashes prove that the later tree begins with the earlier one.

    The earlier tree has `earlier` leaves and `root`, the later one `later` leaves and
    `later_root`. Source: RFC 9162, 2.1.4.2.
    """
    if not 0 <= earlier <= later or not _are_hashes(*hashes, root, later_root):
        return False
    if earlier == later:
        return not hashes and root == later_root
    if earlier == 0:  # Every tree begins with the empty one.
        return not hashes and root == EMPTY_ROOT
    path = list(hashes)
    if earlier & (earlier - 1) == 0:
        path.insert(0, root)  # A full tree is a node of every later one.
    if not path:
        return False
    at, last = earlier - 1, later - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old = new = path[0]
    for hash in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old = node_hash(hash, old)
            new = node_hash(hash, new)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            new = node_hash(new, hash)
        at >>= 1
        last >>= 1
    return last == 0 and old == root and new == later_root


def _subproof(leaves: Sequence[bytes], earlier: int, known: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1; known: the verifier has the root of these leaves already."""
    if earlier == len(leaves):
        return [] if known else [root_of(leaves)]
    left, right = _halves(leaves)
    if earlier <= len(left):
        return [*_subproof(left, earlier, known), root_of(right)]
    return [*_subproof(right, earlier - len(left), False), root_of(left)]


def _halves(leaves: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The left subtree is the largest full one that leaves something to the right."""
    full = 1 << ((len(leaves) - 1).bit_length() - 1)
    return leaves[:full], leaves[full:]


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(hash) == HASH_BYTES for hash in hashes)
