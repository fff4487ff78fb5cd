"""The matrix of who may do what: each cell is tried through the client, on a running system."""

from __future__ import annotations

import pytest

from share_actors.client import ShareSystem
from tests.tenants.callers import CALLERS, Blue, answer
from tests.tenants.matrix import MATRIX

CELLS = [
    (operation, who, expected)
    for operation, (_, row) in MATRIX.items()
    for who, expected in zip(CALLERS, row, strict=True)
]


@pytest.mark.parametrize(("operation", "who", "expected"), CELLS)
def test_each_caller_may_do_what_the_matrix_says(
    system: ShareSystem, blue: Blue, operation: str, who: str, expected: str
) -> None:
    prepare, _ = MATRIX[operation]
    attempt = prepare(blue)

    assert answer(lambda: attempt(system.as_user(CALLERS[who]))) == expected
