"""How long can a backtracking engine try a regular expression on a line? Decided from the expression alone, on the safe side.

The expression becomes an automaton without empty steps (Glushkov). A repeat inside which one text can be read in two ways makes the
engine try exponentially many ways (``(a+)+``). Else it tries at most about length ** n, where n is how many repeats that can read the
same characters follow each other (``a*a*``); the search for a beginning is one of them unless the expression is anchored.
Characters are those of Latin-1, and a few that stand for all others. (Weideman et al., "Analyzing matching time behavior of
backtracking regular expression matchers", 2016.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from sensorlogd.drivers.serial.regex.characters import ALL, characters

MAX_POSITIONS = 600
MAX_PAIRS = 40_000


class TooComplex(ValueError):
    """The expression cannot be judged."""


def degree(pattern: str, flags: int = 0) -> int | None:
    """n as in the module (1: in proportion to the length); None for exponential. ``flags``: as for ``re.compile``. Raises
    TooComplex, re.error."""
    tree = parser.parse(pattern, flags)
    automaton = _Automaton(tree.state.flags)
    looks: list[_Look] = []
    whole = automaton.sequence(_until_decided(list(tree)), looks)
    if not _is_anchored(tree, tree.state.flags):
        whole = automaton.join(automaton.star(automaton.single(ALL)), whole)
    worst = automaton.degree()
    worst = None if worst is None else max(worst, 1)
    for inner, flags_there in looks:  # tried anew at each place
        part = _Automaton(flags_there)
        more: list[_Look] = []
        part.sequence(inner, more)
        if more:
            raise TooComplex("a look-around inside another")
        found = part.degree()
        worst = None if worst is None or found is None else worst + found
    return worst


def _is_anchored(tree: Any, flags: int) -> bool:
    """Whether the expression can only match from the beginning of the text on."""
    if not len(tree) or flags & re.MULTILINE:
        return False
    op, argument = tree[0]
    if op is c.AT:
        return argument in (c.AT_BEGINNING, c.AT_BEGINNING_STRING)
    if op is c.SUBPATTERN:
        _, added, removed, body = argument
        return _is_anchored(body, _flags_within(flags, added, removed))
    return op is c.BRANCH and all(_is_anchored(branch, flags) for branch in argument[1])


def _flags_within(flags: int, added: int, removed: int) -> int:
    """The flags inside a group that adds and removes some: one of ASCII and UNICODE takes the other's place."""
    if added & (re.ASCII | re.UNICODE):
        flags &= ~(re.ASCII | re.UNICODE)
    return (flags | added) & ~removed


def _until_decided(items: list[Any]) -> list[Any]:
    """The expression without optional characters at its end: whoever has come so far has a match, and tries nothing else."""
    while items:
        op, argument = items[-1]
        if op in (c.MAX_REPEAT, c.MIN_REPEAT) and _is_character(argument[2]):
            if argument[0]:
                return [*items[:-1], (op, (argument[0], argument[0], argument[2]))]
            items = items[:-1]
        elif op is c.SUBPATTERN:
            group, added, removed, body = argument
            body = _until_decided(list(body))
            if body:
                return [*items[:-1], (op, (group, added, removed, body))]
            items = items[:-1]
        else:
            break
    return items


def _is_character(body: Any) -> bool:
    """Whether the part is one character out of a set, which can be read in one way only."""
    if len(body) != 1:
        return False
    op, argument = body[0]
    return _is_character(argument[3]) if op is c.SUBPATTERN else op in (c.ANY, c.LITERAL, c.NOT_LITERAL, c.IN)


# The body of a look-around, and the flags that are in force there.
_Look = tuple[Any, int]
# What a part of the expression is: in how many ways it can be empty, the positions it can begin and end with (one may be there twice).
_Part = tuple[int, Counter[int], Counter[int]]


def _times(positions: Counter[int], n: int) -> Counter[int]:
    """The positions, each that many times as often; more than nine times counts as nine."""
    return positions if n == 1 else Counter({position: min(m * n, 9) for position, m in positions.items()} if n else ())


