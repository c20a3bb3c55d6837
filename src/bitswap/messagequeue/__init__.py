"""What is wanted of one peer, and the messages that tell it (boxo `messagequeue`)."""

from bitswap.messagequeue.messagequeue import Ask, MessageQueue
from bitswap.messagequeue.timeouts import AnswerTimes

__all__ = ["AnswerTimes", "Ask", "MessageQueue"]
