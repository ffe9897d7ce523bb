# SPDX-License-Identifier: GPL-2.0-only
"""The QMP side of a guest: events in, questions to a guest that no longer answers out."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from qemu.qmp import EventListener, QMPClient, QMPError

logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)  # a guest that dies is our result, not a line on the terminal
ANSWER_WITHIN = 3.0
"""Seconds of wall time for QEMU to answer one question."""


class Control:
    """QMP over a connected socket. Everything happens in the event loop that `connect` runs in."""

    def __init__(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._client = QMPClient("guest")
        self._reader: asyncio.Task[None] | None = None
        self.connected = False

    async def connect(self, connection: socket.socket) -> None:
        """Greets QEMU and passes its events on from now. Says nothing if QEMU dies before it answers."""
        listener = EventListener()
        self._client.register_listener(listener)
        self._reader = asyncio.ensure_future(self._pass_on(listener))
        try:
            await self._client.connect(connection)
            self.connected = True
        except QMPError:
            return

    async def _pass_on(self, listener: EventListener) -> None:
        async for event in listener:
            data = event.get("data", {})
            self._on_event(str(event["event"]), data if isinstance(data, dict) else {})

    async def drain(self) -> None:
        """Waits until QEMU, which has ended, has nothing more to say."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                while self.connected and self._client.runstate.name == "RUNNING":
                    await asyncio.sleep(0.002)
        except TimeoutError:
            return
        finally:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Ends the connection, whatever state it is in."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._client.disconnect()
        except (QMPError, EOFError, OSError, TimeoutError):
            pass
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

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
