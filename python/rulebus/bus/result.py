"""What `put_events` answers: of each entry, in its order, the event's id or what is wrong with it.

Most callers only ask whether something failed, so the records of the entries are made when they are asked for.
Relies on nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["EntryFault", "EntryResult", "PutResult"]


class EntryFault(NamedTuple):
    """Why an entry was refused."""

    code: str
    """As AWS writes it: ``InvalidArgument``, ``MalformedDetail`` …"""
    message: str
    """In AWS's words where it has some."""
    reason: str = ""
    """What exactly is wrong, in ours."""


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What became of one entry: `event_id` when it was accepted, else the other three."""

    event_id: str | None
    """The event's id, in all its deliveries."""
    error_code: str | None = None
    """As AWS writes it: ``InvalidArgument``, ``MalformedDetail`` …; docs/errors.md lists them."""
    error_message: str | None = None
    """In AWS's words where it has some."""
    reason: str | None = None
    """What exactly is wrong, where the message does not say."""


class PutResult(Sequence[EntryResult]):
    """What became of each entry of a `put_events`, in the order given.

    >>> result = PutResult(["id-1", None], {1: EntryFault("MalformedDetail", "Detail is malformed.")}, generation=7)
    >>> result.failed_entry_count, result[0].event_id, result[1].error_code
    (1, 'id-1', 'MalformedDetail')
    >>> result.to_dict()["Entries"]
    [{'EventId': 'id-1'}, {'ErrorCode': 'MalformedDetail', 'ErrorMessage': 'Detail is malformed.'}]
    """

    __slots__ = ("_faults", "_ids", "generation")

    def __init__(self, ids: list[str | None], faults: dict[int, EntryFault], generation: int) -> None:
        self._ids = ids
        self._faults = faults
        self.generation = generation
        """Which rule set the events were matched against: rises with every change of rules."""

    @property
    def failed_entry_count(self) -> int:
        """How many entries were refused."""
        return len(self._faults)

    @property
    def event_ids(self) -> list[str | None]:
        """The id of each event, None where an entry was refused."""
        return list(self._ids)

    @property
    def entries(self) -> list[EntryResult]:
        """One record an entry."""
        return [self._entry(at) for at in range(len(self._ids))]

    def to_dict(self) -> dict[str, Any]:
        """The same as boto3 answers it."""
        return {
            "FailedEntryCount": len(self._faults),
            "Entries": [
                {"EventId": id}
                if (fault := self._faults.get(at)) is None
                else {"ErrorCode": fault.code, "ErrorMessage": fault.message}
                for at, id in enumerate(self._ids)
            ],
        }

    def _entry(self, at: int) -> EntryResult:
        fault = self._faults.get(at)
        if fault is None:
            return EntryResult(self._ids[at])
        return EntryResult(None, fault.code, fault.message, fault.reason or None)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._entry(at) for at in range(*index.indices(len(self._ids)))]
        return self._entry(range(len(self._ids))[index])

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[EntryResult]:
        return (self._entry(at) for at in range(len(self._ids)))

    def __repr__(self) -> str:
        entries = "1 entry" if len(self) == 1 else f"{len(self)} entries"
        first = ""
        if self._faults:
            at = min(self._faults)
            fault = self._faults[at]
            why = (fault.reason or fault.message).partition("\n")[0]
            first = f" (entry {at}: {fault.code}: {why})"
        return (
            f"<PutResult of {entries}, {self.failed_entry_count} failed{first}, generation {self.generation}>"
        )
