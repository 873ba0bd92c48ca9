"""The contrast of colours."""

from __future__ import annotations

Colour = tuple[int, int, int]
# What text needs to be told from its ground: https://www.w3.org/TR/WCAG21/#contrast-minimum
READABLE = 4.5


def luminance(colour: Colour) -> float:
    """Relative luminance: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    parts = [part / 255 for part in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """The ratio of two colours, from 1 to 21."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def from_hex(text: str) -> Colour:
    """The colour of `1c2128`."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
