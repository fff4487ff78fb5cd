"""The Merkle tree of RFC 6962 in constant memory: its root, and the hashes of ranges that proofs need."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from share_actors.events.checkpoints.check_bundle import middle_of, node_hash

Range = tuple[int, int]
"""Leaves from the first index up to, and without, the second."""


class CompactRange:
    """A tree that grows: the hashes of its complete subtrees, from the largest to the smallest.

    There is one for each bit that is set in `size`.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(hashes):
            raise ValueError(f"a tree of {size} leaves has not {len(hashes)} complete subtrees")
        self.size, self.hashes = size, list(hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            size >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root hash: 32 bytes."""
        if not self.hashes:
            return sha256().digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


# -- proofs --------------------------------------------------------------------------------------
def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that a leaf is in the tree, in the order of the proof."""
    start, end, ranges = 0, size, list[Range]()
    while end - start > 1:
        middle = middle_of(start, end)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that the first *old* leaves are unchanged, in the order of the proof."""
    start, end, ranges, is_known = 0, size, list[Range](), True
    while old != end:
        middle = middle_of(start, end)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, is_known = middle, False
    return (ranges if is_known else [*ranges, (start, end)])[::-1]


def ranges_without(indices: Sequence[int], size: int) -> Iterator[Range]:
    """The largest subtrees that have none of the leaves at *indices*, from left to right."""

    def ranges(start: int, end: int, low: int, high: int) -> Iterator[Range]:
        if low == high:
            yield start, end
        elif end - start > 1:
            middle = middle_of(start, end)
            split = bisect_left(indices, middle, low, high)
            yield from ranges(start, middle, low, split)
            yield from ranges(middle, end, split, high)

    return ranges(0, size, 0, len(indices))


def hashes_of(ranges: Sequence[Range], leaves: Iterable[bytes]) -> list[bytes]:
    """The hashes of *ranges*, which do not overlap, from one pass over the hashes of all *leaves*.

    Raises `ValueError` if there are fewer leaves than the ranges need.
    """
    wanted = sorted(ranges, reverse=True)
    found: dict[Range, bytes] = {}
    tree = CompactRange()
    for index, leaf in enumerate(leaves):
        if not wanted:
            break
        if index >= wanted[-1][0]:
            tree.append(leaf)
        if index == wanted[-1][1] - 1:
            found[wanted.pop()] = tree.root()
            tree = CompactRange()
    if wanted:
        raise ValueError(f"there are fewer than {wanted[-1][1]} leaves")
    return [found[range_] for range_ in ranges]
