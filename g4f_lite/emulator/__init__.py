"""The services as a server on loopback, with scripted answers, records and faults on request."""

from .answers import Backend, Delta, Message
from .emulator import Emulator
from .fault_kinds import FAULTS
from .openai import DIALECTS
from .record import ReceivedRequest
from .settings import Settings

__all__ = [
    "DIALECTS",
    "FAULTS",
    "Backend",
    "Delta",
    "Emulator",
    "Message",
    "ReceivedRequest",
    "Settings",
]
