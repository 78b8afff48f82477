"""State codes: small growing numbers that name the milestones of a build, and the ranges people write them in."""

from __future__ import annotations

from toolkit.core.values import Value

StateCode = int
HIGHEST = 9999


class CodeRange(Value):
    """A set of state codes, written `5`, `10-65` or `5,10-65`; both ends of a range belong to it."""

    spans: tuple[tuple[StateCode, StateCode], ...]

    def __contains__(self, code: object) -> bool:
        """Tell whether a state's code is in the set."""
        return isinstance(code, int) and any(low <= code <= high for low, high in self.spans)

    def __str__(self) -> str:
        """Write the set the way `parse_codes` reads it."""
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.spans)

    def overlaps(self, other: CodeRange) -> bool:
        """Tell whether any code is in both sets."""
        return any(a <= d and c <= b for a, b in self.spans for c, d in other.spans)


def parse_code(text: str) -> StateCode:
    """Read one code; ValueError says what is wrong with it."""
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()):
        raise ValueError(f"'{text}' is not a state code: codes are whole numbers from 0 to {HIGHEST}")
    code = int(stripped)
    if code > HIGHEST:
        raise ValueError(f"state code {code} is above the highest, {HIGHEST}")
    return code


def parse_codes(text: str) -> CodeRange:
    """Read codes and ranges such as `5,10-65`; spans come out sorted and merged. ValueError says what is wrong."""
    spans: list[tuple[StateCode, StateCode]] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = parse_code(first or part)
        high = parse_code(last) if dash else low
        if high < low:
            raise ValueError(f"range '{part.strip()}' runs backwards: write {high}-{low}")
        spans.append((low, high))
    merged: list[tuple[StateCode, StateCode]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return CodeRange(spans=tuple(merged))
