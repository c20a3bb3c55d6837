"""Whole swarms of simulated nodes: a scenario in, figures, tables and plots out.

The machines are those of a real node; only network, clock, store and consumers are simulated. One thread, no
sockets, every run repeatable by its seed.
"""

from bitswap.simulation.plot import progress_svg
from bitswap.simulation.reading import load_scenario, scenario_of
from bitswap.simulation.result import NodeResult, Result
from bitswap.simulation.runner import Simulation, simulate
from bitswap.simulation.scenario import Blocks, Fault, Fetching, Group, Holding, Links, Scenario
from bitswap.simulation.table import describe

__all__ = [
    "Blocks",
    "Fault",
    "Fetching",
    "Group",
    "Holding",
    "Links",
    "NodeResult",
    "Result",
    "Scenario",
    "Simulation",
    "describe",
    "load_scenario",
    "progress_svg",
    "scenario_of",
    "simulate",
]
