"""Looking for peers that have a block, and connecting to them (boxo `providerquerymanager`)."""

from bitswap.providerquerymanager.commands import Ask, Command, Connect, LookUp, StopAsking
from bitswap.providerquerymanager.manager import ProviderQueryManager
from bitswap.providerquerymanager.search import Ended, Outcome, Progress, Search, SearchFailure
from bitswap.providerquerymanager.sessions import ProviderConnected, SearchOver, SessionSearches

__all__ = [
    "Ask",
    "Command",
    "Connect",
    "Ended",
    "LookUp",
    "Outcome",
    "Progress",
    "ProviderConnected",
    "ProviderQueryManager",
    "Search",
    "SearchFailure",
    "SearchOver",
    "SessionSearches",
    "StopAsking",
]
