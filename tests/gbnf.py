"""A reader of GBNF grammars that works as llama.cpp's does: tells what a grammar accepts, and makes texts of it."""

import random
from collections.abc import Iterable

MAX_REPETITIONS = 2000

# An element is a set of inclusive ranges (one character) or the name of a rule.
Element = tuple[tuple[int, int], ...] | str
Alternative = tuple[Element, ...]
# What is still to come: an element's place, and what comes behind it.
Stack = tuple[Alternative, int, "Stack"] | None


class Grammar:
    """One grammar. `ValueError` for what llama.cpp's parser or its check for left recursion refuses."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, list[Alternative]] = {}
        self._text = text
        self._at = 0
        self._made = 0
        self._space(newlines=True)
        while self._peek():
            self._rule()
        missing = {
            element
            for alternatives in self.rules.values()
            for alternative in alternatives
            for element in alternative
            if isinstance(element, str) and element not in self.rules
        }
        if missing:
            raise ValueError(f"undefined: {missing}")
        self._refuse_left_recursion()
        self._shortest = self._shortest_lengths()

    def accepts(self, text: str) -> bool:
        """The whole text is of the grammar."""
        stacks = self._advanced([(alternative, 0, None) for alternative in self.rules["root"]])
        for character in text:
            stacks = self._after(stacks, ord(character))
            if not stacks:
                return False
        return None in stacks

    def begins(self, text: str) -> bool:
        """Some text of the grammar begins with `text`."""
        stacks = self._advanced([(alternative, 0, None) for alternative in self.rules["root"]])
        for character in text:
            stacks = self._after(stacks, ord(character))
        return bool(stacks)

    def most_stacks(self, text: str) -> int:
        """The largest number of ways to read on that the engine has to keep while it reads `text`."""
        stacks = self._advanced([(alternative, 0, None) for alternative in self.rules["root"]])
        most = len(stacks)
        for character in text:
            stacks = self._after(stacks, ord(character))
            most = max(most, len(stacks))
        return most

    def sample(self, seed: int, effort: int = 200) -> str:
        """Some text of the grammar; after `effort` choices, the shortest way to the end is taken."""
        chooser = random.Random(seed)
        output: list[str] = []
        pending: list[Element] = ["root"]
        while pending:
            element = pending.pop()
            if not isinstance(element, str):
                output.append(_some_character(element, chooser))
                continue
            alternatives = self.rules[element]
            effort -= 1
            chosen = chooser.choice(alternatives) if effort > 0 else min(alternatives, key=self._length)
            pending += reversed(chosen)
        return "".join(output)

    def _length(self, alternative: Alternative) -> float:
        return sum(self._shortest[element] if isinstance(element, str) else 1 for element in alternative)

    def _shortest_lengths(self) -> dict[str, float]:
        """Of each rule, the length of its shortest text."""
        self._shortest = dict.fromkeys(self.rules, float("inf"))
        changed = True
        while changed:
            changed = False
            for name in reversed(self.rules):
                length = min(map(self._length, self.rules[name]))
                if length < self._shortest[name]:
                    self._shortest[name] = length
                    changed = True
        endless = [name for name, length in self._shortest.items() if length == float("inf")]
        if endless:
            raise ValueError(f"rules without an end: {endless}")
        return self._shortest

    def _after(self, stacks: Iterable[Stack], code: int) -> set[Stack]:
        matched: list[Stack] = []
        for stack in stacks:
            if stack is not None:
                alternative, place, rest = stack
                element = alternative[place]
                if not isinstance(element, str) and any(low <= code <= high for low, high in element):
                    matched.append((alternative, place + 1, rest))
        return self._advanced(matched)

    def _advanced(self, stacks: Iterable[Stack]) -> set[Stack]:
        """The stacks with a character, or nothing, on top that can be reached without reading one."""
        done: set[Stack] = set()
        seen: set[Stack] = set()
        todo = list(stacks)
        while todo:
            stack = todo.pop()
            while stack is not None and stack[1] == len(stack[0]):
                stack = stack[2]
            if stack in seen:
                continue
            seen.add(stack)
            if stack is None:
                done.add(None)
                continue
            alternative, place, rest = stack
            element = alternative[place]
            if isinstance(element, str):
                behind: Stack = (alternative, place + 1, rest) if place + 1 < len(alternative) else rest
                todo += [(option, 0, behind) for option in self.rules[element]]
            else:
                done.add(stack)
        return done

    def _refuse_left_recursion(self) -> None:
        # The engine takes a rule for possibly empty only if one of its alternatives is.
        done: set[str] = set()
        for name in self.rules:
            stack: list[tuple[str, list[str]]] = []
            following: str | None = name
            while True:
                if following is not None and following not in done:
                    if any(open_name == following for open_name, _ in stack):
                        raise ValueError(f"left recursion: {following}")
                    stack.append((following, self._leftmost(following)))
                if not stack:
                    break
                if stack[-1][1]:
                    following = stack[-1][1].pop()
                else:
                    done.add(stack.pop()[0])
                    following = None

    def _leftmost(self, name: str) -> list[str]:
        found: list[str] = []
        for alternative in self.rules[name]:
            for element in alternative:
                if not isinstance(element, str):
                    break
                found.append(element)
                if () not in self.rules[element]:
                    break
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _expect(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise ValueError(f"expected {text!r} at {self._text[self._at : self._at + 30]!r}")
        self._at += len(text)

    def _space(self, *, newlines: bool) -> None:
        while self._peek() and self._peek() in (" \t\r\n" if newlines else " \t"):
            self._at += 1

    def _name(self) -> str:
        start = self._at
        while self._peek() and (self._peek() == "-" or (self._peek().isascii() and self._peek().isalnum())):
            self._at += 1
        if start == self._at:
            raise ValueError(f"expected a name at {self._text[start : start + 30]!r}")
        return self._text[start : self._at]

    def _rule(self) -> None:
        name = self._name()
        if name in self.rules:
            raise ValueError(f"{name} is defined twice")
        self._space(newlines=False)
        self._expect("::=")
        self._space(newlines=True)
        self.rules[name] = []
        self.rules[name] = self._alternatives(nested=False)
        if self._peek() and self._peek() != "\n":
            raise ValueError(f"expected the end of a line at {self._text[self._at : self._at + 30]!r}")
        self._space(newlines=True)

    def _alternatives(self, *, nested: bool) -> list[Alternative]:
        alternatives = [self._sequence(nested=nested)]
        while self._peek() == "|":
            self._at += 1
            self._space(newlines=True)
            alternatives.append(self._sequence(nested=nested))
        return alternatives

    def _sequence(self, *, nested: bool) -> Alternative:
        elements: list[Element] = []
        start, weight = 0, 1
        while self._peek() not in {"", "\n", "|", ")"}:
            character = self._peek()
            if character in {"*", "+", "?", "{"}:
                low, high = self._counts()
                weight = self._repeat(elements, start, low, high, weight)
                self._space(newlines=nested)
                continue
            start, weight = len(elements), 1
            if character == '"':
                elements += self._literal()
            elif character == "[":
                elements.append(self._class())
            elif character == "(":
                self._at += 1
                self._space(newlines=True)
                before = self._made
                name = self._new_rule()
                self.rules[name] = self._alternatives(nested=True)
                self._expect(")")
                weight = max(1, self._made - before)
                elements.append(name)
            else:
                elements.append(self._name())
            self._space(newlines=nested)
        return tuple(elements)

    def _counts(self) -> tuple[int, int | None]:
        character = self._peek()
        self._at += 1
        if character != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        inner, _, _ = self._text[self._at :].partition("}")
        self._at += len(inner) + 1
        low, comma, high = inner.partition(",")
        bounds = int(low), (int(high) if high else None) if comma else int(low)
        if max(bounds[0], bounds[1] or 0) > MAX_REPETITIONS:
            raise ValueError(f"{inner} is refused, or silently without a bound")
        return bounds

    def _repeat(self, elements: list[Element], start: int, low: int, high: int | None, weight: int) -> int:
        item = elements[start:]
        if not item:
            raise ValueError("nothing to repeat")
        total = high or low or 1
        if weight * total > MAX_REPETITIONS:
            raise ValueError("too many repetitions in each other")
        del elements[start:]
        elements += item * low
        if high is None:
            name = self._new_rule()
            self.rules[name] = [(*item, name), ()]
            elements.append(name)
            return weight * total
        last: str | None = None
        for _ in range(high - low):
            name = self._new_rule()
            self.rules[name] = [(*item, last) if last else tuple(item), ()]
            last = name
        if last:
            elements.append(last)
        return weight * total

    def _new_rule(self) -> str:
        self._made += 1
        name = f"{self._made}_made"
        self.rules[name] = []
        return name

    def _literal(self) -> list[Element]:
        self._at += 1
        found: list[Element] = []
        while self._peek() != '"':
            code = self._character()
            found.append(((code, code),))
        self._at += 1
        return found

    def _class(self) -> Element:
        self._at += 1
        if self._peek() in {"^", "]"}:
            raise ValueError("an empty class is nothing at all, a negated one lets surrogates pass")
        ranges: list[tuple[int, int]] = []
        while self._peek() != "]":
            low = high = self._character()
            if self._peek() == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                high = self._character()
            ranges.append((low, high))
        self._at += 1
        return tuple(ranges)

    def _character(self) -> int:
        character = self._peek()
        if not character or character == "\n":
            raise ValueError("unexpected end")
        self._at += 1
        if character != "\\":
            return ord(character)
        letter = self._peek()
        self._at += 1
        if letter in "xuU":
            digits = {"x": 2, "u": 4, "U": 8}[letter]
            self._at += digits
            return int(self._text[self._at - digits : self._at], 16)
        return ord({"t": "\t", "r": "\r", "n": "\n"}.get(letter, letter))


def _some_character(ranges: Element, chooser: random.Random) -> str:
    low, high = chooser.choice(ranges)
    return chr(chooser.randint(int(low), int(high)))