class _Automaton:
    """The automaton of an expression (Glushkov): its positions, what each reads, and which can follow. ``exponential``: seen
    while it was built."""

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.sets: list[int] = []  # by position: the characters that it reads
        self.follow: list[Counter[int]] = []
        self.exponential = False

    # ---- from the expression -----------------------------------------------------------------------------------------

    def single(self, characters: int) -> _Part:
        """A new position that reads one of these characters. Raises TooComplex."""
        if len(self.sets) >= MAX_POSITIONS:
            raise TooComplex("too long")
        self.sets.append(characters)
        self.follow.append(Counter())
        here = Counter((len(self.sets) - 1,))
        return 0, here, here

    def join(self, one: _Part, two: _Part) -> _Part:
        """The second part after the first. Where the first may be empty, the whole begins with what the second begins with, too."""
        self._link(one[2], two[1])
        return min(one[0] * two[0], 9), one[1] + _times(two[1], one[0]), two[2] + _times(one[2], two[0])

    def star(self, part: _Part) -> _Part:
        """The part any number of times, none included."""
        self._link(part[2], part[1])
        return min(1 + part[0], 9), part[1], part[2]

    def _link(self, ends: Counter[int], begins: Counter[int]) -> None:
        for end, n in ends.items():
            follow = self.follow[end]
            for begin, m in begins.items():
                follow[begin] = min(follow[begin] + n * m, 9)

    def sequence(self, items: Iterable[Any], looks: list[_Look]) -> _Part:
        """The parts of the parser's items, one after the other. Bodies of look-arounds go into ``looks``. Raises TooComplex."""
        whole: _Part = (1, Counter(), Counter())
        for op, argument in items:
            whole = self.join(whole, self._part_of(op, argument, looks))
        return whole

    def _part_of(self, op: Any, argument: Any, looks: list[_Look]) -> _Part:
        """What one item of the parser's tree adds. The bodies of look-arounds are put into ``looks``. Raises TooComplex."""
        if op is c.AT:
            return 1, Counter(), Counter()
        if op is c.SUBPATTERN:
            _, added, removed, body = argument
            outside, self.flags = self.flags, _flags_within(self.flags, added, removed)
            part = self.sequence(body, looks)
            self.flags = outside
            return part
        if op is c.ATOMIC_GROUP:
            return self.sequence(argument, looks)
        if op is c.BRANCH:
            branches = [self.sequence(branch, looks) for branch in argument[1]]
            return (
                min(sum(branch[0] for branch in branches), 9),
                sum((branch[1] for branch in branches), Counter()),
                sum((branch[2] for branch in branches), Counter()),
            )
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            least, most, body = argument
            return self._part_of_repeat(least, most, body, looks)
        if op in (c.ASSERT, c.ASSERT_NOT):
            looks.append((argument[1], self.flags))
            return 1, Counter(), Counter()
        if op in (c.GROUPREF, c.GROUPREF_EXISTS):
            raise TooComplex("a reference to a group")
        return self.single(characters(op, argument, self.flags))

    def _part_of_repeat(self, least: int, most: Any, body: Any, looks: list[_Look]) -> _Part:
        """What a repeat adds: its body as often as it must be there, and then a loop or further copies that may be there. Raises
        TooComplex."""
        whole: _Part = (1, Counter(), Counter())
        for _ in range(least):
            whole = self.join(whole, self.sequence(body, looks))
        if most is c.MAXREPEAT:
            if least > 1 and self.sequence(body, [])[0]:
                self.exponential = True
            return self.join(whole, self.star(self.sequence(body, looks)))
        tail: _Part = (1, Counter(), Counter())
        for _ in range(int(most) - least):  # a?, (aa?)?, ...: each only after the one before
            empty, first, last = self.join(self.sequence(body, looks), tail)
            tail = min(empty + 1, 9), first, last
        if most > 1 and not _is_character(body):
            # No loop, yet what can be split in several ways at each of many copies is as bad as one.
            probe = _Automaton(self.flags)
            once = probe.sequence(body, [])
            probe.star(once)
            self.exponential |= bool(once[0]) or probe.degree() is None
        return self.join(whole, tail)

    # ---- what it means -----------------------------------------------------------------------------------------------

    def degree(self) -> int | None:
        """How many loops that can read the same text follow each other at most; None for exponential. Raises TooComplex."""
        loops = self._loops()
        if self.exponential or any(self._is_ambiguous(loop) for loop in loops):
            return None
        alphabets = [self._characters_of(loop) for loop in loops]

        @cache
        def longest(index: int) -> int:
            """The longest chain of loops, from this one on, that can read the same text."""
            best = 1
            for other in range(len(loops)):
                common = alphabets[index] & alphabets[other]
                if other != index and common and self._reaches(loops[index], loops[other], common):
                    best = max(best, 1 + longest(other))
            return best

        return max((longest(index) for index in range(len(loops))), default=0)

    def _characters_of(self, loop: set[int]) -> int:
        whole = 0
        for position in loop:
            whole |= self.sets[position]
        return whole

    def _reaches(self, one: set[int], other: set[int], characters: int) -> bool:
        """Whether the other loop can be reached from the first one through such characters alone."""
        seen, todo = set(one), list(one)
        while todo:
            for following in self.follow[todo.pop()]:
                if following not in seen and self.sets[following] & characters:
                    if following in other:
                        return True
                    seen.add(following)
                    todo.append(following)
        return False

    def _loops(self) -> list[set[int]]:
        """The positions that can be reached from themselves, grouped by loop (Tarjan's strongly connected components)."""
        order: dict[int, int] = {}
        low: dict[int, int] = {}
        stack: list[int] = []
        on: set[int] = set()
        loops: list[set[int]] = []
        for root in range(len(self.sets)):
            if root in order:
                continue
            work = [(root, iter(self.follow[root]))]
            order[root] = low[root] = len(order)
            stack.append(root)
            on.add(root)
            while work:
                node, following = work[-1]
                for nxt in following:
                    if nxt not in order:
                        order[nxt] = low[nxt] = len(order)
                        stack.append(nxt)
                        on.add(nxt)
                        work.append((nxt, iter(self.follow[nxt])))
                        break
                    if nxt in on:
                        low[node] = min(low[node], order[nxt])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[node])
                    if low[node] == order[node]:
                        loop: set[int] = set()
                        while node not in loop:
                            loop.add(top := stack.pop())
                            on.discard(top)
                        if len(loop) > 1 or self.follow[node][node]:
                            loops.append(loop)
        return loops

    def _is_ambiguous(self, loop: set[int]) -> bool:
        """Whether one text leads from a position back to it in two ways."""
        if any(n > 1 and following in loop for position in loop for following, n in self.follow[position].items()):
            return True
        if len(loop) == 1:
            return False
        if len(loop) ** 2 > MAX_PAIRS:
            raise TooComplex("a repeat of too much")
        inside = {position: [following for following in self.follow[position] if following in loop] for position in loop}

        def steps(pair: tuple[int, int]) -> set[tuple[int, int]]:
            return {(a, b) for a in inside[pair[0]] for b in inside[pair[1]] if self.sets[a] & self.sets[b]}

        apart = _reachable({pair for position in loop for pair in steps((position, position)) if pair[0] != pair[1]}, steps)
        if not apart:
            return False
        # Two ways that part must meet again; as the loop is one component, where they meet leads back to where they parted.
        return any(a == b for a, b in apart)


def _reachable(pairs: set[tuple[int, int]], steps: Callable[[tuple[int, int]], set[tuple[int, int]]]) -> set[tuple[int, int]]:
    """All pairs that can be reached from ``pairs``, which are among them; ``pairs`` itself is extended."""
    todo = list(pairs)
    while todo:
        for new in steps(todo.pop()):
            if new not in pairs:
                pairs.add(new)
                todo.append(new)
    return pairs
