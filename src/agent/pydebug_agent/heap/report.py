"""What a "heap" result says."""

from __future__ import annotations

from typing import Any, Dict, List

from ..system.container_memory import Container
from .growth import line, verdict
from .options import Options
from .watch import Watch

_MOST_TYPES = 3000


def build(watch: Watch, container: Container, options: Options, holders: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Return the result for one process."""
    first, last = watch.first, watch.last
    assert first is not None and last is not None
    begun = first.begun
    types = _types(watch)
    chosen = [entry for entry in types if not options.types or options.wants(entry["module"], entry["name"])]
    left = chosen[_MOST_TYPES:]
    # What each look began with is known of all, also of one that could not count the objects.
    return {
        "kind": "heap",
        "pid": watch.subject.pid,
        "seconds": round(last.ended - first.begun, 3),
        "looks": max(len(watch.times), 1),
        "allocator": watch.subject.allocator(),
        "every": watch.every,
        "rss": [[round(at - begun, 3), size] for at, size in watch.rss],
        "swap": last.split.swap,
        "container": container.as_json(begun),
        "parts": _parts(watch),
        "types": chosen[:_MOST_TYPES],
        "typeCount": len(types),
        "left": {
            "types": len(left),
            "bytes": sum(entry["objectBytes"] + entry["tableBytes"] for entry in left),
        },
        "holders": holders,
        "unknown": last.split.unknown,
        "coverage": round(last.split.coverage, 5),
        "torn": watch.torn,
        "notes": watch.subject.notes + watch.subject.target.notes,
        "why": None if last.why_not is None else last.why_not.as_frame(watch.subject.pid),
    }


def _parts(watch: Watch) -> List[Dict[str, Any]]:
    last = watch.parts[-1][1]
    # A look that could not count the objects has other parts.
    looks = [(at, parts) for at, parts in watch.parts if set(parts) == set(last)]
    result: List[Dict[str, Any]] = []
    for name, size in last.items():
        values = [float(parts[name]) for _, parts in looks]
        row: Dict[str, Any] = {"name": name, "bytes": int(values[0]), "bytesEnd": size, "slope": None, "margin": None}
        if len(looks) >= 3:
            fitted = line([at for at, _ in looks], values, noise=4096.0**2 / 12)
            row["slope"], row["margin"] = round(fitted.slope, 3), round(fitted.margin(), 3)
        result.append(row)
    return result


def _types(watch: Watch) -> List[Dict[str, Any]]:
    looked_at = len(watch.counts)
    rows: List[Dict[str, Any]] = []
    for number in watch.counts:
        kind = watch.subject.kinds.all[number]
        assert kind is not None
        counts, sizes = watch.objects(number), watch.sizes(number)
        last = watch.counts[number].get(len(watch.times) - 1)
        module, name = watch.subject.kinds.full_name(kind)
        row: Dict[str, Any] = {
            "name": name,
            "module": module,
            "count": round(counts[-1]),
            "objectBytes": round(last.size) if last else 0,
            "tableBytes": round(last.tables) if last else 0,
            "countMargin": round(last.count_margin) if last else 0,
            "bytesMargin": round(last.size_margin) if last else 0,
        }
        if len(counts) > 1:
            _growth(row, watch, number, counts, sizes, looked_at)
        rows.append(row)
    rows.sort(key=lambda row: -(row["objectBytes"] + row["tableBytes"]))
    return rows


def _growth(
    row: Dict[str, Any], watch: Watch, number: int, counts: List[float], sizes: List[float], looked_at: int
) -> None:
    objects = watch.line_of(number, counts)
    unit = max(sizes[-1] / counts[-1], 16.0) if counts[-1] else 16.0
    space = watch.line_of(number, sizes, unit)
    verdicts = [verdict(counts, objects, 2 * looked_at), verdict(sizes, space, 2 * looked_at)]
    for best in ("Yes", "Stepped", "Unsure", "No"):
        if best in verdicts:
            row["grows"] = best
            break
    finite = objects.points > 2
    row.update(
        first=round(counts[0]),
        slope=round(objects.slope, 4),
        slopeMargin=round(objects.margin(), 4) if finite else None,
        bytesSlope=round(space.slope, 3),
        bytesSlopeMargin=round(space.margin(), 3) if finite else None,
        kept=watch.survivor_count(number),
    )
