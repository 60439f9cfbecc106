"""Messages of a kernel as the websocket carries them, protocol version 1.

One binary message holds the offsets of its parts and the parts themselves:
channel, header, parent's header, metadata, content, buffers. Numbers are 64
bits, little-endian; the first says how many offsets follow, the last offset
is the length of the whole.
"""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from upramp.errors import InputError

__all__ = ["PROTOCOL", "Message", "pack", "request", "unpack"]

PROTOCOL: Final = "v1.kernel.websocket.jupyter.org"
"""What both ends have to agree on when the websocket opens."""

_NUMBER: Final = 8
_PARTS: Final = 5


@dataclass(frozen=True)
class Message:
    """A message to a kernel or from it.

    Parameters
    ----------
    channel
        ``shell``, ``iopub``, ``control`` or ``stdin``.
    kind
        Its type, as ``execute_reply``.
    content
        What it says.
    identity
        Its own identity.
    parent
        The identity of the message that it answers; empty for none.
    """

    channel: str
    kind: str
    content: dict[str, Any]
    identity: str = ""
    parent: str = ""


def request(kind: str, content: dict[str, Any]) -> Message:
    """Make a request with an identity of its own.

    Parameters
    ----------
    kind
        Its type.
    content
        What it asks.
    """
    return Message("shell", kind, content, identity=uuid.uuid4().hex)


def pack(message: Message, session: str) -> bytes:
    """Give a message as the websocket carries it.

    Parameters
    ----------
    message
        What is sent.
    session
        The identity of this client's session.
    """
    header = {
        "msg_id": message.identity,
        "msg_type": message.kind,
        "session": session,
        "username": "",
        "version": "5.3",
    }
    parts = [
        message.channel.encode(),
        *(json.dumps(each).encode() for each in (header, {}, {}, message.content)),
    ]
    count = len(parts) + 1
    offsets = list(itertools.accumulate(map(len, parts), initial=_NUMBER * (count + 1)))
    numbers = b"".join(n.to_bytes(_NUMBER, "little") for n in (count, *offsets))
    return numbers + b"".join(parts)


def unpack(data: bytes) -> Message:
    """Read a message that came over the websocket.

    Parameters
    ----------
    data
        The whole of it.

    Raises
    ------
    InputError
        If it is no such message.
    """
    try:
        # Too few offsets give too few parts, which the unpacking below refuses.
        count = min(int.from_bytes(data[:_NUMBER], "little"), len(data) // _NUMBER)
        ends = [
            int.from_bytes(data[_NUMBER * n : _NUMBER * (n + 1)], "little")
            for n in range(1, count + 1)
        ]
        channel, header, parent, _metadata, content = (
            data[a:b] for a, b in itertools.islice(itertools.pairwise(ends), _PARTS)
        )
        read, answered = json.loads(header), json.loads(parent)
        return Message(
            channel.decode(),
            str(read["msg_type"]),
            dict(json.loads(content)),
            identity=str(read.get("msg_id", "")),
            parent=str(answered.get("msg_id", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            "a message of the kernel",
            f"it does not follow {PROTOCOL}",
            "see whether a proxy in between changes websocket messages",
        ) from None
