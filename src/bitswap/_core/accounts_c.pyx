# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The accounts of `decision.score_ledger`, compiled: the same arithmetic in the same order, so the same doubles."""

from bitswap._core.accounts import LONG_EVERY, LONG_WEIGHT, SAMPLE, SHORT_WEIGHT, Receipt

__all__ = ["DefaultScoreLedger"]

cdef extern from *:
    """
    #if defined(__clang__)
    #pragma STDC FP_CONTRACT OFF
    #elif defined(__GNUC__)
    #pragma GCC optimize ("fp-contract=off")
    #endif
    """

cdef double _short_weight = SHORT_WEIGHT
cdef double _long_weight = LONG_WEIGHT
cdef double _sample = SAMPLE
cdef long long _long_every = LONG_EVERY


cdef class _Account:
    cdef long long sent, recv, exchanged
    cdef long long seen_short, seen_long    # `exchanged` at the last sample of each kind
    cdef double short, long
    cdef long score


cdef inline double average(double old, bint fresh, double weight) noexcept nogil:
    """The moving average, weighted exponentially, with one more sample."""
    return (_sample if fresh else 0.0) * weight + (1 - weight) * old


cdef inline long score_of(_Account account) noexcept:
    cdef long long total = account.recv + account.sent
    cdef double generosity = 0.0
    if account.recv > 0 and total > 0:
        generosity = <double>account.recv / <double>total
    return <long>((account.short + account.long) * (0.75 + 0.5 * generosity))


cdef class DefaultScoreLedger:
    """Accounts of connected peers; see `decision.score_ledger`."""

    cdef public double interval
    cdef dict accounts  # None for a peer with which nothing was exchanged
    cdef long long samples

    def __cinit__(self, *args, **kwargs):
        self.accounts = {}

    def __init__(self, interval=10.0):
        self.interval = interval

    def __contains__(self, peer):
        return peer in self.accounts

    def __len__(self):
        return len(self.accounts)

    cdef _Account account(self, peer):
        cdef _Account account = <_Account>self.accounts.get(peer)
        if account is None:
            account = self.accounts[peer] = _Account.__new__(_Account)
        return account

    def peer_connected(self, peer):
        self.accounts.setdefault(peer)

    def peer_disconnected(self, peer):
        self.accounts.pop(peer, None)

    def add_sent(self, peer, long long byte_count, long long blocks):
        cdef _Account account = self.account(peer)
        account.sent += byte_count
        account.exchanged += blocks

    def add_received(self, peer, long long byte_count, long long blocks):
        cdef _Account account = self.account(peer)
        account.recv += byte_count
        account.exchanged += blocks

    def receipt(self, peer):
        cdef _Account account = <_Account>self.accounts.get(peer)
        if account is None:
            return Receipt(peer, 0.0, 0, 0, 0)
        value = <double>account.sent / <double>(account.recv + 1)
        return Receipt(peer, value, account.sent, account.recv, account.exchanged)

    def sample(self):
        cdef bint take_long = self.samples % _long_every == 0
        cdef bint fresh
        cdef long score
        cdef _Account account
        cdef dict changed = {}
        self.samples += 1
        for peer, value in self.accounts.items():
            if value is None:  # all of it is zero, and stays so
                continue
            account = <_Account>value
            fresh = account.exchanged > account.seen_short
            account.seen_short = account.exchanged
            account.short = average(account.short, fresh, _short_weight)
            if take_long:
                fresh = account.exchanged > account.seen_long
                account.seen_long = account.exchanged
                account.long = average(account.long, fresh, _long_weight)
            score = score_of(account)
            if score != account.score:
                account.score = score
                changed[peer] = score
        return changed
