"""Schemas of numbers as expressions: exact ranges, written digit by digit.

Numbers without bounds have at most 15 digits before the point, so that they are exact in the double precision that
most readers of JSON use, and multiples of a step have at most 9; bounded ones reach as far as their bounds. A bound on
numbers with a fraction is met by the decimal number as written, and by the double nearest to it, because rounding
keeps the order.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from localaik.generation.schema.charsets import single
from localaik.generation.schema.expressions import (
    EMPTY,
    NOTHING,
    Chars,
    Expr,
    Rule,
    Text,
    choice,
    counted,
    optional,
    seq,
    words,
)
from localaik.generation.schema.faults import UnsupportedKeywordError

__all__ = ["INTEGER", "NUMBER", "Numbers", "compile_integer", "compile_number", "integer_range", "signed"]

_DIGITS: Final = 15
_LARGEST: Final = 10**_DIGITS - 1
_MAX_WIDTH: Final = 60
_MAX_PLACES: Final = 20
_PLACES: Final = 6
_LARGEST_MULTIPLE: Final = 10**9 - 1
_MAX_STEP: Final = 64
_MAX_LISTED: Final = 500

_DIGIT: Final = Chars(single("0123456789"))
_ONE_TO_NINE: Final = Chars(single("123456789"))
_EXPONENT: Final = seq(Chars(single("eE")), optional(Chars(single("+-"))), counted(_DIGIT, 1, 2))
_NATURAL: Final = seq(_ONE_TO_NINE, counted(_DIGIT, 0, _DIGITS - 1))

INTEGER: Final = Rule("integer", choice([Text("0"), seq(optional(Text("-")), _NATURAL)]))
NUMBER: Final = Rule(
    "number",
    seq(
        optional(Text("-")),
        choice([Text("0"), _NATURAL]),
        optional(seq(Text("."), counted(_DIGIT, 1, _DIGITS))),
        optional(_EXPONENT),
    ),
)


@dataclass(slots=True)
class Numbers:
    """What all schemas of one place ask of a number; `path` is where to report a fault of the whole."""

    path: str
    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    step: Fraction | None = None
    """Every value is a multiple of it."""

    def raise_low(self, bound: Fraction, *, is_open: bool) -> None:
        """Demands values of at least `bound`, or above it."""
        if self.low is None or bound > self.low:
            self.low, self.low_open = bound, is_open
        elif bound == self.low:
            self.low_open |= is_open

    def lower_high(self, bound: Fraction, *, is_open: bool) -> None:
        """Demands values of at most `bound`, or below it."""
        if self.high is None or bound < self.high:
            self.high, self.high_open = bound, is_open
        elif bound == self.high:
            self.high_open |= is_open

    def add_step(self, step: Fraction) -> None:
        """Demands multiples of `step`."""
        if self.step is None:
            self.step = step
        else:
            numerator = math.lcm(self.step.numerator * step.denominator, step.numerator * self.step.denominator)
            self.step = Fraction(numerator, self.step.denominator * step.denominator)

    @property
    def is_empty(self) -> bool:
        """No number lies between the bounds."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))


def integer_range(numbers: Numbers) -> tuple[int | None, int | None]:
    """The lowest and the highest integer within the bounds."""
    low = high = None
    if numbers.low is not None:
        low = math.floor(numbers.low) + 1 if numbers.low_open else math.ceil(numbers.low)
    if numbers.high is not None:
        high = math.ceil(numbers.high) - 1 if numbers.high_open else math.floor(numbers.high)
    return low, high


def compile_integer(numbers: Numbers) -> Expr:
    """The integers within the bounds. Raises `UnsupportedKeywordError`."""
    if numbers.is_empty:
        return NOTHING
    low, high = integer_range(_within_reach(numbers))
    step = 1 if numbers.step is None else numbers.step.numerator
    if low is None and high is None and step == 1:
        return INTEGER
    return signed(*_closed(low, high, step), 0, step, numbers.path)


