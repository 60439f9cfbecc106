"""Official association files: read, and checked before anything is made of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import InputError, UsageError

from .pipelines import BY_ASSOCIATION, stage_of_association

if TYPE_CHECKING:
    import os

__all__ = ["Association", "Member", "Product", "is_association", "read_association"]

_LARGEST: Final = 64 << 20
"""Bytes of the largest file that is read: the mission's largest have some hundred thousand."""

_NO_NAME: Final = frozenset("/\\\0")
_LONGEST: Final = 200
"""Characters of a product's name: its suffix must find room behind it."""
_IDENTITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PLACES: Final = re.compile(r"\{[a-z_]+\}")
"""What official pipelines fill in names of products: ``{source_id}``."""

_PURPOSES: Final = frozenset(
    {
        *("science", "background", "psf", "imprint", "selfcal", "target_acquisition"),
        *("sourcecat", "segmap", "direct_image"),
        *("autoflat", "autowave", "dark", "engineering", "flat", "tso"),
    }
)
"""What members are there for: the ``exptype`` of the official associations."""


@dataclass(frozen=True)
class Member:
    """A file of an association.

    Parameters
    ----------
    path
        Where it is.
    exptype
        What it is there for: ``science``, ``background``, ``psf``, ...
    """

    path: Path
    exptype: str


@dataclass(frozen=True)
class Product:
    """What is to be made of some members.

    Parameters
    ----------
    name
        Its name, without a suffix.
    members
        What it is made of.
    """

    name: str
    members: tuple[Member, ...]

    def of_type(self, exptype: str) -> tuple[Member, ...]:
        """Give the members that are there for one purpose.

        Parameters
        ----------
        exptype
            The purpose.
        """
        return tuple(member for member in self.members if member.exptype == exptype)


@dataclass(frozen=True)
class Association:
    """An association of exposures.

    Parameters
    ----------
    path
        Its file.
    kind
        Its ``asn_type``: ``image3``, or what else it says.
    identity
        Its ``asn_id``: ``o001``.
    products
        What is to be made, one at least.
    """

    path: Path
    kind: str
    identity: str
    products: tuple[Product, ...]
    in_lower_case: bool = True
    """Whether the file names what its members are for as the official pipelines do."""

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, each file once for each purpose."""
        return tuple(dict.fromkeys(one for product in self.products for one in product.members))

    @property
    def science(self) -> tuple[Member, ...]:
        """The members that products are made of."""
        return tuple(member for member in self.members if member.exptype == "science")

    @property
    def pipeline(self) -> str | None:
        """The official pipeline that its type names, or None where its exposures are to tell."""
        return BY_ASSOCIATION.get(self.kind)


def is_association(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is to be read as an association.

    Parameters
    ----------
    path
        The file.
    """
    return Path(path).suffix.lower() == ".json"


def read_association(path: str | os.PathLike[str], stage: int) -> Association:
    """Read an association file and look for all its members.

    Parameters
    ----------
    path
        The file, JSON; its members lie beside it.
    stage
        2 or 3: what it is to be used for.

    Returns
    -------
    Association
        What it says.

    Raises
    ------
    InputError
        If it cannot be read, is no association for this stage, or members are
        missing or named with folders.
    """
    file = Path(path)
    content = _content(file)
    kind = _text(content.get("asn_type")) or "none"
    own = stage_of_association(kind)
    if own is not None and own != stage:
        raise InputError(
            file,
            f"it is an association of the type {kind}, which stage {stage} does not take",
            f"use stage {own}, or give an association for stage {stage}",
        )
    listed = content.get("products")
    if not isinstance(listed, list) or not listed:
        raise _not_one(file, "it lists no products")
    products = tuple(_product(file, entry) for entry in listed)
    for product in products:
        if not product.of_type("science"):
            raise InputError(
                file,
                f"its product {product.name} has no member of the type science",
                "put the exposures in that it is to be made of",
            )
    if stage == 3 and kind != "wfs-image3" and len(products) > 1:
        raise InputError(
            file,
            f"it lists {len(products)} products, of which stage 3 would make the first alone",
            "give one association for each",
        )
    identity = _text(content.get("asn_id")) or "a3001"
    if not _IDENTITY.fullmatch(identity):
        raise _not_one(file, f"its asn_id {identity[:60]!r} cannot be in names of files")
    twice = [name for name, count in Counter(one.name for one in products).items() if count > 1]
    if twice:
        raise InputError(
            file,
            f"it lists the product {twice[0]} more than once, and one would replace the other",
            "give each a name of its own",
        )
    written = [one["exptype"] for entry in listed for one in entry["members"]]
    plain = all(one == one.lower() for one in written)
    found = Association(file, kind, identity, products, in_lower_case=plain)
    _require_members(found)
    return found


