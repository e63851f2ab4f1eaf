"""Computes all computed channels: takes readings, returns computed readings, also of channels computed from computed ones."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import repeat

from sensorlogd.batch import Column
from sensorlogd.computed.channel import EQUAL, Channel, Count, Key, Made, Node
from sensorlogd.computed.memory import MAX_KEPT_READINGS, MAX_KEPT_READINGS_FOR_EQUAL, Memory

# (key, computed readings) -> the readings to store: scaled, tested, thinned out. None: nothing is stored.
Treat = Callable[[Key, Made], Column | None]


class Cycle(ValueError):
    """Channels are computed from each other. ``path``: the names from a channel over its inputs back to itself."""

    def __init__(self, path: Sequence[Key]) -> None:
        self.path = [".".join(key) for key in path]
        super().__init__(" <- ".join(self.path))


def in_order(uses: Mapping[Key, Iterable[Key]]) -> list[Key]:
    """The channels, each after those that it is computed from. ``uses``: channel -> its inputs. Raises Cycle."""
    graph = {key: [input_ for input_ in inputs if input_ in uses] for key, inputs in uses.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise Cycle(list(reversed(error.args[1]))) from None


class Engine:
    """Runs the computed channels. ``channels``: in the order of ``in_order``. ``former``: an engine whose state is taken over for
    channels and inputs that have not changed; but not for channels that are to begin ``anew`` all the same."""

    def __init__(
        self,
        channels: Sequence[Channel],
        treat: Treat,
        count: Count,
        former: Engine | None = None,
        anew: Container[Key] = (),
    ) -> None:
        self.treat = treat
        self.memories: dict[Key, Memory] = {}
        for channel in channels:
            for input_ in channel.inputs:
                self._add_memory(input_.key, input_.heartbeat_us, former)
                if channel.join == EQUAL:
                    self.memories[input_.key].kept = MAX_KEPT_READINGS_FOR_EQUAL
        self.nodes = [Node(channel, self.memories, count) for channel in channels]
        self._users: dict[Key, list[int]] = {}
        for rank, node in enumerate(self.nodes):
            for key in node.triggers:
                self._users.setdefault(key, []).append(rank)
        self.new_nodes = self._take_over(former, anew)

    def _add_memory(self, key: Key, heartbeat_us: int, former: Engine | None) -> None:
        if key not in self.memories:
            known = former.memories.get(key) if former is not None else None
            memory = known if known is not None and known.heartbeat_us == heartbeat_us else Memory(heartbeat_us)
            memory.kept = MAX_KEPT_READINGS
            self.memories[key] = memory

    def _take_over(self, former: Engine | None, anew: Container[Key]) -> list[Node]:
        """Take over the state of ``former``. Returns the nodes that are new or have changed."""
        known = {} if former is None else {node.channel.key: node for node in former.nodes}
        new_nodes = []
        for node in self.nodes:
            before = known.get(node.channel.key) if node.channel.key not in anew else None
            if before is not None and before.channel == node.channel:
                node.take_over(before)
                continue
            if before is not None and before.channel.is_integral and node.channel.is_integral:
                node.begin_with(before.seed if before.state is None else before.state.total)
            new_nodes.append(node)
        return new_nodes

    def feed(self, sensor: str, columns: Sequence[Column]) -> list[tuple[Key, Column]]:
        """The computed readings that follow from readings which a sensor hands over, in an order in which they may be stored."""
        new: dict[Key, list[int]] = {}
        for column in columns:
            self._learn((sensor, column.channel), column, new)
        made: list[tuple[Key, Column]] = []
        ranks = [rank for key in new for rank in self._users.get(key, ())]
        heapq.heapify(ranks)
        last = -1
        while ranks:
            rank = heapq.heappop(ranks)
            if rank == last:
                continue
            last = rank
            node = self.nodes[rank]
            times = self._trigger_times(node, new)
            column_made = self._compute(node, times) if times else None
            if column_made is None:
                continue
            key = node.channel.key
            made.append((key, column_made))
            if self._learn(key, column_made, new):
                for user in self._users.get(key, ()):
                    heapq.heappush(ranks, user)
        return made

    def replay(self, after: Mapping[Key, int]) -> list[tuple[Key, Column]]:
        """Compute the named channels anew from remembered readings. ``after``: channel -> time in µs; only later readings are
        computed."""
        made = []
        for node in self.nodes:
            key = node.channel.key
            since = after.get(key)
            if since is None:
                continue
            times = sorted({ts for trigger in node.triggers for ts in self.memories[trigger].after(since)})
            column = self._compute(node, times) if times else None
            if column is not None:
                made.append((key, column))
                self._learn(key, column, {})
        return made

    def node(self, key: Key) -> Node | None:
        """The running node of a channel; None if there is none."""
        return next((node for node in self.nodes if node.channel.key == key), None)

    def _compute(self, node: Node, times: Sequence[int]) -> Column | None:
        made = node.compute(times)
        return None if made is None else self.treat(node.channel.key, made)

    def _learn(self, key: Key, column: Column, new: dict[Key, list[int]]) -> bool:
        """Remember the readings of a channel if it is an input, and add their times to ``new``. Returns whether any was new."""
        memory = self.memories.get(key)
        if memory is None:
            return False
        quality = column.quality
        qualities = list(repeat(quality, len(column.times_us))) if isinstance(quality, int) else quality
        times = memory.insert(column.times_us, column.values, qualities)
        if times:
            new.setdefault(key, []).extend(times)
        return bool(times)

    def _trigger_times(self, node: Node, new: Mapping[Key, list[int]]) -> list[int]:
        """The times (µs) of new readings that give a reading of this channel."""
        lists = [new[key] for key in node.triggers if key in new]
        if len(lists) == 1:
            return lists[0]
        return sorted({ts for times in lists for ts in times})
