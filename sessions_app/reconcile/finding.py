"""What a check reports."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that the rows break: `code` is stable, `subject` names the row.

    `fix` repairs it where that is safe; it looks again under a lock before it changes anything.
    """

    code: str
    subject: str
    text: str
    expected: str = ""
    found: str = ""
    fix: Callable[[], None] | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, str | bool]:
        return {
            "code": self.code,
            "subject": self.subject,
            "text": self.text,
            "expected": self.expected,
            "found": self.found,
            "fixable": self.fix is not None,
        }

    def __str__(self) -> str:
        numbers = f" (expected {self.expected}, found {self.found})" if self.expected else ""
        return f"{self.code} {self.subject}: {self.text}{numbers}"
