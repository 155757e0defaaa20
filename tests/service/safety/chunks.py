"""Texts cut into chunks at any points, as a model may send them."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st


def cut(text: str, points: Sequence[int]) -> list[str]:
    """The text in chunks, cut at these points; joined, they are the text."""
    edges = [0, *sorted(min(point, len(text)) for point in points), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def pieces(text: str, size: int) -> list[str]:
    """The text in chunks of this size."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def cuttings(text: str) -> st.SearchStrategy[list[str]]:
    """Every way to cut the text, character by character included."""
    points = st.lists(st.integers(0, len(text)), max_size=12)
    return st.one_of(st.just(list(text)), st.just([text]), points.map(lambda each: cut(text, each)))
