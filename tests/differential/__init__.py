"""Two implementations of the decision core under the same operations: every output compared.

`python -m tests.differential --help`; docs/testing.md says what is compared and how.
"""
