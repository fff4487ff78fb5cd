"""Values that callers may give for any parameter, by mistake or on purpose."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from share_actors.values import RequestContext

NUMBERS: tuple[Any, ...] = (
    *(True, False, 0, 1, -1, 2**31, 2**63, 10**5000),
    *(0.0, 1.5, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *("", " ", "no", "yes", "5", "nan", "None", "-1", "x" * 256, "x" * 100_000),
    *("\ud800", "a\0b", "a\nb", "\x1b[31mred", "a\u202eb", "\u00e9\U0001f600", "'; --", "%s{0}"),
    *("/etc", "../..", "a/b", "a:b", "share:x", "share_type:fast", "backend:dummy", "dummy#dummy"),
    *("fe80::1%eth0", "::ffff:10.0.0.1", "10.0.0.1/33", "0::0/0", "Domain Users", "..."),
    *("5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d11", "5F0C6A9E-8D0B-4D5E-9B0E-2F4A1A1F5D11", "{}"),
)
OTHERS: tuple[Any, ...] = (
    *(None, b"\xff\xfe", b"bytes", [], [None], ["a", "a"], (), {}, {"": ""}, {"k": None}, {1: 2}),
    *({"k" * 256: "v"}, {"k": "v" * 1024}, {f"k{n}": "v" for n in range(200)}, {"a\nb": "\ud800"}),
    *({"path": "/etc"}, {"size": float("nan")}, {"size": "many"}, [[[[[[[[[[[]]]]]]]]]]]),
    *({"id": None}, set(), {1, 2}, object(), int, RequestContext(), range(3)),
)
ODD = (*NUMBERS, *TEXTS, *OTHERS)
"""Each kind of value that has been taken wrongly somewhere, in this field or here."""
CORE: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**5000, 1e308, float("nan"), float("inf"), "", "no", "x" * 100_000),
    *("\ud800", "a\0b", "\x1b[31mred", "../..", "share_type:fast", "backend:dummy", "fe80::1%eth0"),
    *(b"\xff\xfe", [], [None], {"k": None}, {1: 2}, {"a\nb": "\ud800"}, object(), RequestContext()),
)
"""One value of each kind, which every parameter is given; `ODD` are drawn from at random."""

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_KEYS = st.text() | st.integers()
_NESTED = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_SURROGATES = st.text(st.characters(categories=["Cs", "Cc", "Cf", "L"]), max_size=5)
ANYTHING = st.sampled_from(ODD) | _NESTED | _SURROGATES
