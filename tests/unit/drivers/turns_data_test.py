#!/usr/bin/env python3
"""Interruptions in two channels of recorded speech, found a second time by plainer means.

Who speaks for how long, one after the other, is that of four real calls (HarperValleyBank, (c) 2020
Gridspace Inc., Apache-2.0), whose sound is not here: recorded prompts are put where they speak, German
ones for the agent, English ones for the caller; each comes over to the other channel, 20 dB fainter, in
noise. As those agents hardly interrupt, each call is played with agents in more and more of a hurry.
What is expected is worked out from the two clean channels, by level alone.

    turns_data_test.py PLAY SOURCE_DIR DATA_DIR
"""

import array
import collections
import csv
import glob
import math
import os
import random
import subprocess
import sys
import tempfile
import wave

BEGIN_MS = 1795424400000  # 2026-11-23T09:00:00Z
RATE_HZ, STEP_MS = 8000, 20
HURRIES_MS = (-400, 100, 550, 700, 1000, 1500)  # how long before the caller is done the agent begins
SILENT_S, OVER = 3, 0.1  # before the call; -20 dB
LEVEL = 10 ** (-45 / 20)
# turns.h
PAUSE_MS, FLOOR_MS, BOTH_MS, GOES_ON_MS = 200, 500, 300, 1000
# Two ways to find where a word begins differ by so much; a case that is nearer to a limit is left out.
DOUBT_MS = 120


def is_loud(part):
    return math.sqrt(sum(v * v for v in part) / len(part)) >= LEVEL


def speech_of(pattern, level):
    """All recordings behind each other, at one level, without their pauses."""
    values, step = array.array("h"), RATE_HZ * STEP_MS // 1000
    for path in sorted(glob.glob(pattern)):
        with wave.open(path) as file:
            assert file.getframerate() == RATE_HZ and file.getnchannels() == 1, path
            values.frombytes(file.readframes(file.getnframes()))
    loud = math.sqrt(sum(v * v for v in values) / len(values))
    values = [v / loud * level for v in values]
    return [v for at in range(0, len(values), step) if is_loud(values[at:at + step])
            for v in values[at:at + step]]