def _content(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            raise _not_one(file, f"it is larger than {_LARGEST >> 20} MiB")
        content = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise InputError(file, "there is no such file", "check its name") from error
    except OSError as error:
        raise InputError(
            file, f"it cannot be read ({error.strerror or error})", "check the file"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise _not_one(file, f"it cannot be read as JSON ({reason})") from error
    if not isinstance(content, dict):
        raise _not_one(file, "it is JSON, but no association")
    return content


def _not_one(file: Path, problem: str) -> InputError:
    return InputError(
        file, problem, "give an association file, as the archive or asn_from_list makes"
    )


def _product(file: Path, entry: Any) -> Product:
    if not isinstance(entry, dict):
        raise _not_one(file, "one of its products is no table of names and values")
    name = _text(entry.get("name"))
    if name is None:
        raise _not_one(file, "one of its products has no name")
    _require_plain(file, "product", name)
    if len(name) > _LONGEST or set(_PLACES.sub("", name)) & set("{}"):
        raise InputError(
            file,
            f"its product {name[:60]!r} cannot be a file's name",
            f"use at most {_LONGEST} characters, and braces only around a field to fill,"
            " such as {source_id}",
        )
    members = entry.get("members")
    if not isinstance(members, list) or not members:
        raise _not_one(file, f"its product {name} has no members")
    found = tuple(_member(file, name, member) for member in members)
    for member, count in Counter(found).items():
        if count > 1:
            raise InputError(
                file,
                f"its product {name} lists {member.path.name} {count} times, as if it were as"
                " many exposures",
                "list each member once",
            )
    return Product(name, found)


def _member(file: Path, product: str, entry: Any) -> Member:
    name = _text(entry.get("expname")) if isinstance(entry, dict) else None
    purpose = _text(entry.get("exptype")) if isinstance(entry, dict) else None
    if name is None or purpose is None:
        raise _not_one(file, f"a member of its product {product} lacks its expname or exptype")
    _require_plain(file, "member", name)
    if purpose.lower() not in _PURPOSES:
        near = get_close_matches(purpose.lower(), sorted(_PURPOSES), 1)
        raise InputError(
            file,
            f"its member {name} is of the exptype {purpose[:60]!r}, which no official pipeline"
            " knows",
            f"perhaps {near[0]} is meant" if near else "use one such as science or background",
        )
    return Member(file.parent / name, purpose.lower())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _require_plain(file: Path, what: str, name: str) -> None:
    if set(name) & _NO_NAME or name in {".", ".."} or not name.isprintable():
        raise InputError(
            file,
            f"its {what} {name!r} is no plain name of a file",
            "put members beside the association and name them without folders"
            if what == "member"
            else "name it without folders: products go where they are asked to",
        )


def _require_members(association: Association) -> None:
    missing = [member.path.name for member in association.members if not member.path.is_file()]
    if missing:
        others = f" and {len(missing) - 1} more of its members" if len(missing) > 1 else ""
        raise InputError(
            association.path,
            f"its member {missing[0]}{others} is not beside it"
            if not others
            else f"its member {missing[0]}{others} are not beside it",
            "put all members into its folder",
        )
    own = [member for member in association.science if is_association(member.path)]
    if own:
        raise UsageError(
            association.path,
            f"its member {own[0].path.name} is an association itself",
            "give that one by itself",
        )
