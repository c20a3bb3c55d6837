# The compiled class has the signatures of the one in Python.
from bitswap.decision.score_ledger import DefaultScoreLedger as DefaultScoreLedger
