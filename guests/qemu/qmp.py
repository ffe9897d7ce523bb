# SPDX-License-Identifier: GPL-2.0-or-later
"""The QMP channel of a guest: QEMU's events, and queries about a guest that no longer answers."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from qemu.qmp import EventListener, QMPClient, QMPError, Runstate

logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)  # the rig reports a guest that dies itself
ANSWER_WITHIN = 3.0
"""Seconds of wall time for QEMU to answer one question."""


class Control:
    """QMP over a connected socket. Everything happens in the event loop that `connect` runs in."""

    def __init__(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._client = QMPClient("guest")
        self.connected = False

    def start(self, connection: socket.socket) -> None:
        """Negotiates with QEMU in the background, and passes its events on from then on."""
        listener = EventListener()
        self._client.register_listener(listener)
        self._reading = asyncio.ensure_future(self._pass_on(listener))
        self._greeting = asyncio.ensure_future(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        try:
            await self._client.connect(connection)
            self.connected = True
        except (QMPError, OSError, EOFError):
            return  # QEMU died before it answered; its end is seen elsewhere

    async def ready(self) -> None:
        """Waits for the end of the negotiation; `connected` says what came of it."""
        await asyncio.gather(self._greeting, return_exceptions=True)

    async def _pass_on(self, listener: EventListener) -> None:
        async for event in listener:
            data = event.get("data", {})
            self._on_event(str(event["event"]), data if isinstance(data, dict) else {})

    async def close(self) -> None:
        """Reads the last events of QEMU, which must have ended, and closes the connection."""
        await self.ready()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                while self.connected and self._client.runstate is Runstate.RUNNING:
                    await asyncio.sleep(0.002)
                await self._client.disconnect()
        except (QMPError, EOFError, OSError, TimeoutError):
            pass
        await asyncio.sleep(0)  # events that were queued
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def ask(self, command: str, arguments: dict[str, object] | None = None) -> object:
        """The answer to one command, None if there is none."""
        if not self.connected:
            return None
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._client.execute(command, arguments)
        except (QMPError, EOFError, OSError, TimeoutError):
            return None

    async def registers(self) -> str:
        """The registers of all processors, as QEMU's monitor prints them; empty if QEMU does not answer."""
        answer = await self.ask("human-monitor-command", {"command-line": "info registers -a"})
        return answer if isinstance(answer, str) else ""
