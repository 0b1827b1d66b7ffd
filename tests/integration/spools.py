"""What the gateways of a branch have said, read from their spools: SQLite, MessagePack and the packed
columns of common/wire/PROTOCOL.md, section 6. Shares no code with the programs."""

import bisect
import collections
import fractions
import functools
import sqlite3

import msgpack


class Said:
    """Encounters by id; members and watched spans by (measure, counter), asked for when all has been
    read. Values are whole multiples of the measure's resolution, confidences percent, times ms."""

    def __init__(self, resolutions):
        self._resolutions = resolutions
        self._encounters = collections.defaultdict(dict)
        self._withdrawn = set()
        self._members = collections.defaultdict(dict)
        self._watched = collections.defaultdict(list)

    def read(self, path):
        spool = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for body, in spool.execute("SELECT body FROM batch ORDER BY number"):
            batch = msgpack.unpackb(body)
            for fact in batch.get("facts", []):
                self._fact(fact)
            for series in batch.get("series", []):
                self._series(series, path.name)
        spool.close()

    def _fact(self, fact):
        if fact["fact"] == "withdrawn":
            self._withdrawn.add(fact["id"])
        if fact["fact"] == "encounter":
            self._encounters[fact["id"]].update(fact)

    def _series(self, series, gateway):
        key = series["measure"], series["counter"]
        self._watched[key].append((series["from"], series["to"]))
        members = self._unpacked(series) if "packed" in series else self._plain(series)
        for at, value, confidence in members:
            # Equal members are one: of a gateway, at a time, and with the same label.
            label = value if "labels" in series else None
            self._members[key][at, gateway, label] = at, value, confidence

    def _plain(self, series):
        labels = "labels" in series
        values = series.get("labels", series.get("values", []))
        at = series.get("t0")
        confidence = series.get("confidence", 1)
        for i, value in enumerate(values):
            if i:
                at += series["step"] if "step" in series else series["dt"][i - 1]
            one = confidence[i] if isinstance(confidence, list) else confidence
            yield (at, value if labels else self._multiple(series["measure"], value),
                   _nearest(fractions.Fraction(one) * 100))

    def _multiple(self, measure, value):
        return _nearest(fractions.Fraction(value) / self._resolutions[measure])

    @staticmethod
    def _unpacked(series):
        columns = Columns(series["packed"])
        for delta, value, confidence in columns.rows():
            yield (series["t0"] + delta,
                   series["labels"][value] if "labels" in series else value, confidence)

    def encounters(self):
        return {identity: one for identity, one in self._encounters.items()
                if identity not in self._withdrawn}

    @functools.cache
    def _sorted(self, measure, counter):
        return sorted(self._members[measure, counter].values(), key=_time)

    def members(self, measure, counter, begin, end):
        """[(time, value or label, confidence)] with begin <= time < end."""
        members = self._sorted(measure, counter)
        return members[bisect.bisect_left(members, begin, key=_time):
                       bisect.bisect_left(members, end, key=_time)]

    @functools.cache
    def watched(self, measure, counter):
        """Spans in the order of time, without overlap."""
        merged = []
        for start, stop in sorted(self._watched[measure, counter]):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(stop, merged[-1][1])
            elif start < stop:
                merged.append((start, stop))
        return merged


def _time(member):
    return member[0]


def _nearest(value):
    """Halves away from zero."""
    whole = int(abs(value) + fractions.Fraction(1, 2))
    return whole if value >= 0 else -whole


class Columns:
    """Times behind the first, values, confidences."""

    def __init__(self, packed):
        self._bytes, self._at = packed, 0

    def _byte(self):
        self._at += 1
        return self._bytes[self._at - 1]

    def _varint(self):
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _zigzag(self):
        value = self._varint()
        return -(value + 1) // 2 if value & 1 else value // 2

    def rows(self):
        count = self._varint()
        if count == 0:
            return []
        times = self._times(count)
        width = self._byte()
        base = self._zigzag()
        values = []
        for _ in range(count):
            self._at += width
            values.append(base + int.from_bytes(self._bytes[self._at - width:self._at], "little"))
        confidences = []
        while len(confidences) < count:
            run = self._varint()
            confidences += [self._byte()] * run
        assert self._at == len(self._bytes) and len(confidences) == count, "a column of wrong length"
        return list(zip(times, values, confidences))

    def _times(self, count):
        if self._byte() == 0:
            step = self._varint()
            return [step * i for i in range(count)]
        times = [0]
        for _ in range(count - 1):
            times.append(times[-1] + self._varint())
        return times
