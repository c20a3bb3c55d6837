"""The compiled core under AddressSanitizer and UndefinedBehaviorSanitizer, and with faults planted in it.

`make asan` and `make faults`; docs/testing.md says what they do.
"""
