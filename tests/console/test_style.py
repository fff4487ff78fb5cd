"""The colours of the console can be read, in light and dark (WCAG 2.2 AA: 4.5 to 1)."""

from __future__ import annotations

import re

import pytest

from share_actors.cli.console import app

CSS = (app.HERE / "static/console.css").read_text(encoding="utf-8")
PAIRS = [
    *((text, ground) for text in ("text", "muted") for ground in ("ground", "surface", "sunk")),
    *((tone, f"{tone}-soft") for tone in ("accent", "good", "warn", "bad")),
    *((tone, "surface") for tone in ("accent", "good", "warn", "bad")),
    *(("text", f"{tone}-soft") for tone in ("accent", "warn", "bad")),
    ("surface", "accent"),
]


def colours(scheme: str) -> dict[str, str]:
    """The colours by name; those of dark replace those of light."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    text = light if scheme == "light" else light + dark
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", text))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_people_need(scheme: str) -> None:
    found = colours(scheme)

    for text, ground in PAIRS:
        dim, bright = sorted((luminance(found[text]), luminance(found[ground])))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, f"{text} on {ground}"
