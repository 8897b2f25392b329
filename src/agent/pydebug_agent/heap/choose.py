"""Which objects are followed to their holders."""

from __future__ import annotations

from typing import Callable, List

from .census import HASH
from .growth import YES, verdict
from .holders import Sample
from .kinds import HEAP_TYPE, TYPE, Kind
from .options import Options
from .subject import MOST_WHOLE
from .watch import Watch

_MOST_GROWING = 8
_MOST_LARGEST = 5
_MOST_ASKED = 20
# Above the size from which on a heap is looked at in parts every level costs seconds.
_FEW_SAMPLES = 4


def wants(watch: Watch, options: Options) -> Callable[[Kind], bool]:
    """Return which types' addresses are kept, where holders are asked for at once."""
    kinds = watch.subject.kinds
    if options.types:
        return lambda kind: options.wants(*kinds.full_name(kind))
    return lambda kind: kind.has(HEAP_TYPE) and not kind.has(TYPE) and kinds.full_name(kind)[0] != "builtins"


def growing(watch: Watch, options: Options) -> List[Sample]:
    """Return survivors of the types that surely grow."""
    looked_at = 2 * len(watch.counts)
    found = []
    for number in watch.counts:
        counts, sizes = watch.objects(number), watch.sizes(number)
        line = watch.line_of(number, counts)
        # What may well grow is followed, too: the containers' own rates tell.
        if verdict(counts, line, looked_at) == YES or line.points > 3 and line.slope > line.margin():
            found.append((line.slope * max(sizes[-1], 1.0) / max(counts[-1], 1.0), number))
    samples: List[Sample] = []
    for _, number in sorted(found, reverse=True)[:_MOST_GROWING]:
        kind = watch.subject.kinds.all[number]
        survivors = watch.survivors(number)
        if kind is not None and survivors:
            counts, sizes = watch.objects(number), watch.sizes(number)
            share = max(counts[-1] - counts[0], 0.0) / max(counts[-1], 1.0)
            samples.append(Sample(kind, _some(survivors, _count(watch, options)), round(share * sizes[-1])))
    return samples


def asked(watch: Watch, options: Options) -> List[Sample]:
    """Return objects of the types that were asked for, else of the application's largest."""
    if not watch.kept:
        return []
    kept = watch.kept[-1].addresses
    most = _MOST_ASKED if options.types else _MOST_LARGEST
    numbers = sorted((number for number in kept if number in watch.counts), key=lambda number: -watch.sizes(number)[-1])
    samples: List[Sample] = []
    for number in numbers[:most]:
        kind = watch.subject.kinds.all[number]
        if kind is not None and kept[number]:
            some = _some(list(kept[number]), _count(watch, options))
            samples.append(Sample(kind, some, round(watch.sizes(number)[-1])))
    return samples


def _count(watch: Watch, options: Options) -> int:
    if options.samples is not None:
        return options.samples
    large = watch.subject.pools.used_bytes > MOST_WHOLE
    return _FEW_SAMPLES if large else 8


def _some(addresses: List[int], count: int) -> List[int]:
    """Return some addresses, chosen by a hash: neighbours are often held alike."""
    return sorted(addresses, key=lambda address: address * HASH & (1 << 64) - 1)[:count]