def compile_number(numbers: Numbers) -> Expr:
    """The numbers within the bounds, without exponents. Raises `UnsupportedKeywordError`."""
    if numbers.is_empty:
        return NOTHING
    numbers = _within_reach(numbers)
    if numbers.step is not None:
        places = _places(numbers.step)
        unit = 10**places
        scaled = Numbers(numbers.path, step=numbers.step * unit)
        if numbers.low is not None:
            scaled.raise_low(numbers.low * unit, is_open=numbers.low_open)
        if numbers.high is not None:
            scaled.lower_high(numbers.high * unit, is_open=numbers.high_open)
        step = scaled.step.numerator if scaled.step is not None else 1
        return signed(*_closed(*integer_range(scaled), step, unit), places, step, numbers.path)
    if numbers.low is None and numbers.high is None:
        return NUMBER
    bounds = [bound for bound in (numbers.low, numbers.high) if bound is not None]
    places = min(max(_PLACES, *(_places(bound) + 1 for bound in bounds)), _MAX_PLACES)
    low, high = _scaled(numbers, places)
    if low is not None and high is not None and low > high:
        raise UnsupportedKeywordError(numbers.path, "the range is too narrow")
    return signed(*_closed(low, high, 1, 10**places), places, 1, numbers.path)


def signed(low: int, high: int, places: int, step: int, path: str) -> Expr:
    """The multiples of `step` from `low` to `high`, divided by 10**places, written with up to `places` decimals."""
    if max(abs(low), abs(high)) >= 10**_MAX_WIDTH or places > _MAX_PLACES:
        raise UnsupportedKeywordError(path, "its numbers have too many digits")
    digits = _Digits(places, step)
    parts: list[Expr] = []
    if high >= 0:
        parts.append(digits.multiples(max(low, 0), high))
    if low < 0:
        parts.append(seq(Text("-"), digits.multiples(max(-high, 1), -low)))
    return choice(parts)


