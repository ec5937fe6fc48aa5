"""Sequence lines read and laid out as batches for the peer: padded, bucketed by length, or packed.

A line is `user item item ...`, the layout of `perennial import --layout sequence`, plain or gzip. As in leave-one-out, the
last two items of a user are kept away (of a user with fewer than three, none). A sequence of n items gives n - 1 tokens:
each but the last predicts the next. Letters: B rows of a batch, T positions of a row.
"""
import gzip
from dataclasses import dataclass

import numpy
import torch

NO_TARGET = -1  # at positions that predict nothing; an empty position reads item 0, which no real token sees
HELD_OUT = 2
POOL_BATCHES = 16  # bucketing and packing look this many batches ahead, so that an epoch stays shuffled


@dataclass
class Histories:
    """Whole histories, item ids numbered 0..V-1 by first appearance."""
    users: list  # of int64 arrays
    items: int   # V

    @staticmethod
    def training_part(history):
        return history[:-HELD_OUT] if len(history) > HELD_OUT else history


def read_histories(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    numbers, users = {}, []
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()[1:]
            users.append(numpy.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=numpy.int64))
    return Histories(users, len(numbers))


@dataclass
class Batch:
    """All (B, T) int64. `segments` is given when rows hold several users: a token sees its own user's only."""
    items: torch.Tensor
    targets: torch.Tensor  # NO_TARGET where nothing is predicted
    positions: torch.Tensor | None = None
    segments: torch.Tensor | None = None
    tokens: int = 0        # positions that are not padding


class BatchMaker:
    """Endless epochs of batches. `layout`: padded (every row T = length), bucketed (T = the longest of the batch),
    packed (whole users one after another in rows of T = length)."""

    def __init__(self, histories, length, rows, layout, seed):
        cut = [Histories.training_part(history)[-(length + 1):] for history in histories.users]
        self.sequences = [history for history in cut if len(history) > 1]
        self.tokens = numpy.array([len(sequence) - 1 for sequence in self.sequences])
        self.length, self.rows, self.layout = length, rows, layout
        self.random = numpy.random.default_rng(seed)

    def __iter__(self):
        """Every batch has B rows: what an epoch leaves over begins the next, so that compiled shapes stay."""
        waiting = []
        while True:
            waiting += self.epoch_rows()
            whole = len(waiting) // self.rows * self.rows
            batches = self.in_batches(waiting[:whole])
            waiting = waiting[whole:]
            for i in self.random.permutation(len(batches)):
                yield self.make(batches[i])

    def epoch_rows(self):
        """The rows of an epoch, each a list of sequence numbers, in an order that keeps likes together when bucketed."""
        order = self.random.permutation(len(self.sequences))
        if self.layout == "padded":
            return [[user] for user in order]
        pool, rows = POOL_BATCHES * self.rows, []
        for start in range(0, len(order), pool):
            users = sorted(order[start:start + pool], key=lambda user: -self.tokens[user])
            rows += self.pack(users) if self.layout == "packed" else [[user] for user in users]
        return rows

    def in_batches(self, rows):
        return [rows[start:start + self.rows] for start in range(0, len(rows), self.rows)]

    def pack(self, users):
        """Best fit, longest first: by_room[r] lists the rows with room for r more tokens."""
        rows, by_room = [], [[] for _ in range(self.length + 1)]
        for user in users:
            need = int(self.tokens[user])
            room = next((room for room in range(need, self.length + 1) if by_room[room]), None)
            if room is None:
                rows.append([])
                row, room = rows[-1], self.length
            else:
                row = by_room[room].pop()
            row.append(user)
            by_room[room - need].append(row)
        return [rows[i] for i in self.random.permutation(len(rows))]

    def make(self, rows):
        longest = max(sum(int(self.tokens[user]) for user in row) for row in rows)
        shape = (len(rows), longest if self.layout == "bucketed" else self.length)
        items, positions = numpy.zeros(shape, dtype=numpy.int64), numpy.zeros(shape, dtype=numpy.int64)
        targets, segments = numpy.full(shape, NO_TARGET, dtype=numpy.int64), numpy.full(shape, -1, dtype=numpy.int64)
        total = 0
        for index, row in enumerate(rows):
            start = 0
            for user in row:
                sequence, end = self.sequences[user], start + int(self.tokens[user])
                items[index, start:end] = sequence[:-1]
                targets[index, start:end] = sequence[1:]
                positions[index, start:end] = numpy.arange(end - start)
                segments[index, start:end] = user
                start = end
            total += start
        batch = Batch(torch.from_numpy(items), torch.from_numpy(targets), tokens=total)
        if self.layout == "packed":
            batch.positions, batch.segments = torch.from_numpy(positions), torch.from_numpy(segments)
        return batch
