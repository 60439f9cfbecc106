"""Traits that two widgets have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traitlets import HasTraits

__all__ = ["keep_alike"]

_TOGETHER: Final = (("x", "y"), ("xlim", "ylim"), ("vmin", "vmax"))


def keep_alike(first: HasTraits, second: HasTraits, names: Iterable[str]) -> None:
    """Keep traits of one name the same in two widgets.

    A place and a range are two traits each. `traitlets.link` would tell of one
    while the other is old still, and a click would be answered twice, once for
    a pixel that nobody clicked.

    Parameters
    ----------
    first
        Whose values count at the beginning.
    second
        Is told them.
    names
        Of the traits.
    """
    left = list(names)
    while left:
        name = left.pop(0)
        group = next((pair for pair in _TOGETHER if name in pair), (name,))
        own = tuple(each for each in group if each == name or each in left)
        left = [each for each in left if each not in own]
        _copy(first, second, own)
        _follow(first, second, own)
        _follow(second, first, own)


def _follow(leader: HasTraits, follower: HasTraits, names: tuple[str, ...]) -> None:
    def told(_change: Any) -> None:
        _copy(leader, follower, names)

    leader.observe(told, list(names))


def _copy(source: HasTraits, target: HasTraits, names: tuple[str, ...]) -> None:
    with target.hold_trait_notifications():
        for name in names:
            value, old = getattr(source, name), getattr(target, name)
            if value == value or old == old:  # noqa: PLR0124 - of two NaN, each would change the other
                setattr(target, name, value)