def calls(data):
    """{call: [(role, from_ms, to_ms)]} of what is said with words."""
    found = collections.defaultdict(list)
    with open(f"{data}/dialogue/harper_valley_segments.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["human_text"].strip(" []<>") not in ("", "noise", "baby", "unk"):
                at = int(row["start_timestamp_ms"])
                found[row["sid"]].append((row["role"], at, at + int(row["duration_ms"])))
    for sid, segments in found.items():
        zero = min(at for _, at, _ in segments)
        found[sid] = [(role, at - zero, to - zero) for role, at, to in segments]
    return found


def hurried(segments, hurry_ms):
    """The same segments, the agent's beginning so long before the caller's end."""
    placed, last = [], None
    for role, at, to in sorted(segments, key=lambda one: one[1]):
        begin = 1000 * SILENT_S
        if last:
            begin = max(last[2] - (hurry_ms if role == "agent" and last[0] == "caller" else -400),
                        last[1] + 1)
        last = (role, begin, begin + to - at)
        placed.append(last)
    return placed


def channel(segments, role, length, speech):
    values, taken = [0.0] * length, 0
    for who, at, to in segments:
        if who != role:
            continue
        place, count = at * RATE_HZ // 1000, (to - at) * RATE_HZ // 1000
        values[place:place + count] = (speech[taken:] + speech)[:count]
        taken = (taken + count) % len(speech)
    return values


def talks(values):
    """[(from_ms, to_ms)] where it is loud, with pauses that belong to it."""
    step, found = RATE_HZ * STEP_MS // 1000, []
    for at in range(0, len(values) - step + 1, step):
        if not is_loud(values[at:at + step]):
            continue
        ms = at * 1000 // RATE_HZ
        if found and ms - found[-1][1] <= PAUSE_MS:
            found[-1][1] = ms + STEP_MS
        else:
            found.append([ms, ms + STEP_MS])
    return found


def interruptions(employee, client):
    """{begin_ms: how far, in ms, it is from being none}; below 0: how far it is from being one."""
    found = {}
    for begin, end in employee:
        floor = [(at, to) for at, to in client if at < begin < to + PAUSE_MS]
        if floor:
            at, to = floor[-1]
            found[begin] = min(begin - at - FLOOR_MS, min(to, end) - begin - BOTH_MS,
                               end - begin - GOES_ON_MS)
    return found


def record(path, employee, client):
    random.seed(1)
    with wave.open(path, "wb") as out:
        out.setparams((2, 2, RATE_HZ, 0, "NONE", ""))
        values = array.array("h")
        for one, other in zip(employee, client):
            for value in (one + OVER * other, other + OVER * one):
                value += random.gauss(0, 0.0005)
                values.append(max(-32768, min(32767, int(value * 32767))))
        out.writeframes(values.tobytes())


def play(program, source, folder, more="employee_channel: 1", restart_every=0, measures=None):
    with open(f"{folder}/entry.yaml", "w", encoding="utf-8") as file:
        file.write(f"drivers:\n  - {{driver: audio, counter: desk-1, path: {folder}/call.wav,\n"
                   f"     start: '2026-11-23T09:00:00Z', {more}}}\n")
    measures = measures or f"{source}/config/measures.yaml"
    return subprocess.run([program, f"{folder}/entry.yaml", measures, "UTC", "0", str(restart_every)],
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True).stdout


def heard_in(out):
    fields = [line.split() for line in out.splitlines() if line.startswith("E ")]
    assert all(f[1] == "audio.turn" and f[4] == "interruption" for f in fields), fields
    return [int(f[3]) - BEGIN_MS for f in fields]


def main():
    program, source, data = sys.argv[1:]
    if not os.path.isdir(f"{data}/audio") or not os.path.isdir(f"{data}/dialogue"):
        print(f"skipped: {data} has no recordings; TRESEN_DATA names the folder")
        sys.exit(77)
    german = speech_of(f"{data}/audio/prompts_de/*.wav", 0.1)
    english = speech_of(f"{data}/audio/prompts_en/*.wav", 0.1)
    found = missed = invented = doubtful = 0
    for sid, segments in calls(data).items():
        for hurry_ms in HURRIES_MS:
            placed = hurried(segments, hurry_ms)
            length = (placed[-1][2] // 1000 + 4) * RATE_HZ
            employee = channel(placed, "agent", length, german)
            client = channel(placed, "caller", length, english)
            wanted = interruptions(talks(employee), talks(client))
            with tempfile.TemporaryDirectory() as folder:
                record(f"{folder}/call.wav", employee, client)
                out = play(program, source, folder)
                if hurry_ms == HURRIES_MS[-1]:
                    assert sorted(play(program, source, folder, restart_every=1).splitlines()) == \
                        sorted(out.splitlines()), f"{sid}: a restart changes what is heard"
            got = heard_in(out)
            for begin, certain in wanted.items():
                near = [at for at in got if abs(at - begin) <= DOUBT_MS]
                got = [at for at in got if at not in near]
                if abs(certain) < DOUBT_MS:
                    doubtful += 1
                elif certain > 0:
                    found, missed = found + bool(near), missed + (not near)
                else:
                    invented += len(near)
            invented += len(got)
    print(f"{found} interruptions found, {missed} missed, {invented} heard where there was none, "
          f"{doubtful} too near to call")
    assert found >= 20 and missed <= found / 10 and invented <= found / 10

    with tempfile.TemporaryDirectory() as folder:  # one channel cannot tell two people apart
        with wave.open(f"{folder}/call.wav", "wb") as mono:
            mono.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            mono.writeframes(bytes(2 * RATE_HZ))
        out = play(program, source, folder)
        assert f"{folder}/call.wav has 1 channels" in out and "employee_channel: 0" in out, out
        assert "audio.turn" not in play(program, source, folder, more="employee_channel: 0")
        with open(f"{source}/config/measures.yaml", encoding="utf-8") as file:
            text = file.read()
        with open(f"{folder}/measures.yaml", "w", encoding="utf-8") as file:
            file.write(text.replace("- id: audio.turn", "- id: audio.turns"))
        out = play(program, source, folder, measures=f"{folder}/measures.yaml")
        assert "measures.yaml must declare audio.turn, of kind events" in out, out


main()
