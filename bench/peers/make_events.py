"""Ten million events of a shop with long tails, for measuring at a size that no public file here has.

python3 bench/peers/make_events.py EVENTS.csv [--events N] [--users N] [--items N] [--sequences FILE.txt.gz]: writes a CSV
for `perennial import` in time order, and the same events as sequence lines for sasrec.py. Plain Python would take minutes:
needs numpy. The same seed and sizes give the same bytes.

Users: lengths are lognormal, at least one event each. Items: the i-th most popular is drawn like 1 / (i + 10)^0.9.
Sequence: with chance 0.6 the next item is one of the few successors of the item before it, so that there is something to
learn; else it is drawn by popularity. Each user's events lie one after another from a start in the year, with lognormal gaps.
"""
import argparse
import gzip

import numpy

START_SECONDS, DAYS = 1_700_000_000, 365
SUCCESSORS, FOLLOWING, POPULARITY_EXPONENT, POPULARITY_OFFSET = 8, 0.6, 0.9, 10
TYPES = numpy.array(["Product Viewed", "Product Added", "Order Completed"])
TYPE_SHARES = [0.80, 0.12, 0.08]
ORDERED = 2
WRITTEN_AT_ONCE = 500_000


def user_lengths(random, users, events):
    """Events of each user: lognormal, at least one, `events` in all."""
    weights = random.lognormal(0, 1.3, users)
    lengths = 1 + numpy.floor((events - users) * weights / weights.sum()).astype(numpy.int64)
    lengths[numpy.argsort(-weights)[:events - lengths.sum()]] += 1
    return lengths


class ItemDraw:
    """Items by popularity; the number of an item says nothing of its popularity."""

    def __init__(self, random, items):
        weights = (numpy.arange(items) + POPULARITY_OFFSET) ** -POPULARITY_EXPONENT
        self.cumulative = numpy.cumsum(weights / weights.sum())
        self.number = random.permutation(items).astype(numpy.int32)

    def __call__(self, random, count):
        ranks = numpy.searchsorted(self.cumulative, random.random(count))
        return self.number[numpy.minimum(ranks, len(self.number) - 1)]


def item_sequences(random, lengths, items):
    """The items of all users end to end: a step at a time for all users that are long enough, longest user first."""
    draw = ItemDraw(random, items)
    successors = draw(random, items * SUCCESSORS).reshape(items, SUCCESSORS)
    starts = numpy.concatenate([[0], numpy.cumsum(lengths)[:-1]])
    longest_first = numpy.argsort(-lengths, kind="stable")
    ascending = numpy.sort(lengths)
    out = numpy.empty(lengths.sum(), dtype=numpy.int32)
    before = draw(random, len(lengths))
    out[starts[longest_first]] = before
    for step in range(1, int(lengths.max())):
        count = len(lengths) - numpy.searchsorted(ascending, step, side="right")
        followed = successors[before[:count], random.integers(SUCCESSORS, size=count)]
        before = numpy.where(random.random(count) < FOLLOWING, followed, draw(random, count))
        out[starts[longest_first[:count]] + step] = before
    return out


def event_times(random, lengths):
    """Unix seconds of all users' events end to end, rising within each user, inside the year."""
    ends = numpy.cumsum(lengths)
    passed = numpy.cumsum(random.lognormal(7, 2.5, lengths.sum()))
    first = numpy.repeat(passed[ends - lengths], lengths)
    span = numpy.repeat(passed[ends - 1], lengths) - first
    year = DAYS * 86400.0
    lives = numpy.minimum(span, 0.95 * year)  # a life that is too long is shrunk into the year
    begin = numpy.repeat(random.random(len(lengths)), lengths) * (year - lives)
    return (START_SECONDS + begin + (passed - first) * lives / numpy.maximum(span, 1e-9)).astype(numpy.int64)


def write_csv(path, random, users, items, times):
    """In time order; equal times keep each user's order."""
    order = numpy.argsort(times, kind="stable")
    with open(path, "w", encoding="ascii") as out:
        out.write("user_id,item_id,event,timestamp,value,currency\n")
        for start in range(0, len(order), WRITTEN_AT_ONCE):
            rows = order[start:start + WRITTEN_AT_ONCE]
            kinds = random.choice(len(TYPES), len(rows), p=TYPE_SHARES)
            cents = random.integers(500, 20_500, len(rows))
            tails = [f"{paid / 100:.2f},USD" if kind == ORDERED else "," for kind, paid in
                     zip(kinds.tolist(), cents.tolist())]
            columns = zip(users[rows].tolist(), items[rows].tolist(), TYPES[kinds].tolist(), times[rows].tolist(), tails)
            out.writelines(f"u{user},i{item},{kind},{time},{tail}\n" for user, item, kind, time, tail in columns)


def write_sequences(path, lengths, items):
    """Users and items from 1, as the layout wants numbers."""
    words, start = (items + 1).astype(str).tolist(), 0
    with gzip.open(path, "wt", encoding="ascii", compresslevel=1) as out:
        for user, length in enumerate(lengths.tolist(), 1):
            out.write(f"{user} {' '.join(words[start:start + length])}\n")
            start += length


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=1_500_000)
    parser.add_argument("--items", type=int, default=150_000)
    parser.add_argument("--sequences", help="also as `user item item ...` lines, .gz")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.events < args.users:
        parser.error("every user has an event: --events must be at least --users")
    random = numpy.random.default_rng(args.seed)
    lengths = user_lengths(random, args.users, args.events)
    items = item_sequences(random, lengths, args.items)
    times = event_times(random, lengths)
    write_csv(args.csv, random, numpy.repeat(numpy.arange(args.users), lengths), items, times)
    if args.sequences:
        write_sequences(args.sequences, lengths, items)
    quantiles = numpy.quantile(lengths, [0.5, 0.9, 0.99]).astype(int).tolist()
    counts = numpy.sort(numpy.bincount(items))[::-1]
    print(f"{args.events:,} events of {args.users:,} users (half have at most {quantiles[0]}, a tenth over {quantiles[1]}, a "
          f"hundredth over {quantiles[2]}, the most {lengths.max():,}) over {int((counts > 0).sum()):,} items (the most popular "
          f"hundredth has {counts[:args.items // 100].sum() / args.events:.0%} of the events)")


if __name__ == "__main__":
    main()
