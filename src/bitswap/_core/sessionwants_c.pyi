# The compiled module has the signatures of the one in Python.
from bitswap._core.sessionwants_py import WantRecord as WantRecord
from bitswap._core.sessionwants_py import begin as begin
from bitswap._core.sessionwants_py import came as came
from bitswap._core.sessionwants_py import hand_over as hand_over
from bitswap._core.sessionwants_py import take_first as take_first
