"""The tree has the hashes and proofs of RFC 6962, and the notes are those of other implementations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.events.checkpoints import check_bundle
from share_actors.events.checkpoints.check_bundle import (
    BadProof,
    PublicKey,
    check_consistency,
    leaf_hash,
    open_note,
    root_by_inclusion,
)
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.merkle import (
    CompactRange,
    consistency_ranges,
    hashes_of,
    inclusion_ranges,
)

# Of the test vectors that Certificate Transparency's implementations share.
INPUTS = (
    *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
PATH_0_8 = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
PROOF_6_8 = (
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
)
KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann"
    " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
LEAVES = [leaf_hash(bytes.fromhex(item)) for item in INPUTS]


def root(leaves: list[bytes]) -> bytes:
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def test_the_roots_of_all_sizes_are_the_known_ones() -> None:
    assert [root(LEAVES[:size]).hex() for size in range(1, 9)] == list(ROOTS)
    assert root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_proofs_are_the_known_ones() -> None:
    assert tuple(h.hex() for h in hashes_of(inclusion_ranges(0, 8), LEAVES)) == PATH_0_8
    assert tuple(h.hex() for h in hashes_of(consistency_ranges(6, 8), LEAVES)) == PROOF_6_8


def test_a_note_of_another_implementation_is_verified() -> None:
    key = PublicKey.parse(KNOWN_KEY)
    assert open_note(KNOWN_NOTE, key).startswith("If you think")
    with pytest.raises(BadProof, match="it was changed"):
        open_note(KNOWN_NOTE.replace("think", "thank"), key)


@given(st.integers(1, 70), st.data())
def test_every_leaf_of_every_tree_has_a_proof_that_holds_for_it_alone(
    size: int, data: st.DataObject
) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = hashes_of(inclusion_ranges(index, size), leaves)
    assert root_by_inclusion(index, size, leaves[index], path) == root(leaves)
    assert root_by_inclusion(index, size, leaf_hash(b"other"), path) != root(leaves)
    for wrong in (path[:-1], [*path, b"\0" * 32]):
        if wrong != path:
            with pytest.raises(BadProof):
                root_by_inclusion(index, size, leaves[index], wrong)


@given(st.integers(1, 70), st.data())
def test_every_tree_is_proven_to_begin_with_every_smaller_one_and_with_no_other(
    size: int, data: st.DataObject
) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    old = data.draw(st.integers(1, size))
    path = hashes_of(consistency_ranges(old, size), leaves)
    check_consistency(old, root(leaves[:old]), size, root(leaves), path)
    with pytest.raises(BadProof):
        check_consistency(old, leaf_hash(b"other"), size, root(leaves), path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not NAME"),
        ("a+b", "not NAME"),
        (KNOWN_KEY.replace("c74f", "c74e"), "its id is not"),
        (KNOWN_KEY.replace("PeterN", "peterN"), "its id is not"),
        (KNOWN_KEY[:-8], "not "),
        ("a b+00000000+AAAA", "not an Ed25519"),
    ],
)
def test_a_damaged_key_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadProof, match=problem):
        PublicKey.parse(text)


@pytest.mark.parametrize(
    "note", ["", "\n\n", "text\n", "text\n\nno dash\n", "text\n\n\N{EM DASH} name !!!\n"]
)
def test_what_is_no_signed_note_is_refused(note: str) -> None:
    with pytest.raises(BadProof):
        open_note(note, PublicKey.parse(KNOWN_KEY))


def test_keys_with_any_bytes_are_read_back() -> None:
    keys = [SigningKey.generate("a/log") for _ in range(50)]
    assert any(key.public_text.count("+") > 2 for key in keys)
    assert all(PublicKey.parse(key.public_text) == key.public for key in keys)


def test_a_note_of_another_key_is_refused_and_unknown_signatures_are_ignored() -> None:
    key, other = SigningKey.generate("a/log"), SigningKey.generate("a/log")
    note = key.sign("text\n")
    with pytest.raises(BadProof, match="has not signed it"):
        open_note(note, other.public)
    both = note + other.sign("text\n").partition("\n\n")[2]
    assert open_note(both, key.public) == open_note(both, other.public) == "text\n"


def test_the_verifier_of_bundles_needs_nothing_of_the_package() -> None:
    source = check_bundle.__file__
    assert source is not None
    with open(source, encoding="utf-8") as file:
        text = file.read()
    assert "import share_actors" not in text
    assert "from share_actors" not in text
