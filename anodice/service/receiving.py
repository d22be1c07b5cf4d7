"""From a request to the bytes of one photo, no more of them than allowed, and in time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from anodice.service.limits import Limits
from anodice.service.refusals import malformed, too_large, too_slow

_FORM = "multipart/form-data"
_FRAME = 4096
"""Bytes that a form may have around its file."""


async def receive(request: Request, limits: Limits) -> bytes:
    """The content of the photo: the body, or the only file of a form.

    Raises:
        Refusal: too large, too slow, or no photo in it.
    """
    most = int(limits.megabytes * 2**20)
    bounded = Request(request.scope, _bounded(request.receive, most + _FRAME, f"{limits.megabytes:g} MB"))
    form = request.headers.get("content-type", "").lower().startswith(_FORM)
    try:
        async with asyncio.timeout(limits.read_seconds):
            data = await (_file(bounded) if form else bounded.body())
    except TimeoutError as error:
        raise too_slow(limits.read_seconds) from error
    except ClientDisconnect as error:
        raise malformed("but the connection was closed") from error
    if len(data) == 0:
        raise malformed("got no byte")
    if len(data) > most:
        raise too_large(f"{len(data) / 2**20:.1f} MB", f"{limits.megabytes:g} MB")
    return data


async def _file(request: Request) -> bytes:
    try:
        async with request.form(max_files=1, max_fields=8) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if len(files) != 1:
                raise malformed("got a form without a file")
            return await files[0].read()
    except HTTPException as error:
        raise malformed(f"got a form that cannot be read ({error.detail})") from error


def _bounded(receive: Receive, most: int, limit: str) -> Receive:
    """The same messages, until they hold too many bytes: what a client says of its length counts for nothing."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise too_large("more", limit)
        return message

    return bounded
