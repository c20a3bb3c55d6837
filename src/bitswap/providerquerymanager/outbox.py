"""Commands that nobody has taken yet, so that those which lost their purpose are never carried out."""

from __future__ import annotations

from itertools import count

from bitswap.providerquerymanager.commands import Command, StopAsking


class Outbox:
    """Gives out numbers for commands and keeps these until they are taken, oldest first."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: dict[int, Command] = {}
        self._stops: dict[int, StopAsking] = {}

    def number(self) -> int:
        """A number that was never given before."""
        return next(self._numbers)

    def put(self, command: Command) -> None:
        if isinstance(command, StopAsking):
            self._stops[command.number] = command
        else:
            self._waiting[command.number] = command

    def withdraw(self, number: int) -> bool:
        """Take a command back; False if somebody has it already."""
        return self._waiting.pop(number, None) is not None

    def ended(self, number: int) -> None:
        """A question has ended by itself: nobody need stop it."""
        self._stops.pop(number, None)

    def take(self) -> list[Command]:
        if not self._waiting and not self._stops:
            return []
        taken: list[Command] = [*self._stops.values(), *self._waiting.values()]
        self._stops.clear()
        self._waiting.clear()
        return taken
