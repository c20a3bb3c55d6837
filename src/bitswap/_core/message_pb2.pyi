# What `wire_py` uses of the generated module.
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.message import Message as _Message

DESCRIPTOR: FileDescriptor

class Message(_Message):
    class Wantlist(_Message):
        class Entry(_Message):
            block: bytes
            priority: int
            cancel: bool
            wantType: int
            sendDontHave: bool

        full: bool
        @property
        def entries(self) -> RepeatedCompositeFieldContainer[Message.Wantlist.Entry]: ...

    class Block(_Message):
        prefix: bytes
        data: bytes

    class BlockPresence(_Message):
        cid: bytes
        type: int

    pendingBytes: int
    @property
    def wantlist(self) -> Message.Wantlist: ...
    @property
    def blocks(self) -> RepeatedScalarFieldContainer[bytes]: ...
    @property
    def payload(self) -> RepeatedCompositeFieldContainer[Message.Block]: ...
    @property
    def blockPresences(self) -> RepeatedCompositeFieldContainer[Message.BlockPresence]: ...
