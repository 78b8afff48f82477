"""Which builds follow a new phase while it is tried on a share of them: the same ones, however often one asks."""

from __future__ import annotations

from typing import Final, Literal

Arm = Literal["new", "old"]

_BYTES: Final = 8


def arm_of(build: str, share: float) -> Arm:
    """Give the arm of a build, by its id: `new` for a share of all builds from 0 to 1.

    A build that is in a share is in every larger one as well, so that widening a trial moves nobody back.
    """
    if share <= 0 or share >= 1:
        return "new" if share >= 1 else "old"
    from hashlib import blake2b

    place = int.from_bytes(blake2b(build.encode(errors="surrogatepass"), digest_size=_BYTES).digest(), "big")
    return "new" if place / 256**_BYTES < share else "old"