class _Digits:
    """Writes the multiples of `step` in a range, one digit after the other."""

    def __init__(self, places: int, step: int) -> None:
        self._places = places
        self._step = step
        self._free_rules: dict[tuple[int, int], Rule] = {}

    def multiples(self, low: int, high: int) -> Expr:
        """The multiples from `low` to `high` (0 <= low), divided by 10**places."""
        step, places = self._step, self._places
        first = -(-low // step) * step
        if first > high:
            return NOTHING
        if step <= _MAX_STEP:
            return self._range(low, high)
        if places == 0 and step % 10 == 0:
            tens = _Digits(0, step // 10).multiples(max(first, step) // 10, high // 10)
            return choice([*([Text("0")] if first == 0 else []), seq(tens, Text("0"))])
        count = min((high - first) // step + 1, _MAX_LISTED)
        return words([_decimal(first + index * step, places) for index in range(count)])

    def _range(self, low: int, high: int) -> Expr:
        unit = 10**self._places
        options: list[Expr] = []
        whole: list[int] = []
        for length in range(len(str(low // unit)), len(str(high // unit)) + 1):
            least, most = (10 ** (length - 1) * unit if length > 1 else 0), 10**length * unit - 1
            if self._step == 1 and length > 1 and low <= least and most <= high:
                whole.append(length)
                continue
            width = length + self._places
            first, last = str(max(low, least)).zfill(width), str(min(high, most)).zfill(width)
            options.append(self._follow(first, last, 0, width, 0))
        if whole:
            options.append(seq(_ONE_TO_NINE, counted(_DIGIT, whole[0] - 1, whole[-1] - 1), self._fraction()))
        return choice(options)

    def _follow(self, first: str | None, last: str | None, at: int, width: int, rest: int) -> Expr:
        """What may follow the first `at` of `width` digits.

        `first` and `last` bound the digits that are still to come, None where any will do. `rest` is what the digits
        so far leave modulo the step, with zeros behind them.
        """
        if first is not None and not first[at:].strip("0"):
            first = None
        if last is not None and not last[at:].strip("9"):
            last = None
        if first is None and last is None:
            return self._free(at - (width - self._places), rest)
        return self._digits(first, last, at, width, rest)

    def _digits(self, first: str | None, last: str | None, at: int, width: int, rest: int) -> Expr:
        point = width - self._places
        followers: dict[Expr, str] = {}
        weight = 10 ** (width - at - 1) if at < width else 0
        lowest, highest = int(first[at]) if first else 0, int(last[at]) if last else 9
        for digit in range(lowest, highest + 1) if at < width else ():
            follower = self._follow(
                first if digit == lowest else None,
                last if digit == highest else None,
                at + 1,
                width,
                (rest + digit * weight) % self._step,
            )
            followers[follower] = followers.get(follower, "") + str(digit)
        more = choice(seq(_one_of(digits), follower) for follower, digits in followers.items())
        if at == point and self._places:
            more = seq(Text("."), more)
        if at >= point and first is None and rest == 0:
            return optional(more) if followers else EMPTY
        return more

    def _free(self, after_point: int, rest: int) -> Expr:
        """Any digits; `after_point` counts those behind the point so far, or below 0 those still missing before it."""
        if self._step == 1:
            if after_point > 0:
                return counted(_DIGIT, 0, self._places - after_point)
            return seq(counted(_DIGIT, -after_point, -after_point), self._fraction())
        key = (after_point, rest)
        if key not in self._free_rules:
            rule = self._free_rules[key] = Rule("digits")
            rule.body = self._digits(None, None, max(after_point, 0), self._places + max(-after_point, 0), rest)
        return self._free_rules[key]

    def _fraction(self) -> Expr:
        return optional(seq(Text("."), counted(_DIGIT, 1, self._places))) if self._places else EMPTY


@lru_cache(maxsize=256)
def _one_of(digits: str) -> Expr:
    return Text(digits) if len(digits) == 1 else Chars(single(digits))


def _closed(low: int | None, high: int | None, step: int, unit: int = 1) -> tuple[int, int]:
    """Both bounds, the missing ones far enough away."""
    largest = _LARGEST if step == 1 else _LARGEST_MULTIPLE
    limit = max((largest + 1) * unit - 1, 10 * step)
    if low is None:
        low = -limit if high is None or high > -limit else high - limit
    if high is None:
        high = limit if low < limit else low + limit
    return low, high


def _within_reach(numbers: Numbers) -> Numbers:
    """Without bounds that lie beyond every number that is written anyway."""
    low = None if numbers.low is not None and numbers.low <= -(10**_MAX_WIDTH) else numbers.low
    high = None if numbers.high is not None and numbers.high >= 10**_MAX_WIDTH else numbers.high
    return replace(numbers, low=low, high=high)


def _scaled(numbers: Numbers, places: int) -> tuple[int | None, int | None]:
    """The bounds in units of 10**-places. An open bound is passed by the nearest double, too."""
    unit = 10**places
    low = high = None
    if numbers.low is not None:
        low = math.ceil(numbers.low * unit)
        if numbers.low_open and float(Fraction(low, unit)) <= float(numbers.low):
            low = math.ceil(Fraction(math.nextafter(float(numbers.low), math.inf)) * unit)
    if numbers.high is not None:
        high = math.floor(numbers.high * unit)
        if numbers.high_open and float(Fraction(high, unit)) >= float(numbers.high):
            high = math.floor(Fraction(math.nextafter(float(numbers.high), -math.inf)) * unit)
    return low, high


def _places(value: Fraction) -> int:
    """The decimals of a decimal fraction."""
    places = 0
    while 10**places % value.denominator:
        places += 1
    return places


def _decimal(value: int, places: int) -> str:
    whole, fraction = divmod(value, 10**places)
    return f"{whole}.{fraction:0{places}d}" if fraction else str(whole)
