#!/usr/bin/env python3
"""Recorded speech and music through the audio driver, against loudness, silence and clipping
computed a second time, here, from the raw values (ITU-R BS.1770); speech against what each
recording is known to hold; and no recorded byte in what the gateway keeps.

    audio_data_test.py PLAY SOURCE_DIR DATA_DIR
"""

import collections
import glob
import math
import os
import struct
import subprocess
import sys
import tempfile
import wave

BEGIN_MS = 1795424400000  # 2026-11-23T09:00:00Z


def read(path):
    with wave.open(path) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, path
        count = file.getnframes()
        return [v / 32768 for v in struct.unpack(f"<{count}h", file.readframes(count))], \
            file.getframerate()


def biquad(values, b, a):
    x1 = x2 = y1 = y2 = 0.0
    out = []
    for x in values:
        y = b[0] * x + b[1] * x1 + b[2] * x2 - a[1] * y1 - a[2] * y2
        x1, x2, y1, y2 = x, x1, y, y1
        out.append(y)
    return out


def k_weighted(values, rate):
    """The shelf and the high-pass of BS.1770, from their analogue forms, for any rate."""
    k = math.tan(math.pi * 1681.974450955533 / rate)
    gain, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    low = gain ** 0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = biquad(values, [(gain + low * k / q + k * k) / a0, 2 * (k * k - gain) / a0,
                            (gain - low * k / q + k * k) / a0],
                   [1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return biquad(shelf, [1, -2, 1], [1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])


def lufs(weighted):
    mean = sum(v * v for v in weighted) / len(weighted)
    return max(-70.0, -0.691 + 10 * math.log10(mean)) if mean > 0 else -70.0


def expected(values, rate):
    """{(measure, second): value}"""
    weighted = k_weighted(values, rate)
    found = {}
    for second in range(math.ceil(len(values) / rate)):
        from_, to = second * rate, min(len(values), (second + 1) * rate)
        parts = [values[from_ + i * rate // 64:from_ + (i + 1) * rate // 64] for i in range(64)
                 if from_ + (i + 1) * rate // 64 <= to]
        if parts:
            quiet = [sum(v * v for v in part) / len(part) < 1e-5 for part in parts]
            found["audio.silence", second] = sum(quiet) / len(parts)
        found["audio.clipping", second] = \
            sum(abs(v) >= 32767 / 32768 for v in values[from_:to]) / (to - from_)
        ends = [from_ + (i + 1) * rate // 10 for i in range(10)]
        peaks = [lufs(weighted[end - rate * 4 // 10:end]) for end in ends
                 if rate * 4 // 10 <= end <= to]
        if peaks:
            found["audio.loudness_peak", second] = max(peaks)
        if to >= 3 * rate:
            found["audio.loudness", second] = lufs(weighted[to - 3 * rate:to])
    return found


RESOLUTION = collections.defaultdict(lambda: 0.01, {
    "audio.loudness": 0.1, "audio.loudness_peak": 0.1, "audio.clipping": 0.0001})


def play(program, source, path, restart_every=0, **settings):
    settings = {"path": path, "start": "2026-11-23T09:00:00Z", **settings}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write("drivers:\n  - driver: audio\n    counter: desk-1\n")
        config.writelines(f"    {key}: {value}\n" for key, value in settings.items())
        config.flush()
        return subprocess.run([program, config.name, f"{source}/config/measures.yaml", "UTC", "0",
                               str(restart_every)], check=True, stdout=subprocess.PIPE,
                              text=True).stdout


def samples(out):
    found = {}
    for line in out.splitlines():
        if line[0] == "S":
            _, measure, counter, t_ms, stored, confidence = line.split()
            assert counter == "desk-1" and confidence == "100", line
            second, rest = divmod(int(t_ms) - BEGIN_MS, 1000)
            assert rest == 0, line
            found[measure, second] = int(stored) * RESOLUTION[measure]
    return found


def compare(path, got, values, rate):
    want = expected(values, rate)
    assert {key for key in got if key[0] != "audio.speech"} == \
        {key for key in want if key[0] != "audio.silence"} | \
        {(m, s) for m, s in got if m == "audio.silence"}, path
    for key, value in want.items():
        # half a step of the resolution, and what doubles differ by
        assert abs(got[key] - value) <= RESOLUTION[key[0]] * 0.501, (path, key, got[key], value)
    return len(want)


def speech_share(got, seconds):
    shares = [got["audio.speech", s] for s in range(math.ceil(seconds))]
    weights = [min(1, seconds - s) for s in range(len(shares))]
    return sum(s * w for s, w in zip(shares, weights)) / seconds


def folder(program, source, data, name, least, most):
    paths = sorted(glob.glob(f"{data}/audio/{name}/*.wav"))
    assert paths, name
    shares, compared = [], 0
    for path in paths:
        values, rate = read(path)
        got = samples(play(program, source, path))
        compared += compare(path, got, values, rate)
        shares.append(speech_share(got, len(values) / rate))
        assert least <= shares[-1] <= most, (path, shares[-1])
    print(f"{name}: {len(paths)} recordings, {compared} values as computed here; speech "
          f"{min(shares):.2f} to {max(shares):.2f}, mean {sum(shares) / len(shares):.2f}")


def restarts(program, source, path):
    """Gateways killed after any turn yield the same."""
    whole = play(program, source, path)
    for every in (1, 2, 3):
        assert play(program, source, path, restart_every=every) == whole, every


def main():
    program, source, data = sys.argv[1:]
    if not os.path.isdir(f"{data}/audio"):
        print(f"skipped: {data}/audio is not there; TRESEN_DATA names the folder of recordings")
        sys.exit(77)
    folder(program, source, data, "prompts_en", 0.8, 1)
    folder(program, source, data, "prompts_de", 0.8, 1)
    folder(program, source, data, "emodb_de", 0.8, 1)
    folder(program, source, data, "not_speech", 0, 0)
    restarts(program, source, glob.glob(f"{data}/audio/not_speech/*.wav")[0])


main()
